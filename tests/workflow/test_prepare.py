"""`leaflab prepare` end to end: made once, found again, recorded once, and nothing half-written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv
import pytest

from leaflab.door.compose import lab_for
from leaflab.errors import CheckFailed, ConfigError, DataError
from leaflab.identity import digest
from leaflab.workflow.prepare import load_dataset, prepare


@pytest.fixture
def source(home):
    rows = 600
    table = pa.table(
        {
            "x": [(n * 37) % 101 for n in range(rows)],
            "kind": [("red", " blue", "?")[n % 3] for n in range(rows)],
            "y": [
                None if n % 100 == 7 else "yes" if (n * 37) % 101 + (n * 7919) % 83 > 90 else "no" for n in range(rows)
            ],
        }
    )
    pa.csv.write_csv(table, home / "toys.csv")
    return home / "toys.csv"


def lab(*overrides):
    return lab_for("prepare", ["source.path=toys.csv", "dataset.target=y", *overrides])


def runs(lab):
    return lab.tracking.search(lab.name, {"leaflab.verb": "prepare"})


def test_a_dataset_is_made_once_and_found_again(source):
    first = lab()
    made = prepare(first)
    found = prepare(lab())
    assert found.id == made.id
    assert found.versions == made.versions
    assert found.columns == made.columns
    assert found.classes == ("no", "yes")
    assert {part: digest(table).table for part, table in found.parts.items()} == dict(made.digests)
    assert len(runs(first)) == 1


def test_the_run_has_the_counts_and_the_digests(source):
    here = lab()
    made = prepare(here)
    (run,) = runs(here)
    assert run.status == "FINISHED"
    assert run.tags["leaflab.dataset"] == made.id
    assert run.metrics["rows/in"] == 600
    assert run.metrics["rows/quarantined/target_null"] == 6
    assert (
        run.metrics["rows/in"]
        == run.metrics["rows/out"] + run.metrics["rows/duplicate"] + run.metrics["rows/quarantined"]
    )
    assert {i["digest"] for i in run.inputs} >= set(made.digests.values())
    quarantine = here.lake.read("quarantine/toys")
    assert quarantine.column_names == ["source", "line", "rule", "reason", "raw"]
    assert quarantine["line"].to_pylist()[:2] == [7, 107]


def test_other_settings_make_another_dataset(source):
    made, other = prepare(lab()), prepare(lab("split.test_size=0"))
    assert other.id != made.id
    assert other.rows("test") == 0
    assert load_dataset(lab().lake, made.id).digests == made.digests
    assert load_dataset(lab().lake, "toys").id == other.id
    assert prepare(lab()).id == made.id


def test_the_same_rows_with_another_positive_class_are_another_dataset(source):
    made, other = prepare(lab()), prepare(lab("dataset.positive=no"))
    assert other.classes == ("yes", "no")
    assert load_dataset(lab().lake, other.id).classes == ("yes", "no")
    assert load_dataset(lab().lake, made.id).classes == ("no", "yes")


def test_a_leak_blocks_with_code_3_and_makes_no_version(source):
    text = source.read_text().splitlines()
    head, *lines = text
    leaky = [f"{line},{'paid' if 'yes' in line else 'open'}" for line in lines if "yes" in line or "no" in line]
    source.write_text("\n".join([f"{head},status", *leaky]))
    here = lab()
    with pytest.raises(CheckFailed, match=r"'status' alone.*allow_leaks") as caught:
        prepare(here)
    assert caught.value.exit_code == 3
    assert "status" in runs(here)[0].tags["leaflab.leaks"]
    assert "dataset/toys/test" not in here.lake.tables()
    assert prepare(lab("prepare.allow_leaks=[status]")).rows("train") > 0


def test_a_bad_table_leaves_nothing_behind(source):
    here = lab("dataset.time=kind")
    with pytest.raises(DataError, match="must hold dates"):
        prepare(here)
    assert not any(name.startswith(("dataset/", "quarantine/")) for name in here.lake.tables())
    assert not runs(here)


def test_an_unknown_dataset_is_told(source):
    with pytest.raises(DataError, match="is not in the lake"):
        load_dataset(lab().lake, "nothing")


def test_a_stream_gives_the_dataset_that_memory_gives(source):
    made = prepare(lab("prepare.near=0"))
    streamed = prepare(lab("prepare.near=0", "prepare.stream=always"))
    assert streamed.digests == made.digests
    assert streamed.id == made.id


def test_proposals_make_nothing(source):
    here = lab("prepare.propose=true")
    assert "rules:" in str(prepare(here))
    assert not any(name.startswith("dataset/") for name in here.lake.tables())
    with pytest.raises(ConfigError, match="alone"):
        prepare(lab_for("sweep", ["source.path=toys.csv", "dataset.target=y", "prepare.propose=true"]))
