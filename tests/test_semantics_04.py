"""What tfdeploy 0.4 promised and how it is kept: models, tensors, operations, ensembles."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import tensorflow
from numpy.testing import assert_allclose, assert_array_equal

import tfdeploy as td

tf = tensorflow.compat.v1


@contextlib.contextmanager
def session() -> Any:
    with tensorflow.Graph().as_default(), tf.Session() as sess:
        yield sess


def affine(sess: Any, weight: float) -> Any:
    """``output = weight * input + bias``, the bias a placeholder without default."""
    x = tf.placeholder(tf.float32, [None, 2], name="input")
    w = tf.Variable(tf.constant([weight, 2.0 * weight], tf.float32), name="w")
    b = tf.placeholder(tf.float32, [], name="bias")
    y = tf.add(tf.multiply(x, w, name="scaled"), b, name="output")
    sess.run(tf.global_variables_initializer())
    return y


X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def answer(weight: float, bias: float = 0.0) -> np.ndarray:
    return X * np.array([weight, 2 * weight], np.float32) + np.float32(bias)


def model_of(weight: float) -> td.Model:
    model = td.Model()
    with session() as sess:
        model.add(affine(sess, weight), sess)
    return model


def reloaded(model: td.Model, tmp_path: Any) -> td.Model:
    model.save(tmp_path / "again.tfd")
    return td.Model(tmp_path / "again.tfd")


# A Model is an ordered map from keys to root tensors


def test_two_sessions_with_equal_names_survive_save_and_load(tmp_path):
    model = td.Model()
    for key, weight in [("a", 3.0), (7, 5.0)]:
        with session() as sess:
            model.add(affine(sess, weight), sess, key=key)
    for each in (model, reloaded(model, tmp_path)):
        assert list(each.roots) == ["a", 7]
        assert [type(key) for key in each.roots] == [str, int]
        for key, weight in [("a", 3.0), (7, 5.0)]:
            x, b, y = each.get("input", "bias", "output", key=key)
            assert y is each.roots[key]
            assert_array_equal(y.eval({x: X, b: 1}), answer(weight, 1))
        assert each.get("output") is each.roots["a"]
        assert each.get("output", key=7) is not each.roots["a"]
        assert each.get("output", key="no such key") is None


def test_a_name_feeds_the_graph_of_the_fetch():
    model = td.Model()
    for key, weight in [("a", 3.0), (7, 5.0)]:
        with session() as sess:
            model.add(affine(sess, weight), sess, key=key)
    assert_array_equal(model.roots[7].eval({"input": X, "bias": 2}), answer(5, 2))
    both = model.eval(list(model.roots.values()), {"input": X, "bias": 2})
    assert_array_equal(both[0], answer(3, 2))
    assert_array_equal(both[1], answer(5, 2))


def test_keys_default_to_the_next_free_number():
    model = model_of(1)
    model.add(model.get("scaled"))
    model.add(model.get("scaled"), key="x")
    model.add(model.get("scaled"), key=9)
    model.add(model.get("scaled"))
    assert list(model.roots) == [0, 1, "x", 9, 10]


def test_roots_of_one_session_share_their_placeholders(tmp_path):
    """One tensor feeds both, as in 0.4, and their weights are stored once."""
    model = td.Model()
    with session() as sess:
        y = affine(sess, 3)
        z = tf.negative(y, name="negative")
        model.add(y, sess, key="y")
        model.add(z, sess, key="z")
    for each in (model, reloaded(model, tmp_path)):
        x, b = each.get("input", "bias")
        assert_array_equal(each.roots["z"].eval({x: X, b: 1}), -answer(3, 1))
        assert each.get("input", key="z") is x
        assert each.get("w", key="z") is each.get("w")


def test_add_reads_fresh_weights_each_time():
    model = td.Model()
    with session() as sess:
        y = affine(sess, 3)
        model.add(y, sess, key="before")
        sess.run(tf.assign(tf.global_variables()[0], [7.0, 14.0]))
        model.add(y, sess, key="after")
    assert_array_equal(model.roots["before"].eval({"input": X, "bias": 0}), answer(3))
    assert_array_equal(model.roots["after"].eval({"input": X, "bias": 0}), answer(7))


def test_reading_weights_runs_no_assignment():
    """The graph has reads that wait for assignments; running those would undo training."""
    with session() as sess:
        y = affine(sess, 3)
        (w,) = tf.global_variables()
        assigned = [tf.assign(w, [float(i), 2.0 * i]) for i in range(30)]
        for i in (29, 3, 11):
            sess.run(assigned[i])
            model = td.Model()
            model.add(y, sess)
            assert_array_equal(model.get("w").value, [i, 2 * i])
            assert_array_equal(sess.run(w), [i, 2 * i])


def test_a_root_that_is_replaced_leaves_nothing_in_the_file(tmp_path):
    model = td.Model()
    with session() as sess:
        y = affine(sess, 3)
        for weight in (5, 6, 7):
            sess.run(tf.assign(tf.global_variables()[0], [weight, 2.0 * weight]))
            model.add(y, sess, key="best")
    assert len(model._entries) == 1
    old = model.get("input")
    model.save(tmp_path / "again.tfd")
    model.load(tmp_path / "again.tfd")
    assert len(model._entries) == 1 and model.get("input") is not old
    assert_array_equal(model.eval("output", {"input": X, "bias": 0}), answer(7))


def test_load_merges_and_expands_paths(tmp_path, monkeypatch):
    model_of(3).save(tmp_path / "three.pkl")
    five = td.Model()
    five.add(model_of(5).get("output"), key="five")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODELS", str(tmp_path))
    five.save("~/five.pkl")
    model = td.Model("$MODELS/three.pkl")
    model.load("~/five.pkl")
    assert list(model.roots) == [0, "five"]
    assert_array_equal(model.roots["five"].eval({"input": X, "bias": 0}), answer(5))
    assert_array_equal(model.roots[0].eval({"input": X, "bias": 0}), answer(3))


# get


def test_get_gives_the_same_object_each_time_and_none_for_the_unknown():
    model = model_of(2)
    assert model.get("input") is model.get("input:0") is model["input"]
    assert model.get(model.get("input")) is model["input"]
    assert "input" in model and "nothing" not in model and model["nothing"] is None
    assert model.get("input", "nothing") == (model["input"], None)
    assert model.get("input:1") is None
    y = model.get("output")
    assert y.get("output") is y
    assert y.get("scaled", "nothing") == (model["scaled"], None)
    assert model["scaled"].get("bias") is None  # it does not depend on it
    assert y.op.get("bias") is model["bias"]
    assert y.op.get("output") is None
    assert y.op is y.op and y.op.inputs[1] is model["bias"]


def test_names_of_inlined_functions_stay(tmp_path):
    @tensorflow.function
    def twice(x):
        return tensorflow.multiply(x, 2.0, name="product")

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([2], tf.float32, name="x")])
    def outer(x):
        return {"y": twice(x) + 1.0}

    model = td.convert(outer)
    names = [
        node.name
        for node in outer.get_concrete_function().graph.as_graph_def().node
        if node.op.endswith("PartitionedCall")
    ]
    assert len(names) == 1
    for each in (model, reloaded(model, tmp_path)):
        call = each.get(names[0])
        assert call is not None
        assert_array_equal(call.eval({"x": [1, 2]}), [2, 4])
        assert each.get(f"{names[0]}/product") is not None
        assert_array_equal(each.eval(f"{names[0]}/product", {"x": [1, 2]}), [2, 4])


# Edits


def test_a_renamed_tensor_is_found_by_its_new_name_and_saved(tmp_path):
    model = model_of(2)
    x = model.get("input")
    assert_array_equal(model.eval("output", {"input": X, "bias": 1}), answer(2, 1))
    x.name = "features:0"
    model.get("output").name = "result"
    for each in (model, reloaded(model, tmp_path)):
        assert each.get("features").name == "features:0"
        assert each.get("result").name == "result:0"
        assert each.get("input") is None and each.get("output") is None
        assert_array_equal(each.eval("result", {"features": X, "bias": 1}), answer(2, 1))
        assert_array_equal(each(features=X, bias=1), answer(2, 1))
    with pytest.raises(td.GraphError, match="bias"):
        x.name = "bias"
    assert x.name == "features:0"
    x.name = "input"
    assert model.get("input") is x and model.get("features") is None


def test_an_assigned_value_is_used_and_saved(tmp_path):
    model = model_of(2)
    assert_array_equal(model.eval("output", {"input": X, "bias": 0}), answer(2))
    w = model.get("w")
    assert_array_equal(w.value, [2, 4])
    w.value = [5, 10]
    assert w.value.dtype == np.float32
    model.get("bias").value = 3
    for each in (model, reloaded(model, tmp_path)):
        assert_array_equal(each.get("w").value, [5, 10])
        assert each.get("bias").value == 3
        assert_array_equal(each.eval("output", {"input": X}), answer(5, 3))
    with pytest.raises(ValueError):
        w.value[0] = 1
    assert_array_equal(w.value, [5, 10])
    with pytest.raises(AttributeError, match="output"):
        model.get("output").value = X
    with pytest.raises(td.FeedError):
        w.value = ["a", "b"]
    with pytest.raises(td.ConversionError, match="scaled"):
        w.value = np.ones(3)  # which [?, 2] does not broadcast with
    assert_array_equal(model.eval("output", {"input": X}), answer(5, 3))
    model.get("bias").value = None
    with pytest.raises(td.FeedError, match="bias"):
        model.eval("output", {"input": X})


def test_value_of_what_is_computed_or_unfed_is_none():
    model = model_of(2)
    assert model.get("input").value is None
    output = model.get("output")
    output.eval({"input": X, "bias": 0})
    assert output.value is None  # a run stores no values


def test_tf_feed_dict_gives_defaults(tmp_path):
    model = td.Model()
    with session() as sess:
        y = affine(sess, 2)
        x, b = tf.get_default_graph().get_tensor_by_name("input:0"), None
        b = tf.get_default_graph().get_tensor_by_name("bias:0")
        other = tf.placeholder(tf.float32, [], name="other")
        model.add(y, sess, tf_feed_dict={x: X, b: 4, other: 1})
    for each in (model, reloaded(model, tmp_path)):
        assert_array_equal(each.get("input").value, X)
        assert_array_equal(each.get("output").eval(), answer(2, 4))
        assert_array_equal(each.get("output").eval({"bias": 5}), answer(2, 5))
        assert_array_equal(each(), answer(2, 4))


def test_tf_feed_dict_replaces_weights():
    model = td.Model()
    with session() as sess:
        y = affine(sess, 2)
        (w,) = tf.global_variables()
        model.add(y, sess, tf_feed_dict={w: [9, 18]})
    assert_array_equal(model.eval("output", {"input": X, "bias": 0}), answer(9))


def test_set_attr_is_used_and_saved(tmp_path):
    model = td.Model()
    with session() as sess:
        a = tf.placeholder(tf.float32, [3, 3], name="a")
        b = tf.placeholder(tf.float32, [3, 3], name="b")
        c = tf.placeholder(tf.float32, [1, 4, 4, 1], name="c")
        model.add(tf.matmul(a, b, transpose_b=True, name="y"), sess)
        model.add(tf.nn.max_pool(c, [1, 2, 2, 1], [1, 2, 2, 1], "SAME", name="p"), sess)
    one, two = np.arange(9.0).reshape(3, 3), np.eye(3) + np.arange(3)
    y, p = model.get("y", "p")
    assert_array_equal(y.eval({"a": one, "b": two}), one @ two.T)
    y.op.set_attr("transpose_b", False)
    y.op.set_attr("transpose_a", True)
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    assert p.eval({"c": image}).shape == (1, 2, 2, 1)
    p.op.set_attr("strides", [1, 1, 1, 1])
    p.op.set_attr("padding", b"VALID")
    for each in (model, reloaded(model, tmp_path)):
        y, p = each.get("y", "p")
        assert_array_equal(y.eval({"a": one, "b": two}), one.T @ two)
        assert_array_equal(p.eval({"c": image})[0, :, :, 0], image[0, 1:, 1:, 0])
        assert p.shape == (1, 3, 3, 1)
    with pytest.raises(AttributeError, match="transpose_b"):
        y.op.set_attr("transpose", True)
    with pytest.raises(td.ConversionError, match="p"):
        p.op.set_attr("ksize", [1, 9, 9, 1])
    assert p.eval({"c": image}).shape == (1, 3, 3, 1)


# Feeds


def test_an_unfed_placeholder_is_an_error_that_names_it():
    output = model_of(2).get("output")
    with pytest.raises(td.FeedError, match="'bias'"):
        output.eval({"input": X})


def test_a_feed_that_is_not_needed_is_ignored_and_one_of_another_model_is_not():
    model, other = model_of(2), model_of(3)
    bias = model.get("bias")
    assert_array_equal(model.get("scaled").eval({"input": X, bias: 1}), answer(2))
    with pytest.raises(td.FeedError, match="another model"):
        model.get("scaled").eval({"input": X, other.get("bias"): 1})
    other.add(model.get("output"), key="second")  # now it holds both
    assert_array_equal(other.roots[0].eval({"input": X, "bias": 0, bias: 1}), answer(3))
    assert_array_equal(model.get("scaled").eval({"input": X, other.roots[0]: X}), answer(2))


# Operations


def test_op_is_none_for_sources():
    with session() as sess:
        y = affine(sess, 2) * tf.constant(3.0, name="three")
        model = td.Model()
        model.add(y, sess)
    for name in ("input", "bias", "w", "three"):
        assert model.get(name).op is None, name
    assert_array_equal(model.get("three").value, 3)
    assert model.get("output").op is not None


def test_add_stands_for_its_relatives_and_each_keeps_its_semantics():
    with session() as sess:
        x = tf.placeholder(tf.float32, [1, 2, 2, 2], name="x")
        bias = tf.constant([10.0, 20.0])
        model = td.Model()
        model.add(tf.nn.bias_add(x, bias, data_format="NCHW", name="biased"), sess)
        model.add(tf.raw_ops.AddV2(x=x, y=bias, name="two"), sess)
        model.add(tf.raw_ops.Add(x=x, y=bias, name="one"), sess)
    data = np.arange(8.0, dtype=np.float32).reshape(1, 2, 2, 2)
    added = data + np.float32([10, 20])
    for name, kind, expected in [
        ("one", "Add", added),
        ("two", "AddV2", added),
        ("biased", "BiasAdd", data + np.reshape([10, 20], (1, 2, 1, 1))),
    ]:
        tensor = model.get(name)
        assert isinstance(tensor.op, td.Add)
        assert isinstance(tensor.op, td.Operation)
        assert tensor.op.type == kind and kind in tensor.op.types
        assert not isinstance(tensor.op, td.Softmax)
        assert_array_equal(tensor.eval({"x": data}), expected)
    assert td.Add is td.AddV2 is td.BiasAdd


def test_an_operation_knows_its_place():
    op = model_of(2).get("output").op
    assert op.name == "output"
    assert [t.name for t in op.inputs] == ["scaled:0", "bias:0"]
    (value,) = op.eval({"input": X, "bias": 1})
    assert_array_equal(value, answer(2, 1))


def test_func_gives_a_tuple():
    (value,) = td.Softmax.func(np.array([[0.0, np.log(3.0)]]))
    assert_allclose(value, [[0.25, 0.75]])
    pair = td.Unique.func(np.array([4, 4, 2]))
    assert [v.tolist() for v in pair] == [[4, 2], [0, 0, 1]]
    (product,) = td.MatMul.func(np.ones((2, 3)), np.ones((2, 3)), False, True)
    assert_array_equal(product, np.full((2, 2), 3.0))


def test_names_that_are_no_operations():
    with pytest.raises(AttributeError, match="NoSuchOp"):
        _ = td.NoSuchOp
    with pytest.raises(AttributeError):
        _ = td.no_such_name


def test_operation_of_a_live_op_checks_the_type():
    with session() as sess:
        y = affine(sess, 2)
        assert isinstance(td.Operation.new(y.op, sess), td.Add)
        assert isinstance(td.Add(y.op, sess), td.Add)
        with pytest.raises(td.OperationMismatchException, match="Softmax"):
            td.Softmax(y.op, sess)


def custom_graph(kind: str, attrs: dict[str, Any] | None = None, inputs: int = 1) -> Any:
    """A GraphDef of one node ``y`` of op type `kind` over placeholders ``x0`` ..."""
    graph = tf.GraphDef()
    for i in range(inputs):
        held = graph.node.add(name=f"x{i}", op="Placeholder")
        held.attr["dtype"].type = 1
    node = graph.node.add(name="y", op=kind, input=[f"x{i}" for i in range(inputs)])
    for name, value in (attrs or {}).items():
        if isinstance(value, bytes):
            node.attr[name].s = value
        elif isinstance(value, bool):
            node.attr[name].b = value
        elif isinstance(value, int):
            node.attr[name].i = value
        else:
            node.attr[name].list.i.extend(value)
    return graph


def test_attributes_come_by_position_text_as_bytes_absent_as_none(own_ops):
    seen = []

    class Scale(td.Operation):
        attrs = ("mode", "factor", "nothing", "sizes")

        @staticmethod
        def func(a, mode, factor, nothing, sizes):
            seen.append((mode, factor, nothing, sizes))
            return (a * factor,)

    attrs = {"mode": b"fast", "factor": 3, "sizes": [1, 2], "other": True}
    model = td.convert(custom_graph("Scale", attrs), outputs="y")
    assert_array_equal(model(np.float32([1, 2])), [3, 6])
    assert seen == [(b"fast", 3, None, [1, 2])]
    op = model.get("y").op
    assert op.kwargs == [b"fast", 3, None, [1, 2]]
    op.set_attr("factor", 5)
    op.set_attr("mode", b"slow")
    assert_array_equal(model(np.float32([1, 2])), [5, 10])
    assert seen[-1] == (b"slow", 5, None, [1, 2])


def test_types_unpack_and_output_dtypes(own_ops):
    class Several(td.Operation):
        types = ("JoinA", "JoinB")
        unpack = False
        attrs = ("axis",)
        output_dtypes = True

        @staticmethod
        def func(arrays, axis, dtypes):
            assert isinstance(arrays, list)
            return (np.concatenate(arrays, axis).astype(dtypes[0]),)

    for kind in ("JoinA", "JoinB"):
        model = td.convert(custom_graph(kind, {"axis": 0}, inputs=3), outputs="y")
        assert isinstance(model.get("y").op, Several)
        value = model.eval("y", {"x0": [1.0], "x1": [2.0, 3.0], "x2": [4.0]})
        assert_array_equal(value, [1, 2, 3, 4])
        assert value.dtype == np.float32
        assert model.get("y").op.output_dtypes == [np.dtype(np.float32)]


def test_an_op_of_several_outputs(own_ops, tmp_path):
    class MinMax(td.Operation):
        @staticmethod
        def func(a):
            return a.min(), a.max()

    graph = custom_graph("MinMax")
    graph.node.add(name="z", op="Neg", input=["y:1"]).attr["T"].type = 1
    for each in (m := td.convert(graph, outputs=["y", "z"]), reloaded(m, tmp_path)):
        assert each.eval(["y", "y:1", "z"], {"x0": [3, 1, 2]}) == [1, 3, -3]

    class MinMax(td.Operation):  # noqa: F811
        @staticmethod
        def func(a):
            return (a.min(),)

    with pytest.raises(td.EvaluationError, match="MinMax"):
        m.eval("z", {"x0": [1, 2]})


def test_own_ops_get_copies(own_ops):
    class Spoil(td.Operation):
        @staticmethod
        def func(a):
            a[:] = 0
            return (a,)

    model = td.convert(custom_graph("Spoil"), outputs="y")
    mine = np.ones(3, np.float32)
    assert_array_equal(model(mine), np.zeros(3))
    assert_array_equal(mine, np.ones(3))


def test_the_last_registration_wins(own_ops):
    model = td.convert(custom_graph("Exp"), outputs="y")
    assert_allclose(model([0.0]), [1])
    for constant in (5, 7):

        @td.Operation.factory(types=("Exp",))
        def Mine(a, constant=constant):
            return (np.full_like(a, constant),)

        assert_array_equal(model([0.0]), [constant])


def test_a_subclass_inherits_its_implementation(own_ops):
    class Base(td.Operation):
        types = ("Base",)

        @staticmethod
        def func(a):
            return (a + 1,)

    class Derived(Base):
        types = ("Derived",)

    model = td.convert(custom_graph("Derived"), outputs="y")
    assert_array_equal(model([1.0]), [2])


def test_an_op_of_nobody_is_reported_when_it_runs(own_ops, tmp_path):
    from tfdeploy.ops import registry
    from tfdeploy.tensor import OperationRegister

    class Gone(td.Operation):
        @staticmethod
        def func(a):
            return (a + 1,)

    graph = custom_graph("Gone")
    graph.node.add(name="z", op="Neg", input=["x0"]).attr["T"].type = 1
    td.convert(graph, outputs=["y", "z"]).save(tmp_path / "gone.tfd")
    del registry._records["Gone"], OperationRegister.classes["Gone"]
    registry.changed()

    model = td.Model(tmp_path / "gone.tfd")
    assert model.get("y").op.type == "Gone"
    assert "Gone" in model.summary()
    assert_array_equal(model.eval("z", {"x0": [1.0]}), [-1])
    with pytest.raises(td.UnknownOperationException, match="node y: op Gone") as caught:
        model.eval("y", {"x0": [1.0]})
    assert caught.value.missing == {"Gone": ["y"]}


def test_every_missing_op_is_listed_at_conversion():
    graph = custom_graph("OneGone")
    graph.node.add(name="z", op="TwoGone", input=["y"])
    graph.node.add(name="z2", op="TwoGone", input=["z"])
    with pytest.raises(td.UnknownOperationException) as caught:
        td.convert(graph, outputs="z2")
    assert caught.value.missing == {"OneGone": ["y"], "TwoGone": ["z", "z2"]}
    for text in ("OneGone", "TwoGone", "2 x", "z, z2", "outputs="):
        assert text in str(caught.value)


# Exceptions


def test_the_exceptions_have_one_root():
    names = [
        "UnknownOperationException",
        "OperationMismatchException",
        "InvalidImplementationException",
        "UnknownImplementationException",
        "UnknownEnsembleMethodException",
        "EnsembleMismatchException",
        "ScipyOperationException",
    ]
    for name in names:
        assert issubclass(getattr(td, name), td.TfdeployError), name
    errors = [v for n in td.__all__ if isinstance(v := getattr(td, n), type)]
    for error in errors:
        if issubclass(error, Exception):
            assert issubclass(error, td.TfdeployError)


def test_a_bad_session_is_an_error():
    with session() as sess:
        y = affine(sess, 1)
        with pytest.raises(ValueError, match="bad tensorflow session"):
            td.Model().add(y)
        with pytest.raises(ValueError, match="bad tensorflow session"):
            td.Tensor(y, None)


# Printing


def test_print_tensor(capsys):
    with session() as sess:
        x = tf.placeholder(tf.float32, [2], name="x")
        a = tf.exp(x, name="a")
        y = tf.add(a, tf.multiply(a, tf.constant([1.0, 2.0], name="c"), name="b"), name="y")
        tensor = td.Tensor(y, sess)
        td.print_tf_tensor(y)
        live = capsys.readouterr().out
    td.print_tensor(tensor)
    kind = f"td op: y ({','.join(td.Add.types)})"
    assert capsys.readouterr().out.splitlines() == [
        "td tensor: y:0",
        f"|   {kind}",
        "|   |   td tensor: a:0",
        "|   |   |   td op: a (Exp)",
        "|   |   |   |   td tensor: x:0",
        "|   |   td tensor: b:0",
        "|   |   |   td op: b (Multiply,Mul)",
        "|   |   |   |   td tensor: a:0 (see above)",
        "|   |   |   |   td tensor: c:0 (2)",
    ]
    assert live.splitlines()[:3] == [
        "tf tensor: y:0 (2)",
        "|   tf op: y (AddV2)",
        "|   |   tf tensor: a:0 (2)",
    ]
    assert "tf tensor: a:0 (2) (see above)" in live
    td.print_op(tensor.op, indent="-", max_depth=1)
    assert capsys.readouterr().out.splitlines() == [kind, "-td tensor: a:0", "-td tensor: b:0"]


def test_what_was_cut_is_not_said_to_be_above(capsys):
    """The deep occurrence of `a` comes first and is cut; the shallow one is printed whole."""
    with session() as sess:
        a = tf.exp(tf.placeholder(tf.float32, [2], name="x"), name="a")
        tensor = td.Tensor(tf.add(tf.sin(a, name="s"), a, name="y"), sess)
    td.print_tensor(tensor, max_depth=4)
    lines = [line.strip("| ") for line in capsys.readouterr().out.splitlines()]
    assert lines.count("td tensor: a:0") == 2
    assert lines[-3:] == ["td tensor: a:0", "td op: a (Exp)", "td tensor: x:0"]


def test_printing_and_running_a_deep_chain_needs_no_recursion(capsys, tmp_path):
    graph = tf.GraphDef()
    held = graph.node.add(name="x", op="Placeholder")
    held.attr["dtype"].type = 1
    depth, last = 3000, "x"
    for i in range(depth):
        graph.node.add(name=f"n{i}", op="Neg", input=[last]).attr["T"].type = 1
        last = f"n{i}"
    model = reloaded(td.convert(graph, outputs=last), tmp_path)
    assert_array_equal(model([1.0]), [(-1) ** depth])
    tensor = model.get(last)
    assert tensor.get("x") is model.get("x")
    td.print_tensor(tensor, indent="")
    assert len(capsys.readouterr().out.splitlines()) == 2 * depth + 1


# Ensembles


@pytest.fixture
def ensemble():
    models = [model_of(2), model_of(4)]
    for name in ("input", "bias", "output"):
        models[1].get(name).name = f"{name}_1"
    ensemble = td.Ensemble()
    ensemble.models = models
    return ensemble


def test_models_of_different_names_become_one_ensemble_by_renaming(ensemble):
    assert ensemble.get("output").tensors[1] is None
    for name in ("input", "bias", "output"):
        ensemble.models[1].get(f"{name}_1").name = f"{name}:0"
    x, b, y = ensemble.get("input", "bias", "output")
    assert_array_equal(y.eval({x: X, b: 1}), (answer(2, 1) + answer(4, 1)) / 2)
    assert_array_equal(y({x: X, b: 1}), (answer(2, 1) + answer(4, 1)) / 2)


@pytest.mark.parametrize(
    ("method", "combine"),
    [(td.METHOD_MEAN, np.mean), (td.METHOD_MAX, np.max), (td.METHOD_MIN, np.min)],
)
def test_methods_and_values_per_model(tmp_path, method, combine):
    for weight in (2, 4, -1):
        model_of(weight).save(tmp_path / f"{weight}.pkl")
    ensemble = td.Ensemble([tmp_path / f"{w}.pkl" for w in (2, 4, -1)], method=method)
    x, b, y = ensemble.get("input", "bias", "output")
    value = y.eval({x: X, b: [1, 2, 3]})
    expected = combine(np.stack([answer(2, 1), answer(4, 2), answer(-1, 3)]), axis=0)
    assert_allclose(value, expected)
    with pytest.raises(td.EnsembleMismatchException, match="3"):
        y.eval({x: [X, X], b: 1})


def test_a_none_feed_is_skipped_and_a_none_fetch_is_an_error(ensemble):
    for name in ("input", "output"):
        ensemble.models[1].get(f"{name}_1").name = name
    ensemble.models[1].get("bias_1").value = 10
    x, b, y = ensemble.get("input", "bias", "output")
    assert b.tensors[1] is None
    assert_array_equal(y.eval({x: X, b: 1}), (answer(2, 1) + answer(4, 10)) / 2)
    b.tensors[1] = ensemble.models[1].get("bias_1")
    assert_array_equal(y.eval({x: X, b: [1, None]}), (answer(2, 1) + answer(4, 10)) / 2)
    ensemble.models[1].get("output").name = "elsewhere"
    with pytest.raises(td.EnsembleMismatchException, match=r"model 1 .* 'output'"):
        ensemble.get("output").eval({x: X, b: 1})


def test_a_custom_method_is_set_on_the_instance(ensemble):
    ensemble.method = td.METHOD_CUSTOM
    for name in ("input", "bias", "output"):
        ensemble.models[1].get(f"{name}_1").name = name
    x, b, y = ensemble.get("input", "bias", "output")
    with pytest.raises(NotImplementedError, match="func_custom"):
        y.eval({x: X, b: 0})
    y.func_custom = lambda values: values[0] * values[1]
    assert_array_equal(y.eval({x: X, b: 0}), answer(2) * answer(4))


def test_ensembles_that_do_not_match(ensemble):
    with pytest.raises(td.UnknownEnsembleMethodException, match="17"):
        td.Ensemble(method=17)
    three = td.Ensemble()
    three.models = [*ensemble.models, model_of(1)]
    with pytest.raises(td.EnsembleMismatchException, match=r"3 .* 2"):
        ensemble.get("output").eval({three.get("input"): X})
    assert sorted(td.METHODS) == [0, 1, 2, 3]


def test_reset_and_setup_are_there():
    td.reset()
    td.setup(tensorflow)
    with pytest.raises(ValueError, match="tensorflow"):
        td.setup("tensorflow")


# Own implementations go before kernels and fusions

CHAIN = ("MatMul", "BiasAdd", "Relu", "Exp", "Sub", "Softmax")


@pytest.fixture
def chain():
    """A graph that an engine would fuse, evaluated once."""
    with session() as sess:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        draw = np.random.default_rng(0)
        w, b = draw.normal(size=(8, 16)).astype(np.float32), np.float32(draw.normal(size=16))
        h = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, w), b))
        y = tf.nn.softmax(tf.exp(h * 0.1) - h, name="y")
        model = td.Model()
        model.add(y, sess)
        data = draw.normal(size=(5, 8)).astype(np.float32)
        expected = sess.run(y, {x: data})
    assert_allclose(model(data), expected, rtol=1e-4, atol=1e-6)
    return model, data, expected


def counted(cls: Any) -> tuple[list[int], Any]:
    """A function for 0.4 that does what the op does, and the list that grows with its calls."""
    from tfdeploy.ops import registry

    record = registry.get(cls.types[-1])
    reference, calls = record.reference, []

    def run(*args: Any) -> Any:
        calls.append(1)
        return (reference(*args[: reference.__code__.co_argcount], **record.defaults),)

    return calls, run


@pytest.mark.parametrize("kind", CHAIN)
def test_own_classes_run_inside_fused_chains(kind, chain, own_ops):
    model, data, expected = chain
    calls, run = counted(getattr(td, kind))
    td.Operation.factory(lambda *args: run(*args), types=(kind,))
    assert_allclose(model(data), expected, rtol=1e-4, atol=1e-6)
    assert len(calls) == 1


@pytest.mark.parametrize("kind", CHAIN)
def test_implementations_that_are_named_run_inside_fused_chains(kind, chain, own_ops):
    model, data, expected = chain
    cls = getattr(td, kind)
    calls, run = counted(cls)
    cls.add_impl(td.IMPL_SCIPY)(lambda *args: run(*args))
    assert_allclose(model(data), expected, rtol=1e-4, atol=1e-6)
    assert not calls
    cls.use_impl(td.IMPL_SCIPY)
    assert_allclose(model(data), expected, rtol=1e-4, atol=1e-6)
    assert len(calls) >= 1
    before = len(calls)
    td.optimize(td.IMPL_NUMPY)
    assert_allclose(model(data), expected, rtol=1e-4, atol=1e-6)
    assert len(calls) == before
