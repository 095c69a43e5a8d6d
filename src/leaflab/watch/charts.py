"""The pictures of a monitor report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from leaflab.drift.base import Pair
    from leaflab.drift.sketch import Sketch
    from leaflab.watch.signals import Signal

__all__ = ["distributions", "drift_map", "impact_bars", "performance", "svg"]

INK, GREY, BLUE, RED, AMBER, GREEN = "#1f2933", "#9aa5b1", "#2b6cb0", "#c53030", "#d69e2e", "#2f855a"


def svg(draw: Callable[[Any], None], width: float, height: float) -> str:
    """A figure of its own as an SVG text; nothing of pyplot's shared state is touched."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"font.size": 9, "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
             "ytick.color": INK, "svg.fonttype": "none", "svg.hashsalt": "leaflab"}  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def performance(history: Sequence[Mapping[str, Any]], metric: str, reference: float | None) -> str:
    """Estimated and realised values of one metric through the looks, with their intervals, on one chart."""

    def draw(figure: Any) -> None:
        axes = _axes(figure.subplots(), f"{metric}: estimated before labels come, realised after")
        for kind, colour, shift in (("estimated", BLUE, -0.06), ("realised", RED, 0.06)):
            points = [(i, step[kind][metric]) for i, step in enumerate(history) if metric in step.get(kind, {})]
            if not points:
                continue
            places = np.array([i for i, _ in points]) + shift
            values, low, high = np.array([p for _, p in points]).T
            if kind == "estimated" and len(points) > 1:
                axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
                axes.plot(places, values, color=colour, label=kind, marker="o", markersize=3)
            else:
                bars = np.maximum(0, [values - low, high - values])
                line = "-" if len(points) > 1 else ""
                axes.errorbar(
                    places, values, yerr=bars, color=colour, fmt=f"o{line}", markersize=4, label=kind, capsize=2
                )
        if reference is not None:
            axes.axhline(reference, color=GREY, linestyle="--", linewidth=1, label="unseen rows of the reference")
        _labels(axes, [step["label"] for step in history])
        axes.set_xlim(-0.5, len(history) - 0.5)
        axes.legend(frameon=False, loc="best")

    return svg(draw, 9, 3)


def impact_bars(signals: Sequence[Signal], most: int = 14) -> str:
    """The columns whose drift stands, by what it does to the model's answers."""
    rows: dict[str, Signal] = {}
    for signal in signals:
        if signal.stands and signal.family in ("data", "schema") and signal.finding.column not in rows:
            rows[signal.finding.column] = signal
    chosen = list(rows.values())[:most]

    def draw(figure: Any) -> None:
        axes = _axes(figure.subplots(), "drifted columns by effect on the model's answers (share of their spread)")
        if not chosen:
            axes.text(0.5, 0.5, "no column drifted", ha="center", va="center", color=GREEN, transform=axes.transAxes)
            axes.set_axis_off()
            return
        values = [0.0 if np.isnan(s.impact) else s.impact for s in chosen]
        colours = [GREY if not s.alarm else RED if s.severity == "critical" else AMBER for s in chosen]
        axes.barh(range(len(chosen)), values, color=colours)
        axes.set_yticks(range(len(chosen)), [_short(s.finding.column) for s in chosen])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        for place, signal in enumerate(chosen):
            words = f" {signal.finding.test}{'' if signal.alarm else ', harmless'}"
            axes.text(values[place], place, words, va="center", fontsize=8, color=INK)
        axes.set_xlim(0, max([*values, 0.02]) * 1.3)

    return svg(draw, 9, 0.8 + 0.28 * max(2, len(chosen)))


