"""Model files of tfdeploy 0.4: pickles of its tensors and operations, turned into graphs.

A file of 0.4 says of a placeholder neither dtype nor shape, of an operation its class, attributes
and output dtypes, but not TensorFlow's type; what is missing follows from how values are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, FLOAT32, INT32, STRING, DType, from_enum, from_numpy
from ..errors import FormatError, TfdeployError, UnknownOperationException
from ..graph.graph import Graph, Node, Ref, split_name
from ..graph.types import ValueType
from ..ops import registry
from .tfd import Key, Stored
from .unpickle import Array, Global, Instance, load


class _Kind(NamedTuple):
    """A class of 0.4: TensorFlow's op, the attributes that it keeps in order, and which inputs are
    sizes, axes or indices.
    """

    op: str
    attrs: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()


_REDUCTION = ("keep_dims",)
_POOL = ("ksize", "strides", "padding")
_KINDS = {
    "LinSpace": _Kind("LinSpace", (), (2,)),
    "Range": _Kind("Range", (), (0, 1, 2)),
    "RandomStandardNormal": _Kind("RandomStandardNormal", ("dtype", "seed"), (0,)),
    "TruncatedNormal": _Kind("TruncatedNormal", ("dtype", "seed"), (0,)),
    "RandomUniform": _Kind("RandomUniform", ("dtype", "seed"), (0,)),
    "RandomUniformInt": _Kind("RandomUniformInt", ("seed",), (0,)),
    "RandomShuffle": _Kind("RandomShuffle", ("seed",)),
    "Reshape": _Kind("Reshape", (), (1,)),
    "Squeeze": _Kind("Squeeze", ("squeeze_dims",)),
    "ExpandDims": _Kind("ExpandDims", (), (1,)),
    "Slice": _Kind("Slice", (), (1, 2)),
    "Split": _Kind("Split", ("num_split",), (0,)),
    "SplitV": _Kind("SplitV", (), (1, 2)),
    "Tile": _Kind("Tile", (), (1,)),
    "Pad": _Kind("Pad", (), (1,)),
    "ConcatV2": _Kind("ConcatV2", (), (-1,)),
    "Pack": _Kind("Pack", ("axis",)),
    "Unpack": _Kind("Unpack", ("num", "axis")),
    "ReverseSequence": _Kind("ReverseSequence", ("seq_dim", "batch_dim"), (1,)),
    "ReverseV2": _Kind("ReverseV2", (), (1,)),
    "Transpose": _Kind("Transpose", (), (1,)),
    "Subtract": _Kind("Sub"),
    "Multiply": _Kind("Mul"),
    "Mod": _Kind("FloorMod"),
    "Negative": _Kind("Neg"),
    "MatMul": _Kind("MatMul", ("transpose_a", "transpose_b")),
    "MatrixInverse": _Kind("MatrixInverse", ("adjoint",)),
    "MatrixSolve": _Kind("MatrixSolve", ("adjoint",)),
    "MatrixTriangularSolve": _Kind("MatrixTriangularSolve", ("lower", "adjoint")),
    "Svd": _Kind("Svd", ("compute_uv", "full_matrices")),
    **{
        name: _Kind(name, _REDUCTION, (1,))
        for name in ("Sum", "Prod", "Min", "Max", "Mean", "All", "Any")
    },
    **{
        name: _Kind(name, (), (1, 2))
        for name in ("SegmentSum", "SegmentProd", "SegmentMin", "SegmentMax", "SegmentMean")
    },
    **{
        name: _Kind(name, (), (1, 2))
        for name in ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")
    },
    "ArgMin": _Kind("ArgMin", (), (1,)),
    "ArgMax": _Kind("ArgMax", (), (1,)),
    "Unique": _Kind("Unique", ("out_idx",)),
    "Conv2D": _Kind("Conv2D", ("strides", "padding", "data_format")),
    "Conv3D": _Kind("Conv3D", ("strides", "padding")),
    "AvgPool": _Kind("AvgPool", (*_POOL, "data_format")),
    "MaxPool": _Kind("MaxPool", (*_POOL, "data_format")),
    "AvgPool3D": _Kind("AvgPool3D", _POOL),
    "MaxPool3D": _Kind("MaxPool3D", _POOL),
}
# the attribute that says an op's first output dtype, and ops whose inputs have another dtype
_OUTPUT_DTYPE = {"Cast": "DstT", "StringToNumber": "out_type", "Shape": "out_type"}
_OUTPUT_DTYPE |= {"Size": "out_type", "ArgMin": "output_type", "ArgMax": "output_type"}
_OUTPUT_DTYPE |= {"Complex": "Tout", "Real": "Tout", "Imag": "Tout"}
_INPUT_DTYPE = {"Where": BOOL, "StringToNumber": STRING, "Complex": FLOAT32}
_INPUT_DTYPE |= {"Real": DType("complex64"), "Imag": DType("complex64")}
_OTHER_INPUT = frozenset({"Cast", "Shape", "Size", "Rank", "ArgMin", "ArgMax"})
_DTYPE_ATTRS = frozenset({"dtype", "out_idx"})


def read(path: str) -> Stored:
    """The graphs and roots in a model file of tfdeploy 0.4.

    Placeholders take any shape.  A value that 0.4 kept of its last run is the default of a tensor
    that may have been fed.  Raises FormatError for a damaged or foreign pickle,
    UnknownOperationException for a user's op with attributes whose class is not defined.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    found = load(data, path)
    if type(found) is not dict or not found:
        raise FormatError(f"{path}: a pickle of a {type(found).__name__}, not of 0.4's roots")
    roots: dict[Key, Instance] = {}
    for key, tensor in found.items():
        if not isinstance(tensor, Instance) or tensor.kind != Global("tfdeploy", "Tensor"):
            raise FormatError(f"{path}: root {key!r} is no tensor of tfdeploy 0.4")
        roots[key] = tensor
    graphs: list[Graph] = []
    placed: dict[Key, tuple[int, Ref]] = {}
    for keys in _groups(roots, path):
        builder = _Builder(path)
        for key in keys:
            placed[key] = len(graphs), builder.tensor(roots[key])
        graphs.append(builder.finished())
    return Stored(graphs, {key: placed[key] for key in roots}, {})


