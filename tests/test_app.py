"""The door as a user meets it: words in, exit code and sentences out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leaflab.app import main


def leaflab(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leaflab", *words], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_help_lists_verbs_and_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in ("collect", "sweep", "promote", "run", "doctor", "new"))


def test_help_of_a_verb_lists_nouns_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--help"]) == 0
    text = capsys.readouterr().out
    assert "auto, " in text
    assert "dummy" in text
    assert "search/space" in text
    assert "baseline" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["swep"], "`swep` is no verb or command: did you mean `sweep`?"),
        (["sweep", "search.secnds=3", "experiment=baseline"], "did you mean `search.seconds`?"),
        (["run", "experiment=basline"], "did you mean `baseline`?"),
        (["promote"], "`name` is not set"),
        (["run"], "`source.path` is not set"),
        (["new"], "Missing argument"),
        (["run", "split={_target_: os.system}", "source.path=x.csv"], "_target_"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert [p.name for p in home.iterdir()] == ["mlflow.db"]


def test_shows_the_configuration_and_completes(home: Path) -> None:
    shown = leaflab("sweep", "experiment=baseline", "--cfg", "job", cwd=home)
    assert shown.returncode == 0
    assert "trials: 12" in shown.stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("leaflab sw", "sweep"),
        ("leaflab sweep sp", "split="),
        ("leaflab sweep split=", "split=stratified"),
        ("leaflab run experiment=fl", "experiment=flights"),
    ],
)
def test_completes_what_is_being_typed(line: str, offered: str, home: Path) -> None:
    installed = leaflab("-sc", "install=bash", cwd=home)
    assert "complete -o nospace -o default -F hydra_bash_completion" in installed.stdout
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    asked = [sys.executable, "-m", "leaflab", "-sc", "query=bash"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=home, env=environment, check=False)
    assert offered in done.stdout.split(), done.stderr


def test_a_multirun_goes_on_after_a_failure_and_ends_with_a_table(home: Path) -> None:
    (home / "good.csv").write_text("a,b\n" + "\n".join(f"{i},{i % 7}" for i in range(60)))
    done = leaflab("collect", "-m", "source.path=missing.csv,good.csv", cwd=home)
    assert done.returncode == 2
    assert "raw/good version 0: 60 rows" in done.stderr
    table = done.stdout.splitlines()
    assert any("missing.csv" in line and line.split()[1] == "2" for line in table)
    assert any("good.csv" in line and line.split()[1] == "0" for line in table)


def test_a_scaffold_composes_with_its_own_options_first(home: Path) -> None:
    assert main(["new", "mylab"]) == 0
    made = home / "mylab"
    files = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
    assert {"MLproject", ".gitignore", ".github/workflows/ci.yml", "experiments/first.yaml"} <= files
    assert "conf/search/space/mylab.yaml" in files
    shown = leaflab_in(made, "sweep", "experiment=first", "--cfg", "job")
    assert "num_leaves" in shown
    assert main(["new", "mylab"]) == 2
    assert main(["new", "1/2 bad"]) == 2


def leaflab_in(folder: Path, *words: str) -> str:
    code = f"import os; os.environ['LEAFLAB_HOME']={str(folder)!r}; from leaflab.app import main; main({list(words)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_doctor_finds_the_house_in_order(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "tracking store" in out
    assert "lake holds 0 tables" in out


def test_doctor_says_what_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "mlflow.db").write_bytes(b"this is no database" * 100)
    assert main(["doctor"]) == 2
    assert "wrong" in capsys.readouterr().out
