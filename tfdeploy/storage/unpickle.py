"""Reads the pickles that tfdeploy 0.4 wrote, and runs nothing.

Python's own unpickler imports and calls what a stream names.  This one is a machine of its own for
the instructions of protocols 0 to 4 (https://github.com/python/cpython/blob/main/Lib/pickletools.py
describes them): names become tokens, the few calls that numpy and 0.4 make are known by name, and
everything else is refused.  Memory stays within a small multiple of the stream's size.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import DType, from_enum
from ..errors import FormatError, TfdeployError

_MAX_RANK = 32
_MOST_DIGITS = 64
_MOST_COPIES = 16  # of the stream's size: objects, and bytes that change their order or encoding
_DTYPE = re.compile(r"[?bhilqBHILQefdFD]|[biufcSU]\d{1,6}|O8?|\|?[OSU]\d{0,6}")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_ORDERS: dict[str, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}
_SCALARS = {"bool", "bool_", "object_", "str_", "string_", "bytes_", "unicode_", "complex64"}
_SCALARS |= {"complex128", "float16", "float32", "float64"}
_SCALARS |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_BUILTINS = {"object", "bool", "int", "long", "float", "complex", "str", "unicode", "bytes"}
_SPELLED = {"__builtin__": "builtins", "copy_reg": "copyreg", "numpy._core": "numpy.core"}
_STRANGERS = sys.stdlib_module_names | {"commands", "nt", "numpy", "scipy", "tensorflow"}


class Global(NamedTuple):
    """A name in the stream: nothing was imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Instance:
    """An object of a class that the stream names: the class's name, and the attributes."""

    __slots__ = ("kind", "state")

    def __init__(self, kind: Global) -> None:
        self.kind = kind
        self.state: dict[str, Any] = {}


class _Dtype:
    """A numpy dtype in the making: its byte order comes later."""

    __slots__ = ("value",)

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value


class Array:
    """A numpy array; `value` is read-only, in native byte order, strings as objects of bytes."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None


class _Refused(Exception):
    """Why the stream is not read; `load` says where."""


def load(data: bytes, origin: str) -> Any:
    """The object in a pickle: plain Python values, `Array`, `Instance`, `Global` and `DType`.

    Python 2's strings come as str of the same character numbers.  Raises FormatError where the
    stream is damaged or names, calls or builds anything that tfdeploy 0.4 did not.
    """
    machine = _Machine(data)
    try:
        return machine.run()
    except (_Refused, TfdeployError) as error:
        raise FormatError(f"{origin}: byte {machine.start}: {error}") from None
    except (LookupError, ValueError, TypeError, ArithmeticError, struct.error) as error:
        raise FormatError(f"{origin}: byte {machine.start}: damaged: {error}") from None


class _Machine:
    """The stack machine: one method per group of instructions."""

    def __init__(self, data: bytes) -> None:
        self.data, self.pos, self.start = data, 0, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.budget = _MOST_COPIES * len(data) + 4096

    def run(self) -> Any:
        while True:
            self.start = self.pos
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            action = _ACTIONS.get(code)
            if action is None:
                raise _Refused(f"instruction {code!r}, which tfdeploy 0.4's pickles do not have")
            action(self)

    def take(self, size: int) -> bytes:
        end = self.pos + size
        if size < 0 or end > len(self.data):
            raise _Refused(f"{size} bytes expected, {len(self.data) - self.pos} are left")
        found = self.data[self.pos : end]
        self.pos = end
        return found

    def spend(self, size: int) -> None:
        """Counts bytes that are made of what was read before, which may be read again and again."""
        self.budget -= size
        if self.budget < 0:
            raise _Refused("more data than the stream has")

    def number(self, form: str) -> int:
        found: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return found

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.pos)
        if end < 0:
            raise _Refused("a line without end")
        found = self.data[self.pos : end]
        self.pos = end + 1
        return found

    def digits(self, text: bytes) -> int:
        if len(text) > _MOST_DIGITS:
            raise _Refused(f"a number of {len(text)} digits")
        return int(text)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        found = self.stack[-1]
        if type(found) is not kind:
            raise _Refused(f"items for a {type(found).__name__}, expected a {kind.__name__}")
        return found

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int, bytes):
                raise _Refused(f"a dict with a key that is a {type(key).__name__}")
            target[key.decode("latin-1") if isinstance(key, bytes) else key] = value

    def text_int(self) -> None:
        text = self.line()
        named = {b"00": False, b"01": True}
        self.push(named[text] if text in named else self.digits(text))

    def quoted(self) -> None:
        text = self.line().strip()
        if len(text) < 2 or text[:1] not in b"'\"" or text[-1:] != text[:1]:
            raise _Refused("a string without quotes")
        self.push(_ESCAPE.sub(_unescaped, text[1:-1]).decode("latin-1"))

    def name(self) -> None:
        module, name = self.line().decode(), self.line().decode()
        self.push(_found(module, name))

    def name_on_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push(_found(module, name))

    def call(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        handler = _CALLS.get(target) if isinstance(target, Global) else None
        if handler is None or type(arguments) is not tuple:
            raise _Refused(f"calls {_spell(target)}, which no model of tfdeploy 0.4 does")
        self.push(handler(self, *arguments))

    def new(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.push(_instance(self, kind, *arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        setter = _SETTERS.get(type(target))
        if setter is None:
            raise _Refused(f"sets the state of {_spell(target)}")
        setter(self, target, state)


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code[1:], 16)]) if len(code) == 3 else _ESCAPED.get(code, match[0])


def _found(module: Any, name: Any) -> Global:
    """The token of a name, if the stream may have it."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise _Refused("refers to something without a name")
    for old, new in _SPELLED.items():
        if module == old or module.startswith(old + "."):
            module = new + module[len(old) :]
    found = Global(module, name)
    allowed = (
        found in _CALLS
        or found == _NDARRAY
        or (module == "numpy" and name in _SCALARS)
        or (module == "builtins" and name in _BUILTINS)
        or (module.partition(".")[0] not in _STRANGERS and name.isidentifier())
    )
    if not allowed:
        raise _Refused(f"refers to {found}, which no model of tfdeploy 0.4 does; nothing was run")
    return found


