"""A store that cannot be used is told in one sentence, and nothing is changed."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys

import pytest

from leaflab.errors import ConfigError, TrackingError
from leaflab.tracking.base import RunSpec
from leaflab.tracking.facts import git_facts, without_secrets
from leaflab.tracking.local import Local
from leaflab.tracking.opening import explained
from leaflab.tracking.server import Server
from leaflab.values import Artifact, Tag


def start(tracking):
    return tracking.start(RunSpec("e", "sweep", "s"))


def test_the_address_is_the_given_one_then_the_environments_then_the_projects(home, monkeypatch):
    assert Local(home=home).uri == f"sqlite:///{home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@host:5000")
    assert Local(home=home).uri == "http://me:***@host:5000"
    assert Local(home=home, uri="sqlite:////srv/x.db").uri == "sqlite:////srv/x.db"


def test_a_store_of_another_mlflow_is_told_and_left_alone(home):
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    with pytest.raises(TrackingError, match="has the schema of another MLflow"):
        start(Local(home=home))
    with sqlite3.connect(home / "mlflow.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("451aebb31d03",)
    connection.close()


@pytest.mark.parametrize("uri", ["./mlruns", "/srv/mlruns"])
def test_a_file_store_is_refused(home, uri):
    with pytest.raises(TrackingError, match="MLflow no longer writes"):
        start(Local(home=home, uri=uri))


def test_a_place_that_cannot_be_written_is_told(home):
    with pytest.raises(TrackingError):
        start(Local(home=home, uri="sqlite:////proc/no/mlflow.db"))


def test_a_server_needs_an_address(home, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"must be a server's address"):
        start(Server(home=home))


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(errno.ENOSPC, "No space left on device"), "no space left"),
     (sqlite3.OperationalError("database or disk is full"), "no space left"),
     (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written"),
     (ConnectionError("Connection refused"), "does not answer"), (ValueError("a bug"), None)],
    ids=str,
)  # fmt: skip
def test_errors_of_the_store_become_sentences_and_bugs_stay_bugs(error, words):
    said = explained(error, "http://me:hunter2@host")
    assert (said is None) if words is None else (words in str(said) and "hunter2" not in str(said))


def test_importing_the_room_imports_no_mlflow():
    rooms = "leaflab.tracking.local, leaflab.tracking.server, leaflab.tracking.memory"
    script = f"import sys, {rooms}; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_whole_run_on_a_known_store_imports_no_mlflow(home):
    script = (
        "import sys; from pathlib import Path\n"
        "from leaflab.tracking.local import Local; from leaflab.tracking.base import RunSpec\n"
        f"t = Local(home=Path({str(home)!r}))\n"
        "with t.start(RunSpec('e', 'sweep', 's')) as run: pass\n"
        "print(t.get(run.id).status, 'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "FINISHED False"


def test_the_git_state_is_told_without_its_secrets(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True, capture_output=True
        )

    assert list(git_facts(tmp_path)) == []
    git("init", "-q")
    (tmp_path / "code.py").write_text("a = 1\n")
    (tmp_path / ".env").write_text("KEY=1\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    facts = {item.key: item.value for item in git_facts(tmp_path) if isinstance(item, Tag)}
    assert facts["mlflow.source.git.dirty"] == "false"
    assert len(facts["mlflow.source.git.commit"]) == 40
    (tmp_path / "code.py").write_text("a = 2\npassword = 'hunter2'\nurl = 'http://me:hunter3@host'\n")
    (tmp_path / ".env").write_text("KEY=hunter4\n")
    items = list(git_facts(tmp_path))
    assert Tag("mlflow.source.git.dirty", "true") in items
    patch = next(i.content for i in items if isinstance(i, Artifact) and i.path == "code/diff.patch")
    assert "+a = 2" in patch
    assert not [secret for secret in ("hunter2", "hunter3", "hunter4") if secret in patch]
    assert without_secrets("") == ""
