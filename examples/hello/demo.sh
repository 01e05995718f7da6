#!/bin/sh
# demo.sh DIR: build this example with the cairn in DIR and run the image, in a store of its own.
set -eu
cairn=$1/cairn
here=$(dirname "$0")

if [ "$(id -u)" -ne 0 ]; then
	echo "building without root does not work yet: run 'sudo make demo'" >&2
	exit 1
fi
CAIRN_ROOT=$(mktemp -d)
export CAIRN_ROOT
trap 'rm -rf "$CAIRN_ROOT" 2>/dev/null || { sleep 1; rm -rf "$CAIRN_ROOT"; }' EXIT

say() {
	printf '\n$ %s\n' "$*"
	"$@"
}

say cc -static -O2 -o "$here/hello" "$here/hello.c"
say "$cairn" build -t hello "$here"
say "$cairn" run hello
printf '\nAnd once more, unchanged:\n'
say "$cairn" build -t hello "$here"
say "$cairn" images
