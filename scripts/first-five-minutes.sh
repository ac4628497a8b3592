#!/bin/sh
# What somebody does in their first five minutes, from a fresh clone to a damage that is found; each step must succeed.
#
#   scripts/first-five-minutes.sh
#
# Clones the repository this file is in, builds the program there, and uses it in the clone. With LEDGERSTONE_BIN set to
# a program that is built already, that one is used. Needs git, cargo and a C compiler; leaves nothing behind.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
unset LEDGERSTONE_SERVER LEDGERSTONE_TOKEN http_proxy HTTP_PROXY || true

begin=$(date +%s)
step() { echo "== $(($(date +%s) - begin)) s  $*"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# Runs a command, shows what it says, and checks its exit code and that it says something.
expect() {
    code=$1 text=$2 got=0
    shift 2
    echo "\$ $*"
    "$@" >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    [ "$got" -eq "$code" ] || fail "exit code $got, not $code: $*"
    grep -q -e "$text" "$scratch/out" || fail "does not say '$text': $*"
}

step clone
git clone --quiet "$here" "$scratch/clone"
cd "$scratch/clone"
if [ -n "${LEDGERSTONE_BIN:-}" ]; then
    mkdir "$scratch/bin"
    ln -s "$LEDGERSTONE_BIN" "$scratch/bin/ledgerstone"
    PATH="$scratch/bin:$PATH"
else
    step build
    cargo build --quiet --release --locked -p ledgerstone
    PATH="${CARGO_TARGET_DIR:-$PWD/target}/release:$PATH"
fi

step up
ledgerstone up --listen 127.0.0.1:0 >"$scratch/banner" 2>"$scratch/log" &
server=$!
waited=0
until grep -q curl "$scratch/banner"; do
    kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; fail "the server has ended"; }
    [ $((waited += 1)) -le 300 ] || fail "the server does not start"
    sleep 0.1
done
cat "$scratch/banner"
LEDGERSTONE_SERVER=$(sed -n 's|.*listening on *\(http://[^ ]*\).*|\1|p' "$scratch/banner")
export LEDGERSTONE_SERVER
key=$(sed -n 's|.*verification key  ||p' "$scratch/banner" | head -n 1)

step append the examples
expect 0 "13 records durable" ledgerstone append examples/cloudtrail.json --receipts receipts.ndjson
expect 0 "13 records committed" ledgerstone append examples/kubernetes-audit.ndjson --wait committed
expect 0 "records committed" ledgerstone append examples/native.ndjson --wait committed

step search and show
expect 0 alice ledgerstone search ConsoleLogin
index=$(sed -n 's/^\([0-9][0-9]*\) .*alice.*/\1/p' "$scratch/out" | head -n 1)
expect 0 committed ledgerstone show "$index"
expect 1 "nothing found" ledgerstone search no-such-word-anywhere

step prove and verify
expect 0 "proof written" ledgerstone prove "$index" -o one.tlog-proof --key "$key"
expect 0 proven ledgerstone verify one.tlog-proof --key "$key"
expect 0 "each recomputed" ledgerstone verify receipts.ndjson --raw examples/cloudtrail.json
expect 0 proven ledgerstone verify --key "$key"

step tamper with a copy
# The server is writing: a copy may catch it between two files, and is then taken again.
waited=0
until cp -R ledgerstone-data copy 2>/dev/null && ledgerstone verify copy --keys ledgerstone-data-keys >/dev/null 2>&1; do
    [ $((waited += 1)) -le 30 ] || break
    rm -rf copy
    sleep 1
done
expect 0 proven ledgerstone verify copy --keys ledgerstone-data-keys --key "$key"
file=$(find copy/wal -type f | sort | head -n 1)
at=$(($(wc -c <"$file") / 2))
byte=$(od -An -tu1 -j "$at" -N 1 "$file" | tr -d ' ')
printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$file" bs=1 seek="$at" conv=notrunc 2>/dev/null
expect 1 "${file#copy/}" ledgerstone verify copy --keys ledgerstone-data-keys --key "$key"
grep -q disproven "$scratch/out" || fail "the damage is not called so"

step stop
kill "$server"
code=0
wait "$server" || code=$?
server=
[ "$code" -eq 0 ] || { cat "$scratch/log" >&2; fail "the server ended with exit code $code"; }
expect 0 proven ledgerstone verify --key "$key"
step done
