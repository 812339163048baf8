"""Traced functions with control flow and lists of tensors against TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import tfdeploy as td
from tfdeploy.graph.graph import Graph, functions, replace
from tfdeploy.graph.types import Dim
from tfdeploy.ops import registry
from tfdeploy.ops.lists import TensorList
from tfdeploy.storage import tfd

RAW = tf.raw_ops
F32 = tf.float32
SCALAR = np.zeros(0, np.int32)

Row = tuple[Callable[..., Any], list[tf.TensorSpec], list[tuple[Any, ...]]]
ROWS: dict[str, Row] = {}


def shows(
    *specs: tf.TensorSpec, feeds: list[tuple[Any, ...]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function that both sides run on each of `feeds`."""

    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        ROWS[function.__name__] = function, list(specs), feeds
        return function

    return note


def spec(*shape: int | None, dtype: tf.DType = F32, rank: bool = True) -> tf.TensorSpec:
    return tf.TensorSpec(shape if rank else None, dtype)


def number() -> tf.TensorSpec:
    return tf.TensorSpec([], tf.int32)


def grid(*shape: int) -> np.ndarray:
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return values.astype(np.float32)


@cache
def traced(name: str) -> Any:
    function, specs, _ = ROWS[name]
    return tf.function(function, autograph=True).get_concrete_function(*specs)


def compare(concrete: Any, model: td.Model, feeds: tuple[Any, ...]) -> None:
    given = zip(feeds, concrete.inputs, strict=False)
    want = concrete(*[tf.constant(feed, held.dtype) for feed, held in given])
    want = want if isinstance(want, (list, tuple)) else [want]
    signature = model.signatures["serving_default"]
    got = signature(dict(zip(signature.inputs, feeds, strict=True)))
    assert len(got) == len(want)
    for value, expected in zip(got.values(), want, strict=True):
        expected = expected.numpy()
        if not isinstance(expected, np.ndarray) or expected.dtype == object:
            np.testing.assert_array_equal(value, np.asarray(expected, value.dtype))
            continue
        assert value.dtype == expected.dtype and value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-6)


# Control flow


@shows(spec(None, 2), number(), feeds=[(grid(1, 2), 0), (grid(1, 2), 3), (grid(0, 2), 2)])
def loop_that_grows(x: Any, n: Any) -> Any:
    """Extents that the body changes."""
    i = tf.constant(0)
    return tf.while_loop(
        lambda i, x: i < n,
        lambda i, x: (i + 1, tf.concat([x, x + 1], 0)),
        [i, x],
        shape_invariants=[i.shape, tf.TensorShape([None, 2])],
    )


@shows(spec(3), number(), feeds=[(grid(3), 0), (grid(3), 2)])
def loop_that_changes_rank(x: Any, n: Any) -> Any:
    i = tf.constant(0)
    return tf.while_loop(
        lambda i, x: i < n,
        lambda i, x: (i + 1, x[tf.newaxis]),
        [i, x],
        shape_invariants=[i.shape, tf.TensorShape(None)],
    )[1]


@shows(spec(None, 3), feeds=[(grid(4, 3),), (grid(1, 3),)])
def invariants_keep_their_shape(x: Any) -> Any:
    w = x * 2.0
    total = tf.zeros_like(x)
    for i in tf.range(3):
        total = total + w * tf.cast(i, F32)
    return total


@shows(number(), number(), feeds=[(7, 3), (1, 1), (0, 9), (27, 50)])
def autograph_with_early_exits(n: Any, stop: Any) -> Any:
    """Collatz steps; break, continue and a while inside a for."""
    odd = 0
    steps = 0
    while n > 1:
        steps += 1
        if steps > stop:
            break
        if n % 2 == 0:
            n = n // 2
            continue
        odd += 1
        n = 3 * n + 1
    inner = 0
    for i in tf.range(3):
        j = i
        while j < 4:
            inner += i * j
            j += 1
    return n, odd, steps, inner


