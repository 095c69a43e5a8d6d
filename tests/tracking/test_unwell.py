"""A server behind a line that loses answers and at times refuses: nothing is there twice, and nothing stays open."""

from __future__ import annotations

import logging
import shutil
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from leaflab.tracking.base import RunSpec
from leaflab.tracking.server import Server
from leaflab.values import Metric, Model, Param


class Line(ThreadingHTTPServer):
    """A proxy before a server. `faults` says what happens to the next requests of a path: nothing (None); the server
    gets it and its answer is "lost"; or the server never gets it and the client is told a status.
    """

    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.faults, self.hits = target, {}, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._guard = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def fault(self, path):
        """What is to happen to this request, once each."""
        with self._guard:
            for ending, waiting in self.faults.items():
                if path.partition("?")[0].endswith(ending) and waiting:
                    self.hits += [ending] * (waiting[0] is not None)
                    return waiting.pop(0)
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(self.path)
        if isinstance(fault, int):
            self._answer(fault, b"{}")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        asked = urllib.request.Request(self.server.target + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                status, data = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
        if fault == "lost":
            self.close_connection = True
            self.connection.close()
            return
        self._answer(status, data)

    def _answer(self, status, data):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory, mlflow_server, store_template):
    folder = tmp_path_factory.mktemp("unwell")
    shutil.copy(store_template, folder / "mlflow.db")
    made = mlflow_server(folder, f"sqlite:///{folder}/mlflow.db", folder / "files")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def line(server):
    made = Line(server.url)
    yield made
    made.shutdown()
    made.server_close()


def sweep(tracking, toys, experiment, *, children=4):
    """A run of some trials, the first with a model, and its version."""
    with tracking.start(RunSpec(experiment, "sweep", "sweep toy", "key")) as run:
        for number in range(children):
            items = [Param("n", number), Metric("loss", float(number))]
            items += [Model(toys.constant().files())] * (number == 0)
            child = RunSpec(experiment, "trial", f"trial {number}", f"key/{number}")
            run.child(child, items, status="FINISHED", started=1.0, ended=2.0)
        run.log([Model(toys.constant().files())])
        return run.register(experiment, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "well", "fault"),
    [("runs/create", 0, "lost"), ("runs/create", 1, "lost"), ("runs/create", 1, 503), ("runs/log-batch", 2, "lost"),
     ("mlflow/logged-models", 0, "lost"), ("mlflow/logged-models", 0, 503), ("runs/outputs", 0, 503),
     ("runs/update", 0, "lost"), ("versions/create", 0, "lost")],
)  # fmt: skip
def test_what_an_unwell_server_has_heard_half_of_is_there_once_and_ended(
    line, path, well, fault, tmp_path, toys, caplog
):
    experiment = f"{path.replace('/', '-')}-{well}-{fault}"
    tracking = Server(home=tmp_path, uri=line.url)
    tracking.search(experiment)
    line.faults = {path: [None] * well + [fault] * 2}
    with caplog.at_level(logging.ERROR, "leaflab"):
        sweep(tracking, toys, experiment)
    assert line.hits, "the fault did not happen"
    runs = tracking.search(experiment)
    assert [(r.name, r.status) for r in sorted(runs, key=lambda r: r.name)] == [
        ("sweep toy", "FINISHED"), *((f"trial {n}", "FINISHED") for n in range(4))
    ]  # fmt: skip
    assert [v.aliases for v in tracking.registry.versions(experiment)] == [("challenger",)]
    assert not list((tmp_path / ".leaflab" / "spool").rglob("*.jsonl"))


@pytest.mark.slow
def test_a_run_without_a_key_whose_answer_was_lost_is_one_run(line, tmp_path):
    tracking = Server(home=tmp_path, uri=line.url)
    tracking.search("keyless")
    line.faults = {"runs/create": ["lost"] * 2}
    with tracking.start(RunSpec("keyless", "prepare", "prepare toy")) as run:
        run.log([Metric("rows", 3.0)])
    assert line.hits
    assert [(r.name, r.status) for r in tracking.search("keyless")] == [("prepare toy", "FINISHED")]
