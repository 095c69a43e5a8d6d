"""Lags and windows: what a column was before, made from the table itself without looking ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.errors import ConfigError
from leaflab.option import option

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.values import Roles

__all__ = ["History"]

Statistic = Literal["mean", "min", "max", "std", "sum", "count"]


def _mean() -> list[Statistic]:
    return ["mean"]


@option
class History:
    """`prepare.features.history`: columns made of earlier rows, by `dataset.time`.

    A row sees what came strictly before its own moment; rows of one moment count as one, by their mean. The new columns
    (`sales 1 before`, `sales mean of 7 before`) are inputs of the model like any other: whoever asks it brings them.

    Args:
        columns: number columns; the target may be one of them.
        lags: how many moments back.
        windows: how many moments, or how much time ("7 days"), before the row.
        statistics: what a window becomes.
        by: columns that tell series apart (a shop, a device).
    """

    columns: list[str]
    lags: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    windows: list[Annotated[int, Field(ge=1)] | str] = Field(default_factory=list)
    statistics: list[Statistic] = Field(default_factory=_mean)
    by: list[str] = Field(default_factory=list)

    def added(self, raw: pa.Table, roles: Roles, missing: Sequence[str], rules: Mapping[str, Any]) -> pa.Table:
        """The raw table with the new columns at its end.

        Args:
            raw: the raw table.
            roles: `time` orders its rows.
            missing, rules: how its columns are typed.

        Raises:
            ConfigError: no time column, a column that holds no numbers, or a window that is no length of time.
        """
        import pandas as pd
        import pyarrow as pa

        from leaflab.prepare.naming import check_names
        from leaflab.prepare.typing import type_column

        key = "prepare.features.history"
        if roles.time is None:
            raise ConfigError(f"`{key}`", "needs a time column", hint="name it as dataset.time=COLUMN")
        check_names(raw.column_names, roles, {f"{key}.columns": self.columns, f"{key}.by": self.by})
        typed = {
            n: type_column(n, raw[n], missing, rules) for n in dict.fromkeys([roles.time, *self.columns, *self.by])
        }
        for name in self.columns:
            if typed[name].column.kind not in ("number", "boolean"):
                raise ConfigError(f"`{key}.columns`", "must hold numbers", got=name)
        frame = pd.DataFrame({n: typed[n].values.to_pandas() for n in typed})
        made = dict(self._made(frame, roles.time))
        return pa.table({**{n: raw[n] for n in raw.column_names}, **made})

    def _made(self, frame: pd.DataFrame, time: str) -> Iterator[tuple[str, Any]]:
        """New columns, shape (rows,); missing where a row has no time or nothing came before."""
        import numpy as np
        import pandas as pd

        known = frame[time].notna().to_numpy()
        series = frame.groupby(self.by, dropna=False).ngroup() if self.by else pd.Series(0, index=frame.index)
        rows = frame.loc[known, self.columns].assign(**{_SERIES: series[known], _MOMENT: frame.loc[known, time]})
        grouped = rows.groupby([_SERIES, _MOMENT], sort=True)
        place, moments = grouped.ngroup().to_numpy(), grouped[self.columns].mean().reset_index()

        for name, values in self._columns(moments):
            whole = np.full(len(frame), np.nan)
            whole[known] = values.to_numpy(dtype="float64")[place]
            yield name, whole

    def _columns(self, moments: pd.DataFrame) -> Iterator[tuple[str, pd.Series[Any]]]:
        """New columns of the moments of each series, in order."""
        series = moments.groupby(_SERIES)
        for column in self.columns:
            for lag in self.lags:
                yield f"{column} {lag} before", series[column].shift(lag)
            for window in self.windows:
                rolled = self._rolled(moments, column, window)
                for statistic in self.statistics:
                    yield f"{column} {statistic} of {window} before", getattr(rolled, statistic)()

    def _rolled(self, moments: pd.DataFrame, column: str, window: int | str) -> Any:
        import pandas as pd

        if isinstance(window, int):
            before = moments.assign(**{column: moments.groupby(_SERIES)[column].shift(1)})
            return before.groupby(_SERIES)[column].rolling(window, min_periods=1)
        try:
            length = pd.Timedelta(window)
            return moments.groupby(_SERIES).rolling(length, on=_MOMENT, closed="left", min_periods=1)[column]
        except ValueError as error:
            rule = "must count moments, or read like '7 days' where the time column holds times"
            raise ConfigError("`prepare.features.history.windows`", rule, got=window) from error


_SERIES, _MOMENT = "\0series", "\0moment"
