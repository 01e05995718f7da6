#!/usr/bin/env python3
"""idle_init.py NAME COMMAND...: be a process 1 that reaps nobody, as that of many a container.

Start COMMAND, wait until a process whose name begins with NAME is there, and kill COMMAND. Print what of the
others still is more than a zombie when nothing changes any more for ten seconds; the exit code is then 1.
"""

import os
import signal
import sys
import time

SECONDS = 10


def others():
    """Names and states of all processes but this one."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                head, _, rest = file.read().rpartition(")")
            found.append((head.partition("(")[2], rest.split()[0]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def alive():
    return [name for name, state in others() if state not in "ZX"]


def main():
    pid = os.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    if not until(lambda: any(name.startswith(sys.argv[1]) for name in alive())):
        print("it was never there:", others())
        return 1
    os.kill(pid, signal.SIGKILL)
    if until(lambda: not alive()):
        return 0
    print("still alive:", alive())
    return 1


sys.exit(main())
