"""A challenger must be better than the champion by enough to be worth the change, beyond doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.exchange import upper
from leaflab.gate.paired import Gain, paired_gain, spent_alpha, widened
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence, Seeds

__all__ = ["BeatsChampion"]


@option
class BeatsChampion(Gate):
    """The challenger's gain over the champion must exceed what chance and another seed could show together.

    The gain is relative: 0.01 takes one percent off the champion's loss (of 1 - value for a metric to maximise), on
    rows neither model has seen. It must exceed the root of the sum of two squares: what predictions exchanged at random
    show at level alpha (`gate.exchange`), and the margin; with many rows the margin alone decides. Answers: better,
    worse, no better by the margin, or not enough evidence and about how many more rows would tell.

    The margin is at least what other seeds show on these rows at level alpha: they are read off the members of the two
    models, and a challenger of one booster is trained again with some. So a model that owes much to its seed must gain
    more. Both models' seeds count; a model whose seeds are unknown is taken to be like the other.

    The level shrinks with the looks at the same test set (`gate.paired.spent_alpha`), and the margin, which is a
    quantile at that level, grows with them.

    Args:
        min_gain: the margin: the gain that another seed alone would show in one case of 1 / alpha.
        alpha: the chance of promoting a model that is no better, at the first look.
        seeds: with how many other seeds a challenger of one booster is trained again; 0 trusts `min_gain`.
    """

    min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.005
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    seeds: Annotated[int, Field(ge=0, le=100)] = 3

    def judge(self, evidence: Evidence) -> Verdict:
        if evidence.champion is None:
            reason = evidence.champion_note or "there is no champion yet"
            return Verdict("beats_champion", "not applicable", f"No comparison: {reason}.")
        gain = paired_gain(
            evidence.metric,
            evidence.truth,
            evidence.challenger.scores,
            evidence.champion.scores,
            weight=evidence.weight,
            alpha=spent_alpha(self.alpha, evidence.looks),
        )
        if not gain.defined:
            sentence = f"No comparison: these {gain.rows:,} rows do not define {evidence.metric.name}."
            return Verdict("beats_champion", "not applicable", sentence)
        shown = upper(self.alpha) * _reseeded(evidence, gain.other)
        margin = widened(self.alpha, max(self.min_gain, shown), evidence.looks)
        needed = gain.needed(margin)
        sentence = (
            f"{_answer(gain, margin)}: gain in {evidence.metric.name} {gain} on {gain.rows:,} rows, "
            f"{needed:+.2%} is needed{_why(shown if shown > self.min_gain else 0.0, evidence.looks)}."
        )
        numbers = {
            "gain": gain.estimate,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "gain_error": gain.error,
            "needed": needed,
            "margin": margin,
            "seeds": shown,
            "level": gain.alpha,
            "loss": gain.loss,
            "champion_loss": gain.other,
            "rows": float(gain.rows),
            "looks": float(evidence.looks),
        }
        return Verdict("beats_champion", "passed" if gain.estimate > needed else "failed", sentence, numbers)


def _answer(gain: Gain, margin: float) -> str:
    if gain.estimate > gain.needed(margin):
        return "Better"
    if gain.high < 0:
        return "Worse"
    if gain.high <= margin:
        return "No better by the margin"
    more = gain.more_rows(margin)
    return f"Not enough evidence, about {more:,} more rows would tell" if more else "Not enough evidence"


def _reseeded(evidence: Evidence, loss: float) -> float:
    """Standard deviation of the gain between two seeds, as far as it is known.

    One of few seeds is too small on average; what it is divided by makes up for that.
    """
    known: Sequence[Seeds] = evidence.extra.get("seeds") or ()
    freedom = sum(seeds.freedom for seeds in known)
    if not freedom or loss <= 0:
        return 0.0
    short = math.sqrt(2 / freedom) * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    variance = 2 / len(known) * sum(seeds.variance for seeds in known)
    return math.sqrt(variance) / short / loss


def _why(shown: float, looks: int) -> str:
    times = "once" if looks == 1 else f"{looks} times"
    parts = [f"other seeds alone show {shown:+.2%}"] if shown else []
    parts += [f"this test set was looked at {times} before"] if looks else []
    return f" ({'; '.join(parts)})" if parts else ""
