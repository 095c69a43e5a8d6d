"""Every option of `conf/serve` and `conf/predict` makes the settings its verb reads."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate

from leaflab.workflow.settings import Predict, Recording, Serve

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = [(kind, path) for kind in (Serve, Predict) for path in sorted((CONF / kind.__name__.lower()).glob("*.yaml"))]
GUIDE = CONF.parent / "docs" / "guide" / "serve.md"


def test_there_are_options_to_check():
    assert len(OPTIONS) >= 2


@pytest.mark.parametrize(("kind", "path"), OPTIONS, ids=[path.parent.name for _, path in OPTIONS])
def test_it_makes_the_settings(kind, path):
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert plain["_target_"] == f"leaflab.workflow.settings.{kind.__name__}"
    assert isinstance(instantiate(plain), kind)


def test_the_defaults_of_the_file_are_those_of_the_class():
    assert instantiate(yaml.safe_load((CONF / "serve" / "default.yaml").read_text(encoding="utf-8"))) == Serve()


@pytest.mark.parametrize(("kind", "section"), [(Serve, "serve"), (Recording, "serve.record"), (Predict, "predict")])
def test_every_key_is_told_in_the_guide(kind, section):
    text = GUIDE.read_text(encoding="utf-8")
    assert [f.name for f in fields(kind) if f"`{section}.{f.name}`" not in text] == []
