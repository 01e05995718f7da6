#!/usr/bin/env python3
"""verify-store.py ROOT [OPTION]...: hold a store to its laws, with nothing of its own code.

Every blob has the digest that it is called by; every ref leads to a manifest, a config and
layers that exist, with the right sizes and, decompressed, the right diff ids; index.json tells
the same names as refs/; links in diffs/ lead to layers that say so; a step's layer is there, its
files are those of its list; every record matches its sum. With --idle, no process uses the store:
leases/ and tmp/ are empty (trash/ melts when there is time). With
--damaged, a record that does not match its sum counts as absent, as it does for cairn. With
--killed, index.json may be ahead of refs/ by the one change that was cut off between the two; the
image is whole all the same, and the next change of a name mends the view. With --pruned, a prune was
killed: links in diffs/ may have outlived their layers. What is wrong is printed, a line each; exit
code 1.
"""

import fcntl
import functools
import gzip
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import urllib.parse

INDEX = "application/vnd.oci.image.index.v1+json"
wrong = []


def check(good, text):
    if not good:
        wrong.append(text)
    return good


def names(*parts):
    try:
        return sorted(os.listdir(os.path.join(root, *parts)))
    except FileNotFoundError:
        return []


def read(*parts):
    with open(os.path.join(root, *parts), "rb") as file:
        return file.read()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def blob(descriptor, what):
    """The bytes of a blob, or None."""
    algorithm, _, value = descriptor["digest"].partition(":")
    path = os.path.join(root, "blobs", algorithm, value)
    if not check(os.path.isfile(path), f"{what}: blob {value} is missing"):
        return None
    data = read("blobs", algorithm, value)
    check(len(data) == descriptor["size"], f"{what}: blob {value} has {len(data)} bytes, "
          f"not {descriptor['size']}")
    check(sha256(data) == value, f"{what}: blob {value} has other contents")
    return data


@functools.lru_cache(maxsize=200)  # for who verifies many stores with the same layers
def plain(data, media_type):
    if media_type.endswith("+gzip") or media_type.endswith(".gzip"):
        return gzip.decompress(data)
    if media_type.endswith("+zstd"):
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    return data


def check_manifest(descriptor, what):
    data = blob(descriptor, what)
    if data is None:
        return
    manifest = json.loads(data)
    if descriptor["mediaType"] == INDEX:
        for entry in manifest["manifests"]:
            check_manifest(entry, what)
        return
    config_data = blob(manifest["config"], what + " config")
    layers = [(layer, blob(layer, what + " layer")) for layer in manifest["layers"]]
    if config_data is None:
        return
    config = json.loads(config_data)
    ids = config["rootfs"]["diff_ids"]
    check(len(ids) == len(layers), f"{what}: {len(ids)} diff ids for {len(layers)} layers")
    full = [entry for entry in config.get("history", []) if not entry.get("empty_layer")]
    check(len(full) == len(ids), f"{what}: history tells of {len(full)} layers, not {len(ids)}")
    for want, (layer, layer_data) in zip(ids, layers):
        if layer_data is not None:
            got = sha256(plain(layer_data, layer["mediaType"]))
            check(want == "sha256:" + got, f"{what}: a layer's diff id is {got}, not {want}")


def familiar(name):
    for prefix in ("docker.io/library/", "docker.io/"):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def check_names():
    # A change is made to both under this lock: who looks without it may look in between.
    with open(os.path.join(root, "lock", "index")) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        refs = {file: json.loads(read("refs", file)) for file in names("refs")}
        index = json.loads(read("index.json"))
    seen = {}
    for file, ref in refs.items():
        check(urllib.parse.unquote(file) == ref["name"], f"ref {file} says {ref['name']}")
        check_manifest(ref, f"image {ref['name']}")
        seen[familiar(ref["name"])] = ref["digest"]
    check(index["schemaVersion"] == 2, "index.json has no schema version")
    told = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
            for entry in index["manifests"]}
    for entry in index["manifests"]:
        check_manifest(entry, "image of index.json")
    apart = [name for name in told.keys() | seen.keys() if told.get(name) != seen.get(name)]
    check(len(apart) <= ("--killed" in sys.argv), f"index.json and refs/ differ about {apart}")
    check("imageLayoutVersion" in json.loads(read("oci-layout")), "oci-layout is not in order")
    check(json.loads(read("store.json"))["format"] == 1, "store.json is not in order")


