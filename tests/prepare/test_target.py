"""The target: task, classes and their order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.kinds import MARKERS
from leaflab.prepare.target import find_goal
from leaflab.values import Roles


def goal(values, **roles):
    return find_goal(pa.chunked_array([pa.array(values)]), Roles(target="y", **roles), MARKERS, {})


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes", "no"] * 4, "binary", ("no", "yes")),
        (["yes", "no", "yes"] * 4, "binary", ("no", "yes")),
        ([True, False, None] * 4, "binary", (False, True)),
        ([0, 1] * 4, "binary", (0, 1)),
        ([0.0, 1.0, None] * 4, "binary", (0, 1)),
        (["spam", "ham", "ham"] * 4, "binary", ("ham", "spam")),
        ([5, 7, 7] * 4, "binary", (7, 5)),
        (["c", "a", "b"] * 4, "multiclass", ("a", "b", "c")),
        ([3, 1, 2] * 4, "multiclass", (1, 2, 3)),
        (list(range(21)) * 2, "regression", ()),
        ([0.5, 1.5, 2.5] * 2, "regression", ()),
        ([f"{n},5" for n in range(30)], "regression", ()),
        (["1", "2", "3"] * 3, "multiclass", ("1", "2", "3")),
    ],
)
def test_finds_the_task(values, task, classes):
    found = goal(values)
    assert (found.task, found.classes) == (task, classes)
    assert any(note.startswith("task: ") for note in found.notes)


def test_is_overruled():
    assert goal([0, 1, 2] * 4, task="regression").values.type == pa.float64()
    assert goal(list(range(30)) * 2, task="multiclass").classes == tuple(range(30))
    assert goal(["no", "yes"] * 4, positive="no").classes == ("yes", "no")
    assert goal([0, 1] * 4, positive="0").classes == (1, 0)
    assert goal([True, False] * 4, positive=False).classes == (True, False)


def test_labels_with_dots_are_those_without():
    found = goal([" >50K", " >50K.", " <=50K", " <=50K."] * 3)
    assert found.classes == ("<=50K", ">50K")


def test_refuses_what_cannot_be():
    with pytest.raises(ConfigError, match="must be a label"):
        goal(["a", "b"] * 3, positive="c")
    with pytest.raises(DataError, match="two values"):
        goal(["a", "b", "c"] * 3, task="binary")
    with pytest.raises(DataError, match="finite"):
        goal([1.0, float("inf"), 2.0])
    with pytest.raises(DataError, match=r"up to 3.4e\+38, for LightGBM keeps them in 32 bits, got 1e\+39: scale it"):
        goal([0.5, 1e39, 2.0])


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ([0.5, 1.5, 2.5], False),
        ([1.7e9, 1.7e9 + 86_400.0, 1.7e9 + 0.5], False),
        ([1e9 + 0.5, 1e9 + 1.5, 1e9 + 2.5], True),
        ([1e-300, 2e-300, 3e-300], True),
    ],
)
def test_says_where_32_bits_cannot_tell_values_apart(values, lost):
    assert any("subtract a constant or scale it" in note for note in goal(values).notes) == lost
