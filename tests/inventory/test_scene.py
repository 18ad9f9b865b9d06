from tests.inventory.seen import PLAIN, PUMP, Evidence

from wardwatch.inventory.scene import Scene
from wardwatch.model.site import Site


def test_a_scene_finds_devices_by_address_and_kind():
    seen = Evidence().station(PUMP, "10.1.2.3").station(PLAIN, "10.1.2.9")
    scene = Scene(tables=seen.tables, devices=seen.devices(), site=Site(), now=0)
    assert scene.device_by_mac(PLAIN).ips == ("10.1.2.9",)
    assert scene.device_by_ip("10.1.2.3").macs == (PUMP,)
    assert scene.device_by_ip("10.1.2.77") is None
    assert [device.macs for device in scene.pumps] == [(PUMP,)]
    assert scene.medical == scene.pumps


def test_what_several_ask_is_answered_once_a_scene():
    seen = Evidence()
    scene = Scene(tables=seen.tables, devices=(), site=Site(), now=0)
    asked = []
    for _ in range(2):
        assert scene.once(("contacts", 1), lambda: asked.append(1) or len(asked)) == 1
    assert scene.once(("contacts", 2), lambda: asked.append(2) or len(asked)) == 2
    other = Scene(tables=seen.tables, devices=(), site=Site(), now=0)
    assert other.once(("contacts", 1), lambda: "anew") == "anew"
