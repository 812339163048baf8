"""Builds the engine: a static library of kernels per instruction set, linked into one extension.

Everything that is not about the engine stands in pyproject.toml.  The engine is optional: where no
C compiler or no Python.h is found, the package is pure and `tfdeploy/_build_info.py` says why.  Two
switches: TFDEPLOY_PURE=1 leaves the engine out, TFDEPLOY_REQUIRE_EXT=1 forbids to fall back.
"""

import contextlib
import os
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, CompileError, PlatformError

from distutils.ccompiler import new_compiler  # isort: skip  (setuptools provides it)
from distutils.sysconfig import customize_compiler  # isort: skip

SOURCES = Path("src_cython")
KERNELS = SOURCES / "kernels"
DEPENDS = ["setup.py", *sorted(map(str, [*SOURCES.glob("*.[chp]*"), *KERNELS.glob("*.[ch]")]))]

# Contraction is off so that a fused multiply-add stands exactly where the source says so.  Some
# Pythons pass on the -g of their own build, which would make the wheel three times as large.
CFLAGS = ["-std=gnu11", "-O3", "-g0", "-ffp-contract=off", "-fvisibility=hidden"]

AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]
ISAS = {
    "x86_64": {"generic": [], "avx2": AVX2, "avx512": AVX512},
    "aarch64": {"generic": [], "neon": []},
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# One wheel serves CPython 3.11 and up; free-threaded builds have no limited API.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = sys.implementation.name == "cpython" and not FREE_THREADED


def compiles(compiler, source: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probe.c")
        path.write_text(source)
        include = [sysconfig.get_path("include"), sysconfig.get_path("platinclude")]
        try:
            compiler.compile([str(path)], output_dir=folder, include_dirs=include)
        except (CCompilerError, PlatformError):
            return False
    return True


def why_pure() -> str:
    """Why the engine is left out, in words for the user, or "" where it is to be built."""
    if os.environ.get("TFDEPLOY_PURE", "0") not in ("", "0"):
        return "TFDEPLOY_PURE was set when it was installed"
    compiler = new_compiler()
    if compiler.compiler_type == "msvc":
        return "its kernels need the vector extensions of gcc or clang, which MSVC lacks"
    customize_compiler(compiler)
    if not compiles(compiler, "#include <string.h>\nint probe;\n"):
        return f"no working C compiler was found when it was installed ({compiler.compiler_so[0]})"
    if not compiles(compiler, "#include <Python.h>\nint probe;\n"):
        return "Python.h was not found when it was installed (a package such as python3-dev has it)"
    return ""


@contextlib.contextmanager
def named_way_out() -> Iterator[None]:
    try:
        yield
    except CCompilerError as error:
        hint = "The compiled engine could not be built. TFDEPLOY_PURE=1 installs without it."
        raise CompileError(f"{error}\n{hint}") from error


class BuildKernels(build_clib):
    def build_libraries(self, libraries) -> None:
        with named_way_out():
            super().build_libraries(libraries)


def tell(root: str) -> None:
    """Writes beside the modules below `root` whether the engine was built, and if not, why."""
    text = f'"""Written by setup.py."""\n\nWHY_PURE = {WHY_PURE!r}\n'
    Path(root, "tfdeploy", "_build_info.py").write_text(text)


class BuildEngine(build_ext):
    """Beside the sources it does all that a build consists of, kernels included."""

    def run(self) -> None:
        if self.inplace:
            self.run_command("build_clib")
        super().run()
        if self.inplace:
            tell(".")

    def build_extension(self, ext) -> None:
        with named_way_out():
            super().build_extension(ext)


class BuildPackage(build_py):
    def run(self) -> None:
        super().run()
        tell("." if self.editable_mode else self.build_lib)


def libraries() -> list:
    machine = sysconfig.get_platform().rpartition("-")[2]
    isas = ISAS.get(MACHINES.get(machine, machine), {"generic": []})
    return [
        (
            f"td_{name}",
            {
                "sources": [str(KERNELS / f"isa_{name}.c")],
                "cflags": CFLAGS + flags,
                "obj_deps": {"": DEPENDS},
            },
        )
        for name, flags in isas.items()
    ]


def extension() -> Extension:
    return Extension(
        "tfdeploy._engine",
        [
            str(SOURCES / "_engine.pyx"),
            str(SOURCES / "plan.c"),
            str(SOURCES / "natives.c"),
            str(KERNELS / "dispatch.c"),
            str(KERNELS / "threads.c"),
        ],
        depends=DEPENDS,
        include_dirs=[str(SOURCES)],
        extra_compile_args=[*CFLAGS, "-pthread"],
        extra_link_args=["-pthread"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
        py_limited_api=LIMITED_API,
    )


if sys.platform == "darwin":
    # A universal build would compile AVX kernels for ARM.
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")

WHY_PURE = why_pure()
if WHY_PURE and os.environ.get("TFDEPLOY_REQUIRE_EXT", "0") not in ("", "0"):
    raise SystemExit(f"TFDEPLOY_REQUIRE_EXT is set, and the engine would be left out: {WHY_PURE}")

setup(
    ext_modules=[] if WHY_PURE else [extension()],
    libraries=[] if WHY_PURE else libraries(),
    cmdclass={"build_clib": BuildKernels, "build_ext": BuildEngine, "build_py": BuildPackage},
    options={
        "build_ext": {"cython_c_in_temp": True},
        "bdist_wheel": {"py_limited_api": "cp311"} if LIMITED_API else {},
    },
)
