# cython: language_level=3, embedsignature=True
"""The compiled engine: kernels in C, one set per instruction set, the best of which is picked at import.

`tfdeploy.config.engine()` is the way here: it knows why there may be no such module.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t


cdef extern from "kernels/dispatch.h" nogil:
    ctypedef struct td_isa:
        const char *name
        uint32_t (*crc32c)(uint32_t crc, const unsigned char *data, size_t size) noexcept nogil
    const td_isa *td_active
    const char *const td_kernel_names[]
    void td_init()
    const td_isa *td_isa_available(int index)
    int td_isa_set(const char *name)


def isa() -> str:
    """Name of the instruction set in use."""
    return td_active.name.decode()


def available() -> list:
    """Names of the instruction sets that this build holds and this machine runs, best first."""
    cdef int index = 0
    names = []
    while td_isa_available(index) != NULL:
        names.append(td_isa_available(index).name.decode())
        index += 1
    return names


def set_isa(str name) -> None:
    """Uses the instruction set `name` from now on; no kernel may be running.

    Raises ValueError where it is not among `available()`.
    """
    if not td_isa_set(name.encode()):
        raise ValueError(f"instruction set {name!r} is not available; this build on this machine has "
                         + ", ".join(available()))


def kernels() -> dict:
    """Name -> index of every kernel; an index holds for this build only."""
    cdef int index = 0
    table = {}
    while td_kernel_names[index] != NULL:
        table[td_kernel_names[index].decode()] = index
        index += 1
    return table


def crc32c(data, uint32_t value=0) -> int:
    """CRC-32C (Castagnoli, RFC 3720) of a C-contiguous buffer, continuing from `value`.

    Raises BufferError or ValueError where the buffer is not contiguous, TypeError where there is none.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        with nogil:
            value = td_active.crc32c(value, <const unsigned char *>view.buf, <size_t>view.len)
    finally:
        PyBuffer_Release(&view)
    return value


include "_kernels.pxi"
include "_plan.pxi"
include "_call.pxi"
include "_natives.pxi"

td_init()
