"""Accuracy against training time: policies of a backtest, and a model's whole life."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.watch.charts import AMBER, BLUE, GREEN, GREY, RED, svg
from leaflab.watch.replay import Life, dominated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Training", "learning", "page", "spent", "table_of"]

_COLOURS = (GREY, BLUE, AMBER, RED, GREEN, "#6b46c1", "#0987a0", "#b83280")


@dataclass(frozen=True)
class Training:
    """One entry of the learning-time ledger.

    Args:
        label: which sweep or retraining.
        started: seconds since the epoch.
        seconds: wall-clock seconds; `core_hours` those of all cores.
        value: the deciding metric it reached; None where it failed.
    """

    label: str
    started: float
    seconds: float
    core_hours: float
    value: float | None


def spent(trainings: Sequence[Training], *, lower: bool) -> list[dict[str, Any]]:
    """The ledger's lines, oldest first: cumulative seconds, the best value so far, and what each training gained."""
    lines: list[dict[str, Any]] = []
    best, total = None, 0.0
    for one in sorted(trainings, key=lambda t: t.started):
        total += one.seconds
        gained = None
        if one.value is not None:
            gained = None if best is None else (best - one.value if lower else one.value - best)
            best = one.value if best is None else (min if lower else max)(best, one.value)
        lines.append({"training": one.label, "seconds": one.seconds, "core_hours": one.core_hours, "total": total,
                      "value": one.value, "best": best, "gained": gained})  # fmt: skip
    return lines


def learning(lines: Sequence[Mapping[str, Any]], metric: str) -> str | None:
    """The best value so far against cumulative training seconds; None before the first training with a value."""
    points = [line for line in lines if line["value"] is not None]
    if not points:
        return None

    def draw(figure: Any) -> None:
        axes = _titled(figure.subplots(), f"learning time: {metric} against cumulative training seconds")
        totals = [line["total"] for line in points]
        axes.step([0, *totals], [points[0]["best"], *(line["best"] for line in points)], where="post", color=BLUE)
        axes.scatter(totals, [line["value"] for line in points], color=GREY, s=18, zorder=3)
        for line in points[-6:]:
            axes.annotate(
                line["training"], (line["total"], line["value"]), fontsize=7, xytext=(3, 4), textcoords="offset points"
            )
        axes.set_xlabel("training seconds")

    return svg(draw, 9, 2.6)


def table_of(metric: str, lives: Sequence[Life]) -> str:
    """The table of policies, as text."""
    worse = dominated([life for life in lives if life.policy != "oracle"])
    head = f"{'policy':14} {'prequential ' + metric:>24} {'retrains':>9} {'promoted':>9} {'training s':>11}"
    lines = [
        f"{life.policy:14} {life.loss:24.4f} {len(life.retrained):9} {len(life.promoted):9} {life.seconds:11.1f}"
        f"{'  dominated' if life.policy in worse else ''}"
        for life in lives
    ]
    return "\n".join([head, *lines])


def page(metric: str, lives: Sequence[Life], start: int) -> str:
    """One HTML file: loss through time, the plane of retrains and loss, the table."""

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[2, 1])
        _titled(left, f"prequential {metric} so far")
        _titled(right, "retrains against loss (lower left is better)")
        for number, life in enumerate(lives):
            colour = _COLOURS[number % len(_COLOURS)]
            weights = np.cumsum(life.rows)
            sofar = np.cumsum(np.array(life.means) * life.rows) / weights
            places = start + np.arange(len(sofar))
            left.plot(places, sofar, color=colour, label=life.policy, linewidth=1.4)
            marks = [i for i in life.retrained if i - start < len(sofar)]
            left.scatter(marks, [sofar[i - start] for i in marks], color=colour, s=14, zorder=3)
            right.scatter([len(life.retrained)], [life.loss], color=colour, s=40)
            right.annotate(
                life.policy, (len(life.retrained), life.loss), fontsize=8, xytext=(5, 3), textcoords="offset points"
            )
        left.set_xlabel("period (dots: retrained)")
        right.set_xlabel("retrains")
        left.legend(frameon=False, fontsize=8)

    causes = "".join(
        f"<li>{html.escape(life.policy)}, after period {when}: {html.escape(cause)}</li>"
        for life in lives
        if life.policy == "on_alarm"
        for when, cause in zip(life.retrained, life.causes, strict=True)
    )
    style = "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto}svg{width:100%;height:auto}"
    body = f"<h1>Backtest</h1>{svg(draw, 11, 4)}<pre>{html.escape(table_of(metric, lives))}</pre><ul>{causes}</ul>"
    head = f"<meta charset=utf-8><title>Backtest</title><style>{style}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>"


def _titled(axes: Axes, title: str) -> Axes:
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
