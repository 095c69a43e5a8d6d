"""The benches of a sweep behind one door: the swept model's and the baselines'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.executor.base import Bench

__all__ = ["Benches"]


@dataclass(frozen=True)
class Benches:
    """Sends a fit to the bench of its model; `folder` holds the data of all of them."""

    by_model: Mapping[str, Bench]
    folder: Path | None = None

    @property
    def wide(self) -> bool:
        """Whether a job is spread over a cluster by its bench."""
        return any(getattr(bench, "wide", False) for bench in self.by_model.values())

    def run(self, job: Any, report: Callable[[Any], str]) -> Any:
        return self.by_model[job.model].run(job, report)
