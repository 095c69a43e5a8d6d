"""Data sets of openml.org."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Source
from leaflab.source.frame import Frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Openml"]


@option
class Openml(Source):
    """A data set by its id or name; once downloaded it is read from the cache and needs no network.

    Args:
        set: id (61) or name ("iris"); of a name the oldest version that is active, unless `version` says which.
        version: of a name.
        cache: folder where downloads are kept; null takes the openml package's own.
        server: address of the API.
    """

    set: int | str | None = None
    version: int | None = None
    cache: str | None = None
    server: str = "https://www.openml.org/api/v1/xml"

    @property
    def default_name(self) -> str | None:
        return None if self.set is None else f"openml_{self.set}" if str(self.set).isdigit() else str(self.set)

    def read(self) -> Reading:
        if self.set is None:
            raise ConfigError("`source.set`", "is not set", hint="give an id or a name, as in source.set=adult")
        with self._configured() as openml:
            frame, number, target = self._frame(openml)
        reading = Frame(frame, self.default_name).read()
        reading.uri = f"openml:{number}"
        if target:
            reading.notes.append(f"OpenML names '{target}' as the target: dataset.target={target}")
        return reading

    def _frame(self, openml: Any) -> tuple[pd.DataFrame, int, str | None]:
        import requests

        try:
            data = openml.datasets.get_dataset(
                self.set, version=self.version, download_data=True, cache_format="feather"
            )
            frame, *_ = data.get_data()
        except (openml.exceptions.OpenMLServerError, openml.exceptions.PyOpenMLError, RuntimeError) as error:
            raise SourceError(f"the OpenML data set {self.set!r}", f"cannot be had ({_first(error)})") from error
        except (requests.RequestException, OSError) as error:
            raise SourceError(f"'{self.server}'", f"cannot be reached ({_first(error)})") from error
        return frame, int(data.dataset_id), data.default_target_attribute

    @contextmanager
    def _configured(self) -> Iterator[Any]:
        """The openml package with this source's server and cache, put back afterwards."""
        try:
            import openml
        except ImportError as error:
            raise ExtraError("source=openml", "openml") from error
        before = openml.config.server, openml.config._root_cache_directory, openml.config.connection_n_retries
        openml.config.server = self.server
        openml.config.set_retry_policy("human", n_retries=2)
        if self.cache:
            openml.config.set_root_cache_directory(self.cache)
        try:
            yield openml
        finally:
            openml.config.server, _, openml.config.connection_n_retries = before
            openml.config._root_cache_directory = before[1]


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
