"""workloads: what is built, as a table.

A workload writes a context once, for all tools, and is what each tool does with it in each round.
`warm`: the image is built before the rounds, so that nothing is left to do. What is not warm is
built with --no-cache. `before` is done before each round, and not timed.
"""

import os
from dataclasses import dataclass
from typing import Callable, Optional

import content
from content import recipe, write
from measure import Failed, run, run_together


@dataclass
class Scale:
    """How much there is of everything."""

    name: str
    files: int
    data: int  # bytes of one layer, and of an image that is pushed
    rounds: int  # at most, of anything

    def bytes_of(self, files):
        return files * 10000


SCALES = {"full": Scale("full", 20000, 1 << 30, 1000), "small": Scale("small", 300, 1 << 25, 2)}


@dataclass
class Workload:
    what: str
    context: Callable  # (directory, scale)
    rounds: int = 9
    peers: int = 3  # rounds of the others, which are slower
    warm: bool = False
    base: Callable = lambda top, scale: content.small_base(top)  # -> tar
    before: Optional[Callable] = None  # (tool, context, turn, base)
    command: Optional[Callable] = None  # (tool, context) -> commands, instead of a build
    together: int = 0  # so many builds at once, of contexts 0, 1, ...; 0: one, of the context
    network: bool = False  # steps reach what the machine reaches, and know its proxies
    arguments: Callable = list  # options of the build that this machine tells
    per: int = 0  # system calls are told per one of so many files; 0: of `scale.files`, -1: not
    limits: Optional[Callable] = None  # (top, base, tool) -> {name: Sample}


def twenty_steps(context, _scale):
    lines = ["FROM base"] + [f"RUN echo {n} > /f{n}" for n in range(10)]
    lines += [f"COPY f{n} /c{n}" for n in range(5)] + [f"ENV V{n}={n}" for n in range(5)]
    recipe(context, *lines)
    for n in range(5):
        write(f"{context}/f{n}", f"{n}\n")


def steps_and_files(context, scale):
    twenty_steps(context, scale)
    content.apart(content.tree, f"{context}/src", scale.files, scale.bytes_of(scale.files))
    with open(f"{context}/Recipe", "a", encoding="utf-8") as file:
        file.write("COPY src /src\n")


def thirty_runs(context, _scale):
    recipe(context, "FROM base", *(f"RUN echo {n} > /f{n}" for n in range(30)))


def files(context, scale):
    recipe(context, "FROM base", "COPY src /src")
    content.apart(content.tree, f"{context}/src", scale.files, scale.bytes_of(scale.files))


def change_one_file(_tool, context, turn, _base):
    write(f"{context}/src/d007/f000007.c", f"changed {turn}\n")


def gigabyte(context, _scale):
    recipe(context, "FROM base", "RUN for i in $(seq 16); do cat /data; done > /big")


def gigabyte_limits(top, base, tool):
    """Writing the bytes, and zstd on all cores."""
    data, big = f"{os.path.dirname(base)}/rootfs/data", f"{top}/big"
    wrote = run_together([["sh", "-c", f"for i in $(seq 16); do cat {data}; done > {big}"]],
                         tool.env)
    try:
        packed = run_together([["sh", "-c", f"zstd -q -3 -T0 -c {big} >{big}.zst"]], tool.env)
    finally:
        run(["rm", "-f", big, f"{big}.zst"])
    return {"write": wrote, "zstd": packed}


def four_stages(context, _scale):
    lines = []
    for n in range(4):
        lines += [f"FROM base AS s{n}",
                  f"RUN i={n}; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo $i >/r{n}"]
    lines += ["FROM base"] + [f"COPY --from=s{n} /r{n} /" for n in range(4)]
    recipe(context, *lines)


def forty_layers(context, _scale):
    recipe(context, "FROM base", *(f"COPY f{n} /c{n}" for n in range(40)))
    for n in range(40):
        write(f"{context}/f{n}", f"{n}\n" * 100)


def rubbish(tool, context, _turn, base):
    """An image of 40 layers, to be pruned with its base."""
    tool.load(base, "base")
    run(tool.build(context, "--no-cache"), tool.env)


