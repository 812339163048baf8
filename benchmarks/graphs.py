"""Frozen graphs of the benchmarks' models: what the peers convert, the same in float64, and what a
call costs at least.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from models import Row, saved_model


class Truth(NamedTuple):
    """A row's answers in float64 and what computing them costs at least."""

    flops: int  # of the products, a multiply-add being two; 0 where that is not known
    bytes: int  # of weights, inputs and outputs, each moved once
    answers: list[np.ndarray]


def made(path: Path, make: Callable[[Path], Any]) -> Path:
    """`path`, written by `make` where it is not there; a `make` that is killed leaves nothing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name("partial-" + path.name)
        make(partial)
        partial.rename(path)
    return path


def file_of(row: Row, cache: Path, suffix: str) -> Path:
    """Where what is made for a row's shapes is kept; a drawn extent is called ``any``."""
    shapes = "_".join("x".join("any" if n is None else str(n) for n in s) for s in row.shapes)
    return cache / row.model / f"frozen-{shapes}{suffix}"


def concrete(row: Row, cache: Path) -> Any:
    """The row's function for its shapes; arguments in the order of the signature's names."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model(row.model, cache)))
    signature = loaded.signatures["serving_default"]
    names = sorted(signature.structured_input_signature[1])
    kind = tf.int32 if row.integers else tf.float32

    @tf.function(input_signature=[tf.TensorSpec(s, kind) for s in row.shapes])
    def function(*args: Any) -> Any:
        return list(signature(**dict(zip(names, args, strict=True))).values())

    made = function.get_concrete_function()
    made.keep = loaded
    return made


def frozen(row: Row, cache: Path) -> Path:
    """The row's graph with its variables as constants and ``Erfc(x)`` spelled ``1 - Erf(x)``."""

    def make(path: Path) -> None:
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        function = concrete(row, cache)
        graph = convert_variables_to_constants_v2(function).graph.as_graph_def()
        for node in [n for n in graph.node if n.op == "Erfc"]:
            _spell_erfc(graph, node)
        path.write_bytes(graph.SerializeToString())

    return made(file_of(row, cache, ".pb"), make)


def _spell_erfc(graph: Any, node: Any) -> None:
    import tensorflow as tf

    erf, one = graph.node.add(), graph.node.add()
    one.name, one.op = node.name + "/one", "Const"
    one.attr["dtype"].type = tf.float32.as_datatype_enum
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, tf.float32))
    erf.name, erf.op = node.name + "/erf", "Erf"
    erf.input.append(node.input[0])
    erf.attr["T"].type = tf.float32.as_datatype_enum
    node.op = "Sub"
    del node.input[:]
    node.input.extend([one.name, erf.name])


def read(path: Path) -> Any:
    """The GraphDef in a file."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph


def take_weights(graph: Any, above: int = 1 << 22) -> dict[str, np.ndarray]:
    """Makes placeholders of the constants of more than `above` bytes; returns what they held.

    Converters copy constants so often that VGG16's do not fit into most memories.
    """
    import tensorflow as tf

    taken = {}
    for node in [n for n in graph.node if n.op == "Const"]:
        tensor = node.attr["value"].tensor
        if tensor.ByteSize() > above:
            value = taken[node.name] = tf.make_ndarray(tensor)
            node.op = "Placeholder"
            del node.attr["value"]
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    return taken


def position(name: str) -> tuple[int, str]:
    """Order of arguments called ``args``, ``args_1``, ``args_2`` ..."""
    digits = name.split(":")[0].rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, name)


def ends(graph: Any) -> tuple[list[str], list[str]]:
    """Names of the inputs, in order, and of the outputs of a frozen graph."""
    used = {i.split(":")[0].lstrip("^") for n in graph.node for i in n.input}
    fed = (n.name for n in graph.node if n.op == "Placeholder" and n.name in used)
    inputs = sorted(fed, key=position)  # loops leave placeholders behind that nothing reads
    aside = ("NoOp", "Const", "Placeholder")
    return inputs, [n.name for n in graph.node if n.name not in used and n.op not in aside]


def truth(row: Row, cache: Path) -> Truth:
    """What TensorFlow answers in float64, for the row's feeds; kept in `cache`."""

    def make(path: Path) -> None:
        import tensorflow as tf

        graph = read(frozen(row, cache))
        inputs, outputs = ends(graph)
        feeds = dict(zip(inputs, row.feeds(), strict=True))
        moved = sum(node.attr["value"].tensor.ByteSize() for node in graph.node)
        moved += sum(x.nbytes for x in feeds.values())
        feeds |= take_weights(graph)
        widen(graph)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.import_graph_def(graph, name="")
            fetches = [name + ":0" for name in outputs]
            answers = session.run(fetches, {name + ":0": x for name, x in feeds.items()})
            ops = session.graph.get_operations()
            loops = any(op.type == "LoopCond" for op in ops)  # who knows how many rounds
            flops = 0 if loops else sum(map(_flops, ops))
        moved += sum(a.nbytes for a in answers) // 2
        with path.open("wb") as file:
            np.savez(file, np.int64(flops), np.int64(moved), *answers)

    with np.load(made(truth_file(row, cache), make)) as file:
        flops, moved, *answers = (file[name] for name in file.files)
    return Truth(int(flops), int(moved), answers)


def truth_file(row: Row, cache: Path) -> Path:
    """Where a row's answers in float64 are kept."""
    return file_of(row, cache, "-float64.npz")


def widen(graph: Any) -> None:
    """Makes every float32 of a graph a float64."""
    import tensorflow as tf

    narrow, wide = tf.float32.as_datatype_enum, tf.float64.as_datatype_enum
    for node in graph.node:
        for attr in node.attr.values():
            if attr.type == narrow:
                attr.type = wide
            for i, kind in enumerate(attr.list.type):
                attr.list.type[i] = wide if kind == narrow else kind
            if attr.tensor.dtype == narrow:
                value = tf.make_ndarray(attr.tensor).astype(np.float64)
                attr.tensor.CopyFrom(tf.make_tensor_proto(value))
        node.attr.pop("_output_shapes", None)


def _flops(op: Any) -> int:
    """Of a product with known shapes: twice the multiply-adds; 0 of everything else."""
    if op.type not in _SUMMED:
        return 0
    shapes = [tensor.shape for tensor in (*op.inputs, op.outputs[0])]
    if not all(shape.is_fully_defined() for shape in shapes):
        return 0
    return 2 * _SUMMED[op.type](op, *(shape.as_list() for shape in shapes))


def _einsum(op: Any, *shapes: list[int]) -> int:
    terms = op.get_attr("equation").decode().split("->")[0].split(",")
    axes = {k: n for t, s in zip(terms, shapes, strict=False) for k, n in zip(t, s, strict=True)}
    return int(np.prod(list(axes.values())))


_SUMMED: dict[str, Callable[..., int]] = {
    "MatMul": lambda op, a, b, y: int(np.prod(y)) * a[0 if op.get_attr("transpose_a") else 1],
    "BatchMatMulV2": lambda op, a, b, y: int(np.prod(y)) * a[-2 if op.get_attr("adj_x") else -1],
    "Conv2D": lambda op, x, w, y: int(np.prod(y)) * int(np.prod(w[:-1])),
    "DepthwiseConv2dNative": lambda op, x, w, y: int(np.prod(y)) * w[0] * w[1],
    "Einsum": _einsum,
}
