"""`leaflab runs` filters, sorts and exports what MLflow holds."""

from __future__ import annotations

import pyarrow.csv
import pyarrow.parquet
import pytest

from leaflab.app import main
from leaflab.commands.runs import matching, sorted_by
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.values import Metric, Param


@pytest.fixture
def sweep(home):
    with Local(home=home).start(RunSpec("toy", "sweep", "sweep toy", "k")) as run:
        for number, loss in enumerate([0.5, 0.3, float("nan"), 0.4]):
            spec = RunSpec("toy", "trial", f"trial {number:04d}", f"k/{number}", run.id, {"leaflab.state": "complete"})
            items = [Param("leaves", 2**number), Param("kind", "gbdt"), Metric("valid/log_loss", loss)]
            run.child(spec, items, status="FINISHED", started=number, ended=number + 1.5)
    return run.id


def lines(capsys):
    return [line.split() for line in capsys.readouterr().out.strip().splitlines()]


def test_shows_sorted_and_cut(sweep, capsys):
    assert main(["runs", "toy", "--verb", "trial", "--sort", "valid/log_loss", "--top", "2"]) == 0
    head, *rows = lines(capsys)
    assert head[-2:] == ["valid/log_loss", "leaves"]
    assert [(row[1], row[2], row[-2], row[-1]) for row in rows] == [
        ("trial", "0001", "0.3", "2"),
        ("trial", "0003", "0.4", "8"),
    ]


def test_filters_by_metric_param_tag_and_text(sweep, capsys):
    words = ["runs", "toy", "--columns", "name", "--where"]
    for condition, names in [
        ("valid/log_loss<0.45", ["0003", "0001"]),
        ("leaves>=4", ["0003", "0002"]),
        ("kind=gbdt", ["0003", "0002", "0001", "0000"]),
        ("name~0002", ["0002"]),
        ("name=trial 0001", ["0001"]),
        ("leaflab.state!=complete", []),
    ]:
        assert main([*words, condition]) == 0
        found = [line[-1] for line in lines(capsys)[1:]] if names else lines(capsys)[1:]
        assert found == names, condition


def test_exports_every_column(sweep, home, capsys):
    assert main(["runs", "toy", "--export", "all.csv"]) == 0
    assert main(["runs", "toy", "--export", "all.parquet"]) == 0
    for table in (pyarrow.csv.read_csv(home / "all.csv"), pyarrow.parquet.read_table(home / "all.parquet")):
        assert table.num_rows == 5
        assert {"run", "name", "valid/log_loss", "leaves", "seconds"} <= set(table.column_names)
    assert main(["runs", "toy", "--export", "all.xls"]) == 2


def test_mistakes_are_told(sweep, capsys):
    assert main(["runs", "toy", "--where", "valid/logloss<1"]) == 2
    assert "valid/log_loss" in capsys.readouterr().err
    assert main(["runs", "toy", "--where", "nonsense"]) == 2
    assert main(["runs", "toy", "--sort", "absent"]) == 2
    assert main(["runs", "no such"]) == 0
    assert "No runs." in capsys.readouterr().out


def test_sorts_downwards_and_leaves_the_unknown_last():
    rows = [{"run": "a", "m": 1.0}, {"run": "b"}, {"run": "c", "m": 2.0}, {"run": "d", "m": float("nan")}]
    assert [r["run"] for r in sorted_by(rows, "-m")] == ["c", "a", "b", "d"]
    assert [r["run"] for r in matching(rows, ["m>=1", "m<2"])] == ["a"]
