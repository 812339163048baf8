"""What the environment and the build decide: switches, the engine in use, the number of threads.

Every environment variable that tfdeploy reads is declared here, once, and read through its
declaration.
"""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._version import __version__
from .errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")


class Switch(Generic[T]):
    """An environment variable: `read()` gives its value, `default` where unset or empty."""

    def __init__(
        self, name: str, type: str, parse: Callable[[str], T], default: T, sentence: str
    ) -> None:
        self.name = name
        self.type = type
        self.parse = parse
        self.default = default
        self.sentence = sentence

    def read(self) -> T:
        """The value now.  Raises ConfigError where the variable's text is not of its type."""
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError:
            raise ConfigError(f"{self.name}={text}: expected {self.type}") from None


def _flag(text: str) -> bool:
    return text.lower() not in ("0", "false", "no", "off")


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


def _omp_count(text: str) -> int | None:
    """First level of a list such as ``8,2``; what OpenMP would not understand counts as unset."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


COUNT = "a number of at least 1"
FLAG = "0 or 1"

PURE = Switch("TFDEPLOY_PURE", FLAG, _flag, False, "Leave the compiled engine out.")
REQUIRE_EXT = Switch(
    "TFDEPLOY_REQUIRE_EXT",
    FLAG,
    _flag,
    False,
    "While installing: fail rather than leave the compiled engine out.",
)
ISA = Switch(
    "TFDEPLOY_ISA",
    "a name",
    str,
    "",
    "Instruction set of the engine (generic, avx2, avx512, neon) instead of the best one.",
)
NUM_THREADS = Switch[int | None](
    "TFDEPLOY_NUM_THREADS",
    COUNT,
    _count,
    None,
    "Threads of the engine; unset: OMP_NUM_THREADS, else affinity and cgroup quota.",
)
OMP_NUM_THREADS = Switch[int | None](
    "OMP_NUM_THREADS",
    COUNT,
    _omp_count,
    None,
    "Threads of the engine where TFDEPLOY_NUM_THREADS is unset.",
)
REFUSE_SCIPY = Switch(
    "TD_REFUSE_SCIPY", FLAG, _flag, False, "Behave as if scipy were not installed."
)
WINOGRAD = Switch(
    "TFDEPLOY_WINOGRAD",
    FLAG,
    _flag,
    True,
    "Winograd's algorithm for 3 x 3 convolutions: faster, with errors up to 1e-5 of scale.",
)

SWITCHES: tuple[Switch[Any], ...] = (
    PURE,
    REQUIRE_EXT,
    ISA,
    NUM_THREADS,
    OMP_NUM_THREADS,
    REFUSE_SCIPY,
    WINOGRAD,
)


def _load() -> tuple[ModuleType | None, str]:
    """The engine, and why there is none."""
    if PURE.read():
        return None, f"{PURE.name} is set"
    try:
        from ._build_info import WHY_PURE
    except ImportError:
        return None, "this copy has not been built (pip install . builds it)"
    if WHY_PURE:
        return None, WHY_PURE
    try:
        return import_module(f"{__package__}._engine"), ""
    except ImportError as error:
        return None, f"its extension module does not load ({error})"


@functools.cache
def _engine() -> tuple[ModuleType | None, str]:
    module, why_pure = _load()
    if (isa := ISA.read()) and not PURE.read():
        if not module:
            reason = f"there is no compiled engine: {why_pure}"
            raise ConfigError(f"{ISA.name}={isa}: {reason}")
        try:
            module.set_isa(isa)
        except ValueError as error:
            raise ConfigError(f"{ISA.name}={isa}: {error}") from None
    if module:
        module.use_cpus(usable_cpus())
    return module, why_pure


def engine() -> ModuleType | None:
    """The compiled engine, or None where tfdeploy runs in numpy alone: `why_pure` has the reason.

    Decided at the first call and kept.  Raises ConfigError where TFDEPLOY_ISA names an instruction
    set that this build on this machine does not have.
    """
    return _engine()[0]


def why_pure() -> str:
    """Why there is no compiled engine, or "" where there is one."""
    return _engine()[1]


def engine_name() -> str:
    """The engine in words for people: ``compiled, avx2`` or ``pure numpy: <reason>``."""
    module = engine()
    return f"compiled, {module.isa()}" if module else f"pure numpy: {why_pure()}"


def has_scipy() -> bool:
    """Whether scipy is installed and not refused by TD_REFUSE_SCIPY; imports nothing."""
    from importlib.util import find_spec

    return not REFUSE_SCIPY.read() and find_spec("scipy") is not None


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().split()
    except OSError:
        return []


def _quota(folder: str) -> float:
    """CPUs that one cgroup may use, by the file of version 2 or those of version 1."""
    words = _words(f"{folder}/cpu.max")
    words = words or _words(f"{folder}/cpu.cfs_quota_us") + _words(f"{folder}/cpu.cfs_period_us")
    try:
        quota, period = map(float, words)
    except ValueError:
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


def cpu_quota(proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> float:
    """CPUs that the control groups of this process allow, infinity where there is no limit.

    Reads versions 1 and 2.  A limit of any group above holds too.  A container may see its own
    group as the root, or under a path of the host that it cannot see.
    """
    quota = math.inf
    for line in _words(proc):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount in {controllers, "cpu"} if controllers else {""}:
            for depth in range(len(parts) + 1):
                quota = min(quota, _quota("/".join([root, mount, *parts[:depth]])))
    return quota


def usable_cpus() -> int:
    """The CPUs that affinity and quota leave us.

    A quota is rounded down: a thread more than the quota makes all of them wait.
    """
    if sys.platform == "linux":
        usable = len(os.sched_getaffinity(0))
        return max(1, int(min(usable, cpu_quota())))
    return os.cpu_count() or 1


def default_num_threads() -> int:
    """TFDEPLOY_NUM_THREADS, else OMP_NUM_THREADS, else `usable_cpus`."""
    return NUM_THREADS.read() or OMP_NUM_THREADS.read() or usable_cpus()


_num_threads: int | None = None


def get_num_threads() -> int:
    """Threads that the compiled engine uses for one call."""
    global _num_threads
    if _num_threads is None:
        _num_threads = default_num_threads()
    return _num_threads


def set_num_threads(count: int | None) -> None:
    """Sets the threads of the compiled engine for this process; None goes back to the default.

    Results do not depend on it.  Raises ConfigError where `count` is not a number of at least 1.
    """
    global _num_threads
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise ConfigError(f"expected a number of threads of at least 1, or None, got {count!r}")
    _num_threads = count


def _version_of(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def as_dict() -> dict[str, Any]:
    """Everything that `show_config` prints, as JSON knows it."""
    import platform

    module = engine()
    return {
        "tfdeploy": __version__,
        "python": platform.python_version(),
        "numpy": _version_of("numpy"),
        "platform": platform.platform(),
        "engine": "compiled" if module else "pure",
        "why_pure": why_pure(),
        "isa": module.isa() if module else None,
        "available_isas": module.available() if module else [],
        "scipy": _version_of("scipy"),
        "scipy_refused": REFUSE_SCIPY.read(),
        "num_threads": get_num_threads(),
        "switches": {
            switch.name: {
                "value": switch.read(),
                "default": switch.default,
                "type": switch.type,
                "sentence": switch.sentence,
            }
            for switch in SWITCHES
        },
    }


def config_text() -> str:
    """What `show_config` prints."""
    facts = as_dict()
    scipy = facts["scipy"] or "not installed"
    rows = [
        ("tfdeploy", facts["tfdeploy"]),
        ("python", f"{facts['python']} on {facts['platform']}"),
        ("numpy", facts["numpy"]),
        ("scipy", f"{scipy}, refused" if facts["scipy_refused"] else scipy),
        ("engine", engine_name()),
        ("available", ", ".join(facts["available_isas"]) or "none"),
        ("threads", facts["num_threads"]),
    ]
    lines = [f"{label:<10} {value}" for label, value in rows]
    lines += ["", "switches of the environment"]
    for switch in SWITCHES:
        state = repr(switch.read()) if switch.name in os.environ else "unset"
        lines += [f"{switch.name} ({switch.type}; {state})", f"    {switch.sentence}"]
    return "\n".join(lines)


def show_config() -> None:
    """Prints versions, the engine with its instruction sets, threads and switches."""
    print(config_text())
