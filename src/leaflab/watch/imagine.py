"""Performance without labels: imagine the truth many times as the model's own record says, and score each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.watch.scored import Scored

__all__ = ["ErrorModel", "Estimate", "estimate", "learn"]

NEEDED = 200
_CALIBRATIONS = 40
_DRAWS = 200
_AGAIN = 5
_ROWS = 20_000
_TINY = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval, for what the rows' own truth will show; `spread` is its standard deviation."""

    value: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True)
class ErrorModel:
    """What rows unseen in training tell about the model's errors.

    Classes: beta calibrations (Kull, Silva Filho and Flach 2017) of each class's probability, one a bootstrap of the
    rows, shape (calibrations, classes, 3); labels are drawn from them (confidence-based performance estimation).
    Values: a line from answer to truth, shape (calibrations, 2), the size of the error learnt from the features, and
    errors in units of it, resampled.

    A calibration of three numbers leaves something out, and that counts: the losses imagined for the very rows it was
    learnt from are held against their realised ones, bootstrap by bootstrap, and every estimate is scaled alike.

    Args:
        classes: their number, 0 for values.
        rows: what it was learnt from.
        weights: how often each row counts in each bootstrap, the first being all rows once; shape (calibrations, rows).

    Assumption: given the features, the truth behaves as it did; a change of the concept is not seen, and the estimate's
    own error shows it once labels come.
    """

    classes: int
    rows: Scored
    weights: Sequence[np.ndarray]
    calibrations: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 3)))
    lines: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    residuals: np.ndarray = field(default_factory=lambda: np.empty(0))
    scale: tuple[Any, float] | None = None
    _ratios: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def ratios(self, metrics: Sequence[Metric]) -> Mapping[str, np.ndarray]:
        """Realised over imagined loss on the rows it was learnt from, one a bootstrap, shape (calibrations,)."""
        rows, missing = self.rows, [metric for metric in metrics if metric.name not in self._ratios]
        random, sizes = np.random.default_rng(0), self.sizes(rows) if missing else None
        found = np.ones((len(missing), len(self.weights)))
        for number, weight in enumerate(self.weights if missing else ()):
            again = [self.draw(rows, random, number, sizes) for _ in range(_AGAIN)]
            for i, metric in enumerate(missing):
                came, *guessed = (metric.loss(metric.score(t, rows.scores, weight)) for t in (rows.truth, *again))
                ratio = came / np.mean(guessed) if np.mean(guessed) > 0 else 1.0
                found[i, number] = ratio if 0 < ratio < np.inf else 1.0
        self._ratios.update(zip((metric.name for metric in missing), found, strict=True))
        return self._ratios

    def sizes(self, rows: Scored) -> np.ndarray | None:
        """How large the error of each row is likely to be; None for classes."""
        return None if self.classes else _sizes(self.scale, rows.matrix)

    def draw(self, rows: Scored, random: np.random.Generator, number: int, sizes: np.ndarray | None) -> np.ndarray:
        """One imagined truth of rows and their `sizes`, shape (rows,)."""
        if sizes is not None:
            errors = random.choice(random.choice(self.residuals, len(self.residuals)), len(rows))
            slope, offset = self.lines[number % len(self.lines)]
            return np.asarray(slope * rows.scores + offset + errors * sizes)
        chances = self.probabilities(rows.scores, number)
        steps = np.cumsum(chances, axis=1)
        return np.asarray((random.random((len(rows), 1)) > steps[:, :-1]).sum(axis=1), dtype="float64")

    def probabilities(self, scores: np.ndarray, number: int = 0) -> np.ndarray:
        """Calibrated probabilities, shape (rows, classes); calibration 0 is that of all rows."""
        weights = self.calibrations[number % len(self.calibrations)]
        if self.classes == 2:
            positive = _beta(scores[:, 1], weights[1])
            return np.column_stack([1 - positive, positive])
        raw = np.column_stack([_beta(scores[:, k], weights[k]) for k in range(self.classes)])
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def learn(rows: Scored, classes: int, seed: int = 0) -> ErrorModel | None:
    """The error model of labelled rows that the model was not trained on; None below 200 of them."""
    rows = rows.labelled.sample(_ROWS, seed)
    if len(rows) < NEEDED:
        return None
    random = np.random.default_rng(seed)
    weights = [np.ones(len(rows)), *(random.poisson(1.0, len(rows)) * 1.0 for _ in range(_CALIBRATIONS))]
    if not classes:
        return _learn_values(rows, weights)
    fitted = np.zeros((len(weights), classes, 3))
    for k in range(classes) if classes > 2 else (1,):
        hit = rows.truth == k
        for i, weight in enumerate(weights):
            fitted[i, k] = _fit_beta(rows.scores[:, k], hit, weight)
    return ErrorModel(classes, rows, weights, fitted)


