from __future__ import annotations

import subprocess
import sys

import optuna
import pytest

from leaflab.errors import ConfigError, TrackingError
from leaflab.metric.probability import LogLoss
from leaflab.search.journal import Journal, held
from leaflab.search.objectives import Objectives
from leaflab.search.samplers import Random
from leaflab.search.study import Study, seed_of
from leaflab.values import Trial

SPACE = {"x": optuna.distributions.FloatDistribution(0, 1)}


def opened(folder, seed=0, pruner=None):
    pruner = pruner or optuna.pruners.NopPruner()
    study = Study(Journal(folder / "journal.log"), "s", Objectives(LogLoss()), pruner)
    study.prepare(Random(), seed, SPACE, {"fixed": 1})
    return study


def told(study, number, params, **facts):
    study.tell(Trial(number, "complete", params, params["x"], curve=((1, 2.0),), **facts))


def test_the_file_is_optunas_own(tmp_path):
    study = opened(tmp_path)
    for _ in range(3):
        told(study, *study.ask())
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log")))
    loaded = optuna.load_study(study_name="s", storage=storage)
    assert [t.value for t in loaded.trials] == [t.value for t in study.finished()]


def test_a_study_opened_again_goes_on_as_if_it_had_not_been_closed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = opened(tmp_path / "a")
    for _ in range(6):
        told(whole, *whole.ask())
    for _ in range(6):
        study = opened(tmp_path / "b")
        told(study, *study.ask())
    assert [t.params for t in opened(tmp_path / "b").finished()] == [t.params for t in whole.finished()]


def test_a_running_trial_is_reopened_under_its_number_with_its_parameters(tmp_path):
    study = opened(tmp_path)
    first, second = study.ask(), study.ask()
    told(study, *second)
    again = opened(tmp_path)
    assert again.interrupted() == [first]
    told(again, *first)
    assert [t.number for t in again.finished()] == [0, 1]
    assert again.ask()[0] == 2


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path):
    study = opened(tmp_path)
    told(study, *study.ask())
    file = tmp_path / "journal.log"
    file.write_bytes(file.read_bytes() + b'{"op_code": 4, "tri')
    again = opened(tmp_path)
    assert len(again.finished()) == 1
    told(again, *again.ask())
    assert len(opened(tmp_path).finished()) == 2


@pytest.mark.parametrize("garbage", [b"\x88\x00\xff\n", b'{"op_code": 8, "trial\n', b"[]\n", b"{}\n"])
def test_a_garbled_line_is_named_and_the_file_left_alone(tmp_path, garbage):
    study = opened(tmp_path)
    told(study, *study.ask())
    file = tmp_path / "journal.log"
    lines = file.read_bytes().splitlines(keepends=True)
    content = b"".join([*lines[:3], garbage, *lines[3:]])
    file.write_bytes(content)
    with pytest.raises(TrackingError, match=r"garbled in line 4: cut '.*journal.log' off before that line"):
        opened(tmp_path)
    assert file.read_bytes() == content


def test_nothing_is_written_before_a_flush(tmp_path):
    journal = Journal(tmp_path / "log")
    journal.append_logs([{"op_code": 2, "a": 1}])
    assert not (tmp_path / "log").exists()
    assert list(journal.read_logs(0)) == [{"op_code": 2, "a": 1}]
    journal.flush()
    assert list(Journal(tmp_path / "log").read_logs(0)) == [{"op_code": 2, "a": 1}]


def test_first_configurations_are_tried_exactly_as_given(tmp_path):
    study = opened(tmp_path)
    study.first([{"x": 7.0, "other": "a"}, {}], {"x": 0.25})
    assert study.ask() == (0, {"x": 7.0, "other": "a"})
    assert study.ask() == (1, {})
    assert set(study.ask()[1]) == {"x", "fixed"}


def test_a_second_driver_is_refused_while_the_first_one_lives(tmp_path):
    code = f"from leaflab.search.journal import held\nfrom pathlib import Path\nimport time\n" \
           f"with held(Path({str(tmp_path)!r})):\n    print('in', flush=True)\n    time.sleep(60)"  # fmt: skip
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "in\n"
    with pytest.raises(ConfigError, match=f"already being run by process {other.pid}"), held(tmp_path):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with held(tmp_path):
        pass


def test_seeds_differ_by_sweep_and_number():
    assert len({seed_of(s, n) for s in range(20) for n in range(20)}) == 400
    assert 0 <= seed_of(1, 2) < 2**31


def test_a_flush_that_breaks_off_is_dropped_whole(tmp_path):
    study = opened(tmp_path)
    file = tmp_path / "journal.log"
    one, two = study.ask(), study.ask()
    before = file.read_bytes()
    study.tell(*(Trial(number, "complete", params, params["x"]) for number, params in (one, two)))
    flushed = file.read_bytes()
    for length in range(len(before), len(flushed), 23):
        file.write_bytes(flushed[:length])
        assert opened(tmp_path).finished() == []
        assert file.read_bytes() == before
    file.write_bytes(flushed)
    assert len(opened(tmp_path).finished()) == 2


def test_a_trial_whose_worker_was_lost_as_it_was_to_be_pruned_is_pruned_at_the_same_step(tmp_path):
    """The worker may die between its report and the answer; the next one reports the same again."""
    study = opened(tmp_path, pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=2))
    for _ in range(3):
        number, params = study.ask()
        assert [study.pruned(number, step, 0.1) for step in (1, 2)] == [False, False]
        told(study, number, params)
    number, _ = study.ask()
    first = [study.pruned(number, 1, 0.05), study.pruned(number, 2, 0.9)]
    assert [study.pruned(number, 1, 0.05), study.pruned(number, 2, 0.9)] == first
    worse = study.ask()[0]
    assert [study.pruned(worse, 1, 0.9) for _ in range(2)] == [True, True]


def test_reports_of_a_trial_that_was_interrupted_are_forgotten(tmp_path):
    study = opened(tmp_path)
    one, two = study.ask(), study.ask()
    study.pruned(one[0], 5, 0.1)
    study.pruned(two[0], 5, 0.2)
    told(study, *two)
    (again,) = optuna.load_study(
        study_name="s", storage=optuna.storages.JournalStorage(Journal(tmp_path / "journal.log"))
    ).get_trials(states=(optuna.trial.TrialState.RUNNING,))
    assert (again.number, again.intermediate_values) == (one[0], {})
    assert opened(tmp_path).finished()[0].number == two[0]
