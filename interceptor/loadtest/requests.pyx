# What is asked: encoded messages, and which verdicts are right.
from libc.stdint cimport int64_t, uint8_t, uintptr_t

import numpy as np

from interceptor.loadtest.connection cimport MAX_MESSAGE


cdef class Requests:

    def __init__(self, bytes data not None, offsets, expected=None, serials=()):
        ends = np.array(offsets, np.int64, order="C")
        if ends.ndim != 1 or len(ends) < 2 or ends[0] != 0 or ends[len(ends) - 1] != len(data):
            raise ValueError(f"offsets: at least two, from 0 to the {len(data)} bytes there are")
        if len(ends) > 2**32:
            raise ValueError(f"offsets of {len(ends) - 1} requests: at most 2**32 - 1")
        sizes = np.diff(ends)
        if sizes.min() < 0 or sizes.max() > MAX_MESSAGE:
            odd = int(np.flatnonzero((sizes < 0) | (sizes > MAX_MESSAGE))[0])
            raise ValueError(f"request {odd} has {sizes[odd]} bytes: a message has 0 .. {MAX_MESSAGE}")
        right = np.zeros(len(sizes), np.uint8) if expected is None else np.array(expected, np.uint8, order="C")
        if right.shape != sizes.shape:
            raise ValueError(f"expected has the shape {right.shape}, but there are {len(sizes)} requests")
        if len(serials) > 2:
            raise ValueError(f"{len(serials)} serials: at most 2")
        for at, digits in serials:
            if not (1 <= digits <= 18 and 0 <= at and at + digits <= sizes.min()):
                raise ValueError(
                    f"serial of {digits} digits at byte {at}: 1 .. 18 digits, within every message (the shortest has "
                    f"{sizes.min()} bytes)"
                )
        self.data, self.kept, self.n = data, (ends, right), len(sizes)
        self.offsets = <const int64_t*><uintptr_t>ends.ctypes.data
        self.expected = <const uint8_t*><uintptr_t>right.ctypes.data
        self.serials = len(serials)
        for i, (at, digits) in enumerate(serials):
            self.serial_at[i], self.serial_digits[i] = at, digits

    def __len__(self):
        return self.n
