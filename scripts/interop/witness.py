#!/usr/bin/env python3
"""Has our witness fed by logs and clients that nobody here wrote, and its cosignatures checked by foreign verifiers.

    witness.py --cache DIR --ledgerstone BINARY

- aics-tlog (PyPI) writes a log; aics-witness (PyPI) has it cosigned as a client that knows the protocol by its
  specification alone, remembers sizes and notices a witness that was set back; aics-tlog verifies checkpoints with
  --witness-key and --quorum 1.
- Tessera (Go) writes a log that publishes a checkpoint only if our witness has cosigned it; it verifies the
  cosignature itself (transparency-dev/formats), and aics-tlog does so again.
- Torchwood (Go) judges the same checkpoints by the policy that our witness prints at its start.

Both PyPI packages are pinned by hash and installed into a virtual environment below the cache directory. Exit 0: all as
it should be. Exit 1: a check failed. Exit 2: not everything was run, since something is not to be had here.
"""

import argparse
import base64
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
import venv

PACKAGES = {
    "aics-tlog==0.2.1": "e8cd2be003001576353bbd1a139b68252baf85df8e5d356c5ff26f3c417efdfc",
    "aics-witness==0.1.0": "cd3f5acd2e79a8e29411a5a810b65ad7c5709d468cf1e889533bb0d5e5fe8400",
}
TESSERA = "v1.0.4"
ONESHOT = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot"
# A witness that cosigned none of this.
STRANGER = "stranger.example/witness+05ae1501+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
SIZES = [1, 2, 255, 256, 257, 700, 700, 5000]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, metavar="DIR", help="where tools are installed, kept for next time")
    parser.add_argument("--ledgerstone", required=True, metavar="BINARY", help="the program")
    arguments = parser.parse_args()
    home = os.path.join(os.path.abspath(arguments.cache), "aics-witness-0.1.0")
    python = os.path.join(home, "bin", "python")
    if os.path.abspath(sys.prefix) != home:
        try:
            install(home)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"witness: not run: cannot install aics-witness: {error}", file=sys.stderr)
            return 2
        os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])
    oneshot, torchwood = tessera(arguments.cache), build_torchwood(arguments.cache)
    aics_tlog = os.path.join(home, "bin", "aics-tlog")
    with tempfile.TemporaryDirectory() as scratch:
        check(scratch, os.path.abspath(arguments.ledgerstone), aics_tlog, oneshot, torchwood)
    if oneshot is None or torchwood is None:
        print("witness: PASSED but for what is in Go, WHICH WAS NOT RUN", file=sys.stderr)
        return 2
    print("witness: all checks passed")
    return 0


