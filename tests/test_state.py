"""Variables that a graph assigns to: TensorFlow's values in TensorFlow's order."""

from __future__ import annotations

import os
import pickle
import threading
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

F32 = tf.float32
tf1 = tf.compat.v1


class Counter(tf.Module):
    """Reads, adds, reads again."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(3.0)
        self.fixed = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([], F32, "x")])
    def add(self, x: Any) -> Any:
        before = self.count * self.fixed
        self.count.assign_add(x)
        return {"before": before, "after": self.count.read_value()}

    @tf.function(input_signature=[])
    def peek(self) -> Any:
        return {"count": self.count + 0.0}


def assert_same(got: dict[str, Any], want: dict[str, Any]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value.numpy(), rtol=1e-6)


@pytest.fixture(params=["live", "saved"])
def counter(request: Any, tmp_path: Path) -> tuple[Counter, td.Model]:
    module = Counter()
    if request.param == "live":
        return module, td.convert(module)
    signatures = {name: getattr(module, name).get_concrete_function() for name in ("add", "peek")}
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    return module, td.convert(tmp_path / "m")


def test_calls_change_what_later_calls_read(counter: tuple[Counter, td.Model]) -> None:
    module, model = counter
    for x in (2.0, -1.0, 0.5):
        assert_same(model.signatures["add"](x=x), module.add(x))
        assert_same(model.signatures["peek"](), module.peek())


def test_a_variable_that_nothing_assigns_is_a_constant(counter: tuple[Counter, td.Model]) -> None:
    graph = counter[1]._entries[0].graph
    assert sum(node.op == "VarHandleOp" for node in graph.nodes) == 1


def test_reset(counter: tuple[Counter, td.Model]) -> None:
    add = counter[1].signatures["add"]
    first = add(x=2.0)
    assert add(x=2.0)["after"] == 7
    counter[1].reset_state()
    np.testing.assert_array_equal(add(x=2.0)["before"], first["before"])


def test_pickles_and_files_hold_the_state(
    counter: tuple[Counter, td.Model], tmp_path: Path
) -> None:
    model = counter[1]
    model.signatures["add"](x=2.0)
    copy = pickle.loads(pickle.dumps(model))
    model.save(tmp_path / "m.tfd")
    loaded = td.Model(tmp_path / "m.tfd")
    for each in (copy, loaded, model):
        assert each.signatures["peek"]()["count"] == 5
        each.signatures["add"](x=1.0)  # each has its own
        assert each.signatures["peek"]()["count"] == 6
    copy.reset_state()
    assert copy.signatures["peek"]()["count"] == 5
    model.reset_state()
    assert model.signatures["peek"]()["count"] == 3


def test_results_are_the_callers_own(counter: tuple[Counter, td.Model]) -> None:
    add = counter[1].signatures["add"]
    add(x=1.0)["after"][...] = 100
    assert add(x=1.0)["after"] == 5


def test_calls_take_turns(counter: tuple[Counter, td.Model]) -> None:
    add = counter[1].signatures["add"]
    seen: list[float] = []

    def work() -> None:
        seen.extend(float(add(x=1.0)["after"]) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [4.0 + i for i in range(200)]


class Tour(tf.Module):
    """Every way to change a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.Variable(tf.reshape(tf.range(8.0) - 3, [4, 2]))
        self.whole = tf.Variable([8, -7, 5])
        self.free = tf.Variable([1.0], shape=tf.TensorShape(None))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 2])])
    def run(self, at: Any, rows: Any) -> Any:
        raw, table = tf.raw_ops, self.table.handle
        seen = []
        for how in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update"):
            scatter = getattr(raw, f"ResourceScatter{how}")
            scatter(resource=table, indices=at, updates=rows)
            seen.append(self.table.read_value())
        raw.ResourceScatterAdd(resource=table, indices=at, updates=1.0)
        raw.ResourceScatterDiv(resource=self.whole.handle, indices=at[:1] * 0, updates=[-3])
        for how in ("Add", "Sub", "Min", "Max", "Update"):
            scatter = getattr(raw, f"ResourceScatterNd{how}")
            scatter(ref=table, indices=at[:, tf.newaxis], updates=rows)
            seen.append(self.table.read_value())
        self.table[1:3, 0].assign([40.0, 41.0])
        self.whole.assign_sub([1, 2, 3])
        self.free.assign(tf.concat([self.free, [2.0]], 0))
        return [
            *seen,
            self.table.read_value(),
            self.whole.read_value(),
            self.free.read_value(),
            tf.gather(self.table, at),
            raw.ResourceGatherNd(resource=table, indices=at[:, tf.newaxis], dtype=F32),
            raw.VariableShape(input=table),
            raw.VariableShape(input=self.free.handle, out_type=tf.int64),
            raw.VarIsInitializedOp(resource=table),
        ]


