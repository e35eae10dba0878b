# What a call met, in words, for who has it explained.
from interceptor.engine.decide cimport Worker
from interceptor.engine.plan cimport NumberingPlan
from interceptor.engine.recent cimport RecentTable
from interceptor.engine.snapshot cimport SnapshotHolder
from interceptor.engine.types cimport Call, Decision as CDecision, Millis

# How a number field was read: a NumberTrace.
cdef object number_read(NumberingPlan plan, const Call* c, int field)
# Which entry put the call on each list, asking the tables again one by one: ListTraces.
cdef list entries_met(SnapshotHolder snapshot, RecentTable added, const Worker* w, const Call* c, Millis now)
# A Decision in words, by the policy it was made under; None: which is not known any more.
cdef object decision(spec, CDecision out)
