"""A configuration from a stranger is code: what it names is judged by what it really is."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaflab.door.trust import judge, trusted
from leaflab.errors import ConfigError


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "sklearn.utils.parallel.joblib.load",
        "sklearn.datasets._base.urlretrieve",
        "sklearn.datasets.load_files",
        "optuna.storages.RDBStorage",
        "leaflab.app.main",
        "leaflab.errors.ConfigError",
        "leaflab.nothing.Here",
        "pathlib.Path",
        "sklearn",
        "",
        7,
    ],
)
def test_refuses_what_a_configuration_may_not_build(target: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="_target_"):
        judge({"search": {"sampler": {"_target_": target}}}, tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        "leaflab.values.Roles",
        "sklearn.preprocessing.StandardScaler",
        "sklearn.model_selection.GroupKFold",
        "optuna.samplers.TPESampler",
        "optuna.pruners.MedianPruner",
    ],
)
def test_allows_options_estimators_splitters_samplers_and_pruners(target: str, tmp_path: Path) -> None:
    judge({"a": [{"_target_": target}]}, tmp_path)


def test_judges_hydras_own_targets_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.callbacks\.x"):
        judge({"hydra": {"callbacks": {"x": {"_target_": "os.system"}}}}, tmp_path)


def test_hydras_launchers_run_jobs_and_nothing_else(tmp_path: Path) -> None:
    judge({"hydra": {"launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}}}, tmp_path)
    with pytest.raises(ConfigError, match=r"hydra\.launcher"):
        judge({"hydra": {"launcher": {"_target_": "hydra.utils.call"}}}, tmp_path)
    with pytest.raises(ConfigError, match=r"split"):
        judge({"split": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}}, tmp_path)


def test_a_project_trusts_its_own_package_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ourlab.py").write_text(
        "from leaflab.option import option\n\n@option\nclass Own:\n    x: int = 1\n\ndef helper(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="trust"):
        judge({"split": {"_target_": "ourlab.Own"}}, tmp_path)
    trusted.cache_clear()
    (tmp_path / "pyproject.toml").write_text('[tool.leaflab]\ntrust = ["ourlab"]\n')
    judge({"split": {"_target_": "ourlab.Own"}}, tmp_path)
    with pytest.raises(ConfigError):
        judge({"split": {"_target_": "ourlab.helper"}}, tmp_path)
