"""Runs single kernels on every instruction set, and the naive float64 answers they are held to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

engine = pytest.importorskip("tfdeploy._engine", reason="the engine is not built")

ISAS: list[str] = engine.available()
SAME_BITS = [isa for isa in ISAS if isa != "generic"]
PANEL = 16
LOWEST = float(np.finfo(np.float32).min)
INF = float("inf")
WIDTHS = (1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65)
"""Lengths around the vectors of every instruction set."""

Array = np.ndarray[Any, Any]


def run(
    name: str,
    inputs: Sequence[Array | None],
    output: Array,
    ints: Sequence[int] = (),
    floats: Sequence[float] = (),
    isa: str | None = None,
    cut: int = 0,
) -> Array:
    """The kernel's answer in `output`, all units at once or in cuts of `cut` grains' multiples.

    Cuts come as to a thread that takes of others' shares: some go on where the last one ended, some
    lie ahead of it, some behind.
    """
    call = engine.Call(name, inputs, [output], [int(i) for i in ints], floats, isa)
    starts = range(0, call.units, cut or max(call.units, 1))
    before = 0
    for begin in sorted(starts, key=lambda at: (at // (cut or 1) % 3 == 2, at)):
        end = min(begin + cut, call.units) if cut else call.units
        call.run(begin, end, before=before)
        before = end
    assert call.kept_to_scratch(), f"{name} wrote past its scratch"
    return output


def everywhere(
    name: str,
    inputs: Sequence[Array | None],
    shape: Sequence[int],
    ints: Sequence[int] = (),
    floats: Sequence[float] = (),
    dtype: Any = np.float32,
) -> Iterator[Array]:
    """The answers of every instruction set; those that promise equal bits are compared to the bit,
    in one piece and cut into single units."""
    first = None
    for isa in ISAS:
        for cut in (0, 1):
            output = np.empty(shape, dtype)
            output.view(np.uint8)[...] = 0xA5
            run(name, inputs, output, ints, floats, isa, cut)
            if isa in SAME_BITS:
                first = output if first is None else first
                assert same_bits(first, output), (
                    f"{name}: {isa} (cut {cut}) differs from {SAME_BITS[0]}"
                )
        yield output


def same_bits(a: Array, b: Array) -> bool:
    """Equal bytes, NaN payloads aside."""
    if a.dtype.kind == "f":
        a, b = (np.where(np.isnan(v), np.float32("nan"), v) for v in (a, b))
    return a.tobytes() == b.tobytes()


def close(got: Array, expected: Array, scale: Array | float, tolerance: float = 2e-6) -> None:
    """Errors within `tolerance` of `scale`, the size of what was summed."""
    assert got.shape == expected.shape
    if got.size:
        worst = np.max(np.abs(got.astype(np.float64) - expected))
        assert worst <= tolerance * float(np.max(scale)), f"error {worst}, scale {np.max(scale)}"


def panels(n: int) -> int:
    return -(-n // PANEL)


def pack(weights: Array, isa: str | None = None) -> Array:
    """Panels of weights [groups, taps, len, n]."""
    groups, taps, length, n = weights.shape
    return run(
        "pack", [weights], np.empty(groups * panels(n) * taps * length * PANEL, np.float32), isa=isa
    )


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, np.float32)


class Window:
    """Geometry of a convolution or pooling over `axes` spatial axes."""

    def __init__(self, rng: np.random.Generator, axes: int, size: int, dilate: bool = True) -> None:
        draw = lambda low, high: [int(v) for v in rng.integers(low, high, axes)]  # noqa: E731
        self.kernel = draw(1, 6 if axes < 3 else 4)
        self.stride = draw(1, 4)
        self.dilation = draw(1, 3) if dilate else [1] * axes
        self.size = draw(1, size)
        reach = [(k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True)]
        self.pad = [int(rng.integers(0, r + 1)) for r in reach]
        after = [int(rng.integers(0, r + 1)) for r in reach]
        self.out = [
            max(1, (n + p + q - r - 1) // s + 1)
            for n, p, q, r, s in zip(self.size, self.pad, after, reach, self.stride, strict=True)
        ]

    @property
    def ints(self) -> list[int]:
        return [*self.kernel, *self.stride, *self.dilation, *self.pad]

    def taps(self, x: Array, fill: float = 0.0) -> Iterator[tuple[tuple[int, ...], Array]]:
        """Each kernel position, and what all output pixels read there, in float64."""
        sides = [(0, 0)]
        for n, k, s, d, p, o in zip(
            self.size, self.kernel, self.stride, self.dilation, self.pad, self.out, strict=True
        ):
            sides.append((p, max(0, (o - 1) * s + (k - 1) * d + 1 - p - n)))
        padded = np.pad(x.astype(np.float64), [*sides, (0, 0)], constant_values=fill)
        for at in np.ndindex(*self.kernel):
            cuts = [slice(None)]
            for i, d, s, o in zip(at, self.dilation, self.stride, self.out, strict=True):
                cuts.append(slice(i * d, i * d + (o - 1) * s + 1, s))
            yield at, padded[tuple(cuts)]

    def conv(self, x: Array, weights: Array, groups: int = 1) -> Array:
        """Convolution of x [n, ..., c] by weights [..., c / groups, c']."""
        c, columns = weights.shape[-2:]
        each = columns // groups
        out = np.zeros((x.shape[0], *self.out, columns))
        for at, read in self.taps(x):
            for g in range(groups):
                here = slice(g * each, (g + 1) * each)
                out[..., here] += read[..., g * c : (g + 1) * c] @ weights[at][:, here]
        return out
