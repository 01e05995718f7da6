#!/usr/bin/env python3
"""images.py - OCI layouts of images that are right, and of images that nobody should accept.

    images.py DIR NAME[=TAG] [OPTION]...

writes the image NAME into the layout DIR (made if it is not there, else added to) under the tag
TAG (NAME itself unless said) and prints the digest. Nothing in it depends on time or machine.

    good            --layers N (2), --size BYTES of each (64 KiB) of noise that no gzip makes smaller,
                    --kind gzip|zstd|tar, --docker for Docker's media types, --index around it,
                    --platform OS/ARCH (of the index entry), --seed N for other contents
    one of WRONG    a document that breaks a rule, each in one way, and no other
    one of BOMBS    an image whose layer is more, or other, than it seems

`images.py list wrong` and `images.py list bombs` print their names.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
INDEX, MANIFEST, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"
DOCKER_TYPES = {MANIFEST: DOCKER + "distribution.manifest.v2+json",
                INDEX: DOCKER + "distribution.manifest.list.v2+json",
                CONFIG: DOCKER + "container.image.v1+json",
                LAYER + "+gzip": DOCKER + "image.rootfs.diff.tar.gzip",
                LAYER: DOCKER + "image.rootfs.diff.tar"}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(document):
    return json.dumps(document, separators=(",", ":")).encode()


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)
        with open(os.path.join(path, "oci-layout"), "w", encoding="ascii") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, kind):
        """The descriptor of these bytes, which are there now."""
        digest = sha256(data)
        with open(os.path.join(self.path, "blobs", "sha256", digest[7:]), "wb") as file:
            file.write(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def name(self, tag, descriptor):
        path = os.path.join(self.path, "index.json")
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                index = json.load(file)
        key = "org.opencontainers.image.ref.name"
        others = [each for each in index["manifests"] if each["annotations"][key] != tag]
        index["manifests"] = others + [{**descriptor, "annotations": {key: tag}}]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(index, file)


def tar_of(files):
    """A tar of {path: bytes}, which belongs to root and has no times."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def packed(data, kind):
    if kind == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if kind == "zstd":
        return subprocess.run(["zstd", "-qc1", "--no-check"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    return data


def suffix(kind):
    return "" if kind == "tar" else "+" + kind


def config_of(diff_ids):
    return dump({"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
                 "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
                 "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests"}
                             for _ in diff_ids]})


def manifest_of(layout, layers, diff_ids, types=lambda kind: kind):
    config = layout.blob(config_of(diff_ids), types(CONFIG))
    return {"schemaVersion": 2, "mediaType": types(MANIFEST), "config": config, "layers": layers}


def good(layout, opts):
    """The descriptor of a right image."""
    def types(kind):
        return DOCKER_TYPES.get(kind, kind) if opts.docker else kind

    layers, diff_ids = [], []
    for number in range(opts.layers):
        noise = random.Random(opts.seed * 1000 + number).randbytes(opts.size)
        tar = tar_of({f"layer-{number}": noise})
        layers.append(layout.blob(packed(tar, opts.kind), types(LAYER + suffix(opts.kind))))
        diff_ids.append(sha256(tar))
    manifest = layout.blob(dump(manifest_of(layout, layers, diff_ids, types)), types(MANIFEST))
    if not opts.index:
        return manifest
    system, _, machine = opts.platform.partition("/")
    entry = {**manifest, "platform": {"architecture": machine, "os": system}}
    index = {"schemaVersion": 2, "mediaType": types(INDEX), "manifests": [entry]}
    return layout.blob(dump(index), types(INDEX))


# ---- documents that break one rule ----

def sound(layout):
    """A manifest of one small layer, to be broken."""
    tar = tar_of({"file": b"contents\n"})
    layer = layout.blob(packed(tar, "gzip"), LAYER + "+gzip")
    return manifest_of(layout, [layer], [sha256(tar)])


