"""The workflow templates hold to GitHub's schema, and to the commands they run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

import leaflab
from leaflab.app import main
from leaflab.door.help import commands
from leaflab.door.places import verbs

FOLDER = Path(leaflab.__file__).parent / "template" / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)


def read(path):
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # "on" stays a word


def steps(path):
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_each_stage():
    assert {"ci", "train", "promote", "monitor"} <= {path.stem for path in WORKFLOWS}


@every_workflow
def test_holds_to_githubs_schema(path):
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "github-workflows.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    plain["on"] = plain.pop(True)
    jsonschema.validate(plain, schema, cls=jsonschema.validators.validator_for(schema))


@every_workflow
def test_runs_commands_that_exist_and_takes_no_input_into_a_shell(path):
    known = {*verbs(), *commands()}
    for step in steps(path):
        run = step.get("run", "")
        assert "${{" not in run, "an expression inside a script is a way in for whoever writes the input"
        for line in re.findall(r"^\s*leaflab .*$", run, re.MULTILINE):
            assert shlex.split(line)[1] in known


def test_pip_installs_the_project_that_the_workflows_install(tmp_path, monkeypatch):
    """`pip install .` asks setuptools which packages there are; folders that it cannot tell from packages stop it."""
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    monkeypatch.chdir(tmp_path)
    assert main(["new", "lab"]) == 0
    asked = "from setuptools import build_meta; build_meta.get_requires_for_build_wheel()"
    subprocess.run([sys.executable, "-W", "ignore", "-c", asked], cwd=tmp_path / "lab", check=True)


@every_workflow
def test_a_runner_keeps_its_lake_elsewhere(path):
    """A champion is compared by its own dataset, and watched by it: both must outlive the runner."""
    lines = [line for step in steps(path) for line in re.findall(r"^leaflab (?:run|monitor) .*$", step.get("run", ""))]
    for line in lines if path.stem != "ci" else ():
        assert "lake=s3" in line and "LEAFLAB_LAKE" in read(path)["env"]
        assert (
            not line.startswith("leaflab monitor") or "current=inferences" in line
        )  # it watches what the server answered


@every_workflow
def test_asks_for_no_more_rights_than_reading(path):
    assert read(path)["permissions"] == {"contents": "read"}
