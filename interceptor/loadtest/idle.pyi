"""The control of every measurement here: how long this machine keeps a thread that does nothing from running."""

from interceptor.loadtest.histogram import Histogram

def idle_gaps(seconds: float, shortest_ns: int = 1_000) -> Histogram:
    """Reads the clock for so long, without the GIL, and returns the gaps between two readings.

    A gap is an interrupt, another process or the hypervisor. The thread runs where its affinity lets it.

    Parameters
    ----------
    seconds
        How long; greater than 0, at most 3600.
    shortest_ns
        Gaps shorter than this are not counted: reading the clock takes some 30 ns itself.

    Raises
    ------
    ValueError
        When a parameter is out of its range.
    """

def idle_delay_ns(gaps: Histogram, seconds: float, percent: float) -> float:
    """How long gaps alone keep a call waiting that comes at a random moment of `seconds`, at that percentile; in ns.

    A moment within a gap waits for its end, any other not at all: ``percent`` of all moments wait no longer. This is
    what the percentiles of a latency measured on the same core are to be held against.

    Raises
    ------
    ValueError
        When `seconds` is not positive, or `percent` not within 0 .. 100.
    """
