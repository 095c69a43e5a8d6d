"""`leaflab serve` as a process of its own, on a real store."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from leaflab.app import main

LOG = Path("serve.log")


class Process:
    """A server started from the command line."""

    def __init__(self, port, *words, **environment):
        self.port = port
        words = ("serve", "name=toy", f"serve.port={self.port}", "serve.poll_seconds=0.1", *words)
        with LOG.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "leaflab", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **environment},
            )

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers["x-leaflab-version"], answer.read().decode()
        finally:
            connection.close()

    def wait(self, wanted=200, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, LOG.read_text()
            try:
                if self.ask("GET", "/ping")[0] == wanted:
                    return self
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(LOG.read_text())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out.strip()


@pytest.fixture
def serving(bench, new_port):
    """Starts `leaflab serve name=toy …`; whatever is left is killed."""
    made = []

    def start(*words, **environment):
        made.append(Process(new_port(), *words, **environment))
        return made[-1]

    yield start
    for server in made:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


ROW = {"rows": [{"x": 0.5, "z": 1.0, "colour": "red"}]}


def test_it_follows_the_alias_and_loses_nothing_at_its_end(serving, bench):
    server = serving().wait(503)
    status, version, text = server.ask("POST", "/predict", ROW)
    assert (status, version) == (503, "none") and "no champion yet" in text
    registry = bench.lab.tracking.registry
    one, two = bench.train(alias="champion"), bench.train(skill=0.0, alias=None)
    server.wait()
    asked = 0
    for number in (one.number, two.number, one.number):
        registry.point("toy", "champion", number)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status, version, text = server.ask("POST", "/predict?proba=true", ROW)
            asked += 1
            assert status == 200
            share = json.loads(text)["rows"][0]["probabilities"]["yes"]
            assert (share == 0.5) == (version == str(two.number))
            if version == str(number):
                break
        assert version == str(number)
    code, out = server.stop()
    assert (code, out.split(" for ")[0]) == (0, "Served 'toy'")
    assert bench.lab.lake.read("inference/toy").num_rows == asked
    lines = [json.loads(line) for line in LOG.read_text().splitlines() if line.startswith("{")]
    assert sum(line.get("path") == "/predict" and line["status"] == 200 for line in lines) == asked


@pytest.mark.slow
def test_several_workers_answer_and_end_together(serving, bench):
    bench.train(alias="champion")
    server = serving("serve.workers=2", LEAFLAB_SERVE_KEYS="sesame").wait()
    answers = []

    def ask():
        for _ in range(30):
            answers.append(server.ask("POST", "/predict", ROW, **{"x-api-key": "sesame"}))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(status, version) for status, version, _ in answers} == {(200, "1")}
    assert server.ask("POST", "/predict", ROW)[0] == 401
    counted = 'leaflab_requests_total{path="/predict",status="200"} 120.0'
    deadline = time.monotonic() + 20
    while counted not in server.ask("GET", "/metrics", **{"x-api-key": "sesame"})[2]:
        assert time.monotonic() < deadline
    assert server.stop(signal.SIGINT)[0] == 0
    assert bench.lab.lake.read("inference/toy").num_rows == 120
    assert "sesame" not in LOG.read_text()


@pytest.mark.slow
def test_workers_end_with_a_killed_parent_and_lose_nothing(serving, bench):
    bench.train(alias="champion")
    server = serving("serve.workers=2").wait()
    assert {server.ask("POST", "/predict", ROW)[0] for _ in range(20)} == {200}
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            server.ask("GET", "/ping")
        except OSError:
            break
        time.sleep(0.1)
    lake = bench.lab.lake
    while "inference/toy" not in lake.tables() or lake.read("inference/toy").num_rows < 20:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve.port=70000"], "`serve.port`"),
        (["serve.record.share=2"], "share` must be less than or equal to 1, got 2"),
        (["serve.host=203.0.113.7"], "`serve.host` cannot be listened on"),
        (["serve.prot=1"], "serve.port"),
    ],
)
def test_a_mistake_is_one_sentence(home, capsys, words, said):
    assert main(["serve", "name=toy", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_mistyped_column_to_hide_is_refused(bench, capsys):
    bench.train(alias="champion")
    for key in ("hash", "omit"):
        assert main(["serve", "name=toy", f"serve.record.{key}=[color]", "serve.host=203.0.113.7"]) == 2
        said = "`serve.record` names no column that toy version 1 reads, got 'color': did you mean 'colour'?"
        assert said in capsys.readouterr().err
