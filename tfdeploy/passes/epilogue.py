"""Products and convolutions take the steps that follow them into their epilogue.

``td.Conv``, ``td.ConvTranspose``, ``td.Depthwise`` and ``td.MatMul`` compute ``act(sum * scale +
shift + residual)``: `scale` and `shift` are float64 arrays of one number per output channel
(attributes, None where absent), the residual is a third input, `act` the name of an activation
with its two `params`.  A batch norm, in whichever ops it is spelled, becomes scale and shift, and
the weights stay as they are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Node, Ref
from .rewrite import Rewriter, Rule

Array = NDArray[Any]

FUSED = ("td.Conv", "td.ConvTranspose", "td.Depthwise", "td.MatMul")


def _is_last(node: Node) -> bool:
    return node.attrs.get("data_format", "NHWC") in ("NHWC", "NDHWC")


def _begun(
    rw: Rewriter, op: str, node: Node, weights: Callable[[Array], Array] | None = None
) -> list[Ref] | None:
    """The node `op` with an empty epilogue for a float32 product or convolution; of its weights
    what `weights` makes of them.
    """
    kinds = [rw.type(ref) for ref in node.inputs[:2]]
    if any(k.dtype != "float32" or k.shape is None for k in kinds):
        return None
    constant = rw.constant(node.inputs[1])
    if constant is None or not _is_last(node) or node.attrs.get("transpose_a"):
        return None
    by = node.inputs[1]
    if weights is not None:
        by = rw.const(weights(constant), f"{node.name}~weights")
    attrs = node.attrs | {"scale": None, "shift": None, "act": "linear", "params": (0.0, 0.0)}
    return rw.emit(op, [node.inputs[0], by], attrs, node.types, node.name)


def _begin(op: str) -> Rule:
    """The rule that makes the node `op`."""

    def begin(rw: Rewriter, node: Node) -> list[Ref] | None:
        return _begun(rw, op, node)

    return begin


def _begin_conv(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``Conv2D``; Keras spells depthwise convolutions by filters of one channel, too."""
    shape, filters = rw.type(node.inputs[0]).shape, rw.type(node.inputs[1]).shape
    channels = 1 if shape is None else shape[-1]
    if filters is None or filters[2] != 1 or not isinstance(channels, int) or channels == 1:
        return _begun(rw, "td.Conv", node)
    return _begun(rw, "td.Depthwise", node, lambda w: w.reshape(*w.shape[:2], channels, -1))


