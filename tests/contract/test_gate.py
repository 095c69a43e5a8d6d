"""Every option of `conf/gate` keeps the contract of gates."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from leaflab.values import Judged, Verdict

FOLDER = Path(__file__).parents[2] / "conf" / "gate"
OPTIONS = sorted(FOLDER.glob("*.yaml"))
SHARED = {"${gate.min_gain}": 0.005, "${gate.alpha}": 0.05}
every_option = pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)


def test_there_are_gates_to_check():
    assert len(OPTIONS) >= 16


def build(path):
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    module, _, name = plain.pop("_target_").rpartition(".")
    known = {k: SHARED.get(v, v) if isinstance(v, str) else v for k, v in plain.items()}
    return getattr(importlib.import_module(module), name)(**known)


def same(one, other):
    return (one.outcome, one.sentence, one.numbers) == (other.outcome, other.sentence, other.numbers)


@every_option
def test_lies_in_its_own_package_of_the_configuration(path):
    assert path.read_text(encoding="utf-8").startswith(f"# @package gate.{path.stem}\n")


@every_option
def test_says_one_of_three_things_in_a_sentence_with_its_numbers(path, evidence):
    verdict = build(path).judge(evidence())
    assert isinstance(verdict, Verdict)
    assert verdict.name == path.stem
    assert verdict.outcome in ("passed", "failed", "not applicable")
    assert verdict.sentence.endswith(".") and "\n" not in verdict.sentence
    assert all(isinstance(value, float) for value in verdict.numbers.values())


@every_option
def test_says_the_same_twice(path, evidence):
    assert same(build(path).judge(evidence()), build(path).judge(evidence()))


@every_option
def test_never_raises_for_evidence_that_lacks_something(path, evidence):
    whole = evidence()
    bare = replace(whole, champion=None, baselines={}, extra={})
    nothing = Judged("challenger", whole.challenger.scores, {}, {})
    for lacking in (bare, replace(bare, challenger=nothing)):
        assert build(path).judge(lacking).outcome in ("passed", "failed", "not applicable")
