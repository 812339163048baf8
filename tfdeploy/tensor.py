"""Tensors and operations as tfdeploy 0.4 knew them: handles on a graph's values and nodes.

A `Tensor` names a value of a graph, feeds it and evaluates it; an `Operation` is the node that
computes it. Subclasses of `Operation` are at the same time the ops that users write: defining one
registers it for its `types`, in place of tfdeploy's own.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from .dtypes import Array, DType, from_numpy
from .errors import (
    FeedError,
    FetchError,
    InvalidImplementationException,
    OperationMismatchException,
    UnknownImplementationException,
    near,
)
from .graph.graph import Graph, Node, Ref, split_name
from .graph.types import ValueType
from .ops import registry
from .runtime.context import State
from .runtime.pick import Executor

if TYPE_CHECKING:
    from .model import Model


IMPL_NUMPY = registry.NUMPY
IMPL_SCIPY = registry.SCIPY
IMPLS = (IMPL_NUMPY, IMPL_SCIPY)

_NO_OP = frozenset({"Placeholder", "PlaceholderV2", "Const"})


class Entry:
    """A graph inside models: its tensors, each made once, and its engine.

    `models` are the models that hold it: their tensors may meet in one call.  `session` gives the
    TensorFlow session that its weights come from, while there is one; `stored` the prepared graph
    of a file.
    """

    def __init__(
        self, graph: Graph, session: Any = None, stored: Callable[[], Any] | None = None
    ) -> None:
        self.graph = graph
        self.roots: list[Ref] = []
        self.state = State()
        self.engine = Executor(graph, self.roots, self.state, stored)
        self.session: Callable[[], Any] = weakref.ref(session) if session else lambda: None
        self.models: weakref.WeakSet[Model] = weakref.WeakSet()
        self._tensors: dict[Ref, Tensor] = {}
        self._operations: dict[int, Operation] = {}

    def tensor(self, ref: Ref) -> Tensor:
        """The Tensor of a value: always the same object."""
        found = self._tensors.get(ref)
        if found is None:
            found = self._tensors.setdefault(ref, Tensor._of(self, ref))
        return found

    def operation(self, number: int) -> Operation:
        """The Operation of a node: always the same object."""
        found = self._operations.get(number)
        if found is None:
            cls = operation_class(self.graph.nodes[number].op)
            found = self._operations.setdefault(number, cls._of(self, number))
        return found

    def set_attr(self, node: Node, name: str, value: Any, types: bool = True) -> None:
        """Sets an attribute of a node; leaves all as it was where the graph does not take it."""
        before = dict(node.attrs)
        node.attrs[name] = value
        try:
            self.edited(types)
        except Exception:
            node.attrs = before
            self.edited(types)
            raise

    def want(self, *refs: Ref) -> None:
        """Says that the graph is there to compute `refs`: fusions are chosen for them."""
        new = [ref for ref in refs if ref not in self.roots]
        if new:
            self.roots += new
            self.engine.aim()

    def reset(self) -> None:
        """Lets the next call start from the initial values of all state."""
        self.state.clear()
        self.engine.forget()

    def edited(self, types: bool = False) -> None:
        """Drops what was made from the graph; infers its types again where they may differ."""
        if types:
            from .importers.lower import assign_types

            assign_types("the edited model", self.graph)
        self.engine.forget()

    def related(self, other: Entry) -> bool:
        """Whether some model holds both."""
        return other is self or any(other in model._entries for model in self.models)


class Tensor:
    """A value of a graph.

    ``Tensor(tf_tensor, tf_sess, tf_feed_dict=None)`` converts a live TensorFlow tensor with all
    that it depends on; tensors of a model come from `Model.get`.
    """

    __slots__ = ("__weakref__", "_entry", "_ref")

    _entry: Entry
    _ref: Ref

    def __new__(
        cls, tf_tensor: Any, tf_sess: Any = None, tf_feed_dict: Mapping[Any, Any] | None = None
    ) -> Tensor:
        from .importers import tf_objects
        from .importers.lower import lower

        raw, name, defaults = tf_objects.read_tensor(tf_tensor, tf_sess, tf_feed_dict)
        graph, _ = lower(raw, outputs=[name])
        entry = Entry(graph, tf_sess)
        for given, value in defaults.items():
            ref = graph.find(given)
            if ref is not None:
                entry.tensor(ref).value = value
        ref = graph.find(name)
        assert ref is not None
        return entry.tensor(ref)

    @classmethod
    def _of(cls, entry: Entry, ref: Ref) -> Tensor:
        self = object.__new__(cls)
        self._entry, self._ref = entry, ref
        return self

    @property
    def name(self) -> str:
        """The tensor's name, ``node:slot``.  Assigning renames it; saved with the model."""
        return self._entry.graph.name(self._ref)

    @name.setter
    def name(self, name: str) -> None:
        self._entry.graph.rename(self._ref, name)

    @property
    def value_index(self) -> int:
        """The position among its op's outputs."""
        return self._ref.slot

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._entry.graph.type(self._ref).dtype

    @property
    def shape(self) -> tuple[Any, ...] | None:
        """The shape: ints, and expressions of the fed sizes; None where the rank is unknown."""
        return self._entry.graph.type(self._ref).shape

    @property
    def op(self) -> Operation | None:
        """The operation that computes it; None for placeholders, variables and constants."""
        node = self._entry.graph.nodes[self._ref.node]
        return None if node.op in _NO_OP else self._entry.operation(self._ref.node)

    @property
    def value(self) -> Array | None:
        """The array of a weight or constant, the default of a placeholder, else None.

        Read-only.  Assigning changes the weight or default (cast as a feed is; None takes a default
        away); raises AttributeError on a tensor that an op computes, FeedError where the array does
        not fit, ConversionError where the graph does not take a weight of another shape.
        """
        node = self._entry.graph.nodes[self._ref.node]
        found: Array | None = node.attrs.get(_value_attr(node))
        return found

    @value.setter
    def value(self, value: Any) -> None:
        node = self._entry.graph.nodes[self._ref.node]
        attr = _value_attr(node)
        if not attr:
            raise AttributeError(f"tensor {self.name} is computed by op {node.op}: feed it instead")
        if attr == "default" and value is None:
            node.attrs.pop(attr, None)
            self._entry.edited()
            return
        kind = self._entry.graph.type(self._ref)
        if attr == "value":
            kind = kind._replace(shape=None)
        array = np.array(fit(value, kind, self.name))
        array.flags.writeable = False
        self._entry.set_attr(node, attr, array, types=attr == "value")

    def get(self, *names: str | Tensor) -> Any:
        """Tensors called `names` among those that this one depends on, itself included.

        One name gives a tensor, several a tuple; None stands for a name that is not there.
        """
        below = set(self._entry.graph.ancestors([self._ref.node]))
        found = tuple(_find(self._entry, name, below) for name in names)
        return found[0] if len(names) == 1 else found

    def eval(self, feed_dict: Mapping[Any, Any] | None = None) -> Array:
        """The value for the given feeds: a dict of tensors (or names) to arrays.

        Raises FeedError for a tensor of another model, an unknown name, a wrong shape or dtype, or
        a placeholder that has neither feed nor default; EvaluationError where an op fails.
        """
        feeds = bind_feeds(feed_dict or {}, [self._entry])
        return self._entry.engine.run([self._ref], feeds.get(self._entry, {}))[0]

    __call__ = eval

    def __repr__(self) -> str:
        return f"<Tensor {self.name} {self._entry.graph.type(self._ref)}>"


