"""tools: cairn and its peers, each with a store of its own on the disk of the benchmark.

An adapter says how its tool does what the workloads want: begin with an empty store, take a base,
build, prune. Steps of the peers use the network of the machine, which is the cheapest for them;
those of cairn have its default unless a workload says otherwise.
"""

import os
import shutil
import subprocess
import time

from measure import Failed, disk_use, run

TICKS = os.sysconf("SC_CLK_TCK")


def environment(top):
    """Nobody's configuration counts, and what is temporary is on the same disk."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("SSL_CERT", "CAIRN_", "BUILDAH_", "DOCKER_", "BUILDKIT_"))
           and not key.lower().endswith("_proxy")}
    for name in ("home", "tmp"):
        os.makedirs(f"{top}/{name}", exist_ok=True)
    return dict(env, HOME=f"{top}/home", TMPDIR=f"{top}/tmp", LANG="C.UTF-8", NO_COLOR="1")


def remove(path):
    """Whoever flushes what a command has left may still be at work in it."""
    for _ in range(100):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(0.05)


class Tool:
    """What most of them share."""

    name = ""
    daemon = False
    host_network = ("--network", "host")

    def __init__(self, top):
        self.top = top
        self.root = f"{top}/{self.name}"
        self.env = environment(top)

    def version(self):
        """One line."""
        return run([self.name, "--version"], self.env).strip().splitlines()[0]

    def fresh(self):
        """The store has nothing in it."""
        remove(self.root)

    def close(self):
        """Nothing of it is left running or mounted."""

    def outside_cpu(self):
        """CPU seconds until now of what works for it, and is not its child."""
        return 0

    def outside_peak(self):
        return 0

    def disk(self):
        return disk_use(self.root)


class Cairn(Tool):
    name = "cairn"

    def __init__(self, top, program):
        super().__init__(top)
        self.program = program
        self.env["CAIRN_ROOT"] = self.root

    def version(self):
        return run([self.program, "--version"], self.env).strip().splitlines()[0]

    def start(self):
        return [self.program, "--version"]

    def load(self, tar, name):
        """The root filesystem in `tar` becomes an image."""
        run([self.program, "import", tar, name], self.env)

    def build(self, context, *flags, tag="bench"):
        return [self.program, "build", "-q", "-t", tag, *flags, context]

    def prune(self):
        """Give up the images of a workload, the base too, and give back all that they took."""
        return ["sh", "-c", '"$0" rmi bench base && "$0" prune --all', self.program]


class Buildah(Tool):
    """Podman builds by the same code, and has the same options."""

    name = "buildah"

    def __init__(self, top):
        super().__init__(top)
        runtime = shutil.which("runc") or "crun"
        self.env.update(STORAGE_DRIVER="overlay", BUILDAH_ISOLATION="oci", BUILDAH_RUNTIME=runtime)
        self.base = [self.name, "--root", self.root, "--runroot", self.root + "-run"]

    def start(self):
        return [self.name, "--version"]

    def close(self):
        subprocess.run(["umount", f"{self.root}/overlay"], stderr=subprocess.DEVNULL, check=False)

    def fresh(self):
        self.close()
        remove(self.root)
        remove(self.root + "-run")

    def load(self, tar, name):
        container = run([*self.base, "from", "scratch"], self.env).strip()
        run([*self.base, "add", container, tar, "/"], self.env)
        run([*self.base, "commit", "-q", container, f"localhost/{name}"], self.env)
        run([*self.base, "rm", container], self.env)

    def build(self, context, *flags, tag="bench"):
        return [*self.base, "build", "-q", "--layers", *self.host_network, "-t", tag,
                "--jobs", str(os.cpu_count()), "-f", f"{context}/Recipe", *flags, context]

    def prune(self):
        return [*self.base, "rmi", "--all", "--force"]


class Podman(Buildah):
    name = "podman"

    def __init__(self, top):
        super().__init__(top)
        self.base += ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
                      "--events-backend", "none", "--tmpdir", f"{top}/podman-tmp",
                      "--runtime", self.env["BUILDAH_RUNTIME"]]

    def fresh(self):
        super().fresh()
        remove(f"{self.top}/podman-tmp")

    def load(self, tar, name):
        run([*self.base, "import", "-q", tar, f"localhost/{name}"], self.env)

    def prune(self):
        return [*self.base, "image", "prune", "--all", "--force"]


class Docker(Tool):
    """The daemon is the benchmark's own: all of it is below the disk of the benchmark, and it makes
    no bridge and no rule of a firewall. It builds with BuildKit."""

    name = "docker"
    daemon = True

    def __init__(self, top):
        super().__init__(top)
        client = "/usr/bin/docker"  # one that came by other means may want a plugin for building
        self.process = None
        self.env.update(DOCKER_CONFIG=f"{top}/docker-config", DOCKER_BUILDKIT="1")
        self.socket = f"unix://{self.root}/socket"
        self.base = [client if os.path.exists(client) else "docker", "-H", self.socket]

    def version(self):
        server = shutil.which("dockerd")
        return run([server, "--version"], self.env).strip() + ", BuildKit"

    def fresh(self):
        self.close()
        os.makedirs(f"{self.root}/data")
        with open(f"{self.root}/log", "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "-H", self.socket, "--data-root", f"{self.root}/data", "--exec-root",
                 f"{self.root}/exec", "-p", f"{self.root}/pid", "--storage-driver", "overlay2",
                 "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false",
                 "--ip-forward=false"], env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                run([*self.base, "version"], self.env)
                return
            except Failed:
                time.sleep(0.1)
        self.close()
        raise Failed("dockerd does not start")

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        remove(self.root)

    def start(self):
        return [*self.base, "--version"]

    def load(self, tar, name):
        run([*self.base, "import", tar, name], self.env)

    def build(self, context, *flags, tag="bench"):
        return [*self.base, "build", "-q", *self.host_network, "-t", tag, "-f",
                f"{context}/Recipe", *flags, context]

    def prune(self):
        return [*self.base, "system", "prune", "--all", "--force"]

    def family(self):
        """The daemon and all below it: the fields of /proc/PID/stat from the state on."""
        stats, wanted = {}, {self.process.pid}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                        stats[int(name)] = file.read().rpartition(")")[2].split()
                except OSError:
                    pass
        while True:
            more = {pid for pid, stat in stats.items() if int(stat[1]) in wanted} - wanted
            if not more:
                return {pid: stats[pid] for pid in wanted if pid in stats}
            wanted |= more

    def outside_cpu(self):
        return sum(sum(map(int, stat[11:15])) for stat in self.family().values()) / TICKS

    def outside_peak(self):
        """Since the daemon was started, of it and of what is still below it."""
        peak = 0
        for pid in self.family():
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                    peak += sum(int(line.split()[1]) * 1024 for line in file
                                if line.startswith("VmHWM"))
            except OSError:
                pass
        return peak

    def disk(self):
        return disk_use(f"{self.root}/data")


def installed(top, program, wanted):
    """The tools that are here, cairn first; all, or those whose names are in `wanted`."""
    found = [Cairn(top, program)]
    found += [kind(top) for kind, command in ((Docker, "dockerd"), (Buildah, "buildah"),
                                              (Podman, "podman")) if shutil.which(command)]
    return [tool for tool in found if not wanted or tool.name in wanted]
