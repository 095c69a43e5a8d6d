"""What settings are given in, and how they are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leaflab.door import compose
from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError
from leaflab.workflow.settings import Backtest, Monitor


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("2w", 1209600), ("0d", 0), (timedelta(minutes=1), 60)]
)
def test_spans(text, seconds):
    assert Monitor(every=text).every.total_seconds() == seconds


@pytest.mark.parametrize("window", [7, "7", timedelta(days=7), "7d"])
def test_rows_or_a_span(window):
    assert Monitor(window=window).window == (7 if str(window) == "7" else timedelta(days=7))
    assert Backtest(period=window).period == Monitor(window=window).window


@pytest.mark.parametrize(("given", "kept"), [("all", ("all",)), (["a", "b"], ("a", "b")), ([], ())])
def test_one_word_or_several(given, kept):
    assert Monitor(acknowledge=given).acknowledge == kept


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("monitor.every=soon", "`monitor.every` must be a span of time such as 30m, 1h or 7d, got 'soon'"),
        ("monitor.recent=abc", "`monitor.recent` must be a span of time"),
        ("monitor.retrain_every=7", "`monitor.retrain_every` must be a span of time"),
        ("monitor.fresh_within=-1h", "`monitor.fresh_within` must be a span of time"),
        ("monitor.fresh_within=1e30w", "`monitor.fresh_within` must be a span of time"),
        ("monitor.window=0", "`monitor.window` must be rows or a span above 0, as in 2000 or 1d, got 0"),
        ("monitor.window=-1d", "`monitor.window` must be rows or a span above 0"),
        ("monitor.window=soon", "`monitor.window` must be rows or a span above 0"),
        ("monitor.window=0d", "`monitor.window` must be rows or a span above 0"),
        ("monitor.window=true", "`monitor.window` must be rows or a span above 0"),
        ("monitor.window=inf", "`monitor.window` must be rows or a span above 0"),
        ("monitor.window=1.5", "`monitor.window` must be rows or a span above 0"),
        ("backtest.period=99999999999999999999", "`backtest.period` must be rows or a span above 0"),
        ("backtest.period=[1,2]", "`backtest.period` must be rows or a span above 0"),
        ("monitor.webhook=hooks.example", "`monitor.webhook` must be an address that begins with https"),
        ("predict.alias=''", "`predict.alias` must be some text, got ''"),
        ("predict.version=0", "`predict.version` must be greater than or equal to 1, got 0"),
        ("monitor.version=0", "`monitor.version` must be greater than or equal to 1, got 0"),
        ("promote.version=99999999999", "`promote.version` must be less than or equal to"),
        ("evaluate.version=true", "`evaluate.version` must be the number of a version, got True"),
        ("evaluate.version=1e308", "`evaluate.version` must be a whole number"),
        ("evaluate.costs=7", "`evaluate.costs` must be a list, got 7"),
        ("evaluate.costs=[1,x]", "`evaluate.costs.1` must be a number, got 'x'"),
        ("evaluate.alias=5", "`evaluate.alias` must be text, got 5"),
        ("evaluate.report=maybe", "`evaluate.report` must be true or false, got 'maybe'"),
        ("collect.partition_by=7", "`collect.partition_by` must be a list, got 7"),
        ("collect.partition_by=[1]", "`collect.partition_by.0` must be text, got 1"),
        ("serve.host=''", "`serve.host` must be some text, got ''"),
        ("promote.alias=''", "`promote.alias` must be some text, got ''"),
        ("serve.record.seconds=1e10", r"`serve.record.seconds` must be less than or equal to 1000000000"),
        ("search.sampler.startup=-1", r"`search.sampler.startup` must be greater than or equal to 0, got -1"),
        ("search.pruner.keep=x", r"`search.pruner.keep` must be a number, got 'x'"),
        ("serve.max_megabytes=1e308", "`serve.max_megabytes` must be less than or equal to 100000"),
        ("gate.floor.at_least=3", "`gate.floor.at_least` must be a mapping, got 3"),
    ],
)
def test_a_setting_of_no_use_is_refused_before_the_work(home, word, said):
    with pytest.raises(ConfigError, match=said):
        lab_for("monitor", ["name=t", word])


@pytest.mark.parametrize("value", ["0", "null", "false", "abc", "''"])
@pytest.mark.parametrize("option", ["gate.floor", "gate.beats_champion", "drift.ks"])
def test_a_gate_or_a_test_is_not_left_out_by_a_value(home, option, value):
    noun, _, name = option.partition(".")
    with pytest.raises(ConfigError, match=rf"`{option}` has settings, .* to do without it, {noun}=\[") as refused:
        lab_for("promote", ["name=t", f"{option}={value}"])
    assert name not in str(refused.value).partition("=[")[2]


def test_nothing_is_promoted_without_a_gate(home):
    with pytest.raises(ConfigError, match=r"`gate` must name a gate: promote\.force=true promote\.why=… does without"):
        lab_for("promote", ["name=t", "gate=[]"])


def test_a_wrong_record_in_a_list_is_said_too():
    record = {"_target_": "leaflab.workflow.settings.Recording", "seconds": -1}
    with pytest.raises(ConfigError, match=r"`search.seconds` must be greater than 0, got -1"):
        compose._built("search", {"_target_": "builtins.dict", "records": [record]})


def test_rows_may_be_watched_without_a_test_of_drift(home):
    assert lab_for("monitor", ["name=t", "drift=[]"]).drift == {}


@pytest.mark.parametrize("value", ["5", "null"])
def test_the_dataset_is_a_mapping(home, value):
    with pytest.raises(ConfigError, match=r"`dataset` must be a mapping, got .*: set its keys: dataset\.target=y"):
        lab_for("sweep", ["source.path=t.csv", f"dataset={value}"])
