"""`leaflab why` names what differs, and its replays add up to what they can explain."""

from __future__ import annotations

import random

import pytest

from leaflab.app import main
from leaflab.commands.why import Explained
from leaflab.tracking.local import Local


def table(home, name, rows, shift=0.0):
    rng = random.Random(3)
    lines = ["a,b,label"]
    for _ in range(rows):
        a, b = rng.gauss(0, 1), rng.random()
        lines.append(f"{a:.3f},{b + shift:.3f},{'yes' if a + b + rng.gauss(0, 0.7) > 0.5 else 'no'}")
    (home / name).write_text("\n".join(lines))


@pytest.fixture
def sweeps(home):
    """Two sweeps of three trials: other data in column b, and another seed."""
    (home / "in").mkdir()
    for shift, seed in ((0.0, 0), (1.0, 1)):
        table(home / "in", "toy.csv", 400, shift)
        assert (
            main(["sweep", "source.path=in/toy.csv", "dataset.target=label", "search.trials=3", f"seed={seed}", "-q"])
            == 0
        )
    runs = Local(home=home).search("toy", {"leaflab.verb": "sweep"})
    return [r.id for r in reversed(runs)]


@pytest.mark.slow
def test_names_what_differs_and_replays_it(sweeps, capsys):
    assert main(["why", sweeps[0], sweeps[1][:10], "--replay"]) == 0
    out = capsys.readouterr().out
    assert "seed: 0 → 1" in out
    assert "train/b: " in out
    assert "valid/log_loss" in out
    assert "data, alone" in out
    assert "seed: 0 → 1, alone" in out or "seed: default → 1, alone" in out
    assert main(["why", sweeps[0], sweeps[0]]) == 0
    assert "Nothing that is recorded differs." in capsys.readouterr().out


def test_a_run_that_is_not_there_is_a_mistake(home, capsys):
    assert main(["why", "a" * 32, "b" * 32]) == 2
    assert "is not in" in capsys.readouterr().err


def test_the_shares_add_up():
    text = str(Explained("m", 1.0, 2.0, 1.0, {"data": 0.75, "seed": 0.5}))
    assert "75%  data, alone" in text
    assert "-25%  not explained" in text
