"""Attested: dated statements that expire."""

import pytest
from tests.verify.ward import PUMP_2, PUMP_2_IP, Ward, sees

MEASURES = ["attested_backups", "attested_physical", "attested_passwords"]


@pytest.mark.parametrize("measure", MEASURES)
def test_stated_expired_and_never_said(measure: str) -> None:
    assert sees(Ward().verdict(measure)) == ("not observable", "NEVER_FROM_PACKETS")
    verdict = Ward().attests(measure).verdict(measure)
    assert (verdict.state.value, verdict.subject, verdict.subject_kind) == (
        "attested", "site", "site",
    )  # fmt: skip
    assert verdict.confirmed_by == "IT, named role, 2026-11-01"
    assert Ward().attests(measure, "2026-01-01").state(measure) == "broken"
    assert Ward().attests(measure, confirmed_by="").state(measure) == "not observable"
    assert Ward().attests(measure, "not a date").state(measure) == "broken"


@pytest.mark.parametrize(
    ("expires_on", "state"), [("2026-11-16", "broken"), ("2026-11-17", "attested")]
)
def test_it_expires_at_the_end_of_its_day_against_the_capture(expires_on, state) -> None:
    assert Ward().attests(MEASURES[0], expires_on).state(MEASURES[0]) == state


def test_a_later_statement_renews_an_expired_one() -> None:
    ward = Ward().attests(MEASURES[0], "2026-01-01").attests(MEASURES[0])
    assert ward.state(MEASURES[0]) == "attested"


def test_packets_that_contradict_it_break_it() -> None:
    ward = Ward().pump().attests("attested_passwords").login()
    assert ward.state("attested_passwords") == "attested"
    ward = Ward().pump().attests("attested_passwords").login(known_default="a word")
    assert ward.state("attested_passwords") == "broken"
    ward = Ward().pump().pump(PUMP_2, PUMP_2_IP).attests("attested_passwords").login()
    ward.login(server=PUMP_2_IP, server_mac=PUMP_2)
    verdict = ward.verdict("attested_passwords")
    assert verdict.state.value == "broken"
    assert verdict.evidence
