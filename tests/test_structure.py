"""Control flow of TensorFlow 1, built in graph mode and compared with a session."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import tfdeploy as td
from tfdeploy.errors import EvaluationError, UnsupportedError
from tfdeploy.importers.graphdef import parse_graph_def
from tfdeploy.importers.lower import lower
from tfdeploy.importers.raw import RawModel
from tfdeploy.importers.structure import structured

v1 = tf.compat.v1
OLD = ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "TensorArray")


@pytest.fixture(autouse=True)
def old_control_flow():
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


class Pair:
    """A graph, TensorFlow's session on it, and the converted model."""

    def __init__(self, build, tmp_path):
        with tf.Graph().as_default() as graph:
            names = build()
            self.names = [names] if isinstance(names, str) else list(names)
            self.session = v1.Session()
        self.data = graph.as_graph_def().SerializeToString()
        self.path = tmp_path / "graph.pb"
        self.path.write_bytes(self.data)
        self.model = td.convert(self.path, outputs=self.names)

    def check(self, **feeds):
        """Compares all outputs; gives them."""
        found = self.model.eval(self.names, feeds)
        expected = self.session.run(
            [f"{n}:0" for n in self.names], {f"{n}:0": v for n, v in feeds.items()}
        )
        for name, mine, theirs in zip(self.names, found, expected, strict=True):
            assert mine.dtype == theirs.dtype and mine.shape == np.shape(theirs), name
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6, err_msg=name)
        return found

    def ops(self):
        """The ops of the converted graph, functions included."""
        graphs, found = [self.model._entries[0].graph], []
        while graphs:
            graph = graphs.pop()
            found += [node.op for node in graph.nodes]
            graphs += graph.subgraphs.values()
        assert not [op for op in found if op.removeprefix("Ref").startswith(OLD)]
        return found


def scalar(name, dtype=tf.float32):
    return v1.placeholder(dtype, [], name=name)


def test_nested_conditionals(tmp_path):
    def build():
        x, y = scalar("x"), scalar("y")
        inner = lambda: v1.cond(y > x, lambda: y * 2, lambda: x - y)  # noqa: E731
        first, second = v1.cond(x > 0, lambda: (inner(), x), lambda: (x * 3, y + 1))
        tf.identity(first + second, name="sum")
        tf.identity(v1.cond(y > 0, lambda: first, lambda: first * 2), name="again")
        return "sum", "again"

    pair = Pair(build, tmp_path)
    for x in (-2.0, 1.0):
        for y in (-3.0, 0.5, 4.0):
            pair.check(x=x, y=y)
    assert pair.ops().count("If") == 3


def test_dead_branches_never_run(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, None], name="x")
        square = tf.equal(tf.shape(x)[0], tf.shape(x)[1])

        def inverse():
            with tf.control_dependencies([v1.Assert(square, [tf.shape(x)])]):
                return v1.matrix_inverse(x)

        tf.identity(v1.cond(square, inverse, lambda: -x), name="y")
        return "y"

    pair = Pair(build, tmp_path)
    pair.check(x=np.array([[2.0, 1.0], [0.0, 4.0]]))
    pair.check(x=np.array([[2.0, 1.0, 7.0]]))


def test_asserts_in_branches_raise(tmp_path):
    def build():
        x = scalar("x")
        with tf.control_dependencies([v1.Assert(x > 0, ["not positive", x])]):
            tf.identity(tf.sqrt(x), name="y")
        return "y"

    pair = Pair(build, tmp_path)
    pair.check(x=4.0)
    with pytest.raises(EvaluationError, match="not positive"):
        pair.model.eval("y", {"x": -1.0})


@pytest.mark.parametrize("training", [True, False])
def test_constant_predicates_leave_no_conditional(tmp_path, training):
    def build():
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        constant = tf.identity(tf.constant(training))
        y = v1.cond(constant, lambda: x - tf.reduce_mean(x, 0), lambda: x * 2)
        y = v1.cond(constant, lambda: y + 1, lambda: v1.cond(constant, lambda: y, lambda: -y))
        tf.identity(y, name="y")
        return "y"

    pair = Pair(build, tmp_path)
    pair.check(x=[[1.0, 2.0], [3.0, 5.0]])
    assert "If" not in pair.ops()


