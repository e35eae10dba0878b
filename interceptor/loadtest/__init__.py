"""The load-test harness: a compiled open-loop generator of calls, and what it measures."""
