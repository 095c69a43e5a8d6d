"""The world of a backtest: a table in time order, models that learn from a stretch of it, a monitor that looks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError, DataError
from leaflab.gate.paired import paired_gain
from leaflab.metric.all import all_metrics
from leaflab.values import Dataset
from leaflab.watch.look import Known, Limits, look
from leaflab.watch.reference import codes_of, reference
from leaflab.watch.scored import Scored, score
from leaflab.watch.window import Gathering, Typed
from leaflab.workflow.learning import scorer_of
from leaflab.workflow.units import told

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.watch.replay import Stage
    from leaflab.workflow.lab import Lab

__all__ = ["Stretch", "TableWorld", "periods_of"]

_HELD = 0.2
_JUDGED = 100
_SEEN = 20_000


@dataclass
class Stretch:
    """A model of the periods `first` to before `last`.

    Args:
        scorer: refitted on all its rows.
        held: its newest rows, scored by the model that was not fitted on them yet.
        known: the reference side of its monitor.
        seconds: of both fits.
    """

    first: int
    last: int
    scorer: Scorer
    held: Scored
    held_from: int
    known: Known
    seconds: float


class TableWorld:
    """A typed table in time order, cut into periods.

    Args:
        lab: the rooms.
        dataset: the table's roles, columns and task; its parts are empty.
        table: the rows, oldest first.
        period: the period of each row, 0, 1, …, shape (rows,).
    """

    def __init__(self, lab: Lab, dataset: Dataset, table: pa.Table, period: np.ndarray) -> None:
        self._lab, self._dataset, self._table = lab, dataset, table
        self._starts = np.searchsorted(period, np.arange(period.max() + 2))
        self.periods = int(period.max()) + 1
        self._metric = lab.metric.resolve(dataset.task)
        self._stages: dict[tuple[int, int], Stretch] = {}
        self._alarms: dict[tuple[int, int, int], str] = {}
        if self._metric.rowwise(np.zeros(1), self._blank) is None:
            hint = "take log_loss, brier or accuracy for classes, rmse or mae for values"
            raise ConfigError("`metric`", "must be a mean over rows in a backtest", got=self._metric.name, hint=hint)

    @property
    def _blank(self) -> np.ndarray:
        return np.full((1, len(self._dataset.classes)), 1.0) if self._dataset.classes else np.zeros(1)

    @property
    def metric(self) -> str:
        return self._metric.name

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return self._table.to_pandas()

    @cached_property
    def _truth(self) -> np.ndarray:
        return codes_of(self._dataset, self._table)

    def learn(self, first: int, last: int) -> Stretch:
        """Fits on all but the newest fifth, finds the number of rounds there, and refits on everything."""
        if (first, last) not in self._stages:
            self._stages[first, last] = self._learnt(first, last)
        return self._stages[first, last]

    def _learnt(self, first: int, last: int) -> Stretch:
        from leaflab.model.encoding import fit_encoder, training_matrix

        begin, end = int(self._starts[first]), int(self._starts[last])
        middle = end - max(1, int((end - begin) * _HELD))
        started = time.perf_counter()
        encoder = fit_encoder(self._dataset, self._frame.iloc[begin:middle])
        matrix = training_matrix(self._dataset, encoder, self._frame.iloc[begin:middle])
        held = encoder.encode(self._frame.iloc[middle:end])
        booster, rounds = self._fit(
            matrix, self._truth[begin:middle], held, self._truth[middle:end], encoder.categorical
        )
        early = scorer_of(self._dataset, encoder, _boosters(booster), {})
        whole = fit_encoder(self._dataset, self._frame.iloc[begin:end])
        matrix = training_matrix(self._dataset, whole, self._frame.iloc[begin:end])
        booster, _ = self._fit(matrix, self._truth[begin:end], None, None, whole.categorical, rounds)
        seconds = time.perf_counter() - started
        scorer = scorer_of(self._dataset, whole, _boosters(booster), {})
        names = [column.name for column in self._dataset.columns]
        unseen = score(early, self._frame.iloc[middle:end][names].reset_index(drop=True), self._truth[middle:end])
        empty = self._table.slice(0, 0)
        parts = {
            "train": self._table.slice(begin, middle - begin),
            "valid": empty,
            "test": self._table.slice(middle, end - middle),
        }
        metrics = [self._metric, *(m for m in all_metrics(self._dataset.task) if m.name != self._metric.name)][:1]
        known = reference(early, replace(self._dataset, parts=parts), metrics, sample=4_000, seed=self._lab.seed)
        return Stretch(first, last, scorer, unseen, middle, known, seconds)

    def _fit(
        self,
        matrix: np.ndarray,
        truth: np.ndarray,
        held: Any,
        unseen: Any,
        levels: list[int],
        rounds: int | None = None,
    ) -> tuple[Any, int]:
        import lightgbm

        objective = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[self._dataset.task]
        params = {"objective": objective, "verbose": -1, "seed": self._lab.seed, "deterministic": True,
                  "force_col_wise": True, "learning_rate": 0.05, **getattr(self._lab.model, "params", {})}  # fmt: skip
        if objective == "multiclass":
            params["num_class"] = len(self._dataset.classes)
        data = lightgbm.Dataset(matrix, truth, categorical_feature=levels)
        if held is None:
            return lightgbm.train(params, data, num_boost_round=max(1, rounds or 1)), rounds or 1
        later = lightgbm.Dataset(held, unseen, reference=data)
        stop = lightgbm.early_stopping(30, verbose=False)
        booster = lightgbm.train(params, data, self._lab.backtest.rounds, valid_sets=[later], callbacks=[stop])
        return booster, booster.best_iteration or booster.current_iteration()

    def losses(self, stage: Stage, period: int) -> np.ndarray:
        rows = self._rows(stage, period)
        losses = self._metric.rowwise(rows.truth, rows.scores)
        assert losses is not None
        return losses if self._metric.direction == "minimize" else 1 - losses

    def _rows(self, stage: Stage, period: int) -> Scored:
        assert isinstance(stage, Stretch)
        begin, end = int(self._starts[period]), int(self._starts[period + 1])
        names = [column.name for column in self._dataset.columns]
        return score(stage.scorer, self._frame.iloc[begin:end][names].reset_index(drop=True), self._truth[begin:end])

    def alarm(self, stage: Stage, labelled: int, now: int) -> str:
        """The first cause among performance and concept: only these does a training on new labels cure."""
        assert isinstance(stage, Stretch)
        key = (stage.first, stage.last, labelled)
        if key not in self._alarms:
            rows = self._rows(stage, labelled).sample(_SEEN)
            made = Gathering(stage.known.profile.columns, sample=4_000)
            made.add(Typed(rows.frame.reset_index(drop=True), rows.truth, np.arange(len(rows))))
            window = made.window(f"period {labelled}", stage.scorer)
            asked = self._lab.monitor
            limits = Limits(asked.alpha, asked.min_impact, asked.tolerance)
            sight = look(stage.known, window, {}, limits, 0.0)
            causes = [
                s.finding.sentence for s in sight.alarms if s.finding.test in ("realised", "surprise", "permutation")
            ]
            self._alarms[key] = causes[0] if causes else ""
        return self._alarms[key]

    def better(self, challenger: Stage, champion: Stage) -> bool:
        """A gain on the challenger's held rows that came after all the champion has seen; too few rows let it pass."""
        assert isinstance(challenger, Stretch)
        assert isinstance(champion, Stretch)
        seen = int(self._starts[champion.last]) - challenger.held_from
        rows = challenger.held.take(np.arange(max(0, seen), len(challenger.held)))
        if len(rows) < _JUDGED:
            return True
        theirs = score(champion.scorer, rows.frame).scores
        return (
            paired_gain(
                self._metric, rows.truth.astype("int64" if self._dataset.classes else "float64"), rows.scores, theirs
            ).estimate
            > 0
        )


