"""tfdeploy beside TensorFlow, XLA, ONNX Runtime, OpenVINO, LiteRT and tract: the same SavedModels
and arrays, one sitting.

    python benchmarks/compare.py --threads 1 --rows "resnet50, 1" "mnist cnn, 256"

Every system has a resident process, pinned to as many cores as there are threads.  They are timed
in rotation, round after round, and the best round of each counts; arrays go in as numpy and come
out as numpy.  Of a row whose batches are drawn, from 0 to 200, the mean over all calls counts, and
beside it stands tfdeploy's own for the same calls in the order of their sizes: what it takes at
fixed sizes.

Absolute times on a shared machine mean little, ratios within a run do: "ratio" is the fastest
peer's time by tfdeploy's.  "fma" and "copy" are tfdeploy's shares of what the machine does at most:
of multiply-adds in registers, every product counted as if done directly, and of a large copy, every
weight, input and output moved once; what caches hold may be faster.  Errors are the largest against
TensorFlow in float64, in units of the largest answer.

Systems marked * cannot convert all of these SavedModels themselves: they are given a frozen graph
in which ``Erfc(x)`` is spelled ``1 - Erf(x)``.  LiteRT is given static shapes where the row has
them, without which XNNPACK stays off.  A system that fails or takes too long is a "-" with its
reason; ``--rounds 0`` only prepares the files that are kept in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from graphs import truth, truth_file
from models import DRAWN, LARGEST_DRAWN, ROWS, Row, drawn_sizes
from systems import SYSTEMS, Run, yardsticks

TABLE = ROWS | DRAWN
Answers = Iterator[dict[str, Any]]


def answer_yardsticks(options: argparse.Namespace) -> Answers:
    """What the machine can do."""
    yield yardsticks(options.threads)._asdict()


def answer_truth(options: argparse.Namespace) -> Answers:
    """What the row costs; its SavedModel and its answers in float64 are made on the way."""
    flops, moved, _ = truth(TABLE[options.rows[0]], options.cache)
    yield {"flops": flops, "bytes": moved}


def answer_times(system: str, options: argparse.Namespace) -> Answers:
    """First the error, then for each line of stdin, an order as JSON, the seconds of a call."""
    row = TABLE[options.rows[0]]
    run = SYSTEMS[system].start(row, options.cache, options.threads)
    feeds = row.feeds()
    error = _error(run(*feeds), row, options.cache)
    smallest = _first_size(run, feeds[0]) if row.drawn else 1
    yield {"error": error, "smallest": smallest}
    sizes = drawn_sizes(options.calls)
    for line in sys.stdin:
        order = json.loads(line)
        if not row.drawn:
            yield {"seconds": _best(run, feeds, order["seconds"])}
            continue
        turn = sizes[order["begin"] : order["end"]]
        if order["sorted"]:
            turn = np.sort(turn)
        yield {"seconds": _mean(run, [feeds[0][:n] for n in turn if n >= smallest], len(turn))}


def _error(results: Any, row: Row, cache: Path) -> float:
    """The largest error in units of the largest answer; NaN where the truth could not be had."""
    if not truth_file(row, cache).exists():
        return float("nan")
    results = list(results.values()) if isinstance(results, dict) else results
    results = results if isinstance(results, list) else [results]
    pairs = zip(results, truth(row, cache).answers, strict=True)
    return max(float(np.abs(y - x).max() / np.abs(x).max()) for y, x in pairs)


def _first_size(run: Run, rows: np.ndarray) -> int:
    """The smallest batch that a system runs, 0 or 1; every size has run once after this."""
    try:
        run(rows[:0])
        first = 0
    except Exception:
        first = 1
    for n in range(1, LARGEST_DRAWN + 1):
        run(rows[:n])
    return first


def _best(run: Run, feeds: list[np.ndarray], budget: float) -> float:
    best, end = float("inf"), 0.0
    start = time.perf_counter()
    while end - start < budget:
        count = 1 if best > 1e-3 else max(1, int(2e-3 / max(best, 1e-7)))
        begin = time.perf_counter()
        for _ in range(count):
            run(*feeds)
        end = time.perf_counter()
        best = min(best, (end - begin) / count)
    return best


def _mean(run: Run, batches: list[np.ndarray], count: int) -> float:
    start = time.perf_counter()
    for batch in batches:
        run(batch)
    return (time.perf_counter() - start) / count


TASKS: dict[str, Callable[[argparse.Namespace], Answers]] = {
    "yardsticks": answer_yardsticks,
    "truth": answer_truth,
} | {name: lambda options, name=name: answer_times(name, options) for name in SYSTEMS}


def work(options: argparse.Namespace) -> None:
    """A process of its own: prints the answers of its task, a line of JSON each."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[: options.threads])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print goes to stderr
    try:
        for answer in TASKS[options.worker](options):
            print(json.dumps(answer), file=out, flush=True)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        print(json.dumps({"failed": f"{type(error).__name__}: {said}"}), file=out, flush=True)


