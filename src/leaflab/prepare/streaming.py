"""Preparing a table that is larger than memory: one pass to learn what columns are, one to type and set aside.

Typed rows and 64-bit hashes of them wait on disk, read back in record batches; what compares all rows with each other
holds a few bytes of each in memory. So cost grows with rows and memory hardly does. Two rows count as equal where their
64-bit hashes are (one wrong pair in about two million tables of ten million rows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leaflab.errors import ConfigError, DataError
from leaflab.identity import column_hashes, mixed
from leaflab.prepare.ahead import ahead
from leaflab.prepare.base import KEPT, Prepared, QuarantineRow
from leaflab.prepare.dividing import Divided, Dividing, Plan
from leaflab.prepare.kinds import markers
from leaflab.prepare.moments import Moments
from leaflab.prepare.naming import check_names, listed
from leaflab.prepare.refusals import texts, too_many
from leaflab.prepare.roles import check_features, check_time, check_weights
from leaflab.prepare.spill import floats
from leaflab.prepare.survey import Survey
from leaflab.prepare.target import find_goal
from leaflab.prepare.typing import is_text, plain_array
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.default import Default
    from leaflab.prepare.spill import Spill
    from leaflab.values import Roles

__all__ = ["Streaming"]

_Reason = tuple["NDArray[np.bool_]", str, str]
"""Rows, shape (rows,), the rule that refuses them, and why."""


@dataclass
class _Typed:
    """A batch and what typing made of it: columns, why rows leave, what is kept of each, how far numbers spread."""

    raw: pa.RecordBatch
    columns: dict[str, pa.Array[Any]]
    reasons: list[_Reason]
    words: dict[str, NDArray[np.uint64]]
    moments: dict[str, Moments] = field(default_factory=dict)


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
        self.reasons: dict[str, str] = {}
        self.unused: dict[str, str] = {}
        self.moments: dict[str, Moments] = {}

    def run(self, assign: Callable[[Prepared], Divided], aside: Sequence[str] = ()) -> tuple[Prepared, dict[str, Any]]:
        """Both passes and the split: all facts, rules and roles, and the parts, which stay on disk.

        Args:
            assign: gives each row a part, from what is prepared; its table holds only the columns that splits read.
            aside: raw columns kept out of the dataset that the split reads.

        Raises:
            DataError: as the preparation in memory.
            ConfigError: an option that needs the whole table at once.
        """
        self._refuse_options()
        plan = self._survey(aside)
        time, weight = self.roles.time, self.roles.weight
        if time is not None:
            check_time(time, plan.known[time].column.kind, (batch.column(time) for batch in self.batches()))
        kept = self._type(plan)
        if weight is not None:
            values = self.spill.columns([weight], kept).column(0).to_numpy()
            check_weights(weight, plan.known[weight].column.kind, values)
        self.options.checks.of_the_table(plan.rows, self._newest(kept), self.roles.time)
        too_many(self.refused, self.reasons, plan.rows, self.options.limit)
        facts = {"rows_in": plan.rows, "quarantined": dict(self.refused), "unused": dict(self.unused)}
        prepared = Prepared(
            table=pa.table({}),
            columns=tuple(plan.known[n].column for n in plan.features),
            task=plan.goal.task,
            roles=self.roles.resolved(task=plan.goal.task, positive=plan.goal.positive),
            classes=plan.goal.classes,
            quarantine=tuple(self.quarantine),
            facts=facts,
            notes=tuple(self._notes(plan)),
            features=self.options.learnt(),
            monotone=self.options.features.checked({n: plan.known[n].column.kind for n in plan.features}),
            texts=self._texts,
        )
        spreads = {name: seen.spread for name, seen in self.moments.items()}
        return Dividing(self.options, self.spill, plan, kept, spreads).run(prepared, assign)

    def _refuse_options(self) -> None:
        options = self.options
        whole = {
            "prepare.checks.columns": any("unique" in rule for rule in options.checks.columns.values()),
            "prepare.annotators": bool(options.annotators),
            "prepare.features.history": options.features.history is not None,
            "prepare.corrections": bool(options.corrections),
        }
        for key, asked in whole.items():
            if asked:
                raise ConfigError(f"`{key}`", "needs the whole table in memory", hint="set prepare.stream=never")

    def _survey(self, aside: Sequence[str]) -> Plan:
        goal, key = self.roles.goal, self.options.key.columns
        batches = (batch for batch in self.batches() if batch.num_rows)
        first = next(batches, None)
        if first is None:
            raise DataError("the table", "must have rows", got=0)
        asked = {"prepare.rules": [*self.options.rules], "prepare.key.columns": key, "split.column": aside}
        check_names(first.schema.names, self.roles, asked)
        out = {goal, *self.roles.dropped, *aside} - set(key)
        survey = Survey([n for n in first.schema.names if n not in out])
        targets = [batch.column(goal) for batch in survey.read(chain([first], batches))]
        missing = markers(self.options.missing)
        found = find_goal(pa.chunked_array(targets), self.roles, missing, self.options.rules.get(goal, {}))
        known = survey.result(missing, self.options.rules)
        special = {self.roles.weight, self.roles.group, *self.roles.ids, *self.roles.dropped, *aside}
        text = self.options.features.text != "none"
        self.unused = {n: "constant" for n, k in known.items() if not k.varies and n not in special}
        free = [n for n, k in known.items() if k.column.kind == "text" and not text]
        self.unused |= {n: "free text" for n in free if n not in special and n not in self.unused}
        features = [n for n in known if n not in special and n not in self.unused]
        check_features(features, [*known])
        if is_text(found.values.type):
            found = replace(found, values=found.values.dictionary_encode())
        return Plan(found, known, features, survey.rows, self.roles, tuple(aside))

    def _type(self, plan: Plan) -> NDArray[np.bool_]:
        """The second pass: typed rows to disk, hashes too; which rows stay."""
        kept, start = [], 0
        for typed in ahead(lambda placed: self._typed(*placed, plan), self._placed()):
            self.spill.write(pa.RecordBatch.from_arrays(list(typed.columns.values()), names=list(typed.columns)))
            for name, words in typed.words.items():
                self.spill.keep(name, words)
            for name, seen in typed.moments.items():
                self.moments[name] = self.moments[name] + seen if name in self.moments else seen
            kept.append(self._refuse(typed, start))
            start += typed.raw.num_rows
        self.spill.close()
        return np.concatenate(kept)

    def _placed(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Raw batches, each with the place of its first row."""
        start = 0
        for batch in self.batches():
            yield start, batch
            start += batch.num_rows

    def _typed(self, start: int, batch: pa.RecordBatch, plan: Plan) -> _Typed:
        target = plan.goal.values.slice(start, batch.num_rows)
        shares = plan.words(self.options)
        words = {word: np.zeros(batch.num_rows, "uint64") for word in shares}
        columns: dict[str, pa.Array[Any]] = {}
        gone = target.is_null().to_numpy(zero_copy_only=False)
        reasons: list[_Reason] = [(gone, "target_null", "the target has no value")]
        unreadable: list[_Reason] = []
        for name, column in plan.known.items():
            columns[name], bad, hashes = column.typed_batch(batch.column(name))
            for word in (word for word, names in shares.items() if name in names):
                words[word] += hashes
            if bad.any():
                unreadable.append((bad, "unreadable", f"column {name!r} must hold a {column.column.kind}"))
        if "whole" in words:
            words["whole"] += _hashes(self.roles.goal, target)
        for role in ("time", "weight", "group"):
            name = getattr(self.roles, role)
            if name is not None:
                null = columns[name].is_null().to_numpy(zero_copy_only=False)
                reasons.append(
                    (null & ~_any(unreadable, null), f"{role}_null", f"the {role} column {name!r} has no value")
                )
        reasons += [*unreadable, *self._checked(columns, target)]
        if "key" in words:
            self._alone(words["key"], columns, start)
        grids = {n: floats(columns[n])[~_any(reasons, gone)] for n in plan.features if plan.known[n].grid}
        written = {n: columns[n] for n in plan.written} | {self.roles.goal: target}
        written |= {n: plain_array(n, batch.column(n)) for n in plan.aside}
        if self.roles.ids:
            written[ROW_ID] = _ids(batch, self.roles.ids)
        moments = {n: Moments.of(values) for n, values in grids.items()}
        return _Typed(batch, written, reasons, {n: mixed(w) for n, w in words.items()}, moments)

    def _alone(self, keys: NDArray[np.uint64], columns: Mapping[str, pa.Array[Any]], start: int) -> None:
        """Rows that lack a part of their key have no equals: their key is their place."""
        for name in self.options.key.columns:
            gone = np.flatnonzero(columns[name].is_null().to_numpy(zero_copy_only=False))
            keys[gone] = mixed((gone + start).astype("uint64") ^ np.uint64(0x9E3779B97F4A7C15))

    def _checked(self, columns: Mapping[str, pa.Array[Any]], target: pa.Array[Any]) -> Iterator[_Reason]:
        checks = self.options.checks
        if not checks.asked:
            return
        named = checks.named()
        table = pa.table({n: v for n, v in {**columns, self.roles.goal: target}.items() if named is None or n in named})
        for failure in checks.failures(_frame(table)):
            mask = np.zeros(len(target), bool)
            mask[failure.rows] = True
            if checks.on_fail == "stop":
                raise DataError("the table", "must satisfy prepare.checks", got=failure.reason)
            if checks.on_fail == "quarantine":
                yield mask, failure.rule, failure.reason

    def _refuse(self, typed: _Typed, start: int) -> NDArray[np.bool_]:
        kept = np.ones(typed.raw.num_rows, bool)
        for mask, rule, reason in typed.reasons:
            fresh = np.flatnonzero(mask & kept)
            if not len(fresh):
                continue
            self.refused[rule] = self.refused.get(rule, 0) + len(fresh)
            self.reasons.setdefault(rule, reason)
            kept[fresh] = False
            room = fresh[: max(0, KEPT - len(self.quarantine))]
            for line, text in zip(room, texts(typed.raw, room), strict=True):
                self.quarantine.append(QuarantineRow("", start + int(line), rule, reason, text))
        return kept

    def _newest(self, kept: NDArray[np.bool_]) -> Any:
        time = self.roles.time if self.options.checks.max_age else None
        return None if time is None else self.spill.columns([time], kept).to_pandas()[time].max()

    def _texts(self, lines: NDArray[np.int64]) -> Iterator[str]:
        """Raw rows by their sorted places, from another pass."""
        for start, batch in self._placed():
            here = lines[(lines >= start) & (lines < start + batch.num_rows)] - start
            yield from texts(batch, here) if len(here) else ()

    def _notes(self, plan: Plan) -> Iterator[str]:
        yield from plan.goal.notes
        yield from (note for n, known in plan.known.items() if n not in self.roles.ids for note in known.notes)
        for reason in dict.fromkeys(self.unused.values()):
            yield f"left out as {reason}: {listed([n for n, r in self.unused.items() if r == reason])}"
        yield f"{plan.rows:,} rows: prepared in a stream"
        refused = sum(self.refused.values())
        if refused > len(self.quarantine):
            yield f"{refused:,} rows refused; the first {len(self.quarantine):,} are in the quarantine table"


