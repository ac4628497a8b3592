#!/bin/sh
# Writes logs of several sizes with the crate tlog and has each one checked by aics-tlog (Python) and by
# golang.org/x/mod (Go).
#
#     scripts/interop/tlog.sh CACHE_DIR
set -eu
if [ $# -ne 1 ]; then
    echo "usage: $0 CACHE_DIR" >&2
    exit 2
fi
cache=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for sizes in "1 1" "2 1" "255 7" "256 255" "257 256" "1000 300" "65536 65535" "70000 65537"; do
    size=${sizes% *} older=${sizes#* }
    echo "== $size entries, earlier $older"
    out=$scratch/$size
    cargo run --quiet --manifest-path "$here/../../Cargo.toml" -p tlog --example write_log -- "$out" "$size" "$older"
    python3 "$here/aics.py" --cache "$cache" --tiles "$out/log" --vkey-file "$out/log.vkey" \
        --witness-key "$(cat "$out/witness.vkey")" --old-checkpoint "$out/older.checkpoint"
    "$here/xmod/run.sh" -tiles "$out/log" -vkey "$out/log.vkey" -old "$out/older.checkpoint"
done
echo "== all logs verified by both"
