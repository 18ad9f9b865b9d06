"""What of an event reached a place, and whether that is enough."""

from tests.twin.stands import TAP, place, played

from wardwatch.twin.sight import Sight
from wardwatch.twin.ward import Frame, Mark

SEC = 10**9


def sight(frames, caught):
    people = place().ward.stations
    return Sight(frames, caught, people["laptop"], people["icu-4"])


def one(ts, kind, unit, who="laptop", peer="icu-4", role="attack", vlan=120):
    return Frame(ts, 0, b"\0" * 60, Mark(kind, who, peer, vlan, "x", role, unit=unit))


def test_a_message_counts_only_with_every_fragment():
    parts = [one(0, "offer", "1#1"), one(1, "offer", "1#2")]
    assert not sight(parts, parts[:1]).any("offer")
    assert sight(parts, parts).any("offer")


def test_a_copy_of_a_message_stands_for_it():
    frames = [
        one(0, "offer", "1#1"),
        one(1, "offer", "1#2"),
        one(2, "offer", "1#1"),
        one(3, "offer", "1#2"),
    ]
    assert sight(frames, [frames[1], frames[2]]).any("offer")


def test_all_means_all_of_a_kind_and_nothing_is_not_all():
    frames = [one(0, "control", "1"), one(1, "control", "2")]
    assert sight(frames, frames).all("control")
    assert not sight(frames, frames[:1]).all("control")
    assert not sight(frames, frames).all("login")


def test_two_tags_are_there_until_a_trunk_takes_one():
    found = played("vlan_separation/two tags, to everybody")
    told = {name: found.sight(found.caught(tap)) for name, tap in TAP.items()}
    assert [name for name, here in told.items() if here.two_tags] == ["edge"]
    reached = {name for name, here in told.items() if here.any("double tag", role="attack")}
    assert reached == {"edge", "vlan", "port", "trunk", "to"}
    ordinary = [f._replace(mark=f.mark._replace(role="")) for f in found.reached(TAP["edge"])]
    assert not sight(ordinary, ordinary).two_tags


def test_a_role_that_is_asked_for_counts_alone():
    frames = [one(0, "answer", "1", role="consequence")]
    assert not sight(frames, frames).any("answer", role="attack")


def test_a_claim_is_contested_by_frames_of_the_router_on_both_sides_within_a_minute():
    def door(ts):
        return Frame(ts, 0, b"\0" * 60, Mark("tcp", "mds-icu", "icu-1", 120, routed=True))

    claim = one(100 * SEC, "arp claim", "1")
    assert sight([claim], [door(50 * SEC), claim, door(150 * SEC)]).contested
    assert not sight([claim], [door(50 * SEC), claim]).contested
    assert not sight([claim], [door(30 * SEC), claim, door(150 * SEC)]).contested
    assert not sight([claim], [door(50 * SEC), claim, door(161 * SEC)]).contested


def test_a_pump_is_known_by_its_mac_or_its_ipv4_address_and_not_by_ipv6_behind_a_router():
    near = played("certificate_accepted/over IPv6")
    assert near.sight(near.caught(TAP["vlan"])).known
    far = played("certificate_accepted/through the router")
    assert far.sight(far.caught(TAP["relay"])).known
    assert not far.sight(()).known
