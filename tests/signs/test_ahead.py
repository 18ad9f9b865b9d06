"""wardwatch.signs.ahead"""

import msgspec
import pytest
from tests.verify.ward import DHCP_IP, PUMP, ROGUE, Ward

from wardwatch.detect import detect
from wardwatch.inventory.scene import Scene
from wardwatch.signs.ahead import AHEAD
from wardwatch.verify import verify


class Unknown(tuple):
    """Devices that nobody may look at yet."""

    __slots__ = ()

    def __iter__(self):
        raise AssertionError("asked for devices before they are known")

    __len__ = __getitem__ = __contains__ = __iter__


def attacked() -> Ward:
    ward = Ward().pump().hears().zone().server("dhcp", DHCP_IP).server("router", "fe80::1")
    ward.discover().reply().reply(server="10.9.9.9", mac=ROGUE, at=62.0).reply(client=PUMP)
    ward.ask().answer().answer(server="10.9.9.8", mac=ROGUE, at=100.05)
    ward.answer(server="10.9.9.8", at=101, impossible_counts=True, ancount=99, payload_len=12)
    return ward.advert().advert(mac=ROGUE, src="fe80::bad", at=300.0)


def test_nothing_looks_at_devices_and_all_is_judged_alike() -> None:
    plain = attacked().scene()
    before = msgspec.structs.replace(attacked().scene(), devices=Unknown())
    with pytest.raises(AssertionError, match="before they are known"):
        _ = before.pumps
    for ask in AHEAD:
        ask(before)
    scene = before.with_devices(plain.devices)
    assert verify(scene) == verify(plain)
    found = detect(scene)
    assert found == detect(plain)
    assert {finding.technique for finding in found} >= {
        "rogue_dhcp",
        "rogue_dns",
        "rogue_router",
        "dns_overread",
    }


def test_what_was_asked_ahead_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from wardwatch.observe.tables import Tables

    before = msgspec.structs.replace(attacked().scene(), devices=())
    for ask in AHEAD:
        ask(before)
    scene = before.with_devices(attacked().scene().devices)
    asked = []
    settle = Tables.settle
    monkeypatch.setattr(Tables, "settle", lambda self, *a: asked.append(a[0]) or settle(self, *a))
    for ask in AHEAD:
        ask(scene)
    assert not asked
    assert isinstance(scene, Scene)
    verify(scene)
    detect(scene)
    assert asked
    assert len(asked) == len(set(asked))
