"""Digits that are no number: a code with leading zeros, or more digits than an integer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

__all__ = ["codes"]

_CODE = r"^[ \t]*[+-]?(0[0-9]+|[0-9]{19,})[ \t]*$"
_ZERO_LED = r"^[ \t]*[+-]?0[0-9]+[ \t]*$"
_INT64 = float(2**63)


def codes(table: pa.Table, data: bytes, delimiter: str, texts: Callable[[Sequence[str]], pa.Table]) -> set[str]:
    """Columns that were read as numbers, where the number is not what is written (`00501`).

    Args:
        table: what was read of the text.
        data: the text.
        delimiter: between its fields.
        texts: reads columns of the text as they are written; asked only where a glance at the bytes finds a reason.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = [f.name for f in table.schema if pa.types.is_integer(f.type)]
    floats = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    huge = [name for name in floats if (pc.max(pc.abs(table.column(name))).as_py() or 0.0) >= _INT64]
    suspects = whole + floats if (whole or floats) and _zero_leads(data, delimiter) else huge
    if not suspects:
        return set()
    written = texts(suspects)
    patterns = {name: _ZERO_LED if name in whole else _CODE for name in suspects}
    return {n for n, p in patterns.items() if pc.any(pc.match_substring_regex(written.column(n), p)).as_py()}


def _zero_leads(data: bytes, delimiter: str) -> bool:
    """Whether a field may begin with a zero and another digit; a field that only looks so may be text."""
    import numpy as np

    cells = np.frombuffer(b"\n\n" + data, dtype="u1")
    digit = cells - ord("0") < 10  # unsigned: what lies below "0" is large
    at = np.flatnonzero(~digit[1:-2] & (cells[2:-1] == ord("0")) & digit[3:]) + 2
    starts = np.zeros(256, dtype=bool)
    starts[list(b'\n\r"' + delimiter.encode())] = True
    before, further = cells[at - 1], cells[at - 2]
    signed = np.isin(before, list(b" \t+-")) & (starts[further] | (further == ord(" ")))
    return bool((starts[before] | signed).any())