def check_ids():
    """An id leads to a manifest or index that has it, or to one that was removed."""
    for shelf in names("ids"):
        for key in names("ids", shelf):
            target = os.path.basename(os.readlink(os.path.join(root, "ids", shelf, key)))
            check(key.startswith(shelf), f"id {key} is in {shelf}")
            if not os.path.exists(os.path.join(root, "blobs", "sha256", target)):
                continue
            document = json.loads(read("blobs", "sha256", target))
            if key != target and "config" in document:
                check(document["config"]["digest"] == "sha256:" + key,
                      f"id {key} leads to {target}, which is another image")


def check_blobs():
    for name in names("blobs", "sha256"):
        check(sha256(read("blobs", "sha256", name)) == name, f"blob {name} has other contents")


def read_record(what, *path):
    """The text of a record; None if it is absent, or damaged and may be so.

    It ends with a line that has the first 16 digits of the digest of all before it."""
    try:
        text = read(*path).decode()
    except FileNotFoundError:
        text = ""
    body, _, last = text[:-1].rpartition("\n")
    good = text.endswith("\n") and last == "sum " + sha256((body + "\n").encode())[:16]
    return text if good or not check("--damaged" in sys.argv, f"{what} is damaged") else None


def fields(text):
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def check_list(lid):
    """The files of a layer are those of its list: same size, same bytes."""
    lines = os.fsdecode(read("layers", lid, "list")).split("\n")[:-1]
    check(lines and lines[-1] == "end", f"layer {lid}: its list is cut short")
    told = {}
    for line in lines[:-1]:
        if line[0] == "f":
            _, _, _, _, size, _, digest, path = line.split(" ", 7)
            told[path] = (int(size), digest)
    found = {}
    top = os.path.join(root, "layers", lid, "fs")
    for directory, _, files in os.walk(top):
        for file in files:
            path = os.path.join(directory, file)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                with open(path, "rb") as handle:
                    found[os.path.relpath(path, top)] = (status.st_size, sha256(handle.read()))
    for path, entry in found.items():
        if re.fullmatch("[a-zA-Z0-9._/-]+", path):  # others are escaped in the list
            check(told.get(path) == entry, f"layer {lid}: '{path}' is {entry}, "
                  f"its list says {told.get(path)}")


def check_layers():
    layers = {}
    for lid in names("layers"):
        text = read_record(f"layer {lid}", "layers", lid, "meta")
        if text is None:
            continue
        layers[lid] = fields(text)
        check(layers[lid]["lid"] == lid, f"layer {lid} calls itself {layers[lid]['lid']}")
        if "list" in names("layers", lid):
            check_list(lid)
    for link in names("diffs"):
        lid = os.path.basename(os.readlink(os.path.join(root, "diffs", link)))
        if lid not in layers and "--pruned" in sys.argv:
            continue
        if check(lid in layers, f"diff {link} leads to {lid}, which is not there"):
            check(layers[lid].get("diff") == "sha256:" + link.partition(".")[0],
                  f"diff {link} leads to a layer that is {layers[lid].get('diff')}")
    return layers


def check_steps(layers):
    for shelf in names("steps"):
        for key in names("steps", shelf):
            text = read_record(f"step {key}", "steps", shelf, key)
            if text is None:
                continue
            record = fields(text.partition("\nsum ")[0])
            check(record["key"] == "sha256:" + key, f"step {key} says {record['key']}")
            lid = record.get("layer", "")
            check(len(lid) < 26 or lid in layers, f"step {key}: layer {lid} is not there")


def main():
    check_names()
    check_ids()
    check_blobs()
    check_steps(check_layers())
    if "--idle" in sys.argv:
        for place in ("leases", "tmp"):
            check(not names(place), f"{place}/ still holds {names(place)}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    root = sys.argv[1]
    sys.exit(main())
