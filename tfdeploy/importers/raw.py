"""What every reader ends in: TensorFlow's own notions, decoded once, nothing interpreted.

`RawModel` is the contract between the readers (files or live objects) and the one lowering that
follows them.  Names, ops and attributes are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import DType
from ..graph.graph import FuncRef as FuncRef

Shape = tuple[int | None, ...] | None
"""A TensorFlow shape: None is an unknown rank, a None inside an unknown dimension."""

CALLS = frozenset({"BatchFunction", "PartitionedCall", "StatefulPartitionedCall"})
"""Ops that call the function in their attribute ``f``, and nothing else."""


class Unreadable(NamedTuple):
    """A tensor attribute that no array holds (a variant; bfloat16 without ml_dtypes), and why."""

    reason: str


@dataclass(slots=True)
class RawNode:
    """A NodeDef.

    `inputs` are TensorFlow's own spellings: ``a``, ``a:1``, ``^control``; inside a function body
    ``node:out_name:2`` or an argument's name.

    `attrs` are decoded: int, float, bool, `DType`, str (bytes where they are not UTF-8), a shape as
    in `Shape`, `numpy.ndarray` for tensors (read-only, native byte order, aligned; `Unreadable`
    where no array can be had), `FuncRef`, or a list of these; None for an attribute without value
    and for the dtype "invalid".  A string tensor is an object array of bytes.  Inside function
    bodies a value may be `AttrPlaceholder`.  Names that begin with an underscore, notes of
    TensorFlow for itself, are left out.
    """

    name: str
    op: str
    inputs: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


class AttrPlaceholder(str):
    """An attribute bound by the caller of a function: the name of the caller's attribute."""


class RawArg(NamedTuple):
    """An argument or result of a function: dtype None where attributes of the call decide it."""

    name: str
    dtype: DType | None
    type_attr: str = ""
    number_attr: str = ""
    type_list_attr: str = ""


@dataclass(slots=True)
class RawFunction:
    """A FunctionDef: `ret` maps result names to inputs spelled as in `RawNode`."""

    name: str
    inputs: list[RawArg]
    outputs: list[RawArg]
    nodes: list[RawNode]
    ret: dict[str, str]
    control_ret: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class RawGraph:
    """A GraphDef with its function library; `producer` is the GraphDef version that wrote it."""

    nodes: list[RawNode]
    functions: dict[str, RawFunction] = field(default_factory=dict)
    gradients: dict[str, str] = field(default_factory=dict)
    producer: int = 0


class TensorInfo(NamedTuple):
    """An input or output of a signature: tensor name in the graph (``x:0``), dtype and shape."""

    name: str
    dtype: DType
    shape: Shape


@dataclass(slots=True)
class RawSignature:
    """A SignatureDef, in the order that the file gives.

    `control` are names of nodes that a call runs although no output needs them.
    """

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method: str = ""
    control: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RawModel:
    """A model as read.

    `variables` maps the *node name* of each `VarHandleOp`, `VariableV2` or `Variable` of the top
    graph to its value; it may be lazy, and raises ConversionError or FormatError where a value
    cannot be had.  `assets` maps the name of an asset's filename tensor to the file's bytes; a
    variable that holds such a filename has the tensor's name as its value.  `init_ops` are the
    names of the nodes that a loader runs once (table initialisers).  `origin` is said in errors.
    """

    graph: RawGraph
    variables: Mapping[str, np.ndarray] = field(default_factory=dict)
    signatures: dict[str, RawSignature] = field(default_factory=dict)
    assets: dict[str, bytes] = field(default_factory=dict)
    init_ops: list[str] = field(default_factory=list)
    origin: str = ""
