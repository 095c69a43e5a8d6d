"""A gate judges a challenger: passed, failed or not applicable, with its numbers in a sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict

__all__ = ["Gate"]


class Gate(ABC):
    """Contract: deterministic; never raises for evidence that lacks something (then it is not applicable)."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on the evidence."""
