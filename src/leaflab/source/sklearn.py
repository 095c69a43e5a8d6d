"""The data sets that scikit-learn carries with it."""

from __future__ import annotations

from typing import Literal

from leaflab.option import option
from leaflab.source.base import Reading, Source

__all__ = ["Sklearn"]


@option
class Sklearn(Source):
    """A small table that needs no network; the column to predict is `target`, by its label where it has one.

    Args:
        set: which one. breast_cancer: binary, 569 rows; iris, wine, digits: multiclass, 150, 178 and 1,797 rows;
            diabetes: regression, 442 rows.
    """

    set: Literal["breast_cancer", "iris", "wine", "digits", "diabetes"] = "breast_cancer"

    @property
    def default_name(self) -> str | None:
        return self.set

    def read(self) -> Reading:
        import pyarrow as pa
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{self.set}")(as_frame=True)
        frame = bunch.frame
        if self.set in ("breast_cancer", "iris", "wine"):
            frame = frame.assign(target=[str(bunch.target_names[code]) for code in frame["target"]])
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        return Reading(table.schema, iter(table.to_batches()), f"sklearn:{self.set}")
