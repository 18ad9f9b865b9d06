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
