# Changes of the lists in force (contract: changes.pxd). All of it under the GIL, which who builds lets go of.
import dataclasses

import numpy as np

from libc.stdint cimport uint64_t

from interceptor.engine.lists cimport ListTable
from interceptor.engine.live cimport Beside, LiveLists
from interceptor.engine.networks cimport NetworkTable
from interceptor.engine.pairs cimport PairTable
from interceptor.engine.prefixes cimport PrefixTrie
from interceptor.engine.publication cimport publication_wait
from interceptor.engine.tables cimport ListTables

from interceptor.engine.spec import ListContent

cdef enum:
    PIECE = 4096        # keys, and pairs, that are changed with the lock held

NOTHING = ListContent(np.empty(0, np.uint64))


cdef tuple parted(content):
    """What is changed at once, and the rest, or None."""
    if len(content.keys) <= PIECE and len(content.pairs) <= PIECE:
        return content, None
    return (dataclasses.replace(content, keys=content.keys[:PIECE], pairs=content.pairs[:PIECE]),
            ListContent(content.keys[PIECE:], pairs=content.pairs[PIECE:]))


cdef class ListChanges:
    def __init__(self, uint64_t seed, Seats seats not None, building, lock):
        self.building, self.lock = building, lock
        self.seats, self.gone = seats, []
        self.lists = LiveLists((), ListTables(ListTable(0, seed), PrefixTrie(), PairTable(0, seed), NetworkTable()))

    cdef object change(self, str name, entries, bint on):
        altered = 0
        while entries is not None:
            piece, rest = parted(entries)
            with self.lock:
                done = None if on and not self.lists.tables.fits(entries) else self.lists.change(name, piece, on)
            if done is None:
                with self.building:     # who built before has made room, or caught up
                    if on and not self.lists.tables.fits(entries):
                        return altered + self._rebuild(name, entries, NOTHING)[0]
                continue
            altered, entries = altered + done[0], rest
            if done[1] is not None:
                self._let_go(done[1])
        if self.lists.tables.crowded and self.building.acquire(blocking=False):
            try:
                if self.lists.tables.crowded and name in self.lists.index:
                    self._rebuild(name, NOTHING, NOTHING)
            except MemoryError:     # it is done; who finds no place at all will say so
                pass
            finally:
                self.building.release()
        return altered

    cdef tuple apply(self, str name, add, remove):
        if len(add) + len(remove) <= 1:
            return self.change(name, add, True), self.change(name, remove, False)
        with self.building:
            return self._rebuild(name, add, remove)

    cdef int replace(self, str name, content) except -1:
        with self.building:
            self._rebuild(name, content, None)
        return 0

    cdef tuple _rebuild(self, str name, add, remove):
        """Other tables with another content of one list, as `Beside.change` takes it; `building` is held."""
        with Beside(self.lists, self.lock) as beside:
            counts = beside.change(self.lists.place(name), add, remove)
            with self.lock:
                before = beside.finish()
        self._let_go(before)
        return counts

    cdef int _let_go(self, tables) except -1:
        cdef uint64_t at
        self.replaced += 1
        at = self.replaced
        self.wait()
        self.gone.append((at, tables))
        return self.sweep()

    cdef int wait(self) except -1:
        with nogil:
            publication_wait(self.publication)
        return 0

    cdef int sweep(self) except -1:
        oldest, before = self.seats.oldest(), self.gone
        self.gone = [each for each in before if each[0] > oldest]
        return 0        # and `before` goes: large tables let others run meanwhile
