"""Signals, alarms and their memory, shapes, decisions, the webhook."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest

from leaflab.drift.base import Finding
from leaflab.errors import ConfigError
from leaflab.watch.alarms import Alarm, acknowledged, merged, raised
from leaflab.watch.impact import impacts
from leaflab.watch.look import Known
from leaflab.watch.policy import decide
from leaflab.watch.seasons import phases
from leaflab.watch.signals import signals
from leaflab.watch.trend import shape
from leaflab.watch.webhook import send, signature


def finding(test: str, column: str, p_value: float, effect: float = 1.0) -> Finding:
    return Finding(test, column, effect, p_value, 0.1, f"{test} of {column or 'all'}.")


def test_each_family_has_its_share_of_the_level() -> None:
    found = signals([finding("ks", "a", 0.02), finding("surprise", "", 0.02), finding("chi2", "b", 0.5)], {})
    assert [signal.stands for signal in found if signal.finding.test == "surprise"] == [True]
    assert not any(signal.stands for signal in found if signal.family == "data")


def test_effects_below_the_least_and_harmless_columns_do_not_alarm() -> None:
    found = signals(
        [finding("ks", "a", 1e-9), finding("ks", "b", 1e-9, 0.05), finding("ks", "c", 1e-9)], {"a": 0.2, "c": 0.0}
    )
    assert [(s.finding.column, s.stands, s.alarm) for s in found] == [
        ("a", True, True),
        ("c", True, False),
        ("b", False, False),
    ]


def test_an_alarm_is_told_once_and_remembers() -> None:
    found = signals([finding("ks", "a", 1e-9), finding("psi", "a", 1e-9, 9.0)], {"a": 0.3})
    first = merged([], raised(found, 100.0))
    assert [(a.first_seen, a.looks, a.calls) for a in first] == [(100.0, 1, True)]
    assert "psi of a; it moves the model's answers by 30%" in first[0].cause
    second = merged(first, raised(found, 200.0))
    assert [(a.first_seen, a.last_seen, a.looks) for a in second] == [(100.0, 200.0, 2)]
    known = acknowledged(second, [second[0].id])
    assert not any(a.calls for a in merged(known, raised(found, 300.0)))
    gone = merged(known, [])
    assert not gone[0].open
    back = merged(gone, raised(found, 400.0))
    assert (back[0].shape, back[0].calls) == ("recurring", True)
    with pytest.raises(ConfigError, match=r"`monitor.acknowledge` must name an alarm, got 'zz': open alarms: "):
        acknowledged(second, ["zz"])


@pytest.mark.parametrize(
    ("effects", "name"),
    [
        ([0, 0, 0, 4, 4], "sudden"),
        ([0, 1, 2, 3, 4], "gradual"),
        ([3, 3, 0, 0, 3], "recurring"),
        ([0, 0, 3], ""),
        ([3, 3, 3, 0], ""),
    ],
)
def test_the_shape_of_drift(effects: list[float], name: str) -> None:
    assert shape(effects, 1.0) == name


ALARM = Alarm("abcd1234", "performance", "", "critical", "worse.", 0.0, 0.0)


@pytest.mark.parametrize(
    ("policy", "alarms", "since", "budget", "answer"),
    [
        ("never", [ALARM], None, None, False),
        ("on_alarm", [ALARM], 1e6, None, True),
        ("on_alarm", [ALARM], 10.0, None, False),
        ("on_alarm", [], 1e6, None, False),
        ("schedule", [], 1e6, None, True),
        ("schedule", [], 10.0, None, False),
        ("budgeted", [ALARM], 1e6, 0.0, False),
        ("budgeted", [ALARM], 1e6, 60.0, True),
    ],
)
def test_policies(policy: str, alarms: list[Alarm], since: float | None, budget: float | None, answer: bool) -> None:
    made = decide(policy, alarms, drop=0.25, since=since, every=3600.0, budget=budget)  # type: ignore[arg-type]
    assert made.retrain is answer
    assert made.expected_gain == pytest.approx(0.2)
    assert made.why


def test_a_gain_too_small_is_not_worth_the_training() -> None:
    assert not decide("budgeted", [ALARM], drop=0.001, since=None, every=0, budget=None).retrain


def test_phases_of_seasons() -> None:
    times = np.array(["2024-02-05T03:30", "2024-12-08T23:00"], dtype="datetime64[s]").astype("int64").astype(float)
    assert phases(times, "day").tolist() == [3, 23]
    assert phases(times, "week").tolist() == [0, 6]
    assert phases(times, "year").tolist() == [1, 11]


def test_the_impact_of_the_same_rows_is_small_and_of_a_column_gone_is_not(known: Known) -> None:
    same = impacts(known.scorer, known.sample, known.sample.frame, ["x", "kind", "z", "dull"])
    assert max(same.values()) < 1e-9
    frame = known.sample.frame
    gone = impacts(known.scorer, known.sample, frame.drop(columns="x"), ["x"])
    fixed = impacts(known.scorer, known.sample, frame.assign(kind=pd.array(["d"] * len(frame), dtype="str")), ["kind"])
    assert gone["x"] > 0.2
    assert fixed["kind"] > 0.2


def test_a_webhook_gets_slack_shaped_json_signed_once() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert send(f"http://127.0.0.1:{server.server_port}/hook", "secret", "flights version 3", [ALARM])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((headers, body),) = got
    plain = json.loads(body)
    assert plain["text"] == "flights version 3: worse."
    assert plain["blocks"][0]["type"] == "header"
    assert headers["X-Leaflab-Signature"] == signature("secret", int(headers["X-Leaflab-Timestamp"]), body)


def test_a_dead_webhook_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert not send("http://127.0.0.1:9/", None, "title", [ALARM], pause=0)
    assert "did not take the alarms" in caplog.text
