"""What the data plane's threads read of a switch's reports, as Python sees it: for tests, and for feeding it anything.

A problem and a call are told as in `messages`.
"""

from interceptor.dataplane.phrasebook import Phrasebook

def read_report(
    data: bytes, phrasebook: Phrasebook | None = None
) -> tuple[dict[str, bytes | int | None], dict[str, bytes | int], tuple[str, str, bool] | None]:
    """A ReportCallRequest: its own fields (``event`` a Happening, 0 for none; ``carries``: it has a call), the call."""

def read_subscription(
    data: bytes, phrasebook: Phrasebook | None = None
) -> tuple[int, dict[str, bytes | int], tuple[str, str, bool] | None]:
    """A ReportSubscriptionRequest: its Happening, 0 for none; the card as fields of a call, its id as ``call_id``."""
