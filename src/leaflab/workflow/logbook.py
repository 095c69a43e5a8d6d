"""The monitor run of a model version: a step a look, alarms with a memory, a report; and who is told."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from leaflab.identity import fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Item, Metric, Tag
from leaflab.watch.alarms import Alarm, acknowledged, merged, raised
from leaflab.watch.frontier import spent
from leaflab.watch.policy import Decision, decide
from leaflab.watch.report import Story, report
from leaflab.watch.trend import shape
from leaflab.watch.webhook import send
from leaflab.workflow.retraining import trainings

if TYPE_CHECKING:
    from leaflab.values import Version
    from leaflab.watch.look import Known, Sight
    from leaflab.workflow.lab import Lab

__all__ = ["Logbook"]

_log = logging.getLogger(__name__)
_KEPT = 500
_TOLD = 2


class Logbook:
    """One monitor run a model version, continued at every call.

    Args:
        lab: the rooms.
        version: the model that is watched.
        known: the reference side.
    """

    def __init__(self, lab: Lab, version: Version, known: Known) -> None:
        self._lab, self._version, self._known = lab, version, known
        self.looks, self.alarms, self.run_id = 0, list[Alarm](), ""
        self._history: list[dict[str, Any]] = []
        self._sight: Sight | None = None
        self._notes: list[str] = []

    def __enter__(self) -> Self:
        spec = RunSpec(
            experiment=self._lab.name,
            verb="monitor",
            name=f"monitor {self._version}",
            key=fold({"verb": "monitor", "model": self._version.name, "version": self._version.number}),
            tags={"leaflab.version": str(self._version.number), "leaflab.model": self._version.run_id},
        )
        self._run = self._lab.tracking.start(spec).__enter__()
        self.run_id = self._run.id
        self._history = self._read("history.json")
        self.alarms = acknowledged(
            [Alarm(**plain) for plain in self._read("alarms.json")], self._lab.monitor.acknowledge
        )
        self._latest = max((step["end"] for step in self._history if step.get("end")), default=None)
        self._told = {alarm.id for alarm in self.alarms if alarm.open}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.__exit__(kind, error, trace)

    def add(self, sight: Sight) -> None:
        """Records one look."""
        now, window = time.time(), sight.window
        if window.end is not None and self._latest is not None and window.end < self._latest and not self.looks:
            self._note(f"the clock went backwards: {window.label} ends before rows of an earlier look")
        if window.end is not None and window.end > now + 86400:
            self._note(f"{window.label} ends in the future: is its time zone right?")
        self.alarms = merged(self.alarms, raised(sight.signals, now))
        self._history.append(self._step(sight, now))
        self.alarms = [self._shaped(alarm) for alarm in self.alarms]
        self._history = self._history[-_KEPT:]
        self._sight, self.looks = sight, self.looks + 1
        self._run.log(self._items(sight, self._history[-1]["step"]))
        heard = [a for a in self.alarms if a.calls and a.looks == 1]
        for alarm in heard:
            _log.warning("  %s alarm %s: %s", alarm.severity, alarm.id, alarm.cause)

    def noted(self, notes: Sequence[str]) -> None:
        """Sentences about the reading of the rows."""
        for note in notes:
            _log.info("  %s", note)
            self._notes.append(f"{note[:1].upper()}{note[1:]}.")

    def close(self) -> Decision:
        """Decides about retraining, writes the report and tells who is to be told of new alarms."""
        asked, sight = self._lab.monitor, self._sight
        assert sight is not None
        decision = decide(
            asked.retrain,
            self.alarms,
            drop=sight.drop(self._known),
            since=self._since_training(),
            every=asked.retrain_every.total_seconds(),
            budget=self._left(),
        )
        self._untested(sight)
        self._notes.append(f"Retraining: {decision.why} (expected gain {decision.expected_gain:.1%}).")
        self.alarms.sort(key=lambda alarm: (not alarm.calls, not alarm.open, alarm.severity, -alarm.last_seen))
        metric = self._known.metric
        lines = spent(trainings(self._lab, metric.name), lower=metric.direction == "minimize")
        story = Story(str(self._version), self._history, self.alarms, self._notes, lines)
        page = report(self._known, sight, story)
        self._run.log(self._closing(page, decision))
        fresh = [alarm for alarm in self.alarms if alarm.calls and alarm.id not in self._told]
        if fresh and asked.webhook:
            send(asked.webhook, asked.secret, f"{self._version}: {len(fresh)} new alarms", fresh)
        return decision

    def _untested(self, sight: Sight) -> None:
        """Says what the last look could not judge, lest few rows pass for quiet ones."""
        why = list(dict.fromkeys(s.finding.sentence for s in sight.signals if not s.finding.applies))
        if why:
            first = "; ".join(sentence.rstrip(".") for sentence in why[:_TOLD])
            self.noted(
                [f"{len(why)} of {len(sight.signals)} tests are not applicable: {first}{'; …' * (len(why) > _TOLD)}"]
            )

    def _note(self, sentence: str) -> None:
        _log.warning("  %s.", sentence)
        self._notes.append(sentence + ".")

    def _read(self, path: str) -> list[dict[str, Any]]:
        file = self._lab.tracking.artifact(self.run_id, path)
        return json.loads(file.read_text(encoding="utf-8")) if file else []

    def _since_training(self) -> float | None:
        """Seconds since the newest version was made, whatever the gates said of it."""
        made = [version.created for version in self._lab.tracking.registry.versions(self._version.name)]
        return time.time() - max(made) if any(made) else None

    def _left(self) -> float | None:
        """Training seconds left of the budget: every sweep of this model so far counts."""
        budget = self._lab.monitor.budget
        if budget is None:
            return None
        return budget - sum(one.seconds for one in trainings(self._lab, self._known.metric.name))

    def _step(self, sight: Sight, now: float) -> dict[str, Any]:
        drift: dict[str, float] = {}
        for signal in sight.signals:
            if signal.family in ("data", "schema") and signal.finding.applies:
                strength = signal.strength if signal.q_value <= 0.05 else 0.0
                drift[signal.finding.column] = max(drift.get(signal.finding.column, 0.0), round(strength, 4))
        values = {kind: {n: [e.value, e.low, e.high] for n, e in found.items()}
                  for kind, found in (("estimated", sight.estimated), ("realised", sight.realised))}  # fmt: skip
        return {
            "step": self._history[-1]["step"] + 1 if self._history else 1,
            "label": sight.window.label,
            "time": now,
            "end": sight.window.end,
            "rows": sight.window.rows,
            "labelled": sight.window.truths,
            "delay": sight.window.delay,
            "drop": sight.drop(self._known),
            "drift": drift,
            "alarms": [alarm.id for alarm in self.alarms if alarm.open],
            **values,
        }

    def _shaped(self, alarm: Alarm) -> Alarm:
        if not alarm.open or alarm.family not in ("data", "performance", "concept"):
            return alarm
        if alarm.family == "data":
            series, least = [step["drift"].get(alarm.column, 0.0) for step in self._history], 1.0
        else:
            series, least = [step["drop"] for step in self._history], self._lab.monitor.tolerance
        return replace(alarm, shape=shape(series, least) or alarm.shape)

    def _items(self, sight: Sight, step: int) -> Iterator[Item]:
        yield Metric("rows/current", sight.window.rows, step)
        yield Metric("rows/labelled", sight.window.truths, step)
        yield Metric("alarms/open", sum(alarm.calls for alarm in self.alarms), step)
        yield Metric(
            "drift/columns", len({s.finding.column for s in sight.signals if s.stands and s.family == "data"}), step
        )
        if sight.window.delay is not None:
            yield Metric("time/label_delay_days", sight.window.delay / 86400, step)
        for column, moved in sight.impact.items():
            yield Metric(f"impact/{column}", moved, step)
        for column, strength in self._history[-1]["drift"].items():
            yield Metric(f"drift/{column}", strength, step)
        for kind, found in (("estimated", sight.estimated), ("realised", sight.realised)):
            for name, value in found.items():
                for end, number in (("", value.value), ("_low", value.low), ("_high", value.high)):
                    yield Metric(f"{kind}/{name}{end}", number, step)
        for name in sight.estimated.keys() & sight.realised.keys():
            yield Metric(f"estimate_error/{name}", sight.estimated[name].value - sight.realised[name].value, step)

    def _closing(self, page: str, decision: Decision) -> Iterator[Item]:
        yield Artifact("history.json", json.dumps(self._history))
        yield Artifact("alarms.json", json.dumps([alarm.to_json() for alarm in self.alarms], ensure_ascii=False))
        yield Artifact("report.html", page)
        calling = [alarm for alarm in self.alarms if alarm.calls]
        yield Metric("retrain/expected_gain", decision.expected_gain, self._history[-1]["step"])
        yield Metric("retrain/asked", float(decision.retrain), self._history[-1]["step"])
        yield Tag("leaflab.alarms", str(len(calling)))
        yield Tag("leaflab.state", "alarm" if calling else "quiet")
        yield Tag("leaflab.retrain", decision.why[:500])
        lines = [f"- **{alarm.severity}** `{alarm.id}` {alarm.cause}" for alarm in calling[:20]]
        yield Tag("mlflow.note.content", "\n".join([f"{self._version}: {len(calling)} alarms", *lines])[:7000])
