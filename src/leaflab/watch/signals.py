"""From many findings to few signals: what stands after correction, what it does to the model, what is an alarm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from leaflab.drift.base import Finding
from leaflab.drift.control import adjusted

__all__ = ["FAMILIES", "Family", "Severity", "Signal", "family_of", "signals"]

Family = Literal["schema", "data", "prediction", "performance", "concept", "labels", "quality"]
Severity = Literal["critical", "warning", "harmless"]

FAMILIES: Mapping[str, Family] = {
    "schema": "schema",
    "classifier": "prediction", "reconstruction": "prediction", "mmd": "prediction", "prediction": "prediction",
    "realised": "performance", "estimated": "performance", "slice": "performance",
    "permutation": "performance", "adwin": "performance", "surprise": "concept",
    "label_shift": "labels", "label_errors": "labels",
    "duplicates": "quality", "freshness": "quality", "volume": "quality", "clock": "quality", "truth": "quality",
}  # fmt: skip
_CRITICAL: tuple[str, ...] = ("schema", "realised", "surprise")


def family_of(test: str) -> Family:
    """The family a test belongs to; tests of single columns are "data"."""
    return FAMILIES.get(test, "data")


@dataclass(frozen=True)
class Signal:
    """A finding in the light of all others.

    Args:
        finding: what one test found.
        family: what it is about; each family has an equal share of the run's level.
        q_value: its p-value adjusted within the family.
        stands: whether it is beyond chance and its effect counts.
        impact: how far the model's answers move by it, in units of their spread; NaN where that is not known.
        severity: "harmless" is no alarm.
        note: why a finding that stands is harmless.
    """

    finding: Finding
    family: Family
    q_value: float
    stands: bool
    impact: float
    severity: Severity
    note: str = ""

    @property
    def alarm(self) -> bool:
        return self.stands and self.severity != "harmless"

    @property
    def strength(self) -> float:
        """The effect in units of what is harmless."""
        return self.finding.effect / self.finding.least if self.finding.least else self.finding.effect


def signals(
    findings: Iterable[Finding], impact: Mapping[str, float], *, alpha: float = 0.05, min_impact: float = 0.05
) -> list[Signal]:
    """Every finding with its q-value and severity, worst first.

    The level is shared by the families that have a test that applies, and false discoveries are controlled within each:
    where nothing differs, the chance of even one alarm is at most `alpha`. The many slices are a group of their own,
    lest they drown the performance of the whole.

    Args:
        findings: of all tests.
        impact: column to effect on the model's answers; columns it lacks are judged without.
        alpha: the level of the whole run.
        min_impact: drift of a column that moves the answers by less is harmless.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        group = "slice" if finding.test == "slice" else family_of(finding.test)
        groups.setdefault(group, []).append(finding)
    tested = sum(any(f.applies for f in group) for group in groups.values())
    level = alpha / max(1, tested)
    made = [
        _signal(finding, family_of(finding.test), float(q), level, impact.get(finding.column, math.nan), min_impact)
        for group in groups.values()
        for finding, q in zip(group, adjusted([f.p_value for f in group]), strict=True)
    ]
    return sorted(made, key=_rank)


def _signal(finding: Finding, family: Family, q: float, level: float, impact: float, least: float) -> Signal:
    stands = finding.applies and q <= level and finding.effect >= finding.least > 0
    if family == "data" and stands and impact < least:
        note = f"harmless: it moves the model's answers by {impact:.1%} of their spread"
        return Signal(finding, family, q, stands, impact, "harmless", note)
    severity: Severity = "critical" if finding.test in _CRITICAL else "warning"
    return Signal(finding, family, q, stands, impact, severity)


def _rank(signal: Signal) -> tuple[bool, bool, bool, float, float, float]:
    """Alarms first, critical ones before others, then by what they do to the model; the rest by p-value."""
    impact = 0.0 if math.isnan(signal.impact) or not signal.stands else signal.impact
    strength = signal.strength if signal.stands else 0.0
    chance = signal.finding.p_value if signal.finding.applies else 2.0
    return (
        not signal.alarm,
        signal.alarm and signal.severity != "critical",
        not signal.stands,
        -impact,
        -strength,
        chance,
    )
