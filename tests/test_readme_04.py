"""The README of tfdeploy 0.4: its code, with the ellipses filled in, does what it says.

`tf` is `tensorflow.compat.v1`, as in the README of its time.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow
from numpy.testing import assert_allclose, assert_array_equal

import tfdeploy as td

tf = tensorflow.compat.v1


@pytest.fixture
def network(tmp_path):
    """The README's network, trained for a step, saved as model.pkl."""
    with tensorflow.Graph().as_default():
        td.setup(tf)
        sess = tf.Session()
        x = tf.placeholder("float", shape=[None, 784], name="input")
        W = tf.Variable(tf.truncated_normal([784, 100], stddev=0.05, seed=1))
        b = tf.Variable(tf.zeros([100]))
        y = tf.nn.softmax(tf.matmul(x, W) + b, name="output")
        sess.run(tf.global_variables_initializer())

        # ... training ...
        target = tf.one_hot(tf.range(20) % 100, 100)
        batch = np.random.default_rng(0).random((20, 784))
        loss = -tf.reduce_sum(target * tf.log(y))
        sess.run(tf.train.GradientDescentOptimizer(0.01).minimize(loss), {x: batch})
        assert np.abs(sess.run(b)).max() > 1e-4

        model = td.Model()
        model.add(y, sess)  # y and all its ops and related tensors are added recursively
        path = str(tmp_path / "model.pkl")
        model.save(path)
        yield SimpleNamespace(x=x, y=y, sess=sess, model=model, path=path)
        sess.close()


def inverted_softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(-a.astype(np.float64))
    return e / e.sum(-1, keepdims=True)


class Counting:
    """A function that counts its calls, to prove which implementation ran."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


# Convert your graph; load the model and evaluate


def test_convert_load_and_evaluate(network):
    model = td.Model(network.path)
    x, y = model.get("input", "output")
    batch = np.random.default_rng(1).random((10000, 784))
    result = y.eval({x: batch})
    expected = network.sess.run(network.y, {network.x: batch})
    assert result.dtype == expected.dtype == np.float32
    assert result.shape == (10000, 100)
    assert_allclose(result, expected, rtol=0, atol=5e-6 * expected.max())
    assert np.abs(expected[0] - expected[1]).max() > 0.1 * expected.max()


# Write your own operation


def invert(graph_def: Any) -> Any:
    """The graph with the softmax as an op of another type."""
    for node in graph_def.node:
        if node.op == "Softmax":
            node.op = "InvertedSoftmax"
            node.attr.clear()
    return graph_def


@pytest.fixture
def inverted_graph(network, own_ops):
    frozen = tf.graph_util.convert_variables_to_constants(
        network.sess, network.sess.graph.as_graph_def(), ["output"]
    )
    return invert(frozen)


BATCH = np.random.default_rng(2).random((5, 784)).astype(np.float32)


def logits_of(network: Any) -> np.ndarray:
    return network.sess.run(network.y.op.inputs[0], {network.x: BATCH})


def test_own_operation_as_a_class(network, inverted_graph, tmp_path):
    with pytest.raises(td.UnknownOperationException, match="InvertedSoftmax"):
        td.convert(inverted_graph, outputs="output")

    class InvertedSoftmax(td.Operation):
        @staticmethod
        def func(a):
            e = np.exp(-a)
            # ops should return a tuple
            return (np.divide(e, np.sum(e, axis=-1, keepdims=True)),)

    model = td.convert(inverted_graph, outputs="output")
    model.save(tmp_path / "model.pkl")
    model = td.Model(tmp_path / "model.pkl")
    x, y = model.get("input", "output")
    assert isinstance(y.op, InvertedSoftmax)
    assert_allclose(y.eval({x: BATCH}), inverted_softmax(logits_of(network)), rtol=1e-4)


def test_own_operation_by_factory(network, inverted_graph):
    @td.Operation.factory
    def InvertedSoftmax(a):
        e = np.exp(-a)
        return (np.divide(e, np.sum(e, axis=-1, keepdims=True)),)

    model = td.convert(inverted_graph, outputs="output")
    x, y = model.get("input", "output")
    assert isinstance(y.op, InvertedSoftmax)
    assert_allclose(y.eval({x: BATCH}), inverted_softmax(logits_of(network)), rtol=1e-4)
    (direct,) = InvertedSoftmax.func(BATCH)
    assert_allclose(direct, inverted_softmax(BATCH), rtol=1e-4)


def test_own_operation_live_for_a_known_type(network, own_ops):
    """A class with `types` takes the place of tfdeploy's op, in models evaluated before too."""
    x, y = network.model.get("input", "output")
    before = y.eval({x: BATCH})
    assert_allclose(before, network.sess.run(network.y, {network.x: BATCH}), atol=1e-7)
    function = Counting(lambda a: (inverted_softmax(a).astype(np.float32),))

    class InvertedSoftmax(td.Operation):
        types = ("Softmax",)
        func = staticmethod(function)

    expected = inverted_softmax(logits_of(network))
    assert_allclose(y.eval({x: BATCH}), expected, rtol=1e-4)
    assert function.calls == 1
    model = td.Model()
    model.add(network.y, network.sess)
    assert isinstance(model.get("output").op, InvertedSoftmax)
    assert_allclose(model(BATCH), expected, rtol=1e-4)
    assert function.calls == 2