def _field(item: Instance, name: str, kinds: type | tuple[type, ...], path: str) -> Any:
    value = item.state.get(name)
    if not isinstance(value, kinds):
        raise FormatError(
            f"{path}: an object of {item.kind} whose {name!r} is a {type(value).__name__}"
        )
    return value


def _needs(item: Instance, path: str) -> Iterator[Instance]:
    """The op of a tensor, the inputs of an op."""
    if item.kind == Global("tfdeploy", "Tensor"):
        op = item.state.get("op")
        if op is not None:
            yield _field(item, "op", Instance, path)
        return
    for tensor in _field(item, "inputs", (tuple, list), path):
        if not isinstance(tensor, Instance) or tensor.kind != Global("tfdeploy", "Tensor"):
            raise FormatError(f"{path}: an input of a {item.kind} is no tensor")
        yield tensor


def _order(root: Instance, path: str) -> list[Instance]:
    """All that `root` depends on and itself, inputs first; FormatError where it is a circle."""
    done: dict[int, Instance] = {}
    opened: set[int] = set()
    stack = [root]
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
            continue
        missing = [need for need in _needs(item, path) if id(need) not in done]
        if missing and id(item) in opened:
            raise FormatError(f"{path}: a tensor that depends on itself")
        opened.add(id(item))
        if missing:
            stack.extend(missing)
            continue
        done[id(item)] = item
        stack.pop()
    return list(done.values())


def _groups(roots: dict[Key, Instance], path: str) -> list[list[Key]]:
    """The keys of roots that share tensors, in order: each group has a graph of its own."""
    owner: dict[int, list[Key]] = {}
    groups: list[list[Key]] = []
    for key, root in roots.items():
        group: list[Key] = [key]
        groups.append(group)
        for item in _order(root, path):
            other = owner.setdefault(id(item), group)
            if other is not group:
                other.extend(group)
                groups.remove(group)
                for each in [i for i, g in owner.items() if g is group]:
                    owner[each] = other
                group = other
    return groups


