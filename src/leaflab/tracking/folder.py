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
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.tracking.batch import StoredModel

__all__ = ["ModelFolder", "loader_name"]

_SCORER = Path(__file__).resolve().parents[1] / "scorer"


@cache
def _sources() -> dict[str, bytes]:
    """The loader's files, read once: an upgrade under a running process must not give a model half of each."""
    return {p.name: p.read_bytes() for p in sorted(_SCORER.glob("*.py"))}


@cache
def loader_name() -> str:
    """The shipped loader's module name, which changes with its sources."""
    digest = hashlib.sha256(b"".join(name.encode() + code for name, code in _sources().items()))
    return f"leaflab_scorer_{digest.hexdigest()[:8]}"


class ModelFolder:
    """Writes the folders of the models of one process; what they share is made once and hard-linked.

    Args:
        shared: a folder for the files that many models share; made on first use.
    """

    def __init__(self, shared: Path) -> None:
        self._root = shared

    def write(self, target: Path, model: StoredModel, model_id: str, run_id: str) -> int:
        """Writes the folder of a model and returns its size in bytes, the loader not counted."""
        plain = json.loads(model.files["model.json"])
        kind = plain["predictor"]["kind"]
        if target.exists():  # half of it, from a process that was killed
            shutil.rmtree(target)
        (target / "data").mkdir(parents=True)
        size = 0
        for name, text in model.files.items():
            size += (target / "data" / name).write_bytes(text.encode("utf-8"))
        for source in (self._code, self._environment(kind)):
            _link(source, target)
        if model.example:
            _link(self._made("example", model.example), target)
        facts = {"model_id": model_id, "run_id": run_id, "model_size_bytes": size}
        (target / "MLmodel").write_text(_mlmodel(plain, facts, model), encoding="utf-8")
        return size

    @cached_property
    def _code(self) -> Path:
        made = self._root / loader_name()
        package = made / "code" / loader_name()
        if not package.is_dir():
            partial = made.with_name(f".{made.name}-{os.getpid()}")
            (partial / "code" / package.name).mkdir(parents=True)
            for name, code in _sources().items():
                (partial / "code" / package.name / name).write_bytes(code)
            _settle(partial, made)
        return made

    def _environment(self, kind: str) -> Path:
        libraries = ["lightgbm", "numpy", "pandas"] if kind == "boosters" else ["numpy", "pandas"]
        pins = [f"{name}=={version(name)}" for name in libraries]
        texts = _environment_files(pins)
        return self._made("-".join(pins), texts)

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


def _mlmodel(plain: Mapping[str, Any], facts: Mapping[str, Any], model: StoredModel) -> str:
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
    if model.example:
        made["saved_input_example_info"] = {
            "artifact_path": "input_example.json",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        }
    return json.dumps(made, indent=1)  # JSON is YAML, and writes a hundred times faster
