"""work.py: what a store does on the disk that is watched, and what each command promised.

Every command is told by a mark when it begins, and by another when it has reported success, with
what each name that it touches is from then on, and which images without a name it made. Marks
stand in the log between the writes and flushes of the disk, so that it is known of each moment
what had been promised by then.
"""

import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse

from disk import die_with_parent

LIMIT = "the limit of the store"  # is kept as a name is
BUILD = ["build", "-q", "--network", "none"]
APPLETS = ("sh cat echo ls md5sum find xargs sort rm mkdir seq ln chmod chown mv stat true "
           "sed").split()
RECIPE = """FROM base AS first
ARG N=0
COPY many /many/
RUN echo $N >/one && seq 500 >/seq && mkdir -p /d/e && ln /seq /d/e/seq
RUN rm /one; chown 1000:1000 /d; chmod 4755 /seq
FROM base
ARG N=0
WORKDIR /w
COPY --from=first /d /d
RUN seq $N 3000 >big
COPY many/1 many/2 /few/
RUN mv big bigger; rm -rf /d/e; mkdir /d/e; echo $N >/d/e/new
ENV N=$N
CMD ["/bin/true"]
"""
# All that is in an image but what a container gets from outside: names, modes, owners, contents.
SUM = """cd /; all='bin d few many seq w pulled'
find $all 2>/dev/null | sort | xargs stat -c '%n %f %u %g' | md5sum | sed 's/ .*//'
find $all -type f 2>/dev/null | sort | xargs md5sum | md5sum | sed 's/ .*//'"""


class Registry:
    def __init__(self, place):
        os.makedirs(place)
        with open(place + "/config.yml", "w") as file:
            file.write(f"""version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {place}/storage}}}}
http: {{addr: '127.0.0.1:0', secret: of the tests}}
""")
        with open(place + "/log", "w") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", place + "/config.yml"],
                                            stdout=log, stderr=log, preexec_fn=die_with_parent)
        self.host = None
        while not self.host:
            if self.process.poll() is not None:
                raise SystemExit("docker-registry does not start, see " + place)
            with open(place + "/log") as log:
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read())
            self.host = found and found[1]


