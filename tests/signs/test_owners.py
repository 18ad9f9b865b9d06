"""Owners: addresses beside their devices, and whose side of a router one sees."""

import pytest
from tests.verify.ward import DESK, LAN, PUMP, PUMP_2, PUMP_IP, ROUTER, Ward

from wardwatch.signs.owners import homes, owned, spoke


def test_an_address_has_one_owner() -> None:
    ward = Ward().pump().pump(PUMP_2, PUMP_IP)
    assert owned(ward.devices) == {
        PUMP: "dev-001a01000041", PUMP_IP: "dev-001a01000041", PUMP_2: "dev-001a01000042",
    }  # fmt: skip


def test_home_is_where_the_own_mac_speaks_most() -> None:
    ward = Ward().pump().present(PUMP, 0, 9, segment=LAN).present(PUMP, 20, 30)
    assert homes(ward.scene(), ward.devices) == {"dev-001a01000041": ["vlan 120", LAN]}
    assert homes(Ward().device(PUMP).scene(), []) == {}


def test_of_a_crowd_devices_and_whoever_was_sent_something_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ward = Ward().pump().present(PUMP_2, 0, 9).present(ROUTER, 0, 9, received=0)
    ward.device(DESK, kind="workstation").present(DESK, 5, 9, segment=LAN, received=0)
    everybody = spoke(ward.scene())
    assert {(s[0], s[1], s[3]) for of in everybody.values() for s in of} == {
        ("vlan 120", PUMP, True), ("vlan 120", PUMP_2, True), ("vlan 120", ROUTER, False),
        (LAN, DESK, False),
    }  # fmt: skip
    monkeypatch.setattr("wardwatch.signs.owners.is_crowded", lambda tables: True)
    assert spoke(ward.scene()) == {
        segment: [station for station in of if station[1] != ROUTER]
        for segment, of in everybody.items()
    }