def _value_attr(node: Node) -> str:
    return {"Const": "value", "Placeholder": "default", "PlaceholderV2": "default"}.get(node.op, "")


def _find(entry: Entry, name: str | Tensor, below: set[int]) -> Tensor | None:
    ref = entry.graph.find(name.name if isinstance(name, Tensor) else str(name))
    return entry.tensor(ref) if ref is not None and ref.node in below else None


def bind_feeds(
    feeds: Mapping[Any, Any], entries: Sequence[Entry], others: Sequence[Entry] = ()
) -> dict[Entry, dict[Ref, Array]]:
    """Feeds by graph, checked and cast.

    A key is a tensor, or a name that some of `entries`, the graphs to run, has.  What only
    `others`, or other graphs of a model of theirs, have is not needed and left out.
    """
    bound: dict[Entry, dict[Ref, Array]] = {}
    for key, value in feeds.items():
        for entry, ref in _targets(key, entries, others):
            array = fit(value, entry.graph.type(ref), entry.graph.name(ref))
            bound.setdefault(entry, {})[ref] = array
    return bound


def _targets(
    key: Any, entries: Sequence[Entry], others: Sequence[Entry]
) -> list[tuple[Entry, Ref]]:
    """The values that a feed's key means."""
    around = [*entries, *others]
    if isinstance(key, Tensor):
        if not any(entry.related(key._entry) for entry in around):
            raise FeedError(f"tensor {key.name} belongs to another model")
        return [(key._entry, key._ref)]
    if not isinstance(key, str):
        raise FeedError(f"a feed's key is a tensor or a name, not {type(key).__name__}")
    found = [(entry, ref) for entry in entries if (ref := entry.graph.find(key)) is not None]
    if not found:
        around += [other for entry in entries for m in entry.models for other in m._entries]
        if all(entry.graph.find(key) is None for entry in around):
            raise FeedError(f"the model has no tensor {key!r} to feed" + _near(key, around))
    return found


