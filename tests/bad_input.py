"""Evaluates graphs that should be refused, within limits: ``python bad_input.py JOBS RESULTS``.

JOBS holds pickled tuples of a GraphDef, what to feed and what to fetch; RESULTS gets what `attempt`
returns for each.  A process of its own, without TensorFlow, so that the memory that it takes can be
limited and a crash be told from a refusal.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS, BYTES = 5.0, 3 << 30


class Slow(BaseException):
    """A job takes too long; no Exception, as code may catch those."""


def _slow(*_: Any) -> None:
    raise Slow("too slow")


def attempt(path: Path, feeds: dict[str, Any], fetches: list[str]) -> dict[str, Any]:
    """Converts and evaluates: the `results` and no `error`, or the name of the error's class, its
    `message` and its `cause`, in `seconds`.
    """
    import tfdeploy as td

    start = time.perf_counter()
    found: dict[str, Any] = {"error": "", "cause": "", "message": ""}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of work: others may keep the machine busy
    try:
        found["results"] = td.convert(path, outputs=fetches).eval(fetches, feeds)
    except (Exception, Slow) as error:
        found |= {"error": type(error).__name__, "message": str(error)}
        found["cause"] = repr(error.__cause__ or error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return found | {"seconds": time.perf_counter() - start}


def stored(path: str | Path) -> Iterator[Any]:
    """The objects pickled in a file, up to where it ends or was cut off."""
    with open(path, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except (EOFError, pickle.UnpicklingError):
                return


def main(jobs: str, results: str) -> None:
    """Attempts every job."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _slow)
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # thousands of files are written
    with open(results, "wb") as file, tempfile.TemporaryDirectory(dir=memory) as folder:
        path = Path(folder, "graph.pb")
        for graph, feeds, fetches in stored(jobs):
            path.write_bytes(graph)
            pickle.dump(attempt(path, feeds, fetches), file)
            file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
