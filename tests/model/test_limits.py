from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from leaflab.errors import ConfigError
from leaflab.model.limits import LIMITS, SWITCHES, WHOLE, WORDS
from leaflab.model.parameters import MORE, NAMES, OURS, check

DANGEROUS = {"forcedbins_filename", "forcedsplits_filename"}
ASKED = sorted(NAMES - set(OURS) - DANGEROUS)
NUMBERS = [-3, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 131072, 131073]


def refusal(name, value) -> str:
    """What LightGBM itself says of a value."""
    try:
        data = lightgbm.Dataset(np.zeros((2, 1)), [0, 1], params={"verbosity": -1, name: value})
        data.construct()
    except lightgbm.basic.LightGBMError as error:
        return str(error)
    return ""


def refused(name, value) -> bool:
    try:
        check({name: [value]})
    except ConfigError:
        return True
    return False


@pytest.mark.parametrize("name", ASKED)
def test_kinds_are_lightgbms_own(name):
    said = refusal(name, "half")
    assert (name in WHOLE) == ("type int" in said)
    assert (name in SWITCHES) == ('"true"' in said)


@pytest.mark.parametrize("name", sorted((WHOLE | LIMITS.keys()) - {"verbosity"}))
def test_limits_are_lightgbms_own(name):
    numbers = [n for n in NUMBERS if float(n).is_integer()] if name in WHOLE else NUMBERS
    assert [n for n in numbers if refused(name, n)] == [n for n in numbers if refusal(name, n)]


@pytest.mark.parametrize("name", sorted(SWITCHES - MORE))
def test_switches_are_lightgbms_own(name):
    values = [True, False, "true", "false", "+", "-", "yes", 1, 0, 0.5]
    assert [v for v in values if refused(name, v)] == [v for v in values if refusal(name, v)]


@pytest.mark.parametrize("name", sorted(WORDS))
def test_words_are_lightgbms_own(name):
    values = [*WORDS[name], "rings", "GBDT", ""]
    assert [v for v in values if refused(name, v)] == [v for v in values if not v or refusal(name, v)]


@pytest.mark.parametrize("text", ["7", "7.0", "7.5", "seven"])
def test_texts_are_read_as_lightgbm_reads_them(text):
    assert refused("num_leaves", text) == bool(refusal("num_leaves", text))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("subsample", 1.5, "`bagging_fraction` must be above 0 and at most 1"),
        ("max_bin", "abc", "`max_bin` must be a whole number"),
        ("num_leaves", 7.5, "`num_leaves` must be a whole number"),
        ("num_leaves", True, "`num_leaves` must be a whole number"),
        ("learning_rate", float("nan"), "`learning_rate` must be above 0"),
        ("lambda_l2", [1, 2], "`lambda_l2` must be 0 or more"),
        ("boosting", "gdbt", "`boosting` must be gbdt, .* or random_forest"),
        ("pairs", "maybe", "`pairs` must be true or false"),
    ],
)
def test_a_value_that_no_trial_could_use_is_named(name, value, rule):
    with pytest.raises(ConfigError, match=rule):
        check({name: [value]})


def test_none_stands_for_lightgbms_default():
    check({"max_depth": [None, 5]})
