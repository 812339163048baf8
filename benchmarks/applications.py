"""tfdeploy beside TensorFlow on the applications of tests/applications.py: loops, strings, tables,
boxes, segments, spectra.

    taskset -c 0 python benchmarks/applications.py --xla

One process runs both in turn on one thread, arrays in and arrays out, the best of all calls counts;
TensorFlow runs a function that was traced for just these shapes.  What is printed are milliseconds
and the ratio of TensorFlow's time to tfdeploy's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

import tensorflow as tf

import tfdeploy as td
from tests.applications import APPLICATIONS, Feed, export

Run = Callable[[], Any]


def tensorflow_run(folder: Path, feed: Feed, jit: bool = False) -> Run:
    """A call of the SavedModel's function, traced for the feed."""
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    signature = loaded.signatures["serving_default"]
    kinds = {name: tf.string if x.dtype == object else x.dtype for name, x in feed.items()}
    specs = {name: tf.TensorSpec(x.shape, kinds[name], name) for name, x in feed.items()}
    function = tf.function(lambda **inputs: signature(**inputs), jit_compile=jit)
    concrete = function.get_concrete_function(**specs)
    concrete.keep = loaded  # its variables live as long as it does

    def run() -> dict[str, np.ndarray]:
        answers = concrete(**{name: tf.constant(x) for name, x in feed.items()})
        return {name: y.numpy() for name, y in answers.items()}

    return run


def tfdeploy_run(folder: Path, feed: Feed) -> Run:
    """A call of the converted model."""
    signature = td.convert(str(folder / "saved_model")).signatures["serving_default"]
    return lambda: signature(feed)


def best(run: Run, seconds: float) -> float:
    """The fastest of the calls that fit into a time."""
    fastest, start = float("inf"), time.perf_counter()
    while True:
        begin = time.perf_counter()
        run()
        end = time.perf_counter()
        fastest = min(fastest, end - begin)
        if end - start > seconds:
            return fastest


def compare(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of a call by system; a system that cannot run the model is left out."""
    folder = options.cache / f"application-{name}"
    if not (folder / "answers.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        export(name, folder, full=True)
    with np.load(folder / "feeds.npz", allow_pickle=True) as file:
        feed = {key[2:]: file[key] for key in file.files if key.startswith("0/")}
    runs = {"tfdeploy": tfdeploy_run(folder, feed), "tensorflow": tensorflow_run(folder, feed)}
    if options.xla:
        try:
            compiled = tensorflow_run(folder, feed, jit=True)
            compiled()
            runs["xla"] = compiled
        except Exception as error:  # strings, tables, shapes that depend on data
            print(f"    xla: {str(error).splitlines()[0][:90]}")
    times = dict.fromkeys(runs, float("inf"))
    for _ in range(options.rounds):
        for system, run in runs.items():
            times[system] = min(times[system], best(run, options.seconds))
    return times


def main() -> None:
    """Prints a line for each application."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", nargs="*", default=list(APPLICATIONS), choices=APPLICATIONS)
    parser.add_argument("--xla", action="store_true", help="compile with XLA too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a system's turn")
    parser.add_argument("--cache", type=Path, default=Path("benchmarks", "cache"))
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    td.set_num_threads(1)
    print(f"{'milliseconds, 1 thread':24}{'tfdeploy':>12}{'tensorflow':>12}{'xla':>12}   ratio")
    for name in options.names:
        times = compare(name, options)
        cells = [times.get(s, float("nan")) for s in ("tfdeploy", "tensorflow", "xla")]
        ratio = times["tensorflow"] / times["tfdeploy"]
        print(
            f"{name:24}" + "".join(f"{t * 1e3:12.3f}" for t in cells) + f"{ratio:8.2f}", flush=True
        )


if __name__ == "__main__":
    main()
