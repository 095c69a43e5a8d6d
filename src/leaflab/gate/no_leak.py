"""A model that was told the answer must not be deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["NoLeak"]


@option
class NoLeak(Gate):
    """Prepare's sentinels must have found no column that gives the target away, in the data the challenger learnt from.

    Args:
        allow: columns that may look like a leak because you know they are not.
    """

    allow: tuple[str, ...] = ()

    def judge(self, evidence: Evidence) -> Verdict:
        leaks = evidence.extra.get("leaks")
        if leaks is None:
            return Verdict("no_leak", "not applicable", "The dataset carries no record of a search for leaks.")
        found = [column for column in leaks if column not in self.allow]
        if found:
            named = ", ".join(f"'{column}'" for column in found)
            return Verdict("no_leak", "failed", f"These columns look like leaks of the target: {named}.")
        allowed = f" beyond the allowed {', '.join(self.allow)}" if self.allow else ""
        return Verdict("no_leak", "passed", f"The sentinels found no leak{allowed}.", {"leaks": 0.0})
