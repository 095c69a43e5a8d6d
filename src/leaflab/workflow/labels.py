"""Labels that came later, by row id; and how a label in a table becomes a class code or a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.values import ROW_ID

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Labels", "coded", "keys_of", "labels_of"]


@dataclass
class Labels:
    """The label that came last of every row id.

    Args:
        keys: of the row ids, increasing, shape (labels,).
        truth: class codes or values; NaN for a label that the model does not know.
        came: seconds since the epoch; None where nobody noted it.
        twice: labels that a later one replaced.
        odd: labels that the model does not know.
    """

    keys: np.ndarray
    truth: np.ndarray
    came: np.ndarray | None
    twice: int
    odd: int
    met: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.met = np.zeros(len(self.keys), dtype=bool)

    def of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Truth of rows and when it came; NaN where it has not."""
        place = np.minimum(np.searchsorted(self.keys, keys), max(0, len(self.keys) - 1))
        found = self.keys[place] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        self.met[place[found]] = True

        def taken(values: np.ndarray) -> np.ndarray:
            result = np.full(len(keys), np.nan)
            result[found] = values[place[found]]
            return result

        return taken(self.truth), None if self.came is None else taken(self.came)

    def notes(self, rows: int, truths: int) -> Iterator[str]:
        """What to say of them once all rows were asked for."""
        if self.twice:
            yield f"rows with more than one label, of which the latest counts: {self.twice:,}"
        if self.odd:
            yield f"labels that the model does not know, and that count as none: {self.odd:,}"
        lost = int((~self.met).sum())
        if len(self.keys) and lost == len(self.keys):
            yield f"none of the {lost:,} labels matches a current row: do both have the same row ids?"
        elif lost:
            yield f"labels that match no current row: {lost:,}"
        yield f"{truths:,} of {rows:,} rows have their label"


def labels_of(lab: Lab, subject: Subject) -> Labels | None:
    """The labels in the lake's table `truth/NAME`; None where there is none, or it has no such columns."""
    import pandas as pd

    name, target = f"truth/{lab.name}", subject.dataset.target
    if lab.lake.current(name) is None:
        return None
    table = lab.lake.read(name)
    column = target if target in table.column_names else "truth"
    if not {ROW_ID, column} <= set(table.column_names):
        return None
    keys = keys_of(table[ROW_ID].combine_chunks())
    came = None
    order = np.arange(len(keys))
    if "time" in table.column_names:
        stamps = pd.to_datetime(table["time"].to_pandas(), utc=True, errors="coerce").dt.tz_localize(None)
        came = np.where(stamps.isna(), np.nan, stamps.astype("datetime64[us]").astype("int64").to_numpy() / 1e6)
        order = np.argsort(np.nan_to_num(came, nan=-np.inf), kind="stable")
    order = order[np.argsort(keys[order], kind="stable")]
    last = np.r_[keys[order][1:] != keys[order][:-1], True] if len(keys) else np.zeros(0, dtype=bool)
    chosen = order[last]
    given = table[column].to_pandas()
    truth = coded(subject.dataset.classes, given)
    odd = int((given.notna().to_numpy() & np.isnan(truth))[chosen].sum())
    return Labels(keys[chosen], truth[chosen], None if came is None else came[chosen], len(keys) - len(chosen), odd)


def keys_of(ids: pa.Array[Any]) -> np.ndarray:
    """A 64-bit number from each id, which is read as text."""
    import pandas as pd
    import pyarrow as pa

    texts = ids.cast(pa.string()).to_pandas().astype(object).to_numpy()
    return np.asarray(pd.util.hash_array(texts, categorize=False))


def coded(classes: tuple[Any, ...], values: pd.Series[Any]) -> np.ndarray:
    """Class codes or values as float64; NaN where there is none, or none that the classes have."""
    import pandas as pd

    if not classes:
        return pd.to_numeric(values, errors="coerce").to_numpy("float64", na_value=np.nan)
    codes = {_word(label): float(code) for code, label in enumerate(classes)}
    places, distinct = pd.factorize(values)
    found = np.array([*(codes.get(_word(value), np.nan) for value in distinct), np.nan])
    return found[places]


def _word(label: Any) -> str:
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label).strip().casefold().removesuffix(".")