@shows(spec(None), feeds=[([2.0, 3.0],), ([0.5, 3.0],), ([-1.0, 0.0],)])
def nested_conditions(x: Any) -> Any:
    def positive() -> Any:
        return tf.cond(x[0] > 1, lambda: x * 2, lambda: x * 3)

    return tf.cond(tf.reduce_sum(x) > 0, positive, lambda: -x)


@shows(number(), spec(None), feeds=[(k, grid(3)) for k in (0, 1, 2, 3, -1)])
def chosen_branch(i: Any, x: Any) -> Any:
    return tf.switch_case(i, [lambda: x + 1, lambda: x * 2, lambda: x - 1])


@shows(number(), spec(None), feeds=[(0, grid(3)), (1, grid(3))])
def chosen_branch_of_a_shape(i: Any, x: Any) -> Any:
    """Branches give other shapes."""
    return tf.switch_case(i, [lambda: x[:1], lambda: tf.concat([x, x], 0)])


@shows(spec(None, dtype=tf.int32), feeds=[([3, 1, 2],), ([],)])
def condition_that_is_no_scalar(x: Any) -> Any:
    """Any element makes it true."""

    @tf.function
    def yes() -> Any:
        return tf.constant(1)

    @tf.function
    def no() -> Any:
        return tf.constant(0)

    return RAW.If(
        cond=x, input=[], Tout=[tf.int32],
        then_branch=yes.get_concrete_function(), else_branch=no.get_concrete_function(),
    )  # fmt: skip


@shows(
    *(spec(dtype=d, rank=False) for d in (F32, tf.string)),
    feeds=[(0.0, b""), (-1.5, b"x"), (np.zeros(2), np.zeros(0, object)), (np.nan, [b""])],
)
def conditions_as_such(x: Any, text: Any) -> Any:
    return RAW.ToBool(input=x), RAW.ToBool(input=text)


@shows(number(), spec(2), feeds=[(0, grid(2)), (4, grid(2))])
def for_loop(n: Any, x: Any) -> Any:
    @tf.function(input_signature=[number(), spec(2), spec(2)])
    def body(i: Any, x: Any, y: Any) -> Any:
        return x + y * tf.cast(i, F32), y

    return RAW.For(start=0, limit=n, delta=1, input=[x, x], body=body.get_concrete_function())


@shows(number(), spec(2), feeds=[(k, grid(2)) for k in (0, 1, 5)])
def stateful_branches(i: Any, x: Any) -> Any:
    """Assertions make the ops stateful: If, While and Case."""
    tf.debugging.assert_less(i, 9)
    j = i
    while j < 3:
        tf.debugging.assert_less(j, 7)
        if j > 1:
            tf.debugging.assert_less(i, 8)
            x = x + 1
        j += 1

    def checked() -> Any:
        tf.debugging.assert_less(i, 7)
        return x * 2

    return tf.switch_case(i, [lambda: x, checked])


@shows(spec(None, 4), feeds=[(grid(3, 4),)])
def loop_inside_a_branch_inside_a_loop(x: Any) -> Any:
    for i in tf.range(3):
        if i != 1:
            k = tf.constant(0)
            while k < i + 1:
                x = tf.tanh(x) + tf.cast(k, F32)
                k += 1
        else:
            x = x / 2
    return x


# Lists


@shows(spec(None, 3), feeds=[(grid(4, 3),), (grid(1, 3),)])
def mapped(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.reduce_sum(row) * row, x)


@shows(spec(None, 3), feeds=[(grid(4, 3),)])
def mapped_twice(x: Any) -> Any:
    """Lists inside of loops over lists; several outputs of other dtypes."""
    return tf.map_fn(
        lambda row: (tf.map_fn(lambda v: v * v, row), tf.argmax(row)),
        x,
        fn_output_signature=(F32, tf.int64),
    )


@shows(spec(None, 3), feeds=[(grid(5, 3),)])
def scanned(x: Any) -> Any:
    return tf.scan(lambda a, row: a * 0.5 + row, x), tf.scan(
        lambda a, row: a + row, x, initializer=tf.ones(3), reverse=True
    )


