"""Every option of `conf/lake` keeps the contract of lakes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from leaflab.errors import LakeError
from leaflab.identity import digest
from leaflab.lake.base import Lake
from leaflab.option import is_option

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "lake").glob("*.yaml"))
TABLE = pa.table({"n": [1, None], "s": ["a", "b"]})


def build(path: Path, home: Path) -> Lake:
    plain = yaml.safe_load(path.read_text(encoding="utf-8").replace("${home}", str(home)))
    module, _, name = plain.pop("_target_").rpartition(".")
    made = getattr(importlib.import_module(module), name)
    assert is_option(made)
    return made(**plain)


def test_there_are_lakes_to_check() -> None:
    assert len(OPTIONS) >= 1


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_building_one_touches_nothing(path: Path, tmp_path: Path) -> None:
    assert isinstance(build(path, tmp_path), Lake)
    assert not any(tmp_path.iterdir())


@pytest.fixture(params=[p for p in OPTIONS if p.stem == "local"], ids=lambda p: p.stem)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return build(request.param, tmp_path)


def test_a_version_is_what_was_written(lake: Lake) -> None:
    version = lake.write("raw/t", TABLE, meta={"k": 1})
    assert lake.read(version.name, version.version).equals(TABLE)
    assert version.digest == digest(TABLE).table
    assert lake.stream("raw/t", coded=True).read_all().cast(TABLE.schema).equals(TABLE)
    assert lake.current("raw/t") == version
    assert lake.versions("raw/t") == [version]
    assert lake.tables() == ["raw/t"]
    assert version.meta == {"k": 1}


def test_content_that_is_there_already_makes_no_version(lake: Lake) -> None:
    assert lake.write("raw/t", TABLE) == lake.write("raw/t", TABLE)


def test_what_is_absent_is_absent(lake: Lake) -> None:
    assert (lake.tables(), lake.versions("raw/t"), lake.current("raw/t")) == ([], [], None)
    with pytest.raises(LakeError, match=r"raw/t"):
        lake.read("raw/t")
