"""Warnings for the researcher: what the numbers of a sweep do not say by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.search.driving import counts
from leaflab.search.frontier import frontier, more_search, sentence

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from leaflab.model.base import Fold, Problem
    from leaflab.values import Trial

__all__ = ["notes"]

_EDGE = 0.02
_GAP = 3.0
_RARE = 50
_FEW = 10
_TOP = 30


def notes(
    problem: Problem,
    folds: Sequence[Fold],
    trials: Sequence[Trial],
    varying: Mapping[str, BaseDistribution],
    dummy: float | None,
) -> tuple[str, ...]:
    """Everything worth a warning, the most important first."""
    metric = problem.metric
    sign = 1.0 if metric.direction == "minimize" else -1.0
    ranked = sorted((t for t in trials if counts(t)), key=lambda t: sign * (t.value or 0.0))
    if not ranked:
        return ()
    found = [*_classes(problem), *_budget(ranked, metric.name), *_tied(problem, folds, ranked)]
    found += _gap(ranked[0], problem)
    found += _edges(ranked[0], varying)
    if len(ranked) >= _FEW:
        gain = more_search([t.value for t in ranked if t.value is not None], metric)
        found.append(f"twice as many trials are expected to gain less than {gain:.2g} in {metric.name} on one fold")
    faster = sentence(frontier(trials, metric), metric, dummy)
    return (*found, *([faster] if faster else []))


def _classes(problem: Problem) -> Iterator[str]:
    if problem.task == "regression":
        return
    sizes = np.bincount(problem.target.astype(int), minlength=problem.outputs)
    if sizes.min() < _RARE:
        yield f"the rarest class has {sizes.min()} rows outside the test set: its metrics are mostly noise"
    elif sizes.min() < 0.05 * sizes.sum():
        share = sizes.min() / sizes.sum()
        yield f"the rarest class is {share:.1%} of the rows: read pr_auc and the calibration, not the accuracy"


def _budget(ranked: Sequence[Trial], name: str) -> Iterator[str]:
    if len(ranked) < _FEW:
        many = "1 trial" if len(ranked) == 1 else f"{len(ranked)} trials"
        yield f"only {many} finished: more search.seconds or search.trials are likely to improve {name}"


def _gap(best: Trial, problem: Problem) -> Iterator[str]:
    train = best.facts.get(f"train/{problem.metric.name}")
    if train is None or best.value is None:
        return
    own, held = problem.metric.loss(train), problem.metric.loss(best.value)
    if own > 0 and held > _GAP * own:
        yield f"the best trial scores {train:.4g} on training rows, {best.value:.4g} on validation rows: it fits noise"


def _tied(problem: Problem, folds: Sequence[Fold], ranked: Sequence[Trial]) -> Iterator[str]:
    """How many trials a paired test on the first fold's rows cannot tell from the best.

    A z-test of the mean difference at 5 %, which takes rows as independent and is not corrected for choosing the best.
    """
    rows = np.sort(folds[0][1])
    best = _losses(problem, rows, ranked[0])
    if best is None or not len(rows):
        return
    tied = 1
    for trial in ranked[1:_TOP]:
        losses = _losses(problem, rows, trial)
        if losses is None:
            break
        gap = losses - best
        spread = gap.std(ddof=1) / math.sqrt(len(gap)) if len(gap) > 1 else 0.0
        if spread > 0 and gap.mean() / spread > 1.96:
            break
        tied += 1
    if tied > 1:
        yield f"the first {tied} trials are statistically tied on {len(rows):,} validation rows: their order is noise"


def _losses(problem: Problem, rows: np.ndarray, trial: Trial) -> np.ndarray | None:
    file = Path(str(trial.files)) / "scores-0.npy"
    if not file.is_file():
        return None
    losses = problem.metric.rowwise(problem.target[rows], np.load(file))
    if losses is None:
        return None
    return losses if problem.metric.direction == "minimize" else -losses


def _edges(best: Trial, varying: Mapping[str, BaseDistribution]) -> Iterator[str]:
    for name, kind in varying.items():
        low, high, value = getattr(kind, "low", None), getattr(kind, "high", None), best.params.get(name)
        if low is None or high is None or not isinstance(value, int | float) or low == high:
            continue
        log = bool(getattr(kind, "log", False))
        place = _place(float(value), float(low), float(high), log)
        if place < _EDGE or place > 1 - _EDGE:
            end = "lower" if place < _EDGE else "upper"
            if wider := _wider(name, kind, place < _EDGE, log):
                yield f"the best {name} ({value:.6g}) lies at the {end} end of its range: {wider}"


def _place(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = math.log(max(value, 1e-300)), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _wider(name: str, kind: Any, down: bool, log: bool) -> str:
    """The words for a range one half longer on that end; none where a share is at its limit already."""
    low, high = float(kind.low), float(kind.high)
    if down:
        low = low / math.sqrt(high / low) if log else low - (high - low) / 2
    else:
        high = high * math.sqrt(high / low) if log else high + (high - low) / 2
    if "fraction" in name:
        low, high = max(low, 0.05), min(high, 1.0)
        if high == float(kind.high) and low == float(kind.low):
            return ""
    whole = type(kind).__name__.startswith("Int")
    ends = (str(max(1, round(low))), str(round(high))) if whole else (f"{low:.3g}", f"{high:.3g}")
    return f"try search.space.{name}.low={ends[0]} search.space.{name}.high={ends[1]}"
