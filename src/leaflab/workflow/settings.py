"""The settings of verbs: one record a section of the configuration."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from leaflab.option import option
from leaflab.workflow.units import Address, Name, Number, Rows, Seconds, Span, Words

__all__ = ["Backtest", "Collect", "Evaluate", "Monitor", "Predict", "Promote", "Recording", "Serve"]


@option
class Collect:
    """`collect.*`: how a source enters the lake.

    Args:
        mode: "overwrite" makes the source the table's next version; "append" adds its rows; "auto" appends what is new
            where the source reads on from the last collect (`source.watermark`), and else overwrites.
        on_new_columns: what an append does with columns the table lacks; "auto" refuses them, except in a stream whose
            messages say themselves which fields they have.
        partition_by: columns whose values divide the table into folders; null leaves it as it is, [] undivides it.
        seconds: how long a stream is collected; null until it is stopped.
        flush_seconds: how often a stream's rows are committed to the lake.
        flush_rows: how many at most in one commit.
    """

    mode: Literal["auto", "overwrite", "append"] = "auto"
    on_new_columns: Literal["auto", "add", "refuse"] = "auto"
    partition_by: list[str] | str | None = None
    seconds: Seconds | None = None
    flush_seconds: Seconds = 5.0
    flush_rows: Annotated[int, Field(ge=1)] = 50_000

    @property
    def parts(self) -> list[str] | None:
        """What the table is divided by."""
        return [self.partition_by] if isinstance(self.partition_by, str) else self.partition_by

    @property
    def new_columns(self) -> Literal["add", "refuse"]:
        """What files and databases do with them."""
        return "add" if self.on_new_columns == "add" else "refuse"


@option
class Evaluate:
    """`evaluate.*`: which model is scored on the test set.

    Args:
        alias: the alias, used where neither version nor run is given.
        version: a version number.
        run: a sweep's run id.
        report: whether the whole report is made, or only the metrics.
        beta: the threshold's aim, F-beta: how much more recall counts than precision.
        costs: of one false alarm and of one miss; where given, the threshold has the least cost.
        recalibrate: makes a new challenger whose probabilities are corrected on the validation rows, and evaluates it.
    """

    alias: Name = "challenger"
    version: Number | None = None
    run: str | None = None
    report: bool = True
    beta: Annotated[float, Field(gt=0)] = 1.0
    costs: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = None
    recalibrate: Literal["platt", "isotonic"] | None = None


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
        approve: "manual" leaves what passed as pending until `leaflab approve`.
        to: copies the champion, with its evidence, to another registered model or another store's URI.
        not_applicable: gates that may be not applicable without counting as failed.
    """

    alias: Name = "challenger"
    version: Number | None = None
    dry_run: bool = False
    force: bool = False
    rollback: bool = False
    why: str | None = None
    approve: Literal["auto", "manual"] = "auto"
    to: str | None = None
    not_applicable: Words = ("beats_champion", "clean_code", "data_fresh")


@option
class Predict:
    """`predict.*`: which model scores `input`.

    Args:
        alias: the alias, used where no version is given.
        version: a version number.
    """

    alias: Name = "champion"
    version: Number | None = None


@option
class Recording:
    """`serve.record.*`: what the inference log keeps.

    Args:
        share: share of requests kept, 0 to 1.
        seconds: seconds between two writes.
        rows: rows that may wait for the lake in a worker; what comes beyond is counted and dropped.
        hash: columns kept as keyed hashes.
        omit: columns not kept.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Seconds = 2.0
    rows: Annotated[int, Field(ge=1)] = 100_000
    hash: Words = ()
    omit: Words = ()


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
        record: how answers are kept in the lake table `inference/NAME`; null keeps none.
    """

    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    threads: Annotated[int, Field(ge=1)] | None = None
    alias: Name = "champion"
    shadow: Name | None = None
    poll_seconds: Seconds = 2.0
    keys_file: str | None = None
    max_rows: Annotated[int, Field(ge=1)] = 10_000
    max_megabytes: Annotated[float, Field(gt=0, le=100_000)] = 16.0
    queue: Annotated[int, Field(ge=1)] = 512
    read_seconds: Seconds = 10.0
    answer_seconds: Seconds = 30.0
    grace_seconds: Annotated[int, Field(ge=0, le=86_400)] = 20
    log_requests: bool = True
    record: Recording | None = Field(default_factory=Recording)


