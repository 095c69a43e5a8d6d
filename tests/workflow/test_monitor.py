"""The monitor end to end on a real store: quiet, alarms with a memory, late truth, a watch that lasts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.alone import alone
from leaflab.app import main
from leaflab.drift.categories import Categories
from leaflab.drift.chi2 import Chi2
from leaflab.drift.classifier import Classifier
from leaflab.drift.ks import KS
from leaflab.drift.missing import Missing
from leaflab.drift.prediction import Prediction
from leaflab.drift.schema import Schema
from leaflab.errors import ConfigError, DataError, ModelError
from leaflab.workflow.monitor import monitor

TESTS = (Schema(), Missing(), KS(), Chi2(), Categories(), Prediction(), Classifier())


def rows(seed: int, count: int = 1500, shift: float = 0.0, twist: float = 2.0, start: int = 100_000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    x = x + shift
    return pd.DataFrame({
        "key": [f"k{start + i}" for i in range(count)], "x": x, "z": z,
        "colour": rng.choice(["red", "green", "blue"], count),
        "y": np.where(rng.random(count) < 1 / (1 + np.exp(-twist * x)), "yes", "no"),
    })  # fmt: skip


@pytest.fixture
def watched(bench):
    """A champion of 'toy', and `look(frame, **settings)`."""
    bench.train(skill=0.9, alias="champion")
    lab = replace(bench.lab, verb="monitor", drift={test.name: test for test in TESTS})

    def look(frame=None, current=None, **settings):
        if frame is not None:
            current = str(lab.home / "current.csv")
            frame.to_csv(current, index=False)
        return monitor(replace(lab, current=current, monitor=replace(lab.monitor, **settings)))

    look.lab = lab
    return look


def test_quiet_where_nothing_differs_and_everything_is_recorded(watched):
    done = watched(rows(1))
    assert (done.exit_code, done.looks, done.alarms) == (0, 1, ())
    assert "quiet" in str(done)
    run = watched.lab.tracking.get(done.run_id)
    assert (run.status, run.tags["leaflab.verb"], run.tags["leaflab.state"]) == ("FINISHED", "monitor", "quiet")
    assert run.metrics["realised/log_loss"] == pytest.approx(run.metrics["estimated/log_loss"], abs=0.05)
    page = watched.lab.tracking.artifact(done.run_id, "report.html").read_text()
    assert page.index("<svg") < page.index("Every test")
    assert "<script" not in page and "<link" not in page and "<img" not in page


def test_alarms_go_on_in_one_run_and_are_told_once(watched, caplog):
    first = watched(rows(2, shift=1.0))
    assert first.exit_code == 3
    told = caplog.text.count("alarm")
    assert any("'x'" in alarm.cause for alarm in first.alarms)
    second = watched(rows(3, shift=1.0))
    assert (second.run_id, second.exit_code) == (first.run_id, 3)
    assert caplog.text.count("alarm") == told
    known = {a.id: a for a in second.alarms}
    assert all(known[a.id].first_seen == a.first_seen and known[a.id].looks == 2 for a in first.alarms if a.id in known)
    quiet = watched(rows(4, shift=1.0), acknowledge=("all",))
    assert quiet.exit_code in (0, 3)
    assert all(a.acknowledged for a in quiet.alarms if a.id in known)
    history = json.loads(watched.lab.tracking.artifact(first.run_id, "history.json").read_text())
    assert [step["step"] for step in history] == [1, 2, 3]
    with pytest.raises(ConfigError, match=r"`monitor\.acknowledge` must name an alarm"):
        watched(rows(4), acknowledge=("nonsense",))


def test_flipped_labels_are_a_concept_and_a_missing_column_is_named(watched):
    families = {alarm.family for alarm in watched(rows(5, twist=-1.0)).alarms}
    assert "concept" in families
    done = watched(rows(6).drop(columns=["x"]))
    assert any("'x' is gone" in alarm.cause for alarm in done.alarms)


def test_windows_by_rows_are_steps(watched):
    done = watched(pd.concat([rows(7, 1000), rows(8, 1000, shift=1.5)]), window=1000)
    assert (done.looks, done.exit_code) == (2, 3)
    with pytest.raises(ConfigError, match=r"`monitor\.window` needs a time column"):
        watched(rows(7), window="1d")


def test_truth_comes_later_by_row_id(watched, caplog):
    frame = rows(9)
    caplog.set_level("INFO")
    watched(frame.drop(columns=["y"]))
    assert "no labels have come yet" in caplog.text
    ids = frame["key"].tolist()
    labels = pa.table({"row_id": [*ids, ids[0], "nobody"], "truth": [*frame["y"], "no", "yes"]})
    watched.lab.lake.write("truth/toy", labels)
    done = watched(frame.drop(columns=["y"]))
    assert "of which the latest counts: 1" in caplog.text
    assert "labels that match no current row: 1" in caplog.text
    run = watched.lab.tracking.get(done.run_id)
    assert run.metrics["rows/labelled"] == len(frame)
    assert "estimate_error/log_loss" in run.metrics


def test_a_lake_table_and_its_versions_can_be_looked_at(watched):
    watched.lab.lake.write("raw/new", pa.Table.from_pandas(rows(10), preserve_index=False))
    watched.lab.lake.write("raw/new", pa.Table.from_pandas(rows(11, shift=2.0), preserve_index=False))
    assert watched(current="raw/new@0").exit_code == 0
    assert watched(current="raw/new").exit_code == 3


def test_the_inference_log_is_joined_with_the_truth_and_its_delay(watched):
    frame = rows(20, shift=1.5)
    asked = pd.date_range("2024-03-01", periods=len(frame), freq="min", tz="UTC").as_unit("us")
    log = frame.drop(columns=["key", "y"]).assign(row_id=frame["key"], request_id="r", time=asked, version=1)
    shadow = log.assign(alias="challenger", x=99.0)
    whole = pd.concat([log.assign(alias="champion"), shadow], ignore_index=True)
    watched.lab.lake.write("inference/toy", pa.Table.from_pandas(whole, preserve_index=False))
    truth = pd.DataFrame({"row_id": frame["key"], "truth": frame["y"], "time": asked + pd.Timedelta("2D")})
    truth = pd.concat([truth.assign(truth="no", time=asked), truth])
    watched.lab.lake.write("truth/toy", pa.Table.from_pandas(truth, preserve_index=False))
    done = watched(current="inferences")
    run = watched.lab.tracking.get(done.run_id)
    assert run.metrics["rows/current"] == run.metrics["rows/labelled"] == len(frame)
    assert run.metrics["realised/accuracy"] > 0.7
    assert any("'x'" in alarm.cause for alarm in done.alarms)


def test_bad_input_gets_a_sentence(watched, bench, caplog):
    with pytest.raises(ConfigError, match="`current` is not set"):
        watched()
    with pytest.raises(ConfigError, match="neither a file nor a lake table"):
        watched(current="nowhere.csv")
    with pytest.raises(ConfigError, match="has no inference log yet"):
        watched(current="inferences")
    with pytest.raises(DataError, match="has none of the columns"):
        watched(pd.DataFrame({"other": [1, 2]}))
    with pytest.raises(ConfigError, match=r"`monitor\.every` must be a span above 0"):
        watched(rows(1), watch=True, every="0s")
    nothing = replace(watched.lab, name="nobody", current="x.csv")
    with pytest.raises(ModelError, match="'nobody'"):
        monitor(nothing)
    caplog.set_level("INFO")
    tiny = watched(rows(12, 15))
    assert tiny.exit_code == 0
    assert re.search(r"tests are not applicable: .*15.* 50", caplog.text)
    page = watched.lab.tracking.artifact(tiny.run_id, "report.html").read_text()
    assert "tests are not applicable" in page
    broken = rows(13).astype({"x": "object"})
    broken["x"] = "n/a?"
    assert any("no longer holds numbers" in alarm.cause for alarm in watched(broken).alarms)


def test_the_watch_outlives_a_bad_window_and_a_restart(watched, caplog):
    good = rows(14)
    path = Path(watched.lab.home / "current.csv")
    pd.DataFrame({"other": [1]}).to_csv(path, index=False)
    lab = watched.lab
    caplog.set_level("INFO")
    seen = []

    def swap(record):
        if "the watch goes on" in record.getMessage():
            good.to_csv(path, index=False)
            seen.append(record)
        return True

    import logging

    logging.getLogger("leaflab.workflow.watching").addFilter(swap)
    asked = replace(lab.monitor, watch=True, every="0.3s", looks=2)
    done = monitor(replace(lab, current=str(path), monitor=asked))
    assert (done.exit_code, len(seen)) == (0, 1)
    state = json.loads((lab.folder / "monitor" / "toy.json").read_text())
    assert state["next"] > time.time() - 5
    again = monitor(replace(lab, current=str(path), monitor=replace(asked, every="0.1s", looks=1)))
    assert again.run_id == done.run_id
    assert "The next look is in" in caplog.text


KILLED = """
import os, signal
from leaflab.app import main
from leaflab.workflow.logbook import Logbook
Logbook.close = lambda book: os.kill(os.getpid(), signal.SIGKILL)
main(["monitor", "name=toy", "current=current.csv", "drift=[ks]", "monitor.watch=true", "monitor.every=1h"])
"""


def test_a_watch_killed_in_a_look_takes_it_again(watched):
    frame = rows(21)
    frame.to_csv("current.csv", index=False)
    own = {**os.environ, "LEAFLAB_HOME": str(watched.lab.home)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=own, check=False)
    assert killed.returncode == -signal.SIGKILL
    asked = replace(watched.lab.monitor, watch=True, every="1h", looks=1)
    done = monitor(replace(watched.lab, current="current.csv", drift={}, monitor=asked))
    assert done.exit_code == 0
    run = watched.lab.tracking.get(done.run_id)
    assert (run.status, run.metrics["rows/current"]) == ("FINISHED", len(frame))
    assert len(watched.lab.tracking.search("toy", {"leaflab.verb": "monitor"})) == 1


def test_a_second_watch_of_one_model_is_refused_and_names_the_first(watched):
    rows(22).to_csv("current.csv", index=False)
    asked = replace(watched.lab.monitor, watch=True, every="1h", looks=1)
    own = {**os.environ, "LEAFLAB_HOME": str(watched.lab.home)}
    command = ["monitor", "name=toy", "current=current.csv", "drift=[ks]", "monitor.watch=true", "monitor.every=1h"]
    first = subprocess.Popen([sys.executable, "-m", "leaflab", *command], env=own, stderr=subprocess.DEVNULL)
    try:
        lock = watched.lab.folder / "monitor" / "toy.lock"
        while not (lock.is_file() and lock.read_text()) and first.poll() is None:
            time.sleep(0.05)
        with pytest.raises(ConfigError, match=f"already kept by process {first.pid}"):
            monitor(replace(watched.lab, current="current.csv", drift={}, monitor=asked))
    finally:
        first.kill()
        first.wait()
    (watched.lab.folder / "monitor" / "toy.json").unlink(missing_ok=True)
    assert monitor(replace(watched.lab, current="current.csv", drift={}, monitor=asked)).looks == 1


def test_the_watch_of_a_model_with_a_like_name_holds_up_no_look(watched):
    with alone(watched.lab.folder / "monitor" / "toy-1.lock", RuntimeError):  # as the watch of a model `toy-1` does
        assert watched(rows(26)).version.number == 1


def test_a_watch_never_waits_longer_than_it_was_asked_to(watched):
    rows(23).to_csv("current.csv", index=False)
    state = watched.lab.folder / "monitor" / "toy.json"
    state.parent.mkdir(exist_ok=True)
    state.write_text(json.dumps({"next": time.time() + 1e6}))  # an earlier watch looked weekly, or the clock was wrong
    asked = replace(watched.lab.monitor, watch=True, every="0.1s", looks=1)
    assert monitor(replace(watched.lab, current="current.csv", drift={}, monitor=asked)).looks == 1
    with pytest.raises(ConfigError, match="above 0"):
        monitor(replace(watched.lab, current="current.csv", monitor=replace(asked, every="0s")))


@pytest.mark.slow
def test_two_looks_at_once_lose_neither(watched):
    rows(24).to_csv("current.csv", index=False)
    before = watched(rows(25))
    own = {**os.environ, "LEAFLAB_HOME": str(watched.lab.home)}
    command = [sys.executable, "-m", "leaflab", "monitor", "name=toy", "current=current.csv", "drift=[ks]"]
    both = [subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    kept = json.loads(watched.lab.tracking.artifact(before.run_id, "history.json").read_text())
    assert len(kept) == 3
    assert [step["step"] for step in kept] == sorted({step["step"] for step in kept})


def test_a_clock_that_runs_backwards_and_mixed_zones_are_said(watched, caplog):
    caplog.set_level("INFO")
    hours = pd.Series(pd.date_range("2024-03-01", periods=300, freq="h")).dt.strftime("%Y-%m-%d %H:%M")
    look = replace(watched.lab, drift={})
    for start, tail in ((0, ""), (-40, "+02:00")):
        frame = rows(22, 300).assign(time=hours)
        frame.loc[:9, "time"] += tail
        frame = frame.iloc[:start] if start else frame
        frame.to_csv("current.csv", index=False)
        monitor(replace(look, current="current.csv"))
    assert "the clock went backwards: current.csv ends before rows of an earlier look" in caplog.text
    assert "time zones are mixed: 250 times have none and are read as UTC, 10 have one" in caplog.text


def test_the_command_answers_with_exit_code_three(watched, capsys):
    frame = rows(15, shift=1.5)
    frame.to_csv("new.csv", index=False)
    assert main(["monitor", "name=toy", "current=new.csv", "drift=[schema,ks,missing]"]) == 3
    out = capsys.readouterr().out
    assert "toy version 1:" in out
    assert "Retraining: the policy is never to retrain." in out
    rows(16).to_csv("same.csv", index=False)
    assert main(["monitor", "name=toy", "current=same.csv", "drift=[schema,ks,missing]"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("learn_on", ["since_drift", "recent"])
def test_an_alarm_closes_the_loop_through_the_gates(home, capsys, learn_on):
    rng = np.random.default_rng(0)

    def stretch(start, count, sign):
        x, z = rng.normal(size=(2, count))
        chance = 1 / (1 + np.exp(-sign * 3 * np.sin(2 * x) * (z > 0)))
        labels = np.where(rng.random(count) < chance, "yes", "no")
        return pd.DataFrame({"when": pd.date_range(start, periods=count, freq="h"), "x": x, "z": z, "y": labels})

    stretch("2023-01-01", 4000, 1).to_csv("first.csv", index=False)
    stretch("2023-09-01", 4000, -1).to_csv("later.csv", index=False)
    words = ["search.trials=2", "name=turn"]
    assert main(["run", "source.path=first.csv", "dataset.target=y", "dataset.time=when", *words]) == 0
    asked = [
        "monitor.retrain=on_alarm",
        "monitor.retrain_every=0s",
        f"monitor.retrain_on={learn_on}",
        "monitor.recent=120d",
    ]
    assert main(["monitor", "current=later.csv", *words, *asked]) == 3
    out = capsys.readouterr().out
    assert "Retrained: turn version 2 is champion" in out
    assert main(["monitor", "current=later.csv", *words]) in (0, 3)
    assert "turn version 2" in capsys.readouterr().out
