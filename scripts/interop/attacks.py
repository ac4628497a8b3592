#!/usr/bin/env python3
"""A server with two witnesses that nobody here wrote (aics-witness from PyPI) and one of ours, attacked by whoever has its keys.

    scripts/interop/attacks.py --cache DIR --ledgerstone PROGRAM [--only DRILL]...

What must not be seen is asserted as well: a history written anew with the stolen key verifies where nothing from outside is at
hand. Exit code: 0 if all drills end as they must, 1 if one does not, 2 if aics-witness is not to be had.
"""

import base64
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import witnesses
from witnesses import Server, Site, free_port, listens, until

QUIET = "[commit]\nheartbeat_s = 3600\n"


class OurWitness:
    """`ledgerstone witness` in the place of a foreign one."""

    def __init__(self, folder, program, number):
        self.folder, self.program = folder / ("w%d" % number), program
        self.folder.mkdir()
        self.name, self.port, self.process = "w.example/%d" % number, free_port(), None
        self.log = open(self.folder / "log", "wb")
        self.logs = self.folder / "logs.policy"
        self.logs.write_text("")
        # The first start makes its key and tells it.
        self.start("--name", self.name)

        def keys():
            words = (self.folder / "out").read_text().split()
            return [word for word in words if word.startswith(self.name + "+")]
        until("our witness tells its key", keys)
        self.stop()
        self.vkey = keys()[0]

    def trust(self, origin, vkey):
        with open(self.logs, "a") as logs:
            logs.write("log %s\n" % vkey)

    def start(self, *more):
        listen = "127.0.0.1:%d" % self.port
        command = [self.program, "witness", "--dir", "state", "--listen", listen, "--logs", str(self.logs), *more]
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=self.log)
        until("our witness listens", lambda: listens(self.port))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def forks(self):
        command = [self.program, "witness", "--dir", str(self.folder / "state"), "--forks"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port


class Mixed(Site):
    """Two foreign witnesses and one of ours; two of the three are the quorum."""

    def witness(self, number, program):
        return OurWitness(self.folder, self.ledgerstone, number) if number == 3 else super().witness(number, program)

    def thief(self, name, settings=QUIET, data=True):
        """A server of somebody who has the keys, and a copy of the data or none."""
        thief = Server(self, name, settings)
        self.servers.append(thief)
        if data:
            shutil.rmtree(thief.data)
            self.server.copy_of(thief.data)
            thief.settings(settings)
        shutil.copytree(self.server.keys, thief.keys)
        if not data:
            # Keys of files that are not there any more; what signs is all a thief needs.
            shutil.rmtree(thief.keys / "data")
            (thief.keys / "data").mkdir()
        return thief

    def call(self, *words):
        done = subprocess.run([self.ledgerstone, *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout + done.stderr

    def evidence(self, server, name):
        url = "http://127.0.0.1:%d" % server.port
        token = str(server.data / "admin.token")
        code, told = self.call("evidence", "--server", url, "--token-file", token, "--case", "1", "--purpose", "audit", "-o", name)
        assert code == 0, told
        return name

    def shown(self, witness, server):
        """The newest checkpoint that a witness shows, as somebody fetches it who doubts the log."""
        origin = server.ledger()["origin"] if server.process else self.origin
        url = "%s/%s/checkpoint" % (witness.url, hashlib.sha256(origin.encode()).hexdigest())
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def known(self):
        ledger = self.server.ledger()
        self.origin, self.key = ledger["origin"], ledger["vkey"]


def check(site, data, keys, expected, *more):
    command = [site.ledgerstone, "verify", str(data), "--keys", str(keys), *more]
    done = subprocess.run(command, cwd=site.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == expected, (more, done)
    return done.stdout + done.stderr


def drill_rewrite_with_the_stolen_key(site):
    """green for whoever has only the store and the key, red by policy and left-behind note, by a witness, by a receipt"""
    site.begin()
    status, answer = site.server.append(50, "witnessed")
    assert status == 200, answer
    site.known()
    receipt = site.folder / "receipt"
    receipt.write_text(json.dumps(answer["receipts"][7]))
    site.witnessed()
    note = site.folder / "note"
    note.write_text(site.shown(site.witnesses[2], site.server))
    left = (site.server.data / "ledgers/main/checkpoint.witnessed").read_text()
    site.server.stop()
    thief = site.thief("rewritten", data=False)
    thief.start()
    status, answer = thief.append(90, "committed", who="forged")
    assert status == 200, answer
    assert thief.ledger()["vkey"] == site.key, "the thief has another key"
    thief.stop()
    place = thief.data, thief.keys
    # Asserted, since the documentation says so: alone, and with the right key, nothing is to be seen.
    check(site, *place, 0)
    check(site, *place, 0, "--key", site.key, "--require-anchor")
    told = check(site, *place, 2, "--policy", str(site.policy))
    assert "no checkpoint of it was cosigned" in told, told
    for kept in (note, receipt):
        told = check(site, *place, 1, "--kept", str(kept))
        assert "contradiction" in told or "another" in told or "does not begin" in told, told
    beside = thief.data / "ledgers/main/checkpoint.witnessed"
    beside.write_text(left)
    check(site, *place, 1, "--policy", str(site.policy))
    beside.unlink()
    # Put in the place of the honest store it signs nothing more.
    thief.settings(site.toml)
    thief.start()
    site.until_held("has cosigned another tree", thief)
    before = thief.checkpoint()
    thief.append(5)
    time.sleep(1)
    assert thief.checkpoint() == before, "it signed"


def drill_split_view_to_two_auditors(site):
    """two branches under one key: each auditor's file, receipt and monitor are green, together they prove it; no witness signs both"""
    site.begin()
    site.server.append(20, "witnessed")
    site.witnessed()
    site.known()
    site.server.stop()
    thief = site.thief("branch")
    site.server.start()
    site.until_open()
    status, answer = site.server.append(30, "witnessed", who="ann")
    assert status == 200, answer
    site.witnessed()
    (site.folder / "ann.receipt").write_text(json.dumps(answer["receipts"][3]))
    thief.start()
    status, answer = thief.append(40, "committed", who="bob")
    assert status == 200, answer
    (site.folder / "bob.receipt").write_text(json.dumps(answer["receipts"][3]))
    site.evidence(site.server, "ann.evidence")
    site.evidence(thief, "bob.evidence")
    pinned = ("--key", site.key, "--require-anchor")
    for who, server in (("ann", site.server), ("bob", thief)):
        code, told = site.call("verify", who + ".evidence", *pinned)
        assert code == 0, told
        code, told = site.call("verify", who + ".receipt", *pinned)
        assert code == 0, told
        url = "http://127.0.0.1:%d" % server.port
        watch = ("monitor", url, "--key", site.key, "--once", "--state", who, "--token-file", str(server.data / "admin.token"))
        code, told = site.call(*watch)
        assert code == 0, told
    for pair in (("ann.evidence", "bob.evidence"), ("ann.receipt", "bob.evidence"), ("ann.receipt", "bob.receipt")):
        code, told = site.call("verify", *pair, *pinned, "--json")
        assert code == 1 and json.loads(told[: told.rindex("}") + 1])["equivocation"], told
    # What is kept convinces somebody who has the key alone.
    found = [path.parent for path in site.folder.glob("ledgerstone-monitor/*/findings/*/one.checkpoint")]
    assert found, list(site.folder.glob("ledgerstone-monitor/**/*"))
    for folder in found:
        files = [str(path) for path in sorted(folder.iterdir()) if path.name in ("one.checkpoint", "other.checkpoint", "proof")]
        if len(files) == 3:
            code, told = site.call("verify", *files, *pinned)
            assert code == 1 and "equivocation" in told, told
    code, told = site.call("monitor", "http://127.0.0.1:%d" % thief.port, "--key", site.key, "--once", "--state", "bob", "--against", "ann",
                           "--token-file", str(thief.data / "admin.token"))
    assert code == 1, told
    thief.stop()
    thief.settings(site.toml)
    thief.start()
    site.until_held("has cosigned another tree", thief)
    code, told = site.witnesses[2].forks()
    assert code == 1 and site.origin in told, told


def drill_witness_race(site):
    """two servers with one key run for the same witness at the same time: one wins, the other stops, the witness has one history"""
    site.begin()
    site.server.append(10, "witnessed")
    site.witnessed()
    site.known()
    site.server.stop()
    ours = site.witnesses[2]
    alone = site.folder / "policy-of-one"
    alone.write_text("witness w3 %s %s\nquorum w3\n" % (ours.vkey, ours.url))
    toml = '[witness]\npolicy = "../policy-of-one"\n' + QUIET
    thief = site.thief("second", toml)
    site.server.settings(toml)
    # Both have the same tree: the witness has nothing against either.
    for server in (site.server, thief):
        server.start()
    for server in (site.server, thief):
        until("a gate opens", lambda: server.held() is None)
    go = threading.Barrier(2)

    def race(server, who, count):
        go.wait()
        for number in range(5):
            server.append(count, who="%s-%d-" % (who, number))
    runners = [threading.Thread(target=race, args=one) for one in ((site.server, "one", 7), (thief, "two", 11))]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    both = (site.server, thief)
    until("one stops", lambda: sum(server.held() is not None for server in both) == 1)
    time.sleep(1.5)
    held = [server for server in both if server.held()]
    assert len(held) == 1, [server.held() for server in both]
    loser = held[0]
    winner = site.server if loser is thief else thief
    status, answer = winner.append(5, "witnessed")
    assert status == 200 and answer["level"] == "witnessed", answer
    assert loser.standing()["phase"] == "stopped" and "w3 has cosigned" in loser.held(), loser.held()
    before = loser.checkpoint()
    status, answer = loser.append(5)
    assert status == 200 and answer["level"] == "durable", answer
    time.sleep(1)
    assert loser.checkpoint() == before, "the loser signed"
    note = site.folder / "note"
    note.write_text(site.shown(ours, winner))
    for server, code in ((winner, 0), (loser, 1)):
        server.stop()
        check(site, server.data, server.keys, 0)
        check(site, server.data, server.keys, code, "--kept", str(note))


def drill_witness_restored_from_backup(site):
    """two witnesses, a foreign one and ours, were set back: seen, told, fed again; a store set back with them is still refused"""
    site.begin()
    site.server.append(10, "witnessed")
    site.witnessed()
    site.server.stop()
    old = site.folder / "old"
    site.server.copy_of(old)
    site.server.start()
    site.until_open()
    restored = site.witnesses[0], site.witnesses[2]
    for witness in restored:
        witness.stop()
        shutil.copytree(witness.folder, str(witness.folder) + "-backup")
        witness.start()
    for _ in range(3):
        status, answer = site.server.append(10, "witnessed")
        assert status == 200, answer
    site.witnessed()
    newest = site.server.size()

    def set_back():
        for witness in restored:
            witness.stop()
            shutil.rmtree(witness.folder)
            shutil.copytree(str(witness.folder) + "-backup", witness.folder)
            witness.start()
    set_back()
    status, answer = site.server.append(1, "witnessed")
    assert status == 200, answer
    # They are shown again what they have forgotten, and cosign it.
    site.witnessed()
    for witness in restored:
        assert int(site.shown(witness, site.server).split("\n")[1]) > newest

    def told(number):
        alarm = site.server.standing()["witnesses"][number]["alarm"]
        return alarm is not None and alarm["reason"] == "behind" and alarm["before"] >= newest
    until("both are told to have been set back", lambda: told(0) and told(2))
    assert site.server.held() is None
    # The quorum was set back and the store with it: the one that remembers is enough.
    site.server.stop()
    site.server.set_back_to(old)
    set_back()
    site.server.start()
    site.until_held("w2 has cosigned")
    before = site.server.checkpoint()
    site.server.append(3)
    time.sleep(1)
    assert site.server.checkpoint() == before, "it signed"


def drill_witness_that_signs_anything(site):
    """one of three signs whatever it is shown: a history written anew is cosigned by it alone, which is no quorum"""
    liar = Liar(site, "anything")
    site.replace(1, liar)
    site.begin()
    site.server.append(20, "witnessed")
    site.witnessed()
    site.known()
    note = site.shown(site.witnesses[1], site.server)
    site.server.stop()
    thief = site.thief("rewritten", '[witness]\npolicy = "../policy-of-the-thief"\n' + QUIET, data=False)
    (site.folder / "policy-of-the-thief").write_text("witness w1 %s %s\nquorum w1\n" % (liar.vkey, liar.url))
    thief.start()
    until("the thief signs", lambda: thief.held() is None)
    status, answer = thief.append(60, "witnessed", who="forged")
    assert status == 200 and answer["level"] == "witnessed", answer
    thief.stop()
    place = thief.data, thief.keys
    # Whoever is content with the liar is lied to.
    check(site, *place, 0, "--policy", "policy-of-the-thief")
    told = check(site, *place, 2, "--policy", str(site.policy))
    assert "which is no quorum" in told, told
    (site.folder / "note").write_text(note)
    check(site, *place, 1, "--kept", str(site.folder / "note"))
    thief.settings(site.toml)
    thief.start()
    site.until_held("has cosigned another tree", thief)


def drill_witness_that_answers_garbage(site):
    """one of three answers noise, wrong signatures and endless bodies: the other two are enough, and its trouble is shown"""
    site.replace(1, Liar(site, "garbage"))
    site.begin()
    for _ in range(4):
        status, answer = site.server.append(5, "witnessed")
        assert status == 200, answer
        time.sleep(0.6)
    assert site.server.held() is None
    assert site.server.standing()["witnesses"][0]["trouble"], site.server.standing()
    note = (site.server.data / "ledgers/main/checkpoint.witnessed").read_text()
    assert site.witnesses[0].name not in note, note
    site.server.stop()
    check(site, site.server.data, site.server.keys, 0, "--policy", str(site.policy))


def drill_witness_that_claims_to_be_ahead(site):
    """one of three says that it has seen more and shows nothing: signing stops, records don't, and without it goes on"""
    liar = Liar(site, "anything")
    site.replace(1, liar)
    site.begin()
    site.server.append(10, "witnessed")
    liar.lie = "ahead"
    site.server.append(1)
    why = site.until_held("w1 has cosigned")
    assert "shows no checkpoint with this ledger's signature" in why and "take it out" in why, why
    status, answer = site.server.append(10)
    assert status == 200 and answer["level"] == "durable", answer
    site.server.stop()
    honest = ["witness w%d %s %s" % (n, w.vkey, w.url) for n, w in enumerate(site.witnesses, 1) if n > 1]
    site.policy.write_text("\n".join(honest) + "\ngroup two 2 w2 w3\nquorum two\n")
    site.server.settings('[witness]\npolicy = "../policy"\n' + QUIET)
    site.server.start()
    site.until_open()
    status, answer = site.server.append(1, "witnessed")
    assert status == 200, answer
    site.server.stop()
    check(site, site.server.data, site.server.keys, 0, "--policy", str(site.policy))


class Liar:
    """A witness that is not one: it signs anything, answers garbage, or claims to be ahead."""

    def __init__(self, _, lie):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        self.lie, self.name, self.last, self.turn = lie, "liar.example/w", {}, 0
        self.secret = Ed25519PrivateKey.generate()
        public = b"\x04" + self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(self.name.encode() + b"\n" + public).digest()[:4]
        self.vkey = "%s+%s+%s" % (self.name, self.id.hex(), base64.b64encode(public).decode())
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self.answer(*liar.add(body.split("\n\n", 1)[1]))

            def do_GET(self):
                note = liar.last.get(self.path.split("/")[1])
                self.answer(200 if note else 404, (note or "").encode())

            def answer(self, status, body, kind="text/plain"):
                self.send_response(status)
                self.send_header("Content-Type", "text/x.tlog.size" if status == 409 else kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler, self.port, self.server = Handler, free_port(), None
        self.url = "http://127.0.0.1:%d" % self.port

    def add(self, note):
        text, signatures = note.split("\n\n", 1)
        text += "\n"
        now = int(time.time())
        signature = self.secret.sign(("cosignature/v1\ntime %d\n%s" % (now, text)).encode())
        line = "\u2014 %s %s\n" % (self.name, base64.b64encode(self.id + now.to_bytes(8, "big") + signature).decode())
        self.turn += 1
        if self.lie == "garbage":
            other = base64.b64encode(self.id + now.to_bytes(8, "big") + bytes(64)).decode()
            noise = [
                (200, os.urandom(3000)),
                (200, ("\u2014 %s %s\n" % (self.name, other)).encode()),
                (200, line.encode() * 3000),
                (409, b"-1\n"),
                (500, b"\x1b[31m" * 100),
            ]
            return noise[self.turn % len(noise)]
        if self.lie == "ahead":
            return 409, b"1000000\n"
        origin = hashlib.sha256(text.split("\n")[0].encode()).hexdigest()
        self.last[origin] = text + "\n" + signatures + line
        return 200, line.encode()

    def trust(self, origin, vkey):
        pass

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        # Whoever asks goes away when it has had enough.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


if __name__ == "__main__":
    sys.exit(witnesses.main(__doc__, globals(), Mixed))
