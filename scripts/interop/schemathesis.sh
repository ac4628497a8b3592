#!/bin/sh
# Has schemathesis send what the description at GET /openapi.json allows, and what it does not, to a running server, and
# compare the answers with that description. It writes to the server's ledgers: give it one that is not needed.
#
#   schemathesis.sh URL TOKEN-FILE CACHE
#
# Exit code: 0 it agrees; 1 it does not; 2 nothing was checked, and why is printed: the tool can't be installed, or the
# server has no such route.
set -eu
[ $# -eq 3 ] || { echo "usage: schemathesis.sh URL TOKEN-FILE CACHE" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
url=$1 token=$(cat "$2") tool=$3/schemathesis
skip() {
    echo "SKIPPED, NOTHING WAS CHECKED: $*"
    exit 2
}
# Installed anew whenever another version is asked for.
if ! cmp -s "$here/schemathesis.txt" "$tool/installed.txt"; then
    rm -rf "$tool"
    python3 -m venv "$tool" || skip "schemathesis needs Python with virtual environments"
    "$tool/bin/python3" -m pip install --quiet --no-deps -r "$here/schemathesis.txt" ||
        skip "schemathesis can't be installed"
    cp "$here/schemathesis.txt" "$tool/installed.txt"
fi
ask='import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=30).status)
except urllib.error.HTTPError as error:
    print(error.code)'
status=$("$tool/bin/python3" -c "$ask" "$url/openapi.json" "$token")
[ "$status" != 404 ] || skip "the server has no /openapi.json"
[ "$status" = 200 ] || { echo "GET /openapi.json: $status" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# A stream has no end to wait for. That members belong together (epoch and sequence) is nothing that OpenAPI can say, so a
# refusal of what the description allows is no contradiction; all other checks are made.
run() {
    "$tool/bin/schemathesis" "$@" run "$url/openapi.json" --header "Authorization: Bearer $token" \
        --phases examples,coverage,fuzzing --max-examples 30 --generation-deterministic --continue-on-failure \
        --exclude-path-regex '/tail$' --exclude-checks positive_data_acceptance \
        --request-timeout 30 --warnings off --no-color
}
# Once with names as they come, which mostly name nothing, and once with those of things that are there.
run
cat >there.toml <<'END'
[parameters]
"path.name" = "main"
"path.index" = 0
"path.source" = 1
END
run --config-file there.toml
