#!/usr/bin/env python3
"""interrupt.py SECONDS|@TEXT SIGNAL[,SIGNAL...] [--group] COMMAND...: end a program early.

Start COMMAND, wait so long or until it writes TEXT, send the signals (--group: to its whole process
group, as a terminal does), each when the one before has been taken, and print how it ended: an exit
code, or -N for signal N. This process adopts what COMMAND leaves behind: anything that still lives
some seconds after its end is printed and killed, and the exit code is 1. Only what waits for the
disk (state D: a syncfs that goes on in the background) may be late.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    """All descendants that are alive."""
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            direct = [int(word) for word in file.read().split()]
        for child in direct:
            with open(f"/proc/{child}/stat", encoding="ascii", errors="replace") as file:
                state = file.read().rpartition(")")[2].split()[0]
            found += ([] if state in "ZD" else [child]) + children(child)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def text(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"{pid} {file.read()!r}"
    except FileNotFoundError:
        return str(pid)


def left_behind():
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not children(os.getpid()):
            return []
        time.sleep(0.02)
    return children(os.getpid())


def taken(process, number):
    """Wait until the signal is no longer pending: two that are would be one."""
    end = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < end:
        with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
            lines = dict(line.split(":", 1) for line in file)
        if not int(lines["ShdPnd"], 16) >> (number - 1) & 1:
            return
        time.sleep(0.001)


def pass_on(process):
    for line in process.stdout:
        sys.stdout.buffer.write(line)


def wait_for(process, text):
    """Pass the output on until it has the text, and then in the background."""
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        if text.encode() in line:
            break
    rest = threading.Thread(target=pass_on, args=[process], daemon=True)
    rest.start()
    return rest


def main():
    when, signals, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
    group = command[0] == "--group"
    if group:
        command = command[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    rest_of_output = None
    if when.startswith("@"):
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        rest_of_output = wait_for(process, when[1:])
    else:
        process = subprocess.Popen(command, start_new_session=True)
        time.sleep(float(when))
    for name in signals:
        number = getattr(signal, "SIG" + name)
        if process.poll() is None:
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        taken(process, number)
    try:
        code = process.wait(timeout=60)
        if rest_of_output:
            rest_of_output.join(20)
        sys.stdout.flush()
        print(code)
    except subprocess.TimeoutExpired:
        process.kill()
        print("still running a minute later")
        return 1
    rest = left_behind()
    for pid in rest:
        print("left behind:", text(pid))
        os.kill(pid, signal.SIGKILL)
    return 1 if rest else 0


sys.exit(main())
