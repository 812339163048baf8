"""CRC-32C (Castagnoli): the compiled engine's where there is one, else this one in numpy.

A cyclic redundancy check is linear: the data are cut into lanes of equal length, all lanes advance
together one word at a time, and neighbours are joined by shifting the left one past the right.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..config import engine

_POLYNOMIAL = np.uint32(0x82F63B78)  # reflected
_CHUNK = 1 << 20  # bytes whose lanes advance together
_WORDS = 64  # fewest words of a lane


def masked(data: Any) -> int:
    """The CRC-32C of a buffer as TensorFlow and LevelDB store it."""
    return mask(crc32c(data))


def mask(crc: int) -> int:
    """A CRC in its stored form, so that data which contain CRCs can have one of their own."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: Any, value: int = 0) -> int:
    """The CRC-32C of the bytes in a buffer, going on from `value`, that of what came before."""
    compiled = engine()
    return int(compiled.crc32c(data, value)) if compiled else _numpy_crc32c(data, value)


def _numpy_crc32c(data: Any, value: int = 0) -> int:
    octets = np.frombuffer(data, np.uint8)
    state = value ^ 0xFFFFFFFF
    for start in range(0, len(octets), _CHUNK):
        state = _advance(state, octets[start : start + _CHUNK])
    return state ^ 0xFFFFFFFF


def _advance(state: int, octets: np.ndarray) -> int:
    """The register after `octets`."""
    lanes = 1
    while lanes * 2 * _WORDS * 4 <= len(octets):
        lanes *= 2
    words = len(octets) // (4 * lanes)
    if lanes > 1:
        body = octets[: 4 * lanes * words]
        head = _lanes(body.view("<u4").reshape(lanes, words).T.copy())
        state = _apply(_shift(len(body)), np.array([state], np.uint32))[0] ^ head
        octets = octets[len(body) :]
    state = int(state)
    table = _byte_table()
    for octet in octets.tolist():
        state = table[(state ^ octet) & 255] ^ state >> 8
    return state


def _lanes(columns: np.ndarray) -> np.uint32:
    """The register after all lanes, one per column, each started at zero."""
    low, high = _half_tables()
    state = np.zeros(columns.shape[1], np.uint32)
    for word in columns:
        state ^= word
        state = low[state & 0xFFFF] ^ high[state >> 16]
    size = 4 * len(columns)
    while len(state) > 1:
        state = _apply(_shift(size), state[0::2]) ^ state[1::2]
        size *= 2
    return np.uint32(state[0])


def _apply(operator: np.ndarray, states: np.ndarray) -> np.ndarray:
    """The 32 by 32 matrix over bits `operator` (its columns) times each state."""
    result = np.zeros_like(states)
    for bit in range(32):
        result ^= operator[bit] * (states >> np.uint32(bit) & np.uint32(1))
    return result


@lru_cache(maxsize=256)
def _shift(size: int) -> np.ndarray:
    """The operator that carries a register past `size` zero bytes."""
    one = np.uint32(1)
    bits = one << np.arange(32, dtype=np.uint32)
    square = bits
    for _ in range(8):  # past one zero byte
        square = square >> one ^ _POLYNOMIAL * (square & one)
    result = bits
    while size:
        if size & 1:
            result = _apply(square, result)
        square = _apply(square, square)
        size >>= 1
    return result


@lru_cache(maxsize=1)
def _byte_table() -> list[int]:
    return [int(x) for x in _apply(_shift(1), np.arange(256, dtype=np.uint32))]


@lru_cache(maxsize=1)
def _half_tables() -> tuple[np.ndarray, np.ndarray]:
    """What each half of a register becomes, four bytes later."""
    values = np.arange(1 << 16, dtype=np.uint32)
    return _apply(_shift(4), values), _apply(_shift(4), values << np.uint32(16))