def document(layout, value, kind=MANIFEST):
    return layout.blob(value if isinstance(value, bytes) else dump(value), kind)


def media_type(layout):
    """It calls itself an index; who serves it says manifest."""
    return document(layout, {**sound(layout), "mediaType": INDEX})


def both(layout):
    return document(layout, {**sound(layout), "manifests": []})


def nested(layout, depth=1000):
    inner = document(layout, sound(layout))
    for _ in range(depth):
        inner = document(layout, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]},
                         INDEX)
    return inner


def deep(layout):
    """JSON of 100 000 brackets."""
    text = dump(sound(layout))[:-1] + b',"x":' + b"[" * 100000 + b"]" * 100000 + b"}"
    return document(layout, text)


def large(layout):
    """5 MiB: more than registries take, less than a client may read."""
    return document(layout, {**sound(layout), "annotations": {"x": "y" * (5 << 20)}})


def huge(layout):
    return document(layout, {**sound(layout), "annotations": {"x": "y" * (40 << 20)}})


def twice(layout):
    """Two lists of layers in one object."""
    text = dump(sound(layout))
    return document(layout, text[:-1] + b',"layers":[]}')


def no_utf8(layout):
    return document(layout, dump({**sound(layout), "annotations": {"x": "YY"}})
                    .replace(b"YY", b"\xc3\x28"))


def layer_with(**fields):
    def make(layout):
        manifest = sound(layout)
        manifest["layers"][0].update(fields)
        return document(layout, manifest)
    return make


def size_as_text(text):
    def make(layout):
        manifest = sound(layout)
        manifest["layers"][0]["size"] = "SIZE"
        return document(layout, dump(manifest).replace(b'"SIZE"', text))
    return make


def config_digest(layout):
    manifest = sound(layout)
    manifest["config"]["digest"] = "sha256:../../../../etc/passwd"
    return document(layout, manifest)


def cut_short(layout):
    return document(layout, dump(sound(layout))[:-20])


def not_json(layout):
    return document(layout, b"<!doctype html><title>Sign in</title>\x1b[31mred\n")


def many(layout):
    entry = document(layout, sound(layout))
    return document(layout, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] * 20000},
                    INDEX)


def schema1(layout):
    return document(layout, {"schemaVersion": 1, "name": "a/b", "tag": "1", "fsLayers": [],
                             "history": []}, DOCKER + "distribution.manifest.v1+json")


def wrong_diff_id(layout):
    layer = layout.blob(packed(tar_of({"file": b"contents\n"}), "gzip"), LAYER + "+gzip")
    return document(layout, manifest_of(layout, [layer], ["sha256:" + "0" * 64]))


# ---- layers that are more than they seem ----

def image_of(layout, layer, kind, diff_id):
    return document(layout, manifest_of(layout, [layout.blob(layer, LAYER + suffix(kind))],
                                        [diff_id]))


def large_file(size):
    """The tar header of a file of so many bytes. They are no zeros: holes would cost nothing."""
    info = tarfile.TarInfo("large")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def gzip_bomb(layout):
    """64 GiB in 64 MB: members of 16 MiB of one letter. Its diff id is not known to anybody."""
    member = gzip.compress(b"x" * (16 << 20), 9, mtime=0)
    start = gzip.compress(large_file(64 << 30), 9, mtime=0)
    return image_of(layout, start + member * 4096, "gzip", "sha256:" + "1" * 64)


