"""Rows that say how each function of keras.ops is exported and fed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.ops import image as im

from tests.exported import Given, Row, between, flags, floats, ids, images, row

Rows = dict[str, Row]
Function = Callable[..., Any]
KINDS = {
    "float32": floats(4, 5),
    "int32": ids(-9, 10, 4, 5),
    "bool": flags(4, 5),
    "uint8": ids(0, 256, 4, 5, dtype="uint8"),
    "int8": ids(-128, 128, 4, 5, dtype="int8"),
    "int64": ids(-9, 10, 4, 5, dtype="int64"),
    "float16": floats(4, 5, dtype="float16"),
    "bfloat16": floats(4, 5, dtype="bfloat16"),
    "float64": floats(4, 5, dtype="float64"),
}
REAL = ("float32", "float16", "bfloat16", "float64")
WHOLE = ("int32", "uint8", "int8", "int64")
ANY = (*REAL, *WHOLE)
ALL = tuple(KINDS)
ODD = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -1.5, 30.0, -30.0, 1e-3, np.inf, -np.inf, np.nan]
CORNERS = Given((6, 5), lambda rng, shape: rng.choice(ODD, shape), "float32")
HOLES = Given((4, 5), lambda rng, shape: rng.choice([*ODD[:9], np.nan], shape), "float32")
A, B = floats(4, 5), floats(4, 5)
VECTOR, OTHER = floats(5), floats(5)
SQUARE = floats(4, 4)
MAP = floats(7, 6, 4)
IMAGE = images(7, 6, 3)
STACK = floats(4, 3, 5)
SOME = (3, 1)  # TensorFlow's convolutions of an empty batch have the extents of their input


def rows(function: Function, *inputs: Given, kinds: Iterable[str] = (), **variants: Any) -> Rows:
    """A function with `inputs`, with inputs of each kind in their place, and, by name, with further
    arguments or, if a function is given, as that.
    """
    found = {"": row(lambda: function, *inputs)}
    for kind in kinds:
        given = [KINDS[kind]._replace(shape=x.shape, open=x.open) for x in inputs]
        found[kind] = row(lambda: function, *given)
    for name, options in variants.items():
        made = options if callable(options) else partial(function, **options)
        found[name] = row(lambda made=made: made, *inputs)
    return found


def elementwise(names: str, kinds: Iterable[str], *inputs: Given, corners: bool = True) -> Any:
    """Rows of functions that take one or two tensors element by element."""
    found = {}
    for name in names.split():
        function = getattr(ops, name)
        found[name] = {
            kind: row(lambda function=function: function, *[KINDS[kind]] * max(len(inputs), 1))
            for kind in kinds
        }
        if len(inputs) > 1:
            kind = KINDS[next(iter(kinds))]
            found[name]["broadcast"] = row(
                lambda function=function: function, kind, kind._replace(shape=(5,), batch=4)
            )
            found[name]["number"] = row(
                lambda function=function: lambda x: (function(x, 3), function(2, x)), kind
            )
        if corners and "float32" in kinds:
            found[name]["corners"] = row(
                lambda function=function: function, *[CORNERS] * max(len(inputs), 1)
            )
    return found


UNARY = {
    **elementwise(
        "abs absolute square sign",
        ANY,
    ),
    **elementwise("negative", tuple(kind for kind in ANY if kind != "uint8")),
    **elementwise(
        "arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh exp expm1 floor "
        "log log10 log1p log2 round sin sinh sqrt tan tanh trunc sinc "
        "deg2rad rad2deg fabs angle nan_to_num",
        ("float32", "float16", "bfloat16", "float64", "int32", "int8"),
    ),
    **elementwise("real imag conj conjugate isreal", ("float32", "int32")),
    **elementwise("erf erfc erfinv rsqrt reciprocal", REAL),
    **elementwise("i0", ("float32", "float16", "float64")),
    **elementwise("exp2", ("float32", "int32", "int8")),
    **elementwise(
        "elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid "
        "relu relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus sparse_sigmoid "
        "squareplus swish tanh_shrink celu",
        REAL,
    ),
    **elementwise("glu softmax log_softmax", REAL, corners=False),
    **elementwise("sparsemax", ("float32", "bfloat16", "float64"), corners=False),
    **elementwise("isneginf isposinf signbit logical_not ones_like zeros_like", ALL),
    **elementwise("isfinite isinf isnan", REAL),
    **elementwise("copy stop_gradient empty_like", ALL),
    **elementwise("bitwise_invert bitwise_not", WHOLE),
}
UNARY["glu"] = rows(ops.glu, floats(4, 6), axis={"axis": 1})
UNARY["empty_like"] = {"": row(lambda: lambda x: ops.empty_like(x) * 0, A)}

BINARY = {
    **elementwise("add subtract multiply maximum minimum", ANY, A, B),
    **elementwise("divide true_divide divide_no_nan floor_divide mod fmod", REAL, A, B),
    **{
        f"{name} whole": {
            kind: row(
                lambda name=name: getattr(ops, name),
                KINDS[kind],
                ids(1, 9, 4, 5, dtype=kind),
            )
            for kind in WHOLE
        }
        for name in ("divide", "true_divide", "divide_no_nan", "floor_divide", "mod", "fmod")
    },
    **elementwise("power", ("float32", "float64", "float16"), A, B),
    **elementwise("arctan2 hypot logaddexp logaddexp2 fmax fmin heaviside", REAL, A, B),
    **elementwise("nextafter", ("float32", "float64"), A, B),
    **elementwise("equal not_equal", ALL, A, B),
    **elementwise("greater greater_equal less less_equal", ANY, A, B),
    **elementwise("logical_and logical_or logical_xor", ALL, A, B),
    **elementwise("bitwise_and bitwise_or bitwise_xor", WHOLE, A, B),
    **{
        name: {
            kind: row(lambda name=name: getattr(ops, name), *[KINDS[kind]._replace(batch=3)] * 2)
            for kind in ("int32", "int64", "uint8")
        }
        for name in ("gcd", "lcm")
    },
}
for name in (
    *("bitwise_left_shift", "bitwise_right_shift"),
    *("left_shift", "right_shift"),
):
    BINARY[name] = {
        kind: row(
            lambda function=getattr(ops, name): function,  # noqa: B008
            KINDS[kind],
            ids(0, 7, 4, 5, dtype=kind),
        )
        for kind in WHOLE
    }

AXES = {"axis": {"axis": 1}, "kept": {"axis": -1, "keepdims": True}, "axes": {"axis": (0, 2)}}
ONE_AXIS = {"axis": {"axis": 1}, "kept": {"axis": -1, "keepdims": True}}
REDUCTIONS: dict[str, Rows] = {
    **{
        # Of few elements: over many, TensorFlow's own rounding after each shows in half precision.
        name: rows(partial(getattr(ops, name), axis=-1), A, kinds=ANY)
        | rows(getattr(ops, name), A, **AXES)
        for name in ("max", "min", "amax", "amin", "sum", "prod", "mean", "ptp")
    },
    **{name: rows(getattr(ops, name), A, kinds=REAL, **AXES) for name in ("std", "var")},
    **{name: rows(getattr(ops, name), A, kinds=ALL, **AXES) for name in ("all", "any")},
    **{name: rows(getattr(ops, name), A, kinds=ANY, **ONE_AXIS) for name in ("argmax", "argmin")},
    **{
        name: rows(getattr(ops, name), HOLES, **AXES)
        for name in ("nanmax", "nanmin", "nansum", "nanprod", "nanmean", "nanstd", "nanvar")
    },
    **{
        name: rows(getattr(ops, name), floats(4, 5), **ONE_AXIS)
        for name in ("nanargmax", "nanargmin")
    },
    **{
        name: rows(getattr(ops, name), A, kinds=("int32", "float64"), axis={"axis": 1})
        for name in ("cumsum", "cumprod", "nancumsum", "nancumprod")
    },
    "count_nonzero": rows(ops.count_nonzero, ids(0, 3, 4, 5), axis={"axis": 1}),
    "logsumexp": rows(ops.logsumexp, A, **AXES),
    "median": rows(ops.median, A, **AXES),
    "nanmedian": rows(ops.nanmedian, HOLES),
    **{
        name: {
            **rows(partial(getattr(ops, name), q=q), x, **AXES),
            **{
                method: row(
                    lambda f=getattr(ops, name), q=q, method=method: partial(  # noqa: B008
                        f, q=q, method=method, axis=1
                    ),
                    x,
                )
                for method in ("lower", "higher", "midpoint", "nearest")
            },
            "several": row(
                lambda f=getattr(ops, name), q=q: partial(f, q=[q / 3, q], axis=-1),  # noqa: B008
                x,
            ),
        }
        for name, q, x in (
            ("quantile", 0.3, A),
            ("percentile", 30.0, A),
        )
    },
    **{
        name: rows(
            partial(getattr(ops, name), q=q),
            HOLES,
            **{way: {"method": way} for way in ("lower", "higher", "midpoint", "nearest")},
        )
        for name, q in (("nanquantile", 0.3), ("nanpercentile", 30.0))
    },
    "average": {
        **rows(ops.average, A, axis={"axis": 1}),
        "weights": row(
            lambda: lambda x, weights: ops.average(x, axis=1, weights=weights),
            A,
            between(0.1, 1, 4, 5),
        ),
    },
    "moments": rows(
        partial(ops.moments, axes=1), A, kept=partial(ops.moments, axes=(0, 2), keepdims=True)
    ),
    "norm": rows(
        partial(ops.norm, axis=-1),
        A,
        one={"ord": 1, "axis": 1},
        inf={"ord": np.inf, "axis": -1, "keepdims": True},
        p={"ord": 3, "axis": -1},
        zero={"ord": 0, "axis": -1},
        fro={"ord": "fro", "axis": (1, 2)},
        nuclear={"ord": "nuc", "axis": (1, 2)},
        two={"ord": 2, "axis": (1, 2)},
    ),
    "normalize": rows(ops.normalize, A, axis={"axis": 1}, one={"order": 1}),
    "trapezoid": rows(ops.trapezoid, A, axis={"axis": 1, "dx": 0.5}),
    "diff": rows(ops.diff, A, axis={"axis": 1}, twice={"n": 2}),
    "bincount": rows(ops.bincount, ids(0, 6, 5), least={"minlength": 9}, kinds=()),
    "histogram": rows(ops.histogram, floats(), bins={"bins": 4}, range={"range": (-1, 1)}),
    "digitize": rows(partial(ops.digitize, bins=np.array([-1.0, 0.0, 0.5])), A),
    "searchsorted": rows(
        lambda x: ops.searchsorted(ops.convert_to_tensor([-1.0, 0.0, 0.5]), x),
        floats(),
        right=lambda x: ops.searchsorted(ops.convert_to_tensor([-1.0, 0.0, 0.5]), x, side="right"),
    ),
    "allclose": rows(ops.allclose, A, B),
    "isclose": rows(ops.isclose, A, B, nan={"equal_nan": True, "atol": 1.0}),
    "psnr": rows(partial(ops.psnr, max_val=255), IMAGE, IMAGE),
    "trace": rows(partial(ops.trace, axis1=1, axis2=2), STACK, offset={"offset": 1}),
}

SHAPES: dict[str, Rows] = {
    "append": rows(ops.append, A, B, axis={"axis": 1}),
    "argpartition": rows(partial(ops.argpartition, kth=0), floats()),
    "argsort": rows(ops.argsort, A, axis={"axis": 1}, kinds=("int32",)),
    "sort": rows(ops.sort, A, axis={"axis": 1}, kinds=ANY),
    "top_k": rows(partial(ops.top_k, k=3), A, kinds=ANY),
    "in_top_k": rows(lambda x: ops.in_top_k(ops.cast(x[:, 0] > 0, "int32"), x, k=2), VECTOR),
    "array": rows(ops.array, A),
    "array_split": rows(partial(ops.array_split, indices_or_sections=3, axis=2), A),
    "broadcast_to": rows(lambda x: ops.broadcast_to(x, (3, ops.shape(x)[0], 5)), VECTOR),
    "cast": {
        f"{a} to {b}": row(lambda b=b: partial(ops.cast, dtype=b), KINDS[a])
        for a in ALL
        for b in (*ALL, "uint16", "uint32", "int16")
        if a != b and not (a in REAL and b.startswith("u"))
    },
    "saturate_cast": {
        f"{a} to {b}": row(lambda b=b: partial(ops.saturate_cast, dtype=b), x)
        for a, x in {
            "float32": between(-500, 500, 9),
            "int32": ids(-500, 500, 9),
            "float16": between(-500, 500, 9, dtype="float16"),
            "int64": ids(-(2**40), 2**40, 9, dtype="int64"),
        }.items()
        for b in ("uint8", "int8", "int16", "int32", "float16")
        if a != b
    },
    "view": {
        f"{a} to {b}": row(lambda b=b: partial(ops.view, dtype=b), KINDS[a]._replace(shape=(4, 4)))
        for a, b in (
            *(("float32", "int32"), ("int32", "float32"), ("float32", "uint8")),
            *(("uint8", "int32"), ("float16", "bfloat16"), ("int64", "int32")),
        )
    },
    "clip": rows(partial(ops.clip, x_min=-1, x_max=2), A, kinds=ANY),
    "concatenate": rows(lambda x, y: ops.concatenate([x, y], axis=1), A, B, kinds=ALL),
    "convert_to_tensor": rows(ops.convert_to_tensor, A, kinds=ALL),
    "diag": rows(
        lambda x: ops.diag(x[0]), VECTOR, of=lambda x: ops.diag(x), above=partial(ops.diag, k=1)
    ),
    "diagflat": rows(lambda x: ops.diagflat(x[0]), VECTOR, above=lambda x: ops.diagflat(x[0], k=1)),
    "diagonal": rows(partial(ops.diagonal, axis1=1, axis2=2), STACK, offset={"offset": -1}),
    "dstack": rows(lambda x, y: ops.dstack([x, y]), VECTOR, OTHER),
    "hstack": rows(lambda x, y: ops.hstack([x, y]), VECTOR, OTHER),
    "vstack": rows(lambda x, y: ops.vstack([x, y]), VECTOR, OTHER),
    "stack": rows(lambda x, y: ops.stack([x, y], axis=1), VECTOR, OTHER),
    "unstack": rows(partial(ops.unstack, axis=1), A),
    "dsplit": rows(partial(ops.dsplit, indices_or_sections=[2]), A),
    "hsplit": rows(partial(ops.hsplit, indices_or_sections=2), A),
    "vsplit": {"": row(lambda: partial(ops.vsplit, indices_or_sections=2), A, batches=(4, 2))},
    "split": rows(
        partial(ops.split, indices_or_sections=2, axis=1),
        A,
        at={"indices_or_sections": [1, 3]},
    ),
    "expand_dims": rows(partial(ops.expand_dims, axis=1), A, two={"axis": (0, 2)}),
    "squeeze": rows(partial(ops.squeeze, axis=1), floats(1, 5)),
    "extract_sequences": rows(
        partial(ops.extract_sequences, sequence_length=4, sequence_stride=3), floats(20)
    ),
    "flip": rows(ops.flip, A, axis={"axis": 1}),
    "fliplr": rows(ops.fliplr, A),
    "flipud": rows(ops.flipud, A),
    "full_like": rows(partial(ops.full_like, fill_value=3), A, kinds=ALL),
    "get_item": rows(lambda x: ops.get_item(x, (slice(None), slice(1, 3), -1)), A),
    "meshgrid": rows(
        lambda x: ops.meshgrid(x[0], x[0, :2]),
        VECTOR,
        ij=lambda x: ops.meshgrid(x[0], x[0, :2], indexing="ij"),
    ),
    "moveaxis": rows(partial(ops.moveaxis, source=1, destination=-1), STACK),
    "swapaxes": rows(partial(ops.swapaxes, axis1=1, axis2=2), STACK),
    "transpose": rows(ops.transpose, STACK, axes={"axes": (0, 3, 1, 2)}),
    "ndim": rows(ops.ndim, A),
    "shape": rows(ops.shape, A),
    "size": rows(ops.size, A),
    "nonzero": rows(ops.nonzero, ids(0, 2, 4)),
    "pad": {
        **rows(partial(ops.pad, pad_width=((0, 0), (1, 2), (2, 0))), A, kinds=ALL),
        **{
            mode: row(
                lambda mode=mode: partial(ops.pad, pad_width=((0, 0), (1, 2), (2, 0)), mode=mode),
                A,
            )
            for mode in ("reflect", "symmetric")
        },
        "value": row(
            lambda: partial(ops.pad, pad_width=((0, 0), (1, 2), (2, 0)), constant_values=3), A
        ),
    },
    "ravel": rows(ops.ravel, A),
    "repeat": rows(
        partial(ops.repeat, repeats=2),
        A,
        axis={"axis": 1},
        each=partial(ops.repeat, repeats=[1, 0, 2, 1], axis=1),
    ),
    "reshape": rows(partial(ops.reshape, newshape=(-1, 10)), A),
    "rearrange": rows(lambda x: ops.rearrange(x, "b (h w) c -> b h w c", h=2), A),
    "roll": rows(
        partial(ops.roll, shift=2), A, axis={"axis": 1}, axes={"axis": (1, 2), "shift": (1, -2)}
    ),
    "rot90": rows(partial(ops.rot90, axes=(1, 2)), A, twice={"k": 2}, back={"k": -1}),
    "scatter": rows(
        lambda i, v: ops.scatter(i, v, (9,)),
        ids(0, 9, 1),
        floats(),
    ),
    "scatter_update": {
        str(way): row(
            lambda way=way: (
                lambda x, v: ops.scatter_update(
                    x, [[0, 1], [0, 3], [0, 1]], v[:1][:, 0] * [1.0, 2.0, 3.0], reduction=way
                )
            ),
            VECTOR,
            floats(1),
            batches=(3, 1),
        )
        for way in (None, "add", "max", "min")
    },
    "select": rows(
        lambda x: ops.select([x > 1, x < 0], [x * 2, x - 1], 7.0),
        A,
    ),
    "slice": rows(lambda x: ops.slice(x, (0, 1, 2), (ops.shape(x)[0], 2, 3)), A),
    "slice_update": rows(lambda x: ops.slice_update(x, (0, 1, 2), ops.ones((1, 2, 2))), A),
    "take": rows(
        lambda x, i: ops.take(x, i, axis=2),
        A,
        ids(-5, 5, 2),
        flat=lambda x, i: ops.take(x, i),
    ),
    "take_along_axis": rows(lambda x, i: ops.take_along_axis(x, i, axis=1), A, ids(-4, 4, 2, 5)),
    "tile": rows(partial(ops.tile, repeats=(1, 2, 3)), A),
    "tril": rows(ops.tril, A, k={"k": 1}, kinds=("int32", "bool")),
    "triu": rows(ops.triu, A, k={"k": -1}, kinds=("int32", "bool")),
    "where": rows(
        lambda x, y: ops.where(x > 0, x, y),
        A,
        B,
        one=lambda x, y: ops.where(x > y),
        number=lambda x, y: ops.where(x > y, x, 0),
    ),
    "unique": rows(
        lambda x: ops.unique(x),
        ids(0, 5, 3),
        all=lambda x: ops.unique(x, return_index=True, return_inverse=True, return_counts=True),
        rows=lambda x: ops.unique(x, axis=0),
        fixed=lambda x: ops.unique(x, size=8, fill_value=-1),
    ),
    "unravel_index": rows(partial(ops.unravel_index, shape=(3, 4)), ids(0, 12, 3, batch=3)),
    "view_as_real": rows(lambda a, b: ops.view_as_real(ops.polar(ops.abs(a), b)), A, B),
    "view_as_complex": rows(lambda x: ops.view_as_real(ops.view_as_complex(x) * 2), floats(4, 2)),
    "one_hot": rows(
        partial(ops.one_hot, num_classes=4), ids(-1, 5, 3), axis={"axis": 1}, type={"dtype": "bool"}
    ),
    "multi_hot": rows(partial(ops.multi_hot, num_classes=6), ids(0, 6, 3)),
    "depth_to_space": rows(partial(ops.depth_to_space, block_size=2), floats(3, 5, 8)),
    "space_to_depth": rows(partial(ops.space_to_depth, block_size=2), floats(4, 6, 3)),
    "fold": rows(partial(ops.fold, output_size=(4, 5), kernel_size=2), floats(8, 12)),
    "unfold": rows(
        partial(ops.unfold, kernel_size=2),
        floats(2, 5, 6, batch=3),
        dilated={"dilation": 2, "padding": 1, "stride": 2},
    ),
    "ldexp": rows(ops.ldexp, A, ids(-3, 4, 4, 5)),
    "identity": rows(lambda x: x @ ops.identity(5), VECTOR),
    "eye": rows(lambda x: x @ ops.eye(5, 4, k=1), VECTOR),
    "tri": rows(lambda x: x @ ops.tri(5, 4, k=1), VECTOR),
    "arange": rows(
        lambda x: ops.arange(ops.shape(x)[0]) * 2,
        VECTOR,
        stepped=lambda x: ops.arange(0.5, ops.cast(ops.shape(x)[0], "float32"), 0.4),
    ),
    "full": rows(lambda x: ops.full((ops.shape(x)[0], 2), 3.0), VECTOR),
    "ones": rows(lambda x: ops.ones((ops.shape(x)[0], 2), "int8"), VECTOR),
    "zeros": rows(lambda x: ops.zeros((ops.shape(x)[0], 2)), VECTOR),
    "empty": rows(lambda x: ops.empty((ops.shape(x)[0], 2)) * 0, VECTOR),
    "linspace": rows(
        lambda x: ops.linspace(x, 3.0, 7),
        VECTOR,
        open=lambda x: ops.linspace(x, 3.0, 7, endpoint=False, retstep=True, axis=-1),
    ),
    "logspace": rows(lambda x: ops.logspace(x, 3.0, 7), VECTOR),
    "geomspace": rows(lambda x: ops.geomspace(x, 3.0, 7), between(0.5, 2, 5)),
    "vander": rows(lambda x: ops.vander(x[0]), VECTOR, few=lambda x: ops.vander(x[0], 3, True)),
    "dtype": rows(lambda x: ops.cast(x, ops.dtype(x)), A),
    "is_tensor": rows(lambda x: x if ops.is_tensor(x) else None, A),
    **{
        name: rows(lambda x, f=getattr(ops, name): x * f(5), VECTOR)  # noqa: B008
        for name in ("blackman", "hamming", "hanning")
    },
    "kaiser": rows(lambda x: x * ops.kaiser(5, 3.0), VECTOR),
}

PRODUCTS: dict[str, Rows] = {
    "matmul": rows(
        ops.matmul, A, floats(5, 3), kinds=("float64", "int32", "int8", "bfloat16", "float16")
    ),
    "dot": rows(lambda x: ops.dot(x, ops.transpose(x[0])), A, kinds=("float64",)),
    "inner": rows(lambda x: ops.inner(x, x[0]), A),
    "outer": rows(ops.outer, VECTOR, OTHER),
    "vdot": rows(ops.vdot, A, B),
    "cross": rows(
        ops.cross, floats(4, 3), floats(4, 3), flat=lambda a, b: ops.cross(a[..., :2], b[..., :2])
    ),
    "tensordot": rows(
        lambda a, b: ops.tensordot(a, b[0], axes=1),
        A,
        floats(5, 3),
        axes=lambda a, b: ops.tensordot(a, b[0], axes=[[2], [0]]),
    ),
    "einsum": {
        equation: row(lambda equation=equation: partial(ops.einsum, equation), *inputs)
        for equation, inputs in {
            "bij,bjk->bik": (A, floats(5, 3)),
            "bij,bij->b": (A, B),
            "bij->bji": (A,),
            "bij->": (A,),
            "b...i,b...i->b...": (A, B),
            "bii->bi": (SQUARE,),
            "bij,bkj,bk->bik": (A, floats(3, 5), floats(3)),
            "bij,bij->bij": (KINDS["int32"], KINDS["int32"]),
        }.items()
    },
    "cdist": rows(ops.cdist, A, floats(3, 5)),
    "correlate": {
        mode: row(
            lambda mode=mode: lambda x: ops.correlate(x[0], x[0, :3], mode=mode),
            floats(9),
            batches=(3, 1),
        )
        for mode in ("valid", "same", "full")
    },
    "dot_product_attention": {
        "": row(lambda: ops.dot_product_attention, *[floats(5, 2, 3)] * 3),
        "causal": row(
            lambda: partial(ops.dot_product_attention, is_causal=True), *[floats(5, 2, 3)] * 3
        ),
        "masked": row(
            lambda: lambda q, k, v, m: ops.dot_product_attention(q, k, v, mask=m, scale=0.3),
            *[floats(5, 2, 3)] * 3,
            flags(2, 5, 5),
        ),
        "bias": row(
            lambda: lambda q, k, v, b: ops.dot_product_attention(q, k, v, bias=b),
            *[floats(5, 2, 3)] * 3,
            floats(2, 5, 5),
        ),
    },
    "conv": rows(lambda x: ops.conv(x, ops.ones((3, 3, 4, 5)) * x[0, 0, 0, 0], 2, "same"), MAP),
    "conv_transpose": rows(
        lambda x: ops.conv_transpose(x, ops.ones((3, 3, 5, 4)) * 0.3, 2, "same"), MAP
    ),
    "depthwise_conv": {
        "": row(
            lambda: lambda x: ops.depthwise_conv(x, ops.ones((3, 3, 4, 2)) * 0.3, 1, "valid"),
            MAP,
            batches=SOME,
        )
    },
    "separable_conv": rows(
        lambda x: ops.separable_conv(
            x, ops.ones((3, 3, 4, 2)) * 0.3, ops.ones((1, 1, 8, 5)), 1, "same"
        ),
        MAP,
    ),
    "average_pool": rows(partial(ops.average_pool, pool_size=2, padding="same"), MAP),
    "max_pool": rows(partial(ops.max_pool, pool_size=2, padding="same"), MAP),
    "adaptive_average_pool": rows(
        partial(ops.adaptive_average_pool, output_size=3, data_format="channels_last"), MAP
    ),
    "adaptive_max_pool": rows(
        partial(ops.adaptive_max_pool, output_size=3, data_format="channels_last"), MAP
    ),
    "batch_normalization": rows(
        lambda x: ops.batch_normalization(
            x, ops.ones(5), ops.ones(5) * 2, -1, ops.ones(5), ops.ones(5)
        ),
        A,
    ),
    "layer_normalization": rows(ops.layer_normalization, A),
    "rms_normalization": rows(ops.rms_normalization, A),
    "binary_crossentropy": rows(
        ops.binary_crossentropy,
        between(0, 1, 4),
        between(0, 1, 4),
        logits={"from_logits": True},
    ),
    "categorical_crossentropy": rows(
        ops.categorical_crossentropy,
        between(0, 1, 4),
        between(0.1, 1, 4),
        logits={"from_logits": True},
    ),
    "sparse_categorical_crossentropy": rows(
        ops.sparse_categorical_crossentropy,
        ids(0, 4),
        between(0.1, 1, 4),
        logits={"from_logits": True},
    ),
    "ctc_loss": {
        "": row(
            lambda: ops.ctc_loss, ids(1, 4, 3), floats(9, 5), ids(1, 4), ids(8, 10), batches=(3, 1)
        )
    },
    "ctc_decode": {
        strategy: row(
            lambda given=given, strategy=strategy: partial(
                ops.ctc_decode, strategy=strategy, **given
            ),
            floats(9, 5),
            ids(5, 10),
            batches=(3, 1),
        )
        for strategy, given in {
            "greedy": {},
            "beam_search": {"beam_width": 8, "top_paths": 2},
        }.items()
    },
    "polar": rows(lambda a, b: ops.view_as_real(ops.polar(ops.abs(a), b)), A, B),
    "threshold": rows(partial(ops.threshold, threshold=0.2, default_value=3.0), A),
}


def definite(x: Any) -> Any:
    return ops.matmul(x, ops.transpose(x, (0, 2, 1))) + 4 * ops.eye(4)


def signless(x: Any) -> Any:
    """Eigenvectors and the like without their signs, which nothing fixes."""
    return ops.abs(x)


LINALG: dict[str, Rows] = {
    "cholesky": rows(
        lambda x: ops.cholesky(definite(x)),
        SQUARE,
        upper=lambda x: ops.cholesky(definite(x), upper=True),
    ),
    "cholesky_inverse": rows(lambda x: ops.cholesky_inverse(ops.cholesky(definite(x))), SQUARE),
    "det": rows(ops.det, SQUARE, kinds=("float64",)),
    "slogdet": rows(ops.slogdet, SQUARE),
    "logdet": rows(lambda x: ops.logdet(definite(x)), SQUARE),
    "inv": rows(lambda x: ops.inv(definite(x)), SQUARE),
    "pinv": rows(ops.pinv, floats(4, 3)),
    "solve": rows(lambda x, b: ops.solve(definite(x), b), SQUARE, floats(4, 2)),
    "solve_triangular": rows(
        lambda x, b: ops.solve_triangular(definite(x), b, lower=True), SQUARE, floats(4, 2)
    ),
    "lu_factor": rows(lambda x: ops.lu_factor(definite(x)[0]), SQUARE),
    "qr": rows(lambda x: [signless(y) for y in ops.qr(x)], floats(5, 3)),
    "svd": rows(
        lambda x: ops.svd(x, compute_uv=False),
        floats(5, 3),
        parts=lambda x: [signless(y) for y in ops.svd(x, full_matrices=False)],
    ),
    "eigh": rows(lambda x: [signless(y) for y in ops.eigh(definite(x))], SQUARE),
    "eig": rows(lambda x: ops.sort(ops.real(ops.eig(definite(x))[0])), SQUARE),
    "matrix_rank": rows(ops.matrix_rank, floats(4, 3)),
    "lstsq": {
        "": row(lambda: lambda x, b: ops.lstsq(x[0], b[0]), floats(5, 3), floats(5), batches=(3, 1))
    },
}

WAVE = floats(60)
SPECTRAL: dict[str, Rows] = {
    "fft": rows(lambda a, b: ops.fft((a, b)), A, B),
    "fft2": rows(lambda a, b: ops.fft2((a, b)), A, B),
    "ifft2": rows(lambda a, b: ops.ifft2((a, b)), A, B),
    "rfft": rows(ops.rfft, WAVE, length={"fft_length": 64}, short={"fft_length": 16}),
    "irfft": rows(lambda a, b: ops.irfft((a, b)), A, B, length=lambda a, b: ops.irfft((a, b), 12)),
    "stft": rows(
        partial(ops.stft, sequence_length=16, sequence_stride=6, fft_length=20),
        WAVE,
        plain={"window": None, "center": False},
        hamming={"window": "hamming"},
    ),
    "istft": rows(
        lambda x: ops.istft(
            ops.stft(x, 16, 4, 20), sequence_length=16, sequence_stride=4, fft_length=20
        ),
        WAVE,
    ),
}


def last(state: Any, x: Any) -> Any:
    return state * 0.5 + x, state + x


CONTROL: dict[str, Rows] = {
    "associative_scan": rows(
        partial(ops.associative_scan, lambda a, b: a + b, axis=1),
        A,
        back=partial(ops.associative_scan, lambda a, b: a * b, axis=2, reverse=True),
    ),
    "cond": rows(lambda x: ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: x - 1), A),
    "fori_loop": rows(lambda x: ops.fori_loop(0, 4, lambda i, s: s * 0.5 + 1, x), A),
    "map": rows(lambda x: ops.map(lambda y: y * 2 + ops.sum(y), x), A),
    "scan": rows(
        lambda x: ops.scan(last, x[:, 0] * 0, ops.transpose(x, (1, 0, 2))),
        A,
        back=lambda x: ops.scan(last, x[:, 0] * 0, ops.transpose(x, (1, 0, 2)), reverse=True),
    ),
    "switch": rows(
        lambda x: ops.switch(
            ops.cast(ops.max(x) > 0, "int32"), [lambda y: y - 1, lambda y: y * 2], x
        ),
        A,
    ),
    "vectorized_map": rows(lambda x: ops.vectorized_map(lambda y: y * ops.max(y), x), A),
    "while_loop": rows(
        lambda x: ops.while_loop(
            lambda i, y: (i < 5) & (ops.max(ops.abs(y)) < 9.0),
            lambda i, y: (i + 1, y * 1.5),
            (0, x),
        ),
        A,
    ),
    "custom_gradient": rows(
        lambda x: ops.custom_gradient(lambda y: (y * 2, lambda upstream: upstream))(x), A
    ),
    "jvp": rows(lambda a, b: ops.jvp(ops.sin, (a,), (b,)), A, B),
    **{
        f"segment_{way}": rows(
            lambda x, i, f=getattr(ops, f"segment_{way}"): f(x, i, 5),  # noqa: B008
            VECTOR,
            ids(0, 5),
            sorted=lambda x, i, f=getattr(ops, f"segment_{way}"): f(  # noqa: B008
                x, ops.sort(i), sorted=True
            ),
        )
        for way in ("sum", "max", "min", "prod")
    },
}

CORNER = between(1, 5, 4, 2)
IMAGES: dict[str, Rows] = {
    "affine_transform": {
        f"{kind} {fill}": row(
            lambda kind=kind, fill=fill: (
                lambda x: im.affine_transform(
                    x, np.float32([[1, 0.2, -1.5, 0.1, 0.9, 0.5, 0, 0]]), kind, fill
                )
            ),
            IMAGE,
            batches=(1,),
        )
        for kind in ("nearest", "bilinear")
        for fill in ("constant", "nearest", "wrap", "reflect")
    },
    "crop_images": rows(
        partial(im.crop_images, top_cropping=1, left_cropping=2, target_height=4, target_width=3),
        IMAGE,
    ),
    "pad_images": rows(
        partial(im.pad_images, top_padding=1, left_padding=2, target_height=10, target_width=9),
        IMAGE,
    ),
    "elastic_transform": rows(
        partial(im.elastic_transform, seed=keras.random.SeedGenerator(3)), IMAGE
    ),
    "extract_patches": {
        name: row(
            lambda given=given: partial(im.extract_patches, size=3, **given), IMAGE, batches=SOME
        )
        for name, given in {
            "": {},
            "strided": {"strides": 2, "padding": "same"},
            "dilated": {"dilation_rate": 2, "strides": 1},
        }.items()
    },
    "extract_patches_3d": {
        padding: row(
            lambda padding=padding: partial(im.extract_patches_3d, size=2, padding=padding),
            floats(5, 6, 4, 2),
            batches=SOME,
        )
        for padding in ("valid", "same")
    },
    "gaussian_blur": rows(
        im.gaussian_blur, IMAGE, wide={"kernel_size": (5, 3), "sigma": (2.0, 0.5)}
    ),
    "rgb_to_hsv": rows(im.rgb_to_hsv, between(0, 1, 5, 4, 3)),
    "hsv_to_rgb": rows(im.hsv_to_rgb, between(0, 1, 5, 4, 3)),
    "rgb_to_grayscale": rows(im.rgb_to_grayscale, IMAGE),
    "map_coordinates": {
        f"{order} {fill}": row(
            lambda order=order, fill=fill: (
                lambda x, y: im.map_coordinates(x[0, :, :, 0], ops.transpose(y[0]), order, fill)
            ),
            IMAGE,
            between(-3, 9, 8, 2),
            batches=(3, 1),
        )
        for order in (0, 1)
        for fill in ("constant", "nearest", "wrap", "mirror", "reflect")
    },
    "perspective_transform": {
        "": row(lambda: im.perspective_transform, IMAGE, CORNER, CORNER, batches=(3, 1))
    },
    "resize": {
        f"{kind} {size}{' antialias' * antialias}": row(
            lambda kind=kind, size=size, antialias=antialias: partial(
                im.resize, size=size, interpolation=kind, antialias=antialias
            ),
            IMAGE,
        )
        for kind in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
        for size in ((4, 9), (14, 5))
        for antialias in (False, True)
    },
    "scale_and_translate": {
        f"{kind} {antialias}": row(
            lambda kind=kind, antialias=antialias: (
                lambda x: im.scale_and_translate(
                    x,
                    (ops.shape(x)[0], 9, 4, 3),
                    ops.convert_to_tensor([1.3, 0.6]),
                    ops.convert_to_tensor([0.5, -0.2]),
                    (1, 2),
                    kind,
                    antialias,
                )
            ),
            IMAGE,
            batches=(3, 1),
        )
        for kind in ("linear", "cubic", "lanczos3", "lanczos5")
        for antialias in (True, False)
    },
    "sobel_edges": rows(im.sobel_edges, IMAGE),
    "ssim": rows(partial(im.ssim, max_val=255.0, filter_size=5), IMAGE, IMAGE),
}

DRAWN = (3, 3, 1, 0)


def drawn(draw: Function, *inputs: Given) -> Rows:
    """A random function with a generator of its own, which goes on from call to call."""

    def make() -> Function:
        seed = keras.random.SeedGenerator(5)
        return lambda x, *more: draw((ops.shape(x)[0], 4), *more, seed=seed)

    return {"": row(make, VECTOR, *inputs, batches=DRAWN)}


RANDOM: dict[str, Rows] = {
    "beta": drawn(lambda shape, seed: keras.random.beta(shape, 2.0, 3.0, seed=seed)),
    "binomial": drawn(lambda shape, seed: keras.random.binomial(shape, 9.0, 0.3, seed=seed)),
    "gamma": drawn(lambda shape, seed: keras.random.gamma(shape, 2.0, seed=seed)),
    "normal": drawn(keras.random.normal),
    "truncated_normal": drawn(keras.random.truncated_normal),
    "uniform": drawn(keras.random.uniform),
    "randint": drawn(lambda shape, seed: keras.random.randint(shape, -3, 9, seed=seed)),
    "categorical": drawn(
        lambda shape, x, seed: keras.random.categorical(x, 6, seed=seed), floats(5)
    ),
    "dropout": drawn(lambda shape, x, seed: keras.random.dropout(x, 0.4, seed=seed), floats(5)),
    "shuffle": drawn(lambda shape, x, seed: keras.random.shuffle(x, 1, seed=seed), floats(5)),
}

TABLES: dict[str, dict[str, Rows]] = {
    "elementwise": UNARY | BINARY,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "products": PRODUCTS | LINALG | SPECTRAL,
    "control": CONTROL,
    "image": {f"image.{name}": found for name, found in IMAGES.items()},
    "random": {f"random.{name}": found for name, found in RANDOM.items()},
}
