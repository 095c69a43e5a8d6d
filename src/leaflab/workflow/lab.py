"""What one command works with: the option chosen for every noun, and the settings of every verb."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.workflow.settings import Backtest, Monitor, Serve

if TYPE_CHECKING:
    from leaflab.drift.base import Drift
    from leaflab.executor.base import Executor
    from leaflab.gate.base import Gate
    from leaflab.lake.base import Lake
    from leaflab.metric.base import Metric
    from leaflab.model.base import Model
    from leaflab.prepare.base import Prepare
    from leaflab.search.base import Search
    from leaflab.source.base import Source
    from leaflab.split.base import Split
    from leaflab.tracking.base import Tracking
    from leaflab.values import Roles
    from leaflab.workflow.settings import Collect, Evaluate, Predict, Promote

__all__ = ["Lab"]


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The rooms of one command; its fields are the keys of the configuration.

    Args:
        name: MLflow experiment and registered model.
        seed: every random choice follows from it.
        home: the project folder, absolute.
        dataset: roles of the columns.
        input, output, current: what a verb acts on.
        config: the resolved configuration, secrets masked; logged whole.
        overrides: what the user typed or the experiment set.
        verb: the verb that was called.
    """

    name: str
    seed: int
    home: Path
    dataset: Roles
    source: Source
    lake: Lake
    prepare: Prepare
    split: Split
    model: Model
    search: Search
    executor: Executor
    metric: Metric
    gate: Mapping[str, Gate]
    tracking: Tracking
    collect: Collect
    evaluate: Evaluate
    promote: Promote
    predict: Predict
    serve: Serve = field(default_factory=Serve)
    drift: Mapping[str, Drift] = field(default_factory=dict)
    monitor: Monitor = field(default_factory=Monitor)
    backtest: Backtest = field(default_factory=Backtest)
    input: str | None = None
    output: str | None = None
    current: str | None = None
    verb: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """`.leaflab`: journals, spool, locks, caches."""
        return self.home / ".leaflab"
