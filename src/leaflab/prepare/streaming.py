"""Preparing a table that is larger than memory: one pass to learn what columns are, one to type and set aside.

Typed rows wait in one uncompressed Arrow file, read back by memory map; of each row only 64-bit hashes stay in memory.
Two passes and a read-back, all in record batches, so that cost grows with rows and memory hardly does. Near-duplicates
are not looked for here, and two rows count as equal where their 64-bit hashes are (one wrong pair in about two million
tables of ten million rows).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from leaflab.errors import ConfigError, DataError
from leaflab.identity import column_hashes, mixed
from leaflab.prepare.base import Prepared, QuarantineRow
from leaflab.prepare.kinds import MARKERS
from leaflab.prepare.naming import check_names, listed
from leaflab.prepare.survey import Known, Survey
from leaflab.prepare.target import Goal, find_goal
from leaflab.values import PARTS, ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.default import Default
    from leaflab.prepare.spill import Spill
    from leaflab.values import Roles

__all__ = ["Streamed", "Streaming"]

_KEPT_RAW = 100_000
_THREADS = 2

_Reason = tuple["NDArray[np.bool_]", str, str]
"""Rows, shape (rows,), the rule that refuses them, and why."""


@dataclass(frozen=True)
class Streamed:
    """What a streaming preparation gives.

    Args:
        prepared: all facts, rules and roles; its table holds only the columns that splits read.
        parts: part to its rows, which stay on disk.
    """

    prepared: Prepared
    parts: Mapping[str, pa.Table]


@dataclass(frozen=True)
class _Plan:
    """What the first pass found: the target, each column, the features among them, and how many rows there are."""

    goal: Goal
    known: Mapping[str, Known]
    features: list[str]
    rows: int


@dataclass
class _Rows:
    """What is kept of each row while its values wait on disk."""

    features: list[NDArray[np.uint64]] = field(default_factory=list)
    whole: list[NDArray[np.uint64]] = field(default_factory=list)
    kept: list[NDArray[np.bool_]] = field(default_factory=list)


class Streaming:
    """One large raw table on its way to a dataset.

    Args:
        batches: opens the raw table's record batches, as often as asked.
        roles: what its columns are for.
        options: the preparation's options.
        spill: where the typed rows wait.
    """

    def __init__(
        self, batches: Callable[[], Iterable[pa.RecordBatch]], roles: Roles, options: Default, spill: Spill
    ) -> None:
        self.batches, self.roles, self.options, self.spill = batches, roles, options, spill
        self.quarantine: list[QuarantineRow] = []
        self.refused: dict[str, int] = {}
        self.unused: dict[str, str] = {}

    def run(self, split: Any, seed: int) -> Streamed:
        """Both passes and the split.

        Raises:
            DataError: as the preparation in memory.
            ConfigError: an option that needs the whole table at once.
        """
        self._refuse_options()
        plan = self._survey()
        return self._divided(plan, self._type(plan), split, seed)

    def _refuse_options(self) -> None:
        options = self.options
        whole = {
            "prepare.checks.columns": any("unique" in rule for rule in options.checks.columns.values()),
            "prepare.annotators": bool(options.annotators),
            "prepare.corrections": bool(options.corrections),
            "dataset.id": len(self.roles.ids) > 1,
        }
        for key, asked in whole.items():
            if asked:
                raise ConfigError(f"`{key}`", "needs the whole table in memory", hint="set prepare.stream=never")

    def _survey(self) -> _Plan:
        survey: Survey | None = None
        targets: list[pa.Array[Any]] = []
        goal = self.roles.goal
        for batch in self.batches():
            if survey is None:
                names = batch.schema.names
                check_names(names, self.roles, {"prepare.rules": [*self.options.rules]})
                survey = Survey([n for n in names if n not in {goal, *self.roles.dropped}])
            survey.update(batch)
            targets.append(batch.column(goal))
        if survey is None or not survey.rows:
            raise DataError("the table", "must have rows", got=0)
        self._markers = tuple(dict.fromkeys((*MARKERS, *(str(m) for m in self.options.missing))))
        found = find_goal(pa.chunked_array(targets), self.roles, self._markers, self.options.rules.get(goal, {}))
        known = survey.result(self._markers, self.options.rules)
        special = {self.roles.weight, self.roles.group, *self.roles.ids}
        text = self.options.features.text != "none"
        self.unused = {n: "constant" for n, k in known.items() if not k.varies and n not in special}
        free = [n for n, k in known.items() if k.column.kind == "text" and not text]
        self.unused |= {n: "free text" for n in free if n not in special and n not in self.unused}
        features = [n for n in known if n not in special and n not in self.unused]
        if not features:
            raise DataError("the table", "must have at least one feature column that varies", got=listed(list(known)))
        return _Plan(found, known, features, survey.rows)

    def _type(self, plan: _Plan) -> _Rows:
        """The second pass: typed rows to disk, hashes and verdicts to memory."""
        rows, start = _Rows(), 0
        special = [n for n in (self.roles.weight, self.roles.time, self.roles.group, *self.roles.ids) if n is not None]
        written = [*plan.features, *(n for n in dict.fromkeys(special) if n not in plan.features)]
        for batch, target, columns, reasons, inside, outside in self._ahead(plan):
            arrays = [*(columns[n] for n in written), target]
            self.spill.write(pa.RecordBatch.from_arrays(arrays, names=[*written, self.roles.goal]))
            rows.features.append(mixed(inside))
            rows.whole.append(mixed(inside + outside))
            rows.kept.append(self._refuse(batch, reasons, start))
            start += batch.num_rows
        self.spill.close()
        return rows

    def _ahead(self, plan: _Plan) -> Iterator[tuple[Any, ...]]:
        """Typed batches in order, two of them worked on at a time."""
        start, waiting = 0, deque[Future[tuple[Any, ...]]]()
        with ThreadPoolExecutor(_THREADS) as pool:
            for batch in self.batches():
                target = plan.goal.values.slice(start, batch.num_rows)
                waiting.append(pool.submit(self._typed, batch, plan, target))
                start += batch.num_rows
                if len(waiting) > _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _typed(self, batch: pa.RecordBatch, plan: _Plan, target: pa.Array[Any]) -> tuple[Any, ...]:
        """A batch, its target and typed columns, the rows refused by reason, and hashes within and beside features."""
        inside, outside = np.zeros(batch.num_rows, "uint64"), np.zeros(batch.num_rows, "uint64")
        columns: dict[str, pa.Array[Any]] = {}
        gone = target.is_null().to_numpy(zero_copy_only=False)
        reasons: list[_Reason] = [(gone, "target_null", "the target has no value")]
        for name, column in plan.known.items():
            columns[name], bad, hashes = column.typed_batch(batch.column(name))
            total = inside if name in plan.features else outside
            total += hashes
            if bad.any():
                reasons.append((bad, "unreadable", f"column {name!r} must hold a {column.column.kind}"))
        outside += column_hashes(self.roles.goal, target.to_pandas())
        for role in ("time", "weight", "group"):
            name = getattr(self.roles, role)
            if name is not None:
                null = columns[name].is_null().to_numpy(zero_copy_only=False)
                reasons.append((null, f"{role}_null", f"the {role} column {name!r} has no value"))
        reasons += self._checked(columns, target)
        return batch, target, columns, reasons, inside, outside

    def _checked(self, columns: Mapping[str, pa.Array[Any]], target: pa.Array[Any]) -> Iterator[_Reason]:
        checks = self.options.checks
        if not checks.asked:
            return
        named = checks.named(self.roles.time)
        table = pa.table({n: v for n, v in {**columns, self.roles.goal: target}.items() if named is None or n in named})
        for failure in replace(checks, rows=None).failures(table.to_pandas(), self.roles.time):
            mask = np.zeros(len(target), bool)
            mask[failure.rows] = True
            if checks.on_fail == "stop":
                raise DataError("the table", "must satisfy prepare.checks", got=failure.reason)
            if checks.on_fail == "quarantine":
                yield mask, failure.rule, failure.reason

    def _refuse(self, batch: pa.RecordBatch, reasons: Iterable[_Reason], start: int) -> NDArray[np.bool_]:
        kept = np.ones(batch.num_rows, bool)
        for mask, rule, reason in reasons:
            fresh = np.flatnonzero(mask & kept)
            if not len(fresh):
                continue
            self.refused[rule] = self.refused.get(rule, 0) + len(fresh)
            kept[fresh] = False
            room = fresh[: max(0, _KEPT_RAW - len(self.quarantine))]
            for line, row in zip(room, batch.take(pa.array(room)).to_pylist(), strict=True):
                text = json.dumps(row, ensure_ascii=False, default=str)
                self.quarantine.append(QuarantineRow("", start + int(line), rule, reason, text))
        return kept

    def _divided(self, plan: _Plan, rows: _Rows, split: Any, seed: int) -> Streamed:
        """The parts of the rows that stay, each once."""
        import pandas as pd

        goal, known = plan.goal, plan.known
        kept, whole = np.concatenate(rows.kept), np.concatenate(rows.whole)
        keys = np.concatenate(rows.features)
        del rows
        self._stop_above_limit(plan.rows)
        copies = np.zeros(len(kept), bool)
        if self.options.duplicates != "keep":
            copies[kept] = pd.Series(whole[kept]).duplicated().to_numpy()
        del whole
        kept &= ~copies
        names = [n for n in (self.roles.time, self.roles.group) if n is not None]
        thin = self.spill.columns([*names, self.roles.goal], kept)
        id_column = next(iter(self.roles.ids), None)
        if id_column is not None:
            ids = self.spill.columns([id_column], kept).column(0)
            keys[kept] = column_hashes(ROW_ID, ids.cast(pa.string()).to_pandas())
        prepared = Prepared(
            table=thin,
            columns=tuple(known[n].column for n in plan.features),
            task=goal.task,
            roles=self.roles.resolved(task=goal.task, positive=goal.positive),
            classes=goal.classes,
            quarantine=tuple(self.quarantine),
            facts={
                "rows_in": plan.rows,
                "rows_out": int(kept.sum()),
                "duplicates": int(copies.sum()),
                "near_duplicates": 0,
                "quarantined": dict(self.refused),
                "unused": dict(self.unused),
            },
            notes=(*goal.notes, *self._notes(plan.rows)),
            features=self.options.learnt(),
            monotone=self.options.features.checked({n: known[n].column.kind for n in plan.features}, plan.features),
            keys=keys[kept],
        )
        codes = np.full(len(kept), -1, dtype="int8")
        codes[kept] = split.assign(prepared, seed)
        return Streamed(prepared, self.spill.parts(PARTS, codes, keys, id_column))

    def _notes(self, rows: int) -> Iterator[str]:
        yield f"{rows:,} rows: prepared in a stream, near-duplicates not looked for"
        refused = sum(self.refused.values())
        if refused > len(self.quarantine):
            yield f"{refused:,} rows refused; the first {len(self.quarantine):,} are in the quarantine table"

    def _stop_above_limit(self, rows_in: int) -> None:
        broken = sum(n for rule, n in self.refused.items() if rule != "target_null")
        if broken > self.options.limit * rows_in or sum(self.refused.values()) == rows_in:
            worst = max(self.refused, key=lambda rule: self.refused[rule])
            rule = f"must refuse at most {self.options.limit:.0%} of the rows; {broken} of {rows_in} would leave"
            raise DataError("`prepare.limit`", f"{rule}, most by {worst!r}")
