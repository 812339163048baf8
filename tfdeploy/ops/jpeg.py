"""What libjpeg does to the planes of a JPEG file after the cosine transform, to the bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Layer = tuple[int, int]
"""How many samples a plane has along x and y for each of the file's units."""


def factors(layers: Sequence[Layer], ratio: int) -> list[Layer]:
    """By how much each plane of an image reduced by `ratio` has to grow, along x and y.

    Reduction makes blocks of 8 samples smaller; planes that have fewer samples are reduced less.
    """
    width, height = (max(extents) * 8 // ratio for extents in zip(*layers, strict=True))
    found = []
    for x, y in layers:
        size = 8 // ratio
        while size < 8 and not width % (2 * x * size) and not height % (2 * y * size):
            size *= 2
        found.append((width // (x * size), height // (y * size)))
    return found


def upsampled(plane: Plane, factor: Layer, narrow: bool) -> Plane:
    """A plane grown along x and y, smoothed where libjpeg smooths: each new sample is three parts
    the nearest old one and one part the next.  Planes that are `narrow` do not become smooth along
    x.
    """
    x, y = factor
    if factor not in ((2, 1), (1, 2), (2, 2)) or (x == 2 and narrow):
        return plane.repeat(y, 0).repeat(x, 1)
    sums = plane.astype(np.int32)
    if y == 2:
        sums = _between(sums)
    if x == 2:
        sums = _between(sums.T).T
    # Halves are rounded down and up in turns.
    shift = 2 * (x == 2) + 2 * (y == 2)
    half = 1 << (shift - 1)
    places = np.arange(sums.shape[1]) if x == 2 else np.arange(sums.shape[0])[:, None]
    odd = places % 2
    sums += half - odd if factor == (2, 2) else half - 1 + odd
    return (sums >> shift).astype(np.uint8)


def _between(lines: NDArray[np.int32]) -> NDArray[np.int32]:
    """Two lines for each: three times itself and the one before, or the one after."""
    padded = np.pad(lines, ((1, 1), (0, 0)), mode="edge")
    found = np.empty((2 * len(lines), lines.shape[1]), np.int32)
    found[::2] = 3 * lines + padded[:-2]
    found[1::2] = 3 * lines + padded[2:]
    return found


def colours(luma: Plane, blue: Plane, red: Plane) -> Plane:
    """RGB of YCbCr, with 16 bits after the point."""
    y = luma.astype(np.int32)
    cb, cr = (plane.astype(np.int32) - 128 for plane in (blue, red))
    half = 1 << 15
    r = y + ((91881 * cr + half) >> 16)
    g = y + ((-22554 * cb - 46802 * cr + half) >> 16)
    b = y + ((116130 * cb + half) >> 16)
    return np.stack([r, g, b], axis=-1).clip(0, 255).astype(np.uint8)
