"""The systems that are compared: each is given a row and answers with a callable that takes its
arrays as numpy and returns numpy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from graphs import concrete, ends, file_of, frozen, made, position, read, take_weights
from models import Row, saved_model

Run = Callable[..., Any]


class System(NamedTuple):
    """How a system is set up for a row, its files in a folder, with so many threads."""

    start: Callable[[Row, Path, int], Run]
    assisted: bool = False  # given a frozen graph instead of the SavedModel


def _tfdeploy(row: Row, cache: Path, threads: int) -> Run:
    import tfdeploy as td

    td.set_num_threads(threads)
    path = cache / row.model / f"model-{os.getpid()}.tfd"
    td.convert(saved_model(row.model, cache)).save(path)
    model = td.Model(path)
    path.unlink()
    if len(row.shapes) == 1:
        return model
    signature = model.signatures["serving_default"]
    names = sorted(signature.inputs)
    return lambda *feeds: signature(dict(zip(names, feeds, strict=True)))


def _tensorflow(row: Row, cache: Path, threads: int, jit: bool = False) -> Run:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    function = concrete(row, cache)
    if jit:
        function = tf.function(function, jit_compile=True)
    return lambda *feeds: [y.numpy() for y in function(*map(tf.constant, feeds))]


def _xla(row: Row, cache: Path, threads: int) -> Run:
    return _tensorflow(row, cache, threads, jit=True)


def onnx_file(row: Row, cache: Path) -> Path:
    """The row's model for ONNX Runtime and tract."""

    def make(path: Path) -> None:
        import onnx
        import tf2onnx

        graph = read(frozen(row, cache))
        inputs, outputs = ends(graph)
        weights = take_weights(graph)
        model, _ = tf2onnx.convert.from_graph_def(
            graph,
            input_names=[name + ":0" for name in [*inputs, *weights]],
            output_names=[name + ":0" for name in outputs],
            opset=18,
        )
        for entry in [i for i in model.graph.input if i.name.removesuffix(":0") in weights]:
            model.graph.input.remove(entry)
            value = weights[entry.name.removesuffix(":0")]
            model.graph.initializer.append(onnx.numpy_helper.from_array(value, entry.name))
        onnx.save(model, str(path))

    return made(file_of(row, cache, ".onnx"), make)


def _onnxruntime(row: Row, cache: Path, threads: int) -> Run:
    path = onnx_file(row, cache)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = sorted((i.name for i in session.get_inputs()), key=position)
    return lambda *feeds: session.run(None, dict(zip(names, feeds, strict=True)))


def _tract(row: Row, cache: Path, threads: int) -> Run:
    if threads > 1:
        raise NotImplementedError("its Python binding runs on one thread")
    path = onnx_file(row, cache)
    import tract

    model = tract.onnx().load(path)
    for i, shape in enumerate(row.shapes):
        extents = ["N" if n is None else str(n) for n in shape]
        model.set_input_fact(i, ",".join([*extents, "i32" if row.integers else "f32"]))
    order = _order([model.input_name(i) for i in range(len(row.shapes))])
    model.analyse()
    runnable = model.into_model().into_runnable()
    return lambda *feeds: [y.to_numpy() for y in runnable.run([feeds[i] for i in order])]


def _order(names: list[str]) -> list[int]:
    """Number of the argument that belongs to each of a model's inputs."""
    ranked = sorted(names, key=position)
    return [ranked.index(name) for name in names]


def _openvino(row: Row, cache: Path, threads: int) -> Run:
    path = frozen(row, cache)
    import openvino

    core = openvino.Core()
    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
    }
    model = core.compile_model(core.read_model(str(path)), "CPU", properties)
    order = _order([i.get_any_name() for i in model.inputs])
    return lambda *feeds: [np.array(y) for y in model([feeds[i] for i in order]).values()]


def tflite_file(row: Row, cache: Path) -> Path:
    """The row's model for LiteRT."""

    def make(path: Path) -> None:
        import tensorflow as tf

        function = concrete(row, cache)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function.keep)
        path.write_bytes(converter.convert())

    return made(file_of(row, cache, ".tflite"), make)


def _litert(row: Row, cache: Path, threads: int) -> Run:
    path = tflite_file(row, cache)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    details = interpreter.get_input_details()
    indices = [d["index"] for d in sorted(details, key=lambda d: position(d["name"]))]
    outputs = [d["index"] for d in interpreter.get_output_details()]
    shapes: list[tuple[int, ...]] = []

    def run(*feeds: np.ndarray) -> list[np.ndarray]:
        nonlocal shapes
        if row.drawn and shapes != [x.shape for x in feeds]:
            shapes = [x.shape for x in feeds]
            for index, shape in zip(indices, shapes, strict=True):
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
        for index, array in zip(indices, feeds, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    if not row.drawn:
        interpreter.allocate_tensors()
    return run


SYSTEMS = {
    "tfdeploy": System(_tfdeploy),
    "tensorflow": System(_tensorflow),
    "xla": System(_xla),
    "onnxruntime": System(_onnxruntime, assisted=True),
    "openvino": System(_openvino, assisted=True),
    "litert": System(_litert),
    "tract": System(_tract, assisted=True),
}


class Yardsticks(NamedTuple):
    """What the machine can do at most."""

    flops: float  # in a second, in registers
    copied: float  # bytes read and written in a second, between arrays that no cache holds


def yardsticks(threads: int) -> Yardsticks:
    """Measures the machine with the engine's own probe and copy, on so many threads."""
    from tfdeploy import _engine as engine

    def best(run: Callable[[], Any]) -> float:
        least = float("inf")
        for _ in range(20):
            start = time.perf_counter()
            run()
            least = min(least, time.perf_counter() - start)
        return least

    count, size = 1 << 24, 1 << 26
    probe = engine.Call("fma_peak", [], [np.empty(1, np.float32)], [count])
    source, target = np.ones(size, np.float32), np.empty(size, np.float32)
    copy = engine.Call("copy", [source], [target], threads=threads)
    return Yardsticks(
        2 * count * threads / best(probe.run), 2 * source.nbytes / best(copy.run_parallel)
    )
