"""Compositions that TensorFlow and Keras spell out are recognised as the one op that they mean."""

from __future__ import annotations

import math

import numpy as np

from ..graph.graph import Node, Ref
from ..graph.types import Dim, ValueType
from ..ops.infer import known
from ..ops.rules import EXACT
from .rewrite import Rewriter


def _is(rw: Rewriter, ref: Ref, *ops: str) -> Node | None:
    """The node that computes `ref`, where it is one of `ops`."""
    node = rw.source(ref)
    return node if node.op in ops else None


def _sides(node: Node) -> list[tuple[Ref, Ref]]:
    """Both ways to read a commutative node of two inputs."""
    a, b = node.inputs
    return [(a, b), (b, a)]


def _about(rw: Rewriter, ref: Ref, number: float) -> bool:
    value = rw.scalar(ref)
    return value is not None and math.isclose(value, number, rel_tol=1e-6)


_STEPS = 8  # that a composition may have between the ops that tell what it is


def _scaled(rw: Rewriter, ref: Ref) -> tuple[Ref, float] | None:
    """`ref` as another value times a number: ``-x``, ``x * c``, ``x / c``."""
    node = rw.source(ref)
    if node.op == "Neg":
        return node.inputs[0], -1.0
    if node.op == "Mul":
        for x, c in _sides(node):
            number = rw.scalar(c)
            if number is not None:
                return x, number
    if node.op == "RealDiv":
        number = rw.scalar(node.inputs[1])
        if number:
            return node.inputs[0], 1.0 / number
    return None


def _unscaled(rw: Rewriter, ref: Ref) -> tuple[Ref, float]:
    """`ref` as a value times a number, through a few such steps."""
    factor = 1.0
    for _ in range(_STEPS):
        found = _scaled(rw, ref)
        if found is None or not rw.single(ref):
            break
        ref, factor = found[0], factor * found[1]
    return ref, factor


def _factors(rw: Rewriter, ref: Ref, most: int = 4) -> tuple[list[Ref], float]:
    """`ref` as a product of values and a number."""
    values: list[Ref] = []
    factor = 1.0
    pending = [ref]
    steps = 0
    while pending:
        at = pending.pop()
        steps += 1
        node = rw.source(at)
        scaled = _scaled(rw, at)
        inner = (at == ref or rw.single(at)) and steps < _STEPS
        if scaled is not None and inner:
            factor *= scaled[1]
            pending.append(scaled[0])
        elif node.op == "Mul" and inner and len(values) + len(pending) < most:
            pending.extend(node.inputs)
        else:
            values.append(at)
    return values, factor


def _emit(rw: Rewriter, node: Node, op: str, x: Ref) -> list[Ref] | None:
    kind = node.types[0]
    if rw.type(x) != kind or kind.dtype != "float32" or kind.shape is None:
        return None
    return rw.emit(op, [x], {}, node.types, node.name)


