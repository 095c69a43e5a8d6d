"""What people type reaches the configuration letter by letter."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from leaflab.door.quoting import quote, quoted


def value_of(argument: str, *, multirun: bool = False) -> object:
    override = OverridesParser.create().parse_override(quoted(argument, multirun=multirun))
    return list(override.sweep_string_iterator()) if override.is_sweep_override() else override.value()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dataset.target=price_€", "price_€"),
        ("dataset.target=a(b)", "a(b)"),
        ("dataset.target=mean [mm], left", "mean [mm], left"),
        ("dataset.target={x}", "{x}"),
        ("dataset.target=it's", "it's"),
        ("dataset.target=2020", "2020"),
        ("dataset.target=null", None),
        ("dataset.target='already quoted'", "already quoted"),
        ("dataset.drop=[a b,c#d]", ["a b", "c#d"]),
        ("dataset.drop=one, two", "one, two"),
        ("dataset.positive=1", 1),
        ("dataset.positive= >50K.", " >50K."),
        ("source.topics=[plant/#,plant/+/x]", ["plant/#", "plant/+/x"]),
        ("source.port=1883", 1883),
        ("source.path=/data/a b/c=d.csv", "/data/a b/c=d.csv"),
        ("source.url=sqlite:///x.db?mode=ro", "sqlite:///x.db?mode=ro"),
        ("input=C:\\data\\new", "C:\\data\\new"),
        ("input=2024", "2024"),
        ("output=1.5", "1.5"),
        ("current=true", "true"),
        ("name=Prüfung 3", "Prüfung 3"),
        ("tracking.uri=http://münchen:5000/ü", "http://münchen:5000/ü"),
        ("promote.why=0.5% better, so far", "0.5% better, so far"),
        ("search.seconds=60", 60),
    ],
)
def test_values_arrive_as_typed(typed: str, meant: object) -> None:
    got = value_of(typed)
    assert (str(got) if hasattr(got, "text") else got) == meant
    if isinstance(meant, list):
        assert [str(item) for item in got] == meant  # type: ignore[attr-defined]


def test_a_comma_separates_choices_only_in_a_multirun() -> None:
    assert value_of("source.path=a b.csv,c.csv", multirun=True) == ["'a b.csv'", "'c.csv'"]
    assert str(value_of("source.path=a b.csv,c.csv")) == "a b.csv,c.csv"


@given(st.text(alphabet=st.characters(blacklist_characters="\x00\r\n", blacklist_categories=("Cs",)), min_size=1))
def test_any_text_survives_quoting(text: str) -> None:
    override = OverridesParser.create().parse_override(f"key={quote(text)}")
    assert override.value() == text
