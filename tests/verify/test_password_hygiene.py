"""Password hygiene: it never holds."""

import pytest
from tests.verify.ward import PUMP_2, PUMP_2_IP, PUMP_IP, Ward, sees

MEASURE = "password_hygiene"


def ward() -> Ward:
    return Ward().hears().pump()


@pytest.mark.parametrize("protocol", ["ftp", "telnet", "http"])
def test_an_accepted_clear_text_secret_breaks(protocol: str) -> None:
    verdict = ward().login(protocol).verdict(MEASURE)
    assert verdict.state.value == "broken"
    assert verdict.evidence
    assert "ab" * 32 not in repr(verdict)


def test_a_known_default_is_named() -> None:
    assert "a word" in ward().login(known_default="a word").verdict(MEASURE).statement


def test_a_secret_shared_by_two_devices_is_named_by_its_packet() -> None:
    shared = ward().pump(PUMP_2, PUMP_2_IP).login(at=1)
    shared.login(at=2, server=PUMP_2_IP, server_mac=PUMP_2)
    first, second = shared.verdicts(MEASURE)
    assert f"same secret as packet {shared.last_packet} " in first.statement
    assert f"same secret as packet {shared.last_packet - 1} " in second.statement
    again = [shared.last_packet - 1, shared.last_packet]
    shared.login(at=3).login(at=4, server="10.30.0.9", server_mac="00:50:56:00:00:09")
    first, second = shared.verdicts(MEASURE)  # the earliest of all others, and never its own
    assert f"same secret as packet {again[1]} " in first.statement
    assert f"same secret as packet {again[0]} " in second.statement
    apart = ward().pump(PUMP_2, PUMP_2_IP).login(at=1)
    apart.login(at=2, server=PUMP_2_IP, server_mac=PUMP_2, secret="cd" * 32)
    assert all("same secret" not in v.statement for v in apart.verdicts(MEASURE))


@pytest.mark.parametrize(
    "harmless",
    [
        {"outcome": "failed"},
        {"outcome": "unknown"},
        {"anonymous": True},
        {"secret": ""},
        {"server": "10.30.0.9", "server_mac": "00:50:56:00:00:09", "client": PUMP_IP},
    ],
)
def test_what_does_not_break(harmless) -> None:
    assert ward().login(**harmless).state(MEASURE) == "not observable"


def test_an_answered_community_is_an_accepted_secret() -> None:
    asked = {"src": PUMP_IP, "dst": "10.30.0.9", "version": 1, "secret": "ef" * 32}
    assert ward().add("snmp", 5, pdu=0xA2, **asked).state(MEASURE) == "broken"
    assert ward().add("snmp", 5, pdu=0xA0, **asked).state(MEASURE) == "not observable"


def test_why_it_is_not_observable() -> None:
    assert sees(ward().verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    failed = ward().login(outcome="failed")
    assert sees(failed.verdict(MEASURE)) == ("not observable", "NEVER_FROM_PACKETS")
    hidden = ward().add("tls", 5, client="10.30.0.9", server=PUMP_IP)
    assert sees(hidden.verdict(MEASURE)) == ("not observable", "ENCRYPTED")


def test_a_standing_statement_attests_and_never_overrides_broken() -> None:
    stated = ward().attests(MEASURE)
    assert stated.state(MEASURE) == "attested"
    assert stated.login().state(MEASURE) == "broken"
    assert ward().attests(MEASURE, "2026-01-01").state(MEASURE) == "not observable"
    assert ward().attests(MEASURE, zone="elsewhere").state(MEASURE) == "not observable"
