# Kernels one by one, over arrays: for tests, benchmarks and nodes that the interpreter runs alone.

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE
from libc.stdint cimport int32_t, int64_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset


cdef extern from "kernels/dispatch.h" nogil:
    ctypedef struct k_tensor "td_tensor":
        void *data
        int64_t shape[8]
        int64_t stride[8]
        int32_t rank, dtype
    ctypedef struct k_call "td_call":
        const k_tensor *const *inputs "in"
        const k_tensor *const *outputs "out"
        const int64_t *ints
        const float *floats
        void *scratch
        int64_t begin, end, before
        int32_t n_in, n_out, n_ints, n_floats
    ctypedef struct k_work "td_work":
        int64_t units, grain, scratch
    ctypedef struct k_kernel "td_kernel":
        int (*plan)(const k_call *call, k_work *work) noexcept nogil
        int (*run)(const k_call *call) noexcept nogil
    ctypedef struct k_isa "td_isa":
        const char *name
        k_kernel *kernel
    const k_isa *k_isa_available "td_isa_available"(int index)

cdef extern from "kernels/threads.h" nogil:
    int td_threads_for(const k_work *work, int threads)
    void td_threads_cpus(int count)
    int td_parallel(const k_kernel *kernel, const k_call *call, const k_work *work, int threads,
                    void *scratch, int64_t step)
    uint64_t td_fp_enter()
    void td_fp_leave(uint64_t before)


def use_cpus(int count) -> None:
    """Tells how many CPUs this process may use; threads beyond them are not kept busy."""
    td_threads_cpus(count)


cdef dict _CODES = {"f": 1, "d": 2, "i": 3, "B": 4, "l": 9, "q": 9, "?": 10}
cdef dict _KERNELS = kernels()

cdef enum:
    K_MOST = 64
    K_GUARD = 64


