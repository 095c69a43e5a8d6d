"""Delimited text of every kind is read, and a bad line is set aside instead of ending the read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.source import blocks
from leaflab.source.base import Reading
from leaflab.source.file import File


def write(folder: Path, data: str | bytes, name: str = "t.csv") -> str:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def read(path: str, **options: Any) -> tuple[pa.Table, Reading]:
    reading = File(path=path, **options).read()
    return reading.table(), reading


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that what happens between blocks happens in small files."""
    monkeypatch.setattr("leaflab.source.blocks.blocks.__kwdefaults__", {"quotes": True, "size": 64})


def test_types_follow_the_values(tmp_path: Path) -> None:
    text = "n,x,s,b,t,d,z,clock\n1,1.5,a,true,2020-01-01 10:00:00,2020-01-01,2020-01-01T00:00:00Z,10:30:00\n,,,,,,,\n"
    text += "2,NA,b,false,2020-01-01T10:00:00.25,2020-01-02,,\n"
    table, reading = read(write(tmp_path, text))
    assert [str(t) for t in table.schema.types] == [
        "int64", "double", "string", "bool", "timestamp[us]", "timestamp[us]", "timestamp[us, tz=UTC]", "string",
    ]  # fmt: skip
    assert table.column("x").to_pylist() == [1.5, None]
    assert table.column("d").to_pylist() == [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)]
    assert table.column("clock").to_pylist() == ["10:30:00", None]
    assert reading.notes == ["1 blank row dropped"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_encodings_and_line_ends_are_found(
    tmp_path: Path, delimiter: str, encoding: str, newline: str
) -> None:
    rows = [["größe", "wert [m], (x)", "preis"], ["é", "1", "2.5"], ["zwei Wörter", "3", "4.5"]]
    text = newline.join(delimiter.join(f'"{f}"' if "," in f else f for f in row) for row in rows) + newline
    table, _ = read(write(tmp_path, text.encode(encoding)))
    assert table.to_pydict() == {"größe": ["é", "zwei Wörter"], "wert [m], (x)": [1, 3], "preis": [2.5, 4.5]}


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    table, _ = read(write(tmp_path, "a;b;c\n1,5;2,5;x\n2,5;3,5;y\n"))
    assert table.column("a").to_pylist() == ["1,5", "2,5"]


def test_a_spreadsheet_may_say_its_delimiter(tmp_path: Path) -> None:
    assert read(write(tmp_path, "sep=;\r\na;b\r\n1;2,5\r\n"))[0].to_pydict() == {"a": [1], "b": ["2,5"]}


def test_blanks_cut_fields_where_they_cut_every_line_alike(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a b\n1 2\n3 4\n"))[0].to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert read(write(tmp_path, "what was said\nhello there\ngood bye to you\n"))[0].num_columns == 1


def test_one_column_is_a_table(tmp_path: Path) -> None:
    assert read(write(tmp_path, "alone\n1\n2\n"))[0].to_pydict() == {"alone": [1, 2]}


def test_text_kept_as_it_is_and_empty_text_is_missing(tmp_path: Path) -> None:
    table, _ = read(write(tmp_path, 'a,b\n NA ,1\nNA,2\n"",3\nnull,4\n'))
    assert table.column("a").to_pylist() == [" NA ", "NA", None, "null"]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("late", "kind"), [("oops", "string"), ("1.5", "double"), ("true", "string"), ("", "int64")])
def test_a_late_value_of_another_type_widens_its_column(tmp_path: Path, late: str, kind: str) -> None:
    rows = [f"{i},{i / 2}" for i in range(100)] + [f"{late},0.5"] + [f"{i},x" for i in range(3)]
    table, reading = read(write(tmp_path, "n,x\n" + "\n".join(rows)))
    assert (table.num_rows, str(table.schema.types[0]), str(table.schema.types[1])) == (104, kind, "string")
    assert table.column("n").to_pylist()[100] == {"string": late, "double": 1.5, "int64": None}[kind]
    assert table.column("x").to_pylist()[:3] == ["0.0", "0.5", "1.0"]
    assert reading.bad == []


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("at", [0, 99])
@pytest.mark.parametrize("code", ["00501", '"00501"', "-007", "12345678901234567890", " 00"])
def test_codes_of_digits_are_text_wherever_the_first_one_stands(tmp_path: Path, at: int, code: str) -> None:
    rows = [f"{10000 + i},{i / 2},05/03/2020,{i}" for i in range(100)]
    rows[at] = f"{code},007.5,05/03/2020,0"
    table, _ = read(write(tmp_path, "zip,x,day,n\n" + "\n".join(rows)))
    assert [str(t) for t in table.schema.types] == ["string", "double", "string", "int64"]
    found = table.column("zip").to_pylist()
    assert (found[at], found[50]) == (code.strip('"'), "10050")
    assert table.column("x").to_pylist()[at] == 7.5


def test_a_zero_that_leads_nothing_is_a_number(tmp_path: Path) -> None:
    table, _ = read(write(tmp_path, "n,x,t\n0,0.05,2020-01-01 00:05:00\n10,-0.01,2020-01-02 01:00:00\n-0,1e05,\n"))
    assert [str(t) for t in table.schema.types] == ["int64", "double", "timestamp[us]"]


@pytest.mark.usefixtures("small_blocks")
def test_bad_lines_are_set_aside_with_number_reason_and_text(tmp_path: Path) -> None:
    lines = ["n,s", *[f"{i},v{i}" for i in range(40)]]
    lines[10], lines[20], lines[30] = "1,2,3", "only one", '7,"never closed'
    table, reading = read(write(tmp_path, "\n".join(lines) + "\n"))
    assert [(b.line, b.reason, b.raw) for b in reading.bad] == [
        (11, "3 fields where the header has 2", "1,2,3"),
        (21, "1 fields where the header has 2", "only one"),
        (31, "a quote that is never closed", '7,"never closed'),
    ]
    assert table.num_rows + len(reading.bad) == 40
    assert table.column("n").to_pylist() == [i for i in range(40) if i not in (9, 19, 29)]


@pytest.mark.parametrize("at", [0, 1, 2999])
@pytest.mark.parametrize("zeros", [1, 4096, 4097])
def test_zeros_that_a_power_cut_left_cost_their_line_only(tmp_path: Path, at: int, zeros: int) -> None:
    lines = [f"{i},v{i}".encode() for i in range(3000)]
    lines[at] = bytes(zeros) + lines[at]
    table, reading = read(write(tmp_path, b"n,s\n" + b"\n".join(lines) + b"\n"))
    assert [(b.line, b.reason) for b in reading.bad] == [(at + 2, "holds a zero byte")]
    assert table.column("n").to_pylist() == [i for i in range(3000) if i != at]


def test_zeros_before_and_in_the_header_are_no_names(tmp_path: Path) -> None:
    assert read(write(tmp_path, bytes(500) + b"\na\0,b\n1,2\n"))[0].to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.usefixtures("small_blocks")
def test_quoted_fields_may_hold_line_breaks_delimiters_and_quotes(tmp_path: Path) -> None:
    rows = [f'{i},"line {i}\nwith, ""quotes""\r\nand more"' for i in range(50)]
    table, reading = read(write(tmp_path, "n,s\n" + "\n".join(rows) + "\n"))
    assert table.column("n").to_pylist() == list(range(50))
    assert table.column("s").to_pylist()[7] == 'line 7\nwith, "quotes"\r\nand more'
    assert reading.bad == []


@pytest.mark.usefixtures("small_blocks")
def test_a_stray_quote_inside_a_field_is_a_character(tmp_path: Path) -> None:
    rows = [f"{i},{i}' 10\"" for i in range(31)]
    table, reading = read(write(tmp_path, "n,s\n" + "\n".join(rows) + "\n"))
    assert table.column("s").to_pylist() == [f"{i}' 10\"" for i in range(31)]
    assert reading.bad == []


@pytest.mark.usefixtures("small_blocks")
def test_late_latin_1_is_found_out(tmp_path: Path) -> None:
    data = b"n,s\n" + b"".join(b"%d,plain\n" % i for i in range(30)) + "30,café\n".encode("latin-1")
    table, reading = read(write(tmp_path, data))
    assert table.column("s").to_pylist()[-1] == "café"
    assert reading.bad == []


@pytest.mark.usefixtures("small_blocks")
def test_a_broken_character_in_utf_8_costs_its_line_only(tmp_path: Path) -> None:
    data = b"n,s\n" + "".join(f"{i},dé ü\n" for i in range(30)).encode() + b"30,caf\xe9 " + "äöü\n31,ok\n".encode()
    table, reading = read(write(tmp_path, data))
    assert [(b.line, b.reason) for b in reading.bad] == [(32, "not valid UTF-8")]
    assert table.column("n").to_pylist() == [*range(30), 31]


def test_columns_without_name_and_value_go(tmp_path: Path) -> None:
    table, reading = read(write(tmp_path, "a;b;;\n1;x;;\n2;y;;\n;;;\n"))
    assert table.to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    assert reading.notes == ["2 blank columns dropped", "1 blank row dropped"]


@pytest.mark.usefixtures("small_blocks")
def test_a_column_without_name_but_a_late_value_stays(tmp_path: Path) -> None:
    rows = [f"{i}," for i in range(50)] + ["50,late"]
    table, _ = read(write(tmp_path, "a,\n" + "\n".join(rows)))
    assert table.column("column_2").to_pylist()[-1] == "late"


def test_a_header_one_short_leaves_row_numbers_unnamed(tmp_path: Path) -> None:
    table, _ = read(write(tmp_path, '"a","b"\n"1",5,6\n"2",7,8\n'))
    assert table.to_pydict() == {"row": [1, 2], "a": [5, 7], "b": [6, 8]}


def test_a_name_that_stands_twice_is_numbered(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a,a,a_2\n1,2,3\n"))[0].column_names == ["a", "a_2", "a_2_2"]


def test_a_file_without_a_header_takes_names(tmp_path: Path) -> None:
    assert read(write(tmp_path, "1,x\n2,y\n"), names=["n", "s"])[0].to_pydict() == {"n": [1, 2], "s": ["x", "y"]}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("t.csv", b"", "'.*t.csv' is empty"),
        ("t.csv", b" \n\n", "'.*t.csv' is empty"),
        ("t.csv", b"a,b\n", "has a header but no row that fits it"),
        ("t.csv", b"PAR1" + bytes(100), "is not delimited text but parquet"),
        ("t.csv", b"PK\x03\x04" + bytes(100), "is not delimited text but zip"),
        ("t.csv", b"a,b\n1,\x00\x00\n", "has a header but no row that fits it"),
        ("t.csv", bytes(1000), "has a header but no row that fits it|binary data"),
        ("t.csv", bytes(range(1, 256)) * 9, "is not delimited text but binary data"),
        ("t.xyz", b"a,b\n1,2\n", "has an ending that names no format"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        File(path=write(tmp_path, data, name)).read().table()


def test_missing_and_unreadable_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'.*nope.csv' does not exist"):
        File(path=str(tmp_path / "nope.csv")).read()
    with pytest.raises(SourceError, match=r"`source.encoding` names no known encoding, got 'klingon'"):
        File(path=write(tmp_path, "a,b\n1,2\n"), encoding="klingon").read()


def test_blocks_are_the_file_again(tmp_path: Path) -> None:
    data = b"a,b\n" + b'".\n,",1\n2,3\n' * 40 + b"last"
    with Path(write(tmp_path, data)).open("rb") as stream:
        cut = list(blocks.blocks(stream, "utf-8", size=50))
    assert b"".join(cut) == data
    assert len(cut) > 5
    assert all(block.count(b'"') % 2 == 0 and not block.odd for block in cut)
    line = 1
    for block in cut:
        assert block.line == line
        line += block.count(b"\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": "abc"}, "`source.delimiter` must be one plain character, got 'abc'"),
        ({"delimiter": "€"}, "must be one plain character"),
        ({"delimiter": '"'}, "must be one plain character"),
        ({"names": []}, "`source.names` must name every column"),
    ],
)
def test_what_cannot_delimit_or_name_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(write(tmp_path, "a,b\n1,2\n"), **options)


def test_a_tab_may_be_written_as_two_characters(tmp_path: Path) -> None:
    table, _ = read(write(tmp_path, "a\tb,c\n1\t2\n"), delimiter="\\t")
    assert table.to_pydict() == {"a": [1], "b,c": [2]}
