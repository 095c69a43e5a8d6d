"""Every option of `conf/source` keeps the contract of sources."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from leaflab.errors import LeaflabError
from leaflab.option import is_option
from leaflab.source.base import Source

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "source").glob("*.yaml"))
OFFLINE = ("sklearn", "flights")


def build(path: Path) -> Source:
    plain = yaml.safe_load(path.read_text(encoding="utf-8").replace("${home}", "/nowhere"))
    module, _, name = plain.pop("_target_").rpartition(".")
    made = getattr(importlib.import_module(module), name)
    assert is_option(made)
    return made(**plain)


def test_there_are_sources_to_check() -> None:
    assert len(OPTIONS) >= 7


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_building_one_touches_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = build(path)
    assert isinstance(source, Source)
    assert source.default_name is None or isinstance(source.default_name, str)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("path", [p for p in OPTIONS if p.stem not in OFFLINE], ids=lambda p: p.stem)
def test_one_that_was_told_nothing_says_what_it_needs(path: Path) -> None:
    with pytest.raises(LeaflabError, match=r"`source\.\w+` is not set|needs an optional package"):
        build(path).read()


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_its_module_loads_nothing_heavy(path: Path) -> None:
    module = yaml.safe_load(path.read_text(encoding="utf-8").replace("${home}", "/nowhere"))["_target_"].rpartition(
        "."
    )[0]
    heavy = [
        "pandas",
        "pyarrow",
        "numpy",
        "sklearn",
        "deltalake",
        "sqlalchemy",
        "paho",
        "openml",
        "fsspec",
        "PIL",
        "av",
    ]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
