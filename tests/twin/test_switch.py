"""The switches: a frame passes where IEEE 802.1Q says, and a tap catches what passes there."""

import dpkt
import pytest

from wardwatch.twin import emit
from wardwatch.twin.cast import ICU, LAN, SERVERS
from wardwatch.twin.drill import stations
from wardwatch.twin.switch import ROUTER, TAPS, Fabric
from wardwatch.twin.ward import Frame, Mark

PEOPLE = {one.name: one for one in stations(1)}
FABRIC = Fabric(PEOPLE.values())
TAP = {tap.name: tap for tap in TAPS}


def frame(src: str, dst: bytes | str, vlan: int = ICU) -> Frame:
    to = PEOPLE[dst].mac if isinstance(dst, str) else dst
    data = emit.ethernet(to, PEOPLE[src].mac, emit.IPV4, bytes(40), (vlan,))
    return Frame(0, 0, data, Mark("x", src, "", vlan))


def heard(one: Frame) -> set[str]:
    return {tap.name for tap in TAPS if tap.caught([one], FABRIC)}


@pytest.mark.parametrize(
    ("one", "places"),
    [
        (frame("laptop", "icu-1"), {"vlan", "to"}),
        (frame("icu-1", "laptop"), {"vlan", "from"}),
        (frame("far-laptop", "icu-1"), {"vlan", "to", "trunk"}),
        (frame("icu-1", f"gateway-{ICU}"), {"vlan", "from", "trunk"}),
        (frame("laptop", emit.BROADCAST), {"vlan", "port", "to", "trunk"}),
        (frame("icu-1", emit.BROADCAST), {"vlan", "port", "from", "to", "trunk"}),
        (frame("dns", f"gateway-{LAN}", LAN), {"relay"}),
        (frame("lan-ws-1", "printer", LAN), set()),
        (frame(f"gateway-{SERVERS}", "mds-icu", SERVERS), {"routed"}),
        (frame("nicu-1", "nicu-2", 121), set()),
    ],
)
def test_a_frame_is_heard_where_it_passes_and_nowhere_else(one, places):
    assert heard(one) == places


def test_a_frame_for_a_mac_nobody_has_floods():
    one = frame("laptop", emit.mac("02:00:00:00:00:01"))
    assert FABRIC.passage(one).floods
    assert heard(one) == heard(frame("laptop", emit.BROADCAST))


def test_a_unicast_frame_crosses_no_uplink_between_ports_of_one_switch():
    passage = FABRIC.passage(frame("laptop", "icu-1"))
    assert passage.links == frozenset()
    assert passage.out == {"icu-1"}
    assert FABRIC.passage(frame("icu-1", f"gateway-{ICU}")).links == {"sw-icu", ROUTER}


def test_an_access_port_hands_frames_out_without_their_tag():
    (one,) = TAP["port"].caught([frame("laptop", emit.BROADCAST)], FABRIC)
    assert not hasattr(dpkt.ethernet.Ethernet(one.data), "vlan_tags")


def test_a_tunnelled_uplink_carries_the_whole_frame_in_vxlan():
    sent = frame("far-laptop", "icu-1")
    (one,) = TAP["trunk"].caught([sent], FABRIC, tunnelled=True)
    outer = dpkt.ethernet.Ethernet(one.data)
    assert outer.data.data.dport == emit.VXLAN_PORT
    assert outer.data.data.data[8:] == emit.untagged(sent.data)


def test_the_air_is_heard_by_the_monitor_alone():
    one = Frame(0, 1, b"\0" * 40, Mark("beacon", "ap", "", 0))
    assert heard(one) == {"air"}
