"""Pictures, sounds and videos become rows of features; what cannot be decoded is set aside."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.source import media
from leaflab.source.media import Audio, Images, Video

pytest.importorskip("PIL", reason="pillow is not installed", exc_type=ImportError)
from PIL import Image


def picture(path: Path, shade: int, size: int = 64, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 80, (8, 8, 3)).repeat(size // 8, 0).repeat(size // 8, 1)
    image = Image.fromarray((noise + shade).astype("uint8"))
    exif = Image.Exif()
    exif[0x0132] = "2020:01:02 03:04:05"
    image.save(path, exif=exif)


def tone(path: Path, hertz: float, seconds: float = 0.3, rate: int = 8000) -> None:
    samples = np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate) * 0.5
    samples[: len(samples) // 3] = 0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def test_pictures(tmp_path: Path, cache: str) -> None:
    for seed, label in enumerate(["cat", "dog", "cat"]):
        picture(tmp_path / "in" / label / f"{seed}.png", 20, seed=seed)
    picture(tmp_path / "in" / "cat" / "brighter.jpg", 60, size=128, seed=0)
    (tmp_path / "in" / "dog" / "broken.png").write_bytes((tmp_path / "in/cat/0.png").read_bytes()[:60])
    (tmp_path / "in" / "dog" / "words.png").write_text("no picture")
    source = Images(path=str(tmp_path / "in"), cache=cache, features=["size", "exif", "colour", "hog", "grid", "phash"])
    reading = source.read()
    rows = {row["path"]: row for row in reading.table().to_pylist()}
    assert source.default_name == "in"
    assert [row["label"] for row in rows.values()] == ["cat", "cat", "cat", "dog"]
    first = rows["cat/0.png"]
    assert (first["width"], first["mode"], str(first["taken"])) == (64, "RGB", "2020-01-02 03:04:05")
    assert rows["cat/brighter.jpg"]["brightness mean"] > first["brightness mean"]
    assert rows["cat/brighter.jpg"]["look"] == first["look"] != rows["cat/2.png"]["look"]
    assert reading.notes == ["1 pictures look like another one (column look)"]
    assert [(b.line, b.raw) for b in reading.bad] == [(5, "dog/broken.png"), (6, "dog/words.png")]
    assert "cannot be decoded" in reading.bad[0].reason
    assert reading.bad[1].reason == "cannot be decoded (cannot identify image file 'dog/words.png')"
    assert len([name for name in first if name.startswith("hog")]) == 4 * 4 * 36
    kept = reading.media[0]
    assert (kept.path, kept.label, kept.shape) == ("cat/0.png", "cat", {"width": 64.0, "height": 64.0})


def test_features_are_kept_by_content(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "in" / "a.png", 20)
    picture(tmp_path / "in" / "b.png", 20)
    before = Images(path=str(tmp_path / "in"), cache=cache).read().table()
    assert len(list(Path(cache).rglob("*.json"))) == 1
    monkeypatch.setattr("leaflab.source.measuring._opened", lambda *args: pytest.fail("decoded again"))
    assert Images(path=str(tmp_path / "in"), cache=cache).read().table().equals(before)
    with pytest.raises(pytest.fail.Exception):
        Images(path=str(tmp_path / "in"), cache=cache, features=["size"]).read()


def test_sounds_with_a_table_of_labels(tmp_path: Path, cache: str) -> None:
    pytest.importorskip("soundfile", reason="soundfile is not installed", exc_type=ImportError)
    tone(tmp_path / "low.wav", 200)
    tone(tmp_path / "high.wav", 2000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    (tmp_path / "labels.csv").write_text("who,file\nme,low.wav\nyou,high.wav\n")
    reading = Audio(path=str(tmp_path), labels="labels.csv", cache=cache).read()
    high, low = reading.table().to_pylist()
    assert (low["who"], high["who"]) == ("me", "you")
    assert (low["duration"], low["rate"], low["channels"]) == (0.3, 8000, 1)
    assert low["centroid mean"] < high["centroid mean"]
    assert low["crossings mean"] < high["crossings mean"]
    assert 0.2 < low["silence"] < 0.4
    assert len([name for name in low if name.startswith("mfcc")]) == 13 * 2 + 13 * 5
    assert [b.raw for b in reading.bad] == ["bad.wav"]


def test_videos(tmp_path: Path, cache: str) -> None:
    av = pytest.importorskip("av", reason="av is not installed", exc_type=ImportError)
    for name, step in (("still", 0), ("moving", 8)):
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for at in range(12):
                pixels = np.zeros((48, 64, 3), "uint8")
                pixels[:, (at * step) % 64 : (at * step) % 64 + 8] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
    (tmp_path / "bad.mp4").write_bytes(b"not a film")
    reading = Video(path=str(tmp_path), cache=cache).read()
    moving, still = reading.table().to_pylist()
    assert (moving["frames"], moving["rate"], moving["duration"], moving["width"]) == (12, 10.0, 1.2, 64)
    assert moving["motion mean"] > 5 * still["motion mean"]
    assert 0 < moving["brightness mean"] < 0.5
    assert [b.raw for b in reading.bad] == ["bad.mp4"]


def test_many_files_go_to_processes(tmp_path: Path, cache: str) -> None:
    for seed in range(40):
        picture(tmp_path / "in" / f"{seed:02d}.png", 20, size=16, seed=seed)
    alone, spread = (
        Images(path=str(tmp_path / "in"), cache=f"{cache}{n}", features=["size", "colour"], processes=n).read().table()
        for n in (1, 2)
    )
    assert spread.equals(alone)


def test_what_is_wrong_is_one_sentence(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        Images(path=str(tmp_path / "nope"), cache=cache).read()
    with pytest.raises(SourceError, match="holds no images"):
        Images(path=str(tmp_path), cache=cache).read()
    with pytest.raises(ConfigError, match=r"`source.features` knows size, .*, got 'smell'"):
        Images(path=str(tmp_path), cache=cache, features=["smell"]).read()
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match="holds no images that can be decoded"):
        Images(path=str(tmp_path), cache=cache).read()
    (tmp_path / "labels.csv").write_text("who,file\nme,other.png\n")
    with pytest.raises(SourceError, match="has no column of file names"):
        Images(path=str(tmp_path), cache=cache, labels="labels.csv").read()
    monkeypatch.setattr(media, "find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'leaflab\[media\]'"):
        Images(path=str(tmp_path), cache=cache).read()
