"""What evaluate and promote look at: a model, its dataset, and both on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leaflab.errors import DataError, ModelError
from leaflab.identity import fold
from leaflab.metric.all import score_all
from leaflab.values import ROW_ID, Judged, typed
from leaflab.workflow.ledger import CHALLENGER, CHAMPION
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
    "clean_rows",
    "judged",
    "subject_asked",
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
        hint = f"run `{typed('sweep', lab.name)}` first"
        raise ModelError(f"'{lab.name}'", "has no registered model yet", hint=hint)
    if number:
        raise ModelError(f"'{lab.name}'", f"has no version {number}", hint=f"it has {', '.join(map(str, known))}")
    what = alias if alias in (CHAMPION, CHALLENGER) else f"alias '{alias}'"
    raise ModelError(f"'{lab.name}'", f"has no {what}", hint=f"name a version from {', '.join(map(str, known))}")


def subject_asked(lab: Lab, run_id: str | None = None) -> Subject:
    """The model that an evaluation was asked for, or that of a run; the champion where no challenger waits.

    Raises:
        ModelError: there is none.
    """
    asked, registry = lab.evaluate, lab.tracking.registry
    if run := run_id or (asked.run if asked.version is None else None):
        return subject_of_run(lab, run)
    waiting = asked.alias != CHALLENGER or registry.version(lab.name, alias=CHALLENGER)
    standing = None if waiting else registry.version(lab.name, alias=CHAMPION)
    alias = CHAMPION if standing else asked.alias
    return subject_of_version(lab, asked_version(lab, alias, asked.version))


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
    made = [v for v in lab.tracking.registry.versions(lab.name) if v.run_id == run_id]
    return Subject(
        run, scorer, _dataset(lab, f"run {run_id}", run.tags.get("leaflab.dataset")), made[-1] if made else None
    )


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
    rules = {c.name: (c.kind, c.scale) for c in dataset.columns}
    other = [c.name for c in scorer.columns if rules.get(c.name, (c.kind, c.scale)) != (c.kind, c.scale)]
    if other:
        named = ", ".join(f"'{name}'" for name in other)
        raise ModelError(label, f"is not comparable on these rows: it reads {named} by another rule")
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
