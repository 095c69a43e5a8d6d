"""Follows the registry: a new champion is loaded and proved beside the old one, and only then takes its place."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaflab.serve.live import Live
from leaflab.values import typed

if TYPE_CHECKING:
    from leaflab.tracking.base import Registry
    from leaflab.values import Version

__all__ = ["Follower"]

_RETRY_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass
class _Post:
    """One alias and the model that holds it here."""

    alias: str
    live: Live | None = None
    trouble: str = ""
    failed: tuple[int, float] = (0, 0.0)


@dataclass
class Follower:
    """Keeps the model behind an alias, and the one behind a shadow alias, up to date.

    Args:
        registry: where aliases point to versions.
        name: the registered model.
        alias: the alias whose model answers.
        shadow: an alias whose model is scored beside it, or None.
    """

    registry: Registry
    name: str
    alias: str = "champion"
    shadow: str | None = None
    swaps: int = 0
    checked: float = 0.0
    _posts: list[_Post] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._posts = [_Post(alias) for alias in (self.alias, self.shadow) if alias]

    @property
    def champion(self) -> Live | None:
        """The model that answers; a reader takes it once a request and keeps it."""
        return self._posts[0].live

    @property
    def challenger(self) -> Live | None:
        """The model in the shadow, unless it is the one that answers."""
        live = self._posts[1].live if len(self._posts) > 1 else None
        return None if live is None or live is self.champion else live

    @property
    def trouble(self) -> str:
        """What is wrong, in sentences; "" where all is well."""
        return " ".join(post.trouble for post in self._posts if post.trouble)

    def poll(self) -> None:
        """Looks at the registry once and follows it; never raises, and never leaves fewer models than it found."""
        for post in self._posts:
            try:
                self._follow(post, self.registry.version(self.name, alias=post.alias))
            except Exception as error:
                self._tell(post, f"The registry does not answer ({_short(error)}); {self._staying(post)}.")
        self.checked = time.time()

    def _follow(self, post: _Post, version: Version | None) -> None:
        if version is None:
            if post.live is None:
                hint = f": run `{typed('promote', self.name)}` first" if post.alias == "champion" else ""
                self._tell(post, f"'{self.name}' has no {post.alias} yet{hint}.")
            else:
                self._tell(post, f"'{self.name}' has no {post.alias} any more; {self._staying(post)}.")
            return
        if post.live is None or post.live.version.number != version.number:
            self._swap(post, version)
        else:
            post.trouble, post.failed = "", (0, 0.0)

    def _swap(self, post: _Post, version: Version) -> None:
        number, when = post.failed
        if number == version.number and time.monotonic() - when < _RETRY_SECONDS:
            return
        known = next((p.live for p in self._posts if p.live and p.live.version.number == version.number), None)
        try:
            live = known or Live.load(self.registry, version)
        except Exception as error:
            post.failed = (version.number, time.monotonic())
            self._tell(post, f"{version} cannot take over ({_short(error)}); {self._staying(post)}.")
            return
        before, post.live = post.live, live
        post.trouble, post.failed = "", (0, 0.0)
        self.swaps += before is not None
        instead = f" instead of version {before.version.number}" if before else ""
        _log.info("%s serves as %s%s.", version, post.alias, instead)

    def _staying(self, post: _Post) -> str:
        return f"version {post.live.version.number} stays" if post.live else "nothing can be answered"

    def _tell(self, post: _Post, sentence: str) -> None:
        if sentence != post.trouble:
            _log.warning("%s", sentence)
        post.trouble = sentence


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
