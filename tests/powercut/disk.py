"""disk.py: a disk that writes down, in their order, all writes and flushes that it is given.

The disk is a loop device over a file, and the file is served by us through /dev/fuse: the loop
device hands on each write at once (FOPEN_DIRECT_IO: nothing is cached between) and turns each
FLUSH of the file system above it into an fsync of the file; it announces no FUA, so that the
kernel puts a FLUSH in its place. One thread takes one request after the other, and nothing is
answered before it is written down: so what stands before a flush in the log was complete when
the flush began, and a mark that somebody writes into the file beside it stands where it belongs.

This needs root, /dev/fuse and loop devices, no device mapper, no module and no library.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import struct
import sys
import traceback

WRITE, FLUSH, MARK = 1, 2, 3
RECORD = struct.Struct("<QQQ")  # kind, offset, length; then the bytes
SECTOR, PAGE = 512, 4096

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, PR_SET_PDEATHSIG = 0x20000, 1
MS_NOATIME, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1 << 10, 1 << 12, 1 << 14, 1 << 18, 2


def call(name, *arguments):
    """A function of the C library that fails with -1; it takes text and numbers."""
    given = [value.encode() if isinstance(value, str) else value for value in arguments]
    if getattr(libc, name)(*given) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}{arguments}: {os.strerror(code)}")


def mount(source, target, kind, flags=0, options=None):
    call("mount", source, target, kind, ctypes.c_ulong(flags), options)


def private_mounts():
    """From here on, what this process mounts is seen by its children alone, and ends with them."""
    call("unshare", CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def as_child(work):
    """The rest of the life of a process that was forked: it does not outlive its parent, and does
    nothing that is the parent's to do, such as cleaning up."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()
        work()
        code = 0
    except BaseException:  # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def runs_of_data(fd):
    """(begin, end) of each part of a file that is no hole."""
    size, end = os.fstat(fd).st_size, 0
    while end < size:
        try:
            begin = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(fd, begin, os.SEEK_HOLE)
        yield begin, end


class Image:
    """The contents of a disk, in memory: what is zero takes no room."""

    def __init__(self, size):
        self.fd = os.memfd_create("disk")
        os.ftruncate(self.fd, size)
        self.bytes = mmap.mmap(self.fd, size)

    def close(self):
        self.bytes.close()
        os.close(self.fd)

    def load(self, path):
        with open(path, "rb") as file:
            for begin, end in runs_of_data(file.fileno()):
                for at in range(begin, end, PAGE):
                    data = os.pread(file.fileno(), min(PAGE, end - at), at)
                    if data.count(0) != len(data):
                        self.bytes[at:at + len(data)] = data

    def save(self, path):
        with open(path, "wb") as file:
            file.truncate(len(self.bytes))
            for begin, end in runs_of_data(self.fd):
                file.seek(begin)
                file.write(self.bytes[begin:end])

    def copy(self):
        other = Image(len(self.bytes))
        with memoryview(self.bytes) as view:
            for begin, end in runs_of_data(self.fd):
                other.bytes[begin:end] = view[begin:end]
        return other


class Loop:
    """A loop device over an open file; it is free again when its last user closes it."""
    GET_FREE, CONFIGURE, AUTOCLEAR = 0x4C82, 0x4C0A, 4

    def __init__(self, fd):
        config = bytearray(304)
        struct.pack_into("<I", config, 0, fd)
        struct.pack_into("<I", config, 8 + 52, self.AUTOCLEAR)  # lo_flags of loop_info64
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            self.attach(control, config)
        finally:
            os.close(control)

    def attach(self, control, config):
        while True:
            self.path = f"/dev/loop{fcntl.ioctl(control, self.GET_FREE)}"
            self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(self.fd, self.CONFIGURE, config)
                return
            except OSError as error:
                os.close(self.fd)
                if error.errno != errno.EBUSY:  # somebody else was faster
                    raise

    def close(self):
        os.close(self.fd)


# ---- the file that is served ----

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE_TO, STATFS, RELEASE, FSYNC, FLUSH_FD, INIT, \
    INTERRUPT, DESTROY, BATCH_FORGET = 1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 38, 42
ROOT, DISK, MARKS = 1, 2, 3
NODES = {b"disk": DISK, b"marks": MARKS}
MOST = 1 << 20
FLAGS = 1 << 0 | 1 << 5 | 1 << 15 | 1 << 22  # ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES


