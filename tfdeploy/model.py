"""`Model` and `convert`: what users hold.

A model is an ordered map from keys to root tensors over one or more graphs, and the signatures by
which those graphs are called.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .dtypes import Array, DType
from .errors import ConversionError, FeedError, FetchError, near
from .graph.graph import Graph, Ref, SignatureDef
from .tensor import Entry, Tensor, bind_feeds, find_fetch, fit

if TYPE_CHECKING:
    from .summary import Memory

Key = int | str


class Spec(NamedTuple):
    """What an argument or result of a signature is: dtype, and shape with None for what varies."""

    dtype: DType
    shape: tuple[int | None, ...] | None


class Signature:
    """A named way to call a model; always gives a dict of arrays.

    `inputs` and `outputs` map names to `Spec`.
    """

    __slots__ = ("_direct", "_entry", "_inputs", "_outputs", "name")

    def __init__(self, name: str, entry: Entry, definition: SignatureDef) -> None:
        self.name = name
        self._entry = entry
        self._inputs = definition.inputs
        self._outputs = definition.outputs
        self._direct: Any = None
        """The engine's `Direct`: what it remembers of a call; None where there is none."""
        entry.want(*definition.outputs.values())

    @property
    def inputs(self) -> dict[str, Spec]:
        """Arguments by name."""
        return {name: _spec(self._entry.graph, ref) for name, ref in self._inputs.items()}

    @property
    def outputs(self) -> dict[str, Spec]:
        """Results by name."""
        return {name: _spec(self._entry.graph, ref) for name, ref in self._outputs.items()}

    def __call__(self, feeds: Any = None, /, *, out: Any = None, **inputs: Any) -> dict[str, Array]:
        """Results by name for arguments given by keyword, in a dict, or, where there is only one,
        alone.

        Arguments with a default value may be left out.  Raises FeedError where arguments are
        missing, unknown, or of the wrong dtype or shape.

        `out` is where the results are written: an array for each output in a dict, or, where there
        is only one, alone; contiguous, of the output's dtype and shape, and apart from all inputs.
        """
        if out is None and self._direct is not None:
            found: dict[str, Array] | None = self._direct.named(feeds, inputs)
            if found is not None:
                return found
        return dict(zip(self._outputs, self._values(feeds, inputs, out), strict=True))

    def _values(self, feeds: Any, inputs: dict[str, Any], out: Any) -> list[Array]:
        """What a call gives that is not as the last one was, or has an `out`: a list in the order
        of `outputs`.
        """
        direct = self._direct
        targets = None if out is None else self._targets(out)
        if targets is not None and direct is not None:
            try:
                found: list[Array] | None = direct.values(feeds, inputs, targets)
            except ValueError as error:
                raise FeedError(f"out= does not fit: {error}") from None
            if found is not None:
                return found
        given = self._arguments(feeds, inputs)
        bound = {}
        for name, value in given.items():
            ref = self._inputs[name]
            bound[ref] = fit(value, self._entry.graph.type(ref), name)
        outputs = list(self._outputs.values())
        engine = self._entry.engine
        values = engine.run(outputs, bound)
        if direct is None or not direct.holds():
            self._direct = engine.direct(self._outputs, self._inputs)
        return values if targets is None else _written(values, targets, list(given.values()))

    def _targets(self, out: Any) -> tuple[Array, ...]:
        """The arrays of `out` in the order of `outputs`."""
        if not isinstance(out, Mapping):
            out = dict.fromkeys(list(self._outputs)[:1], out)
        if set(out) != set(self._outputs):
            raise FeedError(
                f"out= has {', '.join(map(str, out))}; signature {self.name!r} gives "
                + ", ".join(self._outputs)
            )
        for name, array in out.items():
            if not isinstance(array, np.ndarray):
                raise FeedError(f"out= for {name!r} is a {type(array).__name__}, not an array")
        return tuple([out[name] for name in self._outputs])

    def memory(self, n: int = 1, /, **shapes: tuple[int, ...]) -> Memory:
        """Bytes that a call takes, told before it.

        `n` stands for every first extent that varies; inputs that vary in others are given whole,
        by name.  Raises FeedError where a shape is missing.
        """
        from .summary import memory

        return memory(self, n, shapes)

    def bits(self) -> list[str]:
        """Nodes whose results may differ in the last bits between machines, batches or threads.

        The compiled engine gives a row the same bits always; what runs through references that
        sum or approximate floats, custom ops and unseeded random ops does not promise it.
        """
        from .summary import inexact

        return inexact(self)

    def _arguments(self, feeds: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        if feeds is None:
            given = inputs
        elif isinstance(feeds, Mapping):
            given = {self._name(k): v for k, v in feeds.items()} | inputs
        elif len(self._inputs) == 1 and not inputs:
            given = {next(iter(self._inputs)): feeds}
        else:
            raise FeedError(
                f"signature {self.name!r} has the inputs {', '.join(self._inputs)}: give them "
                "by name, as keywords or in a dict"
            )
        unknown = [name for name in given if name not in self._inputs]
        if unknown:
            raise FeedError(
                f"signature {self.name!r} has no input {unknown[0]!r}; it has "
                + ", ".join(self._inputs)
            )
        graph = self._entry.graph
        missing = [
            name
            for name, ref in self._inputs.items()
            if name not in given
            and graph.nodes[ref.node].attrs.get("default") is None
            and not graph.nodes[ref.node].inputs
        ]
        if missing:
            raise FeedError(f"signature {self.name!r} needs the input(s) {', '.join(missing)}")
        return given

    def _name(self, key: Any) -> str:
        """The input that a feed's key means: the tensor itself, or a name."""
        if isinstance(key, Tensor) and key._entry is self._entry:
            for name, ref in self._inputs.items():
                if ref == key._ref:
                    return name
        return _name_of(key)

    def __reduce__(self) -> Any:
        model = Model()
        model._hold(self._entry)
        model.signatures[self.name] = self
        return _signature_of, (model, self.name)

    def __repr__(self) -> str:
        def spell(specs: dict[str, Spec]) -> str:
            return ", ".join(f"{n}: {s.dtype}{_spell(s.shape)}" for n, s in specs.items())

        return f"<Signature {self.name}({spell(self.inputs)}) -> {spell(self.outputs)}>"


def _signature_of(model: Model, name: str) -> Signature:
    return model.signatures[name]


def _written(values: list[Array], targets: tuple[Array, ...], feeds: list[Any]) -> list[Array]:
    """Values copied to the arrays that the caller gave for them."""
    arrays = [feed for feed in feeds if isinstance(feed, np.ndarray)]
    for i, (value, target) in enumerate(zip(values, targets, strict=True)):
        if target.dtype != value.dtype or target.shape != value.shape:
            raise FeedError(
                f"out= for output {i} should be {value.dtype}{list(value.shape)}, got "
                f"{target.dtype}{list(target.shape)}"
            )
        if not (target.flags.c_contiguous and target.flags.writeable):
            raise FeedError(f"out= for output {i} is not writable and contiguous")
        if any(np.may_share_memory(target, other) for other in (*arrays, *targets[:i])):
            raise FeedError(f"out= for output {i} shares memory with an input or another output")
        target[...] = value
    return list(targets)


def _name_of(key: Any) -> str:
    name = key.name if isinstance(key, Tensor) else key
    if not isinstance(name, str):
        raise FeedError(f"a feed's key is a tensor or a name, not {type(key).__name__}")
    return name[:-2] if name.endswith(":0") else name


def _spec(graph: Graph, ref: Ref) -> Spec:
    kind = graph.type(ref)
    shape = kind.shape
    return Spec(
        kind.dtype,
        None if shape is None else tuple(e if isinstance(e, int) else None for e in shape),
    )


def _spell(shape: tuple[int | None, ...] | None) -> str:
    return (
        "[?]"
        if shape is None
        else "[" + ", ".join("?" if e is None else str(e) for e in shape) + "]"
    )


class Model:
    """A model in memory: load it from a ``.tfd`` file, or fill it with `add`.

    `Model(path, mmap=True)` maps the weights of the file; ``mmap=False`` reads them, for disks that
    may go away.  Raises FormatError where the file is damaged or of another kind.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, mmap: bool = True) -> None:
        self._entries: list[Entry] = []
        self._roots: dict[Key, Tensor] = {}
        self.signatures: dict[str, Signature] = {}
        if path is not None:
            self.load(path, mmap=mmap)

    @property
    def roots(self) -> dict[Key, Tensor]:
        """Root tensors by key, in the order in which they were added."""
        return dict(self._roots)

    def get(self, *names: str | Tensor, key: Key | None = None) -> Any:
        """Tensors called `names`: one for one name, else a tuple; None for a name that is not
        there.

        The roots are searched in order, or only the one with `key`.  ``a`` means ``a:0``.
        """
        found = tuple(self._get(name, key) for name in names)
        return found[0] if len(names) == 1 else found

    def _get(self, name: str | Tensor, key: Key | None) -> Tensor | None:
        if key is not None and key not in self._roots:
            return None
        roots = self._roots.values() if key is None else [self._roots[key]]
        for root in roots:
            found: Tensor | None = root.get(name)
            if found is not None:
                return found
        return None

    def __getitem__(self, name: str | Tensor) -> Tensor | None:
        return self._get(name, None)

    def __contains__(self, name: str | Tensor) -> bool:
        return self._get(name, None) is not None

    def add(
        self,
        tensor: Any,
        tf_sess: Any = None,
        key: Key | None = None,
        tf_feed_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        """Adds a root: a Tensor, or a live TensorFlow tensor with a session that has its variables.

        The weights are read now.  `key` defaults to the next free number; `tf_feed_dict` gives
        defaults for placeholders.  Roots from one session share their placeholders and all else
        that they have in common, unless weights have changed in between.
        """
        if not isinstance(tensor, Tensor):
            tensor = self._merged(Tensor(tensor, tf_sess, tf_feed_dict))
        if key is None:
            key = max((k for k in self._roots if isinstance(k, int)), default=-1) + 1
        self._hold(tensor._entry)
        tensor._entry.want(tensor._ref)
        self._roots[key] = tensor
        self._drop_unused()

    def _drop_unused(self) -> None:
        """Lets go of graphs whose roots and signatures were all replaced."""
        used = {id(tensor._entry) for tensor in self._roots.values()}
        used |= {id(signature._entry) for signature in self.signatures.values()}
        for entry in [e for e in self._entries if id(e) not in used]:
            self._entries.remove(entry)
            entry.models.discard(self)

    def _merged(self, tensor: Tensor) -> Tensor:
        """`tensor` in the graph that another root from its session has brought, if they agree."""
        from .graph.extend import extend

        session = tensor._entry.session()
        for entry in self._entries:
            if session is not None and entry.session() is session:
                numbers = extend(entry.graph, tensor._entry.graph)
                if numbers is not None:
                    entry.edited()
                    return entry.tensor(Ref(numbers[tensor._ref.node], tensor._ref.slot))
        return tensor

    def _hold(self, entry: Entry) -> None:
        if entry not in self._entries:
            self._entries.append(entry)
            entry.models.add(self)

    def eval(self, fetches: Any, feeds: Mapping[Any, Any] | None = None) -> Any:
        """Values of one fetch (an array) or several (a list), computed in one pass.

        Fetches and feeds are tensors or their names; any tensor may be fed.  Raises FetchError for
        a fetch that is not in the model, FeedError for a feed that is not or does not fit.
        """
        many = isinstance(fetches, (list, tuple))
        wanted = [self._locate(fetch) for fetch in (fetches if many else [fetches])]
        needed = list({id(entry): entry for entry, _ in wanted}.values())
        bound = bind_feeds(feeds or {}, needed, self._entries)
        results: dict[int, Array] = {}
        for entry in needed:
            positions = [i for i, (e, _) in enumerate(wanted) if e is entry]
            values = entry.engine.run([wanted[i][1] for i in positions], bound.get(entry, {}))
            results.update(zip(positions, values, strict=True))
        return [results[i] for i in range(len(wanted))] if many else results[0]

    def _locate(self, fetch: Any) -> tuple[Entry, Ref]:
        if isinstance(fetch, Tensor):
            if fetch._entry not in self._entries:
                raise FetchError(f"tensor {fetch.name} belongs to another model")
            return fetch._entry, fetch._ref
        if not isinstance(fetch, str):
            raise FetchError(f"a fetch is a tensor or a name, not {type(fetch).__name__}")
        return find_fetch(fetch, self._entries)

    def __call__(self, feeds: Any = None, /, *, out: Any = None, **inputs: Any) -> Any:
        """Calls the default signature: an array where it has one output, else a dict of arrays.

        `feeds` is the array of the only input, or a dict; inputs may also be keywords.  The default
        is ``serving_default``, else the only signature.  `out` is where results are written; see
        `Signature`.
        """
        signature = self.signatures.get("serving_default") or self._default()
        if out is None and signature._direct is not None:
            found = signature._direct.value(feeds, inputs)
            if found is not None:
                return found
        values = signature._values(feeds, inputs, out)
        return values[0] if len(values) == 1 else dict(zip(signature._outputs, values, strict=True))

    def _default(self) -> Signature:
        found = self.signatures.get("serving_default")
        if found is None and len(self.signatures) == 1:
            found = next(iter(self.signatures.values()))
        if found is None and not self.signatures:
            found = self._root_signature()
        if found is None:
            names = ", ".join(self.signatures)
            raise FetchError(
                f"the model has several signatures and no default: call one of them, as in "
                f"model.signatures[{next(iter(self.signatures))!r}](...); it has {names}"
            )
        return found

    def _root_signature(self) -> Signature:
        """The way to call a model that was filled with `add`: its roots from their placeholders."""
        if len(self._entries) != 1:
            raise FetchError("the model has no signatures: use model.eval(fetches, feeds)")
        entry = self._entries[0]
        graph = entry.graph
        roots = {_name_of(t.name): t._ref for t in self._roots.values()}
        below = graph.ancestors(ref.node for ref in roots.values())
        inputs = [Ref(number) for number in below if graph.nodes[number].op == "Placeholder"]
        feeds = {_name_of(graph.name(ref)): ref for ref in inputs}
        return Signature("default", entry, SignatureDef(feeds, roots))

    def load(self, path: str | os.PathLike[str], *, mmap: bool = True) -> None:
        """Adds everything in a ``.tfd`` file, or in a pickle of tfdeploy 0.4; ``~`` and ``$VAR`` in
        `path` are expanded.

        A root whose key is taken replaces the one before, and so does a signature.
        """
        from .storage.open import read

        self._merge(read(expand(path), mmap=mmap))

    def _merge(self, stored: Any) -> None:
        entries = [
            Entry(graph, stored=partial(stored.prepared, number))
            for number, graph in enumerate(stored.graphs)
        ]
        for entry in entries:
            self._hold(entry)
        for key, (number, ref) in stored.roots.items():
            entries[number].want(ref)
            self._roots[key] = entries[number].tensor(ref)
        for name, (number, definition) in stored.signatures.items():
            self.signatures[name] = Signature(name, entries[number], definition)
        self._drop_unused()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file, which appears whole or not at all."""
        from .storage import tfd

        tfd.write(expand(path), self._stored())

    def _stored(self) -> Any:
        from .storage import tfd

        number = {id(entry): i for i, entry in enumerate(self._entries)}
        return tfd.Stored(
            [entry.state.saved(entry.graph) for entry in self._entries],
            {key: (number[id(t._entry)], t._ref) for key, t in self._roots.items()},
            {
                name: (number[id(s._entry)], SignatureDef(s._inputs, s._outputs))
                for name, s in self.signatures.items()
            },
            lambda number: self._entries[number].engine.prepared(),
        )

    def reset_state(self) -> None:
        """Gives variables, tables and random streams their initial values again.

        These are what the model was converted with, or what they were when it was saved or pickled.
        """
        for entry in self._entries:
            entry.reset()

    def __reduce__(self) -> Any:
        from .storage import tfd

        return _from_bytes, (tfd.dumps(self._stored()),)

    def memory(self, n: int = 1, /, **shapes: tuple[int, ...]) -> Memory:
        """Bytes that a call of the default signature takes; see `Signature.memory`."""
        return self._default().memory(n, **shapes)

    def summary(self) -> str:
        """Signatures, roots, op counts and sizes, as text for people."""
        from .summary import facts, text

        return text(facts(self))

    def __repr__(self) -> str:
        return (
            f"<Model: {len(self._roots)} root(s), signatures "
            f"{', '.join(self.signatures) or 'none'}>"
        )


def _from_bytes(data: bytes) -> Model:
    from .storage import tfd

    model = Model()
    model._merge(tfd.loads(data))
    return model


def expand(path: str | os.PathLike[str]) -> str:
    """`path` with ``~`` and ``$VAR`` expanded."""
    return os.path.expandvars(os.path.expanduser(os.fspath(path)))


def convert(
    source: Any,
    inputs: Sequence[Any] | Any = None,
    outputs: Sequence[Any] | Any = None,
    signature: str | None = None,
    session: Any = None,
) -> Model:
    """A TensorFlow model, from disk or alive, as a `Model`.

    `source` is a SavedModel folder, a frozen ``.pb`` / ``.pbtxt`` graph or a checkpoint of
    TensorFlow 1 (``.meta``, prefix, or folder with a ``checkpoint`` file), which need numpy alone
    and may lie in a ``.zip`` or ``.tar`` archive; a ``.keras`` or ``.h5`` file, which needs Keras;
    a model file of tfdeploy 0.4; or a live Keras model, tf.function,
    ConcreteFunction, tf.Module, GraphDef, or graph-mode tensor(s) with their `session`.

    `outputs` (tensors or names) choose what to compute, `inputs` where the graph is cut and fed;
    without them the model's signatures say so, all of them or the one called `signature`, and a
    bare graph is converted to all its sinks, with a warning that lists them.

    Raises ConversionError, FormatError, UnsupportedError, or UnknownOperationException with all ops
    that are missing.
    """
    from .importers.lower import lower
    from .importers.sinks import sinks
    from .storage.open import is_pickle

    if isinstance(source, (str, os.PathLike)) and is_pickle(expand(source)):
        if inputs is not None or outputs is not None or signature is not None:
            raise ConversionError(f"{expand(source)}: a model of tfdeploy 0.4 has its own roots")
        return Model(source)
    raw, tensors = _read(source, signature, session)
    wanted = _names(outputs) if outputs is not None else tensors
    if signature is not None and signature not in raw.signatures:
        raise ConversionError(
            f"{raw.origin}: no signature {signature!r}; it has "
            f"{', '.join(raw.signatures) or 'none'}" + near(signature, raw.signatures)
        )
    if wanted is None and not raw.signatures:
        if os.path.isdir(raw.origin):
            raise ConversionError(
                f"{raw.origin}: this SavedModel has no signatures: save it with signatures=, or "
                "name tensors of its graph with outputs="
            )
        wanted = sinks(raw)
        warnings.warn(
            f"{raw.origin}: converted to its sinks {', '.join(wanted)}; choose with outputs=",
            stacklevel=2,
        )
    cut = _names(inputs) if inputs is not None else None
    if cut is not None and wanted is None:
        chosen = raw.signatures[signature or _only(raw.signatures, raw.origin)]
        wanted = [info.name for info in chosen.outputs.values()]
    graph, built = lower(raw, cut, wanted, [signature] if signature else None)
    model = Model()
    entry = Entry(graph)
    model._hold(entry)
    for name, definition in built.items():
        model.signatures[name] = Signature(name, entry, definition)
    first = "serving_default" if "serving_default" in built else next(iter(built))
    ordered = [built[first], *(d for name, d in built.items() if name != first)]
    for ref in dict.fromkeys(ref for d in ordered for ref in d.outputs.values()):
        model.add(entry.tensor(ref))
    return model


def _only(signatures: Mapping[str, Any], origin: str) -> str:
    if "serving_default" in signatures or len(signatures) == 1:
        return "serving_default" if "serving_default" in signatures else next(iter(signatures))
    raise ConversionError(f"{origin}: choose one of the signatures {', '.join(signatures)}")


def _names(tensors: Any) -> list[str]:
    """Names of tensors given as names or live tensors, one or many."""
    many = tensors if isinstance(tensors, (list, tuple)) else [tensors]
    return [t if isinstance(t, str) else str(t.name) for t in many]


def _read(source: Any, signature: str | None, session: Any) -> tuple[Any, list[str] | None]:
    """The RawModel behind `source`, and the outputs that it names by being tensors."""
    if isinstance(source, (str, os.PathLike)):
        from .importers.open import read_path

        return read_path(expand(source)), None
    if isinstance(source, Model):
        raise ConversionError("this is a tfdeploy model already; save it with model.save(path)")
    many = isinstance(source, (list, tuple))
    if session is not None or (many and source and hasattr(source[0], "op")):
        from .importers import tf_objects

        tensors = list(source) if many else [source]
        return tf_objects.read_tensors(tensors, session), _names(tensors)
    if "tensorflow" in sys.modules or "keras" in sys.modules or "tf_keras" in sys.modules:
        from .importers import tf_objects

        if tf_objects.is_live(source) or hasattr(source, "SerializeToString"):
            return tf_objects.read_object(source, session, signature), None
    raise ConversionError(
        f"cannot convert a {type(source).__module__}.{type(source).__qualname__}; expected a path, "
        "or a TensorFlow or Keras object"
    )