def _any(reasons: Iterable[_Reason], like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that some reason refuses."""
    found = np.zeros(len(like), bool)
    for mask, _, _ in reasons:
        found |= mask
    return found


def _hashes(name: str, values: pa.Array[Any]) -> NDArray[np.uint64]:
    """What a column adds to its rows' hashes; texts are hashed once a distinct value."""
    if not is_text(values.type):
        return column_hashes(name, values.to_pandas())
    coded = values.dictionary_encode()
    distinct = pd.concat([coded.dictionary.to_pandas(), pd.Series([None], dtype="str")], ignore_index=True)
    return np.asarray(column_hashes(name, distinct)[coded.indices.fill_null(len(distinct) - 1).to_numpy()])


def _frame(table: pa.Table) -> pd.DataFrame:
    """A typed table as pandas knows it in memory: texts and not categories."""
    plain = {
        n: c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c
        for n, c in zip(table.column_names, table.columns, strict=True)
    }
    return pa.table(plain).to_pandas()


def _ids(batch: pa.RecordBatch, names: Sequence[str]) -> pa.Array[Any]:
    """The id columns of a batch as one text a row."""
    words = [plain_array(n, batch.column(n)).cast(pa.string()).fill_null("None") for n in names]
    return words[0] if len(words) == 1 else pc.binary_join_element_wise(*words, "|")