# Ensembles


def test_ensemble(network, tmp_path):
    other = td.Model(network.path)
    bias = other.get("Variable_1")
    bias.value = bias.value + np.linspace(0, 3, 100, dtype=np.float32)
    paths = [network.path, str(tmp_path / "model2.pkl")]
    other.save(paths[1])

    ensemble = td.Ensemble(paths, method=td.METHOD_MEAN)
    input, output = ensemble.get("input", "output")
    value = output.eval({input: BATCH})

    each = [td.Model(path)(BATCH) for path in paths]
    assert np.abs(each[0] - each[1]).max() > 0.1 * each[0].max()
    assert_allclose(value, (each[0].astype(float) + each[1]) / 2, rtol=1e-5)


# Optimization


@pytest.fixture
def lgamma():
    """A graph of Lgamma that has been evaluated once, its input and TensorFlow's answer."""
    with tensorflow.Graph().as_default():
        sess = tf.Session()
        a = tf.placeholder(tf.float64, [None], name="a")
        y = tf.lgamma(a, name="y")
        model = td.Model()
        model.add(y, sess)
        values = np.linspace(0.1, 9.0, 23)
        expected = sess.run(y, {a: values})
        sess.close()
    assert_allclose(model(values), expected, rtol=1e-12)
    return SimpleNamespace(model=model, values=values, expected=expected)


def test_use_impl_add_impl_and_optimize(lgamma, own_ops):
    """Counting fakes prove what ran, on a model that has been evaluated before."""
    plain = Counting(lambda a: (np.vectorize(math.lgamma)(a),))

    # create the default lgamma op with numpy implementation
    @td.Operation.factory
    def Lgamma(a):
        return plain(a)

    assert_allclose(lgamma.model(lgamma.values), lgamma.expected, rtol=1e-12)
    assert plain.calls == 1

    other = Counting(lambda a: (np.vectorize(math.lgamma)(a),))

    # add a scipy-based implementation
    @Lgamma.add_impl(td.IMPL_SCIPY)
    def Lgamma(a):
        return other(a)

    def calls() -> tuple[int, int]:
        before = plain.calls, other.calls
        assert_allclose(lgamma.model(lgamma.values), lgamma.expected, rtol=1e-12)
        return plain.calls - before[0], other.calls - before[1]

    assert calls() == (1, 0)  # the first registered implementation is the default
    assert td.Lgamma.use_impl(td.IMPL_SCIPY) == td.IMPL_NUMPY
    assert calls() == (0, 1)
    assert td.Lgamma.use_impl(td.IMPL_NUMPY) == td.IMPL_SCIPY
    assert calls() == (1, 0)
    td.setup(tf, td.IMPL_SCIPY)
    assert calls() == (0, 1)
    td.optimize([td.IMPL_NUMPY, td.IMPL_SCIPY])
    assert calls() == (1, 0)
    td.optimize(td.IMPL_SCIPY)
    assert calls() == (0, 1)


