from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from leaflab.scorer import Column, Encoder, Feature, Scorer
from leaflab.scorer.predictor import Constant, Linear

COLUMNS = (Column("age", "number"), Column("kind", "category", missing=("?",)))
ENCODER = Encoder((Feature("age", "age", "number"), Feature("kind", "kind", "codes", {"levels": ["a", "b"]}, True)))
BLOCKS = ({"mean": 40.0, "scale": 10.0}, {"levels": 2})


def scorer(classes=("no", "yes"), task="binary"):
    link = "logistic" if task == "binary" else "identity"
    return Scorer(task, classes, COLUMNS, ENCODER, Linear(BLOCKS, ((2.0, 1.0, -1.0),), (0.0,), link), {"target": "y"})


RAW = pd.DataFrame({"other": [1, 2, 3], "kind": [" a", "?", "new"], "age": ["50", "40", None]})


def test_a_raw_table_is_typed_encoded_and_answered():
    matrix = scorer().matrix(RAW)
    assert matrix == pytest.approx(np.array([[50, 0], [40, np.nan], [np.nan, np.nan]]), nan_ok=True)
    assert scorer().score(RAW)[:, 1] == pytest.approx(1 / (1 + np.exp([-3.0, 0.0, 0.0])))


@pytest.mark.parametrize("classes", [("no", "yes"), (False, True), (0, 1), (1.5, 2.5), ("b", 3)])
def test_labels_are_the_classes_themselves(classes):
    labels = scorer(classes).predict(RAW.iloc[:1])
    assert labels.tolist() == [classes[1]]
    assert type(labels.tolist()[0]) is type(classes[1])


def test_probabilities_are_a_frame_by_class_with_the_rows_index():
    frame = scorer().predict(RAW.set_index(pd.Index([7, 8, 9])), proba=True)
    assert list(frame.columns) == ["proba_no", "proba_yes"]
    assert list(frame.index) == [7, 8, 9]


def test_values_are_answered_as_they_are():
    assert scorer((), "regression").predict(RAW, proba=True) == pytest.approx([3.0, 0.0, 0.0])


def test_a_folder_holds_all_of_it(tmp_path):
    one = scorer()
    one.save(tmp_path / "model")
    other = Scorer.load(tmp_path / "model")
    assert other == one
    assert (other.score(RAW) == one.score(RAW)).all()
    with pytest.raises(FileExistsError):
        one.save(tmp_path / "model")


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="missing column: 'age'"):
        scorer().score(RAW.drop(columns="age"))


def test_a_newer_format_is_refused():
    files = Scorer("regression", (), (), Encoder(()), Constant((1.0,))).files()
    files["model.json"] = json.dumps({**json.loads(files["model.json"]), "format": 99})
    with pytest.raises(ValueError, match="format 99"):
        Scorer.from_files(files)
