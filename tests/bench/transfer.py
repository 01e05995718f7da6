"""transfer: pushes and pulls against a private registry on loopback, with peers in turn.

An image of 1 GiB, half of it text and half noise, in 1 layer and in 40, by gzip and by zstd. Each
first push goes to a registry that has nothing, each pull into a store that has nothing; before
each the disk is flushed. What is pulled is ready to be run, but by skopeo: it keeps blobs alone.
crane unpacks by tar(1). podman compresses what it pushes; buildah does as podman, so it has only
images of one layer to pull. Requests are counted by the registry's log. All stores, the registry's
too, are on the same journaled ext4.

Beside them what bounds them: `server` is curl(1) with the one layer's blob, sent or received and
dropped; `disk` writes and flushes the blob, and copies the files of the image.
"""

import os
import random
import re
import shutil
import subprocess
import time
import urllib.request
from collections import namedtuple

from content import TEXT, apart, source_text
from measure import Failed, disk_use, in_turn, row, run, run_together
from tools import environment, remove

FILES, LAYERS = 4096, 40
IMAGES = ("gzip-1", "gzip-40", "zstd-1", "zstd-40")
WORKLOADS = ["push-present"] + [f"{way}-{image}" for way in ("push", "pull") for image in IMAGES]
PEERS = ("skopeo", "crane", "podman", "buildah")
Moved = namedtuple("Moved", "wall cpu requests")
CONFIG = """version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage:
  filesystem: {rootdirectory: %s/storage}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "127.0.0.1:0", secret: of the benchmark}
"""


class Registry:
    """docker-registry with nothing in it, on a port of its own."""

    def __init__(self, root):
        self.root = root
        remove(root)
        os.makedirs(root)
        with open(f"{root}/config.yml", "w", encoding="utf-8") as file:
            file.write(CONFIG % root)
        with open(f"{root}/log", "wb") as log, open(f"{root}/access", "wb") as access:
            self.process = subprocess.Popen(["docker-registry", "serve", f"{root}/config.yml"],
                                            stdin=subprocess.DEVNULL, stdout=access, stderr=log)
        self.address = None
        for _ in range(500):
            with open(f"{root}/log", encoding="utf-8") as log:
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read())
            if found:
                self.address = found[1]
                return
            time.sleep(0.01)
        self.stop()
        raise Failed("the registry does not start")

    def requests(self):
        """How many it has answered, once no more are written down."""
        before = -1
        while before != (now := os.path.getsize(f"{self.root}/access")):
            before = now
            time.sleep(0.05)
        with open(f"{self.root}/access", "rb") as file:
            return sum(1 for _ in file)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        remove(self.root)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Cairn:
    name, rounds = "cairn", 3

    def __init__(self, top, program):
        self.program, self.top = program, top
        self.pulled = f"{top}/pulled"

    def env(self, root):
        return dict(environment(self.top), CAIRN_ROOT=root)

    def push(self, image, target):
        return [self.program, "push", "-q", image, target], self.env(f"{self.top}/images")

    def pull(self, source):
        return [self.program, "pull", "-q", source], self.env(self.pulled)

    def forget(self):
        remove(self.pulled)


class Skopeo:
    name, rounds = "skopeo", 3

    def __init__(self, top):
        self.top = top
        self.pulled = f"{top}/pulled.oci"

    def push(self, image, target):
        return ["skopeo", "copy", "-q", "--dest-tls-verify=false",
                f"oci:{self.top}/layout-{image}:{image}",
                f"docker://{target}"], environment(self.top)

    def pull(self, source):
        return ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{source}",
                f"oci:{self.pulled}:x"], environment(self.top)

    def forget(self):
        remove(self.pulled)


class Crane:
    name, rounds = "crane", 2

    def __init__(self, top):
        self.top = top
        self.pulled = f"{top}/pulled.files"

    def push(self, image, target):
        return ["crane", "push", "--insecure", f"{self.top}/layout-{image}",
                target], environment(self.top)

    def pull(self, source):
        script = 'mkdir "$2" && crane export --insecure "$1" - | tar -C "$2" -xf -'
        return ["bash", "-o", "pipefail", "-c", script, "sh", source,
                self.pulled], environment(self.top)

    def forget(self):
        remove(self.pulled)


