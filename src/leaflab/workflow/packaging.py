"""A model as a folder that runs by itself."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError
from leaflab.workflow.summary import when

if TYPE_CHECKING:
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab

__all__ = ["package"]

_DOCKERFILE = """\
FROM python:3.11-slim
# LightGBM's wheel links the system's OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN useradd --system app
USER app
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ping')"
CMD ["python", "server.py", "--host", "0.0.0.0", "--port", "8000"]
"""
_README = """\
# {name} version {version}

Packaged on {when} from {source}; files' digest `{digest}`.

    python -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python server.py --port 8000
    curl -d '{{"dataframe_records": [{example}]}}' -H 'Content-Type: application/json' localhost:8000/invocations

Or `docker build -t {name} . && docker run -p 8000:8000 {name}`. Add `"params": {{"proba": true}}` for probabilities.
"""


def package(lab: Lab, version: Version, folder: Path) -> Path:
    """Writes a version's model, requirements, server, Dockerfile and README into a new folder, whole or not at all.

    Raises:
        ConfigError: the folder is there already.
        ModelError: the version's files are gone.
    """
    if folder.exists():
        raise ConfigError(f"'{folder}'", "is there already", hint="name a new folder with -o")
    registry = lab.tracking.registry
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "package"
        made.mkdir()
        registry.export(version, made / "model")
        for cache in (made / "model").rglob("__pycache__"):
            shutil.rmtree(cache)
        digest = registry.digest(version)
        about = {"name": version.name, "version": version.number, "run": version.run_id, "digest": digest}
        texts = {
            "about.json": json.dumps(about, indent=1),
            "server.py": (Path(__file__).parents[1] / "delivery" / "server.py").read_text(encoding="utf-8"),
            "requirements.txt": _requirements(made / "model" / "requirements.txt"),
            "Dockerfile": _DOCKERFILE,
            ".dockerignore": ".venv\n",
            "README.md": _readme(lab, version, digest),
        }
        for name, text in texts.items():
            (made / name).write_text(text, encoding="utf-8")
        made.rename(folder)
    return folder


def _requirements(file: Path) -> str:
    """The model's own pins; MLflow is not needed to serve it."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("mlflow")) + "\n"


def _readme(lab: Lab, version: Version, digest: str) -> str:
    import time

    scorer = lab.tracking.registry.scorer(version)
    example = json.dumps({column.name: None for column in scorer.columns}, ensure_ascii=False)
    return _README.format(
        name=version.name, version=version.number, when=when(time.time()), source=lab.tracking.uri, digest=digest,
        example=example,
    )  # fmt: skip
