"""MLflow's model registry."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ModelError
from leaflab.identity import fold
from leaflab.tracking.base import Registry
from leaflab.tracking.opening import current, opened, told
from leaflab.tracking.places import local_path
from leaflab.tracking.reading import example_of, loaded, newest_model
from leaflab.tracking.writer import version_tags
from leaflab.values import Version

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient

    from leaflab.scorer import Scorer

__all__ = ["MlflowRegistry"]

_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class MlflowRegistry(Registry):
    """Registered models of one store.

    Args:
        address: the store's URI, secrets included.
    """

    address: str

    @property
    def _client(self) -> MlflowClient:
        return opened(self.address)

    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        from mlflow.exceptions import MlflowException

        with told(self.address):
            client = self._client
            model = newest_model(client, run_id)
            if model is None:
                raise ModelError(f"Run {run_id}", "has no model to register")
            for known in self.versions(name):
                if known.model_uri == f"models:/{model.model_id}":
                    self.tag(name, known.number, tags)
                    return self._one(name, known.number)
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            shown = {m.key: f"{m.value:.6g}" for m in model.metrics or ()}
            with current(self.address):
                made = client.create_model_version(
                    name, f"models:/{model.model_id}", run_id, version_tags({**shown, **tags}), model_id=model.model_id
                )
            return self._one(name, int(made.version))

    def version(self, name: str, *, alias: str | None = None, number: int | None = None) -> Version | None:
        from mlflow.exceptions import MlflowException

        with told(self.address):
            try:
                if alias is not None:
                    return _version(self._client.get_model_version_by_alias(name, alias))
                return None if number is None else self._one(name, number)
            except MlflowException as error:
                if error.error_code in _MISSING:
                    return None
                raise

    def versions(self, name: str) -> list[Version]:
        from mlflow.exceptions import MlflowException

        with told(self.address):
            try:
                aliases = self._client.get_registered_model(name).aliases
            except MlflowException as error:
                if error.error_code in _MISSING:
                    return []
                raise
            found: list[Any] = []
            token: str | None = None
            while True:
                page = self._client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
                found += page
                token = page.token
                if not token:
                    break
            named: dict[int, list[str]] = {}
            for alias, number in aliases.items():
                named.setdefault(int(number), []).append(alias)
            made = [_version(v, named.get(int(v.version), [])) for v in found]
            return sorted(made, key=lambda v: v.number)

    def point(self, name: str, alias: str, number: int | None) -> None:
        with told(self.address):
            if number is None:
                self._client.delete_registered_model_alias(name, alias)
            else:
                self._client.set_registered_model_alias(name, alias, str(number))

    def tag(self, name: str, number: int | None, tags: Mapping[str, str]) -> None:
        with told(self.address):
            for key, value in version_tags(tags).items():
                if number is None:
                    self._client.set_registered_model_tag(name, key, value)
                else:
                    self._client.set_model_version_tag(name, str(number), key, value)

    def model_tags(self, name: str) -> Mapping[str, str]:
        from mlflow.exceptions import MlflowException

        with told(self.address):
            try:
                return dict(self._client.get_registered_model(name).tags)
            except MlflowException as error:
                if error.error_code in _MISSING:
                    return {}
                raise

    def scorer(self, version: Version) -> Scorer:
        with told(self.address):
            location = self._client.get_model_version_download_uri(version.name, str(version.number))
            return loaded(self.address, location, f"models:/{version.name}/{version.number}")

    def digest(self, version: Version) -> str:
        with tempfile.TemporaryDirectory() as scratch, told(self.address):
            return _digest(self._folder(version, Path(scratch)))

    def export(self, version: Version, folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch, told(self.address):
            shutil.copytree(self._folder(version, Path(scratch)), folder)

    def _folder(self, version: Version, scratch: Path) -> Path:
        """The version's model folder: where it lies, or a copy fetched into `scratch`.

        Raises:
            ModelError: it is gone.
        """
        uri = f"models:/{version.name}/{version.number}"
        location = self._client.get_model_version_download_uri(version.name, str(version.number))
        folder = local_path(location)
        if folder is None:
            from mlflow.artifacts import download_artifacts

            with current(self.address):
                folder = Path(download_artifacts(uri, dst_path=str(scratch)))
        if not (folder / "MLmodel").is_file():
            raise ModelError(f"The model {uri}", "has lost its files", got=str(folder))
        return folder

    def ways(self, version: Version) -> Mapping[str, Callable[[pd.DataFrame], np.ndarray]]:
        from leaflab.tracking.asking import as_pyfunc, as_rest, asked

        model = as_pyfunc(self.address, f"models:/{version.name}/{version.number}")
        return {**super().ways(version), "pyfunc": asked(model), "REST": as_rest(model)}

    def example(self, version: Version) -> Mapping[str, list[Any]]:
        with told(self.address):
            location = self._client.get_model_version_download_uri(version.name, str(version.number))
            return example_of(self.address, location, f"models:/{version.name}/{version.number}")

    def _one(self, name: str, number: int) -> Version:
        return _version(self._client.get_model_version(name, str(number)))


def _version(made: Any, aliases: list[str] | None = None) -> Version:
    return Version(
        name=made.name,
        number=int(made.version),
        run_id=made.run_id or "",
        model_uri=made.source,
        aliases=tuple(sorted(made.aliases if aliases is None else aliases)),
        tags=dict(made.tags),
        created=made.creation_timestamp / 1000,
    )


def _digest(folder: Path) -> str:
    """Identity of every file of a folder, by name and content; what is left behind by reading it is passed over."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    kept = [p for p in files if p.name != "registered_model_meta"]
    return fold({p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept})