@shows(spec(None, 2), feeds=[(grid(5, 2),)])
def folded(x: Any) -> Any:
    return tf.foldl(lambda a, row: a * row, x), tf.foldr(lambda a, row: a - row, x)


@shows(number(), spec(3), feeds=[(k, np.ones(3, np.float32)) for k in (1, 3, 12)])
def array_that_grows(n: Any, x: Any) -> Any:
    rows = tf.TensorArray(F32, 0, dynamic_size=True, element_shape=[3])
    total = tf.zeros_like(x)
    i = 0
    while i < n:
        total += x
        if tf.reduce_sum(total) > 20:
            break
        rows = rows.write(i, total)
        i += 1
    return rows.stack(), i, rows.size()


@shows(number(), feeds=[(4,), (1,), (9,)])
def array_of_other_lengths(n: Any) -> Any:
    """Elements of a dynamic shape, one after the other."""
    rows = tf.TensorArray(tf.int32, n, infer_shape=False, element_shape=[None])
    for i in tf.range(n):
        rows = rows.write(i, tf.range(i))
    return rows.concat()


@shows(spec(None, 2), feeds=[(grid(6, 2),)])
def greedy_decoder(weights: Any) -> Any:
    """Tokens until a stop token or the end of the room."""
    tokens = tf.TensorArray(tf.int32, 8, element_shape=[])
    state = tf.ones(2)
    i, token = 0, 0
    while tf.logical_and(i < 8, token != 5):
        scores = tf.linalg.matvec(weights, state)
        token = tf.argmax(scores, output_type=tf.int32)
        tokens = tokens.write(i, token)
        state = tf.tanh(state * 0.9 + tf.gather(weights, token))
        i += 1
    return tokens.stack(), i


