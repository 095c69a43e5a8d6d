"""A model as the folder MLflow loads: its own files beside the loader that ships with it, written without MLflow.

MLmodel  conda.yaml  python_env.yaml  requirements.txt  input_example.json  serving_input_example.json
code/leaflab_scorer_<hash>/…    the loader, under a name of its own sources: two loaders never meet in one process
data/…                          the scorer's files
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.values import Model

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ModelFolder", "files_of", "loader_name"]

_SCORER = Path(__file__).resolve().parents[1] / "scorer"


def loader_name() -> str:
    """The shipped loader's module name, which changes with its sources."""
    digest = hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in sorted(_SCORER.glob("*.py"))))
    return f"leaflab_scorer_{digest.hexdigest()[:8]}"


def files_of(model: Model) -> dict[str, str]:
    """The scorer files of a model, name to text."""
    if isinstance(model.files, Path):
        return {p.name: p.read_text(encoding="utf-8") for p in sorted(model.files.iterdir()) if p.is_file()}
    return dict(model.files)


class ModelFolder:
    """Writes the folders of the models of one process; what they share is made once and hard-linked.

    Args:
        shared: a folder for the files that many models share; made on first use.
    """

    def __init__(self, shared: Path) -> None:
        self._root = shared
        self._examples: dict[int, tuple[pa.Table, Path]] = {}

    def write(self, target: Path, model: Model, model_id: str, run_id: str) -> int:
        """Writes the folder of a model and returns its size in bytes, the loader not counted."""
        files = files_of(model)
        plain = json.loads(files["model.json"])
        kind = plain["predictor"]["kind"]
        (target / "data").mkdir(parents=True)
        size = 0
        for name, text in files.items():
            size += (target / "data" / name).write_bytes(text.encode("utf-8"))
        for source in (self._code, self._environment(kind), *self._example(model.example)):
            _link(source, target)
        facts = {"model_id": model_id, "run_id": run_id, "model_size_bytes": size}
        (target / "MLmodel").write_text(_mlmodel(plain, facts, model), encoding="utf-8")
        return size

    @cached_property
    def _code(self) -> Path:
        made = self._root / loader_name()
        package = made / "code" / loader_name()
        if not package.is_dir():
            partial = made.with_name(f".{made.name}-{os.getpid()}")
            shutil.copytree(_SCORER, partial / "code" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
            _settle(partial, made)
        return made

    def _environment(self, kind: str) -> Path:
        libraries = ["lightgbm", "numpy", "pandas"] if kind == "boosters" else ["numpy", "pandas"]
        pins = [f"{name}=={version(name)}" for name in libraries]
        texts = _environment_files(pins)
        return self._made("-".join(pins), texts)

    def _example(self, table: pa.Table | None) -> list[Path]:
        if table is None:
            return []
        known = self._examples.get(id(table))
        if known is None or known[0] is not table:
            self._examples.clear()  # one table at a time: a sweep shows the same rows with every model
            texts = _example_files(table)
            known = (table, self._made("example", texts))
            self._examples[id(table)] = known
        return [known[1]]

    def _made(self, label: str, texts: Mapping[str, str]) -> Path:
        digest = hashlib.sha256(json.dumps([label, texts]).encode()).hexdigest()[:16]
        made = self._root / digest
        if not made.is_dir():
            partial = made.with_name(f".{digest}-{os.getpid()}")
            partial.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (partial / name).write_text(text, encoding="utf-8")
            _settle(partial, made)
        return made


def _settle(partial: Path, made: Path) -> None:
    """Gives a finished folder its name; another process may have been first."""
    try:
        partial.rename(made)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, place)
            except OSError:
                shutil.copyfile(file, place)


def _environment_files(pins: list[str]) -> dict[str, str]:
    """MLflow stands among the needs, as in its own models: an environment made from them alone must load the model."""
    pins, python = [f"mlflow=={version('mlflow')}", *pins], platform.python_version()
    lines = "".join(f"  - {pin}\n" for pin in pins)
    conda = "  - pip:\n" + "".join(f"    - {pin}\n" for pin in pins)
    return {
        "requirements.txt": "".join(f"{pin}\n" for pin in pins),
        "python_env.yaml": f"python: {python}\nbuild_dependencies:\n  - pip\ndependencies:\n{lines}",
        "conda.yaml": f"name: mlflow\nchannels: [conda-forge]\ndependencies:\n  - python={python}\n  - pip\n{conda}",
    }


def _example_files(table: pa.Table) -> dict[str, str]:
    frame = table.slice(0, 5).to_pandas()
    split: dict[str, Any] = json.loads(frame.to_json(orient="split", date_format="iso"))
    split.pop("index", None)
    return {
        "input_example.json": json.dumps(split),
        "serving_input_example.json": json.dumps({"dataframe_split": split}),
    }


def _mlmodel(plain: Mapping[str, Any], facts: Mapping[str, Any], model: Model) -> str:
    """The MLmodel file. Every input is optional and of any type: the loader types them, where MLflow would refuse."""
    import datetime

    inputs = [{"type": "any", "name": c["name"], "required": False} for c in plain["columns"]]
    proba = [{"name": "proba", "default": False, "shape": None, "type": "boolean"}]
    made = {
        **facts,
        "artifact_path": model.name,
        "flavors": {
            "python_function": {
                "code": "code",
                "data": "data",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": loader_name(),
                "python_version": platform.python_version(),
                "streamable": False,
            }
        },
        "is_signature_from_type_hint": False,
        "type_hint_from_example": False,
        "mlflow_version": version("mlflow"),
        "model_uuid": str(facts["model_id"]).removeprefix("m-"),
        "signature": {"inputs": json.dumps(inputs), "outputs": None, "params": json.dumps(proba)},
        "utc_time_created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    if model.example is not None:
        made["saved_input_example_info"] = {
            "artifact_path": "input_example.json",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        }
    return json.dumps(made, indent=1)  # JSON is YAML, and writes a hundred times faster
