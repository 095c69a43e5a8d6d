"""Following the alias: no request sees two models, and nothing that goes wrong takes the old one away."""

from __future__ import annotations

import threading

import pytest

from leaflab.lake.delta import Delta
from leaflab.serve.following import Follower

from .conftest import Shelf


@pytest.fixture
def shelf(toys):
    return Shelf({n: toys.constant(n / 10) for n in range(1, 10)}, {"champion": 1})


def served(follower):
    return follower.champion and follower.champion.version.number


def test_it_follows_forth_and_back(shelf):
    follower = Follower(shelf, "toy")
    for number in (1, 2, 1):
        shelf.aliases["champion"] = number
        follower.poll()
        assert (served(follower), follower.trouble) == (number, "")
    assert follower.swaps == 2


def test_a_version_that_cannot_be_loaded_leaves_the_old_one(shelf):
    follower = Follower(shelf, "toy")
    follower.poll()
    shelf.scorers[2] = ValueError("broken")
    shelf.aliases["champion"] = 2
    follower.poll()
    assert served(follower) == 1
    assert follower.trouble == "toy version 2 cannot take over (toy version 2 cannot be loaded); version 1 stays."
    shelf.aliases["champion"] = 1
    follower.poll()
    assert follower.trouble == ""


def test_a_version_that_fails_its_own_example_leaves_the_old_one(shelf):
    follower = Follower(shelf, "toy")
    follower.poll()
    shelf.examples[2] = {"a": ["not a number"]}
    shelf.aliases["champion"] = 2
    follower.poll()
    assert served(follower) == 1 and "cannot answer its own example" in follower.trouble


def test_the_registry_may_be_down_and_the_alias_gone(shelf):
    follower = Follower(shelf, "toy")
    follower.poll()
    shelf.down = True
    follower.poll()
    assert served(follower) == 1 and "The registry does not answer" in follower.trouble
    shelf.down = False
    del shelf.aliases["champion"]
    follower.poll()
    assert served(follower) == 1 and follower.trouble == "'toy' has no champion any more; version 1 stays."
    shelf.aliases["champion"] = 3
    follower.poll()
    assert (served(follower), follower.trouble) == (3, "")


def test_the_shadow_scores_and_is_recorded_but_does_not_answer(started, shelf, tmp_path, until):
    shelf.aliases["challenger"] = 9
    server = started(shelf, lake=Delta(path=str(tmp_path)), shadow="challenger")
    answer = server.predict({"a": 1}, query="?proba=true").body
    assert (answer["version"], answer["rows"][0]["probabilities"]["yes"]) == (1, 0.1)
    server.stop()
    rows = server.lake.read("inference/toy").sort_by("alias").to_pylist()
    assert [(row["alias"], row["version"], row["proba_yes"]) for row in rows] == [
        ("challenger", 9, 0.9),
        ("champion", 1, 0.1),
    ]
    assert len({row["row_id"] for row in rows}) == len({row["request_id"] for row in rows}) == 1


def test_swaps_under_load_drop_no_request_and_mix_no_models(started, shelf):
    server = started(shelf, poll_seconds=0.01)
    wrong, answered, over = [], [0] * 2, threading.Event()

    def ask(place):
        while not over.is_set():
            answer = server.predict(*[{"a": 1}] * 5, query="?proba=true")
            shares = {row["probabilities"]["yes"] for row in answer.body["rows"]}
            number = answer.body.get("version")
            if shares != {number / 10} or answer.headers["x-leaflab-version"] != str(number):
                wrong.append((answer.status, answer.body))
            answered[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for swap in range(100):
        shelf.aliases["champion"] = number = 1 + swap % 9
        deadline = threading.Event()
        while served(server.follower) != number:
            deadline.wait(0.002)
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and min(answered) > 10
    assert server.follower.swaps >= 99
