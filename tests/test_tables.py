"""Lookup tables: filled at conversion, looked up and changed as in TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf
from keras import layers as kl

import tfdeploy as td
from tests.test_control import ops_of
from tfdeploy.ops import registry

RAW = tf.raw_ops
lookup = tf.lookup
tf1 = tf.compat.v1

NAMES = {tf.string: [b"x", b"", "ü".encode()], tf.int64: [3, -1, 1 << 40], tf.int32: [3, -1, 9]}
VALUES = {
    tf.string: [b"p", b"\0q\xff", b""],
    tf.int64: [5, 1 << 50, -7],
    tf.int32: [5, 6, -7],
    tf.float32: [0.5, float("inf"), -2.0],
    tf.float64: [0.1, 1e300, -2.0],
    tf.bool: [True, False, True],
}
DEFAULTS = {tf.string: b"none", tf.bool: False}
PAIRS = [
    *((tf.string, v) for v in VALUES),
    *((k, v) for k in (tf.int64, tf.int32) for v in (tf.string, tf.float32)),
    (tf.int64, tf.int64),
    (tf.int64, tf.float64),
    (tf.int32, tf.int32),
]


def exported(module: tf.Module, folder: Path, *specs: tf.TensorSpec) -> tuple[Any, td.Model]:
    """TensorFlow's loaded function, and our model, of what `module.run` gives."""
    function = tf.function(module.run).get_concrete_function(*specs)
    tf.saved_model.save(module, str(folder), signatures=function)
    loaded = tf.saved_model.load(str(folder))
    return loaded, td.convert(folder)


def compare(loaded: Any, model: td.Model, **feeds: Any) -> dict[str, np.ndarray]:
    want = loaded.signatures["serving_default"](**{k: tf.constant(v) for k, v in feeds.items()})
    got = model.signatures["serving_default"](**feeds)
    assert got.keys() == want.keys()
    for name, value in want.items():
        expected = np.asarray(value.numpy(), got[name].dtype)
        np.testing.assert_array_equal(got[name], expected)
    return got


