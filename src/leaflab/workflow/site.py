"""What a process of `leaflab serve` is made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaflab.lake.base import Lake
    from leaflab.serve.gate import Gate
    from leaflab.tracking.base import Tracking
    from leaflab.workflow.settings import Serve

__all__ = ["Site"]


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
