"""A promotion's way to a team's server, and promotions there: a real `mlflow server` on loopback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leaflab.errors import CheckFailed
from leaflab.tracking.server import Server
from leaflab.workflow.auditing import audit
from leaflab.workflow.ledger import opened
from leaflab.workflow.promote import promote


@pytest.mark.slow
def test_a_champion_goes_to_a_server_where_it_is_defended_tampered_with_and_restored(bench, home, mlflow_server):
    from mlflow import MlflowClient

    bench.train(skill=0.6)
    promote(bench.lab)
    sent = promote(bench.asking(to=mlflow_server, why="to the team"))
    assert sent.outcome == "copied"
    bench.lab = replace(bench.lab, tracking=Server(home=home, uri=mlflow_server))
    bench.train(skill=1.0)
    done = promote(bench.lab)
    assert (done.outcome, done.version.number) == ("promoted", 2), str(done)
    bench.train(skill=0.4)
    assert promote(bench.lab).exit_code == 3

    client = MlflowClient(mlflow_server)
    assert client.get_model_version_by_alias("toy", "champion").version == "2"
    assert client.get_model_version("toy", "2").tags["leaflab.gate.parity"].startswith("passed")
    client.set_registered_model_alias("toy", "champion", "3")
    with pytest.raises(CheckFailed, match="points to version 3, the ledger says version 2"):
        promote(bench.lab)
    (found,) = audit(bench.lab, "toy", revert=True)
    assert "the alias was moved without a record" in found.sentence
    assert client.get_model_version_by_alias("toy", "champion").version == "2" and audit(bench.lab, "toy") == []
    promote(bench.asking(rollback=True, why="too new"))
    assert client.get_model_version_by_alias("toy", "champion").version == "1"
    with opened(bench.lab.tracking, "toy", bench.lab.folder) as ledger:
        assert [e.outcome for e in ledger.entries()] == ["copied", "promoted", "refused", "reverted", "rolled back"]
        assert ledger.entries()[0].record["origin"]["entry"]["outcome"] == "promoted"
