"""Live TensorFlow objects to RawModel: the only module that uses an installed TensorFlow.

Objects hand over their GraphDef as bytes, which go through the same reader as files; what remains
is to find the values of the variables that the graph captures.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np

from ..dtypes import Array, from_enum
from ..errors import ConversionError
from .graphdef import parse_graph_def
from .raw import RawModel, RawNode, RawSignature, Shape, TensorInfo
from .savedmodel import read_saved_model
from .variables import TABLE_PARTS, VARIABLE_OPS

_CHANGING_TABLES = frozenset(
    {"MutableDenseHashTableV2", "MutableHashTableOfTensorsV2", "MutableHashTableV2"}
)

MODULES = ("tensorflow", "keras", "tf_keras")
"""Top packages whose objects `read_object` takes."""


def is_live(source: Any) -> bool:
    """Whether `source` is an object of TensorFlow or Keras, or of a class derived from theirs."""
    return any(c.__module__.partition(".")[0] in MODULES for c in type(source).__mro__)


def read_object(source: Any, session: Any = None, signature: str | None = None) -> RawModel:
    """A Keras model, tf.function, ConcreteFunction, tf.Module or GraphDef as RawModel.

    Raises ConversionError for anything else, and where the object is not ready: a model that was
    not built, a function that was not traced, Keras on another backend, an uninitialised variable.
    """
    if hasattr(source, "SerializeToString") and hasattr(source, "library"):
        return RawModel(parse_graph_def(source.SerializeToString(), "GraphDef"), origin="GraphDef")
    if hasattr(source, "export") and hasattr(source, "trainable_weights"):
        return _read_keras(source)
    if hasattr(source, "captured_inputs") and hasattr(source, "structured_outputs"):
        return _read_functions({"serving_default": source})
    if hasattr(source, "get_concrete_function"):
        return _read_functions({"serving_default": _trace(source, "the function")})
    functions = _functions_of(source, signature)
    if any(map(_tables_of, functions.values())):
        return _read_module(source, functions)
    if functions:
        return _read_functions(functions)
    if hasattr(source, "dtype") and hasattr(source, "shape"):
        raise ConversionError(_about_tensor(source))
    raise ConversionError(
        f"cannot convert a {type(source).__module__}.{type(source).__name__}; expected a Keras "
        "model, tf.function, ConcreteFunction, tf.Module with a traced tf.function, GraphDef, or "
        "graph-mode tensors with session="
    )


def _about_tensor(tensor: Any) -> str:
    """Why a tensor alone cannot be converted, and what can."""
    graph = _graph(tensor)
    name = getattr(tensor, "name", type(tensor).__name__)
    if type(tensor).__name__ == "KerasTensor":
        return f"{name} is a symbolic tensor of Keras: convert keras.Model(inputs, outputs)"
    if hasattr(graph, "captures"):
        return f"tensor {name} belongs to the graph of a tf.function: convert that function"
    if graph is not None:
        return f"tensor {name} needs the session that has its variables: give session="
    return f"{name} is a tensor with a value, not a model: convert the function that computes it"


def _functions_of(source: Any, signature: str | None) -> dict[str, Any]:
    """The traced functions of a tf.Module, ``__call__`` as ``serving_default``."""
    import tensorflow as tf

    if not isinstance(source, tf.Module):
        return {}
    names = (
        [signature]
        if signature and signature != "serving_default"
        else sorted(
            name for name in dir(type(source)) + list(vars(source)) if not name.startswith("_")
        )
    )
    found = {}
    for name in ["__call__", *names]:
        function = getattr(source, name, None)
        if not hasattr(function, "get_concrete_function"):
            continue
        label = "serving_default" if name == "__call__" else name
        if function.input_signature is not None or _traces(function):  # type: ignore[union-attr]
            found[label] = _trace(function, f"method {name} of {type(source).__name__}")
    if not found:
        raise ConversionError(
            f"{type(source).__name__} has no traced tf.function: give one an input_signature, call "
            "it once, or convert module.method.get_concrete_function(...)"
        )
    return found


def _traces(function: Any) -> list[Any]:
    listing = getattr(function, "_list_all_concrete_functions", None)
    return list(listing()) if listing else []


def _trace(function: Any, what: str) -> Any:
    """The one concrete function behind a tf.function."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    traces = _traces(function)
    if len(traces) == 1:
        return traces[0]
    state = "has not been called yet" if not traces else f"was traced for {len(traces)} signatures"
    raise ConversionError(
        f"{what} {state}: give it an input_signature, or convert function.get_concrete_function("
        "tf.TensorSpec(...))"
    )


