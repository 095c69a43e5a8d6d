"""`leaflab serve`: answers HTTP with the champion, and follows the alias."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, ExtraError
from leaflab.serve.cores import share
from leaflab.workflow.site import Site

if TYPE_CHECKING:
    from leaflab.workflow.lab import Lab

__all__ = ["Served", "serve"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A server that was told to stop, and did so after its last answer."""

    name: str
    seconds: float
    exit_code: int = 0

    def __str__(self) -> str:
        return f"Served '{self.name}' for {self.seconds:.0f} s."


def serve(lab: Lab) -> Served:
    """Serves until told to stop.

    Raises:
        ExtraError: the server's packages are not installed.
        ConfigError: the address cannot be listened on, the keys cannot be read, or a column to be hashed or left out is
            none of the model's.
    """
    asked = lab.serve
    share(asked.threads or max(1, (os.cpu_count() or 1) // asked.workers))
    try:
        from leaflab.serve.gate import api_keys
        from leaflab.serve.server import bound, run
    except ModuleNotFoundError as error:
        raise ExtraError("`leaflab serve`", "serve") from error
    api_keys(asked.keys_file, "")
    _checked_privacy(lab)
    listener = bound(asked.host, asked.port)
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    with listener:
        _log.info("Serving '%s' on http://%s:%d, Ctrl-C to stop.", lab.name, host, listener.getsockname()[1])
        site = Site(lab.name, asked, lab.tracking, lab.lake, lab.folder)
        seconds = run(partial(Site.application, site), listener, asked.workers, asked.grace_seconds)
    return Served(lab.name, seconds)


def _checked_privacy(lab: Lab) -> None:
    """A mistyped name would keep in clear what was to be hidden."""
    kept, registry = lab.serve.record, lab.tracking.registry
    hidden = [*kept.hash, *kept.omit] if kept else []
    version = registry.version(lab.name, alias=lab.serve.alias) if hidden else None
    if version is None:
        return
    scorer = registry.scorer(version)
    known = [*(column.name for column in scorer.columns), *(scorer.meta.get("id") or ())]
    for name in hidden:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else "it is not recorded anyway; leave it out"
            raise ConfigError("`serve.record`", f"names no column that {version} reads", got=name, hint=hint)
