"""A drift test compares two profiles: how different they are, how sure that is, and whether enough rows were there."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.drift.profile import Profile

__all__ = ["Drift", "Finding", "Kind", "Pair"]

Kind = Literal["number", "level", "time"]


@dataclass(frozen=True)
class Pair:
    """What is compared: the rows a model knows, and the rows it meets now."""

    reference: Profile
    current: Profile


@dataclass(frozen=True)
class Finding:
    """What one test found in one column, or in the whole table.

    Args:
        test: the test's name.
        column: the column; "" for the whole table.
        effect: size of the difference in the test's own unit, 0 for none; NaN where the test did not apply.
        p_value: chance of such an effect or a greater one were nothing different; NaN where the test did not apply.
        least: effects below this are harmless, however sure.
        sentence: the numbers, one sentence.
    """

    test: str
    column: str
    effect: float
    p_value: float
    least: float
    sentence: str

    @property
    def applies(self) -> bool:
        return not math.isnan(self.p_value)

    def verdict(self, level: float = 0.05) -> Verdict:
        """Failed where the effect counts and its p-value is at most `level` (after the caller's own correction)."""
        name = f"{self.test}/{self.column}" if self.column else self.test
        if not self.applies:
            return Verdict(name, "not applicable", self.sentence)
        numbers = {"effect": self.effect, "p_value": self.p_value, "least": self.least}
        drifted = self.p_value <= level and self.effect >= self.least
        return Verdict(name, "failed" if drifted else "passed", self.sentence, numbers)


class Drift(ABC):
    """Contract: deterministic; never raises for rows that are too few or too odd (then it is not applicable).

    P-values are those of one test alone, for independent rows: whoever runs many corrects for it; the effect decides.

    Attributes:
        name: as in `conf/drift/<name>.yaml`.
        kinds: the kinds of column it applies to.
        joint: whether it looks at all columns together.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]]
    joint: ClassVar[bool] = False

    @abstractmethod
    def compare(self, pair: Pair) -> Iterable[Finding]:
        """One finding a column it applies to, or one for the whole table."""
