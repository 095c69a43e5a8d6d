from __future__ import annotations

from types import SimpleNamespace

import pytest

from leaflab.errors import DataError, ModelError
from leaflab.workflow.evaluate import evaluate


def test_scores_the_challenger_once_and_writes_it_where_people_look(bench):
    version = bench.train(skill=0.9)
    done = evaluate(bench.asking("evaluate"))
    assert done.exit_code == 0 and done.rows == bench.dataset.rows("test")
    assert 0.7 < done.metrics["roc_auc"] < 1 and "toy version 1" in str(done)
    tracking = bench.lab.tracking
    run = tracking.get(done.run_id)
    assert run.status == "FINISHED"
    assert run.tags["leaflab.verb"] == "evaluate" and run.tags["leaflab.test"] == bench.dataset.digests["test"]
    for record in (run, tracking.get(version.run_id)):
        assert record.metrics["test/log_loss"] == pytest.approx(done.metrics["log_loss"])
    now = tracking.registry.version("toy", number=1)
    assert float(now.tags["test/log_loss"]) == pytest.approx(done.metrics["log_loss"], rel=1e-5)
    again = evaluate(bench.asking("evaluate"))
    assert again.run_id == done.run_id


def test_is_asked_by_alias_version_run_or_sweep(bench):
    first, second = bench.train(skill=0.2), bench.train(skill=1.0)
    by_alias = evaluate(bench.asking("evaluate")).metrics
    assert evaluate(bench.asking("evaluate", version=first.number)).metrics["log_loss"] > by_alias["log_loss"]
    assert evaluate(bench.asking("evaluate", run=second.run_id)).metrics == by_alias
    assert evaluate(bench.lab, SimpleNamespace(run_id=second.run_id)).metrics == by_alias


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"version": 9}, "'toy' has no version 9: it has 1"),
        ({"alias": "nobody"}, "'toy' has no alias 'nobody'"),
        ({"run": "f" * 32}, "does not exist"),
    ],
)
def test_a_model_that_is_not_there_is_a_sentence(bench, asked, sentence):
    bench.train()
    with pytest.raises(ModelError, match=sentence):
        evaluate(bench.asking("evaluate", **asked))


def test_where_no_challenger_waits_the_champion_is_evaluated(bench):
    first = bench.train()
    registry = bench.lab.tracking.registry
    registry.point("toy", "challenger", None)
    with pytest.raises(ModelError, match="'toy' has no challenger"):
        evaluate(bench.asking("evaluate"))
    registry.point("toy", "champion", first.number)
    assert evaluate(bench.asking("evaluate", report=False)).model == "toy version 1"


def test_nothing_registered_says_what_to_run(bench):
    with pytest.raises(ModelError, match="run `leaflab sweep name=toy` first"):
        evaluate(bench.asking("evaluate"))


def test_no_test_rows_is_an_error_alone_and_not_applicable_in_a_run(bench):
    from dataclasses import replace

    from leaflab.split.random import Random

    bench.lab = replace(bench.lab, split=Random(test_size=0))
    bench.train(dataset=bench.prepare(seed=1))
    with pytest.raises(DataError, match=r"has no test rows: prepare it with split\.test_size"):
        evaluate(bench.asking("evaluate"))
    done = evaluate(replace(bench.lab, verb="run"))
    assert done.exit_code == 0 and "not applicable" in str(done)


def test_leaves_a_report_a_card_and_intervals_on_the_run(bench):
    bench.train(skill=0.5)
    tracking = bench.lab.tracking
    done = evaluate(bench.asking("evaluate"))
    page = tracking.artifact(done.run_id, "report.html").read_text(encoding="utf-8")
    assert "toy version 1" in page and page.index("<svg") < page.index("<table")
    card = tracking.artifact(done.run_id, "model-card.md").read_text(encoding="utf-8")
    assert "- classes: no, yes" in card and "- learnt from: " in card and "- Yes from a probability of 0." in card
    assert "## Limits" in card and "| log_loss |" in card
    metrics = tracking.get(done.run_id).metrics
    assert metrics["test/log_loss_low"] < metrics["test/log_loss"] < metrics["test/log_loss_high"]
    assert 0 < metrics["valid/threshold"] < 1


def test_recalibrating_makes_a_better_challenger_of_a_model_that_is_too_sure(bench):
    before = bench.train(skill=3.0)
    first = evaluate(bench.asking("evaluate"))
    assert any("recalibrat" in tip.finding for tip in first.advice)
    done = evaluate(bench.asking("evaluate", recalibrate="platt"))
    version = bench.lab.tracking.registry.version("toy", alias="challenger")
    assert version.number == before.number + 1
    assert done.metrics["log_loss"] < first.metrics["log_loss"] - 0.1
    assert done.metrics["roc_auc"] == pytest.approx(first.metrics["roc_auc"], abs=1e-3)
