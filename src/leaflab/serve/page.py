"""The page at `/`: try the model in a form made from its columns; rendered here, without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from leaflab.serve.explain import BASE

if TYPE_CHECKING:
    from leaflab.scorer import Column
    from leaflab.serve.live import Live

__all__ = ["Shown", "field_name", "page", "values_of"]

_SHOWN_LEVELS = 50
_SHOWN_FEATURES = 15


def field_name(place: int) -> str:
    """The form's name for the column at a place."""
    return f"c{place}"


def values_of(live: Live, form: Mapping[str, str]) -> dict[str, list[Any]]:
    """The row of a filled form; an empty field is missing."""
    return {c.name: [form.get(field_name(i)) or None] for i, c in enumerate(live.scorer.columns)}


@dataclass(frozen=True)
class Shown:
    """What the page shows.

    Args:
        name: the registered model.
        live: the version that answers, or None.
        trouble: what is wrong with the server, or "".
        form: what was filled in; None shows the model's example.
        row: the answer as `POST /predict` gives it, with probabilities and contributions.
        problem: a sentence to show in place of an answer.
    """

    name: str
    live: Live | None
    trouble: str = ""
    form: Mapping[str, str] | None = None
    row: Mapping[str, Any] | None = None
    problem: str = ""


def page(shown: Shown, *, keys: bool = False) -> bytes:
    """The whole page; with `keys` it asks for one."""
    live = shown.live
    template = Template(files("leaflab.serve").joinpath("page.html").read_text(encoding="utf-8"))
    text = template.substitute(
        name=escape(shown.name),
        version=live.version.number if live else "none",
        state="trouble" if shown.trouble else "healthy",
        health=escape(shown.trouble or "Healthy."),
        fields=_fields(live, shown.form, keys=keys) if live else "",
        hidden="" if live else "hidden",
        answer=_answer(shown.row) if shown.row else "",
        problem=f'<p class="problem" role="alert">{escape(shown.problem)}</p>' if shown.problem else "",
    )
    return text.encode("utf-8", "replace")


def _fields(live: Live, form: Mapping[str, str] | None, *, keys: bool) -> str:
    fields = []
    for place, column in enumerate(live.scorer.columns):
        name = field_name(place)
        if form is not None:
            value = form.get(name, "")
        else:
            shown = (live.example.get(column.name) or [None])[0]
            value = "" if shown is None else str(shown)
        label = f'<label for="{name}">{escape(column.name)} <small>{_hint(column)}</small></label>'
        fields.append(f"<div>{label}{_input(name, value, column, live)}</div>")
    if keys:
        fields.append('<div><label for="key">API key</label><input id="key" name="key" type="password"></div>')
    return "\n".join(fields)


def _hint(column: Column) -> str:
    word = {"category": "text", "boolean": "yes or no"}.get(column.kind, column.kind)
    return escape(word if column.required else f"{word}, optional")


def _input(name: str, value: str, column: Column, live: Live) -> str:
    levels = next((f.state["levels"] for f in live.scorer.encoder.features
                   if f.column == column.name and "levels" in f.state), ())  # fmt: skip
    mode = ' inputmode="decimal"' if column.kind == "number" else ""
    listed = f' list="{name}-levels"' if levels else ""
    options = "".join(f'<option value="{escape(str(level))}">' for level in levels[:_SHOWN_LEVELS])
    known = f'<datalist id="{name}-levels">{options}</datalist>' if levels else ""
    return f'<input id="{name}" name="{name}" value="{escape(value)}"{mode}{listed} autocomplete="off">{known}'


def _answer(row: Mapping[str, Any]) -> str:
    prediction = row["prediction"]
    said = f"{prediction:.6g}" if isinstance(prediction, float) else str(prediction)
    parts = [f'<p class="prediction">Prediction: <output>{escape(said)}</output></p>']
    if row.get("probabilities"):
        bars = [_bar(label, share, share, f"{share:.1%}") for label, share in row["probabilities"].items()]
        parts.append(f'<h3>Probabilities</h3><div class="bars" id="probabilities">{"".join(bars)}</div>')
    moved = {name: value for name, value in row.get("contributions", {}).items() if name != BASE}
    if moved:
        shown = list(moved.items())[:_SHOWN_FEATURES]
        largest = max((abs(value) for _, value in shown), default=0.0) or 1.0
        bars = [_bar(name, value / largest, value, f"{value:+.4g}") for name, value in shown]
        parts.append(f'<h3>What moved it</h3><div class="bars" id="contributions">{"".join(bars)}</div>')
    parts.append(f"<p><small>Row id {escape(row['row_id'])}</small></p>")
    return f'<section id="answer">{"".join(parts)}</section>'


def _bar(label: str, share: float, value: float, said: str) -> str:
    kind = "down" if value < 0 else "up"
    bar = f'<i class="{kind}" style="width:{min(1.0, abs(share)) * 100:.1f}%"></i>'
    return f"<span>{escape(label)}</span><span>{bar}</span><span>{escape(said)}</span>"
