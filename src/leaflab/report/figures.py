"""The figures of an assessment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.report.svg import Line, bars, grid, plot, whiskers

if TYPE_CHECKING:
    from leaflab.report.assess import Assessment

__all__ = ["figures"]

_POINTS = 120
_UNIT = (0.0, 1.0, 0.0, 1.0)


def figures(found: Assessment, classes: Sequence[Any]) -> list[str]:
    """SVG texts, the most telling first."""
    made = [*_compared(found), *(_binary(found) if len(classes) == 2 else ()), *_calibrated(found)]
    if found.confusion is not None and len(classes) <= 12:
        cut = f", yes from {found.threshold.cut:.3g}" if found.threshold else ""
        made.append(
            grid(f"Who is taken for whom{cut}", found.confusion, [str(c) for c in classes], ("truth", "answer"))
        )
    if not classes:
        made += _residuals(found)
    made += [*_weak(found), *_features(found), *_learning(found)]
    return made


def _compared(found: Assessment) -> Iterator[str]:
    """Every model's deciding metric with its interval."""
    name = found.metric.name
    items = []
    for label, model in found.models.items():
        interval = found.intervals.get(label, {}).get(name)
        if interval and name in model.metrics:
            items.append((label, model.metrics[name], *interval))
    if items:
        better = "lower" if found.metric.direction == "minimize" else "higher"
        yield whiskers(f"{name} on the test rows, 95 % intervals ({better} is better)", items)


def _binary(found: Assessment) -> Iterator[str]:
    roc, recall, lift = [], [], []
    for label, model in list(found.models.items())[:4]:
        positive = model.scores[:, 1]
        order = np.argsort(-positive, kind="stable")
        weight = np.ones(len(order)) if found.weight is None else found.weight[order]
        hit = np.cumsum(weight * (found.truth[order] == 1))
        miss = np.cumsum(weight) - hit
        if not hit[-1] or not miss[-1]:
            return
        ends = np.flatnonzero(np.r_[np.diff(positive[order]) != 0, True])
        at = ends[_thinned(len(ends))]
        hits, misses = np.r_[0, hit[at]], np.r_[0, miss[at]]
        roc.append(Line(label, misses / miss[-1], hits / hit[-1]))
        recall.append(Line(label, hit[at] / hit[-1], hit[at] / (hit[at] + miss[at])))
        lift.append(Line(label, (hits + misses) / (hit[-1] + miss[-1]), hits / hit[-1]))
    yield plot("ROC", roc, ("false positive rate", "true positive rate"), limits=_UNIT, diagonal=True)
    yield plot("Precision and recall", recall, ("recall", "precision"), limits=_UNIT)
    shares = ("share of rows", "share of positives")
    yield plot("Lift: positives found by share of rows taken", lift, shares, limits=_UNIT, diagonal=True)


def _calibrated(found: Assessment) -> Iterator[str]:
    bins = found.reliability
    if bins:
        band = [(b.predicted, b.low, b.high) for b in bins]
        line = Line("observed", [b.predicted for b in bins], [b.observed for b in bins], band=band)
        error = found.subject.metrics.get("ece", float("nan"))
        title = f"Calibration (ECE {error:.3f})"
        yield plot(title, [line], ("predicted probability", "observed share"), limits=_UNIT, diagonal=True)


def _residuals(found: Assessment) -> Iterator[str]:
    answers = found.subject.scores
    at = np.random.default_rng(0).permutation(len(answers))[:600]
    low, high = (float(f(np.r_[answers[at], found.truth[at]])) for f in (np.min, np.max))
    dots = Line("rows", answers[at], found.truth[at], "dots")
    yield plot("Truth by prediction", [dots], ("predicted", "true"), limits=(low, high, low, high), diagonal=True)
    residual = found.truth - answers
    counts, edges = np.histogram(residual, bins=40, range=tuple(np.quantile(residual, [0.005, 0.995])))
    middles, most = (edges[:-1] + edges[1:]) / 2, 1.06 * max(1.0, float(counts.max()))
    line, limits = Line("rows", middles, counts), (float(edges[0]), float(edges[-1]), 0.0, most)
    yield plot("Residuals (truth - prediction), middle 99 %", [line], ("residual", "rows"), limits=limits)


def _weak(found: Assessment) -> Iterator[str]:
    worst = [s for s in found.slices if s.excess > 0][:8]
    if worst:
        yield bars("Weakest slices: loss above the rest", [(s.name, s.excess) for s in worst])


def _features(found: Assessment) -> Iterator[str]:
    if found.importance:
        yield bars("Loss added by shuffling a feature", list(found.importance.items())[:10])
    if found.contributions:
        yield bars("Mean contribution to the raw score (TreeSHAP)", list(found.contributions.items())[:10])


def _learning(found: Assessment) -> Iterator[str]:
    if len(found.curve) > 1:
        line = Line("validation", [r for r, _ in found.curve], [v for _, v in found.curve])
        yield plot("Learning curve: loss on validation rows", [line], ("training rows", found.metric.name))


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).astype(int))
