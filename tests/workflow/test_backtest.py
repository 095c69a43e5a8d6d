"""The backtest end to end, tiny, on a real store; and on the stream it is made for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaflab.app import main
from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError, DataError
from leaflab.workflow.backtest import backtest


@pytest.fixture
def stream(home):
    """A year of days whose concept turns over in August."""
    rng = np.random.default_rng(0)
    when = pd.date_range("2023-01-01", "2023-12-30", periods=3600)
    x, z = rng.normal(size=(2, len(when)))
    turned = np.where(when < "2023-08-01", 2.0, -2.0)
    target = np.where(rng.random(len(when)) < 1 / (1 + np.exp(-turned * x - z)), "yes", "no")
    pd.DataFrame({"when": when, "x": x, "z": z, "y": target}).to_csv("stream.csv", index=False)
    return ["source.path=stream.csv", "dataset.target=y", "dataset.time=when", "backtest.rounds=30"]


def test_the_alarm_finds_the_turn_and_is_recorded(stream):
    policies = "backtest.policy=[never,'schedule:1',on_alarm]"
    lab = lab_for("backtest", [*stream, policies, "backtest.recent=2"])
    done = backtest(lab)
    never, often, alarmed = done.lives
    assert alarmed.loss < never.loss
    assert 1 <= len(alarmed.retrained) < len(often.retrained)
    assert any("Concept" in cause or "realised" in cause for cause in alarmed.causes)
    run = lab.tracking.get(done.run_id)
    assert (run.tags["leaflab.verb"], run.status) == ("backtest", "FINISHED")
    assert run.metrics["on_alarm/prequential_log_loss"] == pytest.approx(alarmed.loss)
    assert "<svg" in lab.tracking.artifact(done.run_id, "report.html").read_text()
    assert "on_alarm" in str(done)


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (["backtest.policy=[sometimes]"], ConfigError, r"`backtest\.policy` must name policies, got 'sometimes'"),
        (["dataset.time=null"], ConfigError, r"`backtest\.period` needs a time column"),
        (["backtest.period=2000"], DataError, "a backtest needs 6"),
        (["metric=roc_auc"], ConfigError, "`metric` must be a mean over rows"),
    ],
)
def test_what_cannot_be_replayed_gets_a_sentence(stream, words, error, sentence):
    with pytest.raises(error, match=sentence):
        backtest(lab_for("backtest", [*stream, *words]))


@pytest.mark.slow
def test_on_alarm_is_not_dominated_on_electricity(shared_data, home, capsys):
    path = shared_data / "electricity_elec2.parquet"
    policies = "backtest.policy=[never,'schedule:1','schedule:2','schedule:3','schedule:6',on_alarm]"
    assert main(["backtest", "experiment=electricity", f"source.path={path}", policies, "backtest.rounds=100"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("on_alarm")]
    assert "dominated" not in line