def _read_functions(functions: Mapping[str, Any]) -> RawModel:
    """Concrete functions as one RawModel with a signature each."""
    for function in functions.values():
        if _tables_of(function):
            raise ConversionError(
                f"function {function.name} uses a table or another resource that is no variable: "
                "convert the tf.Module that holds it, or what tf.saved_model.save writes of it"
            )
    values: dict[int, tuple[str, Array]] = {}
    models = {
        name: _read_concrete(function, f"{name}/" if len(functions) > 1 else "", values)
        for name, function in functions.items()
    }
    merged = RawModel(next(iter(models.values())).graph, {}, {}, origin="tf.function")
    merged.graph.nodes = [node for model in models.values() for node in model.graph.nodes]
    for name, model in models.items():
        merged.graph.functions.update(model.graph.functions)
        merged.variables = {**merged.variables, **model.variables}
        merged.signatures[name] = model.signatures["serving_default"]
    return merged


def _tables_of(function: Any) -> list[Any]:
    """The resources that a concrete function captures, variables left out."""
    variables = {id(v.handle) for v in function.graph.variables}
    return [
        outer
        for outer in function.captured_inputs
        if outer.dtype.name in ("resource", "variant") and id(outer) not in variables
    ]


def _read_module(module: Any, functions: dict[str, Any]) -> RawModel:
    """A tf.Module with tables through TensorFlow's own export, which says how they are filled."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(module, folder, signatures=functions)
        except Exception as error:
            raise ConversionError(f"TensorFlow cannot save {module!r}: {error}") from error
        raw = _in_memory(read_saved_model(folder))
    raw.origin = type(module).__name__
    return raw


def _read_concrete(function: Any, prefix: str, values: dict[int, tuple[str, Array]]) -> RawModel:
    """A concrete function whose node names begin with `prefix`; `values` are nodes and values of
    the variables read so far, which functions share.
    """
    graph = parse_graph_def(function.graph.as_graph_def().SerializeToString(), "tf.function")
    nodes = {node.name: node for node in graph.nodes}
    holders = {id(v.handle): v for v in function.graph.variables}
    unready = [v.name for v in function.graph.variables if not v.is_initialized()]
    if unready:
        raise ConversionError(f"uninitialised variables: {', '.join(unready)}")
    variables = {}
    instead: dict[str, str] = {}
    internal = [
        t for t in function.graph.inputs if any(t is i for i in function.graph.internal_captures)
    ]
    for outer, inner in zip(function.captured_inputs, internal, strict=True):
        node = nodes[inner.op.name]
        if id(outer) in holders:
            node.op, node.attrs = "VarHandleOp", {"shape": _shape(holders[id(outer)])}
            name = prefix + node.name
            if id(outer) not in values:
                values[id(outer)] = name, _array(holders[id(outer)])
            instead[name], variables[name] = values[id(outer)]
        elif outer.dtype.name not in ("resource", "variant"):
            node.op = "Const"
            node.attrs = {"value": _array(outer), "dtype": from_enum(outer.dtype.as_datatype_enum)}
    for node in graph.nodes if prefix else ():
        _rename(node, prefix)
    graph.nodes = [node for node in graph.nodes if instead.get(node.name, node.name) == node.name]
    for node in graph.nodes:
        node.inputs = [instead.get(spelled, spelled) for spelled in node.inputs]
    signature = RawSignature(
        {t.op.name: _info(t, prefix) for t in function.inputs if not any(t is i for i in internal)},
        {name: _info(t, prefix) for name, t in _outputs(function).items()},
        control=[prefix + op.name for op in function.graph.control_outputs],
    )
    return RawModel(graph, variables, {"serving_default": signature}, origin="tf.function")


def _array(value: Any) -> Array:
    """What a tensor or variable holds; TensorFlow gives a scalar as a number, or bytes."""
    held = value.numpy()
    return np.asarray(held, object if isinstance(held, bytes) else None)


def _rename(node: RawNode, prefix: str) -> None:
    node.name = prefix + node.name
    node.inputs = [f"^{prefix}{s[1:]}" if s.startswith("^") else prefix + s for s in node.inputs]


def _outputs(function: Any) -> dict[str, Any]:
    """Results by the names that a SavedModel signature gives them."""
    structured = function.structured_outputs
    if isinstance(structured, Mapping):
        names = [str(k) for k in sorted(structured)]
    else:
        names = [f"output_{i}" for i in range(len(function.outputs))]
    if len(names) != len(function.outputs):
        names = [f"output_{i}" for i in range(len(function.outputs))]
    return dict(zip(names, function.outputs, strict=True))


def _info(tensor: Any, prefix: str = "") -> TensorInfo:
    dtype = from_enum(tensor.dtype.as_datatype_enum)
    return TensorInfo(prefix + tensor.name, dtype, _shape(tensor))


def _shape(tensor: Any) -> Shape:
    dims = tensor.shape.dims
    return None if dims is None else tuple(d.value for d in dims)


def _read_keras(model: Any) -> RawModel:
    """A Keras model through its own export, which decides what inference means for every layer."""
    package = next(
        c.__module__.partition(".")[0]
        for c in type(model).__mro__
        if c.__module__.partition(".")[0] in ("keras", "tf_keras")
    )
    if package == "keras":
        import keras

        if keras.backend.backend() != "tensorflow":
            raise ConversionError(
                f"this Keras runs on the backend {keras.backend.backend()!r}; tfdeploy converts "
                "models of the TensorFlow backend: set KERAS_BACKEND=tensorflow before importing "
                "keras, load the model again and convert it"
            )
    if not getattr(model, "built", True):
        raise ConversionError(
            f"Keras model {model.name!r} is not built: call it on an example, or model.build(shape)"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        _export(model, path, package)
        raw = _in_memory(read_saved_model(path))
    raw.origin = f"Keras model {model.name!r}"
    return raw


def _export(model: Any, path: str, package: str) -> None:
    try:
        if package == "keras":
            model.export(path, verbose=False)
        else:
            model.export(path)
    except Exception as error:
        raise ConversionError(f"Keras cannot export model {model.name!r}: {error}") from error


def _in_memory(raw: RawModel) -> RawModel:
    """A model that needs its files no more; of its variables those that have a value, since an
    export declares some that nothing needs or restores.
    """
    values = {}
    for name in raw.variables:
        with suppress(ConversionError):
            values[name] = np.array(raw.variables[name])
    raw.variables, raw.assets = values, dict(raw.assets)
    return raw


def load_keras_file(path: str) -> RawModel:
    """A ``.keras`` or ``.h5`` file, loaded by the Keras that is installed (in its safe mode).

    Raises ConversionError where there is none.
    """
    reason: Exception | None = None
    for package in ("keras", "tf_keras"):
        try:
            models = import_module(f"{package}.models")
        except ImportError:
            continue
        try:
            model = models.load_model(path, compile=False)
        except Exception as error:  # the other Keras may know the file
            reason = error
            continue
        return _read_keras(model)
    if reason is None:
        raise ConversionError(
            f"{path}: a Keras file holds Python configuration that only Keras can rebuild, and "
            "Keras is not installed; where it is: keras.models.load_model(...).export(dir), then "
            "convert the folder"
        )
    raise ConversionError(f"{path}: Keras cannot load this file: {reason}") from reason


def read_tensors(tensors: Sequence[Any], session: Any) -> RawModel:
    """The graph that holds graph-mode tensors, with the values that `session` has for its
    variables.

    Raises ValueError where there is no session, ConversionError for tensors of another graph or
    without one, and for uninitialised variables, all named.
    """
    if not session or not hasattr(session, "graph"):
        raise ConversionError(
            f"bad tensorflow session: {session!r}; expected a tf.compat.v1.Session"
        )
    for tensor in tensors:
        if not hasattr(tensor, "op") or _graph(tensor) is None:
            raise ConversionError(
                f"{tensor!r} is not a tensor of a graph: build it inside tf.Graph (graph mode), or "
                "convert the Keras model or tf.function that computes it"
            )
        if _graph(tensor) is not session.graph:
            raise ConversionError(f"tensor {tensor.name} belongs to another graph than the session")
    graph = parse_graph_def(session.graph.as_graph_def().SerializeToString(), "the session's graph")
    raw = RawModel(graph, origin="the session's graph")
    raw.variables = _session_values(tensors, session)
    raw.assets = _files(session)
    return raw


def _files(session: Any) -> dict[str, bytes]:
    """The contents of the files that lookup tables of a session are filled from."""
    contents = {}
    for op in session.graph.get_operations():
        if op.type.startswith("InitializeTableFromTextFile"):
            name = op.inputs[1]
            with suppress(OSError, ValueError), open(session.run(name), "rb") as file:
                contents[name.name] = file.read()
    return contents


def _graph(tensor: Any) -> Any:
    try:
        return tensor.graph
    except (AttributeError, NotImplementedError):
        return None


class _SessionValues(dict[str, Array]):
    """Values by node; the variables `missing` have none, which is an error where one is needed."""

    missing: Sequence[str] = ()

    def __contains__(self, name: object) -> bool:
        return name in self.missing or super().__contains__(name)

    def __missing__(self, name: str) -> Array:
        raise ConversionError(
            f"uninitialised variables: {', '.join(self.missing)}; run tf.compat.v1.global_variables"
            "_initializer() or restore a checkpoint in this session first"
        )


def _session_values(tensors: Sequence[Any], session: Any) -> _SessionValues:
    """The values of variables; those that have none yet may still be assigned by the graph."""
    reads = {}
    for op in _below(tensors, VARIABLE_OPS):
        reads[op.name] = op.outputs[0] if op.type != "VarHandleOp" else _read_of(op)
    values = _SessionValues()
    try:
        found = session.run(list(reads.values())) if reads else []
        values.update(zip(reads, found, strict=True))
    except Exception:
        missing = []
        for name, read in reads.items():
            try:
                values[name] = session.run(read)
            except Exception as error:
                if type(error).__name__ != "FailedPreconditionError":
                    raise
                missing.append(name)
        values.missing = missing
    values.update(_session_tables(tensors, session))
    return values


def _session_tables(tensors: Sequence[Any], session: Any) -> dict[str, Array]:
    """What the tables that may change hold in a session, by names that end in `TABLE_PARTS`."""
    reads = {
        op.name + part: read
        for op in _below(tensors, _CHANGING_TABLES)
        for part, read in zip(TABLE_PARTS, _export_of(op), strict=True)
    }
    return dict(zip(reads, session.run(list(reads.values())), strict=True)) if reads else {}


def _export_of(table: Any) -> Sequence[Any]:
    """Tensors with the keys and values of a table: the graph's own where it has such."""
    for consumer in table.outputs[0].consumers():
        if consumer.type == "LookupTableExportV2" and not consumer.control_inputs:
            outputs: Sequence[Any] = consumer.outputs
            return outputs
    import tensorflow as tf

    with table.graph.as_default(), tf.control_dependencies(None):
        exported: Sequence[Any] = tf.raw_ops.LookupTableExportV2(
            table_handle=table.outputs[0],
            Tkeys=table.get_attr("key_dtype"),
            Tvalues=table.get_attr("value_dtype"),
        )
    return exported


