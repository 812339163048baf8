"""What an op's rows must hold, derived from TensorFlow's own definitions, and what they lack.

Of every op that owns rows in `tests.cases`:

- ``Op:empty``: a row with an empty tensor among its inputs;
- ``Op:nan``: one with a NaN, where the op takes floats;
- ``Op.T=class``: one per class of types that TensorFlow's CPU kernels take for attribute T;
- ``Op.attr=value``: one per value of a bool, and of a string that is one of several;
- ``Op.attr``: one where an attribute of another kind is not what it is by default.

Rows that must be refused count for the first two alone. `EXCEPTIONS` says what is not asked for.
``python -m tests.completeness [FAMILY ...]`` prints what rows lack.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import numpy as np

from tests import goldens
from tests.cases import Case
from tests.op_types import CLASSES
from tests.oracle import op_def, prepare, tf

NAMED = {"object": "string"}  # types whose names in numpy and TensorFlow differ
CLASS_OF = {
    tf.as_dtype(NAMED.get(name, name)): each for each, names in CLASSES.items() for name in names
}

EXCEPTIONS = {
    "refused on a CPU: tests/test_siblings.py": "DepthToSpace.data_format=NCHW "
    "SpaceToDepth.data_format=NCHW MaxPoolV2.data_format=NCHW MaxPoolGrad.data_format=NCHW "
    "Conv.data_format=CHANNELS_FIRST Conv.groups "
    "Conv3DBackpropInput.dilations *BackpropFilter*.data_format=NC* "
    "Conv?DBackpropFilter*.dilations AvgPool*Grad.data_format=NC* MaxPool*Grad*.data_format=NC*",
    "0 for any integer, where tf.round keeps it: tests/test_siblings.py": "Round.T=integer",
    "int8 in a layout of a GPU's own, refused": "*.data_format=NCHW_VECT_C",
    "weights from a file: refused": "FixedUnigramCandidateSampler.vocab_file",
    "made by TensorFlow's optimizer for kernels of other kinds": "_FusedConv2D.T=integer "
    "_FusedConv2D.TArgs=* _FusedConv2D.num_host_args _FusedConv2D.filter_format=* "
    "_FusedDepthwiseConv2dNative.leakyrelu_alpha _FusedBatchNormEx.num_side_inputs "
    "_FusedBatchNormEx.is_training=True _FusedBatchNormEx.exponential_avg_factor",
    "oneDNN gives what is empty the wrong shape: tests/test_siblings.py": (
        "_FusedDepthwiseConv2dNative:empty _FusedConv3D:empty"
    ),
    "has a Relu behind it, and oneDNN's makes 0 of NaN": "_FusedBatchNormEx:nan",
    "kernel of a GPU to choose, without effect on a CPU": "*.use_cudnn_on_gpu=False",
    "refused: no numbers are made of strings here": "Cast.SrcT=string Cast.DstT=string",
    "no kernel adds up halves": "SparseAdd.Treal=half",
    "nothing to add up: refused": "InplaceAdd.T=bool InplaceAdd.T=string "
    "InplaceSub.T=bool InplaceSub.T=string",
    "never comes to an end in TensorFlow": "RandomPoisson*:nan "
    "StatelessRandomPoisson:nan XlaSvd:nan",
    "XLA has no strings": "Xla*=string",
    "no order of complex numbers: refused by XLA": "XlaSort.T=complex",
    "refused by XLA": "XlaSelfAdjointEig.T=integer XlaSvd.T=integer XlaSvd.T=complex",
    "TensorFlow stops the process there": "XlaConv*=complex",
    "a shape is of integers": "NonDeterministicInts:nan NonDeterministicInts.shape_dtype=*",
    "no kernel on a CPU: tests/test_reduction.py": "ApproxTopK.reduction_dimension "
    "ApproxTopK.is_max_k=False",
    "of no effect, but for gradients": "*MatMul*.grad_?=True",
}
"""Reason: patterns of what is not asked for. Each pattern fits something that rows lack."""


def rows(families: Iterable[str] = ()) -> dict[str, dict[str, list[Case]]]:
    """The rows by family (all of them where none is named) and op, in the order of the modules."""
    names = families or goldens.FAMILIES
    found: dict[str, dict[str, list[Case]]] = {}
    for name in names:
        by_op = found[name] = defaultdict(list)
        for row in goldens.cases(name):
            by_op[row.op].append(row)
    return found


def kernel_types(definition: Any, attr: Any) -> set[tf.DType]:
    """The types that CPU kernels take for an attribute: the definition's own without a kernel."""
    from tensorflow.python.framework.kernels import get_registered_kernels_for_op

    allowed = {tf.as_dtype(t) for t in attr.allowed_values.list.type} or set(CLASS_OF)
    taken: set[tf.DType] = set()
    kernels = [
        kernel
        for kernel in get_registered_kernels_for_op(definition.name).kernel
        if kernel.device_type in ("CPU", "DEFAULT")
    ]
    for kernel in kernels:
        limits = [c.allowed_values.list.type for c in kernel.constraint if c.name == attr.name]
        taken |= {tf.as_dtype(t) for t in limits[0]} if limits else allowed
    return taken & allowed if kernels else allowed


