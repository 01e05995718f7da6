#!/usr/bin/env python3
"""instructions.py CAIRN OPENAT2.SO [--update]: how many instructions take the paths that run most.

Counted by callgrind, which counts the same on a machine that is busy, and compared with what is
kept in instructions.json: more than 5 % more is an error. What a file costs is the difference
between two runs, one with more files than the other, by their number. The counts depend on the
compiler, and on what the libraries choose for the processor that valgrind shows them; --update
keeps those of now.
"""

import json
import os
import re
import shutil
import sys
import tempfile

from content import recipe, small_base, tree, write
from measure import Failed, run
from tools import environment

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
FEW, MANY, ALLOWED = 500, 1500, 1.05


class Counter:
    def __init__(self, program, preload, top):
        self.program, self.top = program, top
        self.env = environment(top)
        os.mkdir(f"{top}/empty")
        self.counted = dict(self.env, LD_PRELOAD=preload, EMPTY_DIRECTORY=f"{top}/empty")

    def call(self, root, *argv):
        return run([self.program, "--root", f"{self.top}/{root}", *argv], self.env)

    def count(self, root, *argv):
        """Instructions of one command, of all its threads; not of programs that it starts."""
        out = f"{self.top}/callgrind"
        run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", self.program,
             "--root", f"{self.top}/{root}", *argv], self.counted)
        with open(out, encoding="utf-8") as file:
            found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
        return int(found[1])

    def unchanged(self):
        """A rebuild of 20 steps that has nothing to do."""
        context = f"{self.top}/twenty"
        recipe(context, "FROM base", *(f"COPY f{n} /c{n}" for n in range(10)),
               *(f"ENV V{n}={n}" for n in range(5)), *(f"LABEL l{n}={n}" for n in range(5)))
        for n in range(10):
            write(f"{context}/f{n}", f"{n}\n")
        self.call("unchanged", "import", f"{self.top}/base.tar", "base")
        for _ in range(2):
            self.call("unchanged", "build", "-q", "-t", "x", context)
        return self.count("unchanged", "build", "-q", "-t", "x", context)

    def per_file(self, count):
        """count(number of files), for one file."""
        return (count(MANY) - count(FEW)) // (MANY - FEW)

    def copy_uncached(self, number):
        return self.count("copy", "build", "-q", "--no-cache", "-t", "x", self.files(number))

    def copy_unchanged(self, number):
        context = self.files(number)
        for _ in range(2):
            self.call("copy", "build", "-q", "-t", "x", context)
        return self.count("copy", "build", "-q", "-t", "x", context)

    def unpack(self, number):
        tar = f"{self.top}/{number}.tar"
        run(["tar", "--sort=name", "-C", f"{self.files(number)}/src", "-cf", tar, "."])
        return self.count(f"unpack{number}", "import", tar, "x")

    def files(self, number):
        context = f"{self.top}/files{number}"
        if not os.path.exists(context):
            recipe(context, "FROM scratch", "COPY src /src")
            tree(f"{context}/src", number, number * 2000)
        return context

    def all(self):
        return {"unchanged rebuild of 20 steps": self.unchanged(),
                "COPY, uncached, for a file of 2 KB": self.per_file(self.copy_uncached),
                "COPY, unchanged, for a file of 2 KB": self.per_file(self.copy_unchanged),
                "import, for a file of 2 KB": self.per_file(self.unpack)}


def compare(kept, now):
    """The paths that take more than they may."""
    print(f"{'instructions':42} {'kept':>12} {'now':>12}")
    for name, number in now.items():
        before = kept.get(name)
        change = f"{number / before - 1:+8.1%}" if before else "     new"
        print(f"{name:42} {before or 0:12,} {number:12,} {change}")
    return [name for name, number in now.items() if number > ALLOWED * kept.get(name, number)]


def main():
    program, preload = map(os.path.abspath, sys.argv[1:3])
    update = "--update" in sys.argv[3:]
    if not shutil.which("valgrind"):
        sys.exit("no valgrind(1)")
    kept = {}
    if os.path.exists(KEPT):
        with open(KEPT, encoding="utf-8") as file:
            kept = json.load(file)["instructions"]
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", ignore_cleanup_errors=True) as top:
        small_base(top)
        now = Counter(program, preload, top).all()
    worse = compare(kept, now)
    if update:
        with open(KEPT, "w", encoding="utf-8") as file:
            json.dump({"compiler": run(["cc", "--version"]).splitlines()[0],
                       "instructions": now}, file, indent=1)
            file.write("\n")
        return 0
    for name in worse:
        print(f"{name}: more than {ALLOWED - 1:.0%} more", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(str(error))
