"""Prints which release of TensorFlow has which op first: ``python -m tests.op_releases``.

The ops are those that tests/data/ops.csv lists. A release has an op where the wrappers that its
wheel holds for Python call it; ops without wrappers are looked up in its library. It downloads
one wheel a release, some 3 GB in all, and keeps none; the output is kept in
tfdeploy/ops/releases.txt.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

RELEASES = [*((1, minor) for minor in range(16)), *((2, minor) for minor in range(22))]
PYTHONS = ("36", "37", "38", "39", "310", "311", "312")
PLATFORMS = ("1", "2010", "2014", "_2_17", "_2_27")
CALLS = re.compile(rb"""(?:apply_op|_apply_op_helper|execute)\(\s*b?["'](\w+)["']""")
OPS = Path(__file__).parent / "data" / "ops.csv"


def download(release: tuple[int, int], folder: str) -> Path:
    """The wheel of a release's last version, without CUDA, for the first Python that has one."""
    package = "tensorflow" if release < (2, 1) and release != (1, 15) else "tensorflow-cpu"
    version = "{}.{}.*".format(*release)
    platforms = [f"--platform=manylinux{name}_x86_64" for name in PLATFORMS]
    for python in PYTHONS:
        options = [f"--python-version={python}", f"--abi=cp{python}{'m' * (python < '38')}"]
        command = ["pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "-q"]
        command += [*options, *platforms, "-d", folder, f"{package}=={version}"]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True)
        if not done.returncode:
            return next(Path(folder).glob("*.whl"))
    raise LookupError(f"no wheel of {package} {version}")


def ops(wheel: Path, hidden: set[str]) -> set[str]:
    """The ops that a wheel's wrappers call; of `hidden` ones, those that its libraries name.

    The recurrent cells of TensorFlow 1.0's contrib got their wrappers when they were loaded.
    """
    found: set[str] = set()
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if re.search(r"/gen_\w+\.py$", name):
                found.update(call.decode() for call in CALLS.findall(archive.read(name)))
            elif re.search(r"(libtensorflow|_pywrap_tensorflow)[^/]*\.so[.\d]*$", name):
                found |= named(archive.read(name), hidden)
            elif re.search(r"/contrib/rnn/.*\.so$", name):
                cells = {"BlockLSTM", "LSTMBlockCell", "GRUBlockCell"}
                found |= named(archive.read(name), cells)
    return found


def named(library: bytes, names: set[str]) -> set[str]:
    """Those of `names` that a library holds as strings."""
    return {n for n in names if re.search(rb"(?<!\w)" + n.encode() + rb"\0", library)}


def main() -> None:
    with open(OPS, newline="") as file:
        left = {row["op"] for row in csv.DictReader(file)}
    for release in RELEASES:
        hidden = {name for name in left if name.startswith("_Fused")}
        with tempfile.TemporaryDirectory() as folder:
            new = ops(download(release, folder), hidden) & left
        left -= new
        if new:
            print("{}.{}:".format(*release), *sorted(new))


if __name__ == "__main__":
    main()