def _spell(value: Any) -> str:
    """What a value is, without going into it: a repr may be endless."""
    if isinstance(value, str):
        return repr(value[:80])
    return str(value) if isinstance(value, Global) else f"a {type(value).__name__}"


def _instance(m: _Machine, kind: Any, *arguments: Any) -> Instance:
    named = isinstance(kind, Global) and kind.module not in ("builtins", "numpy")
    if not named or arguments or (kind in _CALLS and kind != _UUID):
        raise _Refused(f"makes an object of {_spell(kind)} with {len(arguments)} arguments")
    return Instance(kind)


def _reconstructor(m: _Machine, kind: Any, base: Any, state: Any) -> Instance:
    if base != Global("builtins", "object") or state is not None:
        raise _Refused(f"makes an object of {_spell(kind)} on top of {_spell(base)}")
    return _instance(m, kind)


def _array(m: _Machine, kind: Any, shape: Any, code: Any) -> Array:
    if kind != _NDARRAY:
        raise _Refused(f"makes an array of class {_spell(kind)}")
    return Array()


def _dtype(m: _Machine, spec: Any, align: Any = 0, copy: Any = 1) -> _Dtype:
    spec = spec.decode("latin-1") if isinstance(spec, bytes) else spec
    if isinstance(spec, Global) and spec.module == "numpy":
        spec = {"object_": "O"}.get(spec.name, spec.name)
    elif not isinstance(spec, str) or not _DTYPE.fullmatch(spec):
        raise _Refused(f"a numpy dtype {_spell(spec)}")
    return _Dtype(np.dtype("O" if spec.startswith("O") else spec))


def _scalar(m: _Machine, dtype: Any, data: Any = b"") -> Array:
    if not isinstance(dtype, _Dtype):
        raise _Refused(f"a numpy scalar of {_spell(dtype)}")
    array = Array()
    items = [data] if dtype.value.kind == "O" else data
    _set_array(m, array, ((), dtype, False, items))
    return array


