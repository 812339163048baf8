"""Chains of elementwise ops become one ``td.Map``, which the engine runs over tiles that stay in
cache.

``td.Map`` has the attributes `code`, rows (operation, result, operand, operand, operand), and
`constants`; operands are numbered as kernels/map.h says: registers from 0, inputs from 32,
constants from 64, the output 96.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.graph import Graph, Node, Ref
from ..graph.types import ValueType
from .rewrite import Mapping, Rewriter, Rule

_REGISTERS, _INPUTS, _CONSTANTS = 12, 16, 16
_LONGEST = 40  # instructions of one map; longer chains are cut
_IN, _CONST, _OUT = 32, 64, 96

# op -> operation of the map for floats, for integers, for truth values ("" where there is none)
_FLOAT = {
    "Neg": "neg",
    "Abs": "abs",
    "Square": "square",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Exp": "exp",
    "Reciprocal": "reciprocal",
    "Inv": "reciprocal",
    "Expm1": "expm1",
    "Log": "log",
    "Log1p": "log1p",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Atan": "atan",
    "Asin": "asin",
    "Acos": "acos",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Asinh": "asinh",
    "Acosh": "acosh",
    "Atanh": "atanh",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Erf": "erf",
    "Erfc": "erfc",
    "Floor": "floor",
    "Ceil": "ceil",
    "Rint": "rint",
    "Round": "rint",
    "Sign": "sign",
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "td.silu": "silu",
    "td.gelu": "gelu",
    "td.gelu_tanh": "gelu_tanh",
    "td.hard_swish": "hard_swish",
    "td.hard_sigmoid": "hard_sigmoid",
    "td.half": "half",
    "td.bfloat": "bfloat",
    "Add": "add",
    "AddV2": "add",
    "BiasAdd": "add",
    "Sub": "sub",
    "Mul": "mul",
    "RealDiv": "div",
    "Div": "div",
    "DivNoNan": "div_no_nan",
    "MulNoNan": "mul_no_nan",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "SquaredDifference": "squared_difference",
    "Pow": "pow",
    "FloorDiv": "floor_div",
    "FloorMod": "floor_mod",
    "Mod": "fmod",
    "TruncateMod": "fmod",
    "Atan2": "atan2",
    "Xlogy": "xlogy",
    "Xlog1py": "xlog1py",
    "Xdivy": "xdivy",
    "IsNan": "is_nan",
    "IsInf": "is_inf",
    "IsFinite": "is_finite",
    "Equal": "equal",
    "NotEqual": "not_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
}
_INT = {
    "Neg": "i_neg",
    "Abs": "i_abs",
    "Square": "i_square",
    "Sign": "i_sign",
    "Add": "i_add",
    "AddV2": "i_add",
    "BiasAdd": "i_add",
    "Sub": "i_sub",
    "Mul": "i_mul",
    "FloorDiv": "i_floor_div",
    "FloorMod": "i_floor_mod",
    "Maximum": "i_maximum",
    "Minimum": "i_minimum",
    "Equal": "i_equal",
    "NotEqual": "i_not_equal",
    "Less": "i_less",
    "LessEqual": "i_less_equal",
    "Greater": "i_greater",
    "GreaterEqual": "i_greater_equal",
    "BitwiseAnd": "and",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
}
_BOOL = {
    "LogicalAnd": "and",
    "LogicalOr": "or",
    "LogicalNot": "not",
    "Equal": "i_equal",
    "NotEqual": "xor",
}
_NOT_DOUBLE = (
    *("selu", "silu", "gelu", "gelu_tanh", "hard_swish", "hard_sigmoid", "erf", "erfc"),
    *("pow", "floor_div", "xlogy", "xlog1py"),
)
_DOUBLE = {op: name for op, name in _FLOAT.items() if name not in _NOT_DOUBLE}
_BY_DTYPE = {"float32": _FLOAT, "float64": _DOUBLE, "int32": _INT, "bool": _BOOL}
_CASTS = {
    ("int32", "float32"): "to_float",
    ("bool", "float32"): "truth_to_float",
    ("bool", "float64"): "truth_to_float",
    ("bool", "int32"): "truth_to_int",
    ("int32", "bool"): "i_truth",
    ("float32", "bool"): "truth",
    ("float64", "bool"): "truth",
    ("float32", "int32"): "to_int",
}
OPS = frozenset({"Cast", "Select", "SelectV2", "LeakyRelu"}).union(*_BY_DTYPE.values())
"""Op types that have an operation for some types."""


def operation(rw: Rewriter, node: Node) -> str:
    """The map's operation for `node`, "" where it has none."""
    if node.control or len(node.types) != 1 or node.types[0].shape is None:
        return ""
    kinds = [rw.type(ref) for ref in node.inputs]
    if not kinds or any(k.shape is None for k in kinds) or node.attrs.get("data_format") == "NCHW":
        return ""
    if node.op == "Cast":
        return (
            ""
            if node.attrs.get("Truncate")
            else _CASTS.get((kinds[0].dtype, node.types[0].dtype), "")
        )
    if node.op == "Select" and kinds[0].shape not in ((), node.types[0].shape):
        return ""  # a truth value for each row
    if node.op in ("Select", "SelectV2"):
        return "select" if kinds[1].dtype in _BY_DTYPE else ""
    if node.op == "BiasAdd" and (kinds[0].shape or ())[-1:] != kinds[1].shape:
        return ""  # it does not broadcast
    if not node.attrs.get("incompatible_shape_error", True) and not _broadcast(kinds):
        return ""  # the answer is one truth value where they do not
    if node.op == "LeakyRelu" and kinds[0].dtype == "float32":
        return "leaky"
    if len({k.dtype for k in kinds}) > 1:
        return ""
    if kinds[0].dtype == "int32" and node.op in ("FloorDiv", "FloorMod"):
        divisor = rw.constant(node.inputs[1])
        if divisor is None or not divisor.all():
            return ""  # nobody can promise that it is not 0
    return _BY_DTYPE.get(kinds[0].dtype, {}).get(node.op, "")


