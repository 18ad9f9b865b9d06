"""The switches: a frame passes where IEEE 802.1Q says, and a tap catches what passes there."""

import dpkt
import pytest

from wardwatch.twin import emit
from wardwatch.twin.cast import ICU, LAN, NATIVE, NICU, SERVERS
from wardwatch.twin.drill import stations
from wardwatch.twin.switch import CORE, ROUTER, TAPS, Fabric
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
        (frame("far-laptop", "icu-1"), {"vlan", "to", "trunk", "edge"}),
        (frame("icu-1", f"gateway-{ICU}"), {"vlan", "from", "trunk"}),
        (frame("laptop", emit.BROADCAST), {"vlan", "port", "to", "trunk", "edge"}),
        (frame("icu-1", emit.BROADCAST), {"vlan", "port", "from", "to", "trunk", "edge"}),
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


def two_tags(dst: bytes | str, outer: int = NATIVE, inner: int = ICU, src="native-laptop") -> Frame:
    to = PEOPLE[dst].mac if isinstance(dst, str) else dst
    data = emit.ethernet(to, PEOPLE[src].mac, emit.IPV4, bytes(40), (outer, inner))
    return Frame(0, 0, data, Mark("x", src, "", outer))


def tags(one: Frame) -> list[int]:
    return [tag.id for tag in dpkt.ethernet.Ethernet(one.data).vlan_tags]


def test_the_first_trunk_takes_the_native_tag_and_the_next_switch_delivers_into_the_inner_vlan():
    (near, first), (far, then) = FABRIC.passages(two_tags("icu-4"))
    assert (tags(near), near.mark.vlan) == ([NATIVE, ICU], NATIVE)
    assert (first.switches, first.links, first.out) == ({"sw-nicu"}, set(), set())
    assert (tags(far), far.mark.vlan) == ([ICU], ICU)
    assert (then.switches, then.links) == ({CORE, "sw-icu"}, {"sw-nicu", "sw-icu"})
    assert (then.out, then.floods) == ({"icu-4"}, False)


def test_a_frame_that_hops_is_heard_with_both_tags_at_the_edge_alone():
    found = {tap.name: tap.caught([two_tags("icu-4")], FABRIC) for tap in TAPS}
    told = {name: [tags(one) for one in caught] for name, caught in found.items() if caught}
    assert told == {"edge": [[NATIVE, ICU]], "vlan": [[ICU]], "trunk": [[ICU]], "to": [[ICU]]}


def test_a_frame_that_hops_to_everybody_floods_the_inner_vlan_but_not_the_switch_it_came_from():
    _, (far, then) = FABRIC.passages(two_tags(emit.BROADCAST))
    assert tags(far) == [ICU]
    assert then.switches == {CORE, "sw-icu"}
    assert then.links == {"sw-nicu", "sw-icu", ROUTER}
    assert {"icu-1", "laptop"} <= then.out
    assert "far-laptop" not in then.out
    assert then.floods
    (bare,) = TAP["port"].caught([two_tags(emit.BROADCAST)], FABRIC)
    assert bare.data == emit.untagged(far.data)


def test_a_frame_that_hops_does_not_come_back_to_the_switch_it_came_from():
    _, (_, then) = FABRIC.passages(two_tags("far-laptop"))
    assert (then.switches, then.links, then.out) == ({CORE}, {"sw-nicu"}, set())
    _, (_, then) = FABRIC.passages(two_tags("nicu-1", inner=NICU))
    assert (then.switches, then.out) == ({CORE}, set())


def test_a_frame_that_hops_to_the_router_reaches_it():
    _, (_, then) = FABRIC.passages(two_tags(f"gateway-{ICU}"))
    assert (then.switches, then.links, then.out) == ({CORE}, {"sw-nicu", ROUTER}, set())


def test_a_second_tag_beneath_any_other_than_the_native_vlan_is_carried_as_it_is():
    one = two_tags("icu-1", ICU, NICU, "far-laptop")
    ((same, passage),) = FABRIC.passages(one)
    assert same == one
    assert passage == FABRIC.passage(one)
    (only,) = FABRIC.passages(frame("native-laptop", emit.BROADCAST, NATIVE))
    assert only[1].links == {"sw-icu", "sw-nicu", "sw-lan", ROUTER}
    (bare,) = TAP["trunk"].caught([only[0]], FABRIC)
    assert bare.data == emit.untagged(only[0].data)


def test_what_a_tap_catches_of_many_is_what_it_catches_of_each():
    """Whoever passed elsewhere may pass here with a second tag: the MACs and the VLAN are the same."""
    ends = [("laptop", "icu-1"), ("icu-1", "laptop"), ("far-laptop", emit.BROADCAST)]
    sent = [frame("native-laptop", "icu-4", NATIVE), two_tags("icu-4"), *(frame(*e) for e in ends)]
    sent += [*sent[::-1], frame("lan-ws-1", "printer", LAN)]
    for tap in TAPS:
        alone = [tap.caught([one], FABRIC) for one in sent]
        assert tap.caught(sent, FABRIC) == tuple(one for found in alone for one in found)


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
