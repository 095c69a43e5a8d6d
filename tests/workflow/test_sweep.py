"""`leaflab sweep` end to end on a real store, whole and interrupted."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError, LeaflabError, ModelError
from leaflab.search.driving import Driver
from leaflab.workflow.sweep import sweep

WORDS = ["source.path=table.csv", "dataset.target=y", "search.trials=6", "model.max_rounds=25"]


def table(rows=150, seed=0):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": generator.normal(size=rows), "b": generator.normal(size=rows)})
    frame["kind"] = generator.choice(["red", "green", "blue"], rows)
    noise = generator.normal(size=rows) / 2
    frame["y"] = np.where(frame["a"] + (frame["kind"] == "red") + noise > 0, "yes", "no")
    return frame


@pytest.fixture
def project(home):
    table().to_csv(home / "table.csv", index=False)
    return home


def lab(*words):
    return lab_for("sweep", [*WORDS, "executor=inline", *words])


def runs(made, verb):
    return made.tracking.search("table", {"leaflab.verb": verb})


def test_a_sweep_leaves_trials_baselines_and_a_challenger(project):
    made = lab()
    swept = sweep(made)
    trials = runs(made, "trial")
    assert sorted(r.name for r in trials) == [f"trial {n:04d}" for n in range(6)]
    assert all(
        r.tags["mlflow.parentRunId"] == swept.run_id and r.tags["leaflab.sweep"] == swept.sweep_id for r in trials
    )
    assert {r.status for r in trials} == {"FINISHED"}
    complete = next(r for r in trials if r.tags["leaflab.state"] == "complete")
    assert {"valid/log_loss", "valid/roc_auc", "time/fit_seconds", "model/best_iteration"} <= set(complete.metrics)
    assert {(i["context"], i["digest"]) for i in complete.inputs} == {
        (part, swept.dataset.digests[part]) for part in ("train", "valid")
    }
    assert {r.name for r in runs(made, "baseline")} == {"baseline dummy", "baseline linear"}
    frame = table(20, seed=1).drop(columns="y")
    assert all(made.tracking.scorer(r.id).score(frame).shape == (20, 2) for r in trials)
    parent = made.tracking.get(swept.run_id)
    assert (parent.name, parent.status) == ("sweep table 6 trials", "FINISHED")
    assert parent.metrics["valid/log_loss"] == pytest.approx(swept.value)
    version = made.tracking.registry.version("table", alias="challenger")
    assert version.number == swept.version.number == 1
    loaded = made.tracking.registry.scorer(version)
    raw = table(20, seed=1).drop(columns="y")
    assert loaded.score(raw) == pytest.approx(swept.scorer.score(raw))
    assert "registered as table version 1 (challenger)" in str(swept)
    assert "<table>" in swept._repr_html_()


def test_the_unit_of_weights_is_no_matter(home):
    weights = np.random.default_rng(1).integers(1, 4, 150)
    best = []
    for unit in (1.0, 2.0**-100):
        table().assign(w=weights * unit).to_csv(home / f"t{len(best)}.csv", index=False)
        best.append(sweep(lab(f"source.path=t{len(best)}.csv", "dataset.weight=w")).trials)
    assert [t.params for t in best[0]] == [t.params for t in best[1]]
    assert [t.value for t in best[0]] == [t.value for t in best[1]]


def test_the_same_command_says_that_it_is_complete_and_a_larger_one_continues(project):
    first = sweep(lab())
    again = sweep(lab())
    assert (again.complete, again.run_id, again.version.number) == (True, first.run_id, 1)
    assert str(again).startswith("Already complete: best log_loss")
    made = lab("search.trials=8")
    more = sweep(made)
    assert (more.sweep_id, more.run_id, len(more.trials)) == (first.sweep_id, first.run_id, 8)
    assert len(runs(made, "trial")) == 8
    assert len(runs(made, "sweep")) == 1


@pytest.mark.parametrize("broken", ["final.json", "0.txt", "both"])
def test_a_final_model_that_was_garbled_or_lost_is_made_again_and_is_the_same(project, broken):
    first = sweep(made := lab())
    (final,) = project.glob(".leaflab/sweeps/*/final")
    for file in final.glob("*" if broken == "both" else broken):
        file.unlink() if broken == "both" else os.truncate(file, 10)
    again = sweep(lab())
    assert (again.complete, len(again.trials), again.version.number) == (False, 6, 1)
    assert {r.name for r in runs(made, "trial")} == {f"trial {n:04d}" for n in range(6)}
    assert again.scorer.files() == first.scorer.files()
    assert sweep(lab()).complete


@pytest.mark.parametrize("left", [0, 0.5, 0.99])
@pytest.mark.parametrize("name", ["booster-*", "scores-*"])
def test_a_trial_whose_files_a_power_cut_cut_is_no_part_of_the_final_model(project, name, left):
    sweep(lab("search/pruner=none"))
    for file in project.glob(f".leaflab/sweeps/*/trials/000[0-4]/{name}"):
        os.truncate(file, int(left * file.stat().st_size))
    more = sweep(lab("search/pruner=none", "search.trials=7"))
    assert len(more.trials) == 7
    assert all(words.startswith(("trial 5 ", "trial 6 ")) for words in more.members)


@pytest.mark.parametrize("word", ["search.validation=kfold", "search.pruner=rungs", "model=linear"])
def test_whole_trials_of_an_earlier_command_keep_their_files(project, word):
    table().rename(columns={"kind": "größe"}).to_csv(project / "table.csv", index=False)
    words = [*WORDS[:2], "executor=inline", word]
    sweep(lab_for("sweep", [*words, "search.trials=5"]))
    trials = sweep(lab_for("sweep", [*words, "search.trials=6"])).trials
    assert len(trials) == 6
    assert all(trial.files for trial in trials if trial.state == "complete")


def test_without_any_model_of_a_trial_the_way_out_is_told(project):
    sweep(lab())
    for file in project.glob(".leaflab/sweeps/*/*/*"):
        if file.parent.name in ("trials", "final"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    with pytest.raises(ModelError, match=r"no trial whose model is still on this machine: .* search.fresh=true"):
        sweep(lab())
    assert sweep(lab("search.fresh=true")).complete is False


def test_a_project_that_was_moved_goes_on(project, monkeypatch):
    sweep(lab())
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)
    monkeypatch.setenv("LEAFLAB_HOME", str(moved))
    assert sweep(lab()).complete
    shutil.rmtree(next(moved.glob(".leaflab/sweeps/*/final")))
    assert len(sweep(lab("search.trials=7")).trials) == 7


def test_a_sweep_run_twice_registers_once(project):
    made = lab("search.trials=2", "model.max_rounds=5")
    first, again = sweep(made), sweep(made)
    (version,) = made.tracking.registry.versions("table")
    assert (version.number, version.run_id) == (1, first.run_id)
    assert (again.complete, again.version.number) == (True, 1)
    assert (made.folder / "sweeps" / first.sweep_id / "final").is_dir()  # what is remembered beside it leaves it whole


@pytest.mark.parametrize("words", [["seed=1"], ["search/space=small"], ["metric=roc_auc"], ["model.patience=5"]])
def test_what_changes_results_is_another_sweep(project, words):
    assert sweep(lab()).sweep_id != sweep(lab(*words)).sweep_id


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("search.space.num_leavs=7", "`num_leavs` is no LightGBM parameter: did you mean num_leaves"),
        ("search.space.bagging_fraction.high=3", "`bagging_fraction` must be above 0 and at most 1, got 3"),
        ("search.space.max_bin=[63,abc]", "`max_bin` must be a whole number, got 'abc'"),
    ],
)
def test_what_no_trial_could_use_is_refused_before_any_trial(project, word, said):
    made = lab(word)
    with pytest.raises(ConfigError, match=said):
        sweep(made)
    assert runs(made, "trial") == []


@pytest.mark.parametrize("name", ["dummy", "linear"])
def test_a_baseline_may_be_swept_and_registered(project, name):
    words = [word for word in WORDS if "max_rounds" not in word]
    swept = sweep(lab_for("sweep", [*words, "executor=inline", f"model={name}"]))
    assert swept.version.number == 1


CODE = "import sys; from leaflab.app import main; sys.exit(main(sys.argv[1:]))"


def command(*words):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "sweep", *WORDS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process):
    text = process.communicate(timeout=120)[0]
    return process.returncode, text


def journal(project):
    files = list(project.glob(".leaflab/sweeps/*/journal.log"))
    return files[0].read_text().count('"leaflab:outcome"') if files else 0


def until(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def killed(process):
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["search=nsga2", "search.objectives=[rounds,worst(kind)]"]])
def test_a_killed_driver_loses_nothing_and_ends_as_if_it_had_not_been_killed(project, tmp_path_factory, more):
    words = ["executor.workers=1", "search.trials=12", "search.folds=3", *more]
    for moment in random.Random(0).sample(range(12), 4):
        process = command(*words)
        until(lambda moment=moment: journal(project) > moment, process)
        killed(process)
    code, text = finished(command(*words))
    assert code == 0, text
    made = lab_for("sweep", [*WORDS, *words])
    again = sweep(made)
    names = Counter(r.name for r in runs(made, "trial"))
    assert names == {f"trial {n:04d}": 1 for n in range(12)}
    assert not [r for r in made.tracking.search("table") if r.status == "RUNNING"]
    whole = sweep(replace(made, home=tmp_path_factory.mktemp("whole")))
    assert [(t.number, t.state, t.params, t.value) for t in whole.trials] == [
        (t.number, t.state, t.params, t.value) for t in again.trials
    ]
    assert [t.number for t in whole.front] == [t.number for t in again.front]
    assert whole.scorer.files()["booster-0.txt"] == again.scorer.files()["booster-0.txt"]


@pytest.mark.slow
def test_a_killed_worker_changes_nothing_where_the_study_must_not_depend_on_it(project, tmp_path_factory):
    words = ["executor.workers=1", "search.trials=10", "search.folds=3", "model.max_rounds=400"]
    process = command(*words)
    import psutil

    for moment in (1, 5):
        until(lambda moment=moment: journal(project) > moment, process)
        for child in psutil.Process(process.pid).children(recursive=True):
            if not child.children() and "forkserver" in " ".join(child.cmdline()):
                child.kill()
    code, text = finished(process)
    assert code == 0, text
    made = lab_for("sweep", [*WORDS, *words])
    again, whole = sweep(made), sweep(replace(made, home=tmp_path_factory.mktemp("whole")))
    assert {t.state for t in again.trials} <= {"complete", "pruned"}
    assert [(t.number, t.params, t.value) for t in again.trials] == [
        (t.number, t.params, t.value) for t in whole.trials
    ]


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_and_nothing_else(project):
    process = command("executor.workers=2", "search.trials=30")
    until(lambda: journal(project) > 2, process)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    grand = [
        subprocess.run(["pgrep", "-P", c], capture_output=True, text=True, check=False).stdout.split() for c in children
    ]
    workers = [pid for pids in grand for pid in pids]
    assert workers
    os.kill(int(workers[0]), signal.SIGKILL)
    code, text = finished(process)
    assert code == 0, text
    assert len(runs(lab_for("sweep", WORDS), "trial")) == 30


@pytest.mark.slow
def test_a_sweep_on_a_cluster_survives_its_workers(project):
    """Processes of a Dask cluster killed in mid-sweep, all of them, three times: every trial ends, once."""
    pytest.importorskip("distributed")
    import psutil

    process = command("executor=dask", "executor.workers=2", "search.trials=24")
    for moment in (2, 8, 14):
        until(lambda moment=moment: journal(project) > moment, process)
        for child in psutil.Process(process.pid).children(recursive=True):
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
    code, text = finished(process)
    assert code == 0, text
    found = runs(lab_for("sweep", WORDS), "trial")
    assert Counter(r.name for r in found) == {f"trial {n:04d}": 1 for n in range(24)}
    assert {r.status for r in found} <= {"FINISHED", "FAILED"}
    assert sum(r.tags["leaflab.state"] == "complete" for r in found) >= 10


@pytest.mark.slow
@pytest.mark.parametrize(("pruner", "workers"), [("median", 2), ("asha", 1)])
def test_an_ordered_sweep_of_several_workers_does_not_depend_on_timing(project, tmp_path_factory, pruner, workers):
    """A halving pruner compares trials while they run: such a sweep is the one that a single worker makes."""
    words = [*WORDS[:2], "search.trials=14", "search.ordered=true", "executor.threads=1", f"search/pruner={pruner}"]
    seen = []
    for count in (2, workers):
        made = replace(lab_for("sweep", [*words, f"executor.workers={count}"]), home=tmp_path_factory.mktemp("home"))
        swept = sweep(made)
        seen.append([(t.number, dict(t.params), t.state, t.value, len(t.curve)) for t in swept.trials])
    assert all(made.tracking.scorer(r.id).predictor.models for r in runs(made, "trial"))
    assert seen[0] == seen[1]
    assert {state for _, _, state, _, _ in seen[0]} == {"complete", "pruned"}


@pytest.mark.slow
def test_two_drivers_of_one_sweep_the_second_is_refused(project):
    first = command("search.trials=null", "search.seconds=60")
    until(lambda: journal(project) > 0, first)
    code, text = finished(command("search.trials=null", "search.seconds=60"))
    assert code == 2, text
    assert f"already being run by process {first.pid}" in text
    assert "Traceback" not in text
    first.send_signal(signal.SIGINT)
    assert finished(first)[0] == 130


@pytest.mark.slow
def test_many_sweeps_at_once_on_one_fresh_store(tmp_path, monkeypatch):
    """Hydra's joblib launcher starts them all together, and the store is not there yet."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAFLAB_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    table().to_csv("table.csv", index=False)
    words = ["-m", "seed=1,2,3,4", "executor=inline", "hydra/launcher=joblib", "hydra.launcher.n_jobs=4"]
    code, text = finished(command(*words))
    assert code == 0, text
    made = lab_for("sweep", WORDS)
    assert len(runs(made, "sweep")) == 4
    assert sorted(Counter(r.tags["leaflab.sweep"] for r in runs(made, "trial")).values()) == [6] * 4
    assert {r.status for r in made.tracking.search("table", limit=1000)} == {"FINISHED"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_in_order_with_the_best_so_far(project, number):
    process = command("search.trials=null", "search.seconds=60")
    until(lambda: journal(project) > 2, process)
    process.send_signal(number)
    code, text = finished(process)
    assert code == 130, text
    assert "The same command continues it." in text
    made = lab()
    assert made.tracking.registry.version("table", alias="challenger") is not None
    assert not [r for r in made.tracking.search("table") if r.status == "RUNNING"]


def test_a_changed_configuration_says_what_differs(project, caplog):
    sweep(lab())
    with caplog.at_level("INFO", logger="leaflab"):
        sweep(lab("seed=3", "search.folds=4"))
    assert "seed (0 → 3)" in caplog.text
    assert "search.validation" in caplog.text


def test_the_best_of_an_earlier_sweep_are_tried_first(project):
    first = sweep(lab())
    for what in (first.run_id, "table"):
        warm = sweep(lab(f"search.warm_start={what}", "seed=5"))
        assert warm.trials[0].params == {}
        assert dict(first.best.params) in [dict(t.params) for t in warm.trials[:6]]


def test_a_warm_start_from_nothing_is_refused(project):
    with pytest.raises(LeaflabError, match=r"`search.warm_start=nobody` finds no finished trial"):
        sweep(lab("search.warm_start=nobody"))


def test_the_fastest_good_model_is_one_booster(project):
    swept = sweep(lab("search.pick=fastest", "search.within=0.2"))
    assert list(swept.scorer.predictor.texts()) == ["booster-0.txt"]


def test_a_fresh_sweep_is_another_run_which_the_next_command_continues(project):
    first = sweep(lab())
    made = lab("search.fresh=true")
    fresh = sweep(made)
    assert fresh.run_id != first.run_id
    assert (fresh.complete, len(fresh.trials), len(runs(made, "trial"))) == (False, 6, 12)
    again = sweep(lab())
    assert (again.complete, again.run_id) == (True, fresh.run_id)


def people(home, rows=700):
    frame = table(rows)
    generator = np.random.default_rng(1)
    frame["sex"] = generator.choice(["Female", "Male"], rows, p=[0.4, 0.6])
    frame.to_csv(home / "table.csv", index=False)


def test_several_objectives_leave_their_front_everywhere(home):
    people(home)
    words = ["search=nsga2", "search.objectives=[rounds,worst(sex),equalized_odds(sex)]", "search.trials=8"]
    made = lab(*words)
    swept = sweep(made)
    assert [t.number for t in swept.front] and swept.best.number == swept.front[0].number
    parent = made.tracking.get(swept.run_id)
    assert parent.tags["leaflab.front"] == ", ".join(str(t.number) for t in swept.front)
    assert "**Front**" in parent.tags["mlflow.note.content"]
    assert parent.metrics["objective/worst_sex"] == swept.best.facts["objective/worst_sex"]
    for run in runs(made, "trial"):
        assert {"objective/rounds", "objective/worst_sex", "objective/equalized_odds_sex"} <= set(run.metrics)
        assert run.metrics["objective/worst_sex"] >= run.metrics["valid/log_loss"]
    assert f"→ trial {swept.best.number}: log_loss" in str(swept)
    assert (swept.exit_code, sweep(lab(*words)).complete) == (0, True)


def test_a_limit_that_no_trial_keeps_is_said_and_ends_with_three(home):
    people(home)
    swept = sweep(lab("search.constraints=slice(sex=Female) <= 0.001"))
    assert swept.exit_code == 3
    assert "no trial keeps slice(sex=Female) <= 0.001" in str(swept)
    assert sweep(lab("search.constraints=slice(sex=Female) <= 100")).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("search.objectives=[worst(colour)]", "must name a column of the dataset, got 'colour'"),
        ("search.objectives=[slice(sex=Other)]", "needs a group of at least 30 rows"),
        ("search.constraints=latency_ms", "must be NAME <= NUMBER"),
    ],
)
def test_an_objective_that_the_table_cannot_define_is_refused(words, said, home):
    people(home)
    with pytest.raises(ConfigError, match=said):
        sweep(lab(words))


@pytest.mark.parametrize("limits", ["[]", "['latency_ms <= 1000']"])
@pytest.mark.parametrize("cut", [[0], [3], [0, 1, 2, 3, 4, 5]])
def test_a_trial_cut_between_its_folds_is_no_match_for_the_others(project, monkeypatch, cut, limits):
    decide = Driver._decide

    def decided(self, number, report):
        return "deadline" if number in cut and report[:2] == ("folds", 1) else decide(self, number, report)

    monkeypatch.setattr(Driver, "_decide", decided)
    words = ["search.validation=kfold", "search.folds=3", "search/pruner=none", f"search.constraints={limits}"]
    swept = sweep(lab(*words))
    folds = {t.number: sum(fact.startswith("fold/") for fact in t.facts) for t in swept.trials}
    assert folds == {number: 1 if number in cut else 3 for number in range(6)}
    assert swept.best.number in cut[:1] if len(cut) == 6 else swept.best.number not in cut
    assert {t.state for t in swept.trials if t.number in cut[1:]} <= {"pruned"}