@pytest.mark.parametrize(("keys", "values"), PAIRS)
def test_every_kind_of_table(keys: tf.DType, values: tf.DType, tmp_path: Path) -> None:
    class Static(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            content = lookup.KeyValueTensorInitializer(NAMES[keys], VALUES[values], keys, values)
            self.table = lookup.StaticHashTable(content, DEFAULTS.get(values, -1))

        def run(self, k: Any) -> Any:
            return {"found": self.table.lookup(k), "size": self.table.size()}

    loaded, model = exported(Static(), tmp_path / "m", tf.TensorSpec(None, keys, "k"))
    other = b"other" if keys == tf.string else 77
    asked = [*NAMES[keys], other, NAMES[keys][0]]
    dtype = object if keys == tf.string else keys.as_numpy_dtype
    flat = np.array(asked, dtype)
    for given in (
        flat,
        flat[:4].reshape(2, 2),
        flat[:0],
        flat[0].reshape(()) if keys != tf.string else np.array(flat[0], object),
    ):
        compare(loaded, model, k=given)
    model.save(tmp_path / "m.tfd")
    compare(loaded, td.Model(tmp_path / "m.tfd"), k=flat)


FILE = "apple\t4\t0.5\nbanana split\t-2\t1e3\r\n\t7\t2\npear\t0\t-1.5"


@pytest.mark.parametrize("size", [None, 2])
def test_text_files_are_embedded(size: int | None, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(FILE.encode())
    whole, number = lookup.TextFileIndex.WHOLE_LINE, lookup.TextFileIndex.LINE_NUMBER

    def table(key: tuple[tf.DType, int], value: tuple[tf.DType, int], first: int = 0) -> Any:
        content = lookup.TextFileInitializer(
            str(path), *key, *value, vocab_size=size, delimiter="\t", value_index_offset=first
        )
        default = b"?" if value[0] == tf.string else -9
        return lookup.StaticHashTable(content, default)

    class Files(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lines = table((tf.string, whole), (tf.int64, number), 3)
            self.numbers = table((tf.int64, number), (tf.string, whole))
            self.words = table((tf.string, 0), (tf.int64, 1))
            self.weights = table((tf.int64, 1), (tf.float32, 2))
            self.named = lookup.StaticVocabularyTable(
                lookup.TextFileInitializer(str(path), tf.string, whole, tf.int64, number), 3
            )

        def run(self, k: Any, i: Any) -> Any:
            return {
                "lines": self.lines.lookup(k),
                "words": self.words.lookup(k),
                "numbers": self.numbers.lookup(i),
                "weights": self.weights.lookup(i),
                "named": self.named.lookup(k),
            }

    specs = tf.TensorSpec([None], tf.string, "k"), tf.TensorSpec([None], tf.int64, "i")
    loaded, model = exported(Files(), tmp_path / "m", *specs)
    keys = [*FILE.encode().replace(b"\r", b"").split(b"\n"), b"apple", b"banana split", b"", b"zz"]
    compare(loaded, model, k=np.array(keys, object), i=np.int64([0, 1, 4, -2, 7, 9]))


def test_mutable_tables_come_from_the_checkpoint_and_change(tmp_path: Path) -> None:
    class Mutable(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plain = lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            self.plain.insert(["a", "b"], [1, 2])
            self.rows = lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.5, 0.5])
            self.rows.insert([4, 5], [[1.0, 2.0], [3.0, 4.0]])
            self.dense = lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, -7, -8)
            self.dense.insert([1, 2], [10, 20])

        def run(self, k: Any, v: Any, i: Any) -> Any:
            before = self.plain.lookup(k)
            self.plain.insert(k, v)
            self.dense.insert(i, i * 3)
            self.dense.remove(i[:1])
            after = self.plain.lookup(k)
            self.plain.remove(k[1:])
            keys, values = self.plain.export()
            order = tf.argsort(values)
            self.rows.insert(i, tf.ones([tf.size(i), 2]))
            return {
                "before": before,
                "after": after,
                "size": self.plain.size(),
                "keys": tf.gather(keys, order),
                "values": tf.gather(values, order),
                "rows": self.rows.lookup(i + 1),
                "dense": self.dense.lookup(tf.constant([1, 2, 9, 11], tf.int64)),
            }

    specs = (
        tf.TensorSpec([None], tf.string, "k"),
        tf.TensorSpec([None], tf.int64, "v"),
        tf.TensorSpec([None], tf.int64, "i"),
    )
    loaded, model = exported(Mutable(), tmp_path / "m", *specs)
    first = {"k": np.array([b"b", b"c"], object), "v": np.int64([7, 8]), "i": np.int64([3, 9])}
    start = compare(loaded, model, **first)
    compare(loaded, model, k=np.array([b"d"], object), v=np.int64([5]), i=np.int64([11, 4]))
    model.save(tmp_path / "m.tfd")
    other = {"k": np.array([b"a", b"d"], object), "v": np.int64([9, 9]), "i": np.int64([1])}
    saved = td.Model(tmp_path / "m.tfd")
    got = compare(loaded, model, **other)
    again = saved.signatures["serving_default"](**other)
    for name, value in got.items():
        np.testing.assert_array_equal(again[name], value)
    model.reset_state()
    for name, value in model.signatures["serving_default"](**first).items():
        np.testing.assert_array_equal(value, start[name])


def test_tables_of_tensorflow_1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        k = tf1.placeholder(tf.string, [None], name="k")
        table = RAW.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="t")
        fill = RAW.InitializeTableV2(
            table_handle=table, keys=["a", "b"], values=tf.constant([4, 5], tf.int64)
        )
        found = RAW.LookupTableFindV2(
            table_handle=table, keys=k, default_value=tf.constant(-1, tf.int64)
        )
        session.run(fill)
        keys = np.array([b"b", b"c"], object)
        model = td.convert(found, session=session)
        np.testing.assert_array_equal(model(keys), session.run(found, {k: keys}))


