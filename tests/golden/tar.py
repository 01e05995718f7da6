#!/usr/bin/env python3
"""The golden files of the canonical tar: an independent writer, and its judges.

    tar.py make     write tests/golden/tar/*.tar, from the rules in base/tar.h
    tar.py check    GNU tar, bsdtar and Python's tarfile must read from them what was put in

base/tar.c must produce the same bytes; tests/unit/test_tar.c holds it to that.
This program shares nothing with it but the rules. A golden file never changes.
"""

import io
import os
import re
import stat
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tar")
TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "char": b"3", "block": b"4",
         "dir": b"5", "fifo": b"6"}


@dataclass
class Entry:
    kind: str = "file"
    path: bytes = b""
    link: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    size: int = -1  # when the content is left out
    mtime: int = 1700000000
    dev: tuple = (0, 0)
    xattrs: dict = field(default_factory=dict)

    @property
    def real_size(self):
        return len(self.content) if self.size < 0 else self.size


# ---- the rules ----

def block(name, prefix=b"", link=b"", kind=b"0", mode=0, uid=0, gid=0, size=0, mtime=0, dev=(0, 0)):
    def octal(n, width):
        return b"%0*o\0" % (width - 1, n)

    parts = [name.ljust(100, b"\0"), octal(mode, 8), octal(uid, 8), octal(gid, 8), octal(size, 12),
             octal(mtime, 12), b" " * 8, kind, link.ljust(100, b"\0"), b"ustar\0", b"00", bytes(32),
             bytes(32), octal(dev[0], 8), octal(dev[1], 8), prefix.ljust(155, b"\0"), bytes(12)]
    raw = b"".join(parts)
    assert len(raw) == 512
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def fill(data):
    return data + bytes(-len(data) % 512)


def record(key, value):
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(b"%d" % length) + len(rest):
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def split(path):
    if len(path) <= 100:
        return b"", path
    fitting = [i for i in range(1, len(path) - 1)
               if path[i:i + 1] == b"/" and i <= 155]
    if not fitting or len(path) - fitting[-1] - 1 > 100:
        return None
    return path[:fitting[-1]], path[fitting[-1] + 1:]


def is_utf8(text):
    try:
        text.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def headers(e):
    records, small, large = [], 8 ** 7 - 1, 8 ** 11 - 1
    parts = split(e.path)
    values = {"uid": e.uid, "gid": e.gid, "size": e.real_size, "mtime": e.mtime}
    texts = [t for t, over in ((e.path, parts is None), (e.link, len(e.link) > 100)) if over]
    if not all(is_utf8(t) for t in texts):
        records.append(record(b"hdrcharset", b"BINARY"))
    if parts is None:
        records.append(record(b"path", e.path))
        parts = b"", e.path[:100]
    if len(e.link) > 100:
        records.append(record(b"linkpath", e.link))
    for key, limit in (("size", large), ("uid", small), ("gid", small), ("mtime", large)):
        if not 0 <= values[key] <= limit:
            records.append(record(key.encode(), b"%d" % values[key]))
            values[key] = 0
    for name in sorted(e.xattrs):
        records.append(record(b"SCHILY.xattr." + name, e.xattrs[name]))

    out = b""
    if records:
        base = e.path[:-1] if e.path.endswith(b"/") else e.path
        body = b"".join(records)
        out = block((b"PaxHeaders.0/" + base.split(b"/")[-1])[:99], kind=b"x", mode=0o644,
                    size=len(body)) + fill(body)
    return out + block(parts[1], parts[0], e.link[:100], TYPES[e.kind], e.mode, dev=e.dev, **values)


# ---- the vectors ----

