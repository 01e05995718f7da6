"""judge.py: what must be so in a store that comes back after a power cut.

What was promised by the moment of the cut is known (Promise). A name of which no command was at
work must be what the last one said; one that is being changed, that or what it is about to be.
"""

import ctypes
import hashlib
import json
import os

from disk import MNT_DETACH, MS_BIND, MS_NOATIME, Loop, call, mount
from work import LIMIT, canonical, read_refs, read_values

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Promise:
    """What holds at one moment."""

    def __init__(self):
        self.sure = {}     # digest, or None for absent, by name
        self.busy = {}     # by number of a command that is at work: its first mark
        self.ids = set()   # images without a name that were built
        self.gone = set()  # and those of which that was taken back
        self.said = 0      # commands that reported success

    def learn(self, mark):
        if "begin" in mark:
            self.busy[mark["begin"]] = mark
            if mark["argv"][0] == "prune":
                self.ids = set()
            if mark["argv"][0] == "rmi":
                self.ids -= set(mark["argv"])
            return
        argv = self.busy.pop(mark["done"])["argv"]
        if argv[0] == "rmi":
            self.gone |= {word for word in argv if word.startswith("sha256:")}
        self.sure.update(mark["values"])
        self.said += 1
        if mark["id"]:
            self.ids.add(mark["id"])

    def allowed(self, ends):
        """By name, what it may be. `ends`: the last mark of each command."""
        allowed = {name: {value} for name, value in self.sure.items()}
        for number, mark in self.busy.items():
            for name in mark["names"]:
                allowed.setdefault(name, {None}).add(ends[number]["values"][name])
        return allowed


# ---- blobs and names, read without the program ----

def check_blob(root, digest, size, wrong):
    """Its bytes, if they are right."""
    try:
        with open(f"{root}/blobs/sha256/{digest.partition(':')[2]}", "rb") as file:
            data = file.read()
    except OSError as error:
        wrong.append(f"blob {digest}: {error.strerror}")
        return None
    if len(data) != size or "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        wrong.append(f"blob {digest} has {len(data)} of {size} bytes, or others")
        return None
    return data


def check_image(root, digest, size, wrong):
    data = check_blob(root, digest, size, wrong)
    if data is None:
        return
    manifest = json.loads(data)
    for entry in manifest.get("manifests", []):
        check_image(root, entry["digest"], entry["size"], wrong)
    for entry in [manifest["config"], *manifest["layers"]] if "config" in manifest else []:
        check_blob(root, entry["digest"], entry["size"], wrong)


def check_names(root, promise, ends):
    wrong = []
    refs = read_refs(root) if os.path.isdir(root + "/refs") else {}
    allowed = promise.allowed(ends)
    limit = read_values(root).get(LIMIT) if refs else None
    if limit not in allowed.pop(LIMIT, {None}):
        wrong.append(f"the limit is {limit}")
    for name in sorted(allowed.keys() | refs.keys()):
        digest, size = refs.get(name, (None, 0))
        if digest not in allowed.get(name, {None}):
            wrong.append(f"{name} is {digest}, not {allowed.get(name)}")
        elif digest:
            about = []
            check_image(root, digest, size, about)
            wrong += [f"{name}: {line}" for line in about]
    return wrong, {name: digest for name, (digest, _) in refs.items()}


# ---- what the program says ----

def check_check(scene, root, wrong, when):
    """Nothing may be wrong, however it came about. How much in the cache did not get to the disk:
    notes, as that is made again."""
    code, out, said = scene.run(root, "check", "--format", "json")
    try:
        findings = json.loads(out)["findings"]
    except (ValueError, KeyError):
        wrong.append(f"check {when}: exit code {code}: {out}{said}")
        return 0
    bad = [finding for finding in findings if finding["state"] != "note"]
    wrong += [f"check {when}: {finding}" for finding in bad]
    if code and not bad:
        wrong.append(f"check {when}: exit code {code}: {said}")
    return len(findings) - len(bad)