def _set_dtype(m: _Machine, target: _Dtype, state: Any) -> None:
    if type(state) is not tuple or len(state) < 8:
        raise _Refused("a numpy dtype with a state that numpy does not give")
    order, rest = state[1], state[2:5]
    order = order.decode("latin-1") if isinstance(order, bytes) else order
    if not isinstance(order, str) or order not in _ORDERS or any(part is not None for part in rest):
        raise _Refused("a structured numpy dtype")
    if target.value.kind in "SU" and target.value.itemsize == 0 and type(state[5]) is int:
        if not 0 <= state[5] < 1 << 20:
            raise _Refused(f"a numpy dtype of {state[5]} bytes")
        width = state[5] // (4 if target.value.kind == "U" else 1)
        target.value = np.dtype(f"{target.value.kind}{width}")
    if order in "<>":
        target.value = target.value.newbyteorder(_ORDERS[order])


def _set_array(m: _Machine, target: Array, state: Any) -> None:
    if type(state) is not tuple or len(state) not in (4, 5):
        raise _Refused("a numpy array with a state that numpy does not give")
    shape, dtype, fortran, data = state[-4:]
    whole = type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape)
    if not whole or len(shape) > _MAX_RANK or not isinstance(dtype, _Dtype):
        raise _Refused("a numpy array without a shape or a dtype")
    count = math.prod(shape)
    target.value = _strings(m, data, count) if dtype.value.kind == "O" else None
    if target.value is None:
        target.value = _numbers(m, dtype.value, data, count)
    m.spend(target.value.nbytes if fortran else 0)
    order = "F" if fortran else "C"
    target.value = np.asarray(target.value.reshape(shape, order=order), order="C")  # type: ignore[call-overload]
    target.value.flags.writeable = False


def _numbers(m: _Machine, dtype: np.dtype[Any], data: Any, count: int) -> NDArray[Any]:
    """A flat array of `count` items that `data` holds as bytes."""
    if isinstance(data, str):
        m.spend(len(data))
        data = data.encode("latin-1")
    if type(data) is not bytes or len(data) != count * dtype.itemsize or not dtype.itemsize:
        raise _Refused(
            f"a numpy array of {count} {dtype} without its {count * dtype.itemsize} bytes"
        )
    flat = np.frombuffer(data, dtype)
    if dtype.kind in "SU":
        return _strings(m, flat.tolist(), count)
    if not dtype.isnative:
        m.spend(flat.nbytes)
        flat = flat.astype(dtype.newbyteorder("="))
    return flat


def _strings(m: _Machine, data: Any, count: int) -> NDArray[Any]:
    """A flat array of the strings in a list."""
    if type(data) is not list or len(data) != count:
        raise _Refused(f"a numpy array of objects without its {count} items")
    m.spend(8 * count)
    flat = np.empty(count, object)
    flat[:] = [_string(item) for item in data]
    return flat


def _string(item: Any) -> bytes:
    """An item of an array of strings; Python 2's and text come as str."""
    if isinstance(item, str):
        return item.encode("latin-1") if all(ord(c) < 256 for c in item) else item.encode()
    if not isinstance(item, bytes):
        raise _Refused(f"a numpy array that holds {_spell(item)}")
    return item


def _set_instance(m: _Machine, target: Instance, state: Any) -> None:
    if type(state) is not dict or not all(isinstance(key, str) for key in state):
        raise _Refused(f"an object of {target.kind} with a state that is no dict of attributes")
    target.state = state


def _encode(m: _Machine, text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"encodes text as {_spell(encoding)}")
    m.spend(len(text))
    return text.encode("latin-1")


def _bytes(m: _Machine, *arguments: Any) -> bytes:
    if arguments:
        raise _Refused("calls builtins.bytes with arguments")
    return b""


def _as_dtype(m: _Machine, spec: Any) -> DType:
    if type(spec) is int:
        return from_enum(spec)
    return DType(spec.removesuffix("_ref") if isinstance(spec, str) else _spell(spec))


