"""Telnet: exposed, tried, logged in to."""

import pytest
from tests.verify.ward import PUMP, PUMP_IP, ROGUE, ROGUE_IP, Ward

TECHNIQUE = "telnet"


def exposed() -> Ward:
    ward = Ward().pump().tcp(ROGUE_IP, PUMP_IP, 23, orig_mac=ROGUE, conversation=7)
    row = {"server": PUMP_IP, "server_mac": PUMP, "server_port": 23, "protocol": "telnet"}
    return ward.add("banners", 5, conversation=7, text="RTCS", **row)


def test_a_banner_is_exposed_to_whoever_saw_it() -> None:
    (found,) = exposed().findings(TECHNIQUE)
    assert (found.variant, found.actor) == ("exposed", f"{ROGUE} {ROGUE_IP}")
    assert found.cves == ("CVE-2017-12726",)


@pytest.mark.parametrize(("outcome", "variant"), [("success", "success"), ("failed", "attempt")])
def test_banner_and_login_of_one_client_are_one_finding(outcome: str, variant: str) -> None:
    ward = exposed().login("telnet", server_port=23, outcome=outcome)
    (found,) = ward.findings(TECHNIQUE)
    assert (found.variant, found.packets) == (variant, 2)


def test_a_banner_of_another_protocol_is_none() -> None:
    row = {"server": PUMP_IP, "server_mac": PUMP, "server_port": 22, "protocol": "ssh"}
    assert Ward().pump().add("banners", 5, **row).findings(TECHNIQUE) == []


def test_another_server_is_a_notice() -> None:
    (found,) = Ward().login("telnet").findings(TECHNIQUE)
    assert found.certainty.value == "notice"
