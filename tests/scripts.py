"""Prints which script each code point is of, as TensorFlow says: ``python -m tests.scripts``.

A line has a script's number and, in hexadecimal, the first code point and the length of each run;
firsts are told by their distance from the end of the run before. Code points of no line are of
script 103, unknown. The output is kept in tfdeploy/ops/scripts.txt.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tests.oracle import tf

UNKNOWN = 103


def scripts() -> np.ndarray:
    """The script of each code point."""
    return tf.strings.unicode_script(np.arange(0x110000, dtype=np.int32)).numpy()


def lines() -> list[str]:
    """The lines, by number of script."""
    of = scripts()
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    ends = np.append(starts[1:], len(of))
    runs: dict[int, list[str]] = defaultdict(list)
    last: dict[int, int] = defaultdict(int)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        script = int(of[start])
        if script != UNKNOWN:
            runs[script].append(f"{start - last[script]:x}+{end - start:x}")
            last[script] = end
    return [f"{script} {' '.join(found)}" for script, found in sorted(runs.items())]


if __name__ == "__main__":
    print("\n".join(lines()))