def test_one_predicate_for_one_layer_after_the_other(tmp_path):
    """As batch norm and dropout with a common switch, which is a placeholder with default."""

    def build():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        training = v1.placeholder_with_default(False, [], name="training")
        for _ in range(3):
            x = v1.cond(training, lambda x=x: x - tf.reduce_mean(x, 0), lambda x=x: x * 0.5)
            x = tf.nn.relu(x)
        tf.identity(x, name="y")
        return "y"

    pair = Pair(build, tmp_path)
    x = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 1.0]])
    quiet, loud = pair.check(x=x), pair.check(x=x, training=True)
    assert not np.array_equal(quiet[0], loud[0])


def test_loops_in_loops_with_conditionals(tmp_path):
    def build():
        n, x = scalar("n", tf.int32), scalar("x")

        def inner(i, total):
            return v1.while_loop(
                lambda j, _: j < i,
                lambda j, t: (j + 1, v1.cond(j % 2 > 0, lambda: t * x, lambda: t + 1)),
                [0, total],
            )[1]

        def body(i, total, rows):
            total = v1.cond(i > 2, lambda: inner(i, total), lambda: total - 0.5)
            return i + 1, total, tf.concat([rows, [total]], 0)

        shapes = [tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([None])]
        _, total, rows = v1.while_loop(
            lambda i, *_: i < n, body, [0, x, tf.zeros([0])], shape_invariants=shapes
        )
        tf.identity(total, name="total")
        tf.identity(rows, name="rows")
        return "total", "rows"

    pair = Pair(build, tmp_path)
    for n in (0, 1, 5, 8):
        pair.check(n=n, x=1.25)


def test_tensor_arrays(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        n = tf.shape(x)[0]
        grown = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
        _, grown = v1.while_loop(
            lambda i, _: i < n + 1,
            lambda i, a: (i + 1, a.write(i, tf.fill([2], tf.cast(i, tf.float32)))),
            [0, grown],
        )
        tf.identity(grown.stack(), name="stack")
        tf.identity(grown.size(), name="size")
        tf.identity(grown.gather([0, 0]), name="gather")
        pieces = tf.TensorArray(tf.float32, 2, infer_shape=False, clear_after_read=False).split(
            x, [1, n - 1]
        )
        tf.identity(pieces.concat(), name="concat")
        tf.identity(pieces.read(1), name="read")
        half = tf.TensorArray(tf.float32, 4, element_shape=[2]).scatter([3, 1], x[:2])
        tf.identity(half.write(0, x[0]).write(2, x[1]).stack(), name="half")
        tf.identity(tf.TensorArray(tf.float32, 5).unstack(x[:2]).size(), name="five")
        return "stack", "size", "gather", "concat", "read", "half", "five"

    pair = Pair(build, tmp_path)
    pair.check(x=np.arange(6.0).reshape(3, 2))
    pair.check(x=np.arange(10.0).reshape(5, 2))


def test_tensor_arrays_without_control_flow(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [4], "x")
        raw = tf.raw_ops
        handle, flow = raw.TensorArrayV3(size=4, dtype=tf.float32)
        flow = raw.TensorArrayScatterV3(handle=handle, indices=[2, 0, 1, 3], value=x, flow_in=flow)
        raw.TensorArrayReadV3(handle=handle, index=1, flow_in=flow, dtype=tf.float32, name="read")
        raw.TensorArraySizeV3(handle=handle, flow_in=flow, name="size")
        return ["read", "size"]

    Pair(build, tmp_path).check(x=np.arange(4, dtype=np.float32))


def test_higher_order_functions(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        mapped = v1.map_fn(lambda r: (r[0], tf.reduce_sum(r)), x, (tf.float32, tf.float32))
        tf.identity(mapped[0] + mapped[1], name="mapped")
        tf.identity(v1.scan(lambda a, r: a * r, x, reverse=True), name="scanned")
        tf.identity(v1.foldr(lambda a, r: a - r, x), name="folded")
        return "mapped", "scanned", "folded"

    pair = Pair(build, tmp_path)
    pair.check(x=np.arange(12.0).reshape(4, 3))
    pair.check(x=np.arange(3.0).reshape(1, 3))


def test_loops_carry_what_they_capture(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 64], name="x")
        w = tf.constant(np.linspace(-0.1, 0.1, 64 * 64).reshape(64, 64), tf.float32)
        y = v1.while_loop(
            lambda i, *_: i < 3, lambda i, y, z: (i + 1, tf.tanh(y @ w) + z, y), [0, x, x]
        )
        tf.identity(y[1], name="y")
        tf.identity(y[2], name="z")
        return "y", "z"

    pair = Pair(build, tmp_path)
    pair.check(x=np.random.default_rng(1).normal(size=(2, 64)))


def test_assignments_in_loops_and_branches(tmp_path):
    def build():
        v = v1.get_variable("v", [], initializer=v1.zeros_initializer(), use_resource=True)
        flag = scalar("flag", tf.bool)

        def body(i):
            with tf.control_dependencies([v.assign_add(2.0)]):
                return i + 1

        loop = v1.while_loop(lambda i: i < 3, body, [0])
        with tf.control_dependencies(loop[-1:] if isinstance(loop, list) else [loop]):
            change = v1.cond(
                flag, lambda: v.assign(v.read_value() * 10), lambda: v.read_value() + 0.0
            )
        with tf.control_dependencies([change]):
            tf.identity(v.read_value(), name="y")
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
            values = [session.run("y:0", {"flag:0": f}) for f in (False, True, False)]
        np.save(tmp_path / "values.npy", values)
        return "y"

    with tf.Graph().as_default():
        build()
    model = td.convert(tmp_path / "model.ckpt.meta", outputs=["y"])
    found = [model.eval("y", {"flag": flag}) for flag in (False, True, False)]
    np.testing.assert_array_equal(found, np.load(tmp_path / "values.npy"))


def test_values_inside_a_branch_can_be_fetched(tmp_path):
    def build():
        x = scalar("x")
        inner = lambda: v1.cond(x > 1, lambda: x * 2, lambda: -x)  # noqa: E731
        v1.cond(x > 0, lambda: tf.identity(inner(), name="inside"), lambda: x)
        return "cond/inside"

    pair = Pair(build, tmp_path)
    assert pair.model.eval("cond/inside", {"x": 3.0}) == 6.0
    assert pair.model.eval("cond/inside", {"x": 0.5}) == -0.5


def test_training_graphs_convert_where_gradients_are_not_asked_for(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y)), [0, x])[1]
        tf.identity(y, name="y")
        v1.gradients(tf.reduce_sum(y), x)
        return "y"

    Pair(build, tmp_path).check(x=np.ones((2, 3)))


