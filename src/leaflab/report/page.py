"""A page of figures and tables that stands by itself: one HTML file, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["Page", "Table"]

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#24292f;background:#fff;
max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p.lead{color:#57606a;margin:.1rem 0 1rem}
.facts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}
.facts div{border:1px solid #d8dee4;border-radius:8px;padding:.5rem .9rem;min-width:7rem}
.facts b{display:block;font-size:1.15rem}.facts .long b{font-size:.9rem;font-weight:500}
.facts span{color:#57606a;font-size:.82rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1.2rem;align-items:start}
figure{margin:0;border:1px solid #d8dee4;border-radius:8px;padding:.6rem}
svg{width:100%;height:auto;display:block;font:11px system-ui,sans-serif}svg text{fill:#24292f}
svg .t{font-size:13px;font-weight:600}svg .q{fill:#57606a;font-size:10px}svg text[fill="#fff"]{fill:#fff}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.4rem 0}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee4;vertical-align:top}
th{color:#57606a;font-weight:600}th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}
.passed{color:#1a7f37}.failed,.forced{color:#cf222e;font-weight:600}.not{color:#6e7781}
code{background:#f3f4f6;border-radius:4px;padding:.1rem .3rem;font-size:.85em;overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Table:
    """A table: a heading, column names and rows of plain values; numbers are set to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass
class Page:
    """What a reader sees, figures first.

    Args:
        title: the page's heading.
        lead: one sentence below it.
        facts: (name, value) pairs to see at a glance.
        figures: SVG texts.
        tables: below the figures.
    """

    title: str
    lead: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def html(self) -> str:
        facts = "".join(
            f"<div{' class=long' if len(value) > 40 else ''}><b>{escape(value)}</b><span>{escape(name)}</span></div>"
            for name, value in self.facts
        )
        figures = "".join(f"<figure>{figure}</figure>" for figure in self.figures)
        tables = "".join(_table(table) for table in self.tables)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>'
            f'<h1>{escape(self.title)}</h1><p class="lead">{escape(self.lead)}</p><div class="facts">{facts}</div>'
            f'<div class="figures">{figures}</div>{tables}</body></html>'
        )


def _table(table: Table) -> str:
    first = table.rows[0] if table.rows else table.columns
    sides = [' class="n"' if isinstance(value, int | float) else "" for value in first]
    head = "".join(f"<th{side}>{escape(name)}</th>" for name, side in zip(table.columns, sides, strict=True))
    rows = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in table.rows)
    note = f"<p class='lead'>{escape(table.note)}</p>" if table.note else ""
    return f"<h2>{escape(table.title)}</h2>{note}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:.4g}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    text = str(value)
    kind = text.split(maxsplit=1)[0] if text in ("passed", "failed", "forced", "not applicable") else ""
    if text.startswith("leaflab "):
        return f"<td><code>{escape(text)}</code></td>"
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"
