"""What evaluate and promote look at: a model, its dataset, and both on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leaflab.errors import DataError, ModelError
from leaflab.identity import fold
from leaflab.metric.all import score_all
from leaflab.report.importance import twins
from leaflab.report.slices import find_slices
from leaflab.values import ROW_ID, Evidence, Judged
from leaflab.workflow.parity import parity_report
from leaflab.workflow.prepare import load_dataset

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.tracking.base import Record
    from leaflab.values import Dataset, Version
    from leaflab.workflow.lab import Lab

__all__ = [
    "Subject",
    "asked_version",
    "baselines",
    "clean_rows",
    "gather",
    "judged",
    "look_tags",
    "looks",
    "subject_of_run",
    "subject_of_version",
    "truth_of",
    "weight_of",
]


@dataclass(frozen=True)
class Subject:
    """A model with the run that made it and the dataset it learnt from; `version` is None where it has none."""

    run: Record
    scorer: Scorer
    dataset: Dataset
    version: Version | None = None

    @cached_property
    def digest(self) -> str:
        """Identity of the model's files."""
        return fold(self.scorer.files())

    @property
    def label(self) -> str:
        return str(self.version) if self.version else f"the model of run {self.run.id}"


def asked_version(lab: Lab, alias: str, number: int | None) -> Version:
    """The version a verb was asked for.

    Raises:
        ModelError: there is none.
    """
    registry = lab.tracking.registry
    found = registry.version(lab.name, number=number) if number else registry.version(lab.name, alias=alias)
    if found:
        return found
    known = [v.number for v in registry.versions(lab.name)]
    if not known:
        raise ModelError(
            f"'{lab.name}'", "has no registered model yet", hint=f"run `leaflab sweep name={lab.name}` first"
        )
    if number:
        raise ModelError(f"'{lab.name}'", f"has no version {number}", hint=f"it has {', '.join(map(str, known))}")
    raise ModelError(f"'{lab.name}'", f"has no {alias}", hint=f"name a version from {', '.join(map(str, known))}")


def subject_of_version(lab: Lab, version: Version) -> Subject:
    """The model of a registered version.

    Raises:
        ModelError: its run, its files or its dataset are gone.
    """
    run = lab.tracking.get(version.run_id)
    if run is None:
        raise ModelError(f"{version}", "names a run that is gone", got=version.run_id)
    dataset = version.tags.get("leaflab.dataset") or run.tags.get("leaflab.dataset")
    scorer = lab.tracking.registry.scorer(version)
    return Subject(run, scorer, _dataset(lab, str(version), dataset), version)


def subject_of_run(lab: Lab, run_id: str) -> Subject:
    """The newest model of a run, with its version where it is registered.

    Raises:
        ModelError: there is no such run, or it has no model.
    """
    run = lab.tracking.get(run_id)
    scorer = lab.tracking.scorer(run_id) if run else None
    if run is None or scorer is None:
        raise ModelError(f"run {run_id}", "has no model" if run else "does not exist", hint="`leaflab runs` lists them")
    version = next((v for v in lab.tracking.registry.versions(lab.name) if v.run_id == run_id), None)
    return Subject(run, scorer, _dataset(lab, f"run {run_id}", run.tags.get("leaflab.dataset")), version)


def _dataset(lab: Lab, whose: str, dataset_id: str | None) -> Dataset:
    if not dataset_id:
        raise ModelError(whose, "does not say which dataset it learnt from (tag `leaflab.dataset`)")
    return load_dataset(lab.lake, dataset_id)


def truth_of(dataset: Dataset, table: pa.Table) -> np.ndarray:
    """Class codes 0…k-1 or values of a typed table, shape (rows,)."""
    import numpy as np

    if dataset.task == "regression":
        return table[dataset.target].to_numpy().astype("float64")
    codes = {label: code for code, label in enumerate(dataset.classes)}
    return np.array([codes[label] for label in table[dataset.target].to_pylist()], dtype="int64")


def weight_of(dataset: Dataset, table: pa.Table) -> np.ndarray | None:
    """Row weights of a typed table, shape (rows,), or None."""
    column = dataset.roles.weight
    return table[column].to_numpy().astype("float64") if column else None


def judged(
    label: str, scorer: Scorer, dataset: Dataset, table: pa.Table, facts: dict[str, Any] | None = None
) -> Judged:
    """A model on the rows of a typed table, with every metric and what gates may ask of it.

    Raises:
        ModelError: the table lacks a column that the model reads.
    """
    absent = [c.name for c in scorer.columns if c.name not in table.column_names]
    if absent:
        named = ", ".join(f"'{name}'" for name in absent)
        raise ModelError(label, f"is not comparable on these rows: they lack its columns {named}")
    frame = table.select([c.name for c in scorer.columns]).to_pandas()
    started = time.perf_counter()
    scores = scorer.predictor.predict(scorer.encoder.encode(frame))
    seconds = time.perf_counter() - started
    metrics = score_all(dataset.task, truth_of(dataset, table), scores, weight_of(dataset, table))
    known = {
        "kind": scorer.predictor.to_json()["kind"],
        "columns": scorer.columns,
        "classes": scorer.classes,
        "ms_per_1k_rows": seconds * 1e6 / max(1, table.num_rows),
        "bytes": sum(len(text.encode()) for text in scorer.files().values()),
    }
    return Judged(label, scores, metrics, {**known, **(facts or {})})


