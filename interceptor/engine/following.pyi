"""What the reports of calls and cards do to the counters: what becomes of one."""

from enum import IntEnum

class ReportOutcome(IntEnum):
    REPORT_JOINED = 0
    REPORT_CARRIED = 1
    REPORT_EARLY = 2
    REPORT_REPEATED = 3
    REPORT_BLOCKED = 4
    REPORT_UNKNOWN = 5
    N_REPORT_OUTCOMES = 6
