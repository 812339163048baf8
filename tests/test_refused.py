"""Ops that tfdeploy refuses: one error tells all of them, where nothing needs them they go."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import tfdeploy as td
from tests.test_control import ops_of
from tfdeploy.ops import refused

v1 = tf.compat.v1


@pytest.fixture
def graph() -> tf.Graph:
    """Two files are read, a queue is counted, a log is written, a checkpoint is saved."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [2], "x")
        v1.placeholder(tf.string, [], "path")
        files = [tf.raw_ops.ReadFile(filename="/etc/" + n, name=f"read_{n}") for n in "ab"]
        tf.strings.join(files, name="text")
        queue = tf.queue.FIFOQueue(3, [tf.float32], [[2]], name="queue")
        tf.add(x, tf.cast(queue.size("size"), tf.float32), name="y")
        saving = tf.raw_ops.SaveV2(
            prefix="/nowhere/a", tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )
        with tf.control_dependencies([saving]):
            tf.negative(x, name="z")
        tf.square(x, name="fine")
    return graph


def test_one_error_lists_every_refused_op(graph: tf.Graph) -> None:
    with pytest.raises(td.UnsupportedError) as caught:
        td.convert(graph.as_graph_def(), inputs=["x"], outputs=["text", "y", "z"])
    lines = str(caught.value).splitlines()
    assert "4 op type(s)" in lines[0]
    (read,) = (i for i, line in enumerate(lines) if "ReadFile" in line)
    assert "2 x" in lines[read] and "read_a, read_b" in lines[read]
    assert "Reads files" in lines[read + 1]
    (size,) = (i for i, line in enumerate(lines) if "QueueSizeV2" in line)
    assert any("pipeline" in line and "inputs=" in line for line in lines[size + 1 : size + 3])
    (save,) = (i for i, line in enumerate(lines) if "SaveV2" in line)
    assert "outputs=" in lines[save + 1]


def test_beside_unknown_ops_both_are_told(graph: tf.Graph) -> None:
    definition = graph.as_graph_def()
    definition.node.add(name="odd", op="Frobnicate", input=["text"])
    with pytest.raises(td.UnknownOperationException) as caught:
        td.convert(definition, inputs=["x"], outputs=["odd"])
    assert set(caught.value.missing) == {"Frobnicate", "ReadFile"}
    message = str(caught.value)
    assert "1 op type(s) of this graph are refused" in message and "Reads files" in message
    assert "1 op type(s) of this graph are unknown" in message and "tfdeploy.Operation" in message


def test_what_nothing_needs_is_pruned(graph: tf.Graph) -> None:
    model = td.convert(graph.as_graph_def(), inputs=["x"], outputs=["fine"])
    assert not any(refused.why(op) for op in ops_of(model._entries[0].graph))
    assert_array_equal(model(np.array([2, 3], np.float32)), [4, 9])


def test_what_a_refused_op_gives_can_be_fed(graph: tf.Graph) -> None:
    model = td.convert(graph.as_graph_def(), inputs=["read_a", "read_b"], outputs=["text"])
    assert model(read_a=np.array(b"one ", object), read_b=np.array(b"two", object)) == b"one two"


def test_a_users_op_of_such_a_name_is_no_refused_one(graph: tf.Graph, own_ops: None) -> None:
    class ReadFile(td.Operation):
        types = ("ReadFile",)

        @staticmethod
        def func(filename: np.ndarray) -> tuple[np.ndarray]:
            return (np.array(b"<" + filename.item() + b">", object),)

    model = td.convert(graph.as_graph_def(), inputs=["x"], outputs=["text"])
    assert model(x=np.zeros(2, np.float32)) == b"</etc/a></etc/b>"