def periods_of(lab: Lab, table: pa.Table) -> np.ndarray:
    """The period of each row, 0, 1, …; spans of time need a time column, numbers of rows do not.

    Raises:
        ConfigError: no time column for a span of time.
        DataError: fewer periods than a backtest needs.
    """
    import pyarrow as pa

    asked, name = lab.backtest, lab.dataset.time
    length = told(asked.period)
    if isinstance(asked.period, int):
        place = np.arange(table.num_rows) // asked.period
    else:
        if not name or not pa.types.is_temporal(table.schema.field(name).type):
            hint = "give a number of rows, as in backtest.period=2000"
            needs = "needs a time column (dataset.time)"
            raise ConfigError("`backtest.period`", needs, got=length, hint=hint)
        stamps = table[name].to_pandas().astype("datetime64[us]").astype("int64").to_numpy() / 1e6
        place = np.floor((stamps - stamps.min()) / asked.period.total_seconds()).astype("int64")
    place = np.unique(place, return_inverse=True)[1]
    counts = np.bincount(place)
    if len(counts) and counts[-1] < 0.3 * np.median(counts):
        place = np.minimum(place, len(counts) - 2)
    needed = asked.start + asked.delay + 2
    if place.max() + 1 < needed:
        raise DataError("the table", f"holds {place.max() + 1} periods of {length}, a backtest needs {needed}")
    return place


def _boosters(booster: Any) -> Any:
    from leaflab.scorer.predictor import Boosters

    return Boosters([booster.model_to_string(num_iteration=booster.best_iteration or -1)])
