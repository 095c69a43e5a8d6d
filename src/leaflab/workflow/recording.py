"""How a preparation stands in MLflow: one run a dataset, whatever came of its checks."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

import yaml

from leaflab.errors import CheckFailed
from leaflab.prepare.checks import inferred
from leaflab.prepare.labels import review_file
from leaflab.prepare.manifest import manifest
from leaflab.prepare.report import report
from leaflab.tracking.base import RunSpec
from leaflab.values import PARTS, Artifact, Input, Metric, Param, Tag

if TYPE_CHECKING:
    from leaflab.prepare.base import Prepared
    from leaflab.values import Dataset, Item, Raw
    from leaflab.workflow.lab import Lab

__all__ = ["Clock", "configured", "inputs", "record_prepare", "shown"]

_NO_KEY = re.compile(r"[^\w\-. /]")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clock:
    """Seconds of each step of a verb, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times what runs inside."""
        started = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started

    def items(self) -> Iterator[Item]:
        for name, seconds in self.seconds.items():
            yield Metric(f"time/{name}_seconds", seconds)


def record_prepare(
    lab: Lab,
    raw: Raw,
    prepared: Prepared,
    dataset: Dataset,
    write: Callable[[Dataset], Mapping[str, int]],
    clock: Clock,
) -> Dataset:
    """Checks the dataset, writes it and its quarantine, and records all of it.

    Raises:
        CheckFailed: a near-certain leak; the run is recorded, the dataset is not written.
    """
    tags = {"leaflab.dataset": dataset.id, "leaflab.task": dataset.task}
    spec = RunSpec(lab.name, "prepare", f"prepare {dataset.name}", key=f"prepare {dataset.id}", tags=tags)
    with lab.tracking.start(spec) as run:
        run.log(_counts(dataset))
        with clock.step("check"):
            dataset = replace(dataset, facts={**dataset.facts, **lab.prepare.check(dataset)})
        with clock.step("report"):
            run.log([*_leaks(dataset), *_labels(dataset), Artifact("report.html", report(dataset))])
        _refuse_leaks(dataset)
        with clock.step("write"):
            dataset = replace(dataset, versions=write(dataset))
            _quarantine(lab, raw, prepared)
        plain = json.dumps(manifest(dataset), ensure_ascii=False, indent=1, default=str)
        schema = yaml.safe_dump(inferred(dataset), allow_unicode=True, sort_keys=False)
        run.log([*inputs(dataset), *clock.items(), Artifact("dataset.json", plain), Artifact("schema.yaml", schema)])
    _log.info("%s", dataset)
    return dataset


def configured(lab: Lab) -> Iterator[Item]:
    """The command as a run keeps it: the resolved configuration whole, what was overridden as params, the seed."""
    import yaml

    yield Artifact("config.yaml", yaml.safe_dump(dict(lab.config), allow_unicode=True, sort_keys=False))
    yield Artifact("overrides.json", json.dumps(lab.overrides))
    for override in lab.overrides:
        key, sign, value = override.partition("=")
        if sign:
            yield Param(key.lstrip("+~"), value.strip("'"))
    yield Tag("leaflab.seed", str(lab.seed))
    yield Tag("leaflab.command", shown(lab))


def shown(lab: Lab) -> str:
    """The command that was typed, as it can be typed again."""
    return " ".join(["leaflab", lab.verb, *(f"'{word}'" if " " in word else word for word in lab.overrides)])


def inputs(dataset: Dataset) -> Iterator[Item]:
    """The parts of a dataset as inputs of a run, by our digests."""
    for part in PARTS:
        table = dataset.parts[part]
        source = f"lake/dataset/{dataset.name}/{part}@{dataset.versions.get(part, '')}"
        schema = {f.name: str(f.type) for f in table.schema}
        yield Input(dataset.name, dataset.digests[part], part, source, table.num_rows, schema)


def _counts(dataset: Dataset) -> Iterator[Item]:
    facts = dataset.facts
    yield Metric("rows/in", facts["rows_in"])
    yield Metric("rows/out", facts["rows_out"])
    yield Metric("rows/duplicate", facts["duplicates"])
    yield Metric("rows/quarantined", sum(facts["quarantined"].values()))
    for rule, count in facts["quarantined"].items():
        yield Metric(f"rows/quarantined/{_NO_KEY.sub('_', rule)}", count)
    for part in PARTS:
        yield Metric(f"rows/{part}", dataset.rows(part))


def _leaks(dataset: Dataset) -> Iterator[Item]:
    facts = dataset.facts
    for finding in facts.get("findings", ()):
        _log.info("  %s: %s", "leak" if finding["certain"] else "suspect", finding["reason"])
    named = [*facts.get("leaks", ()), *facts.get("suspects", ())]
    if named:
        yield Tag("leaflab.leaks", ", ".join(named))


def _labels(dataset: Dataset) -> Iterator[Item]:
    facts = dataset.facts
    if "label_issues" not in facts:
        return
    rate, issues = facts["label_error_rate"], facts["label_issues"]
    done = {"review": "in label_issues.csv", "weight": "weighted down", "drop": "dropped"}[facts["label_action"]]
    _log.info("  %.1f%% of the training labels are likely wrong; %s", 100 * rate, done)
    yield Metric("labels/error_rate", rate)
    yield Artifact("label_issues.csv", review_file(issues))


def _refuse_leaks(dataset: Dataset) -> None:
    blocked = dataset.facts.get("blocked", ())
    if blocked:
        columns = ",".join(dataset.facts["leaks"])
        hint = f"leave them out with dataset.drop=[{columns}], or allow them with prepare.allow_leaks=[{columns}]"
        raise CheckFailed("a leak:", "; ".join(blocked), hint=hint)


def _quarantine(lab: Lab, raw: Raw, prepared: Prepared) -> None:
    if not prepared.quarantine:
        return
    import pyarrow as pa

    schema = pa.schema({"source": "string", "line": "int64", "rule": "string", "reason": "string", "raw": "string"})
    where = f"raw/{raw.name}@{raw.version}"
    rows = [asdict(row) | {"source": where} for row in prepared.quarantine]
    lab.lake.write(f"quarantine/{raw.name}", pa.Table.from_pylist(rows, schema=schema), mode="append")
