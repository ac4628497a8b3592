#!/bin/sh
# Has our monitor follow and mirror a log that Tessera writes, and Tessera's fsck check a mirror that ours keeps.
# Needs Go; says so if it is not here.
#
#   tessera.sh LEDGERSTONE CACHE [MIRROR VKEY-FILE ORIGIN]
#
# With the last three, only that mirror is checked by fsck.
# Exit code: 0 all agree or Go is not to be had (then SKIPPED is printed), 1 something does not agree.
set -eu
[ $# -eq 2 ] || [ $# -eq 5 ] || { echo "usage: tessera.sh LEDGERSTONE CACHE [MIRROR VKEY-FILE ORIGIN]" >&2; exit 1; }
ledgerstone=$1
version=v1.0.4
bin="$2/tessera-$version"
module=github.com/transparency-dev/tessera
if ! command -v go >/dev/null 2>&1; then
    echo "SKIPPED, NOT CHECKED: Tessera needs Go"
    exit 0
fi
for tool in fsck examples/posix-oneshot; do
    if [ ! -x "$bin/$(basename $tool)" ]; then
        mkdir -p "$bin"
        if ! GOBIN="$bin" GOFLAGS=-mod=mod go install "$module/cmd/$tool@$version"; then
            echo "SKIPPED, NOT CHECKED: Tessera can't be built here"
            exit 0
        fi
    fi
done
fsck() {
    "$bin/fsck" --storage_url="file://$1/" --public_key="$2" --origin="$3" --ui=false
}
if [ $# -eq 5 ]; then
    fsck "$3" "$4" "$5"
    echo "== Tessera's fsck agrees with the mirror"
    exit 0
fi

scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$scratch"' EXIT
cd "$scratch"
# These keys protect nothing.
origin=tessera.example/log
echo 'PRIVATE+KEY+tessera.example/log+c281c7a7+AU6Po9dToXD6otFmn53p+X3TPCyHHClEWeI5TatNXyXx' >secret
echo 'tessera.example/log+c281c7a7+AcLiY4rRI86gXDukIHOpH4xie0Jd3WfTgEJ/qo7A4izU' >vkey

# Adds COUNT entries whose names begin with WORD to the log in DIR.
add() {
    rm -rf entries
    mkdir entries
    n=0
    while [ $n -lt "$3" ]; do
        echo "$2 $n" >"entries/$n"
        n=$((n + 1))
    done
    "$bin/posix-oneshot" --storage_dir="$1" --entries="$scratch/entries/*" --private_key="$scratch/secret" >/dev/null 2>&1
}
# Looks once; expects the exit code $1.
look() {
    expected=$1
    shift
    code=0
    "$ledgerstone" monitor "$@" --key "$(cat vkey)" --once --state state || code=$?
    [ $code -eq "$expected" ] || { echo "the monitor ended with $code instead of $expected" >&2; exit 1; }
}

add log first 5
python3 -u -m http.server --bind 127.0.0.1 --directory log 0 >port 2>/dev/null &
server=$!
until grep -q 'port [0-9]' port; do sleep 0.1; done
url="http://127.0.0.1:$(sed -n 's/.*port \([0-9]*\).*/\1/p' port)"
look 0 "$url" --mirror "$scratch/mirror"
cp -a log before
add log second 300
look 0 "$url" --mirror "$scratch/mirror"
add log third 600
look 0 "$url" --mirror "$scratch/mirror"
look 0 "$url" --mirror "$scratch/mirror"
fsck "$scratch/mirror" vkey "$origin"
"$ledgerstone" verify mirror --key "$(cat vkey)"

echo "== the log goes back, and on in another way"
rm -rf log
cp -a before log
look 1 "file://$scratch/log"
add log other 2000
look 1 "$url"
echo "== Tessera's logs are followed, and its fsck agrees with the mirror"
