# The Python face of plan.h: a plan made from lists, bound to sizes when called, run without the GIL.

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, strcmp


cdef extern from "plan.h" nogil:
    enum: TD_MAX_RANK
    enum: TD_V_FEED
    enum: TD_V_RESULT
    enum: TD_X_FEED
    enum: TD_OK
    enum: TD_REFUSED
    enum: TD_BAD_INDEX
    enum: TD_BAD_SHAPE
    enum: TD_NO_MEMORY
    ctypedef struct td_extent:
        int32_t op, a, b
        int64_t number
    ctypedef struct td_value:
        int32_t kind, index, dtype, rank
        int32_t shape[8]
        int32_t stride[8]
        int32_t offset, move, loop, first, last
        void *data
    ctypedef struct td_step:
        int32_t kernel, n_in, n_out, n_ints, n_floats
        const int32_t *input "in"
        const int32_t *out
        const int32_t *ints
        const float *floats
    ctypedef struct td_loop:
        int32_t first, last, count, low, high
    ctypedef struct td_plan:
        int32_t n_extents, n_values, n_steps, n_feeds, n_results, n_loops
        td_extent *extents
        td_value *values
        td_step *steps
        td_loop *loops
        int32_t *pool
        float *floats
    ctypedef struct td_tensor:
        void *data
        int64_t shape[8]
        int32_t rank
    ctypedef struct td_binding:
        td_tensor *tensors
        int64_t arena, scratch
        int32_t users, dropped
    const char *const td_map_names[]
    const char *const td_act_names[]
    const char *const td_reduction_names[]
    ctypedef struct td_frame:
        pass
    ctypedef struct td_fault:
        int32_t code, step
    uint64_t td_hash(const int64_t *numbers, int32_t n)
    void td_plan_free(td_plan *plan)
    td_binding *td_bind(const td_plan *plan, const int64_t *const *shapes, td_fault *fault)
    void td_binding_free(td_binding *binding)
    td_frame *td_frame_for(const td_plan *plan, const td_binding *binding, td_frame *frame, int threads)
    void td_frame_free(td_frame *frame)
    void td_frame_forget(td_frame *frame, const td_binding *binding)
    td_fault td_run(const td_plan *plan, td_frame *frame, void *const *feeds, void *const *results,
                    int threads, double *seconds)


cdef dict _numbers(const char *const *names):
    cdef int index = 0
    table = {}
    while names[index] != NULL:
        table[names[index].decode()] = index
        index += 1
    return table


def map_ops() -> dict:
    """Name -> number of the operations of kernel `map`."""
    return _numbers(td_map_names)


def activations() -> dict:
    """Name -> number of the activations of an epilogue."""
    return _numbers(td_act_names)


def reductions() -> dict:
    """Name -> number of the operations of kernel `reduce`."""
    return _numbers(td_reduction_names)


class Refused(Exception):
    """A plan does not hold for these shapes; the caller takes another way."""


cdef enum:
    MOST_OPERANDS = 256
    SLOTS = 256
    MOST_IDLE = 2
    LARGEST = 1 << 20


cdef struct Slot:
    td_binding *binding
    int64_t *key


cdef int _overlap(Py_buffer *a, Py_buffer *b):
    cdef char *x = <char *>a.buf
    cdef char *y = <char *>b.buf
    return x < y + b.len and y < x + a.len


