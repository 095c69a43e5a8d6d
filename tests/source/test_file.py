"""The same table is read from every format, and what is not what it claims to be is one sentence."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from leaflab.errors import ConfigError, SourceError
from leaflab.identity import digest
from leaflab.source.file import File

NAMES = ["n", "x (m), [raw]", "größe", "ok", "when"]
ROWS: list[list[Any]] = [
    [1, 1.5, "a", True, dt.datetime(2020, 1, 2, 3, 4, 5)],
    [None, 2.5, None, None, None],
    [3, None, "c d", False, dt.datetime(2021, 1, 2)],
]
TABLE = pa.table({name: [row[at] for row in ROWS] for at, name in enumerate(NAMES)})


def save(folder: Path, ending: str) -> str:
    path = folder / f"my table.{ending}"
    plain = [
        {n: v.isoformat() if isinstance(v, dt.datetime) else v for n, v in row.items()} for row in TABLE.to_pylist()
    ]
    if ending == "csv":
        lines = [",".join(f'"{n}"' for n in NAMES)]
        lines += [",".join("" if v is None else str(v) for v in row) for row in ROWS]
        path.write_text("\n".join(lines), encoding="utf-8")
    elif ending == "parquet":
        pq.write_table(TABLE, path)
    elif ending in ("feather", "arrow"):
        feather.write_feather(TABLE, str(path))
    elif ending in ("jsonl", "ndjson"):
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in plain), encoding="utf-8")
    elif ending == "json":
        path.write_text(json.dumps({"rows": plain}), encoding="utf-8")
    elif ending == "xlsx":
        book = openpyxl.Workbook()
        for row in [[None] * 7, [None, *NAMES], [None, *ROWS[0]], [None] * 3, *[[None, *r] for r in ROWS[1:]]]:
            book.worksheets[0].append(row)
        book.save(path)
    return str(path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather", "arrow", "xlsx"])
def test_one_table_in_every_format_has_one_digest(tmp_path: Path, ending: str) -> None:
    source = File(path=save(tmp_path, ending))
    assert source.default_name == "my table"
    table = source.read().table()
    assert table.column_names == NAMES
    assert table.to_pylist() == TABLE.to_pylist()
    assert digest(table) == digest(TABLE)


@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson"])
def test_json_has_times_as_text_only(tmp_path: Path, ending: str) -> None:
    table = File(path=save(tmp_path, ending)).read().table()
    texts = [None if row[4] is None else row[4].isoformat() for row in ROWS]
    assert digest(table) == digest(TABLE.set_column(4, "when", pa.array(texts)))


def test_a_sheet_says_what_it_dropped(tmp_path: Path) -> None:
    reading = File(path=save(tmp_path, "xlsx")).read()
    reading.table()
    assert reading.notes == ["1 blank column dropped", "2 blank rows dropped"]


def test_another_sheet_by_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["first"])
    book.create_sheet("Data")
    book["Data"].append(["a", "a", None])
    book["Data"].append([1, "x", dt.time(10, 30)])
    book["Data"].append(["two", 2.0, None])
    book.save(tmp_path / "b.xlsx")
    table = File(path=str(tmp_path / "b.xlsx"), sheet="Data").read().table()
    assert table.to_pydict() == {"a": ["1", "two"], "a_2": ["x", "2"], "column_3": ["10:30:00", None]}
    with pytest.raises(SourceError, match=r"`source.sheet` names no sheet, got 'Nope': the workbook has Sheet, Data"):
        File(path=str(tmp_path / "b.xlsx"), sheet="Nope").read()
    with pytest.raises(SourceError, match=r"has a header but no rows"):
        File(path=str(tmp_path / "b.xlsx")).read()


def test_digits_are_a_code_where_their_format_shows_one(tmp_path: Path) -> None:
    formats = {"zip": "00000", "plain": "General", "far": "0000", "id": r"00\-000", "price": "#,##0.00", "n": "0"}
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(formats))
    for number in (501, 10115):
        sheet.append([number] * len(formats))
        for cell, form in zip(sheet[sheet.max_row], formats.values(), strict=True):
            cell.number_format = form
    sheet["C2"].value = 5010
    book.save(tmp_path / "t.xlsx")
    assert File(path=str(tmp_path / "t.xlsx")).read().table().to_pydict() == {
        "zip": ["00501", "10115"],
        "plain": [501, 10115],
        "far": [5010, 10115],
        "id": ["00-501", "10-115"],
        "price": [501, 10115],
        "n": [501, 10115],
    }


def test_titles_above_a_sheet_are_set_aside(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["A cover"])
    sheet = book.create_sheet("Data")
    for row in (["Sales of 2024"], [], [None, "in thousands"], ["day", "n"], ["mon", 5], ["sum", 5]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    book.save(tmp_path / "t.xlsx")
    reading = File(path=str(tmp_path / "t.xlsx"), sheet="Data").read()
    assert reading.table().to_pydict() == {"day": ["mon", "sum"], "n": [5, 5]}
    assert [(bad.line, bad.raw) for bad in reading.bad] == [(1, "Sales of 2024"), (3, "in thousands")]
    with pytest.raises(SourceError, match=r"has a header but no rows: name another sheet with source.sheet: Data"):
        File(path=str(tmp_path / "t.xlsx")).read()


def test_one_column_with_a_remark_has_its_own_header(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["word"], ["a"], ["b", "a remark"], ["c"], ["d"]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "t.xlsx")
    found = File(path=str(tmp_path / "t.xlsx")).read().table().to_pydict()
    assert found == {"word": ["a", "b", "c", "d"], "column_2": [None, "a remark", None, None]}


def test_json_objects_nest_and_lists_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 1, "at": {"x": 2}, "tags": ["a", 1]}\n\n{"id": 2.5, "at": {"x": "far"}, "new": true}\n')
    assert File(path=str(path)).read().table().to_pylist() == [
        {"id": 1.0, "at.x": "2", "tags": '["a", 1]', "new": None},
        {"id": 2.5, "at.x": "far", "tags": None, "new": True},
    ]


def test_a_broken_json_line_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaflab.source.blocks.blocks.__kwdefaults__", {"quotes": True, "size": 64})
    path = tmp_path / "t.jsonl"
    lines = [json.dumps({"n": i}) for i in range(50)]
    lines[40], lines[45] = '{"n": 40', "[1, 2]"
    lines[48] = '{"n": 48, "late": "column"}'
    path.write_text("\n".join(lines))
    reading = File(path=str(path)).read()
    table = reading.table()
    assert table.column("n").to_pylist() == [i for i in range(50) if i not in (40, 45)]
    assert table.column("late").null_count == 47
    assert [(b.line, b.raw) for b in reading.bad] == [(41, '{"n": 40'), (46, "[1, 2]")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"n":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
        (r'{"n": "\ud800"}', "half a character"),
        (r'{"\ud800": 1}', "half a character"),
        (f'{{"n": {"9" * 5000}}}', "4300 digits"),
    ],
)
def test_json_that_cannot_be_kept_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"n": 1}}\n{line}\n{{"n": 2}}\n')
    reading = File(path=str(path)).read()
    assert reading.table().to_pydict() == {"n": [1, 2]}
    assert [bad.line for bad in reading.bad] == [2]
    assert reason in reading.bad[0].reason
    (tmp_path / "t.json").write_text(f"[{line}]")
    with pytest.raises(SourceError, match=rf"is not JSON \(.*{reason}"):
        File(path=str(tmp_path / "t.json")).read()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("t.parquet", b"a,b\n1,2\n", "is not a Parquet file"),
        ("t.parquet", b"PAR1", "is not a Parquet file"),
        ("t.arrow", b"a,b\n1,2\n", "is not a Arrow file|is not an Arrow file"),
        ("t.xlsx", b"a,b\n1,2\n", "is not an Excel workbook"),
        ("t.xlsx", b"PK\x03\x04 not really", "is not an Excel workbook"),
        ("t.json", b"a,b\n1,2\n", "is not JSON"),
        ("t.json", b"[1, 2]", "must hold an array of objects"),
        ("t.json", b'[{"a": 1}, ', "is not JSON"),
        ("t.json", b"[]", "holds no JSON object"),
        ("t.jsonl", b"PK\x03\x04", "is not JSON but zip"),
        ("t.parquet", b"", "is empty"),
    ],
)
def test_what_is_not_what_its_ending_says(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=words):
        File(path=str(tmp_path / name)).read().table()


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(TABLE.slice(0, 0), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"'.*t.parquet' has no rows"):
        File(path=str(tmp_path / "t.parquet")).read().table()


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"`source.path` is not set: name a table, as in source.path=prices.csv"):
        File().read()
    assert File().default_name is None
