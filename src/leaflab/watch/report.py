"""The monitor report: one HTML file, figures first, that opens anywhere."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.drift.base import Pair
from leaflab.watch import charts
from leaflab.watch.frontier import learning

if TYPE_CHECKING:
    from leaflab.watch.alarms import Alarm
    from leaflab.watch.look import Known, Sight

__all__ = ["Story", "report"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:980px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}.sub{color:#616e7c;margin:.2rem 0 1rem}
.banner{border-left:6px solid #2f855a;background:#f0fff4;padding:.7rem 1rem;margin:1rem 0}
.banner.warning{border-color:#d69e2e;background:#fffaf0}.banner.critical{border-color:#c53030;background:#fff5f5}
.facts{display:flex;gap:2rem;flex-wrap:wrap;margin:1rem 0}.facts b{display:block;font-size:1.25rem}
.facts span{color:#616e7c;font-size:.85rem}
svg{width:100%;height:auto;display:block;margin:.6rem 0}table{border-collapse:collapse;width:100%;font-size:.88rem}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e4e7eb;vertical-align:top}
th{color:#616e7c;font-weight:600}.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.critical td:first-child{box-shadow:inset 4px 0 #c53030}.warning td:first-child{box-shadow:inset 4px 0 #d69e2e}
.quiet{color:#9aa5b1}code{font-size:.85em;background:#f5f7fa;padding:0 .3em}
"""


@dataclass(frozen=True)
class Story:
    """What is told beside the last look itself.

    Args:
        title: which model.
        history: all looks so far, oldest first.
        alarms: all alarms, open ones first.
        notes: sentences (the decision to retrain, what was odd while reading).
        ledger: lines of the learning-time ledger, oldest first.
    """

    title: str
    history: Sequence[Mapping[str, Any]]
    alarms: Sequence[Alarm] = ()
    notes: Sequence[str] = ()
    ledger: Sequence[Mapping[str, Any]] = ()


def report(known: Known, sight: Sight, story: Story) -> str:
    """The whole page: the reference side, the last look, and what is told beside it."""
    metric, before = known.metric.name, known.realised.get(known.metric.name)
    loud = [s.finding.column for s in sight.signals if s.stands and s.family == "data"]
    pictures = [
        charts.performance(story.history, metric, before.value if before else None),
        charts.impact_bars(sight.signals),
        charts.distributions(Pair(known.profile, sight.profile), list(dict.fromkeys(loud))),
        charts.drift_map(story.history),
        learning(story.ledger, metric),
    ]
    body = [
        f"<h1>{_safe(story.title)}</h1>",
        f"<p class=sub>{_safe(sight.window.label)} · {sight.window.rows:,} rows · look {len(story.history)}</p>",
        _banner(story.alarms),
        _facts(known, sight),
        *[picture for picture in pictures if picture],
        _alarms(story.alarms),
        _notes(story.notes),
        _metrics(known, sight),
        _ledger(story.ledger, metric),
        _findings(sight),
    ]
    head = f"<meta charset=utf-8><title>{_safe(story.title)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>"


def _banner(alarms: Sequence[Alarm]) -> str:
    calling = [alarm for alarm in alarms if alarm.calls]
    if not calling:
        known = sum(alarm.open for alarm in alarms)
        words = f"{known} acknowledged alarms are open." if known else "No alarm."
        return f"<div class=banner><b>Quiet.</b> {words}</div>"
    worst = "critical" if any(alarm.severity == "critical" for alarm in calling) else "warning"
    lines = "<br>".join(f"<code>{a.id}</code> {_safe(a.cause)}" for a in calling[:5])
    more = f"<br>and {len(calling) - 5} more" if len(calling) > 5 else ""
    title = f"{len(calling)} alarm{'s' if len(calling) > 1 else ''}."
    return f'<div class="banner {worst}"><b>{title}</b><br>{lines}{more}</div>'


