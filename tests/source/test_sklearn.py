"""The bundled data sets."""

from __future__ import annotations

import pytest

from leaflab.source.sklearn import Sklearn

SHAPES = {"breast_cancer": (569, 31), "iris": (150, 5), "wine": (178, 14), "digits": (1797, 65), "diabetes": (442, 11)}


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_every_set_has_its_shape_and_a_target(name: str, shape: tuple[int, int]) -> None:
    source = Sklearn(set=name)
    table = source.read().table()
    assert (source.default_name, table.shape, table.column("target").null_count) == (name, shape, 0)


def test_labels_are_words_where_the_set_has_words() -> None:
    assert set(Sklearn(set="iris").read().table().column("target").to_pylist()) == {"setosa", "versicolor", "virginica"}
