"""plot: pictures of numbers, as SVG that takes its colours from the page.

Every tool has one colour and one shape, everywhere; what colours cannot tell, shapes do.
"""

import math
from html import escape

LOOKS = {  # class of the colour, shape
    "cairn": ("c0", "circle"), "docker": ("c1", "square"), "buildah": ("c2", "diamond"),
    "podman": ("c3", "triangle"), "skopeo": ("c4", "cross"), "crane": ("c5", "square"),
}
LIMIT = ("c6", "bar")


def look(name):
    return LOOKS.get(name.split(",")[0].split(" ")[0], LIMIT)


def marker(name, x, y, title, r=5):
    kind, shape = look(name)
    points = {
        "square": f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        "diamond": f"M{x:.1f} {y - r - 1:.1f}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}z",
        "triangle": f"M{x:.1f} {y - r:.1f}l{r + 1} {2 * r}h{-2 * r - 2}z",
        "cross": f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}",
        "bar": f"M{x:.1f} {y - r - 2:.1f}v{2 * r + 4}",
    }
    drawn = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>' if shape == "circle"
             else f'<path d="{points[shape]}"/>')
    return (f'<g class="{kind}{" line" if shape in ("cross", "bar") else ""}">'
            f'<title>{escape(title)}</title>{drawn}</g>')


def text(x, y, words, anchor="start", kind=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f'{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(words)}</text>')


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


class Log:
    """A logarithmic scale from the power of ten below the least number to that above the most."""

    def __init__(self, values, begin, end):
        values = [value for value in values if value > 0]
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) - 1e-9), self.low + 1)
        self.begin, self.end = begin, end

    def __call__(self, value):
        part = (math.log10(max(value, 10 ** self.low)) - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self, most=9):
        every = -(-(self.high - self.low) // most)
        return [10.0 ** power for power in range(self.low, self.high + 1, every)]


def svg(width, height, title, parts):
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
            + "\n".join(parts) + "</svg>")


def legend(names, x, y):
    parts = []
    for name in names:
        parts += [marker(name, x, y - 4, name), text(x + 10, y, name)]
        x += 34 + 7 * len(name)
    return parts


def dots(title, rows, unit):
    """One row for each (label, {name: spread}), its medians on one logarithmic scale, with a line
    from the lower to the upper quartile."""
    left, width, step = 300, 900, 26
    height = 60 + step * len(rows)
    scale = Log([times[key] for _, found in rows for times in found.values()
                 for key in ("q1", "q3", "median")], left, width - 20)
    names = list(dict.fromkeys(name for _, found in rows for name in found))
    parts = legend(names, left, 16)
    for tick in scale.ticks():
        parts += [line(scale(tick), 26, scale(tick), height - 26, "grid"),
                  text(scale(tick), height - 8, unit(tick), "middle", "small")]
    for number, (label, found) in enumerate(rows):
        y = 42 + step * number
        parts += [text(left - 14, y + 4, label, "end"), line(left, y, width - 20, y, "grid")]
        for name, times in found.items():
            parts += [f'<g class="{look(name)[0]} line">' +
                      line(scale(times["q1"]), y, scale(times["q3"]), y, "span") + "</g>",
                      marker(name, scale(times["median"]), y,
                             f"{name}: {unit(times['median'])}")]
    return svg(width, height, title, parts)


def curves(title, found, axis, size, unit):
    """{name: {points, exponent}}: cost against size, both logarithmic."""
    width, height, left, bottom = 440, 320, 70, 270
    points = [point for curve in found.values() for point in curve["points"]]
    across = Log([number for number, _ in points], left, width - 20)
    up = Log([times["median"] for _, times in points], bottom, 50)
    parts = [text(left, 20, title, kind="title")]
    for tick in across.ticks(7):
        parts += [line(across(tick), 50, across(tick), bottom, "grid"),
                  text(across(tick), bottom + 16, size(tick), "middle", "small")]
    for tick in up.ticks():
        parts += [line(left, up(tick), width - 20, up(tick), "grid"),
                  text(left - 6, up(tick) + 4, unit(tick), "end", "small")]
    parts.append(text((left + width - 20) / 2, bottom + 34, axis, "middle", "small"))
    words = []
    for name, curve in found.items():
        way = " ".join(f"{across(number):.1f},{up(times['median']):.1f}"
                       for number, times in curve["points"])
        parts.append(f'<polyline points="{way}" class="{look(name)[0]} way"/>')
        parts += [marker(name, across(number), up(times["median"]),
                         f"{name}, {size(number)}: {unit(times['median'])}", 3)
                  for number, times in curve["points"]]
        if curve["exponent"] is not None:
            words.append(f"{name} {curve['exponent']:.2f}")
    parts.append(text(left, 38, "exponent: " + ", ".join(words) if words else "", kind="small"))
    return svg(width, height, title, parts)
