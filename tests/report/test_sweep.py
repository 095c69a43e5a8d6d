"""The report of a sweep answers first, stays small, and survives whatever trials hold."""

from __future__ import annotations

import csv
import json
import math
import random
import re

from leaflab.report.sweep import SweepFacts, effects, sweep_report
from leaflab.values import Trial


def trial(number, value, state="complete", **params):
    curve = [(step, (value or 0) + 1 / step) for step in range(1, 101)]
    return Trial(
        number, state, params, value, {"log_loss": value} if value is not None else {}, curve, 0.0, 0.5 + number % 3
    )


def facts(count, **changes):
    rng = random.Random(0)
    trials = []
    for number in range(count):
        rate, kind = 10 ** rng.uniform(-3, -0.5), rng.choice(["gbdt", "dart"])
        value = 0.4 + 0.1 * abs(math.log10(rate) + 1.5) + rng.gauss(0, 0.005)
        trials.append(trial(number, value, rate=rate, kind=kind, leaves=rng.randint(4, 256)))
    settings = {
        "baselines": {"dummy": 0.69},
        "space": {"rate": {"low": 0.001, "high": 0.3, "log": True}},
        "data": {"train": "a" * 32},
    }
    return SweepFacts("Sweep <toy>", trials, "log_loss", "minimize", **(settings | changes))


def items(given):
    return {
        getattr(i, "path", getattr(i, "key", "")): getattr(i, "content", getattr(i, "value", ""))
        for i in sweep_report(given)
    }


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_note_answers_and_stays_short():
    text = items(facts(100, command="leaflab sweep x", notes=["n" * 500] * 100))["mlflow.note.content"]
    assert len(text) <= 7500
    for words in ("**Best `log_loss`", "baseline dummy | 0.69", "**Best parameters**", "**What mattered**", "`rate`"):
        assert words in text


def test_the_leaderboard_has_every_trial_best_first():
    given = facts(30)
    failed = trial(30, None, "failed", rate=0.1)
    rows = list(
        csv.DictReader(
            items(SweepFacts("s", [*given.trials, failed], "log_loss", "minimize"))["leaderboard.csv"].splitlines()
        )
    )
    values = [float(r["log_loss"]) for r in rows[:-1]]
    assert values == sorted(values)
    assert rows[-1]["trial"] == "30"
    assert [r["rank"] for r in rows] == [str(n) for n in range(1, 32)]


def test_the_page_stands_by_itself_and_stays_under_five_megabytes():
    page = items(facts(10_000))["report.html"]
    assert len(page.encode()) < 5_000_000
    assert not re.findall(r'(?:src|href)="', page)
    assert "Sweep &lt;toy&gt;" in page
    assert len(data_of(page)["trials"]) == 10_000
    assert sum(bool(t["curve"]) for t in data_of(page)["trials"]) == 10


def test_what_mattered_is_found_and_chance_is_not():
    shares = dict(effects(facts(400)))
    assert shares["rate"] > 0.7
    assert shares["kind"] < 0.05
    assert shares["leaves"] < 0.05


def test_odd_trials_do_no_harm():
    odd = [
        trial(0, float("nan"), a=1.0),
        trial(1, float("inf"), a=2.0),
        trial(2, None, "failed"),
        trial(3, 0.5, a="</script>"),
    ]
    page = items(SweepFacts("s", odd, "log_loss", "minimize"))["report.html"]
    assert page.count("</script>") == 2
    assert [t["value"] for t in data_of(page)["trials"]] == [None, None, None, 0.5]
    assert set(items(SweepFacts("s", [], "log_loss", "minimize"))) == {"mlflow.note.content", "leaderboard.csv"}


def test_a_greater_metric_may_be_the_better():
    given = SweepFacts("s", [trial(0, 0.5, a=1), trial(1, 0.9, a=2), trial(2, 0.95, "pruned", a=3)], "auc", "maximize")
    assert [t.number for t in given.ranked] == [1, 0, 2]
