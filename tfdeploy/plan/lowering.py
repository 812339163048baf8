"""How each op becomes calls of kernels: one function an op, indexed by op name.

A lowering takes a `Builder` whose `node` is the one at hand, describes where each output lies, and
raises `NoKernel` where the kernels do not do what the node asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..config import WINOGRAD
from ..dtypes import FLOAT32, Array
from ..graph.graph import Node, Ref
from ..graph.types import Dim, Extent, product
from ..ops.rules import normalize_axis
from .builder import Builder, NoKernel, Step, Value

Lowering = Callable[[Builder], None]
LOWERINGS: dict[str, Lowering] = {}
USES: dict[str, tuple[int, ...]] = {}
"""Inputs that a lowered op reads, where that is not all of them: shapes are known from the
types.
"""


def lowers(*ops: str, uses: tuple[int, ...] | None = None) -> Callable[[Lowering], Lowering]:
    """Registers the decorated lowering for `ops`."""

    def register(function: Lowering) -> Lowering:
        for op in ops:
            LOWERINGS[op] = function
            if uses is not None:
                USES[op] = uses
        return function

    return register


def read(node: Node) -> tuple[Ref, ...]:
    """The inputs that a node's lowering reads."""
    return tuple(node.inputs[i] for i in USES[node.op]) if node.op in USES else node.inputs


def require(condition: Any) -> None:
    """NoKernel unless `condition`."""
    if not condition:
        raise NoKernel


def _axis(b: Builder, ref: Ref, rank: int) -> int:
    """The axis that a constant says, counted from the first."""
    return normalize_axis(b.array(ref).item(), rank)


def attrs(b: Builder) -> dict[str, Any]:
    """Attributes of the node at hand, defaults filled in."""
    from ..ops import registry

    record = registry.get(b.node.op)
    return (record.defaults if record else {}) | b.node.attrs


# Products and windows


def _epilogue(b: Builder, at: int) -> list[Value | None]:
    """Scale, shift and residual of a fused node; its residual is input `at`."""
    a = b.node.attrs
    residual = b.input(at) if len(b.node.inputs) > at else None
    return [b.floats(a["scale"]), b.floats(a["shift"]), residual]


def _act(b: Builder) -> tuple[int, tuple[float, ...]]:
    return b.activations[b.node.attrs["act"]], b.node.attrs["params"]


@lowers("td.MatMul")
def _matmul(b: Builder) -> None:
    a = b.node.attrs
    weights = b.array(b.node.inputs[1])
    require(weights.ndim == 2)
    turned = a.get("transpose_b") or a.get("adj_y")
    key = (id(weights), bool(turned))
    packed = b.pack((weights.T if turned else weights)[None, None], key)
    act, params = _act(b)
    x = b.input(0)
    b.call("matmul", [x, packed, *_epilogue(b, 2)], [b.output()], [act], params)


def _window(
    b: Builder,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
    explicit: Sequence[int],
) -> list[int]:
    """The ints that describe a window: kernel, stride, dilation, padding before, as extents."""
    out = b.type().shape
    before = []
    for i, k in enumerate(kernel):
        if padding == "SAME":
            reach = (k - 1) * dilations[i] + 1
            total = (out[i + 1] - 1) * strides[i] + reach - x.shape[i + 1]
            before.append(b.half(b.at_least_zero(total)))
        else:
            before.append(b.extent(explicit[2 * i] if padding == "EXPLICIT" else 0))
    return [b.extent(n) for n in (*kernel, *strides, *dilations)] + before


def _spatial(a: dict[str, Any], name: str, rank: int) -> list[int]:
    """The spatial part of an NHWC attribute such as strides."""
    values = a.get(name) or [1] * rank
    require(len(values) == rank and values[0] == 1 and values[-1] == 1)
    return list(values[1:-1])


def _conv_window(b: Builder, x: Value, kernel: Sequence[int]) -> list[int]:
    a = attrs(b)
    strides, dilations = _spatial(a, "strides", x.rank), _spatial(a, "dilations", x.rank)
    if a.get("explicit_paddings"):
        explicit = list(a["explicit_paddings"])[2:-2]
    else:
        explicit = [0, 0] * len(kernel)
    return _window(b, x, kernel, strides, dilations, a["padding"], explicit)