@shows(spec(None, None), number(), feeds=[(grid(6, 6), 4)])
def beam_search(logits: Any, steps: Any) -> Any:
    """Sequences grow by one token a step."""
    tokens = tf.zeros([3, 1], tf.int32)
    scores = tf.constant([0.0, -1e9, -1e9])
    i = 0
    while i < steps:
        tf.autograph.experimental.set_loop_options(
            shape_invariants=[(tokens, tf.TensorShape([3, None]))]
        )
        step = tf.nn.log_softmax(tf.gather(logits, tokens[:, -1])) + scores[:, tf.newaxis]
        scores, flat = tf.math.top_k(tf.reshape(step, [-1]), 3)
        width = tf.shape(logits)[1]
        tokens = tf.concat([tf.gather(tokens, flat // width), (flat % width)[:, tf.newaxis]], 1)
        i += 1
    return tokens, scores


@shows(spec(3, 2), feeds=[(grid(3, 2),)])
def list_values(x: Any) -> Any:
    """An op that changes a list gives another; the old one stays what it was."""
    first = RAW.TensorListFromTensor(tensor=x, element_shape=[2])
    second = RAW.TensorListSetItem(input_handle=first, index=1, item=[7.0, 8.0])
    third = RAW.TensorListSetItem(input_handle=first, index=1, item=[9.0, 9.0])
    longer = RAW.TensorListPushBack(input_handle=second, tensor=[5.0, 5.0])
    shorter, last = RAW.TensorListPopBack(input_handle=second, element_shape=[2], element_dtype=F32)
    again = RAW.TensorListSetItem(input_handle=shorter, index=0, item=[0.0, 1.0])
    lists = [first, second, third, longer, shorter, again]
    return [last, *(stacked(each) for each in lists)]


def stacked(handle: Any, shape: Any = (2,), dtype: tf.DType = F32) -> Any:
    return RAW.TensorListStack(input_handle=handle, element_shape=shape, element_dtype=dtype)


@shows(spec(2, 2), number(), feeds=[(grid(2, 2), 0), (grid(2, 2), 3)])
def lists_of_numbers_add(x: Any, n: Any) -> Any:
    """Elements that are not set count as zeros."""
    whole = RAW.TensorListFromTensor(tensor=x, element_shape=[2])
    half = RAW.TensorListReserve(element_shape=[2], num_elements=2, element_dtype=F32)
    half = RAW.TensorListSetItem(input_handle=half, index=1, item=x[n % 2])
    zeros = RAW.ZerosLike(x=whole)
    total = RAW.AddN(inputs=[whole, half, zeros, half])
    return [stacked(total), stacked(zeros), stacked(RAW.ZerosLike(x=half), [-1])]


@shows(spec(2, 2), number(), feeds=[(grid(2, 2), 0), (grid(2, 2), 3)])
def gradient_through_a_branch(x: Any, n: Any) -> Any:
    """The branch hands its values to the gradient as optionals."""
    y = tf.cond(n > 1, lambda: tf.sin(x) * x, lambda: x)
    return tf.gradients(y, x)


@shows(spec(2), feeds=[(grid(2),)])
def optionals(x: Any) -> Any:
    some, none = RAW.OptionalFromValue(components=[x, x[:1]]), RAW.OptionalNone()
    both = RAW.AddN(inputs=[some, some, RAW.ZerosLike(x=some)])
    return [
        *RAW.OptionalGetValue(optional=both, output_types=[F32, F32], output_shapes=[[2], None]),
        *(RAW.OptionalHasValue(optional=o) for o in (some, none, RAW.ZerosLike(x=none))),
    ]


@shows(spec(rank=False), feeds=[(grid(2),), (grid(3, 2),)])
def values_of_unknown_rank(x: Any) -> Any:
    """Two unknown shapes are not one shape, and fused functions want a known one."""
    most = tf.reduce_max(x, axis=0, keepdims=True)
    return [tf.reshape(most, tf.shape(tf.reduce_sum(x, axis=0))), tf.nn.gelu(x)]


@shows(spec(3), feeds=[(grid(3),)])
def map_over_a_sparse_tensor(x: Any) -> Any:
    sparse = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], x, [2, 2])
    result = tf.map_fn(lambda row: row * 2.0, sparse)
    return [result.indices, result.values, result.dense_shape]


@shows(number(), feeds=[(0,), (3,)])
def lists_not_set(n: Any) -> Any:
    """Zeros of the shape that is declared, asked for, or that other elements have."""
    declared = RAW.TensorListReserve(element_shape=[2], num_elements=n + 1, element_dtype=F32)
    open_list = RAW.TensorListReserve(element_shape=[-1], num_elements=2, element_dtype=F32)
    half = RAW.TensorListSetItem(input_handle=open_list, index=0, item=[1.0, 2.0, 3.0])
    texts = RAW.TensorListReserve(element_shape=SCALAR, num_elements=2, element_dtype=tf.string)
    return [
        stacked(declared),
        stacked(open_list, [4]),
        stacked(half, [-1]),
        item(half, 1, [-1]),
        item(open_list, 1, [3]),
        item(texts, 1, SCALAR, tf.string),
        stacked(texts, SCALAR, tf.string),
        RAW.TensorListLength(input_handle=declared),
        RAW.TensorListElementShape(input_handle=declared, shape_type=tf.int32),
        RAW.TensorListElementShape(input_handle=open_list, shape_type=tf.int64),
    ]


def item(handle: Any, index: int, shape: Any, dtype: tf.DType = F32) -> Any:
    return RAW.TensorListGetItem(
        input_handle=handle, index=index, element_shape=shape, element_dtype=dtype
    )


@shows(spec(4, 2), feeds=[(grid(4, 2),)])
def list_pieces(x: Any) -> Any:
    rows = RAW.TensorListFromTensor(tensor=x, element_shape=[2])
    empty = RAW.EmptyTensorList(element_shape=-1, max_num_elements=2, element_dtype=F32)
    both = RAW.TensorListConcatLists(input_a=rows, input_b=rows, element_dtype=F32)
    scattered = RAW.TensorListScatter(tensor=x, indices=[5, 0, 2, 1], element_shape=[2])
    second = RAW.TensorListScatterV2(
        tensor=x, indices=[3, 0, 2, 1], element_shape=[2], num_elements=-1
    )
    into = RAW.TensorListScatterIntoExistingList(
        input_handle=rows, tensor=x[:2] * 10.0, indices=[1, 4]
    )
    split = RAW.TensorListSplit(tensor=x, element_shape=[-1, 2], lengths=[1, 0, 3])
    return [
        RAW.TensorListGather(
            input_handle=rows, indices=[2, 0, 2], element_shape=[2], element_dtype=F32
        ),
        stacked(RAW.TensorListResize(input_handle=rows, size=2)),
        stacked(RAW.TensorListResize(input_handle=rows, size=6)),
        stacked(RAW.TensorListPushBack(input_handle=empty, tensor=x), [4, 2]),
        stacked(both), stacked(scattered), stacked(second), stacked(into),
        *RAW.TensorListConcat(input_handle=split, element_dtype=F32),
        *RAW.TensorListConcatV2(
            input_handle=split, element_shape=[-1, 2], leading_dims=[], element_dtype=F32
        ),
        item(split, 2, [-1, 2]),
    ]  # fmt: skip


@shows(spec(None, 3), feeds=[(grid(2, 3),)])
def batches_of_calls(x: Any) -> Any:
    return tf.nondifferentiable_batch_function(1, 8, 10)(lambda a: (a * 3.0, tf.reduce_sum(a, 1)))(
        x
    )


@shows(spec(5), feeds=[(np.array([1.5, -2, 3, 0.5, 4], np.float32),)])
def gradients_of_ragged_rows(x: Any) -> Any:
    rows = tf.RaggedTensor.from_row_splits(x, [0, 2, 2, 5])
    squares = tf.map_fn(lambda row: row**2, rows)
    sums = tf.map_fn(lambda row: tf.reduce_sum(row**3), rows, fn_output_signature=F32)
    return tf.gradients(tf.reduce_sum(squares.flat_values * x) + tf.reduce_sum(sums), x)


@shows(spec(2, 2), feeds=[(grid(2, 2),)])
def lists_with_gaps(x: Any) -> Any:
    def joined(element_shape: Any, leading_dims: Any) -> Any:
        empty = RAW.TensorListReserve(
            element_shape=element_shape, num_elements=3, element_dtype=F32
        )
        return RAW.TensorListConcatV2(
            input_handle=RAW.TensorListSetItem(input_handle=empty, index=1, item=x),
            element_shape=tf.constant([-1, 2]),
            leading_dims=tf.constant(leading_dims, tf.int64),
            element_dtype=F32,
        )

    return [
        *joined([-1, 2], [1, 2, 3]), *joined(-1, [1, 5, 3]), *joined([-1, 2], []),
        *joined([2, 2], []), *joined([2, 2], [1]), *joined(-1, [4]),
    ]  # fmt: skip


@shows(spec(2, 3), feeds=[(grid(2, 3),)])
def lists_in_a_batch(x: Any) -> Any:
    one = RAW.EmptyTensorList(element_shape=[3], max_num_elements=-1, element_dtype=F32)
    two = RAW.TensorListPushBack(input_handle=one, tensor=x[0])
    pushed = RAW.TensorListPushBackBatch(input_handles=tf.stack([one, two]), tensor=x)
    first, second = tf.unstack(pushed)
    return stacked(first, [3]), stacked(second, [3])


@shows(spec(), feeds=[(2.5,)])
def maps(x: Any) -> Any:
    empty = RAW.EmptyTensorMap()
    one = RAW.TensorMapInsert(input_handle=empty, key=3, value=x)
    two = RAW.TensorMapInsert(input_handle=one, key=3, value=x * 2.0)
    gone = RAW.TensorMapErase(input_handle=two, key=3, value_dtype=F32)
    more = RAW.TensorMapInsert(input_handle=two, key=4, value=x * 5.0)
    total = RAW.AddN(inputs=[one, more, two])
    return [
        RAW.TensorMapLookup(input_handle=total, key=3, value_dtype=F32),
        RAW.TensorMapLookup(input_handle=total, key=4, value_dtype=F32),
        RAW.TensorMapSize(input_handle=RAW.ZerosLike(x=two)),
        RAW.TensorMapLookup(input_handle=one, key=3, value_dtype=F32),
        RAW.TensorMapLookup(input_handle=two, key=3, value_dtype=F32),
        RAW.TensorMapHasKey(input_handle=two, key=3),
        RAW.TensorMapHasKey(input_handle=gone, key=3),
        RAW.TensorMapSize(input_handle=two),
        RAW.TensorMapStackKeys(input_handle=two, key_dtype=tf.int32),
    ]


@pytest.mark.parametrize("name", ROWS)
def test_equals_tensorflow(name: str) -> None:
    concrete = traced(name)
    model = td.convert(concrete)
    for feeds in ROWS[name][2]:
        compare(concrete, model, feeds)


@pytest.mark.parametrize("name", ["loop_that_grows", "mapped_twice", "chosen_branch"])
def test_from_files(name: str, tmp_path: Any) -> None:
    """Through a SavedModel, and through our own file."""
    concrete = traced(name)
    module = tf.Module()
    module.f = concrete
    signatures = {"serving_default": concrete_dict(name)}
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=signatures)
    model = td.convert(tmp_path / "saved")
    model.save(tmp_path / "m.tfd")
    feeds = ROWS[name][2][-1]
    direct = td.convert(concrete).signatures["serving_default"]
    want = direct(dict(zip(direct.inputs, feeds, strict=True)))
    for each in (model, td.Model(tmp_path / "m.tfd")):
        signature = each.signatures["serving_default"]
        given = dict(zip(sorted(signature.inputs), feeds, strict=True))
        for got, expected in zip(signature(given).values(), want.values(), strict=True):
            np.testing.assert_array_equal(got, expected)


