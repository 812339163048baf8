"""Runs a model file whose prepared graph was tampered with, in many ways: nothing may crash.

Called as a process of its own: ``attack_prepared.py FILE INPUT COUNT``.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import tfdeploy as td
from tfdeploy import config
from tfdeploy.storage import tfd

NUMBERS = (0, -7, 97, 10**6, 2**31, 2**63, 0.5)


def split(data: bytes) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), 8 + size


def join(header: Any, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return len(text).to_bytes(8, "little") + text + body


def entry(begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}


class Target:
    """A good file, its input and its answer."""

    def __init__(self, path: str, data: str) -> None:
        with open(path, "rb") as file:
            self.data = file.read()
        self.header, self.start = split(self.data)
        begin, end = self.header["~prepared"]["data_offsets"]
        self.begin, self.end = self.start + begin, self.start + end
        self.text = self.data[self.begin : self.end].decode()
        self.x = np.load(data)
        self.expected = td.Model(path)(self.x)

    def changed(self, path: tuple[Any, ...], value: Any) -> Any:
        document = json.loads(self.text)
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return document

    def outcome(self, document: Any) -> str:
        """What the file does with this as its prepared graphs."""
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        header = dict(self.header)
        header["~padold"] = header.pop("~prepared")
        size = len(self.data) - self.start
        hole = -size % 64
        if hole:
            header["~padnew"] = entry(size, size + hole)
        header["~prepared"] = entry(size + hole, size + hole + len(text))
        header["__metadata__"]["prepared_crc32"] = f"{zlib.crc32(text):08x}"
        body = self.data[self.start :] + bytes(hole) + text
        model = td.Model()
        try:
            model._merge(tfd.loads(join(header, body)))
            value = model(self.x)
        except td.TfdeployError as error:
            return type(error).__name__
        return "same" if np.array_equal(value, self.expected) else "other"


def changes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every number and text of a document, with others in its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from changes(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from changes(item, (*path, i))
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, (int, float)):
        for other in (value + 1, value - 1, *NUMBERS):
            yield path, other
    elif isinstance(value, str):
        yield path, ""
    else:
        yield path, 0


def main() -> None:
    if config.engine() is None:
        print("pure")
        return
    target = Target(sys.argv[1], sys.argv[2])
    assert target.outcome(json.loads(target.text)) == "same"
    cases = list(changes(json.loads(target.text)))
    chosen = np.random.default_rng(0).permutation(len(cases))[: int(sys.argv[3])]
    counts: dict[str, int] = {}
    for i in chosen:
        print(*cases[i], flush=True)
        found = target.outcome(target.changed(*cases[i]))
        counts[found] = counts.get(found, 0) + 1
    print("survived", counts)


if __name__ == "__main__":
    main()
