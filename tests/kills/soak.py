#!/usr/bin/env python3
"""soak.py [--seconds N] [--seed S] [--ordinary] [--dir DIR] CAIRN: sixteen at once, with kill -9.

Builders, pullers, pushers, taggers, savers and a prune loop work in one store, with a registry on
loopback. A random part of the commands is killed with -9, at a random moment, and then repeated. A command that was not killed must succeed, and what it gives be right: an
image that was reported as built keeps its digest and says its number when it is run; what was saved
can be loaded; what was pushed is what the registry serves, whole. At the end

- `cairn check` and verify-store.py find nothing wrong;
- every image that was reported and not removed is there, with its digest, and runs;
- no process, mount or control group of ours is left, without anybody's doing;
- nothing is left in tmp/, leases/ and, once it has melted, trash/.

Which commands, in which order, and which of them are killed follows from the seed, which is
printed; when they meet does not. Prints what is wrong, and counts.
"""

import argparse
import collections
import ctypes
import json
import os
import pwd
import random
import subprocess
import sys
import tempfile
import threading
import time

import kills

PR_SET_CHILD_SUBREAPER = 36
WORKERS = ["build"] * 6 + ["pull"] * 3 + ["push"] * 2 + ["tag"] * 2 + ["save"] * 2 + ["prune"]
NAMES = 5  # of each worker
SERVED = 4  # images in the registry
TIMEOUT = 300

RECIPE = """FROM base AS first
ARG SHARED
RUN echo $SHARED >/shared; mkdir -p /d/e; ln /shared /d/two
FROM base
ARG OWN SHARED
COPY files /files/
RUN echo $OWN $SHARED >/own
COPY --from=first /d /d
RUN rm -r /d/e; mkdir /d/e; cat /own >/number
CMD ["cat", "/number"]
"""


class Soak:
    """What the workers share."""

    def __init__(self, world, options):
        self.world, self.options = world, options
        self.end = time.monotonic() + options.seconds
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.wrong = []
        self.kept = {}  # the name of an image -> its digest, and what it says
        self.most = 0  # bytes in tmp/, partial/ and trash/ that were seen

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def report(self, text):
        with self.lock:
            self.wrong.append(text)
            print(text, flush=True)

    def keep(self, name, image):
        with self.lock:
            self.kept[name] = image

    def forget(self, name):
        with self.lock:
            self.kept.pop(name, None)

    def some_kept(self, chance):
        """An image that was reported; its owner may give it up at any time."""
        with self.lock:
            names = sorted(self.kept)
            name = chance.choice(names) if names else "base"
            return name, self.kept.get(name)