class Server:
    def __init__(self, fuse, image, log):
        self.fuse, self.image, self.log = fuse, image, log
        self.does = {
            INIT: self.init, LOOKUP: self.lookup, GETATTR: self.getattr, SETATTR: self.getattr,
            OPEN: self.open, READ: self.read, WRITE_TO: self.write, FSYNC: self.fsync,
            RELEASE: self.nothing, FLUSH_FD: self.nothing, DESTROY: self.nothing,
            STATFS: lambda node, body: bytes(80),
        }

    def serve(self):
        while True:
            try:
                request = os.read(self.fuse, MOST + PAGE)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return  # ENODEV: it was unmounted
            _, what, unique, node = struct.unpack_from("<IIQQ", request)
            if what in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            self.answer(unique, what, node, memoryview(request)[40:])

    def answer(self, unique, what, node, body):
        code, reply = 0, b""
        try:
            reply = self.does[what](node, body)
        except KeyError:
            code = -errno.ENOSYS
        except OSError as error:
            code = -error.errno
        try:
            os.writev(self.fuse, [struct.pack("<IiQ", 16 + len(reply), code, unique), reply])
        except OSError as error:
            if error.errno != errno.ENOENT:  # nobody waits for it any more
                raise

    def put(self, kind, offset, data=b""):
        self.log.write(RECORD.pack(kind, offset, len(data)))
        self.log.write(data)

    def init(self, node, body):
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, FLAGS, 64, 48, MOST, 1, MOST // PAGE, 0, 0)

    def attributes(self, node):
        size = len(self.image.bytes) if node == DISK else 0
        mode = 0o040700 if node == ROOT else 0o100600
        return struct.pack("<QQQ36xIIIIIII", node, size, 0, mode, 1, 0, 0, 0, PAGE, 0)

    def lookup(self, node, body):
        name = bytes(body).rstrip(b"\0")
        if name not in NODES:
            raise OSError(errno.ENOENT, "")
        return struct.pack("<QQQQII", NODES[name], 0, 3600, 3600, 0, 0) + \
            self.attributes(NODES[name])

    def getattr(self, node, body):
        return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)

    def open(self, node, body):
        return struct.pack("<QIi", 0, 1, 0)  # FOPEN_DIRECT_IO

    def read(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        return self.image.bytes[offset:offset + size] if node == DISK else b""

    def write(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40:40 + size]
        if node == DISK:
            self.image.bytes[offset:offset + size] = data
        self.put(WRITE if node == DISK else MARK, offset, data)
        if node == MARKS:
            self.log.flush()
        return struct.pack("<II", size, 0)

    def fsync(self, node, body):
        self.put(FLUSH, 0)
        return b""

    def nothing(self, node, body):
        return b""


class Disk:
    """The disk, its server and its loop device: `path` is the block device.

    The caller has private mounts; `place` is an empty directory of his, `log` a new file."""

    def __init__(self, image, place, log):
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        mount("cuts", place, "fuse", 0, f"fd={fuse},rootmode=40000,user_id=0,group_id=0")
        self.place = place
        self.server = os.fork()
        if self.server == 0:
            as_child(lambda: self.serve(fuse, image, log))
        os.close(fuse)
        self.marks = os.open(place + "/marks", os.O_WRONLY | os.O_CLOEXEC)
        backing = os.open(place + "/disk", os.O_RDWR | os.O_CLOEXEC)
        self.loop = Loop(backing)
        os.close(backing)
        self.path = self.loop.path

    @staticmethod
    def serve(fuse, image, log):
        with open(log, "wb", buffering=MOST) as file:
            Server(fuse, image, file).serve()

    def mark(self, text):
        os.write(self.marks, text.encode())

    def close(self):
        """The file system on it is unmounted by now."""
        self.loop.close()
        os.close(self.marks)
        call("umount2", self.place, MNT_DETACH)
        if os.waitpid(self.server, 0)[1]:
            raise SystemExit("the server of the disk failed")


def read_log(path):
    """(kind, offset, bytes) of each record; the bytes are a view."""
    with open(path, "rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    at = 0
    while at + RECORD.size <= len(whole):
        kind, offset, length = RECORD.unpack_from(whole, at)
        at += RECORD.size
        yield kind, offset, whole[at:at + length]
        at += length
