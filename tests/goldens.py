"""TensorFlow's answers to the rows of `tests.cases`, kept in tests/goldens: one file a family.

``python -m tests.goldens [FAMILY ...]`` asks TensorFlow for those that are missing and drops those
that no row asks for any more; ``--all`` asks for every one anew.

A file holds two arrays of bytes: ``index``, a JSON list with an entry a row, and ``data``, the
answers' elements one after another.  An answer is found by what its row says (`digest`).
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 - numpy then knows the names of its types
import numpy as np
import pytest

import tests.cases
from tests.cases import Case

FOLDER = Path(__file__).parent / "goldens"
READING = 2
"""Rises when `tests.oracle` comes to read rows otherwise: then no older answer counts."""

FAMILIES = sorted(m.name for m in pkgutil.iter_modules(tests.cases.__path__))


@dataclass
class Answer:
    """How TensorFlow understands a row, and what it gives.

    `types` has a numpy type an argument, a list of them for an argument that is a list; `attrs`
    the attributes that follow from the inputs, types by TensorFlow's names.  `outputs` is None
    where TensorFlow refuses the row, and all zero where only shapes are compared.
    """

    types: list[Any]
    attrs: dict[str, Any]
    outputs: list[np.ndarray] | None


def cases(family: str) -> list[Case]:
    return importlib.import_module(f"tests.cases.{family}").CASES


def digest(case: Case) -> str:
    """A name for what a row says: another one where anything changes that an answer hangs on."""
    text = blake2b(digest_size=12)

    def add(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            text.update(b"(%d" % len(value))
            for item in value:
                add(item)
        elif isinstance(value, (np.ndarray, np.generic)):
            text.update(f"{value.dtype} {value.shape}".encode())
            text.update(repr(value.tolist()).encode() if value.dtype == object else value.tobytes())
        else:
            text.update(repr(value).encode())

    add(READING)
    add((case.op, case.inputs, sorted(case.attrs.items()), case.check == "shape", case.raises))
    if case.compared(0) and not case.compared(98):
        add(case.filled)
    return text.hexdigest()


def flattened(case: Case, types: list[Any]) -> list[np.ndarray]:
    """The row's inputs as arrays, one after another."""
    flat: list[np.ndarray] = []
    for value, kinds in zip(case.inputs, types, strict=True):
        pairs = zip(value, kinds, strict=True) if isinstance(kinds, list) else [(value, kinds)]
        flat.extend(v if isinstance(v, np.ndarray) else _array(v, kind) for v, kind in pairs)
    return flat


def _array(value: Any, kind: str) -> np.ndarray:
    array = np.asarray(value, kind)
    if kind == "object":
        for at, item in enumerate(array.flat):
            array.flat[at] = item.encode() if isinstance(item, str) else item
    return array


def pack(output: np.ndarray) -> bytes:
    """The elements; of strings, their lengths and then their bytes."""
    if output.dtype != object:
        return output.tobytes()
    lengths = np.array([len(item) for item in output.flat], "<i4")
    return lengths.tobytes() + b"".join(output.flat)


def unpack(data: memoryview, dtype: str, shape: list[int], kept: bool) -> np.ndarray:
    if not kept:
        return np.zeros(shape, dtype)
    if dtype != "object":
        return np.frombuffer(data, dtype).reshape(shape)
    count = int(np.prod(shape))
    ends = np.cumsum(np.frombuffer(data[: 4 * count], "<i4")).tolist()
    joined = bytes(data[4 * count :])
    output = np.empty(count, object)
    output[:] = [joined[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return output.reshape(shape)


@cache
def read(family: str) -> dict[str, Answer]:
    """The answers that are kept of a family, by digest."""
    path = FOLDER / f"{family}.npz"
    if not path.exists():
        return {}
    with np.load(path) as file:
        index, data = json.loads(file["index"].tobytes()), memoryview(file["data"].tobytes())
    found, at = {}, 0
    for name, types, attrs, outputs in index:
        arrays = None if outputs is None else []
        for dtype, shape, size in outputs or ():
            arrays.append(unpack(data[at : at + (size or 0)], dtype, shape, size is not None))
            at += size or 0
        found[name] = Answer(types, attrs, arrays)
    return found


def write(family: str, answers: dict[str, Answer]) -> None:
    """Keeps a family's answers, without values that nothing is compared with."""
    rows = {digest(case): case for case in cases(family)}
    index, data = [], []
    for name, answer in answers.items():
        outputs = None if answer.outputs is None else []
        for i, output in enumerate(answer.outputs or ()):
            packed = pack(output) if rows[name].compared(i) else None
            size = None if packed is None else len(packed)
            outputs.append([output.dtype.name, output.shape, size])
            data.append(packed or b"")
        index.append([name, answer.types, answer.attrs, outputs])
    held = io.BytesIO()
    np.savez_compressed(
        held,
        index=np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8),
        data=np.frombuffer(b"".join(data), np.uint8),
    )
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{family}.npz").write_bytes(held.getvalue())


@cache
def kept() -> dict[str, Answer]:
    """The answers of all families."""
    return {name: answer for family in FAMILIES for name, answer in read(family).items()}


def find(case: Case) -> Answer | None:
    return kept().get(digest(case))


def answer(case: Case) -> Answer:
    """What TensorFlow answered to a row of `tests.cases`."""
    found = find(case)
    assert found is not None, f"no golden for this row of {case.op}: run python -m tests.goldens"
    return found


def main(families: Iterable[str], everything: bool) -> int:
    """Brings the files up to date; says which rows do not do in TensorFlow what they say."""
    failed = 0
    for family in families or FAMILIES:
        known = {} if everything else read(family)
        answers, asked = {}, 0
        for case in cases(family):
            name = digest(case)
            if name in answers:
                continue
            if name in known:
                answers[name] = known[name]
                continue
            from tests.oracle import ask

            asked += 1
            try:
                answers[name] = ask(case)
            except (Exception, pytest.skip.Exception) as error:
                failed += 1
                said = " ".join(str(error).split("Node: 'op'")[-1].split())[:300]
                print(f"{family}: {case.op} {case.attrs} {case.note}: {said}")
        if asked or answers.keys() != known.keys():
            write(family, answers)
            print(f"{family}: asked for {asked} of {len(answers)} answers")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.goldens")
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--all", action="store_true", help="ask for every answer anew")
    arguments = parser.parse_args()
    sys.exit(main(arguments.families, arguments.all))
