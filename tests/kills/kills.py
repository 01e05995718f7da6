#!/usr/bin/env python3
"""kills.py [OPTION]... STEPPER CAIRN [SCENE[:EVERY]]...: kill -9 at every call that changes something.

Each scene is one command on a store of known contents. It is run to its end once, which tells what
it leaves; then again and again from the same beginning, killed at its 1st, 2nd, 3rd ... call that
changes something (stepper.c says which these are), until it gets to its end. After each death:

- no process, no mount is left, without anybody's doing;
- `cairn check` finds nothing wrong, nor does verify-store.py, which has none of its code;
- each name leads to what it led to before or to what it leads to after the command, never to
  nothing, and so do the names of a registry, which serves what its digests say;
- a file that the command writes is the old one or the new one;
- the command repeated succeeds, with the same output, names and files as the one of the beginning,
  leaves nothing in tmp/ and leases/, and nothing is wrong then.

--whom main: the command is killed, and what it has started must end by itself; all: every process
of it at once; both (default). --ordinary: by an ordinary user, made for it. --every N: only each
N-th point, from a point that --seed tells; SCENE:EVERY says so of one scene. --jobs N: as many
scenes at once. --list: the scenes. Prints the points of each scene; what is wrong, as it is found.
"""

import argparse
import concurrent.futures
import hashlib
import http.client
import json
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
VERIFY = os.path.join(HERE, "..", "e2e", "verify-store.py")
APPLETS = ["sh", "echo", "mkdir", "rm", "ln", "cat", "true"]
TIMEOUT = 120

RECIPE = """FROM base AS first
ARG N=0
RUN echo $N >/one; mkdir -p /d/e; ln /one /d/two
FROM base
ARG N=0
WORKDIR /work-$N
COPY files /files-$N/
COPY --from=first /d /d
RUN rm -r /d/e; rm /d/two; mkdir /d/e; echo $N >/d/e/new; ln -s new /d/e/link
ENV N=$N
CMD ["/bin/true"]
"""

REGISTRY = """version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "127.0.0.1:0", secret: of the tests}
"""


FAILING = """FROM base
ARG N=0
RUN echo $N >/below
RUN mkdir /left && echo $N >/left/file && rm -r /tmp && exit 3
"""


class Wrong(Exception):
    """What a point has shown."""


def must(good, text):
    if not good:
        raise Wrong(text)


def remove(path):
    """Whoever flushes what a command has left may still be at work in it."""
    for _ in range(3000):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(0.02)
    raise Wrong(f"{path} cannot be removed")