def _below(tensors: Sequence[Any], types: Container[str]) -> list[Any]:
    """The ops of some types that tensors depend on."""
    seen, pending, found = set(), [tensor.op for tensor in tensors], []
    while pending:
        op = pending.pop()
        if op.name in seen:
            continue
        seen.add(op.name)
        if op.type in types:
            found.append(op)
        pending.extend(t.op for t in op.inputs)
        pending.extend(op.control_inputs)
    return found


def _read_of(handle: Any) -> Any:
    """A tensor that reads a resource variable and does nothing else: the graph's own where it has
    one, since others wait for assignments that would run with them.
    """
    for consumer in handle.outputs[0].consumers():
        if consumer.type == "ReadVariableOp" and not consumer.control_inputs:
            return consumer.outputs[0]
    import tensorflow as tf

    with handle.graph.as_default(), tf.control_dependencies(None):
        return tf.raw_ops.ReadVariableOp(resource=handle.outputs[0], dtype=handle.get_attr("dtype"))


def read_tensor(
    tensor: Any, session: Any, feed_dict: Mapping[Any, Any] | None
) -> tuple[RawModel, str, dict[str, Array]]:
    """What `Tensor` needs of a live tensor: graph, name, and values that replace others by name."""
    raw = read_tensors([tensor], session)
    defaults = {getattr(key, "name", key): value for key, value in (feed_dict or {}).items()}
    return raw, tensor.name, defaults