cdef class Plan:
    """Steps for the compiled engine, made of plain lists (see plan.h for the meaning of each).

    `extents` rows (op, a, b, number); `values` rows (kind, index, dtype, shape, strides or None, offset,
    move, loop, first, last, array or None); `steps` rows (kernel, in, out, ints, floats); `loops` rows
    (first, last, count, low, high); `results` rows (value, numpy dtype).  `feeds` are the struct formats
    of what is fed.  Arrays of constants are kept alive and must not move.

    Where extents depend on the value of a scalar that is fed, that value is part of what a binding is
    made for and found by.
    """

    cdef td_plan *plan
    cdef Slot *slots
    cdef int64_t *keys
    cdef td_frame *idle[MOST_IDLE]
    cdef int n_idle, key_length
    cdef int32_t result_values[MOST_OPERANDS]
    cdef int32_t feed_ranks[MOST_OPERANDS]
    cdef int32_t valued[MOST_OPERANDS]
    cdef list kept, dtypes, formats
    cdef const char *format_texts[MOST_OPERANDS]
    cdef object empty

    def __cinit__(self, list extents, list values, list steps, list loops, list feeds, list results,
                  empty):
        cdef td_plan *plan
        if len(feeds) > MOST_OPERANDS or len(results) > MOST_OPERANDS:
            raise Refused(f"at most {MOST_OPERANDS} inputs and outputs")
        self.plan = plan = <td_plan *>calloc(1, sizeof(td_plan))
        self.slots = <Slot *>calloc(SLOTS, sizeof(Slot))
        if plan == NULL or self.slots == NULL:
            raise MemoryError
        self.kept = []
        self.empty = empty
        self.formats = feeds
        for i, text in enumerate(feeds):
            self.format_texts[i] = text
        plan.n_feeds = len(feeds)
        plan.n_results = len(results)
        self._fill_extents(extents)
        self._fill_values(values)
        self._fill_steps(steps)
        self._fill_loops(loops)
        self.dtypes = []
        for i, (value, dtype) in enumerate(results):
            self.result_values[i] = value
            self.dtypes.append(dtype)
        for i in range(plan.n_extents):
            if plan.extents[i].op == TD_X_FEED and plan.extents[i].b >= self.feed_ranks[plan.extents[i].a]:
                self.valued[plan.extents[i].a] = 1
        self.key_length = 0
        for i in range(plan.n_feeds):
            self.key_length += self.feed_ranks[i] + self.valued[i]
        if self.key_length > MOST_OPERANDS:
            raise Refused("too many dimensions are fed")
        self.keys = <int64_t *>calloc(SLOTS * self.key_length + 1, sizeof(int64_t))
        if self.keys == NULL:
            raise MemoryError
        for i in range(SLOTS):
            self.slots[i].key = &self.keys[i * self.key_length]

    cdef int _fill_extents(self, list rows) except -1:
        cdef td_plan *plan = self.plan
        plan.n_extents = len(rows)
        plan.extents = <td_extent *>calloc(len(rows) + 1, sizeof(td_extent))
        if plan.extents == NULL:
            raise MemoryError
        for i, (op, a, b, number) in enumerate(rows):
            plan.extents[i].op = op
            plan.extents[i].a = a
            plan.extents[i].b = b
            plan.extents[i].number = number

    cdef int _fill_values(self, list rows) except -1:
        cdef td_plan *plan = self.plan
        cdef td_value *v
        plan.n_values = len(rows)
        plan.values = <td_value *>calloc(len(rows) + 1, sizeof(td_value))
        if plan.values == NULL:
            raise MemoryError
        for i, row in enumerate(rows):
            kind, index, dtype, shape, strides, offset, move, loop, first, last, array = row
            v = &plan.values[i]
            v.kind, v.index, v.dtype, v.rank = kind, index, dtype, len(shape)
            v.offset, v.move, v.loop, v.first, v.last = offset, move, loop, first, last
            for axis in range(len(shape)):
                v.shape[axis] = shape[axis]
                v.stride[axis] = -1 if strides is None else strides[axis]
            if kind == TD_V_FEED:
                self.feed_ranks[index] = len(shape)
            if array is not None:
                v.data = self._address(array)

    cdef void *_address(self, array) except NULL:
        cdef Py_buffer view
        cdef void *address
        PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS)
        address = view.buf
        PyBuffer_Release(&view)
        self.kept.append(array)
        return address

    cdef int _fill_steps(self, list rows) except -1:
        cdef td_plan *plan = self.plan
        cdef td_step *step
        cdef int32_t *at
        cdef float *floats
        plan.n_steps = len(rows)
        plan.steps = <td_step *>calloc(len(rows) + 1, sizeof(td_step))
        plan.pool = at = <int32_t *>calloc(
            1 + sum([len(r[1]) + len(r[2]) + len(r[3]) for r in rows]), sizeof(int32_t))
        plan.floats = floats = <float *>calloc(1 + sum([len(r[4]) for r in rows]), sizeof(float))
        if plan.steps == NULL or at == NULL or floats == NULL:
            raise MemoryError
        for i, (kernel, inputs, outputs, ints, reals) in enumerate(rows):
            step = &plan.steps[i]
            step.kernel, step.n_in, step.n_out = kernel, len(inputs), len(outputs)
            step.n_ints, step.n_floats = len(ints), len(reals)
            step.input = at
            at = self._put(at, inputs)
            step.out = at
            at = self._put(at, outputs)
            step.ints = at
            at = self._put(at, ints)
            step.floats = floats
            for real in reals:
                floats[0] = real
                floats += 1

    cdef int _fill_loops(self, list rows) except -1:
        cdef td_plan *plan = self.plan
        plan.n_loops = len(rows)
        plan.loops = <td_loop *>calloc(len(rows) + 1, sizeof(td_loop))
        if plan.loops == NULL:
            raise MemoryError
        for i, (first, last, count, low, high) in enumerate(rows):
            plan.loops[i].first, plan.loops[i].last, plan.loops[i].count = first, last, count
            plan.loops[i].low, plan.loops[i].high = low, high

    cdef int32_t *_put(self, int32_t *at, numbers) except NULL:
        for number in numbers:
            at[0] = number
            at += 1
        return at

    def __dealloc__(self):
        if self.slots != NULL:
            for i in range(SLOTS):
                td_binding_free(self.slots[i].binding)
        for i in range(self.n_idle):
            td_frame_free(self.idle[i])
        free(self.slots)
        free(self.keys)
        td_plan_free(self.plan)

    def profile(self, tuple feeds, int threads=1) -> list:
        """Seconds that each step took in one run; raises as `run` does."""
        cdef double *seconds = <double *>calloc(self.plan.n_steps + 1, sizeof(double))
        if seconds == NULL:
            raise MemoryError
        try:
            self._call(feeds, threads, None, seconds)
            return [seconds[i] for i in range(self.plan.n_steps)]
        finally:
            free(seconds)

    def run(self, tuple feeds, int threads=1, tuple out=None):
        """The results for arrays that are C-contiguous and of the types that the plan was made for.

        Raises Refused where they are not, or where the plan does not hold for their shapes; IndexError
        and ArithmeticError with the number of the step that met a bad index or a division by zero.
        The results are written to the arrays of `out` where it is given: ValueError where one of them is not
        writable and contiguous, of the right dtype and shape, and apart from all others.
        """
        return self._call(feeds, threads, out, NULL)

    cdef list _call(self, tuple feeds, int threads, tuple out, double *seconds):
        cdef Py_buffer views[MOST_OPERANDS]
        cdef void *data[MOST_OPERANDS]
        cdef const int64_t *shapes[MOST_OPERANDS]
        cdef int64_t key[MOST_OPERANDS]
        cdef int held = 0, at = 0, axis
        cdef td_binding *binding
        if len(feeds) != self.plan.n_feeds:
            raise Refused("another number of inputs")
        try:
            for array in feeds:
                try:
                    PyObject_GetBuffer(array, &views[held], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
                except (BufferError, TypeError, ValueError):
                    raise Refused("no contiguous array") from None
                held += 1
                if (views[held - 1].ndim != self.feed_ranks[held - 1]
                        or strcmp(views[held - 1].format, self.format_texts[held - 1]) != 0):
                    raise Refused("another rank or dtype")
                data[held - 1] = views[held - 1].buf
                shapes[held - 1] = &key[at]
                for axis in range(views[held - 1].ndim):
                    key[at] = views[held - 1].shape[axis]
                    at += 1
                if self.valued[held - 1]:
                    key[at] = self._number(&views[held - 1])
                    at += 1
            binding = self._bind(key, shapes)
            return self._run(binding, views, data, threads, out, seconds)
        finally:
            while held:
                held -= 1
                PyBuffer_Release(&views[held])

    cdef int64_t _number(self, Py_buffer *view) except? -1:
        # A few times larger, and products with it would not fit TensorFlow's int32.
        cdef int64_t number = ((<int64_t *>view.buf)[0] if view.itemsize == 8 else (<int32_t *>view.buf)[0])
        if number > LARGEST or number < -LARGEST:
            raise Refused("a scalar is too large for an extent")
        return number

    cdef td_binding *_bind(self, const int64_t *key, const int64_t **shapes) except NULL:
        cdef td_fault fault
        cdef Slot *slot = &self.slots[td_hash(key, self.key_length) % SLOTS]
        if slot.binding != NULL and memcmp(slot.key, key, self.key_length * sizeof(int64_t)) == 0:
            return slot.binding
        cdef td_binding *binding = td_bind(self.plan, shapes, &fault)
        if binding == NULL:
            if fault.code == TD_NO_MEMORY:
                raise MemoryError
            raise Refused(f"step {fault.step}")
        if slot.binding != NULL:
            self._forget(slot.binding)
        slot.binding = binding
        memcpy(slot.key, key, self.key_length * sizeof(int64_t))
        return binding

    cdef int _forget(self, td_binding *binding) except -1:
        # Idle frames may point into it; the last run that works with it frees it.
        for i in range(self.n_idle):
            td_frame_forget(self.idle[i], binding)
        if binding.users:
            binding.dropped = 1
        else:
            td_binding_free(binding)

    cdef list _run(self, td_binding *binding, Py_buffer *feeds, void **data, int threads, tuple out,
                   double *seconds):
        cdef Py_buffer outs[MOST_OPERANDS]
        cdef void *to[MOST_OPERANDS]
        cdef td_frame *frame = NULL
        cdef td_fault fault
        cdef td_tensor *t
        cdef int held = 0, axis
        cdef list results = []
        try:
            for dtype in self.dtypes:
                t = &binding.tensors[self.result_values[held]]
                shape = tuple([t.shape[axis] for axis in range(t.rank)])
                array = self.empty(shape, dtype) if out is None else out[held]
                if out is not None and (array.shape != shape or array.dtype != dtype):
                    raise ValueError(f"expected {dtype}{list(shape)} for output {held}, got "
                                     f"{array.dtype}{list(array.shape)}")
                try:
                    PyObject_GetBuffer(array, &outs[held], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
                except (BufferError, ValueError):
                    raise ValueError(f"the array for output {held} is not writable and contiguous") from None
                to[held] = outs[held].buf
                held += 1
                results.append(array)
            if out is not None:
                self._apart(feeds, outs)
            if self.n_idle:
                self.n_idle -= 1
                frame = self.idle[self.n_idle]
            frame = td_frame_for(self.plan, binding, frame, threads)
            if frame == NULL:
                raise MemoryError
            binding.users += 1
            with nogil:
                fault = td_run(self.plan, frame, data, to, threads, seconds)
            binding.users -= 1
            if self.n_idle < MOST_IDLE and not binding.dropped:
                self.idle[self.n_idle] = frame
                self.n_idle += 1
            else:
                td_frame_free(frame)
            if binding.dropped and not binding.users:
                td_binding_free(binding)
        finally:
            while held:
                held -= 1
                PyBuffer_Release(&outs[held])
        if fault.code == TD_BAD_INDEX:
            raise IndexError(fault.step)
        if fault.code:
            raise ArithmeticError(fault.step)
        return results

    cdef int _apart(self, Py_buffer *feeds, Py_buffer *outs) except -1:
        cdef int i, j
        for i in range(self.plan.n_results):
            for j in range(self.plan.n_feeds):
                if _overlap(&outs[i], &feeds[j]):
                    raise ValueError(f"the array for output {i} shares memory with input {j}")
            for j in range(i):
                if _overlap(&outs[i], &outs[j]):
                    raise ValueError(f"the arrays for outputs {j} and {i} share memory")
        return 0

    def memory(self, tuple shapes) -> tuple:
        """Bytes of arena and scratch for feeds of these shapes; a scalar that extents depend on has its
        value there.  Raises Refused as `run` does.
        """
        cdef int64_t key[MOST_OPERANDS]
        cdef const int64_t *starts[MOST_OPERANDS]
        cdef int at = 0
        cdef td_binding *binding
        for i, shape in enumerate(shapes):
            if len(shape) != self.feed_ranks[i] + self.valued[i]:
                raise Refused("another rank")
            starts[i] = &key[at]
            for extent in shape:
                key[at] = extent
                at += 1
        binding = self._bind(key, starts)
        return binding.arena, binding.scratch
