"""Channels-first graphs run channels-last: transposes are put around, pushed down and cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.graph import Node, Ref
from ..graph.types import ValueType
from .elementwise import operation
from .rewrite import Rewriter, Rule

_LAST = {"NCHW": "NHWC", "NCDHW": "NDHWC"}


def transpose(rw: Rewriter, ref: Ref, perm: Sequence[int], name: str) -> Ref:
    """`ref` with axes in the order `perm`; two in a row become one, or none."""
    perm = tuple(perm)
    before = permutation(rw, ref)
    if before is not None:
        ref, perm = rw.source(ref).inputs[0], tuple(before[i] for i in perm)
    if perm == tuple(range(len(perm))):
        return ref
    kind = rw.type(ref)
    assert kind.shape is not None
    turned = ValueType(kind.dtype, tuple(kind.shape[i] for i in perm))
    order = rw.const(np.array(perm, np.int32), f"{name}~perm")
    return rw.emit("Transpose", [ref, order], {}, [turned], f"{name}~turned")[0]


def permutation(rw: Rewriter, ref: Ref) -> tuple[int, ...] | None:
    """The order of axes where `ref` is a transpose."""
    node = rw.source(ref)
    perm = rw.constant(node.inputs[1]) if node.op == "Transpose" else None
    return None if perm is None else tuple(int(i) % perm.size for i in perm)


def _to_last(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1)


def _to_first(rank: int) -> tuple[int, ...]:
    return (0, rank - 1, *range(1, rank - 1))


def _attrs_last(attrs: dict[str, Any], rank: int) -> dict[str, Any]:
    """Attributes of a channels-first node as its channels-last twin has them."""
    moved = dict(attrs, data_format=_LAST[attrs["data_format"]])
    order = _to_last(rank)
    for name in ("strides", "dilations", "ksize"):
        if len(moved.get(name) or ()) == rank:
            moved[name] = [moved[name][i] for i in order]
    pads = moved.get("explicit_paddings")
    if pads:
        moved["explicit_paddings"] = [pads[2 * i + j] for i in order for j in (0, 1)]
    return moved


def _channels_last(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A channels-first node between two transposes."""
    kind = rw.type(node.inputs[0])
    if node.attrs.get("data_format") not in _LAST or not kind.rank or kind.rank < 3:
        return None
    rank = kind.rank
    if node.op == "BiasAdd" and rank not in (4, 5):
        return None
    shape = node.types[0].shape
    if shape is None:
        return None
    attrs = _attrs_last(node.attrs, rank)
    x = transpose(rw, node.inputs[0], _to_last(rank), node.name)
    types = [
        ValueType(node.types[0].dtype, tuple(shape[i] for i in _to_last(rank))),
        *node.types[1:],
    ]
    outputs = rw.emit(node.op, [x, *node.inputs[1:]], attrs, types, node.name)
    return [transpose(rw, outputs[0], _to_first(rank), f"{node.name}~first"), *outputs[1:]]


def push_down(rw: Rewriter, node: Node) -> list[Ref] | None:
    """An elementwise op of transposed values is the transpose of the op of the values."""
    if not operation(rw, node):
        return None
    perms = {permutation(rw, ref) for ref in node.inputs if rw.constant(ref) is None}
    if len(perms) != 1 or None in perms:
        return None
    (perm,) = perms
    assert perm is not None
    if any(rw.type(ref).rank != len(perm) for ref in node.inputs if rw.constant(ref) is None):
        return None
    inverse = tuple(int(i) for i in np.argsort(perm))
    inputs = []
    for at, ref in enumerate(node.inputs):
        value = rw.constant(ref)
        if value is None:
            inputs.append(rw.source(ref).inputs[0])
        elif value.size == 1:
            inputs.append(ref)
        else:
            full = value.reshape((1,) * (len(perm) - value.ndim) + value.shape)
            inputs.append(rw.const(full.transpose(inverse), f"{node.name}~{at}"))
    shape = node.types[0].shape
    assert shape is not None
    kind = ValueType(node.types[0].dtype, tuple(shape[i] for i in inverse))
    done = rw.emit(node.op, inputs, node.attrs, [kind], node.name)
    return [transpose(rw, done[0], perm, node.name)]


def joined(rw: Rewriter, node: Node) -> list[Ref] | None:
    """Two transposes in a row."""
    perm = rw.constant(node.inputs[1])
    if perm is None or permutation(rw, node.inputs[0]) is None:
        return None
    return [transpose(rw, node.inputs[0], [int(i) % perm.size for i in perm], node.name)]


def concat(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A concatenation of values that were all transposed alike."""
    *parts, axis_ref = node.inputs
    axis, perms = rw.scalar(axis_ref), {permutation(rw, ref) for ref in parts}
    shape = node.types[0].shape
    if axis is None or len(perms) != 1 or None in perms or shape is None:
        return None
    (perm,) = perms
    assert perm is not None
    inverse = tuple(int(i) for i in np.argsort(perm))
    moved = rw.const(np.array(perm[int(axis)], np.int32), f"{node.name}~axis")
    kind = ValueType(node.types[0].dtype, tuple(shape[i] for i in inverse))
    inputs = [*(rw.source(ref).inputs[0] for ref in parts), moved]
    done = rw.emit("ConcatV2", inputs, node.attrs, [kind], node.name)
    return [transpose(rw, done[0], perm, node.name)]


def padded(rw: Rewriter, node: Node) -> list[Ref] | None:
    """Padding of a transposed value."""
    perm, paddings = permutation(rw, node.inputs[0]), rw.constant(node.inputs[1])
    shape = node.types[0].shape
    if perm is None or paddings is None or shape is None:
        return None
    inverse = np.argsort(perm)
    around = rw.const(paddings[inverse], f"{node.name}~paddings")
    kind = ValueType(node.types[0].dtype, tuple(shape[i] for i in inverse))
    inputs = [rw.source(node.inputs[0]).inputs[0], around, *node.inputs[2:]]
    done = rw.emit(node.op, inputs, node.attrs, [kind], node.name)
    return [transpose(rw, done[0], perm, node.name)]


def reduced(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A reduction of a transposed value: what is left stands in the order of the transpose."""
    perm, axes = permutation(rw, node.inputs[0]), rw.constant(node.inputs[1])
    shape = node.types[0].shape
    if perm is None or axes is None or shape is None:
        return None
    gone = [perm[int(axis)] for axis in axes.reshape(-1)]
    kept = perm if node.attrs.get("keep_dims") else [i for i in perm if i not in gone]
    order = [sorted(kept).index(i) for i in kept]
    moved = rw.const(np.array(gone, np.int32), f"{node.name}~axes")
    kind = ValueType(node.types[0].dtype, tuple(shape[int(i)] for i in np.argsort(order)))
    inputs = [rw.source(node.inputs[0]).inputs[0], moved]
    done = rw.emit(node.op, inputs, node.attrs, [kind], node.name)
    return [transpose(rw, done[0], order, node.name)]


_WINDOWED = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "MaxPool",
    "AvgPool",
    "MaxPool3D",
    "AvgPool3D",
    "BiasAdd",
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
)

RULES: dict[str, list[Rule]] = {
    **{op: [_channels_last] for op in _WINDOWED},
    "Transpose": [joined],
    "ConcatV2": [concat],
    **{op: [padded] for op in ("Pad", "PadV2", "MirrorPad")},
    **{op: [reduced] for op in ("Mean", "Sum", "Max", "Min", "Prod")},
    "*": [push_down],
}