cdef class _Operands:
    """The tensors of a call, over buffers that are held until this goes."""

    cdef Py_buffer views[K_MOST]
    cdef k_tensor tensors[K_MOST]
    cdef const k_tensor *pointers[K_MOST]
    cdef int held, count

    cdef int add(self, array, int writable) except -1:
        cdef k_tensor *t = &self.tensors[self.count]
        cdef Py_buffer *view
        cdef int64_t step = 1
        cdef int i
        if self.count == K_MOST:
            raise ValueError(f"a kernel takes at most {K_MOST} operands")
        memset(t, 0, sizeof(k_tensor))
        self.pointers[self.count] = t
        self.count += 1
        if array is None:
            t.dtype = 1
            return 0
        view = &self.views[self.held]
        PyObject_GetBuffer(array, view, PyBUF_STRIDES | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        self.held += 1
        code = _CODES.get(view.format.decode())
        if code is None or view.ndim > 8:
            raise ValueError(f"no kernel takes an array of format {view.format.decode()} and rank {view.ndim}")
        t.data = view.buf
        t.rank = view.ndim
        t.dtype = code
        for i in range(view.ndim - 1, -1, -1):
            t.shape[i] = view.shape[i]
            t.stride[i] = step if view.len == 0 else view.strides[i] // view.itemsize
            step *= max(view.shape[i], 1)
            if view.len and view.strides[i] % view.itemsize:
                raise ValueError("strides must be multiples of the element's size")
        return 0

    def __dealloc__(self):
        cdef int i
        for i in range(self.held):
            PyBuffer_Release(&self.views[i])


cdef const k_isa *_isa_named(name) except NULL:
    cdef int index = 0
    cdef const k_isa *found = k_isa_available(index)
    while found != NULL and name is not None and found.name.decode() != name:
        index += 1
        found = k_isa_available(index)
    if found == NULL:
        raise ValueError(f"instruction set {name!r} is not available")
    return found


cdef class Call:
    """One kernel on given arrays, planned once and run at will.

    `inputs` may hold None for what td.h calls absent.  `units` and `grain` are the kernel's answer.
    Raises ValueError where the kernel refuses the arrays or there is none of this name.
    """

    cdef _Operands operands
    cdef const k_kernel *kernel
    cdef k_call call
    cdef k_work work
    cdef int64_t *ints
    cdef float *floats
    cdef char *scratch
    cdef char *memory
    cdef int64_t step
    cdef int threads
    cdef readonly str name

    def __cinit__(self, str name, inputs, outputs, ints=(), floats=(), str isa=None, int threads=1):
        cdef int i, n_in = len(inputs), code
        if name not in _KERNELS:
            raise ValueError(f"there is no kernel {name!r}; there are {', '.join(_KERNELS)}")
        self.name = name
        self.operands = _Operands()
        for array in inputs:
            self.operands.add(array, 0)
        for array in outputs:
            self.operands.add(array, 1)
        self.ints = <int64_t *>calloc(len(ints) + 1, sizeof(int64_t))
        self.floats = <float *>calloc(len(floats) + 2, sizeof(float))
        if self.ints == NULL or self.floats == NULL:
            raise MemoryError
        for i in range(len(ints)):
            self.ints[i] = ints[i]
        for i in range(len(floats)):
            self.floats[i] = floats[i]
        self.kernel = &_isa_named(isa).kernel[<int>_KERNELS[name]]
        self.call.inputs = self.operands.pointers
        self.call.outputs = self.operands.pointers + n_in
        self.call.ints = self.ints
        self.call.floats = self.floats
        self.call.n_in = n_in
        self.call.n_out = len(outputs)
        self.call.n_ints = len(ints)
        self.call.n_floats = len(floats)
        code = self.kernel.plan(&self.call, &self.work)
        if code:
            raise ValueError(f"kernel {name} refuses these arrays")
        self.threads = td_threads_for(&self.work, threads)
        self.step = (self.work.scratch + K_GUARD + 63) // 64 * 64
        self.memory = <char *>calloc(self.step * self.threads + 64, 1)
        if self.memory == NULL:
            raise MemoryError
        self.scratch = <char *>((<uintptr_t>self.memory + 63) // 64 * 64)
        memset(self.scratch, 0xa5, self.step * self.threads)

    def __dealloc__(self):
        free(self.ints)
        free(self.floats)
        free(self.memory)

    @property
    def units(self) -> int:
        return self.work.units

    @property
    def grain(self) -> int:
        return self.work.grain

    def run(self, int64_t begin=0, int64_t end=-1, int64_t times=1, int64_t before=0) -> None:
        """Does the units [begin, end), the rest where `end` is -1, `times` times on this thread.

        `before` is where the last run ended, if the operands have not changed since.
        Raises IndexError where the kernel meets an index outside its axis.
        """
        cdef int code = 0
        cdef int64_t i
        cdef uint64_t state
        self.call.scratch = self.scratch
        self.call.begin = begin
        self.call.before = before
        self.call.end = self.work.units if end < 0 else end
        with nogil:
            state = td_fp_enter()
            for i in range(times):
                code = self.kernel.run(&self.call)
            td_fp_leave(state)
        self._check(code)

    def run_parallel(self) -> None:
        """Does all units with the threads that were asked for.  Raises as `run` does."""
        cdef int code
        cdef uint64_t state
        with nogil:
            state = td_fp_enter()
            code = td_parallel(self.kernel, &self.call, &self.work, self.threads, self.scratch, self.step)
            td_fp_leave(state)
        self._check(code)

    cdef int _check(self, int code) except -1:
        if code == 2:
            raise IndexError(f"kernel {self.name} met an index outside its axis")
        if code:
            raise ArithmeticError(f"kernel {self.name} failed with code {code}")
        return 0

    def kept_to_scratch(self) -> bool:
        """Whether the bytes past the scratch that the plan asked for are untouched."""
        cdef int thread
        cdef int64_t i
        for thread in range(self.threads):
            for i in range(self.work.scratch, self.step):
                if <unsigned char>self.scratch[thread * self.step + i] != 0xa5:
                    return False
        return True
