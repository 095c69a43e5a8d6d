"""The settings of verbs: one record a section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leaflab.option import option

__all__ = ["Collect", "Evaluate", "Predict", "Promote", "Serve"]


@option
class Collect:
    """`collect.*`: how a source enters the lake.

    Args:
        mode: "overwrite" makes the source the table's next version; "append" adds its rows.
        on_new_columns: what an append does with columns the table lacks.
    """

    mode: Literal["overwrite", "append"] = "overwrite"
    on_new_columns: Literal["add", "refuse"] = "refuse"


@option
class Evaluate:
    """`evaluate.*`: which model is scored on the test set.

    Args:
        alias: the alias, used where neither version nor run is given.
        version: a version number.
        run: a sweep's run id.
    """

    alias: str = "challenger"
    version: int | None = None
    run: str | None = None


@option
class Promote:
    """`promote.*`: how the challenger is judged.

    Args:
        alias: the alias of the model that asks.
        version: judge this version instead.
        dry_run: judge and report, move nothing.
        force: move the alias against the verdicts; `why` is required and recorded.
        rollback: give the alias back to the previous champion; `why` is required and recorded.
        why: the reason of a forced promotion or of a rollback.
        not_applicable: gates that may be not applicable without counting as failed.
    """

    alias: str = "challenger"
    version: int | None = None
    dry_run: bool = False
    force: bool = False
    rollback: bool = False
    why: str | None = None
    not_applicable: tuple[str, ...] = ("beats_champion", "clean_code", "data_fresh")


@option
class Predict:
    """`predict.*`: which model scores `input`.

    Args:
        alias: the alias, used where no version is given.
        version: a version number.
    """

    alias: str = "champion"
    version: int | None = None


@option
class Serve:
    """`serve.*`: how the champion answers HTTP.

    Args:
        host: address to listen on.
        port: 1 to 65535; 0 takes a free one.
        workers: processes that answer.
        threads: threads of one scoring; null shares the cores among the workers.
        alias: the alias that is followed.
        shadow: an alias whose model scores too and is recorded, but does not answer.
        poll_seconds: seconds between two looks at the registry.
        keys_file: file of API keys, one a line; beside those of LEAFLAB_SERVE_KEYS (separated by commas).
        max_rows: rows of one request.
        max_megabytes: size of one request.
        queue: requests waiting in a worker above which further ones are told to come back (429).
        read_seconds: time a client has to send a request.
        answer_seconds: time a large request may take.
        grace_seconds: time that requests in progress have when the server is told to stop.
        log_requests: one JSON line a request on stderr.
        record: whether answers are kept in the lake table `inference/NAME`.
        record_share: share of requests kept, 0 to 1.
        record_seconds: seconds between two writes.
        record_rows: rows that may wait for the lake in a worker; what comes beyond is counted and dropped.
        record_hash: columns kept as keyed hashes.
        record_omit: columns not kept.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    threads: Annotated[int, Field(ge=1)] | None = None
    alias: str = "champion"
    shadow: str | None = None
    poll_seconds: Annotated[float, Field(gt=0)] = 2.0
    keys_file: str | None = None
    max_rows: Annotated[int, Field(ge=1)] = 10_000
    max_megabytes: Annotated[float, Field(gt=0)] = 16.0
    queue: Annotated[int, Field(ge=1)] = 512
    read_seconds: Annotated[float, Field(gt=0)] = 10.0
    answer_seconds: Annotated[float, Field(gt=0)] = 30.0
    grace_seconds: Annotated[int, Field(ge=0)] = 20
    log_requests: bool = True
    record: bool = True
    record_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    record_seconds: Annotated[float, Field(gt=0)] = 2.0
    record_rows: Annotated[int, Field(ge=1)] = 100_000
    record_hash: tuple[str, ...] = ()
    record_omit: tuple[str, ...] = ()
