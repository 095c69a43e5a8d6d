"""Where a model comes from: fresh data, committed code, and a training that was done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["CleanCode", "DataFresh", "Reproduced"]


@option
class CleanCode(Gate):
    """No champion from a dirty working tree: the commit on the run must be the code that ran."""

    def judge(self, evidence: Evidence) -> Verdict:
        facts = evidence.challenger.facts
        commit = str(facts.get("run/mlflow.source.git.commit", ""))
        if not commit:
            return Verdict("clean_code", "not applicable", "The project is not under git.")
        if facts.get("run/mlflow.source.git.dirty") == "true":
            return Verdict("clean_code", "failed", f"It was trained with changes that commit {commit[:10]} lacks.")
        return Verdict("clean_code", "passed", f"It was trained by commit {commit[:10]}, nothing changed.")


@option
class DataFresh(Gate):
    """The newest row the model learnt from must not be too old.

    Args:
        days: largest age of the newest row.
    """

    days: Annotated[float, Field(gt=0)] = 90.0

    def judge(self, evidence: Evidence) -> Verdict:
        from datetime import UTC, datetime

        import pyarrow.compute as pc

        name, parts = evidence.dataset.roles.time, evidence.dataset.parts
        if name is None:
            return Verdict("data_fresh", "not applicable", "The dataset has no time column (dataset.time).")
        ends = [pc.max(parts[part][name]).as_py() for part in ("train", "valid") if parts[part].num_rows]
        newest = max((end for end in ends if end is not None), default=None)
        if not isinstance(newest, datetime):
            return Verdict("data_fresh", "not applicable", f"'{name}' holds no dates.")
        age = (datetime.now(UTC).replace(tzinfo=None) - newest.replace(tzinfo=None)).total_seconds() / 86_400
        sentence = f"The newest row is of {newest:%Y-%m-%d}, {age:.0f} days old; at most {self.days:.0f} are allowed."
        return Verdict("data_fresh", "passed" if age <= self.days else "failed", sentence, {"days": round(age, 1)})


@option
class Reproduced(Gate):
    """Somebody must have trained it again and found the same model (`leaflab reproduce`)."""

    def judge(self, evidence: Evidence) -> Verdict:
        found = str(evidence.challenger.facts.get("run/leaflab.reproduced", ""))
        if not found:
            hint = "leaflab reproduce " + str(evidence.challenger.facts.get("run_id", "RUN"))
            return Verdict("reproduced", "not applicable", f"Nobody has trained it again; try `{hint}`.")
        same = found in ("true", "exact", "yes")
        said = "gave the same model" if same else f"gave another model ({found})"
        return Verdict("reproduced", "passed" if same else "failed", f"Training it again {said}.")
