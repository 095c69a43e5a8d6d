"""The experiments on sensors and media, end to end and small, on the real data."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from leaflab.app import main
from leaflab.door.compose import lab_for
from leaflab.workflow.collect import collect
from leaflab.workflow.prepare import prepare

REPLAY = Path(__file__).parents[2] / "benchmarks" / "replay.py"


def test_without_their_data_they_say_where_it_must_lie(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEAFLAB_DATA", raising=False)
    for name, folder in (("spoken_digits", "fsdd"), ("sign_digits", "sign_digits")):
        assert main(["collect", f"experiment={name}"]) == 2
        assert f"'data/media/{folder}' does not exist: it was looked for in {home}" in capsys.readouterr().err


@pytest.mark.slow
def test_spoken_digits(home: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soundfile", reason="soundfile is not installed", exc_type=ImportError)
    monkeypatch.setenv("LEAFLAB_DATA", str(shared_data))
    dataset = prepare(lab_for("prepare", ["experiment=spoken_digits"]))
    assert {part: dataset.rows(part) for part in ("train", "valid", "test")} | {"test": 300} == {
        "train": dataset.rows("train"),
        "valid": 300 - dataset.rows("train"),
        "test": 300,
    }
    assert dataset.task == "multiclass"
    assert len(dataset.classes) == 10
    assert not {"speaker", "take", "digest", "path"} & {c.name for c in dataset.columns}


@pytest.mark.slow
def test_sign_digits(home: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="pillow is not installed", exc_type=ImportError)
    monkeypatch.setenv("LEAFLAB_DATA", str(shared_data))
    lab = lab_for("prepare", ["experiment=sign_digits"])
    dataset = prepare(lab)
    assert sum(dataset.rows(part) for part in ("train", "valid", "test")) == 502
    looks = [set(dataset.parts[part].column("look").to_pylist()) for part in ("train", "valid", "test")]
    assert not looks[0] & looks[1] and not looks[1] & looks[2] and not looks[0] & looks[2]
    assert lab.lake.current("media/index").rows == 502


@pytest.mark.slow
def test_sensors(home: Path, shared_data: Path, mosquitto: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_PORT", str(mosquitto))
    rows = pq.read_table(shared_data / "occupancy.parquet").slice(0, 3000).to_pylist()
    messages = [{"timestamp": row.pop("date"), **row} for row in rows]
    replay = runpy.run_path(str(REPLAY))["replay"]
    sender = threading.Timer(1.5, replay, (messages, "office/desk", "127.0.0.1", mosquitto))
    sender.start()
    keys = ["experiment=sensors", "collect.seconds=5", "collect.flush_seconds=1"]
    raw = collect(lab_for("collect", keys))
    sender.join()
    for _ in range(10):  # on a busy machine the rest waits at the broker
        raw = raw if raw.rows >= 3000 else collect(lab_for("collect", keys))
    assert raw.rows == 3000
    dataset = prepare(lab_for("prepare", keys))
    assert dataset.task == "binary"
    assert sum(dataset.rows(part) for part in ("train", "valid", "test")) > 290
    assert not [c.name for c in dataset.columns if "Light" in c.name]
    newest = dataset.parts["train"].column("timestamp").to_pylist()
    assert max(newest) < min(dataset.parts["test"].column("timestamp").to_pylist())
