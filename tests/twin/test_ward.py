"""The switch, the router and conversations, read back by dpkt."""

from collections import defaultdict

import dpkt

from wardwatch.twin.emit import ip4, mac
from wardwatch.twin.ward import Disguise, Mark, Part, Station, Talk, Ward, profiles


def ward(mirrored=(30, 120)):
    return Ward(
        1,
        (
            Station("door-30", "gateway", mac("00:00:0c:00:00:01"), ip4("10.30.0.1"), 30),
            Station("door-120", "gateway", mac("00:00:0c:00:00:01"), ip4("10.120.0.1"), 120),
            Station("client", "workstation", mac("f8:b1:56:00:00:01"), ip4("10.30.0.9"), 30),
            Station("pump", "infusion pump", mac("00:1a:01:00:00:01"), ip4("10.120.0.9"), 120),
        ),
        mirrored,
    )


def read(frame):
    return dpkt.ethernet.Ethernet(frame.data)


def test_a_conversation_is_consistent_byte_for_byte():
    place = ward((120,))
    ends = place.stations["client"], place.stations["pump"]
    talk = Talk(place, 0, *ends, 21, "x").open()
    talk.tell(b"220 hello\r\n").ask(b"A" * 4000, acked=True).tell(b"B" * 1461).close()
    expected: dict = {}
    said = defaultdict(bytes)
    for frame in place.frames:
        tcp = read(frame).data.data
        if tcp.sport in expected:
            assert tcp.seq == expected[tcp.sport]
        if tcp.flags & dpkt.tcp.TH_ACK:
            assert tcp.ack == expected[tcp.dport]
        else:
            assert tcp.ack == 0
        length = len(tcp.data) + bool(tcp.flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN))
        expected[tcp.sport] = tcp.seq + length & 0xFFFFFFFF
        said[tcp.dport == 21] += tcp.data
    assert said == {True: b"A" * 4000, False: b"220 hello\r\n" + b"B" * 1461}
    assert [f.ts for f in place.frames] == sorted(f.ts for f in place.frames)


def test_a_routed_packet_passes_twice_with_other_macs_and_a_lower_ttl():
    place = ward()
    client, pump = place.stations["client"], place.stations["pump"]
    place.datagram(0, client, pump, (1, 2), b"hello", Mark("x", "client", "pump", 30), 5)
    near, far = map(read, place.frames)
    assert [near.vlan_tags[0].id, far.vlan_tags[0].id] == [30, 120]
    assert (near.src, far.dst) == (client.mac, pump.mac)
    assert near.dst == far.src == place.gateway(30).mac
    assert (near.data.ttl, far.data.ttl, near.data.id) == (64, 63, far.data.id)
    assert place.frames[0].mark.vlan == 30
    assert place.frames[1].mark.vlan == 120


def test_what_the_router_stops_is_absent_inside():
    place = ward()
    talk = Talk(place, 0, place.stations["client"], place.stations["pump"], 23, "x")
    talk.attempt((1.0, 2.0), stopped=True)
    assert [f.mark.vlan for f in place.frames] == [30, 30, 30]
    assert len({read(f).data.data.seq for f in place.frames}) == 1


def test_a_vlan_that_is_not_mirrored_is_not_seen():
    place = ward((120,))
    place.arp_exchange(0, place.stations["client"], place.stations["door-30"])
    assert not place.frames


def test_a_refused_syn_is_answered_with_its_own_number():
    place = ward((120,))
    Talk(place, 0, place.stations["client"], place.stations["pump"], 23, "x").refused()
    syn, rst = (read(f).data.data for f in place.frames)
    assert rst.flags == dpkt.tcp.TH_RST | dpkt.tcp.TH_ACK
    assert (rst.seq, rst.ack) == (0, syn.seq + 1)


def test_random_numbers_of_one_actor_do_not_depend_on_another():
    first, second = ward(), ward()
    second.draws("somebody else").random()
    assert first.draws("a", 1).random() == second.draws("a", 1).random()
    assert first.draws("a", 1).random() != first.draws("a", 2).random()


def test_every_profile_says_what_it_assumes_and_where_the_rest_is_from():
    assert {"medfusion-4000-1.1.2", "medfusion-4000-1.6.1", "bbraun-space"} <= profiles().keys()
    for profile in profiles().values():
        assert profile.assumed
        assert profile.source


def test_a_disguise_sends_twice_in_small_parts_and_out_of_order():
    place = ward((120,))
    ends = place.stations["client"], place.stations["pump"]
    place.begin(Disguise(mss=4, resent=True, swapped=True))
    Talk(place, 0, *ends, 21, "x", part=Part("e", "attack")).open().ask(b"abcdefghij")
    sent = [read(f).data.data for f in sorted(place.frames)]
    data = {}
    for tcp in sent:
        if tcp.data:
            data.setdefault(tcp.seq, []).append(tcp.data)
    assert sorted(data.items())[0][1] == [b"abcd"] * 2
    assert b"".join(parts[0] for _, parts in sorted(data.items())) == b"abcdefghij"
    assert [t.data for t in sent if t.data][:2] == [b"efgh", b"abcd"]
    assert len({f.mark.unit for f in place.frames}) * 2 == len(place.frames)


def test_the_ordinary_day_wears_no_disguise_and_bears_no_unit():
    place = ward((120,))
    place.begin(Disguise(mss=4))
    Talk(place, 0, place.stations["client"], place.stations["pump"], 21, "x").open().ask(
        b"abcdefghij"
    )
    assert [read(f).data.data.data for f in place.frames][-1] == b"abcdefghij"
    assert {f.mark.unit for f in place.frames} == {""}