@pytest.mark.parametrize("branches", [False, True])
def test_gradients_of_loops(tmp_path, branches):
    """Forces as gradients of an energy: the values of the way there come back from stacks."""

    def step(y, w):
        if branches:
            return v1.cond(tf.reduce_sum(y) > 0, lambda: tf.sin(y), lambda: tf.cos(y))
        return tf.sin(y @ w) * y

    def build():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        n = scalar("n", tf.int32)
        w = tf.constant(np.linspace(-1, 1, 9).reshape(3, 3), tf.float32)
        _, y = v1.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, step(y, w)), [0, x])
        tf.identity(v1.gradients(tf.reduce_sum(y * y), x)[0], name="force")
        return "force"

    if branches:  # what a branch leaves on its stack hangs on no result of it
        with pytest.raises(UnsupportedError, match="acts in a branch"):
            Pair(build, tmp_path)
        return
    pair = Pair(build, tmp_path)
    x = np.linspace(-1, 2, 6).reshape(2, 3)
    for n in (0, 1, 4, 3):
        pair.check(x=x, n=n)


def test_gradients_of_tensor_arrays_are_refused(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        y = v1.map_fn(lambda row: row * row, x)
        tf.identity(v1.gradients(tf.reduce_sum(y), x)[0], name="g")
        return "g"

    with pytest.raises(UnsupportedError, match="gradient of a TensorArray"):
        Pair(build, tmp_path)


def test_deep_chains_of_conditionals(tmp_path):
    def build():
        x = scalar("x")
        for i in range(150):
            x = v1.cond(x > i, lambda x=x: x - 1, lambda x=x: x + 1)
        tf.identity(x, name="y")
        return "y"

    Pair(build, tmp_path).check(x=40.0)


def test_frames_without_a_condition_are_gone_through_once(tmp_path):
    def build():
        x = v1.placeholder(tf.float32, [None], name="x")
        raw = tf.raw_ops
        inner = raw.Enter(data=raw.Enter(data=x, frame_name="a"), frame_name="b")
        fixed = raw.Enter(data=x * 3.0, frame_name="c", is_constant=True)
        once = raw.Enter(data=x, frame_name="c") + fixed
        taken = raw.Switch(data=raw.Enter(data=x, frame_name="d"), pred=enter_true(raw))[1]
        exits = (raw.Exit(data=inner), once, taken)
        ends = [raw.Exit(data=value) for value in exits]
        return [tf.identity(end, name=f"y{i}").op.name for i, end in enumerate(ends)]

    def enter_true(raw):
        return raw.Enter(data=tf.constant(True), frame_name="d")

    Pair(build, tmp_path).check(x=np.array([1, -2, 3], np.float32))


def test_a_loop_that_leaves_with_something_else_is_an_error(tmp_path):
    def build():
        x = scalar("x")
        y = v1.while_loop(lambda i: i < x, lambda i: i + 1, [0.0])
        tf.identity(y, name="y")
        return "y"

    pair = Pair(build, tmp_path)
    graph = parse_graph_def(pair.data, "graph")
    for node in graph.nodes:
        if node.op == "LoopCond":
            node.op = "Identity"
    with pytest.raises(UnsupportedError, match="conditions"):
        lower(RawModel(graph, origin="graph"), outputs=["y"])


@pytest.mark.parametrize("kind", ["queue", "iterator"])
def test_input_pipelines_become_inputs(tmp_path, kind):
    with tf.Graph().as_default() as graph:
        if kind == "queue":
            queue = v1.FIFOQueue(10, [tf.float32, tf.int32], [[3], []])
            rows, labels = queue.dequeue_many(4, name="batch")
        else:
            data = v1.data.Dataset.from_tensor_slices((np.zeros([8, 3], "f"), np.zeros(8, "i")))
            data = data.map(lambda a, b: (a, b)).batch(4)
            rows, labels = v1.data.make_one_shot_iterator(data).get_next(name="batch")
        y = tf.reduce_sum(rows, 1) * tf.cast(labels, tf.float32)
        y = v1.cond(tf.reduce_any(labels > 0), lambda: y, lambda: -y)
        tf.identity(y, name="y")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.warns(match=r"inputs of the model now: batch \(float32\), batch_1 \(int32\)"):
        model = td.convert(path, outputs=["y"])
    rows, labels = np.ones((2, 3), np.float32), np.array([2, 3], np.int32)
    assert model(batch=rows, batch_1=labels).tolist() == [6.0, 9.0]
    assert model(batch=rows, batch_1=-labels).tolist() == [6.0, 9.0]
    cut = td.convert(path, inputs=["batch:0", "batch:1"], outputs=["y"])
    assert cut.eval("y", {"batch:0": rows, "batch:1": labels}).tolist() == [6.0, 9.0]


def test_live_sessions(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        w = v1.get_variable("w", [3, 3], use_resource=False)
        y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ w)), [0, x])[1]
        y = v1.cond(tf.reduce_sum(y) > 0, lambda: y, lambda: tf.abs(y))
        with pytest.raises(td.ConversionError, match="w"):
            td.convert(y, session=session)
        session.run(w.initializer)
        model = td.convert(y, session=session)
        rows = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_allclose(model(rows), session.run(y, {x: rows}), rtol=1e-5)