def find_fetch(name: str, entries: Sequence[Entry]) -> tuple[Entry, Ref]:
    """The value called `name` in the first graph that has it; raises FetchError with near names."""
    for entry in entries:
        ref = entry.graph.find(name)
        if ref is not None:
            return entry, ref
    raise FetchError(f"the model has no tensor {name!r}" + _near(name, entries))


def _near(name: str, entries: Sequence[Entry]) -> str:
    wanted = "{}:{}".format(*split_name(name))
    return near(wanted, (n for entry in entries for n in entry.graph.tensor_names()))


def fit(value: Any, kind: ValueType, name: str) -> Array:
    """`value` as an array of type `kind`; raises FeedError where it does not fit.

    dtypes are cast within numpy's ``same_kind``, ints and bools also to floats; text to bytes.
    Numbers that are no arrays take any dtype that holds them exactly.
    """
    if kind.dtype.is_handle:
        raise FeedError(f"tensor {name} is a {kind.dtype}, which cannot be fed")
    array = _strings(value, name) if kind.dtype == "string" else _array(value, name)
    if array.dtype != kind.dtype.numpy:
        array = _cast(array, kind.dtype, not isinstance(value, (np.ndarray, np.generic)), name)
    if kind.shape is not None and (
        len(kind.shape) != array.ndim
        or any(isinstance(e, int) and e != s for e, s in zip(kind.shape, array.shape, strict=True))
    ):
        expected = ", ".join("any" if not isinstance(e, int) else str(e) for e in kind.shape)
        raise FeedError(f"tensor {name} takes shape ({expected}), got {array.shape}")
    return array if array.flags.aligned else array.copy()  # plans read aligned numbers


def _array(value: Any, name: str) -> Array:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise FeedError(f"tensor {name} takes an array: {error}") from None


def _cast(array: Array, dtype: DType, loose: bool, name: str) -> Array:
    """`array` as `dtype`; `loose` ones, of plain numbers, may change kind without loss."""
    target = dtype.numpy
    floating = dtype.startswith(("float", "bfloat", "complex"))
    if floating and array.dtype.kind in "iub":
        allowed = True
    elif not floating and array.dtype.kind == "f":  # numpy lets floats become ml_dtypes' small ints
        allowed = False
    else:
        allowed = np.can_cast(array.dtype, target, "same_kind")
    if loose and not array.size:
        allowed = True
    elif loose and array.dtype.kind in "iu" and target.kind in "iu":
        info = np.iinfo(target)
        allowed = bool(array.min() >= info.min and array.max() <= info.max)
    if not allowed or array.dtype.kind in "OSUMm":
        raise FeedError(
            f"tensor {name} takes {dtype}, got {array.dtype}, which does not cast to it without "
            "loss of kind"
        )
    return array.astype(target)


def _strings(value: Any, name: str) -> Array:
    try:  # as objects, since numpy's own strings lose zeros at their ends
        array = value if isinstance(value, np.ndarray) else np.array(value, object)
    except ValueError as error:
        raise FeedError(f"tensor {name} takes an array of strings: {error}") from None
    if array.dtype.kind not in "SUO":
        raise FeedError(f"tensor {name} takes strings, got {array.dtype}")
    if array.dtype == object and all(type(v) is bytes for v in array.flat):
        return array
    strings = np.empty(array.size, object)
    for i, item in enumerate(array.ravel().tolist()):
        if not isinstance(item, (str, bytes)):
            raise FeedError(f"tensor {name} takes strings, got {type(item).__name__}")
        strings[i] = item.encode() if isinstance(item, str) else item
    return strings.reshape(array.shape)


