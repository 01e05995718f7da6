"""measure: what a command costs: wall, CPU, memory, system calls, disk.

Wall and CPU seconds come from plain runs. Memory and system calls come from one more run each,
under time(1) and strace(1): neither is part of what is timed. What a daemon does for a command is
asked of the tool (tools.py).
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import namedtuple

from stats import spread

Sample = namedtuple("Sample", "wall cpu")
TIMEOUT = 3600


class Failed(Exception):
    """A command ended with another code than 0: what it said last."""


def tell_end(argv, code, errors):
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()[-5:]
    return Failed(f"{argv[0]} ended with {code}: " + "\n  ".join(said))


def end(processes):
    """Those that are still there are asked to go, then made to."""
    living = [process for process in processes if process.poll() is None]
    for process in living:
        process.send_signal(signal.SIGTERM)
    for process in living:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_together(argvs, env):
    """Run all of them at once: wall seconds until the last has ended, and CPU seconds of them and
    of all that they waited for."""
    cpu = 0
    with tempfile.TemporaryFile() as errors:
        begin = time.monotonic()
        processes = []
        try:
            for argv in argvs:
                processes.append(subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                                                  stdout=subprocess.DEVNULL, stderr=errors))
            for process in processes:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                cpu += usage.ru_utime + usage.ru_stime
            wall = time.monotonic() - begin
        finally:
            end(processes)
        for argv, process in zip(argvs, processes):
            if process.returncode:
                raise tell_end(argv, process.returncode, errors)
    return Sample(wall, cpu)


def run(argv, env=None, **more):
    """One command that is not measured; what it printed."""
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(argv, env=env, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=errors, timeout=TIMEOUT, **more)
        if done.returncode:
            raise tell_end(argv, done.returncode, errors)
    return done.stdout.decode(errors="replace")


def timed(tool, argvs):
    """With a disk that has nothing else to do."""
    subprocess.run(["sync", "-f", tool.top], check=True)
    outside = tool.outside_cpu()
    sample = run_together(argvs, tool.env)
    return Sample(sample.wall, sample.cpu + tool.outside_cpu() - outside)


def peak_memory(tool, argvs):
    """Bytes: the peak of the largest process of each command, added up, or None. A process that is
    started begins with the peak of who starts it, and time(1) is small."""
    if not os.path.exists("/usr/bin/time"):
        return None
    with tempfile.TemporaryDirectory(dir=tool.top) as place:
        reports = [os.path.join(place, str(n)) for n in range(len(argvs))]
        run_together([["/usr/bin/time", "-o", report, "-f", "%M", *argv]
                      for report, argv in zip(reports, argvs)], tool.env)
        peak = 0
        for report in reports:
            with open(report, encoding="utf-8") as file:
                peak += int(file.read().split()[-1]) * 1024
    return peak + tool.outside_peak()


def system_calls(tool, argv):
    """How many one command makes with all its children, or None: not of what a daemon does, nor
    where it does not run under strace."""
    if tool.daemon or not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile(dir=tool.top) as report:
        try:
            run_together([["strace", "-f", "-c", "-q", "-U", "calls,name", "-o", report.name,
                           *argv]], tool.env)
        except Failed as error:
            print(f"{tool.name} does not run under strace: {error}", flush=True)
            return None
        lines = report.read().decode().splitlines()
    words = [line.split() for line in lines]
    return sum(int(each[0]) for each in words
               if len(each) == 2 and each[0].isdigit() and each[1] != "total")


def disk_use(path):
    """Bytes of the blocks of all that lies there, each hard link once."""
    if not os.path.exists(path):
        return None
    # What is being deleted while it is counted does not count.
    done = subprocess.run(["du", "-sx", "-B1", path], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return int(done.stdout.split()[0]) if done.stdout else None


def in_turn(rounds, call):
    """{name: samples}: one round of each after the other, for as many rounds as each has, so that
    a change of the machine's mood hits all of them. `rounds` is {name: number}."""
    samples = {name: [] for name in rounds}
    for turn in range(max(rounds.values(), default=0)):
        for name in rounds:
            if turn < rounds[name]:
                samples[name].append(call(name))
    return samples


def row(samples):
    """What is kept of the samples of one tool."""
    return {"rounds": len(samples), "wall_s": spread([sample.wall for sample in samples]),
            "cpu_s": spread([sample.cpu for sample in samples])}
