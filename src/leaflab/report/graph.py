"""A lineage as a drawn graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["drawn"]

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 200, 62, 250, 84
_COLOURS = {
    "source": "#6e7781",
    "raw": "#8250df",
    "dataset": "#2f9e77",
    "code": "#6e7781",
    "run": "#d1642d",
    "version": "#1f6feb",
}


def drawn(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Sequence[int]], title: str) -> str:
    """SVG text: what was made from what, left to right.

    Args:
        nodes: `kind`, `name` and `facts` of each.
        edges: pairs of positions.
        title: for readers that cannot see it.
    """
    places = _places(len(nodes), edges)
    width = _ACROSS * (1 + max((x for x, _ in places), default=0)) - 10
    height = _DOWN * (1 + max((y for _, y in places), default=0)) + 10
    parts = [_arrow(places[a], places[b]) for a, b in edges]
    parts += [_box(node, place) for node, place in zip(nodes, places, strict=True)]
    said = escape(title)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{said}" '
        f'xmlns="http://www.w3.org/2000/svg" font-family="system-ui,sans-serif" font-size="12"><title>{said}</title>'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="#8c959f"/></marker></defs>{"".join(parts)}</svg>'
    )


def _places(count: int, edges: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Column and row of each node: a column beyond whatever it was made from."""
    columns = [0] * count
    for _ in range(count):
        for a, b in edges:
            columns[b] = max(columns[b], columns[a] + 1)
    used: dict[int, int] = {}
    places = []
    for column in columns:
        places.append((column, used.get(column, 0)))
        used[column] = used.get(column, 0) + 1
    return places


def _box(node: Mapping[str, Any], place: tuple[int, int]) -> str:
    x, y = place[0] * _ACROSS + 5, place[1] * _DOWN + 5
    colour = _COLOURS.get(str(node["kind"]), "#1f6feb")
    facts = ", ".join(f"{key} {value}" for key, value in node["facts"].items() if value)
    return (
        f"<g><title>{escape(str(node['name']))} {escape(facts)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="#fff" stroke="{colour}"/>'
        f'<text x="{x + 10}" y="{y + 18}" fill="{colour}" font-size="11">{escape(str(node["kind"]))}</text>'
        f'<text x="{x + 10}" y="{y + 35}" fill="#24292f" font-weight="600">{_short(str(node["name"]), 23)}</text>'
        f'<text x="{x + 10}" y="{y + 52}" fill="#57606a" font-size="10">{_short(facts, 30)}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x0, y0 = start[0] * _ACROSS + 5 + _WIDTH, start[1] * _DOWN + 5 + _HEIGHT / 2
    x1, y1 = end[0] * _ACROSS + 3, end[1] * _DOWN + 5 + _HEIGHT / 2
    bend = (x0 + x1) / 2
    return (
        f'<path d="M{x0} {y0} C{bend} {y0} {bend} {y1} {x1} {y1}" fill="none" stroke="#8c959f" marker-end="url(#end)"/>'
    )


def _short(text: str, most: int) -> str:
    """A path keeps its end, whatever else its beginning."""
    if len(text) > most:
        text = "…" + text[-(most - 1) :] if "/" in text.split(" ", 1)[0] else text[: most - 1] + "…"
    return escape(text)
