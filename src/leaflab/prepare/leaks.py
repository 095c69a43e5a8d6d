"""Leak sentinels: columns that know the target better than anything known beforehand could.

Strength alone does not tell a leak from an honest feature, so each finding says what makes it one. A *certain* one (the
target can be read off) blocks; a suspicion (strong, dominant, an id, the order of rows) is told and recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from leaflab.prepare.ahead import ahead
from leaflab.prepare.single import Sample, rough, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.single import Scored
    from leaflab.values import Dataset

__all__ = ["ROW_ORDER", "Finding", "Found", "find_leaks"]

Kind = Literal["perfect", "function", "nulls", "time", "strong", "dominant", "id", "order"]

ROW_ORDER = "(row order)"

_PERFECT = 0.98
_EXACT = 1e-6
_STRONG = 0.8
_DOMINANT, _LEAD = 0.5, 1.7
_OUTSTANDING = 0.5
_ID_SIGNAL = 0.15
_ENOUGH, _PLENTY = 40, 100
_TALL, _WIDE = 5000, 100
_SIGNAL = 0.1


@dataclass(frozen=True)
class Finding:
    """One column, or several together, that may leak the target.

    Args:
        columns: the columns.
        kind: what was seen.
        certain: whether the target can be read off.
        reason: the sentence that says why.
        strength: skill of the columns alone on held-out rows: Gini (2 AUC - 1) or R².
    """

    columns: tuple[str, ...]
    kind: Kind
    certain: bool
    reason: str
    strength: float

    @property
    def name(self) -> str:
        return " + ".join(self.columns)

    def plain(self) -> dict[str, Any]:
        return asdict(self) | {"columns": list(self.columns)}


@dataclass(frozen=True)
class Found:
    """What the sentinels saw.

    Args:
        findings: the certain first, then the strongest.
        strengths: column to its skill alone on held-out rows.
    """

    findings: tuple[Finding, ...]
    strengths: Mapping[str, float]


def find_leaks(dataset: Dataset, seed: int = 0) -> Found:
    """Judges every column by trees of one feature, fitted on train and scored on validation."""
    search = _Search(dataset, Sample.of(dataset, seed))
    found = [*search.time_overlap(), *search.functions(), *search.singles(), *search.pairs(), *search.order()]
    unique = {f.columns: f for f in sorted(found, key=lambda f: f.certain)}
    ranked = sorted(unique.values(), key=lambda f: (not f.certain, -f.strength))
    return Found(tuple(ranked), {name: scored.skill for name, scored in search.scores.items()})


@dataclass
class _Search:
    dataset: Dataset
    sample: Sample
    scores: dict[str, Scored] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether so many held-out rows are there that perfection is no chance."""
        return len(self.sample.valid_target) >= _ENOUGH

    @property
    def perfect(self) -> float:
        """Agreement that counts as perfect: all of it where rows are few."""
        return _PERFECT if len(self.sample.valid_target) >= _PLENTY else 1.0

    @cached_property
    def numbers(self) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return {n: p for n, p in self.sample.features.items() if n not in self.sample.categorical}

    def singles(self) -> Iterator[Finding]:
        """Each column alone; of many columns a tree is grown only for those that a rough look finds something in."""
        features = self.sample.features
        if len(features) > _WIDE:
            self.scores |= {name: rough(self.sample, *pair) for name, pair in features.items()}
        asked = {n: pair for n, pair in features.items() if n not in self.scores or self.scores[n].skill > _SIGNAL}
        each = ahead if len(self.sample.train_target) > _TALL else map  # small trees leave Python's lock too seldom
        self.scores |= zip(asked, each(lambda pair: score(self.sample, *pair), asked.values()), strict=True)
        for name, scored in self.scores.items():
            finding = self._judged(name, scored)
            if finding is not None:
                yield finding

    @cached_property
    def strongest(self) -> Sequence[tuple[float, str]]:
        """The three strongest columns as (skill, name), once all are scored."""
        return heapq.nlargest(3, ((s.skill, n) for n, s in self.scores.items()))

    def _others(self, name: str) -> list[tuple[float, str]]:
        """The two strongest other columns as (skill, name); of no skill where there is none."""
        others = [(max(skill, 0.0), n) for skill, n in self.strongest if n != name]
        return [*others, (0.0, ""), (0.0, "")][:2]

    def _judged(self, name: str, scored: Scored) -> Finding | None:
        skill, alone = scored.skill, f"'{name}' alone"
        ident = self._is_id(name)
        if scored.agreement >= self.perfect and self.enough:
            if self._nulls_decide(name):
                return Finding((name,), "nulls", True, f"whether {name!r} is missing decides the target", skill)
            why = "it counts rows, as an id does, and " if ident else ""
            if self._kinds[name] == "time":
                reason = f"{name!r} alone predicts the target ({scored.words}): neighbours in time share it; "
                return Finding((name,), "time", False, f"{reason}name it as dataset.time", skill)
            told = f"{why}{alone} predicts held-out rows almost perfectly ({scored.words})"
            return Finding((name,), "perfect", True, told, skill)
        if ident and skill >= _ID_SIGNAL:
            reason = f"{name!r} looks like an id, yet it predicts the target ({scored.words}): rows come in an order"
            return Finding((name,), "id", False, reason, skill)
        return self._outstanding(name, scored)

    def _outstanding(self, name: str, scored: Scored) -> Finding | None:
        """A suspicion where a column stands out: in a table of strong columns, strength is what one expects.

        It leaves at most half as much unexplained as the second of the other columns does (the first may be its
        companion), or knows the target well and far better than the first.
        """
        skill = scored.skill
        (first, rival), (second, companion) = self._others(name)
        ask = "is it known before the target is?"
        if skill >= _STRONG and 1 - skill <= _OUTSTANDING * (1 - second):
            beside = f", where {companion!r} reaches {self.scores[companion].words}" if companion else ""
            reason = f"{name!r} alone predicts most of the target ({scored.words}{beside}): {ask}"
            return Finding((name,), "strong", False, reason, skill)
        if skill >= _DOMINANT and skill >= _LEAD * first:
            beside = f"{rival!r} ({self.scores[rival].words})" if rival else "all others"
            reason = f"{name!r} alone ({scored.words}) outdoes the next best, {beside}, by far: {ask}"
            return Finding((name,), "dominant", False, reason, skill)
        return None

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        return {c.name: c.kind for c in self.dataset.columns}

    def _is_id(self, name: str) -> bool:
        """Whole numbers that hardly repeat and leave few gaps."""
        if self._kinds[name] != "number" or self.dataset.roles.time == name:
            return False
        values = self.dataset.parts["train"][name].to_numpy()
        if np.isnan(values).any() or (values != np.floor(values)).any():
            return False
        distinct = len(np.unique(values))
        total = sum(self.dataset.rows(part) for part in self.dataset.parts)
        return bool(distinct > 0.99 * len(values) and np.ptp(values) < 10 * total)

    def _nulls_decide(self, name: str) -> bool:
        train, valid = (np.isnan(values).astype("float64") for values in self.sample.features[name])
        return bool(train.any() and not train.all() and score(self.sample, train, valid).agreement >= _PERFECT)

    def functions(self) -> Iterator[Finding]:
        """Numbers whose weighted sum is the target (regression)."""
        if self.dataset.task != "regression" or not self.enough:
            return
        found = self._exact_sum()
        if found:
            together = " + ".join(found)
            verb = "equals" if len(found) > 1 else "is a function of"
            yield Finding(tuple(found), "function", True, f"{together} {verb} the target on every held-out row", 1.0)

    def _exact_sum(self) -> list[str]:
        """The fewest columns of which the target is a linear function; none where it is not."""
        names = [n for n, (train, _) in self.numbers.items() if np.isfinite(train).mean() > 0.9]
        while True:
            if not names or not self._is_linear(names):
                return []
            spare = next((n for n in reversed(names) if self._is_linear([m for m in names if m != n])), None)
            if spare is None:
                return names
            names.remove(spare)

    def _is_linear(self, names: list[str]) -> bool:
        if not names:
            return False
        rows, held_rows = _spread(len(self.sample.train_target)), _spread(len(self.sample.valid_target))
        train = np.column_stack([self.numbers[n][0][rows] for n in names])
        valid = np.column_stack([self.numbers[n][1][held_rows] for n in names])
        y, held = self.sample.train_target[rows], self.sample.valid_target[held_rows]
        whole, held_whole = np.isfinite(train).all(1), np.isfinite(valid).all(1)
        if whole.sum() < 2 * len(names) + 20 or held_whole.sum() < 20:
            return False
        center, spread = train[whole].mean(0), train[whole].std(0)
        spread = np.where(spread > 0, spread, np.inf)
        design = np.column_stack([(train[whole] - center) / spread, np.ones(whole.sum())])
        weights, *_ = np.linalg.lstsq(design, y[whole], rcond=None)
        guess = np.column_stack([(valid[held_whole] - center) / spread, np.ones(held_whole.sum())]) @ weights
        truth = held[held_whole]
        return bool(np.max(np.abs(guess - truth)) <= _EXACT * (np.std(truth) + 1e-300) * 10)

    def pairs(self) -> Iterator[Finding]:
        """Sums and differences of two numbers that decide the class (classification)."""
        if self.dataset.task == "regression" or not self.enough:
            return
        best = sorted((n for n in self.numbers if n in self.scores), key=lambda n: -self.scores[n].skill)[:8]
        best = [
            n for n in self.numbers if n in best and self.scores[n].agreement < _PERFECT and self.scores[n].skill > 0.05
        ]
        for one, other in combinations(best, 2):
            for sign, word in ((1.0, "+"), (-1.0, "-")):
                (a, b), (c, d) = self.numbers[one], self.numbers[other]
                scored = score(self.sample, a + sign * c, b + sign * d, rows=3000)
                if scored.agreement >= 0.995:
                    reason = f"{one} {word} {other} decides the target on held-out rows ({scored.words})"
                    yield Finding((one, other), "function", True, reason, scored.skill)

    def time_overlap(self) -> Iterator[Finding]:
        """Test rows that are older than training rows, though the table has a time column."""
        column, parts = self.dataset.roles.time, self.dataset.parts
        if column is None or not parts["test"].num_rows:
            return
        import pyarrow.compute as pc

        last, first = pc.max(parts["train"][column]).as_py(), pc.min(parts["test"][column]).as_py()
        if last is not None and first is not None and last > first:
            reason = f"the test part begins at {first}, before the training part ends at {last} (column {column!r})"
            yield Finding((column,), "time", True, reason, 0.0)

    def order(self) -> Iterator[Finding]:
        """The place of a row in the table, where time does not order it."""
        if self.dataset.roles.time is not None:
            return
        scored = score(self.sample, self.sample.train_place, self.sample.valid_place)
        if scored.skill >= 2 * _ID_SIGNAL:
            reason = f"the order of rows predicts the target ({scored.words}): sorted, or collected class by class"
            yield Finding((ROW_ORDER,), "order", False, reason, scored.skill)


def _spread(total: int, most: int = 2000) -> NDArray[np.int64]:
    """At most 2,000 places, evenly spread over so many rows."""
    return np.unique(np.linspace(0, total - 1, min(total, most)).astype("int64"))
