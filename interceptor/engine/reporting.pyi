"""Reports that come as Python objects or array rows: words for what becomes of them. Used through `Engine`."""

#: what became of a report, in the order of ReportOutcome
OUTCOMES: tuple[str, ...]
#: what happens to a call after its setup, and to a card
CALL_EVENTS: dict[str, int]
CARD_EVENTS: dict[str, int]
