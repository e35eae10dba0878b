# The keys of entities that somebody asks for by name: what a call with those fields would be counted under.
from interceptor.engine.border cimport load_mapping
from interceptor.engine.counting cimport part_key
from interceptor.engine.intake cimport resolve
from interceptor.engine.seats cimport Seat
from interceptor.engine.snapshot cimport Part, SnapshotHolder


def part_keys(SnapshotHolder snapshot not None, call, parts):
    cdef Seat room = Seat()
    cdef Part part
    cdef list keep = [], keys = []
    problem = load_mapping(call, snapshot.spec.tags, &room.calls[0], keep)
    if problem is not None:
        raise problem
    resolve(&snapshot.c.intake, &room.w.trunks, &room.calls[0])
    for wanted in parts:
        part.field, part.prefix = wanted.field, wanted.prefix
        keys.append(part_key(&part, &room.calls[0]))
    return keys
