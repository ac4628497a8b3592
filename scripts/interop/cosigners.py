#!/usr/bin/env python3
"""A server whose checkpoints are cosigned by litewitness and omniwitness, and by our own witness as a process of its own.

    scripts/interop/cosigners.py --cache DIR --ledgerstone PROGRAM

litewitness (filippo.io/torchwood) and omniwitness (transparency-dev/witness) are built from the versions that the go.sum
beside this file pins, below the cache directory. Their cosignatures are judged by `ledgerstone verify --policy` and by
Torchwood's reader of policies. Then both are asked what the table of C2SP tlog-witness says, row by row; where they answer
otherwise, KNOWN says how, and docs/witness.md says so too.

Exit code: 0 if all is as it must be, 1 if something is not, 2 if a program is not to be had.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import witnesses
from witnesses import Server, free_port, listens, until

HERE = pathlib.Path(__file__).resolve().parent
LITE = "filippo.io/torchwood/cmd/litewitness"
OMNI = "github.com/transparency-dev/witness/cmd/"
# What a program answers where the table says otherwise.
KNOWN = {
    ("litewitness", "no checkpoint at all"): 404,
    ("omniwitness", "no checkpoint at all"): 500,
    ("omniwitness", "an unknown origin"): 500,
    ("omniwitness", "no signature by the log"): 500,
    ("omniwitness", "a signature that does not hold"): 500,
}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--cache", type=pathlib.Path, required=True)
    args.add_argument("--ledgerstone", required=True)
    args = args.parse_args()
    tools = args.cache.resolve() / "tools" / "witnesses"
    try:
        tools.mkdir(parents=True, exist_ok=True)
        build(HERE / "litewitness", tools, LITE)
        build(HERE / "omniwitness", tools, OMNI + "omniwitness", OMNI + "generate_keys")
        build(HERE / "torchwood", tools, ".")
        for needed in ("ssh-agent", "ssh-add", "ssh-keygen"):
            if shutil.which(needed) is None:
                raise OSError("%s is not here" % needed)
    except (OSError, subprocess.CalledProcessError) as error:
        print("SKIPPED: litewitness and omniwitness can't be had: %s" % error)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder), tools, str(pathlib.Path(args.ledgerstone).resolve()))
        try:
            cosigned(site)
            set_back(site)
            objected(site)
            for witness in (site.lite, site.omni):
                conforms(site, witness)
        except BaseException:
            site.tell()
            raise
        finally:
            site.end()
    print("cosigners: all as it must be")
    return 0


def build(module, tools, *programs):
    subprocess.run(["go", "build", "-C", str(module), "-mod=readonly", "-o", str(tools) + "/", *programs], check=True)


class Cosigner:
    """What all three have in common: a process, a place, a key."""

    def __init__(self, site, kind):
        self.site, self.kind, self.port, self.process = site, kind, free_port(), None
        self.folder = site.folder / kind
        self.folder.mkdir()
        self.errors = open(site.folder / (kind + ".err"), "ab")

    def run(self, command, **more):
        out = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, check=True, text=True, **more)
        return out.stdout

    def begin(self, command):
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=self.errors, stderr=self.errors)
        until("%s listens" % self.kind, lambda: listens(self.port))

    def stop(self, how=signal.SIGKILL):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port


class Lite(Cosigner):
    """litewitness: its key lies in an ssh-agent, its logs in a database."""

    def __init__(self, site, tools):
        super().__init__(site, "litewitness")
        self.program = str(tools / "litewitness")
        self.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"])
        self.fingerprint = self.run(["ssh-keygen", "-l", "-f", "key"]).split()[1]
        self.agent = subprocess.Popen(["ssh-agent", "-D", "-a", "agent"], cwd=self.folder, stdout=subprocess.DEVNULL)
        until("ssh-agent is there", lambda: (self.folder / "agent").exists())
        environment = {**os.environ, "SSH_AUTH_SOCK": str(self.folder / "agent")}
        self.run(["ssh-add", "-q", "key"], env=environment, stderr=subprocess.DEVNULL)
        self.start()
        told = (site.folder / "litewitness.err").read_text()
        self.vkey = [word for word in told.split() if word.startswith("vkey=")][0][5:]

    def start(self):
        listen = "127.0.0.1:%d" % self.port
        command = [self.program, "-db", "db", "-ssh-agent", "agent", "-name", "lite.example/w"]
        self.begin([*command, "-key", self.fingerprint, "-listen", listen])

    def trust(self, origin, vkey):
        # What its companion witnessctl does.
        with sqlite3.connect(self.folder / "db", timeout=10) as db:
            nothing = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
            db.execute("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", (origin, nothing))
            db.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (origin, vkey))

    def set_back(self, origin, size, root):
        """As if its database came from a backup."""
        with sqlite3.connect(self.folder / "db", timeout=10) as db:
            db.execute("UPDATE log SET tree_size = ?, tree_hash = ? WHERE origin = ?", (size, root, origin))

    def end(self):
        self.stop()
        self.agent.terminate()
        self.agent.wait()


class Omni(Cosigner):
    """omniwitness: it reads its logs at the start. Nothing feeds it but those who ask."""

    def __init__(self, site, tools):
        super().__init__(site, "omniwitness")
        self.program = str(tools / "omniwitness")
        self.run([str(tools / "generate_keys"), "--origin", "omni.example/w", "--out_priv", "key", "--out_pub", "vkey"],
                 stderr=subprocess.DEVNULL)
        self.vkey = (self.folder / "vkey").read_text().strip()
        self.logs = "Logs:\n"

    def trust(self, origin, vkey):
        self.logs += "  - Origin: %s\n    URL: http://127.0.0.1:9/\n    PublicKey: %s\n" % (origin, vkey)

    def start(self):
        (self.folder / "logs.yaml").write_text(self.logs)
        listen = ["--listen", "127.0.0.1:%d" % self.port, "--metrics_listen", ""]
        self.begin([self.program, "--private_key_path", "key", "--db_file", "db", "--additional_logs", "logs.yaml", *listen])

    def end(self):
        self.stop()


class Own(Cosigner):
    """Our own."""

    def __init__(self, site):
        super().__init__(site, "own")
        self.logs, self.vkey = [], None

    def trust(self, _, vkey):
        self.logs += ["--log", vkey]

    def start(self):
        command = [self.site.ledgerstone, "witness", "--dir", "w", "--listen", "127.0.0.1:%d" % self.port]
        name = [] if self.vkey else ["--name", "own.example/w"]
        self.begin([*command, *name, *self.logs])
        with urllib.request.urlopen(self.url, timeout=20) as answer:
            self.vkey = [word for word in answer.read().decode().split() if word.startswith("own.example/w+")][0]

    def end(self):
        self.stop()


class Site:
    """Three witnesses; the quorum needs both foreign ones."""

    def __init__(self, folder, tools, ledgerstone):
        self.folder, self.ledgerstone, self.torchwood = folder, ledgerstone, str(tools / "torchwood")
        self.lite, self.omni, self.own = Lite(self, tools), Omni(self, tools), Own(self)
        self.all = [self.lite, self.omni, self.own]
        # The key of our own is made at its first start; it knows no log then.
        self.own.start()
        self.own.stop()
        self.policy = folder / "policy"
        lines = ["witness %s %s %s" % (w.kind, w.vkey, w.url) for w in self.all]
        self.policy.write_text("\n".join(lines) + "\ngroup both all litewitness omniwitness\nquorum both\n")
        self.server = Server(self, "data", '[witness]\npolicy = "../policy"\nown = ["own"]\n[commit]\nheartbeat_s = 3600\n')

    def standing(self):
        return self.server.standing()

    def witness(self, kind):
        return [w for w in self.standing()["witnesses"] if w["name"] == kind][0]

    def witnessed(self):
        def all_three():
            standing = self.standing()
            return all(w["size"] == standing["size"] == self.server.ledger()["durable"] for w in standing["witnesses"])
        until("all three have cosigned", all_three)

    def verify(self, what, *more):
        done = subprocess.run([self.ledgerstone, "verify", str(what), "--json", *more], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout + done.stderr

    def tell(self):
        for path in sorted(self.folder.glob("*.err")):
            print("--- %s\n%s" % (path.name, path.read_text()[-3000:]))

    def end(self):
        self.server.stop(signal.SIGKILL)
        for witness in self.all:
            witness.end()


def cosigned(site):
    """All three cosign, receipts wait for the foreign two, and foreign programs agree that the policy is met."""
    server = site.server
    server.start()
    until("nobody knows the ledgers yet", lambda: "0 of 3" in (server.held() or ""))
    for ledger in server.get("/v1/ledgers"):
        for witness in site.all:
            witness.trust(ledger["origin"], ledger["vkey"])
    site.omni.start()
    site.own.start()
    until("the gate is open", lambda: server.held() is None and server.ledger()["committed"] > 0)
    for count in (1, 50, 300):
        status, answer = server.append(count, "witnessed")
        assert status == 200 and answer["level"] == "witnessed", answer
    site.witnessed()
    for witness in site.all:
        shown = site.witness(witness.kind)
        assert shown["lag"] == 0 and shown["own"] == (witness is site.own), shown
    assert site.standing()["own_suffice"] is False
    metrics = server.ask("/metrics")[1]
    assert 'ledgerstone_witness_lag_entries{ledger="main",witness="own"} 0' in metrics, metrics
    ledger = server.ledger()
    status, note = server.ask(ledger["prefix"] + "/checkpoint.witnessed")
    assert status == 200 and note.count("\n— ") == 4, note
    print("cosigners: litewitness, omniwitness and our own have cosigned %s entries" % note.split("\n")[1])

    kept = site.folder / "note"
    kept.write_text(note)
    policy = site.folder / "policy-for-torchwood"
    policy.write_text("log %s\n%s" % (ledger["vkey"], site.policy.read_text()))
    subprocess.run([site.torchwood, "-policy", str(policy), str(kept)], check=True)
    url = "http://127.0.0.1:%d" % server.port
    token = ["--token-file", str(server.data / "admin.token")]
    code, told = site.verify(url, "--policy", str(site.policy), "--require-anchor", *token)
    assert code == 0 and "litewitness, omniwitness" in told, told
    # Nobody of that policy has cosigned.
    code, told = site.verify(url, "--policy", str(other_policy(site)), *token)
    assert code == 2 and "no quorum" in told, told
    server.stop()
    code, told = site.verify(server.data, "--keys", str(server.keys), "--policy", str(site.policy))
    assert code == 0, told
    server.start()
    until("the gate is open", lambda: server.held() is None)


def other_policy(site):
    stranger = "stranger.example/witness+05ae1501+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
    path = site.folder / "policy-of-others"
    path.write_text("witness w %s\nquorum w\n" % stranger)
    return path


def set_back(site):
    """litewitness comes back from a backup: an alarm and a record, it is fed again, and nothing stops."""
    server, origin = site.server, site.server.ledger()["origin"]
    site.witnessed()
    older = server.checkpoint().split("\n")
    server.append(20, "witnessed")
    site.lite.stop()
    site.lite.set_back(origin, int(older[1]), older[2])
    site.lite.start()
    status, answer = server.append(20, "witnessed")
    assert status == 200, answer
    alarm = site.witness("litewitness")["alarm"]
    assert alarm and alarm["reason"] == "behind" and alarm["claimed"] == int(older[1]) and not alarm["stops"], alarm
    assert server.held() is None
    rows = server.ask("/v1/ledgers/main/search?q=kind:cut")[1]
    assert "behind" in rows, rows
    code, told = site.verify("http://127.0.0.1:%d" % server.port, "--token-file", str(server.data / "admin.token"))
    assert code == 0, told
    print("cosigners: a witness that was set back to %s entries is told of and fed again" % older[1])


def objected(site):
    """litewitness holds another tree and, having no monitoring path, can't show it; the quorum needs it, so nothing is signed."""
    server, origin = site.server, site.server.ledger()["origin"]
    site.witnessed()
    size = server.size()
    site.lite.stop()
    site.lite.set_back(origin, size, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    site.lite.start()
    server.append(5)
    until("it stops", lambda: "has cosigned another tree" in (server.held() or ""))
    assert "shows no checkpoint" in server.held(), server.held()
    status, answer = server.append(5)
    assert status == 200, "intake goes on: %s" % answer
    # Where the other two are enough, its word alone is told and stops nothing.
    server.stop()
    text = site.policy.read_text()
    site.policy.write_text(text.replace("group both all litewitness omniwitness", "group both 2 litewitness omniwitness own"))
    server.start()
    until("the gate is open", lambda: server.held() is None)
    status, answer = server.append(5, "witnessed")
    assert status == 200, answer
    until("it is told", lambda: site.witness("litewitness")["alarm"])
    alarm = site.witness("litewitness")["alarm"]
    assert alarm["reason"] == "conflict" and alarm["note"] is None and not alarm["stops"], alarm
    print("cosigners: one that objects without a note stops signatures only where the others are no quorum")


def conforms(site, witness):
    """The table of C2SP tlog-witness, but for what needs a log of our own making."""
    note = site.server.checkpoint()
    size = int(note.split("\n")[1])
    text, signatures = note.split("\n\n", 1)
    origin = text.split("\n")[0]
    rows = [
        ("no checkpoint at all", "old 0\n\n", 400),
        ("nothing", "", 400),
        ("an old size that is no number", "old x\n\n%s" % note, 400),
        ("a line after the size that is no hash", "old 1\nx\n\n%s" % note, 400),
        ("an old size above the new one", "old %d\n\n%s" % (size + 1, note), 400),
        ("an unknown origin", "old 0\n\n%s" % note.replace(origin, origin + "x"), 404),
        ("no signature by the log", "old 0\n\n%s\n\n%s" % (text, signatures.replace(origin, origin + "x")), 403),
        ("a signature that does not hold", "old 0\n\n%s\n\n%s" % (text.replace("\n%d\n" % size, "\n%d\n" % (size + 1)), signatures), 403),
        ("another size than it cosigned", "old 1\n\n%s" % note, 409),
    ]
    for what, body, expected in rows:
        status, kind, answer = post(witness.url + "/add-checkpoint", body.encode())
        wanted = KNOWN.get((witness.kind, what), expected)
        assert status == wanted, (witness.kind, what, status, answer)
        if status == 409:
            assert kind == "text/x.tlog.size" and answer.strip().isdigit(), (kind, answer)
    path = "/%s/checkpoint" % hashlib.sha256(origin.encode()).hexdigest()
    # Neither has the monitoring path.
    try:
        urllib.request.urlopen(witness.url + path, timeout=20).close()
        raise SystemExit("%s has a monitoring path now: say so in docs/witness.md" % witness.kind)
    except urllib.error.HTTPError as error:
        assert error.code in (404, 405), error
    print("cosigners: %s answers %d rows of the table as docs/witness.md says" % (witness.kind, len(rows)))


def post(url, body):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


if __name__ == "__main__":
    sys.exit(main())
