"""What can be measured of a picture; each extractor has a version, which is part of the cache's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = ["IMAGE", "describe", "distance", "open_image"]

Features = dict[str, Any]
_CELLS, _CELL = 5, 12  # of the grid that gradients are counted on, and the pixels of a cell's side


def open_image(data: bytes) -> Image:
    """A picture, decoded whole.

    Raises:
        ValueError: it cannot be decoded.
    """
    import io
    import warnings

    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
            return ImageOps.exif_transpose(image)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"cannot be decoded ({str(error).splitlines()[0]})") from error


def describe(image: Image, extractors: list[str]) -> Features:
    """The features of a picture, extractor by extractor."""
    found: Features = {}
    for name in extractors:
        found |= IMAGE[name][1](image)
    return found


def _size(image: Image) -> Features:
    return {"width": image.width, "height": image.height, "mode": image.mode, "ratio": image.width / image.height}


def _exif(image: Image) -> Features:
    import datetime as dt

    exif = image.getexif()
    text = exif.get_ifd(0x8769).get(0x9003) or exif.get(0x0132)
    try:
        return {"taken": dt.datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S")}
    except ValueError:
        return {"taken": None}


def _colour(image: Image) -> Features:
    import numpy as np

    found: Features = {}
    for space, bands in (("RGB", ("red", "green", "blue")), ("HSV", ("hue", "saturation", "brightness"))):
        values = np.asarray(image.convert("RGB").convert(space), dtype="float64").reshape(-1, 3) / 255
        for at, band in enumerate(bands):
            low, middle, high = np.percentile(values[:, at], [10, 50, 90])
            found |= {f"{band} mean": values[:, at].mean(), f"{band} std": values[:, at].std()}
            found |= {f"{band} 10%": low, f"{band} 50%": middle, f"{band} 90%": high}
    return {name: float(value) for name, value in found.items()}


def grey(image: Image, side: int) -> np.ndarray:
    """Brightness on a square grid, shape (side, side), 0 to 1."""
    import numpy as np
    from PIL.Image import Resampling

    return np.asarray(image.convert("L").resize((side, side), Resampling.BOX), dtype="float64") / 255


def _grid(image: Image) -> Features:
    """Brightness on 16 × 16 squares, in units of the picture's own contrast."""
    values = grey(image, 16)
    values = (values - values.mean()) / (values.std() + 1e-6)
    return {f"grid {y} {x}": float(values[y, x]) for y in range(16) for x in range(16)}


def _hog(image: Image) -> Features:
    """Histograms of oriented gradients (Dalal and Triggs 2005): 4 × 4 overlapping blocks, 9 directions."""
    import numpy as np

    values = grey(image, _CELLS * _CELL)
    dy, dx = np.gradient(values)
    strength, angle = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 180
    place = angle / 20
    low = np.floor(place).astype(int)
    cells = np.zeros((_CELLS, _CELLS, 9))
    rows, columns = np.indices(values.shape) // _CELL
    np.add.at(cells, (rows, columns, low % 9), strength * (1 - (place - low)))
    np.add.at(cells, (rows, columns, (low + 1) % 9), strength * (place - low))
    found: Features = {}
    for y in range(_CELLS - 1):
        for x in range(_CELLS - 1):
            block = cells[y : y + 2, x : x + 2].ravel()
            block = block / np.sqrt((block**2).sum() + 1e-3)
            found |= {f"hog {y} {x} {i}": float(v) for i, v in enumerate(block)}
    return found


def _phash(image: Image) -> Features:
    """64 bits of the lowest cosine frequencies; pictures that look alike differ in few (Zauner 2010)."""
    import numpy as np
    from scipy.fft import dctn

    low = dctn(grey(image, 32), norm="ortho")[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return {"phash": f"{int(''.join('1' if b else '0' for b in bits), 2):016x}"}


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Bits in which 64-bit hashes differ."""
    import numpy as np

    return np.bitwise_count(one ^ other)


IMAGE: Mapping[str, tuple[int, Callable[[Any], Features]]] = {
    "size": (1, _size),
    "exif": (1, _exif),
    "colour": (1, _colour),
    "grid": (1, _grid),
    "hog": (1, _hog),
    "phash": (1, _phash),
}
