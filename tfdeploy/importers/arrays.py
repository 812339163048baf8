"""TensorArrays of TensorFlow 1 as lists of tensors.

A TensorArray is a resource; a number called its flow, which every op on it takes and gives, says in
which order the ops happen.  A list is a value, so it takes the place of the flow, and the resource
goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import INT32, from_numpy
from ..errors import UnsupportedError
from ..graph.graph import split_name
from .raw import RawNode, Shape

Nodes = dict[str, RawNode]

_PASS = frozenset({"Enter", "Identity", "Switch", "Merge", "Exit", "NextIteration"})
_PREFIX = "TensorArray"


_LEAST = {"": 1, "Write": 4, "Read": 3, "Scatter": 4, "Gather": 3, "Size": 2, "Concat": 2}
_LEAST |= {"Split": 4}


def least_inputs(node: RawNode) -> int:
    """How many inputs an op on TensorArrays has at least; 0 for others."""
    return _LEAST.get(_base(node.op), 0)


def is_tensor_array(node: RawNode) -> bool:
    """Whether a node makes or uses a TensorArray."""
    return node.op.startswith(_PREFIX)


def as_lists(nodes: Nodes, origin: str) -> Nodes:
    """The nodes with ops on TensorArrays as ops on lists.

    Raises UnsupportedError where gradients with respect to a TensorArray are needed: they live
    beside it, where a list has no place for them.
    """
    if not any(is_tensor_array(node) for node in nodes.values()):
        return nodes
    for node in nodes.values():
        if _base(node.op).startswith("Grad"):
            raise UnsupportedError(
                f"{origin}: node {node.name} ({node.op}) is part of the gradient of a TensorArray, "
                "which is not supported; choose outputs= that do not need it"
            )
    return _Arrays(nodes).rewritten()


def _base(op: str) -> str:
    """``TensorArrayReadV3`` is ``Read``, ``TensorArrayV3`` the empty name; ``-`` for others."""
    name = op.removeprefix(_PREFIX)
    return name.removesuffix("V3").removesuffix("V2") if op.startswith(_PREFIX) else "-"


def _sorted(node: RawNode) -> RawNode:
    """The node with its control inputs last, as TensorFlow writes them."""
    inputs = sorted(node.inputs, key=lambda spelled: spelled.startswith("^"))
    return RawNode(node.name, node.op, inputs, node.attrs)


class _Arrays:
    def __init__(self, nodes: Nodes) -> None:
        self.nodes = {name: _sorted(node) for name, node in nodes.items()}
        self.done: Nodes = {}
        sizes = [n.inputs[0] for n in self.nodes.values() if _base(n.op) == "Size"]
        self.measured = {self._origin(spelled) for spelled in sizes}

    def rewritten(self) -> Nodes:
        for name, node in self.nodes.items():
            base = _base(node.op)
            if base in _LEAST:
                made: RawNode = getattr(self, f"_{base.lower() or 'new'}")(node)
                made.inputs += [each for each in node.inputs if each.startswith("^")]
            else:
                made = RawNode(name, node.op, list(node.inputs), node.attrs)
            self.done[name] = made
        flows = {n for n, node in self.nodes.items() if _base(node.op) == ""}
        for node in self.done.values():
            node.inputs = [self._flow(each, flows) for each in node.inputs]
        return self.done

    @staticmethod
    def _flow(spelled: str, arrays: set[str]) -> str:
        """Output 1 of what was a TensorArray, its flow, is the list now."""
        name, slot = split_name(spelled)
        return name if slot == 1 and name in arrays else spelled

    def _origin(self, spelled: str) -> str:
        """The TensorArray behind a handle, past all that hands it on."""
        for _ in range(len(self.nodes)):
            node = self.nodes.get(split_name(spelled)[0])
            if node is None or node.op.removeprefix("Ref") not in _PASS:
                break
            spelled = node.inputs[0]
        return split_name(spelled)[0]

    def _constant(self, name: str, value: Any) -> str:
        array = np.asarray(value)
        self.done[name] = RawNode(
            name, "Const", [], {"value": array, "dtype": from_numpy(array.dtype)}
        )
        return name

    def _shape(self, node: RawNode, shape: Shape = None) -> str:
        """A constant for the input `element_shape`."""
        value: Any = -1 if shape is None else [-1 if n is None else n for n in shape]
        return self._constant(f"{node.name}/element_shape", np.asarray(value, np.int32))

    def _new(self, node: RawNode) -> RawNode:
        attrs = {"element_dtype": node.attrs.get("dtype"), "shape_type": INT32}
        shape = self._shape(node, node.attrs.get("element_shape"))
        return RawNode(node.name, "TensorListReserve", [shape, node.inputs[0]], attrs)

    def _write(self, node: RawNode) -> RawNode:
        _, index, value, flow = node.inputs[:4]
        array = self.nodes.get(self._origin(node.inputs[0]))
        grows = array is not None and bool(array.attrs.get("dynamic_size"))
        attrs = {"element_dtype": node.attrs.get("T"), "resize_if_index_out_of_bounds": grows}
        return RawNode(node.name, "TensorListSetItem", [flow, index, value], attrs)

    def _read(self, node: RawNode) -> RawNode:
        _, index, flow = node.inputs[:3]
        attrs = {"element_dtype": node.attrs.get("dtype")}
        inputs = [flow, index, self._shape(node)]
        return RawNode(node.name, "TensorListGetItem", inputs, attrs)

    def _scatter(self, node: RawNode) -> RawNode:
        _, indices, value, flow = node.inputs[:4]
        attrs = {"element_dtype": node.attrs.get("T"), "shape_type": INT32}
        array = self.nodes.get(split_name(flow)[0])
        fresh = array is not None and _base(array.op) == "" and array.name not in self.measured
        if array is not None and fresh and self._all(indices) is not None:
            shape = self._shape(node, array.attrs.get("element_shape"))
            return RawNode(node.name, "TensorListFromTensor", [value, shape], attrs)
        inputs = [flow, value, indices]
        return RawNode(node.name, "TensorListScatterIntoExistingList", inputs, attrs)

    def _gather(self, node: RawNode) -> RawNode:
        _, indices, flow = node.inputs[:3]
        attrs = {"element_dtype": node.attrs.get("dtype"), "shape_type": INT32, "num_elements": -1}
        shape = self._shape(node, node.attrs.get("element_shape"))
        size = self.nodes.get(split_name(self._all(indices) or "")[0])
        if size is not None and _base(size.op) == "Size" and size.inputs[1] == flow:
            return RawNode(node.name, "TensorListStack", [flow, shape], attrs)
        return RawNode(node.name, "TensorListGather", [flow, indices, shape], attrs)

    def _all(self, spelled: str) -> str | None:
        """The limit of a range that begins at 0 and goes by 1; None for anything else."""
        node = self.nodes.get(split_name(spelled)[0])
        if node is None or node.op != "Range":
            return None
        ends = [self.nodes.get(split_name(each)[0]) for each in (node.inputs[0], node.inputs[2])]
        values = [end.attrs.get("value") if end is not None else None for end in ends]
        whole = all(isinstance(value, np.ndarray) and value.size == 1 for value in values)
        return node.inputs[1] if whole and values == [0, 1] else None

    def _size(self, node: RawNode) -> RawNode:
        return RawNode(node.name, "TensorListLength", [node.inputs[1]], {})

    def _concat(self, node: RawNode) -> RawNode:
        rest = node.attrs.get("element_shape_except0")
        shape = self._shape(node, None if rest is None else (None, *rest))
        dims = self._constant(f"{node.name}/leading_dims", np.zeros(0, np.int64))
        attrs = {"element_dtype": node.attrs.get("dtype"), "shape_type": INT32}
        return RawNode(node.name, "TensorListConcatV2", [node.inputs[1], shape, dims], attrs)

    def _split(self, node: RawNode) -> RawNode:
        _, value, lengths, _ = node.inputs[:4]
        attrs = {"element_dtype": node.attrs.get("T"), "shape_type": INT32}
        return RawNode(node.name, "TensorListSplit", [value, self._shape(node), lengths], attrs)
