"""Answers as rows of the lake table `inference/NAME`."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.serve.journal import Entry

__all__ = ["OWN", "Recorder", "hash_key"]

OWN = ("row_id", "request_id", "time", "model", "version", "alias", "milliseconds", "prediction")


class Recorder:
    """Makes the table of some entries of one model.

    The columns are `row_id, request_id, time, model, version, alias, milliseconds, prediction`, `proba_<class>` for
    every class, and the columns the model reads, as it typed them. A prediction is text for classes, else a number.
    An input whose name is taken is written as `NAME (input)`.

    Args:
        hashed: columns kept as keyed hashes: equal values stay equal, and cannot be read back.
        omitted: columns not kept.
        key: the key of the hashes.
    """

    def __init__(self, hashed: Collection[str] = (), omitted: Collection[str] = (), key: bytes = b"") -> None:
        self._hashed, self._omitted, self._key = set(hashed), set(omitted), key

    def __call__(self, entries: list[Entry]) -> pa.Table:
        """The rows of entries that one version answered under one alias."""
        import pyarrow as pa

        live = entries[0].answer.live
        sizes = [entry.answer.typed.rows for entry in entries]
        columns: dict[str, Any] = {
            "row_id": pa.array([i for entry in entries for i in entry.answer.ids], pa.string()),
            "request_id": pa.array(_spread((entry.request_id for entry in entries), sizes), pa.string()),
            "time": pa.array(np.repeat([int(e.time * 1e6) for e in entries], sizes), pa.timestamp("us", "UTC")),
            "model": pa.array([live.version.name] * sum(sizes), pa.string()),
            "version": pa.array(np.full(sum(sizes), live.version.number), pa.int64()),
            "alias": pa.array(_spread((entry.alias for entry in entries), sizes), pa.string()),
            "milliseconds": pa.array(np.repeat([entry.milliseconds for entry in entries], sizes), pa.float64()),
        }
        scores = np.concatenate([entry.answer.scores for entry in entries])
        if live.labels:
            columns["prediction"] = pa.array([live.labels[k] for k in scores.argmax(axis=1)], pa.string())
            columns |= {f"proba_{label}": pa.array(scores[:, k]) for k, label in enumerate(live.labels)}
        else:
            columns["prediction"] = pa.array(scores)
        taken = {name.casefold() for name in columns}
        for name, values in self._inputs(entries):
            kept = name if name.casefold() not in taken else f"{name} (input)"
            taken.add(kept.casefold())
            columns[kept] = values
        return pa.table(columns)

    def _inputs(self, entries: list[Entry]) -> Iterator[tuple[str, pa.Array[Any]]]:
        import pyarrow as pa

        live = entries[0].answer.live
        typed = [entry.answer.typed for entry in entries]
        numbers = np.concatenate([t.numbers for t in typed], axis=1)
        for place, column in enumerate(live.fast.numeric):
            if column.name not in self._omitted:
                values: pa.Array[Any] = pa.array(numbers[place], from_pandas=True)
                yield column.name, self._hash(values) if column.name in self._hashed else values
        for column in live.scorer.columns:
            if column.kind in ("number", "boolean") or column.name in self._omitted:
                continue
            parts = [t.others[column.name] for t in typed]
            if column.kind == "time":
                micros = np.concatenate(parts)
                values = pa.array(micros, mask=micros == np.iinfo("int64").min).cast(pa.timestamp("us"))
            else:
                values = pa.array(list(itertools.chain.from_iterable(parts)), pa.string())
            yield column.name, self._hash(values) if column.name in self._hashed else values

    def _hash(self, values: pa.Array[Any]) -> pa.Array[Any]:
        import pyarrow as pa

        texts = values.cast(pa.string()).to_pylist()
        digests = [
            None if text is None else hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]
            for text in texts
        ]
        return pa.array(digests, pa.string())


def _spread(values: Any, sizes: list[int]) -> list[Any]:
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def hash_key(file: Path) -> bytes:
    """The project's key for hashed columns, made on first use and readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32))
    try:
        os.link(partial, file)  # fails where another process was first
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    return bytes.fromhex(file.read_text(encoding="ascii"))
