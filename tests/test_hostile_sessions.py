"""tests.hostile_sessions: 200,000 wounded messages a parser; ``make fuzz`` runs longer."""

import pytest
from tests import hostile, hostile_sessions

LEAST = {"ftp port": 0.03, "x509": 0.1, "http basic": 0.1}
"""Shares where a message is so tight that most wounds end it at the first check."""


@pytest.mark.parametrize("name", hostile_sessions.PARSERS)
def test_hostile_payloads_escape_nowhere_and_get_past_the_first_check(name: str) -> None:
    parse, valid = hostile_sessions.PARSERS[name]
    assert hostile.run(parse, valid, seed=2026, count=200_000) > LEAST.get(name, 0.25)


@pytest.mark.parametrize("name", hostile_sessions.PARSERS)
def test_every_start_is_an_honest_message(name: str) -> None:
    parse, valid = hostile_sessions.PARSERS[name]
    for message in valid:
        found, anomalies = parse(message)
        assert found is not None and anomalies == (), (message, anomalies)
