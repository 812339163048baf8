"""Runs single kernels on every instruction set, and the naive float64 answers they are held to."""

from __future__ import annotations

import ctypes
import mmap
import os
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


class Edge:
    """Memory between two pages that nobody may touch: a kernel that leaves an array standing at
    either end faults, also by masked loads and stores, which sanitizers do not see."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self.length = -(-size // page) * page
        self.memory = mmap.mmap(-1, self.length + 2 * page)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory)) + page
        libc = ctypes.CDLL(None, use_errno=True)
        for at in (self.start - page, self.start + self.length):
            if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(page), 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def place(self, x: Array, last: bool) -> Array:
        """A copy of `x`, strides and gaps too, whose last byte or whose first is at the edge."""
        low, size = extent(x)
        at = self.length - size if last else 0
        ctypes.memmove(self.start + at, low, size)
        offset = mmap.PAGESIZE + at + x.ctypes.data - low
        copy: Array = np.ndarray(x.shape, x.dtype, self.memory, offset, x.strides)
        copy.flags.writeable = x.flags.writeable
        return copy


def extent(x: Array) -> tuple[int, int]:
    """Where the bytes of `x` begin, and how many there are up to the last."""
    reach = [(n - 1) * step for n, step in zip(x.shape, x.strides, strict=True)]
    if not x.size:
        return x.ctypes.data, 0
    return x.ctypes.data + sum(min(r, 0) for r in reach), sum(map(abs, reach)) + x.itemsize


EDGES: list[Edge] = []


def at_edges(arrays: Sequence[Array | None], last: bool) -> list[Array | None]:
    """Copies of `arrays` at edges of memory; themselves where they overlap or there are none."""
    there = [x for x in arrays if x is not None]
    overlap = any(np.may_share_memory(x, y) for i, x in enumerate(there) for y in there[:i])
    if overlap or os.name != "posix":
        return list(arrays)
    for i, x in enumerate(there):
        if i == len(EDGES):
            EDGES.append(Edge(1))
        if extent(x)[1] > EDGES[i].length:
            EDGES[i] = Edge(extent(x)[1])
    edges = iter(EDGES)
    return [x if x is None else next(edges).place(x, last) for x in arrays]


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
    lie ahead of it, some behind.  The operands end where memory does, or begin there if it is cut.
    """
    *placed, result = at_edges([*inputs, output], last=not cut)
    call = engine.Call(name, placed, [result], [int(i) for i in ints], floats, isa)
    starts = range(0, call.units, cut or max(call.units, 1))
    before = 0
    for begin in sorted(starts, key=lambda at: (at // (cut or 1) % 3 == 2, at)):
        end = min(begin + cut, call.units) if cut else call.units
        call.run(begin, end, before=before)
        before = end
    assert call.kept_to_scratch(), f"{name} wrote past its scratch"
    ctypes.memmove(extent(output)[0], *extent(result))
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
