"""Strings: numbers to and from text, joining, splitting, cutting, base64.

A string is an array's object of type bytes; case and length in characters take it as UTF-8.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, INT64, STRING, DType
from ..graph.types import Shape, ValueType
from .array import LIST, check_size, scalar_int
from .index import check_range, check_splits
from .registry import op
from .rules import Inference, broadcast_shapes, normalize_axis

Array = NDArray[Any]


def texts(values: Iterable[bytes], shape: Sequence[int]) -> Array:
    """An array of strings."""
    flat = list(values)
    result = np.empty(len(flat), object)
    result[:] = flat
    return result.reshape(shape)


def each(function: Callable[..., bytes], *arrays: Array) -> Array:
    """`function` of the elements of `arrays`, broadcast."""
    spread = np.broadcast_arrays(*arrays)
    flat = (a.ravel().tolist() for a in spread)
    return texts(map(function, *flat), spread[0].shape)


def string_type(c: Inference) -> ValueType:
    """Strings of the shape of the first input."""
    return ValueType(STRING, c.inputs[0].shape)


_DECIMAL = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf(inity)?|nan(\(\w*\))?)", re.I)
_HEX = re.compile(rb"[+-]?0x([\da-f]+\.?[\da-f]*|\.[\da-f]+)(p[+-]?\d+)?", re.I)
_WHOLE = re.compile(rb"[+-]?\d+")


def parse_number(text: bytes, dtype: np.dtype[Any]) -> Any:
    """The number that all of `text` spells, as in C; ValueError for none, or one out of range."""
    body = text.strip()
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        number = int(body) if _WHOLE.fullmatch(body) else None
        if (
            number is not None
            and info.min <= number <= info.max
            and (dtype.kind == "i" or not body.startswith(b"-"))
        ):
            return number
    elif _DECIMAL.fullmatch(body):
        plain = body.split(b"(")[0].decode()
        return np.float32(plain) if dtype == np.float32 else float(plain)
    elif _HEX.fullmatch(body):
        return float.fromhex(body.decode())
    raise ValueError(f"{text!r} is not a number of type {dtype}")


@op("StringToNumber", exact=True, type=lambda c: ValueType(c.attrs["out_type"], c.inputs[0].shape))
def string_to_number(x: Array, *, out_type: DType = FLOAT32) -> Array:
    """The number that each string spells (tf.strings.to_number); ValueError where it is none."""
    dtype = out_type.numpy
    return np.array([parse_number(s, dtype) for s in x.ravel()], dtype).reshape(x.shape)


def _printf(value: float, flags: str, code: str) -> str:
    """C's printf of one number: NaN and infinities are not filled with zeros and have a sign."""
    if not np.isfinite(value):
        name = "nan" if np.isnan(value) else "inf"
        sign = "-" if np.signbit(value) else flags[:1] if flags[:1] in ("+", " ") else ""
        width = re.sub(r"\..*", "", flags.lstrip("+ 0-"))
        left = "-" if flags.startswith("-") else ""
        return f"%{left}{width}s" % (sign + name)
    return f"%{flags}{code}" % value


@op("AsString", type=string_type, exact=True)
def as_string(
    x: Array,
    *,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
) -> Array:
    """Each element as C's printf writes it (tf.strings.as_string).

    Raises ValueError for a fill other than one of ``0 + - #`` and a blank, or for both notations.
    """
    if fill not in ("", " ", "+", "-", "0", "#") or (scientific and shortest):
        raise ValueError(f"fill {fill!r} should be one of '', ' ', '+', '-', '0', '#'")
    check_size([max(x.size, LIST), max(width, precision, 0)])
    kind = x.dtype.kind
    if kind in "iub" and (precision >= 0 or scientific or shortest):
        raise ValueError(f"precision and notation are for floats, not for {x.dtype}")
    flags = fill + (str(width) if width >= 0 else "") + (f".{precision}" if precision >= 0 else "")
    if kind == "b":
        return each(lambda v: b"true" if v else b"false", x)
    if kind == "O":
        return each(lambda s: s.ljust(width) if fill == "-" else s.rjust(max(width, 0)), x)
    if kind in "iu":
        flags = flags.lstrip("+ ") if kind == "u" else flags
        return each(f"%{flags}d".encode().__mod__, x)
    code = "e" if scientific else "g" if shortest else "f"
    if kind == "c":
        return each(
            lambda v: f"({_printf(v.real, flags, code)},{_printf(v.imag, flags, code)})".encode(), x
        )
    return each(lambda v: _printf(v, flags, code).encode(), x.astype(np.float64))