# op types that one class of 0.4 stands for, beside the type that has the class's own name
_CLASSES: dict[str, tuple[str, ...]] = {
    "Add": ("Add", "AddV2", "BiasAdd"),
    "Subtract": ("Subtract", "Sub"),
    "Multiply": ("Multiply", "Mul"),
    "Div": ("Div", "RealDiv"),
    "Mod": ("Mod", "FloorMod"),
    "Negative": ("Negative", "Neg"),
    "Cast": ("Cast", "StringToNumber"),
    "SegmentSum": ("SegmentSum", "UnsortedSegmentSum"),
}
_CLASS_OF = {kind: name for name, kinds in _CLASSES.items() for kind in kinds}


def operation_class(kind: str) -> type[Operation]:
    """The class of op type `kind`, known or not: the user's, else one of tfdeploy's own."""
    found = OperationRegister.classes.get(kind)
    if found is not None:
        return found
    name = _CLASS_OF.get(kind, kind)
    types = _CLASSES.get(name, (kind,))
    made = _subclass(name, {"types": types, "_builtin": True})
    for each in {*types, name}:
        OperationRegister.classes.setdefault(each, made)
    return made


def _subclass(name: str, namespace: dict[str, Any]) -> type[Operation]:
    made: Any = OperationRegister(name, (Operation,), namespace)
    return made  # type: ignore[no-any-return]


def class_by_name(name: str) -> type[Operation] | None:
    """The class that ``tfdeploy.<name>`` gives, or None where no op or class is called that."""
    if name in OperationRegister.classes:
        return OperationRegister.classes[name]
    if name in _CLASSES or (not name.startswith("_") and registry.get(name) is not None):
        return operation_class(name)
    return None


class OperationRegister(type):
    """Metaclass of `Operation`: registers each subclass that a user defines for its `types`."""

    classes: ClassVar[dict[str, type[Operation]]] = {}

    def __new__(
        metacls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]
    ) -> OperationRegister:
        namespace.setdefault("types", (name,))
        if isinstance(namespace["types"], str):
            namespace["types"] = (namespace["types"],)
        namespace.setdefault("_builtin", not bases)
        cls = super().__new__(metacls, name, bases, namespace)
        if not namespace["_builtin"]:
            _register(cls)  # type: ignore[arg-type]
        return cls

    @property
    def impls(cls) -> list[int]:
        """Kinds of implementation that this op has, the default first."""
        return list(dict.fromkeys(kind for record in _records(cls) for kind in record.impls))

    @property
    def impl(cls) -> int | None:
        """The kind of implementation that runs."""
        return next((record.chosen() for record in _records(cls)), None)


OperationClass: TypeAlias = "type[Operation]"


