"""`leaflab serve`: answers HTTP with the champion, and follows the alias."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import ExtraError
from leaflab.serve.cores import share

if TYPE_CHECKING:
    from leaflab.lake.base import Lake
    from leaflab.serve.gate import Gate
    from leaflab.tracking.base import Tracking
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.settings import Serve

__all__ = ["Served", "Site", "serve"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A server that was told to stop, and did so after its last answer."""

    name: str
    seconds: float
    exit_code: int = 0

    def __str__(self) -> str:
        return f"Served '{self.name}' for {self.seconds:.0f} s."


@dataclass(frozen=True)
class Site:
    """What a worker process needs to make its application."""

    name: str
    settings: Serve
    tracking: Tracking
    lake: Lake
    folder: Path

    def application(self) -> Gate:
        """The application of this process."""
        from leaflab.serve.app import Parts, application
        from leaflab.serve.following import Follower
        from leaflab.serve.gate import api_keys
        from leaflab.serve.journal import Journal, Keeping
        from leaflab.serve.measures import Measures
        from leaflab.serve.recorded import Recorder, hash_key
        from leaflab.serve.server import configured, end_with_parent
        from leaflab.serve.service import Limits, Service

        asked = self.settings
        configured()
        end_with_parent()
        follower = Follower(self.tracking.registry, self.name, asked.alias, asked.shadow)
        journal = None
        if kept := asked.record:
            key = hash_key(self.folder / "inference.key") if kept.hash else b""
            recorder, table = Recorder(kept.hash, kept.omit, key), f"inference/{self.name}"
            spool = self.folder / "inference" / self.name
            journal = Journal(self.lake, table, recorder, Keeping(kept.seconds, kept.rows, kept.share, spool))
        size = int(asked.max_megabytes * 2**20)
        limits = Limits(asked.max_rows, size, asked.read_seconds, asked.answer_seconds, asked.queue)
        service = Service(follower, Measures(), journal, limits)
        keys = api_keys(asked.keys_file, os.environ.get("LEAFLAB_SERVE_KEYS", ""))
        return application(Parts(service, self.lake, keys, asked.poll_seconds, asked.log_requests))


def serve(lab: Lab) -> Served:
    """Serves until told to stop.

    Raises:
        ExtraError: the server's packages are not installed.
        ConfigError: the address cannot be listened on, or the keys cannot be read.
    """
    asked = lab.serve
    share(asked.threads or max(1, (os.cpu_count() or 1) // asked.workers))
    try:
        from leaflab.serve.gate import api_keys
        from leaflab.serve.server import bound, run
    except ModuleNotFoundError as error:
        raise ExtraError("`leaflab serve`", "serve") from error
    api_keys(asked.keys_file, "")
    listener = bound(asked.host, asked.port)
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    with listener:
        _log.info("Serving '%s' on http://%s:%d, Ctrl-C to stop.", lab.name, host, listener.getsockname()[1])
        site = Site(lab.name, asked, lab.tracking, lab.lake, lab.folder)
        seconds = run(partial(Site.application, site), listener, asked.workers, asked.grace_seconds)
    return Served(lab.name, seconds)
