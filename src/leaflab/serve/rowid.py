"""Row ids of typed rows without pandas: the same ids that `identity.row_ids` gives."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.identity import _MISSING, mixed
from leaflab.scorer import BadTable

if TYPE_CHECKING:
    from leaflab.scorer import Scorer
    from leaflab.scorer.fast import Typed

__all__ = ["RowIds"]

_REMEMBERED = 1 << 16


class RowIds:
    """Names rows as datasets and batch predictions name them.

    Args:
        scorer: the model; its dataset's id columns name a row where a request has them all, else its content does.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._ids = list(scorer.meta.get("id") or ())
        self._others = [(c.name, c.kind) for c in scorer.columns if c.kind not in ("number", "boolean")]
        numeric = [c.name for c in scorer.columns if c.kind in ("number", "boolean")]
        names = [*numeric, *(name for name, _ in self._others)]
        salts = [np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], dtype="<u8")[0] for name in names]
        self._salts = np.array(salts, dtype="uint64")
        self._words: dict[str | None, int] = {}

    def __call__(self, typed: Typed, values: Mapping[str, Sequence[Any]]) -> list[str]:
        """One id a row.

        Raises:
            BadTable: an id holds text that cannot be written.
        """
        if self._ids and all(name in values for name in self._ids):
            columns = [values[name] for name in self._ids]
            ids = ["|".join(map(str, row)) for row in zip(*columns, strict=True)]
            try:
                "".join(ids).encode()
            except UnicodeEncodeError as error:
                named = ", ".join(map(repr, self._ids))
                raise BadTable(f"id columns {named} must hold Unicode text", tuple(self._ids)) from error
            return ids
        parts = [self._of_numbers(typed.numbers).T]
        parts += [self._of(typed.others[name], kind)[:, None] for name, kind in self._others]
        total = mixed(np.hstack(parts) ^ self._salts).sum(axis=1, dtype="uint64")
        text = mixed(total).astype(">u8").tobytes().hex()
        return [text[i : i + 16] for i in range(0, len(text), 16)]

    def _of_numbers(self, numbers: np.ndarray) -> np.ndarray:
        words = mixed((numbers + 0.0).view("uint64"))
        words[np.isnan(numbers)] = _MISSING
        return words

    def _of(self, values: Any, kind: str) -> np.ndarray:
        if kind == "time":
            words = mixed(values.view("uint64"))
            words[values == np.iinfo("int64").min] = _MISSING
            return words
        return np.array([self._word(value) for value in values], dtype="uint64")

    def _word(self, value: str | None) -> int:
        word = self._words.get(value)
        if word is None:
            if len(self._words) > _REMEMBERED:
                self._words.clear()
            digest = hashlib.blake2b((value or "").encode(), digest_size=8).digest()
            word = self._words[value] = _MISSING if value is None else int.from_bytes(digest, "little")
        return word
