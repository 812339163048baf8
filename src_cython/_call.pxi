# What a signature remembers of its last call: one plan that takes what was fed and gives what was wanted.

cdef class Direct:
    """Calls `plan` for arguments however they are given.

    `names` are those of all arguments, `order` has the places among them of what the plan is fed, `results`
    are the names of what it gives.  It holds while `owner.edits` and `registry.version` are what they were.
    `config` tells the number of threads, `fail` makes an error of what a run raises.

    Its methods give None where the arguments are not such as the plan takes, or it does not hold any more:
    the caller goes the long way then, which casts or says what is wrong.
    """

    cdef Plan plan
    cdef tuple names, order, results
    cdef object owner, registry, config, fail, edits, version

    def __init__(self, Plan plan, tuple names, tuple order, tuple results, owner, registry, config, fail):
        self.plan = plan
        self.names = names
        self.order = order
        self.results = results
        self.owner = owner
        self.registry = registry
        self.config = config
        self.fail = fail
        self.edits = owner.edits
        self.version = registry.version

    cpdef bint holds(self) except -1:
        """Whether nothing has changed since it was made."""
        return self.owner.edits == self.edits and self.registry.version == self.version

    def values(self, feeds, dict inputs, tuple out):
        """The list of results, which are written to the arrays of `out`, if any."""
        return self._run(feeds, inputs, out)

    def value(self, feeds, dict inputs):
        """The result where there is only one, else a dict of them."""
        cdef list values = self._run(feeds, inputs, None)
        if values is None:
            return None
        return values[0] if len(values) == 1 else dict(zip(self.results, values))

    def named(self, feeds, dict inputs):
        """The results in a dict."""
        cdef list values = self._run(feeds, inputs, None)
        return None if values is None else dict(zip(self.results, values))

    cdef list _run(self, feeds, dict inputs, tuple out):
        cdef tuple arrays
        if feeds is None:
            arrays = self._named(inputs)
        elif inputs:
            return None
        elif type(feeds) is dict:
            arrays = self._named(feeds)
        elif len(self.names) == 1:
            arrays = (feeds,) if self.order else ()
        else:
            return None
        if arrays is None or not self.holds():
            return None
        threads = self.config._num_threads
        try:
            return self.plan._call(arrays, self.config.get_num_threads() if threads is None else threads,
                                   out, NULL)
        except Refused:
            return None
        except (IndexError, ArithmeticError, MemoryError) as error:
            self.fail(error)

    cdef tuple _named(self, dict given):
        if len(given) != len(self.names):
            return None
        cdef list arrays = []
        for name in self.names:
            if name not in given:
                return None
            arrays.append(given[name])
        return tuple([arrays[i] for i in self.order])
