"""Features made of two columns of the training rows, which trees find only by many splits.

Of two numeric ones: sums, differences, products, ratios. Of a number and a key, a column whose values many rows share:
the number's mean in those rows, and how far a row lies from it, because trees compare a row with thresholds, not with
the others of its day, place or kind. Where the key is a number that is a name, such as a day, those of the value before
and of the value after, too: what happens on a day often goes on from the day before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.model.selection import distinct
from leaflab.scorer.encoder import Encoder, Feature, key_of

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["Candidates", "candidates", "key_at"]

_COLUMNS = 8
_VALUES = 5
_NUMBERS = ("number", "part")
_KEYS = (*_NUMBERS, "codes", "hash")
_FEWEST_KEYS, _MOST_VALUES = 3, 4096
_ROWS_OF_A_KEY, _ROWS_OF_A_NAME = 30, 10
_SAME = {"{}": 0}
_NEAR = {**_SAME, "the {} before": 1, "the {} after": -1}
"""Whose mean a row is compared with, and how many levels before its own that is."""
_SIGNS = {"sum": "+", "difference": "-", "product": "*", "ratio": "/"}


@dataclass(frozen=True)
class Candidates:
    """The columns that are paired, by their places in the encoder.

    Args:
        encoder: the features there are already.
        numbers: numeric features: place to their values in all training rows.
        keys: features whose values many rows share, likewise.
        names: numbers that some rows share, likewise, which may be names.
        named: those places among them that are surely names.
    """

    encoder: Encoder
    numbers: Mapping[int, np.ndarray]
    keys: Mapping[int, np.ndarray]
    names: Mapping[int, np.ndarray]
    named: Collection[int] = ()

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
            means = table.groupby(values[rows]).mean()
            for group, steps in (_NEAR if by in self.named else _SAME).items():
                yield from self._of_means(by, group, means.shift(steps).fillna(usual), usual)

    def _of_means(self, by: int, group: str, means: pd.DataFrame, usual: pd.Series[float]) -> Iterator[Feature]:
        key, at = key_at(self.encoder, by)
        label = group.format(key)
        for of in (place for place in self.numbers if place != by):
            number = self.encoder.features[of]
            learnt = {"levels": means.index.tolist(), "values": means[of].tolist(), "default": float(usual[of])}
            state = {"of": of, **at, **learnt}
            yield Feature(f"mean {number.name} by {label}", number.column, "usual", state)
            yield Feature(f"{number.name} less its mean by {label}", number.column, "beyond", state)


def key_at(encoder: Encoder, place: int) -> tuple[str, dict[str, Any]]:
    """What a key is called, and where a feature made of it finds it: of times the day, which many rows share."""
    feature = encoder.features[place]
    if feature.op == "part" and feature.state["part"] == "epoch_days":
        return f"date of {feature.column}", {"by": place, "whole": True}
    return feature.name, {"by": place}


def candidates(
    dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, sample: np.ndarray, told: np.ndarray
) -> Candidates:
    """The eight most telling numbers of more than a few values, the eight most telling keys, and as many likely names.

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

    @cache
    def whole(place: int) -> np.ndarray:
        return Encoder((encoder.features[place],)).encode(frame)[:, 0]

    @cache
    def key(place: int) -> np.ndarray:
        return key_of(whole(place)[:, None], {**key_at(encoder, place)[1], "by": 0})

    @cache
    def values(place: int) -> int:
        return distinct(key_of(sample, key_at(encoder, place)[1]))

    @cache
    def all_values(place: int) -> int:
        return distinct(key(place))

    def shared(ops: tuple[str, ...], fewest: int, rows: int) -> Iterator[int]:
        """Features with at least so many values, each shared by so many rows on average."""
        most = min(_MOST_VALUES, len(frame) // rows)
        likely = (i for i in ranked if encoder.features[i].op in ops)
        likely = (i for i in likely if fewest <= values(i) <= most)
        return islice((i for i in likely if all_values(i) <= most), _COLUMNS)

    varied = islice((place for place in ranked if read[place] and values(place) > _VALUES), _COLUMNS)
    keys = {place: key(place) for place in shared(_KEYS, _FEWEST_KEYS, _ROWS_OF_A_KEY)}
    coded = {place: key(place) for place in shared(_NUMBERS, _VALUES + 1, _ROWS_OF_A_NAME)}
    return Candidates(encoder, {place: whole(place) for place in varied}, keys, coded)
