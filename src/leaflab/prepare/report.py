"""The data report: one self-contained page, plots first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from leaflab.prepare.profile import profiles
from leaflab.values import PARTS

if TYPE_CHECKING:
    from leaflab.prepare.profile import Profile
    from leaflab.values import Dataset

__all__ = ["report"]

_SHOWN = 60
_COLORS = {"train": "#4c78a8", "valid": "#f2a541", "test": "#c8553d"}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1d2730;background:#fff}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #d8dee4}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0}.tile{border:1px solid #d8dee4;border-radius:.5rem;
padding:.5rem .9rem;min-width:7rem}.tile b{display:block;font-size:1.35rem}.tile span{color:#5a6672;font-size:.8rem}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem}
.card{border:1px solid #d8dee4;border-radius:.5rem;padding:.6rem .8rem;overflow:hidden}.card h3{font-size:.95rem;
margin:0;overflow-wrap:anywhere}.card p{margin:.1rem 0;color:#5a6672;font-size:.78rem}
svg{width:100%;height:auto;display:block}table{border-collapse:collapse;width:100%;font-size:.88rem}
td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e6eaee;vertical-align:top}
.bad{color:#b3261e;font-weight:600}.warn{color:#9a6700;font-weight:600}.key i{display:inline-block;width:.8em;
height:.8em;margin:0 .3em 0 1em;border-radius:2px}
"""


def report(dataset: Dataset) -> str:
    """The page as HTML text: counts, target, strengths, shifts, findings, and each column's distribution by part."""
    target, *features = profiles(dataset)
    body = [
        f"<h1>{escape(dataset.name)}</h1><p>{escape(str(dataset))}</p>",
        _tiles(dataset),
        _key(),
        f"<h2>Target</h2><div class=grid>{_card(target)}</div>",
        "<h2>What each column alone knows of the target</h2>" + _bars([(p.name, p.strength) for p in features], 1.0),
        "<h2>Shift of validation and test rows against training rows</h2>" + _shifts(features),
        _findings(dataset.facts),
        _labels(dataset.facts),
        f"<h2>Columns</h2><div class=grid>{''.join(_card(p) for p in features[:_SHOWN])}</div>",
        _more(features),
        _set_aside(dataset.facts),
        _schema(dataset),
    ]
    head = f"<meta charset=utf-8><title>{escape(dataset.name)}: data report</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>"


def _tiles(dataset: Dataset) -> str:
    facts = dataset.facts
    numbers: dict[str, Any] = {
        "rows in": facts.get("rows_in", 0),
        "duplicates": facts.get("duplicates", 0),
        "nearly alike": facts.get("near_duplicates", 0),
        "quarantined": sum(facts.get("quarantined", {}).values()),
        "features": len(dataset.columns),
        **{part: dataset.rows(part) for part in PARTS},
    }
    tiles = "".join(f"<div class=tile><b>{n:,}</b><span>{escape(word)}</span></div>" for word, n in numbers.items())
    return f"<div class=tiles>{tiles}</div>"


def _key() -> str:
    return "<p class=key>" + "".join(f'<i style="background:{c}"></i>{part}' for part, c in _COLORS.items()) + "</p>"


def _card(profile: Profile) -> str:
    missing = ", ".join(f"{part} {share:.1%}" for part, share in profile.missing.items() if share)
    strength = "" if profile.strength != profile.strength else f" · strength {profile.strength:.2f}"
    facts = f"{profile.kind} · {profile.distinct:,} values{strength}"
    gone = f"<p class=warn>missing: {missing}</p>" if missing else ""
    return f"<div class=card><h3>{escape(profile.name)}</h3><p>{facts}</p>{_distribution(profile)}{gone}</div>"


def _distribution(profile: Profile) -> str:
    """Grouped bars for levels, outlined steps for numbers."""
    top = max((max(s, default=0.0) for s in profile.shares.values()), default=0.0) or 1.0
    width, height = 300.0, 90.0
    if profile.kind in ("category", "text"):
        return _levels(profile, top)
    shapes = []
    for part, shares in profile.shares.items():
        step = width / max(1, len(shares))
        points = "".join(
            f"L{i * step:.1f} {_y(s, top, height)}L{(i + 1) * step:.1f} {_y(s, top, height)}"
            for i, s in enumerate(shares)
        )
        fill = "fill-opacity=.18" if part == "train" else "fill=none"
        color = _COLORS[part]
        paint = f'fill="{color}" {fill}' if part == "train" else fill
        shapes.append(f'<path d="M0 {height}{points}L{width} {height}" {paint} stroke="{color}" stroke-width=1.4 />')
    ends = (profile.labels[0], profile.labels[-1]) if profile.labels else ("", "")
    text = f"<text x=0 y=104 font-size=11>{escape(ends[0])}</text>"
    text += f"<text x=300 y=104 font-size=11 text-anchor=end>{escape(ends[1])}</text>"
    return f'<svg viewBox="0 0 300 108" role=img>{"".join(shapes)}{text}</svg>'


