#!/usr/bin/env python3
"""powercut.py CAIRN [OPTION]...: cut the power at every flush, and look what is left.

A store works on a disk that writes down all writes and flushes (disk.py, work.py). Then for each
flush the disk is made again as it was: with all that was written before it and nothing after, and
with some of what was written after it, as a disk may have kept any part of that: whole writes,
single sectors, the first ones. The file system is mounted, which plays its journal back, as if in
another boot, and the store must keep what it had promised by then (judge.py).

  --passes NAME[,NAME]  of those below
  --rounds N            of the work (2)
  --subsets N           of what came after each flush (2)
  --every N             of so many flushes look at one (1)
  --seconds N           for each pass: when it is late, fewer subsets are looked at (0: any time)
  --jobs N              how many look at a time (2)
  --seed N              of all that is chosen by chance (1)
  --keep DIR            keep the log of each pass, and the disk of each state that is wrong
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback

from disk import MARK, MS_NOATIME, PAGE, SECTOR, WRITE, Disk, Image, as_child, call, mount, \
    private_mounts, read_log
from judge import NoMount, Promise, another_boot, check_store, judge
from work import Scene, new_place, record

SIZE = 320 << 20
EXT4 = ["mkfs.ext4", "-q", "-F", "-J", "size=8", "-N", "16384", "-E",
        "lazy_itable_init=0,lazy_journal_init=0"]
# Copies of an xfs have one id, and two of them may be there at once.
PASSES = {  # how it is made, its kind, how it is mounted
    "ext4": (EXT4, "ext4", None),
    "ext4-writeback": (EXT4, "ext4", "data=writeback,noauto_da_alloc,commit=1"),
    "xfs": (["mkfs.xfs", "-q", "-f"], "xfs", "nouuid"),
}


class Span:
    """What happened between two flushes."""

    def __init__(self):
        self.writes, self.marks = [], []


def read_spans(log):
    """One for each flush, the last one without; and how many flushes there were. Flushes with no
    write between them are one."""
    spans, flushes = [Span()], 0
    for kind, offset, data in read_log(log):
        if kind == WRITE:
            spans[-1].writes.append((offset, data))
        elif kind == MARK:
            spans[-1].marks.append(json.loads(bytes(data)))
        else:
            flushes += 1
            if spans[-1].writes:
                spans.append(Span())
    return spans, flushes


def apply(image, writes):
    for offset, data in writes:
        image.bytes[offset:offset + len(data)] = data


def sectors(writes):
    """What a disk writes whole or not at all. The superblock of an ext4 is two sectors with a sum,
    and is written in place: no ext4 comes back with half of it, so it counts as one."""
    for offset, data in writes:
        at = 0
        while at < len(data):
            end = at + SECTOR if offset + at >= PAGE else PAGE - offset
            yield offset + at, data[at:end]
            at = end


def some_of(writes, chance, way):
    """A part of the writes, as a disk may have kept it."""
    if way == 0:  # some sectors
        return [sector for sector in sectors(writes) if chance.random() < 0.5]
    if way == 1:  # some writes
        return [write for write in writes if chance.random() < 0.5]
    if way == 2:  # all but one
        lost = chance.randrange(len(writes))
        return writes[:lost] + writes[lost + 1:]
    last = chance.randrange(len(writes))  # the first ones, the last of them torn
    torn = list(sectors(writes[last:last + 1]))
    return writes[:last] + torn[:chance.randrange(len(torn) + 1)]


class Sweep:
    """One pass through a log, as one of several processes that share the flushes."""

    def __init__(self, options, scene, name, base, spans, place):
        self.options, self.scene, self.name, self.spans = options, scene, name, spans
        _, self.kind, self.mounted = PASSES[name]
        self.place = place
        os.makedirs(place)
        self.image = Image(SIZE)
        self.image.load(base)
        self.ends = {mark["done"]: mark for span in spans for mark in span.marks if "done" in mark}
        self.counts = {"states": 0, "exact": 0, "notes": 0, "late": 0, "gone": 0, "wrong": []}
        self.began = time.monotonic()

    def tell(self, share, fd):
        """What run() counts, into a pipe."""
        private_mounts()
        another_boot(self.place + ".boot")
        with os.fdopen(fd, "w") as result:
            json.dump(self.run(share, self.options.jobs), result)

    def run(self, share, shares):
        promise = Promise()
        for number, span in enumerate(self.spans):
            # The state before the flush at the end of this span: what stood before the span, and
            # any part of the span. All that was said by the end of it counts.
            for mark in span.marks:
                promise.learn(mark)
            if self.is_ours(number, share, shares):
                self.look_at(number, span, promise)
            apply(self.image, span.writes)
        if self.is_ours(len(self.spans), share, shares):
            self.look(len(self.spans), 0, [], promise)
        return self.counts

    def is_ours(self, number, share, shares):
        every = self.options.every
        return number % every == 0 and number // every % shares == share

    def look_at(self, number, span, promise):
        self.look(number, 0, [], promise)
        limit = self.options.seconds
        late = time.monotonic() - self.began > limit * number / len(self.spans)
        for subset in range(self.options.subsets if span.writes else 0):
            if limit and late:
                self.counts["late"] += 1
                continue
            chance = random.Random(f"{self.options.seed} {self.name} {number} {subset}")
            way = (number + subset) % 4
            self.look(number, subset + 1, some_of(span.writes, chance, way), promise)

    def look(self, number, subset, writes, promise):
        state = f"{self.name} {number}.{subset}"
        before = [(offset, bytes(self.image.bytes[offset:offset + len(data)]))
                  for offset, data in writes]
        apply(self.image, writes)
        try:
            wrong, notes = judge(
                self.scene, self.image, self.kind, self.mounted, self.place,
                lambda root: check_store(self.scene, root, promise, self.ends, number + subset))
        except NoMount as error:
            # A directory block of an xfs whose first sector alone is new counts as written when the
            # log is played back. No program can help that; but with whole flushes it comes back.
            print(f"{state}: the file system does not come back: {error}", flush=True)
            wrong, notes = ([] if subset else [f"the file system: {error}"]), 0
            self.counts["gone"] += subset > 0
        except Exception:  # pylint: disable=broad-except
            wrong, notes = [traceback.format_exc()], 0
        if wrong and self.options.keep:
            self.image.save(f"{self.options.keep}/{state.replace(' ', '-')}.img")
        apply(self.image, reversed(before))
        self.counts["states"] += 1
        self.counts["exact"] += subset == 0
        self.counts["notes"] += notes
        self.counts["wrong"] += [f"{state} ({promise.said} commands done): {line}"
                                 for line in wrong]
        for line in wrong:
            print(f"{state} ({promise.said} commands done): {line}", file=sys.stderr, flush=True)


def sweep(options, scene, name, base, log, place):
    """Look at all flushes, by several processes."""
    spans, flushes = read_spans(log)
    workers = []
    for share in range(options.jobs):
        end, beginning = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            one = Sweep(options, scene, name, base, spans, f"{place}/state{share}")
            as_child(lambda: one.tell(share, beginning))
        os.close(beginning)
        workers.append((child, end))
    total = {"states": 0, "exact": 0, "notes": 0, "late": 0, "gone": 0, "wrong": []}
    for child, end in workers:
        with os.fdopen(end) as result:
            text = result.read()
        os.waitpid(child, 0)
        for key, value in (json.loads(text) if text else {"wrong": ["a judge died"]}).items():
            total[key] += value
    writes = sum(len(span.writes) for span in spans)
    print(f"{name}: {flushes} flushes of {writes} writes, {len(spans)} of them apart; "
          f"{total['exact']} states at a flush, {total['states'] - total['exact']} with a part of "
          f"what came after ({total['gone']} of them without a file system that can be mounted), "
          f"{total['late']} left out for time; {total['notes']} notes; "
          f"{len(total['wrong'])} violations", flush=True)
    return total


def make_log(options, scene, name, base, log, place):
    make, kind, mounted = PASSES[name]
    with open(base, "wb") as file:
        file.truncate(SIZE)
    subprocess.run([*make, base], check=True)
    image = Image(SIZE)
    image.load(base)
    for part in ("fuse", "mnt"):
        os.makedirs(f"{place}/{part}")
    disk = Disk(image, place + "/fuse", log)
    mount(disk.path, place + "/mnt", kind, MS_NOATIME, mounted)
    try:
        record(scene, disk, place + "/mnt", options.seed)
    finally:
        unmount(place + "/mnt")
        disk.close()
        image.close()


def unmount(place):
    for _ in range(600):  # a flusher may still be at work
        try:
            return call("umount2", place, 0)
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{place} is still in use")


def parse_options():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cairn")
    parser.add_argument("--passes", default=",".join(PASSES))
    for name, value in (("subsets", 2), ("rounds", 2), ("jobs", 2), ("seconds", 0), ("seed", 1),
                        ("every", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--keep")
    return parser.parse_args()


def main():
    options = parse_options()
    if os.geteuid() != 0:
        raise SystemExit("powercut.py mounts file systems: it needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    private_mounts()
    place = options.keep = options.keep and os.path.abspath(options.keep)
    if place:
        os.makedirs(place)
    else:
        place = new_place()
    wrong = 0
    try:
        scene = Scene(os.path.abspath(options.cairn), place + "/scene", options.rounds)
        for name in options.passes.split(","):
            here, began = f"{place}/{name}", time.monotonic()
            os.makedirs(here)
            make_log(options, scene, name, here + "/base", here + "/log", here)
            print(f"{name}: recorded in {time.monotonic() - began:.1f} s", flush=True)
            wrong += len(sweep(options, scene, name, here + "/base", here + "/log", here)["wrong"])
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
