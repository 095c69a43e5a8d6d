"""A recorded model made again: from the recorded dataset, configuration and seed, compared byte by byte."""

from __future__ import annotations

import ast
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ModelError
from leaflab.executor.inline import Inline
from leaflab.search.base import Fit
from leaflab.search.validation import folds
from leaflab.tracking.facts import git_facts, libraries
from leaflab.values import Tag
from leaflab.workflow.learning import problem_of
from leaflab.workflow.prepare import load_dataset

if TYPE_CHECKING:
    from leaflab.tracking.base import Record
    from leaflab.workflow.lab import Lab

__all__ = ["Reproduced", "reproduced", "sweep_of"]

_VERSION = "leaflab.version."


@dataclass(frozen=True)
class Reproduced:
    """What came of making a model again.

    Args:
        run_id: the run whose model was made again.
        parts: how many parts (boosters) the model has; `same`: how many are the same, byte by byte.
        metrics: metric to (recorded, made again), where a trial was made again.
        reasons: what is different here, if anything is.
    """

    run_id: str
    parts: int
    same: int
    metrics: Mapping[str, tuple[float, float]]
    reasons: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        return self.parts == self.same and all(old == new for old, new in self.metrics.values())

    @property
    def exit_code(self) -> int:
        return 0 if self.identical else 3

    def __str__(self) -> str:
        if self.identical:
            scored = f", {len(self.metrics)} metrics too" if self.metrics else ""
            return f"Run {self.run_id}: identical, {self.parts} of {self.parts} parts byte by byte{scored}."
        worst = [f"{name} {old!r} → {new!r}" for name, (old, new) in self.metrics.items() if old != new]
        why = "; ".join(self.reasons) or "nothing recorded explains it; a fit cut by a deadline is cut elsewhere"
        told = f"Run {self.run_id}: {self.same} of {self.parts} parts are identical."
        return "\n".join([told, *worst, f"Why: {why}."])


def sweep_of(lab: Lab, run_id: str) -> tuple[Record, Record]:
    """The run and the sweep it belongs to (the same for a sweep's own).

    Raises:
        ModelError: there is no such run, or it is neither a sweep nor a trial.
    """
    run = lab.tracking.get(run_id)
    if run is None:
        raise ModelError(f"run {run_id}", "does not exist", hint="`leaflab runs` lists them")
    verb = run.tags.get("leaflab.verb")
    parent = lab.tracking.get(run.tags.get("mlflow.parentRunId", "")) if verb == "trial" else run
    if parent is None or verb not in ("trial", "sweep"):
        raise ModelError(f"run {run_id}", "is no sweep and no trial", got=verb)
    return run, parent


def reproduced(lab: Lab, run: Record, sweep: Record) -> Reproduced:
    """Makes the model of a run again; `lab` is that of the sweep's recorded command.

    Raises:
        ModelError: the run has no model; a deadline's trial lacks what it takes.
        DataError: its dataset is gone from the lake.
    """
    scorer = lab.tracking.scorer(run.id)
    if scorer is None:
        raise ModelError(f"run {run.id}", "has no model to make again")
    made = scorer.meta.get("made") or [{"trial": int(run.tags["leaflab.trial"]), "fold": None, "rounds": None}]
    old = list(scorer.predictor.texts().values()) or [json.dumps(scorer.predictor.to_json())]
    children = lab.tracking.search(sweep.experiment, _trials(sweep), limit=100_000)
    trials = {int(r.tags["leaflab.trial"]): r for r in children}
    new, metrics = _made_again(lab, sweep, trials, made, alone=run is not sweep)
    same = sum(a == b for a, b in zip(old, new, strict=False))
    pairs = {}
    if run is not sweep:
        recorded = {k.removeprefix("valid/"): v for k, v in run.metrics.items() if k.startswith("valid/")}
        pairs = {k: (recorded[k], v) for k, v in metrics.items() if k in recorded}
    return Reproduced(run.id, len(old), same, pairs, tuple(_reasons(lab, sweep)))


def _trials(sweep: Record) -> dict[str, str]:
    return {"leaflab.verb": "trial", "mlflow.parentRunId": sweep.id}


def _made_again(
    lab: Lab, sweep: Record, trials: Mapping[int, Record], made: Any, *, alone: bool
) -> tuple[list[str], Mapping[str, float]]:
    """Texts of the parts, and the metrics of a trial made alone."""
    search: Any = lab.search
    problem, _ = problem_of(load_dataset(lab.lake, sweep.tags["leaflab.dataset"]), lab.metric, lab.model.most_pairs)
    cut = folds(problem, search.validation, search.folds, lab.seed)
    judged = range(1 if search.validation == "holdout" else len(cut))
    texts: list[str] = []
    metrics: Mapping[str, float] = {}
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="leaflab-"))
        bench = lab.model.bench(problem, cut, Path(scratch) / "store", search.bins)
        executor = lab.executor if getattr(bench, "wide", False) else Inline()
        pool = stack.enter_context(executor.open(bench, len(problem.target)))
        for place, part in enumerate(made):
            trial = trials[part["trial"]]
            params = {k: _value(v) for k, v in trial.params.items()}
            wanted = tuple(judged) if alone else (part["fold"],)
            rounds = part["rounds"]
            if trial.tags.get("leaflab.state") == "deadline" and part["fold"] in (0, None) and rounds is None:
                rounds = int(trial.metrics["model/rounds"])
            folder = Path(scratch) / str(place)
            seed = part.get("seed", int(trial.tags["leaflab.seed"]))
            threads = int(trial.metrics.get("model/threads", 1))
            pool.submit(place, Fit("", params, wanted, seed, folder, threads, rounds=rounds))
            (event,) = pool.events(float("inf"), lambda number, report: "")
            if event.kind != "done":
                last = event.error.strip().splitlines()[-1]
                raise ModelError(f"Trial {part['trial']}", f"cannot be fitted again ({last})")
            fitted = event.result
            texts += [file.read_text(encoding="utf-8") for file in fitted.models]
            metrics = fitted.metrics
    return list(lab.model.predictor(texts, [1.0] * len(texts)).texts().values()) or texts, metrics


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _reasons(lab: Lab, sweep: Record) -> Iterator[str]:
    """Differences between then and now that can change a model."""
    known = libraries()
    for key, then in sweep.tags.items():
        if key.startswith(_VERSION):
            name = key.removeprefix(_VERSION)
            if (now := known.get(name, "missing")) != then:
                yield f"{name} was {then}, is {now}"
    if not getattr(lab.model, "deterministic", True):
        yield "model.deterministic=false: sums are taken in another order each time"
    if sweep.tags.get("mlflow.source.git.dirty") == "true":
        yield "the code was not committed then"
    here = {item.key: item.value for item in git_facts(lab.home) if isinstance(item, Tag)}
    then, now = (tags.get("mlflow.source.git.commit", "") for tags in (sweep.tags, here))
    if then and now and then != now:
        yield f"the code was commit {then[:8]}, is {now[:8]}"
    if here.get("mlflow.source.git.dirty") == "true":
        yield "the code is not committed now"
