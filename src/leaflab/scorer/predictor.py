"""What turns a matrix into probabilities or values: LightGBM boosters, a linear model, or a constant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["Boosters", "Constant", "Linear", "Predictor", "Recalibrated", "features_of", "predictor_from"]


class Predictor(Protocol):
    """Answers of shape (rows,), or (rows, classes), from a matrix of `width` columns."""

    @property
    def width(self) -> int: ...

    def predict(self, matrix: np.ndarray) -> np.ndarray: ...

    def to_json(self) -> dict[str, Any]: ...

    def texts(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Constant:
    """Always the same answer: class shares, or one value."""

    answer: tuple[float, ...]

    @property
    def width(self) -> int:
        return 0

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        answer = np.asarray(self.answer, dtype="float64")
        return np.full(len(matrix), answer[0]) if len(answer) == 1 else np.tile(answer, (len(matrix), 1))

    def to_json(self) -> dict[str, Any]:
        return {"kind": "constant", "answer": list(self.answer)}

    def texts(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class Linear:
    """A linear model over imputed, standardised numbers and one-hot codes.

    Args:
        blocks: one a feature: {"mean", "scale"} for a number (a missing one counts as the mean), or {"levels": n} for
            codes (a missing one is all zeros).
        coef: shape (outputs, width), rows of the design matrix's weights.
        intercept: shape (outputs,).
        link: "identity", "logistic" (one output, two classes) or "softmax".
    """

    blocks: tuple[Mapping[str, Any], ...]
    coef: tuple[tuple[float, ...], ...]
    intercept: tuple[float, ...]
    link: str

    @property
    def width(self) -> int:
        return len(self.blocks)

    def design(self, matrix: np.ndarray) -> np.ndarray:
        """The design matrix, shape (rows, width)."""
        parts = []
        for block, values in zip(self.blocks, matrix.T, strict=True):
            if "levels" in block:
                parts.append((values[:, None] == np.arange(block["levels"])[None, :]).astype("float64"))
            else:
                filled = np.where(np.isnan(values), block["mean"], values)
                parts.append(((filled - block["mean"]) / block["scale"])[:, None])
        return np.hstack(parts) if parts else np.zeros((len(matrix), 0))

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        raw = self._raw(matrix)
        if self.link == "identity":
            return np.asarray(raw[:, 0])
        if self.link == "logistic":
            positive = 1.0 / (1.0 + np.exp(-np.clip(raw[:, 0], -700, 700)))
            return np.column_stack([1.0 - positive, positive])
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _raw(self, matrix: np.ndarray) -> np.ndarray:
        """The weighted sums, feature by feature: a matrix product adds in another order for other numbers of rows."""
        weights = np.asarray(self.coef, dtype="float64").T
        raw, at = np.tile(np.asarray(self.intercept, dtype="float64"), (len(matrix), 1)), 0
        for block, values in zip(self.blocks, matrix.T, strict=True):
            if levels := block.get("levels"):
                known = (values >= 0) & (values < levels) & (values == np.floor(values))
                places = np.where(known, values, levels).astype(np.intp)
                raw += np.vstack([weights[at : at + levels], np.zeros(len(self.intercept))])[places]
            elif "levels" not in block:
                filled = np.where(np.isnan(values), block["mean"], values)
                raw += ((filled - block["mean"]) / block["scale"])[:, None] * weights[at]
            at += block.get("levels", 1)
        return raw

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "linear",
            "blocks": [dict(b) for b in self.blocks],
            "coef": [list(row) for row in self.coef],
            "intercept": list(self.intercept),
            "link": self.link,
        }

    def texts(self) -> dict[str, str]:
        return {}


class Boosters:
    """LightGBM boosters as their own text, answers averaged by weight.

    Args:
        models: the boosters' texts.
        weights: one a booster, summing to 1.
    """

    def __init__(self, models: list[str], weights: list[float] | None = None) -> None:
        self.models = models
        self.weights = weights or [1.0 / len(models)] * len(models)
        self._loaded: list[Any] | None = None

    @property
    def width(self) -> int:
        return features_of(self.models[0])

    @property
    def boosters(self) -> list[Any]:
        if self._loaded is None:
            import lightgbm

            self._loaded = [lightgbm.Booster(model_str=text) for text in self.models]
        return self._loaded

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        total: Any = 0.0
        for booster, weight in zip(self.boosters, self.weights, strict=True):
            total = total + weight * np.asarray(booster.predict(matrix))
        if total.ndim == 1 and self._binary:
            return np.column_stack([1.0 - total, total])
        return np.asarray(total)

    @property
    def _binary(self) -> bool:
        return "\nobjective=binary" in self.models[0] or "\nobjective=cross_entropy" in self.models[0]

    def to_json(self) -> dict[str, Any]:
        return {"kind": "boosters", "files": list(self.texts()), "weights": self.weights}

    def texts(self) -> dict[str, str]:
        return {f"booster-{i}.txt": text for i, text in enumerate(self.models)}

    def __getstate__(self) -> dict[str, Any]:
        return {"models": self.models, "weights": self.weights, "_loaded": None}


@dataclass(frozen=True)
class Recalibrated:
    """A two-class predictor whose probabilities were corrected by a monotone map.

    Args:
        base: the predictor.
        x, y: logits' slope and intercept and nothing (a logistic map), or points between which lines are drawn.
    """

    base: Any
    x: tuple[float, ...]
    y: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        return int(self.base.width)

    def corrected(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities, shape (rows, 2), after the map."""
        positive = np.clip(scores[:, 1], 1e-6, 1 - 1e-6)
        if self.y:
            better = np.interp(positive, self.x, self.y)
        else:
            logit = self.x[0] * np.log(positive / (1 - positive)) + self.x[1]
            better = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))
        return np.column_stack([1 - better, better])

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return self.corrected(self.base.predict(matrix))

    def to_json(self) -> dict[str, Any]:
        return {"kind": "recalibrated", "base": self.base.to_json(), "x": list(self.x), "y": list(self.y)}

    def texts(self) -> dict[str, str]:
        texts: dict[str, str] = self.base.texts()
        return texts


def features_of(text: str) -> int:
    """How many features a booster reads, from its text."""
    found = re.search(r"^max_feature_idx=(\d+)$", text, re.MULTILINE)
    return 1 + int(found[1]) if found else 0


def predictor_from(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Predictor:
    """The predictor written by `to_json` and `texts`."""
    if plain["kind"] == "constant":
        return Constant(tuple(plain["answer"]))
    if plain["kind"] == "linear":
        coef = tuple(tuple(row) for row in plain["coef"])
        return Linear(tuple(plain["blocks"]), coef, tuple(plain["intercept"]), plain["link"])
    if plain["kind"] == "recalibrated":
        return Recalibrated(predictor_from(plain["base"], texts), tuple(plain["x"]), tuple(plain["y"]))
    return Boosters([texts[name] for name in plain["files"]], list(plain["weights"]))
