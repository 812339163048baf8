"""The compiled engine as installed: it is there, the one asked for, its first kernel is right."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import tfdeploy
from tfdeploy import config

needs_engine = pytest.mark.skipif(config.PURE.read(), reason="TFDEPLOY_PURE asks for no engine")


def python(code: str, **switches: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a fresh process that sees these switches of ours and no others."""
    ours = {switch.name for switch in config.SWITCHES}
    environment = {name: value for name, value in os.environ.items() if name not in ours} | switches
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@needs_engine
def test_the_engine_is_loaded():
    assert config.engine() is not None, config.why_pure()


@needs_engine
def test_an_installation_is_tested_as_installed():
    """A test run against the source tree would not notice what the package lacks."""
    origin = json.loads(metadata.distribution("tfdeploy").read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    in_tree = Path(tfdeploy.__file__).is_relative_to(Path(__file__).parent.parent)
    in_environment = Path(tfdeploy.__file__).is_relative_to(sys.prefix)
    assert editable or in_environment or not in_tree


def test_pure_leaves_the_engine_out():
    code = "from tfdeploy import config; print(config.engine(), config.why_pure())"
    result = python(code, TFDEPLOY_PURE="1")
    assert result.stdout.strip() == "None TFDEPLOY_PURE is set", result.stderr


def isas() -> list[str]:
    return [] if config.PURE.read() else config.engine().available()


def test_the_generic_kernels_are_always_there_and_come_last():
    assert not isas() or isas()[-1] == "generic"


@needs_engine
def test_the_best_instruction_set_is_chosen():
    code = "from tfdeploy import config; print(config.engine().isa())"
    assert python(code).stdout.strip() == isas()[0]


@pytest.mark.parametrize("isa", isas())
def test_the_forced_instruction_set_is_the_one_that_runs(isa):
    code = (
        "from tfdeploy import config\n"
        "engine = config.engine()\n"
        "print(engine.isa(), engine.crc32c(b'123456789'))"
    )
    result = python(code, TFDEPLOY_ISA=isa)
    assert result.stdout.split() == [isa, str(0xE3069283)], result.stderr


@needs_engine
def test_an_unknown_instruction_set_is_an_error_that_lists_the_others():
    result = python("from tfdeploy import config; config.engine()", TFDEPLOY_ISA="sse9")
    assert result.returncode != 0
    assert "ConfigError" in result.stderr
    assert "sse9" in result.stderr
    assert all(isa in result.stderr for isa in isas())


def bitwise_crc32c(data: bytes, value: int = 0) -> int:
    """The definition: the reflected remainder modulo the Castagnoli polynomial, bit by bit."""
    crc = value ^ 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


ISCSI_READ = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400"
    "00000014 00000018 28000000 00000000 02000000 00000000"
)
# RFC 3720, B.4, read as little-endian numbers.
VECTORS = {
    bytes(32): 0x8A9136AA,
    b"\xff" * 32: 0x62A8AB43,
    bytes(range(32)): 0x46DD794E,
    bytes(range(31, -1, -1)): 0x113FDB5C,
    ISCSI_READ: 0xD9963A56,
    b"": 0,
}


@pytest.fixture(params=isas())
def engine(request):
    """The engine with one instruction set after the other in use."""
    module = config.engine()
    before = module.isa()
    module.set_isa(request.param)
    yield module
    module.set_isa(before)


def test_crc32c_of_the_rfc(engine):
    assert {data: engine.crc32c(data) for data in VECTORS} == VECTORS
    assert {data: bitwise_crc32c(data) for data in VECTORS} == VECTORS


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 1024, 3071, 3072, 3073, 3 * 3072 + 13])
def test_crc32c_of_any_length_and_alignment(engine, size):
    data = random.Random(size).randbytes(size + 3)
    for start in range(3):
        assert engine.crc32c(memoryview(data)[start:]) == bitwise_crc32c(data[start:])


def test_crc32c_continues(engine):
    data = random.Random(0).randbytes(10_000)
    assert engine.crc32c(data[3333:], engine.crc32c(data[:3333])) == engine.crc32c(data)


def test_crc32c_takes_any_contiguous_buffer(engine):
    array = np.random.default_rng(0).integers(0, 255, (40, 30), np.int32)
    expected = bitwise_crc32c(array.tobytes())
    assert engine.crc32c(array) == expected
    assert engine.crc32c(bytearray(array.tobytes())) == expected
    with pytest.raises((BufferError, ValueError)):
        engine.crc32c(array[:, ::2])
    with pytest.raises(TypeError):
        engine.crc32c("text")


@needs_engine
def test_kernels_are_numbered_without_holes():
    indices = config.engine().kernels().values()
    assert sorted(indices) == list(range(len(indices)))
