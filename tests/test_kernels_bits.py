"""The same kernels built for ARM and run under emulation give the bits that they give here."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "src_cython" / "kernels"
FLAGS = ["-std=gnu11", "-O2", "-ffp-contract=off"]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]
CROSS = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 is compared with ARM"),
    pytest.mark.skipif(
        not (shutil.which("gcc") and shutil.which(CROSS) and shutil.which(EMULATOR)),
        reason=f"needs gcc, {CROSS} and {EMULATOR}",
    ),
]


def build(folder: Path, compiler: str, isas: dict[str, list[str]], static: bool) -> Path:
    """The program kernel_bits.c with the kernels of `isas`, name to flags."""
    objects = []
    for isa, flags in isas.items():
        objects.append(folder / f"{compiler}-{isa}.o")
        source = KERNELS / f"isa_{isa}.c"
        subprocess.run([compiler, *FLAGS, *flags, "-c", source, "-o", objects[-1]], check=True)
    program = folder / f"{compiler}-bits"
    sources = [ROOT / "tests" / "kernel_bits.c", KERNELS / "dispatch.c"]
    link = ["-static"] if static else []
    subprocess.run([compiler, *FLAGS, *link, *sources, *objects, "-o", program], check=True)
    return program


def answers(command: list[str | Path]) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_neon_gives_the_bits_of_avx2(tmp_path: Path) -> None:
    here = {"generic": [], "avx2": AVX2, "avx512": AVX512}
    native = build(tmp_path, "gcc", here, static=False)
    foreign = build(tmp_path, CROSS, {"generic": [], "neon": []}, static=True)
    expected = answers([native, "avx2"])
    assert len(expected) > 100
    assert not [line for line in expected if "refused" in line]
    assert answers([EMULATOR, foreign, "neon"]) == expected