def check_run(scene, root, image, digest, wrong):
    code, out, said = scene.sum_of(root, image)
    if code or (digest in scene.sums and out != scene.sums[digest]):
        wrong.append(f"run {image}: exit code {code}, {out} {said}")


def check_store(scene, root, promise, ends, number):
    """(what is wrong, what is noted). The number chooses among what would take too long if it were
    done each time."""
    wrong, refs = check_names(root, promise, ends)
    # The next command begins without any repair, and knows the same names.
    code, out, said = scene.run(root, "images", "--format", "json")
    told = sorted(canonical(image["name"]) for image in json.loads(out)) if code == 0 else []
    if code or told != sorted(refs):
        wrong.append(f"images: exit code {code}, {told}, not {sorted(refs)}: {said}")
    for image in promise.ids:
        code, _, said = scene.run(root, "inspect", image)
        if code:
            wrong.append(f"image {image}: {said}")
    for image in promise.gone:
        code, _, _ = scene.run(root, "inspect", image)
        if code != 3:
            wrong.append(f"image {image} was removed, and inspect ends with {code}")
    notes = check_check(scene, root, wrong, "at first")
    repeat(scene, root, promise, ends, refs, wrong)
    if number % 2 == 0:
        check_some(scene, root, number // 2, wrong)
    build_again(scene, root, number, wrong)
    if number % 4 == 1:
        code, _, said = scene.run(root, "prune", "--all")
        if code:
            wrong.append(f"prune: exit code {code}: {said}")
    if number % 4 < 2:
        check_check(scene, root, wrong, "at the end")
    return wrong, notes


def repeat(scene, root, promise, ends, refs, wrong):
    """What was cut off is done again, and then is done."""
    for number, mark in promise.busy.items():
        if mark["argv"][0] == "tag" and canonical(mark["argv"][1]) not in refs:
            continue  # what it names was pruned, or is not here yet
        code, _, said = scene.run(root, *mark["argv"])
        values = {name: read_values(root).get(name) for name in mark["names"]}
        if code or values != ends[number]["values"]:
            wrong.append(f"again {' '.join(mark['argv'])}: exit code {code}, {values}: {said}")


def check_some(scene, root, number, wrong):
    """One of the images runs, and is what it was."""
    refs = sorted(read_refs(root).items())
    if refs:
        name, (digest, _) = refs[number % len(refs)]
        check_run(scene, root, name, digest, wrong)


def build_again(scene, root, number, wrong):
    """A build gives what it gave."""
    refs = read_refs(root)
    if canonical("base") not in refs:
        return
    turn = 10 * (1 + number % scene.rounds)
    code, out, said = scene.run(root, *scene.build("again", turn))
    if code or out.strip() != scene.ids["app", turn]:
        wrong.append(f"build: exit code {code}, {out.strip()}, not {scene.ids['app', turn]}: "
                     f"{said}")
    elif number % 2 == 1:
        check_run(scene, root, "again", read_refs(root)[canonical("again")][0], wrong)


# ---- the machine that comes up again ----

class NoMount(Exception):
    """The file system itself did not come back."""


def judge(scene, image, kind, options, place, look):
    """Mount a copy of the image in another boot, and let `look` look at it. In a child, which has
    mounts of its own already. What `look` gives."""
    copy = image.copy()
    loop = Loop(copy.fd)
    copy.close()
    try:
        mount(loop.path, place, kind, MS_NOATIME, options)
    except OSError as error:
        raise NoMount(str(error)) from error
    finally:
        loop.close()
    try:
        return look(place + "/store")
    finally:
        call("umount2", place, MNT_DETACH)


def another_boot(place):
    """For this process and its children the machine was booted anew."""
    with open(place, "w") as file:
        file.write("00000000-0000-4000-8000-000000000000\n")
    mount(place, BOOT_ID, None, MS_BIND)
    ctypes.set_errno(0)
