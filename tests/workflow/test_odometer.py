from __future__ import annotations

from dataclasses import replace

from leaflab.workflow.evaluate import evaluate
from leaflab.workflow.evidence import subject_of_version
from leaflab.workflow.ledger import Ledger
from leaflab.workflow.odometer import WORN, looks, worn
from leaflab.workflow.promote import promote


def count(bench, number):
    version = bench.lab.tracking.registry.version("toy", number=number)
    return looks(bench.lab, subject_of_version(bench.lab, version))


def test_every_other_model_scored_on_a_test_set_counts_once_whatever_scored_it(bench):
    bench.lab = replace(bench.lab, gate={name: bench.lab.gate[name] for name in ("floor", "beats_champion")})
    bench.train(skill=0.4)
    assert count(bench, 1) == 0
    evaluate(bench.asking("evaluate", report=False))
    evaluate(bench.asking("evaluate", report=False))
    promote(bench.lab)
    assert count(bench, 1) == 0
    bench.train(skill=0.5)
    assert count(bench, 2) == 1
    promote(bench.asking(dry_run=True))
    bench.train(skill=0.4)
    assert count(bench, 3) == 1  # the same files as version 1
    bench.train(skill=0.3)
    refused = promote(bench.lab)
    assert refused.exit_code == 3 and "(this test set was looked at 2 times before)" in str(refused)
    assert Ledger(bench.lab.tracking, "toy").entries()[-1].record["looks"] == 2


def test_another_test_set_starts_anew(bench):
    bench.train()
    evaluate(bench.asking("evaluate", report=False))
    fresh = bench.prepare(seed=3, start=10_000)
    assert count(bench, bench.train(dataset=fresh, skill=0.7).number) == 0


def test_a_worn_test_set_is_said_to_be_worn():
    assert worn(0).startswith("new") and "widens" in worn(1)
    assert "draw a new one" in worn(WORN)