class Worker:
    """A process with a task, as the parent sees it.

    `ready` is its first answer.  Where it fails, dies or keeps the parent waiting for longer than
    its patience, `failed` says so and nothing more is asked.
    """

    def __init__(self, task: str, label: str, options: argparse.Namespace) -> None:
        self.task = task
        self.failed = ""
        self._patience = options.patience
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        arguments = {
            "--worker": task,
            "--rows": label,
            "--cache": options.cache,
            "--threads": options.threads,
            "--calls": options.calls,
        }
        command = [sys.executable, __file__, *(str(a) for pair in arguments.items() for a in pair)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.ready = self._answer()

    def _answer(self) -> dict[str, Any]:
        pipe = self._process.stdout
        assert pipe is not None
        if not select.select([pipe], [], [], self._patience)[0]:
            answer = {"failed": f"no answer within {self._patience:.0f} seconds"}
        elif line := pipe.readline():
            answer = json.loads(line)
        else:
            self._log.seek(0)
            answer = {"failed": f"died: {' '.join(self._log.read().split())[-200:]}"}
        if "failed" in answer:
            self.failed = answer["failed"]
            self.close()
        return answer

    def time(self, **order: Any) -> float:
        """Seconds of a call; NaN where it failed."""
        if self.failed:
            return float("nan")
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return float(self._answer().get("seconds", "nan"))

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def ask(task: str, label: str, options: argparse.Namespace) -> dict[str, Any]:
    """The only answer of a task; empty, with the reason printed, where it fails."""
    worker = Worker(task, label, options)
    worker.close()
    if worker.failed:
        print(f"{task}: {worker.failed}")
    return {} if worker.failed else worker.ready


def compare(label: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one row: seconds and errors by system, reasons of those that have none."""
    cost = ask("truth", label, options)
    workers = {name: Worker(name, label, options) for name in options.systems}
    try:
        times = _drawn(workers, options) if TABLE[label].drawn else _fixed(workers, options)
    finally:
        for worker in workers.values():
            worker.close()
    working = [name for name, worker in workers.items() if not worker.failed]
    return {
        "cost": cost,
        "seconds": {name: times[name] for name in [*working, "in order"] if name in times},
        "errors": {name: workers[name].ready["error"] for name in working},
        "failed": {name: worker.failed for name, worker in workers.items() if worker.failed},
        "no empty batch": [name for name in working if workers[name].ready["smallest"]]
        if TABLE[label].drawn
        else [],
    }


def _fixed(workers: dict[str, Worker], options: argparse.Namespace) -> dict[str, float]:
    rounds = [
        {name: worker.time(seconds=options.seconds) for name, worker in workers.items()}
        for _ in range(options.rounds)
    ]
    return {name: min((r[name] for r in rounds), default=float("nan")) for name in workers}


def _drawn(workers: dict[str, Worker], options: argparse.Namespace) -> dict[str, float]:
    """Every system does the same part of the calls before any does the next part."""
    spent: dict[str, list[float]] = {name: [] for name in [*workers, "in order"]}
    parts = 10 if options.rounds else 0
    for part in range(parts):
        cut = {"begin": part * options.calls // parts, "end": (part + 1) * options.calls // parts}
        for name, worker in workers.items():
            spent[name].append(worker.time(sorted=False, **cut))
        if "tfdeploy" in workers:
            spent["in order"].append(workers["tfdeploy"].time(sorted=True, **cut))
    return {name: float(np.mean(parts)) for name, parts in spent.items() if parts}


def ratio_of(seconds: dict[str, float]) -> float:
    """The fastest peer's time by tfdeploy's."""
    peers = [s for name, s in seconds.items() if name not in ("tfdeploy", "in order")]
    return min(peers, default=float("nan")) / seconds.get("tfdeploy", float("nan"))


def cell(value: float, text: str, width: int) -> str:
    """`value` in the format `text`, a dash where there is none."""
    return format(text.format(value) if np.isfinite(value) else "-", f">{width}")


def line_of(label: str, row: dict[str, Any], peak: dict[str, Any], systems: list[str]) -> str:
    """A line of the table of times."""
    nan = float("nan")
    seconds = row["seconds"]
    ours = seconds.get("tfdeploy", nan)
    cells = [cell(1e3 * seconds.get(name, nan), "{:.4f}", 13) for name in systems]
    cells.append(cell(ratio_of(seconds), "{:.2f}", 8))
    for spent, most in (("flops", "flops"), ("bytes", "copied")):
        share = (row["cost"].get(spent) or nan) / ours / peak.get(most, nan)
        cells.append(cell(100 * share, "{:.0f} %", 8))
    return f"{label:26}" + "".join(cells)


def remarks(row: dict[str, Any]) -> Iterator[str]:
    """What has to be said about a row."""
    for name, reason in row["failed"].items():
        yield f"{name}: {reason}"
    for name in row["no empty batch"]:
        yield f"{name}: cannot run empty batches, which are left out"
    if "in order" in row["seconds"]:
        ordered = row["seconds"]["in order"]
        times = row["seconds"]["tfdeploy"] / ordered
        yield f"tfdeploy at fixed sizes: {1e3 * ordered:.4f}, drawn ones take {times:.2f} times it"


def main() -> None:
    """Prints both tables, and writes all figures as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="*", default=list(TABLE), choices=TABLE, metavar="ROW")
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of a system's turn")
    parser.add_argument("--calls", type=int, default=10_000, help="where batches are drawn")
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for a system")
    parser.add_argument("--cache", type=Path, default=Path("benchmarks", "cache"))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--worker", choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    if options.worker:
        work(options)
        return
    peak = ask("yardsticks", options.rows[0], options)
    if peak:
        speeds = "{:.0f} GFLOPS, copies {:.1f} GB/s".format(*(1e-9 * v for v in peak.values()))
        print(f"{options.threads} thread(s): {speeds}; milliseconds of a call:")
    stars = {name: name + "*" * SYSTEMS[name].assisted for name in options.systems}
    header = "".join(f"{name:>13}" for name in stars.values())
    print(f"{'':26}{header}{'ratio':>8}{'fma':>8}{'copy':>8}", flush=True)
    table = {}
    for label in options.rows:
        row = table[label] = compare(label, options)
        print(line_of(label, row, peak, options.systems))
        for remark in remarks(row):
            print(f"    {remark}")
        sys.stdout.flush()
    ratios = [ratio for row in table.values() if np.isfinite(ratio := ratio_of(row["seconds"]))]
    if ratios:
        print(f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}")
    print(f"\n{'errors':26}{header}")
    for label, row in table.items():
        errors = [row["errors"].get(name, float("nan")) for name in options.systems]
        print(f"{label:26}" + "".join(cell(error, "{:.1e}", 13) for error in errors))
    if options.json:
        figures = {"threads": options.threads, "peak": peak, "rows": table}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
