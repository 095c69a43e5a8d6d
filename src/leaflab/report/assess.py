"""Everything a report says of a model, as plain numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.report.calibration import Bin, recalibration, reliability
from leaflab.report.importance import contributions, permutation, twins
from leaflab.report.slices import SliceLoss, find_slices, slice_losses
from leaflab.report.thresholds import Threshold, best_threshold, confusion
from leaflab.scorer.predictor import Recalibrated

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.metric.base import Metric
    from leaflab.scorer import Scorer
    from leaflab.values import Judged

__all__ = ["Assessment", "Rows", "asked_seconds", "assess"]

_SAMPLE = 2000


@dataclass(frozen=True)
class Rows:
    """Typed rows of one part: the frame, the truth (codes or values) and the weight, or None."""

    frame: pd.DataFrame
    truth: np.ndarray
    weight: np.ndarray | None = None


@dataclass(frozen=True)
class Assessment:
    """What was found out about a model.

    Args:
        metric: the deciding metric.
        truth, weight: of the test rows.
        models: label to scores and metrics on the test rows, the assessed model first.
        intervals: label to metric to its 95 % interval.
        slices: worst first.
        reliability: bins of the positive class, or of the likeliest one.
        threshold: chosen on the validation rows (binary tasks).
        confusion: true class by answer on the test rows.
        importance: permutation importance by feature.
        contributions: mean absolute TreeSHAP contribution by feature.
        curve: (training rows, loss on the validation rows).
        recalibrated: kind to the loss on the validation rows it would leave, cross-fitted; "now" is the present one.
        seconds: latency, by what was asked.
    """

    metric: Metric
    truth: np.ndarray
    weight: np.ndarray | None
    models: Mapping[str, Judged]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    slices: tuple[SliceLoss, ...] = ()
    reliability: tuple[Bin, ...] = ()
    threshold: Threshold | None = None
    confusion: np.ndarray | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    contributions: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[tuple[int, float], ...] = ()
    recalibrated: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def subject(self) -> Judged:
        return next(iter(self.models.values()))


def assess(
    scorer: Scorer, parts: Mapping[str, Rows], models: Mapping[str, Judged], metric: Metric, **choices: Any
) -> Assessment:
    """Assesses a model on its test rows; whatever is chosen is chosen on the validation rows.

    Args:
        scorer: the model.
        parts: "train", "valid" and "test"; the first two may be empty.
        models: label to scores and metrics on the test rows, the assessed model first.
        metric: the deciding metric.
        **choices: `beta` and `costs` of the threshold.
    """
    test, own = parts["test"], next(iter(models.values()))
    losses = metric.rowwise(test.truth, own.scores)
    slices = []
    if losses is not None:
        simple = models.get("linear", models.get("dummy"))
        against = None if simple is None else metric.rowwise(test.truth, simple.scores)
        if metric.direction == "maximize":
            losses, against = 1 - losses, None if against is None else 1 - against
        slices = slice_losses(find_slices(test.frame, scorer.columns), losses, test.weight, against)
    root = 1 / metric.power
    found: dict[str, Any] = {"slices": tuple(replace(s, loss=s.loss**root, rest=s.rest**root) for s in slices)}
    valid = parts["valid"]
    curve = valid_scores(scorer, parts, (0.25, 0.5, 1.0))
    found["curve"] = tuple((rows, _loss(metric, valid.truth, scores)) for rows, scores in curve.items())
    latest = next(reversed(curve.values()), None)
    if scorer.classes:
        cut = _threshold(scorer, valid, latest, choices)
        found |= {"threshold": cut, **_classes(test, own.scores, cut)}
        if len(scorer.classes) == 2 and latest is not None:
            found["recalibrated"] = _recalibrated(valid, latest, metric)
    matrix = scorer.encoder.encode(test.frame.iloc[:_SAMPLE])
    some = test.truth[:_SAMPLE]
    found["importance"] = permutation(scorer, matrix, some, lambda t, s: _loss(metric, t, s))
    found["contributions"] = contributions(scorer, matrix[:500])
    return Assessment(metric, test.truth, test.weight, models, seconds=asked_seconds(scorer, test.frame), **found)


def asked_seconds(scorer: Scorer, frame: pd.DataFrame, *, repeats: int = 20) -> dict[str, float]:
    """Median seconds of one row asked alone, and of a thousand rows at once, typed rows in."""
    answers = {}
    for name, rows in (("one row", frame.iloc[:1]), ("1,000 rows", frame.iloc[: min(1000, len(frame))])):
        took = []
        for _ in range(repeats if name == "one row" else 3):
            started = time.perf_counter()
            scorer.predictor.predict(scorer.encoder.encode(rows))
            took.append(time.perf_counter() - started)
        answers[name] = float(np.median(took)) * (1000 / len(rows) if name != "one row" else 1)
    return answers


def _loss(metric: Metric, truth: np.ndarray, scores: np.ndarray) -> float:
    return metric.loss(metric.score(truth, scores))


def valid_scores(scorer: Scorer, parts: Mapping[str, Rows], shares: Sequence[float] = (1.0,)) -> dict[int, np.ndarray]:
    """Training rows to scores on the validation rows, of twins that learnt from the training rows alone.

    A model that is no booster answers for itself.
    """
    train, valid = parts["train"], parts["valid"]
    if not len(train.truth) or not len(valid.truth):
        return {}
    matrix = scorer.encoder.encode(valid.frame)
    made = twins(scorer, (scorer.encoder.encode(train.frame), train.truth), matrix, shares)
    return made or {len(train.truth): scorer.predictor.predict(matrix)}


def _threshold(scorer: Scorer, valid: Rows, scores: np.ndarray | None, choices: Mapping[str, Any]) -> Threshold | None:
    if len(scorer.classes) != 2 or scores is None or not valid.truth.any():
        return None
    return best_threshold(valid.truth.astype("float64"), scores[:, 1], weight=valid.weight, **choices)


def _classes(test: Rows, scores: np.ndarray, cut: Threshold | None) -> dict[str, Any]:
    """Calibration and confusion of a classifier on the test rows."""
    classes, labels = scores.shape[1], scores.argmax(axis=1)
    if classes == 2:
        hit, confidence = test.truth == 1, scores[:, 1]
        labels = (confidence >= cut.cut).astype(np.intp) if cut else labels
    else:
        hit, confidence = labels == test.truth, scores.max(axis=1)
    return {
        "reliability": tuple(reliability(hit.astype("float64"), confidence)),
        "confusion": confusion(test.truth, labels, classes, test.weight),
    }


def _recalibrated(valid: Rows, scores: np.ndarray, metric: Metric) -> dict[str, float]:
    """Loss on the validation rows now and after each recalibration, each half judged by a map fitted on the other."""
    halves = np.arange(len(valid.truth)) % 2
    losses = {"now": _loss(metric, valid.truth, scores)}
    kinds: tuple[Any, ...] = ("platt", "isotonic") if len(valid.truth) >= 1000 else ("platt",)
    for kind in kinds:
        made = np.empty_like(scores)
        for half in (0, 1):
            fit = halves != half
            if len(set(valid.truth[fit])) < 2:
                return losses
            x, y = recalibration(kind, valid.truth[fit], scores[fit, 1])
            made[~fit] = Recalibrated(None, x, y).corrected(scores[~fit])
        losses[kind] = _loss(metric, valid.truth, made)
    return losses
