#!/usr/bin/env python3
"""A server, and three witnesses that nobody here wrote (aics-witness from PyPI), attacked in every way that a witness is for.

    scripts/interop/witnesses.py --cache DIR --ledgerstone PROGRAM [--only DRILL]...

Exit code: 0 if all drills end as they must, 1 if
one does not, 2 if aics-witness is not to be had.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

WITNESS = "aics-witness==0.1.0"
LOG = "aics-tlog==0.2.1"
# Longer than a server waits at most before it asks a witness again.
PATIENCE = 120
TELLING = threading.Lock()
GIVEN = set()


def main(doc=__doc__, scope=None, kind=None):
    args = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--cache", type=pathlib.Path, required=True)
    args.add_argument("--ledgerstone", required=True)
    args.add_argument("--only", action="append", default=[])
    args.add_argument("--jobs", type=int, default=4, help="so many at a time: most of the time they wait")
    args = args.parse_args()
    program = install(args.cache)
    # Their interpreter has what their packages need.
    python = pathlib.Path(program).absolute().parent / "python"
    if pathlib.Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])
    drills = [value for name, value in (scope or globals()).items() if name.startswith("drill_")]
    drills = [drill for drill in drills if not args.only or drill.__name__[6:] in args.only]
    ledgerstone = str(pathlib.Path(args.ledgerstone).resolve())
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        good = list(pool.map(lambda drill: carry_out(drill, kind or Site, program, ledgerstone), drills))
    if not all(good):
        return 1
    print("all drills ended as they must")
    return 0


def carry_out(drill, kind, program, ledgerstone):
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        site = kind(pathlib.Path(folder), program, ledgerstone)
        try:
            drill(site)
            took = time.monotonic() - began
            print("drill %-34s as it must (%4.1f s): %s" % (drill.__name__[6:], took, drill.__doc__.split("\n")[0]), flush=True)
            return True
        except BaseException:
            with TELLING:
                print("drill %s FAILED\n%s" % (drill.__name__[6:], traceback.format_exc()), flush=True)
                site.tell()
            return False
        finally:
            site.end()


def install(cache):
    program = cache / "tools" / "aics" / "bin" / "aics-witness"
    if program.exists():
        return str(program)
    venv = cache / "tools" / "aics"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "pip"), "install", "-q", "--ignore-requires-python", LOG, WITNESS]
        subprocess.run(pip, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print("aics-witness is not to be had: %s" % error)
        sys.exit(2)
    return str(program)


def free_port():
    """A port that is free and that the system gives to nobody by itself, so that it stays free over restarts."""
    for port in random.sample(range(20000, 32000), 100):
        with TELLING, socket.socket() as probe:
            if port not in GIVEN and probe.connect_ex(("127.0.0.1", port)):
                GIVEN.add(port)
                return port
    raise SystemExit("there is no free port")


class Witness:
    def __init__(self, folder, program, number):
        self.folder, self.program = folder / ("w%d" % number), program
        self.folder.mkdir()
        self.name, self.port, self.process = "w.example/%d" % number, free_port(), None
        listen = "127.0.0.1:%d" % self.port
        out = self.run("init", "--name", self.name, "--listen", listen)
        self.vkey = [word for word in out.split() if word.startswith(self.name + "+")][0]
        self.log = open(self.folder / "log", "wb")

    def run(self, verb, *more):
        command = [self.program, verb, "-c", "w.json", *more]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit("%s: %s" % (command, done.stdout))
        return done.stdout

    def trust(self, origin, vkey):
        self.run("add-log", "--origin", origin, "--vkey", vkey)

    def start(self):
        command = [self.program, "serve", "-c", "w.json"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=self.log, stderr=self.log)
        until("a witness listens", lambda: listens(self.port))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server with its data and keys in a folder."""

    def __init__(self, site, name, settings):
        self.site, self.name, self.port, self.process = site, name, free_port(), None
        self.data, self.keys = site.folder / name, site.folder / (name + "-keys")
        self.data.mkdir()
        self.settings(settings)
        self.errors = open(site.folder / (name + ".err"), "ab")

    def settings(self, text):
        (self.data / "ledgerstone.toml").write_text(text)

    def start(self):
        listen = "127.0.0.1:%d" % self.port
        command = [self.site.ledgerstone, "up", "--listen", listen, "--data", str(self.data)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.errors)
        # It listens before it opens the store, and a new store gets its first token then.
        token = self.data / "admin.token"
        until("the server listens", lambda: self.gone() or listens(self.port) and token.exists())
        if self.gone():
            raise SystemExit("the server has ended")

    def gone(self):
        return self.process.poll() is not None

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def ask(self, path, body=None):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), data=body)
        request.add_header("Authorization", "Bearer " + (self.data / "admin.token").read_text().strip())
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path):
        status, text = self.ask(path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def append(self, count, wait="durable", who="u"):
        lines = "".join('{"actor":{"user":{"name":"%s%d"}}}\n' % (who, number) for number in range(count))
        status, text = self.ask("/v1/ledgers/main/events?receipts=full&wait=" + wait, lines.encode())
        return status, json.loads(text)

    def ledger(self, name="main"):
        return [ledger for ledger in self.get("/v1/ledgers") if ledger["name"] == name][0]

    def standing(self, name="main"):
        return [ledger for ledger in self.get("/v1/witnesses") if ledger["ledger"] == name][0]

    def held(self, name="main"):
        return self.standing(name)["signing_held"]

    def checkpoint(self, name="main"):
        return (self.data / "ledgers" / name / "checkpoint").read_text()

    def size(self, name="main"):
        return int(self.checkpoint(name).split("\n")[1])

    def copy_of(self, folder):
        """What lies on the disk now."""
        shutil.copytree(self.data, folder)

    def set_back_to(self, folder):
        shutil.rmtree(self.data)
        shutil.copytree(folder, self.data)


class Site:
    """Three witnesses, a policy of two of them, and a server."""

    def __init__(self, folder, program, ledgerstone):
        self.folder, self.ledgerstone = folder, ledgerstone
        self.witnesses = [self.witness(number, program) for number in (1, 2, 3)]
        self.policy = folder / "policy"
        self.write_policy()
        self.toml = '[witness]\npolicy = "../policy"\nown = ["w1"]\n[commit]\nheartbeat_s = 3600\n'
        self.server = Server(self, "data", self.toml)
        self.servers = [self.server]

    def witness(self, number, program):
        return Witness(self.folder, program, number)

    def write_policy(self):
        lines = ["witness w%d %s %s" % (n, w.vkey, w.url) for n, w in enumerate(self.witnesses, 1)]
        self.policy.write_text("\n".join(lines) + "\ngroup two 2 w1 w2 w3\nquorum two\n")

    def replace(self, number, other):
        """Another in the place of a witness, before anything has begun."""
        self.witnesses[number - 1] = other
        self.write_policy()

    def begin(self):
        """The first start: the witnesses are told the new origins and keys, and open the gate."""
        self.server.start()
        assert "0 of 3" in self.until_held("have answered")
        self.trust(self.server)
        for witness in self.witnesses:
            witness.start()
        self.until_open()

    def trust(self, server):
        for ledger in server.get("/v1/ledgers"):
            for witness in self.witnesses:
                witness.trust(ledger["origin"], ledger["vkey"])

    def until_open(self, server=None):
        server = server or self.server
        def both():
            return all(server.held(name) is None and server.ledger(name)["committed"] > 0 for name in ("main", "system"))
        until("the gates are open", both)

    def until_held(self, words, server=None):
        server = server or self.server
        until("it is held: " + words, lambda: words in (server.held() or ""))
        return server.held()

    def witnessed(self, server=None):
        """Everything is cosigned by all three."""
        server = server or self.server
        def all_three():
            standing = server.standing()
            return all(w["size"] == standing["size"] == server.ledger()["durable"] for w in standing["witnesses"])
        until("all have cosigned", all_three)

    def verify(self, *more, data=None):
        data = data or self.server.data
        command = [self.ledgerstone, "verify", str(data), "--keys", str(self.server.keys), "--json", *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout + done.stderr

    def tell(self):
        for path in sorted(self.folder.glob("*.err")) + sorted(self.folder.glob("w*/log")):
            print("--- %s\n%s" % (path.name, path.read_text()[-3000:]))

    def end(self):
        for one in self.servers:
            one.stop(signal.SIGKILL)
        for witness in self.witnesses:
            witness.stop()


def until(what, holds):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if holds():
                return
        except (OSError, AssertionError, ValueError):
            pass
        if time.monotonic() > end:
            raise SystemExit("it never came to this: " + what)
        time.sleep(0.1)


def drill_honest(site):
    """three foreign witnesses cosign; receipts wait for them; verify holds the store against the policy"""
    site.begin()
    status, answer = site.server.append(50, "witnessed")
    assert status == 200 and answer["level"] == "witnessed", answer
    receipt = answer["receipts"][7]
    assert receipt["level"] == "witnessed" and receipt["checkpoint"].count("\n— ") >= 3, receipt
    prefix = site.server.ledger()["prefix"]
    status, note = site.server.ask(prefix + "/checkpoint.witnessed")
    assert status == 200 and sum(w.vkey.split("+")[0] in note for w in site.witnesses) >= 2, note
    site.witnessed()
    metrics = site.server.ask("/metrics")[1]
    assert 'ledgerstone_witness_lag_entries{ledger="main",witness="w3"} 0' in metrics, metrics
    doctor = [site.ledgerstone, "doctor", "--data", str(site.server.data), "--server", "http://127.0.0.1:%d" % site.server.port]
    text = subprocess.run(doctor, stdout=subprocess.PIPE, text=True).stdout
    assert "foreign witness" in text and "a quorum has cosigned" in text, text
    site.server.stop()
    # The records of the last moment are in a checkpoint that nobody has cosigned yet; that is no contradiction.
    code, told = site.verify("--policy", str(site.policy))
    assert code == 0, told
    site.server.start()
    site.until_open()


def drill_firewalled(site):
    """all witnesses away at the start: intake goes on, nothing is signed, it says so, and opens when two are back"""
    site.begin()
    site.server.append(20, "witnessed")
    site.server.stop()
    for witness in site.witnesses:
        witness.stop()
    before = site.server.checkpoint()
    site.server.start()
    why = site.until_held("0 of 3 have answered")
    assert "nobody answers" in why or "refused" in why, why
    status, answer = site.server.append(30)
    assert status == 200 and answer["level"] == "durable", answer
    status, answer = site.server.append(1, "committed")
    assert status == 503 and "durable" in answer["detail"] and "no checkpoint is signed" in answer["detail"], answer
    status, ready = site.server.ask("/readyz")
    assert status == 200 and json.loads(ready)["signing_held"] == 2, ready
    assert site.server.checkpoint() == before
    # A restart, in order or not, changes nothing about it.
    site.server.stop(signal.SIGKILL)
    site.server.start()
    site.until_held("0 of 3 have answered")
    site.witnesses[1].start()
    site.until_held("1 of 3 have answered")
    assert site.server.checkpoint() == before
    site.server.stop()
    code, told = site.verify()
    assert code == 0, told
    site.server.start()
    site.witnesses[2].start()
    site.until_open()
    status, answer = site.server.append(1, "witnessed")
    assert status == 200 and site.server.size() > 52, answer


def rolled_back(site, change=lambda data: None):
    site.begin()
    site.server.append(40, "witnessed")
    site.server.stop()
    old = site.folder / "old"
    site.server.copy_of(old)
    site.server.start()
    site.until_open()
    site.server.append(40, "witnessed")
    site.witnessed()
    newest = site.server.ledger()["durable"]
    site.server.stop()
    site.server.copy_of(site.folder / "newest")
    witnessed = (site.server.data / "ledgers/main/checkpoint.witnessed").read_text()
    site.server.set_back_to(old)
    change(site.server)
    return newest, witnessed


def drill_rollback(site):
    """the directory is set back to an older copy: the next start says who is ahead and signs nothing"""
    newest, witnessed = rolled_back(site)
    old = site.server.checkpoint()
    site.server.start()
    why = site.until_held("has cosigned %d entries of this ledger" % newest)
    assert "restored backup" in why, why
    status, answer = site.server.append(3)
    assert status == 200, answer
    time.sleep(2)
    assert site.server.checkpoint() == old, "it signed"
    metrics = site.server.ask("/metrics")[1]
    assert 'ledgerstone_signing_held{ledger="main"} 1' in metrics, metrics
    listed = [site.ledgerstone, "status", "--data", str(site.server.data), "--server", "http://127.0.0.1:%d" % site.server.port]
    shown = subprocess.run(listed, stdout=subprocess.PIPE, text=True).stdout
    assert "nothing is signed" in shown and "refuses: ahead" in shown, shown
    site.server.stop()
    # What was kept outside shows it offline as well.
    kept = site.folder / "kept"
    kept.write_text(witnessed)
    code, told = site.verify("--kept", str(kept))
    assert code == 1, told
    code, told = site.verify()
    assert code == 0, "without anything from outside a rollback is not to be seen: " + told
    # The newest store comes back: all is well again.
    site.server.set_back_to(site.folder / "newest")
    site.server.start()
    site.until_open()


def drill_cut_and_continued(site):
    """the end is cut off and other events are entered and signed without witnesses, then they are asked again"""
    def carry_on(server):
        server.settings("[commit]\nheartbeat_s = 3600\n")
        server.start()
        status, answer = server.append(100, "committed", who="forged")
        assert status == 200, answer
        server.stop()
        server.settings(site.toml)
    newest, witnessed = rolled_back(site, carry_on)
    forged = site.server.checkpoint()
    assert site.server.size() > newest
    site.server.start()
    why = site.until_held("has cosigned another tree")
    assert "nothing is signed" in why.lower(), why
    time.sleep(2)
    assert site.server.checkpoint() == forged, "it signed"
    site.server.stop()
    kept = site.folder / "kept"
    kept.write_text(witnessed)
    code, told = site.verify("--kept", str(kept))
    assert code == 1, told


def drill_witnessed_file_left_behind(site):
    """an older store under the newest witnessed checkpoint does not even open, and verify says rollback"""
    _, witnessed = rolled_back(site)
    (site.server.data / "ledgers/main/checkpoint.witnessed").write_text(witnessed)
    code, told = site.verify("--policy", str(site.policy))
    assert code == 1 and "witnessed" in told, told
    try:
        site.server.start()
    except SystemExit:
        pass
    # It listens before it opens the store.
    until("it ends", site.server.gone)
    assert "witnesses saw more than the store holds" in (site.folder / "data.err").read_text()


def drill_cloned_disk(site):
    """a copy of data and keys runs beside the original: whoever comes second stops, while it runs"""
    site.begin()
    site.server.append(10, "witnessed")
    site.server.stop()
    clone = Server(site, "clone", site.toml)
    site.servers.append(clone)
    shutil.rmtree(clone.data)
    site.server.copy_of(clone.data)
    shutil.copytree(site.server.keys, clone.keys)
    clone.settings(site.toml)
    site.server.start()
    site.until_open()
    site.witnessed()
    clone.start()
    site.until_held("cosigned", clone)
    # The original goes on, and what it has is witnessed.
    status, answer = site.server.append(5, "witnessed")
    assert status == 200, answer
    before = clone.checkpoint()
    clone.append(50)
    time.sleep(2)
    assert clone.checkpoint() == before, "the copy signed"


def drill_ahead_while_running(site):
    """a copy overtakes the running server at a witness: the server stops at once and stays stopped"""
    site.begin()
    site.server.append(10, "witnessed")
    site.witnessed()
    site.server.stop()
    clone = Server(site, "clone", site.toml)
    site.servers.append(clone)
    shutil.rmtree(clone.data)
    site.server.copy_of(clone.data)
    shutil.copytree(site.server.keys, clone.keys)
    # The copy sees one witness only, and is content with that one.
    alone = site.folder / "policy-of-the-copy"
    one = site.witnesses[0]
    alone.write_text("witness w1 %s %s\nquorum w1\n" % (one.vkey, one.url))
    clone.settings('[witness]\npolicy = "../policy-of-the-copy"\n[commit]\nheartbeat_s = 3600\n')
    for witness in site.witnesses[:1]:
        witness.stop()
    site.server.start()
    site.until_open()
    site.server.append(1, "witnessed")
    # Else the server may show the witness what it has before the copy does.
    site.server.process.send_signal(signal.SIGSTOP)
    for witness in site.witnesses[:1]:
        witness.start()
    clone.start()
    until("the copy signs", lambda: clone.held() is None or "another" in clone.held())
    status, answer = clone.append(60, "witnessed")
    assert status == 200, answer
    site.server.process.send_signal(signal.SIGCONT)
    site.server.append(1)
    why = site.until_held("w1 has cosigned")
    before = site.server.checkpoint()
    assert site.server.standing()["phase"] == "stopped" and "nothing is signed" in why.lower(), why
    status, answer = site.server.append(5)
    assert status == 200, answer
    time.sleep(2)
    assert site.server.checkpoint() == before, "it signed"
    rows = site.server.ask("/v1/ledgers/main/search?q=kind:cut")[1]
    assert "refusal" in rows, rows


def drill_minority_away(site):
    """one of three away, then two: two are enough, nothing else waits for them, and who is away is shown"""
    site.begin()
    site.witnesses[2].stop()
    status, answer = site.server.append(10, "witnessed")
    assert status == 200, answer
    until("its trouble is shown", lambda: site.server.standing()["witnesses"][2]["trouble"])
    site.witnesses[1].stop()
    status, answer = site.server.append(10, "committed")
    assert status == 200, "witnesses block nothing: %s" % answer
    site.witnesses[1].start()
    status, answer = site.server.append(10, "witnessed")
    assert status == 200, answer


if __name__ == "__main__":
    sys.exit(main())
