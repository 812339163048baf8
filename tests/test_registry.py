"""The op table: every op owns rows, every record is complete."""

from __future__ import annotations

import importlib
import pkgutil

import tests.cases
from tests.families import tables
from tfdeploy.ops import families, registry

SOURCES = {"Placeholder", "PlaceholderV2"}  # nothing to compare: their value is what is fed
HANDLES = {"RefIdentity", "DisableCopyOnRead"}  # their inputs cannot be fed: tests/test_state.py
IN_GRAPHS = {  # families with tests of their own
    "control",
    "lists",
    "stacks",
    "variables",
    "tables",
    "console",
    "variants",
    "wordpiece",
    "sentencepiece",
    "rng",
    "codec",
}
NO_KERNEL = {  # no CPU kernel in TensorFlow: checked by mathematics in tests/test_<family>.py
    "Conv2DBackpropInputV2",
    "TopK",
    "BatchFFT",
    "BatchFFT2D",
    "BatchFFT3D",
    "BatchIFFT",
    "BatchIFFT2D",
    "BatchIFFT3D",
    "FFTND",
    "IFFTND",
    "RFFTND",
    "IRFFTND",
    "CudnnRNN",
    "CudnnRNNV2",
    "CudnnRNNV3",
    "CudnnRNNParamsSize",
    "CudnnRNNCanonicalToParams",
    "CudnnRNNCanonicalToParamsV2",
    "CudnnRNNParamsToCanonical",
    "CudnnRNNParamsToCanonicalV2",
}


def test_every_op_has_a_row() -> None:
    owned = {
        case.op
        for m in pkgutil.iter_modules(tests.cases.__path__)
        for case in importlib.import_module(f"tests.cases.{m.name}").CASES
    }
    missing = [
        name
        for record in registry.all_ops()
        for name in record.names
        if record.family not in IN_GRAPHS and name not in owned | SOURCES | HANDLES | NO_KERNEL
    ]
    assert not missing


def test_the_tables_of_families_hold_what_they_register() -> None:
    found = {"FAMILIES": families.FAMILIES, "EFFECTS": families.EFFECTS}
    told = {
        table: {key: " ".join(names.split()) for key, names in rows.items()}
        for table, rows in found.items()
    }
    assert told == tables(), "write them anew: python -m tests.families"


def test_records_are_documented() -> None:
    assert [r.names[0] for r in registry.all_ops() if not r.doc] == []
