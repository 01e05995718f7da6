"""growth: cost against how much there is of something, as a table.

Each curve is one command at many sizes; of a peer only the sizes up to `peers`, which its builder
can bear. The fitted exponent is the slope of the upper half on logarithmic scales: 1 is linear.
"""

import os
from dataclasses import dataclass
from typing import Callable, Optional

import content
import prune
from content import recipe, write
from measure import Failed, in_turn, run, run_together, timed
from stats import exponent, seconds, spread
from tools import remove

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
FILES = (10, 100, 1000, 5000, 20000, 50000, 100000, 200000)
LAYERS = (1, 2, 5, 10, 20, 50, 100, 200, 300)
IMAGES = (1, 10, 100, 1000, 3000, 10000)
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 22, 1 << 25, 1 << 28, 1 << 30, 1 << 32)


@dataclass
class Curve:
    what: str
    axis: str
    sizes: tuple
    context: Callable  # (directory, size)
    peers: int = 0  # the largest size for the others
    warm: bool = False
    small: int = 20  # the largest size when all is tried out
    prepare: Optional[Callable] = None  # (tool, context, size), before anything is built
    command: Optional[Callable] = None  # (tool, context): instead of a build


def steps(context, number):
    recipe(context, "FROM base", *(f"RUN echo {n} > /f{n % 50}" for n in range(number)))


def files(context, number):
    recipe(context, "FROM base", "COPY src /src")
    content.apart(content.tree, f"{context}/src", number, number * 1000)


def layers(context, number):
    recipe(context, "FROM base", *(f"COPY f{n} /c{n}" for n in range(number)))
    for n in range(number):
        write(f"{context}/f{n}", f"{n}\n" * 100)


def step_on_layers(context, number):
    layers(f"{context}/below", number)
    recipe(context, "FROM below", "RUN echo x > /x")


def build_below(tool, context, _size):
    run(tool.build(f"{context}/below", tag="below"), tool.env)


def images(context, _number):
    recipe(context, "FROM base", "COPY f /f", *(f"RUN echo {n} > /f{n}" for n in range(5)))
    write(f"{context}/f", "f\n")


def fill_store(tool, _context, number):
    for n in range(number):
        prune.put_image(tool.root, n)


def one_file(context, length):
    recipe(context, "FROM base", "COPY file /file")
    content.apart(content.mixed, f"{context}/file", length)


CURVES = {
    "growth-steps": Curve("unchanged rebuild", "steps", STEPS, steps, 20, warm=True),
    "growth-steps-run": Curve("trivial RUN steps, uncached", "steps", STEPS, steps, 20),
    "growth-files": Curve("COPY, uncached", "files of 1 KB", FILES, files, 20000, small=1000),
    "growth-files-unchanged": Curve("COPY, unchanged", "files of 1 KB", FILES, files, 20000,
                                    warm=True, small=1000),
    "growth-layers": Curve("COPY layers, uncached", "layers", LAYERS, layers, 50),
    "growth-layers-run": Curve("one RUN on so many layers", "layers", LAYERS, step_on_layers, 50,
                               prepare=build_below),
    "growth-images": Curve("unchanged rebuild beside other images", "images in the store", IMAGES,
                           images, warm=True, small=100, prepare=fill_store),
    "growth-images-tag": Curve(
        "one more name for an image", "images in the store", IMAGES, images, warm=True, small=100,
        prepare=fill_store, command=lambda tool, context: [tool.program, "tag", "bench", "more"]),
    "growth-images-inspect": Curve(
        "look at one image", "images in the store", IMAGES, images, warm=True, small=100,
        prepare=fill_store, command=lambda tool, context: [tool.program, "inspect", "bench"]),
    "growth-size": Curve("COPY of one file, uncached", "bytes of the file", SIZES, one_file,
                         1 << 30, small=1 << 22),
}


def command(curve, tool, context):
    if curve.command:
        return curve.command(tool, context)
    return tool.build(context, *([] if curve.warm else ["--no-cache"]))


def get_ready(curve, tool, context, base, size):
    """Is it able to? It has done it once."""
    try:
        tool.fresh()
        tool.load(base, "base")
        if curve.prepare:
            curve.prepare(tool, context, size)
        for _ in range(2 if curve.warm else 1):
            run(tool.build(context), tool.env)
        run_together([command(curve, tool, context)], tool.env)
        return True
    except Failed as error:
        if tool.name == "cairn":
            raise
        print(f"{tool.name} at {size}: left out, {error}", flush=True)
        return False


def one_size(curve, tools, top, base, size, asked):
    """{tool: spread of seconds} at one size."""
    context = f"{top}/context/{size}"
    os.makedirs(context)
    by_name = {tool.name: tool for tool in tools}
    try:
        curve.context(context, size)
        can = [tool for tool in tools
               if (tool.name == "cairn" or size <= curve.peers)
               and get_ready(curve, tool, context, base, size)]
        rounds = {tool.name: asked or (5 if tool.name == "cairn" else 2) for tool in can}
        samples = in_turn(rounds, lambda name: timed(
            by_name[name], [command(curve, by_name[name], context)]))
        return {name: spread([sample.wall for sample in found])
                for name, found in samples.items()}
    finally:
        for tool in tools:
            tool.close()
            remove(tool.root)
        remove(context)


def measure(name, options, tools, top, beside):
    """{what, axis, curves: {tool: {points: [[size, spread]...], exponent}}}."""
    curve, curves = CURVES[name], {}
    base = content.small_base(beside)
    small = options.scale.name == "small"
    for size in (size for size in curve.sizes if not small or size <= curve.small):
        for tool, times in one_size(curve, tools, top, base, size, options.rounds).items():
            curves.setdefault(tool, []).append([size, times])
            print(f"{name:26} {tool:10} {size:11} {seconds(times['median']):>9}", flush=True)
    result = {"what": curve.what, "axis": curve.axis, "curves": {}}
    for tool, points in curves.items():
        slope = exponent([(size, times["median"]) for size, times in points])
        result["curves"][tool] = {"points": points, "exponent": slope}
        if slope is not None:
            print(f"{name:26} {tool:10} exponent {slope:.2f}", flush=True)
    return result