class Operation(metaclass=OperationRegister):
    """A node of a graph; subclass it to write an op of your own.

    A subclass gives `func`, a static method that takes the input arrays, then the attributes named
    in `attrs` (strings as bytes, absent ones None), and returns a tuple of arrays.  `types` are the
    op types that it represents (default: the class's name); `unpack` False hands it all inputs as
    one list; `output_dtypes` True adds the list of the outputs' numpy dtypes.  Inputs are copies.
    """

    types: ClassVar[tuple[str, ...]] = ()
    unpack: ClassVar[bool] = True
    attrs: ClassVar[tuple[str, ...]] = ()
    output_dtypes: Any = False
    _builtin: ClassVar[bool] = True

    _entry: Entry
    _number: int

    def __new__(cls, tf_op: Any, tf_sess: Any = None, **kwargs: Any) -> Operation:
        """Converts a live TensorFlow op; one of another type is an OperationMismatchException."""
        if cls.types and tf_op.type not in cls.types:
            raise OperationMismatchException(
                f"operation types do not match: {cls.__name__} represents {', '.join(cls.types)}, "
                f"not {tf_op.type}"
            )
        operation = Tensor(tf_op.outputs[0], tf_sess, **kwargs).op
        assert operation is not None
        return operation

    @classmethod
    def _of(cls, entry: Entry, number: int) -> Operation:
        self = object.__new__(cls)
        self._entry, self._number = entry, number
        self.output_dtypes = [
            t.dtype.numpy for t in entry.graph.nodes[number].types if not t.dtype.is_handle
        ]
        return self

    @classmethod
    def new(cls, tf_op: Any, tf_sess: Any = None, **kwargs: Any) -> Operation:
        """The operation that represents a live TensorFlow op."""
        return Operation(tf_op, tf_sess, **kwargs)

    @property
    def _node(self) -> Node:
        return self._entry.graph.nodes[self._number]

    @property
    def name(self) -> str:
        """The node's name."""
        return self._node.name

    @property
    def type(self) -> str:
        """The TensorFlow op type of the node."""
        return self._node.op

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that it takes, in order."""
        return tuple(self._entry.tensor(ref) for ref in self._node.inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that it gives."""
        return tuple(
            self._entry.tensor(Ref(self._number, slot)) for slot in range(len(self._node.types))
        )

    @property
    def kwargs(self) -> list[Any]:
        """The attributes that are passed to `func`, in the order of `attrs`."""
        return [_as_04(self._attributes().get(name)) for name in self._attr_names()]

    def _attr_names(self) -> tuple[str, ...]:
        record = registry.get(self._node.op)
        return type(self).attrs or (record.attrs if record else tuple(self._node.attrs))

    def _attributes(self) -> dict[str, Any]:
        record = registry.get(self._node.op)
        return (record.defaults if record else {}) | self._node.attrs

    def set_attr(self, attr: str, value: Any) -> None:
        """Sets an attribute of the node; saved with the model.

        Raises AttributeError for an attribute that the op does not have, ConversionError where the
        graph's types do not allow the new value.
        """
        if attr not in self._attr_names():
            raise AttributeError(
                f"op {self.name} ({self._node.op}) has no attribute {attr!r}; it has "
                + ", ".join(self._attr_names())
            )
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(self._attributes().get(attr), DType):
            value = from_numpy(getattr(value, "as_numpy_dtype", value))
        self._entry.set_attr(self._node, attr, value)

    def get(self, *names: str | Tensor) -> Any:
        """Tensors called `names` among those that this op depends on; see `Tensor.get`."""
        below = set(self._entry.graph.ancestors(ref.node for ref in self._node.inputs))
        found = tuple(_find(self._entry, name, below) for name in names)
        return found[0] if len(names) == 1 else found

    def eval(self, feed_dict: Mapping[Any, Any] | None = None) -> tuple[Array, ...]:
        """The values of all outputs; see `Tensor.eval`."""
        feeds = bind_feeds(feed_dict or {}, [self._entry])
        refs = [tensor._ref for tensor in self.outputs]
        return tuple(self._entry.engine.run(refs, feeds.get(self._entry, {})))

    @classmethod
    def func(cls, *args: Any) -> tuple[Array, ...]:
        """Computes the op on arrays: inputs, then attributes by position.  Always a tuple."""
        record = next(iter(_records(cls)), None)
        if record is None:
            raise NotImplementedError(f"op {cls.__name__} has no implementation")
        own = getattr(cls, _IMPL_METHODS[record.chosen()], None)
        if own is not None:
            return tuple(own(*args))
        inputs, rest = _split_arguments(record, args)
        given = dict(zip(record.attrs, rest, strict=False))
        with np.errstate(all="ignore"):
            result = record.func()(*inputs, **(record.defaults | given))
        results = result if isinstance(result, tuple) else (result,)
        return tuple(np.asarray(r) for r in results)

    @classmethod
    def factory(
        cls, func: Callable[..., Any] | None = None, impl: int = IMPL_NUMPY, **kwargs: Any
    ) -> Any:
        """Decorator that makes an op class of a function, which gives the op its name.

        `impl` says which kind of implementation it is; `kwargs` are class attributes (`types`,
        `attrs`, ...).  Raises InvalidImplementationException for an unknown kind.
        """
        _check_impl(impl)

        def wrap(func: Callable[..., Any]) -> type[Operation]:
            namespace = {
                _IMPL_METHODS[impl]: staticmethod(func),
                "__doc__": func.__doc__,
                "__module__": func.__module__,
                **kwargs,
            }
            return _subclass(func.__name__, namespace)

        return wrap if func is None else wrap(func)

    @classmethod
    def use_impl(cls, impl: int) -> int | None:
        """Runs the op in its implementation of kind `impl` from now on; gives the kind before.

        Raises UnknownImplementationException where it has none of that kind.
        """
        before = cls.impl
        records = [record for record in _records(cls) if impl in record.impls]
        if not records:
            raise UnknownImplementationException(
                f"op {cls.__name__} has no implementation of kind {impl}; it has {cls.impls}"
            )
        for record in records:
            record.impl = impl
        registry.changed()
        return before

    @classmethod
    def add_impl(cls, impl: int) -> Callable[[Callable[..., Any]], OperationClass]:
        """Decorator that adds an implementation, or replaces the one of that kind."""
        _check_impl(impl)

        def wrap(func: Callable[..., Any]) -> OperationClass:
            setattr(cls, _IMPL_METHODS[impl], staticmethod(func))
            for record in _records(cls):
                attrs = record.attrs if cls._builtin else cls.attrs
                record.add_user_impl(impl, _adapter(cls, func, attrs))
            registry.changed()
            return cls

        return wrap

    def __repr__(self) -> str:
        return f"<Operation {self.name} ({self._node.op})>"


