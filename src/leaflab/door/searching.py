"""Tells Hydra where to search: the project's `conf/` before the package's, and `experiments/` as a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin

from leaflab.door.places import conf_folders, experiment_folders, package_conf

__all__ = ["register"]

_GROUP = "experiment"


class ExperimentSource(FileConfigSource):
    """A folder of experiments, seen by Hydra as the group `experiment`."""

    @staticmethod
    def scheme() -> str:
        return "experiments"

    def available(self) -> bool:
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", _GROUP)

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith(_GROUP + "/") and super().is_config(config_path.removeprefix(_GROUP + "/"))

    def load_config(self, config_path: str) -> ConfigResult:
        return super().load_config(config_path.removeprefix(_GROUP + "/"))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path != _GROUP:
            return [_GROUP] if config_path == "" and results_filter != ObjectType.CONFIG else []
        names = {p.stem for p in Path(self.path).glob("*.yaml")}
        return sorted(names) if results_filter != ObjectType.GROUP else []


class LeaflabSearchPath(SearchPathPlugin):
    """Prepends the project's folders and appends the experiments."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        own = package_conf()
        for folder in reversed([f for f in conf_folders() if f != own]):
            search_path.prepend("project", f"file://{folder}")
        for folder in experiment_folders():
            search_path.append("experiments", f"experiments://{folder}")


def register() -> None:
    """Makes both known to Hydra; safe to call again."""
    plugins: Any = Plugins.instance()
    for plugin in (ExperimentSource, LeaflabSearchPath):
        if f"{plugin.__module__}.{plugin.__name__}" not in plugins.class_name_to_class:
            plugins.register(plugin)
