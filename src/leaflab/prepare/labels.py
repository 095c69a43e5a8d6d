"""Labels that are likely wrong: found from out-of-fold answers by confident learning (Northcutt and others 2021).

The class-conditional noise that confident learning assumes is a model, not a fact: what it ranks is worth a look, and
its error rate is an estimate.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError, ExtraError
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from leaflab.values import Dataset

__all__ = ["LABEL_WEIGHT", "Issues", "acted", "consensus", "corrections", "find_issues", "rank", "review_file"]

LABEL_WEIGHT = "label_weight"
DROP = "drop"

_FOLDS, _ROUNDS, _KEPT = 5, 80, 1000


@dataclass(frozen=True)
class Issues:
    """The training rows by how suspicious their labels are.

    Args:
        order: row numbers, the most suspicious first, shape (rows,).
        quality: 0 (surely wrong) to 1 (surely right), shape (rows,).
        wrong: whether confident learning takes the label for an error, shape (rows,).
        suggested: class codes the model would have given, shape (rows,).
    """

    order: NDArray[np.int64]
    quality: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    suggested: NDArray[np.int64]

    @property
    def rate(self) -> float:
        """The expected share of wrong labels."""
        return float(self.wrong.mean())


def rank(labels: NDArray[np.int64], proba: NDArray[np.float64]) -> Issues:
    """Ranks labels by their normalised margin.

    Args:
        labels: given class codes, shape (rows,).
        proba: probabilities from a model that did not learn from the row, shape (rows, classes).

    Raises:
        ExtraError: cleanlab is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise ExtraError("prepare.labels=confident_learning", "labels") from error
    quality = get_label_quality_scores(labels, proba, method="normalized_margin", adjust_pred_probs=False)
    wrong = find_label_issues(labels, proba, n_jobs=1)
    return Issues(np.argsort(quality, kind="stable"), quality, wrong, proba.argmax(axis=1))


def find_issues(dataset: Dataset, seed: int = 0) -> Issues:
    """The label issues of a dataset's training rows, from LightGBM models that each leave a fifth of them out.

    Raises:
        ConfigError: the task has no labels.
    """
    if not dataset.classes:
        raise ConfigError("`prepare.labels`", "must fit the task: it ranks labels, not numbers", got=dataset.task)
    import lightgbm
    from sklearn.model_selection import StratifiedKFold

    frame = dataset.parts["train"].to_pandas()
    codes = frame[dataset.target].map({c: k for k, c in enumerate(dataset.classes)}).to_numpy("int64")
    matrix, categorical = _matrix(dataset, frame)
    params = {
        "objective": "multiclass",
        "num_class": len(dataset.classes),
        "verbosity": -1,
        "seed": seed,
        "num_threads": 1,
    }
    params |= {"deterministic": True, "force_col_wise": True, "learning_rate": 0.1, "num_leaves": 31}
    proba = np.zeros((len(codes), len(dataset.classes)))
    least = min(_FOLDS, int(np.bincount(codes).min()))
    for train, held in StratifiedKFold(max(2, least), shuffle=True, random_state=seed).split(matrix, codes):
        data = lightgbm.Dataset(matrix[train], codes[train], categorical_feature=categorical, free_raw_data=True)
        proba[held] = lightgbm.train(params, data, _ROUNDS).predict(matrix[held], num_threads=1)
    return rank(codes, proba)


def _matrix(dataset: Dataset, frame: Any) -> tuple[NDArray[np.float64], list[int]]:
    """Numbers as they are, times as seconds, categories as codes; the texts are left out."""
    import pandas as pd

    columns: list[Any] = []
    categorical: list[int] = []
    for column in dataset.columns:
        values = frame[column.name]
        if column.kind == "category":
            categorical.append(len(columns))
            codes = pd.factorize(values)[0].astype("float64")
            columns.append(np.where(codes < 0, np.nan, codes))
        elif column.kind == "time":
            columns.append(np.where(values.isna(), np.nan, values.astype("int64") / 1e6))
        elif column.kind != "text":
            columns.append(values.to_numpy("float64"))
    return np.column_stack(columns), categorical