def concrete_dict(name: str) -> Any:
    """The function with its results by name, as signatures want them."""
    function, specs, _ = ROWS[name]
    names = [f"in_{i}" for i in range(len(specs))]
    converted = tf.autograph.to_graph(function) if name.startswith("autograph") else function

    def run(**inputs: Any) -> Any:
        results = converted(*[inputs[n] for n in names])
        results = results if isinstance(results, (list, tuple)) else [results]
        return {f"out_{i}": r for i, r in enumerate(results)}

    given = {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in zip(names, specs, strict=True)}
    return tf.function(run).get_concrete_function(**given)


def ops_of(graph: Graph) -> set[str]:
    found = {node.op for node in graph.nodes}
    for inner in graph.subgraphs.values():
        found |= ops_of(inner)
    return found


def test_every_op_is_shown() -> None:
    shown: set[str] = set()
    for name in ROWS:
        shown |= ops_of(td.convert(traced(name))._entries[0].graph)
    names = {
        name
        for record in registry.all_ops()
        for name in record.names
        if record.family in ("control", "lists")
    }
    assert not names - shown


def test_only_the_branch_that_is_taken_runs() -> None:
    @tf.function(input_signature=[spec(None)])
    def function(x: Any) -> Any:
        def inverse() -> Any:
            tf.debugging.assert_none_equal(x, 0.0)
            return 1.0 / x

        return tf.cond(x[0] > 0, inverse, lambda: x)

    model = td.convert(function)
    assert model(np.float32([-1, 0])).tolist() == [-1, 0]
    with pytest.raises(td.EvaluationError, match="assert"):
        model(np.float32([1, 0]))


