"""Feeds a reader damaged inputs: ``python -m tests.fuzz READER [--count N] [--seed S]``.

Each input is a small genuine file with seeded damage.  The reader takes it or refuses it with an
error of tfdeploy's; anything else is a finding: another exception, more than `SECONDS` or `BYTES`,
or another value where the damage left a tensor alone.  A finding is printed with the numbers that
make its input again: ``python -m tests.fuzz READER --seed S --first I --count 1``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.attack_prepared import entry, join, split
from tfdeploy.errors import TfdeployError
from tfdeploy.importers import graphdef, pbtxt, protos, table, wire
from tfdeploy.importers.bundle import Bundle
from tfdeploy.importers.checkpoint import read_checkpoint
from tfdeploy.importers.crc32c import masked
from tfdeploy.importers.slices import SliceTables
from tfdeploy.storage import legacy, tfd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SECONDS, BYTES = 5, 1 << 30
DATA = Path(__file__).parent / "data"
AGES = ("1.0.1", "1.15", "2.21.0")
Attempt = Callable[[random.Random], None]


class Slow(BaseException):
    """Reading takes too long; no Exception, as a reader may catch those."""


class Result(NamedTuple):
    accepted: int
    refused: int
    findings: list[str]
    worst: tuple[float, int]
    """The longest time, and the number of its input."""

    def __str__(self) -> str:
        seconds, number = self.worst
        inputs = self.accepted + self.refused + len(self.findings)
        return (
            f"{inputs} inputs: {self.accepted} accepted, {self.refused} refused, "
            f"{len(self.findings)} findings, worst {seconds:.3f} s (--first {number})"
        )


# Damage

OCTETS = (0, 1, 2, 8, 10, 16, 18, 0x20, 0x7E, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF)
LENGTHS = (b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x80\x01", b"\x80\x00")
LENGTHS += tuple(struct.pack("<I", n) for n in (0, 1, 2**31 - 1, 2**31, 2**32 - 1))
LENGTHS += tuple(struct.pack("<Q", n) for n in (0, 2**31, 2**62, 2**63, 2**64 - 1))
WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|.', re.DOTALL)
NUMBERS = b"0 1 -1 2 7 0.5 1e9 1e400 -0 255 65536 2147483648 4294967295 9223372036854775807"
NUMBERS += b" 9223372036854775808 18446744073709551616 1e-400 0x7f 017 100000000000000000000000"


def damaged(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """`data` with one to three damages, pieces of the `others` among them."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        if not out:
            break
        at = draw.randrange(len(out))
        size = draw.choice((1, 1, 2, 3, 4, 8, 16, 64))
        kind = draw.randrange(10)
        if kind <= 1:
            out[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            out[at] = draw.choice(OCTETS)
        elif kind == 3:  # a length or a number, one off
            out[at] = (out[at] + draw.choice((-1, 1))) & 255
        elif kind == 4:
            length = draw.choice(LENGTHS)
            out[at : at + draw.choice((0, 1, len(length)))] = length
        elif kind == 5:
            del out[at : at + size]
        elif kind == 6:
            out[at:at] = out[at : at + size] * draw.choice((1, 1, 2, 100))
        elif kind == 7:
            out[at:at] = draw.randbytes(size)
        elif kind == 8:
            other = draw.choice(others)
            start = draw.randrange(len(other) or 1)
            out[at : at + draw.choice((0, size))] = other[start : start + 2 * size]
        elif draw.randrange(3) == 0:
            del out[at:]
    return bytes(out)


def reworded(text: bytes, words: list[bytes], draw: random.Random) -> bytes:
    """`text` with one to three of its words replaced, left out, doubled or exchanged."""
    parts = WORDS.findall(text)
    for _ in range(draw.randint(1, 3)):
        if not parts:
            break
        at, other = draw.randrange(len(parts)), draw.randrange(len(parts))
        kind = draw.randrange(5)
        if kind == 0:
            parts[at] = draw.choice(words)
        elif kind == 1:
            del parts[at]
        elif kind == 2:
            parts.insert(at, draw.choice(words))
        elif kind == 3:
            parts[at], parts[other] = parts[other], parts[at]
        else:
            parts[at:at] = parts[other : other + draw.choice((1, 3, 10))]
    return b"".join(parts)


def words_of(texts: list[bytes]) -> list[bytes]:
    """The distinct words of some texts, and numbers that are at the edge of something."""
    return sorted({word for text in texts for word in WORDS.findall(text)} | {*NUMBERS.split()})


NASTY = (None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 1e300, 2**31, 2**62, 2**63, 10**30)
NASTY += ("", "float32", "string", "~graph", "\ud800", [], {}, [0], [[]], [0, 1], {"a": 1}, [None])


def rearranged(text: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """The JSON `text` with one to three of its values replaced, left out, moved or doubled."""
    document = json.loads(text)
    for _ in range(draw.randint(1, 3)):
        at, step = _somewhere(document, draw)
        if at is None:
            break
        kind = draw.randrange(6)
        if kind <= 1:
            at[step] = deepcopy(draw.choice(NASTY))
        elif kind == 2:
            del at[step]
        elif kind == 3 and isinstance(at[step], int):
            at[step] += draw.choice((-1, 1))
        else:
            other, place = _somewhere(json.loads(draw.choice((text, *others))), draw)
            value = None if other is None else other[place]
            if kind == 4 and isinstance(at, list):
                at.insert(step, value)
            else:
                at[step] = value
    return json.dumps(document).encode()


def _somewhere(document: Any, draw: random.Random) -> tuple[Any, Any]:
    """A container in the document and a place in it; nothing where there is none."""
    at: Any = None
    step: Any = None
    value = document
    while isinstance(value, (list, dict)) and value and (at is None or draw.randrange(8)):
        at, step = value, draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value = at[step]
    return at, step


# Readers: each makes the function that damages and reads one input


def members(*ends: str, most: int) -> dict[str, bytes]:
    """The files of TensorFlow's ages whose names end so, of at most `most` bytes."""
    found = {}
    for age in AGES:
        with tarfile.open(DATA / "tf1" / f"tf-{age}.tar.xz") as archive:
            for info in archive:
                if info.name.endswith(ends) and info.size <= most:
                    found[f"{age}/{info.name}"] = archive.extractfile(info).read()  # type: ignore
    return found


def small_graphs() -> list[bytes]:
    """Frozen graphs, whole where they are small and otherwise a few nodes of them."""
    from tensorflow.core.framework import graph_pb2

    seeds = []
    for data in members("frozen.pb", most=1 << 15).values():
        if len(data) < 2000:
            seeds.append(data)
        nodes = graph_pb2.GraphDef.FromString(data).node
        for start in range(0, len(nodes), 6)[:12]:
            part = graph_pb2.GraphDef(node=nodes[start : start + 6])
            if part.ByteSize() < 1500:
                seeds.append(part.SerializeToString(deterministic=True))
    return seeds


def read_wire(folder: str) -> Attempt:
    """Any bytes as any message, most often as what they are."""
    kinds: list[tuple[wire.Schema, bytes]] = [(protos.GRAPH, data) for data in small_graphs()]
    kinds += [(protos.META_GRAPH, d) for d in members(".meta", most=4000).values()]
    for name, data in members("ckpt.index", most=400).items():
        for key, value in table.entries(memoryview(data), name):
            kinds.append((protos.BUNDLE_ENTRY if key else protos.BUNDLE_HEADER, bytes(value)))
    for name, data in members("model.ckpt-3", most=600).items():
        rows = table.entries(memoryview(data), name)
        kinds += [(protos.SAVED_SLICES, bytes(value)) for _, value in rows]
    seeds = [data for _, data in kinds]

    def attempt(draw: random.Random) -> None:
        schema, data = draw.choice(kinds)
        if draw.randrange(10) == 0:
            schema = draw.choice(kinds)[0]
        wire.parse(damaged(data, seeds, draw), schema, "fuzz")

    return attempt


def read_graph(folder: str) -> Attempt:
    """GraphDefs; one that protobuf reads too has the nodes and values that it finds."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    seeds = small_graphs()

    def attempt(draw: random.Random) -> None:
        data = damaged(draw.choice(seeds), seeds, draw)
        found = graphdef.parse_graph_def(data, "fuzz")
        try:
            theirs = graph_pb2.GraphDef.FromString(data)
        except DecodeError:
            return
        _same_nodes(found, theirs)

    return attempt


def _same_nodes(found: Any, theirs: Any) -> None:
    from tests import tf_graphs

    for node, proto in zip(found.nodes, theirs.node, strict=True):
        assert (node.name, node.op, node.inputs) == (proto.name, proto.op, list(proto.input))
        for name in node.attrs.keys() & proto.attr.keys():
            value = proto.attr[name]
            if value.WhichOneof("value") == "tensor":
                _same_tensor(node.attrs[name], value.tensor)
            elif value.WhichOneof("value") != "list":
                tf_graphs.assert_same_value(node.attrs[name], value)


def _same_tensor(found: Any, proto: Any) -> None:
    """Compares with TensorFlow's runtime; its Python knows less of tensors stored in short."""
    import tensorflow as tf

    try:
        runtime = tf.io.parse_tensor(proto.SerializeToString(), proto.dtype).numpy()
    except (tf.errors.OpError, TypeError):
        return
    runtime = np.asarray(runtime, object if found.dtype == object else None)
    assert found.shape == runtime.shape
    assert found.tolist() == runtime.tolist() or found.tobytes() == runtime.tobytes()


def read_pbtxt(folder: str) -> Attempt:
    """Attribute values and small graphs as text; values are protobuf's where it reads them."""
    from google.protobuf import text_format
    from tensorflow.core.framework import attr_value_pb2, graph_pb2

    from tests import tf_graphs
    from tests.test_pbtxt import REFUSED, VALUES

    values = [text.encode() for text in VALUES + REFUSED]
    graphs = [
        text_format.MessageToString(graph_pb2.GraphDef.FromString(data)).encode()
        for data in small_graphs()
        if len(data) < 600
    ]
    words = words_of(values + graphs)

    def attempt(draw: random.Random) -> None:
        single = draw.randrange(4) > 0
        seeds = values if single else graphs
        data = draw.choice(seeds)
        data = reworded(data, words, draw) if draw.randrange(3) else damaged(data, seeds, draw)
        if not single:
            graphdef.decode_graph(pbtxt.parse(data, protos.GRAPH, "fuzz"), "fuzz")
            return
        found = graphdef.attribute(pbtxt.parse(data, protos.ATTR_VALUE, "fuzz"))
        if b"\\X" in data:  # of protobuf's parsers, that in Python takes this as it stands
            return
        try:
            theirs = text_format.Parse(data, attr_value_pb2.AttrValue())
        except (text_format.ParseError, UnicodeDecodeError):
            return
        if theirs.WhichOneof("value") == "tensor":
            _same_tensor(found, theirs.tensor)
        else:
            tf_graphs.assert_same_value(found, theirs)

    return attempt


def block_of(rows: list[tuple[bytes, bytes]]) -> bytes:
    """The rows as a block of a table, without shared keys."""
    body = b"".join(
        b"\0" + _varint(len(key)) + _varint(len(value)) + key + value for key, value in rows
    )
    return body + struct.pack("<II", 0, 1)


def table_of(block: bytes) -> bytes:
    """A table of one block, with the checksums that it needs."""
    data, handles = b"", []
    for content in (block, block_of([])):
        handles.append(_varint(len(data)) + _varint(len(content)))
        data += content + b"\0" + struct.pack("<I", masked(content + b"\0"))
    content = block_of([(b"\xff\xff", handles[0])])
    handle = _varint(len(data)) + _varint(len(content))
    data += content + b"\0" + struct.pack("<I", masked(content + b"\0"))
    return data + (handles[1] + handle).ljust(40, b"\0") + table.MAGIC


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def damaged_table(data: bytes, others: list[bytes], draw: random.Random) -> tuple[bytes, bytes]:
    """A table with damage, before or behind its checksums; the key whose value it may change.

    That is ``?`` where the damage may change the value of any.
    """
    kind = draw.randrange(4)
    if kind == 0:
        return damaged(data, others, draw), b""
    rows = [(key, bytes(value)) for key, value in table.entries(memoryview(data), "seed")]
    if kind == 1:
        return table_of(damaged(block_of(rows), others, draw)), b"?"
    at = draw.randrange(len(rows))
    rows[at] = rows[at][0], damaged(rows[at][1], others, draw)
    return table_of(block_of(rows)), rows[at][0] or b"?"


def _read_all(tensors: Any, expected: dict[str, Any], changed: bytes) -> None:
    """Reads every tensor; those of other names than `changed`, in a slice's key too, are right."""
    refusal: TfdeployError | None = None
    for name in tensors:
        try:
            value = tensors[name]
        except TfdeployError as error:
            refusal = error
            continue
        assert value.shape == tensors.entries[name].shape
        if changed != b"?" and name.encode() not in changed:
            assert name in expected, f"tensor {name!r} is none of the seed's"
            assert value.dtype == expected[name].dtype
            assert value.tolist() == expected[name].tolist(), f"tensor {name!r} has another value"
    if refusal is not None:
        raise refusal


def read_bundle(folder: str) -> Attempt:
    """Checkpoints of format V2: damage in the index, behind its checksum, or in the data."""
    from tests.test_bundle import VALUES, save

    end = ".data-00000-of-00001"
    data = members(end, most=2000)
    pairs = [
        (content, data[name[:-6] + end])
        for name, content in members("ckpt.index", most=700).items()
        if name[:-6] + end in data
    ]
    prefix = os.path.join(folder, "m")
    save(prefix, list(VALUES.items()))  # every dtype, and so of more weight
    pairs += [(Path(prefix + ".index").read_bytes(), Path(prefix + end).read_bytes())] * 5
    expected = []
    for pair in pairs:
        _write(prefix, {".index": pair[0], end: pair[1]})
        bundle = Bundle(prefix)
        expected.append({name: bundle[name].copy() for name in bundle})
    indices, contents = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def attempt(draw: random.Random) -> None:
        at = draw.randrange(len(pairs))
        index, content = pairs[at]
        changed = b""
        if draw.randrange(4):
            index, changed = damaged_table(index, indices, draw)
        else:
            content = damaged(content, contents, draw)
        _write(prefix, {".index": index, end: content})
        _read_all(Bundle(prefix), expected[at], changed)

    return attempt


def _write(prefix: str, files: dict[str, bytes]) -> None:
    for suffix, content in files.items():
        with open(prefix + suffix, "wb") as file:
            file.write(content)


def read_v1(folder: str) -> Attempt:
    """Checkpoints of format V1: damage in the table, or behind its checksum."""
    import tensorflow as tf

    from tests.test_bundle import VALUES

    seeds = list(members("model.ckpt-3", most=1500).values())
    path = os.path.join(folder, "m")
    names = ["float", "strings", "text", "empty", "no_strings", "bool", "half", "complex", "naïve"]
    values = [VALUES[name] for name in names]
    tensors = [tf.constant(v, tf.string if v.dtype == object else None) for v in values]
    tf.raw_ops.Save(filename=path, tensor_names=names, data=tensors)
    seeds += [Path(path).read_bytes()] * 5
    expected = []
    for seed in seeds:
        _write(path, {"": seed})
        tables = SliceTables(path, [path])
        expected.append({name: tables[name].copy() for name in tables})

    def attempt(draw: random.Random) -> None:
        at = draw.randrange(len(seeds))
        data, changed = damaged_table(seeds[at], seeds, draw)
        _write(path, {"": data})
        _read_all(SliceTables(path, [path]), expected[at], changed)

    return attempt


def read_meta(folder: str) -> Attempt:
    """Checkpoints whose MetaGraphDef is damaged; their variables are the seed's or refused."""
    ends = (".meta", ".index", ".data-00000-of-00001")
    found = members(*(f"/ckpt/model.ckpt{end}" for end in ends), most=7000)
    names = [name.removesuffix(".meta") for name in found if name.endswith(".meta")]
    seeds = [{end: found[name + end] for end in ends} for name in names]
    prefix = os.path.join(folder, "m")
    metas = [files[".meta"] for files in seeds]

    def attempt(draw: random.Random) -> None:
        files = draw.choice(seeds)
        _write(prefix, files | {".meta": damaged(files[".meta"], metas, draw)})
        raw = read_checkpoint(prefix)
        for name in raw.variables:
            assert isinstance(raw.variables[name], np.ndarray)

    return attempt


def read_pickle(folder: str) -> Attempt:
    """Model files of tfdeploy 0.4; those of protocol 0 by words too."""
    files = [DATA / "pickles" / python for python in ("py27", "py36")]
    paths = [path for each in files for path in sorted(each.glob("*.pkl"))]
    seeds = [path.read_bytes() for path in paths if path.stat().st_size < 5000]
    texts = [seed for seed in seeds if seed[:1] == b"("]
    words = words_of(texts)
    path = os.path.join(folder, "m.pkl")

    def attempt(draw: random.Random) -> None:
        if draw.randrange(4):
            data = damaged(draw.choice(seeds), seeds, draw)
        else:
            data = reworded(draw.choice(texts), words, draw)
        _write(path, {"": data})
        legacy.read(path)

    return attempt


def read_tfd(folder: str) -> Attempt:
    """Model files: any byte, then header, graph and prepared graph behind right checksums."""
    import tfdeploy as td

    path = os.path.join(folder, "m.pb")
    seeds = []
    for data in members("layer_norm/frozen.pb", "examples/frozen.pb", most=5000).values():
        _write(path, {"": data})
        td.convert(path, outputs=["y"]).save(path + ".tfd")
        seeds.append(Path(path + ".tfd").read_bytes())
    parts = [_parts(seed) for seed in seeds]
    weights = [_weights(tfd.loads(seed)) for seed in seeds]
    headers = [seed[8 : split(seed)[1]] for seed in seeds]
    texts = {key: [tensors[key] for tensors in parts] for key in parts[0]}
    words = words_of([*headers, *texts["~graph"]])

    def attempt(draw: random.Random) -> None:
        at = draw.randrange(len(seeds))
        kind = draw.randrange(8)
        if kind == 0:
            data = damaged(seeds[at], seeds, draw)
        elif kind == 1:
            data = join(rearranged(headers[at], headers, draw), seeds[at][len(headers[at]) + 8 :])
        else:
            key = draw.choice(list(parts[at]))
            text = parts[at][key]
            if kind == 2:
                text = damaged(text, seeds, draw)
            elif kind == 3:
                text = reworded(text, words, draw)
            else:
                text = rearranged(text, texts[key], draw)
            data = resealed(seeds[at], key, text)
        stored = tfd.loads(data, "fuzz", digest=kind == 0)
        for number in range(len(stored.graphs)):
            stored.prepared(number)
        found = _weights(stored)  # which looks into graphs that were left unread
        assert kind != 0 or found == weights[at]

    return attempt


def _parts(data: bytes) -> dict[str, bytes]:
    """The texts in a model file: the graph's and the prepared graph's."""
    header, start = split(data)
    spans = {key: header[key]["data_offsets"] for key in ("~graph", "~prepared") if key in header}
    return {key: data[start + begin : start + end] for key, (begin, end) in spans.items()}


def resealed(data: bytes, key: str, text: bytes) -> bytes:
    """The file with another text, which stands at the end, and its checksum."""
    header, start = split(data)
    body = data[start:] + b"\0" * (-len(data[start:]) % 64)
    if len(body) > len(data[start:]):
        header["~pad.end"] = entry(len(data) - start, len(body))
    header["~old"] = header[key]
    header[key] = entry(len(body), len(body) + len(text))
    checksum = {"~graph": "graph_crc32", "~prepared": "prepared_crc32"}[key]
    header["__metadata__"][checksum] = f"{zlib.crc32(text):08x}"
    return join(header, body + text)


def _weights(stored: tfd.Stored) -> list[tuple[str, bytes]]:
    return [
        (node.name, node.attrs["value"].tobytes())
        for graph in stored.graphs
        for node in graph.nodes
        if isinstance(node.attrs.get("value"), np.ndarray) and node.attrs["value"].dtype != object
    ]


READERS: dict[str, Callable[[str], Attempt]] = {
    "wire": read_wire,
    "graph": read_graph,
    "bundle": read_bundle,
    "checkpoint": read_v1,
    "meta": read_meta,
    "pbtxt": read_pbtxt,
    "pickle": read_pickle,
    "tfd": read_tfd,
}


# The run


def _too_slow(*_: Any) -> None:
    raise Slow(f"more than {SECONDS} s")


def outcomes(attempt: Attempt, seed: int, numbers: range) -> Iterator[tuple[str, float]]:
    """For each input what came of it, empty where it was read, and the time that it took."""
    before = signal.signal(signal.SIGALRM, _too_slow)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        draw = random.Random(f"{seed}:{number}")
        said = ""
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        start = time.perf_counter()
        try:
            attempt(draw)
        except TfdeployError as error:
            said = "refused" if str(error) else "an error that says nothing"
        except (Exception, Slow):
            said = traceback.format_exc(limit=-4)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.perf_counter() - start
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if (now - peak) * 1024 > BYTES:
            said = f"{(now - peak) >> 10} MiB more memory; {said}"
        peak = max(now, peak)
        yield said, taken
    signal.signal(signal.SIGALRM, before)


def fuzz(reader: str, count: int, seed: int = 0, first: int = 0) -> Result:
    """Reads `count` damaged inputs; prints findings as they come."""
    accepted = refused = 0
    findings: list[str] = []
    worst = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        attempt = READERS[reader](folder)
        numbers = range(first, first + count)
        for number, (said, taken) in zip(numbers, outcomes(attempt, seed, numbers), strict=True):
            worst = max(worst, (taken, number))
            if said == "refused":
                refused += 1
            elif not said:
                accepted += 1
            else:
                findings.append(f"{reader} --seed {seed} --first {number} --count 1: {said}")
                if len(findings) <= 20:
                    print(findings[-1], flush=True)
    return Result(accepted, refused, findings, worst)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, -1))
    start = time.perf_counter()
    result = fuzz(options.reader, options.count, options.seed, options.first)
    print(f"{options.reader}: {result}, {time.perf_counter() - start:.0f} s in all")
    return bool(result.findings)


if __name__ == "__main__":
    sys.exit(main())
