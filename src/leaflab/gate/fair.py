"""Groups of people must be served alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Fair"]


@option
class Fair(Gate):
    """A fairness difference between the groups of a column must be small (fairlearn's definitions).

    It is one number on one sample: few rows in a group make it large by chance.

    Args:
        column: the column whose values are the groups; it need not be one the model reads.
        measure: "equalized_odds" (hit and false alarm rates) or "demographic_parity" (how often yes is answered).
        at_most: largest difference between two groups, 0 to 1.
    """

    column: str = ""
    measure: Literal["equalized_odds", "demographic_parity"] = "equalized_odds"
    at_most: Annotated[float, Field(gt=0, le=1)] = 0.1

    def judge(self, evidence: Evidence) -> Verdict:
        if evidence.challenger.scores.ndim != 2 or evidence.challenger.scores.shape[1] != 2:
            return Verdict("fair", "not applicable", "It compares yes and no answers, and the task has others.")
        if self.column not in evidence.table.column_names:
            which = f"The rows have no column '{self.column}'" if self.column else "No groups are named"
            return Verdict("fair", "not applicable", f"{which} (gate.fair.column=COLUMN).")
        try:
            from fairlearn import metrics
        except ImportError:
            return Verdict("fair", "not applicable", "It needs an optional package: pip install 'leaflab[fair]'.")
        groups = [str(value) for value in evidence.table[self.column].to_pylist()]
        answers = evidence.challenger.scores.argmax(axis=1)
        measure = getattr(metrics, f"{self.measure}_difference")
        difference = float(measure(evidence.truth, answers, sensitive_features=groups, sample_weight=evidence.weight))
        sentence = (
            f"{self.measure.replace('_', ' ').capitalize()} differs by {difference:.3f} between the groups of "
            f"'{self.column}', at most {self.at_most:.3f} is allowed."
        )
        outcome: Literal["passed", "failed"] = "passed" if difference <= self.at_most else "failed"
        return Verdict("fair", outcome, sentence, {"difference": difference})
