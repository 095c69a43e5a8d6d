"""Carrying the operations of a spool into a store, and setting aside what that will never have."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from leaflab.tracking.batch import Batch
from leaflab.tracking.spool import End, Op, Register, Spool
from leaflab.tracking.writer import Child, Writer

__all__ = ["carried"]

_log = logging.getLogger(__name__)
_NO = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST", "INVALID_STATE")


def carried(spool: Spool, writer: Writer, limit: int) -> Iterator[int]:
    """Records up to `limit` of the operations that wait; yields each position up to which all is recorded."""
    if spool.unknown:
        spool.begun(writer.begin(*spool.unknown, spool.run_id))
    for group in _groups(spool.read(limit)):
        try:
            _apply(writer, spool, [op for op, _ in group])
        except Exception as error:
            if not _refused(error):
                raise
            for op, _ in group:
                _alone(writer, spool, op)
        yield group[-1][1]


def _apply(writer: Writer, spool: Spool, ops: list[Op | None]) -> None:
    children = [op for op in ops if isinstance(op, Child)]
    if children:
        writer.children(spool.run_id, children)
        return
    for op in ops:
        match op:
            case Batch():
                writer.log(spool.run_id, op)
            case Register(name, tags):
                writer.challenge(name, spool.run_id, tags)
            case End(status, at) if not spool.goes_on:
                writer.end(spool.run_id, status, at)


def _alone(writer: Writer, spool: Spool, op: Op | None) -> None:
    """Records one operation, or sets it aside where the store will never have it."""
    try:
        _apply(writer, spool, [op])
    except Exception as error:
        if op is None or not _refused(error):
            raise
        if isinstance(op, Child):
            _ended(writer, spool, op)
        spool.refuse(op, str(error))
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        _log.warning("The store refuses a record of '%s' (%s); it is kept in .leaflab/spool/refused.",
                     spool.head["name"], reason)  # fmt: skip


def _ended(writer: Writer, spool: Spool, child: Child) -> None:
    """Ends a refused child, which may have been begun, with what the store has of it."""
    try:
        _apply(writer, spool, [replace(child, batch=Batch())])
    except Exception as error:
        if not _refused(error):
            raise


def _groups(ops: Iterable[tuple[Op | None, int]]) -> Iterator[list[tuple[Op | None, int]]]:
    """Neighbouring children together, everything else alone."""
    for together, group in groupby(ops, key=lambda pair: isinstance(pair[0], Child)):
        pairs = list(group)
        yield from [pairs] if together else [[pair] for pair in pairs]


def _refused(error: Exception) -> bool:
    """Whether trying again is vain: the store said no to the record itself, and not to us or to the moment."""
    code = getattr(error, "error_code", None)
    if code is not None:
        return code in _NO
    own = type(error).__module__ == "builtins" and not isinstance(error, OSError)
    return own or type(error).__name__ == "IntegrityError"