_IMPL_METHODS = {IMPL_NUMPY: "func_numpy", IMPL_SCIPY: "func_scipy"}


def _check_impl(impl: int) -> None:
    if impl not in IMPLS:
        raise InvalidImplementationException(
            f"implementation type {impl!r} is none of IMPL_NUMPY, IMPL_SCIPY"
        )


def _records(cls: type) -> list[registry.OpDef]:
    """The records of the op types that a class represents, each once."""
    found: Iterator[registry.OpDef | None] = map(registry.get, getattr(cls, "types", ()))
    return list({id(record): record for record in found if record is not None}.values())


def _split_arguments(record: registry.OpDef, args: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """Inputs and attributes of a positional call in the style of 0.4."""
    code = record.reference.__code__
    variadic = bool(code.co_flags & 0x04)
    if variadic and args and isinstance(args[0], (list, tuple)):
        return [np.asarray(a) for a in args[0]], list(args[1:])
    count = len(args) if variadic else min(code.co_argcount, len(args))
    return [np.asarray(a) for a in args[:count]], list(args[count:])


def _register(cls: type[Operation]) -> None:
    """Makes a user's class what its op types run; type rules of known ops stay."""
    if any("func" in vars(c) for c in cls.__mro__ if c is not Operation):
        impls = {IMPL_NUMPY: _adapter(cls, cls.func, cls.attrs)}
    else:
        impls = {
            kind: _adapter(cls, getattr(cls, name), cls.attrs)
            for kind, name in _IMPL_METHODS.items()
            if hasattr(cls, name)
        }
    if not impls:
        return
    reference = next(iter(impls.values()))
    for kind in cls.types:
        known = registry.get(kind)
        attrs = tuple(dict.fromkeys((*(known.attrs if known else ()), *cls.attrs)))
        record = registry.OpDef((kind,), reference, attrs, impls, users=frozenset(impls))
        if known is None:
            record.doc = (cls.__doc__ or "").strip()
        else:
            record.defaults, record.type, record.effect = known.defaults, known.type, known.effect
            record.outputs, record.ranks = known.outputs, known.ranks
            record.family, record.doc = known.family, known.doc
        registry.register_user(record)
    for name in (*cls.types, cls.__name__):
        OperationRegister.classes[name] = cls


def _adapter(
    cls: type[Operation], func: Callable[..., Any], names: Sequence[str]
) -> Callable[..., Any]:
    """Calls a function written in 0.4's style from the engine's: copies in, attributes by position.

    Of the attributes of tfdeploy's own ops it gets the first ones, as many as it takes.
    """
    code = getattr(func, "__code__", None)
    most = code.co_argcount if cls._builtin and code and not code.co_flags & 0x04 else None

    def run(*inputs: Array, **attrs: Any) -> tuple[Array, ...]:
        values: list[Any] = [np.array(x) for x in inputs]
        arguments = values if cls.unpack else [values]
        arguments = (arguments + [_as_04(attrs.get(name)) for name in names])[:most]
        if cls.output_dtypes:
            arguments.append(attrs[registry.OUTPUT_DTYPES])
        result = func(*arguments)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    return run


def _as_04(value: Any) -> Any:
    """An attribute as 0.4 passed it: text as bytes, dtypes as numpy's."""
    if isinstance(value, DType):
        return value.numpy
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (list, tuple)):
        return type(value)(_as_04(v) for v in value)
    return value


