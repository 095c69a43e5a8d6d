from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from leaflab.commands.reproduce import command
from leaflab.door.compose import lab_for
from leaflab.errors import ModelError
from leaflab.values import Tag
from leaflab.workflow.sweep import sweep

WORDS = ["source.path=table.csv", "dataset.target=y", "search.trials=6", "model.max_rounds=25", "executor=inline"]


@pytest.fixture
def swept(home):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(150, 3)), columns=list("abc"))
    frame["y"] = frame["a"] + generator.normal(size=150) / 2
    frame.to_csv(home / "table.csv", index=False)
    return sweep(lab_for("sweep", WORDS))


def said(run_id):
    result = CliRunner().invoke(command, [run_id], standalone_mode=False, catch_exceptions=False)
    return result.return_value, result.output


def test_a_sweep_and_its_trials_are_made_again_byte_by_byte(swept):
    code, text = said(swept.run_id)
    assert (code, "identical" in text) == (0, True), text
    tracking = lab_for("sweep", WORDS).tracking
    trial = next(r for r in tracking.search("table", {"leaflab.trial": str(swept.best.number)}))
    code, text = said(trial.id)
    assert code == 0, text
    assert "metrics too" in text


def with_pairs_and_without(*more):
    """A sweep, its tracking, and which of its trials saw the features made of others: some did, some did not."""
    words = [*WORDS[:2], "model.max_rounds=25", "executor=inline", *more]
    swept = sweep(lab_for("sweep", words))
    paired = {t.number: bool(t.params.get("pairs")) for t in swept.trials}
    assert set(paired.values()) == {True, False}
    return swept, lab_for("sweep", words).tracking, paired


@pytest.mark.parametrize("groups", [False, True])
def test_models_with_and_without_features_of_pairs_are_made_again_together(home, groups):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(3200, 4)), columns=list("abcd"))
    gap = np.abs(frame["a"] - frame["b"])
    if groups:
        frame["d"] = generator.integers(0, 50, 3200)
        gap, frame["a"] = 2 * frame["a"], frame["a"] + 20 * generator.normal(size=50)[frame["d"]]
    frame["y"] = frame["c"] + gap + generator.normal(size=3200)
    frame.to_csv(home / "table.csv", index=False)
    swept, tracking, paired = with_pairs_and_without("search.trials=8", "model.pairs=3")
    for run in tracking.search("table", {"leaflab.verb": "trial"}):
        scorer = tracking.scorer(run.id)
        assert len(scorer.encoder.features) == (7 if paired[int(run.tags["leaflab.trial"])] else 4)
        assert len(scorer.score(frame[:5].drop(columns="y"))) == 5
    assert groups == any(f.op == "beyond" for f in swept.scorer.encoder.features)
    linear = tracking.scorer(next(r.id for r in tracking.search("table", {}) if r.name == "baseline linear"))
    assert linear.encoder.names == list("abcd")
    assert {paired[part["trial"]] for part in swept.scorer.meta["made"]} == ({True} if groups else {True, False})
    code, text = said(swept.run_id)
    assert (code, "identical" in text) == (0, True), text


def test_a_number_that_is_a_name_is_a_category_of_every_model_that_is_made(home):
    generator = np.random.default_rng(0)
    code = generator.integers(0, 60, 4000)
    frame = pd.DataFrame({"a": generator.normal(size=4000), "b": generator.normal(size=4000), "code": 7 * code})
    frame["y"] = frame["a"] + 2 * generator.normal(size=60)[code] + frame["b"] * generator.normal(size=4000)
    frame.to_csv(home / "table.csv", index=False)
    words = [*WORDS[:2], "search.trials=4", "model.max_rounds=40", "executor=inline"]
    swept = sweep(lab_for("sweep", words))
    tracking = lab_for("sweep", words).tracking
    for run in (swept.run_id, *(r.id for r in tracking.search("table", {"leaflab.verb": "trial"}))):
        assert tracking.scorer(run).encoder.names[:4] == ["a", "b", "code", "code as a category"]
    asked = frame[:4].drop(columns="y").assign(code=[0, 7, 3, None])  # 3 is no code
    assert np.isfinite(tracking.scorer(swept.run_id).score(asked)).all()
    code, text = said(swept.run_id)
    assert (code, "identical" in text) == (0, True), text
    without = sweep(lab_for("sweep", [*words, "model.pairs=0"]))
    assert without.scorer.encoder.names == ["a", "b", "code"]
    assert swept.best.value < without.best.value


def test_a_number_that_may_be_a_name_is_a_category_of_the_models_that_ask_for_pairs(home):
    generator = np.random.default_rng(0)
    code = generator.integers(0, 500, 9000)
    frame = pd.DataFrame({"a": generator.normal(size=9000), "code": code})
    frame["y"] = frame["a"] + generator.normal(size=500)[code] + 4 * generator.normal(size=9000)
    frame.to_csv(home / "table.csv", index=False)
    swept, tracking, paired = with_pairs_and_without("search.trials=6")
    for run in tracking.search("table", {"leaflab.verb": "trial"}):
        scorer = tracking.scorer(run.id)
        assert ("code as a category" in scorer.encoder.names) == paired[int(run.tags["leaflab.trial"])]
        assert np.isfinite(scorer.score(frame[:5].drop(columns="y").assign(code=-1))).all()
    code, text = said(swept.run_id)
    assert (code, "identical" in text) == (0, True), text


def test_what_differs_is_told(swept):
    lab = lab_for("sweep", WORDS)
    lab.tracking.annotate(swept.run_id, [Tag("leaflab.version.lightgbm", "4.0.0")])
    sampled = next(t for t in swept.trials if t.params.get("bagging_fraction", 1) < 0.95 and t.state == "complete")
    trial = next(r for r in lab.tracking.search("table", {"leaflab.trial": str(sampled.number)}))
    lab.tracking.annotate(trial.id, [Tag("leaflab.seed", "12345")])
    code, text = said(trial.id)
    assert code == 3
    assert "0 of 1 parts are identical" in text
    assert "Why: lightgbm was 4.0.0, is 4.7.0" in text


def test_a_run_that_does_not_exist_is_told(home):
    with pytest.raises(ModelError, match="does not exist"):
        said("0" * 32)