def several(number):
    def contexts(context, _scale):
        for n in range(number):
            recipe(f"{context}/{n}", "FROM base", f"ENV N={n}",
                   *(f"RUN echo {n} {m} > /f{m}" for m in range(5)), "COPY f /f")
            write(f"{context}/{n}/f", f"{n}\n" * 1000)
    return Workload(f"{number} build{'s' * (number > 1)} at once, of 5 RUN and 1 COPY each",
                    contexts, 7, 2, together=number, per=-1)


WORKLOADS = {
    "start-up": Workload("print the version", lambda context, scale: None, 100, 10,
                         command=lambda tool, context: [tool.start()], per=1),
    "unchanged-20-steps": Workload("unchanged rebuild of 20 steps", twenty_steps, 100, 9,
                                   warm=True, per=1),
    "unchanged-20-steps-files": Workload("unchanged rebuild of 20 steps and 20,000 files",
                                         steps_and_files, 20, 5, warm=True),
    "run-30-steps": Workload("30 trivial RUN steps", thirty_runs, 9, 3, per=30),
    "copy-files": Workload("COPY of 20,000 files, 200 MB", files, 5, 3),
    "copy-files-unchanged": Workload("COPY of 20,000 files, unchanged", files, 20, 5, warm=True),
    "copy-files-one-changed": Workload("COPY of 20,000 files, one changed", files, 5, 3, warm=True,
                                       before=change_one_file),
    "run-1-gb": Workload("a RUN that writes 1 GB", gigabyte, 3, 2, limits=gigabyte_limits,
                         per=-1,
                         base=lambda top, scale: content.small_base(top, scale.data // 16)),
    "four-stages": Workload("four independent stages, each at work in a RUN", four_stages, 5, 3,
                            per=-1),
    "copy-40-layers": Workload("40 COPY layers", forty_layers, 9, 3, per=40),
    "copy-40-layers-unchanged": Workload("40 COPY layers, unchanged", forty_layers, 50, 5,
                                         warm=True, per=40),
    "prune": Workload("prune of an image of 40 layers and all that it took", forty_layers, 5, 3,
                      before=rubbish, command=lambda tool, context: [tool.prune()], per=-1),
    "apt": Workload("application of Debian: apt-get install python3, uncached",
                    content.apt_context, 3, 2, network=True, per=-1,
                    base=lambda top, scale: content.debian_base(top, "--variant=apt")),
    "npm": Workload("application of Node.js: npm ci, tests, production files, uncached",
                    content.npm_context, 3, 2, network=True, per=-1,
                    arguments=content.npm_arguments,
                    base=lambda top, scale: content.debian_base(
                        top, "--variant=extract",
                        "--include=nodejs,npm,ca-certificates,dash,coreutils")),
    "builds-1": several(1),
    "builds-4": several(4),
    "builds-16": several(16),
}


class Scene:
    """A workload with its context and its base, and each tool's store."""

    def __init__(self, name, work, scale, top, place):
        self.work, self.turn = work, 0
        self.context = f"{top}/context/{name}"
        os.makedirs(self.context)
        self.base = work.base(place, scale)
        work.context(self.context, scale)

    def commands(self, tool, cached=False):
        """What the tool does in a round."""
        work = self.work
        if work.command:
            return work.command(tool, self.context)
        flags = [] if work.warm or cached else ["--no-cache"]
        if work.network:
            options, env = content.proxies()
            tool.env.update(env)
            flags += [*options, *work.arguments()]
            if tool.name == "cairn":
                flags += tool.host_network
        if not work.together:
            return [tool.build(self.context, *flags)]
        return [tool.build(f"{self.context}/{n}", *flags, tag=f"bench{n}")
                for n in range(work.together)]

    def prepare(self, tool):
        """Is this tool able to do it? It has done it once."""
        try:
            tool.fresh()
            if not self.work.before or self.work.warm:
                tool.load(self.base, "base")
            # Twice: what was read for the first time is believed the second time.
            for _ in range(2 if self.work.warm else 1):
                self.get_ready(tool)
                run_together(self.commands(tool), tool.env)
            return True
        except Failed as error:
            if tool.name == "cairn":
                raise
            print(f"{tool.name}: left out, {error}", flush=True)
            return False

    def get_ready(self, tool):
        self.turn += 1
        if self.work.before:
            self.work.before(tool, self.context, self.turn, self.base)