def _begin_transpose(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``Conv2DBackpropInput``: a transposed convolution of its third input."""
    _, filters, x = node.inputs
    kinds = [rw.type(filters), rw.type(x), node.types[0]]
    if any(k.dtype != "float32" or k.shape is None for k in kinds) or rw.constant(filters) is None:
        return None
    if node.attrs.get("data_format", "NHWC") not in ("NHWC", "NDHWC"):
        return None
    attrs = node.attrs | {"scale": None, "shift": None, "act": "linear", "params": (0.0, 0.0)}
    return rw.emit("td.ConvTranspose", [x, filters], attrs, node.types, node.name)


def _open(rw: Rewriter, ref: Ref) -> Node | None:
    """The fused node that computes `ref`, if its epilogue may still grow."""
    node = rw.source(ref)
    if node.op not in FUSED or not rw.single(ref) or node.attrs["act"] != "linear":
        return None
    return node


def _channels(rw: Rewriter, ref: Ref, node: Node) -> Array | None:
    """A constant that has one number for each output channel of `node`, or one for all."""
    value, shape = rw.constant(ref), node.types[0].shape
    if value is None or shape is None or value.dtype.kind != "f" or not isinstance(shape[-1], int):
        return None
    if value.size == 1 and value.ndim <= len(shape):
        return np.full(shape[-1], value.reshape(())[()], np.float64)
    if value.ndim == 0 or value.ndim > len(shape) or value.size != shape[-1]:
        return None
    return value.reshape(-1).astype(np.float64) if value.shape[-1] == shape[-1] else None


def _grow(
    rw: Rewriter, node: Node, fused: Node, extra: Ref | None = None, **changes: Any
) -> list[Ref]:
    inputs = fused.inputs if extra is None else (*fused.inputs, extra)
    return rw.emit(fused.op, inputs, fused.attrs | changes, node.types, node.name)


def _affine(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``fused + c``, ``fused - c``, ``c - fused``, ``fused * c`` and ``fused / c`` with c per
    channel.
    """
    for at in (0, 1):
        fused = _open(rw, node.inputs[at])
        if fused is None or fused.types[0].shape != node.types[0].shape:
            continue
        if len(fused.inputs) > 2 and node.op in ("Mul", "RealDiv", "Sub"):
            continue
        value = _channels(rw, node.inputs[1 - at], fused)
        if value is None:
            continue
        scale, shift = fused.attrs["scale"], fused.attrs["shift"]
        if node.op in ("AddV2", "Add", "BiasAdd"):
            return _grow(rw, node, fused, shift=value if shift is None else shift + value)
        if node.op == "Sub" and at == 0:
            return _grow(rw, node, fused, shift=-value if shift is None else shift - value)
        if node.op == "Sub":
            return _grow(
                rw,
                node,
                fused,
                scale=-(np.ones_like(value) if scale is None else scale),
                shift=value if shift is None else value - shift,
            )
        if node.op == "RealDiv" and at == 1:
            continue
        factor = value if node.op == "Mul" else 1.0 / value
        return _grow(
            rw,
            node,
            fused,
            scale=factor if scale is None else scale * factor,
            shift=None if shift is None else shift * factor,
        )
    return None


def _affine_reshaped(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``reshape(fused) + c`` where the reshape splits the channels and c has one number for
    each.
    """
    for at in (0, 1):
        reshape, other = rw.source(node.inputs[at]), node.inputs[1 - at]
        if reshape.op != "Reshape" or not rw.single(node.inputs[at]):
            continue
        fused, value = _open(rw, reshape.inputs[0]), rw.constant(other)
        shape = node.types[0].shape
        if fused is None or len(fused.inputs) > 2 or value is None or shape is None:
            continue
        flat = rw.const(value.reshape(-1), f"{node.name}~flat")
        channels = _channels(rw, flat, fused)
        if channels is None or value.size == 1 or shape[len(shape) - value.ndim :] != value.shape:
            continue
        if reshape.types[0].shape != shape:
            continue
        inner = Node(
            node.op, f"{node.name}~inner", (reshape.inputs[0], flat), node.attrs, fused.types
        )
        grown = _affine(rw, inner)
        if grown is not None:
            inputs = [grown[0], *reshape.inputs[1:]]
            return rw.emit(reshape.op, inputs, reshape.attrs, node.types, node.name)
    return None


def _statistics(rw: Rewriter, node: Node) -> tuple[Array, Array, Array] | None:
    """Factor, mean and shift of a ``FusedBatchNorm`` of constant statistics."""
    found = [rw.constant(ref) for ref in node.inputs[1:5]]
    if node.attrs.get("is_training", True) or any(v is None for v in found):
        return None
    if not _is_last(node) or not _unused_rest(rw, node):
        return None
    gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in found)
    return gamma / np.sqrt(variance + node.attrs.get("epsilon", 0.0001)), mean, beta


def _batch_norm(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``FusedBatchNorm`` of what a product gives."""
    fused, found = _open(rw, node.inputs[0]), _statistics(rw, node)
    if fused is None or len(fused.inputs) > 2 or found is None:
        return None
    factor, mean, beta = found
    scale, shift = fused.attrs["scale"], fused.attrs["shift"]
    before = 0.0 if shift is None else shift
    changes = {
        "scale": factor if scale is None else scale * factor,
        "shift": (before - mean) * factor + beta,
    }
    grown = rw.emit(fused.op, fused.inputs, fused.attrs | changes, node.types[:1], node.name)
    return grown + [node.inputs[0]] * (len(node.types) - 1)


def _norm_of_others(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``FusedBatchNorm`` of anything else is a product and a sum."""
    x, found = node.inputs[0], _statistics(rw, node)
    if found is None or rw.type(x) != node.types[0] or rw.type(x).dtype != "float32":
        return None
    factor, mean, beta = found
    for op, value in (("Mul", factor), ("AddV2", beta - mean * factor)):
        constant = rw.const(value.astype(np.float32), f"{node.name}~{op}")
        (x,) = rw.emit(op, [x, constant], {}, node.types[:1], f"{node.name}~{op}of")
    return [x] * len(node.types)


def _unused_rest(rw: Rewriter, node: Node) -> bool:
    """Whether nobody reads the statistics that an inference batch norm also gives."""
    number = rw.old.index[node.name]
    return not any(Ref(number, slot) in rw.uses for slot in range(1, len(node.types)))


def _residual(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``fused + other`` where `other` is computed and has the same shape."""
    for at in (1, 0):
        fused = _open(rw, node.inputs[at])
        other = node.inputs[1 - at]
        if fused is None or len(fused.inputs) > 2 or fused.op == "td.Depthwise":
            continue
        same = rw.type(other) == node.types[0] == fused.types[0]
        if same and rw.constant(other) is None:
            return _grow(rw, node, fused, extra=other)
    return None


def _activation(act: str, *params: float) -> Rule:
    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        fused = _open(rw, node.inputs[0])
        return (
            None if fused is None else _grow(rw, node, fused, act=act, params=params or (0.0, 0.0))
        )

    return rule


_INF = float("inf")
_ROUNDING = ("half", "bfloat")  # activations that clamp, and then round


def _clamp(low: float, high: float) -> Rule:
    """Clamping between numbers that rounding leaves alone may come before it, too."""
    fresh = _activation("clamp", low, high)

    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        fused = rw.source(node.inputs[0])
        if fused.op in FUSED and rw.single(node.inputs[0]) and fused.attrs["act"] in _ROUNDING:
            free = fused.attrs["params"] == (-_INF, _INF)
            return _grow(rw, node, fused, params=(low, high)) if free else None
        return fresh(rw, node)

    return rule


def _rounding(act: str) -> Rule:
    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        fused = rw.source(node.inputs[0])
        if fused.op not in FUSED or not rw.single(node.inputs[0]):
            return None
        bounds = {"linear": (-_INF, _INF), "clamp": fused.attrs["params"]}
        if fused.attrs["act"] not in bounds:
            return None
        return _grow(rw, node, fused, act=act, params=bounds[fused.attrs["act"]])

    return rule


def _leaky(rw: Rewriter, node: Node) -> list[Ref] | None:
    fused = _open(rw, node.inputs[0])
    alpha = node.attrs.get("alpha", 0.2)
    return None if fused is None else _grow(rw, node, fused, act="leaky", params=(alpha, 0.0))


_RESHAPES = ("Squeeze", "Reshape", "td.Reshape")


def _beneath(rules: list[Rule]) -> Rule:
    """The rules for what follows ``reshape(fused)``, where the reshape leaves the channels alone: a
    convolution of a sequence is one of an image between reshapes.
    """

    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        for at, ref in enumerate(node.inputs[:2]):
            reshape, shape = rw.source(ref), node.types[0].shape
            if reshape.op not in _RESHAPES or not rw.single(ref) or len(node.types) > 1:
                continue
            fused = _open(rw, reshape.inputs[0])
            if fused is None or not shape or reshape.types != node.types or not _is_last(node):
                continue
            if (fused.types[0].shape or ())[-1:] != shape[-1:]:
                continue
            others = [
                r if i == at else _lifted(rw, node, r, fused) for i, r in enumerate(node.inputs)
            ]
            inputs = [r for r in others if r is not None]
            if len(inputs) < len(others):
                continue
            inputs[at] = reshape.inputs[0]
            inner = Node(node.op, f"{node.name}~inner", tuple(inputs), node.attrs, fused.types)
            found = (each(rw, inner) for each in rules)
            grown = next((refs for refs in found if refs is not None), None)
            if grown is not None:
                return rw.emit("td.Reshape", [rw.once(grown[0])], {}, node.types, node.name)
        return None

    return rule


def _lifted(rw: Rewriter, node: Node, other: Ref, fused: Node) -> Ref | None:
    """What stands beside `fused` where `other` stands beside its reshape."""
    value = rw.constant(other)
    if value is not None:
        single = value.size == 1 or value.shape[-1:] == (value.size,)
        return rw.const(value.reshape(-1), f"{node.name}~flat") if single else None
    if rw.type(other) != node.types[0]:
        return None
    return rw.emit("td.Reshape", [other], {}, fused.types, f"{node.name}~image")[0]


BEGIN: dict[str, list[Rule]] = {
    "Conv2D": [_begin_conv],
    "Conv3D": [_begin("td.Conv")],
    "DepthwiseConv2dNative": [_begin("td.Depthwise")],
    "Conv2DBackpropInput": [_begin_transpose],
    "Conv3DBackpropInputV2": [_begin_transpose],
    "MatMul": [_begin("td.MatMul")],
    "BatchMatMul": [_begin("td.MatMul")],
    "BatchMatMulV2": [_begin("td.MatMul")],
    "BatchMatMulV3": [_begin("td.MatMul")],
}

_GROW: dict[str, list[Rule]] = {
    **{op: [_affine, _affine_reshaped, _residual] for op in ("AddV2", "Add")},
    **{op: [_affine] for op in ("BiasAdd", "Sub", "Mul", "RealDiv")},
    **{
        op: [_batch_norm, _norm_of_others]
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    },
    "Relu": [_clamp(0.0, _INF)],
    "Relu6": [_clamp(0.0, 6.0)],
    "Sigmoid": [_activation("sigmoid")],
    "Tanh": [_activation("tanh")],
    "Elu": [_activation("elu")],
    "Selu": [_activation("selu")],
    "Softplus": [_activation("softplus")],
    "Softsign": [_activation("softsign")],
    "Exp": [_activation("exp")],
    "LeakyRelu": [_leaky],
    **{
        f"td.{name}": [_activation(name)]
        for name in ("silu", "gelu", "gelu_tanh", "hard_swish", "hard_sigmoid")
    },
    **{f"td.{name}": [_rounding(name)] for name in _ROUNDING},
}

GROW: dict[str, list[Rule]] = {op: [*rules, _beneath(rules)] for op, rules in _GROW.items()}

RULES = BEGIN | GROW


def _narrow(rw: Rewriter, node: Node) -> list[Ref] | None:
    """Scale and shift are rounded to float32 once, when no more steps can join them."""
    rounded = {
        name: node.attrs[name].astype(np.float32)
        for name in ("scale", "shift")
        if node.attrs[name] is not None
    }
    return rw.emit(node.op, node.inputs, node.attrs | rounded, node.types, node.name)


NARROW: dict[str, list[Rule]] = {op: [_narrow] for op in FUSED}