def test_add_impl_to_an_op_of_tfdeploy(lgamma, own_ops):
    fake = Counting(lambda a: (np.full_like(a, 7),))
    assert td.Lgamma.add_impl(td.IMPL_NUMPY)(lambda a: fake(a)) is td.Lgamma
    assert_array_equal(lgamma.model(lgamma.values), np.full(23, 7.0))
    assert fake.calls == 1


@pytest.mark.skipif(not td.HAS_SCIPY, reason="scipy is missing, or refused by TD_REFUSE_SCIPY")
def test_scipy_is_chosen_by_type_and_for_all(lgamma, own_ops):
    assert td.Lgamma.impls == [td.IMPL_NUMPY, td.IMPL_SCIPY]
    from tfdeploy.ops import registry

    record = registry.get("Lgamma")
    fake = Counting(record.impls[td.IMPL_SCIPY])
    record.impls[td.IMPL_SCIPY] = fake
    assert td.Lgamma.use_impl(td.IMPL_SCIPY) == td.IMPL_NUMPY
    assert_allclose(lgamma.model(lgamma.values), lgamma.expected, rtol=1e-12)
    assert fake.calls == 1
    td.optimize(td.IMPL_NUMPY)
    lgamma.model(lgamma.values)
    assert fake.calls == 1
    td.setup(tf, td.IMPL_SCIPY)
    assert_allclose(lgamma.model(lgamma.values), lgamma.expected, rtol=1e-12)
    assert fake.calls == 2


def test_scipy_that_is_refused_is_an_error_only_where_it_is_named(lgamma, own_ops, monkeypatch):
    monkeypatch.setenv("TD_REFUSE_SCIPY", "1")
    assert td.HAS_SCIPY is False
    td.optimize(td.IMPL_SCIPY)
    assert_allclose(lgamma.model(lgamma.values), lgamma.expected, rtol=1e-12)
    td.Lgamma.use_impl(td.IMPL_SCIPY)
    with pytest.raises(td.ScipyOperationException, match="Lgamma"):
        lgamma.model(lgamma.values)


def test_implementations_that_do_not_exist(own_ops):
    with pytest.raises(td.InvalidImplementationException, match="7"):
        td.Operation.factory(lambda a: a, impl=7)
    with pytest.raises(td.InvalidImplementationException):
        td.Softmax.add_impl(-1)
    with pytest.raises(td.UnknownImplementationException, match="Softmax"):
        td.Softmax.use_impl(td.IMPL_SCIPY)
    with pytest.raises(td.InvalidImplementationException):
        td.optimize("scipy")


# Test grid: `td.Tensor(t, sess).eval()` equals `t.eval(session=sess)`

random = np.random.default_rng(3)


def r(*shape: int) -> np.ndarray:
    """Numbers in [0, 1), as 0.4's tests drew them: float64."""
    return random.random(shape)


def c(*shape: int) -> np.ndarray:
    return (r(*shape) + 1j * r(*shape)).astype(np.complex64)


def spd(*shape: int) -> np.ndarray:
    """Symmetric matrices with eigenvalues that are well apart."""
    a = r(*shape, shape[-1])
    return a @ a.swapaxes(-1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))


