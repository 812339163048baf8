"""Checkpoints: tables, TensorBundles and CRC-32C, against TensorFlow's writers and readers."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import ml_dtypes
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from tests.damage import mutations, refusals
from tfdeploy.errors import ConversionError, FormatError, UnsupportedError
from tfdeploy.importers import crc32c as crc_module
from tfdeploy.importers import table
from tfdeploy.importers.bundle import Bundle, parse_slice
from tfdeploy.importers.crc32c import crc32c, masked

VALUES = {
    "float": np.arange(6, dtype=np.float32).reshape(2, 3),
    "strings": np.array([[b"a", b""], [b"xy" * 100, b"\xff\0"]], object),
    "text": np.array(b"scalar", object),
    "empty": np.zeros((0, 3)),
    "no_strings": np.zeros((0,), object),
    "bool": np.array([True, False]),
    "half": np.array([1.5], np.float16),
    "complex": np.array(1 + 2j),
    "bfloat": np.array([1.5, 2], ml_dtypes.bfloat16),
    "int4": np.array([1, -2, 7], ml_dtypes.int4),
    "float8": np.array([1, -2], ml_dtypes.float8_e5m2),
    "a/very/long/name/with/prefix/1": np.array([1], np.int8),
    "a/very/long/name/with/prefix/2": np.array([2], np.uint64),
    "naïve": np.array([3], np.int64),
}


def save(prefix, values, slices=None):
    slices = slices or [""] * len(values)
    names, arrays = zip(*values, strict=True)
    tensors = [tf.constant(v, tf.string if v.dtype == object else None) for v in arrays]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(names), shape_and_slices=slices, tensors=tensors
    )
    return str(prefix)


@pytest.fixture
def simple(tmp_path):
    return save(tmp_path / "model", list(VALUES.items()))


@pytest.fixture
def sharded(tmp_path):
    """Three shards; the rows and columns of `w` lie in pieces of two of them."""
    w = np.arange(1000, dtype=np.float32).reshape(5, 200)
    parts = [
        save(tmp_path / "p0", list(VALUES.items())),
        save(
            tmp_path / "p1",
            [("w", w[:3]), ("w", w[3:, :70]), ("names", np.array([b"x"], object))],
            ["5 200 0,3:0,200", "5 200 3,2:0,70", "2 0,1"],
        ),
        save(
            tmp_path / "p2",
            [("w", w[3:, 70:]), ("names", np.array([b"yy"], object)), ("last", np.ones(3))],
            ["5 200 3,2:70,130", "2 1,1", ""],
        ),
    ]
    prefix = str(tmp_path / "merged")
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix)
    return prefix, w


def test_every_dtype_is_read(simple):
    bundle = Bundle(simple)
    assert set(bundle) == set(VALUES) and len(bundle) == len(VALUES)
    for name, value in VALUES.items():
        entry = bundle.entries[name]
        assert entry.shape == value.shape
        assert entry.dtype.numpy == value.dtype
        found = bundle[name]
        assert found.dtype == value.dtype and found.shape == value.shape
        assert found.tolist() == value.tolist()
        assert found.flags.aligned and not found.flags.writeable


def test_shards_and_slices(sharded):
    prefix, w = sharded
    bundle = Bundle(prefix)
    assert bundle.num_shards == 3
    assert len(bundle.entries["w"].slices) == 3
    reader = tf.train.load_checkpoint(prefix)
    assert np.array_equal(reader.get_tensor("w"), w)
    assert np.array_equal(bundle["w"], w)
    assert bundle["names"].tolist() == [b"x", b"yy"]
    assert np.array_equal(bundle["last"], np.ones(3))
    assert set(bundle) == set(reader.get_variable_to_shape_map())
    for part in (((0, 3), (0, 200)), ((2, 3), (60, 100)), ((4, 1), (199, 1)), ((0, 0), (0, 200))):
        index = tuple(slice(start, start + size) for start, size in part)
        assert np.array_equal(bundle.read("w", part), w[index])
    assert bundle.read("last", ((1, 1),)).tolist() == [1]
    with pytest.raises(FormatError, match="does not lie in shape"):
        bundle.read("w", ((0, 6), (0, 200)))


def test_large_indices_have_several_blocks(tmp_path):
    values = [(f"layer_{i}/kernel", np.array([i])) for i in range(20_000)]
    prefix = save(tmp_path / "many", values)
    assert os.path.getsize(prefix + ".index") > 1 << 18
    bundle = Bundle(prefix)
    assert sorted(bundle) == sorted(name for name, _ in values)
    assert all(bundle[f"layer_{i}/kernel"] == [i] for i in (0, 1, 777, 19_999))


def test_values_are_views_of_the_mapped_file(tmp_path):
    value = np.arange(1 << 16, dtype=np.float32)
    bundle = Bundle(save(tmp_path / "big", [("v", value)]))
    first, second = bundle["v"], bundle["v"]
    assert np.array_equal(first, value)
    assert first.ctypes.data == second.ctypes.data


def test_the_tables_of_version_1_checkpoints_are_read(tmp_path):
    path = str(tmp_path / "old.ckpt")
    tf.raw_ops.Save(filename=path, tensor_names=["a", "b"], data=[tf.ones(3), tf.zeros([2, 2])])
    with open(path, "rb") as file:
        keys = [key for key, _ in table.entries(memoryview(file.read()), path)]
    assert keys[0] == b"" and len(keys) == 3
    assert keys[1][:2] == b"\0a" and keys[2][:2] == b"\0b"


def test_an_absent_tensor_is_named_with_near_names(simple):
    with pytest.raises(ConversionError, match=r"model has no tensor 'flaot'; near: float"):
        Bundle(simple)["flaot"]
    assert "flaot" not in Bundle(simple)


def test_a_missing_index(tmp_path):
    with pytest.raises(FormatError, match=r"nothing\.index: cannot be opened: No such file"):
        Bundle(tmp_path / "nothing")


def test_a_missing_shard(sharded):
    prefix, _ = sharded
    os.remove(prefix + ".data-00001-of-00003")
    bundle = Bundle(prefix)
    assert bundle["last"].tolist() == [1, 1, 1]
    with pytest.raises(FormatError, match=r"tensor 'w': .*data-00001-of-00003: cannot be opened"):
        bundle["w"]


def test_a_shard_cut_short(simple):
    path = simple + ".data-00000-of-00001"
    entry = Bundle(simple).entries["float"]
    os.truncate(path, entry.offset + 5)
    with pytest.raises(FormatError, match=r"tensor 'float': 24 bytes from .*cut short"):
        Bundle(simple)["float"]
    os.truncate(path, 0)
    with pytest.raises(FormatError, match="ends at 0"):
        Bundle(simple)["float"]


@pytest.mark.parametrize("name", ["float", "strings", "text", "bool"])
def test_a_flipped_bit_anywhere_in_a_value_is_found(simple, name):
    path = simple + ".data-00000-of-00001"
    entry = Bundle(simple).entries[name]
    with open(path, "rb") as file:
        data = file.read()
    for at in range(entry.offset, entry.offset + entry.size):
        with open(path, "wb") as file:
            file.write(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(FormatError, match=f"tensor {name!r}"):
            Bundle(simple)[name]


def test_a_flipped_bit_anywhere_in_the_index_is_found(simple):
    path = simple + ".index"
    with open(path, "rb") as file:
        data = file.read()
    index = data[:-48]  # the footer has no checksum
    for at in range(len(index)):
        with open(path, "wb") as file:
            file.write(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises((FormatError, UnsupportedError), match=r"model\.index"):
            Bundle(simple)


# ---- tables written by hand, to have what TensorFlow's writer does not write


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def block(entries):
    body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries)
    return body + struct.pack("<II", 0, 1)


def make_table(blocks, kinds=None):
    """A table of stored blocks (content as in the file), each with its kind of compression."""
    meta = block([])
    data, handles = b"", []
    for content, kind in zip(blocks, kinds or [0] * len(blocks), strict=True):
        handles.append(varint(len(data)) + varint(len(content)))
        data += content + bytes([kind]) + struct.pack("<I", masked(content + bytes([kind])))
    meta_at = len(data)
    data += meta + b"\0" + struct.pack("<I", masked(meta + b"\0"))
    index = block([(bytes([255, i]), handle) for i, handle in enumerate(handles)])
    handle = varint(len(data)) + varint(len(index))
    data += index + b"\0" + struct.pack("<I", masked(index + b"\0"))
    return data + (varint(meta_at) + varint(len(meta)) + handle).ljust(40, b"\0") + table.MAGIC


def read_table(data):
    return [(key, bytes(value)) for key, value in table.entries(memoryview(data), "t.index")]


ENTRIES = [(b"a", b"1"), (b"b", b"22"), (b"c" * 40, b"x" * 1000)]


def test_a_table_by_hand():
    assert read_table(make_table([block(ENTRIES[:2]), block(ENTRIES[2:])])) == ENTRIES


def test_zlib_blocks():
    data = make_table([zlib.compress(block(ENTRIES))], [2])
    assert read_table(data) == ENTRIES


def test_snappy_blocks():
    # a literal, a copy of one byte back (run), a copy with 2 bytes of offset, one with 4
    plain = block([(b"k", b"abcdefgh" + b"z" * 70 + b"abcdefghabcd")])
    head, rest = plain[:5], plain[5:]
    assert rest.startswith(b"bcdefghz")  # the value begins in the head
    packed = varint(len(plain))
    packed += bytes([(13 - 1) << 2]) + plain[:13]  # ... up to the first z
    packed += bytes([(64 - 1) << 2 | 2]) + struct.pack("<H", 1)  # 64 more z
    packed += bytes([(5 - 4) << 2 | 1, 1])  # and 5
    at = 13 + 69
    start = plain.index(b"abcdefgh")
    packed += bytes([(8 - 1) << 2 | 3]) + struct.pack("<I", at - start)
    packed += bytes([(4 - 1) << 2 | 2]) + struct.pack("<H", 8)
    tail = plain[at + 12 :]
    packed += bytes([60 << 2, len(tail) - 1]) + tail
    assert head and read_table(make_table([packed], [1])) == [
        (b"k", b"abcdefgh" + b"z" * 70 + b"abcdefghabcd")
    ]


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xff\xff\xff\xff\x0f",
        b"\x05\x00a",
        b"\x02\x00a\x05\x00",
        b"\x02\x00a\x05\x09",
        b"\x02\xf0",
        b"\x02\x10abc",
        b"\x01\x00a\xfe\x01\x00",
    ],
)
def test_damaged_snappy_blocks(packed):
    with pytest.raises(FormatError, match=r"t\.index: the block at byte 0 does not unpack"):
        read_table(make_table([packed], [1]))


def test_a_bomb_of_zlib_is_bounded():
    bomb = zlib.compress(zlib.compress(bytes(200 << 20), 9), 9)
    with pytest.raises(FormatError):
        read_table(make_table([bomb], [2]))


def test_unknown_compression():
    with pytest.raises(UnsupportedError, match=r"byte 0 has compression 7; known are 0 \(none\)"):
        read_table(make_table([block(ENTRIES)], [7]))


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([block([(b"b", b""), (b"a", b"")])], "does not follow"),
        ([block([(b"a", b"")]), block([(b"a", b"")])], "does not follow"),
        ([b"\x01\x01\x01ab" + struct.pack("<II", 0, 1)], "does not fit"),
        ([b"\x00\x09\x01ab" + struct.pack("<II", 0, 1)], "does not fit"),
        ([b"\x00\x01\x7fab" + struct.pack("<II", 0, 1)], "does not fit"),
        ([b"\x00\x01"], "too few"),
        ([struct.pack("<I", 99)], "too few"),
    ],
)
def test_damaged_blocks(blocks, words):
    with pytest.raises(FormatError, match=words):
        read_table(make_table(blocks))


def test_keys_that_grow_without_end_are_refused():
    # each key is the last one and one byte more
    body = b"".join(varint(size) + b"\1\0a" for size in range(100_000))
    with pytest.raises(FormatError, match="does not fit"):
        read_table(make_table([body + struct.pack("<II", 0, 1)]))


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "found 0"), (b"x" * 100, "end in 7878"), (b"\xff" * 40 + table.MAGIC, "block")],
)
def test_files_that_are_no_table(data, words):
    with pytest.raises(FormatError, match=words):
        read_table(data)


def write_bundle(tmp_path, entries, data=b"", header=None):
    header = header or tensor_bundle_pb2.BundleHeaderProto(num_shards=1)
    rows = [(b"", header.SerializeToString())]
    rows += [(name, entry.SerializeToString()) for name, entry in entries]
    (tmp_path / "m.index").write_bytes(make_table([block(rows)]))
    (tmp_path / "m.data-00000-of-00001").write_bytes(data)
    return tmp_path / "m"


def entry(dtype=1, shape=(), data=b"", **fields):
    found = tensor_bundle_pb2.BundleEntryProto(
        dtype=dtype, size=len(data), crc32c=masked(data), **fields
    )
    for size in shape:
        found.shape.dim.add(size=size)
    return found


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (entry(1, (2,), b"1234"), "4 bytes for float32 of shape"),
        (entry(1, (1 << 40, 1 << 40), b"1234"), "more than any memory"),
        (entry(1, (-1,), b"1234"), "unknown shape"),
        (entry(1, (1,), b"1234", shard_id=1), "in shard 1 of 1"),
        (entry(1, (1,), b"1234", shard_id=-1), "in shard -1 of 1"),
        (entry(1, (1,), b"1234", offset=3), "cut short"),
        (entry(1, (1,), b"1234", offset=-3), "at -3"),
        (entry(0, (1,), b"1234"), "dtype None"),
        (entry(999, (1,), b"1234"), "dtype number 999"),
        (entry(20, (1,), b"1234"), "resource"),
        (entry(7, (9,), b"1234"), "9 strings"),
        (entry(1, (4,), slices=[{"extent": [{"start": 0, "length": 4}]}]), "is not in"),
        (entry(1, (4,), slices=[{"extent": [{"start": 3, "length": 4}]}]), "does not lie"),
        (entry(1, (4,), slices=[{"extent": []}]), "0 axes"),
        (entry(1, (1 << 40,), slices=[{"extent": [{"start": 0, "length": 0}]}]), "holes"),
    ],
)
def test_entries_that_cannot_be(tmp_path, found, words):
    with pytest.raises((FormatError, UnsupportedError), match=words) as error:
        Bundle(write_bundle(tmp_path, [(b"v", found)], b"1234"))["v"]
    assert str(tmp_path / "m") in str(error.value)


def test_headers_that_cannot_be(tmp_path):
    big = tensor_bundle_pb2.BundleHeaderProto(num_shards=1, endianness=1)
    with pytest.raises(UnsupportedError, match="big-endian"):
        Bundle(write_bundle(tmp_path, [], header=big))
    (tmp_path / "m.index").write_bytes(make_table([block([(b"a", b"")])]))
    with pytest.raises(FormatError, match="no header"):
        Bundle(tmp_path / "m")


def test_slices_with_a_hole(tmp_path):
    prefix = save(tmp_path / "hole", [("w", np.ones(2, np.float32))], ["4 1,2"])
    bundle = Bundle(prefix)
    assert bundle.read("w", ((1, 2),)).tolist() == [1, 1]
    with pytest.raises(FormatError, match=r"'w': its slices leave holes in shape \(4,\)"):
        bundle["w"]


def test_slice_specs():
    assert parse_slice("") is None
    assert parse_slice("5 200 3,2:0,200") == ((3, 2), (0, 200))
    assert parse_slice("5 200 3,2:-") == ((3, 2), (0, 200))
    for spec in ("5", "5 3,2:1,1", "5 3,3", "x 0,1", "5 3", "5 -1,2", "5  0,1"):
        with pytest.raises(FormatError):
            parse_slice(spec)


def test_mutated_bundles_give_only_our_errors(tmp_path):
    values = [(name, VALUES[name]) for name in ("float", "strings", "bool")]
    prefix = save(tmp_path / "m", [*values, ("w", np.ones(4))], ["", "", "", "8 2,4"])
    with open(prefix + ".index", "rb") as file:
        index = file.read()
    with open(prefix + ".data-00000-of-00001", "rb") as file:
        data = file.read()
    target = str(tmp_path / "x")

    def read(which):
        def one(variant):
            for suffix, content in ((".index", index), (".data-00000-of-00001", data)):
                with open(target + suffix, "wb") as file:
                    file.write(variant if suffix == which else content)
            bundle = Bundle(target)
            return [bundle[name] for name, _ in values], bundle.read("w", ((2, 4),))

        return one

    refused = refusals(read(".index"), mutations(index, 700, seed=3))
    assert refused > 600
    refused = refusals(read(".data-00000-of-00001"), mutations(data, 300, seed=4))
    assert refused > 250


def test_mutated_entries_behind_a_valid_checksum(tmp_path):
    """The index's checksum is no protection against malice: entries are checked for themselves."""
    found = entry(1, (3,), b"0123456789ab").SerializeToString()
    sliced = entry(1, (8,), slices=[{"extent": [{"start": 2, "length": 4}]}]).SerializeToString()

    def read(variant):
        rows = [(b"", b"\x08\x01"), (b"v", variant[: len(found)]), (b"w", variant[len(found) :])]
        (tmp_path / "m.index").write_bytes(make_table([block(rows)]))
        (tmp_path / "m.data-00000-of-00001").write_bytes(b"0123456789ab")
        return Bundle(tmp_path / "m")["v"], Bundle(tmp_path / "m")["w"]

    assert refusals(read, mutations(found + sliced, 500, seed=5)) > 400


# ---- CRC-32C


def bitwise_crc32c(data, value=0):
    state = value ^ 0xFFFFFFFF
    for octet in data:
        state ^= octet
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize("function", [crc32c, crc_module._numpy_crc32c])
def test_crc32c(function):
    assert function(b"123456789") == 0xE3069283  # the check value of its definition
    assert function(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    random = np.random.default_rng(0)
    for size in (0, 1, 3, 4, 255, 256, 511, 512, 513, 1023, 1024, 1025, 4096, 20_001):
        data, value = random.bytes(size), int(random.integers(1 << 32))
        assert function(data, value) == bitwise_crc32c(data, value), size
    data = random.bytes((2 << 20) + 77)
    for at in (1, 1 << 20, 1_234_567):
        assert function(data) == function(memoryview(data)[at:], function(data[:at]))
    assert function(np.frombuffer(data, np.uint8)) == function(data)