def check(scratch, binary, aics_tlog, oneshot, torchwood):
    from aics_witness.feeder import WitnessClient, WitnessRejected, WitnessRolledBack, merge_cosignatures

    ours, theirs = Log(scratch, "aics.example/log"), Log(scratch, "tessera.example/log")
    directory = os.path.join(scratch, "witness")
    witness = Witness(binary, directory, [ours.vkey, theirs.vkey], "ledgerstone.example/witness")
    try:
        state = os.path.join(scratch, "client.json")
        backup = os.path.join(scratch, "backup")
        for size in SIZES:
            ours.grow(size)
            with WitnessClient(witness.url, witness.vkey, state_path=state) as client:
                lines = client.submit(ours.note(size), ours.tree.consistency_proof)
            ours.publish(merge_cosignatures(ours.note(size), lines))
            verify(aics_tlog, ours.tiles, ours.vkey_file, witness.vkey, size)
            judge(torchwood, scratch, ours, witness)
            served = witness.latest(ours.origin)
            must(served == merge_cosignatures(ours.note(size), lines), f"the monitoring path at {size}: {served!r}")
            if size == 256:
                shutil.copytree(directory, backup)
            # In the middle of its work it ends without warning.
            if size in (255, 700):
                witness.kill()
                witness = Witness(binary, directory, [ours.vkey, theirs.vkey])
        print(f"witness: cosigned {SIZES} for a log of aics-tlog, killed three times")

        with WitnessClient(witness.url, witness.vkey) as client:
            client.submit(ours.note(5000), ours.tree.consistency_proof)
        print("witness: a client that knows no size was told it")

        fork = Log(scratch, "aics.example/log", ours.key, b"another ")
        fork.grow(6000)
        try:
            with WitnessClient(witness.url, witness.vkey) as client:
                client.submit(fork.note(6000), fork.tree.consistency_proof)
            must(False, "a fork was cosigned")
        except WitnessRejected as refused:
            must(" 422" in str(refused) or "422" in repr(refused), f"refused otherwise: {refused}")
        same_size = request(witness.url, f"old 5000\n\n{fork.note(5000)}")
        must(same_size[0] == 422, f"another tree of the same size: {same_size}")
        listed = subprocess.run([binary, "witness", "--dir", directory, "--forks"], capture_output=True, text=True)
        proven = ["two trees of 5000 entries", "a tree of 6000 entries that begins with other 5000 entries"]
        kept = all(text in listed.stdout for text in proven)
        must(listed.returncode == 1 and kept, f"kept forks: {listed}")
        print("witness: two forks were refused, and what proves them is kept")

        if oneshot is not None:
            for count in (3, 40, 300):
                theirs.by_tessera(oneshot, witness, count)
                verify(aics_tlog, theirs.tiles, theirs.vkey_file, witness.vkey, theirs.size)
                judge(torchwood, scratch, theirs, witness)
            print(f"witness: Tessera published {theirs.size} entries, which it does only with our cosignature")

        witness.kill()
        shutil.rmtree(directory)
        shutil.copytree(backup, directory)
        witness = Witness(binary, directory, [ours.vkey, theirs.vkey])
        try:
            with WitnessClient(witness.url, witness.vkey, state_path=state) as client:
                client.submit(ours.note(5000), ours.tree.consistency_proof)
            must(False, "the client did not notice that the witness was set back")
        except WitnessRolledBack as noticed:
            print(f"witness: set back to a backup, which the client noticed: {noticed}")
    finally:
        witness.kill()