def drift_map(history: Sequence[Mapping[str, Any]], most: int = 16) -> str | None:
    """Strength of drift by column and look; None before the second look."""
    if len(history) < 2:
        return None
    strongest: dict[str, float] = {}
    for step in history:
        for column, value in step["drift"].items():
            strongest[column] = max(strongest.get(column, 0.0), value)
    columns = sorted(strongest, key=lambda name: -strongest[name])[:most]
    if not columns:
        return None
    cells = np.array([[step["drift"].get(column, 0.0) for step in history] for column in columns])

    def draw(figure: Any) -> None:
        axes = _axes(figure.subplots(), "drift by column and look (1 = from here on it counts)")
        image = axes.imshow(np.clip(cells, 0, 5), aspect="auto", cmap="YlOrRd", vmin=0, vmax=5, interpolation="nearest")
        axes.set_yticks(range(len(columns)), [_short(name) for name in columns])
        _labels(axes, [step["label"] for step in history])
        figure.colorbar(image, ax=axes, shrink=0.8, extend="max")

    return svg(draw, 9, 1 + 0.24 * len(columns))


def distributions(pair: Pair, columns: Sequence[str], most: int = 6) -> str | None:
    """Reference and current distributions of some columns, side by side; None where there are none."""
    chosen = [c for c in columns if c in pair.reference.columns and c in pair.current.columns][:most]
    chosen = [c for c in chosen if pair.reference.columns[c].present and pair.current.columns[c].present]
    if not chosen:
        return None
    lines = -(-len(chosen) // 3)

    def draw(figure: Any) -> None:
        grid = np.atleast_1d(figure.subplots(lines, min(3, len(chosen)), squeeze=False)).ravel()
        for axes, name in zip(grid, chosen, strict=False):
            _axes(axes, _short(name))
            both = pair.reference.columns[name], pair.current.columns[name]
            (_levels if both[0].kind == "level" else _numbers)(axes, *both)
        for axes in grid[len(chosen) :]:
            axes.set_axis_off()
        grid[0].legend(frameon=False, fontsize=8)

    return svg(draw, 9, 2.1 * lines)


def _numbers(axes: Axes, reference: Sketch, current: Sketch) -> None:
    shares = np.cumsum(reference.counts) / reference.present
    edges = reference.edges
    low, high = (float(np.interp(q, shares[:-1], edges)) for q in (0.005, 0.995))
    low, high = min(low, max(current.low, low - (high - low))), max(high, min(current.high, high + (high - low)))
    marks = np.linspace(low, high if high > low else low + 1, 41)
    for sketch, colour, label in ((reference, GREY, "reference"), (current, BLUE, "current")):
        places = np.r_[min(sketch.low, edges[0]), edges, max(sketch.high, edges[-1])]
        total = np.r_[0.0, np.cumsum(sketch.counts)] / sketch.present
        heights = np.diff(np.interp(marks, places, total))
        axes.stairs(heights, marks, fill=colour == GREY, alpha=0.45 if colour == GREY else 1, color=colour, label=label)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")


def _levels(axes: Axes, reference: Sketch, current: Sketch) -> None:
    names = [name for name, _ in (reference.levels + current.levels).most_common(8)]
    for sketch, colour, shift, label in ((reference, GREY, -0.2, "reference"), (current, BLUE, 0.2, "current")):
        heights = [sketch.levels[name] / sketch.present for name in names]
        axes.bar(np.arange(len(names)) + shift, heights, width=0.4, color=colour, label=label)
    axes.set_xticks(range(len(names)), [_short(name, 9) for name in names], rotation=30, ha="right", fontsize=8)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")


def _axes(axes: Axes, title: str) -> Axes:
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _labels(axes: Axes, labels: Sequence[str]) -> None:
    keep = np.unique(np.linspace(0, len(labels) - 1, min(10, len(labels))).round().astype(int))
    axes.set_xticks(keep, [_short(labels[i], 18) for i in keep], rotation=20 if len(labels) > 4 else 0, fontsize=8)


def _short(name: str, size: int = 28) -> str:
    text = str(name).replace("$", r"\$")
    return text if len(text) <= size else text[: size - 1] + "…"