def _broadcast(kinds: list[ValueType]) -> bool:
    """Whether two known shapes surely broadcast."""
    a, b = (reversed(kind.shape or ()) for kind in kinds)
    return all(x == y or 1 in (x, y) for x, y in zip(a, b, strict=False))


def small_power(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A power that a product or two, or a quotient, give as exactly."""
    x, kind = node.inputs[0], node.types[0]
    power = rw.scalar(node.inputs[1])
    if rw.type(x) != kind or kind.dtype not in ("float32", "float64") or kind.shape is None:
        return None
    if power == 1.0:
        return [x]
    if power == -1.0:
        return rw.emit("Reciprocal", [x], {}, [kind], node.name)
    if power not in (2.0, 3.0):
        return None
    square = rw.emit("Square", [x], {}, [kind], node.name if power == 2.0 else f"{node.name}~2")
    return square if power == 2.0 else rw.emit("Mul", [x, *square], {}, [kind], node.name)


POWERS: dict[str, list[Rule]] = {"Pow": [small_power]}


@dataclass(slots=True)
class _Group:
    """Nodes that will run as one, in order; they all have the output's shape."""

    nodes: list[Node] = field(default_factory=list)
    refs: list[Ref] = field(default_factory=list)


def group(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    """The graph with every chain of elementwise ops as one node."""
    rw = Rewriter(graph, roots)
    groups: dict[Ref, _Group] = {}

    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        if not operation(rw, node):
            return None
        joined = _joined(rw, groups, node)
        outputs = _emit(rw, joined, node)
        if outputs is None:
            return None
        groups[outputs[0]] = _Group([*joined.nodes, node], [*joined.refs, outputs[0]])
        return outputs

    graph, mapping = rw.run({"*": [rule]})
    return graph, mapping


def _joined(rw: Rewriter, groups: dict[Ref, _Group], node: Node) -> _Group:
    """What runs with `node`: all that it and what runs with it alone use."""
    joined = _Group()
    refused: set[Ref] = set()
    while True:
        uses = Counter(ref for each in (*joined.nodes, node) for ref in each.inputs)
        for ref, count in uses.items():
            part = groups.get(ref)
            if part is None or ref in refused or ref in joined.refs or rw.count(ref) != count:
                continue
            trial = _Group(part.nodes + joined.nodes, part.refs + joined.refs)
            if rw.type(ref).shape == node.types[0].shape and _encode(rw, trial, node) is not None:
                joined = trial
                break
            refused.add(ref)
        else:
            return joined


def _emit(rw: Rewriter, joined: _Group, node: Node) -> list[Ref] | None:
    encoded = _encode(rw, joined, node)
    if encoded is None:
        return None
    inputs, attrs = encoded
    return rw.emit("td.Map", inputs, attrs, node.types, node.name)


def _mixed(rw: Rewriter, nodes: list[Node]) -> bool:
    """Whether doubles meet numbers of another width, with which they share no tiles."""
    kinds = {k.dtype for n in nodes for k in (*n.types, *map(rw.type, n.inputs))} - {"bool"}
    return "float64" in kinds and len(kinds) > 1


def _constant(rw: Rewriter, ref: Ref) -> float | None:
    """The number that a constant holds, if float32 holds it too."""
    dtype = rw.type(ref).dtype
    number = rw.scalar(ref) if dtype in ("float32", "float64") else None
    if number is None or dtype == "float32":
        return number
    with np.errstate(over="ignore"):
        return number if float(np.float32(number)) == number else None


def _encode(rw: Rewriter, joined: _Group, node: Node) -> tuple[list[Ref], dict[str, Any]] | None:
    """Inputs and attributes of the ``td.Map`` that computes `node` after the nodes of `joined`."""
    nodes = [*joined.nodes, node]
    if len(nodes) > _LONGEST or _mixed(rw, nodes):
        return None
    made = dict(zip(joined.refs, range(len(joined.refs)), strict=True))
    last: dict[int, int] = {}
    for at, each in enumerate(nodes):
        for ref in each.inputs:
            if ref in made:
                last[made[ref]] = at
    inputs: list[Ref] = []
    constants: list[float] = []
    free = list(range(_REGISTERS - 1, -1, -1))
    register: dict[int, int] = {}
    code = []

    def operand(ref: Ref) -> int:
        if ref in made:
            return register[made[ref]]
        number = _constant(rw, ref)
        if number is not None and (not inputs or ref not in inputs):
            if number not in constants:
                constants.append(number)
            return _CONST + constants.index(number)
        if ref not in inputs:
            inputs.append(ref)
        return _IN + inputs.index(ref)

    for at, each in enumerate(nodes):
        operands = [operand(ref) for ref in each.inputs]
        if each.op == "LeakyRelu":
            alpha = float(each.attrs.get("alpha", 0.2))
            if alpha not in constants:
                constants.append(alpha)
            operands.append(_CONST + constants.index(alpha))
        for before, until in last.items():
            if until == at and before in register:
                free.append(register.pop(before))
        if at == len(nodes) - 1:
            result = _OUT
        elif not free:
            return None
        else:
            result = register[at] = free.pop()
        operands += [operands[0]] * (3 - len(operands))
        code.append((operation(rw, each), result, *operands))
    if len(inputs) > _INPUTS or len(constants) > _CONSTANTS:
        return None
    return inputs, {"code": code, "constants": constants}
