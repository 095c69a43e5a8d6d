"""What was judged must be what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Parity"]


@option
class Parity(Gate):
    """Every way to ask the model must give the answer of training, on rows made to differ.

    Ways: the files loaded again, MLflow's pyfunc, MLflow's REST server run in this process, and batches. Rows: nulls,
    unseen categories, integers with nulls, columns reordered, added or left out, texts with odd characters.

    Args:
        ulps: largest distance of two answers, in units in the last place; 0 is bit for bit.
    """

    ulps: Annotated[int, Field(ge=0, le=64)] = 4

    def judge(self, evidence: Evidence) -> Verdict:
        report = evidence.extra.get("parity")
        if not report:
            return Verdict("parity", "not applicable", "The model was not asked by any second way.")
        worst = max(report, key=lambda answer: answer["ulps"])
        numbers = {f"{answer['path']}/{answer['rows']}": float(answer["ulps"]) for answer in report}
        broken = [answer for answer in report if answer["error"] or answer["ulps"] > self.ulps]
        paths = ", ".join(dict.fromkeys(answer["path"] for answer in report))
        if broken:
            first = broken[0]
            what = first["error"] or f"answers {first['ulps']:.3g} ulp apart (at most {self.ulps} allowed)"
            sentence = f"{len(broken)} of {len(report)} comparisons differ; {first['path']} on {first['rows']}: {what}."
            return Verdict("parity", "failed", sentence, numbers)
        sentence = (
            f"{paths} answer as training did in {len(report)} comparisons, at most {worst['ulps']:.0f} ulp apart."
        )
        return Verdict("parity", "passed", sentence, numbers)
