"""Owners: addresses beside their devices, and whose side of a router one sees."""

from tests.verify.ward import LAN, PUMP, PUMP_2, PUMP_IP, Ward

from wardwatch.signs.owners import homes, owned


def test_an_address_has_one_owner() -> None:
    ward = Ward().pump().pump(PUMP_2, PUMP_IP)
    assert owned(ward.devices) == {
        PUMP: "dev-001a01000041", PUMP_IP: "dev-001a01000041", PUMP_2: "dev-001a01000042",
    }  # fmt: skip


def test_home_is_where_the_own_mac_speaks_most() -> None:
    ward = Ward().pump().present(PUMP, 0, 9, segment=LAN).present(PUMP, 20, 30)
    assert homes(ward.scene(), ward.devices) == {"dev-001a01000041": ["vlan 120", LAN]}
    assert homes(Ward().device(PUMP).scene(), []) == {}
