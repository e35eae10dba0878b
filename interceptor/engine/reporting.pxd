# Reports that come as Python objects or array rows, on their way to following.pyx.
from interceptor.engine.inflight cimport FlightTable
from interceptor.engine.seats cimport Seat
from interceptor.engine.snapshot cimport SnapshotHolder
from interceptor.engine.types cimport Millis

# Gives a snapshot, which is not published yet, its plan. `flights` may be None where nothing reported feeds a counter.
cdef int follow(SnapshotHolder snapshot, FlightTable flights) except -1
# What became of it, in a word. Raise CallError.
cdef str take_report(Seat seat, report, Millis now)
cdef str take_subscription(Seat seat, event, card, Millis now)
# Rows and events: what Engine.replay_batch takes.
cdef object replay_rows(Seat seat, calls, now_ms, happening, row, duration_ms)
