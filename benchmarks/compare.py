"""tfdeploy beside TensorFlow, ONNX Runtime, OpenVINO and LiteRT: the same SavedModels and arrays,
one sitting.

    python benchmarks/compare.py --threads 1 --rows "resnet50, 1" "mnist cnn, 256"

Every system has a resident process, pinned to as many cores as there are threads; they are timed in
rotation, round after round, and the best round of each counts.  Arrays go in as numpy and come out
as numpy.  What is printed are milliseconds and the ratio of the fastest peer's time to tfdeploy's:
absolute times on a shared machine mean little, ratios within a run do.

ONNX Runtime and OpenVINO are given a frozen graph in which ``Erfc(x)`` is spelled ``1 - Erf(x)``,
since they cannot convert some SavedModels of Keras themselves; LiteRT is given static shapes,
without which XNNPACK stays off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from models import ROWS, Row, saved_model

Run = Callable[[], list[np.ndarray]]


def frozen(model: str, row: Row, cache: Path) -> Path:
    """A frozen graph of `model` with static shapes, for the peers that need help."""
    path = cache / model / f"frozen-{'_'.join('x'.join(map(str, s)) for s in row.shapes)}.pb"
    if not path.exists():
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        function = _static(model, row, cache)
        graph = convert_variables_to_constants_v2(function).graph.as_graph_def()
        for node in [n for n in graph.node if n.op == "Erfc"]:
            _spell_erfc(graph, node, tf)
        path.write_bytes(graph.SerializeToString())
    return path


def _spell_erfc(graph: Any, node: Any, tf: Any) -> None:
    erf, one = graph.node.add(), graph.node.add()
    one.name, one.op = node.name + "/one", "Const"
    one.attr["dtype"].type = tf.float32.as_datatype_enum
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, tf.float32))
    erf.name, erf.op = node.name + "/erf", "Erf"
    erf.input.append(node.input[0])
    erf.attr["T"].type = tf.float32.as_datatype_enum
    node.op = "Sub"
    del node.input[:]
    node.input.extend([one.name, erf.name])


def _static(model: str, row: Row, cache: Path) -> Any:
    """The model's function for one size; arguments in the order of the signature's names."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model(model, cache)))
    signature = loaded.signatures["serving_default"]
    names = sorted(signature.structured_input_signature[1])
    kind = tf.int32 if row.integers else tf.float32

    @tf.function(input_signature=[tf.TensorSpec(s, kind) for s in row.shapes])
    def function(*args: Any) -> Any:
        return list(signature(**dict(zip(names, args, strict=True))).values())

    function.keep = loaded
    concrete = function.get_concrete_function()
    concrete.keep = loaded
    return concrete


def tfdeploy_run(row: Row, cache: Path, threads: int) -> Run:
    import tfdeploy as td

    td.set_num_threads(threads)
    path = cache / row.model / "model.tfd"
    td.convert(saved_model(row.model, cache)).save(path)
    model = td.Model(path)
    feeds = row.feeds()
    if len(feeds) == 1:
        return lambda: [model(feeds[0])]
    signature = model.signatures["serving_default"]
    named = dict(zip(sorted(signature.inputs), feeds, strict=True))
    return lambda: list(signature(named).values())


def tensorflow_run(row: Row, cache: Path, threads: int, jit: bool = False) -> Run:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    concrete = _static(row.model, row, cache)
    function = tf.function(concrete, jit_compile=True) if jit else concrete
    feeds = row.feeds()
    return lambda: [y.numpy() for y in function(*map(tf.constant, feeds))]


def xla_run(row: Row, cache: Path, threads: int) -> Run:
    return tensorflow_run(row, cache, threads, jit=True)


def onnxruntime_run(row: Row, cache: Path, threads: int) -> Run:
    import onnxruntime

    path = frozen(row.model, row, cache).with_suffix(".onnx")
    if not path.exists():
        _to_onnx(row, cache, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = sorted((i.name for i in session.get_inputs()), key=_position)
    feeds = dict(zip(names, row.feeds(), strict=True))
    return lambda: session.run(None, feeds)


def _position(name: str) -> tuple[int, str]:
    """Order of arguments called ``args``, ``args_1``, ``args_2`` ..."""
    digits = name.split(":")[0].rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, name)


def _ends(graph: Any) -> tuple[list[str], list[str]]:
    used = {i.split(":")[0].lstrip("^") for n in graph.node for i in n.input}
    inputs = sorted((n.name for n in graph.node if n.op == "Placeholder"), key=_position)
    outputs = [n.name for n in graph.node if n.name not in used and n.op not in ("NoOp", "Const")]
    return inputs, [n for n in outputs if n not in inputs]