class _Builder:
    """One graph in the making."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.graph = Graph()
        self._made: dict[int, int] = {}
        self._refs: dict[int, Ref] = {}
        self._open: list[tuple[int, Instance]] = []
        self._used: dict[int, list[tuple[Instance, int]]] = {}
        self._evaluated = False

    def tensor(self, root: Instance) -> Ref:
        """The value that `root` is, built with all that it needs."""
        order = _order(root, self.path)
        for item in order:
            self._evaluated |= item.state.get("last_uuid") is not None
            if item.kind != Global("tfdeploy", "Tensor"):
                for slot, need in enumerate(_needs(item, self.path)):
                    self._used.setdefault(id(need), []).append((item, slot))
        for item in order:
            if item.kind != Global("tfdeploy", "Tensor"):
                if id(item) not in self._made:
                    self._made[id(item)] = self._operation(item)
            elif id(item) not in self._refs:
                self._refs[id(item)] = self._value(item)
        return self._refs[id(root)]

    def finished(self) -> Graph:
        """The graph, typed."""
        from ..importers.lower import assign_types

        assign_types(self.path, self.graph)
        return self.graph

    def _value(self, item: Instance) -> Ref:
        name = _field(item, "name", str, self.path)
        op = item.state.get("op")
        if op is None:
            return Ref(self._source(item, name))
        slot = _field(item, "value_index", int, self.path)
        ref = Ref(self._made[id(op)], slot)
        node = self.graph.nodes[ref.node]
        if not 0 <= slot < len(node.types):
            raise FormatError(f"{self.path}: tensor {name!r} is output {slot} of {len(node.types)}")
        if name != f"{node.name}:{slot}" and self.graph.find(name) is None:
            self.graph.rename(ref, name)
        return ref

    def _source(self, item: Instance, name: str) -> int:
        """A weight or constant; a placeholder where nothing is known or anything may be fed."""
        label, slot = split_name(name)
        label = self._unique(label if slot == 0 else f"{label}_{slot}")
        value = self._array(item.state.get("value"), name)
        if value is not None and not self._may_be_fed(item, value):
            dtype = from_numpy(value.dtype)
            return self.graph.add(Node("Const", label, (), {"value": value, "dtype": dtype}))
        dtype = self._dtype_in_use(item) or (FLOAT32 if value is None else from_numpy(value.dtype))
        attrs: dict[str, Any] = {"dtype": dtype, "shape": None}
        if value is not None:
            value = value.astype(dtype.numpy)
            value.flags.writeable = False
            attrs["default"] = value
        return self.graph.add(Node("Placeholder", label, (), attrs))

    def _may_be_fed(self, item: Instance, value: NDArray[Any]) -> bool:
        """Whether a value may be what the last run was fed, in a shape that may vary."""
        uses = self._used.get(id(item), ())
        name = split_name(str(item.state.get("name")))[0]
        if not self._evaluated or not value.ndim:
            return False
        return not any(
            slot in _indices(op) or op.state.get("name") == f"{name}/read" for op, slot in uses
        )

    def _array(self, value: Any, name: str) -> NDArray[Any] | None:
        if value is None:
            return None
        if isinstance(value, Array) and value.value is not None:
            return value.value
        if isinstance(value, str):
            value = value.encode("latin-1", "replace")
        if isinstance(value, (bool, int, float, bytes)):
            array = np.array(value, object if isinstance(value, bytes) else None)
            array.flags.writeable = False
            return array
        raise FormatError(f"{self.path}: the value of tensor {name!r} is no array")

    def _dtype_in_use(self, item: Instance) -> DType | None:
        """The dtype that the ops which take a tensor need."""
        for op, slot in self._used.get(id(item), ()):
            if slot in _indices(op):
                return INT32
            kind = _tf_op(op)
            if kind in _INPUT_DTYPE:
                return _INPUT_DTYPE[kind]
            for other, tensor in enumerate(_needs(op, self.path)):
                source = tensor.state.get("op")
                value = tensor.state.get("value")
                if other in _indices(op) or tensor is item:
                    continue
                if isinstance(source, Instance):
                    index = _field(tensor, "value_index", int, self.path)
                    found: DType = self._output_dtypes(source)[index]
                    return found
                if isinstance(value, Array) and value.value is not None:
                    return from_numpy(value.value.dtype)
            if kind not in _OTHER_INPUT:
                return self._output_dtypes(op)[0]
        return None

    def _operation(self, item: Instance) -> int:
        name = _field(item, "name", str, self.path)
        refs = tuple(self._refs[id(tensor)] for tensor in _needs(item, self.path))
        dtypes = self._output_dtypes(item)
        attrs = self._attributes(item, dtypes, len(refs))
        types = tuple(ValueType(dtype) for dtype in dtypes)
        return self.graph.add(Node(_tf_op(item), self._unique(name), refs, attrs, types))

    def _output_dtypes(self, item: Instance) -> list[DType]:
        found = [
            _numpy_type(each) for each in _field(item, "output_dtypes", (list, tuple), self.path)
        ]
        if not found or None in found:
            raise FormatError(
                f"{self.path}: an op of {item.kind} without the dtypes of its outputs"
            )
        return [each for each in found if each is not None]

    def _attributes(self, item: Instance, dtypes: list[DType], inputs: int) -> dict[str, Any]:
        """TensorFlow's attributes of an op of 0.4's, which are in the order of its class."""
        values = list(_field(item, "kwargs", (list, tuple), self.path))
        names = _attr_names(item, len(values), self.path)
        attrs = {
            name: _attr(name, value, f"{self.path}: op {item.state.get('name')!r}")
            for name, value in zip(names, values, strict=False)
            if value is not None
        }
        op = _tf_op(item)
        if op in _OUTPUT_DTYPE and dtypes[0] != STRING:
            attrs[_OUTPUT_DTYPE[op]] = dtypes[0]
        if op == "SplitV":
            attrs["num_split"] = len(dtypes)
        if op == "Squeeze" and not attrs.get("squeeze_dims"):
            attrs.pop("squeeze_dims", None)
        return attrs

    def _unique(self, name: str) -> str:
        candidate, count = name, 0
        while candidate in self.graph.index:
            count += 1
            candidate = f"{name}_{count}"
        return candidate


def _own(item: Instance) -> bool:
    """Whether an op's class is one of 0.4's."""
    if item.kind.module != "tfdeploy":
        return False
    return item.kind.name in _KINDS or registry.get(item.kind.name) is not None


def _users_class(item: Instance) -> Any:
    """The class that the user has defined under the name of an op's, or None."""
    from ..tensor import OperationRegister

    found = OperationRegister.classes.get(item.kind.name)
    return None if found is None or found._builtin else found


