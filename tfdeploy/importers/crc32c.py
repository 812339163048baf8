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
_LANE = 64  # bytes of a lane
_FEW = 256  # bytes that are faster done one by one


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
    """The register after `octets`.

    Zeros leave a register of zero as it is: so the data are filled up with them at the front, and
    what the register holds before is added to the first bytes of the data.
    """
    if len(octets) < _FEW:
        table = _byte_table()
        for octet in octets.tolist():
            state = table[(state ^ octet) & 255] ^ state >> 8
        return state
    front = -len(octets) % _LANE
    filled = np.zeros(front + len(octets), np.uint8)
    filled[front:] = octets
    filled[front : front + 4] ^= np.array([state], "<u4").view(np.uint8)
    return _lanes(filled.view("<u4").reshape(-1, _LANE // 4).T.astype(np.uint32))


def _lanes(columns: np.ndarray) -> int:
    """The register after all lanes, one per column."""
    low, high = _half_tables()
    state = np.zeros(columns.shape[1], np.uint32)
    for word in columns:
        state ^= word
        state = low[state & 0xFFFF] ^ high[state >> 16]
    size = _LANE
    while len(state) > 1:
        if len(state) % 2:
            state = np.concatenate((np.zeros(1, np.uint32), state))
        state = _past(size, state[0::2]) ^ state[1::2]
        size *= 2
    return int(state[0])


def _past(size: int, states: np.ndarray) -> np.ndarray:
    """The registers past `size` zero bytes."""
    tables = _quarter_tables(size)
    octets = np.ascontiguousarray(states, "<u4").view(np.uint8).reshape(-1, 4)
    result = tables[0][octets[:, 0]]
    for i in range(1, 4):
        result ^= tables[i][octets[:, i]]
    return result


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


@lru_cache(maxsize=64)
def _quarter_tables(size: int) -> list[np.ndarray]:
    """What each byte of a register becomes past `size` zero bytes."""
    values = np.arange(256, dtype=np.uint32)
    return [_apply(_shift(size), values << np.uint32(8 * i)) for i in range(4)]


@lru_cache(maxsize=1)
def _byte_table() -> list[int]:
    return [int(x) for x in _apply(_shift(1), np.arange(256, dtype=np.uint32))]


@lru_cache(maxsize=1)
def _half_tables() -> tuple[np.ndarray, np.ndarray]:
    """What each half of a register becomes, four bytes later."""
    values = np.arange(1 << 16, dtype=np.uint32)
    return _apply(_shift(4), values), _apply(_shift(4), values << np.uint32(16))
