"""Who: devices by address, and a forger's own address."""

from tests.verify.ward import PUMP, PUMP_2, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

from wardwatch.model.device import Confidence
from wardwatch.signs.who import Who, actor_text, own_ip


def test_known_devices_bear_their_id_and_others_their_address() -> None:
    ward = Ward().pump().device(ROGUE, ROGUE_IP, kind="", confidence=Confidence.UNKNOWN)
    who = Who(ward.scene())
    assert who.named(PUMP) == who.named(PUMP_IP) == "dev-001a01000041"
    assert who.named(ROGUE) == ROGUE
    assert who.device(ip=ROGUE_IP) is not None
    assert who.pump_macs == who.known_macs == [PUMP]


def test_a_reused_address_stays_with_the_first() -> None:
    who = Who(Ward().pump().pump(PUMP_2, PUMP_IP).scene())
    assert who.named(PUMP_IP) == "dev-001a01000041"


def test_a_forger_is_known_by_the_address_nobody_else_claims() -> None:
    ward = Ward().bound(ROUTER, ROUTER_IP).bound(ROGUE, ROUTER_IP, start=1)
    ward.bound(ROGUE, "fe80::66", start=2).bound(ROGUE, ROGUE_IP, "ip", start=900)
    assert own_ip(ward.scene(), ROGUE) == ROGUE_IP
    assert own_ip(ward.scene(), "00:00:00:00:00:09") == ""


def test_actors_are_mac_then_address() -> None:
    assert actor_text("aa", "1.1.1.1") == "aa 1.1.1.1"
    assert actor_text("", "1.1.1.1") == "1.1.1.1"
    assert actor_text("aa", "") == "aa"
