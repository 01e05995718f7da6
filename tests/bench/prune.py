#!/usr/bin/env python3
"""prune.py CAIRN DIR: for how long a prune of 10,000 objects holds others up.

The store, made below DIR, has 2,000 images with names (each a manifest, a config and a blob of its
own) and 4,000 blobs that nobody keeps. Printed are the times of a dry run, of the prune and of one
more, and the longest time for which the lock was held, of which the budget is 20 ms. That is done
twice: when the names have rested, and in the moment after all of them were given. `make bench
WORKLOADS=prune-lock` does it on a disk of its own.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

IMAGES, RUBBISH, BUDGET_MS = 2000, 4000, 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def put(root, data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(root, "blobs", "sha256", digest), "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def put_image(root, number):
    layer = put(root, b"layer %d" % number, LAYER)
    config = put(root, json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": [layer["digest"]]}}).encode(), CONFIG)
    manifest = put(root, json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
                                     "layers": [layer]}).encode(), MANIFEST)
    name = f"docker.io%2flibrary%2fimage-{number}%3alatest"
    with open(os.path.join(root, "refs", name), "w", encoding="ascii") as file:
        json.dump(dict(manifest, name=f"docker.io/library/image-{number}:latest",
                       updated="2026-01-01T00:00:00Z"), file)


def prune(program, root, *options):
    begin = time.monotonic()
    out = subprocess.run([program, "--root", root, "prune", "--all", "--format", "json", *options],
                         check=True, stdout=subprocess.PIPE).stdout
    report = json.loads(out)
    removed = sum(kind["count"] for kind in report["removed"])
    held = report["lock_held"] / 1e6
    print(f"prune {' '.join(options):10} {time.monotonic() - begin:6.2f} s, {removed} removed, "
          f"lock held {held:.2f} ms at most")
    return held


def measure(program, top, part=1):
    """A row for each: the longest hold of the prune that removes all rubbish, and of the next. Of
    everything there is one in `part`."""
    rows = {}
    for rest in (3, 0):
        root = os.path.join(top, "prune-store")
        subprocess.run([program, "--root", root, "images"], check=True, stdout=subprocess.DEVNULL)
        for i in range(RUBBISH // part):
            put(root, b"rubbish %d" % i, LAYER)
        for i in range(IMAGES // part):
            put_image(root, i)
        print("names that have rested:" if rest else "names that were just given:", flush=True)
        time.sleep(rest)
        held = [prune(program, root), prune(program, root, "--dry-run"), prune(program, root)]
        rows["rested" if rest else "fresh"] = {"lock_held_ms": max(held), "budget_ms": BUDGET_MS}
        shutil.rmtree(root)
    return {"held": rows}


def main():
    rows = measure(sys.argv[1], sys.argv[2])["held"]
    return max(row["lock_held_ms"] for row in rows.values()) > BUDGET_MS


if __name__ == "__main__":
    sys.exit(main())
