#!/usr/bin/env python3
"""Timestamps across implementations: ours, OpenSSL, rfc3161-client and the reference library of OpenTimestamps.

    timestamps.py --cache DIR --stamp PROGRAM

PROGRAM is the example `stamp` of the crate `timestamp`. OpenSSL is the authority; its tokens, asked for by us and by
rfc3161-client, are verified by all three, and none may accept them over other data or under another authority. A small
calendar answers over HTTP with what the reference library writes; the files we make of that are read by the library and
by `ots info`, which must find the way from our digest to the block, and byte for byte what the library would write.

Exit 0: all as it should be. Exit 1: a check failed. Exit 2: not run.
"""

import argparse
import hashlib
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
import venv

# Pinned by the hash of the wheel; what they depend on is not, and is code of theirs, not a verdict.
PACKAGES = {
    "rfc3161-client==1.0.9": "fac3f440a507555e684dc5daba75e33dc08f0f45fdefa48448f19001233a6b21",
    "opentimestamps==0.4.5": "a4912b3bd1b612a3ef5fac925b9137889e6c5cb91cc9e76c8202a2bf8abe26b5",
    "opentimestamps-client==0.7.2": "84e604d7f76534da4bab61ab62b211a6559aa988da51438408ae7947b0e8b7ba",
}
THEIRS = ["cryptography", "zstandard", "pycryptodomex", "python-bitcoinlib<0.13", "GitPython", "PySocks", "appdirs"]
BODY = b"example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
HEIGHT = 800000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, metavar="DIR", help="where packages are installed, kept for next time")
    parser.add_argument("--stamp", required=True, metavar="PROGRAM", help="the example `stamp`")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        try:
            python = install(arguments.cache)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"timestamps: not run: cannot install {', '.join(PACKAGES)}: {error}", file=sys.stderr)
            return 2
        words = [python, __file__, "--cache", arguments.cache, "--stamp", os.path.abspath(arguments.stamp), "--inside"]
        return subprocess.run(words, check=False).returncode
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        write("body", BODY)
        write("other", BODY.replace(b"20852163", b"20852164"))
        for kind in (["EC", "ec_paramgen_curve:P-256"], ["RSA", "rsa_keygen_bits:2048"]):
            for digest in ("sha256", "sha512") if kind[0] == "RSA" else ("sha256", "sha384"):
                tokens(arguments.stamp, kind, digest)
        calendar(arguments.stamp)
    print("timestamps: all checks passed")
    return 0


def tokens(stamp, kind, digest):
    """A token of an authority with this kind of key, verified by all, and refused by all where it must be."""
    print(f"== tokens: {kind[0]}, {digest}")
    authority(kind)
    run(stamp, "request", "body", "81985529216486895", "ours.tsq")
    theirs_request("theirs.tsq")
    for request in ("ours.tsq", "theirs.tsq"):
        run("openssl", "ts", "-reply", "-config", config(digest), "-queryfile", request, "-out", "answer.tsr")
        for data, certificates in (("body", "ca.pem"), ("other", "ca.pem"), ("body", "stranger.pem")):
            verdicts = {
                "ours": ends_well(stamp, "verify", data, "answer.tsr", certificates),
                "openssl": ends_well("openssl", "ts", "-verify", "-data", data, "-in", "answer.tsr", "-CAfile", certificates),
                "rfc3161-client": theirs_verifies(data, "answer.tsr", certificates),
            }
            expected = (data, certificates) == ("body", "ca.pem")
            check(set(verdicts.values()) == {expected}, f"{request}, {data}, {certificates}: {verdicts}")
        shown = run("openssl", "ts", "-reply", "-in", "answer.tsr", "-text")
        from rfc3161_client import decode_timestamp_response

        milliseconds, serial = run(stamp, "verify", "body", "answer.tsr", "ca.pem").split()
        theirs = decode_timestamp_response(read("answer.tsr")).tst_info
        check(int(milliseconds) == round(theirs.gen_time.timestamp() * 1000), "the same time by rfc3161-client")
        check(int(serial, 16) == theirs.serial_number, "the same serial number by rfc3161-client")
        check(f"Serial number: 0x{int(serial, 16):02X}" in shown, "the same serial number by openssl")


