"""Clear-text FTP logins."""

import pytest
from tests.verify.ward import PUMP, PUMP_IP, SAID, Ward

from wardwatch.model.site import KnownSecret

TECHNIQUE = "ftp_login"


@pytest.mark.parametrize(
    ("outcome", "variant"), [("success", "success"), ("failed", "attempt"), ("unknown", "attempt")]
)
def test_attempt_and_success(outcome: str, variant: str) -> None:
    (found,) = Ward().pump().login(outcome=outcome).findings(TECHNIQUE)
    assert (found.variant, found.certainty.value) == (variant, "confirmed")
    assert found.cves == ("CVE-2017-12724",)


def test_a_success_outweighs_the_attempts_before_it() -> None:
    ward = Ward().pump().login(outcome="failed", at=1).login(at=2)
    (found,) = ward.findings(TECHNIQUE)
    assert (found.variant, found.packets) == ("success", 2)


def test_hard_coded_only_where_the_operator_supplied_it() -> None:
    (found,) = Ward().pump().login(known_default="a word").findings(TECHNIQUE)
    assert found.variant == "default"
    ward = Ward().pump().login(known_default="factory")
    ward.states(secret=KnownSecret(name="factory", scrypt="", **SAID))
    assert ward.findings(TECHNIQUE)[0].variant == "hard-coded"
    ward = Ward().pump().login(known_default="factory", outcome="failed")
    ward.states(secret=KnownSecret(name="factory", scrypt="", **SAID))
    assert ward.findings(TECHNIQUE)[0].variant == "attempt"


@pytest.mark.parametrize(
    "harmless",
    [
        {"anonymous": True},
        {"protocol": "http"},
        {
            "client": PUMP_IP,
            "client_mac": PUMP,
            "server": "10.30.0.9",
            "server_mac": "00:50:56:0:0:9",
        },
    ],
)
def test_anonymous_and_the_pump_as_client_are_none(harmless) -> None:
    assert Ward().pump().login(**harmless).findings(TECHNIQUE) == []


def test_another_server_is_a_notice_and_no_digest_is_shown() -> None:
    (found,) = Ward().login().findings(TECHNIQUE)
    assert found.certainty.value == "notice"
    assert "ab" * 32 not in repr(found)