class Podman:
    """podman or buildah: they have the same options."""

    rounds = 2

    def __init__(self, top, name):
        self.name, self.top = name, top
        self.root = self.pulled = f"{top}/{name}"
        self.globals = [name, "--root", self.root, "--runroot", f"{self.root}-run",
                        "--storage-driver", "overlay"]

    def push(self, image, target):
        return [*self.globals, "push", "-q", "--tls-verify=false", image,
                f"docker://{target}"], environment(self.top)

    def pull(self, source):
        return [*self.globals, "pull", "-q", "--tls-verify=false", source], environment(self.top)

    def load(self, image):
        """Bring the image into the store, to be pushed."""
        env = environment(self.top)
        run([*self.globals, "pull", "-q", f"oci:{self.top}/layout-{image}:{image}"], env)
        name = run([*self.globals, "images", "-q"], env).split()[0]
        run([*self.globals, "tag", name, image], env)

    def forget(self):
        subprocess.run(["umount", "-q", f"{self.root}/overlay"], stderr=subprocess.DEVNULL,
                       check=False)
        remove(self.root)
        remove(self.root + "-run")


def is_wanted(name, wanted):
    return shutil.which(name) and (not wanted or name in wanted)


def peers(top, wanted):
    kinds = {"skopeo": Skopeo, "crane": Crane}
    return [kinds[name](top) if name in kinds else Podman(top, name)
            for name in PEERS if is_wanted(name, wanted)]


def versions(wanted):
    """Of what is used here alone, and of what serves."""
    asked = {"skopeo": ["skopeo", "--version"], "crane": ["crane", "version"],
             "docker-registry": ["docker-registry", "--version"], "crun": ["crun", "--version"],
             "runc": ["runc", "--version"]}
    return {name: re.sub(r"^[./]\S*/", "", run(argv).splitlines()[0])
            for name, argv in asked.items()
            if is_wanted(name, [] if name not in PEERS else wanted)}


def move(command, registry, top):
    """Do it, with a disk that has nothing else to do."""
    argv, env = command
    subprocess.run(["sync", "-f", top], check=True)
    before = registry.requests() if registry else 0
    sample = run_together([argv], env)
    return Moved(*sample, registry.requests() - before if registry else 0)


def peak(command, top):
    argv, env = command
    report = f"{top}/time"
    run_together([["/usr/bin/time", "-o", report, "-f", "%M", *argv]], env)
    with open(report, encoding="utf-8") as file:
        return int(file.read().split()[-1]) * 1024


def make_files(top, data):
    """The content of the image: 40 directories of equal size."""
    rng = random.Random(13)
    size = data // FILES
    text = source_text(rng, min(TEXT, data))
    for number in range(FILES):
        directory = f"{top}/l{number % LAYERS:02}/d{number // LAYERS % 10}"
        os.makedirs(directory, exist_ok=True)
        begin = rng.randrange(len(text) - size)
        noise = number // LAYERS % 2
        with open(f"{directory}/f{number:04}", "wb") as file:
            file.write(rng.randbytes(size) if noise else text[begin:begin + size])


def make_image(cairn, top, image, data):
    """Into the store images/, and to an OCI layout of its own, for the others; once."""
    if os.path.exists(f"{top}/layout-{image}"):
        return
    if not os.path.exists(f"{top}/files"):
        apart(make_files, f"{top}/files", data)
    compression, number = image.split("-")
    lines = ["COPY . /"] if number == "1" else [f"COPY l{n:02} /l{n:02}" for n in range(LAYERS)]
    with open(f"{top}/Recipe.moved", "w", encoding="utf-8") as file:
        file.write("\n".join(["FROM scratch", *lines, ""]))
    # Equal steps are made once, compressed as the first one wanted it.
    env = cairn.env(f"{top}/images")
    run([cairn.program, "build", "-q", "--no-cache", "--compression", compression, "-t", image,
         "-f", f"{top}/Recipe.moved", f"{top}/files"], env)
    run([cairn.program, "copy", "-q", image, f"oci:{top}/layout-{image}:{image}"], env)


