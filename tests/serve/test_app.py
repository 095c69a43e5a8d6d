"""The routes of a running server, and what bad input gets."""

from __future__ import annotations

import json
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

from leaflab.lake.delta import Delta
from leaflab.serve.service import Limits

from .conftest import Shelf


@pytest.fixture(scope="module")
def server(started, toys, tmp_path_factory):
    shelf = Shelf({1: toys.boosted()}, {"champion": 1}, {1: {"a": [1, 2], "b": [0.5, None]}})
    return started(shelf, lake=Delta(path=str(tmp_path_factory.mktemp("lake"))), limits=Limits(rows=1000, body=1 << 20))


@pytest.fixture(scope="module")
def scorer(server):
    return server.shelf.scorers[1]


def test_a_prediction_with_its_version(server, scorer, toys):
    answer = server.predict({"a": 1, "b": 0.5}, {"a": 2})
    assert answer.status == 200
    assert answer.headers["x-leaflab-version"] == "1"
    assert (answer.body["model"], answer.body["version"]) == ("toy", 1)
    scores = scorer.score(toys.RAW.to_pandas().iloc[:2])
    assert [row["prediction"] for row in answer.body["rows"]] == scorer.labels(scores).tolist()


def test_probabilities_are_those_of_the_batch_path(server, scorer, toys):
    answer = server.predict({"a": 1, "b": 0.5}, query="?proba=true")
    wanted = scorer.score(toys.RAW.to_pandas().iloc[:1])[0].tolist()
    assert answer.body["rows"][0]["probabilities"] == dict(zip(("no", "yes"), wanted, strict=True))


def test_contributions_add_up_to_the_raw_score(server):
    row = server.predict({"a": 1, "b": 0.5}, query="?proba=true&explain=true").body["rows"][0]
    share = row["probabilities"]["yes"]
    assert np.isclose(sum(row["contributions"].values()), np.log(share / (1 - share)))
    assert set(row["contributions"]) == {"(base)", "a", "b"}


def test_nulls_and_extra_columns_are_answered(server):
    assert server.predict({"a": None, "b": None, "c": [1]}).status == 200


BODIES = {
    "dataframe_split": {"columns": ["b", "a"], "data": [[0.5, 1], [None, 2]]},
    "dataframe_records": [{"a": 1, "b": 0.5}, {"a": 2}],
    "instances": [{"a": 1, "b": 0.5}, {"a": 2, "b": None}],
    "inputs": {"a": [1, 2], "b": [0.5, None]},
}


@pytest.mark.parametrize("key", BODIES)
def test_every_body_of_mlflows_protocol(server, scorer, toys, key):
    answer = server.ask("POST", "/invocations", {key: BODIES[key]})
    labels = scorer.predict(toys.RAW.to_pandas().iloc[:2]).tolist()
    assert (answer.status, answer.body) == (200, {"predictions": labels})


def test_csv_and_rows_by_position(server, scorer, toys):
    labels = scorer.predict(toys.RAW.to_pandas().iloc[:2]).tolist()
    text = server.ask("POST", "/invocations", b"a,b\n1,0.5\n2,\n", kind="text/csv")
    places = server.ask("POST", "/invocations", {"instances": [[1, 0.5], [2, None]]})
    assert text.body == places.body == {"predictions": labels}


def test_mlflows_own_client_works_unchanged(server, scorer, toys):
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", server.port)
    client.ping()
    frame = toys.RAW.to_pandas()
    assert client.invoke(frame).get_predictions()[0].tolist() == scorer.predict(frame).tolist()
    wanted = scorer.predict(frame, proba=True)
    pd.testing.assert_frame_equal(client.invoke(frame, params={"proba": True}).get_predictions(), wanted)
    assert client.get_version() == version("mlflow")


def test_many_rows_in_one_request(server, scorer):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=1000), "b": rng.normal(size=1000)})
    answer = server.predict(*frame.to_dict("records"), query="?proba=1")
    wanted = scorer.score(frame)[:, 1].tolist()
    assert [row["probabilities"]["yes"] for row in answer.body["rows"]] == wanted
    assert len({row["row_id"] for row in answer.body["rows"]}) == 1000


