"""stats: what is told of many times, and how numbers are written."""

import math
import statistics


def spread(values):
    """Median, quartiles and range."""
    low, middle, high = (statistics.quantiles(values, n=4, method="inclusive")
                         if len(values) > 1 else values * 3)
    return {"median": middle, "q1": low, "q3": high, "min": min(values), "max": max(values)}


def exponent(points):
    """The slope of log(cost) on log(size) over the upper half of the sizes, by least squares:
    1 is linear, 0 is the same cost whatever the size. None of fewer than two sizes."""
    ordered = sorted(points)
    upper = [(math.log(size), math.log(cost)) for size, cost in ordered[len(ordered) // 2:]]
    if len({size for size, _ in upper}) < 2:
        return None
    mean_x = statistics.fmean(x for x, _ in upper)
    mean_y = statistics.fmean(y for _, y in upper)
    return (sum((x - mean_x) * (y - mean_y) for x, y in upper) /
            sum((x - mean_x) ** 2 for x, _ in upper))


def scaled(value, steps):
    """Three digits, with the unit that makes the number handy."""
    unit, factor = next(((unit, factor) for factor, unit in steps if abs(value) >= factor),
                        (steps[-1][1], steps[-1][0]))
    number = value / factor
    digits = 0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2
    return f"{number:.{digits}f} {unit}"


def seconds(value):
    return scaled(value, ((1, "s"), (1e-3, "ms"), (1e-6, "µs")))


def size(value):
    return scaled(value, ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"), (1, "B")))


def count(value):
    return f"{value:,.0f}"


def ratio(value):
    return f"{value:.0f}x" if value >= 10 else f"{value:.2g}x"
