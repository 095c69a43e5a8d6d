from __future__ import annotations

from dataclasses import replace

import pytest

from leaflab.gate.beats_baseline import BeatsBaseline
from leaflab.gate.beats_champion import BeatsChampion
from leaflab.gate.floor import Floor
from leaflab.gate.no_leak import NoLeak
from leaflab.gate.parity import Parity
from leaflab.gate.same_schema import SameSchema
from leaflab.scorer import Column


def test_floor_names_the_metric_that_is_too_low(evidence):
    verdict = Floor(at_least={"roc_auc": 0.999, "r2": 0.0}, at_most={"log_loss": 5.0}).judge(evidence())
    assert verdict.outcome == "failed"
    assert "roc_auc 0." in verdict.sentence and "must be above 0.999" in verdict.sentence
    assert Floor().judge(evidence()).outcome == "passed"
    assert Floor(at_least={"rmse": 1.0}).judge(evidence()).outcome == "not applicable"


def test_beats_baseline_asks_to_beat_each_but_its_own_kind(evidence):
    assert BeatsBaseline().judge(evidence()).outcome == "passed"
    poor = evidence(noise=2.6)
    verdict = BeatsBaseline().judge(poor)
    assert verdict.outcome == "failed" and "against linear" in verdict.sentence
    linear = replace(poor.challenger, facts={**poor.challenger.facts, "kind": "linear"})
    spared = BeatsBaseline().judge(replace(poor, challenger=linear))
    assert "against linear" not in spared.sentence


def test_beats_champion_has_three_answers_and_a_fourth(evidence):
    gate = BeatsChampion(min_gain=0.005)
    better = gate.judge(evidence(noise=0.3, champion_noise=1.5, rows=5000))
    worse = gate.judge(evidence(noise=1.5, champion_noise=0.3, rows=5000))
    unsure = gate.judge(evidence(noise=1.0, champion_noise=1.05, rows=300, seed=1))
    assert (better.outcome, worse.outcome, unsure.outcome) == ("passed", "failed", "failed")
    assert better.sentence.startswith("Better:")
    assert worse.sentence.startswith("Worse:")
    assert "Not enough evidence, about " in unsure.sentence and "more rows would tell" in unsure.sentence
    same = evidence(rows=500)
    equal = gate.judge(replace(same, champion=same.challenger))
    assert equal.outcome == "failed" and equal.sentence.startswith("No better by the margin")


def test_every_look_at_a_test_set_widens_the_gain_that_is_needed(evidence):
    seen = [BeatsChampion().judge(evidence(looks=looks)).numbers["needed"] for looks in (0, 1, 10)]
    assert seen == sorted(seen) and seen[2] > seen[0]
    assert "looked at 10 times before" in BeatsChampion().judge(evidence(looks=10)).sentence


def test_beats_champion_is_not_applicable_without_one(evidence):
    verdict = BeatsChampion().judge(evidence(champion=False))
    assert verdict.outcome == "not applicable" and "no champion yet" in verdict.sentence


def test_no_leak_names_the_columns(evidence):
    leaky = evidence(extra={"leaks": ["dep_delay", "arr_time"]})
    assert "'dep_delay', 'arr_time'" in NoLeak().judge(leaky).sentence
    assert NoLeak(allow=("dep_delay", "arr_time")).judge(leaky).outcome == "passed"
    assert NoLeak().judge(evidence(extra={})).outcome == "not applicable"


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ((Column("x", "number"),), "'colour' is new and required"),
        ((Column("x", "category"), Column("colour", "category")), "'x' is a number and was a category"),
        ((Column("x", "number", required=False), Column("colour", "category")), "'x' has become required"),
    ],
)
def test_same_schema_names_what_callers_would_trip_over(evidence, before, problem):
    extra = {"champion": {"columns": before, "classes": ("no", "yes")}}
    verdict = SameSchema().judge(evidence(extra=extra))
    assert verdict.outcome == "failed" and problem in verdict.sentence
    assert SameSchema(allow=("x", "colour")).judge(evidence(extra=extra)).outcome == "passed"


def test_same_schema_looks_at_the_classes_too_and_lets_columns_go(evidence):
    columns = (*evidence().challenger.facts["columns"], Column("more", "number"))
    fewer = {"champion": {"columns": columns, "classes": ("no", "yes")}}
    assert SameSchema().judge(evidence(extra=fewer)).outcome == "passed"
    other = {"champion": {"columns": columns, "classes": ("yes", "no")}}
    assert "the classes are no, yes and were yes, no" in SameSchema().judge(evidence(extra=other)).sentence


def test_parity_names_the_way_that_answers_otherwise(evidence):
    report = [
        {"path": "pyfunc", "rows": "nulls", "ulps": 0.0, "error": ""},
        {"path": "REST", "rows": "unseen categories", "ulps": 1e9, "error": ""},
    ]
    verdict = Parity().judge(evidence(extra={"parity": report}))
    assert verdict.outcome == "failed" and "REST on unseen categories" in verdict.sentence
    assert Parity().judge(evidence(extra={"parity": report[:1]})).outcome == "passed"
    broken = [{"path": "batch", "rows": "nulls", "ulps": 0.0, "error": "missing column: 'x'"}]
    assert "missing column: 'x'" in Parity().judge(evidence(extra={"parity": broken})).sentence
