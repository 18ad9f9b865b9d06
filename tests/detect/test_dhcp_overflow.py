"""Oversize option 66 or 67: bounds, traps, who it is for."""

import pytest
from tests.verify.ward import DESK, DHCP_IP, PUMP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

TECHNIQUE = "dhcp_overflow"


def to_pump(**more) -> Ward:
    return Ward().pump().reply(ROGUE_IP, ROGUE, PUMP, **more)


@pytest.mark.parametrize(
    ("made", "number"),
    [
        ({"opt66_len": 64}, 0),
        ({"opt66_len": 65}, 1),
        ({"opt67_len": 128}, 0),
        ({"opt67_len": 129}, 1),
        ({"overrun_option": 43, "overrun_claimed": 255, "overrun_present": 3}, 1),
        ({"overrun_option": 43, "overrun_claimed": 255, "overrun_present": 3, "whole": False}, 0),
        ({"op": 1, "opt66_len": 200}, 0),
    ],
)
def test_the_bounds(made, number: int) -> None:
    found = to_pump(**made).findings(TECHNIQUE)
    assert len(found) == number
    for finding in found:
        assert finding.certainty.value == "confirmed"
        assert finding.cves == ("CVE-2017-12718",)
        assert finding.targets == ("dev-001a01000041",)
        assert finding.known_device
        assert finding.actor == f"{ROGUE} {ROGUE_IP}"
        assert "could trigger" in finding.statement


def test_pieces_that_sum_over_the_bound_are_less_sure() -> None:
    (found,) = to_pump(opt66_len=40, opt66_sum=80).findings(TECHNIQUE)
    assert found.certainty.value == "suspect"
    assert to_pump(opt66_len=32, opt66_sum=64, opt67_sum=128).findings(TECHNIQUE) == []


def test_for_another_client_it_is_a_notice() -> None:
    (found,) = Ward().pump().reply(client=DESK, opt67_len=181).findings(TECHNIQUE)
    assert found.certainty.value == "notice"
    assert not found.known_device
    assert found.speaks_against


def test_from_a_permitted_server_it_is_a_misconfiguration_as_dangerous() -> None:
    ward = Ward().pump().server("dhcp", DHCP_IP).reply(client=PUMP, opt67_len=181)
    (found,) = ward.findings(TECHNIQUE)
    assert found.variant == "misconfiguration"
    assert found.certainty.value == "confirmed"


def test_the_bound_of_67_is_said_to_be_assumed() -> None:
    (found,) = to_pump(opt67_len=129).findings(TECHNIQUE)
    assert "assumed" in found.statement
    (found,) = to_pump(opt66_len=65).findings(TECHNIQUE)
    assert "assumed" not in found.statement


def test_the_relays_two_copies_are_one_finding() -> None:
    row = {"server": DHCP_IP, "client": PUMP, "opt66_len": 99, "giaddr": ROUTER_IP, "xid": 7}
    ward = Ward().pump().reply(**row, dst_port=67, segment="vlan 30")
    ward.reply(**row, mac=ROUTER, src=ROUTER_IP, at=61.001)
    (found,) = ward.findings(TECHNIQUE)
    assert (found.actor, found.segment) == (DHCP_IP, "vlan 120")


def test_one_attack_is_one_finding_until_a_day_of_silence() -> None:
    ward = Ward().pump()
    for at in (0, 10, 86_410, 172_811):
        ward.reply(ROGUE_IP, ROGUE, PUMP, at=at, opt66_len=99)
    first, second = ward.findings(TECHNIQUE)
    assert (first.packets, second.packets) == (3, 1)
    assert first.last_ts < second.first_ts