def clean_rows(own: Dataset, other: Dataset | None) -> pa.Table:
    """The test rows of `own` that a model of `other` was neither trained nor tuned on.

    Raises:
        DataError: the two datasets do not predict the same thing.
    """
    test = own.parts["test"]
    if other is None or other.id == own.id:
        return test
    mine, theirs = (own.target, own.task), (other.target, other.task)
    if mine != theirs:
        said = f"'{theirs[0]}' ({theirs[1]}), the challenger '{mine[0]}' ({mine[1]})"
        raise DataError("the champion", f"is not comparable: it predicts {said}")
    import pyarrow as pa
    import pyarrow.compute as pc

    seen = pa.concat_tables([other.parts[part].select([ROW_ID]) for part in ("train", "valid")])[ROW_ID]
    return test.filter(pc.invert(pc.is_in(test[ROW_ID], value_set=seen.combine_chunks())))


def gather(lab: Lab, subject: Subject, holder: Version | None) -> Evidence:
    """The evidence on a challenger: it, the champion and the baselines on rows none of them has seen.

    Args:
        lab: the rooms.
        subject: the challenger; its dataset has test rows.
        holder: the version that holds the alias, or None.

    Raises:
        DataError: the champion predicts something else.
        ModelError: the champion reads columns that the challenger's rows lack.
    """
    dataset = subject.dataset
    before = subject_of_version(lab, holder) if holder else None
    table = clean_rows(dataset, before.dataset if before else None)
    note = ""
    if before and not table.num_rows:
        note, table = f"no test row is unknown to {before.label}", dataset.parts["test"]
    champion = None
    if before and not note:
        champion = judged(before.label, before.scorer, dataset, table, _facts(before))
    return Evidence(
        dataset=dataset,
        table=table,
        truth=truth_of(dataset, table),
        weight=weight_of(dataset, table),
        challenger=judged(subject.label, subject.scorer, dataset, table, _facts(subject)),
        champion=champion,
        baselines=baselines(lab, subject, table),
        metric=lab.metric.resolve(dataset.task),
        champion_note=note,
        looks=looks(lab, subject),
        extra=_extra(lab, subject, before, table),
    )


def _facts(subject: Subject) -> dict[str, Any]:
    run = {f"run/{k}": v for k, v in {**subject.run.metrics, **subject.run.tags}.items()}
    return {
        **run,
        "run_id": subject.run.id,
        "digest": subject.digest,
        "version": subject.version.number if subject.version else None,
    }


def baselines(lab: Lab, subject: Subject, table: pa.Table) -> dict[str, Judged]:
    """The baselines logged beside the sweep's trials; the constant model is made here where none was."""
    tags = {"leaflab.verb": "baseline", "mlflow.parentRunId": subject.run.id}
    scorers = {r.name.split()[-1]: lab.tracking.scorer(r.id) for r in lab.tracking.search(subject.run.experiment, tags)}
    scorers = {"dummy": _constant(subject), **{name: s for name, s in scorers.items() if s is not None}}
    return {name: judged(name, s, subject.dataset, table) for name, s in scorers.items() if s is not None}


def _constant(subject: Subject) -> Scorer:
    import numpy as np

    from leaflab.scorer import Encoder, Scorer
    from leaflab.scorer.predictor import Constant

    dataset, train = subject.dataset, subject.dataset.parts["train"]
    truth, weight = truth_of(dataset, train), weight_of(dataset, train)
    if dataset.classes:
        shares = np.bincount(truth, weights=weight, minlength=len(dataset.classes)) + 1e-6
        answer = tuple(float(s) for s in shares / shares.sum())
    else:
        answer = (float(np.average(truth, weights=weight)),)
    return Scorer(dataset.task, dataset.classes, (), Encoder(()), Constant(answer))


def look_tags(subject: Subject) -> dict[str, str]:
    """Tags of a run that looked at a test set: which model, which rows."""
    return {
        "leaflab.dataset": subject.dataset.id,
        "leaflab.test": subject.dataset.digests["test"],
        "leaflab.model": subject.digest,
    }


def looks(lab: Lab, subject: Subject) -> int:
    """How many other models were scored on this test set before, in the whole project."""
    tags = {"leaflab.test": subject.dataset.digests["test"]}
    seen = {run.tags.get("leaflab.model") for run in lab.tracking.search(tags=tags, limit=100_000)}
    return len(seen - {subject.digest, None})


def _extra(lab: Lab, subject: Subject, before: Subject | None, table: pa.Table) -> dict[str, Any]:
    """What single gates ask for; what takes time is made only where its gate was chosen."""
    found: dict[str, Any] = {"leaks": subject.dataset.facts.get("leaks", [])}
    if subject.version:
        found["files"] = lab.tracking.registry.digest(subject.version)
    if subject.version and "parity" in lab.gate:
        ways = lab.tracking.registry.ways(subject.version)
        found["parity"] = parity_report(subject.scorer, ways, subject.dataset.parts["test"])
    if "no_slice_worse" in lab.gate:
        found["slices"] = {s.name: s.mask for s in find_slices(table.to_pandas(), subject.dataset.columns)}
    if "stable" in lab.gate:
        found["seed_losses"] = _seed_losses(lab, subject)
    if before:
        found["champion"] = {"columns": before.scorer.columns, "classes": before.scorer.classes}
    return found


def _seed_losses(lab: Lab, subject: Subject) -> list[float]:
    """Losses on the validation rows of the same booster trained on the training rows with three other seeds."""
    dataset, scorer = subject.dataset, subject.scorer
    train, valid = dataset.parts["train"], dataset.parts["valid"]
    known = (scorer.encoder.encode(train.to_pandas()), truth_of(dataset, train))
    matrix, truth, metric = scorer.encoder.encode(valid.to_pandas()), truth_of(dataset, valid), lab.metric
    metric = metric.resolve(dataset.task)
    answers = [scores for seed in (1, 2, 3) for scores in twins(scorer, known, matrix, (1.0,), seed=seed).values()]
    return [metric.loss(metric.score(truth, scores)) for scores in answers]
