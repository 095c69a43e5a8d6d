"""Small charts as SVG text: no script, no font file, readable in the MLflow UI, on paper and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

__all__ = ["Line", "bars", "grid", "plot", "whiskers"]

WIDTH, HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 34, 46
INK, FAINT = "#24292f", "#d8dee4"
COLOURS = ("#1f6feb", "#d1642d", "#2f9e77", "#8250df", "#6e7781", "#bf3989")


@dataclass(frozen=True)
class Line:
    """One series: points, and how they are drawn ("line", "dots" or "steps"); `band` is (x, low, high)."""

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: str = "line"
    band: Sequence[tuple[float, float, float]] = field(default_factory=tuple)


def plot(
    title: str,
    lines: Sequence[Line],
    axes: tuple[str, str],
    *,
    limits: tuple[float, float, float, float] | None = None,
    diagonal: bool = False,
) -> str:
    """Series over two axes.

    Args:
        title: what the figure says.
        lines: the series, the first drawn on top.
        axes: names of x and y, with units.
        limits: x and y ranges (x0, x1, y0, y1); by default what the points need.
        diagonal: whether a line of equality is drawn.
    """
    x0, x1, y0, y1 = limits or _limits(lines)
    at = _Scale(x0, x1, y0, y1)
    parts = [_frame(at, axes)]
    if diagonal:
        parts.append(f'<path d="M{at(x0, y0)} L{at(x1, y1)}" stroke="#8c959f" stroke-dasharray="4 4" fill="none"/>')
    for index in range(len(lines) - 1, -1, -1):
        parts.append(_series(lines[index], COLOURS[index % len(COLOURS)], at))
    parts.append(_legend([line.name for line in lines]))
    return _svg(title, "".join(parts), WIDTH, HEIGHT)


def bars(title: str, items: Sequence[tuple[str, float]], unit: str = "") -> str:
    """Horizontal bars, in the order given; negative values point left."""
    height = _TOP + 22 * max(1, len(items)) + 14
    low, high = min([0.0, *(v for _, v in items)]), max([1e-300, *(v for _, v in items)])
    scale = 165 / (high - low)
    zero = 210 - low * scale
    parts = []
    for row, (name, value) in enumerate(items):
        y = _TOP + 22 * row
        start, end = sorted((zero, zero + value * scale))
        parts.append(
            f'<text x="204" y="{y + 12}" text-anchor="end"><title>{escape(name)}</title>'
            f"{escape(_short(name, 30))}</text>"
            f'<rect x="{start:.1f}" y="{y}" width="{max(1.0, end - start):.1f}" height="15" fill="{COLOURS[0]}"/>'
            f'<text x="{max(end, zero) + 6:.1f}" y="{y + 12}" class="q">{value:.3g}{escape(unit)}</text>'
        )
    return _svg(title, "".join(parts), WIDTH, height)


def whiskers(title: str, items: Sequence[tuple[str, float, float, float]], zero: float | None = None) -> str:
    """A point and an interval a row: (name, value, low, high); `zero` draws a line to compare with."""
    height = _TOP + 24 * max(1, len(items)) + 26
    reach = [v for _, value, low, high in items for v in (value, low, high)] + ([] if zero is None else [zero])
    low, high = min(reach, default=0.0), max(reach, default=1.0)
    scale = 250 / (high - low or 1.0)

    def x(value: float) -> float:
        return 160 + (value - low) * scale

    parts = []
    if zero is not None:
        parts.append(f'<path d="M{x(zero):.1f} {_TOP - 6} V{height - 22}" stroke="#8c959f" stroke-dasharray="4 4"/>')
    for row, (name, value, start, end) in enumerate(items):
        y = _TOP + 24 * row + 8
        parts.append(
            f'<text x="150" y="{y + 4}" text-anchor="end">{escape(_short(name, 24))}</text>'
            f'<path d="M{x(start):.1f} {y} H{x(end):.1f}" stroke="{COLOURS[0]}" stroke-width="2"/>'
            f'<circle cx="{x(value):.1f}" cy="{y}" r="4" fill="{COLOURS[0]}"><title>{value:.4g}</title></circle>'
        )
    for value in (low, high):
        anchor = "start" if value == low else "end"
        parts.append(f'<text x="{x(value):.1f}" y="{height - 8}" class="q" text-anchor="{anchor}">{value:.4g}</text>')
    return _svg(title, "".join(parts), WIDTH, height)


def grid(title: str, cells: np.ndarray, names: Sequence[str], axes: tuple[str, str]) -> str:
    """A square table of counts, shaded by row share (a confusion matrix)."""
    count = len(names)
    side = min(72, 320 // max(1, count))
    tilted = max((len(_short(name, 10)) for name in names), default=0) * 6.5 > side
    left, top = 110, _TOP + (64 if tilted else 24)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1e-300)
    parts = [f'<text x="{left - 6}" y="{top - 6}" text-anchor="end" class="q">{" ↓ ".join(map(escape, axes))} →</text>']
    for i, name in enumerate(names):
        across = left + side * (i + 0.5)
        turned = f' transform="rotate(-40 {across:.0f} {top - 6})"' if tilted else ""
        parts.append(
            f'<text x="{left - 6}" y="{top + side * (i + 0.5) + 3:.0f}" text-anchor="end">'
            f"{escape(_short(name, 14))}</text>"
            f'<text x="{across:.0f}" y="{top - 6}" text-anchor="{"start" if tilted else "middle"}"{turned}>'
            f"{escape(_short(name, 10))}</text>"
        )
        for j in range(count):
            share, x, y = shares[i, j], left + side * j, top + side * i
            ink = "#fff" if share > 0.55 else INK
            parts.append(
                f'<rect x="{x}" y="{y}" width="{side - 2}" height="{side - 2}" fill="{COLOURS[0]}" '
                f'fill-opacity="{0.06 + 0.94 * share:.3f}"/>'
                f'<text x="{x + side / 2 - 1:.0f}" y="{y + side / 2 + 3:.0f}" text-anchor="middle" fill="{ink}">'
                f"{_count(cells[i, j], side)}</text>"
            )
    return _svg(title, "".join(parts), WIDTH, top + 10 + side * count)


def _count(value: float, side: int) -> str:
    """A count that fits a cell so many pixels wide."""
    said = f"{value:,.0f}"
    return said if len(said) * 6 <= side else f"{value / 1000:.3g}k"


class _Scale:
    """Data to pixels."""

    def __init__(self, x0: float, x1: float, y0: float, y1: float) -> None:
        self.x0, self.x1, self.y0, self.y1 = x0, x1 if x1 > x0 else x0 + 1, y0, y1 if y1 > y0 else y0 + 1

    def __call__(self, x: float, y: float) -> str:
        across = _LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - _LEFT - _RIGHT)
        down = HEIGHT - _BOTTOM - (y - self.y0) / (self.y1 - self.y0) * (HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f} {down:.1f}"


def _limits(lines: Sequence[Line]) -> tuple[float, float, float, float]:
    x = [v for line in lines for v in line.x]
    y = [v for line in lines for v in (*line.y, *(b for _, low, high in line.band for b in (low, high)))]
    if not x or not y:
        return 0.0, 1.0, 0.0, 1.0
    pad = (max(y) - min(y)) * 0.06 or abs(max(y)) * 0.1 or 1.0
    return min(x), max(x), min(y) - pad, max(y) + pad


def _series(line: Line, colour: str, at: _Scale) -> str:
    points = [at(x, y) for x, y in zip(line.x, line.y, strict=True)]
    whisk = "".join(f'<path d="M{at(x, a)} L{at(x, b)}" stroke="{colour}" opacity="0.5"/>' for x, a, b in line.band)
    if line.style == "dots":
        small = len(points) > 60
        radius, opacity = (1.6, 0.35) if small else (3.5, 1.0)
        dots = (p.split() for p in points)
        return whisk + "".join(
            f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}" opacity="{opacity}"/>' for x, y in dots
        )
    marks = "".join(f'<circle cx="{p.split()[0]}" cy="{p.split()[1]}" r="3" fill="{colour}"/>' for p in points[:30])
    path = f'<path d="M{" L".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>' if points else ""
    return whisk + path + (marks if len(points) <= 15 else "")


def _frame(at: _Scale, axes: tuple[str, str]) -> str:
    parts = []
    for share in np.linspace(0, 1, 5):
        x, y = at.x0 + share * (at.x1 - at.x0), at.y0 + share * (at.y1 - at.y0)
        side = "end" if share == 1 else "middle"
        across, down = at(x, at.y0).split()[0], at(at.x0, y).split()[1]
        parts.append(
            f'<path d="M{_LEFT} {down} H{WIDTH - _RIGHT}" stroke="{FAINT}"/>'
            f'<text x="{_LEFT - 6}" y="{float(down) + 4:.0f}" text-anchor="end" class="q">{_number(y)}</text>'
            f'<text x="{across}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="{side}" class="q">{_number(x)}</text>'
        )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(axes[0])}</text>')
    parts.append(
        f'<text transform="translate(13 {(_TOP + HEIGHT - _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes[1])}</text>"
    )
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    rows = [
        f'<circle cx="{WIDTH - 128}" cy="{HEIGHT - _BOTTOM - 14 - 15 * i}" r="4" fill="{COLOURS[i % len(COLOURS)]}"/>'
        f'<text x="{WIDTH - 119}" y="{HEIGHT - _BOTTOM - 10 - 15 * i}">{escape(_short(name, 18))}</text>'
        for i, name in enumerate(names)
    ]
    return "".join(rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _svg(title: str, body: str, width: int, height: int) -> str:
    said = escape(title)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{said}" xmlns="http://www.w3.org/2000/svg">'
        f'<text x="4" y="16" class="t">{said}</text>{body}</svg>'
    )