@option
class Monitor:
    """`monitor.*`: how current rows are judged, and what is done about it.

    Args:
        alias: the model that is watched; `version` names one instead.
        version: a version number.
        reference: drift is measured against the rows the model learnt from, or those held out from it.
        window: cuts the current rows: `2000` rows, or a span of time (`1d`); null looks at all of them together.
        season: `day`, `week` or `year`: drift that the same season of the reference shows too is harmless.
        sample: rows for the tests of all columns together.
        alpha: chance of an alarm where nothing differs, over all tests of a look.
        min_impact: drift that moves the model's answers by a smaller share of their spread is harmless.
        tolerance: relative rise of the loss that is harmless.
        fresh_within: how old the newest row may be (`2h`).
        min_rows: rows expected in a window, at least.
        max_rows: rows expected in a window, at most.
        acknowledge: ids of alarms that somebody knows of; `all` for every open one.
        webhook: address that new alarms are posted to.
        secret: signs what is posted; best `${oc.env:NAME}`.
        watch: look again and again, until stopped.
        every: time between two looks.
        looks: looks before the watch ends; null never ends.
        retrain: when to retrain; `retrain_every` is the schedule, and the cool-down of the other policies.
        retrain_every: a span of time.
        retrain_on: rows to learn from: all, the most recent, all with recent ones weighing more, or since the drift.
        recent: what counts as recent.
        budget: training seconds in all, for `budgeted`.
    """

    alias: Name = "champion"
    version: Number | None = None
    reference: Literal["trained", "held_out"] = "trained"
    window: Rows | None = None
    season: Literal["day", "week", "year"] | None = None
    sample: Annotated[int, Field(ge=200)] = 20_000
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    min_impact: Annotated[float, Field(ge=0)] = 0.05
    tolerance: Annotated[float, Field(gt=0)] = 0.05
    fresh_within: Span | None = None
    min_rows: Annotated[int, Field(ge=0)] | None = None
    max_rows: Annotated[int, Field(ge=0)] | None = None
    acknowledge: Words = ()
    webhook: Address | None = None
    secret: str | None = None
    watch: bool = False
    every: Span = timedelta(hours=1)
    looks: Annotated[int, Field(ge=1)] | None = None
    retrain: Literal["never", "on_alarm", "schedule", "budgeted"] = "never"
    retrain_every: Span = timedelta(days=7)
    retrain_on: Literal["all", "recent", "weighted", "since_drift"] = "all"
    recent: Span = timedelta(days=90)
    budget: Annotated[float, Field(ge=0)] | None = None


@option
class Backtest:
    """`backtest.*`: how time is replayed.

    Args:
        policy: the policies compared; `schedule:3` retrains every three periods, `oracle` picks afterwards.
        period: a span of time (`30d`), or a number of rows.
        start: periods that the first model learns from.
        delay: periods until the labels of a period are known.
        recent: periods that a retraining learns from; null takes all.
        cool_down: periods between two retrainings of `on_alarm`.
        rounds: boosting rounds of a training, at most.
    """

    policy: Words = ("never", "schedule:1", "schedule:3", "on_alarm")
    period: Rows = timedelta(days=30)
    start: Annotated[int, Field(ge=1)] = 3
    delay: Annotated[int, Field(ge=0)] = 1
    recent: Annotated[int, Field(ge=1)] | None = None
    cool_down: Annotated[int, Field(ge=0)] = 0
    rounds: Annotated[int, Field(ge=1)] = 300
