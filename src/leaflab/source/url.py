"""A published file that must be the one that was meant."""

from __future__ import annotations

import hashlib
from typing import Literal

from leaflab.errors import ConfigError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Source
from leaflab.source.download import downloaded, without_secrets
from leaflab.source.file import File
from leaflab.source.finding import stem_of

__all__ = ["Url"]


@option
class Url(Source):
    """A file at a URL, refused unless its bytes have the expected digest.

    Args:
        url: http or https.
        digest: SHA-256 of the file as it is published, 64 hex characters; null reads it and says the digest.
        kind: its format; "auto" goes by its ending.
    """

    url: str | None = None
    digest: str | None = None
    kind: Literal["auto", "csv", "json", "parquet", "arrow", "excel"] = "auto"

    @property
    def default_name(self) -> str | None:
        return stem_of(self.url) if self.url else None

    def read(self) -> Reading:
        if not self.url or not self.url.startswith(("http://", "https://")):
            rule = "must be an http or https URL" if self.url else "is not set"
            raise ConfigError("`source.url`", rule, hint="name a published file, as in source.url=https://…/prices.csv")
        piece = downloaded(self.url)
        found = hashlib.sha256()
        with piece.open() as stream:
            while chunk := stream.read(1 << 20):
                found.update(chunk)
        name = without_secrets(self.url)
        if self.digest is not None and found.hexdigest() != self.digest.lower().removeprefix("sha256:"):
            raise SourceError(f"'{name}'", f"must have the digest {self.digest}", got=found.hexdigest())
        reading = File(path=self.url, kind=self.kind).of([piece])
        if self.digest is None:
            reading.notes.append(f"set source.digest={found.hexdigest()} to be sure of this file next time")
        return reading
