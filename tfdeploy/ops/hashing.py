"""Hashes of strings, bit for bit those that TensorFlow takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, DType
from ..graph.types import ValueType
from .registry import op
from .rules import Inference

Array = NDArray[Any]

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _turn(value: int, by: int) -> int:
    """`value` as 64 bits rotated right."""
    return (value >> by | value << (64 - by)) & _MASK


def _left(value: int, by: int) -> int:
    return _turn(value, 64 - by)


def _word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _mix(value: int) -> int:
    return value ^ value >> 47


def _join(u: int, v: int, factor: int) -> int:
    a = _mix((u ^ v) * factor & _MASK)
    return _mix((v ^ a) * factor & _MASK) * factor & _MASK


def _short(data: bytes) -> int:
    n = len(data)
    if n >= 8:
        factor = _K2 + 2 * n
        a, b = _word(data, 0) + _K2 & _MASK, _word(data, n - 8)
        c = _turn(b, 37) * factor + a & _MASK
        return _join(c, (_turn(a, 25) + b) * factor & _MASK, factor & _MASK)
    if n >= 4:
        return _join(n + (_word(data, 0, 4) << 3), _word(data, n - 4, 4), _K2 + 2 * n & _MASK)
    if n:
        y, z = data[0] + (data[n >> 1] << 8), n + (data[n - 1] << 2)
        return _mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _middle(data: bytes) -> int:
    n = len(data)
    factor = _K2 + 2 * n & _MASK
    a, b = _word(data, 0) * (_K1 if n <= 32 else _K2) & _MASK, _word(data, 8)
    c, d = _word(data, n - 8) * factor & _MASK, _word(data, n - 16) * _K2 & _MASK
    y = _turn(a + b & _MASK, 43) + _turn(c, 30) + d & _MASK
    z = _join(y, a + _turn(b + _K2 & _MASK, 18) + c & _MASK, factor)
    if n <= 32:
        return z
    e, f = _word(data, 16) * factor & _MASK, _word(data, 24)
    g, h = (y + _word(data, n - 32)) * factor & _MASK, (z + _word(data, n - 24)) * factor & _MASK
    return _join(
        _turn(e + f & _MASK, 43) + _turn(g, 30) + h & _MASK,
        e + _turn(f + a & _MASK, 18) + g & _MASK,
        factor,
    )


def _pair(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, at + 8 * i) for i in range(4))
    a = a + w & _MASK
    b = _turn(b + a + z & _MASK, 21)
    total = a + x + y & _MASK
    return total + z & _MASK, b + _turn(total, 44) + a & _MASK


def fingerprint64(data: bytes) -> int:
    """FarmHash's Fingerprint64 of `data`."""
    n = len(data)
    if n <= 16:
        return _short(data)
    if n <= 64:
        return _middle(data)
    x, y = 81 * _K2 + _word(data, 0) & _MASK, 81 * _K1 + 113 & _MASK
    z = _mix(y * _K2 + 113 & _MASK) * _K2 & _MASK
    v = w = 0, 0

    def step(at: int, factor: int, weight: int) -> None:
        nonlocal x, y, z, v, w
        x = _turn(x + y + v[0] + _word(data, at + 8) & _MASK, 37) * factor & _MASK
        y = _turn(y + v[1] + _word(data, at + 48) & _MASK, 42) * factor & _MASK
        x ^= w[1] * weight & _MASK
        y = y + v[0] * weight + _word(data, at + 40) & _MASK
        z = _turn(z + w[0] & _MASK, 33) * factor & _MASK
        v = _pair(data, at, v[1] * factor & _MASK, x + w[0] & _MASK)
        w = _pair(data, at + 32, z + w[1] & _MASK, y + _word(data, at + 16) & _MASK)
        x, z = z, x

    for at in range(0, (n - 1) // 64 * 64, 64):
        step(at, _K1, 1)
    factor = _K1 + 2 * (z & 0xFF) & _MASK
    w = w[0] + (n - 1 & 63) & _MASK, w[1]
    v = v[0] + w[0] & _MASK, v[1]
    w = w[0] + v[0] & _MASK, w[1]
    step(n - 64, factor, 9)
    return _join(
        _join(v[0], w[0], factor) + _mix(y) * _K0 + z & _MASK,
        _join(v[1], w[1], factor) + x & _MASK,
        factor,
    )


def chained(first: Any, second: Any) -> Any:
    """One hash of two, ints or arrays of uint64, as feature crosses chain them."""
    factor = 0xC6A4A7935BD1E995
    result = (first & _MASK) ^ factor
    result = (result ^ (_mix(second * factor & _MASK) * factor & _MASK)) * factor & _MASK
    return _mix(_mix(result) * factor & _MASK)


def siphash(data: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 of `data` under a `key` of two 64-bit numbers (Aumasson and Bernstein, 2012)."""
    k0, k1 = (k & _MASK for k in key)
    a, b = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    c, d = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def rounds(count: int) -> None:
        nonlocal a, b, c, d
        for _ in range(count):
            a = a + b & _MASK
            b = _left(b, 13) ^ a
            a = _left(a, 32)
            c = c + d & _MASK
            d = _left(d, 16) ^ c
            a = a + d & _MASK
            d = _left(d, 21) ^ a
            c = c + b & _MASK
            b = _left(b, 17) ^ c
            c = _left(c, 32)

    end = len(data) // 8 * 8
    last = _word(data, end) | (len(data) & 0xFF) << 56
    for word in [*(_word(data, at) for at in range(0, end, 8)), last]:
        d ^= word
        rounds(2)
        a ^= word
    c ^= 0xFF
    rounds(4)
    return a ^ b ^ c ^ d


def hash64(data: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """The hash of TensorFlow's first bucket op, MurmurHash64A."""
    factor = 0xC6A4A7935BD1E995
    h = seed ^ len(data) * factor & _MASK
    end = len(data) // 8 * 8
    for at in range(0, end, 8):
        k = _word(data, at) * factor & _MASK
        h = (h ^ (_mix(k) * factor & _MASK)) * factor & _MASK
    if end < len(data):
        h = (h ^ _word(data, end)) * factor & _MASK
    return _mix(_mix(h) * factor & _MASK)


def _buckets(x: Array, count: int, hashed: Callable[[bytes], int]) -> Array:
    if count < 1:
        raise ValueError(f"num_buckets should be at least 1, it is {count}")
    return np.array([hashed(s) % count for s in x.ravel()], np.int64).reshape(x.shape)


def _bucket_type(c: Inference) -> ValueType:
    return ValueType(INT64, c.inputs[0].shape)


@op("StringToHashBucketFast", type=_bucket_type, exact=True)
def string_to_hash_bucket_fast(x: Array, *, num_buckets: int) -> Array:
    """FarmHash of each string, modulo `num_buckets` (tf.strings.to_hash_bucket_fast)."""
    return _buckets(x, num_buckets, fingerprint64)


@op("StringToHashBucketStrong", type=_bucket_type, exact=True)
def string_to_hash_bucket_strong(x: Array, *, num_buckets: int, key: Sequence[int]) -> Array:
    """SipHash of each string, modulo `num_buckets` (tf.strings.to_hash_bucket_strong)."""
    if len(key) != 2:
        raise ValueError(f"the key should be two numbers, not {len(key)}")
    return _buckets(x, num_buckets, lambda s: siphash(s, key))


@op("StringToHashBucket", type=_bucket_type, exact=True)
def string_to_hash_bucket(x: Array, *, num_buckets: int) -> Array:
    """MurmurHash of each string, modulo `num_buckets` (tf.strings.to_hash_bucket of TF 1)."""
    return _buckets(x, num_buckets, hash64)


def _fingerprint_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    return ValueType(DType("uint8"), (shape[0] if shape else c.fresh(), 8))


@op("Fingerprint", type=_fingerprint_type, exact=True, ranks=".0")
def fingerprint(data: Array, method: Array) -> Array:
    """FarmHash's fingerprint of each row's bytes, ``uint8[n, 8]`` (tf.fingerprint).

    A row of several strings is the fingerprint of the fingerprints of its strings.
    """
    name = method.item()
    if name != b"farmhash64" or data.ndim < 1:
        raise ValueError(f"method {name!r} for data of shape {data.shape}")

    def of_row(row: Array) -> bytes:
        if data.dtype.kind != "O":
            return fingerprint64(row.tobytes()).to_bytes(8, "little")
        parts = [fingerprint64(s).to_bytes(8, "little") for s in row.ravel()]
        if data.ndim == 1:
            return parts[0]
        return fingerprint64(b"".join(parts)).to_bytes(8, "little")

    rows = b"".join(of_row(row) for row in data[:, None])
    return np.frombuffer(rows, np.uint8).reshape(len(data), 8)
