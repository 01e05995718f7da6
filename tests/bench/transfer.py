"""transfer.py - pushes and pulls against a private registry on loopback, with peers in turn.

An image of 1 GiB, half of it text and half noise, in 1 layer and in 40, by gzip and by zstd. Each
first push goes to a registry that has nothing, each pull into a store that has nothing; before
each the disk is flushed. What is pulled is ready to be run, but by skopeo: it keeps blobs alone.
podman compresses what it pushes; buildah does as podman, so it has only images of one layer to
pull. Requests are counted by the registry's log. All stores, the registry's too, are on the same
journaled ext4.

Beside them what bounds them: `server` is curl(1) with the one layer's blob, sent or received and
dropped; `disk` writes and flushes the blob, and copies the files of the image.
"""

import os
import random
import re
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections import namedtuple

SIZE = 1 << 30
FILES = 4096
LAYERS = 40
IMAGES = ("gzip-1", "gzip-40", "zstd-1", "zstd-40")
WORKLOADS = ["push-present"] + [f"{way}-{image}" for way in ("push", "pull") for image in IMAGES]
Sample = namedtuple("Sample", "wall cpu peak requests")
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
        raise RuntimeError("the registry does not start")

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


def remove(path):
    """Whoever flushes what a command has left may still be at work in it."""
    for _ in range(100):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(0.05)


class Cairn:
    name, runs = "cairn", 3

    def __init__(self, program, top):
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
    name, runs = "skopeo", 2

    def __init__(self, top):
        self.top = top
        self.pulled = f"{top}/pulled.oci"

    def push(self, image, target):
        return ["skopeo", "copy", "-q", "--dest-tls-verify=false",
                f"oci:{self.top}/layout:{image}", f"docker://{target}"], environment(self.top)

    def pull(self, source):
        return ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{source}",
                f"oci:{self.pulled}:x"], environment(self.top)

    def forget(self):
        remove(self.pulled)


class Podman:
    """podman or buildah: they have the same options."""

    runs = 1

    def __init__(self, name, top):
        self.name, self.top = name, top
        self.root = f"{top}/{name}"
        self.globals = [name, "--root", self.root, "--runroot", f"{self.root}-run",
                        "--storage-driver", "overlay"]

    def push(self, image, target):
        return [*self.globals, "push", "-q", "--tls-verify=false", image,
                f"docker://{target}"], environment(self.top)

    def pull(self, source):
        return [*self.globals, "pull", "-q", "--tls-verify=false", source], environment(self.top)

    def load(self, image):
        """Bring the image into the store, to be pushed."""
        check([*self.globals, "pull", "-q", f"oci:{self.top}/layout:{image}"],
              environment(self.top))
        name = subprocess.run([*self.globals, "images", "-q"], env=environment(self.top),
                              check=True, capture_output=True, text=True).stdout.split()[0]
        check([*self.globals, "tag", name, image], environment(self.top))

    def forget(self):
        subprocess.run(["umount", f"{self.root}/overlay"], stderr=subprocess.DEVNULL, check=False)
        remove(self.root)
        remove(self.root + "-run")


