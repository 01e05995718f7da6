#!/usr/bin/env python3
"""compare.py A B [IGNORE...]: are two root filesystems the same, entry by entry?

A and B are directories or tars. Compared: paths, types, modes, owners, sizes, contents, link
targets, which names are hard links of one file, device numbers, xattrs. Not compared: times, and
paths given as IGNORE (themselves and what is below them). Prints every difference; exit 1 if any.
"""

import hashlib
import os
import stat
import sys
import tarfile

KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.LNKTYPE: "file",
    tarfile.SYMTYPE: "link", tarfile.DIRTYPE: "dir", tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block",
}


def keep_xattr(name):
    return name.startswith("user.") and not name.startswith("user.overlay.") \
        or name == "security.capability"


def hashed(stream):
    digest = hashlib.sha256()
    for chunk in iter(lambda: stream.read(1 << 20), b""):
        digest.update(chunk)
    return digest.hexdigest()


def clean(name):
    return os.path.normpath("/" + name.rstrip("/"))[1:] or "."


def from_tar(path):
    entries, twins = {}, {}
    with tarfile.open(path, errors="surrogateescape") as tar:
        for member in tar:
            name = clean(member.name)
            if member.islnk():
                target = clean(member.linkname)
                entries[name] = dict(entries[target])
                twins.setdefault(target, {target}).add(name)
                continue
            entry = {"kind": KINDS[member.type], "mode": member.mode & 0o7777,
                     "uid": member.uid, "gid": member.gid}
            if member.isfile():
                entry["content"] = hashed(tar.extractfile(member))
                entry["size"] = member.size
            if member.issym():
                entry["target"] = member.linkname
            if member.ischr() or member.isblk():
                entry["device"] = (member.devmajor, member.devminor)
            entry["xattrs"] = sorted(
                (key[len("SCHILY.xattr."):], value) for key, value in member.pax_headers.items()
                if key.startswith("SCHILY.xattr.") and keep_xattr(key[len("SCHILY.xattr."):]))
            entries[name] = entry
    return entries, {frozenset(names) for names in twins.values()}


def from_directory(root):
    entries, twins = {}, {}
    top = os.fsencode(root)
    for directory, subdirs, files in os.walk(top):
        for item in [b"."] * (directory == top) + subdirs + files:
            path = os.path.join(directory, item)
            info = os.lstat(path)
            name = clean(os.fsdecode(os.path.relpath(path, top)))
            kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link",
                    stat.S_IFIFO: "fifo", stat.S_IFCHR: "char",
                    stat.S_IFBLK: "block"}.get(stat.S_IFMT(info.st_mode))
            if kind is None:
                continue
            entry = {"kind": kind, "mode": stat.S_IMODE(info.st_mode),
                     "uid": info.st_uid, "gid": info.st_gid}
            if kind == "file":
                with open(path, "rb") as stream:
                    entry["content"] = hashed(stream)
                entry["size"] = info.st_size
            if kind != "dir" and info.st_nlink > 1:
                twins.setdefault(info.st_ino, set()).add(name)
            if kind == "link":
                entry["target"] = os.fsdecode(os.readlink(path))
            if kind in ("char", "block"):
                entry["device"] = (os.major(info.st_rdev), os.minor(info.st_rdev))
            names = os.listxattr(path, follow_symlinks=False)
            entry["xattrs"] = sorted(
                (key, os.getxattr(path, key, follow_symlinks=False).decode(
                    "utf-8", "surrogateescape")) for key in names if keep_xattr(key))
            entries[name] = entry
    return entries, {frozenset(names) for names in twins.values() if len(names) > 1}


def read(path):
    return from_directory(path) if os.path.isdir(path) else from_tar(path)


def main():
    first, second, *ignored = sys.argv[1:]
    ignored = [clean(name) for name in ignored]

    def wanted(name):
        return not any(name == item or name.startswith(item + "/") for item in ignored)

    (a, a_twins), (b, b_twins) = read(first), read(second)
    differences = 0
    for name in sorted(set(a) | set(b)):
        if not wanted(name) or a.get(name) == b.get(name):
            continue
        differences += 1
        if name not in a or name not in b:
            print(f"{name!r}: only in {first if name in a else second}")
            continue
        keys = sorted(set(a[name]) | set(b[name]))
        print(f"{name!r}: " + ", ".join(
            f"{key} {a[name].get(key)!r} != {b[name].get(key)!r}"
            for key in keys if a[name].get(key) != b[name].get(key)))
    for twins in a_twins ^ b_twins:
        if all(wanted(name) for name in twins):
            differences += 1
            print(f"hard links only in {first if twins in a_twins else second}: {sorted(twins)}")
    print(f"{len(a)} and {len(b)} entries, {differences} differences", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
