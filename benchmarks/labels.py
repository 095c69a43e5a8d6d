"""How well are wrong labels found? Verdicts of people where there are some, labels flipped on purpose where not.

    python benchmarks/labels.py [--data ../shared/data]

Of the MNIST labels that people reviewed it tells the average precision of the ranking by given probabilities; of digits
(bundled with scikit-learn) and of adult, a twentieth of whose labels are flipped, what `prepare.labels` finds in train.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from leaflab.prepare.default import Default
from leaflab.prepare.labels import find_issues, rank
from leaflab.split.auto import Auto
from leaflab.values import PARTS, ROW_ID, Dataset, Roles

SHARE = 0.05


def reviewed(path: Path) -> None:
    """The ranking of labels that people judged."""
    frame = pq.read_table(path).to_pandas()
    proba = frame[[f"p{n}" for n in range(10)]].to_numpy("float64")
    issues = rank(frame["given_label"].to_numpy("int64"), proba / proba.sum(axis=1, keepdims=True))
    seen = frame["reviewed"].to_numpy()
    wrong = frame["human_verdict_error"].to_numpy()[seen].astype(bool)
    found = average_precision_score(wrong, -issues.quality[seen])
    print(f"mnist: average precision {found:.3f} among {seen.sum()} reviewed rows, {wrong.sum()} of them errors")


def flipped(name: str, features: pa.Table, labels: np.ndarray, seed: int = 0) -> None:
    """What is found of labels that were changed to another on purpose."""
    rng = np.random.default_rng(seed)
    words, codes = np.unique(labels, return_inverse=True)
    rows = rng.permutation(len(codes))[: int(SHARE * len(codes))]
    codes[rows] = (codes[rows] + rng.integers(1, len(words), len(rows))) % len(words)
    ids = np.array([f"n{n}" for n in range(len(codes))])
    raw = features.append_column("target", pa.array(words[codes])).append_column("nr", pa.array(ids))
    prepared = Default(near=0).clean(raw, Roles(target="target", id="nr"))
    parts = Auto().assign(prepared, 0)
    tables = {part: prepared.table.filter(pa.array(parts == code)) for code, part in enumerate(PARTS)}
    made = Dataset(name, prepared.task, prepared.roles, prepared.classes, prepared.columns, tables, {})
    issues = find_issues(made)
    put = np.isin(np.array(tables["train"][ROW_ID].to_pylist()), ids[rows])
    recall, precision = put[issues.wrong].sum() / put.sum(), put[issues.wrong].mean()
    print(
        f"{name}: recall {recall:.3f}, precision {precision:.3f} of {put.sum():,} flipped labels among {len(put):,}; "
        f"average precision {average_precision_score(put, -issues.quality):.3f}; "
        f"expected error rate {issues.rate:.3f}, true {put.mean():.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    bunch = load_digits()
    flipped("digits", pa.table({f"x{n}": column for n, column in enumerate(bunch.data.T)}), bunch.target)
    if not data.is_dir():
        print(f"{data} is not there: the others are left out")
        return
    reviewed(data / "labelerrors_mnist.parquet")
    adult = pq.read_table(data / "adult.parquet")
    rich = np.array([">50K" in value for value in adult["income"].to_pylist()])
    flipped("adult", adult.drop_columns(["income", "split"]), rich)


if __name__ == "__main__":
    main()