_NDARRAY = Global("numpy", "ndarray")
_UUID = Global("uuid", "UUID")
_CALLS: dict[Any, Callable[..., Any]] = {
    Global("copyreg", "_reconstructor"): _reconstructor,
    Global("copyreg", "__newobj__"): _instance,
    Global("numpy.core.multiarray", "_reconstruct"): _array,
    Global("numpy.core.multiarray", "scalar"): _scalar,
    Global("numpy", "dtype"): _dtype,
    Global("_codecs", "encode"): _encode,
    Global("builtins", "bytes"): _bytes,
    Global("tensorflow.python.framework.dtypes", "as_dtype"): _as_dtype,
    _UUID: lambda m, *_: Instance(_UUID),
}
_SETTERS: dict[type, Callable[[_Machine, Any, Any], None]] = {
    Instance: _set_instance,
    _Dtype: _set_dtype,
    Array: _set_array,
}


def _long(m: _Machine, size: int) -> None:
    if size > _MOST_DIGITS:
        raise _Refused(f"a number of {size} bytes")
    m.push(int.from_bytes(m.take(size), "little", signed=True))


def _tuple(m: _Machine, count: int) -> None:
    if len(m.stack) < count:
        raise IndexError("the stack is empty")
    items = tuple(m.stack[len(m.stack) - count :])
    del m.stack[len(m.stack) - count :]
    m.push(items)


def _pop(m: _Machine) -> None:
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.stack.pop()


def _forget(value: Any) -> None:
    pass


def _protocol(m: _Machine) -> None:
    version = m.number("B")
    if version > 4:
        raise _Refused(f"pickle protocol {version}; tfdeploy 0.4 wrote 0 to 4")


def _utf8(m: _Machine, size: int) -> None:
    m.push(str(m.take(size), "utf-8", "surrogatepass"))


_ACTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: _forget(m.take(8)),  # how much comes next
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": _pop,
    b"1": lambda m: _forget(m.pop_mark()),
    b"2": lambda m: m.push(m.stack[-1]),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": _Machine.text_int,
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"L": lambda m: m.push(m.digits(m.line().removesuffix(b"L"))),
    b"\x8a": lambda m: _long(m, m.number("B")),
    b"\x8b": lambda m: _long(m, m.number("<i")),
    b"F": lambda m: m.push(float(m.line()[:_MOST_DIGITS])),
    b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    b"S": _Machine.quoted,
    b"T": lambda m: m.push(m.take(m.number("<i")).decode("latin-1")),
    b"U": lambda m: m.push(m.take(m.number("B")).decode("latin-1")),
    b"V": lambda m: m.push(str(m.line(), "raw-unicode-escape")),
    b"X": lambda m: _utf8(m, m.number("<I")),
    b"\x8c": lambda m: _utf8(m, m.number("B")),
    b"\x8d": lambda m: _utf8(m, m.number("<Q")),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"C": lambda m: m.push(m.take(m.number("B"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b")": lambda m: m.push(()),
    b"l": lambda m: m.push(m.pop_mark()),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"\x85": lambda m: _tuple(m, 1),
    b"\x86": lambda m: _tuple(m, 2),
    b"\x87": lambda m: _tuple(m, 3),
    b"d": lambda m: _dict(m),
    b"s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.set_items(m.pop_mark()),
    b"a": lambda m: _append(m, [m.stack.pop()]),
    b"e": lambda m: _append(m, m.pop_mark()),
    b"p": lambda m: m.put(m.digits(m.line())),
    b"q": lambda m: m.put(m.number("B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.get(m.digits(m.line())),
    b"h": lambda m: m.get(m.number("B")),
    b"j": lambda m: m.get(m.number("<I")),
    b"c": _Machine.name,
    b"\x93": _Machine.name_on_stack,
    b"R": _Machine.call,
    b"\x81": _Machine.new,
    b"b": _Machine.build,
}


def _dict(m: _Machine) -> None:
    items = m.pop_mark()
    m.push({})
    m.set_items(items)


def _append(m: _Machine, items: list[Any]) -> None:
    m.top(list).extend(items)
