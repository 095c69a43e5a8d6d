"""Copying registered models with their versions, tags and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leaflab.tracking.opening import current

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from leaflab.tracking.copying import Copied, Source

__all__ = ["copy_versions"]

_ORIGIN = "leaflab.origin"


def copy_versions(source: Source, client: MlflowClient, uri: str, models: Mapping[str, str], done: Copied) -> None:
    """Copies the versions whose model was copied, in their order; an alias of the target's own is left alone."""
    for (name,) in source.rows("SELECT DISTINCT name FROM model_versions ORDER BY name"):
        query = "SELECT version, source, description FROM model_versions WHERE name = ? ORDER BY version"
        versions = [
            (number, place.removeprefix("models:/"), text)
            for number, place, text in source.rows(query, name)
            if place.removeprefix("models:/") in models
        ]
        if versions:
            numbers = _versions(source, client, uri, (name, versions), models, done)
            _aliases(source, client, name, numbers, done)


def _versions(
    source: Source,
    client: MlflowClient,
    uri: str,
    given: tuple[str, list[Any]],
    models: Mapping[str, str],
    done: Copied,
) -> dict[int, int]:
    """Source version to target version, made where missing."""
    from mlflow.exceptions import MlflowException

    name, versions = given
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for key, value in source.rows("SELECT key, value FROM registered_model_tags WHERE name = ?", name):
        client.set_registered_model_tag(name, key, value)
    there = {v.tags.get(_ORIGIN): int(v.version) for v in client.search_model_versions(f"name = '{name}'")}
    numbers = {}
    for number, model_id, text in versions:
        tags = dict(
            source.rows("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", name, number)
        )
        if model_id in there:
            for key, value in tags.items():
                client.set_model_version_tag(name, str(there[model_id]), key, value)
        else:
            with current(uri):
                new = models[model_id]
                made = client.create_model_version(
                    name, f"models:/{new}", tags={**tags, _ORIGIN: model_id}, description=text, model_id=new
                )
            there[model_id] = int(made.version)
            done.versions += 1
        numbers[int(number)] = there[model_id]
    return numbers


def _aliases(source: Source, client: MlflowClient, name: str, numbers: Mapping[int, int], done: Copied) -> None:
    own = {int(number) for number in numbers.values()}
    there = {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}
    for alias, number in source.rows("SELECT alias, version FROM registered_model_aliases WHERE name = ?", name):
        new = numbers.get(int(number))
        if new is None or there.get(alias) == new:
            continue
        if alias in there and there[alias] not in own:
            done.notes.append(f"'{name}': {alias} stays at version {there[alias]}, which was not made here.")
        else:
            client.set_registered_model_alias(name, alias, str(new))