def zstd_frame(window_log, blocks):
    """A frame by hand: no checksum, no size, this window."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3]) + blocks


def zstd_block(kind, size, data, last=False):
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + data


def zstd_bomb(layout):
    """64 GiB in 2 MB: blocks that say "128 KiB of this byte"."""
    start = large_file(64 << 30)
    blocks = zstd_block(0, 512, start) + zstd_block(1, 128 << 10, b"x") * (1 << 19)
    frame = zstd_frame(17, blocks + zstd_block(0, 0, b"", last=True))
    return image_of(layout, frame, "zstd", "sha256:" + "1" * 64)


def zstd_window(layout):
    """A right layer that demands a window of 2 GiB."""
    tar = tar_of({"file": b"contents\n"})
    frame = zstd_frame(31, zstd_block(0, len(tar), tar, last=True))
    return image_of(layout, frame, "zstd", sha256(tar))


def garbage(layout):
    """What follows the end of the gzip is no member."""
    tar = tar_of({"file": b"contents\n"})
    return image_of(layout, packed(tar, "gzip") + b"garbage" * 100, "gzip", sha256(tar))


def members(layout):
    """Right: three gzip members, cut anywhere, are one tar."""
    tar = tar_of({"file": b"contents\n" * 1000})
    parts = tar[:700], tar[700:5000], tar[5000:]
    return image_of(layout, b"".join(packed(part, "gzip") for part in parts), "gzip", sha256(tar))


def frames(layout):
    """Right: two zstd frames with a skippable one between them."""
    tar = tar_of({"file": b"contents\n" * 1000})
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    return image_of(layout, packed(tar[:700], "zstd") + skipped + packed(tar[700:], "zstd"), "zstd",
                    sha256(tar))


def liar(layout):
    """A gzip that calls itself zstd."""
    tar = tar_of({"file": b"contents\n"})
    return image_of(layout, packed(tar, "gzip"), "zstd", sha256(tar))


def truncated(layout):
    """A blob that is what its digest says, and whose gzip has no end."""
    tar = tar_of({"file": random.Random(7).randbytes(10000)})
    return image_of(layout, packed(tar, "gzip")[:-500], "gzip", sha256(tar))


def escape(layout):
    """A tar that would leave its root."""
    tar = tar_of({"../../../../escaped": b"out\n"})
    return image_of(layout, packed(tar, "gzip"), "gzip", sha256(tar))


WRONG = {"media-type": media_type, "both": both, "nested": nested, "deep": deep, "huge": huge,
         "twice": twice, "no-utf8": no_utf8, "cut-short": cut_short, "not-json": not_json,
         "many": many, "schema1": schema1, "wrong-diff-id": wrong_diff_id,
         "negative-size": size_as_text(b"-1"), "size-2-63": size_as_text(b"9223372036854775808"),
         "size-2-64": size_as_text(b"18446744073709551617"), "real-size": size_as_text(b"1e3"),
         "digest-path": layer_with(digest="sha256:../../x"), "config-digest": config_digest,
         "digest-short": layer_with(digest="sha256:abc"),
         "digest-upper": layer_with(digest="sha256:" + "A" * 64),
         "digest-unknown": layer_with(digest="md5:" + "a" * 32),
         "other-size": layer_with(size=7), "missing-blob": layer_with(digest="sha256:" + "a" * 64)}
BOMBS = {"gzip-bomb": gzip_bomb, "zstd-bomb": zstd_bomb, "zstd-window": zstd_window,
         "garbage": garbage, "members": members, "frames": frames, "liar": liar,
         "truncated": truncated, "escape": escape, "large": large}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--size", type=int, default=64 << 10)
    parser.add_argument("--kind", default="gzip", choices=["gzip", "zstd", "tar"])
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--platform", default="linux/amd64")
    parser.add_argument("--seed", type=int, default=1)
    opts = parser.parse_args()
    if opts.directory == "list":
        print(*(WRONG if opts.names == ["wrong"] else BOMBS), sep="\n")
        return
    layout = Layout(opts.directory)
    for text in opts.names:
        name, _, tag = text.partition("=")
        make = {**WRONG, **BOMBS}.get(name)
        if not make and name != "good":
            sys.exit(f"no image of this name: {name}")
        descriptor = make(layout) if make else good(layout, opts)
        layout.name(tag or name, descriptor)
        print(descriptor["digest"])


if __name__ == "__main__":
    main()
