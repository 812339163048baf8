"""What each step of a model's plan takes, with one thread and with several, in microseconds:

    python benchmarks/steps.py "mobilenetv2, 1" --threads 2

Rows are those of compare.py whose sizes are fixed.  The best of many runs counts, for every step on
its own, so that the sum is less than a call takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from models import ROWS, Row, saved_model

import tfdeploy as td
from tfdeploy.plan.segments import Segment
from tfdeploy.summary import _program


def segment_of(row: Row, cache: Path) -> Segment:
    """The one plan that the row's model is."""
    model = td.convert(saved_model(row.model, cache))
    steps = _program(model.signatures["serving_default"]).steps
    if len(steps) != 1 or not isinstance(steps[0].function, Segment):
        raise SystemExit(f"{row.model} is not one plan but {len(steps)} steps")
    return steps[0].function


def fastest(segment: Segment, feeds: tuple[Any, ...], threads: int, rounds: int) -> list[float]:
    """Seconds of each step, the best of all rounds."""
    found = [segment.plan.profile(feeds, threads) for _ in range(rounds)]
    return [min(seconds) for seconds in zip(*found, strict=True)]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=ROWS, metavar="ROW")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path("benchmarks", "cache"))
    options = parser.parse_args()
    row = ROWS[options.row]
    segment, feeds = segment_of(row, options.cache.resolve()), tuple(row.feeds())
    one = fastest(segment, feeds, 1, options.rounds)
    many = fastest(segment, feeds, options.threads, options.rounds)
    print(f"{'1 thread':>10}{f'{options.threads} threads':>12}{'ratio':>8}")
    for alone, shared, node in zip(one, many, segment.nodes, strict=True):
        print(
            f"{1e6 * alone:10.1f}{1e6 * shared:12.1f}{alone / shared:8.2f}  {node.op}  {node.name}"
        )
    total, less = sum(one), sum(many)
    print(f"{1e6 * total:10.1f}{1e6 * less:12.1f}{total / less:8.2f}  in all")


if __name__ == "__main__":
    main()
