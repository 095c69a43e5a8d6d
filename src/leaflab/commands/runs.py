"""`leaflab runs`: the runs as a table in the terminal, filtered, sorted, exported."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leaflab.errors import ConfigError

if TYPE_CHECKING:
    from leaflab.tracking.base import Record

__all__ = ["command", "matching", "rows_of", "sorted_by"]

_CONDITION = re.compile(r"^\s*(.+?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.*?)\s*$")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq,
    "!=": operator.ne, "~": lambda seen, wanted: str(wanted).lower() in str(seen).lower(),
}  # fmt: skip
_FACTS = ("run", "name", "verb", "experiment", "status", "started", "seconds")
_MANY = 100_000
_WHERE = "A condition on a metric, param, tag or fact: < <= > >= = != or ~ (contains). Repeatable."

Row = dict[str, Any]


@click.command(
    help="The runs of experiment NAME (all without it) as a table.\n\n"
    "leaflab runs flights --verb trial --where 'valid/log_loss<0.3' --sort valid/log_loss --top 10"
)
@click.argument("name", required=False)
@click.option("--verb", help="Only runs of this verb: sweep, trial, baseline, evaluate, promote, …")
@click.option("--where", multiple=True, metavar="'KEY<VALUE'", help=_WHERE)
@click.option(
    "--sort", metavar="KEY", help="Metric, param or fact to sort by; -KEY sorts downwards. Default: newest first."
)
@click.option("--top", type=click.IntRange(1), help="Only the first so many.")
@click.option("--columns", metavar="KEY,KEY", help="Which columns; default: facts, metrics and the params that differ.")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), help="Write all columns to FILE.csv or FILE.parquet."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, as tracking.uri=http://host:5000."
)
def command(name: str | None, settings: tuple[str, ...], export: Path | None, **look: Any) -> None:
    from leaflab.door.compose import lab_for

    tracking = lab_for("promote", [f"name={name or 'runs'}", *settings]).tracking
    verb, where, sort = look["verb"], look["where"], look["sort"]
    records = tracking.search(name, {"leaflab.verb": verb} if verb else None, limit=_MANY)
    rows = matching(rows_of(records), where)
    rows = (sorted_by(rows, sort) if sort else rows)[: look["top"]]
    if export:
        click.echo(f"{_exported(rows, export)} runs written to {export}.")
    elif not rows:
        click.echo("No runs." if not where else f"No runs match {' and '.join(where)}.")
    else:
        _show(rows, look["columns"].split(",") if look["columns"] else _telling(rows, sort))


def rows_of(records: Iterable[Record]) -> list[Row]:
    """One flat row a run: facts, metrics, params (`param.` before a name a metric has too) and leaflab's own tags."""
    rows = []
    for r in records:
        seconds = None if r.ended is None else round(r.ended - r.started, 3)
        facts = (r.id, r.name, r.tags.get("leaflab.verb", ""), r.experiment, r.status, _time(r.started), seconds)
        params = {f"param.{k}" if k in r.metrics else k: _number(v) for k, v in r.params.items()}
        tags = {k: v for k, v in r.tags.items() if k.startswith("leaflab.") and k != "leaflab.verb"}
        rows.append({**params, **dict(zip(_FACTS, facts, strict=True)), **r.metrics, **tags})
    return rows


def matching(rows: Sequence[Row], conditions: Iterable[str]) -> list[Row]:
    """Rows that meet all conditions; a row without the key meets none on it.

    Raises:
        ConfigError: a condition that cannot be read, or a key no run has.
    """
    kept = list(rows)
    for condition in conditions:
        read = _CONDITION.match(condition)
        if read is None:
            raise ConfigError(
                "--where", "must be KEY, an operator and a value", got=condition, hint="as in 'valid/log_loss<0.3'"
            )
        key, sign, text = read.groups()
        _known(rows, key, "--where")
        wanted = _number(text.strip("'\""))
        kept = [row for row in kept if key in row and _holds(sign, row[key], wanted)]
    return kept


def sorted_by(rows: Sequence[Row], key: str) -> list[Row]:
    """Rows by a key, those without it last.

    Raises:
        ConfigError: no run has the key.
    """
    down, key = key.startswith("-"), key.removeprefix("-")
    _known(rows, key, "--sort")
    having = [row for row in rows if row.get(key) not in (None, "") and row[key] == row[key]]
    ids = {row["run"] for row in having}
    plain = all(isinstance(row[key], int | float) for row in having)
    ordered = sorted(having, key=lambda row: row[key] if plain else str(row[key]), reverse=down)
    return [*ordered, *(row for row in rows if row["run"] not in ids)]


def _holds(sign: str, seen: Any, wanted: Any) -> bool:
    if sign != "~" and isinstance(seen, int | float) != isinstance(wanted, int | float):
        seen, wanted = str(seen), str(wanted)
    return seen is not None and _OPERATORS[sign](seen, wanted)


def _known(rows: Sequence[Row], key: str, option: str) -> None:
    keys = {k for row in rows for k in row}
    if rows and key not in keys:
        from leaflab.door.nearest import did_you_mean

        raise ConfigError(
            option, "names no metric, param, tag or fact of these runs", got=key, hint=did_you_mean(key, sorted(keys))
        )


def _telling(rows: Sequence[Row], sort: str | None) -> list[str]:
    """The columns that tell these runs apart: what is sorted by, the headline metrics, the params that differ."""
    keys = list(dict.fromkeys(k for row in rows for k in row if k not in _FACTS and not k.startswith("leaflab.")))
    first = [sort.removeprefix("-")] if sort and sort.removeprefix("-") not in _FACTS else []
    metrics = [k for k in keys if k.startswith(("test/", "valid/", "oof/"))][:3]
    params = [k for k in keys if "/" not in k and len({str(row.get(k)) for row in rows}) > 1][:5]
    return list(dict.fromkeys(["run", "name", "status", "started", "seconds", *first, *metrics, *params]))


def _show(rows: Sequence[Row], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    for column in columns:
        _known(rows, column, "--columns")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(column, row.get(column)) for column in columns))
    console = Console()
    Console(width=console.width if console.is_terminal else 1000).print(table)


def _exported(rows: Sequence[Row], file: Path) -> int:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    keys = list(dict.fromkeys([*_FACTS, *(k for row in rows for k in row)]))
    columns = {}
    for key in keys:
        values = [row.get(key) for row in rows]
        plain = all(isinstance(v, int | float) or v is None for v in values)
        columns[key] = [v if v is None or plain else str(v) for v in values]
    table = pa.table(columns)
    match file.suffix:
        case ".csv":
            pa.csv.write_csv(table, file)
        case ".parquet":
            pa.parquet.write_table(table, file)
        case _:
            raise ConfigError("--export", "must end with .csv or .parquet", got=file.name)
    return len(rows)


def _number(text: Any) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return text


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")[:19]


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)[:8] if column == "run" else str(value)