def test_every_way_to_change_a_variable() -> None:
    module = Tour()
    model = td.convert(module)
    rng = np.random.default_rng(1)
    for indices in ([2, 0, 2], [1], [3, 1]):
        rows = rng.normal(size=(len(indices), 2)).astype(np.float32)
        want = module.run(tf.constant(indices), tf.constant(rows))
        got = model.signatures["run"](at=np.int32(indices), rows=rows)
        for value, expected in zip(got.values(), want, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-6)
    with pytest.raises(td.EvaluationError, match="7"):
        model.signatures["run"](at=np.int32([7]), rows=rows[:1])


def test_order_inside_loops_and_branches() -> None:
    class Walk(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = tf.Variable(0)
            self.weights = tf.Variable([1.0, 2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([None])])
        def __call__(self, n: Any, x: Any) -> Any:
            for i in tf.range(n):
                if i % 2 == 0:
                    self.at.assign_add(i)
                else:
                    self.at.assign(self.at * 2)
                x = x * tf.gather(self.weights, i % 3) + tf.cast(self.at, F32)
            return x, self.at + 0

    module = Walk()
    model = td.convert(module)
    for n in (3, 0, 5):
        want = module(n, tf.ones(2))
        got = model.signatures["serving_default"](n=n, x=np.ones(2, np.float32))
        for value, expected in zip(got.values(), want, strict=True):
            np.testing.assert_allclose(value, expected)


def test_what_no_output_needs_still_happens() -> None:
    count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([])])
    def function(x: Any) -> Any:
        y = x + 1
        if x > 2:
            count.assign_add(x)
        return y, count.value()

    model = td.convert(function)
    for x in (1.0, 3.0, 4.0):
        want = function(x)
        got = model.signatures["serving_default"](x=x)
        for value, expected in zip(got.values(), want, strict=True):
            np.testing.assert_allclose(value, expected)


def test_references_of_tensorflow_1() -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        v = tf1.get_variable("v", initializer=[1.0, 2.0, 3.0], use_resource=False)
        n = tf1.get_variable("n", initializer=0, use_resource=False)
        x = tf1.placeholder(F32, [], name="x")
        steps = [
            lambda: tf1.assign_add(v, [1.0, 1.0, x]),
            lambda: tf1.assign_sub(v, [0.5, 0.5, 0.5]),
            lambda: tf1.scatter_update(v, [0, 2], [4.0, 5.0]),
            lambda: tf1.scatter_add(v, [1, 1], [1.0, x]),
            lambda: tf1.scatter_sub(v, [1], [3.0]),
            lambda: tf1.scatter_mul(v, [0, 1], [2.0, -1.0]),
            lambda: tf1.scatter_div(v, [0], [3.0]),
            lambda: tf1.scatter_min(v, [0, 1], [0.0, 1.0]),
            lambda: tf1.scatter_max(v, [0, 1], [9.0, 1.5]),
            lambda: tf1.scatter_nd_update(v, [[1]], [2.5]),
            lambda: tf1.scatter_nd_add(v, [[1], [1]], [1.0, 1.0]),
            lambda: tf1.scatter_nd_sub(v, [[0]], [1.0]),
            lambda: tf1.assign(v, v.read_value() * 2.0),
            lambda: v[1:].assign([x, 8.0]),
            lambda: tf1.assign(tf.raw_ops.RefIdentity(input=v.op.outputs[0]), [3.0, x, 1.0]),
        ]
        seen: list[Any] = []
        last: Any = tf.no_op()
        for step in steps:
            with tf.control_dependencies([last]):
                last = step()
            with tf.control_dependencies([last]):
                last = v.read_value() * 1.0
                seen.append(last)
        with tf.control_dependencies([last]):
            counted = tf1.count_up_to(n, 3)
        out = tf.stack(seen, name="out")
        known = tf.identity(tf1.is_variable_initialized(v), name="known")
        session.run(tf1.global_variables_initializer())
        model = td.convert([out, counted, known], session=session)
        fetched = [out.name, counted.name, known.name]
        for value in (1.0, -2.0):
            for got, want in zip(
                model.eval(fetched, {"x:0": value}),
                session.run([out, counted, known], {x: value}),
                strict=True,
            ):
                np.testing.assert_allclose(got, want, rtol=1e-6)
        used = ops_of(model._entries[0].graph)
    names = {
        name
        for record in registry.all_ops()
        for name in record.names
        if record.family == "variables" and not name.startswith(("Resource", "Var"))
    }
    later = {"ScatterNdMin", "ScatterNdMax", "Variable", "DestroyResourceOp"}  # have no API
    later |= {"TemporaryVariable", "DestroyTemporaryVariable"}
    assert names - later <= used | {"ReadVariableOp", "AssignVariableOp"} | {
        name for name in names if name.endswith("VariableOp")
    }


