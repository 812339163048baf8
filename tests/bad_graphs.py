"""Graphs of several ops, and files in several formats, that should be refused; `tests.bad_input`
evaluates them.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tests import damage

RAW, V1 = tf.raw_ops, tf.compat.v1
F32, I64, STR = tf.float32, tf.int64, tf.string
HUGE = 2**31 - 1


class Bad(NamedTuple):
    """What a graph computes of its feeds; `asked` says whether TensorFlow is: it takes all the
    memory for some, dies of others, and has its own opinion of damaged files.
    """

    build: Callable[..., Any]
    feeds: tuple[Any, ...]
    asked: bool = True


X = np.arange(6, dtype=np.float32).reshape(3, 2)


def _list(x: Any, shape: Any = (2,)) -> Any:
    return RAW.TensorListFromTensor(tensor=x, element_shape=list(shape))


def _item(handle: Any, at: Any, shape: Any = (2,)) -> Any:
    return RAW.TensorListGetItem(
        input_handle=handle, index=at, element_shape=list(shape), element_dtype=F32
    )


def _stack(handle: Any, shape: Any = (2,), number: int = -1) -> Any:
    return RAW.TensorListStack(
        input_handle=handle, element_shape=list(shape), element_dtype=F32, num_elements=number
    )


def _reserved(number: Any, shape: Any = (2,)) -> Any:
    return RAW.TensorListReserve(element_shape=list(shape), num_elements=number, element_dtype=F32)


def _set(handle: Any, at: Any, value: Any) -> Any:
    return RAW.TensorListSetItem(input_handle=handle, index=at, item=value)


def _scattered(x: Any, at: Any, number: int = -1) -> Any:
    return _stack(
        RAW.TensorListScatterV2(tensor=x, indices=at, element_shape=[2], num_elements=number)
    )


def _pushed(x: Any, most: int) -> Any:
    handle = RAW.EmptyTensorList(element_shape=[2], max_num_elements=most, element_dtype=F32)
    for row in tf.unstack(x, 3):
        handle = RAW.TensorListPushBack(input_handle=handle, tensor=row)
    return _stack(handle)


def _popped(handle: Any) -> Any:
    return RAW.TensorListPopBack(input_handle=handle, element_shape=[2], element_dtype=F32)[1]


def _concatenated(x: Any, y: Any) -> Any:
    handle = RAW.TensorListReserve(element_shape=-1, num_elements=2, element_dtype=F32)
    return RAW.TensorListConcatV2(
        input_handle=_set(_set(handle, 0, x), 1, y),
        element_shape=-1,
        leading_dims=tf.constant([], I64),
        element_dtype=F32,
    )[0]


def _split(x: Any, lengths: Any) -> Any:
    handle = RAW.TensorListSplit(tensor=x, element_shape=[-1, 2], lengths=lengths)
    return _item(handle, 0, (-1, 2))


LISTS = {
    **{f"item {i}": Bad(lambda x, i: _item(_list(x), i), (X, np.int32(i))) for i in (3, -1, HUGE)},
    **{
        f"set {i}": Bad(lambda x, i: _stack(_set(_list(x), i, x[0])), (X, np.int32(i)))
        for i in (3, -1, HUGE)
    },
    **{
        f"reserve {n}": Bad(lambda n: _stack(_reserved(n)), (np.int32(n),), n < 0)
        for n in (-1, HUGE)
    },
    **{
        f"resize {n}": Bad(
            lambda x, n: _stack(RAW.TensorListResize(input_handle=_list(x), size=n)),
            (X, np.int32(n)),
            n < 0,
        )
        for n in (-1, HUGE)
    },
    **{
        f"gather {i}": Bad(
            lambda x, i: RAW.TensorListGather(
                input_handle=_list(x), indices=i, element_shape=[2], element_dtype=F32
            ),
            (X, np.array([0, i], np.int32)),
        )
        for i in (3, -1, HUGE)
    },
    **{
        f"scatter {i}": Bad(_scattered, (X[:2], np.array([0, i], np.int32)), i != HUGE)
        for i in (-1, HUGE)
    },
    "scatter beyond": Bad(lambda x, i: _scattered(x, i, 2), (X[:2], np.array([0, 5], np.int32))),
    "scatter few": Bad(_scattered, (X, np.array([0, 1], np.int32))),
    "set of another shape": Bad(lambda x: _stack(_set(_list(x), 0, x)), (X,)),
    "item as another shape": Bad(lambda x: _item(_list(x, (-1,)), 0, (3,)), (X,)),
    "stack as another shape": Bad(lambda x: _stack(_list(x, (-1,)), (3,)), (X,)),
    "stack of another number": Bad(lambda x: _stack(_list(x), number=5), (X,)),
    "stack of nothing known": Bad(lambda n: _stack(_reserved(n, (-1,)), (-1,)), (np.int32(2),)),
    "stack of unequal": Bad(
        lambda x, y: _stack(_set(_set(_reserved(2, (-1,)), 0, x), 1, y), (-1,)), (X[0], X[:, 0])
    ),
    "from another shape": Bad(lambda x: _stack(_list(x, (3,)), (3,)), (X,)),
    "push beyond the most": Bad(lambda x: _pushed(x, 2), (X,)),
    "pop of nothing": Bad(lambda x: _popped(_reserved(tf.size(x) * 0)), (X,)),
    "concatenate unequal": Bad(_concatenated, (X, X.T)),
    "concatenate scalars": Bad(_concatenated, (X[0, 0], X[0, 0])),
    "split short": Bad(_split, (X, np.array([1, 1], np.int64))),
    "split long": Bad(_split, (X, np.array([1, 9], np.int64))),
    "split negative": Bad(_split, (X, np.array([4, -1], np.int64))),
    "split huge": Bad(_split, (X, np.array([2**62, 2**62], np.int64))),
}


def _array(x: Any, size: Any, **options: Any) -> Any:
    return tf.TensorArray(F32, size, element_shape=[2], **options).unstack(x)


ARRAYS = {
    **{
        f"read {i}": Bad(lambda x, i: _array(x, 3).read(i), (X, np.int32(i))) for i in (3, -1, HUGE)
    },
    **{
        f"write {i}": Bad(lambda x, i: _array(x, 3).write(i, x[0]).stack(), (X, np.int32(i)))
        for i in (3, -1, HUGE)
    },
    "unstack into fewer": Bad(lambda x: _array(x, 2).stack(), (X,)),
    "write another shape": Bad(lambda x: _array(x, 3).write(0, x).stack(), (X,)),
    "size -1": Bad(lambda n: tf.TensorArray(F32, n, element_shape=[2]).stack(), (np.int32(-1),)),
    "size huge": Bad(
        lambda n: tf.TensorArray(F32, n, element_shape=[2]).stack(), (np.int32(HUGE),), False
    ),
}


def _table(key: Any, value: Any) -> Any:
    return RAW.AnonymousHashTable(key_dtype=key, value_dtype=value)


def _find(handle: Any, keys: Any, default: Any) -> Any:
    return RAW.LookupTableFindV2(table_handle=handle, keys=keys, default_value=default)


def _initialised(keys: Any, values: Any) -> Any:
    handle = _table(I64, F32)
    filled = RAW.InitializeTableV2(table_handle=handle, keys=keys, values=values)
    with tf.control_dependencies([filled]):
        return _find(handle, keys, 0.0)


def _dense(empty: Any, deleted: Any, keys: Any, **options: Any) -> Any:
    handle = RAW.AnonymousMutableDenseHashTable(
        empty_key=empty,
        deleted_key=deleted,
        value_dtype=F32,
        value_shape=[],
        **{"initial_num_buckets": 8, "max_load_factor": 0.8} | options,
    )
    values = tf.cast(keys, F32)
    filled = RAW.LookupTableInsertV2(table_handle=handle, keys=keys, values=values)
    with tf.control_dependencies([filled]):
        return _find(handle, keys, 0.0)


def _mutable(keys: Any, values: Any) -> Any:
    handle = RAW.AnonymousMutableHashTableOfTensors(key_dtype=I64, value_dtype=F32, value_shape=[2])
    filled = RAW.LookupTableInsertV2(table_handle=handle, keys=keys, values=values)
    with tf.control_dependencies([filled]):
        return _find(handle, keys, [0.0, 0.0])


KEYS = np.array([1, 2, 3], np.int64)
TABLES = {
    "never filled": Bad(lambda k: _find(_table(I64, F32), k, 0.0), (KEYS,)),
    "fewer values": Bad(_initialised, (KEYS, X[:2, 0])),
    "values of another shape": Bad(_initialised, (KEYS, X)),
    "one key, two values": Bad(_initialised, (np.array([1, 1, 2], np.int64), X[:, 0])),
    "default of another shape": Bad(lambda k, d: _find(_table(I64, F32), k, d), (KEYS, X[:, 0])),
    "tensors of another shape": Bad(_mutable, (KEYS, np.zeros((3, 3), np.float32))),
    "fewer tensors": Bad(_mutable, (KEYS, X[:2])),
    "insert the empty key": Bad(
        lambda k: _dense(tf.constant(2, I64), tf.constant(9, I64), k), (KEYS,)
    ),
    "insert the deleted key": Bad(
        lambda k: _dense(tf.constant(9, I64), tf.constant(2, I64), k), (KEYS,)
    ),
    "empty is deleted": Bad(lambda k: _dense(tf.constant(9, I64), tf.constant(9, I64), k), (KEYS,)),
    **{
        f"{n} buckets": Bad(
            lambda k, n=n: _dense(
                tf.constant(8, I64), tf.constant(9, I64), k, initial_num_buckets=n
            ),
            (KEYS,),
            n < 100,
        )
        for n in (-8, 0, 7, 2**40, 2**62)
    },
    **{
        f"load {factor}": Bad(
            lambda k, f=factor: _dense(
                tf.constant(8, I64), tf.constant(9, I64), k, max_load_factor=f
            ),
            (KEYS,),
        )
        for factor in (0.0, 1.0, float("nan"))
    },
}


def _to_tensor(splits: Any, values: Any) -> Any:
    return RAW.RaggedTensorToTensor(
        shape=[-1, -1],
        values=values,
        default_value=0.0,
        row_partition_tensors=[splits],
        row_partition_types=["ROW_SPLITS"],
    )


def _by_rows(shape: Any, rows: Any, values: Any) -> Any:
    return RAW.RaggedTensorToTensor(
        shape=shape,
        values=values,
        default_value=0.0,
        row_partition_tensors=[3, rows],
        row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"],
    )


SPLITS = {
    "from 1": [1, 2, 3],
    "falling": [0, 3, 1, 3],
    "beyond": [0, 2, 9],
    "short": [0, 1],
    "negative": [0, -1, 3],
    "huge": [0, 2**62, 3],
    "empty": [],
}
SPLIT_OPS = {
    "to tensor": _to_tensor,
    "to sparse": lambda s, v: RAW.RaggedTensorToSparse(rt_nested_splits=[s], rt_dense_values=v)[1],
    "gather": lambda s, v: RAW.RaggedGather(
        params_nested_splits=[s], params_dense_values=v, indices=[0], OUTPUT_RAGGED_RANK=1
    )[1],
    "variant": lambda s, v: RAW.RaggedTensorFromVariant(
        encoded_ragged=RAW.RaggedTensorToVariant(
            rt_nested_splits=[s], rt_dense_values=v, batched_input=True
        ),
        input_ragged_rank=0,
        output_ragged_rank=1,
        Tvalues=F32,
        Tsplits=I64,
    )[1],
    "n-grams": lambda s, v: RAW.StringNGrams(
        data=tf.as_string(v),
        data_splits=s,
        separator="",
        ngram_widths=[2],
        left_pad="",
        right_pad="",
        pad_width=0,
        preserve_short_sequences=False,
    )[0],
    "encode": lambda s, v: RAW.UnicodeEncode(
        input_values=tf.cast(v, tf.int32) + 65, input_splits=s, output_encoding="UTF-8"
    ),
    "bincount": lambda s, v: RAW.RaggedBincount(
        splits=s, values=tf.cast(v, I64), size=tf.constant(4, I64), weights=tf.constant([], F32)
    ),
}
UNSEEN = {  # by TensorFlow, which answers, at times with memory that is not its own
    "to tensor: beyond",
    "to tensor: short",
    "gather: from 1",
    "bincount: falling",
    "bincount: negative",
    "bincount: huge",
}
RAGGED = {
    **{
        f"{op}: {name}": Bad(
            build, (np.array(splits, np.int64), X[:, 0]), f"{op}: {name}" not in UNSEEN
        )
        for op, build in SPLIT_OPS.items()
        for name, splits in SPLITS.items()
    },
    **{
        f"rows {rows}": Bad(
            lambda r, v: _by_rows([3, 3], r, v),
            (np.array(rows, np.int64), X[:, 0]),
            rows not in ([2, 1, 0], [0, 1]),
        )
        for rows in ([-1, 0, 1], [2, 1, 0], [0, 1, 9], [0, 1], [0, 1, 2**62])
    },
    **{
        f"shape {shape}": Bad(
            lambda s, v: _by_rows(s, tf.constant([0, 1, 1], I64), v),
            (np.array(shape, np.int64), X[:, 0]),
            max(shape) < 2**40,
        )
        for shape in ([2**40, 2**40], [2**62, 1], [-2, 3], [3, 3, 3])
    },
}


def file(kind: str, **options: Any) -> bytes:
    """A small picture as a file."""
    picture = np.random.default_rng(0).integers(0, 255, (9, 11, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(picture).save(written, kind, **options)
    return written.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG file that says to be as large."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(99))) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _example() -> bytes:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1, 2]))
    features = tf.train.Features(feature={"a": feature})
    return tf.train.Example(features=features).SerializeToString()


def _parsed(data: Any) -> Any:
    return tf.io.parse_single_example(data, {"a": tf.io.FixedLenFeature([2], F32)})["a"]


WAV = tf.audio.encode_wav(np.zeros((9, 2), np.float32), 8000).numpy()
GOOD: dict[str, tuple[bytes, Callable[[Any], Any]]] = {
    "PNG": (file("PNG"), lambda d: RAW.DecodePng(contents=d)),
    "JPEG": (file("JPEG"), lambda d: RAW.DecodeJpeg(contents=d)),
    "GIF": (file("GIF"), lambda d: RAW.DecodeGif(contents=d)),
    "BMP": (file("BMP"), lambda d: RAW.DecodeBmp(contents=d)),
    "WebP": (file("WEBP"), lambda d: RAW.DecodeImage(contents=d)),
    "any image": (file("PNG"), lambda d: RAW.DecodeImage(contents=d)),
    "crop": (
        file("JPEG"),
        lambda d: RAW.DecodeAndCropJpeg(contents=d, crop_window=[1, 1, 5, 5]),
    ),
    "WAV": (WAV, lambda d: RAW.DecodeWav(contents=d)[0]),
    "example": (_example(), _parsed),
    "tensor": (
        tf.io.serialize_tensor(X).numpy(),
        lambda d: RAW.ParseTensor(serialized=d, out_type=F32),
    ),
    "JSON": (
        b'{"features": {"feature": {"a": {"floatList": {"value": [1.0, 2.0]}}}}}',
        lambda d: _parsed(RAW.DecodeJSONExample(json_examples=d)),
    ),
    "CSV": (
        b'1.5,"a ""b"" c",7\n',
        lambda d: RAW.DecodeCSV(records=d, record_defaults=[[0.0], [""], [0]])[1],
    ),
    "base64": (b"AAECAwQF", lambda d: RAW.DecodeBase64(input=d)),
    "UTF-8": (
        "häß€𝄞".encode(),
        lambda d: RAW.UnicodeDecode(input=d, input_encoding="UTF-8", errors="strict")[1],
    ),
    "numbers": (b"1234567890", lambda d: RAW.StringToNumber(string_tensor=d, out_type=F32)),
    "zlib": (
        zlib.compress(bytes(range(99))),
        lambda d: RAW.DecodeCompressed(bytes=d, compression_type="ZLIB"),
    ),
}
LARGE = {
    "PNG of 2 ** 62": ("PNG", png(HUGE, HUGE)),
    "PNG of 2 ** 36": ("PNG", png(1 << 18, 1 << 18)),
    "PNG of 2 ** 20": ("PNG", png(1 << 10, 1 << 10)),
    "GIF of 2 ** 32": ("GIF", patched(GOOD["GIF"][0], 6, b"\xff\xff\xff\xff")),
    "BMP of 2 ** 62": ("BMP", patched(GOOD["BMP"][0], 18, b"\xff\xff\xff\x7f\xff\xff\xff\x7f")),
    "BMP upside down": ("BMP", patched(GOOD["BMP"][0], 22, b"\0\0\0\x80")),
    "BMP from afar": ("BMP", patched(GOOD["BMP"][0], 10, b"\xff\xff\xff\xff")),
    "JPEG of 2 ** 32": (
        "JPEG",
        patched(GOOD["JPEG"][0], GOOD["JPEG"][0].index(b"\xff\xc0") + 5, b"\xff\xf0\xff\xf0"),
    ),
    "WAV of 2 ** 32": ("WAV", patched(WAV, 40, b"\xff\xff\xff\xff")),
    "zlib of a hundred megabytes": ("zlib", zlib.compress(bytes(100 << 20))),
    "tensor of 2 ** 62": (
        "tensor",
        b"\x08\x01\x12\x1c\x12\x0c\x08\x80\x80\x80\x80\x80\x80\x80\x80\x40\x10\x00\x12\x0c"
        b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x40\x10\x00",
    ),
}


def _fed(data: bytes) -> tuple[Any]:
    return (np.array(data, object),)


FILES = {
    **{name: Bad(GOOD[kind][1], _fed(data), False) for name, (kind, data) in LARGE.items()},
    **{
        f"{kind} damaged {i}": Bad(build, _fed(data), False)
        for kind, (good, build) in GOOD.items()
        for i, data in enumerate(damage.mutations(good, 12, len(kind)))
    },
}
ROWS = {
    f"{group}: {name}": bad
    for group, rows in {
        "lists": LISTS,
        "arrays": ARRAYS,
        "tables": TABLES,
        "ragged": RAGGED,
        "files": FILES,
    }.items()
    for name, bad in rows.items()
}


def job(bad: Bad) -> tuple[bytes, dict[str, Any], list[str]]:
    """A GraphDef, what to feed and what to fetch."""
    with tf.Graph().as_default() as graph:
        kinds = [STR if f.dtype == object else tf.as_dtype(f.dtype) for f in bad.feeds]
        held = [
            V1.placeholder(kind, name=f"in{i}")
            for i, (kind, f) in enumerate(zip(kinds, bad.feeds, strict=True))
        ]
        result = tf.identity(bad.build(*held), name="result")
    feeds = {f"in{i}:0": f for i, f in enumerate(bad.feeds)}
    return graph.as_graph_def().SerializeToString(), feeds, [result.name]
