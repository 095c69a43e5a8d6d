"""One look: a window of current rows against what the model knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.base import Finding, Pair
from leaflab.drift.profile import Profile, batches_of, profile
from leaflab.watch import concept, performance, quality
from leaflab.watch.imagine import ErrorModel, Estimate, estimate
from leaflab.watch.impact import impacts
from leaflab.watch.scored import Scored, answers
from leaflab.watch.seasons import in_season
from leaflab.watch.signals import Signal, signals
from leaflab.watch.window import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.drift.base import Drift
    from leaflab.metric.base import Metric
    from leaflab.scorer import Scorer

__all__ = ["Known", "Limits", "Sight", "label_table", "look"]


@dataclass(frozen=True)
class Limits:
    """From where on things count; as in `monitor.*`."""

    alpha: float = 0.05
    min_impact: float = 0.05
    tolerance: float = 0.05
    fresh_within: float | None = None
    min_rows: int | None = None
    max_rows: int | None = None
    season: str | None = None


@dataclass(frozen=True)
class Known:
    """The reference side.

    Args:
        scorer: the model.
        metric, metrics: the deciding metric, and all that are shown.
        profile: of the rows the model learnt from; its answers are those to `held`.
        sample: some of these rows, for impacts.
        held: labelled rows that the model was not trained on.
        errors: what they tell about its errors; None where they are too few.
        realised: the metrics on `held`.
        labels: profile of the target; None where unknown.
        relevant: the columns that can move the answers.
        facts: rows and duplicates of the raw table.
        table: the rows behind `profile`; None without a time column.
        times: their times, as in a window; None without a time column.
    """

    scorer: Scorer
    metric: Metric
    metrics: Sequence[Metric]
    profile: Profile
    sample: Scored
    held: Scored
    errors: ErrorModel | None
    realised: Mapping[str, Estimate]
    labels: Profile | None = None
    relevant: frozenset[str] = frozenset()
    facts: Mapping[str, float] = field(default_factory=dict)
    table: pa.Table | None = None
    times: np.ndarray | None = None


@dataclass(frozen=True)
class Sight:
    """What one look saw."""

    window: Window
    profile: Profile
    signals: tuple[Signal, ...]
    estimated: Mapping[str, Estimate]
    realised: Mapping[str, Estimate]
    impact: Mapping[str, float]

    @property
    def alarms(self) -> list[Signal]:
        return [signal for signal in self.signals if signal.alarm]

    def drop(self, known: Known) -> float:
        """The rise of the deciding loss against the reference: realised where it is known, else estimated."""
        name = known.metric.name
        now, before = self.realised.get(name) or self.estimated.get(name), known.realised.get(name)
        if now is None or before is None or known.metric.loss(before.value) <= 0:
            return 0.0
        return known.metric.loss(now.value) / known.metric.loss(before.value) - 1


def look(known: Known, window: Window, tests: Mapping[str, Drift], limits: Limits, now: float) -> Sight:
    """Every test on one window. Never raises for rows that are too few or too odd.

    Args:
        known: the reference side.
        window: the current rows.
        tests: the drift tests chosen.
        limits: from where on things count.
        now: seconds since the epoch.
    """
    current = window.profile.scored(answers(known.scorer, window.scored.scores), like=known.profile)
    pair = Pair(known.profile, current)
    narrow = replace(known.profile, columns={k: v for k, v in known.profile.columns.items() if k in known.relevant})
    findings = list(window.findings)
    for test in tests.values():
        findings += test.compare(Pair(narrow, current) if test.joint else pair)
    estimated, drawn = _estimated(known, window)
    realised = performance.realised(known.metrics, window.labelled)
    findings += _performance(known, window, estimated, realised, limits.tolerance)
    own = realised.get(known.metric.name)
    findings += _concept(known, window, drawn, limits.tolerance, own.spread if own else 0.0)
    findings += _labels(known, window, tests)
    findings += [quality.duplicates(window.repeated, window.rows, known.facts)]
    findings += quality.freshness(window.end, now, limits.fresh_within)
    findings += quality.volume(window.rows, limits.min_rows, limits.max_rows)
    moved = impacts(known.scorer, known.sample, window.scored.frame.iloc[:20_000], _suspects(findings, limits.alpha))
    found = signals(findings, moved, alpha=limits.alpha, min_impact=limits.min_impact)
    if limits.season:
        found = in_season(found, known, window, tests, limits.season)
    return Sight(window, current, tuple(found), estimated, realised, moved)


def _estimated(known: Known, window: Window) -> tuple[dict[str, Estimate], np.ndarray | None]:
    """Estimates on all rows, and the imagined losses of the labelled ones (all, where no label has come)."""
    if known.errors is None or not window.rows:
        return {}, None
    found = estimate(known.errors, window.scored, known.metrics)
    drawn = found
    if 0 < window.truths < window.rows:
        drawn = estimate(known.errors, window.labelled, [known.metric])
    imagined = drawn[known.metric.name][1] if known.metric.name in drawn else None
    return {name: one for name, (one, _) in found.items()}, imagined


def _performance(
    known: Known, window: Window, estimated: Mapping[str, Estimate], realised: Mapping[str, Estimate], least: float
) -> Iterator[Finding]:
    metric, before = known.metric, known.realised.get(known.metric.name)
    yield performance.estimated_drop(metric, before, estimated.get(metric.name), least)
    yield performance.realised_drop(metric, before, realised.get(metric.name), least, window.truths)
    yield from performance.slices(metric, known.held, window.labelled, 2 * least)


def _concept(known: Known, window: Window, drawn: np.ndarray | None, least: float, own: float) -> Iterator[Finding]:
    yield concept.surprise(known.metric, window.labelled, drawn, least, own)
    yield concept.permutation(known.metric, known.held, window.labelled, least)
    yield concept.adwin(known.metric, known.held, window.labelled, least)


def _labels(known: Known, window: Window, tests: Mapping[str, Drift]) -> Iterator[Finding]:
    yield from quality.doubtful_labels(known.errors, window.labelled)
    if known.labels is None or not window.truths:
        return
    truth = label_table(known.scorer.classes, window.labelled.truth)
    current = profile(batches_of(truth)(), known.labels.columns)
    for name in ("chi2", "ks"):
        if name in tests:
            for finding in tests[name].compare(Pair(known.labels, current)):
                yield replace(finding, test="label_shift", sentence=finding.sentence.replace("'label'", "The truth", 1))


def label_table(classes: Sequence[object], truth: np.ndarray) -> pa.Table:
    """Known labels as a table of one column, by their own names."""
    import pyarrow as pa

    if not classes:
        return pa.table({"label": truth})
    return pa.table({"label": pa.array([str(c) for c in classes]).take(pa.array(truth.astype("int64")))})


def _suspects(findings: Sequence[Finding], alpha: float) -> list[str]:
    """Columns whose shift may stand; the impact of the others is not worth the model's time."""
    return sorted({f.column for f in findings if f.column and f.p_value <= alpha and f.effect >= f.least})