class Log:
    """A log of aics-tlog, or what is needed to look at one of Tessera's."""

    def __init__(self, scratch, origin, key=None, entry=b"entry "):
        from aics_tlog import DirectoryTileStore, IncrementalTileWriter, MerkleTree, format_vkey, vkey_from_ed25519
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.origin, self.entry, self.size = origin, entry, 0
        self.key = key or Ed25519PrivateKey.generate()
        self.tiles = tempfile.mkdtemp(dir=scratch)
        self.vkey = format_vkey(vkey_from_ed25519(origin, self.key.public_key()))
        self.vkey_file = self.tiles + ".vkey"
        with open(self.vkey_file, "w", encoding="utf-8") as file:
            file.write(self.vkey + "\n")
        self.tree = MerkleTree()
        self.writer = IncrementalTileWriter(DirectoryTileStore(self.tiles, fsync=False))

    def grow(self, size):
        new = [self.entry + str(n).encode() for n in range(self.size, size)]
        self.tree.extend(new)
        self.writer.append(new)
        self.size = size

    def note(self, size):
        from aics_tlog import Checkpoint, sign_checkpoint

        checkpoint = Checkpoint(self.origin, size, self.tree.root(size))
        return sign_checkpoint(checkpoint, self.key, self.origin).serialise()

    def publish(self, note):
        with open(os.path.join(self.tiles, "checkpoint"), "wb") as file:
            file.write(note)

    def by_tessera(self, oneshot, witness, count):
        """Lets Tessera append entries to this log and publish a checkpoint that our witness has cosigned."""
        from cryptography.hazmat.primitives import serialization

        raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        seed, name_id = self.key.private_bytes(*raw), self.vkey.split("+")[1]
        key = "+".join(["PRIVATE", "KEY", self.origin, name_id, base64.b64encode(b"\x01" + seed).decode()])
        scratch = tempfile.mkdtemp()
        policy = os.path.join(scratch, "policy")
        with open(policy, "w", encoding="utf-8") as file:
            file.write(f"witness w {witness.vkey} {witness.url}\nquorum w\n")
        for n in range(count):
            with open(os.path.join(scratch, f"entry-{n}"), "w", encoding="utf-8") as file:
                file.write(f"entry {self.size + n}")
        command = [oneshot, "--storage_dir", self.tiles, "--entries", os.path.join(scratch, "entry-*")]
        command += ["--witness_policy_file", policy, "--witness_timeout", "20s"]
        done = subprocess.run(command, env={**os.environ, "LOG_PRIVATE_KEY": key}, timeout=120, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        must(done.returncode == 0, f"Tessera: {done.stdout[-3000:]}")
        shutil.rmtree(scratch)
        self.size += count


class Witness:
    """Our witness as a process."""

    def __init__(self, binary, directory, vkeys, name=None):
        command = [binary, "witness", "--dir", directory, "--listen", "127.0.0.1:0", "--json"]
        command += [word for vkey in vkeys for word in ("--log", vkey)] + (["--name", name] if name else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.vkey = None
        self.policy = ""
        for line in self.process.stdout:
            if line.startswith(("  witness ", "  quorum ")):
                self.policy += line.strip() + "\n"
            if line.startswith("  listening on"):
                self.url = line.split()[-1]
            if line.startswith("  verification key"):
                self.vkey = line.split()[-1]
            if line.startswith("  quorum"):
                return
        must(False, f"the witness did not start: exit {self.process.wait()}")

    def latest(self, origin):
        path = hashlib.sha256(origin.encode()).hexdigest()
        with urllib.request.urlopen(f"{self.url}/{path}/checkpoint", timeout=20) as answer:
            return answer.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def verify(aics_tlog, tiles, vkey_file, witness_vkey, size):
    command = [aics_tlog, "verify-checkpoint", "--tiles", tiles, "--vkey-file", vkey_file]
    command += ["--witness-key", witness_vkey, "--quorum", "1", "--max-age", "3600"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    must(done.returncode == 0 and f'"size": {size}' in done.stdout, f"aics-tlog at {size}: {done}")


def judge(torchwood, scratch, log, witness):
    """By the lines that the witness prints to be pasted; and by those of another, which must not be met."""
    if torchwood is None:
        return
    other = witness.policy.replace(witness.vkey, STRANGER)
    for policy, more in ((witness.policy, []), (other, ["-fails"])):
        file = os.path.join(scratch, "policy")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"log {log.vkey}\n{policy}")
        command = [torchwood, "-policy", file, *more, os.path.join(log.tiles, "checkpoint")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        must(done.returncode == 0, f"torchwood: {policy}: {done}")


def request(url, body):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.request("POST", "/add-checkpoint", body.encode())
    answer = connection.getresponse()
    return answer.status, answer.read()


def must(holds, what):
    if not holds:
        print(f"witness: FAILED: {what}", file=sys.stderr)
        sys.exit(1)


def tessera(cache):
    """Builds Tessera's example of a log; None, and a line that says so, if that can't be had here."""
    home = os.path.join(os.path.abspath(cache), f"tessera-{TESSERA}")
    binary = os.path.join(home, "posix-oneshot")
    if not os.path.exists(binary):
        environment = {**os.environ, "GOBIN": home, "GOFLAGS": "-mod=mod"}
        try:
            subprocess.run(["go", "install", f"{ONESHOT}@{TESSERA}"], env=environment, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"SKIPPED, NOT CHECKED: Tessera can't be built here: {error}")
            return None
    return binary


def build_torchwood(cache):
    binary = os.path.join(os.path.abspath(cache), "torchwood")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torchwood")
    try:
        subprocess.run(["go", "build", "-C", source, "-o", binary, "."], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED, NOT CHECKED: torchwood can't be built here: {error}")
        return None
    return binary


def install(home):
    if os.path.exists(os.path.join(home, "ready")):
        return
    venv.create(home, with_pip=True, clear=True)
    pip = [os.path.join(home, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.writelines(f"{package} --hash=sha256:{sha256}\n" for package, sha256 in PACKAGES.items())
        pinned.flush()
        # The packages declare Python 3.12 and run on 3.11.
        subprocess.run([*pip, "--ignore-requires-python", "--no-deps", "--require-hashes", "-r", pinned.name], check=True)
    subprocess.run([*pip, "cryptography>=50.0.2"], check=True)
    with open(os.path.join(home, "ready"), "w", encoding="ascii"):
        pass


if __name__ == "__main__":
    sys.exit(main())
