"""place: where the benchmark works, and on what.

A journaled ext4, freshly made in a file, as design section 8 asks: on one without a journal,
inodes that were just deleted are made again at a pathological cost.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tools import environment


@contextlib.contextmanager
def disk(gigabytes=40):
    """(mounted, beside): a directory on the disk, and one beside it for what is not measured.
    Nothing is left of either, however it ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # podman makes a name of an image of the path, and not every word that mkdtemp() chooses is one.
    top = f"{tempfile.gettempdir()}/cairn-bench-{os.getpid()}"
    os.mkdir(top, 0o755)
    mounted, beside = f"{top}/mnt", f"{top}/beside"
    os.mkdir(mounted)
    os.mkdir(beside)
    try:
        subprocess.run(["truncate", "-s", f"{gigabytes}G", f"{top}/disk"], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", f"{top}/disk"], check=True)
        subprocess.run(["mount", "-o", "loop", f"{top}/disk", mounted], check=True)
        environment(mounted)
        yield mounted, beside
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        unmount(mounted)
        if os.path.ismount(mounted):
            print(f"{mounted} is still in use", file=sys.stderr)
        else:
            shutil.rmtree(top, ignore_errors=True)


def unmount(mounted):
    """Whoever flushes what a command has left may still be at work there."""
    for _ in range(100):
        if not os.path.ismount(mounted):
            return
        done = subprocess.run(["umount", "-R", mounted], stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            time.sleep(0.1)


def words(path, wanted):
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == wanted:
                return value.strip()
    return "unknown"


def machine():
    """What the numbers depend on. No names of hosts, no paths."""
    memory = int(words("/proc/meminfo", "MemTotal").split()[0]) * 1024
    return {"processor": words("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_bytes": memory, "kernel": os.uname().release,
            "file_system": "ext4 with a journal, in a file that is mounted by a loop device"}