def copy(source, target):
    remove(target)
    if os.path.exists(source):
        subprocess.run(["cp", "-a", source, target], check=True)


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """docker-registry, with storage that can be put back."""

    def __init__(self, top):
        self.storage = os.path.join(top, "registry")
        self.template = os.path.join(top, "registry-template")
        os.makedirs(self.storage)
        with open(os.path.join(top, "registry.yml"), "w", encoding="ascii") as file:
            file.write(REGISTRY % self.storage)
        with open(os.path.join(top, "registry.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve",
                 os.path.join(top, "registry.yml")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        self.address = self.wait(os.path.join(top, "registry.log"))

    def wait(self, path):
        for _ in range(3000):
            with open(path, encoding="utf-8") as log:
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read())
            if found:
                return found[1]
            time.sleep(0.02)
        raise RuntimeError("the registry does not start")

    def get(self, path):
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("GET", path, headers={
            "Accept": "application/vnd.oci.image.manifest.v1+json, "
                      "application/vnd.oci.image.index.v1+json"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return data if response.status == 200 else None

    def tag(self, name):
        """The digest of an image that is served whole, or None if there is none."""
        repository, tag = name.split("/", 1)[1].rsplit(":", 1)
        data = self.get(f"/v2/{repository}/manifests/{tag}")
        if data is None:
            return None
        manifest = json.loads(data)
        for entry in [manifest["config"]] + manifest["layers"]:
            blob = self.get(f"/v2/{repository}/blobs/{entry['digest']}")
            must(blob is not None, f"the registry names {entry['digest']} and does not have it")
            must(digest_of(blob) == entry["digest"] and len(blob) == entry["size"],
                 f"the registry has other bytes as {entry['digest']}")
        return digest_of(data)

    def stop(self):
        self.process.kill()
        self.process.wait()


class World:
    """A directory with a store, what goes in, what comes out, and a registry if one is wanted."""

    def __init__(self, top, options, whom):
        self.top, self.options, self.whom = top, options, whom
        self.user = pwd.getpwnam(options.user) if options.user else None
        self.store, self.template = self.path("place", "store"), self.path("template")
        self.out, self.out_template = self.path("out"), self.path("out-template")
        self.registry = None
        for name in ("place", "home", "out", "in/files", "rootfs/bin"):
            os.makedirs(self.path(name))
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": self.path("home"), "NO_COLOR": "1",
            "XDG_RUNTIME_DIR": self.path("home"), "CAIRN_ROOT": self.store,
            "SOURCE_DATE_EPOCH": "1700000000",
            "CONTAINERS_REGISTRIES_CONF": self.path("home", "registries.conf")}
        with open(self.path("home", "registries.conf"), "wb"):
            pass
        self.make_input()

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def own(self):
        if self.user:
            for name in ("place", "home", "out"):
                os.chown(self.path(name), self.user.pw_uid, self.user.pw_gid)

    def make_input(self):
        shutil.copy(shutil.which("busybox"), self.path("rootfs/bin/busybox"))
        for name in APPLETS:
            os.symlink("busybox", self.path("rootfs/bin", name))
        subprocess.run(["tar", "-C", self.path("rootfs"), "--sort=name", "--mtime=@0", "--owner=0",
                        "--group=0", "--numeric-owner", "-cf", self.path("in/base.tar"), "."],
                       check=True)
        for i in range(4):
            with open(self.path("in/files", str(i)), "w", encoding="ascii") as file:
                file.write(f"file {i}\n" * 100 * i)
        with open(self.path("in/Recipe"), "w", encoding="ascii") as file:
            file.write(RECIPE)
        with open(self.path("in/Failing"), "w", encoding="ascii") as file:
            file.write(FAILING)
        self.ends_with = 0  # the exit code of a scene's command
        self.own()

    def build(self, number, name="app"):
        return ["build", "-q", "--network", "none", "--build-arg", f"N={number}", "-t", name,
                self.path("in")]

    def call(self, args, root=None, codes=(0,)):
        """Run cairn; its output."""
        environment = dict(self.environment, **({"CAIRN_ROOT": root} if root else {}))
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} \
            if self.user else {}
        try:
            done = subprocess.run([self.options.cairn] + args, cwd=self.out, env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, **who)
        except subprocess.TimeoutExpired as error:
            raise Wrong(f"{args[0]} hangs") from error
        must(done.returncode in codes, f"{args[0]}: exit code {done.returncode}: "
             f"{done.stdout.decode()[-600:]} {done.stderr.decode()[-1500:]}")
        return done.stdout

    def killed(self, args, point):
        """Run it under the stepper; whether it was killed, and where."""
        command = [self.options.stepper, "-k", str(point)]
        command += ["-a"] if self.whom == "all" else []
        command += ["-u", f"{self.user.pw_uid}:{self.user.pw_gid}"] if self.user else []
        done = subprocess.run(command + [self.path("report"), self.options.cairn] + args,
                              cwd=self.out, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, check=False)
        must(done.returncode == 0, f"the stepper failed: {done.stderr.decode()}")
        with open(self.path("report"), encoding="utf-8") as file:
            _, how, code, left, where = file.read().rstrip("\n").split(" ", 4)
        must(left == "0", f"{left} processes were left, killed at {where}")
        must(how == "killed" or code == str(self.ends_with), f"it ended with {code}: {done.stderr.decode()}")
        return where if how == "killed" else None

    def names(self):
        """What each name of the store and of the registry leads to."""
        found = {}
        refs = os.path.join(self.store, "refs")
        for file in os.listdir(refs) if os.path.exists(refs) else []:
            with open(os.path.join(refs, file), encoding="utf-8") as handle:
                ref = json.load(handle)
            must(urllib.parse.unquote(file) == ref["name"], f"the name {file} says {ref['name']}")
            found[ref["name"]] = ref["digest"]
        for name in ("a/b:1", "new/one:1") if self.registry else ():
            name = f"{self.registry.address}/{name}"
            digest = self.registry.tag(name)
            if digest:
                found["registry " + name] = digest
        return found

    def name(self, name):
        """What one name of the store leads to."""
        file = urllib.parse.quote(name, safe="").lower()
        with open(os.path.join(self.store, "refs", file), encoding="utf-8") as handle:
            return json.load(handle)["digest"]

    def files(self):
        """What lies in the directory for output."""
        found = {}
        for directory, _, files in os.walk(self.out):
            for file in files:
                path = os.path.join(directory, file)
                with open(path, "rb") as handle:
                    found[os.path.relpath(path, self.out)] = digest_of(handle.read())
        return found

    def reset(self):
        copy(self.template, self.store)
        copy(self.out_template, self.out)
        if self.registry:
            copy(self.registry.template, self.registry.storage)

    def keep(self):
        """What is there is what every point begins with."""
        if os.path.exists(self.store):
            self.wait_idle()
        copy(self.store, self.template)
        copy(self.out, self.out_template)
        if self.registry:
            copy(self.registry.storage, self.registry.template)

    def wait_idle(self):
        """Everybody is gone; what the dead have left goes with the next who takes a lease."""
        left = []
        for turn in range(3000):
            if turn == 5:
                self.call(["prune", "--filter", "type=log", "--older-than", "1000d"])
            left = [os.path.join(place, name) for place in ("leases", "tmp")
                    for name in os.listdir(os.path.join(self.store, place))]
            if not left:
                return
            time.sleep(0.02)
        raise Wrong(f"{left} are left")

    def start_registry(self):
        self.registry = Registry(self.top)
        return self.registry.address

    def stop(self):
        if self.registry:
            self.registry.stop()
        remove(self.top)


# ---- the scenes: each makes what is there before, and returns the command ----

def based(world):
    world.call(["import", world.path("in/base.tar"), "base"])


def built(world):
    based(world)
    world.call(world.build(1))


def scene_make(world):
    """the first command of a store that is not there"""
    del world
    return ["images"]


def scene_import(world):
    """import of a tar, over a name that is there"""
    built(world)
    return ["import", world.path("in/base.tar"), "app"]


def scene_build(world):
    """a build of two stages, COPY and RUN, over a name that is there"""
    built(world)
    return world.build(2)


def scene_rebuild(world):
    """a build of which everything is cached"""
    built(world)
    return world.build(1, "again")


def scene_tag(world):
    """a tag over a name that is there"""
    built(world)
    return ["tag", "base", "app"]


def scene_rmi(world):
    """the last name of an image goes"""
    built(world)
    return ["rmi", "app"]


def served(world):
    built(world)
    address = world.start_registry()
    world.call(["push", "-q", "base", f"{address}/a/b:1"])
    return address


def scene_push(world):
    """a push over a name that is there, to docker-registry"""
    return ["push", "-q", "app", f"{served(world)}/a/b:1"]


def scene_pull(world):
    """a pull of three layers, over a name that is there, into a store without them"""
    address = served(world)
    world.call(["push", "-q", "app", f"{address}/a/b:1"])
    world.wait_idle()
    remove(world.store)
    based(world)
    world.call(["tag", "base", f"{address}/a/b:1"])
    return ["pull", "-q", f"{address}/a/b:1"]


def scene_copy(world):
    """a copy from a registry to another repository of it"""
    address = served(world)
    return ["copy", "-q", f"docker://{address}/a/b:1", f"docker://{address}/new/one:1"]


def scene_save(world):
    """an image into a file that is there"""
    built(world)
    world.call(["save", "-o", "app.tar", "base"])
    return ["save", "-o", "app.tar", "app"]


def scene_export(world):
    """a root filesystem into a file that is there"""
    built(world)
    world.call(["export", "-o", "app.tar", "base"])
    return ["export", "-o", "app.tar", "app"]


def scene_load(world):
    """an archive of an image, over a name that is there, into a store without it"""
    built(world)
    world.call(["save", "-o", "app.tar", "app"])
    world.wait_idle()
    remove(world.store)
    based(world)
    world.call(["tag", "base", "app"])
    return ["load", "app.tar"]


def scene_prune(world):
    """everything without a name goes: two builds have lost theirs"""
    built(world)
    for number in (2, 3):
        world.call(world.build(number))
    world.call(["tag", "base", "app"])
    world.call(world.build(4, "kept"))
    return ["prune", "--all"]


def scene_repair(world):
    """check --repair of a store with a damaged layer and a damaged blob that can be made anew"""
    built(world)
    world.wait_idle()
    layers = os.path.join(world.store, "layers")
    for lid in sorted(os.listdir(layers)):
        path = os.path.join(layers, lid, "fs", "files-1", "1")
        if os.path.exists(path):
            with open(path, "r+b") as file:
                file.write(b"damaged")
    return ["check", "--repair"]


def scene_run(world):
    """a run of an image"""
    built(world)
    return ["run", "--network", "none", "app", "sh", "-c", "echo x >/x; rm -r /d; cat /x"]


def scene_failed(world):
    """a build that fails, with as many before it as are kept"""
    based(world)
    world.ends_with = 1
    for number in range(5):
        args = world.build(number)[:-3] + ["-f", world.path("in/Failing"), world.path("in")]
        if number < 4:
            world.call(args, codes=(1,))
    return args


def scene_shell(world):
    """a command in a step that has failed"""
    args = scene_failed(world)
    world.call(args, codes=(1,))
    world.ends_with = 0
    return ["shell", "--", "sh", "-c", "cat /below /left/file; rm -r /left; echo x >/below"]


SCENES = {name[6:]: scene for name, scene in sorted(globals().items()) if name.startswith("scene_")}
# Their output tells what they found to do, or they find that it was done.
VARYING = {"prune", "rmi", "repair", "push", "copy", "load"}


# ---- a point ----

def look(world, scene, root):
    """The store at root is in order, for cairn and for others."""
    if not os.path.exists(os.path.join(root, "store.json")):
        return
    kill_before_repair = scene == "repair"
    report = json.loads(world.call(["check", "--format", "json"], root,
                                   (0, 1) if kill_before_repair else (0,)))
    wrong = [found for found in report["findings"] if found["what"] == "wrong"]
    must(kill_before_repair or not wrong and report["wrong"] == 0, f"cairn check: {report}")


def verify(root, *options):
    if os.path.exists(os.path.join(root, "store.json")):
        done = subprocess.run([sys.executable, "-B", VERIFY, root, *options], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        must(done.returncode == 0, f"verify-store.py: {done.stdout.decode()}")


def between(found, before, after, what):
    for name in found.keys() | before.keys() | after.keys():
        must(found.get(name) in (before.get(name), after.get(name)),
             f"{what} {name} is {found.get(name)}, before it was {before.get(name)}, "
             f"and after the command it is {after.get(name)}")


def forget_temporary(world):
    for name in os.listdir(world.out):
        if re.fullmatch(r"\.tmp-\d+-\d+", name):
            os.unlink(os.path.join(world.out, name))


def examine(world, scene, args, ends, point, where):
    """What a killed command has left, and then the command once more."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        must(world.top not in file.read(), "a mount is left")
    copied = world.path("place", "copy")
    copy(world.store, copied)  # its locks are not copied, as nobody is left to hold them
    look(world, scene, copied)
    if point % 8 == 1 and scene != "repair":
        verify(copied, "--killed", *(["--pruned"] if scene == "prune" else []))
    remove(copied)
    between(world.names(), ends["names before"], ends["names after"], "the name")
    # A file of no name cannot take the place of another: it has a name of its own in between.
    if re.match("rename", where):
        forget_temporary(world)
    between(world.files(), ends["files before"], ends["files after"], "the file")
    gone = scene == "rmi" and "docker.io/library/app:latest" not in world.names()
    output = world.call(args, codes=(3,) if gone else (world.ends_with,))
    must(scene in VARYING or output == ends["output"], f"repeated it says {output!r}")
    must(world.names() == ends["names after"], f"repeated, the names are {world.names()}")
    must(world.files() == ends["files after"], f"repeated, the files are {world.files()}")
    look(world, "", world.store)
    if scene == "failed":
        must(world.call(["shell", "--", "cat", "/left/file"]) == b"4\n", "it is not entered")
        kept = os.listdir(os.path.join(world.store, "failed"))
        must(len(kept) == 4, f"{len(kept)} steps are kept")
    world.wait_idle()
    if point % 8 == 5:
        verify(world.store, "--idle")


def begin(world, scene):
    """Set the scene, and run the command once in full: what it has to leave."""
    args = SCENES[scene](world)
    world.keep()
    ends = {"names before": world.names(), "files before": world.files()}
    ends["output"] = world.call(args, codes=(world.ends_with,))
    ends["names after"], ends["files after"] = world.names(), world.files()
    look(world, "", world.store)
    return args, ends


def run_point(world, scene, args, ends, point):
    """Whether it was killed there."""
    world.reset()
    where = world.killed(args, point)
    if where:
        try:
            examine(world, scene, args, ends, point, where)
        except Wrong as error:
            raise Wrong(f"killed ({world.whom}) at point {point}, {where}: {error}") from None
    return where is not None


def sweep(scene, whom, every, options):
    """All points of a scene; how many, and what was wrong."""
    top = tempfile.mkdtemp(prefix=f"cairn-kills-{scene}-", dir=options.dir)
    os.chmod(top, 0o755)
    world = World(top, options, whom)
    wrong, points, calls = [], 0, 0
    start = time.monotonic()
    try:
        args, ends = begin(world, scene)
        point = 1 + random.Random(f"{options.seed} {scene} {whom}").randrange(every)
        killed = True
        while killed and len(wrong) < 10:
            try:
                killed = run_point(world, scene, args, ends, point)
            except Wrong as error:
                wrong.append(f"{scene}: {error}")
                print(wrong[-1], flush=True)
            points += killed
            calls = point
            point += every
    except Wrong as error:
        wrong.append(f"{scene}: {error}")
        print(wrong[-1], flush=True)
    finally:
        world.stop()
    seconds = time.monotonic() - start
    print(f"{scene:8} {whom:4} {points:5} points of {calls - 1:5}, {seconds:6.1f} s, "
          f"{len(wrong)} wrong", flush=True)
    return points, wrong


class OrdinaryUser:
    """One with subordinate ids, made and removed."""

    def __enter__(self):
        self.name = f"cairn-kills-{os.getpid()}"
        subprocess.run(["flock", "/etc", "useradd", "--no-create-home", "--home-dir", "/nowhere",
                        "--shell", "/bin/sh", self.name], check=True)
        with open("/etc/subuid", encoding="utf-8") as file:
            given = f"\n{self.name}:" in "\n" + file.read()
        if not given:
            subprocess.run(["flock", "/etc", "usermod", "--add-subuids", "3100000-3165535",
                            "--add-subgids", "3100000-3165535", self.name], check=True)
        return self.name

    def __exit__(self, *_):
        subprocess.run(["flock", "/etc", "userdel", self.name], check=False,
                       stderr=subprocess.DEVNULL)


def run_all(options):
    whoms = ["main", "all"] if options.whom == "both" else [options.whom]
    scenes = [text.partition(":")[::2] for text in options.scenes or SCENES]
    print(f"seed {options.seed}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(sweep, scene, whom, int(every or options.every), options)
                   for scene, every in scenes for whom in whoms]
        results = [future.result() for future in futures]
    points = sum(result[0] for result in results)
    wrong = sum(len(result[1]) for result in results)
    print(f"{points} points, {wrong} wrong")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--whom", choices=("main", "all", "both"), default="both")
    parser.add_argument("--ordinary", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("stepper", nargs="?")
    parser.add_argument("cairn", nargs="?")
    parser.add_argument("scenes", nargs="*")
    options = parser.parse_args()
    options.user = None
    if options.list:
        for name, scene in SCENES.items():
            print(f"{name:8} {scene.__doc__}")
        return 0
    options.stepper, options.cairn = (os.path.abspath(path)
                                      for path in (options.stepper, options.cairn))
    if not options.ordinary:
        return run_all(options)
    with OrdinaryUser() as options.user:
        return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