class Scene:
    """All that is not on the disk: contexts, archives, a registry, and a store to compare with."""

    def __init__(self, cairn, place, rounds):
        self.cairn, self.place, self.rounds = cairn, place, rounds
        home = place + "/home"
        os.makedirs(home)
        keep = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        self.env = dict(keep, HOME=home, XDG_RUNTIME_DIR=home, XDG_CONFIG_HOME=home, NO_COLOR="1",
                        CONTAINERS_REGISTRIES_CONF=home + "/registries.conf",
                        SOURCE_DATE_EPOCH="1700000000")
        open(home + "/registries.conf", "w").close()
        self.make_base()
        self.make_context()
        self.registry = Registry(place + "/registry")
        self.sums = {}  # by digest of the manifest: what SUM says
        self.ids = {}   # by build argument: the image id
        self.compare()

    def make_base(self):
        top = self.place + "/rootfs"
        for name in ("bin", "etc", "tmp"):
            os.makedirs(f"{top}/{name}")
        busybox = shutil.which("busybox")
        if not busybox:
            raise SystemExit("busybox is not installed")
        shutil.copy(busybox, top + "/bin/busybox")
        for name in APPLETS:
            os.symlink("busybox", f"{top}/bin/{name}")
        with open(top + "/etc/passwd", "w") as file:
            file.write("root:x:0:0:root:/root:/bin/sh\n")
        os.chmod(top + "/tmp", 0o1777)
        subprocess.run(["tar", "-C", top, "--sort=name", "--mtime=@0", "--owner=0", "--group=0",
                        "--numeric-owner", "-cf", self.place + "/base.tar", "."], check=True)

    def make_context(self):
        top = self.place + "/context"
        os.makedirs(top + "/many")
        for i in range(20):
            with open(f"{top}/many/{i}", "w") as file:
                file.write(f"file {i}\n" * (1 + i * i))
        with open(top + "/Recipe", "w") as file:
            file.write(RECIPE)
        os.makedirs(self.place + "/pulled")
        with open(self.place + "/pulled/Recipe", "w") as file:
            file.write("FROM base\nARG N=0\nRUN seq $N 2000 >/pulled\nRUN echo $N >>/pulled\n")

    def run(self, root, *arguments):
        """The exit code and what it said, both outputs."""
        done = subprocess.run([self.cairn, "--root", root, *arguments], env=self.env, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout, done.stderr

    def must(self, root, *arguments):
        code, out, said = self.run(root, *arguments)
        if code:
            raise SystemExit(f"cairn {' '.join(arguments)}: exit code {code}: {said}")
        return out

    def sum_of(self, root, image):
        return self.run(root, "run", "-q", "--network", "none", image, "sh", "-c", SUM)

    def compare(self):
        """The same images, made on the disk of this machine."""
        root = self.place + "/other"
        self.must(root, "import", self.place + "/base.tar", "base")
        for number in range(10, 10 * (self.rounds + 1)):
            if number % 10 > 4:
                continue
            names = {"app": [], "flat": ["--squash"], "zip": ["--compression", "gzip"]}
            for name, options in names.items():
                if number % 10 and name != "app":
                    continue
                out = self.must(root, *self.build(name + str(number), number, *options))
                self.ids[name, number] = out.strip()
            if number % 10 == 0:
                self.must(root, *BUILD, "--build-arg", f"N={number}", "-t", f"pulled{number}",
                          self.place + "/pulled")
                self.must(root, "push", "-q", f"pulled{number}",
                          f"{self.registry.host}/pulled:{number}")
                self.must(root, "save", "-o", f"{self.place}/saved{number}.tar", f"pulled{number}",
                          f"flat{number}")
        for name, (digest, _) in read_refs(root).items():
            code, out, said = self.sum_of(root, name)
            if code:
                raise SystemExit(f"cairn run {name}: {said}")
            self.sums[digest] = out

    def build(self, name, number, *options):
        """The arguments of one build; without a name if that is None."""
        tag = ["-t", name] if name else []
        return [*BUILD, *options, "--build-arg", f"N={number}", *tag, self.place + "/context"]

    def commands(self, turn):
        """(commands that run together, as (arguments, names that they touch, id)) of one round."""
        n = turn * 10
        remote = f"{self.registry.host}/app:{n}"
        other = f"{self.registry.host}/pulled:{n}"
        def app(name, number, *options):
            return self.build(name, number, *options), [name] if name else [], \
                self.ids["app", number]
        return [
            [(["import", self.place + "/base.tar", "base"], ["base"], None)],
            [app("app", n)],
            [(["tag", "app", remote, f"tagged:{n}"], [remote, f"tagged:{n}"], None)],
            [(["push", "-q", remote], [], None)],
            [(["rmi", "-f", remote], [remote], None)],
            [app("app", n + 1)],
            [(["pull", "-q", "--policy", "always", other], [other], None)],
            [app(None, n + 2)],
            [(["rmi", self.ids["app", n + 2], "-f"], [], None)],
            [(self.build("flat", n, "--squash"), ["flat"], self.ids["flat", n])],
            [(["pull", "-q", remote], [remote], None)],
            [(self.build("zip", n, "--compression", "gzip", "--force-compression", "--no-cache"),
              ["zip"], None)],
            [(["load", f"{self.place}/saved{n}.tar"], [f"pulled{n}", f"flat{n}"], None)],
            [app("one", n + 3), app("two", n + 4),
             (["tag", "flat", f"third:{n}"], [f"third:{n}"], None)],
            [(["rmi", "-f", "app", f"pulled{n}"], ["app", f"pulled{n}"], None)],
            [(["prune", "--all"], [], None)],
            [(["prune", "--limit", f"{n}GB"], [LIMIT], None)],
            [(["tag", "one", "app"], ["app"], None)],
            [app("app", n, "--no-cache")],
            [(["rmi", "-f", "one", "two", "flat"], ["one", "two", "flat"], None)],
            [(["load", f"{self.place}/saved{n}.tar"], [f"pulled{n}", f"flat{n}"], None)],
        ]


# ---- what is in a store, read without its program ----

def canonical(name):
    """As names are kept, for those that are used here."""
    if name == LIMIT:
        return name
    if "/" not in name:
        name = "docker.io/library/" + name
    return name if ":" in name.rpartition("/")[2] else name + ":latest"


def read_refs(root):
    """(digest, size) by name, of those that can be read."""
    found = {}
    for file in os.listdir(root + "/refs"):
        try:
            with open(f"{root}/refs/{file}") as handle:
                ref = json.load(handle)
        except (OSError, ValueError):
            continue
        if ref.get("name") == urllib.parse.unquote(file):
            found[ref["name"]] = ref["digest"], ref["size"]
    return found


def read_values(root):
    """The digest of each name, and the limit."""
    values = {name: digest for name, (digest, _) in read_refs(root).items()}
    try:
        with open(root + "/limit") as file:
            values[LIMIT] = file.read()
    except FileNotFoundError:
        pass
    return values


# ---- the recording ----

class Gremlin(threading.Thread):
    """Flushes another file of the disk now and then, at moments that nobody chose: so the journal
    is written with whatever stands in it just then, and files without their contents."""

    def __init__(self, place, seed):
        super().__init__(daemon=True)
        self.place, self.random, self.stop = place, random.Random(seed), threading.Event()

    def run(self):
        with open(self.place + "/gremlin", "ab", buffering=0) as file:
            while not self.stop.wait(self.random.uniform(0.002, 0.03)):
                file.write(b"x" * 700)
                os.fsync(file.fileno())


def record(scene, disk, place, seed):
    """All rounds, the last of them with the gremlin."""
    root, chance = place + "/store", random.Random(seed)
    count = 0
    for turn in range(1, scene.rounds + 1):
        gremlin = Gremlin(place, seed) if turn == scene.rounds else None
        if gremlin:
            gremlin.start()
        for together in scene.commands(turn):
            running = []
            for arguments, names, _ in together:
                names = [canonical(name) for name in names]
                disk.mark(json.dumps({"begin": count, "argv": arguments, "names": names}))
                running.append((count, names, arguments, begin(scene, root, arguments)))
                count += 1
            for (number, names, arguments, process), (_, _, want) in zip(running, together):
                out, said = process.communicate(timeout=120)
                if process.returncode:
                    raise SystemExit(f"cairn {' '.join(arguments)}: {said}")
                if want and out.strip() != want:
                    raise SystemExit(f"cairn {' '.join(arguments)}: {out.strip()}, not {want}")
                values = {name: read_values(root).get(name) for name in names}
                disk.mark(json.dumps({"done": number, "values": values,
                                      "id": want if want and not names else None}))
            # The flusher of a build goes on for a moment, or is overtaken by the next command.
            time.sleep(chance.choice([0, 0, 0.2]))
        if gremlin:
            gremlin.stop.set()
            gremlin.join()


def begin(scene, root, arguments):
    return subprocess.Popen([scene.cairn, "--root", root, *arguments], env=scene.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def new_place():
    return tempfile.mkdtemp(prefix="powercut-")
