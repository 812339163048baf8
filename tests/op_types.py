"""Prints which classes of types each op is shown to take or give: ``python -m tests.op_types``.

Those of the rows that TensorFlow answers, so tfdeploy has them in common with it; the output is
kept in tfdeploy/ops/dtypes.txt.
"""

from __future__ import annotations

from collections import defaultdict

from tests import goldens

CLASSES = {
    "float32": ("float32",),
    "float64": ("float64",),
    "half": ("float16", "bfloat16"),
    "integer": ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    "complex": ("complex64", "complex128"),
    "bool": ("bool",),
    "string": ("object",),
}


def shown() -> dict[str, list[str]]:
    """Classes by op, both in order."""
    found: dict[str, set[str]] = defaultdict(set)
    for family in goldens.FAMILIES:
        answers = goldens.read(family)
        for case in goldens.cases(family):
            answer = answers.get(goldens.digest(case))
            if answer is not None and answer.outputs is not None:
                found[case.op].update(a.dtype.name for a in answer.outputs)
                for kinds in answer.types:
                    found[case.op].update(kinds if isinstance(kinds, list) else [kinds])
    return {
        op: [each for each, names in CLASSES.items() if found[op].intersection(names)]
        for op in sorted(found)
    }


if __name__ == "__main__":
    for op, classes in shown().items():
        print(f"{op}: {' '.join(classes)}")