def silu(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x * sigmoid(x)`` (tf.nn.silu)."""
    for x, gate in _sides(node):
        found = _is(rw, gate, "Sigmoid")
        if found and rw.single(gate) and found.inputs[0] == x:
            return _emit(rw, node, "td.silu", x)
    return None


def _product(rw: Rewriter, node: Node) -> tuple[list[Ref], float]:
    """The factors of the Mul or RealDiv `node`, which is not in the new graph yet."""
    values: list[Ref] = []
    factor = 1.0
    for at, ref in enumerate(node.inputs):
        number = rw.scalar(ref)
        if node.op == "RealDiv" and at == 1:
            return (values, factor / number) if number else ([*values, ref], math.nan)
        if number is not None:
            factor *= number
            continue
        more, by = _factors(rw, ref) if rw.single(ref) else ([ref], 1.0)
        values += more
        factor *= by
    return values, factor


def gelu(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x (1 + erf(x / sqrt 2)) / 2``, by erf, by erfc, or by its tanh approximation
    (tf.nn.gelu).
    """
    values, factor = _product(rw, node)
    if len(values) != 2 or not math.isclose(factor, 0.5, rel_tol=1e-6):
        return None
    for x, gate in (values, values[::-1]):
        if _is_erf_gate(rw, gate, x):
            return _emit(rw, node, "td.gelu", x)
        if _is_tanh_gate(rw, gate, x):
            return _emit(rw, node, "td.gelu_tanh", x)
    return None


def _one_plus(rw: Rewriter, ref: Ref) -> Ref | None:
    node = _is(rw, ref, "AddV2", "Add")
    for value, one in _sides(node) if node else ():
        if _about(rw, one, 1.0):
            return value
    return None


def _is_erf_gate(rw: Rewriter, gate: Ref, x: Ref) -> bool:
    """``erfc(-x / sqrt 2)``, or ``1 + erf(x / sqrt 2)``."""
    sign, inner = -1.0, _is(rw, gate, "Erfc")
    if inner is None:
        erf = _one_plus(rw, gate)
        sign, inner = 1.0, (_is(rw, erf, "Erf") if erf is not None else None)
    if inner is None:
        return False
    value, factor = _unscaled(rw, inner.inputs[0])
    return value == x and math.isclose(factor, sign * math.sqrt(0.5), rel_tol=1e-6)


def _is_tanh_gate(rw: Rewriter, gate: Ref, x: Ref) -> bool:
    """``1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))``."""
    tanh = _one_plus(rw, gate)
    node = _is(rw, tanh, "Tanh") if tanh is not None else None
    if node is None:
        return False
    inner, factor = _unscaled(rw, node.inputs[0])
    sum_ = _is(rw, inner, "AddV2", "Add")
    if sum_ is None or not math.isclose(factor, math.sqrt(2 / math.pi), rel_tol=1e-6):
        return False
    for linear, cubic in _sides(sum_):
        value, by = _unscaled(rw, cubic)
        if linear == x and math.isclose(by, 0.044715, rel_tol=1e-5) and _is_cube(rw, value, x):
            return True
    return False


def _is_cube(rw: Rewriter, ref: Ref, x: Ref) -> bool:
    power = _is(rw, ref, "Pow")
    if power:
        return power.inputs[0] == x and _about(rw, power.inputs[1], 3.0)
    product = _is(rw, ref, "Mul")
    for a, b in _sides(product) if product else ():
        square = _is(rw, a, "Square", "Mul")
        if b == x and square and set(square.inputs) == {x}:
            return True
    return False


def hard_swish(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x relu6(x + 3) / 6``."""
    values, factor = _product(rw, node)
    if len(values) == 2 and math.isclose(factor, 1 / 6, rel_tol=1e-6):
        for x, gate in (values, values[::-1]):
            if _is_hard_gate(rw, gate, x):
                return _emit(rw, node, "td.hard_swish", x)
    return None


def hard_sigmoid(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``relu6(x + 3) / 6``, where it is not the gate of a hard swish."""
    values, factor = _product(rw, node)
    if len(values) == 1 and math.isclose(factor, 1 / 6, rel_tol=1e-6):
        relu = _is(rw, values[0], "Relu6")
        plus = _is(rw, relu.inputs[0], "AddV2", "Add") if relu else None
        for x, three in _sides(plus) if plus else ():
            if _about(rw, three, 3.0) and rw.single(values[0]):
                return _emit(rw, node, "td.hard_sigmoid", x)
    return None


def _is_hard_gate(rw: Rewriter, gate: Ref, x: Ref) -> bool:
    if _is(rw, gate, "td.hard_sigmoid"):
        return False
    relu = _is(rw, gate, "Relu6")
    plus = _is(rw, relu.inputs[0], "AddV2", "Add") if relu else None
    return any(
        value == x and _about(rw, three, 3.0) for value, three in (_sides(plus) if plus else ())
    )


def gated_hard_sigmoid(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x hard_sigmoid(x)``."""
    for x, gate in _sides(node):
        found = _is(rw, gate, "td.hard_sigmoid")
        if found and rw.single(gate) and found.inputs[0] == x:
            return _emit(rw, node, "td.hard_swish", x)
    return None


def _is_mean(rw: Rewriter, ref: Ref, axis: int) -> Ref | None:
    """The value whose mean over its last axis, kept, `ref` is."""
    node = _is(rw, ref, "Mean")
    if node is None or not node.attrs.get("keep_dims"):
        return None
    axes = rw.constant(node.inputs[1])
    if axes is None or axes.size != 1 or int(axes.reshape(())[()]) not in (-1, axis):
        return None
    return node.inputs[0]


def layer_norm(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x inv + (beta - mean inv)`` with ``inv = gamma / sqrt(variance + epsilon)`` over the last
    axis.

    As Keras spells it; gamma and beta are constants, either may be missing.
    """
    rank = node.types[0].rank
    if not rank or node.types[0].dtype != "float32":
        return None
    for product, rest in _sides(node):
        main = _is(rw, product, "Mul")
        for x, inv in _sides(main) if main else ():
            mean_part = _minus_mean(rw, rest, inv, x, rank - 1)
            if mean_part is None:
                continue
            found = _inverse(rw, inv, x, rank - 1)
            if found is not None and rw.type(x) == node.types[0]:
                gamma, epsilon = found
                attrs = {"scale": gamma, "shift": mean_part[0], "epsilon": epsilon}
                return rw.emit("td.LayerNorm", [x], attrs, node.types, node.name)
    return None


def _minus_mean(
    rw: Rewriter, rest: Ref, inv: Ref, x: Ref, axis: int
) -> tuple[np.ndarray | None] | None:
    """Beta where `rest` is ``beta - mean inv``; (None,) where there is no beta."""
    sub, add = _is(rw, rest, "Sub"), _is(rw, rest, "AddV2", "Add")
    if sub:
        beta, product, sign = rw.constant(sub.inputs[0]), sub.inputs[1], 1.0
    elif add:
        sides = [(rw.constant(b), a) for a, b in _sides(add) if rw.constant(b) is not None]
        if not sides:
            return None
        (beta, product), sign = sides[0], -1.0
    else:
        beta, product, sign = None, rest, -1.0
    values, factor = _factors(rw, product)
    if factor != sign or len(values) != 2 or inv not in values or (beta is None and sub):
        return None
    (mean,) = [v for v in values if v != inv] or [inv]
    if _is_mean(rw, mean, axis) != x:
        return None
    return (None if beta is None else beta.reshape(-1),)


def _inverse(rw: Rewriter, inv: Ref, x: Ref, axis: int) -> tuple[np.ndarray | None, float] | None:
    """Gamma and epsilon where `inv` is ``gamma rsqrt(variance of x + epsilon)``."""
    gamma = None
    product = _is(rw, inv, "Mul")
    if product:
        sides = [(rw.constant(b), a) for a, b in _sides(product) if rw.constant(b) is not None]
        if not sides:
            return None
        gamma, inv = sides[0]
        assert gamma is not None
        if gamma.size not in (1,) and gamma.shape[-1:] != (gamma.size,):
            return None
        gamma = gamma.reshape(-1)
    rsqrt = _is(rw, inv, "Rsqrt")
    plus = _is(rw, rsqrt.inputs[0], "AddV2", "Add") if rsqrt else None
    for variance, eps in _sides(plus) if plus else ():
        epsilon = rw.scalar(eps)
        squares = _is_mean(rw, variance, axis)
        node = _is(rw, squares, "SquaredDifference", "Square") if squares is not None else None
        if epsilon is None or node is None:
            continue
        if node.op == "Square":
            difference = _is(rw, node.inputs[0], "Sub")
            node = difference if difference and difference.inputs[0] == x else None
        if node and x in node.inputs and any(_is_mean(rw, r, axis) == x for r in node.inputs):
            return gamma, epsilon
    return None


_MERGED = {"BTNH,BSNH->BNTS": "BNTS,BSNH->BTNH"}
"""Scores by einsum as Keras spells them, and the product with the values that belongs to them."""


def _renamed(equation: str) -> str:
    """An equation with its letters replaced by B, T, N, H, S in the order in which they appear."""
    names: dict[str, str] = {}
    return "".join(
        names.setdefault(c, "BTNHS"[len(names)] if len(names) < 5 else c) if c.isalpha() else c
        for c in equation.replace(" ", "")
    )


def attention(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``softmax(q k^T * scale + mask) v``, by batched products or by einsum."""
    if len(node.inputs) != 2:
        return None
    weights, v = node.inputs
    softmax = _is(rw, weights, "Softmax")
    if softmax is None or not rw.single(weights) or rw.type(v).dtype != "float32":
        return None
    scores, mask, unmasked = softmax.inputs[0], None, None
    add, less = _is(rw, scores, "AddV2", "Add"), _is(rw, scores, "Sub")
    select = _is(rw, scores, "SelectV2")
    if add and rw.single(scores):
        scores, mask = _split_mask(rw, add)
    elif less and rw.single(scores):
        scores, mask = less.inputs
    elif select and rw.single(scores):
        unmasked, scores = select, _lowered(rw, select)[0]
    inner, scale = _unscaled(rw, scores)
    product = _is(rw, inner, "BatchMatMulV2", "BatchMatMul", "BatchMatMulV3", "Einsum")
    alone = rw.single(inner) or unmasked is not None
    if product is None or not alone or not rw.single(softmax.inputs[0]):
        return None
    perms = _attention_perms(rw, node, product)
    rank = node.types[0].rank
    if perms is not None and unmasked is not None:
        mask = _added_mask(rw, unmasked, rank)
        if mask is None:
            return None
    if perms is None or (mask is not None and rw.type(mask).rank != rank):
        return None
    if mask is not None and less:
        mask = _negative(rw, mask, f"{less.name}~mask")
    inputs = [*product.inputs, v, *([] if mask is None else [mask])]
    attrs = {"perms": perms, "scale": scale}
    return rw.emit("td.Attention", inputs, attrs, node.types, node.name)


def _split_mask(rw: Rewriter, add: Node) -> tuple[Ref, Ref | None]:
    """Scores and mask of their sum; the scores are the side that a product computes."""
    for scores, mask in _sides(add):
        inner, _ = _unscaled(rw, scores)
        if _is(rw, inner, "BatchMatMulV2", "BatchMatMul", "BatchMatMulV3", "Einsum"):
            return scores, mask
    return add.inputs[0], add.inputs[1]


def _negative(rw: Rewriter, ref: Ref, name: str) -> Ref:
    value = rw.constant(ref)
    if value is not None:
        return rw.const(-value, name)
    return rw.emit("Neg", [ref], {}, [rw.type(ref)], name)[0]


def _lowered(rw: Rewriter, select: Node) -> tuple[Ref, list[float]]:
    """``x`` of ``where(mask, x, y)``, and what is added to it: two numbers of which mask chooses
    one, where y is x less a number or the other way round.
    """
    _, chosen, other = select.inputs
    for x, y, turn in ((chosen, other, 1), (other, chosen, -1)):
        less = _is(rw, y, "Sub")
        number = rw.scalar(less.inputs[1]) if less and less.inputs[0] == x else None
        if number is not None:
            return x, [0.0, -number][::turn]
    return chosen, []


_NOTHING = -1e30  # beside a number below, a score is lost when they are added


def _added_mask(rw: Rewriter, select: Node, rank: int | None) -> Ref | None:
    """The mask of ``where(mask, scores, a huge negative number)``, or that beside scores less a
    number, as what is added to scores.
    """
    pair = _lowered(rw, select)[1]
    parts = [select.inputs[0]] if pair else _conjuncts(rw, select.inputs[0])
    if not pair:
        huge = rw.scalar(select.inputs[2])
        if huge is None or not huge <= _NOTHING:
            return None
        pair = [0.0, huge]
    if any(rw.type(ref).rank != rank or rw.type(ref).dtype != "bool" for ref in parts):
        return None
    total: Ref | None = None
    for i, ref in enumerate(parts):
        value, name = rw.constant(ref), f"{select.name}~mask{i}"
        numbers = [np.asarray(v, np.float32) for v in pair]
        if value is not None:
            part = rw.const(np.where(value, *numbers), name)
        else:
            sides = [rw.const(v, f"{name}~{n}") for n, v in enumerate(numbers)]
            kind = ValueType(select.types[0].dtype, rw.type(ref).shape)
            part = rw.emit("SelectV2", [ref, *sides], {}, [kind], name)[0]
        total = part if total is None else _least(rw, total, part, name)
    return total


def _least(rw: Rewriter, a: Ref, b: Ref, name: str) -> Ref | None:
    """The smaller of two values that broadcast."""
    left, right = rw.type(a).shape, rw.type(b).shape
    assert left is not None and right is not None
    shape = tuple(Dim.broadcast(x, y) for x, y in zip(left, right, strict=True))
    return rw.emit("Minimum", [a, b], {}, [ValueType(rw.type(a).dtype, shape)], f"{name}~both")[0]


def _conjuncts(rw: Rewriter, mask: Ref) -> list[Ref]:
    """Truth values, all of which must hold for `mask`; those that always do are left out."""
    parts: list[Ref] = []
    pending = [mask]
    for _ in range(_STEPS):
        if not pending:
            break
        ref = pending.pop()
        both = _is(rw, ref, "LogicalAnd")
        if both:
            pending += both.inputs
        elif not _always(rw, ref):
            parts.append(ref)
    return parts + pending


def _always(rw: Rewriter, ref: Ref) -> bool:
    filled = _is(rw, ref, "Fill")
    value = rw.constant(filled.inputs[1] if filled else ref)
    return value is not None and value.dtype == bool and bool(value.all())


def _attention_perms(rw: Rewriter, node: Node, product: Node) -> tuple[tuple[int, ...], ...] | None:
    """How q, k, v and the result become [..., t, d], [..., s, d], [..., s, d'] and [..., t, d']."""
    if node.op == product.op == "Einsum":
        first, second = _renamed(product.attrs["equation"]), node.attrs["equation"].replace(" ", "")
        if first not in _MERGED or _renamed(product.attrs["equation"] + second) != (
            first + _MERGED[first]
        ):
            return None
        return ((0, 2, 1, 3),) * 4
    if "Einsum" in (node.op, product.op):
        return None
    rank = node.types[0].rank
    if not rank or any(rw.type(r).rank != rank for r in (*product.inputs, node.inputs[1])):
        return None
    plain = tuple(range(rank))
    turned = (*plain[:-2], rank - 1, rank - 2)
    flags = [
        bool(product.attrs.get("adj_x")),
        not product.attrs.get("adj_y"),
        bool(node.attrs.get("adj_y")),
    ]
    if node.attrs.get("adj_x"):
        return None
    return (*(turned if flag else plain for flag in flags), plain)


def turned_product(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``(a b)^T``, as Keras spells scores of attention, is ``b^T a^T``: the same sums in order."""
    product = _is(rw, node.inputs[0], "BatchMatMulV2", "BatchMatMul")
    perm = rw.constant(node.inputs[1])
    if product is None or perm is None or not rw.single(node.inputs[0]):
        return None
    rank = perm.size
    if rank < 2 or perm.tolist() != [*range(rank - 2), rank - 1, rank - 2]:
        return None
    if node.types[0].dtype not in ("float32", "float64"):  # complex ones are conjugated too
        return None
    x, y = (not product.attrs.get(flag) for flag in ("adj_y", "adj_x"))
    attrs = {**product.attrs, "adj_x": x, "adj_y": y}
    return rw.emit(product.op, product.inputs[::-1], attrs, node.types, node.name)


def einsum_of_weights(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``abc,cde->abde`` with constant weights is a product of matrices between reshapes."""
    x, weights = node.inputs[0], rw.constant(node.inputs[-1])
    terms, _, result = node.attrs["equation"].replace(" ", "").partition("->")
    left, comma, right = terms.partition(",")
    kinds = rw.type(x), node.types[0]
    if weights is None or not comma or "." in terms or len(node.inputs) != 2:
        return None
    if any(k.dtype != "float32" or k.shape is None for k in kinds):
        return None
    summed = [c for c in right if c not in result]
    lead, columns = left[: len(left) - len(summed)], right[len(summed) :]
    if left != lead + "".join(summed) or right != "".join(summed) + columns:
        return None
    if result != lead + columns or len({*left, *right}) != len(left) + len(columns) or not summed:
        return None
    return _product_of_matrices(rw, node, weights, len(summed))


def einsum_without_sums(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``i,j->ij``, as positions meet frequencies, is a product of values that broadcast."""
    terms, _, result = node.attrs["equation"].replace(" ", "").partition("->")
    kind = node.types[0]
    if "." in terms or terms.count(",") != 1 or set(terms) - {","} != set(result):
        return None
    if kind.dtype != "float32" or len(result) != len(set(result)):
        return None
    factors = []
    all_extents = dict(zip(result, kind.shape or (), strict=False))
    for ref, term in zip(node.inputs, terms.split(","), strict=True):
        shape = rw.type(ref).shape
        if shape is None or [c for c in result if c in term] != list(term):
            return None
        extents = dict(zip(term, shape, strict=True))
        if any(all_extents.get(c) != extent for c, extent in extents.items()):
            return None  # nobody knows yet whether they agree
        wide = ValueType(kind.dtype, tuple(extents.get(c, 1) for c in result))
        factors += rw.emit("td.Reshape", [ref], {}, [wide], f"{node.name}~wide")
    return rw.emit("Mul", factors, {}, [kind], node.name)


def gather_from_the_end(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``x[where(i < 0, i + len(x), i)]``, as Keras spells that negative indices count from the
    end.
    """
    x, at, axis = node.inputs
    where, place, shape = _is(rw, at, "SelectV2", "Select"), rw.scalar(axis), rw.type(x).shape
    if where is None or place is None or shape is None:
        return None
    condition, plus, index = where.inputs
    less, sum_ = _is(rw, condition, "Less"), _is(rw, plus, "AddV2", "Add")
    if less is None or sum_ is None or rw.type(index) != rw.type(at):
        return None
    length = shape[int(place)]
    zero = less.inputs[0] == index and rw.scalar(less.inputs[1]) == 0
    if not zero or not any(i == index and rw.scalar(n) == length for i, n in _sides(sum_)):
        return None
    return rw.emit("td.Gather", [x, index, axis], node.attrs, node.types, node.name)


def _product_of_matrices(
    rw: Rewriter, node: Node, weights: np.ndarray, summed: int
) -> list[Ref] | None:
    x, out = node.inputs[0], node.types[0]
    shape = rw.type(x).shape
    assert shape is not None and out.shape is not None
    k = int(np.prod(weights.shape[:summed]))
    n = int(np.prod(weights.shape[summed:]))
    lead = shape[: len(shape) - summed]
    if summed > 1:
        flat = ValueType(out.dtype, (*lead, k))
        x = rw.emit("td.Reshape", [x], {}, [flat], f"{node.name}~flat")[0]
    matrix = rw.const(weights.reshape(k, n), f"{node.name}~matrix")
    kind = ValueType(out.dtype, (*lead, n))
    product = rw.emit("MatMul", [x, matrix], {}, [kind], f"{node.name}~product")
    if kind == out:
        return product
    return rw.emit("td.Reshape", product, {}, [out], node.name)


def _is_clipped(rw: Rewriter, ref: Ref) -> bool:
    """Whether a value of float32 was rounded, and clipped to what int8 holds."""
    bounds = {"Maximum": -128.0, "Minimum": 127.0}
    while bounds:
        node = _is(rw, ref, *bounds)
        limits = [(x, rw.scalar(c)) for x, c in _sides(node)] if node else []
        x, limit = next(((x, n) for x, n in limits if n is not None), (ref, None))
        if node is None or limit is None or not -128.0 <= limit <= 127.0:
            return False
        ref = x
        del bounds[node.op]
    return _is(rw, ref, "Round", "Rint") is not None


def product_of_bytes(rw: Rewriter, node: Node) -> list[Ref] | None:
    """Products of int8 that was float32 before, as of Keras's quantized layers, are exact in
    float32.
    """
    kinds = [rw.type(ref) for ref in node.inputs]
    if any(k.dtype != "int8" or k.shape is None for k in kinds) or node.types[0].dtype != "int32":
        return None
    weights, cast = rw.constant(node.inputs[1]), _is(rw, node.inputs[0], "Cast")
    if weights is None or weights.ndim != 2 or cast is None or not _is_clipped(rw, cast.inputs[0]):
        return None
    if node.attrs.get("adj_x") or node.attrs.get("adj_y"):
        return None
    if np.abs(weights.astype(np.int64)).sum(0).max(initial=0) * 128 > EXACT:
        return None
    wide = node.types[0]._replace(dtype=rw.type(cast.inputs[0]).dtype)
    matrix = rw.const(weights.astype(np.float32), f"{node.name}~float")
    product = rw.emit("MatMul", [cast.inputs[0], matrix], {}, [wide], f"{node.name}~product")
    attrs = {"DstT": node.types[0].dtype}
    return rw.emit("Cast", product, attrs, node.types, f"{node.name}~whole")


def whole_as_float(rw: Rewriter, node: Node) -> list[Ref] | None:
    """What `product_of_bytes` gives, cast back."""
    cast = _is(rw, node.inputs[0], "Cast")
    if cast is None or not cast.name.endswith("~whole") or rw.type(cast.inputs[0]) != node.types[0]:
        return None
    return [cast.inputs[0]]


def whole_range(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A range of floats that are whole numbers, up to a limit that was one: cast from integers."""
    start, delta = (rw.scalar(ref) for ref in (node.inputs[0], node.inputs[2]))
    cast = _is(rw, node.inputs[1], "Cast")
    kind = node.types[0]
    if start is None or delta is None or cast is None or kind.dtype not in ("float32", "float64"):
        return None
    limit = rw.type(cast.inputs[0]).dtype
    whole = all(number.is_integer() and abs(number) <= EXACT for number in (start, delta))
    if not whole or limit not in ("int32", "int64"):
        return None
    ends = [rw.const(np.array(v, limit.numpy), f"{node.name}~whole") for v in (start, delta)]
    inputs = [ends[0], cast.inputs[0], ends[1]]
    found = rw.emit("Range", inputs, {}, [kind._replace(dtype=limit)], f"{node.name}~range")
    return rw.emit("Cast", found, {"DstT": kind.dtype, "SrcT": limit}, [kind], node.name)


def sum_of_all(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``AddN`` is one sum after the other."""
    kind = node.types[0]
    if kind.dtype != "float32" or any(rw.type(ref) != kind for ref in node.inputs):
        return None
    total = node.inputs[0]
    for ref in node.inputs[1:]:
        (total,) = rw.emit("AddV2", [total, ref], {}, [kind], f"{node.name}~sum")
    return [total]


def same_order(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A transpose that leaves every axis where it is."""
    perm = rw.constant(node.inputs[1])
    if perm is None or perm.tolist() != list(range(perm.size)):
        return None
    return [node.inputs[0]]


def same_shape(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A reshape to the shape that the value has."""
    known = node.types[0].shape is not None
    return [node.inputs[0]] if known and rw.type(node.inputs[0]) == node.types[0] else None


def rows_kept(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``reshape(matmul(reshape(x), w))`` that only merges the leading axes and takes them apart
    again.
    """
    product = _is(rw, node.inputs[0], "MatMul")
    inner = _is(rw, product.inputs[0], "Reshape") if product else None
    if product is None or inner is None or product.attrs.get("transpose_a"):
        return None
    if node.types[0].dtype != "float32":  # whose products take any rank once they are fused
        return None
    x, out = rw.type(inner.inputs[0]).shape, node.types[0].shape
    k, n = rw.type(product.inputs[0]).shape, rw.type(node.inputs[0]).shape
    if x is None or out is None or k is None or n is None or rw.constant(product.inputs[1]) is None:
        return None
    if x[-1] != k[-1] or out != (*x[:-1], n[-1]) or not isinstance(x[-1], int):
        return None
    return rw.emit(
        "MatMul", [inner.inputs[0], product.inputs[1]], product.attrs, node.types, node.name
    )


def _padding_of(rw: Rewriter, ref: Ref) -> tuple[Ref, list[int], float] | None:
    """`ref` as a padded value: that value, the paddings of all axes, and what they hold."""
    pad = _is(rw, ref, "Pad", "PadV2")
    paddings = rw.constant(pad.inputs[1]) if pad else None
    if pad is None or paddings is None or (paddings < 0).any():
        return None
    fill = rw.scalar(pad.inputs[2]) if pad.op == "PadV2" else 0.0
    return None if fill is None else (pad.inputs[0], paddings.reshape(-1).tolist(), fill)


def _spatial_padding(rw: Rewriter, node: Node) -> tuple[Ref, list[int], float] | None:
    """What a window op without padding to the same size reads through ``Pad``, on spatial axes
    alone: the value, its explicit paddings, and what they hold.
    """
    found = _padding_of(rw, node.inputs[0])
    if found is None or node.attrs.get("data_format", "NHWC") not in ("NHWC", "NDHWC"):
        return None
    if node.attrs.get("padding") == "SAME" or any(found[1][:2] + found[1][-2:]):
        return None
    return found


def _wide(rw: Rewriter, x: Ref, name: str) -> Ref:
    """A sequence [n, w, c] as an image [n, 1, w, c]."""
    kind = rw.type(x)
    assert kind.shape is not None
    image = ValueType(kind.dtype, (kind.shape[0], 1, *kind.shape[1:]))
    axis = rw.const(np.array(1, np.int32), f"{name}~axis")
    return rw.emit("ExpandDims", [x, axis], {}, [image], f"{name}~wide")[0]


def _makes_image(rw: Rewriter, wide: Node) -> bool:
    """Whether an ``ExpandDims`` does what `_wide` does."""
    return rw.type(wide.inputs[0]).rank == 3 and rw.scalar(wide.inputs[1]) in (1, -3)


def _padded_sequence(rw: Rewriter, node: Node) -> tuple[Ref, list[int], float] | None:
    """As `_spatial_padding` for a sequence that was padded before it became an image."""
    wide = _is(rw, node.inputs[0], "ExpandDims")
    if wide is None or not _makes_image(rw, wide):
        return None
    found = _padding_of(rw, wide.inputs[0])
    if found is None or node.attrs.get("padding") == "SAME" or any(found[1][:2] + found[1][-2:]):
        return None
    return _wide(rw, found[0], node.name), [0, 0, *found[1]], found[2]


def padding_first(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``conv(pad(x))`` with zeros is a convolution with explicit padding."""
    found = _spatial_padding(rw, node) or _padded_sequence(rw, node)
    if found is None or found[2] != 0.0 or len(found[1]) != 8:
        return None
    paddings = found[1]
    if node.attrs["padding"] == "EXPLICIT":
        own = node.attrs["explicit_paddings"]
        paddings = [a + b for a, b in zip(paddings, own, strict=True)]
    attrs = node.attrs | {"padding": "EXPLICIT", "explicit_paddings": paddings}
    return rw.emit(node.op, [found[0], node.inputs[1]], attrs, node.types, node.name)


def dilated(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A convolution between ``SpaceToBatchND`` and ``BatchToSpaceND``, of images or of sequences,
    is a dilated one.
    """
    narrow = _is(rw, node.inputs[0], "Squeeze")
    conv = _is(
        rw, narrow.inputs[0] if narrow else node.inputs[0], "Conv2D", "DepthwiseConv2dNative"
    )
    wide = _is(rw, conv.inputs[0], "ExpandDims") if conv and narrow else None
    source = wide or conv
    apart = _is(rw, source.inputs[0], "SpaceToBatchND") if source else None
    shape = node.types[0].shape
    if conv is None or apart is None or shape is None or bool(wide) != (len(shape) == 3):
        return None
    if conv.attrs.get("padding") != "VALID" or conv.attrs.get("data_format", "NHWC") != "NHWC":
        return None
    if any(set(conv.attrs.get(name) or [1]) != {1} for name in ("strides", "dilations")):
        return None
    if wide and not _makes_image(rw, wide):
        return None
    block, paddings = _dilation(rw, apart, node) or ([], [])
    if len(block) != len(shape) - 2:
        return None
    lead = [1, 1] if wide else [1]
    attrs = conv.attrs | {
        "padding": "EXPLICIT",
        "dilations": [*lead, *block, 1],
        "explicit_paddings": [0, 0, *([0, 0] if wide else []), *paddings, 0, 0],
    }
    image = node.types[0]._replace(shape=(shape[0], 1, *shape[1:]) if wide else shape)
    x = _wide(rw, apart.inputs[0], node.name) if wide else apart.inputs[0]
    whole = Node(conv.op, f"{node.name}~conv", (x, conv.inputs[1]), attrs, (image,))
    made = padding_first(rw, whole) or rw.emit(
        whole.op, whole.inputs, whole.attrs, whole.types, whole.name
    )
    return rw.emit("td.Reshape", made, {}, node.types, node.name) if wide else made


def _dilation(rw: Rewriter, apart: Node, joined: Node) -> tuple[list[int], list[int]] | None:
    """Dilations, and paddings before and after each axis, of what stands between the two."""
    numbers = [
        known(rw.graph, ref) for ref in (*apart.inputs[1:], joined.inputs[1], joined.inputs[2])
    ]
    if any(n is None for n in numbers):
        return None
    block, before, again, after = (np.ravel(np.asarray(n)).tolist() for n in numbers)
    paddings = [a - b for a, b in zip(before, after, strict=False)]
    if block != again or len(before) != len(after):
        return None
    if any(not isinstance(n, int) or n < 0 for n in (*block, *paddings)):
        return None
    return block, paddings


def padded_pool(rw: Rewriter, node: Node) -> list[Ref] | None:
    """``max_pool(pad(x))``, or ``avg_pool(pad(x))`` with zeros: windows hold the padding."""
    found = _spatial_padding(rw, node) if node.attrs["padding"] == "VALID" else None
    mean = node.op.startswith("Avg")
    if found is None or rw.type(found[0]).dtype != "float32" or (mean and found[2] != 0.0):
        return None
    more = {"op": node.op, "padding": "EXPLICIT", "explicit_paddings": found[1], "fill": found[2]}
    return rw.emit("td.Pool", [found[0]], node.attrs | more, node.types, node.name)


_NEARBY = 7  # channels on either side that `local_response` reads at most


def local_response(rw: Rewriter, node: Node) -> list[Ref] | None:
    """LRN is elementwise over shifted views of the squares, with zeros beside them."""
    (x,), kind = node.inputs, node.types[0]
    shape, radius = kind.shape, node.attrs.get("depth_radius", 5)
    if kind.dtype != "float32" or shape is None or not 0 <= radius <= _NEARBY:
        return None
    if not isinstance(shape[-1], int):
        return None
    numbers = [node.attrs.get(n, d) for n, d in (("bias", 1.0), ("alpha", 1.0), ("beta", 0.5))]
    if min(numbers[:2]) < 0:
        return None  # a power of what may be negative is NaN
    bias, alpha, power = (
        rw.const(np.array(v, np.float32), f"{node.name}~{i}")
        for i, v in enumerate((*numbers[:2], -numbers[2]))
    )

    def emit(op: str, inputs: list[Ref], type: ValueType = kind) -> Ref:
        return rw.emit(op, inputs, {}, [type], f"{node.name}~{op}")[0]

    around = rw.const(np.array([[0, 0]] * 3 + [[radius, radius]], np.int32), f"{node.name}~around")
    wider = ValueType(kind.dtype, (*shape[:-1], shape[-1] + 2 * radius))
    squares = emit("Pad", [emit("Square", [x]), around], wider)
    size = rw.const(np.array([-1, -1, -1, shape[-1]], np.int32), f"{node.name}~size")
    total: Ref | None = None
    for i in range(2 * radius + 1):
        begin = rw.const(np.array([0, 0, 0, i], np.int32), f"{node.name}~begin")
        part = emit("Slice", [squares, begin, size])
        total = part if total is None else emit("AddV2", [total, part])
    assert total is not None
    near = emit("AddV2", [bias, emit("Mul", [alpha, total])])
    factor = emit("Rsqrt", [near]) if numbers[2] == 0.5 else emit("Pow", [near, power])
    return [emit("Mul", [x, factor])]


RULES = {
    **{op: [attention] for op in ("BatchMatMul", "BatchMatMulV2")},
    "BatchMatMulV3": [attention, product_of_bytes],
    "Cast": [whole_as_float],
    "Einsum": [attention, einsum_of_weights, einsum_without_sums],
    "GatherV2": [gather_from_the_end],
    "LRN": [local_response],
    "Mul": [silu, gelu, hard_swish, hard_sigmoid, gated_hard_sigmoid],
    "Range": [whole_range],
    "RealDiv": [gelu, hard_swish, hard_sigmoid],
    "AddV2": [layer_norm],
    "Add": [layer_norm],
    "Transpose": [same_order, turned_product],
    "Reshape": [rows_kept, same_shape],
    "Conv2D": [padding_first],
    "DepthwiseConv2dNative": [padding_first],
    "BatchToSpaceND": [dilated],
    **{op: [sum_of_all] for op in ("AddN", "AccumulateNV2")},
    **{op: [padded_pool] for op in ("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")},
}
