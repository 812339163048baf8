"""Multiply-adds are fused where the source says so and nowhere else; the same kernels built for ARM
and run under emulation give the bits that they give here, and so does what is written for AVX-512,
with its instructions in C, where the machine lacks them.
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
    return link(folder, compiler, objects, static)


def link(folder: Path, compiler: str, objects: list[Path], static: bool) -> Path:
    program = folder / f"{compiler}-bits"
    sources = [ROOT / "tests" / "kernel_bits.c", KERNELS / "dispatch.c"]
    flags = [*FLAGS, "-static"] if static else FLAGS
    subprocess.run([compiler, *flags, *sources, *objects, "-o", program, "-lm"], check=True)
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


@needs("gcc")
def test_avx512_in_c_gives_the_bits_of_avx2(tmp_path: Path) -> None:
    """In the program of the second the object of AVX-512 stands where that of AVX2 would."""
    here = {"generic": [], "avx2": AVX2, "avx512": AVX512}
    expected = answers([build(tmp_path, "gcc", here, static=False), "avx2"])
    header = ROOT / "tests" / "avx512_in_c.h"
    in_c = [*AVX2, "-O1", "-Wno-psabi", "-include", header, "-Dtd_isa_avx512=td_isa_avx2"]
    native, emulated = tmp_path / "gcc-avx512.o", tmp_path / "gcc-avx2.o"
    source = KERNELS / "isa_avx512.c"
    subprocess.run(["gcc", *FLAGS, *in_c, "-c", source, "-o", emulated], check=True)
    program = link(tmp_path, "gcc", [tmp_path / "gcc-generic.o", native, emulated], static=False)
    assert len(expected) > 100
    assert answers([program, "avx512"]) == expected


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
    quick = ["-O1", "-fexpensive-optimizations"]  # the latter is what fuses
    command = ["gcc", *FLAGS, *quick, *{"avx2": AVX2, "avx512": AVX512}[isa], *flags]
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
