#!/usr/bin/env python3
"""starve.py PROGRAM STARVE.SO [--every N] [--on] [COMMAND...]: let every allocation fail, one at a time.

For each command (parse, lint, tag, images) the first allocation fails, then the second, and so on until
a run has no such allocation any more. Each time it must end with a code of the design, never by a
signal; a failure says so in a line, a success prints what it always prints; `cairn check` finds
nothing wrong, and the same command, undisturbed, succeeds. --on: all later ones fail, too.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

COMMANDS = {
    "parse": ["parse", "Recipe"],
    "lint": ["lint", "Recipe"],
    "tag": ["tag", "app", "more"],
    "images": ["images"],
}
RECIPE = """FROM scratch AS one
ARG A=1
COPY --chown=1:2 Recipe /r$A/
LABEL a="b" c=d
FROM one
CMD ["x", "y"]
"""


class Kitchen:
    def __init__(self, program, preload, work):
        self.program, self.preload, self.work = program, preload, work
        self.env = {"PATH": os.environ["PATH"], "HOME": str(work), "NO_COLOR": "1", "LANG": "C",
                    "CAIRN_ROOT": str(work / "store"), "SOURCE_DATE_EPOCH": "1700000000"}
        (work / "Recipe").write_text(RECIPE)
        for argv in (["build", "-q", "-t", "app", "."],):
            done = self.run(argv)
            if done.returncode:
                sys.exit(f"cairn {argv}: {done.stderr.decode()}")
        subprocess.run(["cp", "-a", work / "store", work / "template"], check=True)

    def run(self, argv, **more):
        return subprocess.run([self.program, *argv], env={**self.env, **more}, cwd=self.work,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              check=False)

    def fresh(self):
        while (self.work / "store").exists():  # the flush after the build may make a file yet
            shutil.rmtree(self.work / "store", ignore_errors=True)
        subprocess.run(["cp", "-a", self.work / "template", self.work / "store"], check=True)

    def starve(self, argv, number, goes_on):
        """The run, and whether anything was denied to it."""
        log = self.work / "log"
        log.unlink(missing_ok=True)
        more = {"LD_PRELOAD": self.preload, "STARVE_AT": str(number), "STARVE_LOG": str(log)}
        if goes_on:
            more["STARVE_ON"] = "1"
        return self.run(argv, **more), log.exists()

    def look(self, name, argv, done, usual):
        """What is wrong, or nothing."""
        said = done.stderr.decode(errors="replace")
        if done.returncode not in (0, 1, 3):
            return f"it ended with {done.returncode}"
        if done.returncode == 0 and done.stdout != usual:
            return f"it printed {done.stdout!r}"
        if done.returncode and "error: " not in said:
            return "it does not say what happened"
        if name == "tag":
            check = self.run(["check"])
            if check.returncode:
                return f"check: {check.stdout.decode()}"
            if self.run(argv).returncode:
                return "repeated, it fails"
            self.fresh()
        return None


def sweep(kitchen, name, every, goes_on):
    argv, wrong, failed, number = COMMANDS[name], 0, 0, 1
    kitchen.fresh()
    usual = kitchen.run(argv).stdout
    kitchen.fresh()
    while True:
        done, denied = kitchen.starve(argv, number, goes_on)
        if not denied:
            break
        problem = kitchen.look(name, argv, done, usual)
        failed += done.returncode != 0
        if problem:
            wrong += 1
            print(f"WRONG {name} {number}: {problem}\n    {done.stderr.decode()[:400]}")
        number += every
    points = (number - 1) // every
    print(f"{name:7} {'on' if goes_on else 'once':5} {points:5} allocations: {failed} failed with a "
          f"word, {points - failed - wrong} got over it, {wrong} wrong", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.realpath)
    parser.add_argument("preload", type=os.path.realpath)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--on", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cairn-starve-", ignore_cleanup_errors=True) as work:
        kitchen = Kitchen(options.program, options.preload, pathlib.Path(work))
        wrong = sum(sweep(kitchen, name, options.every, options.on) for name in options.commands)
    return 1 if wrong else 0


sys.exit(main())