class Worker:
    def __init__(self, soak, number, role):
        self.soak, self.number, self.role = soak, number, role
        self.chance = random.Random(f"{soak.options.seed} {number}")
        self.round = 0

    # ---- one command ----

    def start(self, args):
        world = self.soak.world
        who = {"user": world.user.pw_uid, "group": world.user.pw_gid, "extra_groups": []} \
            if world.user else {}
        return subprocess.Popen([self.soak.options.cairn] + args, cwd=world.out,
                                env=world.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **who)

    def killed(self, args):
        """Start it, and kill it if it has not ended by then; whether it was killed."""
        process = self.start(args)
        try:
            process.communicate(timeout=10 ** self.chance.uniform(-3, 0))
        except subprocess.TimeoutExpired:
            process.kill()
        # Whoever has the other end of its output lives no longer than it, or all of this hangs.
        process.communicate(timeout=TIMEOUT)
        self.soak.count(f"{args[0]} killed" if process.returncode == -9 else args[0])
        return process.returncode == -9

    def call(self, args, codes=(0,)):
        """Run it, some times after a first try that is killed; its output."""
        if self.chance.random() < 0.4:
            self.killed(args)
        process = self.start(args)
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise kills.Wrong(f"{' '.join(args)}: hangs") from None
        self.soak.count(args[0])
        kills.must(process.returncode in codes, f"{' '.join(args)}: exit code "
                   f"{process.returncode}: {err.decode(errors='replace')[-3000:]}")
        return out.decode().strip() if process.returncode == 0 else None

    def digest(self, name):
        """What a name leads to that nobody else changes."""
        return self.soak.world.name(f"docker.io/library/{name}:latest")

    # ---- what each role does ----

    def name(self):
        return f"{self.role}-{self.number}-{self.chance.randrange(NAMES)}"

    def do_build(self):
        name, own = self.name(), f"{self.number}.{self.round}"
        shared = self.chance.randrange(6)
        args = ["build", "-q", "-t", name, "--build-arg", f"OWN={own}",
                "--build-arg", f"SHARED={shared}"]
        # A user's machine may have neither.
        root = not self.soak.world.user
        args += ["--network", self.chance.choice(["none", "none", "private" if root else "none"])]
        args += self.chance.choice([[], ["--no-cache"], ["--memory", "1g"] if root else []])
        self.call(args + [self.soak.world.path("in")])
        self.soak.keep(name, (self.digest(name), f"{own} {shared}"))
        if self.chance.random() < 0.3:
            says = self.call(["run", "--network", "none", name])
            kills.must(says == f"{own} {shared}", f"{name} says '{says}', not '{own} {shared}'")
        if self.chance.random() < 0.2:
            self.soak.forget(name)
            self.call(["rmi", name], (0, 3))

    def do_pull(self):
        number = self.chance.randrange(SERVED)
        source = f"{self.soak.world.registry.address}/soak/served:{number}"
        got = self.call(["pull", "-q", source])
        kills.must(got.endswith(self.soak.served[number]),
                   f"pull {source}: {got}, not {self.soak.served[number]}")
        name = self.name()
        # Another puller may have taken the name away.
        if self.call(["tag", source, name], (0, 3)) is not None:
            self.soak.keep(name, (self.soak.served[number], f"served {number}"))
        if self.chance.random() < 0.5:
            self.call(["rmi", source], (0, 3))

    def do_push(self):
        name, image = self.soak.some_kept(self.chance)
        own = f"{self.soak.world.registry.address}/soak/pushed-{self.number}:1"
        # The image may be given up, or its name be another's, before it has this one, too.
        if self.call(["tag", name, own], (0, 3)) is None:
            return
        self.call(["push", "-q", own])
        want = self.soak.world.name(own)
        got = self.soak.world.registry.tag(own)
        kills.must(got == want, f"the registry has {got} as {own}, not {want}: {image}")

    def do_tag(self):
        old, _ = self.soak.some_kept(self.chance)
        name = self.name()
        self.soak.forget(name)
        # The one that it has may go, or become another, until it has a second name.
        if self.call(["tag", old, name], (0, 3)) is not None:
            self.soak.keep(name, (self.digest(name), None))
        if self.chance.random() < 0.4:
            name = self.name()
            self.soak.forget(name)
            self.call(["rmi", name], (0, 3))

    def do_save(self):
        old, _ = self.soak.some_kept(self.chance)
        name, file = self.name(), f"{self.number}.tar"
        self.soak.forget(name)
        if self.call(["tag", old, name], (0, 3)) is None:
            return
        digest = self.digest(name)
        self.call(["save", "-o", file, name])
        self.call(["rmi", name], (0, 3))
        self.call(["load", file])
        kills.must(self.digest(name) == digest,
                   f"{name} was saved as {digest}, and loaded as {self.digest(name)}")
        self.soak.keep(name, (digest, None))

    def do_prune(self):
        self.call(["prune"] + self.chance.choice(
            [["--all"], ["--max-size", "4MB"], ["--older-than", "2s"], ["--dry-run", "--all"]]))
        if self.chance.random() < 0.2:
            self.call(["check", "--quick"])

    def work(self):
        while time.monotonic() < self.soak.end and len(self.soak.wrong) < 20:
            self.round += 1
            try:
                getattr(self, "do_" + self.role)()
            except (kills.Wrong, OSError, KeyError, ValueError) as error:
                self.soak.report(f"{time.strftime('%T')} {self.role} {self.number}, round "
                                 f"{self.round}: {type(error).__name__} {error}")


# ---- before and after ----

def prepare(soak):
    """A base, a Recipe, and a registry with some images."""
    world = soak.world
    with open(world.path("in/Recipe"), "w", encoding="ascii") as file:
        file.write(RECIPE)
    world.call(["import", world.path("in/base.tar"), "base"])
    soak.served = []
    address = world.start_registry()
    for i in range(SERVED):
        world.call(["build", "-q", "--network", "none", "-t", "first", "--build-arg", "OWN=served",
                    "--build-arg", f"SHARED={i}", world.path("in")])
        world.call(["tag", "first", f"{address}/soak/served:{i}"])
        world.call(["push", "-q", f"{address}/soak/served:{i}"])
        soak.served.append(world.name(f"{address}/soak/served:{i}"))


