"""The inference log: complete, bounded, private, and never in the way."""

from __future__ import annotations

from typing import ClassVar

import pytest

from leaflab.errors import LakeError
from leaflab.identity import row_ids
from leaflab.lake.delta import Delta
from leaflab.serve.journal import Entry, Journal, Keeping
from leaflab.serve.live import Live
from leaflab.serve.recorded import OWN, Recorder, hash_key
from leaflab.values import Version

from .conftest import Shelf


@pytest.fixture
def live(toys):
    return Live(Version("toy", 3, "run", "models:/m-3"), toys.boosted(), {})


def entry(live, rows=1, **values):
    asked = {"a": [1] * rows, "b": [0.5] * rows, **values}
    return Entry(live.answer(asked, rows), "champion", "r1", 1.75, 2.5)


class Flaky(Delta):
    """A lake that fails as often as `FAILS` says."""

    FAILS: ClassVar = [0]

    def write(self, *args, **keys):
        if self.FAILS[0]:
            self.FAILS[0] -= 1
            raise LakeError("the lake", "is full")
        return super().write(*args, **keys)


def test_every_answered_row_is_in_the_lake_after_the_stop(started, toys, tmp_path):
    server = started(Shelf({1: toys.boosted()}, {"champion": 1}), lake=Delta(path=str(tmp_path)), seconds=0.02)
    asked = [server.predict(*({"a": i, "b": k} for k in range(3))).body for i in range(40)]
    server.stop()
    rows = server.lake.read("inference/toy").to_pylist()
    assert len(rows) == 120
    wanted = [row["row_id"] for body in asked for row in body["rows"]]
    assert sorted(wanted) == sorted(row["row_id"] for row in rows)
    assert {row["request_id"] for row in rows} == {body["request_id"] for body in asked}
    assert all(row["version"] == 1 and row["milliseconds"] > 0 and row["prediction"] in ("no", "yes") for row in rows)


def test_a_row_as_it_stands_in_the_lake(live):
    (row,) = Recorder()([entry(live, b=[None])]).to_pylist()
    assert (row["a"], row["b"], row["version"], row["model"], row["milliseconds"]) == (1.0, None, 3, "toy", 2.5)
    assert row["time"].timestamp() == 1.75
    assert row["proba_no"] + row["proba_yes"] == pytest.approx(1)
    assert set(row) == {*OWN, "proba_no", "proba_yes", "a", "b"}


def test_columns_can_be_hashed_or_left_out(live, tmp_path):
    recorder = Recorder(("a",), ("b",), hash_key(tmp_path / "key"))
    one, other = recorder([entry(live), entry(live, a=[2])]).to_pylist()
    assert "b" not in one and len(one["a"]) == 32 and one["a"] != other["a"]
    again = Recorder(("a",), ("b",), hash_key(tmp_path / "key"))([entry(live)]).to_pylist()[0]
    assert again["a"] == one["a"]
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_waits_and_is_written_later(live, tmp_path):
    lake = Flaky(path=str(tmp_path))
    journal = Journal(lake, "inference/toy", Recorder())
    lake.FAILS[0] = 2
    journal.add(entry(live))
    assert not journal.flush() and journal.waiting == 1
    assert journal.trouble == "The inference log cannot be written (the lake is full)."
    journal.add(entry(live, a=[2]))
    journal.close()
    assert (journal.waiting, journal.written, journal.trouble) == (0, 2, "")
    assert lake.read("inference/toy")["a"].to_pylist() == [1.0, 2.0]


def test_what_a_stopping_server_cannot_write_the_next_one_does(live, tmp_path):
    lake, spool = Flaky(path=str(tmp_path / "lake")), tmp_path / "spool"
    journal = Journal(lake, "inference/toy", Recorder(), Keeping(spool=spool))
    journal.add(entry(live))
    lake.FAILS[0] = 1_000
    journal.close()
    assert len(list(spool.glob("*.arrow"))) == 1
    lake.FAILS[0] = 0
    following = Journal(lake, "inference/toy", Recorder(), Keeping(seconds=0.01, spool=spool))
    following.start()
    following.add(entry(live, a=[2]))
    following.close()
    assert sorted(lake.read("inference/toy")["a"].to_pylist()) == [1.0, 2.0]
    assert list(spool.iterdir()) == [] and following.written == 2


def test_the_buffer_is_bounded_and_says_what_it_dropped(live, tmp_path):
    journal = Journal(Delta(path=str(tmp_path)), "inference/toy", Recorder(), Keeping(limit=5))
    for _ in range(4):
        journal.add(entry(live, rows=2))
    assert (journal.waiting, journal.dropped) == (4, 4)


def test_a_share_is_kept(live, tmp_path):
    def kept(share):
        journal = Journal(Delta(path=str(tmp_path)), "x", Recorder(), Keeping(share=share))
        return sum(journal.keeps() for _ in range(2000))

    assert kept(0.0) == 0 and kept(1.0) == 2000 and 800 < kept(0.5) < 1200


def test_row_ids_are_those_of_batches(live, toys):
    from leaflab.scorer import typed

    frame = toys.RAW.to_pandas()
    assert live.answer(toys.RAW.to_pydict(), len(frame)).ids == row_ids(typed(frame, live.scorer.columns)).tolist()
