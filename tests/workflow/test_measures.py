from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaflab.door.compose import lab_for
from leaflab.workflow.learning import problem_of, rows_of
from leaflab.workflow.measures import measures
from leaflab.workflow.prepare import prepare


@pytest.fixture
def known(home):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"a": generator.normal(size=900), "sex": generator.choice(["f", "m", "x"], 900)})
    frame["age"] = generator.integers(18, 80, 900)
    frame["w"] = generator.random(900) + 0.1
    frame["y"] = np.where(frame["a"] + generator.normal(size=900) > 0, "yes", "no")
    frame.to_csv(home / "people.csv", index=False)
    lab = lab_for("sweep", ["source.path=people.csv", "dataset.target=y", "dataset.weight=w"])
    dataset = prepare(lab)
    problem, _ = problem_of(dataset, lab.metric)
    rows = np.arange(problem.boundary, len(problem.target))
    scores = np.random.default_rng(1).dirichlet([2, 2], len(rows))
    groups = np.array(rows_of(dataset)["sex"].to_pylist())[rows]
    return measures(dataset, problem), problem, rows, scores, groups


@pytest.mark.parametrize("name", ["equalized_odds", "demographic_parity"])
def test_fairness_differences_are_fairlearns(name, known):
    fairlearn = pytest.importorskip("fairlearn.metrics", reason="fairlearn is not installed")
    find, problem, rows, scores, groups = known
    expected = getattr(fairlearn, f"{name}_difference")(
        problem.target[rows], scores.argmax(1), sensitive_features=groups, sample_weight=problem.weight[rows]
    )
    assert find(f"{name}(sex)").of(rows, scores) == pytest.approx(expected)


def test_slices_and_groups_are_the_metric_on_their_rows(known):
    find, problem, rows, scores, groups = known
    each = {
        g: problem.metric.score(
            problem.target[rows][groups == g], scores[groups == g], problem.weight[rows][groups == g]
        )
        for g in "fmx"
    }
    for group, value in each.items():
        assert find(f"slice(sex={group})").of(rows, scores) == pytest.approx(value)
    assert find("worst(sex)").of(rows, scores) == pytest.approx(max(each.values()))
    assert find("gap(sex)").of(rows, scores) == pytest.approx(max(each.values()) - min(each.values()))
    assert find("worst(age)").of(rows, scores) >= problem.metric.score(
        problem.target[rows], scores, problem.weight[rows]
    )


def test_other_metrics_have_their_own_direction_and_nonsense_has_none(known):
    find, problem, rows, scores, _ = known
    auc = find("roc_auc")
    assert (auc.direction, auc.of(rows, scores)) == (
        "maximize",
        problem.score("binary", problem.target[rows], scores, problem.weight[rows])["roc_auc"],
    )
    assert find("worst[sex]") is None
    assert find("colour") is None