def test_a_text_file_of_a_session_is_embedded(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("one\ntwo\nthree\n")
    with tf.Graph().as_default(), tf1.Session() as session:
        i = tf1.placeholder(tf.int64, [None], name="i")
        table = RAW.HashTableV2(key_dtype=tf.int64, value_dtype=tf.string, shared_name="t")
        fill = RAW.InitializeTableFromTextFileV2(
            table_handle=table, filename=str(path), key_index=-1, value_index=-2, offset=10
        )
        found = RAW.LookupTableFindV2(table_handle=table, keys=i, default_value="?")
        session.run(fill)
        model = td.convert(found, session=session)
        path.unlink()
        numbers = np.int64([10, 12, 3])
        np.testing.assert_array_equal(model(numbers), session.run(found, {i: numbers}))


def test_tables_of_this_call_alone() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "k")])
    def function(k: Any) -> Any:
        one = tf.constant(1, tf.int64)
        results = []
        for make, shape in (
            (RAW.AnonymousHashTable, ()),
            (RAW.AnonymousMutableHashTable, ()),
            (RAW.AnonymousMutableHashTableOfTensors, (2,)),
        ):
            more = {"value_shape": shape} if shape else {}
            table = make(key_dtype=tf.int64, value_dtype=tf.int64, **more)
            keys, values = k[:2], tf.ones([2, *shape], tf.int64)
            insert = (
                RAW.InitializeTableV2
                if make is RAW.AnonymousHashTable
                else (RAW.LookupTableInsertV2)
            )
            with tf.control_dependencies([insert(table_handle=table, keys=keys, values=values)]):
                results.append(
                    RAW.LookupTableFindV2(
                        table_handle=table, keys=k, default_value=tf.zeros(shape, tf.int64)
                    )
                )
        dense = RAW.AnonymousMutableDenseHashTable(
            empty_key=-one, deleted_key=-one - 1, value_dtype=tf.int64
        )
        with tf.control_dependencies(
            [RAW.LookupTableInsertV2(table_handle=dense, keys=k, values=k * 2)]
        ):
            results.append(
                RAW.LookupTableFindV2(table_handle=dense, keys=k + 1, default_value=one * 0)
            )
        return results

    model = td.convert(function)
    keys = np.int64([3, 5, 6])
    for got, want in zip(
        model.signatures["serving_default"](keys).values(), function(keys), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_text_to_vectors_in_one_model(tmp_path: Path) -> None:
    """From raw strings through TextVectorization, an embedding and a GRU."""
    texts = kl.TextVectorization(max_tokens=20, output_sequence_length=5)
    texts.adapt(["the cat sat", "on the mat", "under a tree"])
    given = keras.Input((), dtype="string")
    hidden = kl.GRU(3)(kl.Embedding(20, 4, mask_zero=True)(texts(given)))
    model = keras.Model(given, kl.Dense(2)(hidden))
    rng = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    model.export(str(tmp_path / "m"), verbose=False)
    loaded, converted = tf.saved_model.load(str(tmp_path / "m")), td.convert(tmp_path / "m")
    said = ["The cat, on the mat!", "dog", "", "a TREE under a tree under a cat"]
    want = loaded.serve(tf.constant(said)).numpy()
    np.testing.assert_allclose(converted(np.array(said)), want, rtol=2e-5, atol=2e-6)
    assert np.abs(want[0] - want[3]).max() > 0.1


@pytest.mark.parametrize("layer", ["IntegerLookup", "StringLookup", "Hashing", "CategoryEncoding"])
def test_layers_of_categories(layer: str, tmp_path: Path) -> None:
    made: dict[str, Any] = {
        "IntegerLookup": lambda: kl.IntegerLookup(vocabulary=[12, -3, 7], num_oov_indices=2),
        "StringLookup": lambda: kl.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot"),
        "Hashing": lambda: kl.Hashing(num_bins=5),
        "CategoryEncoding": lambda: kl.CategoryEncoding(4, output_mode="count"),
    }
    text = layer in ("StringLookup", "Hashing")
    given = keras.Input((3,), dtype="string" if text else "int64")
    keras.Model(given, made[layer]()(given)).export(str(tmp_path / "m"), verbose=False)
    loaded, converted = tf.saved_model.load(str(tmp_path / "m")), td.convert(tmp_path / "m")
    x = np.array([["a", "zz", "b"], ["", "b", "b"]]) if text else np.int64([[0, 1, 1], [2, 3, 2]])
    if layer == "IntegerLookup":
        x = np.int64([[12, 5, 7], [-3, 0, 12]])
    want = loaded.serve(tf.constant(x)).numpy()
    np.testing.assert_array_equal(converted(x), want)


def test_every_op_is_registered_as_tensorflow_has_it() -> None:
    """Attributes that a record names are those of TensorFlow, but for the contents."""
    from tests.oracle import op_def

    for record in registry.all_ops():
        if record.family == "tables":
            for name in record.names:
                attrs = {a.name for a in op_def(name).attr}
                assert set(record.attrs) - {"keys", "values"} <= attrs, name


def test_a_file_that_is_no_asset_is_an_error() -> None:
    with tf.Graph().as_default() as graph:
        table = RAW.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="t")
        RAW.InitializeTableFromTextFileV2(
            table_handle=table, filename="/etc/passwd", key_index=-2, value_index=-1
        )
        found = RAW.LookupTableFindV2(
            table_handle=table, keys=["a"], default_value=tf.constant(-1, tf.int64)
        )
        definition = graph.as_graph_def()
    with pytest.raises(td.UnsupportedError, match="no asset"):
        td.convert(definition, outputs=found.name)