def image(*shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


EXACT = {
    "LinSpace": lambda: tf.linspace(0.0, 10.0, 15),
    "Range": lambda: tf.range(1, 10, 2),
    "Cast": lambda: tf.cast(image(3, 4), tf.float64),
    "Cast int": lambda: tf.cast(image(3, 4) * 100, tf.int32),
    "StringToNumber": lambda: tf.string_to_number(list("0123456789")),
    "Shape": lambda: tf.shape(r(3, 4, 5)),
    "Size": lambda: tf.size(r(3, 4)),
    "Rank": lambda: tf.rank(r(3, 3)),
    "Reshape": lambda: tf.reshape(r(3, 4, 5), (2, -1)),
    "Squeeze": lambda: tf.squeeze(r(1, 2, 1, 3, 3, 1)),
    "ExpandDims": lambda: tf.expand_dims(r(2, 3, 3, 4), -2),
    "Slice": lambda: tf.slice(np.arange(576).reshape(3, 4, 8, 6), [1, 1, 2, 2], 4 * [2]),
    "Split": lambda: tf.split(r(8, 50, 10, 2), 5, 2),
    "SplitV": lambda: tf.split(r(8, 50, 10, 2), [10, 30, 5, 1, 4], 1),
    "Tile": lambda: tf.tile(r(3, 4, 5), [1, 2, 3]),
    "Pad": lambda: tf.pad(r(3, 8, 5), [[1, 2], [2, 1], [1, 0]]),
    "ConcatV2": lambda: tf.concat([r(3, 4, 5), r(3, 4, 5)], 2),
    "Pack": lambda: tf.stack([r(3, 4, 5), r(3, 4, 5)], 2),
    "Unpack": lambda: tf.unstack(r(6, 4, 5), axis=1),
    "ReverseSequence": lambda: tf.reverse_sequence(r(3, 4, 10), [5, 0, 0, 8], 2, 1),
    "ReverseV2": lambda: tf.reverse(r(3, 4, 10), [1, 2]),
    "Transpose": lambda: tf.transpose(r(4, 3, 5), perm=[2, 0, 1]),
    "Add": lambda: tf.add(r(3, 4), r(3, 4)),
    "Sub": lambda: tf.subtract(r(3, 4), r(3, 4)),
    "Mul": lambda: tf.multiply(r(3, 5), r(3, 5)),
    "scalar_mul": lambda: tf.scalar_mul(1, tf.Variable(r(3, 5))),
    "RealDiv": lambda: tf.div(r(3, 5), r(3, 5)),
    "Div int": lambda: tf.raw_ops.Div(x=np.array([-7, 7]), y=np.array([2, -2])),
    "FloorDiv": lambda: tf.floordiv(np.array([-7, 7, 6]), np.array([2, -2, 3])),
    "FloorMod": lambda: tf.floormod(np.array([-7, 7, 6]), np.array([2, -2, 3])),
    "Mod": lambda: tf.mod(r(4, 3), r(4, 3)),
    "AddN": lambda: tf.add_n([r(4, 3), r(4, 3)]),
    "Abs": lambda: tf.abs(-r(4, 3)),
    "Neg": lambda: tf.negative(r(4, 3)),
    "Sign": lambda: tf.sign(r(4, 3) - 0.5),
    "Square": lambda: tf.square(r(4, 3)),
    "Round": lambda: tf.round(np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 0.3])),
    "Ceil": lambda: tf.ceil(r(4, 3) - 0.5),
    "Floor": lambda: tf.floor(r(4, 3) - 0.5),
    "Maximum": lambda: tf.maximum(r(4, 3), r(4, 3)),
    "Minimum": lambda: tf.minimum(r(4, 3), r(4, 3)),
    "SquaredDifference": lambda: tf.squared_difference(r(3, 4, 4), r(3, 4, 4)),
    "Diag": lambda: tf.diag(r(3, 3)),
    "DiagPart": lambda: tf.diag_part(r(3, 3)),
    "MatrixDiagPart": lambda: tf.matrix_diag_part(r(3, 4, 4, 5)),
    "Complex": lambda: tf.complex(r(3, 4), r(3, 4)),
    "Conj": lambda: tf.conj(c(3, 4)),
    "Imag": lambda: tf.imag(tf.Variable(c(3, 4))),
    "Real": lambda: tf.real(tf.Variable(c(3, 4))),
    "Min": lambda: tf.reduce_min(r(3, 4, 5), axis=[0, 1], keepdims=True),
    "Max": lambda: tf.reduce_max(r(3, 4, 5), axis=(0, 1)),
    "All": lambda: tf.reduce_all(r(3, 4, 5) > 0.1, axis=[0, 1], keepdims=True),
    "Any": lambda: tf.reduce_any(r(3, 4, 5) > 0.9, axis=0),
    "SegmentMin": lambda: tf.segment_min(r(4, 2, 3), np.array([0, 1, 1, 2])),
    "SegmentMax": lambda: tf.segment_max(r(4, 2, 3), np.array([0, 1, 1, 2])),
    "ArgMin": lambda: tf.argmin(r(3, 4, 2), 1),
    "ArgMax": lambda: tf.argmax(r(3, 4, 2), 1),
    "ListDiff": lambda: tf.setdiff1d(np.arange(50) % 7, np.array([3, 5]))[:2],
    "Where": lambda: tf.where([[True, False], [False, False], [True, False]]),
    "Unique": lambda: tf.unique([9, 3, 5, 7, 3, 9, 9], out_idx=tf.int32)[:2],
    "InvertPermutation": lambda: tf.invert_permutation(random.permutation(10)),
    "Identity": lambda: tf.identity(r(3, 4)),
    "Relu": lambda: tf.nn.relu(r(100) - 0.5),
    "Relu6": lambda: tf.nn.relu6((r(100) - 0.5) * 20),
    "BiasAdd": lambda: tf.nn.bias_add(r(4, 5), r(5)),
    "BiasAdd NCHW": lambda: tf.nn.bias_add(image(2, 5, 3, 4), image(5), data_format="NCHW"),
    "MaxPool SAME": lambda: tf.nn.max_pool(image(1, 4, 4, 1), [1, 2, 2, 1], [1, 1, 1, 1], "SAME"),
    "MaxPool VALID": lambda: tf.nn.max_pool(image(2, 4, 8, 1), [1, 2, 2, 1], [1, 3, 2, 1], "VALID"),
    "MaxPool3D": lambda: tf.nn.max_pool3d(
        image(1, 4, 4, 3, 1), [1, 2, 2, 1, 1], [1, 2, 2, 1, 1], "SAME"
    ),
}
CLOSE = {
    "RealDiv truediv": lambda: tf.truediv(r(3, 5), r(3, 5)),
    "Cross": lambda: tf.cross(r(4, 3), r(4, 3)),
    "Reciprocal": lambda: tf.reciprocal(r(4, 3)),
    "Sqrt": lambda: tf.sqrt(r(4, 3)),
    "Rsqrt": lambda: tf.rsqrt(r(4, 3)),
    "Pow": lambda: tf.pow(r(4, 3), r(4, 3)),
    "Exp": lambda: tf.exp(r(4, 3)),
    "Log": lambda: tf.log(r(4, 3)),
    "Cos": lambda: tf.cos(r(4, 3)),
    "Sin": lambda: tf.sin(r(4, 3)),
    "Tan": lambda: tf.tan(r(4, 3)),
    "Acos": lambda: tf.acos(r(4, 3)),
    "Asin": lambda: tf.asin(r(4, 3)),
    "Atan": lambda: tf.atan(r(4, 3)),
    "lbeta": lambda: tf.lbeta(r(4, 3)),
    "Lgamma": lambda: tf.lgamma(r(4, 3)),
    "Digamma": lambda: tf.digamma(r(4, 3)),
    "Erf": lambda: tf.erf(r(4, 3)),
    "Erfc": lambda: tf.erfc(r(4, 3)),
    "Igamma": lambda: tf.igamma(r(3, 3), r(3, 3)),
    "Igammac": lambda: tf.igammac(r(3, 3), r(3, 3)),
    "Zeta": lambda: tf.zeta(r(3, 3) + 2, r(3, 3)),
    "Polygamma": lambda: tf.polygamma(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])),
    "Betainc": lambda: tf.betainc(r(3, 3), r(3, 3), r(3, 3)),
    "trace": lambda: tf.trace(r(3, 3)),
    "MatMul": lambda: tf.matmul(r(4, 3), r(3, 5)),
    "MatMul a": lambda: tf.matmul(r(3, 4), r(3, 5), transpose_a=True),
    "MatMul b": lambda: tf.matmul(r(4, 3), r(5, 3), transpose_b=True),
    "MatMul ab": lambda: tf.matmul(r(3, 4), r(5, 3), transpose_a=True, transpose_b=True),
    "BatchMatMulV2": lambda: tf.matmul(r(2, 4, 4, 3), r(2, 4, 3, 5)),
    "MatrixDeterminant": lambda: tf.matrix_determinant(r(2, 3, 4, 3, 3)),
    "MatrixInverse": lambda: tf.matrix_inverse(spd(2, 3, 3)),
    "MatrixInverse adjoint": lambda: tf.matrix_inverse(spd(2, 3, 3), adjoint=True),
    "Cholesky": lambda: tf.cholesky(spd(3, 2)),
    "MatrixSolve": lambda: tf.matrix_solve(spd(2, 3), r(2, 3, 1)),
    "MatrixSolve adjoint": lambda: tf.matrix_solve(spd(2, 3), r(2, 3, 1), adjoint=True),
    "MatrixTriangularSolve": lambda: tf.matrix_triangular_solve(
        spd(2, 3), r(2, 3, 1), lower=False, adjoint=True
    ),
    "MatrixTriangularSolve lower": lambda: tf.matrix_triangular_solve(spd(2, 3), r(2, 3, 1)),
    "MatrixSolveLs": lambda: tf.matrix_solve_ls(r(2, 4, 3), r(2, 4, 1), fast=False),
    "SelfAdjointEigV2": lambda: tf.self_adjoint_eigvals(spd(3, 4)),
    "Svd": lambda: tf.svd(r(4, 5, 3, 2), compute_uv=False),
    "FFT": lambda: tf.fft(c(3, 4)),
    "IFFT": lambda: tf.ifft(c(3, 4)),
    "FFT2D": lambda: tf.fft2d(c(3, 4)),
    "IFFT2D": lambda: tf.ifft2d(c(3, 4)),
    "FFT3D": lambda: tf.fft3d(c(3, 4, 5)),
    "IFFT3D": lambda: tf.ifft3d(c(3, 4, 5)),
    "Sum": lambda: tf.reduce_sum(r(3, 4, 5), axis=[0, 1], keepdims=True),
    "Sum int axis": lambda: tf.reduce_sum(r(3, 4, 5), axis=0),
    "Prod": lambda: tf.reduce_prod(r(3, 4, 5), axis=[0, 1], keepdims=True),
    "Mean": lambda: tf.reduce_mean(r(3, 4, 5), axis=[0, 1], keepdims=True),
    "SegmentSum": lambda: tf.segment_sum(r(4, 2, 3), np.array([0, 1, 1, 2])),
    "SegmentProd": lambda: tf.segment_prod(r(4, 2, 3), np.array([0, 1, 1, 2])),
    "SegmentMean": lambda: tf.segment_mean(r(4, 2, 3), np.array([0, 1, 1, 2])),
    "UnsortedSegmentSum": lambda: tf.unsorted_segment_sum(r(4, 2, 3), np.array([0, 2, 2, 1]), 3),
    "SparseSegmentSum": lambda: tf.sparse_segment_sum(r(4, 3, 2), [0, 2, 3], [0, 1, 1]),
    "SparseSegmentMean": lambda: tf.sparse_segment_mean(r(4, 3, 2), [0, 2, 3], [0, 1, 1]),
    "SparseSegmentSqrtN": lambda: tf.sparse_segment_sqrt_n(r(4, 3, 2), [0, 2, 3], [0, 1, 1]),
    "Elu": lambda: tf.nn.elu(r(100) - 0.5),
    "Softplus": lambda: tf.nn.softplus(r(100) - 0.5),
    "Softsign": lambda: tf.nn.softsign(r(100) - 0.5),
    "Sigmoid": lambda: tf.nn.sigmoid(r(3, 4)),
    "Tanh": lambda: tf.nn.tanh(r(3, 4)),
    "Softmax": lambda: tf.nn.softmax(r(10, 5)),
    "Conv1D": lambda: tf.nn.conv1d(image(10, 5, 4), image(2, 4, 10), 1, "SAME"),
    "Conv1D VALID": lambda: tf.nn.conv1d(image(10, 5, 4), image(2, 4, 10), 2, "VALID"),
    "Conv2D": lambda: tf.nn.conv2d(image(10, 5, 3, 4), image(2, 2, 4, 10), [1, 2, 3, 1], "SAME"),
    "Conv2D VALID": lambda: tf.nn.conv2d(
        image(10, 5, 6, 4), image(2, 2, 4, 10), [1, 2, 5, 1], "VALID"
    ),
    "Conv3D": lambda: tf.nn.conv3d(image(9, 2, 3, 3, 4), image(2, 2, 2, 4, 10), 5 * [1], "SAME"),
    "Conv3D VALID": lambda: tf.nn.conv3d(
        image(9, 2, 3, 3, 4), image(2, 2, 2, 4, 10), 5 * [1], "VALID"
    ),
    "AvgPool": lambda: tf.nn.avg_pool(image(1, 4, 4, 1), [1, 2, 2, 1], [1, 1, 1, 1], "SAME"),
    "AvgPool VALID": lambda: tf.nn.avg_pool(image(1, 4, 4, 1), [1, 2, 2, 1], [1, 2, 2, 1], "VALID"),
    "AvgPool3D": lambda: tf.nn.avg_pool3d(
        image(1, 4, 4, 4, 1), [1, 2, 2, 2, 1], [1, 1, 1, 1, 1], "SAME"
    ),
    "AvgPool3D VALID": lambda: tf.nn.avg_pool3d(
        image(1, 4, 4, 3, 1), [1, 2, 2, 1, 1], [1, 2, 2, 1, 1], "VALID"
    ),
}
RANDOM = {
    "RandomStandardNormal": lambda: tf.random_normal((40, 30)),
    "TruncatedNormal": lambda: tf.truncated_normal((40, 300)),
    "RandomUniform": lambda: tf.random_uniform((50, 80), -2, 3),
    "RandomUniformInt": lambda: tf.random_uniform((50, 80), -2, 3, dtype=tf.int32),
    "RandomShuffle": lambda: tf.random_shuffle(r(10, 4)),
    "random_crop": lambda: tf.random_crop(r(3, 4, 8), [1, 2, 4]),
}


