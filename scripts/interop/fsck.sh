#!/bin/sh
# Has Tessera's fsck rebuild and compare a whole log that is served over HTTP. Needs Go; says so if it is not here.
#
#   fsck.sh URL VKEY-FILE ORIGIN TOKEN-FILE CACHE
#
# Exit code: 0 it agrees or is not to be had (then SKIPPED is printed), 1 it does not agree.
set -eu
[ $# -eq 5 ] || { echo "usage: fsck.sh URL VKEY-FILE ORIGIN TOKEN-FILE CACHE" >&2; exit 1; }
version=v1.0.4
if ! command -v go >/dev/null 2>&1; then
    echo "SKIPPED, NOT CHECKED: Tessera's fsck needs Go"
    exit 0
fi
bin="$5/tessera-$version"
if [ ! -x "$bin/fsck" ]; then
    mkdir -p "$bin"
    if ! GOBIN="$bin" GOFLAGS=-mod=mod go install "github.com/transparency-dev/tessera/cmd/fsck@$version"; then
        echo "SKIPPED, NOT CHECKED: Tessera's fsck cannot be built here"
        exit 0
    fi
fi
"$bin/fsck" --storage_url="$1/" --public_key="$2" --origin="$3" --bearer_token="$(cat "$4")" --ui=false
