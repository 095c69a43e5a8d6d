"""Current rows as a stream: cut into windows, whatever their order, in memory that does not grow with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.errors import DataError
from leaflab.metric.probability import LogLoss
from leaflab.watch.reference import reference
from leaflab.watch.window import Gathering, Typed
from leaflab.workflow.current import Typing, current_rows
from leaflab.workflow.evidence import subject_of_version
from leaflab.workflow.windows import Windows


@pytest.fixture
def cut(bench):
    """The windows of a frame, and what was noted."""
    bench.train(skill=0.9, alias="champion")
    subject = subject_of_version(bench.lab, bench.lab.tracking.registry.version("toy", alias="champion"))
    known = reference(subject.scorer, subject.dataset, [LogLoss()], sample=500)

    def windows(frame, window=None, time="when"):
        path = bench.lab.home / "current.csv"
        frame.to_csv(path, index=False)
        lab = replace(bench.lab, current=str(path), monitor=replace(bench.lab.monitor, window=window))
        roles = replace(subject.dataset.roles, time=time)
        asked = replace(subject, dataset=replace(subject.dataset, roles=roles))
        made = Windows(lab, current_rows(lab), Typing(lab, asked), known)
        return list(made), made.notes

    windows.lab, windows.known, windows.subject = bench.lab, known, subject
    return windows


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    when = pd.Series(pd.date_range("2024-01-01", periods=count, freq="h")).dt.strftime("%Y-%m-%d %H:%M")
    x, z = rng.normal(size=(2, count))
    colour, y = rng.choice(["red", "blue"], count), np.where(rng.random(count) < 0.5, "yes", "no")
    return pd.DataFrame(
        {"key": [f"k{i}" for i in range(count)], "when": when, "x": x, "z": z, "colour": colour, "y": y}
    )


@pytest.mark.parametrize("window", ["1d", 24])
def test_rows_out_of_order_fall_into_their_windows(cut, window):
    frame = rows(24 * 6)
    straight, _ = cut(frame, window)
    mixed, _ = cut(frame.sample(frac=1, random_state=0), window)
    assert [w.label for w in straight] == [w.label for w in mixed]
    assert [w.rows for w in mixed] == [24] * 6
    for one, other in zip(straight, mixed, strict=True):
        assert one.end == other.end
        assert one.scored.frame["x"].tolist() == other.scored.frame["x"].tolist()
        assert one.scored.truth.tolist() == other.scored.truth.tolist()


def test_rows_without_a_time_are_counted_and_none_at_all_is_said(cut):
    frame = rows(48)
    frame.loc[[3, 4], "when"] = ["", "soon"]
    made, notes = cut(frame, "1d")
    assert sum(w.rows for w in made) == 46
    assert "2 rows without a readable time belong to no window" in notes
    with pytest.raises(DataError, match="has no row with a readable time"):
        cut(frame.assign(when="soon"), "1d")


def test_a_file_whose_types_surprise_halfway_gives_each_window_once(cut):
    frame = rows(90_000).drop(columns=["when"])
    frame["x"] = frame["x"].round().astype("int64").astype("str")
    frame.loc[80_000, "x"] = "a word"
    made, _ = cut(frame, 10_000, time=None)
    assert [w.rows for w in made] == [10_000] * 9
    assert [w.profile.columns["x"].bad for w in made] == [0] * 8 + [1]


def test_a_whole_stream_is_kept_in_little(cut):
    grids, scorer = cut.known.profile.columns, cut.subject.scorer
    made = Gathering(grids, sample=50, kept=300)
    for start in range(0, 5000, 1000):
        frame = rows(1000, seed=start)[["x", "z", "colour"]]
        truth = np.where(np.arange(1000) % 10 == 0, 1.0, np.nan)
        made.add(Typed(frame, truth, np.arange(start, start + 1000) // 2, np.arange(1000.0) + start))
    window = made.window("all", scorer)
    assert (window.rows, window.truths, window.repeated, window.end) == (5000, 500, 2500, 4999.0)
    assert window.profile.rows == window.profile.columns["x"].rows == 5000
    assert (len(window.scored), len(window.labelled), window.profile.sample.num_rows) == (300, 300, 50)
    assert not np.isnan(window.labelled.truth).any()
    assert (np.diff(window.times) > 0).all()


def test_the_reference_is_named_where_labels_or_zones_are_odd(cut):
    frame = rows(60)
    frame.loc[0, "y"] = "perhaps"
    _, notes = cut(frame)
    assert "1 values of 'y' are no label that the model knows, and count as none" in notes
    labels = pa.table({"row_id": ["nobody", "nothing"], "truth": ["yes", "no"]})
    cut.lab.lake.write("truth/toy", labels)
    _, notes = cut(frame.drop(columns=["y"]))
    assert "none of the 2 labels matches a current row: do both have the same row ids?" in notes
    assert "0 of 60 rows have their label" in notes
