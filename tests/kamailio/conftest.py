"""Where Kamailio with our script cannot be run, its tests say why they are left out."""

import pytest

from kamailio.telephony import why_not


@pytest.fixture(scope="session")
def telephony() -> None:
    """What is needed to make calls is here."""
    if reason := why_not():
        pytest.skip(reason)