def authority(kind):
    for name in ("ca", "tsa", "stranger"):
        run("openssl", "genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", f"{name}.key")
        run("openssl", "req", "-new", "-key", f"{name}.key", "-subj", f"/O=Test/CN={name}", "-out", f"{name}.csr")
    write("ca.ext", b"basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n")
    write("tsa.ext", b"extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n")
    for name in ("ca", "stranger"):
        run("openssl", "x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-extfile", "ca.ext", "-days", "9", "-out", f"{name}.pem")
    run("openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "tsa.ext", "-days", "9", "-out", "tsa.pem")


def config(digest):
    write("ts.cnf", f"""[tsa]
default_tsa = main
[main]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = {digest}
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
""".encode())
    return "ts.cnf"


def theirs_request(out):
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    write(out, TimestampRequestBuilder().data(BODY).hash_algorithm(HashAlgorithm.SHA256).build().as_bytes())


def theirs_verifies(data, answer, certificates):
    from cryptography import x509
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    root = x509.load_pem_x509_certificate(read(certificates))
    try:
        verifier = VerifierBuilder().add_root_certificate(root).build()
        return verifier.verify_message(decode_timestamp_response(read(answer)), read(data))
    except VerificationError:
        return False


def calendar(stamp):
    """An .ots file from the first request to a block, with a calendar that the reference library answers for."""
    print("== OpenTimestamps")
    from bitcoin.core import CBlockHeader
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import BytesDeserializationContext, BytesSerializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    server = http.server.HTTPServer(("127.0.0.1", 0), Calendar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    answers = []
    for step in ("promise", "block"):
        method, path, body = (run(stamp, "ots", "body", "body.ots", *answers).rstrip("\n") + " ").split(" ")[:3]
        request = urllib.request.Request(url + path, method=method, data=bytes.fromhex(body) or None)
        with urllib.request.urlopen(request, timeout=10) as response:
            write(step, response.read())
        answers.append(step)
    server.shutdown()
    check(run(stamp, "ots", "body", "body.ots", *answers) == "", "nothing is promised any more")

    context = BytesDeserializationContext(read("body.ots"))
    theirs = DetachedTimestampFile.deserialize(context)
    context.assert_eof()
    check(theirs.file_digest == hashlib.sha256(BODY).digest(), "the library finds our digest")
    check(isinstance(theirs.file_hash_op, OpSHA256), "the library finds SHA-256")
    context = BytesSerializationContext()
    theirs.serialize(context)
    check(context.getbytes() == read("body.ots"), "the library writes the same bytes")
    [(message, block)] = [(m, a) for m, a in theirs.timestamp.all_attestations() if hasattr(a, "height")]
    header = CBlockHeader(nVersion=1, hashMerkleRoot=message, nTime=1700000000)
    check(block.verify_against_blockheader(message, header) == 1700000000, "the library finds the way to the block")
    shown = run(os.path.join(os.path.dirname(sys.executable), "ots"), "info", "body.ots")
    check(f"BitcoinBlockHeaderAttestation({HEIGHT})" in shown, "ots info shows the block")
    check(f"File sha256 hash: {hashlib.sha256(BODY).hexdigest()}" in shown, "ots info shows our digest")

    write("header", header.serialize())
    time, block_hash = run(stamp, "ots-verify", "body", "body.ots", str(HEIGHT), "header").split()
    check((int(time), block_hash) == (1700000000, header.GetHash()[::-1].hex()), "we find the same time and block")
    write("false", CBlockHeader(nVersion=1, hashMerkleRoot=bytes(32), nTime=1).serialize())
    for words in (("other", "body.ots", str(HEIGHT), "header"), ("body", "body.ots", str(HEIGHT), "false"),
                  ("body", "body.ots", str(HEIGHT + 1), "header")):
        check(not ends_well(stamp, "ots-verify", *words), f"we refuse {words}")


class Calendar(http.server.BaseHTTPRequestHandler):
    """Promises at first, and has a block for what it promised when asked again."""

    def do_POST(self):
        from opentimestamps.core.notary import PendingAttestation
        from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
        from opentimestamps.core.timestamp import Timestamp

        commitment = self.rfile.read(int(self.headers["content-length"]))
        tree = Timestamp(commitment)
        end = tree.ops.add(OpAppend(b"\x07" * 16)).ops.add(OpSHA256())
        end = end.ops.add(OpPrepend(b"\x01\x02\x03\x04")).ops.add(OpAppend(b"\x08" * 8))
        end.attestations.add(PendingAttestation("https://calendar.example"))
        self.answer(tree if self.path == "/digest" else None)

    def do_GET(self):
        from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, UnknownAttestation
        from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
        from opentimestamps.core.timestamp import Timestamp

        folder, _, message = self.path.rpartition("/")
        tree = Timestamp(bytes.fromhex(message))
        end = tree.ops.add(OpSHA256()).ops.add(OpPrepend(b"\x02" * 100)).ops.add(OpAppend(b"\x03" * 4))
        end = end.ops.add(OpSHA256()).ops.add(OpSHA256())
        end.attestations.add(UnknownAttestation(b"whatever", b"kept as it is"))
        beside = end.ops.add(OpAppend(end.msg)).ops.add(OpSHA256()).ops.add(OpSHA256())
        beside.attestations.add(BitcoinBlockHeaderAttestation(HEIGHT))
        self.answer(tree if folder == "/timestamp" else None)

    def answer(self, tree):
        from opentimestamps.core.serialize import BytesSerializationContext

        if tree is None:
            return self.send_error(404)
        context = BytesSerializationContext()
        tree.serialize(context)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(context.getbytes())

    def log_message(self, *_):
        pass


def run(*words):
    """Runs a program that must end well and returns what it says."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check(done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode(errors='replace')}", quiet=True)
    return done.stdout.decode()


def ends_well(*words):
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def check(good, what, quiet=False):
    if not good:
        print(f"timestamps: FAILED: {what}", file=sys.stderr)
        sys.exit(1)
    if not quiet:
        print(f"ok: {what}")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def install(cache):
    home = os.path.join(cache, "timestamps-2")
    python, ready = os.path.join(home, "bin", "python"), os.path.join(home, "ready")
    if not os.path.exists(ready):
        venv.create(home, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
            pinned.writelines(f"{package} --hash=sha256:{digest}\n" for package, digest in PACKAGES.items())
            pinned.flush()
            subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", pinned.name], check=True, env=environment)
        subprocess.run([*pip, *THEIRS], check=True, env=environment)
        with open(ready, "w", encoding="ascii"):
            pass
    return python


if __name__ == "__main__":
    sys.exit(main())
