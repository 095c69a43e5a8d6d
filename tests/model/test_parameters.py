from __future__ import annotations

import lightgbm.basic
import pytest

from leaflab.errors import ConfigError
from leaflab.model.parameters import ALIASES, DATASET, DEFAULTS, MORE, NAMES, check, divided

KNOWN = lightgbm.basic._ConfigAliases._get_all_param_aliases()


def test_every_name_is_lightgbms_own():
    assert set(KNOWN) >= NAMES
    assert set(DEFAULTS) <= NAMES | MORE
    assert not MORE & set(KNOWN)


def test_every_alias_is_lightgbms_own():
    assert all(alias in KNOWN[name] for alias, name in ALIASES.items())


@pytest.mark.parametrize("name", sorted(DATASET - {"forcedbins_filename", "max_bin_by_feature"}))
def test_lightgbm_refuses_to_change_what_belongs_to_the_bins(name):
    """LightGBM itself says which parameters a binned dataset cannot take anew."""
    import numpy as np

    values = {"max_bin": 7, "bin_construct_sample_cnt": 3, "min_data_in_bin": 9, "data_random_seed": 5}
    flipped = {"enable_bundle": False, "feature_pre_filter": False, "is_enable_sparse": False, "use_missing": False}
    other = {**values, **flipped, "linear_tree": True, "zero_as_missing": True}[name]
    data = lightgbm.Dataset(np.arange(40.0)[:, None], label=np.arange(40.0), params={"verbosity": -1}).construct()
    with pytest.raises(lightgbm.basic.LightGBMError, match=f"Cannot change {name}"):
        data._update_params({"verbosity": -1, name: other})


@pytest.mark.parametrize(("name", "near"), [("num_leavs", "num_leaves"), ("lerning_rate", "learning_rate")])
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    with pytest.raises(ConfigError, match=f"`{name}` is no LightGBM parameter: did you mean {near}"):
        check({name: [1]})


@pytest.mark.parametrize("name", ["n_estimators", "random_state", "metric", "num_threads"])
def test_what_leaflab_sets_itself_says_where(name):
    with pytest.raises(ConfigError, match="is not set here: "):
        check({name: [1]})


def test_parameters_are_told_apart_under_their_own_names():
    data, booster = divided({"max_bins": 63, "linear_tree": True, "eta": 0.1, "reg_lambda": 2.0})
    assert data == {"max_bin": 63, "linear_tree": True}
    assert booster == {"learning_rate": 0.1, "lambda_l2": 2.0}


def test_the_same_bins_have_one_spelling():
    assert divided({"max_bin": 255, "pairs": False}) == divided({}) == ({}, {})
    assert divided({"max_bin": 63, "pairs": True, "num_leaves": 7}) == (
        {"max_bin": 63, "pairs": True},
        {"num_leaves": 7},
    )
