"""What can be measured of a sound; each extractor has a version, which is part of the cache's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["AUDIO", "Sound", "open_sound"]

Features = dict[str, Any]
_FRAME, _STEP = 0.025, 0.010  # seconds
_BANDS, _COEFFICIENTS, _PARTS = 40, 13, 5
_SILENCE = 0.02  # of the loudest frame


@dataclass(frozen=True)
class Sound:
    """One channel of samples, -1 to 1, and how many there are a second."""

    samples: np.ndarray
    rate: int
    channels: int

    @cached_property
    def frames(self) -> np.ndarray:
        """Overlapping frames, shape (frames, samples); a sound shorter than one is filled up with silence."""
        import numpy as np

        width, step = max(32, round(_FRAME * self.rate)), max(1, round(_STEP * self.rate))
        samples = np.pad(self.samples, (0, max(0, width - len(self.samples))))
        return np.lib.stride_tricks.sliding_window_view(samples, width)[::step]

    @cached_property
    def power(self) -> np.ndarray:
        """Power spectrum of each frame, shape (frames, frequencies)."""
        import numpy as np

        return np.abs(np.fft.rfft(self.frames * np.hanning(self.frames.shape[1]))) ** 2

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Hertz of the columns of `power`."""
        import numpy as np

        return np.fft.rfftfreq(self.frames.shape[1], 1 / self.rate)


def open_sound(data: bytes) -> Sound:
    """A sound, decoded whole, its channels averaged.

    Raises:
        ValueError: it cannot be decoded or holds no sample.
    """
    import io

    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"cannot be decoded ({str(error).rstrip('.')})") from error
    if not len(samples):
        raise ValueError("holds no sound")
    return Sound(samples.mean(axis=1), int(rate), samples.shape[1])


def _basic(sound: Sound) -> Features:
    return {"duration": len(sound.samples) / sound.rate, "rate": sound.rate, "channels": sound.channels}


def _mel(sound: Sound) -> np.ndarray:
    """Mel-frequency cepstral coefficients, shape (frames, 13) (Davis and Mermelstein 1980)."""
    import numpy as np
    from scipy.fft import dct

    top = 2595 * np.log10(1 + sound.rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (sound.frequencies - low) / (middle - low), (high - sound.frequencies) / (high - middle)
    bank = np.clip(np.minimum(rising, falling), 0, None)
    return dct(np.log(sound.power @ bank.T + 1e-10), norm="ortho", axis=1)[:, :_COEFFICIENTS]


def _mfcc(sound: Sound) -> Features:
    found: Features = {}
    for at, values in enumerate(_mel(sound).T):
        found |= {f"mfcc {at} mean": float(values.mean()), f"mfcc {at} std": float(values.std())}
    return found


def _course(sound: Sound) -> Features:
    """Coefficients averaged over five equal parts of the sound between its silences: what comes first and what last."""
    import numpy as np

    loud = np.flatnonzero(_loudness(sound) > _SILENCE)
    values = _mel(sound)[loud[0] : loud[-1] + 1] if len(loud) else _mel(sound)
    parts = [values[int(a) : max(int(a) + 1, int(b))] for a, b in _edges(len(values))]
    return {
        f"mfcc {at} part {n}": float(part[:, at].mean()) for n, part in enumerate(parts) for at in range(_COEFFICIENTS)
    }


def _edges(length: int) -> list[tuple[float, float]]:
    import numpy as np

    cuts = np.linspace(0, length, _PARTS + 1)
    return [(min(a, length - 1), b) for a, b in pairwise(cuts)]


def _loudness(sound: Sound) -> np.ndarray:
    """Root mean square of each frame, the loudest being 1."""
    import numpy as np

    loudness = np.sqrt((sound.frames**2).mean(axis=1))
    return np.asarray(loudness / max(float(loudness.max()), 1e-12))


def _spectrum(sound: Sound) -> Features:
    import numpy as np

    weight = sound.power / (sound.power.sum(axis=1, keepdims=True) + 1e-12)
    centre = weight @ sound.frequencies
    width = np.sqrt(np.maximum(0, (weight * (sound.frequencies - centre[:, None]) ** 2).sum(axis=1)))
    rolloff = sound.frequencies[np.minimum((weight.cumsum(axis=1) < 0.85).sum(axis=1), len(sound.frequencies) - 1)]
    crossings = (np.diff(np.signbit(sound.frames), axis=1)).mean(axis=1)
    found: Features = {"silence": float((_loudness(sound) < _SILENCE).mean())}
    for name, values in {"centroid": centre, "bandwidth": width, "rolloff": rolloff, "crossings": crossings}.items():
        found |= {f"{name} mean": float(values.mean()), f"{name} std": float(values.std())}
    return found


AUDIO: Mapping[str, tuple[int, Callable[[Any], Features]]] = {
    "basic": (1, _basic),
    "mfcc": (1, _mfcc),
    "course": (1, _course),
    "spectrum": (1, _spectrum),
}
