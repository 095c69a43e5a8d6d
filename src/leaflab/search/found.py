"""What a search ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.scorer.predictor import Predictor
    from leaflab.values import Trial

__all__ = ["Found"]


@dataclass(frozen=True)
class Found:
    """What a search ends with.

    Args:
        trials: every finished trial, by number; `best` is one of them.
        predictor: the model refitted as asked.
        members, made: how it is made, for people, and as trial, fold and rounds of each part, to make it again.
        baselines: name to its fit, as a trial, and its predictor.
        metrics: of the refitted model beyond the best trial's own (`oof/log_loss`).
        notes: warnings for the researcher, as sentences.
        seconds: phase to seconds (`search`, `refit`, `baselines`, `total`).
        resumed, complete, stopped: trials known before; whether nothing was left to do; whether the user ended it.
        digest: identity of the refitted model.
        objectives, front: with several objectives, name to direction, the metric first, and the trials that no other
            beats in all of them; `kept`: whether the model's trial keeps the limits.
    """

    trials: tuple[Trial, ...]
    best: Trial
    predictor: Predictor
    members: tuple[str, ...]
    made: tuple[Mapping[str, Any], ...]
    baselines: Mapping[str, tuple[Trial, Predictor]]
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    resumed: int = 0
    complete: bool = False
    stopped: bool = False
    digest: str = ""
    objectives: Mapping[str, str] = field(default_factory=dict)
    front: tuple[Trial, ...] = ()
    kept: bool = True
