#!/usr/bin/env python3
"""page.py RESULTS... PAGE: the page of what bench.py has measured.

The page needs nothing but itself: no script, no font, no address. Of several RESULTS the later ones
count where both have a workload, and the first one is written anew with all.
"""

import json
import os
import sys
from html import escape

import budgets
import plot
from stats import count, ratio, seconds, size

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1c1c; --faint: #666; --rule: #ddd;
  --good: #1a7f37; --bad: #b3261e; --c0: #005fb8; --c1: #b35c00; --c2: #00795c; --c3: #9b3a86;
  --c4: #5c5c00; --c5: #7a4a2b; --c6: #777; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e4e4e4; --faint: #a0a0a0;
  --rule: #3a3d42; --good: #57c27a; --bad: #ff8a80; --c0: #6cb6ff; --c1: #f0a04b; --c2: #4fd0a5;
  --c3: #e291d2; --c4: #cfcf5a; --c5: #d0a58a; --c6: #999; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.scroll { overflow-x: auto; } .faint { color: var(--faint); }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; } tr.ours td { font-weight: 600; }
.met { color: var(--good); } .missed { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .small { font-size: 11px; fill: var(--faint); } svg .title { font-weight: 600; }
svg .grid { stroke: var(--rule); stroke-width: 1; } svg .line { fill: none; stroke-width: 2.5; }
svg .span { stroke-width: 3; opacity: .6; } svg .way { fill: none; stroke-width: 2; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
""" + "".join(f"svg .c{n} {{ fill: var(--c{n}); stroke: var(--c{n}); }}\n"
              f"svg .c{n} .span {{ stroke: var(--c{n}); }}\n" for n in range(7)) + """
svg .line, svg .way { fill: none; }
"""
HOW = """All tools work on the same freshly made file system, with stores that were empty before the
workload. Each workload is done by one tool after the other, round by round; before each round the
disk is flushed. Told are medians, and the quartiles as lines. CPU is that of the processes with all
their children, of Docker's daemon too. Peak memory is that of the largest process of a command (and
of the daemon), measured in a run of its own, and so are system calls, by strace. Steps of the other
builders use the network of the machine, which is the cheapest for them; those of cairn have its
default, a network of their own. Pulls by skopeo keep blobs alone; those of the others end with a
root filesystem."""


def cell(words, number=True):
    return f'<td class="n">{escape(words)}</td>' if number else f"<td>{escape(words)}</td>"


def table(heads, rows):
    top = "".join(f'<th{" class=n" if number else ""}>{escape(head)}</th>'
                  for head, number in heads)
    return (f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>'
            + "\n".join(rows) + "</tbody></table></div>")


def budget_table(results):
    rows = []
    for each in budgets.judge(results):
        rows.append(f"<tr>{cell(each.work, False)}{cell(each.budget, False)}"
                    f"{cell(each.measured, False)}{cell(f'{each.share:.2f}')}"
                    f'<td class="{each.verdict}">{each.verdict}</td></tr>')
    heads = [("work", 0), ("budget", 0), ("measured", 0), ("of the budget", 1), ("", 0)]
    return table(heads, rows)


def row_of(what, tool, each, ours):
    wall = each["wall_s"]
    known = {
        "cpu": each.get("cpu_s") and seconds(each["cpu_s"]["median"]),
        "peak": each.get("peak_bytes") and size(each["peak_bytes"]),
        "calls": each.get("system_calls") and count(each["system_calls"]),
        "disk": each.get("disk_bytes") and size(each["disk_bytes"]),
        "requests": each.get("requests") and str(each["requests"]),
    }
    times = ratio(wall["median"] / ours) if ours and tool != "cairn" else ""
    kind = " class=ours" if tool == "cairn" else ""
    return (f"<tr{kind}>{cell(what, False)}{cell(tool, False)}" + cell(seconds(wall["median"]))
            + cell(f"{seconds(wall['q1'])} – {seconds(wall['q3'])}")
            + cell(str(each["rounds"])) + cell(times)
            + "".join(cell(value or "") for value in known.values()) + "</tr>")


def full_table(workloads):
    heads = [("work", 0), ("tool", 0), ("median", 1), ("quartiles", 1), ("rounds", 1),
             ("of cairn", 1), ("CPU", 1), ("peak", 1), ("calls", 1), ("disk", 1), ("requests", 1)]
    rows = []
    for result in workloads.values():
        ours = result["rows"].get("cairn", {}).get("wall_s", {}).get("median")
        what = result["what"]
        for tool, each in result["rows"].items():
            rows.append(row_of(what, tool, each, ours))
            what = ""
        for bound, each in result.get("limits", {}).items():
            rows.append(row_of("", f"bound: {bound}", each, ours))
    return table(heads, rows)


def chart(title, workloads):
    rows = [(name, {**{tool: each["wall_s"] for tool, each in result["rows"].items()},
                    **{f"bound ({bound})": each["wall_s"]
                       for bound, each in result.get("limits", {}).items()}})
            for name, result in workloads.items()]
    return plot.dots(title, rows, seconds) if rows else ""


def growth(workloads):
    def sizes_of(axis):
        return size if axis.startswith("bytes") else count

    drawn = [plot.curves(result["what"], result["curves"], result["axis"],
                         sizes_of(result["axis"]), seconds) for result in workloads.values()]
    return f'<div class="curves">{"".join(drawn)}</div>'


def about(results):
    machine = results["machine"]
    words = (f"{machine['processor']}, {machine['cores']} cores, {size(machine['memory_bytes'])} "
             f"of memory, Linux {machine['kernel']}, {machine['file_system']}.")
    tools = "".join(f"<li>{escape(name)}: {escape(version)}</li>"
                    for name, version in results["tools"].items())
    dates = sorted({result["date"] for result in results["workloads"].values()})
    small = ("<p class=missed>Tried out with little of everything: these numbers mean nothing.</p>"
             if results["scale"] != "full" else "")
    return (f"<p>{escape(words)} Measured {escape(' to '.join(sorted({dates[0], dates[-1]})))}."
            f"</p>{small}<ul>{tools}</ul>")


def page(results):
    """The text of the page."""
    works = results["workloads"]
    kinds = {"steps": {}, "moves": {}, "growth": {}, "builds": {}}
    for name, result in works.items():
        kind = ("growth" if "curves" in result else "steps" if name == "steps"
                else "moves" if name.startswith(("push-", "pull-")) else "builds")
        if kind == "growth" or "rows" in result:
            kinds[kind][name] = result
    parts = ["<h1>What cairn costs</h1>", about(results), "<h2>Budgets</h2>",
             "<p>The share is that of the budget: 1 is all of it.</p>", budget_table(results)]
    for title, kind in (("Builds", "builds"), ("Pushes and pulls", "moves")):
        if kinds[kind]:
            parts += [f"<h2>{title}</h2>", chart(title, kinds[kind]), full_table(kinds[kind])]
    if kinds["steps"]:
        rows = [(name, {name: each["wall_s"]}) for result in kinds["steps"].values()
                for name, each in result["rows"].items()]
        parts += ["<h2>One RUN step</h2>", steps_chart(rows), full_table(kinds["steps"])]
    if kinds["growth"]:
        parts += ["<h2>Growth</h2><p>The exponent is the slope of the upper half: 1 is linear, 0 "
                  "the same cost whatever the size.</p>", growth(kinds["growth"])]
    parts += [f'<h2>How</h2><p class="faint">{escape(HOW)}</p>']
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>cairn: what it costs</title>'
            f"<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n")


def steps_chart(rows):
    kinds = [(label, {label.split(",")[0].split(" ")[0]: times for times in found.values()})
             for label, found in rows]
    return plot.dots("one RUN step", kinds, seconds)


def merge(paths):
    """What was measured, the later over the earlier."""
    merged = None
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
        if not merged or merged["machine"] != results["machine"]:
            merged = results
            continue
        merged = {**merged, **results,
                  "tools": {**merged["tools"], **results["tools"]},
                  "workloads": {**merged["workloads"], **results["workloads"]}}
    return merged


def main():
    *paths, place = sys.argv[1:]
    results = merge(paths)
    if not results or not results["workloads"]:
        sys.exit(f"nothing is in {' or '.join(paths)}: run make bench first")
    text = page(results)
    if len(paths) > 1:
        with open(paths[0], "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    with open(place, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
