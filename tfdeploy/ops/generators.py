"""TensorFlow's random bits and the distributions that it makes of them, number for number.

The generator is Philox 4x32-10 (Salmon et al. 2011): block i of a stream is four words of 32 bits,
a function of the key and of the counter plus i.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_WORD = 0xFFFFFFFF
_DOUBLE_WORD = (1 << 64) - 1
_ROUNDS = 10
_FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85
_SCRAMBLE = 0x02461E293EC8F720  # the key under which a stateless seed becomes key and counter
_LOW = np.uint64(_WORD)
_HALF = np.uint64(32)

PER_OUTPUT = 256
"""Blocks that a stateful op sets aside for each number, and a rejecting one skips between them."""


class Philox:
    """A stream, standing at its beginning: `key` has 64 bits, `counter` 128."""

    __slots__ = ("counter", "key")

    def __init__(self, key: int, counter: int) -> None:
        self.key = key
        self.counter = counter

    def skip(self, blocks: int) -> Philox:
        """The stream without its first `blocks` blocks."""
        return Philox(self.key, (self.counter + blocks) % (1 << 128))

    def blocks(self, numbers: Array) -> Array:
        """Blocks of these numbers (...) -> words (..., 4), as uint32."""
        numbers = np.asarray(numbers, np.uint64)
        low = np.uint64(self.counter & _DOUBLE_WORD) + numbers
        high = np.uint64(self.counter >> 64) + (low < numbers).astype(np.uint64)
        words = low & _LOW, low >> _HALF, high & _LOW, high >> _HALF
        keys = self.key & _WORD, self.key >> 32
        for _ in range(_ROUNDS):
            left, right = words[0] * _FACTORS[0], words[2] * _FACTORS[1]
            words = (
                (right >> _HALF) ^ words[1] ^ np.uint64(keys[0]),
                right & _LOW,
                (left >> _HALF) ^ words[3] ^ np.uint64(keys[1]),
                left & _LOW,
            )
            keys = (keys[0] + _WEYL[0]) & _WORD, (keys[1] + _WEYL[1]) & _WORD
        return np.stack(words, axis=-1).astype(np.uint32)

    def words(self, count: int) -> Array:
        """The first `count` words."""
        return self.blocks(np.arange(-(-count // 4))).reshape(-1)[:count]


def stateless(seed: Array) -> Philox:
    """The stream of a seed of two integers (tf.random.stateless_uniform and its relatives)."""
    if seed.shape != (2,):
        raise ValueError(f"the seed has shape {seed.shape} and should be two integers")
    first, second = (int(s) & _DOUBLE_WORD for s in seed)
    a, b, c, d = (int(w) for w in Philox(_SCRAMBLE, second << 64 | first).words(4))
    return Philox(b << 32 | a, (d << 32 | c) << 64)


def check_algorithm(alg: Array) -> None:
    """Raises ValueError but for 1, Philox, and 3, a device's own choice.

    2 is ThreeFry, which TensorFlow draws from on TPUs and through XLA alone.
    """
    if int(alg) not in (1, 3):
        name = " (ThreeFry)" if int(alg) == 2 else ""
        raise ValueError(
            f"algorithm {int(alg)}{name} is not Philox (1), which is all that CPUs have"
        )


def keyed(key: Array, counter: Array, alg: Array) -> Philox:
    """The stream of a key and counter as the V2 ops carry them.

    Raises ValueError for what is no key and counter, and as `check_algorithm`.
    """
    check_algorithm(alg)
    if key.shape != (1,) or counter.ndim != 1 or len(counter) < 2:
        raise ValueError(f"key {key.shape} and counter {counter.shape} should be [1] and [2]")
    return Philox(int(key[0]), int(counter[1]) << 64 | int(counter[0]))


class State:
    """Where a stateful random op stands in its stream.

    Whoever runs a graph keeps one for each such node, so that every call draws further numbers; a
    new one starts from the op's seeds, or where both are 0 from the system's entropy.  `learned` is
    what an op keeps from call to call besides.
    """

    __slots__ = ("_lock", "_stream", "learned")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stream: Philox | None = None
        self.learned: Array | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        stream = self._stream
        return _restore, ((stream.key, stream.counter) if stream else None, self.learned)

    def reserve(self, seed: int, seed2: int, blocks: int) -> Philox:
        """The stream from here; the next caller's begins `blocks` blocks on."""
        with self._lock:
            stream = self._stream
            if stream is None:
                if not seed and not seed2:
                    seed, seed2 = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
                stream = Philox(seed & _DOUBLE_WORD, (seed2 & _DOUBLE_WORD) << 64)
            self._stream = stream.skip(blocks)
            return stream


