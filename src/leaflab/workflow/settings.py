"""The settings of verbs: one record a section of the configuration."""

from __future__ import annotations

from typing import Literal

from leaflab.option import option

__all__ = ["Collect", "Evaluate", "Predict", "Promote"]


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