def _escaped(text: bytes) -> str:
    """`text` with escapes for ASCII that does not print; other bytes stand for themselves."""
    named = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\"}
    plain = text.decode("ascii", "surrogateescape")
    return "".join(
        named.get(ord(c)) or (f"\\{ord(c):03o}" if c < " " or c == "\x7f" else c) for c in plain
    )


def _element(value: Any, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "O":
        return f'"{_escaped(value)}"'
    if dtype.kind in "iub":
        return str(int(value))
    if dtype.kind == "c":
        return "?"
    few, many = (15, 17) if dtype == np.float64 else (6, 9)
    short = f"{value:.{few}g}"
    again = float(short) if dtype == np.float64 else float(np.float32(short))
    return short if again == value or value != value else f"{value:.{many}g}"


def summarized(x: Array, most: int) -> str:
    """`x` as TensorFlow prints it, at most `most` (negative: all) at each end of an axis."""
    ends = x.size if most < 0 else min(most, x.size)
    values = x if x.dtype.kind in "OiubcSU" or x.dtype == np.float64 else x.astype(np.float32)
    lines = [_element(v, values.dtype) for v in values.ravel().tolist()]
    for axis in range(x.ndim - 1, -1, -1):
        n = x.shape[axis]
        last = axis == x.ndim - 1
        space = " " if last else "\n" * (x.ndim - 1 - axis) + " " * (axis + 1)
        rows = int(np.prod(x.shape[:axis]))
        shown = list(range(min(ends, n)))
        tail = list(range(max(ends, n - ends), n))
        dots = space + "..." if n > 2 * ends else ""
        lines = [
            "["
            + space.join(lines[r * n + i] for i in shown)
            + dots
            + "".join(space + lines[r * n + i] for i in tail)
            + "]"
            for r in range(rows)
        ]
    return lines[0]


@op("StringFormat", exact=True, type=lambda c: ValueType(STRING, ()))
def string_format(
    *inputs: Array, template: str = "%s", placeholder: str = "%s", summarize: int = 3
) -> Array:
    """`template` with each placeholder replaced by an input as it prints (tf.strings.format)."""
    parts = template.split(placeholder)
    if len(parts) - 1 != len(inputs):
        raise ValueError(f"{len(parts) - 1} placeholders in the template for {len(inputs)} inputs")
    shown = [summarized(x, summarize) for x in inputs]
    whole = parts[0] + "".join(s + p for s, p in zip(shown, parts[1:], strict=True))
    return texts([whole.encode(errors="surrogateescape")], ())


def encoded(text: str | bytes) -> bytes:
    """An attribute as bytes."""
    return text if isinstance(text, bytes) else text.encode()


def _join_type(c: Inference) -> ValueType:
    shapes = [t.shape for t in c.inputs if t.shape != ()]
    known: list[Shape] = [s for s in shapes if s is not None]
    if not known:
        return ValueType(STRING, None if shapes else ())
    return ValueType(STRING, broadcast_shapes(c, *known))


@op("StringJoin", type=_join_type, exact=True)
def string_join(*inputs: Array, separator: str = "") -> Array:
    """The strings of `inputs` joined element by element, scalars repeated (tf.strings.join)."""
    if len({x.shape for x in inputs if x.ndim}) > 1:
        raise ValueError(f"shapes {[x.shape for x in inputs]} should be equal")
    if not inputs:
        return texts([b""], ())
    return each(lambda *parts: encoded(separator).join(parts), *inputs)


def _reduce_join_type(c: Inference) -> ValueType:
    shape, axes = c.inputs[0].shape, c.ints(1)
    if shape is None or axes is None:
        return ValueType(STRING)
    gone = {normalize_axis(a, len(shape)) for a in axes}
    if c.attrs["keep_dims"]:
        return ValueType(STRING, tuple(1 if i in gone else e for i, e in enumerate(shape)))
    return ValueType(STRING, tuple(e for i, e in enumerate(shape) if i not in gone))


@op("ReduceJoin", type=_reduce_join_type, exact=True)
def reduce_join(
    x: Array, reduction_indices: Array, *, keep_dims: bool = False, separator: str = ""
) -> Array:
    """The strings along the listed axes joined, the first axis fastest (tf.strings.reduce_join)."""
    axes = [normalize_axis(int(a), x.ndim) for a in reduction_indices.ravel()]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axes {axes} list an axis twice")
    kept = [i for i in range(x.ndim) if i not in axes]
    rows = x.transpose(kept + axes[::-1])
    shape = (
        tuple(1 if i in axes else e for i, e in enumerate(x.shape))
        if keep_dims
        else tuple(x.shape[i] for i in kept)
    )
    flat = (
        rows.reshape(int(np.prod([x.shape[i] for i in kept])), -1)
        if x.size
        else np.empty((int(np.prod([x.shape[i] for i in kept])), 0), object)
    )
    return texts((encoded(separator).join(row) for row in flat.tolist()), shape)


def _segment_join_type(c: Inference) -> ValueType:
    shape, ids = c.inputs[0].shape, c.inputs[1]
    if shape is None or ids.rank is None:
        return ValueType(STRING)
    count = c.extents(2)
    return ValueType(STRING, (c.fresh() if count is None else count[0], *shape[ids.rank :]))


@op("UnsortedSegmentJoin", type=_segment_join_type, exact=True, ranks="..0")
def unsorted_segment_join(
    x: Array, segment_ids: Array, num_segments: Array, *, separator: str = ""
) -> Array:
    """The strings with the same id joined (tf.strings.unsorted_segment_join)."""
    count = scalar_int(num_segments, "num_segments")
    if count < 0 or x.shape[: segment_ids.ndim] != segment_ids.shape:
        raise ValueError(f"{count} segments, ids {segment_ids.shape} for data {x.shape}")
    ids = segment_ids.ravel()
    check_range(ids, count, "segment_ids")
    rest = x.shape[segment_ids.ndim :]
    width = int(np.prod(rest))
    check_size([count, width, LIST])
    rows = x.reshape(len(ids), width)
    parts: list[list[bytes]] = [[] for _ in range(count * width)]
    for number, row in zip(ids.tolist(), rows.tolist(), strict=True):
        for i, text in enumerate(row):
            parts[number * width + i].append(text)
    return texts(map(encoded(separator).join, parts), (count, *rest))


def _split_types(c: Inference) -> list[ValueType]:
    found = c.fresh()
    return [ValueType(INT64, (found, 2)), ValueType(STRING, (found,)), ValueType(INT64, (2,))]


def _sparse_rows(rows: list[list[bytes]]) -> tuple[Array, Array, Array]:
    counts = np.array(list(map(len, rows)), np.int64)
    starts = np.cumsum(counts) - counts
    total = int(counts.sum())
    indices = np.empty((total, 2), np.int64)
    indices[:, 0] = np.repeat(np.arange(len(rows)), counts)
    indices[:, 1] = np.arange(total) - np.repeat(starts, counts)
    shape = np.array([len(rows), counts.max(initial=0)], np.int64)
    return indices, texts(chain.from_iterable(rows), (total,)), shape


@op(
    "StringSplitV2",
    exact=True,
    outputs=("indices", "values", "shape"),
    type=_split_types,
    ranks="10",
)
def string_split_v2(x: Array, sep: Array, *, maxsplit: int = -1) -> tuple[Array, Array, Array]:
    """The parts of each string of a vector between separators, as a sparse matrix.

    An empty `sep` splits at runs of white space; what `maxsplit` leaves is one part, which may then
    be empty (tf.strings.split).
    """
    if x.ndim != 1 or sep.ndim:
        raise ValueError(f"a vector and a scalar are expected, not shapes {x.shape}, {sep.shape}")
    separator = sep.item() or None

    def parts(text: bytes) -> list[bytes]:
        if maxsplit == 0:
            return [text]
        found = text.split(separator, maxsplit)
        return [*found, b""] if separator is None and len(found) == maxsplit else found

    return _sparse_rows([parts(s) for s in x.tolist()])


@op(
    "StringSplit", exact=True, outputs=("indices", "values", "shape"), type=_split_types, ranks="10"
)
def string_split(
    x: Array, delimiter: Array, *, skip_empty: bool = True
) -> tuple[Array, Array, Array]:
    """The parts of each string of a vector between any of the delimiter's bytes.

    Without delimiter each byte is a part (tf.compat.v1.string_split).
    """
    if x.ndim != 1:
        raise ValueError(f"a vector is expected, not shape {x.shape}")
    marks = delimiter.item()

    def parts(text: bytes) -> list[bytes]:
        if not marks:
            return [text[i : i + 1] for i in range(len(text))]
        found = re.split(b"[" + re.escape(marks) + b"]", text) if text else []
        return [p for p in found if p] if skip_empty else found

    return _sparse_rows([parts(s) for s in x.tolist()])


@op("StringStrip", type=string_type, exact=True)
def string_strip(x: Array) -> Array:
    """Each string without white space at its ends (tf.strings.strip)."""
    return each(bytes.strip, x)


@op("StringLower", type=string_type, exact=True)
def string_lower(x: Array, *, encoding: str = "") -> Array:
    """Each string in lower case: ASCII letters, or all with encoding utf-8 (tf.strings.lower)."""
    if not encoding:
        return each(bytes.lower, x)
    return each(
        lambda s: s.lower() if s.isascii() else s.decode(errors="replace").lower().encode(), x
    )


@op("StringUpper", type=string_type, exact=True)
def string_upper(x: Array, *, encoding: str = "") -> Array:
    """Each string in upper case: ASCII letters, or all with encoding utf-8 (tf.strings.upper)."""
    if not encoding:
        return each(bytes.upper, x)
    return each(
        lambda s: s.upper() if s.isascii() else s.decode(errors="replace").upper().encode(), x
    )


def _starts(text: bytes) -> list[int]:
    """Where the UTF-8 characters of `text` start."""
    return [i for i, b in enumerate(text) if b & 0xC0 != 0x80]


@op("StringLength", exact=True, type=lambda c: ValueType(INT32, c.inputs[0].shape))
def string_length(x: Array, *, unit: str = "BYTE") -> Array:
    """The length of each string in bytes or UTF-8 characters, int32 (tf.strings.length)."""
    count = len if unit == "BYTE" else lambda s: len(_starts(s))
    return np.array([count(s) for s in x.ravel()], np.int32).reshape(x.shape)


def _cut(text: bytes, at: int, size: int, unit: str) -> bytes:
    starts = [*_starts(text), len(text)] if unit == "UTF8_CHAR" else range(len(text) + 1)
    n = len(starts) - 1
    if not -n <= at <= n:
        raise IndexError(f"pos {at} is outside of the {n} characters of {text!r}")
    first = at + n if at < 0 else at
    return text[starts[first] : starts[n if size < 0 else min(first + size, n)]]


@op(
    "Substr",
    exact=True,
    type=lambda c: ValueType(STRING, broadcast_shapes(c, *(t.shape for t in c.inputs))),
)
def substr(x: Array, pos: Array, length: Array, *, unit: str = "BYTE") -> Array:
    """`length` bytes or characters of each string from `pos` on, broadcast (tf.strings.substr).

    A negative `pos` counts from the end; raises IndexError for one outside of its string.
    """
    return each(lambda s, at, size: _cut(s, at, size, unit), x, pos, length)


def _ngram_types(c: Inference) -> list[ValueType]:
    return [ValueType(STRING, (c.fresh(),)), c.inputs[1]]


@op("StringNGrams", exact=True, outputs=("ngrams", "ngrams_splits"), type=_ngram_types, ranks="11")
def string_n_grams(
    data: Array,
    data_splits: Array,
    *,
    separator: str,
    ngram_widths: Sequence[int],
    left_pad: str,
    right_pad: str,
    pad_width: int,
    preserve_short_sequences: bool,
) -> tuple[Array, Array]:
    """Runs of `ngram_widths` strings of each ragged row, joined (tf.strings.ngrams).

    A row is padded with `pad_width` (negative: as many as fit) strings on both sides; a row that is
    too short becomes one run if `preserve_short_sequences`.
    """
    if len(data_splits):
        check_splits(data_splits, len(data))
    if not len(data) or not len(data_splits):
        return texts([b""] * len(data), data.shape), np.zeros_like(data_splits)

    def runs(row: list[bytes], n: int) -> list[bytes]:
        pad = min(n - 1 if pad_width < 0 else pad_width, n - 1)
        check_size([max(len(row) + 2 * pad - n + 1, 0), n])
        padded = [encoded(left_pad)] * pad + row + [encoded(right_pad)] * pad
        return [encoded(separator).join(padded[i : i + n]) for i in range(len(padded) - n + 1)]

    found: list[bytes] = []
    splits = [0]
    for a, b in pairwise(data_splits.tolist()):
        row = data[a:b].tolist()
        grams = [g for n in ngram_widths for g in runs(row, n)]
        if not grams and row and preserve_short_sequences:
            grams = runs(row, len(row) + 2 * max(pad_width, 0))
        found += grams
        splits.append(len(found))
    return texts(found, (len(found),)), np.array(splits[: len(data_splits)], data_splits.dtype)


@op("EncodeBase64", type=string_type, exact=True)
def encode_base64(x: Array, *, pad: bool = False) -> Array:
    """Each string in web-safe base64 (tf.io.encode_base64)."""
    return each(lambda s: urlsafe_b64encode(s) if pad else urlsafe_b64encode(s).rstrip(b"="), x)


_BASE64 = re.compile(rb"[A-Za-z0-9_-]*={0,2}")


def _decoded(text: bytes) -> bytes:
    body = text.rstrip(b"=")
    if not _BASE64.fullmatch(text) or len(body) % 4 == 1 or (body != text and len(text) % 4):
        raise ValueError(f"{text!r} is not web-safe base64")
    return urlsafe_b64decode(body + b"=" * (-len(body) % 4))


@op("DecodeBase64", type=string_type, exact=True)
def decode_base64(x: Array) -> Array:
    """The bytes that each web-safe base64 string spells (tf.io.decode_base64)."""
    return each(_decoded, x)
