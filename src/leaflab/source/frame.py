"""A table that is in memory already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.source.base import Reading, Source
from leaflab.source.folding import batch_of, type_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Frame"]


class Frame(Source):
    """A pandas, polars or pyarrow table; for the Python API, not for YAML.

    A column that mixes types becomes the narrowest one that holds all its values. A named index becomes columns.

    Args:
        frame: the table.
        name: the dataset's name.
    """

    def __init__(self, frame: Any, name: str | None = None) -> None:
        self._frame, self._name = frame, name

    @property
    def default_name(self) -> str | None:
        return self._name

    def read(self) -> Reading:
        table = self._table()
        if not table.num_columns or not table.num_rows:
            raise SourceError("the table in memory", "is empty")
        return Reading(table.schema, iter(table.to_batches()), f"memory:{self._name or 'table'}")

    def _table(self) -> pa.Table:
        import pandas as pd
        import pyarrow as pa

        if isinstance(self._frame, pd.DataFrame):
            return _from_pandas(self._frame)
        try:
            return pa.table(self._frame).replace_schema_metadata(None)
        except (TypeError, ValueError) as error:
            rule = "must be a pandas, polars or pyarrow table"
            raise SourceError("the table in memory", rule, got=type(self._frame).__name__) from error


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    arrays = []
    for at, name in enumerate(frame.columns):
        values = frame.iloc[:, at]
        try:
            arrays.append(pa.array(values, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            plain = values.astype(object).where(values.notna(), None).tolist()
            schema = pa.schema([(name, type_of(plain))])
            arrays.append(batch_of([{name: value} for value in plain], schema).column(0))
        except (pa.ArrowException, UnicodeEncodeError) as error:
            what = "text that is not Unicode" if isinstance(error, UnicodeEncodeError) else str(values.dtype)
            rule = "must hold numbers, texts, dates or truth values"
            raise SourceError(f"column {name!r}", rule, got=what, hint="leave it out or change it first") from error
    return pa.Table.from_arrays(arrays, names=list(frame.columns))