def _y(share: float, top: float, height: float) -> str:
    return f"{height - 86 * share / top:.1f}"


def _levels(profile: Profile, top: float) -> str:
    rows, y = [], 0.0
    for i, label in enumerate(profile.labels):
        if label == "(others)" and not any(s[i] > 0.0005 for s in profile.shares.values()):
            continue
        rows.append(f"<text x=0 y={y + 11} font-size=11>{escape(label[:18])}</text>")
        for k, (part, shares) in enumerate(profile.shares.items()):
            rows.append(
                f'<rect x=110 y={y + 4 * k + 1} width={190 * shares[i] / top:.1f} height=3.4 fill="{_COLORS[part]}" />'
            )
        y += 16
    return f'<svg viewBox="0 0 300 {y:.0f}" role=img>{"".join(rows)}</svg>'


def _bars(pairs: Iterable[tuple[str, float]], top: float) -> str:
    rows = []
    shown = list(pairs)[:30]
    for i, (name, value) in enumerate(shown):
        y = 18 * i
        rows.append(f"<text x=0 y={y + 12} font-size=11>{escape(name[:40])}</text>")
        rows.append(f'<rect x=260 y={y + 3} width={460 * min(value, top) / top:.1f} height=11 fill="#4c78a8" />')
        rows.append(f"<text x={266 + 460 * min(value, top) / top:.1f} y={y + 12} font-size=11>{value:.3f}</text>")
    return f'<svg viewBox="0 0 800 {18 * len(shown)}" role=img>{"".join(rows)}</svg>'


def _shifts(features: list[Profile]) -> str:
    worst = sorted(((p.name, max(p.shift.values(), default=0.0)) for p in features), key=lambda pair: -pair[1])[:15]
    note = "<p>Population stability index: below 0.1 small, above 0.25 large.</p>"
    return note + _bars(worst, max(0.5, max((v for _, v in worst), default=0.5)))


def _findings(facts: Mapping[str, Any]) -> str:
    findings = facts.get("findings", [])
    rows = [
        f"<tr><td class={'bad' if f['certain'] else 'warn'}>{'leak' if f['certain'] else 'suspect'}</td>"
        f"<td>{escape(', '.join(f['columns']))}</td><td>{escape(f['reason'])}</td></tr>"
        for f in findings
    ]
    table = f"<table>{''.join(rows)}</table>" if rows else "<p>The sentinels found nothing.</p>"
    return f"<h2>Leaks</h2>{table}"


def _labels(facts: Mapping[str, Any]) -> str:
    if "label_issues" not in facts:
        return ""
    rows = "".join(
        f"<tr><td>{escape(str(i['row_id']))}</td><td>{escape(str(i['given']))}</td>"
        f"<td>{escape(str(i['suggested']))}</td><td>{i['quality']:.3f}</td></tr>"
        for i in facts["label_issues"][:20]
    )
    head = "<tr><th>row</th><th>given</th><th>likely</th><th>quality</th></tr>"
    rate = f"<p>About {facts['label_error_rate']:.1%} of the training labels are likely wrong; the worst:</p>"
    return f"<h2>Labels</h2>{rate}<table>{head}{rows}</table>"


def _more(features: list[Profile]) -> str:
    names = ", ".join(escape(p.name) for p in features[_SHOWN:])
    return f"<p>Not drawn, weaker than these: {names}</p>" if names else ""


def _set_aside(facts: Mapping[str, Any]) -> str:
    rules = facts.get("quarantined", {})
    rows = "".join(f"<tr><td>{escape(rule)}</td><td>{count:,}</td></tr>" for rule, count in rules.items())
    unused = "".join(f"<tr><td>{escape(c)}</td><td>{escape(w)}</td></tr>" for c, w in facts.get("unused", {}).items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in facts.get("notes", ()))
    return (
        f"<h2>Quarantine by rule</h2><table>{rows or '<tr><td>no row</td></tr>'}</table>"
        f"<h2>Columns left out</h2><table>{unused or '<tr><td>none</td></tr>'}</table>"
        f"<h2>What was done</h2><ul>{notes}</ul>"
    )


def _schema(dataset: Dataset) -> str:
    rows = "".join(
        f"<tr><td>{escape(c.name)}</td><td>{c.kind}</td><td>{escape(_rule(c.to_json()))}</td></tr>"
        for c in dataset.columns
    )
    digests = "".join(f"<tr><td>{part}</td><td>{d}</td></tr>" for part, d in dataset.digests.items())
    return f"<h2>Rules</h2><table>{rows}</table><h2>Digests</h2><table>{digests}</table>"


def _rule(plain: dict[str, Any]) -> str:
    return ", ".join(f"{k}: {v}" for k, v in plain.items() if k not in ("name", "kind", "missing"))
