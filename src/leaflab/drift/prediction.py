"""Prediction drift: the model's own answers, compared as a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leaflab.drift.base import Drift, Finding
from leaflab.drift.column import Least, Rows
from leaflab.drift.control import chance
from leaflab.drift.ks import distance
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair

__all__ = ["Prediction"]


@option
class Prediction(Drift):
    """Kolmogorov-Smirnov test of the answers (probabilities of each class but the first, or values).

    The reference must be rows that the model was not trained on, whose answers are not flattered.

    Args:
        min_rows: answers needed on each side.
        least: distances below this are harmless.
    """

    name = "prediction"
    kinds = ("number",)
    joint = True
    min_rows: Rows = 50
    least: Least = 0.05

    def compare(self, pair: Pair) -> Iterator[Finding]:
        for name, reference in pair.reference.scores.items():
            current = pair.current.scores.get(name)
            shorter = min(reference.present, current.present) if current else 0
            if current is None or shorter < self.min_rows:
                why = f"{name} has {shorter:,} answers on one side, prediction drift needs {self.min_rows:,}."
                yield Finding(self.name, name, float("nan"), float("nan"), self.least, why)
                continue
            gap, p_value = distance(reference, current)
            means = f"mean {reference.mean:.4g} → {current.mean:.4g}"
            words = f"{name}: answers are {gap:.3f} apart ({means}, {chance(p_value)})."
            yield Finding(self.name, name, gap, p_value, self.least, words)