def environment(top):
    """Nobody's configuration counts, and what is temporary is on the same disk."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith("SSL_CERT") and not key.lower().endswith("_proxy")}
    return dict(env, HOME=f"{top}/home", TMPDIR=f"{top}/tmp")


def check(argv, env):
    done = subprocess.run(argv, env=env, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr.decode()}")


def timed(command, registry, top):
    """Run it, with a disk that has nothing else to do."""
    argv, env = command
    report = f"{top}/time"
    subprocess.run(["sync", "-f", top], check=True)
    before = registry.requests() if registry else 0
    begin = time.monotonic()
    check(["/usr/bin/time", "-o", report, "-f", "%U %S %M", *argv], env)
    wall = time.monotonic() - begin
    with open(report, encoding="utf-8") as file:
        user, system, peak = file.read().split()
    requests = registry.requests() - before if registry else 0
    return Sample(wall, float(user) + float(system), int(peak) * 1024, requests)


def make_files(top, text):
    """The content of the image: 40 directories of equal size."""
    rng = random.Random(13)
    for number in range(FILES):
        directory = f"{top}/l{number % LAYERS:02}/d{number // LAYERS % 10}"
        os.makedirs(directory, exist_ok=True)
        begin = rng.randrange(len(text) - SIZE // FILES)
        noise = number // LAYERS % 2
        with open(f"{directory}/f{number:04}", "wb") as file:
            file.write(rng.randbytes(SIZE // FILES) if noise else
                       text[begin:begin + SIZE // FILES])


def make_images(cairn, top, images):
    """Build them into the store images/, and copy them to an OCI layout, for skopeo."""
    for image in images:
        compression, count = image.split("-")
        recipe = f"{top}/Recipe"
        lines = ["COPY . /"] if count == "1" else [f"COPY l{n:02} /l{n:02}" for n in range(LAYERS)]
        with open(recipe, "w", encoding="utf-8") as file:
            file.write("\n".join(["FROM scratch", *lines, ""]))
        # Equal steps are made once, compressed as the first one wanted it.
        env = cairn.env(f"{top}/images")
        check([cairn.program, "build", "-q", "--no-cache", "--compression", compression,
               "-t", image, "-f", recipe, f"{top}/files"], env)
        check([cairn.program, "copy", "-q", image, f"oci:{top}/layout:{image}"], env)


def first_pushes(tools, image, top):
    samples = {tool.name: [] for tool in tools}
    for turn in range(max(tool.runs for tool in tools)):
        for tool in (tool for tool in tools if turn < tool.runs):
            registry = Registry(f"{top}/registry")
            try:
                samples[tool.name].append(
                    timed(tool.push(image, f"{registry.address}/bench:1"), registry, top))
            finally:
                registry.stop()
    return samples


def present_pushes(tools, image, top):
    samples = {tool.name: [] for tool in tools}
    registry = Registry(f"{top}/registry")
    try:
        for tool in tools:
            timed(tool.push(image, f"{registry.address}/{tool.name}:1"), registry, top)
        for _ in range(9):
            for tool in tools:
                samples[tool.name].append(
                    timed(tool.push(image, f"{registry.address}/{tool.name}:1"), registry, top))
    finally:
        registry.stop()
    return samples


def pulls(tools, images, top):
    """The samples of each image. The registry has all of them."""
    cairn = tools[0]
    samples = {image: {tool.name: [] for tool in tools} for image in images}
    registry = Registry(f"{top}/registry")
    try:
        for image in images:
            check(*cairn.push(image, f"{registry.address}/{image}:1"))
        for image in images:
            for turn in range(max(tool.runs for tool in tools)):
                for tool in (tool for tool in tools if turn < tool.runs):
                    if tool.name == "buildah" and not image.endswith("-1"):
                        continue
                    tool.forget()
                    samples[image][tool.name].append(
                        timed(tool.pull(f"{registry.address}/{image}:1"), registry, top))
            for tool in tools:
                tool.forget()
    finally:
        registry.stop()
    return samples


def limits(top, compression):
    """What bounds a push and a pull of the image in one layer."""
    store, registry = f"{top}/images/blobs/sha256", Registry(f"{top}/registry")
    sizes = {os.path.getsize(f"{store}/{name}"): name for name in os.listdir(store)}
    named = [sizes[size] for size in sorted(sizes) if size > SIZE // 2]
    name = named[-1] if compression == "gzip" else named[0]
    env = environment(top)
    curl = ["curl", "-sf", "-o", "/dev/null"]
    try:
        request = urllib.request.Request(f"http://{registry.address}/v2/b/blobs/uploads/", b"")
        with urllib.request.urlopen(request) as response:
            place = response.headers["Location"] + f"&digest=sha256:{name}"
        push = timed(([*curl, "-T", f"{store}/{name}", place], env), None, top)
        blob = f"http://{registry.address}/v2/b/blobs/sha256:{name}"
        pull = timed(([*curl, blob], env), None, top)
        disk = timed((["sh", "-c", f"dd if={store}/{name} of={top}/blob bs=1M conv=fdatasync "
                       f"status=none && cp -a {top}/files {top}/copy"], env), None, top)
    finally:
        registry.stop()
        remove(f"{top}/copy")
        os.unlink(f"{top}/blob")
    return {"push": {"server": [push]}, "pull": {"server": [pull], "disk": [disk]}}


def summary(samples):
    return {"runs": len(samples),
            "median_s": statistics.median(s.wall for s in samples),
            "min_s": min(s.wall for s in samples),
            "max_s": max(s.wall for s in samples),
            "cpu_s": statistics.median(s.cpu for s in samples),
            "peak_bytes": max(s.peak for s in samples),
            "requests": samples[-1].requests}


def show(name, samples):
    rows = {tool: summary(each) for tool, each in samples.items() if each}
    for tool, row in rows.items():
        print(f"{name:14} {tool:8} {row['median_s']:7.3f} s  ({row['min_s']:.3f} .."
              f" {row['max_s']:.3f}, {row['runs']} runs)  cpu {row['cpu_s']:.2f} s "
              f" peak {row['peak_bytes'] / 1e6:.1f} MB  requests {row['requests']}", flush=True)
    return rows


def measure(names, program, top, text):
    """The rows of all workloads that are named."""
    here = [name for name in ("podman", "buildah") if shutil.which(name)]
    cairn, skopeo = Cairn(program, top), Skopeo(top)
    podman = [Podman(name, top) for name in here]
    plain = [cairn, skopeo] if shutil.which("skopeo") else [cairn]
    images = [image for image in IMAGES if any(name.endswith(image) for name in names)]
    results = {}
    for directory in ("home", "tmp"):
        os.makedirs(f"{top}/{directory}", exist_ok=True)
    make_files(f"{top}/files", text)
    make_images(cairn, top, images or ["zstd-40"])
    bounds = {way: limits(top, way) for way in ("gzip", "zstd") if f"{way}-1" in images}
    if "push-present" in names:
        results["push-present"] = show("push-present",
                                       present_pushes(plain, (images or ["zstd-40"])[-1], top))
    for image in images:
        if f"push-{image}" not in names:
            continue
        tools = list(plain)
        if podman and image.startswith("gzip"):
            podman[0].load(image)
            tools.append(podman[0])
        samples = first_pushes(tools, image, top)
        samples.update(bounds.get(image[:-2], {}).get("push", {}))
        results[f"push-{image}"] = show(f"push-{image}", samples)
        for tool in podman:
            tool.forget()
    wanted = [image for image in images if f"pull-{image}" in names]
    for image, samples in pulls(plain + podman, wanted, top).items() if wanted else ():
        samples.update(bounds.get(image[:-2], {}).get("pull", {}))
        results[f"pull-{image}"] = show(f"pull-{image}", samples)
    return results
