"""`leaflab clean` says what it would remove, removes just that, and leaves registered models alone."""

from __future__ import annotations

from leaflab.app import main
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.values import Metric, Model


def test_a_dry_run_removes_nothing_and_a_real_one_what_it_said(home, toys, capsys):
    tracking = Local(home=home)
    tags = {"leaflab.metric": "auc", "leaflab.direction": "maximize"}
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "k", tags=tags)) as run:
        for number in range(4):
            spec = RunSpec("toy", "trial", f"trial {number}", f"k/{number}", run.id)
            items = [Metric("auc", number / 10), Model(toys.constant().files())]
            run.child(spec, items, status="FINISHED", started=1, ended=2)
    models = home / "mlartifacts" / "toy" / "models"
    assert main(["clean", "--keep", "1", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "3 models beyond the 1 best of its sweep" in out
    assert "Would free" in out
    assert len(list(models.iterdir())) == 4
    assert main(["clean", "--keep", "1"]) == 0
    assert "Freed" in capsys.readouterr().out
    assert len(list(models.iterdir())) == 1
    trials = {t.name: t for t in tracking.search("toy", {"leaflab.verb": "trial"})}
    assert len(trials) == 4
    assert tracking.scorer(trials["trial 3"].id)
    assert tracking.scorer(trials["trial 0"].id) is None
    assert main(["clean", "--keep", "1"]) == 0
    assert "Freed 0.0 MB" in capsys.readouterr().out


def test_an_empty_project_has_nothing_to_clean(home, capsys):
    (home / "mlflow.db").unlink()
    assert main(["clean"]) == 0
    assert capsys.readouterr().out == "Freed 0.0 MB.\n"