def both(make: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """TensorFlow's and tfdeploy's value of each tensor that `make` builds."""
    with tensorflow.Graph().as_default(), tf.Session() as sess:
        made = make()
        tensors = made if isinstance(made, (list, tuple)) else [made]
        sess.run(tf.global_variables_initializer())
        return [(np.asarray(t.eval(session=sess)), td.Tensor(t, sess).eval()) for t in tensors]


def compare(make: Any, eps: float) -> None:
    for expected, value in both(make):
        assert value.dtype == expected.dtype
        assert value.shape == expected.shape
        if eps:
            scale = np.abs(expected).max()
            assert_allclose(value, expected, rtol=eps, atol=eps * scale)
        else:
            assert_array_equal(value, expected)


SCIPY = {"without scipy": "1", "with scipy": "0"}


@pytest.fixture(params=[*SCIPY])
def scipy_grid(request, monkeypatch, own_ops):
    monkeypatch.setenv("TD_REFUSE_SCIPY", SCIPY[request.param])
    td.setup(tf, td.IMPL_SCIPY)


@pytest.mark.parametrize("name", EXACT)
def test_grid_exact(name, scipy_grid):
    compare(EXACT[name], 0)


@pytest.mark.parametrize("name", CLOSE)
def test_grid_close(name, scipy_grid):
    compare(CLOSE[name], 1e-6)


@pytest.mark.parametrize("name", RANDOM)
def test_grid_random(name, own_ops):
    for expected, value in both(RANDOM[name]):
        assert value.dtype == expected.dtype
        assert value.shape == expected.shape
        assert len(np.unique(value)) > 1
        if name == "TruncatedNormal":
            assert np.abs(value).max() <= 2
        elif "Uniform" in name:
            assert value.min() >= -2 and value.max() < 3
        elif name == "RandomShuffle":
            assert_allclose(value.sum(axis=0), expected.sum(axis=0))


def test_scipy_stays_out_of_a_process_that_refuses_it():
    code = (
        "import sys, tfdeploy as td, numpy as np\n"
        "td.optimize(td.IMPL_SCIPY)\n"
        "assert not td.HAS_SCIPY\n"
        "assert abs(td.Lgamma.func(np.array([0.5]))[0][0] - 0.5723649429247001) < 1e-12\n"
        "assert 'scipy' not in sys.modules\n"
    )
    environment = os.environ | {"TD_REFUSE_SCIPY": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