def estimate(
    model: ErrorModel, rows: Scored, metrics: Sequence[Metric], seed: int = 0
) -> Mapping[str, tuple[Estimate, np.ndarray]]:
    """Each metric's estimate and its draws; of more than 20,000 rows a sample stands for all."""
    rows = rows.sample(_ROWS, seed)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    ratios, sizes = model.ratios(metrics), model.sizes(rows)
    for number in range(_DRAWS):
        which = 1 + number % _CALIBRATIONS
        truth = model.draw(rows, random, which, sizes)
        for metric in metrics:
            loss = metric.loss(metric.score(truth, rows.scores)) * ratios[metric.name][which]
            drawn[metric.name].append(metric.loss(loss))  # a loss is its own way back to the value
    found = {}
    for name, values in drawn.items():
        known = np.array([v for v in values if np.isfinite(v)])
        if len(known) > _DRAWS // 2:
            low, high = np.quantile(known, [0.025, 0.975])
            found[name] = (Estimate(float(known.mean()), float(low), float(high), float(known.std(ddof=1))), known)
    return found


def _features(chances: np.ndarray) -> np.ndarray:
    clipped = np.clip(chances, _TINY, 1 - _TINY)
    return np.column_stack([np.log(clipped), -np.log1p(-clipped), np.ones(len(clipped))])


def _beta(chances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(_features(chances) @ weights, -35, 35))))


def _fit_beta(chances: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Penalised maximum likelihood by damped Newton steps, drawn a little towards "already calibrated"."""
    design, start = _features(chances), np.array([1.0, 1.0, 0.0])
    value, pull = start.copy(), np.diag([1.0, 1.0, 0.01])

    def cost(at: np.ndarray) -> float:
        raw = design @ at
        return float(weight @ (np.logaddexp(0, raw) - hit * raw) + (at - start) @ pull @ (at - start) / 2)

    known = cost(value)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ value, -35, 35)))
        slope = design.T @ (weight * (hit - p)) - pull @ (value - start)
        curve = (design * (weight * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ design + pull
        step = np.linalg.solve(curve, slope)
        while (found := cost(value + step)) > known and np.abs(step).max() > 1e-9:
            step = step / 2
        value, gained, known = value + step, known - found, found
        if gained < 1e-7 * (1 + abs(known)):
            break
    return value


def _learn_values(rows: Scored, weights: Sequence[np.ndarray]) -> ErrorModel:
    """Sizes of errors from the features by LightGBM, each half judged by the other's; then one of all rows."""
    lines = np.array([_line(rows.scores, rows.truth, weight) for weight in weights])
    errors = rows.truth - np.polyval(lines[0], rows.scores)
    half = np.random.default_rng(0).permutation(len(rows)) % 2 == 0
    sizes = np.empty(len(rows))
    for part in (half, ~half):
        sizes[part] = _sizes(_size_model(rows.matrix[~part], errors[~part]), rows.matrix[part])
    return ErrorModel(0, rows, weights, lines=lines, residuals=errors / sizes, scale=_size_model(rows.matrix, errors))


def _line(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the truth on the answers, by weighted least squares; slope 1 for a constant answer."""
    middle, target = np.average(scores, weights=weight), np.average(truth, weights=weight)
    around = scores - middle
    spread = float(weight @ around**2)
    slope = float(weight @ (around * (truth - target))) / spread if spread > 1e-12 * len(scores) else 1.0
    return slope, float(target - slope * middle)


def _size_model(matrix: np.ndarray, errors: np.ndarray) -> tuple[Any, float]:
    import lightgbm

    sizes = np.abs(errors)
    floor = max(float(np.quantile(sizes, 0.05)), float(sizes.mean()) * 1e-3, 1e-300)
    params = {
        "objective": "regression", "num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 50, "verbose": -1,
        "seed": 0, "num_threads": 1, "deterministic": True, "force_col_wise": True,
    }  # fmt: skip
    return lightgbm.train(params, lightgbm.Dataset(matrix, sizes), num_boost_round=40), floor


def _sizes(model: tuple[Any, float] | None, matrix: np.ndarray) -> np.ndarray:
    assert model is not None
    booster, floor = model
    return np.maximum(np.asarray(booster.predict(matrix, num_threads=1)), floor)
