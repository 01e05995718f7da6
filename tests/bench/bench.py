#!/usr/bin/env python3
"""bench.py CAIRN [WORKLOAD...]: measure cairn, and buildah beside it, in turn.

Both work on one freshly made, journaled ext4 in a loop-mounted file, as design section 8 asks.
For each workload and tool: median of wall time and its spread, CPU seconds and peak memory of the
whole process tree that was waited for. Runs of the tools alternate, so that a change of the
machine's mood hits both; of buildah's slow ones there is one. On a busy machine compare CPU
seconds. Peak memory comes from one more run, under time(1); without that program it cannot be
less than this script's own. System calls are counted by strace, in a run of their own.
Pushes and pulls are those of transfer.py, the lock of prune that of prune.py,
the cost of one step that of steps.py.
Needs root.
"""

import itertools
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

import prune
import steps
import transfer

WORKLOADS = {}
Workload = namedtuple("Workload", "function runs peer_runs budget_ms files data")
DATA = 64 * 1024 * 1024
PRUNE_LOCK = "prune-lock"
STEPS = "steps"


def workload(runs, peer_runs=1, budget_ms=None, files=0, data=0):
    """`files`: count system calls, and divide by this. `data`: bytes of /data in the base."""
    def register(function):
        name = function.__name__.replace("_", "-")
        WORKLOADS[name] = Workload(function, runs, peer_runs, budget_ms, files, data)
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


