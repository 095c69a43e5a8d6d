from __future__ import annotations

import json

from leaflab.app import main
from leaflab.tracking.base import RunSpec


def test_lineage_goes_from_the_source_to_the_judgements(judged, capsys, tmp_path):
    assert main(["lineage", "toy@champion"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()][:3] == ["source", "raw", "dataset"]
    assert "toy version 1" in said and "rolled back toy version 1" in said
    assert main(["lineage", "toy@2", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert all(0 <= a < b < len(plain["nodes"]) for a, b in plain["edges"])
    for file in ("graph.svg", "graph.html"):
        assert main(["lineage", "toy", "-o", str(tmp_path / file)]) == 0
        assert "<svg" in (tmp_path / file).read_text(encoding="utf-8")
    assert main(["lineage", "toy@9"]) == 2
    assert main(["lineage", "toy", "-o", "graph.png"]) == 2


def test_of_many_uses_the_newest_are_named_and_the_others_counted(bench, capsys):
    bench.train()
    for hour in range(14):
        spec = RunSpec("toy", "monitor", f"monitor {hour}", tags={"leaflab.version": "1"})
        bench.lab.tracking.start(spec).end("FINISHED")
    assert main(["lineage", "toy@1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("monitor")]
    assert len(lines) == 13 and "2 earlier runs  (since " in lines[0] and "name monitor 13" in lines[-1]