def optimize(order: int | Sequence[int]) -> None:
    """Runs every op in the first kind of `order` that it has (``IMPL_NUMPY``, ``IMPL_SCIPY``).

    Ops that have none of them stay as they are.  Without scipy its variants are not chosen.
    """
    kinds: list[int] = [order] if isinstance(order, int) else list(order)
    for kind in kinds:
        _check_impl(kind)
    registry.prefer(kinds)


def _line_of_tensor(tensor: Tensor) -> str:
    value = tensor.value
    shape = "" if value is None else f" ({','.join(map(str, np.shape(value)))})"
    return f"td tensor: {tensor.name}{shape}"


def print_tensor(td_tensor: Tensor, indent: str = "|   ", max_depth: int = -1) -> None:
    """Prints what a tensor depends on, a level a line; a shared subtree is printed once.

    Tensors and ops count as one level each; `max_depth` cuts the tree, -1 does not.
    """
    _print_tree(
        td_tensor,
        indent,
        max_depth,
        lambda x: ([x.op] if x.op is not None else []) if isinstance(x, Tensor) else list(x.inputs),
        lambda x: (
            _line_of_tensor(x)
            if isinstance(x, Tensor)
            else f"td op: {x.name} ({','.join(type(x).types)})"
        ),
    )


def print_op(td_op: Operation, indent: str = "|   ", max_depth: int = -1) -> None:
    """Prints what an op depends on; see `print_tensor`."""
    print_tensor(td_op, indent, max_depth)  # type: ignore[arg-type]


def print_tf_tensor(tf_tensor: Any, indent: str = "|   ", max_depth: int = -1) -> None:
    """Prints what a live TensorFlow tensor depends on; see `print_tensor`."""

    def line(x: Any) -> str:
        if hasattr(x, "op"):
            dims = x.shape.dims
            shape = (
                "?"
                if dims is None
                else ",".join("?" if d.value is None else str(d.value) for d in dims)
            )
            return f"tf tensor: {x.name} ({shape})"
        return f"tf op: {x.name} ({x.type})"

    _print_tree(
        tf_tensor, indent, max_depth, lambda x: [x.op] if hasattr(x, "op") else list(x.inputs), line
    )


def print_tf_op(tf_op: Any, indent: str = "|   ", max_depth: int = -1) -> None:
    """Prints what a live TensorFlow op depends on; see `print_tensor`."""
    print_tf_tensor(tf_op, indent, max_depth)


def _print_tree(
    root: Any,
    indent: str,
    max_depth: int,
    children: Callable[[Any], list[Any]],
    line: Callable[[Any], str],
) -> None:
    whole: dict[str, int] = {}  # what was printed, and at which depth: deeper may be cut
    pending = [(root, 0)]
    while pending:
        item, depth = pending.pop()
        text = line(item)
        below = children(item) if max_depth < 0 or depth < max_depth else []
        again = bool(below) and text in whole and (max_depth < 0 or whole[text] <= depth)
        print(indent * depth + text + (" (see above)" if again else ""))
        if below and not again:
            whole[text] = depth
            pending.extend((child, depth + 1) for child in reversed(below))


def setup(tf: Any, order: int | Sequence[int] | None = None) -> None:
    """Prepares tfdeploy for the conversion of live objects of the module `tf`.

    `order` goes to `optimize`.  Every TensorFlow from 2.0 on is handled alike, so `tf` is only
    looked at: raises ValueError where it is no TensorFlow.
    """
    if not hasattr(tf, "__version__") and not hasattr(tf, "Session"):
        raise ValueError(f"expected the tensorflow module, got {tf!r}")
    if order is not None:
        optimize(order)


def reset() -> None:
    """Does nothing: 0.4 kept converted tensors until it was called, conversions here do not."""
