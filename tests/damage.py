"""Damaged inputs for the readers: seeded mutations, and the rule that every error is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tfdeploy.errors import TfdeployError


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`count` variants of `data`: bits flipped, bytes set, cut off, doubled, left out, inserted."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 4)):
            at = int(random.integers(len(damaged) or 1))
            size = int(random.integers(1, 9))
            kind = random.integers(6)
            if not damaged:
                break
            if kind == 0:
                damaged[at] ^= 1 << int(random.integers(8))
            elif kind == 1:
                damaged[at] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF]))
            elif kind == 2:
                del damaged[at:]
            elif kind == 3:
                damaged[at:at] = damaged[at : at + size * 16]
            elif kind == 4:
                del damaged[at : at + size]
            else:
                damaged[at:at] = random.bytes(size)
        yield bytes(damaged)


def refusals(read: Callable[[bytes], object], variants: Iterator[bytes]) -> int:
    """How many variants `read` refuses; any error but tfdeploy's own passes through."""
    refused = 0
    for variant in variants:
        try:
            read(variant)
        except TfdeployError as error:
            assert str(error)
            refused += 1
    return refused
