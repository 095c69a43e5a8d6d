"""What can be measured of a video; each extractor has a version, which is part of the cache's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.source.pixels import describe, grey

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = ["VIDEO", "Film", "open_film"]

Features = dict[str, Any]
_KEY_FRAMES, _SIDE = 32, 32


@dataclass(frozen=True)
class Film:
    """A decoded video: its first key frames as pictures, and every frame's brightness on a grid."""

    width: int
    height: int
    rate: float
    duration: float
    keys: list[Image]
    grid: np.ndarray


def open_film(data: bytes) -> Film:
    """A video, decoded frame by frame.

    Raises:
        ValueError: it cannot be decoded or holds no frame.
    """
    import io

    import av
    import numpy as np

    keys: list[Image] = []
    grids: list[np.ndarray] = []
    try:
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                image = frame.to_image()
                grids.append(grey(image, _SIDE))
                if frame.key_frame and len(keys) < _KEY_FRAMES:
                    keys.append(image)
            rate = float(stream.average_rate or 0)
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise ValueError(f"cannot be decoded ({error})") from error
    if not grids:
        raise ValueError("holds no frame")
    keys = keys or [image]
    return Film(image.width, image.height, rate, len(grids) / rate if rate else 0.0, keys, np.stack(grids))


def _basic(film: Film) -> Features:
    frames = len(film.grid)
    return {"width": film.width, "height": film.height, "rate": film.rate, "duration": film.duration, "frames": frames}


def _colour(film: Film) -> Features:
    """Colours of the key frames: means, and how much they change."""
    import numpy as np

    each = [describe(image, ["colour"]) for image in film.keys]
    found: Features = {}
    for name in each[0]:
        values = np.asarray([features[name] for features in each])
        found |= {name: float(values.mean()), f"{name} change": float(values.std())}
    return found


def _motion(film: Film) -> Features:
    """Differences between one frame and the next, in brightness from 0 to 1."""
    import numpy as np

    change = np.abs(np.diff(film.grid, axis=0)).mean(axis=(1, 2)) if len(film.grid) > 1 else np.zeros(1)
    return {"motion mean": float(change.mean()), "motion max": float(change.max()), "motion std": float(change.std())}


VIDEO: Mapping[str, tuple[int, Callable[[Any], Features]]] = {
    "basic": (1, _basic),
    "colour": (1, _colour),
    "motion": (1, _motion),
}
