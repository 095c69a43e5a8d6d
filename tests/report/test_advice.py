from __future__ import annotations

import shlex

import numpy as np

from leaflab.door.compose import lab_for
from leaflab.metric.probability import LogLoss
from leaflab.report.advice import advise
from leaflab.report.assess import Assessment
from leaflab.report.slices import SliceLoss
from leaflab.values import Judged

FACTS = {
    "edges": ["num_leaves"],
    "train_loss": 0.2,
    "valid_loss": 0.4,
    "rows": 900,
    "sweep": ["source.path=a b.csv", "dataset.target=y", "search/space=small", "search.trials=3"],
    "table": "my rows",
}


def slice_of(name, column):
    return SliceLoss(column, name, 200, loss=0.8, rest=0.3, p=1e-4, adjusted=1e-3, skill=0.1, rest_skill=0.5)


def tips():
    own = Judged("m", np.full((1000, 2), 0.5), {"log_loss": 0.4})
    slices = (slice_of("a = 1", "a"), slice_of("a = 1 and b = 2", "a, b"))
    found = Assessment(LogLoss(), np.zeros(1000), None, {"m": own}, slices=slices, curve=((450, 0.5), (900, 0.4)))
    return advise(found, "toy", FACTS)


def test_each_command_is_the_one_that_made_the_model_changed_and_is_given_once(home):
    commands = [tip.command.partition(" #")[0] for tip in tips()]
    assert len(commands) == len(set(commands)) == 4
    for command in commands:
        program, verb, *words = shlex.split(command)
        assert program == "leaflab"
        lab_for(verb, words)
    worst = next(c for c in commands if "worst(a)" in c)
    assert worst.startswith("leaflab sweep 'source.path=a b.csv' dataset.target=y search/space=small ")
    wide = next(c for c in commands if "search/space=wide" in c)
    assert "search/space=small" not in wide


def test_the_most_promising_comes_first():
    gains = [tip.gain for tip in tips()]
    assert gains == sorted(gains, reverse=True)