def test_a_branch_that_cannot_be_fails_only_where_it_runs() -> None:
    """Shapes that TensorFlow finds out later are known here when the branch is converted."""

    @tf.function(input_signature=[spec(None, 3), number()])
    def function(x: Any, n: Any) -> Any:
        width = tf.shape(x)[1] - 1

        def wrong() -> Any:
            return x + tf.reshape(x, tf.stack([-1, width]))

        known = tf.cond(width > 2, wrong, lambda: x * 2)
        return tf.cond(n > 0, wrong, lambda: x * 3) + known

    model = td.convert(function.get_concrete_function())
    x = grid(2, 3)
    np.testing.assert_allclose(model(x=x, n=np.int32(0)), x * 5, rtol=1e-6)
    with pytest.raises(td.EvaluationError, match=r"wrong|AddV2"):
        model(x=x, n=np.int32(1))


def test_errors_name_the_path() -> None:
    @tf.function(input_signature=[spec(None), number()])
    def function(x: Any, n: Any) -> Any:
        total = 0.0
        for i in tf.range(n):
            if i > 1:
                total += tf.gather(x, i)
        return total

    model = td.convert(function)
    feeds = {"x": np.ones(2, np.float32)}
    assert model(feeds, n=2) == 0
    with pytest.raises(td.EvaluationError, match=r"while\.body/\S*then_branch/\S*GatherV2"):
        model(feeds, n=5)


