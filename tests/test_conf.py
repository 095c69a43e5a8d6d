"""Every YAML composes, every option is built, and they are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaflab.door.compose import lab_for
from leaflab.door.places import descriptions, experiment_folders, nouns, options, package_conf, verbs
from leaflab.errors import ConfigError
from leaflab.workflow.lab import Lab

VERBS = ["collect", "prepare", "sweep", "evaluate", "promote", "predict", "serve", "monitor", "backtest", "run"]
NOUNS = [
    "source", "lake", "prepare", "split", "model", "search", "executor", "metric", "gate", "drift", "serve", "tracking",
]  # fmt: skip
OPTION_FILES = sorted(p for p in package_conf().glob("*/**/*.yaml"))
NAMED = ["name=somebody", "source.path=table.csv", "dataset.target=y"]

pytestmark = pytest.mark.usefixtures("home")


def test_the_verbs_and_nouns_of_the_contract_are_there() -> None:
    assert set(VERBS) <= set(verbs())
    assert set(NOUNS) <= set(nouns())
    assert all(descriptions().values())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes_into_a_lab(verb: str) -> None:
    lab = lab_for(verb, NAMED)
    assert isinstance(lab, Lab)
    assert (lab.name, lab.verb, lab.dataset.name) == ("somebody", verb, "table")


def test_mlflow_projects_have_an_entry_point_a_verb() -> None:
    import yaml

    project = yaml.safe_load((package_conf().parent / "MLproject").read_text(encoding="utf-8"))
    assert set(verbs()) == set(project["entry_points"]) - {"main"}
    for verb, entry in project["entry_points"].items():
        assert f"leaflab {verb if verb != 'main' else 'run'} " in entry["command"]
        assert all(f"{{{name}}}" in entry["command"] for name in entry["parameters"])


CASES = [(noun, option) for noun in NOUNS for option in options(noun)]


def test_the_walk_is_not_empty() -> None:
    assert len(CASES) >= 40
    assert len(OPTION_FILES) >= 45


@pytest.mark.parametrize(("noun", "option"), CASES)
def test_every_option_is_built(noun: str, option: str) -> None:
    lab = lab_for("run", [f"{noun}={option}", "name=somebody", "dataset.target=y"])
    assert getattr(lab, noun) is not None


@pytest.mark.parametrize("file", OPTION_FILES, ids=lambda p: p.relative_to(package_conf()).as_posix())
def test_an_option_fits_on_a_screen(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 20


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_composes_and_has_a_lab_book(name: str) -> None:
    assert lab_for("run", [f"experiment={name}"]).name
    book = next(f for f in experiment_folders() if (f / f"{name}.yaml").is_file()) / f"{name}.md"
    text = book.read_text(encoding="utf-8")
    assert text.startswith("# ") and text.partition("\n")[0].endswith("?")
    assert all(f"\n## {part}\n" in text for part in ("Command", "Results", "Lesson"))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["search.secnds=5"], r"`search.secnds` is an unknown key: did you mean `search.seconds`\?"),
        (["modle=linear"], r"`modle` is no key or group: did you mean `model`\?"),
        (["model=lightgmb"], r"`model` has no such option, got 'lightgmb': did you mean `lightgbm`\?"),
        (["experiment=basline"], r"did you mean `baseline`\?"),
        (["search.seconds=soon"], r"`search.seconds` .*got 'soon'"),
        (["search.seconds=-1"], r"`search.seconds` must be greater than"),
        (["split.test_size=1.5"], r"`split.test_size` must be less than .*got 1.5"),
        (["+search.nonsense=1"], r"`search.nonsense` is an unknown key"),
        (["prepare.checks.foo=1"], r"`prepare.checks.foo` is an unknown key: choose from prepare.checks.columns, "),
        (["+prepare.checks.rwos=1"], r"`prepare.checks.rwos` is an unknown key: did you mean `prepare.checks.rows`\?"),
        (["evaluate.costs=[-1,2]"], r"`evaluate.costs.0` must be greater than or equal to 0, got -1"),
        (["seed=x"], r"`seed`"),
        (["search={"], "cannot be read"),
        (["name=a/b"], "`name` must be made of letters"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        lab_for("run", ["source.path=t.csv", *overrides])


def test_one_budget_unsets_the_other() -> None:
    assert lab_for("run", [*NAMED, "search.trials=7"]).search.seconds is None  # type: ignore[attr-defined]
    lab = lab_for("run", ["experiment=baseline", "search.seconds=7"])
    assert (lab.search.seconds, lab.search.trials) == (7, None)  # type: ignore[attr-defined]


def test_names_default_to_the_files_stem_then_the_experiment() -> None:
    assert lab_for("run", ["source.path=some dir/My prices (1).csv"]).name == "My_prices_1"
    assert lab_for("run", ["experiment=flights"]).name == "flights"
    with pytest.raises(ConfigError, match=r"source\.path"):
        lab_for("run", [])
    with pytest.raises(ConfigError, match="name=flights"):
        lab_for("promote", [])


def test_a_projects_options_come_before_the_packages(home: Path) -> None:
    (home / "conf" / "search" / "space").mkdir(parents=True)
    (home / "conf" / "search" / "space" / "ours.yaml").write_text("num_leaves: {low: 2, high: 9, type: int}\n")
    (home / "experiments").mkdir()
    (home / "experiments" / "mine.yaml").write_text("# @package _global_\ndataset: {name: mine, target: y}\nseed: 9\n")
    assert lab_for("run", ["experiment=mine", "search/space=ours"]).seed == 9
    assert "mine" in options("experiment")


def test_the_environment_and_passwords_are_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_WHY", "hunter2")
    lab = lab_for("promote", ["name=x", "promote.why='${oc.env:SECRET_WHY}'", "tracking.uri=http://me:pw@host"])
    assert lab.promote.why == "hunter2"
    assert "hunter2" not in str(lab.config)
    assert ":pw@" not in str(lab.config) + str(lab.overrides)
