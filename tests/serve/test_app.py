"""The routes of a running server."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import Shelf


@pytest.fixture(scope="module")
def server(started, toys):
    shelf = Shelf({1: toys.boosted()}, {"champion": 1}, {1: {"a": [1, 2], "b": [0.5, None]}})
    return started(shelf)


def test_a_prediction_with_its_version(server, toys):
    answer = server.predict({"a": 1, "b": 0.5}, {"a": 2})
    assert answer.status == 200, answer.body
    assert answer.headers["x-leaflab-version"] == "1"
    assert (answer.body["model"], answer.body["version"]) == ("toy", 1)
    scores = server.shelf.scorers[1].score(toys.RAW.to_pandas().iloc[:2])
    assert [row["prediction"] for row in answer.body["rows"]] == server.shelf.scorers[1].labels(scores).tolist()


def test_probabilities_are_those_of_the_batch_path(server, toys):
    answer = server.predict({"a": 1, "b": 0.5}, query="?proba=true")
    wanted = server.shelf.scorers[1].score(toys.RAW.to_pandas().iloc[:1])[0].tolist()
    assert answer.body["rows"][0]["probabilities"] == dict(zip(("no", "yes"), wanted, strict=True))


def test_contributions_add_up_to_the_raw_score(server):
    row = server.predict({"a": 1, "b": 0.5}, query="?proba=true&explain=true").body["rows"][0]
    share = row["probabilities"]["yes"]
    assert np.isclose(sum(row["contributions"].values()), np.log(share / (1 - share)))
    assert set(row["contributions"]) == {"(base)", "a", "b"}
