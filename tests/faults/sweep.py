#!/usr/bin/env python3
"""sweep.py PROGRAM INJECT [OPTION...]: let every system call of every command fail, one at a time.

For each command and each error, the first call that may fail so does, then in a fresh copy of the
same store the second, and so on until a run has no such call left (INJECT is the program of
inject.c). With `on`, all calls from there on fail: a disk that stays full. After each run:

- it ended with an exit code of the design, in time, and nobody of it is left;
- a failure said so in a line that names an object and what the error means; success had the result
  that it has without an error;
- nothing is mounted, no cgroup is left, and no half of an output lies where the whole was to be;
- `cairn check` finds nothing wrong, and neither does verify-store.py;
- the same command again, undisturbed, has the result that it always has, after which nothing
  temporary is left in the store.

A line per command and error tells the counts; what was not so is told with the call. Options:

--cases build,tag,...   those commands alone
--errors ENOSPC,...     those errors alone
--modes once,on         those alone
--jobs N                so many at a time (1)
--messages FILE         every message that was seen, with a call that caused it
--every N               not each call but each N-th: for a short look
--only TEXT,...         of those calls alone whose path holds one of these
"""

import argparse
import collections
import concurrent.futures
import contextlib
import errno
import importlib.machinery
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ERRORS = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENOMEM", "EAGAIN", "EINTR", "ENOLCK"]
STAY = ["ENOSPC", "EROFS", "EIO", "EMFILE", "ENOMEM"]  # what may go on, once it has begun
SECONDS = 20  # how long a run may take; it takes a fraction of one
CODES = {0, 1, 3, 4, 5, 125, 126}
EPOCH = "1700000000"

# What an error may be called besides its own text.
SAYS = {
    # A layer whose record cannot be read counts as absent, and is made again by the next command.
    "EIO": ["is not in the store"],
    "EAGAIN": ["not enough memory"],
    # The last: libcurl does not say why it went without a descriptor.
    "ENOMEM": ["not enough memory", "error: out of memory\n", "Resource temporarily unavailable",
               "what wakes the network's thread"],
}


VERIFIER = importlib.machinery.SourceFileLoader(
    "verify_store", str(HERE.parent / "e2e" / "verify-store.py")).load_module()
VERIFY_LOCK = threading.Lock()


class Wrong(Exception):
    pass


def remove(path):
    """A tree in which what goes on after a command, the flush of its layers, may make a file yet."""
    for _ in range(500):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.02)


def run(argv, env, cwd, **more):
    return subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False, **more)


# ---- the scene ----