def peak_memory(argv, env, top):
    """Peak RSS in bytes of the largest process of one command, or None."""
    if not os.path.exists("/usr/bin/time"):
        return None
    report = os.path.join(top, "time")
    subprocess.run(["/usr/bin/time", "-o", report, "-f", "%M", *argv], env=env, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(report, encoding="utf-8") as file:
        return int(file.read()) * 1024


def system_calls(argv, env, top):
    """The number of system calls of one command with all its children, or None."""
    if not shutil.which("strace"):
        return None
    report = os.path.join(top, "strace")
    subprocess.run(["strace", "-f", "-c", "-U", "calls,name", "-o", report, *argv], env=env,
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    with open(report, encoding="utf-8") as file:
        return sum(int(line.split()[0]) for line in file
                   if line.split() and line.split()[0].isdigit() and "total" not in line)


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


def source_text(rng, size):
    """Text that zstd -3 takes as it takes sources: 4.5:1 at 290 MB/s where the standard library
    of Python 3.11 is 4.4:1 at 300 MB/s, and packages of Node.js 4.8:1 at 300 MB/s."""
    words = ["".join(rng.choices("etaoinsrhldcumfpgwybvk_", k=rng.randint(2, 10)))
             for _ in range(3000)]
    rank = list(itertools.accumulate(1 / (n + 1) for n in range(len(words))))

    def line():
        return ("\t" * rng.randint(0, 3) +
                " ".join(rng.choices(words, cum_weights=rank, k=rng.randint(2, 9))) +
                rng.choice((";", "();", " {", "")) + "\n")

    known = [line() for _ in range(20000)]
    rank_known = list(itertools.accumulate(1 / (n + 30) for n in range(len(known))))
    text, length = [], 0
    while length < size:
        chosen = rng.choices(known, cum_weights=rank_known, k=70) + [line() for _ in range(30)]
        rng.shuffle(chosen)
        text += chosen
        length += sum(map(len, chosen))
    return "".join(text).encode()[:size]


def apart(function, *args):
    """Call in another process: a command's peak memory begins with that of the one it comes from."""
    process = multiprocessing.Process(target=function, args=args)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{function.__name__} has failed")


def small_files(directory, count, total):
    """Files of varied size with the text of sources, in 200 directories."""
    rng = random.Random(7)
    text = source_text(rng, 32 * 1000 * 1000)
    for number in range(count):
        path = os.path.join(directory, f"d{number % 200:03}", f"f{number:05}.c")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        size = int(total / count * rng.uniform(0.2, 1.8))
        begin = rng.randrange(len(text) - size)
        with open(path, "wb") as file:
            file.write(text[begin:begin + size])


@workload(runs=100, peer_runs=5, budget_ms=3)
def start_up(tool, context):
    if isinstance(tool, Cairn):
        return None, lambda: [tool.program, "--version"]
    return None, lambda: ["buildah", "--version"]


@workload(runs=100, peer_runs=5, budget_ms=5)
def unchanged_20_steps(tool, context):
    lines = ["FROM base"] + [f"RUN echo {n} > /f{n}" for n in range(10)]
    lines += [f"COPY f{n} /c{n}" for n in range(5)] + [f"ENV V{n}={n}" for n in range(5)]
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    for n in range(5):
        write(os.path.join(context, f"f{n}"), f"{n}\n")
    return (lambda: tool.build(context)), lambda: tool.build(context)


@workload(runs=9, budget_ms=30 * 8)
def run_30_steps(tool, context):
    lines = ["FROM base"] + [f"RUN echo {n} > /f{n}" for n in range(30)]
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    return (lambda: tool.build(context)), lambda: tool.build(context, "--no-cache")


@workload(runs=5, budget_ms=900, files=20000)
def copy_20000_files(tool, context):
    apart(small_files, os.path.join(context, "src"), 20000, 200 * 1000 * 1000)
    write(os.path.join(context, "Recipe"), "FROM base\nCOPY src /src\n")
    return None, lambda: tool.build(context, "--no-cache")


@workload(runs=20, budget_ms=40, files=20000)
def copy_20000_files_unchanged(tool, context):
    apart(small_files, os.path.join(context, "src"), 20000, 200 * 1000 * 1000)
    write(os.path.join(context, "Recipe"), "FROM base\nCOPY src /src\n")
    return (lambda: tool.build(context)), lambda: tool.build(context)


@workload(runs=5, budget_ms=150)
def copy_40_layers(tool, context):
    lines = ["FROM base"] + [f"COPY f{n} /c{n}" for n in range(40)]
    for n in range(40):
        write(os.path.join(context, f"f{n}"), f"{n}\n" * 100)
    write(os.path.join(context, "Recipe"), "\n".join(lines) + "\n")
    return None, lambda: tool.build(context, "--no-cache")


@workload(runs=20, peer_runs=3, budget_ms=6)
def copy_40_layers_unchanged(tool, context):
    copy_40_layers(tool, context)
    return (lambda: tool.build(context)), lambda: tool.build(context)


@workload(runs=3, data=DATA)
def run_1_gb(tool, context):
    script = "i=0; while [ $i -lt 15 ]; do cat /data; i=$((i+1)); done > /big"
    write(os.path.join(context, "Recipe"), f"FROM base\nRUN {script}\n")
    return None, lambda: tool.build(context, "--no-cache")


def limits_of_1_gb(base, top):
    """What bounds run-1-gb: writing the bytes, and zstd on all cores. Seconds of wall and CPU."""
    data = os.path.join(os.path.dirname(base), "base", "data")
    big = os.path.join(top, "big")
    commands = {"write": ["sh", "-c", f"for i in {'1 ' * 15}; do cat {data}; done > {big}"],
                "zstd": ["zstd", "-q", "-3", "-T0", "-c", big]}
    rows = {}
    for name, argv in commands.items():
        if shutil.which(argv[0]):
            wall, cpu, _ = timed(argv, os.environ)
            rows[name] = (wall, cpu)
    os.unlink(big)
    return rows


def reproducible(program, top, base):
    """One Recipe, built twice with SOURCE_DATE_EPOCH in directories that were filled in other
    orders, in two stores: the digests."""
    digests = []
    for turn, order in enumerate((range(300), reversed(range(300)))):
        tool = Cairn(program, os.path.join(top, f"again{turn}"))
        os.makedirs(os.path.dirname(tool.root))
        tool.env["SOURCE_DATE_EPOCH"] = "1700000000"
        tool.load_base(base)
        context = os.path.join(top, f"context{turn}", "x" * (turn + 1))
        for n in order:
            write(os.path.join(context, "src", f"d{n % 7}", f"f{n}"), f"{n}\n" * n)
        write(os.path.join(context, "Recipe"), "FROM base\nCOPY src /src\n"
              "RUN for i in 3 1 2; do echo $i > /$i; done; mkdir /d; rm /src/d1/f1\n")
        about = os.path.join(top, "metadata")
        subprocess.run(tool.build(context, "--metadata-file", about), env=tool.env, check=True,
                       stdout=subprocess.DEVNULL)
        with open(about, encoding="utf-8") as file:
            digests.append(json.load(file)["containerimage.digest"])
        time.sleep(1.1)  # no time of the second build is one of the first
    return digests


def mixed_data(path, size):
    rng = random.Random(11)
    with open(path, "wb") as file:
        file.write(source_text(rng, size // 4) * 3 + rng.randbytes(size // 4))


def make_base(directory, data=0):
    """A root filesystem of one busybox, and perhaps /data: text, and a quarter of noise."""
    top = os.path.join(directory, "base")
    shutil.rmtree(top, ignore_errors=True)
    os.makedirs(os.path.join(top, "bin"))
    if data:
        apart(mixed_data, os.path.join(top, "data"), data)
    shutil.copy("/bin/busybox", os.path.join(top, "bin/busybox"))
    for applet in ("sh", "cat", "echo", "true", "mkdir", "rm"):
        os.symlink("busybox", os.path.join(top, "bin", applet))
    tar = os.path.join(directory, "base.tar")
    subprocess.run(["tar", "-C", top, "-cf", tar, "."], check=True)
    return tar


def prepare_tools(name, tools, top, base):
    """The command of each tool, with its store, base and context made."""
    commands = {}
    for tool in tools:
        context = os.path.join(top, "context", name, tool.name)
        os.makedirs(context)
        tool.fresh()
        tool.load_base(base)
        prepare, commands[tool.name] = WORKLOADS[name].function(tool, context)
        time.sleep(0.1)  # the stat cache trusts nothing that is younger than a clock tick
        for _ in range((2 if tool is tools[0] else 1) if prepare else 0):
            timed(prepare(), tool.env)
    return commands


def measure(name, tools, top, base):
    work = WORKLOADS[name]
    samples = {tool.name: [] for tool in tools}
    commands = prepare_tools(name, tools, top, base)
    for turn in range(work.runs):
        for tool in tools:
            if tool is tools[0] or turn < work.peer_runs:
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
    ours = rows[tools[0].name]
    command = commands[tools[0].name]()
    ours["peak_bytes"] = peak_memory(command, tools[0].env, top) or ours["peak_bytes"]
    if work.files:
        ours["system_calls"] = system_calls(command, tools[0].env, top)
    if work.data:
        ours["limits"] = limits_of_1_gb(base, top)
    return rows


def show(name, rows):
    for tool, row in rows.items():
        print(f"{name:26} {tool:8} {row['median_s'] * 1000:10.2f} ms"
              f"  ({row['min_s'] * 1000:.2f} .. {row['max_s'] * 1000:.2f}, {row['runs']} runs)"
              f"  cpu {row['cpu_s'] * 1000:.1f} ms  peak {row['peak_bytes'] / 1e6:.1f} MB",
              flush=True)
    ours = rows["cairn"]
    for limit, (wall, cpu) in ours.get("limits", {}).items():
        print(f"{name:26} {limit:8} {wall * 1000:10.2f} ms{'':21}  cpu {cpu * 1000:.1f} ms",
              flush=True)


def table(results):
    """One row per workload: what was asked for, what it took, and how many times that the peer."""
    print(f"\n{'workload':26} {'budget':>9} {'median':>9} {'best':>9} {'cpu':>9} {'peak':>8}"
          f" {'calls/file':>10} {'buildah':>10} {'ratio':>7}")
    for name, rows in results.items():
        work, ours, peer = WORKLOADS[name], rows["cairn"], rows.get("buildah")
        budget = work.budget_ms
        if ours.get("limits"):
            budget = 1300 * max(wall for wall, _ in ours["limits"].values())
        calls = ours.get("system_calls")
        cells = [f"{budget:.0f} ms" if budget else "", f"{ours['median_s'] * 1000:.1f}",
                 f"{ours['min_s'] * 1000:.1f}", f"{ours['cpu_s'] * 1000:.1f}",
                 f"{ours['peak_bytes'] / 1e6:.1f} MB",
                 f"{calls / work.files:.1f}" if calls else "",
                 f"{peer['median_s'] * 1000:.0f}" if peer else "",
                 f"{peer['median_s'] / ours['median_s']:.1f}x" if peer else ""]
        print(f"{name:26} {cells[0]:>9} {cells[1]:>9} {cells[2]:>9} {cells[3]:>9} {cells[4]:>8}"
              f" {cells[5]:>10} {cells[6]:>10} {cells[7]:>7}")


def measure_transfers(names, program, top):
    """In a process of its own: see apart()."""
    if not (shutil.which("docker-registry") and os.path.exists("/usr/bin/time")):
        print("no docker-registry(1) or no time(1): nothing is pushed or pulled")
        return {}
    reader, writer = multiprocessing.Pipe(False)

    def work():
        text = source_text(random.Random(7), 32 * 1000 * 1000)
        writer.send(transfer.measure(names, program, top, text))

    apart(work)
    return reader.recv()


def main():
    program = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or [*WORKLOADS, *transfer.WORKLOADS, PRUNE_LOCK, STEPS]
    transfers = [name for name in names if name in transfer.WORKLOADS]
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
        for name in (name for name in names if name in WORKLOADS):
            base = make_base(top, WORKLOADS[name].data)
            results[name] = measure(name, tools, mount, base)
            show(name, results[name])
            shutil.rmtree(os.path.join(mount, "context"))
        if results:
            table(results)
        if transfers:
            results.update(measure_transfers(transfers, program, mount))
        if PRUNE_LOCK in names:
            results[PRUNE_LOCK] = prune.measure(program, mount)
        if STEPS in names:
            results[STEPS] = steps.measure(program, mount, make_base(top))
            steps.show(results[STEPS])
        digests = reproducible(program, mount, make_base(top))
        print(f"\nbuilt twice with SOURCE_DATE_EPOCH: {' and '.join(digests)}")
    finally:
        for _ in range(50):
            if subprocess.run(["umount", "-R", mount], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0:
                break
            time.sleep(0.1)
        shutil.rmtree(top, ignore_errors=True)
    with open("build/bench.json", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
    if len(set(digests)) != 1:
        sys.exit("the same Recipe gave two digests")


if __name__ == "__main__":
    main()