def test_variables_of_a_call_alone() -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(F32, [2], name="x")
        held = tf.raw_ops.TemporaryVariable(shape=[2], dtype=F32, var_name="held")
        first = tf1.assign(held, x)
        with tf.control_dependencies([first]):
            second = tf1.assign_add(held, x * 3.0)
        out = tf.raw_ops.DestroyTemporaryVariable(ref=second, var_name="held")
        model = td.convert(out, session=session)
        for values in ([1.0, 2.0], [5.0, -1.0]):
            np.testing.assert_array_equal(model(np.float32(values)), session.run(out, {x: values}))


def test_handles_that_are_passed_on() -> None:
    weight = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([2])])
    def function(x: Any) -> Any:
        tf.raw_ops.DisableCopyOnRead(resource=weight.handle)
        weight.assign_add(x)
        return weight + 0.0

    model = td.convert(function)
    for _ in range(2):
        np.testing.assert_array_equal(model(np.float32([1, 2])), function(tf.constant([1.0, 2.0])))


def test_seeds_of_keras_layers_move_on(tmp_path: Path) -> None:
    """Augmentation draws other numbers in every call, the ones that TensorFlow draws."""

    class Noisy(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.seed = keras.random.SeedGenerator(7)

        def call(self, x: Any) -> Any:
            return x + keras.random.normal(tf.shape(x), seed=self.seed)

    model = keras.Sequential([keras.Input((3,)), kl.Rescaling(1.0)])
    noisy = Noisy()
    noisy(np.zeros((2, 3), np.float32))
    archive = keras.export.ExportArchive()
    archive.track(noisy)
    spec = tf.TensorSpec([None, 3], F32, "x")
    archive.add_endpoint("serve", lambda x: noisy(model(x)), [spec])
    archive.write_out(str(tmp_path / "m"), verbose=False)
    loaded, converted = tf.saved_model.load(str(tmp_path / "m")), td.convert(tmp_path / "m")
    x = np.zeros((2, 3), np.float32)
    calls = []
    for _ in range(3):
        calls.append(converted(x))
        np.testing.assert_allclose(calls[-1], loaded.serve(x), rtol=1e-6, atol=1e-7)
    assert np.abs(calls[0] - calls[1]).max() > 0.01


def test_an_uninitialised_variable_is_named() -> None:
    with tf.Graph().as_default() as graph:
        v = tf1.get_variable("v", [2], use_resource=True)
        y = tf.identity(v.read_value(), name="y")
        tf1.assign_add(v, [1.0, 1.0])
        definition = graph.as_graph_def()
    with pytest.raises(td.ConversionError, match="'v' has no value"):
        td.convert(definition, outputs=y.name)


@pytest.mark.parametrize("resource", [True, False])
def test_a_session_s_variable_may_get_its_first_value_from_the_graph(resource: bool) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(F32, [2], "x")
        v = tf1.get_variable("v", [2], use_resource=resource)
        known = tf1.is_variable_initialized(v)
        with tf.control_dependencies([known]):
            assigned = tf1.assign(v, x * 2.0)
        with tf.control_dependencies([assigned]):
            y = tf.identity(v.read_value() + tf.cast(known, F32), "y")
        model = td.convert([y], session=session)
        fed = np.array([1.0, -2.0], np.float32)
        for _ in range(2):
            np.testing.assert_array_equal(model(fed), session.run(y, {x: fed}))
