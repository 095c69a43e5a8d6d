"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import leaflab
from leaflab import errors

SRC = Path(leaflab.__file__).parent
FILES = sorted(p for p in SRC.rglob("*.py"))
HEAVY = ("mlflow", "lightgbm", "sklearn", "pandas", "optuna", "pyarrow", "deltalake", "scipy")


def rel(file: Path) -> str:
    return file.relative_to(SRC).as_posix()


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    doc = ast.get_docstring(node, clean=False)
    return (node.end_lineno or 0) - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)


def test_there_is_a_house() -> None:
    assert len(FILES) > 40


@pytest.mark.parametrize("file", FILES, ids=rel)
def test_files_and_functions_stay_small(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300
    for node in functions(file):
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        own = [n for n in names if n not in ("self", "cls")]
        assert body_lines(node) <= 50, f"{node.name} has {body_lines(node)} lines"
        assert len(own) <= 6, f"{node.name} has {len(own)} parameters"


@pytest.mark.parametrize("file", FILES, ids=rel)
def test_foreign_packages_stay_in_their_rooms(file: Path) -> None:
    rooms = {
        "mlflow": ("tracking/",),
        "optuna": ("search/",),
        "hydra": ("app.py", "door/"),
        "omegaconf": ("app.py", "door/"),
    }
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in names:
            allowed = rooms.get(name.partition(".")[0])
            assert allowed is None or rel(file).startswith(allowed), f"{rel(file)} imports {name}"


MODULES = [f for f in FILES if f.stem not in ("__init__", "__main__")]


@pytest.mark.parametrize("file", MODULES, ids=rel)
def test_every_module_says_what_it_offers(file: Path) -> None:
    name = "leaflab." + rel(file).removesuffix(".py").replace("/", ".")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    module = importlib.import_module(name)
    assert all(hasattr(module, offered) for offered in module.__all__)


def test_the_public_names_are_few_and_real() -> None:
    assert leaflab.__all__ == sorted(leaflab.__all__)
    assert len(leaflab.__all__) <= 12
    assert all(getattr(leaflab, name) is not None for name in leaflab.__all__)
    assert dir(leaflab) == leaflab.__all__
    with pytest.raises(AttributeError, match="nonsense"):
        leaflab.nonsense  # noqa: B018


def test_a_room_that_is_loaded_hides_no_verb() -> None:
    importlib.import_module("leaflab.prepare.base")
    with pytest.raises(TypeError, match="positional"):
        leaflab.prepare(1, 2, 3, 4, 5, 6, 7)
    code = "import leaflab; print(leaflab.prepare.__name__, callable(leaflab.prepare))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["leaflab.prepare", "True"]


def test_errors_are_few_and_drawn_in_the_tree() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert len(kinds) <= 10
    assert all(issubclass(kind, errors.LeaflabError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def loaded_by(code: str) -> set[str]:
    code += "\nimport sys\nprint(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in HEAVY if name in out.stdout.splitlines()[-1].split()}


def test_help_and_composing_load_nothing_heavy() -> None:
    assert loaded_by("from leaflab.app import main; main(['--help'])") == set()
    assert loaded_by("from leaflab.app import main; main(['sweep', '--help'])") == set()
    assert loaded_by("from leaflab.door.compose import lab_for; lab_for('run', ['experiment=baseline'])") == set()


def test_imports_go_one_way() -> None:
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    config = SRC.parents[1] / "pyproject.toml"
    assert lint_imports(config_filename=str(config), no_cache=True) == EXIT_STATUS_SUCCESS


def test_nothing_in_the_house_is_unfinished() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    guilty = [rel(f) for f in FILES if any(mark in f.read_text(encoding="utf-8") for mark in marks)]
    assert guilty == []
