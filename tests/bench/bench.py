#!/usr/bin/env python3
"""bench.py CAIRN [WORKLOAD...]: measure cairn, and buildah beside it, in turn.

Both work on one freshly made, journaled ext4 in a loop-mounted file, as design section 8 asks.
For each workload and tool: median of wall time and its spread, CPU seconds and peak memory of the
whole process tree that was waited for. Runs of the tools alternate, so that a change of the
machine's mood hits both. Needs root.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

WORKLOADS = {}


def workload(runs, peer_runs=3):
    def register(function):
        WORKLOADS[function.__name__.replace("_", "-")] = (function, runs, peer_runs)
        return function
    return register


class Cairn:
    name = "cairn"

    def __init__(self, program, top):
        self.program = program
        self.root = os.path.join(top, "cairn")
        self.env = dict(os.environ, CAIRN_ROOT=self.root)

    def build(self, context, *flags):
        return [self.program, "build", "--progress", "quiet", "-t", "bench", *flags, context]

    def fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def load_base(self, tar):
        subprocess.run([self.program, "import", tar, "base"], env=self.env, check=True,
                       stdout=subprocess.DEVNULL)


class Buildah:
    name = "buildah"

    def __init__(self, top):
        self.root = os.path.join(top, "buildah")
        self.env = dict(os.environ, STORAGE_DRIVER="overlay", BUILDAH_ISOLATION="oci",
                        BUILDAH_RUNTIME=shutil.which("runc") or "crun")
        self.globals = ["buildah", "--root", self.root, "--runroot", self.root + "-run"]

    def build(self, context, *flags):
        return [*self.globals, "bud", "-q", "--layers", "--network", "host", "-t", "bench",
                "-f", os.path.join(context, "Recipe"), *flags, context]

    def fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.root + "-run", ignore_errors=True)

    def load_base(self, tar):
        name = subprocess.run([*self.globals, "from", "scratch"], env=self.env, check=True,
                              capture_output=True, text=True).stdout.strip()
        subprocess.run([*self.globals, "add", name, tar, "/"], env=self.env, check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([*self.globals, "commit", "-q", name, "localhost/base"], env=self.env,
                       check=True, stdout=subprocess.DEVNULL)


def timed(argv, env):
    """Wall seconds, CPU seconds and peak RSS (bytes) of one command."""
    begin = time.monotonic()
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(argv)}: exit {process.returncode}\n{errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def small_files(directory, count, total):
    """Files of varied size that compress about as sources do."""
    rng = random.Random(7)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz(){};=_", k=rng.randint(2, 9)))
             for _ in range(4000)]
    for number in range(count):
        path = os.path.join(directory, f"d{number % 200:03}", f"f{number:05}.c")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        size = int(total / count * rng.uniform(0.2, 1.8))
        text = b" ".join(rng.choices(words, k=size // 6 + 1))[:size]
        with open(path, "wb") as file:
            file.write(text)


@workload(runs=100)
def start_up(tool, context):
    if isinstance(tool, Cairn):
        return None, lambda: [tool.program, "--version"]
    return None, lambda: ["buildah", "--version"]


@workload(runs=100, peer_runs=5)
def unchanged_20_steps(tool, context):
    lines = ["FROM base"] + [f"RUN echo {n} > /f{n}" for n in range(10)]
    lines += [f"COPY f{n} /c{n}" for n in range(5)] + [f"ENV V{n}={n}" for n in range(5)]
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    for n in range(5):
        write(os.path.join(context, f"f{n}"), f"{n}\n")
    return (lambda: tool.build(context)), lambda: tool.build(context)


@workload(runs=9)
def run_30_steps(tool, context):
    lines = ["FROM base"] + [f"RUN echo {n} > /f{n}" for n in range(30)]
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    return (lambda: tool.build(context)), lambda: tool.build(context, "--no-cache")


@workload(runs=5)
def copy_20000_files(tool, context):
    small_files(os.path.join(context, "src"), 20000, 200 * 1000 * 1000)
    write(os.path.join(context, "Recipe"), "FROM base\nCOPY src /src\n")
    return None, lambda: tool.build(context, "--no-cache")


@workload(runs=20)
def copy_20000_files_unchanged(tool, context):
    small_files(os.path.join(context, "src"), 20000, 200 * 1000 * 1000)
    write(os.path.join(context, "Recipe"), "FROM base\nCOPY src /src\n")
    return (lambda: tool.build(context)), lambda: tool.build(context)


@workload(runs=5)
def copy_40_layers(tool, context):
    lines = ["FROM base"] + [f"COPY f{n} /c{n}" for n in range(40)]
    for n in range(40):
        write(os.path.join(context, f"f{n}"), f"{n}\n" * 100)
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    return None, lambda: tool.build(context, "--no-cache")


@workload(runs=3, peer_runs=1)
def run_1_gb(tool, context):
    script = "i=0; while [ $i -lt 250 ]; do cat /bin/busybox /bin/busybox; i=$((i+1)); done > /big"
    write(os.path.join(context, "Recipe"), f"FROM base\nRUN {script}\n")
    return None, lambda: tool.build(context, "--no-cache")


def make_base(directory):
    """A root filesystem of one busybox."""
    top = os.path.join(directory, "base")
    os.makedirs(os.path.join(top, "bin"))
    shutil.copy("/bin/busybox", os.path.join(top, "bin/busybox"))
    for applet in ("sh", "cat", "echo", "true", "mkdir", "rm"):
        os.symlink("busybox", os.path.join(top, "bin", applet))
    tar = os.path.join(directory, "base.tar")
    subprocess.run(["tar", "-C", top, "-cf", tar, "."], check=True)
    return tar


def measure(name, tools, top, base):
    function, runs, peer_runs = WORKLOADS[name]
    samples = {tool.name: [] for tool in tools}
    commands = {}
    for tool in tools:
        context = os.path.join(top, "context", name, tool.name)
        os.makedirs(context)
        tool.fresh()
        tool.load_base(base)
        prepare, command = function(tool, context)
        time.sleep(0.1)  # the stat cache trusts nothing that is younger than a clock tick
        if prepare:
            timed(prepare(), tool.env)
            timed(prepare(), tool.env)
        commands[tool.name] = command
    for turn in range(runs):
        for tool in tools:
            if tool is tools[0] or turn < peer_runs:
                samples[tool.name].append(timed(commands[tool.name](), tool.env))
    rows = {}
    for tool in tools:
        walls = [wall for wall, _, _ in samples[tool.name]]
        rows[tool.name] = {
            "runs": len(walls),
            "median_s": statistics.median(walls),
            "min_s": min(walls),
            "max_s": max(walls),
            "cpu_s": statistics.median(cpu for _, cpu, _ in samples[tool.name]),
            "peak_bytes": max(peak for _, _, peak in samples[tool.name]),
        }
    return rows


def show(name, rows):
    for tool, row in rows.items():
        print(f"{name:28} {tool:8} {row['median_s'] * 1000:10.2f} ms"
              f"  ({row['min_s'] * 1000:.2f} .. {row['max_s'] * 1000:.2f}, {row['runs']} runs)"
              f"  cpu {row['cpu_s'] * 1000:.1f} ms  peak {row['peak_bytes'] / 1e6:.1f} MB",
              flush=True)
    if "buildah" in rows:
        print(f"{name:28} ratio    {rows['buildah']['median_s'] / rows['cairn']['median_s']:10.1f}"
              " x", flush=True)


def main():
    program = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or list(WORKLOADS)
    top = tempfile.mkdtemp(prefix="cairn-bench-")
    disk = os.path.join(top, "disk")
    mount = os.path.join(top, "mnt")
    os.mkdir(mount)
    subprocess.run(["truncate", "-s", "24G", disk], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, mount], check=True)
    results = {}
    try:
        tools = [Cairn(program, mount)]
        if shutil.which("buildah"):
            tools.append(Buildah(mount))
        base = make_base(top)
        for name in names:
            results[name] = measure(name, tools, mount, base)
            show(name, results[name])
            shutil.rmtree(os.path.join(mount, "context"))
    finally:
        for _ in range(50):
            if subprocess.run(["umount", mount], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0:
                break
            time.sleep(0.1)
        shutil.rmtree(top, ignore_errors=True)
    with open("build/bench.json", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
