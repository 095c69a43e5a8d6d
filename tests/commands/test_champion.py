from __future__ import annotations

import json

from leaflab.app import main
from leaflab.workflow.history import champion_at, moment
from leaflab.workflow.ledger import Entry


def test_says_who_is_champion_since_when_and_why(judged, capsys):
    assert main(["champion", "toy"]) == 0
    said = capsys.readouterr().out
    assert "toy version 1, since " in said and "rolled back by" in said and "it misbehaves" in said
    assert main(["champion", "toy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["champion"] == 1


def test_says_who_was_champion_at_a_date(judged, capsys):
    assert main(["champion", "toy", "--at", "2001-01-01"]) == 2
    assert "had no champion at 2001-01-01" in capsys.readouterr().err
    assert main(["champion", "toy", "--at", "soon"]) == 2
    assert main(["champion", "nobody"]) == 2
    assert "has no champion yet" in capsys.readouterr().err


def test_the_entry_before_a_moment_decides():
    def entry(number, outcome, champion, when):
        return Entry(number, "", outcome, champion, champion, when, "x")

    book = [entry(1, "promoted", 1, 100.0), entry(2, "refused", 1, 200.0), entry(3, "forced", 2, 300.0)]
    assert champion_at(book, 50.0) is None
    assert champion_at(book, 250.0).number == 1
    assert champion_at(book, 300.0).champion == 2
    assert moment("2026-03-01") > moment("2026-03-01T23:00") > moment("2026-03-01T23:00+02:00")
