from __future__ import annotations

import json
from dataclasses import replace

import pytest

from leaflab.errors import ConfigError, DataError, ModelError, TrackingError
from leaflab.workflow.ledger import Ledger
from leaflab.workflow.promote import promote


def aliases(bench):
    registry = bench.lab.tracking.registry
    found = {name: registry.version("toy", alias=name) for name in ("champion", "challenger")}
    return {name: version.number for name, version in found.items() if version}


def ledger(bench):
    return Ledger(bench.lab.tracking, "toy").entries()


def test_the_first_good_model_becomes_champion_with_a_record(bench):
    bench.train(skill=0.7)
    done = promote(bench.lab)
    assert (done.outcome, done.exit_code) == ("promoted", 0)
    assert aliases(bench) == {"champion": 1}
    (entry,) = ledger(bench)
    assert (entry.outcome, entry.champion, entry.run_id) == ("promoted", 1, done.run_id)
    assert entry.record["digests"] == dict(bench.dataset.digests)
    assert {v["name"] for v in entry.record["verdicts"]} == set(bench.lab.gate)
    version = bench.lab.tracking.registry.version("toy", number=1)
    assert version.tags["leaflab.outcome"] == "promoted"
    assert version.tags["leaflab.gate.floor"].startswith("passed: roc_auc")
    run = bench.lab.tracking.get(done.run_id)
    assert run.status == "FINISHED" and run.tags["leaflab.verb"] == "promote"
    assert run.metrics["test/log_loss"] == pytest.approx(entry.record["challenger"]["log_loss"])


def test_a_better_challenger_takes_over_and_a_worse_one_is_refused_with_the_reason(bench):
    bench.train(skill=0.5)
    promote(bench.lab)
    bench.train(skill=1.0)
    assert "version 2 is champion instead of version 1" in promote(bench.lab).headline
    bench.train(skill=0.5)
    refusal = promote(bench.lab)
    assert (refusal.outcome, refusal.exit_code) == ("refused", 3)
    assert "toy version 3 was refused by beats_champion" in refusal.headline
    assert "Worse: gain in log_loss" in str(refusal)
    assert aliases(bench) == {"champion": 2, "challenger": 3}
    assert [e.outcome for e in ledger(bench)] == ["promoted", "promoted", "refused"]
    assert [e.champion for e in ledger(bench)] == [1, 2, 2]


def test_promoting_the_champion_again_changes_nothing(bench):
    bench.train()
    promote(bench.lab)
    for lab in (bench.lab, bench.asking(version=1), bench.asking(alias="champion")):
        done = promote(lab)
        assert (done.outcome, done.exit_code) == ("already champion", 0)
    assert len(ledger(bench)) == 1


def test_a_dry_run_judges_and_moves_nothing(bench):
    bench.train()
    done = promote(bench.asking(dry_run=True))
    assert done.exit_code == 0 and done.headline.startswith("Dry run: toy version 1 is champion")
    assert aliases(bench) == {"challenger": 1} and ledger(bench) == []
    bench.train(skill=0.0)
    refused = promote(bench.asking(dry_run=True))
    assert refused.exit_code == 3 and "refused by floor" in refused.headline


def test_force_needs_a_reason_and_is_recorded_as_forced(bench):
    bench.train(skill=0.0)
    with pytest.raises(ConfigError, match=r"`promote\.why` is required"):
        promote(bench.asking(force=True, why=" "))
    done = promote(bench.asking(force=True, why="the old one is broken"))
    assert done.outcome == "forced" and "FORCED against floor" in done.headline
    (entry,) = ledger(bench)
    assert (entry.outcome, entry.why, entry.champion) == ("forced", "the old one is broken", 1)


def test_a_rollback_returns_to_the_champion_before(bench):
    bench.train(skill=0.4)
    with pytest.raises(ModelError, match="no champion to roll back"):
        promote(bench.asking(rollback=True, why="x"))
    promote(bench.lab)
    with pytest.raises(ModelError, match="no champion before it"):
        promote(bench.asking(rollback=True, why="x"))
    bench.train(skill=1.0)
    promote(bench.lab)
    done = promote(bench.asking(rollback=True, why="it misbehaves"))
    assert "version 1 is champion again instead of version 2" in done.headline
    assert aliases(bench)["champion"] == 1
    first, _, back = ledger(bench)
    assert (back.outcome, back.why, back.record["previous"]) == ("rolled back", "it misbehaves", 2)
    assert back.record["verdicts"] == first.record["verdicts"]  # the record it was promoted by stands again


def test_rolling_back_twice_goes_further_back_and_not_forth_again(bench):
    for skill in (0.3, 0.6, 1.0):
        bench.train(skill=skill)
        promote(bench.lab)
    for version in (2, 1):
        promote(bench.asking(rollback=True, why="further"))
        assert aliases(bench)["champion"] == version
    with pytest.raises(ModelError, match="no champion before it"):
        promote(bench.asking(rollback=True, why="further"))


def test_models_of_grown_data_are_compared_on_rows_neither_has_seen(bench):
    bench.train(skill=0.5)
    promote(bench.lab)
    grown = bench.prepare(rows=5000, seed=0)
    assert grown.id != bench.dataset.id
    bench.train(skill=1.0, dataset=grown)
    promote(bench.lab)
    seen = {k for part in ("train", "valid") for k in bench.dataset.parts[part]["row_id"].to_pylist()}
    fresh = [k for k in grown.parts["test"]["row_id"].to_pylist() if k not in seen]
    assert ledger(bench)[-1].record["rows"] == len(fresh) > 0


def test_a_champion_without_unseen_rows_is_no_excuse(bench):
    test = bench.dataset.parts["test"]
    swallowed = replace(bench.dataset, digests={**bench.dataset.digests, "test": "other"})
    bench.train(skill=0.5)
    promote(bench.lab)
    from leaflab.workflow import evidence

    everything = replace(swallowed, parts={"train": test, "valid": test.slice(0, 0), "test": test})
    assert evidence.clean_rows(bench.dataset, everything).num_rows == 0


def test_another_target_is_not_comparable(bench):
    bench.train(skill=0.5)
    promote(bench.lab)
    other = bench.prepare(seed=5, target="colour")
    bench.train(dataset=replace(other), skill=1.0)
    with pytest.raises(DataError, match=r"the champion is not comparable: it predicts 'y' \(binary\)"):
        promote(bench.lab)
    assert aliases(bench)["champion"] == 1


def test_an_entry_changed_by_hand_breaks_the_chain(bench):
    bench.train(skill=0.5)
    first = promote(bench.lab)
    bench.train(skill=1.0)
    promote(bench.lab)
    path = bench.lab.tracking.artifact(first.run_id, "gate-record.json")
    plain = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**plain, "why": "nothing to see"}), encoding="utf-8")
    with pytest.raises(TrackingError, match="is broken: entry 1 was changed afterwards"):
        ledger(bench)
