"""The report page and the model card of an assessment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leaflab.report.figures import figures
from leaflab.report.page import Page, Table

if TYPE_CHECKING:
    from leaflab.report.advice import Advice
    from leaflab.report.assess import Assessment

__all__ = ["card", "page"]


def page(found: Assessment, about: Mapping[str, Any], advice: Sequence[Advice]) -> Page:
    """The report: figures first, then the tables.

    Args:
        found: the assessment.
        about: `title`, `lead`, `classes`, and `facts` to show, by name; the card adds `details` and `use`.
        advice: ranked adjustments.
    """
    deciding = found.metric.name
    facts = [(deciding, _with_interval(found, deciding))]
    facts += [(name, str(value)) for name, value in about.get("facts", {}).items()]
    made = Page(str(about["title"]), str(about.get("lead", "")), facts, figures(found, about.get("classes", ())))
    made.tables.append(_metrics(found))
    if advice:
        rows = [(f"{tip.gain:.1%}", tip.finding, tip.command) for tip in advice]
        made.tables.append(Table("Worth trying next", ("might take off", "what was seen", "command"), rows))
    weak = [s for s in found.slices if s.excess > 0][:10]
    if weak:
        note = "p-values of a one-sided Welch test on mean losses, corrected by Holm for every slice looked at"
        slices = [
            (s.name, s.rows, s.loss, s.rest, "< 0.0001" if s.adjusted < 1e-4 else f"{s.adjusted:.2g}") for s in weak
        ]
        made.tables.append(Table("Weakest slices", ("slice", "rows", "loss", "elsewhere", "corrected p"), slices, note))
    if found.threshold:
        cut = found.threshold
        made.tables.append(
            Table("Threshold, chosen on validation rows", ("for", "cut", "value"), [(cut.aim, cut.cut, cut.value)])
        )
    latency = [(name, value * 1000) for name, value in found.seconds.items()]
    made.tables.append(Table("Prediction time", ("asked", "milliseconds"), latency))
    return made


def _metrics(found: Assessment) -> Table:
    labels = list(found.models)
    names = list(found.subject.metrics)
    rows = [(name, *(_with_interval(found, name, label) for label in labels)) for name in names]
    note = "95 % bootstrap intervals over rows; the same resamples for every model"
    return Table("Metrics on the test rows", ("metric", *labels), rows, note)


def _with_interval(found: Assessment, metric: str, label: str | None = None) -> str:
    label = label or next(iter(found.models))
    value = found.models[label].metrics.get(metric)
    if value is None:
        return "–"
    low, high = found.intervals.get(label, {}).get(metric, (None, None))
    return f"{value:.4g}" if low is None else f"{value:.4g} ({low:.4g} – {high:.4g})"


def card(found: Assessment, about: Mapping[str, Any], advice: Sequence[Advice]) -> str:
    """The model card, in Markdown."""
    lines = [f"# {about['title']}", "", str(about.get("lead", "")), "", "## Facts", ""]
    lines += [f"- {name}: {value}" for name, value in {**about.get("details", {}), **about.get("facts", {})}.items()]
    lines += ["", "## Intended use", "", str(about.get("use", "")), "", "## Performance on the test rows", ""]
    labels = list(found.models)
    lines += [f"| metric | {' | '.join(labels)} |", f"|---|{'---|' * len(labels)}"]
    for name in found.subject.metrics:
        values = " | ".join(_with_interval(found, name, label) for label in labels)
        lines.append(f"| {name} | {values} |")
    weak = [s for s in found.slices if s.adjusted < 0.05 and s.excess > 0][:5]
    lines += ["", "## Limits", ""]
    lines += [f"- Weaker where {s.name}: loss {s.loss:.4g}, elsewhere {s.rest:.4g} ({s.rows:,} rows)." for s in weak]
    lines += [] if weak else ["- No slice is surely worse than the rest."]
    lines += ["- Answers on data unlike the training data are not covered by these numbers."]
    if found.threshold:
        cut = found.threshold
        lines += [f"- Yes from a probability of {cut.cut:.3g}: best {cut.aim} on validation rows ({cut.value:.4g})."]
    if found.importance:
        leading = ", ".join(list(found.importance)[:5])
        lines += ["", "## What it looks at", "", f"Most important features: {leading}."]
    if advice:
        lines += ["", "## Worth trying", "", *(f"- {tip.finding} — `{tip.command}`" for tip in advice[:5])]
    return "\n".join(lines) + "\n"
