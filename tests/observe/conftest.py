"""What tests of reading share."""

import pytest

from wardwatch.observe import digests, observer, streams


@pytest.fixture
def at_once(monkeypatch):
    """Fails where all is read again by one: parts did not fit, and only their joining showed it."""

    def lost(why):
        raise AssertionError(why)

    monkeypatch.setattr(observer, "Lost", lost)
    monkeypatch.setattr(streams, "Lost", lost)
    monkeypatch.setattr(digests, "Lost", lost)