def vectors():
    a, b, c = b"a", b"b", b"c"
    umlaut, broken = "ä".encode(), b"\xff\xe4"
    capability = bytes.fromhex("0100000300200000000000000000000000000000e8030000")
    v = {
        "plain": Entry(path=b"etc/hostname", content=b"hello\n"),
        "content-512": Entry(path=b"etc/block", content=b"x" * 512),
        "content-513": Entry(path=b"etc/block", content=b"x" * 513),
        "dir": Entry("dir", b"etc/", mode=0o755),
        "root": Entry("dir", b"./", mode=0o755),
        "symlink": Entry("symlink", b"bin", b"usr/bin", mode=0o777),
        "hardlink": Entry("hardlink", b"b/two", b"a/one"),
        "char": Entry("char", b"dev/console", mode=0o600, dev=(5, 1)),
        "block": Entry("block", b"dev/a", mode=0o660, gid=6, dev=(255, 255)),
        "dev-large": Entry("char", b"dev/b", dev=(4095, 1048575)),
        "fifo": Entry("fifo", b"run/pipe", mode=0o600),
        "whiteout": Entry(path=b"etc/.wh.hostname", mode=0, mtime=0),
        "mode-all": Entry(path=b"bin/x", mode=0o7777),
        # where the path goes
        "name-99": Entry(path=a * 99),
        "name-100": Entry(path=a * 100),
        "name-101": Entry(path=a * 101),
        "name-4096": Entry(path=(b"d" * 63 + b"/") * 63 + c * 64),
        "dir-100": Entry("dir", a * 99 + b"/"),
        "dir-101": Entry("dir", a * 100 + b"/"),
        "split-154": Entry(path=a * 154 + b"/" + b * 100),
        "split-155": Entry(path=a * 155 + b"/" + b * 100),
        "split-156": Entry(path=a * 156 + b"/" + b * 98),
        "split-255": Entry(path=a * 155 + b"/" + b * 99),
        "split-257": Entry(path=a * 155 + b"/" + b * 101),
        "split-dir": Entry("dir", a * 155 + b"/" + b * 99 + b"/"),
        "split-last": Entry(path=a * 49 + b"/" + b * 49 + b"/" + c * 60),
        "split-two": Entry(path=a * 80 + b"/" + b * 70 + b"/" + c * 90),
        "split-none": Entry(path=a * 20 + b"/" + b * 101),
        "link-100": Entry("symlink", b"l", a * 100, mode=0o777),
        "link-101": Entry("symlink", b"l", a * 101, mode=0o777),
        "hardlink-101": Entry("hardlink", b"l", a * 50 + b"/" + b * 50),
        # any byte
        "utf8": Entry(path=b"caf" + umlaut),
        "utf8-long": Entry(path=umlaut * 60),
        "utf8-cut": Entry(path=b"d/" + b"x" * 85 + umlaut * 10),
        "binary": Entry(path=b"caf" + broken),
        "binary-long": Entry(path=broken * 60),
        "binary-link": Entry("symlink", b"l", broken * 60, mode=0o777),
        "odd-bytes": Entry(path=b"new\nline\\tab\t'q\" end "),
        "odd-link": Entry("symlink", b"l ", b" \n=", mode=0o777),
        # numbers
        "uid-2097151": Entry(path=b"f", uid=2097151, gid=2097151),
        "uid-2097152": Entry(path=b"f", uid=2097152, gid=3),
        "gid-2097152": Entry(path=b"f", uid=3, gid=2097152),
        "uid-max": Entry(path=b"f", uid=2 ** 32 - 2, gid=2 ** 32 - 2),
        "mtime-0": Entry(path=b"f", mtime=0),
        "mtime-minus-1": Entry(path=b"f", mtime=-1),
        "mtime-octal-max": Entry(path=b"f", mtime=8 ** 11 - 1),
        "mtime-2-to-33": Entry(path=b"f", mtime=2 ** 33),
        "size-below-8G": Entry(path=b"f", size=8 ** 11 - 1),
        "size-8G": Entry(path=b"f", size=8 ** 11),
        # xattrs
        "xattr-any-bytes": Entry(path=b"f", xattrs={b"user.a": b"one\ntwo\0=three\0"}),
        "xattr-empty": Entry(path=b"f", xattrs={b"user.empty": b""}),
        "xattr-64K": Entry(path=b"f", xattrs={b"user.large": bytes(range(256)) * 256}),
        "xattr-capability": Entry(path=b"bin/ping", mode=0o755, content=b"#!\n",
                                  xattrs={b"security.capability": capability}),
        "xattr-sorted": Entry("dir", b"d/", mode=0o755, xattrs={
            b"user.b": b"2", b"security.x": b"1", b"user.a": b"3", b"user.a.b": b"4"}),
        "xattr-odd-name": Entry(path=b"f", xattrs={b"user.%41\n b": b"v"}),
        "everything": Entry("symlink", broken * 51, a * 101, mode=0o7777, uid=2 ** 31, gid=2 ** 31,
                            mtime=-2 ** 40, xattrs={b"trusted.a": b"\0", b"trusted.b": b""}),
    }
    # A record's length counts its own digits: 9 to 10 needs a longer key than any of ours, but
    # 99 to 101 and 999 to 1001 happen.
    for length in (96, 97, 98, 99, 995, 996, 997):
        v["record-%d" % length] = Entry(
            path=b"f", xattrs={b"user.a": b"x" * (length - len(b" SCHILY.xattr.user.a=\n"))})
    return v


def archive(e):
    out = headers(e) + fill(e.content)
    return out if e.size >= 0 else out + bytes(1024)


