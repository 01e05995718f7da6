"""steps: what one RUN step costs, beside runtimes and builders of others.

Of cairn it is the difference between a build of 30 steps and one of a single step, by 29, with each
kind of network, by root in a user namespace and as root of the machine, and by an ordinary user. Of
the others it is one command of the same root filesystem: crun and runc with the default filter of
containers on an overlay that is mounted for it, `buildah run` and `podman run` with runc. All take
their turns. A tool that is missing, or that this machine does not let run, is named and left out.
Needs root.
"""

import json
import os
import pwd
import shutil
import subprocess
import time

from measure import in_turn
from stats import spread
from tools import remove

STEPS, RUNS = 30, 15
PROFILE = "/usr/share/containers/seccomp.json"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


def seconds(argv, env=None):
    begin = time.monotonic()
    done = subprocess.run(argv, env=env, check=False, timeout=300, **QUIET)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no words"]
        said = [line for line in lines if line.startswith("error:")] or lines
        raise OSError(f"exit {done.returncode}: {said[-1]}")
    return time.monotonic() - begin


# ---- cairn ----

def cairn(program, root, context, user, flags):
    """Seconds per step."""
    env = {"PATH": os.environ["PATH"], "HOME": os.path.dirname(root), "CAIRN_ROOT": root}
    become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user else []

    def build(steps):
        return seconds([*become, program, "build", "-q", "--no-cache", *flags, "-f",
                        os.path.join(context, f"Recipe.{steps}"), context], env)

    def step():
        return (build(STEPS) - build(1)) / (STEPS - 1)

    return step


def cairn_store(program, root, tar, user):
    become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user else []
    seconds([*become, program, "--root", root, "import", tar, "base"])


def cairn_rows(program, top, tar, user):
    """The store is made below `top`, which is the user's."""
    context = os.path.join(top, "context")
    os.makedirs(context)
    for steps in (1, STEPS):
        with open(os.path.join(context, f"Recipe.{steps}"), "w", encoding="ascii") as file:
            file.write("FROM base\n" + "RUN [\"/bin/true\"]\n" * steps)
    cairn_store(program, os.path.join(top, "store"), tar, user)
    for userns in [None] if user else ["auto", "host"]:
        for network in ("none", "host", "private"):
            flags = ["--network", network] + (["--userns", userns] if userns else [])
            if network == "host":
                flags += ["--allow", "network.host"]
            who = "user" if user else f"root, userns {userns}"
            yield (f"cairn, {who}, network {network}",
                   cairn(program, os.path.join(top, "store"), context, user, flags))


# ---- runtimes ----

