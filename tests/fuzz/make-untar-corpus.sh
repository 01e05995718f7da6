#!/bin/sh
# Make corpus/untar: the same small tree as GNU tar, bsdtar and Python write it. Needs root for
# the device. tests/unit/test_untar.c says what a reader must find in the archives.
# shellcheck disable=SC2086 # lists of names are split on purpose
set -eu
here=$(cd "$(dirname "$0")/corpus/untar" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
export LC_ALL=C TZ=UTC
umask 022

long=$(printf '%0120d' 7)
deep=$(printf '%060d/%060d' 1 2)
cd "$tree"
mkdir -p dir "${deep%/*}"
printf 'hello\n' >dir/file
: >dir/empty
ln dir/file dir/hard
ln -s file dir/soft
mkfifo -m 600 dir/pipe
mknod -m 666 dir/null c 1 3
printf 'deep' >"$deep"
printf 'long' >"$long"
ln -s "$long" longlink
printf 'x' >"$(printf 'caf\303\251 \377')"
# Holes of 512 bytes before each of 30 pieces, and a large one behind the last: without it the file
# has all its blocks, and GNU tar does not look for holes.
python3 - <<'PY'
with open("sparse", "wb") as f:
    for i in range(30):
        f.seek(i * 1024 + 512)
        f.write(bytes([ord("a") + i % 26]) * 512)
    f.truncate(30 * 1024 + 41472)
PY
printf 'attr' >attr
setfattr -n user.one -v 'v=1
2' attr
setfattr -n user.none attr
chmod 4755 attr
find . -exec touch -h -d @1700000000 {} +
touch -d @-1.5 attr

short='dir dir/empty dir/file dir/hard dir/soft'
dev='dir/null dir/pipe'
odd=$(printf 'caf\303\251 \377')
gnu() {
	out=$1
	shift
	# One record is one block, so that the archive stays small.
	tar -b1 --no-recursion --owner=root:0 --group=root:0 -cf "$here/$out.tar" "$@"
}
gnu gnu-v7 --format=v7 $short "$odd"
gnu gnu-ustar --format=ustar $short $dev "$deep" "$odd"
gnu gnu-oldgnu --format=oldgnu $short $dev "$deep" "$long" longlink "$odd"
gnu gnu-gnu --format=gnu $short $dev "$deep" "$long" longlink "$odd"
gnu gnu-pax --format=pax $short $dev "$deep" "$long" longlink "$odd"
gnu gnu-pax-global --format=pax --pax-option=globexthdr.name=g,uid=7,comment=any dir/file dir/empty
gnu gnu-sparse-old --format=gnu --sparse --hole-detection=raw sparse dir/file
for v in 0.0 0.1 1.0; do
	gnu gnu-sparse-$v --format=pax --sparse-version=$v --hole-detection=raw sparse dir/file
done
gnu gnu-xattr --format=pax --xattrs --xattrs-include='user.*' attr
tar -b1 --format=gnu --owner=big:3000000 --group=big:4000000000 -cf "$here/gnu-base256.tar" attr
tar -b1 --format=pax --owner=big:3000000 --group=big:4000000000 -cf "$here/pax-large-ids.tar" attr
tar -b1 --format=gnu -V label --owner=root:0 --group=root:0 -cf "$here/gnu-label.tar" dir/file

bsd() {
	out=$1
	shift
	bsdtar -b1 -n --uid 0 --gid 0 --uname root --gname root -cf "$here/$out.tar" "$@"
}
bsd bsdtar-v7 --format=v7 $short
bsd bsdtar-ustar --format=ustar $short $dev "$deep"
bsd bsdtar-gnutar --format=gnutar $short $dev "$deep" "$long" longlink
bsd bsdtar-pax --format=pax $short $dev "$deep" "$long" longlink "$odd"
bsd bsdtar-xattr --format=pax attr

HERE=$here python3 - $short $dev "$deep" "$long" longlink "$odd" <<'PY'
import os, sys, tarfile

formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
for name, fmt in formats.items():
    path = os.path.join(os.environ["HERE"], "python-" + name + ".tar")
    with tarfile.open(path, "w", format=fmt) as tar:
        tar.tarinfo.RECORDSIZE = 512
        for member in sys.argv[1:]:
            if fmt == tarfile.USTAR_FORMAT and len(os.path.basename(member)) > 100:
                continue
            if member == "longlink" and fmt == tarfile.USTAR_FORMAT:
                continue
            info = tar.gettarinfo(member)
            info.mtime = int(info.mtime)
            info.uid = info.gid = 0
            with open(member, "rb") if info.isreg() else open(os.devnull, "rb") as f:
                tar.addfile(info, f)
    # tarfile fills up to 10 KiB; two blocks of zeros are enough.
    with open(path, "rb+") as f:
        f.truncate(len(f.read().rstrip(b"\0")) + 511 & ~511)
        f.seek(0, 2)
        f.write(bytes(1024))
PY
