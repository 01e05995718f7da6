#!/usr/bin/env python3
"""bench.py CAIRN [OPTION]...: measure cairn and its peers, in turn.

All of them work on one freshly made, journaled ext4 in a file that is mounted. A workload is done
by each tool after the other, round by round, so that a change of the machine's mood hits all of
them. Kept are median and quartiles of wall and CPU seconds, peak memory and system calls (each of
a run of its own), and what the store takes. On a busy machine compare CPU seconds. Needs root.

  --workloads A,B   of workloads.py, transfer.py and growth.py, or of steps, prune-lock, recovery; a
                    beginning of names means all of them (growth, push-, copy-)
  --tools A,B       of cairn, docker, buildah, podman, skopeo, crane
  --rounds N        instead of what each workload has
  --scale small     tries everything out with little of it; kept in a file of its own
  --output FILE     what was measured before and is not measured now stays in it
"""

import argparse
import datetime
import json
import os
import sys

import budgets
import growth
import place
import prune
import recovery
import steps
import transfer
from content import small_base
from measure import Failed, in_turn, peak_memory, row, system_calls, timed
from stats import count, seconds, size
from tools import installed, remove
from workloads import SCALES, WORKLOADS, Scene

OTHERS = {
    "steps": "one RUN step beside runtimes and builders of others",
    "prune-lock": "for how long a prune of 10,000 objects holds others up",
    "recovery": "how much longer a command takes after a kill -9",
}


def numbers(rounds, tools, work):
    return {tool.name: rounds or (work.rounds if tool.name == "cairn" else work.peers)
            for tool in tools}


def look_closer(row_of, scene, tool, scale):
    """What is not timed: one run each for memory and for system calls."""
    per = scene.work.per or scale.files
    scene.get_ready(tool)
    row_of["peak_bytes"] = peak_memory(tool, scene.commands(tool))
    row_of["disk_bytes"] = tool.disk()
    if per > 0:
        scene.get_ready(tool)
        calls = system_calls(tool, scene.commands(tool)[0])
        if calls:
            row_of["system_calls"], row_of["calls_each"] = calls, calls / per


def build_workload(name, options, tools, top, beside):
    """{what, rows, limits} of one workload of the table."""
    work = WORKLOADS[name]
    scene = Scene(name, work, options.scale, top, beside)
    by_name = {tool.name: tool for tool in tools}
    try:
        can = [tool for tool in tools if scene.prepare(tool)]
        rounds = numbers(options.rounds, can, work)

        def one(tool_name):
            tool = by_name[tool_name]
            scene.get_ready(tool)
            return timed(tool, scene.commands(tool))

        rows = {tool: row(samples) for tool, samples in in_turn(rounds, one).items()}
        for tool in can:
            look_closer(rows[tool.name], scene, tool, options.scale)
        limits = work.limits(top, scene.base, tools[0]) if work.limits else {}
    finally:
        for tool in tools:
            tool.close()
            remove(tool.root)
        remove(scene.context)
    return {"what": work.what, "rows": rows,
            "limits": {limit: row([sample]) for limit, sample in limits.items()}}


def show(name, result):
    for tool, each in {**result.get("rows", {}), **result.get("limits", {})}.items():
        wall = each["wall_s"]
        more = [f"cpu {seconds(each['cpu_s']['median'])}"] if each.get("cpu_s") else []
        more += [f"peak {size(each['peak_bytes'])}"] if each.get("peak_bytes") else []
        more += [f"calls {count(each['system_calls'])}"] if each.get("system_calls") else []
        more += [f"requests {each['requests']}"] if each.get("requests") else []
        more += [f"disk {size(each['disk_bytes'])}"] if each.get("disk_bytes") else []
        print(f"{name:26} {tool:10} {seconds(wall['median']):>9} ({seconds(wall['q1'])} .. "
              f"{seconds(wall['q3'])}, {each['rounds']} rounds)  {'  '.join(more)}", flush=True)


def measure(name, options, tools, top, beside):
    cairn = tools[0]
    if name in WORKLOADS:
        return build_workload(name, options, tools, top, beside)
    if name in growth.CURVES:
        return growth.measure(name, options, tools, top, beside)
    if name in transfer.WORKLOADS:
        return transfer.measure(name, options, cairn.program, top)
    small = options.scale.name == "small"
    if name == "steps":
        rows = steps.measure(cairn.program, top, small_base(beside), options.rounds or steps.RUNS)
    elif name == "prune-lock":
        rows = prune.measure(cairn.program, top, 50 if small else 1)
    else:
        rows = recovery.measure(cairn.program, top, options.rounds or recovery.ROUNDS,
                                300 if small else recovery.FILES)
    return {"what": OTHERS[name], **rows}


def chosen(wanted, names):
    """The names that are wanted, in the order of the table; all of them if none is."""
    words = [word for word in wanted.split(",") if word]
    for word in words:
        if not any(name.startswith(word) for name in names):
            sys.exit(f"there is no workload '{word}'; there are {', '.join(names)}")
    return [name for name in names
            if not words or any(name == word or (word not in names and name.startswith(word))
                                for word in words)]


def parse_options():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cairn", type=os.path.abspath)
    parser.add_argument("--workloads", default="")
    parser.add_argument("--tools", default="")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--scale", default="full", choices=SCALES)
    parser.add_argument("--output", default="build/bench/results.json")
    options = parser.parse_args()
    options.scale = SCALES[options.scale]
    if options.scale.name == "small":
        options.rounds = min(options.rounds or options.scale.rounds, options.scale.rounds)
        options.output = options.output.replace(".json", "-small.json")
    options.tools = [word for word in options.tools.split(",") if word]
    return options


def keep(path, results, name, result):
    """After each workload, so that nothing is lost with a later one."""
    now = datetime.datetime.now(datetime.timezone.utc)
    result.update(date=f"{now:%Y-%m-%d}", load=round(os.getloadavg()[0], 1))
    results["date"] = result["date"]
    results["workloads"][name] = result
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    os.rename(path + ".new", path)


def start(path, scale, tools, more):
    """What was measured before, on the same machine, and what now is the case."""
    try:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    except FileNotFoundError:
        results = {"workloads": {}, "tools": {}}
    if results.get("machine", place.machine()) != place.machine():
        sys.exit(f"{path} was measured on another machine: move it away")
    versions = {tool.name: tool.version() for tool in tools}
    results.update(format=1, scale=scale.name, machine=place.machine(),
                   tools={**results["tools"], **versions, **more})
    return results


def main():
    options = parse_options()
    if os.geteuid() != 0:
        sys.exit("bench.py mounts file systems: it needs root")
    names = chosen(options.workloads,
                   [*WORKLOADS, *transfer.WORKLOADS, *OTHERS, *growth.CURVES])
    with place.disk() as (top, beside):
        tools = installed(top, options.cairn, [*options.tools, "cairn"] if options.tools else [])
        results = start(options.output, options.scale, tools, transfer.versions(options.tools))
        try:
            for name in names:
                print(f"# {name}", flush=True)
                try:
                    result = measure(name, options, tools, top, beside)
                except Failed as error:
                    print(f"{name}: left out, {error}", flush=True)
                    continue
                show(name, result)
                keep(options.output, results, name, result)
        finally:
            for tool in tools:
                tool.close()
    print()
    for line in budgets.judge(results):
        print(f"{line.verdict:8} {line.work}: {line.budget}; {line.measured}")
    print(f"kept in {options.output}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