def own_groups():
    """Control groups of our own, in which those of steps lie; what could be made."""
    groups = []
    with open("/proc/self/cgroup", encoding="ascii") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in lines:
        kind = controllers.split("=")[-1] or "unified"
        group = f"/sys/fs/cgroup/{kind}{path}".rstrip("/") + f"/soak-{os.getpid()}"
        if kind == "unified" and not os.path.isdir("/sys/fs/cgroup/unified"):
            group = f"/sys/fs/cgroup{path}".rstrip("/") + f"/soak-{os.getpid()}"
        try:
            os.mkdir(group)
            with open(group + "/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            groups.append(group)
        except OSError:
            if os.path.isdir(group):
                os.rmdir(group)
    return groups


def leave_groups(groups):
    """Ours go; what lies in them, which should be nothing."""
    left = []
    for group in groups:
        left += [os.path.join(group, name) for name in os.listdir(group)
                 if os.path.isdir(os.path.join(group, name))]
        with open(os.path.dirname(group) + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        for path in left + [group]:
            try:
                os.rmdir(path)
            except OSError:
                pass
    return left


def children():
    """Who came of us and lives: orphans come to us, too. Who does not live is let go."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                text = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if parent == str(os.getpid()) and state == "Z":
            os.waitpid(int(name), 0)
        elif parent == str(os.getpid()):
            found.append(f"{name} {text[text.index('('):text.rindex(')') + 1]}")
    return found


def describe(left):
    """What those are at who should have ended."""
    told = []
    for entry in left:
        pid = entry.split()[0]
        for name in ("stack", "status", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                    told.append(file.read()[:1500])
            except OSError as error:
                told.append(str(error))
        told += subprocess.run(["ls", "-l", f"/proc/{pid}/fd"], check=False,
                               stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return "\n".join(told)


def size_of(path):
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            try:
                total += os.lstat(os.path.join(directory, file)).st_size
            except FileNotFoundError:
                pass
    return total


def watch(soak):
    """How much lies where things are made and deleted."""
    while time.monotonic() < soak.end:
        size = sum(size_of(os.path.join(soak.world.store, place))
                   for place in ("tmp", "partial", "trash"))
        soak.most = max(soak.most, size)
        time.sleep(0.1)


def judge(soak):
    """What must be so at the end."""
    world = soak.world
    left = children()
    for _ in range(600):
        if len(left) <= 1:
            break
        time.sleep(0.1)
        left = children()
    kills.must(len(left) == 1, f"processes are left: {left} {describe(left)}")  # the registry
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        kills.must(world.top not in file.read(), "a mount is left")
    names = world.names()
    for name, (digest, says) in sorted(soak.kept.items()):
        found = names.get(f"docker.io/library/{name}:latest")
        kills.must(found == digest, f"{name} is {found}, not {digest}")
        said = world.call(["run", "--network", "none", name] + (["true"] if says is None else []))
        kills.must(says in (None, said.decode().strip()), f"{name} says {said}, not '{says}'")
    report = json.loads(world.call(["check", "--format", "json"], codes=(0, 1)))
    kills.must(report["wrong"] == 0, f"check: {report}")
    world.call(["build", "-q", "--no-cache", "--network", "none", world.path("in")] +
               ([] if world.user else ["--memory", "1g"]))
    for _ in range(1000):
        if not os.listdir(os.path.join(world.store, "trash")):
            break
        world.wait_idle()
    world.wait_idle()
    kills.must(not os.listdir(os.path.join(world.store, "trash")), "the trash does not melt")
    kills.verify(world.store, "--idle", "--pruned")


def soak_all(options):
    top = tempfile.mkdtemp(prefix="cairn-soak-", dir=options.dir)
    os.chmod(top, 0o755)
    groups = own_groups()
    world = kills.World(top, options, "main")
    world.environment.pop("SOURCE_DATE_EPOCH")
    soak = Soak(world, options)
    try:
        prepare(soak)
        soak.end = time.monotonic() + options.seconds
        workers = [Worker(soak, number, role) for number, role in enumerate(WORKERS)]
        threads = [threading.Thread(target=worker.work) for worker in workers]
        threads.append(threading.Thread(target=watch, args=(soak,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        judge(soak)
    except kills.Wrong as error:
        soak.report(str(error))
    finally:
        if not (soak.wrong and options.keep):
            world.stop()
    left = leave_groups(groups)
    if left:
        soak.report(f"control groups are left: {left}")
    return soak


def summary(soak):
    killed = sum(number for what, number in soak.counts.items() if what.endswith(" killed"))
    for what, number in sorted(soak.counts.items()):
        if not what.endswith(" killed"):
            print(f"{what:6} {number + soak.counts[what + ' killed']:6}, "
                  f"{soak.counts[what + ' killed']:5} killed")
    print(f"{sum(soak.counts.values())} commands, {killed} killed, {len(soak.kept)} images to keep, "
          f"{soak.most / 1e6:.2f} MB at most in tmp, partial and trash, {len(soak.wrong)} wrong")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--ordinary", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    parser.add_argument("cairn")
    options = parser.parse_args()
    options.cairn, options.user = os.path.abspath(options.cairn), None
    print(f"seed {options.seed}", flush=True)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if options.ordinary:
        with kills.OrdinaryUser() as options.user:
            soak = soak_all(options)
    else:
        soak = soak_all(options)
    summary(soak)
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