def acted(dataset: Dataset, issues: Issues, action: str) -> Dataset:
    """The dataset with the likely errors told, dropped from train or weighted down there; other parts stay as given."""
    import pyarrow as pa

    train, roles = dataset.parts["train"], dataset.roles
    parts: dict[str, pa.Table] = dict(dataset.parts)
    if action == "drop":
        parts["train"] = train.filter(pa.array(~issues.wrong))
    elif action == "weight":
        weights = np.where(issues.wrong, np.clip(issues.quality, 0.05, 1.0), 1.0)
        for part, table in dataset.parts.items():
            values = weights if part == "train" else np.ones(table.num_rows)
            if roles.weight is None:
                parts[part] = table.append_column(LABEL_WEIGHT, pa.array(values))
            else:
                place = table.column_names.index(roles.weight)
                parts[part] = table.set_column(place, roles.weight, pa.array(values * table[roles.weight].to_numpy()))
        roles = roles.resolved(weight=roles.weight or LABEL_WEIGHT)
    facts = {"label_error_rate": issues.rate, "label_issues": _listed(dataset, issues), "label_action": action}
    return replace(dataset, parts=parts, roles=roles, facts={**dataset.facts, **facts})


def _listed(dataset: Dataset, issues: Issues) -> list[dict[str, Any]]:
    rows = [int(row) for row in issues.order if issues.wrong[row]][:_KEPT]
    train = dataset.parts["train"]
    ids, given = train[ROW_ID].take(rows).to_pylist(), train[dataset.target].take(rows).to_pylist()
    return [
        {
            ROW_ID: i,
            "given": g,
            "suggested": dataset.classes[issues.suggested[row]],
            "quality": float(issues.quality[row]),
        }
        for i, g, row in zip(ids, given, rows, strict=True)
    ]


def review_file(issues: Sequence[Mapping[str, Any]]) -> str:
    """The issues as CSV with a column to fill in: the right label, `drop`, or nothing to leave the row as it is."""
    text = StringIO()
    writer = csv.DictWriter(text, [ROW_ID, "given", "suggested", "quality", "corrected"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**issue, "corrected": ""} for issue in issues)
    return text.getvalue()


def corrections(path: str, classes: Sequence[Any]) -> dict[str, Any]:
    """Row id to the label that a person gave, or `DROP`; rows left blank are not in it.

    Raises:
        ConfigError: the file cannot be read, lacks a column, or holds a label that is none.
    """
    labels = {str(c): c for c in classes}
    try:
        with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - csv wants the newlines as they are
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigError("`prepare.corrections`", "must be a file that can be read", got=path) from error
    found: dict[str, Any] = {}
    for row in rows:
        if ROW_ID not in row or "corrected" not in row:
            raise ConfigError("`prepare.corrections`", f"must have the columns {ROW_ID} and corrected", got=list(row))
        word = (row["corrected"] or "").strip()
        if word and word != DROP and word not in labels:
            raise ConfigError("`prepare.corrections`", f"must hold labels of the target or {DROP!r}", got=word)
        if word:
            found[row[ROW_ID]] = DROP if word == DROP else labels[word]
    return found


def consensus(raw: pa.Table, annotators: Sequence[str], target: str) -> tuple[pa.Table, float, float]:
    """Several label columns as one target, with the share of rows on which all agree, and Fleiss' kappa.

    A row's target is the label that most annotators gave; a tie, like no label, is none.
    """
    import pyarrow as pa

    kind = raw.schema.field(annotators[0]).type
    votes = np.stack([raw[name].cast(pa.string()).to_numpy() for name in annotators], axis=1)
    names = np.array(sorted({vote for vote in votes.ravel() if vote is not None}), dtype=object)
    counts = np.stack([(votes == name).sum(axis=1) for name in names], axis=1)
    top, given = counts.max(axis=1), counts.sum(axis=1)
    undecided = ((counts == top[:, None]).sum(axis=1) > 1) | (given == 0)
    label = pa.array(names[counts.argmax(axis=1)], pa.string(), mask=undecided).cast(kind)
    several = given > 1
    agree = float((top == given)[several].mean()) if several.any() else 1.0
    table = raw.drop_columns(list(annotators)).append_column(target, label)
    return table, agree, _fleiss(counts[several], given[several])


def _fleiss(counts: NDArray[np.int64], given: NDArray[np.int64]) -> float:
    """Agreement beyond chance of several annotators (Fleiss 1971), with rows weighted alike."""
    if not len(counts):
        return 1.0
    pairs = (counts * (counts - 1)).sum(axis=1) / (given * (given - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return (float(pairs.mean()) - chance) / (1 - chance) if chance < 1 else 1.0
