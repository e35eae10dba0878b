# The lists in force (contract: live.pxd): single changes in place, and other tables built beside and swapped in.
import cython

from libc.stdint cimport uint64_t

from interceptor.engine.atomics cimport ic_store64
from interceptor.engine.tables cimport ListTables

from interceptor.engine.journal import Journal, changes
from interceptor.engine.tables import rebuilt

cdef enum:
    ROUNDS = 8      # in which a journal gets short, unless changes come faster than they can be made once more


@cython.no_gc_clear         # what calls look at goes when nothing refers to it, never before
cdef class LiveLists:
    def __init__(self, lists, ListTables tables not None):
        self.lists = tuple(lists)
        self.index = {described.name: i for i, described in enumerate(self.lists)}
        self.swap(tables)

    cdef ListTables swap(self, ListTables tables):
        before = self.tables
        self.tables = tables
        ic_store64(<uint64_t*> <void*> &self.current, <uint64_t> <size_t> tables.tables)
        return before

    cpdef int place(self, str name) except -1:
        if name not in self.index:
            raise KeyError(f"no list {name!r}; the policy has {', '.join(self.index) or 'none'}")
        return self.index[name]

    def change(self, str name, entries, bint on):
        """In place: how many entries were new, or gone, and the tables that are not in force any more, or None.

        None where it has to wait: for a table with more room, or for who builds one and is far behind.
        """
        place = self.place(name)
        if self.journal is not None and self.journal.full or on and not self.tables.fits(entries):
            return None
        tables, altered = self.tables.changed([(place, entries, on)])
        if self.journal is not None:
            self.journal.note(name, entries, on)
        return altered, None if tables is self.tables else self.swap(tables)


cdef class Beside:
    def __init__(self, LiveLists running not None, lock):
        self.running, self.lock = running, lock

    def __enter__(self):
        with self.lock:
            self.running.journal = Journal()
            self.tables = self.running.tables
        return self

    def __exit__(self, *_):
        self.running.journal = None

    def lists(self, lists, contents):
        """The lists of another policy: those that run, or others, which are complete when they are finished."""
        running = self.running.lists
        given = {i: contents[each.name] for i, each in enumerate(lists) if each.name in contents}
        if not given and [(each.name, each.kind) for each in lists] == [(each.name, each.kind) for each in running]:
            return self.running
        there = {(each.name, each.kind): i for i, each in enumerate(running)}
        kept = {there[each.name, each.kind]: i for i, each in enumerate(lists)
                if i not in given and (each.name, each.kind) in there}
        self.tables = rebuilt(self.tables, kept, given)[0]
        self.next = LiveLists(lists, self.tables)
        self.index = {each.name: i for i, each in enumerate(lists) if (each.name, each.kind) in there}
        self._catch_up()
        return self.next

    def change(self, int place, entries, remove):
        """Another content of one list, which keeps none of what it has where `remove` is None.

        How many entries are new, and how many are gone.
        """
        kept = {i: i for i in range(len(self.running.lists)) if i != place or remove is not None}
        self.tables, gained, lost = rebuilt(self.tables, kept, {place: entries},
                                            None if remove is None else (place, remove))
        self.next, self.index = self.running, self.running.index
        self._catch_up()
        return gained, lost

    cdef int _catch_up(self) except -1:
        for _ in range(ROUNDS):
            if self.running.journal.short:
                break
            with self.lock:
                runs = self.running.journal.take()
            self.tables = self.tables.changed(changes(runs, self.index))[0]
        return 0

    def finish(self):
        """With the lock held: puts what was built in force. Returns the tables that are not any more, or None."""
        if self.next is None:
            return None
        tables, _ = self.tables.changed(changes(self.running.journal.take(), self.index))
        return self.next.swap(tables)
