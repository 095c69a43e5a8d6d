"""Features made of two columns of the training rows, which trees find only by many splits.

Of two numeric ones: sums, differences, products, ratios. Of a number and a key, a column whose values many rows share:
the number's mean in those rows, and how far a row lies from it, because trees compare a row with thresholds, not with
the others of its day, place or kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np

from leaflab.model.selection import distinct
from leaflab.scorer.encoder import Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["Candidates", "candidates"]

_COLUMNS = 8
_VALUES = 5
_KEYS = ("number", "codes", "hash", "part")
_FEWEST_KEYS, _MOST_KEYS, _ROWS_OF_A_KEY = 3, 4096, 30
_SIGNS = {"sum": "+", "difference": "-", "product": "*", "ratio": "/"}


@dataclass(frozen=True)
class Candidates:
    """The columns that are paired, by their places in the encoder.

    Args:
        encoder: the features there are already.
        numbers: numeric features: place to their values in all training rows.
        keys: features whose values many rows share, likewise.
    """

    encoder: Encoder
    numbers: Mapping[int, np.ndarray]
    keys: Mapping[int, np.ndarray]

    def features(self, rows: np.ndarray) -> tuple[Feature, ...]:
        """All pairs, with what they learn of these training rows (a mask)."""
        return (*self._of_numbers(), *self._of_groups(rows))

    def _of_numbers(self) -> Iterator[Feature]:
        columns = [self.encoder.features[place].column for place in self.numbers]
        for one, other in combinations(columns, 2):
            for op, sign in _SIGNS.items():
                yield Feature(f"{one} {sign} {other}", one, op, {"other": other})

    def _of_groups(self, rows: np.ndarray) -> Iterator[Feature]:
        import pandas as pd

        table = pd.DataFrame({place: values[rows] for place, values in self.numbers.items()})
        usual = table.mean()
        for by, values in self.keys.items():
            means = table.groupby(values[rows]).mean().fillna(usual)
            for of in (place for place in self.numbers if place != by):
                number, key = self.encoder.features[of], self.encoder.features[by].name
                learnt = {"levels": means.index.tolist(), "values": means[of].tolist(), "default": float(usual[of])}
                state = {"of": of, "by": by, **learnt}
                yield Feature(f"mean {number.name} by {key}", number.column, "usual", state)
                yield Feature(f"{number.name} less its mean by {key}", number.column, "beyond", state)


def candidates(
    dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, sample: np.ndarray, told: np.ndarray
) -> Candidates:
    """The eight most telling numbers of more than a few values, and the eight most telling keys.

    Args:
        dataset: its columns.
        encoder: the features there are already.
        frame: the typed training rows.
        sample: the encoded features of some of them.
        told: how much each feature tells.
    """
    ranked = [int(place) for place in np.argsort(-told, kind="stable") if told[place] > 0]
    names = {c.name for c in dataset.columns if c.kind == "number"}
    read = [f.op in ("number", "scaled") and f.column in names for f in encoder.features]
    varied = (place for place in ranked if read[place] and distinct(sample[:, place]) > _VALUES)

    def whole(places: Iterator[int]) -> Iterator[tuple[int, np.ndarray]]:
        return ((place, Encoder((encoder.features[place],)).encode(frame)[:, 0]) for place in places)

    most = min(_MOST_KEYS, len(frame) // _ROWS_OF_A_KEY)
    likely = (i for i in ranked if encoder.features[i].op in _KEYS)
    likely = (i for i in likely if _FEWEST_KEYS <= distinct(sample[:, i]) <= most)
    keys = ((place, values) for place, values in whole(likely) if distinct(values) <= most)
    return Candidates(encoder, dict(islice(whole(varied), _COLUMNS)), dict(islice(keys, _COLUMNS)))