def first_pushes(tools, rounds, image, top):
    def one(name):
        with Registry(f"{top}/registry") as registry:
            return move(tools[name].push(image, f"{registry.address}/bench:1"), registry, top)

    samples = in_turn(rounds, one)
    with Registry(f"{top}/registry") as registry:
        more = {name: {"peak_bytes": peak(tool.push(image, f"{registry.address}/{name}:1"), top)}
                for name, tool in tools.items()}
    return samples, more


def present_pushes(tools, rounds, image, top):
    with Registry(f"{top}/registry") as registry:
        def push(name):
            return tools[name].push(image, f"{registry.address}/{name}:1")

        more = {name: {"peak_bytes": peak(push(name), top)} for name in tools}
        return in_turn(rounds, lambda name: move(push(name), registry, top)), more


def pulls(tools, rounds, image, top):
    with Registry(f"{top}/registry") as registry:
        source = f"{registry.address}/{image}:1"
        argv, env = tools["cairn"].push(image, source)
        run(argv, env)

        def one(name):
            tools[name].forget()
            return move(tools[name].pull(source), registry, top)

        samples, more = in_turn(rounds, one), {}
        for name, tool in tools.items():
            tool.forget()
            more[name] = {"peak_bytes": peak(tool.pull(source), top),
                          "disk_bytes": disk_use(tool.pulled)}
            tool.forget()
    return samples, more


def limits(way, image, top):
    """What bounds a push or a pull of the image in one layer."""
    store = f"{top}/layout-{image}/blobs/sha256"
    blob = max(os.listdir(store), key=lambda name: os.path.getsize(f"{store}/{name}"))
    env, curl, found = environment(top), ["curl", "-sf", "-o", "/dev/null"], {}
    with Registry(f"{top}/registry") as registry:
        request = urllib.request.Request(f"http://{registry.address}/v2/b/blobs/uploads/", b"")
        with urllib.request.urlopen(request) as response:
            there = response.headers["Location"] + f"&digest=sha256:{blob}"
        found["server"] = move(([*curl, "-T", f"{store}/{blob}", there], env), None, top)
        if way == "pull":
            address = f"http://{registry.address}/v2/b/blobs/sha256:{blob}"
            found["server"] = move(([*curl, address], env), None, top)
    write = f"dd if={store}/{blob} of={top}/blob bs=1M conv=fdatasync status=none"
    script = f"{write} && cp -a {top}/files {top}/copy" if way == "pull" else write
    try:
        found["disk"] = move((["sh", "-c", script], env), None, top)
    finally:
        remove(f"{top}/copy")
        run(["rm", "-f", f"{top}/blob"])
    return {name: row([sample]) for name, sample in found.items()}


def those_who_can(way, image, tools):
    """podman compresses anew by gzip what it pushes, and buildah does as podman."""
    without = set()
    if way == "push":
        without = {"buildah"} | ({"podman"} if image == "present" or "zstd" in image else set())
    elif not image.endswith("-1"):
        without = {"buildah"}
    return {tool.name: tool for tool in tools if tool.name not in without}


def measure(name, options, program, top):
    """{what, rows, limits} of one workload."""
    if not (shutil.which("docker-registry") and os.path.exists("/usr/bin/time")):
        raise Failed("no docker-registry(1) or no time(1)")
    way, image = name.split("-", 1)
    cairn = Cairn(top, program)
    tools = those_who_can(way, image, [cairn, *peers(top, options.tools)])
    rounds = {each: options.rounds or (9 if image == "present" else tool.rounds)
              for each, tool in tools.items()}
    real = "zstd-40" if image == "present" else image
    make_image(cairn, top, real, options.scale.data)
    if way == "push" and "podman" in tools:
        tools["podman"].load(image)
    try:
        do = present_pushes if image == "present" else first_pushes if way == "push" else pulls
        samples, more = do(tools, rounds, real, top)
    finally:
        for tool in tools.values():
            tool.forget()
    rows = {each: {**row(found), **more[each], "requests": found[-1].requests}
            for each, found in samples.items()}
    compression, number = real.split("-")
    what = (f"{'push of what the registry has' if image == 'present' else way + ' of 1 GB'}, "
            f"{number} layer{'s' * (number != '1')}, {compression}")
    return {"what": what, "rows": rows,
            "limits": limits(way, image, top) if image.endswith("-1") else {}}
