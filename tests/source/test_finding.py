"""Files are found wherever they lie and however they are packed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import http.server
import lzma
import resource
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.source.base import Reading
from leaflab.source.file import File
from leaflab.source.finding import stem_of
from leaflab.source.url import Url

CSV = b"n,s\n1,x\n2,y\n"
TABLE = {"n": [1, 2], "s": ["x", "y"]}


def pydict(reading: Reading) -> dict[str, list[object]]:
    return reading.table().to_pydict()


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
def test_compressed_files_are_unpacked_on_the_way(tmp_path: Path, ending: str, pack) -> None:
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(pack(CSV))
    source = File(path=str(path))
    assert source.default_name == "t"
    assert pydict(source.read()) == TABLE
    packed = pack(CSV * 3000)
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(SourceError, match=r"t.csv.* cannot be read"):
        source.read().table()


def test_two_gzip_parts_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CSV) + gzip.compress(b"3,z\n"))
    assert pydict(File(path=str(tmp_path / "t.csv.gz")).read())["n"] == [1, 2, 3]


def test_an_archive_is_read_member_by_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("folder/b.csv", b"s;n\nz;3\n1;2;3\n")
        archive.writestr("folder/a.csv.gz", gzip.compress(CSV))
        archive.writestr("__MACOSX/a.csv", b"junk")
        archive.writestr("README", b"words")
    reading = File(path=str(tmp_path / "t.zip")).read()
    assert pydict(reading) == {"n": [1, 2, 3], "s": ["x", "y", "z"]}
    assert [(b.line, b.source) for b in reading.bad] == [(3, f"{tmp_path}/t.zip:folder/b.csv")]


def test_an_archive_may_lie_in_an_archive(tmp_path: Path) -> None:
    data, name = CSV, "t.csv"
    for deep in range(1, 5):
        with zipfile.ZipFile(tmp_path / f"{deep}.zip", "w") as archive:
            archive.writestr(name, data)
            archive.writestr(f"{deep}.csv", b"s,n\nz,3\n")
        data, name = (tmp_path / f"{deep}.zip").read_bytes(), f"{deep}.zip"
    assert sorted(pydict(File(path=str(tmp_path / "2.zip")).read())["n"]) == [1, 2, 3, 3]
    with pytest.raises(SourceError, match=r"4.zip:3.zip:2.zip:1.zip' is an archive in 3 others: unpack it first"):
        File(path=str(tmp_path / "4.zip")).read()


def test_archives_that_hold_nothing_or_are_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("README", b"words")
    with pytest.raises(SourceError, match="is an archive without a table"):
        File(path=str(tmp_path / "t.zip")).read()
    (tmp_path / "t.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(SourceError, match=r"t.zip' cannot be read"):
        File(path=str(tmp_path / "t.zip")).read()


def test_files_that_must_be_read_at_any_place_may_be_packed(tmp_path: Path) -> None:
    pq.write_table(pa.table(TABLE), tmp_path / "t.parquet")
    book = openpyxl.Workbook()
    for row in (["n", "s"], [1, "x"], [2, "y"]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "t.xlsx")
    for name in ("t.parquet", "t.xlsx"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(tmp_path / name, name)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        assert pydict(File(path=str(tmp_path / f"{name}.zip")).read()) == TABLE
        assert pydict(File(path=str(tmp_path / f"{name}.gz")).read()) == TABLE


def test_a_pattern_and_a_folder_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "day-2.csv").write_bytes(b"n,s\n3,\n4.5,z\n")
    (tmp_path / "day-1.csv").write_bytes(CSV)
    (tmp_path / ".hidden.csv").write_bytes(b"junk")
    (tmp_path / "notes.md").write_bytes(b"junk")
    wanted = {"n": [1.0, 2.0, 3.0, 4.5], "s": ["x", "y", None, "z"]}
    assert pydict(File(path=str(tmp_path / "day-*.csv")).read()) == wanted
    assert pydict(File(path=str(tmp_path)).read()) == wanted
    assert File(path=str(tmp_path / "day-*.csv")).default_name == tmp_path.name


def test_files_of_one_pattern_must_have_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "b.csv").write_bytes(b"n,other\n3,z\n")
    with pytest.raises(SourceError, match=r"b.csv' has other columns than '.*a.csv' \('other', 's'\)"):
        File(path=str(tmp_path / "*.csv")).read()
    (tmp_path / "b.csv").rename(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"holds files of several formats \(csv, parquet\)"):
        File(path=str(tmp_path)).read()


def test_what_matches_nothing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        File(path=str(tmp_path / "*.csv")).read()
    with pytest.raises(SourceError, match="holds no table"):
        File(path=str(tmp_path)).read()


def test_names() -> None:
    assert stem_of("*.csv") is None
    assert stem_of("s3://bucket/a%20b.csv.zst") == "a b"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine; /short promises more than it sends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/gone"):
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CSV) + (99 if self.path.startswith("/short") else 0)))
            self.end_headers()
            self.wfile.write(CSV)

        def log_message(self, *words: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_url_is_a_file(server: str) -> None:
    source = File(path=f"{server}/data/prices.csv?token=secret")
    assert source.default_name == "prices"
    reading = source.read()
    assert pydict(reading) == TABLE
    assert reading.uri == f"{server}/data/prices.csv"


def test_a_url_with_its_digest(server: str) -> None:
    digest = hashlib.sha256(CSV).hexdigest()
    assert pydict(Url(url=f"{server}/prices.csv", digest=f"sha256:{digest.upper()}").read()) == TABLE
    assert Url(url=f"{server}/prices.csv").read().notes == [
        f"set source.digest={digest} to be sure of this file next time"
    ]
    with pytest.raises(SourceError, match=f"must have the digest 00, got '{digest}'"):
        Url(url=f"{server}/prices.csv", digest="00").read()
    with pytest.raises(ConfigError, match=r"`source.url` must be an http or https URL"):
        Url(url="ftp://x/prices.csv").read()


def test_a_server_that_refuses_or_stops_is_one_sentence(server: str, free_port: int) -> None:
    with pytest.raises(SourceError, match=r"gone.csv' was refused by its server \(404 Not Found\)"):
        File(path=f"{server}/gone.csv").read()
    with pytest.raises(SourceError, match=r"short.csv' stopped after 12 of 111 bytes"):
        File(path=f"{server}/short.csv").read()
    with pytest.raises(SourceError, match=r"cannot be reached \(.*refused"):
        File(path=f"http://127.0.0.1:{free_port}/a.csv").read()


@pytest.mark.parametrize("kind", [File, Url])
def test_a_download_for_which_there_is_no_room_is_one_sentence(server: str, kind: type[File | Url]) -> None:
    url = f"{server}/a.csv"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CSV) - 1, hard))
    try:
        with pytest.raises(SourceError, match=r"a.csv' cannot be downloaded to '.*' \(File too large\)"):
            (File(path=url) if kind is File else Url(url=url)).read()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_object_store_goes_through_fsspec() -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://bucket/a.csv", "wb") as file:
        file.write(CSV)
    assert pydict(File(path="memory://bucket/a.csv").read()) == TABLE
    assert pydict(File(path="memory://bucket/*.csv").read()) == TABLE
    with pytest.raises(SourceError, match="names no file"):
        File(path="memory://bucket/nope.csv").read()
    with pytest.raises(SourceError, match=r"names no store that is known, got 'klingon://'"):
        File(path="klingon://bucket/a.csv").read()


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_a_store_whose_package_is_missing_names_it(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SourceError, match=rf"a source at {scheme}:// needs the package {package}: pip install"):
        File(path=f"{scheme}://bucket/a.csv").read()
