"""budgets: design section 8 as a table, and what was measured beside it."""

from collections import namedtuple
from dataclasses import dataclass

from stats import ratio, seconds, size

Line = namedtuple("Line", "work budget measured share verdict")
BUILDERS = ("docker", "buildah", "podman")


@dataclass
class Budget:
    work: str
    workload: str
    wall: float = 0  # seconds, at most
    parts: int = 1  # steps in the workload: the budget is that of one
    faster: tuple = ()  # (tools, times): than the fastest of these that was measured
    limit: float = 0  # times the slowest of what bounds it
    requests: int = 0


PULLERS = ("podman", "buildah", "crane")  # skopeo makes no root filesystem
PUSHERS = ("skopeo", "podman", "crane")
BUDGETS = [
    Budget("unchanged rebuild, 20 steps", "unchanged-20-steps", 0.005, faster=((BUILDERS, 50),)),
    Budget("unchanged rebuild, 20,000 files", "unchanged-20-steps-files", 0.040),
    Budget("COPY of 20,000 files, unchanged", "copy-files-unchanged", 0.040),
    Budget("one trivial RUN", "run-30-steps", 0.008, 30,
           ((("docker",), 10), (("buildah",), 50))),
    Budget("COPY of 20,000 files, uncached", "copy-files", 0.9, faster=((BUILDERS, 7),)),
    Budget("RUN that writes 1 GB", "run-1-gb", limit=1.3),
    Budget("push of what is there", "push-present", requests=3),
    Budget("first push, gzip", "push-gzip-1", limit=1.2, faster=((PUSHERS, 1),)),
    Budget("first push, zstd", "push-zstd-1", limit=1.2, faster=((PUSHERS, 1),)),
    Budget("first push, gzip, 40 layers", "push-gzip-40", faster=((PUSHERS, 1),)),
    Budget("first push, zstd, 40 layers", "push-zstd-40", faster=((PUSHERS, 1),)),
    Budget("pull of 1 GB, gzip", "pull-gzip-1", 2.7, faster=((PULLERS, 3),)),
    Budget("pull of 1 GB, zstd", "pull-zstd-1", 1.8, faster=((PULLERS, 3),)),
    Budget("40 COPY layers, uncached", "copy-40-layers", 0.150),
    Budget("40 COPY layers, cached", "copy-40-layers-unchanged", 0.006),
]
MEMORY, LOCK_MS, FLAT = 64e6, 20, 1.25


def verdict(met):
    return "met" if met else "missed"


def against_limits(budget, result, wall):
    bounds = {name: row["wall_s"]["median"] for name, row in result.get("limits", {}).items()}
    if not (budget.limit and bounds):
        return
    slowest = max(bounds, key=bounds.get)
    yield Line(budget.work, f"{budget.limit:g} times what bounds it",
               f"{seconds(wall)}, {slowest} {seconds(bounds[slowest])}",
               wall / bounds[slowest] / budget.limit,
               verdict(wall <= budget.limit * bounds[slowest]))


def against_peers(budget, rows, wall):
    for tools, times in budget.faster:
        peers = {tool: rows[tool]["wall_s"]["median"] for tool in tools if tool in rows}
        if peers:
            best = min(peers, key=peers.get)
            yield Line(budget.work, f"{times} times as fast as {best}",
                       f"{ratio(peers[best] / wall)} of {seconds(peers[best] / budget.parts)}",
                       times * wall / peers[best], verdict(peers[best] >= times * wall))


def of_workload(budget, result):
    rows = result["rows"]
    wall = rows["cairn"]["wall_s"]["median"]
    if budget.wall:
        each = wall / budget.parts
        yield Line(budget.work, seconds(budget.wall), seconds(each), each / budget.wall,
                   verdict(each <= budget.wall))
    yield from against_limits(budget, result, wall)
    yield from against_peers(budget, rows, wall)
    if budget.requests:
        sent = rows["cairn"]["requests"]
        yield Line(budget.work, f"{budget.requests} requests", str(sent), sent / budget.requests,
                   verdict(sent <= budget.requests))


def of_memory(workloads):
    """The largest of all workloads that are one command, and whose steps are smaller than it."""
    peaks = {name: result["rows"]["cairn"]["peak_bytes"] for name, result in workloads.items()
             if result.get("rows", {}).get("cairn", {}).get("peak_bytes")
             and not name.startswith(("builds-", "apt", "npm"))}
    if peaks:
        worst = max(peaks, key=peaks.get)
        yield Line("resident memory", size(MEMORY), f"{size(peaks[worst])} ({worst})",
                   peaks[worst] / MEMORY, verdict(peaks[worst] <= MEMORY))


def of_others(workloads):
    if "prune-lock" in workloads:
        held = max(row["lock_held_ms"] for row in workloads["prune-lock"]["held"].values())
        yield Line("prune of 10,000 objects", f"lock held {LOCK_MS} ms", seconds(held / 1000),
                   held / LOCK_MS, verdict(held <= LOCK_MS))
    for name, row in workloads.get("recovery", {}).get("recovery", {}).items():
        yield Line(f"after a kill: {name}", f"{row['budget_ms']} ms more",
                   f"{row['more_ms']:.1f} ms", max(row["more_ms"], 0) / row["budget_ms"],
                   verdict(row["more_ms"] <= row["budget_ms"]))
    for name, result in workloads.items():
        if name.startswith("growth-images"):
            points = result["curves"]["cairn"]["points"]
            first, last = points[0], points[-1]
            times = last[1]["median"] / first[1]["median"]
            yield Line(f"{result['what']}, {last[0]:,}", f"as with {first[0]:,} ({FLAT:g} times)",
                       f"{seconds(last[1]['median'])}, {ratio(times)}", times / FLAT,
                       verdict(times <= FLAT))


def judge(results):
    """A line for each budget of which something was measured; `share`: of the budget, 1 is all."""
    workloads, lines = results["workloads"], []
    for budget in BUDGETS:
        if budget.workload in workloads:
            lines += of_workload(budget, workloads[budget.workload])
    return [*lines, *of_memory(workloads), *of_others(workloads)]