def seccomp(capabilities):
    """The default filter of containers, as a runtime wants it, for this machine."""
    with open(PROFILE, encoding="utf-8") as file:
        profile = json.load(file)
    rules = []
    for rule in profile["syscalls"]:
        needed = set(rule.get("includes", {}).get("caps", []))
        kept_from = set(rule.get("excludes", {}).get("caps", []))
        arches = rule.get("includes", {}).get("arches")
        if needed - capabilities or kept_from & capabilities or (arches and "amd64" not in arches):
            continue
        rules.append({key: rule[key] for key in ("names", "action", "args", "errnoRet")
                      if rule.get(key)})
    return {"defaultAction": profile["defaultAction"],
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": rules}


def bundle(directory, rootfs, network):
    """A bundle whose root is an overlay on `rootfs`, and the script that mounts it."""
    for name in ("upper", "work", "rootfs"):
        os.makedirs(os.path.join(directory, name))
    subprocess.run(["runc", "spec", "--bundle", directory], check=True)
    path = os.path.join(directory, "config.json")
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    spec["process"].update(terminal=False, args=["/bin/true"])
    spec["root"]["readonly"] = False
    spec["linux"]["seccomp"] = seccomp(set(spec["process"]["capabilities"]["bounding"]))
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
    spec["linux"].pop("resources", None)
    if network == "host":
        spec["linux"]["namespaces"] = [ns for ns in spec["linux"]["namespaces"]
                                       if ns["type"] != "network"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    options = f"lowerdir={rootfs},upperdir={directory}/upper,workdir={directory}/work"
    return (f"mount -t overlay overlay -o {options} {directory}/rootfs && \"$@\"; code=$?; "
            f"umount {directory}/rootfs; exit $code")


def runtime_rows(top, rootfs):
    # crun refuses machines that have control groups of both kinds, even if it is to use none; the
    # namespace in which it sees one kind is part of what is measured.
    apart = []
    if os.path.ismount("/sys/fs/cgroup/unified"):
        apart = ["unshare", "--mount", "sh", "-c", "umount -l /sys/fs/cgroup/unified; \"$@\"", "sh"]
    for name, flags in (("crun", ["--cgroup-manager=disabled"]), ("runc", [])):
        if not (shutil.which(name) and shutil.which("runc") and os.path.exists(PROFILE)):
            print(f"no {name}(1), or no filter for it", flush=True)
            continue
        for network in ("none", "host"):
            directory = os.path.join(top, f"{name}-{network}")
            script = bundle(directory, rootfs, network)
            argv = [*(apart if name == "crun" else []), "sh", "-c", script, "sh", name, *flags,
                    "--root", directory + "/state", "run", "--bundle", directory,
                    f"bench-{os.getpid()}-{name}-{network}"]
            yield f"{name}, root, network {network}", lambda argv=argv: seconds(argv)


# ---- builders of others ----

def buildah_rows(top, tar):
    root = os.path.join(top, "buildah")
    base = ["buildah", "--root", root, "--runroot", root + "-run", "--storage-driver", "overlay"]
    if not shutil.which("buildah"):
        return
    seconds([*base, "from", "--name", "bench", "scratch"])
    seconds([*base, "add", "bench", tar, "/"])
    for network in ("none", "host"):
        argv = [*base, "run", "--isolation", "oci", "--runtime", shutil.which("runc") or "crun",
                "--network", network, "bench", "/bin/true"]
        yield f"buildah run, root, network {network}", lambda argv=argv: seconds(argv)


def podman_rows(top, tar):
    root = os.path.join(top, "podman")
    if not shutil.which("podman"):
        return
    base = ["podman", "--root", root, "--runroot", root + "-run", "--storage-driver", "overlay",
            "--cgroup-manager", "cgroupfs", "--runtime", shutil.which("runc") or "crun"]
    seconds([*base, "import", "-q", tar, "bench"])
    for network in ("none", "host"):
        argv = [*base, "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit",
                "nproc=4096:4096", "--network", network, "bench", "/bin/true"]
        yield f"podman run, root, network {network}", lambda argv=argv: seconds(argv)


# ---- all of them ----

def user_rows(program, top, tar):
    """An ordinary user of our own, with ids beside its own; it goes with what it made."""
    name = f"cairn-bench-{os.getpid()}"
    home = os.path.join(top, name)
    if not (shutil.which("newuidmap") and shutil.which("setpriv")):
        print("no newuidmap(1) or no setpriv(1): no ordinary user", flush=True)
        return name, []
    subprocess.run(["useradd", "--home-dir", home, "--create-home", name], check=True, **QUIET)
    with open("/etc/subuid", encoding="utf-8") as file:
        if name + ":" not in file.read():
            subprocess.run(["usermod", "--add-subuids", "3000000-3065535", "--add-subgids",
                            "3000000-3065535", name], check=True)
    entry = pwd.getpwnam(name)
    shutil.copy(program, os.path.join(home, "cairn"))
    shutil.copy(tar, os.path.join(home, "base.tar"))
    work = os.path.join(home, "work")
    os.makedirs(work)
    os.chown(work, entry.pw_uid, entry.pw_gid)
    return name, list(cairn_rows(os.path.join(home, "cairn"), work,
                                 os.path.join(home, "base.tar"), name))


def try_out(rows):
    """Those that can run here; the first run of each also warms what is cached."""
    can = {}
    for name, step in rows:
        try:
            step()
            can[name] = step
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name}: left out, {error}", flush=True)
    return can


def measure(program, top, tar, runs=RUNS):
    """A row for each tool and setting, in seconds per step."""
    top = os.path.join(top, "steps")
    rootfs, work = os.path.join(top, "rootfs"), os.path.join(top, "cairn")
    for directory in (rootfs, work):
        os.makedirs(directory)
    subprocess.run(["tar", "-C", rootfs, "-xf", tar], check=True)
    for path in (top, os.path.dirname(top), os.path.dirname(os.path.dirname(top))):
        os.chmod(path, 0o755)
    user = None
    try:
        user, rows = user_rows(program, top, tar)
        can = try_out([*cairn_rows(program, work, tar, None), *rows, *runtime_rows(top, rootfs),
                       *buildah_rows(top, tar), *podman_rows(top, tar)])
        samples = in_turn(dict.fromkeys(can, runs), lambda name: can[name]())
    finally:
        if user:
            subprocess.run(["userdel", user], check=False, **QUIET)
        subprocess.run(["umount", "-q", os.path.join(top, "podman", "overlay")], check=False)
        subprocess.run(["umount", "-q", os.path.join(top, "buildah", "overlay")], check=False)
        remove(top)
    return {"rows": {name: {"rounds": runs, "wall_s": spread(times)}
                     for name, times in samples.items()}}