def test_types_of_loops() -> None:
    """Extents that the body leaves alone keep their meaning; those that it changes are open."""
    graph = td.convert(traced("loop_that_grows"))._entries[0].graph
    (loop,) = [node for node in graph.nodes if "While" in node.op]
    grown = next(t for t in loop.types if t.rank == 2)
    assert isinstance(grown.shape[0], Dim) and grown.shape[0] != Dim.symbol("x.0")
    assert grown.shape[1] == 2
    graph = td.convert(traced("invariants_keep_their_shape"))._entries[0].graph
    (loop,) = [node for node in graph.nodes if "While" in node.op]
    assert {t.shape for t in loop.types if t.rank == 2} == {(Dim.symbol("x.0"), 3)}
    model = td.convert(traced("mapped"))
    (output,) = model.signatures["serving_default"]._outputs.values()
    graph = model._entries[0].graph
    assert graph.type(output).shape == (Dim.symbol("x.0"), 3)


def test_variables_that_nothing_assigns_are_constants_in_bodies() -> None:
    weight = tf.Variable([[2.0, 1.0], [0.5, 3.0]])

    @tf.function(input_signature=[spec(None, 2)])
    def function(x: Any) -> Any:
        for _ in tf.range(2):
            x = tf.matmul(x, weight) + tf.gather(weight, 0)
        return x

    model = td.convert(function)
    graph = model._entries[0].graph
    assert not ops_of(graph) & {"VarHandleOp", "ReadVariableOp", "ResourceGather"}
    compare(function.get_concrete_function(), model, (grid(3, 2),))


def test_two_signatures_share_the_same_loops(tmp_path: Any) -> None:
    module = tf.Module()
    module.weight = tf.Variable(grid(3, 3))

    def function(x: Any) -> Any:
        return {"y": tf.map_fn(lambda row: tf.linalg.matvec(module.weight, row), x)}

    given = tf.TensorSpec([None, 3], F32, "x")
    both = {n: tf.function(function).get_concrete_function(given) for n in ("a", "b")}
    tf.saved_model.save(module, str(tmp_path), signatures=both)
    graph = td.convert(tmp_path)._entries[0].graph
    assert sum("While" in node.op for node in graph.nodes) == 1
    named = {f.name for node in graph.nodes for f in functions(node.attrs)}
    assert named == set(graph.subgraphs)


def test_recursion_is_an_error() -> None:
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.int32.as_datatype_enum
    call = graph.node.add(name="call", op="StatelessIf", input=["x", "x"])
    function = graph.library.function.add()
    function.signature.name = "f"
    function.signature.input_arg.add(name="a", type=tf.int32.as_datatype_enum)
    function.signature.output_arg.add(name="r", type=tf.int32.as_datatype_enum)
    inner = function.node_def.add(name="again", op="StatelessIf", input=["a", "a"])
    function.ret["r"] = "again:output:0"
    for node in (call, inner):
        for name in ("then_branch", "else_branch"):
            node.attr[name].func.name = "f"
        node.attr["Tout"].list.type.append(tf.int32.as_datatype_enum)
    with pytest.raises(td.UnsupportedError, match="calls itself"):
        td.convert(graph, outputs="call:0")


def test_a_branch_that_no_library_holds() -> None:
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.int32.as_datatype_enum
    call = graph.node.add(name="call", op="StatelessIf", input=["x", "x"])
    for name in ("then_branch", "else_branch"):
        call.attr[name].func.name = "nowhere"
    with pytest.raises(td.ConversionError, match="'nowhere', which the library does not"):
        td.convert(graph, outputs="call:0")