@pytest.mark.parametrize(
    ("body", "status", "said", "fields"),
    [
        (b"{", 400, "must be JSON", None),
        (b"\xff", 400, "must be JSON", None),
        (b"[" * 100_000, 400, "nested too deeply", None),
        (b"[]", 422, "`rows` must be a list", ["rows"]),
        (b'{"rows": []}', 422, "`rows` must be a list", ["rows"]),
        (b'{"rows": [1]}', 422, "`rows[0]` must be an object", ["rows[0]"]),
        (b'{"rows": [{"b": 1}]}', 422, "Missing column: 'a'", ["a"]),
        (b'{"rows": [{"a": 1}, {"b": 1}]}', 422, "Missing column: 'a' in row 1", ["a"]),
        (
            b'{"rows": [{"a": 1}, {"a": "much"}]}',
            422,
            "Column 'a' must hold finite numbers, got 'much' in row 1",
            ["a"],
        ),
        (b'{"rows": [{"a": 1e999}]}', 422, "Column 'a' must hold finite numbers, got inf", ["a"]),
        (b'{"rows": [{"a": Infinity}]}', 422, "got inf", ["a"]),
        (b'{"rows": [{"a": {"b": 1}}]}', 422, "got {'b': 1}", ["a"]),
        (b'{"rows": [{"a": "\\ud800"}]}', 422, "Column 'a' must hold finite numbers", ["a"]),
        (json.dumps({"rows": [{"a": 1}] * 1001}).encode(), 413, "at most 1,000 rows, got 1,001", None),
        (b'{"rows": [{"a": 1}]}' + b" " * (1 << 20), 413, "at most 1 MB", None),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(server, body, status, said, fields):
    answer = server.ask("POST", "/predict", body)
    assert answer.status == status
    assert said in answer.body["message"] and "Traceback" not in answer.body["message"]
    assert answer.body.get("fields") == fields
    assert answer.headers["x-leaflab-version"] == "1"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"dataframe_split": {"data": "x"}}, "application/json", 400),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "application/json", 400),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "application/json", 400),
        ({"dataframe_records": [1]}, "application/json", 400),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "application/json", 400),
        ({"inputs": {"a": []}}, "application/json", 400),
        ({"instances": [{"a": 1}], "inputs": {"a": 1}}, "application/json", 400),
        ({"instances": [{"a": 1}], "params": {"proba": "yes"}}, "application/json", 400),
        ({"instances": [{"a": "much"}]}, "application/json", 400),
        ({}, "application/json", 400),
        (b"a\n\n", "text/csv", 400),
        (b"\xff\xfe", "text/csv", 400),
        (b"a,b\n1\n", "text/csv", 400),
        (b"x", "text/plain", 415),
        (b"a\n1\n", "text/csv; charset=latin-1", 415),
    ],
)
def test_a_bad_invocation_is_told_what_is_wrong(server, body, kind, status):
    answer = server.ask("POST", "/invocations", body, kind=kind)
    assert answer.status == status
    assert answer.body["error_code"] and answer.body["message"].endswith(".")


def test_other_mistakes(server):
    assert server.ask("POST", "/predict", b"a=1", kind="text/plain").status == 415
    assert server.predict({"a": 1}, query="?explain=perhaps").status == 422
    assert server.predict(*[{"a": 1}] * 101, query="?explain=true").status == 422
    assert server.ask("GET", "/predict").status == 405
    assert server.ask("GET", "/nowhere").status == 404


def test_a_hundred_thousand_columns(server):
    body = json.dumps({"rows": [{str(i): 1 for i in range(100_000)}]}, separators=(",", ":")).encode()
    assert server.ask("POST", "/predict", body).body["message"].startswith("Missing column: 'a'")


def test_health_metrics_and_documents(server):
    server.predict({"a": 1})
    health = server.ask("GET", "/health")
    assert (health.status, health.body["status"], health.body["version"]) == (200, "healthy", 1)
    text = server.ask("GET", "/metrics").body
    assert 'leaflab_requests_total{path="/predict",status="200"}' in text and "leaflab_model_version 1.0" in text
    page = server.ask("GET", "/docs").body
    assert "<b>POST</b> /predict" in page and "<td>b</td>" in page and "curl" in page
    assert "src=" not in page and "http://" not in page.replace("http://HOST:PORT", "")
    document = server.ask("GET", "/openapi.json").body
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.ask("POST", "/predict", example).status == 200


def test_truth_is_taken(server):
    row_id = server.predict({"a": 41}).body["rows"][0]["row_id"]
    answer = server.ask("POST", "/truth", {"rows": [{"row_id": row_id, "truth": "yes"}]})
    assert (answer.status, answer.body) == (200, {"rows": 1})
    assert server.lake.read("truth/toy")["row_id"].to_pylist() == [row_id]
    assert server.ask("POST", "/truth", {"rows": [{"row_id": row_id}]}).body["fields"] == ["rows[0].truth"]


def test_no_champion_yet(started, toys, until):
    shelf = Shelf({1: toys.constant()})
    server = started(shelf)
    answer = server.predict({"a": 1})
    assert answer.status == 503
    assert answer.body["message"] == "'toy' has no champion yet: run `leaflab promote name=toy` first."
    assert answer.headers["x-leaflab-version"] == "none"
    assert [server.ask("GET", path).status for path in ("/health", "/ping", "/", "/openapi.json")] == [
        503,
        503,
        200,
        200,
    ]
    shelf.aliases["champion"] = 1
    until(lambda: server.predict({"a": 1}).status == 200)


def test_a_large_request_does_not_hold_up_small_ones(started, toys):
    class Slow(type(toys.constant())):
        def labels(self, scores):
            return super().labels(scores)

    shelf = Shelf({1: toys.constant()}, {"champion": 1})
    server = started(shelf, limits=Limits(rows=100_000, answer_seconds=0.2))
    live = server.follower.champion
    real = live.answer
    live.answer = lambda values, rows: (time.sleep(1.0 if rows > 1 else 0), real(values, rows))[1]
    late = server.predict(*[{"a": 1}] * 20_000)
    assert (late.status, late.headers["retry-after"]) == (503, "1")
    assert server.predict({"a": 1}).status == 200
