"""`leaflab diff` on what a project holds."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv
from click.testing import CliRunner

from leaflab.commands.diff import command
from leaflab.door.compose import lab_for
from leaflab.workflow.prepare import prepare


def prepared(home, rows):
    table = pa.table(
        {"x": [(n * 37) % 101 for n in range(rows)], "z": range(rows), "y": [n * 7919 % 83 for n in range(rows)]}
    )
    pa.csv.write_csv(table, home / "toys.csv")
    lab = lab_for("prepare", ["source.path=toys.csv", "dataset.target=y"])
    return lab, prepare(lab)


def diff(*words):
    return CliRunner().invoke(command, words)


def test_versions_datasets_and_runs(home):
    lab, first = prepared(home, 300)
    _, second = prepared(home, 320)
    assert "rows: 300 → 320" in diff("raw/toys@0", "raw/toys@1").output
    assert "added: 20" in diff(first.id, second.id).output
    runs = lab.tracking.search(lab.name, {"leaflab.verb": "prepare"})
    newer, older = (run.id for run in runs)
    assert "rows removed: 0, added: 20" in diff(older, newer).output
    assert "cell for cell" in diff("raw/toys@1", "raw/toys").output


def test_an_unknown_name_is_told(home):
    assert "is not in the lake" in str(diff("nothing", "raw/x").exception)
    assert "version number" in str(diff("raw/x@new", "raw/x").exception)
