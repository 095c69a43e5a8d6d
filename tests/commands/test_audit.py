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
    bench.lab = replace(bench.lab, gate={"floor": bench.lab.gate["floor"]})
    bench.train(skill=-1.0)
    assert main(["promote", "name=toy", "gate=[floor]"]) == 3  # what refuses another gives the champion no record
    assert main(["audit", "toy"]) == 3
    assert main(["promote", "name=toy", "promote.version=1", "gate=[floor]"]) == 0
    assert main(["audit", "toy"]) == 0
    assert [e["outcome"] for e in ledger(bench, capsys)] == ["refused", "promoted"]


def ledger(bench, capsys):
    capsys.readouterr()
    assert main(["ledger", "toy", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_alias_given_where_the_ledger_knows_of_none_is_taken_away_again(bench, capsys):
    bench.train(skill=-1.0)
    assert main(["promote", "name=toy", "gate=[floor]"]) == 3
    client().set_registered_model_alias("toy", "champion", "1")
    assert main(["audit", "toy", "--revert"]) == 3
    assert "the ledger says nobody: the alias was moved without a record. Taken away again." in capsys.readouterr().out
    assert main(["audit", "toy"]) == 0
    assert main(["champion", "toy"]) == 2


def test_a_champion_that_was_deleted_cannot_be_put_back_and_that_is_said(two, capsys):
    client().delete_model_version("toy", "2")
    assert main(["audit", "toy", "--revert"]) == 3
    said = capsys.readouterr().out
    assert "It cannot be put back: version 2 is deleted." in said and "version 2 was champion and has been" in said
    assert main(["promote", "name=toy", "promote.rollback=true", "promote.why=it is gone"]) == 3
    assert main(["promote", "name=toy", "promote.version=1", "promote.force=true", "promote.why=it is gone"]) == 0
    assert two.lab.tracking.registry.version("toy", alias="champion").number == 1


def test_a_registered_model_that_was_deleted_with_its_champion_is_found(two, capsys):
    client().delete_registered_model("toy")
    for words in (["audit"], ["audit", "toy"]):
        assert main(words) == 3
        assert "entry 2 was carried out, its head names none: put the registered" in capsys.readouterr().out
    two.train(skill=1.0)
    assert main(["promote", "name=toy"]) == 2
    for run in two.lab.tracking.search("toy", {"leaflab.ledger": "toy"}):
        client().delete_run(run.id)
    assert main(["promote", "name=toy", "gate=[floor]"]) == 0  # the way out that the sentence names
    assert main(["audit"]) == 0


def file_of(two, entry):
    run = two.lab.tracking.search("toy", {"leaflab.entry": str(entry)})[0]
    return two.lab.tracking.artifact(run.id, "gate-record.json")


def rewritten(two, old, new):
    path = file_of(two, 1)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def cut_off(two):
    """The head names entry 1 again, and the alias with it: as if there had never been a second."""
    from leaflab.workflow.ledger import Entry

    first = Entry(**json.loads(file_of(two, 1).read_text(encoding="utf-8")))
    client().set_registered_model_tag("toy", "leaflab.ledger", f"1:{first.hash}:settled")
    client().set_registered_model_alias("toy", "champion", "1")


def run_deleted(two):
    client().delete_run(two.lab.tracking.search("toy", {"leaflab.entry": "1"})[0].id)


BY_HAND = {
    "a word changed": (lambda two: rewritten(two, '"promoted"', '"forced"'), "entry 1 was changed afterwards"),
    "no JSON": (lambda two: rewritten(two, "{", "{nope"), "entry 1 was changed afterwards"),
    "another key": (lambda two: rewritten(two, '"who"', '"whose"'), "entry 1 was changed afterwards"),
    "a file gone": (lambda two: file_of(two, 1).unlink(), "entry 1 is missing"),
    "a run gone": (run_deleted, "entry 1 is missing"),
    "cut off": (cut_off, "entry 2 was carried out, its head names entry 1"),
    "no head": (lambda two: client().delete_registered_model_tag("toy", "leaflab.ledger"), "its head names none"),
    "an odd head": (lambda two: client().set_registered_model_tag("toy", "leaflab.ledger", "0::moving"), "was edited"),
    "a false head": (lambda two: client().set_registered_model_tag("toy", "leaflab.ledger", "2:ab:moving"), "entry 2"),
}


@pytest.mark.parametrize(("edit", "sentence"), BY_HAND.values(), ids=BY_HAND)
def test_a_ledger_edited_by_hand_is_found_and_nothing_moves(two, capsys, edit, sentence):
    edit(two)
    before = two.lab.tracking.registry.version("toy", alias="champion").number
    assert main(["audit", "toy"]) == 3
    said = capsys.readouterr().out
    assert "the ledger of 'toy' is broken: " in said and sentence in said
    assert main(["ledger", "toy"]) == 2
    two.train(skill=1.0)
    assert main(["promote", "name=toy"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert two.lab.tracking.registry.version("toy", alias="champion").number == before