def test_damaged_control_flow_is_an_error(tmp_path):
    """Inputs left out, exchanged and added: an error of ours, or a graph."""

    def build():
        x, n = scalar("x"), scalar("n", tf.int32)
        rows = tf.TensorArray(tf.float32, n)
        body = lambda i, y, r: (  # noqa: E731
            i + 1,
            v1.cond(y > 0, lambda: y * 2, lambda: y - 1),
            r.write(i, y),
        )
        _, y, rows = v1.while_loop(lambda i, *_: i < n, body, [0, x, rows])
        tf.identity(y + tf.reduce_sum(rows.stack()), name="y")
        return "y"

    pair = Pair(build, tmp_path)
    pair.check(x=1.5, n=4)
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        graph = parse_graph_def(pair.data, "graph")
        flow = [n for n in graph.nodes if n.op in OLD or n.op.startswith("TensorArray")]
        node, other = flow[random.integers(len(flow))], flow[random.integers(len(flow))]
        kind, at = random.integers(4), random.integers(max(len(node.inputs), 1))
        if kind == 0:
            del node.inputs[at : at + 1]
        elif kind == 1:
            node.inputs[at : at + 1] = [other.name]
        elif kind == 2:
            node.op = other.op
        else:
            node.inputs.append("^" + other.name)
        try:
            structured(graph, ["y"], (), "graph")
        except td.TfdeployError as error:
            assert "graph" in str(error)
            refused += 1
    assert refused > 20


def test_graphs_without_control_flow_stay_as_they_are():
    with tf.Graph().as_default() as graph:
        tf.identity(scalar("x"), name="y")
    raw = parse_graph_def(graph.as_graph_def().SerializeToString(), "graph")
    assert structured(raw, ["y"], (), "graph") is raw
