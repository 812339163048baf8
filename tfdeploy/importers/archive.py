"""Models inside ``.zip`` and ``.tar`` files, compressed or not.

The regular files of an archive are written to a temporary folder, which goes when the model that
was read from it goes.  A name that leads out of that folder is an error; links and devices are left
out.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from ..errors import ConversionError, FormatError
from .raw import RawModel

_MOST_FILES = 100_000
_MOST_BYTES = 1 << 30  # that any archive may unpack to, however small
_MOST_RATIO = 50  # beyond which weights do not compress
_CHUNK = 1 << 20
_DAMAGE = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile)
_REFUSED = (NotImplementedError, RuntimeError, ValueError)  # encrypted, unknown compression, ...

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")

Member = tuple[str, IO[bytes]]


def is_archive(path: str) -> bool:
    """Whether the file is a zip or tar archive."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(b"PK"):
        return zipfile.is_zipfile(path)
    if not head.startswith(_COMPRESSED) and head[257:262] != b"ustar":
        return False
    try:
        return tarfile.is_tarfile(path)
    except (*_DAMAGE, *_REFUSED):  # no first file can be read: what else it may be says the error
        return False


def read_archive(path: str) -> RawModel:
    """The one model in the archive: a SavedModel, a checkpoint or a graph.

    Raises FormatError where the archive is damaged, too large for its size or has names that lead
    out of it, ConversionError where it holds no model or several.
    """
    from .open import read_path

    folder = tempfile.TemporaryDirectory(prefix="tfdeploy-", ignore_cleanup_errors=True)
    try:
        _unpack(path, folder.name)
        raw = read_path(_model_in(folder.name, path))
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(raw.variables, folder.cleanup)  # values are read when asked for
    return raw


def _unpack(path: str, folder: str) -> None:
    budget = max(_MOST_BYTES, _MOST_RATIO * os.path.getsize(path))
    try:
        for count, (name, file) in enumerate(_members(path)):
            target = _inside(folder, name, path)
            if count >= _MOST_FILES:
                raise FormatError(f"{path}: more than {_MOST_FILES} files")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "xb") as out:
                while chunk := file.read(_CHUNK):
                    budget -= len(chunk)
                    if budget < 0:
                        raise FormatError(f"{path}: unpacks to more than its size allows")
                    out.write(chunk)
    except FormatError:
        raise
    except (*_DAMAGE, *_REFUSED) as error:
        raise FormatError(f"{path}: cannot be unpacked: {error}") from error


def _members(path: str) -> Iterator[Member]:
    """Names and contents of the regular files."""
    if not tarfile.is_tarfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                kind = info.external_attr >> 28  # of a Unix mode; 0 where there is none
                if not info.is_dir() and kind in (0, 0o10):
                    with archive.open(info) as file:
                        yield info.filename, file
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                with content:
                    yield member.name, content


def _inside(folder: str, name: str, path: str) -> str:
    """Where the member `name` goes."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = name.startswith(("/", "\\")) or (os.name == "nt" and ":" in name)
    if absolute or ".." in parts or not parts or "\0" in name:
        raise FormatError(f"{path}: holds a file named {name!r}, which leads out of it")
    return os.path.join(folder, *parts)


def _model_in(folder: str, path: str) -> str:
    """The path of the only model below `folder`."""
    saved, states, metas, graphs = [], [], [], []
    for root, _, files in os.walk(folder):
        for name in sorted(files):
            full = os.path.join(root, name)
            if name in ("saved_model.pb", "saved_model.pbtxt"):
                saved.append(root)
            elif name == "checkpoint":
                states.append(root)
            elif name.endswith(".meta"):
                metas.append(full)
            elif name.endswith((".pb", ".pbtxt", ".pb.gz", ".pbtxt.gz")):
                graphs.append(full)
    for found in (saved, states, metas, graphs):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(sorted(os.path.relpath(each, folder) for each in found))
            raise ConversionError(f"{path}: holds several models: {names}; unpack the one you mean")
    raise ConversionError(f"{path}: holds no SavedModel, checkpoint or graph")
