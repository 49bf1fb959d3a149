"""Line plots with logarithmic axes, as SVG."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 50, 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31", "#7f7f7f")
Series = Mapping[str, Sequence[tuple[float, float]]]


def short(value: float) -> str:
    """A number as a label."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def powers(low: float, high: float) -> list[float]:
    """The powers of ten from at most `low` to at least `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def line_plot(path: pathlib.Path, title: str, x_label: str, y_label: str, series: Series) -> None:
    """Writes one. Where x is 0, as a depth may be, it stands where 0.5 would."""
    drawn = {name: [(max(x, 0.5), y) for x, y in points] for name, points in series.items() if points}
    x_values = sorted({x for points in drawn.values() for x, _ in points})
    y_ticks = powers(*(pick(y for points in drawn.values() for _, y in points) for pick in (min, max)))
    x_low, x_high = math.log10(x_values[0]), math.log10(x_values[-1])
    y_low, y_high = math.log10(y_ticks[0]), math.log10(y_ticks[-1])
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            round(LEFT + (math.log10(x) - x_low) / ((x_high - x_low) or 1) * (right - LEFT), 1),
            round(bottom - (math.log10(y) - y_low) / (y_high - y_low) * (bottom - TOP), 1),
        )

    def text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(words)}</text>'

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text((LEFT + right) / 2, 24, title, more=' font-size="15"'),
        text((LEFT + right) / 2, HEIGHT - 14, x_label),
        text(18, (TOP + bottom) / 2, y_label, more=f' transform="rotate(-90 18 {(TOP + bottom) / 2})"'),
    ]
    for y in y_ticks:
        _, height = at(x_values[0], y)
        out.append(f'<line x1="{LEFT}" y1="{height}" x2="{right}" y2="{height}" stroke="#ddd"/>')
        out.append(text(LEFT - 8, height + 4, short(y), "end"))
    for x in x_values:
        place, _ = at(x, y_ticks[0])
        out.append(f'<line x1="{place}" y1="{TOP}" x2="{place}" y2="{bottom}" stroke="#eee"/>')
        out.append(text(place, bottom + 18, "0" if x == 0.5 else short(x)))
    for i, (name, points) in enumerate(drawn.items()):
        colour = COLOURS[i % len(COLOURS)]
        places = [at(x, y) for x, y in sorted(points)]
        line = " ".join(f"{x},{y}" for x, y in places)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
        height = TOP + 8 + 20 * i
        out.append(f'<rect x="{right + 16}" y="{height - 6}" width="14" height="4" fill="{colour}"/>')
        out.append(text(right + 36, height, name, "start"))
    path.write_text("\n".join([*out, "</svg>", ""]))