class Scene:
    """What all runs start from: a store, a context, archives, a registry."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        self.registry = None
        self.server = None
        self.template = work / "template"
        self.template.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.template), "NO_COLOR": "1",
                    "LANG": "C", "SOURCE_DATE_EPOCH": EPOCH,
                    "XDG_RUNTIME_DIR": str(self.template)}
        self.make_base()
        self.make_context()
        for argv in (["import", "base.tar", "base"],
                     ["build", "-q", "--network", "none", "-t", "app", "first"],
                     ["save", "-o", "app.tar", "app"],
                     ["tag", "app", "other"]):
            self.must(argv)
        shutil.copytree(self.template / "store", self.template / "fresh", symlinks=True)
        self.must(["rmi", "app", "other"], root="fresh")
        self.must(["prune", "--all"], root="fresh")

    def must(self, argv, root="store"):
        done = run([self.program, *argv], {**self.env, "CAIRN_ROOT": str(self.template / root)},
                   self.template)
        if done.returncode:
            sys.exit(f"cairn {' '.join(argv)}: {done.stderr.decode()}")
        return done.stdout

    def make_base(self):
        tree = self.template / "base"
        (tree / "bin").mkdir(parents=True)
        for name in ("etc", "tmp", "proc", "dev"):
            (tree / name).mkdir()
        shutil.copy(shutil.which("busybox"), tree / "bin" / "busybox")
        for name in ("sh", "cat", "mkdir"):
            (tree / "bin" / name).symlink_to("busybox")
        (tree / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        subprocess.run(["tar", "-C", tree, "--sort=name", "--mtime=@0", "--owner=0", "--group=0",
                        "-cf", self.template / "base.tar", "."], check=True)
        shutil.rmtree(tree)

    def make_context(self):
        for name in ("first", "context"):
            directory = self.template / name / "d"
            directory.mkdir(parents=True)
            (directory / "one").write_text("1\n" * 3000)
            (directory / "two").symlink_to("one")
            os.link(directory / "one", directory / "three")
        (self.template / "first" / "Recipe").write_text(
            "FROM base\nCOPY d /first\nRUN echo first >/file\n")
        (self.template / "context" / "Recipe").write_text(
            "FROM base AS one\nCOPY d /d\nRUN echo built >/built && mkdir /e; echo said\n"
            "FROM base\nCOPY --from=one /built /x/built\n")

    def start_registry(self):
        program = shutil.which("docker-registry")
        if not program:
            return False
        (self.work / "registry.yml").write_text(
            "version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.work}/registry}},"
            " delete: {enabled: true}}\nhttp: {addr: '127.0.0.1:0', secret: x}\n")
        with open(self.work / "registry.log", "wb") as log:
            # pylint: disable=consider-using-with # ends with us
            self.server = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, "serve", self.work / "registry.yml"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while not self.registry:
            text = (self.work / "registry.log").read_text()
            found = re.search(r"listening on (127\.0\.0\.1:\d+)", text)
            if self.server.poll() is not None:
                sys.exit(f"docker-registry: {text}")
            if found:
                self.registry = found[1]
            time.sleep(0.02)
        self.must(["push", "-q", "app", f"{self.registry}/app:1"])
        return True

    def close(self):
        if self.server:
            self.server.kill()
            self.server.wait()


class Case:
    """A command: `argv` with {registry}, {point} (a number of its own) replaced."""

    def __init__(self, *argv, store="store", output=None, vague=False, allow=()):
        self.argv = argv
        self.store = store    # which of the template's stores it begins with
        self.output = output  # the file or directory that it makes
        self.vague = vague    # what it prints is another each time
        self.allow = allow    # options of verify-store.py


QUICKLY = ["--retry", "1", "--retry-max-wait", "1"]
CASES = {
    "build": Case("build", "-q", "--network", "none", "-t", "new", "context"),
    "cached": Case("build", "-q", "--network", "none", "-t", "new", "first"),
    "pull": Case("pull", "-q", *QUICKLY, "{registry}/app:1", store="fresh"),
    "push": Case("push", "-q", *QUICKLY, "app", "{registry}/p{point}:1"),
    "tag": Case("tag", "app", "more"),
    # On a full disk the name goes all the same, and the view follows with the next change.
    "rmi": Case("rmi", "other", allow=("--killed",)),
    "load": Case("load", "app.tar", store="fresh"),
    "save": Case("save", "-o", "out/app.tar", "app", output="app.tar"),
    "prune": Case("prune", "--all", vague=True),
    "check": Case("check"),
    "run": Case("run", "--network", "none", "app", "cat", "/file"),
    "du": Case("du", vague=True),
}


# ---- a point: one run that is disturbed ----


class Point:
    def __init__(self, scene, name, error, mode, number, place):
        self.scene, self.case, self.error, self.mode = scene, CASES[name], error, mode
        self.number = number
        self.place = place
        self.store = place / "store"
        self.env = {**scene.env, "CAIRN_ROOT": str(self.store), "HOME": str(place),
                    "XDG_RUNTIME_DIR": str(place)}
        point = f"{name}-{error}-{mode}-{number}".lower()
        words = {"{registry}": scene.registry, "{point}": point}
        self.argv = []
        for word in self.case.argv:
            for key, value in words.items():
                word = word.replace(key, value or "none")
            self.argv.append(word)
        self.hits, self.ended, self.left, self.calls = [], "", [], 0
        self.said = ""
        self.only = ""

    def prepare(self):
        remove(self.place)
        self.place.mkdir()
        subprocess.run(["cp", "-a", self.scene.template / self.case.store, self.store], check=True)
        for name in ("context", "first", "app.tar"):
            (self.place / name).symlink_to(self.scene.template / name)
        (self.place / "out").mkdir()

    def disturbed(self, inject):
        log = self.place / "log"
        done = run([inject, self.error, self.mode, str(self.number), log, str(SECONDS),
                    self.scene.program, self.scene.program, *self.argv],
                   {**self.env, "INJECT_ONLY": self.only}, self.place)
        for line in log.read_text(errors="replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "hit":
                self.hits.append(rest)
            elif word == "left":
                self.left.append(rest)
            elif word == "calls":
                self.calls = int(rest)
            else:
                self.ended = line
        self.said = done.stderr.decode(errors="replace")
        return done.stdout

    def again(self):
        return run([self.scene.program, *self.argv], self.env, self.place)


def message_of(said):
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    return lines[-1] if lines else ""


def expect(good, text):
    if not good:
        raise Wrong(text)


def look_at_end(point, out, usual):
    word, _, code = point.ended.partition(" ")
    expect(not point.left, f"left behind: {point.left}")
    expect(word == "exit", f"it ended with {point.ended or 'nothing'}")
    code = int(code)
    expect(code in CODES, f"exit code {code}")
    if code == 0:
        expect(point.case.vague or out == usual, f"it printed {out!r}, not {usual!r}")
        return 0
    message = message_of(point.said)
    meaning = [os.strerror(getattr(errno, point.error)), *SAYS.get(point.error, [])]
    told = point.said + out.decode(errors="replace")  # `check` tells its findings as its result
    expect(any(text in told for text in meaning), "the message does not say what happened")
    if re.search(r"^(wrong|unknown): [a-z]+ .+: .+", told, re.MULTILINE):
        return code
    expect(message == "error: out of memory" or re.match(r"error: .*[^: ]: .+|error: layer ", message),
           "the message names nothing")
    return code


def look_around(point, code):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        mounts = [line for line in file if str(point.place) in line]
    expect(not mounts, f"still mounted: {mounts}")
    found = os.listdir(point.place / "out")
    if point.case.output and code == 0:
        expect(found == [point.case.output], f"the output is {found}")
    elif code:
        expect(not found, f"half-written: {found}")


def verify(point, *options):
    """verify-store.py, without a process of its own."""
    text = io.StringIO()
    with VERIFY_LOCK:
        before, sys.argv = sys.argv, ["verify-store.py", str(point.store), *options]
        VERIFIER.root, VERIFIER.wrong = str(point.store), []
        try:
            with contextlib.redirect_stdout(text):
                wrong = VERIFIER.main()
        finally:
            sys.argv = before
    expect(not wrong, f"verify-store {options}: {text.getvalue()}")


def look_at_store(point):
    if not (point.store / "store.json").exists():
        return
    done = run([point.scene.program, "check"], point.env, point.place)
    expect(done.returncode == 0, f"check: {done.stdout.decode()}{done.stderr.decode()}")


def settled(point):
    """Nobody is at work in the store any more; a lease lives as long as its holder's syncfs."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if not os.listdir(point.store / "leases") and not os.listdir(point.store / "tmp"):
            return
        time.sleep(0.005)


