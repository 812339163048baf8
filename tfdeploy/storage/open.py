"""Model files by their first bytes: tfdeploy's own, and the pickles of 0.4."""

from __future__ import annotations

from .tfd import Stored

_STARTS = (b"(d", b"}q", b"}r", b"\x80\2", b"\x80\3", b"\x80\4")  # of a pickled dict


def is_pickle(path: str) -> bool:
    """Whether a file is a pickle; one that cannot be opened is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_STARTS) and head[8:9] != b"{"


def read(path: str, mmap: bool = True) -> Stored:
    """What the model file holds; see `tfd.read` and `legacy.read`."""
    if is_pickle(path):
        from . import legacy

        return legacy.read(path)
    from . import tfd

    return tfd.read(path, mmap=mmap)
