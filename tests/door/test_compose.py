from __future__ import annotations

import pytest

from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError


def judged_by(home, *words):
    return lab_for("promote", ["name=toy", *words]).gate


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("gate.floor.at_last={accuracy:0.9}", "did you mean `gate.floor.at_least`?"),
        ("gate.floor.at_least={acuracy:0.9}", "must name a metric, got 'acuracy': did you mean `accuracy`?"),
        ("gate.floor.at_most.logloss=0.9", "must name a metric, got 'logloss': did you mean `log_loss`?"),
        ("gate.beats_champion.mingain=0.1", "did you mean `gate.beats_champion.min_gain`?"),
        ("gate.latency.at_most=5", "ask for the gate too, as in gate=[floor,latency]"),
        ("gate=[floor,beats_campion]", "did you mean `beats_champion`?"),
        ("promote.not_applicable=[data_fesh]", "must name a gate, got 'data_fesh': did you mean `data_fresh`?"),
    ],
)
def test_a_mistyped_gate_is_refused_by_name_with_the_nearest(home, word, said):
    with pytest.raises(ConfigError) as error:
        judged_by(home, word)
    assert said in str(error.value)


def test_a_parameter_of_the_model_is_fixed_as_its_configuration_says(home):
    lab = lab_for("sweep", ["source.path=a.csv", "dataset.target=y", "model.params.max_bin=127"])
    assert lab.model.params["max_bin"] == 127


@pytest.mark.parametrize(
    ("word", "spec"),
    [
        ("search.space.boosting=[gbdt,dart]", {"boosting": ["gbdt", "dart"]}),
        ("search.space.drop_rate.low=0.1", {"drop_rate": {"low": 0.1}}),
        ("search.space={lambda_l1:0.5}", {"lambda_l1": 0.5}),
    ],
)
def test_a_space_takes_any_parameter_beside_the_usual_ones(home, word, spec):
    space = lab_for("sweep", ["source.path=a.csv", "dataset.target=y", word]).search.space
    assert space.items() >= spec.items()
    assert "num_leaves" in space


@pytest.mark.parametrize("word", ["gate.floor.at_least.accuracy=0.9", "gate.floor.at_least={accuracy:0.9}"])
def test_a_floor_takes_any_metric_beside_the_usual_ones(home, word):
    assert judged_by(home, word)["floor"].at_least == {"roc_auc": 0.5, "r2": 0.0, "accuracy": 0.9}


def test_an_experiment_without_its_first_line_is_refused_and_not_passed_over(home):
    (home / "experiments").mkdir()
    (home / "experiments" / "mine.yaml").write_text("source: {path: a.csv}\ndataset: {target: y}\n")
    with pytest.raises(ConfigError, match=r"'mine' must begin with the line `# @package _global_`"):
        lab_for("sweep", ["experiment=mine"])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("search.pruner=null", "`search/pruner` has no such option, got 'null': choose from asha"),
        ("search/space=null", "`search/space` has no such option, got 'null'"),
        ("split=3", "`split` has no such option, got '3'"),
        ("metric=true", "`metric` has no such option, got 'true'"),
        ("gate=null", "`gate` has no such option, got 'null'"),
    ],
)
def test_a_group_that_is_given_no_name_is_refused(home, word, said):
    with pytest.raises(ConfigError, match=said):
        lab_for("sweep", ["dataset.target=y", "source.path=t.csv", "search.seconds=3", word])


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("model: null", "`model` has no such option, got 'null': choose from dummy"),
        ("gate: null", "`gate` has no such option, got 'null': choose from"),
        ("search/space: null", "`search/space` has no such option, got 'null'"),
        ("model: nothing", "`model` has no such option, got 'nothing'"),
        ("model: 7", "`experiment=mine` names an option by a number or a truth value: options are words"),
        ("split: true", "`experiment=mine` names an option by a number or a truth value"),
    ],
)
def test_an_experiment_that_chooses_no_option_is_refused(home, choice, said):
    (home / "experiments").mkdir()
    text = f"# @package _global_\ndefaults:\n  - override /{choice}\nsource: {{path: a.csv}}\ndataset: {{target: y}}\n"
    (home / "experiments" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        lab_for("sweep", ["experiment=mine"])