def look_again(point, usual):
    if point.case.output:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(point.place / "out" / point.case.output)
    done = point.again()
    good = {0} if point.argv[0] != "rmi" else {0, 3}  # gone already, and it says so
    expect(done.returncode in good, f"repeated, it fails: {done.stderr.decode()}")
    expect(point.case.vague or done.returncode or done.stdout == usual,
           f"repeated, it printed {done.stdout!r}, not {usual!r}")
    settled(point)
    # A name that the disk did not give back is missing in the view until the next change.
    lost = ["--killed"] if point.error == "EIO" else []
    verify(point, "--idle", *point.case.allow, *lost)


def try_point(point, inject, usual):
    """Whether a call was there to fail, and the exit code."""
    point.prepare()
    out = point.disturbed(inject)
    if not point.hits:
        expect(point.ended == "exit 0", f"undisturbed, it ended with {point.ended}")
        return None
    if point.error == "EINTR":
        expect(point.ended == "exit 0", "it was interrupted for good")
    code = look_at_end(point, out, usual)
    look_around(point, code)
    look_at_store(point)
    look_again(point, usual)
    return code


# ---- sweeps ----


class Sweep:
    def __init__(self, scene, options):
        self.scene, self.options = scene, options
        self.wrong = 0
        self.points = collections.Counter()
        self.messages = {}
        self.usual = {}

    def usual_of(self, name):
        """What the command prints when nothing happens."""
        if name not in self.usual:
            point = Point(self.scene, name, "ENOSPC", "once", 0, self.scene.work / "usual")
            point.prepare()
            done = point.again()
            if done.returncode:
                sys.exit(f"{name}: {done.stderr.decode()}")
            self.usual[name] = done.stdout
        return self.usual[name]

    def worker(self, name, error, mode, numbers):
        counts = collections.Counter()
        place = self.scene.work / f"point-{threading.get_ident()}"
        for number in numbers:
            point = Point(self.scene, name, error, mode, number, place)
            point.only = self.options.only
            try:
                code = try_point(point, self.options.inject, self.usual[name])
                if code is None:
                    return counts
                counts["got over it" if code == 0 else "failed"] += 1
            except (Wrong, subprocess.TimeoutExpired, OSError) as problem:
                counts["WRONG"] += 1
                self.tell(point, name, problem)
                if counts["WRONG"] > 20:
                    return counts
            self.note(point, name)
        return counts

    def note(self, point, name):
        text = re.sub(r"[0-9a-zA-Z]{26,64}|point-\d+|127.0.0.1:\d+|p[a-z]+-[a-z]+-[a-z]+-\d+|\d+",
                      "N", message_of(point.said))
        self.messages.setdefault((name, point.error, text), (point.mode, point.hits[:1]))

    def tell(self, point, name, problem):
        self.wrong += 1
        said = "".join(f"\n        {line}" for line in point.said.splitlines()[:12])
        print(f"WRONG {name} {point.error} {point.mode} {point.number}: {problem}\n"
              f"    {point.ended}; {point.hits[:1]} of {len(point.hits)}{said}", flush=True)

    def numbers(self):
        """The numbers of the calls, for whichever worker asks next."""
        lock, number = threading.Lock(), 1 - self.options.every
        while True:
            with lock:
                number += self.options.every
                yield number

    def sweep(self, name, error, mode):
        usual = self.usual_of(name)
        assert usual is not None
        begin = time.monotonic()
        lock, state = threading.Lock(), iter(self.numbers())

        def shared():
            while True:
                with lock:
                    number = next(state)
                yield number

        counts = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for each in [pool.submit(self.worker, name, error, mode, shared())
                         for _ in range(self.options.jobs)]:
                counts.update(each.result())
        total = sum(counts.values())
        self.points[name] += total
        print(f"{name:7} {error:7} {mode:5} {total:5} points: "
              f"{counts['failed']} failed with a word, {counts['got over it']} got over it, "
              f"{counts['WRONG']} wrong ({time.monotonic() - begin:.0f} s)", flush=True)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.realpath)
    parser.add_argument("inject", type=os.path.realpath)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--errors", default=",".join(ERRORS))
    parser.add_argument("--modes", default="once,on")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--messages")
    parser.add_argument("--only", default="")
    return parser.parse_args()


def main():
    options = arguments()
    cases = options.cases.split(",")
    base = os.environ.get("TMPDIR") or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-sweep-", dir=base))
    scene = Scene(options.program, work)
    sweep = Sweep(scene, options)
    try:
        if {"pull", "push"} & set(cases) and not scene.start_registry():
            print("no pulls and pushes: docker-registry is not installed")
            cases = [name for name in cases if name not in ("pull", "push")]
        for name in cases:
            for mode in options.modes.split(","):
                for error in options.errors.split(","):
                    if mode == "once" or error in STAY:
                        sweep.sweep(name, error, mode)
    finally:
        scene.close()
        remove(work)
    if options.messages:
        with open(options.messages, "w", encoding="utf-8") as file:
            for (name, error, text), (mode, hits) in sorted(sweep.messages.items()):
                print(f"{name} {error} {mode} {hits}\n    {text}", file=file)
    told = ", ".join(f"{name} {count}" for name, count in sweep.points.items())
    print(f"{sum(sweep.points.values())} points ({told}), {sweep.wrong} wrong")
    return 1 if sweep.wrong else 0


sys.exit(main())
