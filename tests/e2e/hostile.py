#!/usr/bin/env python3
"""hostile.py - layers that somebody with bad intentions would make, one for each way to do harm.

    hostile.py DIR CANARY

writes DIR/NAME.tar for each, whatever it is compressed with, and the OCI layout DIR/layout, in which
NAME is a tag of an image with this layer alone. CANARY is a directory outside, which has a `file`;
everything that leads out leads there. `NAME SHA256` of each tar is printed.
"""

import gzip
import hashlib
import os
import random
import struct
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "registry"))
import images  # pylint: disable=wrong-import-position

F, D, L, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
CHAR, BLOCK, FIFO = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
HARM = b"harm\n"


def entry(kind, path, link="", body=HARM, mode=0o777, device=(0, 0), pax=None, uid=0):
    """One entry with the headers that it needs."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode, info.uid = kind, link, mode, uid
    info.devmajor, info.devminor = device
    info.pax_headers = pax or {}
    body = body if kind == F else b""
    info.size = len(body)
    head = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return head + body + bytes(-len(body) % 512)


def tar(*entries):
    return b"".join(entries) + bytes(1024)


def chain(*links_then_file):
    """Symbolic links, and a file through them."""
    *links, path = links_then_file
    return tar(*(entry(L, name, target) for name, target in links), entry(F, path))


def with_header(data, offset, value, checksum=True):
    """The archive with other bytes in its first header."""
    head = bytearray(data[:512])
    head[offset:offset + len(value)] = value
    if checksum:
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data[512:]


def sparse(size, where):
    """A file that says it is so large, with one byte of data there."""
    table = b"1\n%d\n1\n" % where
    body = table + bytes(512 - len(table)) + b"x"
    return tar(entry(F, "GNUSparseFile.0/sparse", body=body, pax={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": str(size)}))


def zstd_window():
    data = tar(entry(F, "file"))
    return images.zstd_frame(31, images.zstd_block(0, len(data), data, last=True))


def shapes(canary):
    """Name and bytes of each; of those that are compressed also what they are without it."""
    up = "../" * 20
    inside = canary.lstrip("/")
    file = entry(F, "file")
    capable = struct.pack("<5I", 0x02000001, 1 << 21, 0, 0, 0).decode("latin-1")
    noise = tar(entry(F, "file", body=random.Random(3).randbytes(20000)))
    packed = gzip.compress(noise, mtime=0)
    return {
        "write-through-symlink": chain(("out", canary), "out/file"),
        "new-through-symlink": chain(("out", canary), "out/new"),
        "through-relative-symlink": chain(("out", up + inside), "out/file"),
        "through-two-symlinks": chain(("a", "b"), ("b", canary), "a/file"),
        "through-symlink-loop": chain(("a", "b"), ("b", "a"), "a/file"),
        "through-magic-link": chain(("out", "/proc/self/root" + canary), "out/file"),
        "over-symlink": chain(("out", canary + "/file"), "out"),
        "directory-over-symlink": tar(entry(L, "out", canary), entry(D, "out"),
                                      entry(F, "out/file")),
        "mode-through-symlink": tar(entry(L, "out", canary), entry(D, "out/.", mode=0o4000)),
        "root-is-a-symlink": tar(entry(L, "./", canary), entry(F, "file")),
        "hard-link-out": tar(entry(H, "x", canary + "/file"), entry(F, "x")),
        "hard-link-upwards": tar(entry(H, "x", up + inside + "/file")),
        "hard-link-through-symlink": tar(entry(L, "out", canary), entry(H, "x", "out/file")),
        "hard-link-of-symlink": tar(entry(L, "out", canary + "/file"), entry(H, "x", "out"),
                                    entry(F, "x")),
        "upwards": tar(entry(F, up + inside + "/file")),
        "upwards-in-the-middle": tar(entry(D, "a"), entry(F, "a/../" + up + inside + "/file")),
        "absolute": tar(entry(F, canary + "/file")),
        "whiteout-of-nothing": tar(entry(F, ".wh.")),
        "whiteout-of-itself": tar(entry(D, "a"), entry(F, "a/.wh..")),
        "whiteout-upwards": tar(entry(D, "a"), entry(F, "a/.wh...")),
        "whiteout-as-parent": tar(entry(F, ".wh.a/file")),
        "whiteout-through-symlink": tar(entry(L, "out", canary), entry(F, "out/.wh.file")),
        "opaque-through-symlink": tar(entry(L, "out", canary), entry(F, "out/.wh..wh..opq")),
        "whiteout-by-device": tar(entry(CHAR, "file")),
        "device-that-is-cut": tar(entry(CHAR, "file", device=(4096, 0))),
        "device": tar(entry(CHAR, "mem", device=(1, 1)), entry(BLOCK, "disk", device=(254, 0))),
        "fifo": tar(entry(FIFO, "fifo"), file),
        "set-id": tar(entry(F, "setid", mode=0o6777),
                      entry(F, "capable", pax={"SCHILY.xattr.security.capability": capable})),
        "overlay-attributes": tar(entry(D, "d", pax={
            "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y",
            "SCHILY.xattr.trusted.overlay.redirect": canary,
            "SCHILY.xattr.user.overlay.redirect": canary}), entry(F, "d/file")),
        "zstd-window": zstd_window(),
        "sparse-bomb": sparse(1 << 62, (1 << 62) - 1),
        "sparse-beyond": sparse(512, 1 << 40),
        "depth": tar(entry(F, "d/" * 1500 + "file")),
        "path-too-long": tar(entry(F, "d/" * 3000 + "file")),
        "name-too-long": tar(entry(F, "n" * 256)),
        "twice": tar(file, entry(F, "file", body=b"second\n")),
        "type-changes": tar(entry(F, "out"), entry(D, "out"), entry(F, "out/x"),
                            entry(L, "out", canary), entry(FIFO, "out"), entry(L, "out", canary),
                            entry(F, "out/file")),
        "parent-is-a-file": tar(file, entry(F, "file/below")),
        "bad-checksum": with_header(tar(file), 100, b"0000755", checksum=False),
        "owner-beyond": tar(entry(F, "file", pax={"uid": str(1 << 32)})),
        "owner-of-nobody": tar(entry(F, "file", pax={"uid": str((1 << 32) - 1)})),
        "size-beyond": tar(entry(F, "file", pax={"size": str(1 << 63)})),
        "size-negative": with_header(tar(file), 124, b"\xff" * 12),
        "cut-content": noise[:5000],
        "no-end-of-gzip": packed[:-300],
        "rubbish-behind-gzip": packed + b"rubbish" * 50,
        "bad-sum-of-gzip": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "several-members": b"".join(gzip.compress(noise[at:at + 700], mtime=0)
                                    for at in range(0, len(noise), 700)),
        "no-utf-8": with_header(tar(file), 0, b"fil\xff"),
        "wrong-diff-id": packed,
    }


def plain(name, data):
    """What the layer is without its compression, as far as a config must know it."""
    if name == "wrong-diff-id":
        return b"something else"
    if data[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(data)
        except (EOFError, OSError):
            return b"nobody knows"
    if name == "zstd-window":
        return tar(entry(F, "file"))
    return data


def main():
    directory, canary = sys.argv[1:]
    layout = images.Layout(os.path.join(directory, "layout"))
    for name, data in shapes(canary).items():
        with open(os.path.join(directory, name + ".tar"), "wb") as file:
            file.write(data)
        kind = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(data[:2], "tar")
        diff_id = images.sha256(plain(name, data))
        layout.name(name, images.image_of(layout, data, kind, diff_id))
        print(name, hashlib.sha256(data).hexdigest())


main()
