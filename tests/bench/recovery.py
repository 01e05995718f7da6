#!/usr/bin/env python3
"""recovery.py CAIRN DIR: how much longer the first command after a kill -9 takes.

A build is killed while a step of it has 20,000 files, staged in the store; as soon as it is gone, a
command is run: an unchanged build of twenty steps, a tag, and a build of one step. Each is compared
with the same command in the same store where another program, that was not killed, has just made as
many files beside the store, so that the disk has as much to do. The store is made below DIR. What
is measured goes before what else the machine does, where that is allowed. Printed are medians and
ranges; the budget of the difference of the medians is 10 ms.
"""

import os
import shutil
import subprocess
import sys
import time

from stats import seconds, spread
from tools import remove

FILES, ROUNDS, BUDGET_MS = 20000, 7, 10


def go_first():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


class Bench:
    def __init__(self, program, top, files):
        self.program, self.top, self.files = program, top, files
        self.env = dict(os.environ, CAIRN_ROOT=os.path.join(top, "store"), NO_COLOR="1")
        self.salt = 0
        self.context("twenty", "".join(f"RUN echo {i} >/{i}\n" for i in range(20)))
        self.context("killed", f"RUN mkdir /d && cd /d && for i in $(seq {files}); do : >$i; done; "
                               "echo ready; sleep 1000\n")
        self.context("one", "ARG SALT\nRUN echo $SALT >/salt\n")
        root = os.path.join(top, "rootfs", "bin")
        os.makedirs(root)
        shutil.copy(shutil.which("busybox"), os.path.join(root, "busybox"))
        for name in ("sh", "seq", "sleep", "mkdir", "echo"):
            os.symlink("busybox", os.path.join(root, name))
        subprocess.run(["tar", "-C", os.path.join(top, "rootfs"), "-cf",
                        os.path.join(top, "base.tar"), "."], check=True)
        self.call("import", os.path.join(top, "base.tar"), "base")

    def context(self, name, text):
        os.makedirs(os.path.join(self.top, name))
        with open(os.path.join(self.top, name, "Recipe"), "w", encoding="ascii") as file:
            file.write("FROM base\n" + text)

    def call(self, *args):
        """Run it; for how many seconds."""
        begin = time.monotonic()
        subprocess.run([self.program, *args], env=self.env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=go_first)
        return time.monotonic() - begin

    def build(self, name, *args):
        return self.call("build", "-q", "--network", "none", "-t", name, *args,
                         os.path.join(self.top, name))

    def unchanged(self):
        return self.build("twenty")

    def tag(self):
        self.salt += 1
        return self.call("tag", "twenty", f"tag-{self.salt % 2}")

    def step(self):
        self.salt += 1
        return self.build("one", "--build-arg", f"SALT={self.salt}")

    def kill_a_build(self):
        """One that has staged its files."""
        process = subprocess.Popen(
            [self.program, "build", "--network", "none", "--progress", "plain", "--no-cache",
             os.path.join(self.top, "killed")], env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for line in process.stderr:
                if line.rstrip().endswith(" ready"):
                    break
            staged = os.path.join(self.env["CAIRN_ROOT"], "tmp")
            found = sum(len(files) for _, _, files in os.walk(staged))
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
        if found < self.files:
            raise RuntimeError(f"only {found} files were staged")

    def make_files(self):
        """As many files, of which nobody has to tidy up."""
        place = os.path.join(self.top, "beside")
        remove(place)
        os.mkdir(place)
        script = f"cd {place}; for i in $(seq {self.files}); do : >$i; done"
        subprocess.run(["busybox", "sh", "-c", script], check=True)

    def rest(self):
        """Nothing is left to be tidied up, and nothing waits for the disk."""
        trash = os.path.join(self.env["CAIRN_ROOT"], "trash")
        while os.listdir(trash):
            self.call("prune", "--filter", "type=log", "--older-than", "1000d")
        subprocess.run(["sync", "-f", self.top], check=True)
        time.sleep(0.2)


def measure(program, top, rounds=ROUNDS, files=FILES):
    """For each command how long it takes as usual and after a kill, and the difference."""
    bench, found = Bench(program, os.path.join(top, "recovery"), files), {}
    try:
        bench.unchanged()
        for name, command in (("unchanged build", bench.unchanged), ("tag", bench.tag),
                              ("build of a step", bench.step)):
            usual, after = [], []
            for _ in range(rounds):
                bench.rest()
                bench.make_files()
                usual.append(command())
                bench.kill_a_build()
                after.append(command())
            usual, after = spread(usual), spread(after)
            found[name] = {"rounds": rounds, "usual_s": usual, "after_s": after,
                           "more_ms": (after["median"] - usual["median"]) * 1000,
                           "budget_ms": BUDGET_MS}
            print(f"{name:16} {text(usual)}, after a kill {text(after)}: "
                  f"{found[name]['more_ms']:+.2f} ms", flush=True)
        bench.rest()
    finally:
        remove(bench.top)
    return {"recovery": found}


def text(times):
    return (f"{seconds(times['median'])} ({seconds(times['min'])} to {seconds(times['max'])})")


def main():
    found = measure(os.path.abspath(sys.argv[1]), sys.argv[2])["recovery"]
    return max(each["more_ms"] for each in found.values()) > BUDGET_MS


if __name__ == "__main__":
    sys.exit(main())
