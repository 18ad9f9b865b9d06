"""Who: devices by address, and a forger's own address."""

from tests.verify.ward import PUMP, PUMP_2, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, ROUTER_IP, Ward

from wardwatch.model.device import Confidence
from wardwatch.signs.who import Who, actor_text, own_ips


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
    assert own_ips(ward.scene(), [ROGUE, "00:00:00:00:00:09"]) == {ROGUE: ROGUE_IP}


def test_forgers_are_told_apart_and_asked_for_once(monkeypatch) -> None:
    ward = Ward().bound(ROUTER, ROUTER_IP).bound(ROGUE, ROGUE_IP).bound(PUMP, "fe80::41", start=1)
    ward.bound(PUMP, PUMP_IP, "ip", start=2).bound(PUMP, "10.9.9.9", start=3)
    scene = ward.scene()
    asked = []
    ask = scene.tables.ask
    monkeypatch.setattr(
        scene.tables, "ask", lambda sql, *more, **of: (asked.append(sql), ask(sql, *more, **of))[1]
    )
    assert own_ips(scene, [ROGUE, PUMP, ROGUE]) == {ROGUE: ROGUE_IP, PUMP: "10.9.9.9"}
    assert len(asked) == 1
    assert own_ips(scene, []) == {}
    assert len(asked) == 1


def test_actors_are_mac_then_address() -> None:
    assert actor_text("aa", "1.1.1.1") == "aa 1.1.1.1"
    assert actor_text("", "1.1.1.1") == "1.1.1.1"
    assert actor_text("aa", "") == "aa"
