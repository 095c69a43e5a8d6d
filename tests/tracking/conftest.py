"""MLflow's server as teams run it, started for real and stopped at will."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest

PASSWORD = "correct-horse-9"


class MlflowServer:
    """`mlflow server` on a database and a place for files; may be stopped and started again.

    Args:
        port: where it listens.
        folder: for its log and its list of people.
        database, files: where its rows and its files go.
        auth: whether it asks for a password.
        environment: further environment variables.
    """

    def __init__(self, port, folder, database, files, *, auth=False, environment=None):
        self.url = f"http://127.0.0.1:{port}"
        self._words = [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            *(["--app-name", "basic-auth"] * auth),
        ]
        self._words += ["--backend-store-uri", database, "--artifacts-destination", str(files)]
        self._folder, self._process = folder, None
        self._environment = os.environ | {
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "not a secret in a test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **(environment or {}),
        }
        self._environment.pop("MLFLOW_TRACKING_URI", None)
        (folder / "auth.ini").write_text(
            f"[mlflow]\ndefault_permission = READ\nadmin_username = admin\nadmin_password = {PASSWORD}\n"
            f"database_uri = sqlite:///{folder}/auth.db\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )

    def start(self):
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *self._words],
                env=self._environment, cwd=self._folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, (self._folder / "server.log").read_text()[-3000:]
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def stop(self):
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait(30)
            self._process = None


@pytest.fixture(scope="session")
def mlflow_server(new_port):
    """Makes servers from folder, database and files; each test its own."""
    return lambda *words, **how: MlflowServer(new_port(), *words, **how)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """Environment variables of an S3 server of this machine that has a bucket `files`."""
    boto3 = pytest.importorskip("boto3", reason="the S3 client (boto3) is not installed")
    pytest.importorskip("moto.server", reason="the S3 server for tests (moto) is not installed")
    log = tmp_path_factory.mktemp("bucket") / "moto.log"  # a pipe nobody empties would stop the server once full
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as lines, subprocess.Popen(words, stderr=lines) as server:
        try:
            keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
            url = _announced(log, server)
            given = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
            client = boto3.client("s3", endpoint_url=url, **given)
            client.create_bucket(Bucket="files")
            client.close()
            yield {**keys, "AWS_DEFAULT_REGION": "us-east-1", "MLFLOW_S3_ENDPOINT_URL": url}
        finally:
            server.kill()


def _announced(log, server):
    """The address a server writes into its log once it listens."""
    for _ in range(600):
        if found := re.findall(r"http://127.0.0.1:[0-9]+", log.read_text()):
            return found[0]
        assert server.poll() is None, log.read_text()[-3000:]
        time.sleep(0.1)
    raise AssertionError("the server does not say where it listens")