@lowers("td.Conv")
def _conv(b: Builder) -> None:
    weights = b.array(b.node.inputs[1])
    x = b.input(0)
    *kernel, length, n = weights.shape
    channels = x.shape[-1]
    require(isinstance(channels, int) and length and channels % length == 0)
    assert isinstance(channels, int)
    groups = channels // length
    require(groups and n % groups == 0)
    act, params = _act(b)
    window = _conv_window(b, x, kernel)
    taps = math.prod(kernel)
    padded = taps > 1 or b.node.attrs.get("padding") == "EXPLICIT"
    dense = padded and not _finite(weights)
    points = 0 if groups > 1 or dense else _winograd_points(b, weights)
    if points:
        slices = math.prod(kernel[:-2])
        flat = np.moveaxis(weights, (-4, -3), (0, 1)).reshape(3, 3, slices * length, n)
        packed = b.pack(flat, (id(weights), "winograd"), points)
        *before, above, left = window[3 * len(kernel) :]
        ints = [b.extent(act), above, left, b.extent(slices), *(before or [b.extent(0)])]
        b.call_with("winograd", [x, packed, *_epilogue(b, 2)], [b.output()], ints, params)
        return
    if groups > 1 and not dense and _narrow(length, n, taps) and n == channels:
        w = b.const(weights.reshape(taps * length, n))
        ints = [b.extent(act), b.extent(0), *window]
        b.call_with("depthwise", [x, w, *_epilogue(b, 2)], [b.output()], ints, params)
        return
    grouped = weights.reshape(taps, length, groups, n // groups).transpose(2, 0, 1, 3)
    packed = b.pack(grouped, (id(weights), "conv"))
    operands = [packed, *_epilogue(b, 2)]
    plain = set(attrs(b).get("strides") or [1]) == {1} and b.type().shape[:-1] == x.shape[:-1]
    depth = _taken_back(b, "depthwise", "separable") if kernel == [1, 1] and plain else None
    if depth is not None:
        if depth.kernel == "depthwise":
            depth = _separable(b, None, depth.inputs, depth.ints, depth.floats)
        inputs, ints = depth.inputs[: -len(operands)] + operands, list(depth.ints)
        ints[_SEPARABLE_ACT] = b.extent(act)
        b.call_with("separable", inputs, [b.output()], ints, [*depth.floats[:-2], *params])
        return
    ints = [b.extent(act), b.extent(groups), b.extent(int(dense)), *window]
    b.call_with("conv", [x, *operands], [b.output()], ints, params)


def _narrow(length: int, n: int, taps: int) -> bool:
    """Whether groups of so many channels would leave most of a panel empty, and kernel `depthwise`
    does them.
    """
    return length in (1, 2, 4, 8) and n % 16 == 0 and taps * length <= 256


_SEPARABLE_ACT = 21  # among the ints of kernel `separable`, the activation of its last product
_LARGE = 1 << 17  # floats of an image between two steps that are worth keeping in a cache


def _taken_back(b: Builder, *kernels: str) -> Step | None:
    """The last step, taken out of the plan, where it is one of `kernels` that `separable` can
    hold, and its result is a large image that the node at hand alone reads.
    """
    value, step = b.own(b.node.inputs[0]), b.steps[-1] if b.steps else None
    if step is None or value is not step.outputs[0] or step.kernel not in kernels:
        return None
    floats = product(value.shape[1:])
    if value.rank != 4 or (isinstance(floats, int) and floats < _LARGE):
        return None
    single = step.kernel != "conv" or step.ints[1] == b.extent(1)
    complete = step.inputs[7 if step.kernel == "separable" else 4] is not None
    if not single or complete or b.node.name in b.wants_dense or step.within is not b.within:
        return None
    return b.steps.pop()


def _separable(
    b: Builder,
    conv: Step | None,
    depth: Sequence[Value | None],
    ints: Sequence[int],
    floats: Sequence[float],
) -> Step:
    """A call of `separable` without its last product: `conv` if any, then a depthwise convolution
    of the given operands.
    """
    assert depth[0] is not None
    zero = b.extent(0)
    before = conv.inputs[:4] if conv else [depth[0], None, None, None]
    numbers = list(conv.ints) if conv else [zero] * 11
    numbers += [*ints, zero, *(b.extent(n) for n in depth[0].shape[1:3])]
    inputs = [*before, *depth[1:4], None, None, None, None]
    bounds = [*(conv.floats if conv else (0.0, 0.0)), *floats, 0.0, 0.0]
    return Step("separable", inputs, [], numbers, bounds, b.node)


def _finite(weights: Array) -> bool:
    """Whether no weight is inf or NaN: their sum, which is quickly made, mostly tells."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(weights.sum()) or np.isfinite(weights).all())


_WINOGRAD = (16, 8)  # fewest channels, of all slices of a volume, and fewest results that gain
_TILES = {36: 4, 25: 3, 16: 2}  # pixels that a tile of so many points has along a side
# Tiles that a product does in the time that its weights take to be read, where caches do not hold
# so many floats.
_READING, _CACHED = 8, 160 * 1024


def _winograd_points(b: Builder, weights: Array) -> int:
    """Points of the Winograd tiles that a convolution gains most by, or 0: enough channels, an
    image of enough tiles; few tiles wait for the weights, which small tiles have fewer of.  Decided
    by what does not vary between calls.
    """
    a = attrs(b)
    *slices, height, width = b.type().shape[1:-1]
    plain = [1] * (weights.ndim)
    if weights.ndim < 4 or weights.shape[-4:-2] != (3, 3) or not WINOGRAD.read():
        return 0
    if list(a.get("strides") or plain) != plain or list(a.get("dilations") or plain) != plain:
        return 0
    if not isinstance(height, int) or not isinstance(width, int) or min(height, width) < 6:
        return 0
    channels = math.prod(weights.shape[:-4]) * weights.shape[-2]
    if channels < _WINOGRAD[0] or weights.shape[-1] < _WINOGRAD[1]:
        return 0
    images = math.prod(n for n in slices if isinstance(n, int))

    reading = _READING if 36 * channels * weights.shape[-1] > _CACHED else 0

    def cost(points: int) -> int:
        pixels = _TILES[points]
        return points * (images * -(-height // pixels) * -(-width // pixels) + reading)

    return min(_TILES, key=cost)


@lowers("td.ConvTranspose")
def _conv_transpose(b: Builder) -> None:
    weights = b.array(b.node.inputs[1])
    x = b.input(0)
    *kernel, n, length = weights.shape
    taps = math.prod(kernel)
    packed = b.pack(
        weights.reshape(1, taps, n, length).transpose(0, 1, 3, 2), (id(weights), "transpose")
    )
    act, params = _act(b)
    a = attrs(b)
    strides, dilations = _spatial(a, "strides", x.rank), _spatial(a, "dilations", x.rank)
    out = b.type().shape
    before = []
    for i, k in enumerate(kernel):
        require(a["padding"] in ("SAME", "VALID"))
        reach = (k - 1) * dilations[i] + 1
        total = (x.shape[i + 1] - 1) * strides[i] + reach - out[i + 1]
        same = a["padding"] == "SAME"
        before.append(b.half(b.at_least_zero(total)) if same else b.extent(0))
    dense = b.extent(int(not _finite(weights)))
    window = [b.extent(v) for v in (*kernel, *strides, *dilations)]
    b.call_with(
        "conv_transpose",
        [x, packed, *_epilogue(b, 2)],
        [b.output()],
        [b.extent(act), dense, *window, *before],
        params,
    )


@lowers("td.Depthwise")
def _depthwise(b: Builder) -> None:
    weights = b.array(b.node.inputs[1])
    x = b.input(0)
    *kernel, channels, multiplier = weights.shape
    taps = math.prod(kernel)
    act, params = _act(b)
    window = _conv_window(b, x, kernel)
    if multiplier == 1:
        w = b.const(weights.reshape(taps, channels))
        ints = [b.extent(act), b.extent(int(not _finite(weights))), *window]
        operands = [x, w, *_epilogue(b, 2)]
        conv = _taken_back(b, "conv")
        if conv is not None:
            s = _separable(b, conv, operands, ints, params)
            b.call_with(s.kernel, s.inputs, [b.output()], s.ints, s.floats)
            return
        b.call_with("depthwise", operands, [b.output()], ints, params)
        return
    grouped = weights.reshape(taps, 1, channels, multiplier).transpose(2, 0, 1, 3)
    packed = b.pack(grouped, (id(weights), "depthwise"))
    ints = [b.extent(act), b.extent(channels), b.extent(1), *window]
    b.call_with("conv", [x, packed, *_epilogue(b, 2)], [b.output()], ints, params)


@lowers("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "td.Pool")
def _pool(b: Builder) -> None:
    a = attrs(b)
    padded = b.node.op == "td.Pool"
    require(a.get("data_format", "NHWC") in ("NHWC", "NDHWC"))
    require(padded or a["padding"] != "EXPLICIT")
    x = b.input(0)
    kernel = _spatial(a, "ksize", x.rank)
    name = "max_pool" if a.get("op", b.node.op).startswith("Max") else "avg_pool"
    fill = [a["fill"]] if padded else []
    b.call_with(name, [x], [b.output()], _conv_window(b, x, kernel), fill)


@lowers("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "MatMul")
def _batch_matmul(b: Builder) -> None:
    a = attrs(b)
    x, y = b.input(0), b.input(1)
    out = b.type().shape
    if b.node.op == "BatchMatMul":
        require(x.rank == y.rank)
        for left, right in zip(x.shape[:-2], y.shape[:-2], strict=True):
            b.equal(left, right)
    if a.get("adj_x") or a.get("transpose_a"):
        x = _turned(b, x)
    if a.get("adj_y") or a.get("transpose_b"):
        y = _turned(b, y)
    _multiply(b, _ranked(b, x, len(out)), _ranked(b, y, len(out)), b.output())


def _multiply(b: Builder, x: Value, y: Value, out: Value) -> None:
    """The products of two stacks of matrices."""
    if x.dtype == "float64":
        b.call("matmul_f64", [x, y], [out])
    else:
        b.call("batch_matmul", [x, y, None, None, None], [out], [0], [0.0, 0.0])


@lowers("Einsum")
def _einsum(b: Builder) -> None:
    """Two operands without an ellipsis, and one axis that is summed.

    Of the axes that only one operand has, one is rows or columns of a product; the other operand is
    the same along the rest.
    """
    a = attrs(b)
    terms, _, result = a["equation"].replace(" ", "").partition("->")
    operands = terms.split(",")
    require(len(operands) == 2 and "." not in terms and result)
    inputs = [b.input(0), b.input(1)]
    if result[-1] not in operands[1]:  # columns are what lies side by side in the result
        operands.reverse()
        inputs.reverse()
    left, right = operands
    require(all(len(set(t)) == len(t) for t in (left, right, result)))
    rows = [c for c in result if c in left and c not in right][-1:]
    columns = [c for c in result if c in right and c not in left][-1:]
    batch = [c for c in result if c not in (*rows, *columns)]
    summed = [c for c in left if c in right and c not in result]
    require(len(summed) == 1 and {*left, *right} == {*result, *summed})
    x = _arranged(b, inputs[0], left, [*batch, *(rows or "-"), *summed])
    y = _arranged(b, inputs[1], right, [*batch, *summed, *(columns or "-")])
    out = _arranged(b, b.output(), result, [*batch, *(rows or "-"), *(columns or "-")])
    _multiply(b, x, y, out)


def _arranged(b: Builder, value: Value, labels: str, order: Sequence[str]) -> Value:
    """A view of `value`, whose axes are called `labels`, with axes in `order`; any other is an
    axis of 1.
    """
    strides = b.strides(value)
    at = [labels.find(c) for c in order]
    return b.view(
        value,
        [value.shape[i] if i >= 0 else 1 for i in at],
        [strides[i] if i >= 0 else 0 for i in at],
    )


def _turned(b: Builder, value: Value) -> Value:
    """The last two axes exchanged."""
    shape, strides = value.shape, b.strides(value)
    return b.view(
        value, (*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2])
    )


def _ranked(b: Builder, value: Value, rank: int) -> Value:
    """`value` with axes of length 1 before it."""
    missing = rank - value.rank
    if not missing:
        return value
    return b.view(value, (1,) * missing + value.shape, (0,) * missing + b.strides(value))


@lowers("td.Attention")
def _attention(b: Builder) -> None:
    a = b.node.attrs
    operands: list[Value | None] = [_permuted(b, b.input(i), a["perms"][i]) for i in range(3)]
    operands.append(b.input(3) if len(b.node.inputs) > 3 else None)
    out = b.output()
    b.call("attention", operands, [_permuted(b, out, a["perms"][3])], [], [a["scale"]])


def _permuted(b: Builder, value: Value, perm: Sequence[int]) -> Value:
    strides = b.strides(value)
    if list(perm) == list(range(value.rank)):
        return value
    return b.view(value, [value.shape[i] for i in perm], [strides[i] for i in perm])


# Rows


@lowers("Softmax", "LogSoftmax")
def _softmax(b: Builder) -> None:
    x, log = b.dense(b.input(0)), b.node.op == "LogSoftmax"
    require(x.rank)
    if x.dtype == "float64":
        b.call("softmax_f64", [x], [b.output()], [int(log)])
    else:
        b.call("log_softmax" if log else "softmax", [x], [b.output()])


@lowers("td.LayerNorm")
def _layer_norm(b: Builder) -> None:
    a = b.node.attrs
    inputs = [b.dense(b.input(0)), b.floats(a["scale"]), b.floats(a["shift"])]
    b.call("layer_norm", inputs, [b.output()], [], [a["epsilon"]])


_REDUCTIONS = {"Sum": "sum", "Mean": "mean", "Max": "max", "Min": "min", "Prod": "prod"}


@lowers(*_REDUCTIONS, uses=(0,))
def _reduce(b: Builder) -> None:
    x = b.input(0)
    require(x.dtype in ("float32", "float64", "int32", "int64"))
    b.set(0, _reduced(b, x, _REDUCTIONS[b.node.op]))


def _reduced(b: Builder, x: Value, how: str) -> Value:
    """Numbers reduced over the axes that input 1 lists."""
    axes = b.array(b.node.inputs[1])
    gone = {normalize_axis(int(axis), x.rank) for axis in axes.reshape(-1)}
    require(len(gone) == axes.size)
    target = b.new(x.dtype, tuple(1 if i in gone else e for i, e in enumerate(x.shape)))
    b.call("reduce", [x], [target], [b.engine.reductions()[how], sum(1 << axis for axis in gone)])
    return b.view(target, b.type().shape)


@lowers("All", "Any", uses=(0,))
def _truths(b: Builder) -> None:
    """Products and sums of zeros and ones."""
    x = b.input(0)
    numbers = b.new(FLOAT32, x.shape)
    b.call("cast", [x], [numbers])
    b.call("cast", [_reduced(b, numbers, "prod" if b.node.op == "All" else "sum")], [b.output()])


# Views


@lowers("Reshape", "td.Reshape", "ExpandDims", "Squeeze", uses=(0,))
def _reshape(b: Builder) -> None:
    shape = b.type().shape
    x = b.input(0)
    if not x.dense and len(shape) != x.rank:
        kept = _regrouped(b, x, shape)
        if kept is not None:
            b.set(0, b.view(x, shape, kept))
            return
    x = b.dense(x)
    b.equal(product(shape), product(x.shape))
    b.set(0, b.view(x, shape))


def _regrouped(b: Builder, x: Value, shape: Sequence[Extent]) -> list[Extent] | None:
    """Strides where `shape` differs from x's only in axes of length 1."""
    if [e for e in shape if e != 1] != [e for e in x.shape if e != 1]:
        return None
    steps = [s for s, e in zip(b.strides(x), x.shape, strict=True) if e != 1]
    return [0 if e == 1 else steps.pop(0) for e in shape]


@lowers("Identity", "StopGradient", "Snapshot")
def _same(b: Builder) -> None:
    b.set(0, b.input(0))


@lowers("td.Named")
def _named(b: Builder) -> None:
    x = b.input(0)
    for extent, real in zip(b.type().shape, x.shape, strict=True):
        b.settle(extent, real)
    b.set(0, x)


@lowers("EnsureShape")
def _ensure_shape(b: Builder) -> None:
    x = b.input(0)
    wanted = attrs(b)["shape"]
    require(wanted is None or len(wanted) == x.rank)
    for extent, real in zip(wanted or (), x.shape, strict=False):
        if extent not in (None, -1):
            b.equal(extent, real)
    b.set(0, x)


@lowers("Transpose", uses=(0,))
def _transpose(b: Builder) -> None:
    x = b.input(0)
    perm = b.array(b.node.inputs[1])
    order = [normalize_axis(int(p), x.rank) for p in perm]
    strides = b.strides(x)
    b.set(0, b.view(x, [x.shape[i] for i in order], [strides[i] for i in order]))


@lowers("Unpack")
def _unpack(b: Builder) -> None:
    a = attrs(b)
    x = b.input(0)
    axis = normalize_axis(a.get("axis", 0), x.rank)
    strides = b.strides(x)
    rest = [i for i in range(x.rank) if i != axis]
    for slot in range(len(b.node.types)):
        b.set(
            slot,
            b.view(x, [x.shape[i] for i in rest], [strides[i] for i in rest], strides[axis] * slot),
        )


@lowers("Split", uses=(1,))
def _split(b: Builder) -> None:
    x = b.input(1)
    _cut(b, x, _axis(b, b.node.inputs[0], x.rank))


@lowers("SplitV", uses=(0,))
def _split_v(b: Builder) -> None:
    x = b.input(0)
    _cut(b, x, _axis(b, b.node.inputs[2], x.rank))


def _cut(b: Builder, x: Value, axis: int) -> None:
    strides = b.strides(x)
    start: Extent = 0
    for slot in range(len(b.node.types)):
        shape = b.type(slot).shape
        b.set(slot, b.view(x, shape, strides, strides[axis] * start))
        start = start + shape[axis]
    b.equal(start, x.shape[axis])


@lowers("Slice", uses=(0,))
def _slice(b: Builder) -> None:
    begin = b.numbers(b.node.inputs[1])
    x, shape = b.input(0), b.type().shape
    offset: Extent = 0
    places = zip(b.strides(x), begin, shape, x.shape, strict=True)
    for step, at, size, extent in places:
        if at != 0 or size != extent:
            b.at_most(0, at)
            b.at_most(size + at, extent)
        offset = offset + step * at
    b.set(0, b.view(x, shape, b.strides(x), offset))


@lowers("StridedSlice", uses=(0,))
def _strided_slice(b: Builder) -> None:
    from ..ops.array import strided_spec

    x = b.input(0)
    begin, end, step = (b.numbers(ref) for ref in b.node.inputs[1:4])
    require(all(isinstance(each, int) for each in step))
    offset: Extent = 0
    shape, strides = [], []
    out, old = iter(b.type().shape), iter(zip(x.shape, b.strides(x), strict=True))
    for kind, entry in strided_spec(x.rank, begin, end, step, attrs(b)):
        extent, by = (1, 0) if kind == "new" else next(old)
        if kind == "at":
            offset = offset + by * _place(b, entry, extent)
            continue
        shape.append(next(out))
        if kind == "range":
            first, count = _reach(b, extent, *entry)
            b.settle(shape[-1], count)
            offset, by = offset + by * first, by * entry[2]
        strides.append(by)
    b.set(0, b.view(x, shape, strides, offset))


def _place(b: Builder, at: Extent, extent: Extent) -> Extent:
    """Where an index falls that drops its axis; one that is unknown should not be negative."""
    if isinstance(at, int) and at < 0:
        at = extent + at
    b.at_most(0, at)
    b.at_most(at + 1, extent)
    return at


def _reach(
    b: Builder, extent: Extent, begin: Extent | None, end: Extent | None, step: int
) -> tuple[Extent, Extent]:
    """Where ``[begin:end:step]`` begins in an axis, and how many elements it has."""
    if step > 0:
        first = 0 if begin is None else _bound(b, begin, extent)
        last = extent if end is None else _bound(b, end, extent)
        span = last if first == 0 else b.larger(last - first, 0)
        return first, span if step == 1 else -(-span // step)
    if begin is None and end is None:
        return extent - 1, -(-extent // -step)
    require(not any(isinstance(each, Dim) for each in (extent, begin, end)))
    assert isinstance(extent, int)
    found = range(extent)[slice(begin, end, step)]  # type: ignore[arg-type]
    return found.start if found else 0, len(found)


def _bound(b: Builder, at: Extent, extent: Extent) -> Extent:
    """Where a bound falls within an axis; one that is unknown should not be negative."""
    if isinstance(at, int):
        return b.smaller(at, extent) if at >= 0 else b.larger(extent + at, 0)
    b.at_most(0, at)
    return b.smaller(at, extent)


@lowers("XlaDynamicSlice", uses=(0,))
def _dynamic_slice(b: Builder) -> None:
    x = b.input(0)
    b.set(0, _window_of(b, x, b.type().shape, 1))


def _window_of(b: Builder, x: Value, shape: Sequence[Extent], at: int) -> Value:
    """The part of `x` of a shape that begins where input `at` says, moved inside."""
    begin = b.numbers(b.node.inputs[at])
    offset: Extent = 0
    for step, first, size, extent in zip(b.strides(x), begin, shape, x.shape, strict=True):
        b.at_most(size, extent)
        if size != extent:
            offset = offset + step * b.larger(b.smaller(first, extent - size), 0)
    return b.view(x, shape, b.strides(x), offset)


@lowers("XlaDynamicUpdateSlice", uses=(0, 1))
def _dynamic_update_slice(b: Builder) -> None:
    update, y = b.input(1), _changed(b, 0)
    b.copy(update, _window_of(b, y, update.shape, 2))


def _changed(b: Builder, i: int) -> Value:
    """The output, which begins as input `i`: in its place where nobody else needs that."""
    value = b.own(b.node.inputs[i])
    if value is not None and value.dense and value.shape == b.type().shape:
        return b.set(0, value)
    y = b.output()
    b.copy(b.input(i), y)
    return y


@lowers("ReverseV2", "Reverse", uses=(0,))
def _reverse(b: Builder) -> None:
    x = b.input(0)
    axes = b.array(b.node.inputs[1])
    named = np.flatnonzero(axes) if axes.dtype == bool else axes.reshape(-1)
    turned = {normalize_axis(int(axis), x.rank) for axis in named}
    require(len(turned) == named.size)
    strides = list(b.strides(x))
    offset: Extent = 0
    for axis in turned:
        offset = offset + strides[axis] * (x.shape[axis] - 1)
        strides[axis] = -strides[axis]
    b.set(0, b.view(x, x.shape, strides, offset))


@lowers("ZerosLike", "OnesLike", uses=())
def _fill_like(b: Builder) -> None:
    y = b.output()
    number = np.full((1,) * y.rank, b.node.op == "OnesLike", y.dtype.numpy)
    b.copy(b.const(number), y)


@lowers("BroadcastTo", uses=(0,))
def _broadcast_to(b: Builder) -> None:
    x = _ranked(b, b.input(0), len(b.type().shape))
    strides = [0 if e == 1 else s for e, s in zip(x.shape, b.strides(x), strict=True)]
    b.set(0, b.view(x, b.type().shape, strides))


# Moves


@lowers("ConcatV2")
def _concat(b: Builder) -> None:
    *parts, axis_ref = b.node.inputs
    target = b.output()
    axis = _axis(b, axis_ref, target.rank)
    strides = b.strides(target)
    start: Extent = 0
    for ref in parts:
        part = b.value(ref)
        _fits_beside(b, part, target, axis)
        offset = strides[axis] * start
        if part.shape != target.shape and not b.place(ref, target, strides, offset):
            b.copy(part, b.view(target, part.shape, strides, offset))
        elif part.shape == target.shape:
            b.copy(part, target)
        start = start + part.shape[axis]


def _fits_beside(b: Builder, part: Value, whole: Value, axis: int) -> None:
    """Has a part agree with the whole on every axis but the one along which parts are joined."""
    for i, (mine, other) in enumerate(zip(part.shape, whole.shape, strict=True)):
        if i != axis:
            b.equal(mine, other)


@lowers("Pack")
def _pack(b: Builder) -> None:
    target = b.output()
    axis = normalize_axis(attrs(b).get("axis", 0), target.rank)
    parts = []
    for ref in b.node.inputs:
        x = b.value(ref)
        shape, strides = list(x.shape), list(b.strides(x))
        shape.insert(axis, 1)
        strides.insert(axis, 0)
        parts.append(b.view(x, shape, strides))
    _join(b, target, parts, axis)


def _join(b: Builder, target: Value, parts: Sequence[Value], axis: int) -> None:
    strides = b.strides(target)
    start: Extent = 0
    for part in parts:
        _fits_beside(b, part, target, axis)
        b.copy(part, b.view(target, part.shape, strides, strides[axis] * start))
        start = start + part.shape[axis]


@lowers("Pad", "PadV2", uses=(0,))
def _pad(b: Builder) -> None:
    paddings = b.array(b.node.inputs[1])
    fill = 0.0
    if b.node.op == "PadV2":
        fill = float(b.array(b.node.inputs[2]))
    x, target = b.input(0), b.output()
    strides = b.strides(target)
    number = np.full((1,) * target.rank, fill, target.dtype.numpy)
    b.copy(b.const(number), target)
    offset: Extent = 0
    for step, (before, _) in zip(strides, paddings.tolist(), strict=True):
        require(before >= 0)
        offset = offset + step * before if before else offset
    b.copy(x, b.view(target, x.shape, strides, offset))


@lowers("MirrorPad", uses=(0,))
def _mirror_pad(b: Builder) -> None:
    """The strips beside an axis are turned copies of what lies inside, axis by axis."""
    x, target = b.input(0), b.output()
    known, edge = b.numbers(b.node.inputs[1]), int(attrs(b)["mode"] == "REFLECT")
    paddings = [n for n in known if isinstance(n, int) and n >= 0]
    require(len(paddings) == len(known))
    strides, before, after = b.strides(target), paddings[::2], paddings[1::2]
    start: Extent = 0
    for step, n in zip(strides, before, strict=True):
        start = start + step * n
    b.copy(x, b.view(target, x.shape, strides, start))
    shape = list(x.shape)
    for axis, step in enumerate(strides):
        start = start - step * before[axis]
        turned = [-s if i == axis else s for i, s in enumerate(strides)]
        extent = x.shape[axis]
        inside = before[axis] + extent
        for n, first, mirror in (
            (before[axis], 0, 2 * before[axis] - 1 + edge),
            (after[axis], inside, inside - 1 - edge),
        ):
            strip = [n if i == axis else e for i, e in enumerate(shape)]
            if n:
                require(isinstance(extent, int) and n + edge <= extent)
                source = b.view(target, strip, turned, start + step * mirror)
                b.copy(source, b.view(target, strip, strides, start + step * first))
        shape[axis] = inside + after[axis]


@lowers("DepthToSpace", "SpaceToDepth")
def _depth_and_space(b: Builder) -> None:
    a = attrs(b)
    require(a.get("data_format", "NHWC") == "NHWC")
    n, x, y = a["block_size"], b.input(0), b.output()
    deep, wide = (x, y) if b.node.op == "DepthToSpace" else (y, x)
    (rows, columns), channels = deep.shape[1:3], wide.shape[3]
    for whole, parts in zip(wide.shape[1:3], (rows, columns), strict=True):
        b.equal(whole, parts * n)
    b.equal(deep.shape[3], channels * (n * n))
    shape = (wide.shape[0], rows, n, columns, n, channels)
    d, w = b.strides(deep), b.strides(wide)
    apart = b.view(deep, shape, (d[0], d[1], d[3] * n * channels, d[2], d[3] * channels, d[3]))
    joined = b.view(wide, shape, (w[0], w[1] * n, w[1], w[2] * n, w[2], w[3]))
    b.copy(*((apart, joined) if deep is x else (joined, apart)))


@lowers("GatherV2", "Gather", "td.Gather")
def _gather(b: Builder) -> None:
    x, at = b.dense(b.input(0)), b.dense(b.input(1))
    axis = _axis(b, b.node.inputs[2], x.rank) if len(b.node.inputs) > 2 else 0
    batch = attrs(b).get("batch_dims", 0)
    batch += at.rank if batch < 0 else 0
    require(0 <= batch <= axis and batch <= at.rank)
    for mine, other in zip(x.shape[:batch], at.shape[:batch], strict=True):
        b.equal(mine, other)
    first, outer = product(x.shape[:batch]), product(x.shape[batch:axis])
    count, inner = product(at.shape[batch:]), product(x.shape[axis + 1 :])
    b.call(
        "gather",
        [b.view(x, (first, outer, x.shape[axis], inner)), b.view(at, (first, count))],
        [b.view(b.output(), (first, outer, count, inner))],
        [b.node.op == "td.Gather"],
    )


@lowers("GatherNd")
def _gather_nd(b: Builder) -> None:
    x, at = b.dense(b.input(0)), b.dense(b.input(1))
    require(at.rank and attrs(b).get("bad_indices_policy") != "IGNORE")
    count, depth = product(at.shape[:-1]), at.shape[-1]
    require(isinstance(depth, int) and depth <= x.rank)
    assert isinstance(depth, int)
    y, inner = b.output(), product(x.shape[depth:])
    source = b.view(x, (*x.shape[:depth], inner))
    b.call("gather_nd", [source, b.view(at, (count, depth))], [b.view(y, (count, inner))])


@lowers("OneHot", uses=(0, 2, 3))
def _one_hot(b: Builder) -> None:
    at = b.dense(b.input(0))
    y = b.output()
    require(attrs(b).get("axis", -1) in (-1, at.rank) and isinstance(y.shape[-1], int))
    on, off = b.view(b.input(2), (1,)), b.view(b.input(3), (1,))
    b.call(
        "one_hot",
        [b.view(at, (product(at.shape),)), on, off],
        [b.view(y, (product(at.shape), y.shape[-1]))],
    )


@lowers("ArgMax", "ArgMin", uses=(0,))
def _arg_reduce(b: Builder) -> None:
    x = b.dense(b.input(0))
    require(x.dtype == "float32")
    axis = _axis(b, b.node.inputs[1], x.rank)
    outer, inner = product(x.shape[:axis]), product(x.shape[axis + 1 :])
    y = b.output()
    source = b.view(x, (outer, x.shape[axis], inner))
    b.call("arg_reduce", [source], [b.view(y, (outer, inner))], [b.node.op == "ArgMin"])


@lowers("Cumsum", "Cumprod", uses=(0,))
def _scan(b: Builder) -> None:
    x, a = b.dense(b.input(0)), attrs(b)
    require(x.dtype in ("float32", "float64", "int32", "int64"))
    axis, y = _axis(b, b.node.inputs[1], x.rank), b.output()
    shape = product(x.shape[:axis]), x.shape[axis], product(x.shape[axis + 1 :])
    flags = [b.node.op == "Cumprod", bool(a.get("exclusive")), bool(a.get("reverse"))]
    b.call("scan", [b.view(x, shape)], [b.view(y, shape)], flags)


@lowers("MatrixBandPart", "BatchMatrixBandPart", uses=(0,))
def _band(b: Builder) -> None:
    x, y = b.dense(b.input(0)), b.output()
    diagonals = [n for ref in b.node.inputs[1:] for n in b.numbers(ref)]
    require(x.rank > 1 and len(diagonals) == 2)
    for n, extent in zip(diagonals, x.shape[-2:], strict=True):
        b.at_most(n, extent)
    shape = product(x.shape[:-2]), *x.shape[-2:]
    b.call("band", [b.view(x, shape)], [b.view(y, shape)], diagonals)


@lowers("TopK", "TopKV2", uses=(0,))
def _top_k(b: Builder) -> None:
    x = b.dense(b.input(0))
    require(x.dtype == "float32")
    values, places = b.output(0), b.output(1)
    rows = product(x.shape[:-1])
    targets = [b.view(y, (rows, y.shape[-1])) for y in (values, places)]
    b.call("top_k", [b.view(x, (rows, x.shape[-1]))], targets)


SEGMENTS = ("sum", "prod", "max", "min", "set")  # in the order of kernels/segment.h


def _segment(
    b: Builder, x: Value, at: Value, y: Value, how: str, start: Any, drops: bool = False
) -> None:
    """Rows of `x` join those rows of `y` that `at` numbers; `y` begins as `start`, or as it is."""
    _joined(b, x, b.view(b.dense(at), (product(at.shape),)), y, how, start, 1, drops)


def _joined(
    b: Builder, x: Value, at: Value, y: Value, how: str, start: Any, depth: int, drops: bool = False
) -> None:
    """As `_segment`; `at` is [n], or [n, depth] with an index for each of the first axes of `y`."""
    inner = product(y.shape[depth:])
    require(x.dtype in ("float32", "float64", "int32", "int64") and y.rank)
    first = None if start is None else b.const(np.full(1, start, y.dtype.numpy))
    operands = [b.view(b.dense(x), (at.shape[0], inner)), at, first]
    ints = [b.extent(SEGMENTS.index(how)), b.extent(int(drops))]
    ints += [b.extent(e) for e in y.shape[:depth]] if at.rank == 2 else []
    rows = product(y.shape[:depth])
    b.call_with("segment", operands, [b.view(y, (rows, inner))], ints)


@lowers(*(f"UnsortedSegment{how}" for how in ("Sum", "Prod", "Max", "Min")), uses=(0, 1))
def _unsorted_segment(b: Builder) -> None:
    x, at = b.input(0), b.input(1)
    how = b.node.op.removeprefix("UnsortedSegment").lower()
    require(x.rank >= at.rank)
    for mine, other in zip(x.shape, at.shape, strict=False):
        b.equal(mine, other)
    kind = x.dtype.numpy
    require(np.dtype(kind).kind in "fi")
    info: Any = np.finfo(kind) if np.dtype(kind).kind == "f" else np.iinfo(kind)
    start = {"sum": 0, "prod": 1, "max": info.min, "min": info.max}[how]
    _segment(b, x, at, b.output(), how, start, drops=True)


def _scattered(b: Builder, at: Value, updates: Value, y: Value, how: str, start: Any) -> None:
    """Slices of `updates` join those of `y` at the places that the rows of `at` say."""
    depth = at.shape[-1] if at.rank else 0
    require(isinstance(depth, int) and 0 < depth <= y.rank)
    assert isinstance(depth, int)
    require(attrs(b).get("bad_indices_policy") != "IGNORE")
    want = (*at.shape[:-1], *y.shape[depth:])
    require(len(want) == updates.rank)
    for mine, other in zip(want, updates.shape, strict=True):
        b.equal(mine, other)
    _joined(b, updates, b.view(b.dense(at), (product(at.shape[:-1]), depth)), y, how, start, depth)


@lowers("ScatterNd", uses=(0, 1))
def _scatter_nd(b: Builder) -> None:
    at, updates = b.input(0), b.input(1)
    require(updates.dtype in ("float32", "float64", "int32", "int64"))
    _scattered(b, at, updates, b.output(), "sum", 0)


@lowers("TensorScatterAdd", "TensorScatterUpdate")
def _tensor_scatter(b: Builder) -> None:
    at, updates, y = b.input(1), b.input(2), _changed(b, 0)
    _scattered(b, at, updates, y, "sum" if b.node.op.endswith("Add") else "set", None)


@lowers("Cast")
def _cast(b: Builder) -> None:
    require(not attrs(b).get("Truncate"))
    b.call("cast", [b.input(0)], [b.output()])


@lowers("ResizeBilinear", "ResizeNearestNeighbor", uses=(0,))
def _resize(b: Builder) -> None:
    a = attrs(b)
    kind = int(b.node.op == "ResizeBilinear")
    flags = [int(bool(a.get(name))) for name in ("align_corners", "half_pixel_centers")]
    require(b.input(0).dtype == "float32" and 0 not in b.type().shape[1:3])
    b.call("resize", [b.input(0)], [b.output()], [kind, *flags])


@lowers("CropAndResize", uses=(0, 1, 2))
def _crop_and_resize(b: Builder) -> None:
    a = attrs(b)
    x, boxes, of = (b.input(i) for i in range(3))
    require(x.dtype == "float32" and a["method"] in ("bilinear", "nearest"))
    b.equal(boxes.shape[0], of.shape[0])
    y = b.output()
    require(0 not in y.shape[1:3])
    method = int(a["method"] == "bilinear")
    b.call("crop_and_resize", [x, boxes, of], [y], [method], [a["extrapolation_value"]])


@lowers("Tile", uses=(0,))
def _tile(b: Builder) -> None:
    multiples = b.numbers(b.node.inputs[1])
    x, y = b.input(0), b.output()
    strides, steps = b.strides(x), b.strides(y)
    shape: list[Extent] = []
    source: list[Extent] = []
    target: list[Extent] = []
    for axis, times in enumerate(multiples):
        if times != 1:
            shape.append(times)
            source.append(0)
            target.append(steps[axis] * x.shape[axis])
        shape.append(x.shape[axis])
        source.append(strides[axis])
        target.append(steps[axis])
    b.copy(b.view(x, shape, source), b.view(y, shape, target))


@lowers("Range", uses=(0, 2))
def _range(b: Builder) -> None:
    start, limit = (b.numbers(ref) for ref in b.node.inputs[:2])
    delta = b.array(b.node.inputs[2])
    require(delta != 0)
    require(b.input(0).dtype in ("int32", "int64"))
    b.at_most(*((start[0], limit[0]) if delta > 0 else (limit[0], start[0])))
    b.call("range", [b.input(0), b.input(2)], [b.output()])


@lowers("Shape", uses=())
def _shape(b: Builder) -> None:
    shape = b.graph.type(b.node.inputs[0]).shape
    require(shape is not None)
    _numbers(b, shape or ())


@lowers("Size", uses=())
def _size(b: Builder) -> None:
    shape = b.graph.type(b.node.inputs[0]).shape
    require(shape is not None)
    _numbers(b, [product(shape or ())])


@lowers("td.Extents", uses=())
def _extents(b: Builder) -> None:
    _numbers(b, b.node.attrs["extents"])


def _numbers(b: Builder, extents: Sequence[Extent]) -> None:
    require(b.type().dtype in ("int32", "int64"))
    b.call_with("numbers", [], [b.output()], [b.extent(e) for e in extents])


@lowers("Fill", uses=(1,))
def _fill(b: Builder) -> None:
    x, y = b.input(1), b.output()
    b.copy(b.view(x, (1,) * y.rank), y)


@lowers("td.Map")
def _map(b: Builder) -> None:
    a = b.node.attrs
    table = b.engine.map_ops()
    code = [n for op, *operands in a["code"] for n in (table[op], *operands)]
    inputs = [b.operand(ref) for ref in b.node.inputs]
    kind = b.type()
    spare = (b.own(ref) for ref in b.node.inputs)
    again = (v for v in spare if v and v.shape == kind.shape and v.dtype == kind.dtype)
    target = next(again, None)
    target = b.output() if target is None else b.set(0, target)
    b.call("map", inputs, [target], [len(a["code"]), *code], a["constants"])
