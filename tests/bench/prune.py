#!/usr/bin/env python3
"""prune.py CAIRN DIR: for how long a prune of 10,000 objects holds others up.

The store, made below DIR, has 2,000 images with names (each a manifest, a config and a blob of its
own) and 4,000 blobs that nobody keeps. Printed are the times of a dry run, of the prune and of one
more, and the longest time for which the lock was held, of which the budget is 20 ms.
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


def main():
    program, root = sys.argv[1], os.path.join(sys.argv[2], "prune-store")
    subprocess.run([program, "--root", root, "images"], check=True, stdout=subprocess.DEVNULL)
    for i in range(IMAGES):
        put_image(root, i)
    for i in range(RUBBISH):
        put(root, b"rubbish %d" % i, LAYER)
    time.sleep(3)  # names that were just given are read again by every window
    held = [prune(program, root, "--dry-run"), prune(program, root), prune(program, root)]
    shutil.rmtree(root)
    return max(held) > BUDGET_MS


sys.exit(main())
