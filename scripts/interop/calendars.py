#!/usr/bin/env python3
"""The program with a calendar of OpenTimestamps, verified by opentimestamps-client.

    calendars.py --cache DIR --ledgerstone PROGRAM

A server is told to use a small calendar, whose answers the reference library writes. Its checkpoint is promised at first;
once the calendar has a block, the server must fetch the way there by itself. What the verb `timestamps` writes is read by
`ots info` and verified by `ots verify`, which asks a stand-in of a Bitcoin node for the header; over another checkpoint, or
with another header, it and we must refuse. An authority of OpenSSL's is asked too. Store and evidence file verify, by us and by
the verifier in Python, with its certificate; not with an altered file; and a stranger's certificate leaves it open.

Exit 0: all as it should be. Exit 1: a check failed. Exit 2: not run.
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import timestamps
from timestamps import HEIGHT, check, run

NTIME = 1700000000
VERIFIER = str(pathlib.Path(__file__).resolve().parents[2] / "verifiers" / "python")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, metavar="DIR", help="where packages are installed, kept for next time")
    parser.add_argument("--ledgerstone", required=True, metavar="PROGRAM", help="the program")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.ledgerstone)
    if not arguments.inside:
        try:
            python = timestamps.install(arguments.cache)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"calendars: not run: cannot install opentimestamps-client: {error}", file=sys.stderr)
            return 2
        words = [python, __file__, "--cache", arguments.cache, "--ledgerstone", program, "--inside"]
        return subprocess.run(words, check=False).returncode
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        whole(program)
    print("calendars: all checks passed")
    return 0


def whole(program):
    calendar = serve(Calendar)
    calendar.url = f"http://127.0.0.1:{calendar.server_port}"
    calendar.has_block, calendar.roots = False, set()
    pathlib.Path("data").mkdir()
    timestamps.authority(["EC", "ec_paramgen_curve:P-256"])
    timestamps.config("sha256")
    authority = serve(Authority)
    settings = (
        f'listen = "127.0.0.1:0"\n[timestamp]\ncalendars = ["{calendar.url}"]\ninterval_s = 10\n'
        f'authorities = ["http://127.0.0.1:{authority.server_port}/tsa"]\nca = "../ca.pem"\n'
    )
    pathlib.Path("data/ledgerstone.toml").write_text(settings)
    server = Server(program)
    server.append(300)
    until("the checkpoint is promised", lambda: server.calendar()["pending"] > 0)
    first = server.fetch("promised")
    shown = run(ots(), "info", first + ".ots")
    check(f"PendingAttestation('{calendar.url}')" in shown, "ots info shows the promise")
    check(verdict(program, first + ".ots") == 2, "a promise proves nothing, we say")

    calendar.has_block = True
    until("the checkpoint is in a block", lambda: server.calendar()["block"] == HEIGHT)
    stamped = server.fetch("attested")
    server.append(1)
    until("a later checkpoint is in a block too", lambda: server.calendar()["size"] > size_of(stamped))
    later = server.fetch("later")
    until("an authority has stamped it", lambda: server.authority()["tokens"] > 1)
    # A calendar may have been asked about another checkpoint.
    index = str(server.authority()["size"] - 1)
    [token, *_] = pathlib.Path(server.fetch("stamped", index)).parent.glob("*.der")
    body = token.with_name(token.name.split(".")[0] + ".body")
    run("openssl", "ts", "-verify", "-data", str(body), "-in", str(token), "-token_in", "-CAfile", "ca.pem")
    server.evidence("all.evidence")
    server.stop()

    shown = run(ots(), "info", stamped + ".ots")
    check(f"BitcoinBlockHeaderAttestation({HEIGHT})" in shown, "ots info shows the block")
    check(ots_verify(calendar, stamped), "ots verify succeeds with the header of a node")
    shutil.copy(later, "wrong.body")
    shutil.copy(stamped + ".ots", "wrong.body.ots")
    check(not ots_verify(calendar, "wrong.body"), "ots verify refuses another checkpoint")
    check(verdict(program, "wrong.body.ots") == 1, "so do we")
    root, header = header_of(stamped + ".ots")
    check(root in calendar.roots, "it leads to the calendar's own block")
    check(verdict(program, stamped + ".ots") == 2, "without the header it is undecidable, we say")
    check(verdict(program, stamped + ".ots", "--block-header", header.hex()) == 0, "with it proven")
    false = bytes(36) + bytes(32) + header[68:]
    check(verdict(program, stamped + ".ots", "--block-header", false.hex()) == 1, "with another disproven")
    calendar.roots.clear()
    check(not ots_verify(calendar, stamped), "ots verify refuses another block")

    for what in ("data", "all.evidence"):
        for certificates, expected in (("ca.pem", 0), ("stranger.pem", 2 if what == "data" else 0)):
            ours, said = told(program, "verify", what, "--tsa-ca", certificates)
            theirs, answered = told(sys.executable, VERIFIER, what, "--tsa-ca", certificates)
            check((ours, theirs) == (expected, expected), f"{what}, {certificates}: both say {expected}: {said} {answered}")
            if what == "all.evidence" and not expected and certificates == "ca.pem":
                check("every record here existed at" in said, "we say when all of it existed")
                check("every record of the selection existed at" in answered, "and so does the verifier in Python")
    check(verdict(program, "data") == 0, "the store verifies with what stamps it")
    kept = next(pathlib.Path("data/ledgers/main/stamped").glob("*.ots"))
    good = kept.read_bytes()
    kept.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
    check(verdict(program, "data") == 1, "and not with an altered file")
    check(told(sys.executable, VERIFIER, "data")[0] == 1, "nor by the verifier in Python")
    kept.write_bytes(good)


class Server:
    def __init__(self, program):
        self.program = program
        self.errors = open("server.err", "wb")
        # The port is in the address that it prints.
        self.process = subprocess.Popen(
            [program, "up", "--data", "data"], stdout=open("server.out", "wb"), stderr=self.errors
        )
        until("the server listens", lambda: self.address() is not None)
        self.token = pathlib.Path("data/admin.token").read_text().strip()

    def address(self):
        words = pathlib.Path("server.out").read_text().split()
        urls = [word for word in words if word.startswith("http://127.0.0.1:")]
        return urls[0].rstrip("/") if urls else None

    def ask(self, path, body=None):
        request = urllib.request.Request(self.address() + path, data=body)
        request.add_header("Authorization", "Bearer " + self.token)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def append(self, count):
        lines = "".join('{"actor":{"user":{"name":"u%d"}}}\n' % number for number in range(count))
        self.ask("/v1/ledgers/main/events?wait=committed", lines.encode())

    def calendar(self):
        [ledger] = [one for one in self.ask("/v1/timestamps") if one["ledger"] == "main"]
        return {**ledger["calendars"][0], "size": ledger["calendars"][0]["size"] or 0}

    def authority(self):
        [ledger] = [one for one in self.ask("/v1/timestamps") if one["ledger"] == "main"]
        return ledger["authorities"][0]

    def evidence(self, name):
        words = ["--case", "1", "--purpose", "test", "--from", "0", "--to", "100", "-o", name]
        run(self.program, "evidence", *words, "--server", self.address(), "--token-file", "data/admin.token")

    def fetch(self, folder, *index):
        """The newest stamped checkpoint, or that of an entry; the name of the file that holds what is stamped."""
        run(self.program, "timestamps", *index, "-o", folder, "--server", self.address(), "--token-file", "data/admin.token")
        [body] = pathlib.Path(folder).glob("*.body")
        return str(body)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, "the server stops")


def size_of(body):
    return int(pathlib.Path(body).read_text().split("\n")[1])


def header_of(name):
    """The Merkle root that an .ots file leads to, and the header of a block that has it."""
    from bitcoin.core import CBlockHeader
    from opentimestamps.core.serialize import BytesDeserializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    tree = DetachedTimestampFile.deserialize(BytesDeserializationContext(pathlib.Path(name).read_bytes())).timestamp
    [root] = [message for message, attestation in tree.all_attestations() if hasattr(attestation, "height")]
    return root, CBlockHeader(nVersion=1, hashMerkleRoot=root, nTime=NTIME).serialize()


def ots():
    return os.path.join(os.path.dirname(sys.executable), "ots")


def ots_verify(calendar, body):
    """Whether the client verifies `body` by `body`.ots, with a node that knows the calendar's blocks."""
    node = serve(Node)
    node.calendar = calendar
    node.root = header_of(body + ".ots")[0]
    words = [ots(), "--no-cache", "--bitcoin-node", f"http://user:password@127.0.0.1:{node.server_port}", "verify", body + ".ots"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    node.shutdown()
    said = done.stdout.decode(errors="replace")
    return done.returncode == 0 and f"Success! Bitcoin block {HEIGHT} attests existence" in said


def verdict(program, *words):
    return told(program, "verify", *words)[0]


def told(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def until(what, reached, seconds=60):
    end = time.monotonic() + seconds
    while not reached():
        check(time.monotonic() < end, f"in time: {what}", quiet=True)
        time.sleep(0.2)
    print(f"ok: {what}")


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Quiet(http.server.BaseHTTPRequestHandler):
    def say(self, status, body, kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Authority(Quiet):
    """`openssl ts` behind HTTP."""

    def do_POST(self):
        query = self.rfile.read(int(self.headers["content-length"]))
        with tempfile.TemporaryDirectory(dir=".") as folder:
            pathlib.Path(folder, "query").write_bytes(query)
            files = ["-queryfile", f"{folder}/query", "-out", f"{folder}/reply"]
            run("openssl", "ts", "-reply", "-config", "ts.cnf", *files)
            self.say(200, pathlib.Path(folder, "reply").read_bytes(), "application/timestamp-reply")


class Calendar(Quiet):
    """Promises, and has a block for what it promised once it is told so."""

    def do_POST(self):
        from opentimestamps.core.notary import PendingAttestation
        from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
        from opentimestamps.core.timestamp import Timestamp

        tree = Timestamp(self.rfile.read(int(self.headers["content-length"])))
        end = tree.ops.add(OpAppend(b"\x07" * 16)).ops.add(OpSHA256()).ops.add(OpPrepend(b"\x01" * 4)).ops.add(OpAppend(b"\x08" * 8))
        end.attestations.add(PendingAttestation(self.server.url))
        self.answer(tree if self.path == "/digest" and len(tree.msg) == 32 else None)

    def do_GET(self):
        from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
        from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
        from opentimestamps.core.timestamp import Timestamp

        folder, _, message = self.path.rpartition("/")
        if folder != "/timestamp" or not self.server.has_block:
            return self.answer(None)
        tree = Timestamp(bytes.fromhex(message))
        end = tree.ops.add(OpSHA256()).ops.add(OpPrepend(b"\x02" * 100)).ops.add(OpAppend(b"\x03" * 4))
        end = end.ops.add(OpSHA256()).ops.add(OpSHA256())
        end.attestations.add(BitcoinBlockHeaderAttestation(HEIGHT))
        self.server.roots.add(end.msg)
        return self.answer(tree)

    def answer(self, tree):
        from opentimestamps.core.serialize import BytesSerializationContext

        if tree is None:
            return self.say(404, b"not found")
        context = BytesSerializationContext()
        tree.serialize(context)
        return self.say(200, context.getbytes())


class Node(Quiet):
    """As much of a Bitcoin node as the client asks for: a block with the root, if the calendar has had it mined."""

    def do_POST(self):
        from bitcoin.core import CBlockHeader

        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        root = self.server.root if self.server.root in self.server.calendar.roots else bytes(32)
        header = CBlockHeader(nVersion=1, hashMerkleRoot=root, nTime=NTIME)
        result = {
            "getblockcount": HEIGHT + 6,
            "getblockhash": header.GetHash()[::-1].hex(),
            "getblockheader": header.serialize().hex(),
        }[call["method"]]
        self.say(200, json.dumps({"result": result, "error": None, "id": call["id"]}).encode(), "application/json")


if __name__ == "__main__":
    sys.exit(main())
