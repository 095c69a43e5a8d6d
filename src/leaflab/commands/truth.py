"""`leaflab truth`: joins labels that arrived later to the predictions they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.workflow.lab import Lab

__all__ = ["command"]

_LABELS = ("truth", "label", "target")


@click.command(
    help="Adds the labels of FILE to the lake table truth/NAME. FILE has a column row_id (or the model's id columns) "
    "and the label: the model's target, or a column named truth. A later label of a row replaces an earlier one."
)
@click.argument("name")
@click.argument("file")
def command(name: str, file: str) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.serve.truth import record_truth

    lab = lab_for("predict", [f"name={name}"])
    row_ids, labels = _read(lab, file)
    taken = record_truth(lab.lake, lab.name, row_ids, labels)
    known = _known(lab, row_ids)
    click.echo(f"truth/{lab.name}: {taken:,} labels added, {known:,} of them for rows that were predicted.")
    return 0


def _read(lab: Lab, file: str) -> tuple[list[str], list[object]]:
    """Row ids and labels of a file.

    Raises:
        DataError: it has no column that names rows, or none that holds labels; or none of its rows has both.
    """
    from leaflab.errors import DataError
    from leaflab.source.file import File

    table = File(path=file).read().table()
    scorer = _scorer(lab)
    target = str(scorer.meta.get("target") or "") if scorer else ""
    label = next((c for c in (target, *_LABELS) if c and c in table.column_names), None)
    if label is None:
        wanted = " or ".join(f"'{c}'" for c in dict.fromkeys((target or "truth", "truth")))
        raise DataError(f"'{file}'", f"has no column {wanted} that holds the labels")
    ids = _ids(table, scorer, file)
    pairs = zip(ids, table[label].to_pylist(), strict=True)
    kept = [(row_id, value) for row_id, value in pairs if row_id is not None and value is not None]
    if not kept:
        raise DataError(f"'{file}'", f"has no row with both an id and a label in '{label}'")
    return [row_id for row_id, _ in kept], [value for _, value in kept]


def _ids(table: pa.Table, scorer: Scorer | None, file: str) -> list[str | None]:
    from leaflab.errors import DataError

    if "row_id" in table.column_names:
        return [None if value is None else str(value) for value in table["row_id"].to_pylist()]
    named = list(scorer.meta.get("id") or ()) if scorer else []
    if not named or not set(named) <= set(table.column_names):
        instead = f", nor the id columns {', '.join(map(repr, named))}" if named else ""
        raise DataError(f"'{file}'", f"has no column 'row_id'{instead}", hint="predictions carry it")
    from leaflab.serve.answers import joined_ids

    return list(joined_ids(table, named))


def _scorer(lab: Lab) -> Scorer | None:
    """The champion, or the newest model where none is champion yet."""
    registry = lab.tracking.registry
    found = registry.version(lab.name, alias="champion") or next(iter(registry.versions(lab.name)[-1:]), None)
    return registry.scorer(found) if found else None


def _known(lab: Lab, row_ids: list[str]) -> int:
    """How many of the ids stand in a prediction."""
    seen: set[str] = set()
    for table in ("inference", "prediction"):
        if lab.lake.versions(f"{table}/{lab.name}"):
            seen.update(lab.lake.read(f"{table}/{lab.name}", columns=["row_id"])["row_id"].to_pylist())
    return sum(row_id in seen for row_id in row_ids)