def _to_onnx(row: Row, cache: Path, path: Path) -> None:
    import tensorflow as tf
    import tf2onnx

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(frozen(row.model, row, cache).read_bytes())
    inputs, outputs = _ends(graph)
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=[n + ":0" for n in inputs],
        output_names=[n + ":0" for n in outputs],
        opset=18,
        output_path=str(path),
    )


def openvino_run(row: Row, cache: Path, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    model = core.compile_model(
        core.read_model(str(frozen(row.model, row, cache))),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
        },
    )
    names = [i.get_any_name() for i in model.inputs]
    order = sorted(range(len(names)), key=lambda i: _position(names[i]))
    feeds = dict(zip(order, row.feeds(), strict=True))
    return lambda: [np.array(y) for y in model(feeds).values()]


def litert_run(row: Row, cache: Path, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    path = frozen(row.model, row, cache).with_suffix(".tflite")
    if not path.exists():
        import tensorflow as tf

        concrete = _static(row.model, row, cache)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], concrete.keep)
        path.write_bytes(converter.convert())
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    inputs = sorted(interpreter.get_input_details(), key=lambda d: _position(d["name"]))
    outputs = interpreter.get_output_details()
    feeds = row.feeds()

    def run() -> list[np.ndarray]:
        for detail, array in zip(inputs, feeds, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"]) for d in outputs]

    return run


SYSTEMS: dict[str, Callable[[Row, Path, int], Run]] = {
    "tfdeploy": tfdeploy_run,
    "onnxruntime": onnxruntime_run,
    "openvino": openvino_run,
    "litert": litert_run,
    "tensorflow": tensorflow_run,
    "xla": xla_run,
}


def work(system: str, row: Row, cache: Path, threads: int) -> None:
    """A resident process: loads, then answers each line "seconds" with a time per call."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the libraries print goes to stderr
    try:
        run = SYSTEMS[system](row, cache, threads)
        results = run()
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), file=out, flush=True)
        return
    np.savez(cache / row.model / f"answer-{system}.npz", *results)
    run()
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        budget, best, end = float(line), float("inf"), 0.0
        start = time.perf_counter()
        while end - start < budget:
            count = 1 if best > 1e-3 else max(1, int(2e-3 / max(best, 1e-7)))
            begin = time.perf_counter()
            for _ in range(count):
                run()
            end = time.perf_counter()
            best = min(best, (end - begin) / count)
        print(json.dumps({"best": best}), file=out, flush=True)


class Worker:
    """A system's process, as the parent sees it."""

    def __init__(self, system: str, label: str, cache: Path, threads: int) -> None:
        self.system = system
        self.best = float("inf")
        arguments = [
            sys.executable,
            __file__,
            "--worker",
            system,
            "--rows",
            label,
            "--cache",
            str(cache),
            "--threads",
            str(threads),
        ]
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        answer = self._answer()
        self.error = answer.get("error", "")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        return {"error": f"died: {self._process.stderr.read()[-300:]}"}

    def time(self, seconds: float) -> None:
        """One round."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        self.best = min(self.best, self._answer()["best"])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def compare(label: str, systems: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Times of all systems for one row, in seconds; errors as text."""
    row = ROWS[label]
    saved_model(row.model, options.cache)
    workers = [Worker(system, label, options.cache, options.threads) for system in systems]
    ready = [worker for worker in workers if not worker.error]
    for _ in range(options.rounds):
        for worker in ready:
            worker.time(options.seconds)
    for worker in workers:
        worker.close()
    return {w.system: w.error or w.best for w in workers}


def main() -> None:
    """Prints a line for each row, and writes all figures as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of a system's turn")
    parser.add_argument("--cache", type=Path, default=Path("benchmarks", "cache"))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--worker", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    if options.worker:
        work(options.worker, ROWS[options.rows[0]], options.cache, options.threads)
        return
    print(
        f"{'milliseconds, ' + str(options.threads) + ' thread(s)':26}"
        + "".join(f"{s:>13}" for s in options.systems)
        + "   ratio"
    )
    figures, ratios = {}, []
    for label in options.rows:
        times = figures[label] = compare(label, options.systems, options)
        texts = (f"{t * 1e3:.4f}" if isinstance(t, float) else "-" for t in times.values())
        cells = "".join(f"{text:>13}" for text in texts)
        peers = [t for s, t in times.items() if s != "tfdeploy" and isinstance(t, float)]
        ours = times.get("tfdeploy")
        ratio = min(peers) / ours if peers and isinstance(ours, float) else float("nan")
        ratios.append(ratio)
        print(f"{label:26}{cells}{ratio:8.2f}", flush=True)
        for system, error in times.items():
            if isinstance(error, str):
                print(f"    {system}: {error}", flush=True)
    print(f"geometric mean of the ratios: {np.exp(np.nanmean(np.log(ratios))):.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
