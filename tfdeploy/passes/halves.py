"""Values of half precision are held as float32, so that the kernels can take them.

Nothing is rounded between two ops, nor does it overflow there, as with XLA; what a graph casts to
half precision is rounded.
"""

from __future__ import annotations

import numpy as np

from ..dtypes import DType
from ..graph.graph import Node, Ref
from ..graph.types import ValueType
from .elementwise import OPS as ELEMENTWISE
from .rewrite import Rewriter

_WIDE = DType("float32")
_ROUNDED = {DType("float16"): "td.half", DType("bfloat16"): "td.bfloat"}
_OPS = ELEMENTWISE | {
    "AvgPool", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "BroadcastTo", "ConcatV2", "Conv2D",
    "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "Einsum", "ExpandDims", "Fill",
    "FusedBatchNormV2", "FusedBatchNormV3", "Gather", "GatherNd", "GatherV2", "LogSoftmax",
    "MatMul", "Max", "MaxPool", "Mean", "Min", "Pack", "Pad", "PadV2", "Reshape", "Shape", "Slice",
    "Softmax", "Split", "SplitV", "Squeeze", "StridedSlice", "Sum", "Tile", "Transpose", "Unpack",
    "ZerosLike",
}  # fmt: skip


def widen(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A node of half precision as one of float32, its results cast for whoever needs them so."""
    narrow = {*(rw.type(ref).dtype for ref in node.inputs), *(t.dtype for t in node.types)}
    if node.op not in _OPS or not narrow & _ROUNDED.keys() or node.control:
        return None
    if node.attrs.get("Truncate"):
        return None
    inputs = [_wide(rw, ref, node.name) for ref in node.inputs]
    if node.op == "Cast":
        done = [_cast(rw, node, inputs[0])]
    else:
        attrs = {
            k: _WIDE if isinstance(v, DType) and v in _ROUNDED else v for k, v in node.attrs.items()
        }
        done = rw.emit(node.op, inputs, attrs, [_kind(t) for t in node.types], node.name)
    return [
        ref if kind == rw.type(ref) else _emit(rw, "Cast", [ref], kind, f"{node.name}~{slot}half")
        for slot, (ref, kind) in enumerate(zip(done, node.types, strict=True))
    ]


def _kind(kind: ValueType) -> ValueType:
    return kind._replace(dtype=_WIDE) if kind.dtype in _ROUNDED else kind


def _emit(rw: Rewriter, op: str, inputs: list[Ref], kind: ValueType, name: str) -> Ref:
    attrs = {"DstT": kind.dtype} if op == "Cast" else {}
    return rw.emit(op, inputs, attrs, [kind], name)[0]


def _wide(rw: Rewriter, ref: Ref, name: str) -> Ref:
    """A value as float32 where it is of half precision."""
    kind, source, value = rw.type(ref), rw.source(ref), rw.constant(ref)
    if kind.dtype not in _ROUNDED:
        return ref
    if value is not None:
        return rw.const(value.astype(np.float32), f"{source.name}~wide")
    if source.op == "Cast" and source.name.endswith("half"):
        return source.inputs[0]
    return _emit(rw, "Cast", [ref], _kind(kind), f"{name}~wide")


def _cast(rw: Rewriter, node: Node, x: Ref) -> Ref:
    """What a cast gives, as float32 if that is of half precision: its bits beyond that are cut off
    by rounding, unless what does so overflows.
    """
    to, wide = node.types[0].dtype, _kind(node.types[0])
    y = x if rw.type(x) == wide else _emit(rw, "Cast", [x], wide, node.name)
    if to not in _ROUNDED:
        return y
    return _emit(rw, _ROUNDED[to], [y], wide, f"{node.name}~cast")


RULES = {"*": [widen]}
