# The Python face of natives.h, over numpy arrays; strings are arrays of bytes objects.

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE
from cpython.bytes cimport PyBytes_AsStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, strchr


cdef extern from "natives.h" nogil:
    uint64_t td_fingerprint64(const unsigned char *data, int64_t size)
    uint64_t td_siphash(const unsigned char *data, int64_t size, uint64_t k0, uint64_t k1)
    int64_t td_suppress(const float *boxes, const float *scores, int64_t n, int64_t most, float overlap,
                        float least, float sigma, int32_t *chosen, float *kept)


cdef class _Buffers:
    """C-contiguous buffers of one call, held until this goes."""

    cdef Py_buffer views[4]
    cdef int held

    cdef Py_buffer *add(self, array, const char *formats, bint writable) except NULL:
        """The buffer of `array`, whose element type is one of the characters of `formats`.

        Raises ValueError where it is not contiguous, not writable, or of another type.
        """
        cdef Py_buffer *view = &self.views[self.held]
        PyObject_GetBuffer(array, view,
                           PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        self.held += 1
        if view.format[1] != 0 or strchr(formats, view.format[0]) == NULL:
            raise ValueError(f"element type {view.format.decode()} is not one of {formats.decode()}")
        return view

    def __dealloc__(self):
        while self.held:
            self.held -= 1
            PyBuffer_Release(&self.views[self.held])


cdef int64_t _count(const Py_buffer *view) noexcept nogil:
    return view.len // view.itemsize


cdef int64_t _bytes(PyObject *item, const unsigned char **data) except -1:
    cdef char *start = NULL
    cdef Py_ssize_t size = 0
    PyBytes_AsStringAndSize(<object>item, &start, &size)
    data[0] = <const unsigned char *>start
    return size


def hashes(strings, out, tuple key=None) -> None:
    """Hash of each string as uint64, to `out`: FarmHash's fingerprint, or SipHash under a `key` of two
    numbers.  Raises TypeError where an element is no bytes object.
    """
    cdef _Buffers buffers = _Buffers()
    cdef Py_buffer *source = buffers.add(strings, b"O", False)
    cdef Py_buffer *target = buffers.add(out, b"LQ", True)
    cdef PyObject **items = <PyObject **>source.buf
    cdef uint64_t *to = <uint64_t *>target.buf
    cdef const unsigned char *data = NULL
    cdef uint64_t k0 = 0, k1 = 0
    cdef int64_t i, size
    if _count(source) != _count(target):
        raise ValueError("as many hashes as strings are expected")
    if key is not None:
        k0, k1 = key
    for i in range(_count(source)):
        size = _bytes(items[i], &data)
        to[i] = td_fingerprint64(data, size) if key is None else td_siphash(data, size, k0, k1)


def suppress(boxes, scores, double overlap, double least, double sigma, chosen, kept) -> int:
    """Greedy choice by score of as many boxes as `chosen` (int32) has places: how many, -1 where some
    overlap is not a number.  `boxes` (n, 4), `scores` (n) and `kept` are float32.
    """
    cdef _Buffers buffers = _Buffers()
    cdef Py_buffer *corners = buffers.add(boxes, b"f", False)
    cdef Py_buffer *ranks = buffers.add(scores, b"f", False)
    cdef Py_buffer *numbers = buffers.add(chosen, b"i", True)
    cdef Py_buffer *values = buffers.add(kept, b"f", True)
    cdef int64_t found
    if _count(corners) != 4 * _count(ranks) or _count(numbers) != _count(values):
        raise ValueError("four corners for each score and a score for each number are expected")
    with nogil:
        found = td_suppress(<const float *>corners.buf, <const float *>ranks.buf, _count(ranks),
                            _count(numbers), <float>overlap, <float>least, <float>sigma,
                            <int32_t *>numbers.buf, <float *>values.buf)
    return found


cdef struct Entry:
    uint64_t hash
    int64_t number


cdef class Finder:
    """Numbers of strings in a list of different ones; `keys` is an array of bytes objects that nobody
    changes.
    """

    cdef Entry *entries
    cdef uint64_t mask
    cdef _Buffers buffers
    cdef PyObject **keys

    def __cinit__(self, keys):
        self.buffers = _Buffers()
        cdef Py_buffer *view = self.buffers.add(keys, b"O", False)
        cdef const unsigned char *data = NULL
        cdef int64_t i, size
        cdef uint64_t at
        self.keys = <PyObject **>view.buf
        self.mask = 15
        while self.mask < 2 * <uint64_t>_count(view):
            self.mask = 2 * self.mask + 1
        self.entries = <Entry *>calloc(self.mask + 1, sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError
        for i in range(_count(view)):
            size = _bytes(self.keys[i], &data)
            at = td_fingerprint64(data, size)
            self._place(at, i + 1)

    cdef int _place(self, uint64_t value, int64_t number) except -1:
        cdef uint64_t at = value & self.mask
        while self.entries[at].number:
            at = (at + 1) & self.mask
        self.entries[at] = Entry(value, number)

    def __dealloc__(self):
        free(self.entries)

    def find(self, strings, out) -> None:
        """The number of each string among the keys, to `out` (int64); -1 for one that is not there.
        Raises TypeError where an element is no bytes object.
        """
        cdef _Buffers buffers = _Buffers()
        cdef Py_buffer *source = buffers.add(strings, b"O", False)
        cdef Py_buffer *target = buffers.add(out, b"lq", True)
        cdef PyObject **items = <PyObject **>source.buf
        cdef int64_t *to = <int64_t *>target.buf
        cdef const unsigned char *data = NULL
        cdef int64_t i, size
        if _count(source) != _count(target):
            raise ValueError("as many numbers as strings are expected")
        for i in range(_count(source)):
            size = _bytes(items[i], &data)
            to[i] = self._find(data, size)

    cdef int64_t _find(self, const unsigned char *data, int64_t size) except -2:
        cdef uint64_t value = td_fingerprint64(data, size)
        cdef uint64_t at = value & self.mask
        cdef const unsigned char *key = NULL
        while self.entries[at].number:
            if self.entries[at].hash == value:
                if _bytes(self.keys[self.entries[at].number - 1], &key) == size and (
                        memcmp(key, data, size) == 0):
                    return self.entries[at].number - 1
            at = (at + 1) & self.mask
        return -1
