"""Multiply-adds are fused where the source says so and nowhere else; the same kernels built for ARM
and run under emulation give the bits that they give here.
"""

from __future__ import annotations

import platform
import re
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
]


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


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


@needs("gcc", CROSS, EMULATOR)
def test_neon_gives_the_bits_of_avx2(tmp_path: Path) -> None:
    here = {"generic": [], "avx2": AVX2, "avx512": AVX512}
    native = build(tmp_path, "gcc", here, static=False)
    foreign = build(tmp_path, CROSS, {"generic": [], "neon": []}, static=True)
    expected = answers([native, "avx2"])
    assert len(expected) > 100
    assert not [line for line in expected if "refused" in line]
    assert answers([EMULATOR, foreign, "neon"]) == expected


APART = """
#include <immintrin.h>
#define _mm256_fmadd_ps(a, b, c) _mm256_add_ps(_mm256_mul_ps(a, b), c)
#define _mm256_fmadd_pd(a, b, c) _mm256_add_pd(_mm256_mul_pd(a, b), c)
#define _mm512_fmadd_ps(a, b, c) _mm512_add_ps(_mm512_mul_ps(a, b), c)
#define _mm512_fmadd_pd(a, b, c) _mm512_add_pd(_mm512_mul_pd(a, b), c)
"""


def fused(isa: str, flags: list[str], folder: Path) -> int:
    """Instructions that fuse a multiply-add, of the kernels built with `flags` at the end."""
    built = folder / "kernels.o"
    source = KERNELS / f"isa_{isa}.c"
    command = ["gcc", *FLAGS, "-O1", *{"avx2": AVX2, "avx512": AVX512}[isa], *flags]
    subprocess.run([*command, "-c", source, "-o", built], check=True)
    text = subprocess.run(["objdump", "-d", built], check=True, capture_output=True, text=True)
    return len(re.findall(r"\bvfn?m(?:add|sub)", text.stdout))


@needs("gcc", "objdump")
@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_no_multiply_add_is_fused_unasked(isa: str, tmp_path: Path) -> None:
    """With the intrinsics spelled as products and sums nothing is left that is fused."""
    apart = tmp_path / "apart.h"
    apart.write_text(APART)
    assert fused(isa, [], tmp_path) > 100
    assert fused(isa, ["-include", str(apart)], tmp_path) == 0
    assert fused(isa, ["-include", str(apart), "-ffp-contract=fast"], tmp_path) > 100
