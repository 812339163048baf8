"""What is promised of every model of the benchmarks' table: the same bits however it is run, and
answers as near to float64 as TensorFlow's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tfdeploy as td
from tfdeploy import config

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))

from graphs import ends, frozen, read, take_weights, widen  # noqa: E402
from models import IMAGE, Row, saved_model  # noqa: E402

pytestmark = pytest.mark.skipif(
    config.engine() is None, reason="needs the compiled engine, which TFDEPLOY_PURE leaves out"
)

SMALL = {
    "softmax": Row("softmax", ((37, 784),)),
    "mlp 10-10-10": Row("mlp10", ((19, 10),)),
    "mlp 5x100": Row("mlp5x100", ((37, 100),)),
    "mnist cnn": Row("mnist", ((9, 28, 28, 1),)),
    "batchmatmul": Row("batchmatmul", ((23, 8, 8),) * 2),
    "attention": Row("attention", ((3, 12, 128, 64),) * 3),
    "pooling": Row("pooling", ((3, 112, 112, 64),)),
}
LARGE = {
    "mlp 10x500": Row("mlp10x500", ((37, 1000),)),
    "resnet50": Row("resnet50", ((3, *IMAGE),)),
    "vgg16": Row("vgg16", ((2, *IMAGE),)),
    "mobilenetv2": Row("mobilenetv2", ((5, *IMAGE),)),
    "transformer 4x256": Row("transformer4x256", ((5, 128),), 1000),
    "transformer 6x512": Row("transformer6x512", ((4, 128),), 1000),
}
ROWS = [
    *(pytest.param(row, id=name) for name, row in SMALL.items()),
    *(pytest.param(row, id=name, marks=pytest.mark.slow) for name, row in LARGE.items()),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table")


RUN_EVERY_WAY = """
import hashlib, sys, numpy as np, tfdeploy as td
from tfdeploy import config
from tfdeploy.graph.graph import Ref

isa, path, *arrays = sys.argv[1:]
assert config.engine().isa() == isa
model = td.Model(path)
signature = model.signatures["serving_default"]
names = sorted(signature.inputs)
feeds = [np.load(array) for array in arrays]

def answer(begin, end):
    named = {name: x[begin:end] for name, x in zip(names, feeds)}
    (y,) = signature(named).values()
    return y

count = len(feeds[0])
td.set_num_threads(1)
whole = answer(0, count)
for threads in (1, 2):
    td.set_num_threads(threads)
    for size in range(1, count + 1):
        parts = [answer(i, i + size) for i in range(0, count, size)]
        assert np.array_equal(np.concatenate(parts), whole), (threads, size)

(entry,) = model._entries
(output,) = signature._outputs.values()
graph = entry.graph
inner = graph.ancestors([output.node])
inner = [i for i in inner if graph.nodes[i].op not in ("Const", "Placeholder")]
inner = [i for i in inner if [t.dtype for t in graph.nodes[i].types] == ["float32"]]
fed = {entry.tensor(signature._inputs[name]): x for name, x in zip(names, feeds)}
for i in inner[:: max(1, len(inner) // 5)]:
    _, result = model.eval([entry.tensor(Ref(i)), entry.tensor(output)], fed)
    assert np.array_equal(result, whole), graph.nodes[i].name
print(hashlib.sha256(whole.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("row", ROWS)
def test_bits_depend_on_no_way_of_running(row: Row, cache: Path, tmp_path: Path) -> None:
    """Every instruction set that fuses multiply-adds, one and two threads, every split of the
    batch, and what is fetched on the way."""
    path = tmp_path / "model.tfd"
    td.convert(saved_model(row.model, cache)).save(path)
    arrays = [tmp_path / f"{i}.npy" for i in range(len(row.shapes))]
    for array, x in zip(arrays, row.feeds(), strict=True):
        np.save(array, x)
    digests = {}
    for isa in config.engine().available():
        if isa != "generic":
            command = [sys.executable, "-c", RUN_EVERY_WAY, isa, path, *arrays]
            environment = os.environ | {"TFDEPLOY_ISA": isa}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            digests[isa] = done.stdout
    assert len(set(digests.values())) <= 1, digests


def answers(graph: Any, feeds: dict[str, np.ndarray], fetch: str) -> np.ndarray:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(fetch + ":0", {name + ":0": x for name, x in feeds.items()})


def last_sum(graph: Any) -> str:
    """The output, or what a final softmax is given, whose errors it would hide."""
    _, (output,) = ends(graph)
    nodes = {node.name: node for node in graph.node}
    node = nodes[output]
    while node.op in ("Identity", "Softmax"):
        node = nodes[node.input[0].split(":")[0]]
    return node.name


@pytest.mark.parametrize("row", ROWS)
def test_as_near_to_float64_as_tensorflow(
    row: Row, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Winograd's algorithm at most twice TensorFlow's errors and 4 ulp; with it 1e-5."""
    path = frozen(row, cache)
    graph = read(path)
    inputs, _ = ends(graph)
    fetch = last_sum(graph)
    feeds = dict(zip(inputs, row.feeds(), strict=True))
    weights = take_weights(graph)
    theirs = answers(graph, feeds | weights, fetch)
    widen(graph)
    truth = answers(graph, feeds | weights, fetch)
    scale = np.abs(truth).max()
    assert truth.dtype == np.float64
    # What the rows differ by is what the input decides: a hundred times the errors allowed.
    assert np.abs(truth - truth[::-1]).max() > 1e-3 * scale

    def ours(winograd: str) -> np.ndarray:
        monkeypatch.setenv("TFDEPLOY_WINOGRAD", winograd)
        (root,) = td.convert(path, outputs=[fetch]).roots.values()
        return root.eval(feeds)

    direct, fast = ours("0"), ours("1")
    slack = 4 * np.finfo(np.float32).eps * scale
    for norm in (lambda e: np.abs(e).max(), lambda e: np.sqrt(np.mean(np.square(e)))):
        assert norm(direct - truth) <= 2 * norm(theirs - truth) + slack
    assert np.abs(fast - truth).max() <= 1e-5 * scale
    # Where no convolution suits the algorithm the switch changes nothing.
    assert np.array_equal(direct, fast) == (row.model not in WITH_WINOGRAD)


WITH_WINOGRAD = {"mnist", "resnet50", "vgg16"}