def _tf_op(item: Instance) -> str:
    """TensorFlow's type of an op."""
    if not _own(item):
        found = _users_class(item)
        return str(found.types[0]) if found is not None else item.kind.name
    name = item.kind.name
    inputs, dtypes = item.state.get("inputs", ()), item.state.get("output_dtypes") or [None]
    if name == "Cast" and _source_kind(inputs) == STRING:
        return "StringToNumber"
    if name == "Div":
        kind = _numpy_type(dtypes[0])
        return "Div" if kind is not None and kind.numpy.kind in "iu" else "RealDiv"
    if name == "SegmentSum" and len(inputs) == 3:
        return "UnsortedSegmentSum"
    return _KINDS[name].op if name in _KINDS else str(name)


def _source_kind(inputs: Any) -> DType | None:
    """The dtype of the first input where it is a constant."""
    value = inputs[0].state.get("value") if inputs and isinstance(inputs[0], Instance) else None
    return (
        from_numpy(value.value.dtype)
        if isinstance(value, Array) and value.value is not None
        else None
    )


def _indices(item: Instance) -> tuple[int, ...]:
    """The inputs of an op that are sizes, axes or indices."""
    found = _KINDS[item.kind.name].indices if _own(item) and item.kind.name in _KINDS else ()
    count = len(item.state.get("inputs", ()))
    return tuple(slot % count for slot in found if count)


def _attr_names(item: Instance, count: int, path: str) -> tuple[str, ...]:
    kind = _KINDS.get(item.kind.name, _Kind(item.kind.name))
    if _own(item) and count <= len(kind.attrs):
        return kind.attrs
    found = _users_class(item)
    if found is None and (count or registry.get(item.kind.name) is not None):
        raise UnknownOperationException(
            f"{path}: op {item.state.get('name')!r} is of class {item.kind}, which is not defined "
            "here: define it as a subclass of tfdeploy.Operation before loading",
            {item.kind.name: [str(item.state.get("name"))]},
        )
    return tuple(found.attrs) if found is not None else ()


def _attr(name: str, value: Any, where: str) -> Any:
    """An attribute as a graph has it."""
    if name in _DTYPE_ATTRS and type(value) is int:
        return from_enum(value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) and all(
        isinstance(v, (int, float, str, bytes)) for v in value
    ):
        return [_attr("", each, where) for each in value]
    raise FormatError(f"{where}: attribute {name!r} is a {type(value).__name__}")


def _numpy_type(value: Any) -> DType | None:
    """The dtype that a numpy type, by its name, carries."""
    if isinstance(value, DType):
        return value
    if not isinstance(value, Global):
        return None
    named = {"object": STRING, "object_": STRING, "bool": BOOL, "bool_": BOOL}
    try:
        return named.get(value.name) or DType(value.name)
    except TfdeployError:
        return None