def make():
    os.makedirs(HERE, exist_ok=True)
    for name, e in vectors().items():
        with open(os.path.join(HERE, name + ".tar"), "wb") as f:
            f.write(archive(e))


# ---- the judges ----

def expected(e):
    return (e.kind, e.path.rstrip(b"/"), e.link, e.mode, e.uid, e.gid, e.real_size, e.mtime, e.dev,
            e.xattrs)


def from_python(stream):
    def raw_name(text):
        return text.encode("utf-8", "surrogateescape")

    with tarfile.open(fileobj=stream, encoding="utf-8", errors="surrogateescape") as tar:
        [m] = tar.getmembers()
    kinds = {v: k for k, v in TYPES.items()}
    kind = kinds[m.type]
    xattrs = {}
    for key, value in m.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            xattrs[raw_name(key)[13:]] = raw_name(value)
    dev = (m.devmajor, m.devminor) if kind in ("char", "block") else (0, 0)
    return (kind, raw_name(m.name).rstrip(b"/"), raw_name(m.linkname), m.mode, m.uid, m.gid, m.size,
            int(m.mtime), dev, xattrs)


def from_bsdtar(path):
    """What bsdtar reads, as it writes it into a tar of its own."""
    raw = subprocess.run(["bsdtar", "-cf", "-", "--format=pax", "@" + path], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         env=dict(os.environ, LC_ALL="C.UTF-8")).stdout
    fields = from_python(io.BytesIO(raw))
    # It percent-codes the names of xattrs that it writes, not of those that it reads.
    return *fields[:-1], {unquote_to_bytes(k): v for k, v in fields[-1].items()}


def unescape(text):
    return re.sub(rb"\\(\d{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else
                  {b"n": b"\n", b"t": b"\t"}.get(m[1], m[1]), text)


def from_gnu(path):
    out = subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--full-time",
         "--quoting-style=c", "--warning=no-unknown-keyword", "-tvvf", path],
        stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C", TZ="UTC"),
        stderr=subprocess.PIPE, check=False).stdout
    line, *rest = out.split(b"\n", 1)
    m = re.match(rb'(\S+) +(\d+)/(\d+) +(\S+) +(\S+ \S+) "((?:[^"\\]|\\.)*)"'
                 rb'(?: (?:->|link to) "((?:[^"\\]|\\.)*)")?', line)
    kinds = {"-": "file", "h": "hardlink", "l": "symlink", "c": "char", "b": "block", "d": "dir",
             "p": "fifo"}
    size = m[4].split(b",")
    dev = (int(size[0]), int(size[1])) if len(size) == 2 else (0, 0)
    names = re.findall(rb"^  x: *(\d+) (.*?)(?=\n  x: |\n*\Z)", rest[0] if rest else b"",
                       re.M | re.S)
    seconds = re.sub(rb"\.0*$", b"", m[5]).decode()
    return (kinds[chr(line[0])], unescape(m[6]).rstrip(b"/"), unescape(m[7] or b""),
            m[1].decode()[1:10], int(m[2]), int(m[3]), int(size[0]) if len(size) == 1 else 0,
            seconds, dev, {name: int(length) for length, name in names})


def for_gnu(e):
    def date(seconds):
        out = subprocess.run(["date", "-u", "-d", "@%d" % seconds, "+%Y-%m-%d %H:%M:%S"],
                             check=True, stdout=subprocess.PIPE).stdout
        return out.decode().strip()

    want = list(expected(e))
    want[3] = stat.filemode(e.mode)[1:]
    want[7] = date(e.mtime)
    want[9] = {name: len(value) for name, value in e.xattrs.items()}
    return tuple(want)


def answers(e, path):
    """Who reads what from the archive, and what was put in."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as whole:
        with open(path, "rb") as f:
            whole.write(f.read())
        if e.size >= 0:  # the content is a hole
            whole.truncate(whole.tell() + -(-e.size // 512) * 512 + 1024)
        whole.seek(0)
        yield "python", expected(e), from_python(whole)
        yield "GNU tar", for_gnu(e), from_gnu(whole.name)
        if e.size < 0:
            yield "bsdtar", expected(e), from_bsdtar(whole.name)


def check():
    bad = 0
    for name, e in vectors().items():
        for who, want, got in answers(e, os.path.join(HERE, name + ".tar")):
            if want != got:
                bad += 1
                print("%s: %s reads\n  %r\ninstead of\n  %r" % (name, who, got, want))
    return bad


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    elif sys.argv[1:] == ["check"]:
        sys.exit(1 if check() else 0)
    else:
        sys.exit(__doc__)
