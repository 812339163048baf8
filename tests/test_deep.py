"""Graphs far deeper than Python's recursion limit."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from tensorflow.core.framework import graph_pb2, types_pb2

import tfdeploy as td


def chain(length: int) -> bytes:
    """A GraphDef in which x is doubled and halved, `length` ops in all."""
    graph = graph_pb2.GraphDef()
    graph.versions.producer = 1882
    node = graph.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = types_pb2.DT_FLOAT
    node.attr["shape"].shape.dim.add(size=-1)
    for name, value in (("two", 2.0), ("half", 0.5)):
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = types_pb2.DT_FLOAT
        node.attr["value"].tensor.dtype = types_pb2.DT_FLOAT
        node.attr["value"].tensor.tensor_shape.SetInParent()
        node.attr["value"].tensor.float_val.append(value)
    last = "x"
    for i in range(length):
        factor = "two" if i % 2 == 0 else "half"
        node = graph.node.add(name=f"n{i}", op="Mul", input=[last, factor])
        node.attr["T"].type = types_pb2.DT_FLOAT
        last = node.name
    return graph.SerializeToString()


@pytest.mark.parametrize("length", [5_001, pytest.param(50_001, marks=pytest.mark.slow)])
def test_a_chain_converts_saves_loads_and_runs(tmp_path, capsys, length):
    path, target = tmp_path / "chain.pb", tmp_path / "chain.tfd"
    path.write_bytes(chain(length))
    last = f"n{length - 1}"
    model = td.convert(path, outputs=[last])
    model.save(target)
    x = np.array([1.0, -3.5, np.inf], np.float32)
    for loaded in (model, td.Model(target), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(loaded(x), x * 2)
    tensor = loaded.get(last)
    assert len(loaded.get("n7", "x")) == 2
    td.print_tensor(tensor, indent="")
    assert len(capsys.readouterr().out.splitlines()) > length