def _restore(place: tuple[int, int] | None, learned: Array | None = None) -> State:
    state = State()
    state.learned = learned
    if place is not None:
        state._stream = Philox(*place)
    return state


# Distributions


def _wide(dtype: np.dtype[Any]) -> bool:
    return dtype.itemsize == 8


def uniform(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """`count` numbers in [0, 1)."""
    return _uniforms(stream.words(count * (2 if _wide(dtype) else 1)), dtype)


def _uniforms(words: Array, dtype: np.dtype[Any]) -> Array:
    """Words (..., n), pairs of them for doubles, as numbers in [0, 1): random mantissas under the
    exponent of 1, less 1."""
    if _wide(dtype):
        return _doubles(words.reshape(*words.shape[:-1], -1, 2))
    bits = {"float32": 23, "float16": 10, "bfloat16": 7}[dtype.name]
    one = {"float32": 0x3F800000, "float16": 0x3C00, "bfloat16": 0x3F80}[dtype.name]
    masked = words & np.uint32((1 << bits) - 1) | np.uint32(one)
    whole = masked if dtype.itemsize == 4 else masked.astype(np.uint16)
    return whole.view(dtype) - dtype.type(1)


def _doubles(words: Array) -> Array:
    """Pairs of words (..., 2) -> doubles in [0, 1)."""
    wide = words.astype(np.uint64)
    mantissa = (wide[..., 0] & np.uint64(0xFFFFF)) << _HALF | wide[..., 1]
    return (mantissa | np.uint64(1023 << 52)).view(np.float64) - 1.0


def _floats(words: Array) -> Array:
    return (words & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


def _normals(words: Array) -> Array:
    """Words (..., 4) -> normals by Box and Muller: four floats, or two of double precision.

    Elementary functions of floats are rounded from double precision, as good C libraries do.
    """
    first, second = _floats(words[..., 0::2]), _floats(words[..., 1::2])
    angle = (2 * math.pi * second.astype(np.float64)).astype(np.float32).astype(np.float64)
    safe = np.maximum(first, np.float32(1e-7)).astype(np.float64)
    log = np.log(safe).astype(np.float32)
    radius = np.sqrt(np.float32(-2) * log)
    pair = [f(angle).astype(np.float32) * radius for f in (np.sin, np.cos)]
    return np.stack(pair, axis=-1).reshape(words.shape)


def _double_normals(words: Array) -> Array:
    first = np.maximum(_doubles(words[..., :2]), 1e-7)
    angle = 2 * math.pi * _doubles(words[..., 2:])
    radius = np.sqrt(-2.0 * np.log(first))
    return np.stack([np.sin(angle) * radius, np.cos(angle) * radius], axis=-1)


def normal(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """`count` numbers of the standard normal distribution."""
    group = 2 if _wide(dtype) else 4
    make = _double_normals if _wide(dtype) else _normals
    return make(stream.blocks(np.arange(-(-count // group)))).reshape(-1)[:count].astype(dtype)


def truncated_normal(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """`count` normal numbers of absolute value below 2; others are drawn again."""
    group = 2 if _wide(dtype) else 4
    make = _double_normals if _wide(dtype) else _normals
    starts = np.arange(-(-count // group)) * (group * PER_OUTPUT // 4)
    most = 2
    while True:
        drawn = make(stream.blocks(starts[:, None] + np.arange(most)))
        drawn = drawn.reshape(len(starts), most * group)
        outside = np.abs(drawn) >= 2
        if np.all((~outside).sum(axis=1) >= group):
            break
        most *= 2
    order = np.argsort(outside, axis=1, kind="stable")[:, :group]
    return np.take_along_axis(drawn, order, axis=1).reshape(-1)[:count].astype(dtype)


_TRIES = 1000  # in a row without success: TensorFlow gives up then
_INSIDE = 1.3  # so many deviations inside of the bounds, normal numbers are drawn until they fit


def _truncated_maker(
    mean: Any, deviation: Any, low: Any, high: Any, dtype: np.dtype[Any]
) -> tuple[int, Any]:
    """How numbers between bounds are drawn, by rejection: blocks for each try, and what makes of
    such blocks (n, blocks, 4) numbers and whether they hold.

    Raises ValueError where the parameters cannot be.
    """
    kind = dtype.type
    if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
        raise ValueError(f"deviation {deviation} and bounds {low}, {high} leave nothing to draw")
    if (np.isinf(low) and low < 0) or high < mean:
        low, high, deviation = high, low, -deviation
    low, high = (low - mean) / deviation, (high - mean) / deviation
    root = np.sqrt(low * low + kind(4))
    cutoff = kind(2) * np.exp(kind(0.5) + (low * (low - root)) / kind(4)) / (low + root)
    span = high - low

    def uniforms(words: Array) -> Array:
        return _uniforms(words, dtype)

    def by_normals(words: Array) -> tuple[Array, Array]:
        drawn = (_double_normals if _wide(dtype) else _normals)(words[:, 0]).astype(dtype)
        return drawn * deviation + mean, (drawn >= low) & (drawn <= high)

    def by_uniforms(words: Array) -> tuple[Array, Array]:
        drawn = uniforms(words[:, 0]) * span + low
        over = kind(0) if low < 0 else low * low
        chance = np.exp((over - drawn * drawn) / kind(2))
        return drawn * deviation + mean, uniforms(words[:, 1]) <= chance

    def by_exponentials(words: Array) -> tuple[Array, Array]:
        rate = (low + root) / kind(2)
        pairs = uniforms(words[:, 0]).reshape(len(words), -1, 2)
        drawn = -np.log(pairs[..., 0]) / rate + low
        away = rate - drawn if low < rate else np.broadcast_to(low - rate, drawn.shape)
        chance = np.exp(-away * away / kind(2))
        return drawn * deviation + mean, (pairs[..., 1] <= chance) & (drawn < high)

    inside = kind(_INSIDE)
    if (low < -inside and high >= 0) or (high > inside and low <= 0):
        return 1, by_normals
    return (2, by_uniforms) if span < cutoff else (1, by_exponentials)


def between_bounds(
    stream: Philox, counts: list[int], parameters: list[Array], dtype: np.dtype[Any]
) -> list[Array]:
    """Normal numbers of given mean and deviation between two bounds: so many for each row of
    `parameters` (means, deviations, lower and upper bounds), one row after another in the stream.

    Raises ValueError where parameters cannot be, or too many numbers in a row do not fit.
    """
    at, result = 0, []
    for count, mean, deviation, low, high in zip(counts, *parameters, strict=True):
        per_try, make = _truncated_maker(mean, deviation, low, high, dtype)
        kept: list[Array] = []
        left = count
        while left:
            tries = max(left, _TRIES // 2)
            numbers = at + np.arange(tries * per_try).reshape(tries, per_try)
            drawn, good = make(stream.blocks(numbers))
            places = np.flatnonzero(good)[:left]
            if not len(places):
                raise ValueError("too many numbers in a row fall outside of the bounds")
            kept.append(drawn.ravel()[places])
            left -= len(places)
            last = tries if left else int(places[-1]) // (drawn.size // tries) + 1
            at += last * per_try
        result.append(np.concatenate([np.zeros(0, dtype), *kept]).astype(dtype))
    return result


def full_integers(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """`count` integers over the whole range of their type."""
    if _wide(dtype):
        pairs = stream.words(2 * count).astype(np.uint64).reshape(-1, 2)
        return (pairs[:, 0] | pairs[:, 1] << _HALF).view(dtype)
    return stream.words(count).view(dtype)


def integers(stream: Philox, count: int, low: Array, high: Array) -> Array:
    """`count` integers in [low, high): remainders of full ones, which favours low numbers a little.

    Raises ValueError where there is none.
    """
    if low.ndim or high.ndim or int(low) >= int(high):
        raise ValueError(f"minval {low} and maxval {high} should be scalars, the first below")
    unsigned = np.dtype(f"uint{8 * low.dtype.itemsize}")
    span = unsigned.type(int(high) - int(low))
    bits = full_integers(stream, count, unsigned) % span
    return (bits + np.array(low).view(unsigned)).view(low.dtype)


def permutation(stream: Philox, count: int) -> Array:
    """The numbers below `count`, shuffled (Fisher and Yates, from the front)."""
    order = list(range(count))
    for i, word in enumerate(stream.words(max(0, count - 1)).tolist()):
        j = i + word % (count - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def categorical(stream: Philox, logits: Array, count: int) -> Array:
    """`count` classes for each row of `logits`, by inversion of the cumulated probabilities."""
    if logits.ndim != 2 or (logits.size == 0 and len(logits)):
        raise ValueError(f"the logits have shape {logits.shape} and should be a matrix of classes")
    drawn = _doubles(stream.words(2 * count * len(logits)).reshape(len(logits), count, 2))
    wide = logits.astype(np.float64)
    finite = np.isfinite(wide)
    top = np.where(finite, wide, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    sums = np.cumsum(np.where(finite, np.exp(wide - top), 0), axis=1)
    rows = [np.searchsorted(s, d * s[-1], side="right") for s, d in zip(sums, drawn, strict=True)]
    return np.array(rows, np.int64).reshape(len(logits), count)


# Distributions that reject: each output has a stream of its own, a fixed distance on


def _double_uniforms(words: Array) -> Array:
    return _doubles(words.reshape(-1, 2, 2))


_MAKERS = _double_uniforms, _double_normals


class Lanes:
    """Streams side by side, each giving doubles at its own pace.

    A block holds two, the second of which is given first; uniform and normal numbers come from
    blocks of their own, taken from the lane's stream when they are needed.
    """

    def __init__(self, stream: Philox, starts: Array) -> None:
        self._stream = stream
        self._next = np.array(starts, np.int64)
        self._held = [np.zeros((len(starts), 2)) for _ in _MAKERS]
        self._left = [np.zeros(len(starts), np.int64) for _ in _MAKERS]

    def uniform(self, lanes: Array) -> Array:
        """One number in [0, 1) for each of `lanes` (indices)."""
        return self._draw(0, lanes)

    def normal(self, lanes: Array) -> Array:
        """One normal number for each of `lanes` (indices)."""
        return self._draw(1, lanes)

    def _draw(self, maker: int, lanes: Array) -> Array:
        held, left = self._held[maker], self._left[maker]
        empty = lanes[left[lanes] == 0]
        held[empty] = _MAKERS[maker](self._stream.blocks(self._next[empty]))
        self._next[empty] += 1
        left[empty] = 2
        left[lanes] -= 1
        return held[lanes, left[lanes]]


def gamma(stream: Philox, starts: Array, alpha: Array) -> Array:
    """One gamma number for each alpha, its stream `starts` blocks on (Marsaglia and Tsang 2000).

    NaN where alpha is negative or NaN.
    """
    lanes, result = Lanes(stream, starts), np.full(len(alpha), np.nan)
    one = np.flatnonzero(alpha == 1)
    result[one] = -np.log1p(-lanes.uniform(one))
    small = alpha < 1
    d = alpha + np.where(small, 2 / 3, -1 / 3)
    c = 1 / 3 / np.sqrt(d)
    active = np.flatnonzero((alpha >= 0) & (alpha != 1))
    while active.size:
        x = lanes.normal(active)
        v = 1 + c[active] * x
        tried, x, v = active[v > 0], x[v > 0], v[v > 0] ** 3
        u = lanes.uniform(tried)
        good = u < 1 - 0.0331 * (x * x) * (x * x)
        good |= np.log(u) < 0.5 * x * x + d[tried] * (1 - v + np.log(v))
        done = tried[good]
        result[done] = d[done] * v[good]
        less = done[small[done]]
        result[less] *= lanes.uniform(less) ** (1 / alpha[less])
        active = np.setdiff1d(active, done, assume_unique=True)
    return result


_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def poisson(stream: Philox, starts: Array, rate: Array) -> Array:
    """One Poisson number for each rate: Knuth's product below 10, else Hormann's rejection (1993).

    0 where the rate is negative, itself where it is inf or NaN.
    """
    lanes, result = Lanes(stream, starts), np.array(rate, np.float64)
    result[rate < 0] = 0
    fine = np.isfinite(rate) & (rate >= 0)
    active = np.flatnonzero(fine & (rate < 10))
    product, count = np.ones(len(rate)), np.zeros(len(rate))
    limit = np.exp(-np.maximum(rate, 0))
    while active.size:
        product[active] *= lanes.uniform(active)
        below = product[active] <= limit[active]
        result[active[below]] = count[active[below]]
        active = active[~below]
        count[active] += 1
    b = 0.931 + 2.53 * np.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse, bound = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    active = np.flatnonzero(fine & (rate >= 10))
    while active.size:
        u, v = lanes.uniform(active) - 0.5, lanes.uniform(active)
        near, mean = 0.5 - np.abs(u), rate[active]
        k = np.floor((2 * a[active] / near + b[active]) * u + mean + 0.43)
        box = (near >= 0.07) & (v <= bound[active])
        no = (k < 0) | ((near < 0.013) & (v > near))
        s = np.log(v * inverse[active] / (a[active] / (near * near) + b[active]))
        t = -mean + k * np.log(mean) - _lgamma(np.maximum(k, 0) + 1).astype(np.float64)
        good = box | (~no & (s <= t))
        result[active[good]] = k[good]
        active = active[~good]
    return result


_STIRLING = np.array(
    [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.00925546218271273,
        0.00833056343336287,
    ]
)


def _stirling(k: Array) -> Array:
    """What Stirling's formula lacks of log(k!)."""
    square = (k + 1) * (k + 1)
    far = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
    return np.where(k <= 9, _STIRLING[np.clip(k, 0, 9).astype(int)], far)


def binomial(stream: Philox, numbers: Array, count: Array, prob: Array) -> Array:
    """One binomial number for each count and probability; `numbers` are those of the outputs.

    By inversion where fewer than 10 successes are expected, else by Hormann's rejection (1993).
    NaN where the probability is NaN.
    """
    flipped = prob > 0.5
    p = np.where(flipped, 1 - prob, prob)
    result = np.where(np.isnan(prob), np.nan, 0.0)
    open_ = (count > 0) & (prob > 0) & (prob < 1)
    few = np.flatnonzero(open_ & (count * p < 10))
    many = np.flatnonzero(open_ & (count * p >= 10))
    result[few] = _inversion(Lanes(stream, 42 * numbers[few]), count[few], p[few])
    result[many] = _rejection(Lanes(stream, PER_OUTPUT * numbers[many]), count[many], p[many])
    result = np.where(open_ & flipped, count - result, result)
    return np.where((prob >= 1) & (count > 0), count, result)


def _inversion(lanes: Lanes, count: Array, p: Array) -> Array:
    total, tries, active = np.zeros(len(p)), np.zeros(len(p)), np.arange(len(p))
    while active.size:
        total[active] += np.ceil(np.log(lanes.uniform(active)) / np.log1p(-p[active]))
        active = active[~(total[active] > count[active])]
        tries[active] += 1
    return tries


def _rejection(lanes: Lanes, count: Array, p: Array) -> Array:
    result, active = np.zeros(len(p)), np.arange(len(p))
    spread = np.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha, odds, mode = (2.83 + 5.1 / b) * spread, p / (1 - p), np.floor((count + 1) * p)
    while active.size:
        n, m, r, wide, narrow = (q[active] for q in (count, mode, odds, b, a))
        u, v = lanes.uniform(active) - 0.5, lanes.uniform(active)
        near = 0.5 - np.abs(u)
        k = np.floor((2 * narrow / near + wide) * u + n * p[active] + 0.5)
        box = (near >= 0.07) & (v <= 0.92 - 4.2 / wide)
        inside = (k >= 0) & (k <= n)
        ratio = np.log(v * alpha[active] / (narrow / (near * near) + wide))
        bound = (
            (m + 0.5) * np.log((m + 1) / (r * (n - m + 1)))
            + (n + 1) * np.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * np.log(r * (n - k + 1) / (k + 1))
            + _stirling(m)
            + _stirling(n - m)
            - _stirling(k)
            - _stirling(n - k)
        )
        good = box | (inside & (ratio <= bound))
        result[active[good]] = k[good]
        active = active[~good]
    return result


def shuffled_index(index: int, key: list[int], most: int, rounds: int) -> int:
    """Where `index` goes in a permutation of 0 to `most`: the cipher Simon (Beaulieu et al. 2013)
    of a width that just suffices, applied until the result is in range."""
    bits = math.ceil(math.log2(most)) if most else 0
    width = max(bits + bits % 2, 16) // 2
    mask = (1 << width) - 1

    def left(x: int, n: int) -> int:
        return (x << n | x >> (width - n)) & mask

    def mix(x: int) -> int:
        return left(x, 1) & left(x, 8 % width) ^ left(x, 2)

    keys = [k & _WORD & mask for k in key]
    constants = 0x7369F885192C0EF5 & mask
    for i in range(3, rounds):
        turned = left(keys[i - 1], width - 3) ^ left(keys[i - 1], width - 4)
        keys.append((0xFFFFFFFC & mask) ^ (constants & 1) ^ keys[i - 3] ^ turned)
        constants >>= 1
    while True:
        high, low = index >> width & mask, index & mask
        for i in range(0, rounds, 2):
            high ^= mix(low) ^ keys[i]
            low ^= mix(high) ^ keys[i + 1]
        index = high << width | low
        if index <= most:
            return index
