"""Asks a model in every way there is, on rows made to tell the ways apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.scorer import Column, Scorer

__all__ = ["adversarial", "parity_report"]

_ROWS = 40
_WHOLE = 2.0**62  # the largest that surely is a 64-bit integer
_BATCH = 7
_ODD = [
    "naïve café",
    "a,b;c",
    'say "hi"',
    "tab\there",
    "new\nline",
    "back\\slash",
    "日本語",
    "🍃",
    "O'Brien",
    " padded ",
    "<b>",
    "%",
]


def parity_report(
    scorer: Scorer, ways: Mapping[str, Callable[[pd.DataFrame], np.ndarray]], table: pa.Table
) -> list[dict[str, Any]]:
    """One comparison a way and a kind of rows: `path`, `rows`, `ulps` (largest distance) and `error`.

    Args:
        scorer: the model as it was judged.
        ways: name to a function from raw rows to scores.
        table: typed rows to start from.
    """
    ways = {**ways, "batches": lambda frame: _batched(scorer, frame)}
    frame = _raw(scorer, table)
    report = [_compared("typed rows", "plain", partial(_typed, scorer, table), partial(scorer.score, frame))]
    for rows, odd in adversarial(scorer.columns, frame).items():
        report += [_compared(path, rows, partial(ask, odd), partial(scorer.score, odd)) for path, ask in ways.items()]
    return report


def adversarial(columns: Iterable[Column], frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Raw rows by what is odd about them.

    Args:
        columns: the columns a model reads.
        frame: ordinary raw rows with these columns.
    """
    import pandas as pd

    columns = list(columns)
    texts = [c.name for c in columns if c.kind in ("category", "text")]
    numbers = [c.name for c in columns if c.kind == "number"]
    optional = [c.name for c in columns if not c.required]
    odd: Any = pd.Series((_ODD * (len(frame) // len(_ODD) + 1))[: len(frame)], index=frame.index, dtype=object)
    whole = {name: frame[name].clip(-_WHOLE, _WHOLE).round().astype("Int64") for name in numbers}
    extra: dict[str, Any] = {"an extra column": 1, "another; one": "x"}
    made = {
        "plain": frame,
        "nulls": _with_nulls(frame),
        "reordered columns": frame[list(reversed(frame.columns))],
        "extra columns": frame.assign(**extra),
        "one row": frame.head(1),
    }
    if texts:
        unseen: Any = pd.Series("never seen before", index=frame.index, dtype=object)
        made["unseen categories"] = frame.assign(**dict.fromkeys(texts, unseen))
        made["odd characters"] = frame.assign(**dict.fromkeys(texts, odd))
    if numbers:
        made["integers"] = frame.assign(**{name: values.fillna(0).astype("int64") for name, values in whole.items()})
        gaps = np.arange(len(frame)) % 3 == 0
        made["integers with nulls"] = frame.assign(**{name: values.mask(gaps) for name, values in whole.items()})
    if optional:
        made["optional columns left out"] = frame.drop(columns=optional)
    return made


def _with_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """Each row misses another column, the last row all of them."""
    gaps = np.arange(len(frame))[:, None] % max(1, frame.shape[1]) == np.arange(frame.shape[1])[None, :]
    gaps[-1:] = True
    return frame.mask(gaps)


def _raw(scorer: Scorer, table: pa.Table) -> pd.DataFrame:
    """Typed rows as a caller would send them: times as the text their rule reads, categories as text."""
    frame: pd.DataFrame = table.slice(0, _ROWS).select([c.name for c in scorer.columns]).to_pandas()
    for column in scorer.columns:
        if column.kind == "time":
            form = column.format or "%Y-%m-%dT%H:%M:%S.%f"
            values = frame[column.name]
            frame[column.name] = values.dt.strftime(form).astype(object).where(values.notna(), None)
        elif column.kind == "boolean":
            frame[column.name] = frame[column.name].map({1.0: "true", 0.0: "false"}).astype(object)
    return frame


def _typed(scorer: Scorer, table: pa.Table) -> np.ndarray:
    frame = table.slice(0, _ROWS).select([c.name for c in scorer.columns]).to_pandas()
    return scorer.predictor.predict(scorer.encoder.encode(frame))


def _batched(scorer: Scorer, frame: pd.DataFrame) -> np.ndarray:
    return np.concatenate([scorer.score(frame.iloc[i : i + _BATCH]) for i in range(0, len(frame), _BATCH)])


def _compared(path: str, rows: str, ask: Callable[[], np.ndarray], expect: Callable[[], np.ndarray]) -> dict[str, Any]:
    try:
        answer, expected = np.asarray(ask(), dtype="float64"), expect()
    except Exception as error:  # a way that fails is a finding, whatever it raises
        return {"path": path, "rows": rows, "ulps": float("inf"), "error": f"{type(error).__name__}: {error}"[:300]}
    if answer.shape != expected.shape:
        shapes = f"answers of shape {answer.shape}, not {expected.shape}"
        return {"path": path, "rows": rows, "ulps": float("inf"), "error": shapes}
    unit = np.spacing(np.maximum(np.abs(answer), np.abs(expected)))
    distance = np.where(answer == expected, 0.0, np.abs(answer - expected) / unit)
    return {
        "path": path,
        "rows": rows,
        "ulps": float(np.nan_to_num(distance, nan=np.inf).max(initial=0.0)),
        "error": "",
    }