def _facts(known: Known, sight: Sight) -> str:
    name, labelled = known.metric.name, sight.window.truths
    facts = [("rows", f"{sight.window.rows:,}"), ("with their label", f"{labelled:,}")]
    for label, found in (("estimated", sight.estimated), ("realised", sight.realised), ("reference", known.realised)):
        if name in found:
            facts.append((f"{label} {name}", f"{found[name].value:.4f}"))
    if sight.window.delay is not None:
        facts.append(("median label delay", f"{sight.window.delay / 86400:.1f} days"))
    cells = "".join(f"<div><b>{value}</b><span>{_safe(key)}</span></div>" for key, value in facts)
    return f"<div class=facts>{cells}</div>"


def _alarms(alarms: Sequence[Alarm]) -> str:
    if not alarms:
        return ""
    rows = []
    for alarm in alarms:
        state = "acknowledged" if alarm.acknowledged and alarm.open else "open" if alarm.open else "gone"
        cells = (
            f"<code>{alarm.id}</code>",
            alarm.severity,
            _safe(alarm.cause),
            _day(alarm.first_seen),
            alarm.looks,
            alarm.shape,
            state,
        )
        kind = alarm.severity if alarm.calls else "quiet"
        rows.append(f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    head = "".join(f"<th>{name}</th>" for name in ("id", "severity", "cause", "first seen", "looks", "shape", "state"))
    return f"<h2>Alarms</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _notes(notes: Sequence[str]) -> str:
    lines = "".join(f"<li>{_safe(note)}</li>" for note in notes)
    return f"<h2>Notes</h2><ul>{lines}</ul>" if notes else ""


def _metrics(known: Known, sight: Sight) -> str:
    rows = []
    for metric in known.metrics:
        cells = [found.get(metric.name) for found in (known.realised, sight.estimated, sight.realised)]
        if any(cells):
            texts = [f"{e.value:.4f} <small>({e.low:.4f} to {e.high:.4f})</small>" if e else "–" for e in cells]
            rows.append(f"<tr><td>{metric.name}</td>{''.join(f'<td class=num>{text}</td>' for text in texts)}</tr>")
    head = "<tr><th>metric</th><th class=num>reference</th><th class=num>estimated</th><th class=num>realised</th></tr>"
    return f"<h2>Performance</h2><table>{head}{''.join(rows)}</table>" if rows else ""


def _ledger(lines: Sequence[Mapping[str, Any]], metric: str) -> str:
    def number(value: float | None, form: str) -> str:
        return f"<td class=num>{'–' if value is None else format(value, form)}</td>"

    if not lines:
        return ""
    rows = [
        f"<tr><td>{_safe(line['training'])}</td>{number(line['seconds'], ',.1f')}{number(line['core_hours'], '.4f')}"
        f"{number(line['total'], ',.1f')}{number(line['value'], '.4f')}{number(line['gained'], '+.4f')}</tr>"
        for line in lines
    ]
    names = ("training", "seconds", "core-hours", "seconds so far", metric, "gained on the best before")
    head = "".join(f"<th{' class=num' if i else ''}>{_safe(name)}</th>" for i, name in enumerate(names))
    return f"<h2>Learning time</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _findings(sight: Sight) -> str:
    rows = []
    for signal in sight.signals:
        finding = signal.finding
        kind = signal.severity if signal.alarm else "" if signal.stands else "quiet"
        impact = "" if math.isnan(signal.impact) else f"{signal.impact:.1%}"
        effect, q = (f"{finding.effect:.3g}", f"{signal.q_value:.2g}") if finding.applies else ("–", "–")
        text = _safe(finding.sentence) + (f" <i>{_safe(signal.note)}</i>" if signal.note else "")
        rows.append(
            f'<tr class="{kind}"><td>{finding.test}</td><td>{text}</td><td class=num>{effect}</td>'
            f"<td class=num>{finding.least:g}</td><td class=num>{q}</td><td class=num>{impact}</td></tr>"
        )
    names = ("test", "finding", "effect", "counts from", "q", "impact")
    head = "".join(f"<th{' class=num' if i > 1 else ''}>{name}</th>" for i, name in enumerate(names))
    head = f"<tr>{head}</tr>"
    return f"<h2>Every test</h2><table>{head}{''.join(rows)}</table>"


def _day(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _safe(text: str) -> str:
    return html.escape(str(text))
