"""Who calls the champion today must be able to call the challenger tomorrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leaflab.scorer import Column
    from leaflab.values import Evidence

__all__ = ["SameSchema"]


@option
class SameSchema(Gate):
    """The challenger must read no column the champion did not, with the same kinds, and answer with the same classes.

    Without a champion it must read nothing but what its dataset holds. A column less does no harm.

    Args:
        allow: columns that may be new or changed.
    """

    allow: tuple[str, ...] = ()

    def judge(self, evidence: Evidence) -> Verdict:
        own = evidence.challenger.facts
        if "columns" not in own:
            return Verdict("same_schema", "not applicable", "The challenger does not say which columns it reads.")
        agreed = evidence.extra.get("champion")
        before = agreed["columns"] if agreed else evidence.dataset.columns
        whose = "the champion" if agreed else "its dataset"
        problems = self._columns(own["columns"], before)
        if agreed and tuple(own["classes"]) != tuple(agreed["classes"]):
            problems.append(f"the classes are {_listed(own['classes'])} and were {_listed(agreed['classes'])}")
        if problems:
            return Verdict("same_schema", "failed", f"Against {whose}: {'; '.join(problems)}.")
        count = len(own["columns"])
        words = "1 column" if count == 1 else f"{count} columns"
        said = f"Its {words} and its answers fit {whose}."
        return Verdict("same_schema", "passed", said, {"columns": float(count)})

    def _columns(self, columns: Iterable[Column], before: Iterable[Column]) -> list[str]:
        kinds = {column.name: column for column in before}
        problems = []
        for column in columns:
            known = kinds.get(column.name)
            if column.name in self.allow:
                continue
            if known is None and column.required:
                problems.append(f"'{column.name}' is new and required")
            elif known is not None and known.kind != column.kind:
                problems.append(f"'{column.name}' is a {column.kind} and was a {known.kind}")
            elif known is not None and column.required and not known.required:
                problems.append(f"'{column.name}' has become required")
        return problems


def _listed(classes: Iterable[object]) -> str:
    return ", ".join(map(str, classes))