def test_a_file_whose_function_is_missing_is_refused(tmp_path: Any) -> None:
    model = td.convert(traced("mapped"))
    model.save(tmp_path / "whole.tfd")
    stored = model._stored()
    (graph,) = stored.graphs
    broken = replace(graph, subgraphs={k: v for k, v in graph.subgraphs.items() if "cond" in k})
    tfd.write(str(tmp_path / "m.tfd"), stored._replace(graphs=[broken]))
    with pytest.raises(td.FormatError, match=r"no subgraph '\S*body'"):
        td.Model(tmp_path / "m.tfd")


def test_a_function_of_other_arguments_is_an_error(tmp_path: Any) -> None:
    model = td.convert(traced("mapped"))
    graph = model._entries[0].graph
    (body,) = [g for name, g in graph.subgraphs.items() if "body" in name]
    del body.inputs[-1]
    with pytest.raises(td.EvaluationError, match="While"):
        model(grid(2, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: item(RAW.TensorListFromTensor(tensor=x, element_shape=[2]), 7, [2]), "7"),
        (lambda x: item(RAW.TensorListFromTensor(tensor=x, element_shape=[2]), -1, [2]), "-1"),
        (lambda x: RAW.TensorListPopBack(
            input_handle=RAW.EmptyTensorList(
                element_shape=[2], max_num_elements=-1, element_dtype=F32),
            element_shape=[2], element_dtype=F32).tensor, "empty list"),
        (lambda x: item(RAW.TensorListReserve(
            element_shape=-1, num_elements=2, element_dtype=F32), 0, -1), "not set"),
        (lambda x: stacked(RAW.TensorListSetItem(
            input_handle=RAW.TensorListReserve(
                element_shape=[3], num_elements=2, element_dtype=F32),
            index=0, item=x), -1), "shape"),
        (lambda x: RAW.TensorMapLookup(
            input_handle=RAW.EmptyTensorMap(), key=1, value_dtype=F32), "key"),
    ],
)  # fmt: skip
def test_what_tensorflow_refuses(change: Callable[[Any], Any], message: str) -> None:
    @tf.function(input_signature=[tf.TensorSpec(None)])
    def function(x: Any) -> Any:
        return change(x)

    model = td.convert(function)
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.OpError)):
        function(grid(2, 2))
    with pytest.raises(td.EvaluationError, match=message):
        model(grid(2, 2))


def test_lists_stay_values_whatever_happens_to_later_ones() -> None:
    """Against plain Python lists, old versions used at random."""
    rng = np.random.default_rng(5)
    start = [np.asarray(i) for i in range(6)]
    versions = [(TensorList(td.dtypes.INT64, (), list(start)), list(start))]
    for step in range(2000):
        if len(versions) > 40:
            versions = [versions[i] for i in rng.permutation(len(versions))[:20]]
        made, plain = versions[-1] if rng.random() < 0.7 else versions[rng.integers(len(versions))]
        value, plain = np.asarray(step), list(plain)
        choice = rng.integers(3)
        if choice == 0 or not plain:
            made = made.push(value)
            plain.append(value)
        elif choice == 1:
            made = made.pop()
            plain.pop()
        else:
            at = int(rng.integers(len(plain)))
            made, plain[at] = made.set(at, value), value
        versions.append((made, plain))
    for made, plain in versions:
        assert all(a is b for a, b in zip(made.items(), plain, strict=True))


def test_a_list_that_waits_does_not_keep_what_was_replaced() -> None:
    import gc
    import weakref

    class Item:
        """Stands for an array, and can be watched."""

        shape = ()

    waiting = TensorList(td.dtypes.FLOAT32, (), [Item() for _ in range(4)])
    watched, at = [], waiting
    for step in range(5000):
        made = Item()
        watched.append(weakref.ref(made))
        at = at.set(step % 4, made)
    del made
    gc.collect()
    assert sum(ref() is not None for ref in watched) < 400
    assert len(waiting.items()) == 4