def test_a_key_with_two_values_is_an_error() -> None:
    with tf.Graph().as_default() as graph:
        table = RAW.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="t")
        RAW.InitializeTableV2(
            table_handle=table, keys=["a", "a"], values=tf.constant([1, 2], tf.int64)
        )
        found = RAW.LookupTableFindV2(
            table_handle=table, keys=["a"], default_value=tf.constant(-1, tf.int64)
        )
        definition = graph.as_graph_def()
    with pytest.raises(td.UnsupportedError, match="has the values 1 and 2"):
        td.convert(definition, outputs=found.name)


def test_a_table_that_nothing_fills_is_an_error_when_asked() -> None:
    with tf.Graph().as_default() as graph:
        table = RAW.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="t")
        found = RAW.LookupTableFindV2(
            table_handle=table, keys=["a"], default_value=tf.constant(-1, tf.int64)
        )
        definition = graph.as_graph_def()
    model = td.convert(definition, outputs=found.name)
    assert "HashTableV2" in ops_of(model._entries[0].graph)
    with pytest.raises(td.EvaluationError, match="not initialised"):
        model()


@pytest.mark.parametrize("kind", ["dense", "scalars", "tensors"])
def test_what_a_session_put_into_a_table(kind: str, tmp_path: Path) -> None:
    """It comes from the session, and from the checkpoint that the session saves."""
    from tensorflow.python.ops import lookup_ops

    v1 = tf.compat.v1
    dense = kind == "dense"
    keys = np.array([11, 12, 13]) if dense else np.array(["a", "b", "c"], object)
    values = np.arange(6).reshape(3, 2) if kind == "tensors" else np.arange(3)
    with tf.Graph().as_default(), v1.Session() as session:
        if dense:
            table = lookup_ops.DenseHashTable(tf.int64, tf.int64, -1, 0, -1, checkpoint=True)
        else:
            default = [-1, -1] if kind == "tensors" else -1
            table = lookup_ops.MutableHashTable(tf.string, tf.int64, default, checkpoint=True)
        x = v1.placeholder(tf.int64 if dense else tf.string, [None], name="x")
        fetches = [tf.identity(table.lookup(x), "y"), tf.identity(table.size(), "n")]
        v1.get_variable("v", initializer=1.0)
        session.run(v1.global_variables_initializer())
        session.run(table.insert(tf.constant(keys), tf.constant(values)))
        fed = np.array([13, 7, 11]) if dense else np.array(["c", "q", "a"], object)
        want = session.run(fetches, {x: fed})
        live = td.convert(fetches, session=session)
        prefix = v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    for model in (live, td.convert(prefix + ".meta", outputs=["y", "n"])):
        for got, expected in zip(model.eval(["y", "n"], {"x": fed}), want, strict=True):
            np.testing.assert_array_equal(got, expected)
