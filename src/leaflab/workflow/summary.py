"""A judgement as Markdown and as JUnit XML, for the MLflow UI and for CI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from leaflab.workflow.ledger import Entry

__all__ = ["junit", "summarised", "when"]

_MARKS = {"passed": "✅", "failed": "❌", "not applicable": "➖"}


def when(seconds: float) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def summarised(entry: Entry) -> str:
    """The entry as a Markdown note."""
    outcome = "🔴 **FORCED**" if entry.outcome == "forced" else f"**{entry.outcome}**"
    lines = [f"{outcome}: version {entry.version} · {when(entry.when)} · {entry.who}"]
    lines += [f"> {entry.why}"] if entry.why else []
    verdicts = entry.record.get("verdicts", [])
    if verdicts:
        lines += ["", "| gate | verdict | numbers |", "|---|---|---|", *map(_row, verdicts)]
    digests = entry.record.get("digests", {})
    if digests:
        lines += ["", f"Judged on {entry.record['rows']:,} rows; test digest `{digests.get('test', '')}`."]
    return "\n".join(lines)[:7400]


def _row(verdict: Mapping[str, Any]) -> str:
    sentence = str(verdict["sentence"]).replace("|", "\\|")
    return f"| {verdict['name']} | {_MARKS.get(verdict['outcome'], '')} {verdict['outcome']} | {sentence} |"


def junit(verdicts: Iterable[Mapping[str, Any]], name: str) -> str:
    """The verdicts as a JUnit test suite: a failed gate is a failure, one that does not apply is skipped."""
    verdicts = list(verdicts)
    failed = sum(v["outcome"] == "failed" for v in verdicts)
    skipped = sum(v["outcome"] == "not applicable" for v in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed), "skipped": str(skipped)}
    suite = ElementTree.Element("testsuite", {"name": f"gates of {name}", **counts})
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=f"gates.{name}", name=verdict["name"])
        kind = {"failed": "failure", "not applicable": "skipped"}.get(verdict["outcome"])
        if kind:
            ElementTree.SubElement(case, kind, message=verdict["sentence"])
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
