"""Rows of ops that have kernels, through converted models, against TensorFlow's answers."""

from __future__ import annotations

import numpy as np
import pytest

import tfdeploy as td
from tests import goldens
from tests.cases import Case
from tests.test_ops import compare
from tfdeploy import config, coverage

COMPILED = {row["op"] for row in coverage.facts()["ops"] if row["engine"] == "compiled"}
ROWS = {
    family: [case for case in goldens.cases(family) if case.op in COMPILED and not case.raises]
    for family in goldens.FAMILIES
}
pytestmark = pytest.mark.skipif(config.engine() is None, reason="no compiled engine")


def model(case: Case) -> tuple[td.Model, dict[str, np.ndarray]]:
    """A model of one op, where whole numbers after the first input are constants; and its feeds."""
    from tests.oracle import graph_def, tf

    definition, flat, outputs = graph_def(case)
    feeds = {}
    for i, array in enumerate(flat):
        node = next(node for node in definition.node if node.name == f"in{i}")
        if i and array.dtype.kind in "iu":
            node.op = "Const"
            dtype = tf.as_dtype(node.attr["dtype"].type)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array, dtype))
            del node.attr["shape"]
        else:
            feeds[f"in{i}:0"] = array
    return td.convert(definition, outputs=[f"op:{i}" for i in range(outputs)]), feeds


def overflows(got: np.ndarray, want: np.ndarray) -> bool:
    """Whether a sum left half precision on the way, which the engine holds as float32."""
    return got.dtype.itemsize == 2 and bool((np.isinf(want) & np.isfinite(got)).any())


@pytest.mark.parametrize("family", [family for family, rows in ROWS.items() if rows])
def test_models_of_rows(family: str) -> None:
    for case in ROWS[family]:
        made, feeds = model(case)
        wanted = goldens.answer(case).outputs
        got = made.eval([f"op:{i}" for i in range(len(wanted))], feeds)
        for i, (g, w) in enumerate(zip(got, wanted, strict=True)):
            assert (g.dtype, g.shape) == (w.dtype, w.shape), case
            if case.compared(i) and not overflows(g, w):
                compare(g, w, case)