def takes_floats(definition: Any, types: dict[str, set[tf.DType]]) -> bool:
    return any(
        tf.as_dtype(arg.type).is_floating
        if arg.type
        else any(t.is_floating for t in types[arg.type_attr or arg.type_list_attr])
        for arg in definition.input_arg
    )


def has_nan(array: np.ndarray) -> bool:
    return array.dtype.kind in "fcV" and bool(np.isnan(array.astype(np.complex128)).any())


def plain(kind: str, value: Any) -> Any:
    """An attribute as rows give it, or as definitions spell their defaults, comparable."""
    if isinstance(value, (list, tuple)):
        return tuple(plain(kind[5:-1], v) for v in value)
    return value.encode() if isinstance(value, str) else value


def default(attr: Any) -> Any:
    """An attribute's default, in the form of `plain`."""
    value = attr.default_value
    if attr.type == "shape":
        return None if value.shape.unknown_rank else tuple(d.size for d in value.shape.dim)
    field = {"string": "s", "int": "i", "float": "f", "bool": "b", "type": "type"}
    if attr.type.startswith("list("):
        held = getattr(value.list, field.get(attr.type[5:-1], "shape"))
        return tuple(tf.as_dtype(v) if attr.type == "list(type)" else v for v in held)
    held = getattr(value, field[attr.type])
    return tf.as_dtype(held) if attr.type == "type" else held


def lacking(op: str, cases: list[Case]) -> Iterator[str]:
    """What the rows of an op do not hold."""
    definition = op_def(op)
    types = {
        attr.name: kernel_types(definition, attr)
        for attr in definition.attr
        if attr.type in ("type", "list(type)")
    }
    ready = [(case, *prepare(case)) for case in cases]
    arrays = [array for _, flat, _ in ready for array in flat]
    if definition.input_arg and not any(a.size == 0 for a in arrays):
        yield f"{op}:empty"
    if takes_floats(definition, types) and not any(has_nan(a) for a in arrays):
        yield f"{op}:nan"
    for attr in definition.attr:
        has_default = attr.HasField("default_value")
        listed = attr.name in types or attr.type == "bool" or attr.allowed_values.list.s
        if not listed and not has_default:
            continue
        given = {
            plain(attr.type, attrs[attr.name]) if attr.name in attrs else default(attr)
            for case, _, attrs in ready
            if not case.raises and (attr.name in attrs or has_default)
        }
        if attr.name in types:
            flat = {t for g in given for t in (g if isinstance(g, tuple) else (g,))}
            want = {CLASS_OF[t] for t in types[attr.name] if t in CLASS_OF}
            lack = [c for c in CLASSES if c in want - {CLASS_OF.get(t) for t in flat}]
        elif attr.type == "bool":
            lack = [v for v in (False, True) if v not in given]
        elif listed:
            lack = [v.decode() for v in attr.allowed_values.list.s if v not in given]
        else:
            if not given - {default(attr)}:
                yield f"{op}.{attr.name}"
            continue
        yield from (f"{op}.{attr.name}={value}" for value in lack)


def patterns() -> list[str]:
    return [pattern for line in EXCEPTIONS.values() for pattern in line.split()]


@cache
def lacks(family: str) -> list[str]:
    """What the rows of a family lack, exceptions included."""
    return [
        gap
        for op, cases in rows([family])[family].items()
        if op_def(op, required=False) is not None
        for gap in lacking(op, cases)
    ]


def gaps(family: str) -> list[str]:
    """What the rows of a family lack without an exception."""
    return [gap for gap in lacks(family) if not any(fnmatchcase(gap, p) for p in patterns())]


if __name__ == "__main__":
    for name in rows(sys.argv[1:]):
        for gap in gaps(name):
            print(gap)
