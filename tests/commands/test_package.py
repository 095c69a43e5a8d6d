from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from leaflab.app import main


@contextmanager
def served(python: Path, folder: Path):
    """The packaged server on a free port, in a process that knows nothing of this project."""
    command = [str(python), "-I", str(folder / "server.py"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            line = process.stderr.readline()
            yield line.split(" on ")[-1].strip()
        finally:
            process.terminate()
            process.stderr.read()


def asked(url: str, plain: object) -> tuple[int, dict, str]:
    body = json.dumps(plain).encode()
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read()), answer.headers["x-leaflab-version"]
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers["x-leaflab-version"]


def check(python: Path, folder: Path, bench) -> None:
    version = bench.lab.tracking.registry.version("toy", alias="champion")
    scorer = bench.lab.tracking.registry.scorer(version)
    rows = bench.dataset.parts["test"].select(["x", "z", "colour"]).slice(0, 5)
    expected = scorer.score(rows.to_pandas())
    with served(python, folder) as url:
        split = {"columns": rows.column_names, "data": [list(row.values()) for row in rows.to_pylist()]}
        status, answer, number = asked(url, {"dataframe_split": split, "params": {"proba": True}})
        assert (status, number) == (200, str(version.number))
        assert [list(row.values()) for row in answer["predictions"]] == expected.tolist()
        odd = [{"x": None, "z": 1, "colour": "never seen"}]
        assert asked(url, {"dataframe_records": odd})[1]["predictions"][0] in ("yes", "no")
        status, answer, _ = asked(url, {"dataframe_records": [{"x": 1.0}]})
        assert status == 400 and "missing column" in answer["message"]
        assert asked(url, [1, 2])[0] == 400
        with urllib.request.urlopen(f"{url}/version", timeout=30) as version_answer:
            assert json.loads(version_answer.read())["name"] == "toy"


@pytest.fixture
def folder(bench, tmp_path, capsys):
    bench.train()
    bench.lab.tracking.registry.point("toy", "champion", 1)
    assert main(["package", "toy@champion", "-o", str(tmp_path / "out" / "toy")]) == 0
    return tmp_path / "out" / "toy"


def test_the_folder_answers_without_leaflab_and_without_mlflow(bench, folder, capsys):
    assert sorted(p.name for p in folder.iterdir()) == [
        ".dockerignore", "Dockerfile", "README.md", "about.json", "model", "requirements.txt", "server.py",
    ]  # fmt: skip
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert "leaflab" not in requirements and "mlflow" not in requirements
    assert all("==" in line for line in requirements.splitlines())
    assert main(["package", "toy@champion", "-o", str(folder)]) == 2
    assert "is there already" in capsys.readouterr().err
    moved = folder.parent / "elsewhere"
    shutil.move(folder, moved)
    check(Path(sys.executable), moved, bench)


@pytest.fixture
def fresh(tmp_path):
    """Makes an environment of a requirements file, and nothing else: `fresh(file)` is its Python."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if not Path(uv).exists():
        pytest.skip("uv makes the environment, and is not installed")

    def made(requirements: Path) -> Path:
        python = tmp_path / "fresh" / "bin" / "python"
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(tmp_path / "fresh")], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(python), "-r", str(requirements)]
        if subprocess.run(install, check=False).returncode:
            pytest.skip("no package index can be reached")
        assert subprocess.run([python, "-c", "import leaflab"], capture_output=True, check=False).returncode == 1
        return python

    return made


@pytest.mark.slow
def test_the_folder_runs_in_a_fresh_environment_of_its_requirements(bench, folder, fresh):
    check(fresh(folder / "requirements.txt"), folder, bench)


PLAIN = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
frame = pandas.read_json(sys.stdin, orient="split")
print(json.dumps(model.predict(frame, params={"proba": True}).to_numpy().tolist()))
"""


@pytest.mark.slow
def test_plain_mlflow_loads_the_model_with_nothing_but_what_it_lists(bench, folder, fresh):
    python = fresh(folder / "model" / "requirements.txt")
    rows = bench.dataset.parts["test"].select(["x", "z", "colour"]).slice(0, 5).to_pandas()
    expected = bench.lab.tracking.registry.scorer(bench.lab.tracking.registry.version("toy", number=1)).score(rows)
    environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    text = rows.to_json(orient="split", double_precision=15)
    command = [str(python), "-I", "-c", PLAIN, str(folder / "model")]
    done = subprocess.run(command, input=text, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.allclose(json.loads(done.stdout.splitlines()[-1]), expected, rtol=1e-12)
