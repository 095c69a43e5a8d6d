from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leaflab.app import main
from leaflab.workflow.promote import promote


@pytest.fixture
def two(bench):
    """Version 1 was champion, version 2 is."""
    bench.lab = replace(bench.lab, gate={"floor": bench.lab.gate["floor"]})
    for skill in (0.5, 1.0):
        bench.train(skill=skill)
        promote(bench.lab)
    return bench


def client():
    from mlflow import MlflowClient

    store = f"sqlite:///{Path.cwd()}/mlflow.db"
    return MlflowClient(store, store)


def test_nothing_wrong_is_said_and_exits_0(two, capsys):
    assert main(["audit", "toy"]) == 0
    assert "every champion has its record" in capsys.readouterr().out
    assert main(["audit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["audit", "nobody"]) == 2


def test_an_alias_moved_behind_the_ledgers_back_is_found_and_put_back(two, capsys):
    client().set_registered_model_alias("toy", "champion", "1")
    assert main(["audit"]) == 3
    assert "'toy' has version 1 as champion, the ledger says version 2" in capsys.readouterr().out
    assert main(["audit", "toy", "--revert"]) == 3
    assert "Put back to version 2." in capsys.readouterr().out
    assert two.lab.tracking.registry.version("toy", alias="champion").number == 2
    assert main(["audit", "toy"]) == 0
    assert main(["ledger", "toy", "--json"]) == 0


def test_an_alias_that_was_deleted_is_found_and_put_back(two, capsys):
    client().delete_registered_model_alias("toy", "champion")
    assert main(["audit", "toy", "--revert"]) == 3
    assert "has nobody as champion" in capsys.readouterr().out
    assert main(["audit", "toy"]) == 0


def test_files_that_changed_after_the_judgement_are_found(two, capsys):
    from leaflab.tracking.places import local_path

    folder = local_path(client().get_model_version_download_uri("toy", "2"))
    plain = json.loads((folder / "data" / "model.json").read_text(encoding="utf-8"))
    plain["predictor"]["intercept"] = [9.0]
    (folder / "data" / "model.json").write_text(json.dumps(plain), encoding="utf-8")
    assert main(["audit", "toy"]) == 3
    assert "The files of toy version 2 are not those that were judged." in capsys.readouterr().out


def test_a_champion_without_any_record_is_found(bench, capsys):
    bench.train()
    client().set_registered_model_alias("toy", "champion", "1")
    assert main(["audit", "toy"]) == 3
    assert "no ledger says why" in capsys.readouterr().out


def test_a_ledger_edited_by_hand_is_found(two, capsys):
    run = two.lab.tracking.search("toy", {"leaflab.entry": "1"})[0]
    path = two.lab.tracking.artifact(run.id, "gate-record.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"promoted"', '"forced"'), encoding="utf-8")
    assert main(["audit", "toy"]) == 3
    assert "is broken: entry 1 was changed afterwards" in capsys.readouterr().out
    assert main(["ledger", "toy"]) == 2
    two.train(skill=1.0)
    assert main(["promote", "name=toy"]) == 2
    assert two.lab.tracking.registry.version("toy", alias="champion").number == 2
