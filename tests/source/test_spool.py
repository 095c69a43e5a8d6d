"""What is in the spool stays there, whatever is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaflab.source import spool as spools
from leaflab.source.spool import Message, Place, Spool


def messages(*numbers: int) -> list[Message]:
    return [Message(f"plant/{n}", b"x" * n, float(n), n % 2 == 0) for n in numbers]


def test_messages_come_back_in_order_and_from_any_place(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(messages(1, 2))
    spool.append(messages(3))
    first, place = spool.read(Place(), 2)
    assert first == messages(1, 2)
    rest, end = spool.read(place, 10)
    assert rest == messages(3)
    assert spool.read(end, 10) == ([], end)
    assert spool.before(place) == messages(1, 2)
    spool.close()


def test_a_torn_record_is_cut_off_when_the_spool_is_opened(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(messages(5, 6))
    spool.close()
    file = tmp_path / "00000001.spool"
    file.write_bytes(file.read_bytes()[:-3])
    spool = Spool(tmp_path)
    spool.append(messages(7))
    assert spool.read(Place(), 10)[0] == messages(5, 7)
    spool.close()


def test_old_files_go_once_the_lake_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "_SEGMENT", 50)
    spool = Spool(tmp_path)
    for number in range(1, 6):
        spool.append(messages(number))
    found, place = spool.read(Place(), 4)
    assert found == messages(1, 2, 3, 4)
    spool.forget(place)
    assert len(list(tmp_path.glob("*.spool"))) < 5
    assert spool.read(place, 9)[0] == messages(5)
    assert spool.before(place)[-1] == messages(4)[0]
    spool.close()
    again = Spool(tmp_path)
    again.append(messages(6))
    assert again.read(place, 9)[0] == messages(5, 6)
    again.close()
