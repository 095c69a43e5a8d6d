from __future__ import annotations

import json

from leaflab.app import main


def test_the_ledger_shows_every_judgement_and_what_ci_needs(judged, capsys, tmp_path):
    assert main(["ledger", "toy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert [word in line for word, line in zip(["promoted", "promoted", "refused", "rolled back"], lines, strict=True)]
    assert "refused     version 3 against beats_champion, champion 2" in lines[2]
    assert main(["ledger", "toy", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [e["previous"] for e in plain[1:]] == [e["hash"] for e in plain[:-1]]
    assert main(["ledger", "toy", "--markdown", "--junit", str(tmp_path / "gates.xml")]) == 0
    out, xml = capsys.readouterr().out, (tmp_path / "gates.xml").read_text(encoding="utf-8")
    assert out.startswith("**rolled back**: version 1") and "> it misbehaves" in out
    assert "| beats_champion | " in out and "there is no champion yet" in out
    assert "<skipped" in xml and "<failure" not in xml


def test_a_model_that_nobody_judged_is_told_from_one_that_is_not_there(bench, capsys):
    bench.train()
    assert main(["ledger", "toy"]) == 0
    assert "was never judged: run `leaflab promote name=toy`" in capsys.readouterr().out
    assert main(["ledger", "nobody"]) == 2
    assert "'nobody' is no registered model" in capsys.readouterr().err
