from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from leaflab.errors import CheckFailed, ConfigError, ModelError
from leaflab.tracking.local import Local
from leaflab.workflow.auditing import audit
from leaflab.workflow.history import lineage
from leaflab.workflow.ledger import Ledger
from leaflab.workflow.promote import promote


@pytest.fixture
def bench(bench):
    bench.lab = replace(bench.lab, gate={"floor": bench.lab.gate["floor"]})
    bench.train(skill=0.8)
    promote(bench.lab)
    return bench


def test_a_champion_goes_to_the_next_stage_by_name_with_its_evidence(bench):
    done = promote(bench.asking(to="toy-prod", why="release 7"))
    assert done.outcome == "copied" and "champion of toy-prod as toy-prod version 1" in done.headline
    registry = bench.lab.tracking.registry
    copy, original = registry.version("toy-prod", alias="champion"), registry.version("toy", alias="champion")
    rows = bench.dataset.parts["test"].to_pandas()
    assert (registry.scorer(copy).score(rows) == registry.scorer(original).score(rows)).all()
    (entry,) = Ledger(bench.lab.tracking, "toy-prod").entries()
    assert (entry.outcome, entry.why) == ("copied", "release 7")
    assert entry.record["origin"]["version"] == 1 and entry.record["verdicts"][0]["name"] == "floor"
    assert audit(replace(bench.lab, name="toy-prod"), "toy-prod") == []
    assert any((node.kind, node.name) == ("origin", "toy version 1") for node in lineage(bench.lab, copy).nodes)


def test_an_alias_moved_by_hand_at_the_next_stage_stops_the_copy(bench):
    promote(bench.asking(to="toy-prod"))
    bench.train(skill=1.0)
    promote(bench.asking(force=True, why="newer"))
    bench.lab.tracking.registry.point("toy-prod", "champion", None)
    with pytest.raises(CheckFailed, match="the champion of 'toy-prod' is gone, the ledger says version 1"):
        promote(bench.asking(to="toy-prod"))
    promote(bench.asking(to="toy-prod", force=True, why="we know"))
    assert bench.lab.tracking.registry.version("toy-prod", alias="champion").number == 2


def test_copying_twice_makes_one_version(bench):
    for _ in range(2):
        promote(bench.asking(to="toy-prod"))
    assert len(bench.lab.tracking.registry.versions("toy-prod")) == 1
    assert len(Ledger(bench.lab.tracking, "toy-prod").entries()) == 1


def test_a_champion_goes_to_another_store(bench, tmp_path, store_template):
    other = tmp_path / "prod"
    other.mkdir()
    shutil.copy(store_template, other / "mlflow.db")
    uri = f"sqlite:///{other}/mlflow.db"
    promote(bench.asking(to=uri))
    there = Local(home=other, uri=uri)
    version = there.registry.version("toy", alias="champion")
    assert version is not None and version.tags["leaflab.from_version"] == "1"
    (entry,) = Ledger(there, "toy").entries()
    assert entry.record["origin"]["entry"]["outcome"] == "promoted"


def test_only_a_recorded_champion_can_go_and_not_onto_itself(bench):
    with pytest.raises(ConfigError, match="must be another model or another store"):
        promote(bench.asking(to="toy"))
    bare = replace(bench.asking(to="elsewhere"), name="nobody")
    with pytest.raises(ModelError, match="has no champion to copy"):
        promote(bare)
