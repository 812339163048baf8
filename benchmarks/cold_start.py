"""What a fresh process pays to import a system, load a model and answer once, above a bare numpy.

    python benchmarks/cold_start.py --row "mobilenetv2, 1" --rounds 10

The systems take turns, a new process each time.  Wall time runs from the start of the process to
its end, memory is the peak of its resident set; of both the best round counts, less that of a
process that imports numpy and reads the input.  Each system reads the kind of file that suits it
best: ``.tfd``, ``.onnx``, OpenVINO's own ``.xml``, ``.tflite``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def bare(path: str, array: object) -> object:
    return array


def tfdeploy(path: str, array: object) -> object:
    import tfdeploy as td

    td.set_num_threads(1)
    return td.Model(path)(array)


def onnxruntime(path: str, array: object) -> object:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: array})[0]


def openvino(path: str, array: object) -> object:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    return openvino.Core().compile_model(path, "CPU", settings)(array)[0]


def litert(path: str, array: object) -> object:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


SYSTEMS: dict[str, Callable[[str, object], object]] = {
    "numpy": bare,
    "tfdeploy": tfdeploy,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "litert": litert,
}


def answer(system: str, path: str, array: str) -> None:
    """What a measured process does."""
    import numpy as np

    SYSTEMS[system](path, np.load(array))
    with open("/proc/self/status") as file:  # ru_maxrss would count what the parent had
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")))


def files(label: str, cache: Path) -> dict[str, Path]:
    """The model of row `label` in each system's own form, made where it is not there yet; the
    input stands for bare numpy's.
    """
    import numpy as np
    import systems
    from graphs import file_of, frozen, made
    from models import ROWS, saved_model

    def convert(path: Path) -> None:
        import openvino

        model = openvino.convert_model(str(frozen(row, cache)))
        openvino.save_model(model, str(path), compress_to_fp16=False)
        path.with_suffix(".bin").rename(file_of(row, cache, ".bin"))

    import tfdeploy as td

    row = ROWS[label]
    array, model = file_of(row, cache, ".npy"), cache / row.model / "cold.tfd"
    np.save(array, row.feeds()[0])
    td.convert(saved_model(row.model, cache)).save(model)
    for system in ("onnxruntime", "litert"):
        systems.SYSTEMS[system].start(row, cache, 1)
    return {
        "numpy": array,
        "tfdeploy": model,
        "onnxruntime": file_of(row, cache, ".onnx"),
        "openvino": made(file_of(row, cache, ".xml"), convert),
        "litert": file_of(row, cache, ".tflite"),
    }


def measure(system: str, path: Path, array: Path) -> tuple[float, float]:
    """Milliseconds and MiB of one process."""
    import subprocess
    import time

    arguments = [sys.executable, __file__, "--answer", system, str(path), str(array)]
    # The first, uncounted round writes the byte code that installed packages have.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{system} failed: {done.stderr[-300:]}")
    return 1e3 * seconds, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Prints a line for each system."""
    import argparse

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", default="mobilenetv2, 1", help="a row of compare.py")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=Path("benchmarks", "cache"))
    options = parser.parse_args()
    paths = files(options.row, options.cache.resolve())
    array = paths["numpy"]
    systems = list(dict.fromkeys(["numpy", *options.systems]))
    found: dict[str, list[tuple[float, float]]] = {system: [] for system in systems}
    for _ in range(1 + options.rounds):
        for system in systems:
            found[system].append(measure(system, paths[system], array))
    best = {s: [min(column) for column in zip(*f[1:], strict=True)] for s, f in found.items()}
    print(f"{options.row}, above a process with numpy alone     ms    peak MiB")
    for system in systems[1:]:
        time, memory = (a - b for a, b in zip(best[system], best["numpy"], strict=True))
        print(f"{system:40}{time:8.1f}{memory:12.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--answer"]:
        answer(*sys.argv[2:])
    else:
        sys.path.insert(0, str(Path(__file__).parent))
        main()
