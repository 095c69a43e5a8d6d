"""`leaflab diff`: what changed between two versions of a table, two datasets or two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.workflow.lab import Lab

__all__ = ["command", "find_table"]


@click.command(help="Columns, rows and distributions that differ between A and B.")
@click.argument("a")
@click.argument("b")
def command(a: str, b: str) -> int:
    """A and B are lake tables (`raw/flights@3`, `dataset/flights/train`), dataset names or ids, or run ids."""
    from leaflab.door.compose import lab_for
    from leaflab.prepare.difference import compare

    lab = lab_for("promote", ["name=diff"])
    click.echo(str(compare(find_table(lab, a), find_table(lab, b))))
    return 0


def find_table(lab: Lab, wanted: str) -> pa.Table:
    """The table of a lake name and version, of a dataset (its three parts), or of the dataset of a run.

    Raises:
        DataError: nothing goes by this name.
        ConfigError: the version is no number.
    """
    from leaflab.errors import ConfigError

    name, _, version = wanted.partition("@")
    if version and not version.isdigit():
        raise ConfigError(f"'{wanted}'", "must end in a version number after the @", got=version)
    if name in lab.lake.tables():
        return lab.lake.read(name, int(version) if version else None)
    return _of_dataset(lab, wanted)


def _of_dataset(lab: Lab, wanted: str) -> pa.Table:
    import pyarrow as pa

    from leaflab.values import PARTS
    from leaflab.workflow.prepare import load_dataset

    record = lab.tracking.get(wanted)
    dataset = load_dataset(lab.lake, record.tags.get("leaflab.dataset", wanted) if record else wanted)
    parts = [t.append_column("part", pa.array([p] * t.num_rows)) for p, t in ((p, dataset.parts[p]) for p in PARTS)]
    return pa.concat_tables(parts)
