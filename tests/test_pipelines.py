"""Small pipelines of text, ragged, sparse and index ops, converted and run, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfdeploy as td

tf = pytest.importorskip("tensorflow")

W = np.array([[b"a", b"bb"], [b"ccc", b"a"], [b"", b"zz"]], object)
N = np.array([[1, 2], [3, 0], [2, 2]], np.int64)


def example(**features: Any) -> bytes:
    lists = {
        bytes: ("bytes_list", tf.train.BytesList),
        float: ("float_list", tf.train.FloatList),
        int: ("int64_list", tf.train.Int64List),
    }
    found = {}
    for key, values in features.items():
        name, kind = lists[type(values[0])]
        found[key] = tf.train.Feature(**{name: kind(value=values)})
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


S = np.array(
    [example(a=[1.0, 2.0], b=[1, 2, 3], c=[b"x"]), example(a=[3.0, 4.0], c=[b"y", b"z"])], object
)


def parse(serialized: Any) -> Any:
    found = tf.io.parse_example(
        serialized,
        {
            "a": tf.io.FixedLenFeature([2], tf.float32),
            "b": tf.io.VarLenFeature(tf.int64),
            "c": tf.io.RaggedFeature(tf.string),
        },
    )
    return found["a"], tf.sparse.to_dense(found["b"]), found["c"].to_tensor("-")


def ragged(x: Any) -> Any:
    return tf.RaggedTensor.from_tensor(x, padding=0)


PIPELINES: dict[str, Any] = {
    "lower": (lambda x: tf.strings.lower(tf.strings.regex_replace(x, "[a-b]+", "X")), [W]),
    "split": (lambda x: tf.strings.split(x[:, 0], "c").to_tensor("-", shape=[None, 4]), [W]),
    "splitr": (lambda x: tf.strings.split(x).to_tensor(), [W[:, 0]]),
    "ngrams": (
        lambda x: tf.strings.ngrams(tf.strings.unicode_split(x, "UTF-8"), 2).to_tensor(),
        [W[:, 0]],
    ),
    "uni": (lambda x: tf.strings.unicode_decode(x, "UTF-8").to_tensor(-1), [W[:, 0]]),
    "bytes": (lambda x: tf.strings.bytes_split(x).to_tensor(), [W[:, 0]]),
    "join": (lambda x: tf.strings.reduce_join(x, axis=1, separator="/"), [W]),
    "num": (lambda x: tf.strings.as_string(x, precision=2), [N.astype(np.float32)]),
    "rag": (lambda x: tf.reduce_sum(ragged(x), axis=1), [N]),
    "ragmean": (lambda x: tf.reduce_mean(tf.cast(ragged(x), tf.float32), axis=1), [N]),
    "ragcat": (
        lambda x: tf.concat([ragged(x), tf.RaggedTensor.from_tensor(x)], axis=1).to_tensor(),
        [N],
    ),
    "raggat": (lambda x: tf.gather(ragged(x), [0, 0, 1]).to_tensor(), [N]),
    "mapf": (
        lambda x: tf.map_fn(lambda r: tf.reduce_sum(r), ragged(x), fn_output_signature=tf.int64),
        [N],
    ),
    "mapfr": (
        lambda x: tf.map_fn(
            lambda n: tf.range(n),
            x[:, 0],
            fn_output_signature=tf.RaggedTensorSpec([None], tf.int64),
        ).to_tensor(),
        [N],
    ),
    "sparse": (lambda x: tf.sparse.to_dense(tf.sparse.from_dense(x)), [N]),
    "sparseemb": (
        lambda x: tf.nn.safe_embedding_lookup_sparse(
            tf.constant(np.arange(12.0).reshape(4, 3), tf.float32), tf.sparse.from_dense(x)
        ),
        [N],
    ),
    "unique": (lambda x: tf.unique(tf.reshape(x, [-1])), [N]),
    "seg": (lambda x: tf.math.unsorted_segment_mean(tf.cast(x, tf.float32), x[:, 0], 4), [N]),
    "bool": (lambda x: tf.boolean_mask(x, x[:, 0] > 1), [N]),
    "where": (lambda x: tf.where(x > 1), [N]),
    "tsu": (lambda x: tf.tensor_scatter_nd_max(x, [[0, 1]], tf.constant([9], tf.int64)), [N]),
    "slice": (lambda x: (x[1:], x[:-1], x[:2], x[-2:], x[::2], x[1:-1]), [N]),
    "shape": (lambda x: tf.reshape(x, [tf.shape(x)[0] * 2, -1]), [N]),
    "bincount": (
        lambda x: tf.math.bincount(tf.cast(x, tf.int32), minlength=5, maxlength=5, axis=-1),
        [N],
    ),
    "sets": (lambda x: tf.sets.union(x, x[:, ::-1]).values, [N]),
    "edit": (
        lambda x: tf.edit_distance(tf.sparse.from_dense(x), tf.sparse.from_dense(x[:, ::-1])),
        [N],
    ),
    "fold": (
        lambda x: tf.image.extract_patches(
            tf.reshape(tf.cast(x, tf.float32), [-1, 2, 1, 1]),
            [1, 2, 1, 1],
            [1, 1, 1, 1],
            [1, 1, 1, 1],
            "VALID",
        ),
        [N],
    ),
    "parse": (parse, [S]),
    "cross2": (lambda x: tf.sparse.to_dense(tf.sparse.cross_hashed([x, x], num_buckets=50)), [W]),
    "crossr": (lambda x: tf.ragged.cross([x, tf.RaggedTensor.from_tensor(x)]).to_tensor(), [W]),
    "csv": (lambda s: tf.io.decode_csv(s, [[0.0], ["d"]]), [np.array([b"1.5,a", b",b"], object)]),
    "raw": (lambda s: tf.io.decode_raw(s, tf.int16), [np.array([b"abcd", b"efgh"], object)]),
    "spsum": (lambda x: tf.sparse.reduce_sum(tf.sparse.from_dense(x), axis=1), [N]),
    "spmm": (
        lambda x: tf.sparse.sparse_dense_matmul(
            tf.sparse.from_dense(tf.cast(x, tf.float32)), tf.ones([2, 3])
        ),
        [N],
    ),
    "spslice": (
        lambda x: tf.sparse.to_dense(tf.sparse.slice(tf.sparse.from_dense(x), [0, 1], [2, 1])),
        [N],
    ),
    "spadd": (
        lambda x: tf.sparse.to_dense(
            tf.sparse.add(tf.sparse.from_dense(x), tf.sparse.from_dense(x))
        ),
        [N],
    ),
    "embl": (
        lambda x: tf.nn.embedding_lookup_sparse(
            tf.reshape(tf.range(12.0), [4, 3]), tf.sparse.from_dense(x), None, combiner="sqrtn"
        ),
        [N[:1]],
    ),
    "mapstr": (
        lambda x: tf.map_fn(lambda s: tf.strings.length(s), x[:, 0], fn_output_signature=tf.int32),
        [W],
    ),
    "raggedmap": (lambda x: tf.ragged.map_flat_values(lambda v: v * 2, ragged(x)).to_tensor(), [N]),
    "raggedbool": (lambda x: tf.ragged.boolean_mask(x, x > 1).to_tensor(), [N]),
    "raggedsort": (lambda x: tf.sort(ragged(x).to_tensor(-1), axis=-1), [N]),
    "onehot": (lambda x: tf.one_hot(x, tf.reduce_max(tf.cast(x, tf.int32)) + 1), [N]),
    "revseq": (lambda x: tf.reverse_sequence(x, x[:, 0] * 0 + 1, seq_axis=1), [N]),
    "setdiag": (
        lambda x: tf.linalg.set_diag(
            tf.linalg.band_part(tf.cast(tf.tile(x[:, :, None], [1, 1, 3]), tf.float32), 1, 0),
            tf.ones([tf.shape(x)[0], 2]),
        ),
        [N],
    ),
    "space": (lambda x: tf.space_to_batch(tf.cast(x, tf.float32)[:, :, None], [2], [[0, 0]]), [N]),
    "dyn": (lambda x: tf.dynamic_stitch([[0, 2], [1]], tf.dynamic_partition(x, [0, 1, 0], 2)), [N]),
    "format": (lambda x: tf.reshape(tf.strings.format("{}", x), [1]), [N]),
    "lb": (lambda x: tf.searchsorted(tf.sort(x, axis=-1), x), [N]),
    "base64": (lambda s: tf.io.decode_base64(tf.io.encode_base64(s)), [W]),
    "fm": (lambda s: tf.strings.regex_full_match(s, "a|b+"), [W]),
    "tonum": (
        lambda s: tf.strings.to_number(s),
        [np.array([[b"1", b"2.5"], [b"-3e2", b"inf"]], object)],
    ),
    "serial": (
        lambda x: tf.reshape(tf.io.parse_tensor(tf.io.serialize_tensor(x), tf.int64), [-1]),
        [N],
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_equal_tensorflow(name: str) -> None:
    function, arrays = PIPELINES[name]
    signature = [
        tf.TensorSpec([None, *a.shape[1:]], tf.string if a.dtype == object else a.dtype)
        for a in arrays
    ]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    want = tf.nest.flatten(concrete(*map(tf.constant, arrays)))
    model = td.convert(concrete)
    call = model.signatures[next(iter(model.signatures))]
    names = [t.name.partition(":")[0] for t in concrete.inputs if t.dtype != tf.resource]
    got = list(call(**dict(zip(names, arrays, strict=True))).values())
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        expected = np.asarray(w.numpy(), object if w.dtype == tf.string else None)
        assert g.dtype == expected.dtype and g.shape == expected.shape
        if g.dtype.kind == "f":
            np.testing.assert_allclose(g, expected, rtol=1e-6)
        else:
            np.testing.assert_array_equal(g, expected)
