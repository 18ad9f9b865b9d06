"""wardwatch.decode.kernels.headers"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.kernels import naive
from tests.decode.kernels.blocks import block_of, block_of_file, decoded, records, row_of
from tests.decode.kernels.packets import (
    arp,
    authentication,
    avs,
    capwap,
    cooked,
    cooked2,
    dot3,
    erspan2,
    erspan3,
    ether,
    extension,
    fragment6,
    geneve,
    gre,
    ipv4,
    ipv6,
    macsec,
    mpls,
    ppi,
    ppp,
    pppoe,
    pptp,
    prism,
    radiotap,
    snap,
    tag,
    tcp,
    trustsec,
    turned,
    udp,
    vxlan,
    wlan,
)
from tests.shared import CAPTURES, needs_shared

from wardwatch.decode.columns import S_TAG
from wardwatch.decode.kernels import headers

ROOT = Path(__file__).parents[3]

TCP = ipv4(6, tcp(40000, 80, b"GET /"))
UDP6 = ipv6(17, udp(5353, 5353, b"\0" * 12))
FRAME = ether(0x0800, TCP)
DATA = wlan(2, 0, snap(0, 0x0800, TCP), flags=1)
SEVENTEENTH = wlan(2, 0, snap(0, 0x0800, TCP), flags=1, fragment=17 << 4)

HONEST = {
    # name: (link, packet, what the row must say)
    "ethernet": (1, FRAME, {"reason": "ipv4 tcp", "src_port": 40000, "payload": (54, 5, 5)}),
    "padded": (1, FRAME + bytes(9), {"payload": (54, 5, 5)}),
    "ipv6": (1, ether(0x86DD, UDP6), {"reason": "ipv6 udp", "kind": "dns", "net": 6}),
    "vlan": (1, ether(0x8100, tag(0x6078, 0x0800, TCP)), {"vlan": 0x78}),
    "priority tag": (1, ether(0x8100, tag(0xE000, 0x0800, TCP)), {"vlan": -1}),
    "qinq": (
        1,
        ether(0x88A8, tag(9, 0x8100, tag(120, 0x0800, TCP))),
        {"vlan": 120, "outer_tag": S_TAG | 9},
    ),
    "qinq before 802.1ad": (
        1,
        ether(0x9100, tag(9, 0x8100, tag(120, 0x0800, TCP))),
        {"vlan": 120, "outer_tag": S_TAG | 9},
    ),
    "two C-TAGs": (
        1,
        ether(0x8100, tag(0xE001, 0x8100, tag(120, 0x0800, TCP))),
        {"vlan": 120, "outer_tag": 1},
    ),
    "of three tags the outermost": (
        1,
        ether(0x8100, tag(1, 0x88A8, tag(7, 0x8100, tag(120, 0x0800, TCP)))),
        {"vlan": 120, "outer_tag": 1},
    ),
    "a service tag alone": (1, ether(0x88A8, tag(9, 0x0800, TCP)), {"vlan": 9, "outer_tag": 0}),
    "a priority tag outside": (
        1,
        ether(0x8100, tag(0, 0x8100, tag(120, 0x0800, TCP))),
        {"vlan": 120, "outer_tag": 0},
    ),
    "a priority tag inside": (
        1,
        ether(0x8100, tag(120, 0x8100, tag(0, 0x0800, TCP))),
        {"vlan": 120, "outer_tag": 0},
    ),
    "priority tags around and between": (
        1,
        ether(0x8100, tag(0, 0x8100, tag(1, 0x8100, tag(0, 0x8100, tag(120, 0x0800, TCP))))),
        {"vlan": 120, "outer_tag": 1},
    ),
    "two tags outside a tunnel's frame": (
        1,
        ether(
            0x8100,
            tag(1, 0x8100, tag(2, 0x0800, ipv4(17, udp(9, 4789, vxlan(5, FRAME))))),
        ),
        {"vlan": -1, "outer_tag": 0},
    ),
    "two tags inside a tunnel": (
        101,
        ipv4(17, udp(9, 4789, vxlan(5, ether(0x8100, tag(1, 0x8100, tag(2, 0x0800, TCP)))))),
        {"vlan": 2, "outer_tag": 1},
    ),
    "a tag on either side of GRE": (
        1,
        ether(0x8100, tag(1, 0x0800, ipv4(47, gre(0x8100, tag(2, 0x0800, TCP))))),
        {"vlan": 2, "outer_tag": 0},
    ),
    "mpls": (1, ether(0x8847, mpls([17, 29], TCP)), {"tunnel": "mpls", "tunnel_id": 17}),
    "mpls pseudowire": (1, ether(0x8847, mpls([17], bytes(4) + FRAME)), {"src_port": 40000}),
    "mpls frame": (1, ether(0x8847, mpls([17], FRAME)), {"src_port": 40000}),
    "gre": (
        1,
        ether(0x0800, ipv4(47, gre(0x0800, TCP, key=5, sequence=1, checksum=True))),
        {"tunnel_id": 5},
    ),
    "gre bridged": (101, ipv4(47, gre(0x6558, FRAME)), {"tunnel": "gre", "has_mac": 1}),
    "gre aruba": (
        101,
        ipv4(47, gre(0x8210, DATA)),
        {"tunnel": "gre", "src_port": 40000, "wlan_subtype": 32},
    ),
    "gre aruba 9000": (101, ipv4(47, gre(0x9000, DATA)), {"src_port": 40000}),
    "gre wccp": (101, ipv4(47, gre(0x883E, bytes(4) + TCP)), {"src_port": 40000}),
    "erspan 1": (101, ipv4(47, gre(0x88BE, FRAME)), {"tunnel": "erspan", "tunnel_id": -1}),
    "erspan 2": (101, ipv4(47, gre(0x88BE, erspan2(77, FRAME), sequence=3)), {"tunnel_id": 77}),
    "erspan 3": (
        101,
        ipv4(47, gre(0x22EB, erspan3(77, FRAME, platform=True), sequence=3)),
        {"tunnel_id": 77},
    ),
    "erspan 3 ip": (
        101,
        ipv4(47, gre(0x22EB, erspan3(7, TCP, kind=2), sequence=3)),
        {"src_port": 40000},
    ),
    "pptp": (
        101,
        ipv4(47, pptp(33, ppp(0x21, TCP, short=True), acknowledge=2)),
        {"tunnel": "pptp", "tunnel_id": 33},
    ),
    "vxlan": (
        101,
        ipv4(17, udp(9, 4789, vxlan(123, FRAME))),
        {"tunnel": "vxlan", "tunnel_id": 123},
    ),
    "a DNS answer to a client on VXLAN's port": (
        101,
        ipv4(17, udp(53, 4789, vxlan(123, FRAME))),
        {"tunnel": "", "src_port": 53, "dst_port": 4789, "kind": "dns"},
    ),
    "a DHCP answer to a client on CAPWAP's port": (
        101,
        ipv4(17, udp(67, 5247, capwap(FRAME))),
        {"tunnel": "", "src_port": 67, "kind": "dhcp"},
    ),
    "vxlan arp": (
        101,
        ipv4(17, udp(9, 4789, vxlan(1, ether(0x0806, arp())))),
        {"reason": "arp", "net": 0},
    ),
    "geneve": (
        101,
        ipv4(17, udp(9, 6081, geneve(3, 0x6558, FRAME, 2))),
        {"tunnel": "geneve", "tunnel_id": 3},
    ),
    "capwap 802.3": (
        101,
        ipv4(17, udp(5247, 9, capwap(FRAME))),
        {"tunnel": "capwap", "src_port": 40000},
    ),
    "capwap 802.11": (101, ipv4(17, udp(9, 5247, capwap(DATA, native=True))), {"src_port": 40000}),
    "capwap swapped": (
        101,
        ipv4(17, udp(9, 5247, capwap(turned(DATA), native=True, words=4))),
        {"src_port": 40000, "wlan_subtype": 32},
    ),
    "capwap swapped, not a fragment": (
        101,
        ipv4(17, udp(9, 5247, capwap(turned(SEVENTEENTH), native=True, words=4))),
        {"src_port": 40000, "wlan_subtype": 32},
    ),
    "capwap swapped management": (
        101,
        ipv4(17, udp(9, 5247, capwap(turned(wlan(0, 4, bytes(12))), native=True))),
        {"reason": "802.11 probe request", "wlan_subtype": 4},
    ),
    "ip in ip": (101, ipv4(4, TCP), {"tunnel": "ip", "src_port": 40000}),
    "6in4": (101, ipv4(41, UDP6), {"tunnel": "ip", "net": 6}),
    "teredo": (101, ipv4(17, udp(3544, 9, bytes(8) + UDP6)), {"tunnel": "teredo", "net": 6}),
    "etherip": (101, ipv4(97, b"\x30\0" + FRAME), {"tunnel": "etherip", "has_mac": 1}),
    "options": (
        101,
        ipv4(6, tcp(1, 2, options=bytes(8)), options=bytes(12)),
        {"payload": (60, 0, 0)},
    ),
    "extensions": (
        101,
        ipv6(0, extension(43, extension(51, authentication(17, udp(1, 2, b"x")), 1))),
        {"extensions": 1, "src_port": 1, "proto": 17},
    ),
    "authentication": (101, ipv4(51, authentication(6, tcp(1, 2))), {"proto": 6, "src_port": 1}),
    "sctp": (101, ipv4(132, bytes(20)), {"reason": "ipv4 sctp", "src_port": 0}),
    "igmp": (101, ipv4(2, bytes(8)), {"reason": "ipv4 igmp"}),
    "dtp": (1, dot3(snap(0x0C, 0x2004, b"\x01")), {"reason": "dtp", "kind": "control"}),
    "ip by llc": (1, dot3(b"\x06\x06\x03" + TCP), {"src_port": 40000}),
    "hsrp": (101, ipv4(17, udp(1985, 1985, bytes(20))), {"kind": "redundancy"}),
    "ppp bridged": (9, ppp(0x31, b"\0\x01" + FRAME), {"has_mac": 1, "src_port": 40000}),
    "mpls in ip": (101, ipv4(137, mpls([9], TCP)), {"tunnel": "mpls", "tunnel_id": 9}),
    "atomic fragment": (
        101,
        ipv6(44, fragment6(17, udp(1, 2, b"x"))),
        {"fragment": -1, "src_port": 1},
    ),
    "first fragment": (
        101,
        ipv4(17, udp(1, 2, b"x" * 8), fragment=0x2000),
        {"kind": "fragment", "fragment": 1},
    ),
    "later fragment": (101, ipv4(17, bytes(8), fragment=2), {"fragment": 32, "src_port": -1}),
    "fragment 6": (101, ipv6(44, fragment6(17, bytes(8), 16, 1)), {"fragment": 33, "ip_id": 9}),
    "offload": (1, ether(0x0800, ipv4(6, tcp(1, 2, b"x" * 70_000), total=0)), {"ip_bytes": 70_040}),
    "pppoe": (1, ether(0x8864, pppoe(17, ppp(0x21, TCP))), {"tunnel": "pppoe", "tunnel_id": 17}),
    "pppoe link": (51, pppoe(17, ppp(0x57, UDP6)), {"net": 6}),
    "ppp": (9, ppp(0x21, TCP, control=True), {"ethertype": 0x0800}),
    "trustsec": (1, ether(0x8909, trustsec(4, 0x0800, TCP)), {"src_port": 40000}),
    "macsec": (1, ether(0x88E5, macsec(0x0800, TCP, sci=True)), {"src_port": 40000}),
    "cooked": (113, cooked(0x0800, TCP), {"src_mac": 0x001A01000001, "has_mac": 0}),
    "cooked 2": (276, cooked2(0x86DD, UDP6), {"net": 6}),
    "cooked llc": (113, cooked(4, b"\x42\x42\x03" + bytes(35)), {"reason": "stp"}),
    "loopback little": (0, b"\x02\0\0\0" + TCP, {"src_port": 40000}),
    "loopback big": (108, b"\0\0\0\x1e" + UDP6, {"net": 6}),
    "raw": (12, UDP6, {"net": 6, "ethertype": 0x86DD}),
    "raw 4": (228, TCP, {"net": 4}),
    "raw 6": (229, UDP6, {"net": 6}),
    "802.11 data": (
        105,
        DATA,
        {"src_mac": 0x0A0000000002, "dst_mac": 0x0A0000000003, "has_mac": 1},
    ),
    "802.11 four addresses": (
        105,
        wlan(2, 8, snap(0, 0x86DD, UDP6), flags=0x83),
        {"src_mac": 0x0A0000000004, "dst_mac": 0x0A0000000003, "net": 6},
    ),
    "802.11 from ds": (
        105,
        wlan(2, 0, snap(0, 0x0806, arp()), flags=2),
        {"kind": "arp", "src_mac": 0x0A0000000003},
    ),
    "beacon": (
        127,
        radiotap(wlan(0, 8, bytes(20)), fcs=True, words=2),
        {"reason": "802.11 beacon", "wlan_freq": 2437},
    ),
    "radiotap data": (
        127,
        radiotap(DATA, fcs=True, tsft=False),
        {"src_port": 40000, "payload": (14 + 24 + 8 + 40, 5, 5)},
    ),
    "ppi": (192, ppi(DATA, fcs=True), {"src_port": 40000, "wlan_freq": 5180}),
    "ppi ethernet": (192, ppi(FRAME, 1), {"src_port": 40000}),
    "prism": (119, prism(DATA), {"src_port": 40000}),
    "avs": (163, avs(DATA), {"src_port": 40000}),
    "cdp": (
        1,
        dot3(snap(0x0C, 0x2000, b"\x02\xb4")),
        {"kind": "cdp", "payload": (22, 2, 2), "ethertype": -1},
    ),
    "lldp": (1, ether(0x88CC, b"\x02"), {"kind": "lldp"}),
    "lacp": (1, ether(0x8809, b"\x01\x01"), {"reason": "lacp", "kind": "control"}),
    "eapol": (1, ether(0x888E, b"\x01"), {"reason": "eapol", "kind": "control"}),
    "xid": (1, dot3(b"\0\x01\xaf\x81\x01\x02"), {"reason": "xid", "kind": "control"}),
    "dhcp by content": (
        101,
        ipv4(17, udp(9, 9, bytes(236) + b"\x63\x82\x53\x63")),
        {"kind": "dhcp"},
    ),
    "tftp by content": (101, ipv4(17, udp(9, 9, b"\0\1pump.cfg\0OCTET\0")), {"kind": "tftp"}),
    "router advert": (
        101,
        ipv6(58, bytes((134, 0)) + bytes(14)),
        {"kind": "icmp6", "src_port": 134},
    ),
    "unreachable": (101, ipv4(1, bytes((3, 13)) + bytes(30)), {"kind": "icmp", "dst_port": 13}),
    "vrrp": (101, ipv4(112, b"\x21"), {"kind": "redundancy"}),
}


def nested(depth):
    """IP in IP in IP."""
    return ipv4(4, nested(depth - 1)) if depth else TCP


NAMED = {
    # name: (link, packet, wire, outcome, reason)
    "esp": (101, ipv4(50, bytes(20)), 0, "skipped", "esp encrypted"),
    "macsec": (
        1,
        ether(0x88E5, macsec(0x0800, TCP, encrypted=True)),
        0,
        "skipped",
        "macsec encrypted",
    ),
    "capwap": (
        101,
        ipv4(17, udp(5247, 9, capwap(b"x" * 30, dtls=True))),
        0,
        "skipped",
        "encrypted capwap",
    ),
    "capwap piece": (
        101,
        ipv4(17, udp(5247, 9, capwap(FRAME, fragment=True))),
        0,
        "skipped",
        "capwap fragment",
    ),
    "protected": (105, wlan(2, 0, bytes(20), flags=0x41), 0, "skipped", "802.11 protected data"),
    "a-msdu": (105, wlan(2, 8, bytes(20), qos=0x80), 0, "skipped", "802.11 a-msdu"),
    "802.11 piece": (105, wlan(2, 0, bytes(20), fragment=1), 0, "skipped", "802.11 fragment"),
    "link": (147, bytes(64), 0, "skipped", "link type not known"),
    "type": (1, ether(0x1234, bytes(46)), 0, "skipped", "ethertype not known"),
    "profinet": (1, ether(0x8892, bytes(46)), 0, "skipped", "profinet"),
    "ppp control": (9, ppp(0xC021, bytes(8)), 0, "skipped", "ppp control"),
    "short": (1, FRAME[:40], 0, "malformed", "tcp header short"),
    "cut": (1, FRAME[:40], len(FRAME), "malformed", "tcp header cut by snap length"),
    "cut ethernet": (1, FRAME[:10], 60, "malformed", "ethernet header cut by snap length"),
    "empty": (1, b"", 0, "malformed", "ethernet header short"),
    "version": (228, UDP6, 0, "malformed", "ipv4 version or header length wrong"),
    "total": (
        101,
        ipv4(6, tcp(1, 2), total=19),
        0,
        "malformed",
        "ipv4 total length shorter than its header",
    ),
    "offset": (
        101,
        ipv4(6, tcp(1, 2)[:12] + b"\x40" + bytes(7)),
        0,
        "malformed",
        "tcp data offset below 5",
    ),
    "udp length": (101, ipv4(17, udp(1, 2, b"", claimed=7)), 0, "malformed", "udp length below 8"),
    "nested": (101, nested(45), 0, "malformed", "too many headers"),
    "labels": (1, ether(0x8847, mpls(range(17), TCP)), 0, "malformed", "too many headers"),
}


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", HONEST)
def test_every_link_and_tunnel_is_read_to_its_transport(name: str, plain: bool) -> None:
    link, packet, wanted = HONEST[name]
    block = block_of([packet], link=link)
    columns, _ = decoded(block, plain)
    row = row_of(block, columns, 0)
    assert row["outcome"] == "decoded", row["reason"]
    assert {k: row[k] for k in wanted} == wanted
    assert row == naive.row_of(naive.Packet(link, packet, len(packet)))


MANAGEMENT, RETRY, SLEEPS, MORE = range(14), 0x08, 0x10, 0x20
IN_CAPWAP = [
    *[wlan(0, subtype, bytes(9), flags=flags) for subtype in MANAGEMENT for flags in (0, RETRY)],
    *[wlan(0, subtype, bytes(9), flags=0x40) for subtype in range(10, 14)],
    *[
        wlan(2, subtype, snap(0, 0x0800, TCP), flags=flags | more, fragment=17 << 4)
        for subtype in (0, 4, 8, 12)
        for flags in (1, 2)
        for more in (0, RETRY, SLEEPS, MORE, RETRY | SLEEPS)
    ],
]


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
def test_frames_in_capwap_are_the_same_either_way_round(plain: bool) -> None:
    ways = [(frame, turned(frame)) for frame in IN_CAPWAP]
    packets = [ipv4(17, udp(9, 5247, capwap(way, native=True))) for both in ways for way in both]
    block = block_of(packets, link=101)
    columns, _ = decoded(block, plain)
    rows = [row_of(block, columns, i) for i in range(block.n)]
    assert [row["outcome"] for row in rows] == ["decoded"] * len(packets)
    assert rows[::2] == rows[1::2]
    told = [row["wlan_subtype"] for row in rows[::2]]
    assert told == [(frame[0] >> 2 & 3) * 16 + (frame[0] >> 4) for frame in IN_CAPWAP]
    assert rows == [naive.row_of(naive.Packet(101, packet, len(packet))) for packet in packets]


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_read_is_named(name: str, plain: bool) -> None:
    link, packet, wire, outcome, why = NAMED[name]
    block = block_of([packet], link=link, wire=[wire or len(packet)])
    columns, _ = decoded(block, plain)
    row = row_of(block, columns, 0)
    assert (row["outcome"], row["reason"]) == (outcome, why)
    assert row == naive.row_of(naive.Packet(link, packet, wire or len(packet)))


@pytest.mark.parametrize("name", HONEST)
def test_every_cut_of_a_packet_is_what_the_plain_twin_says(name: str) -> None:
    link, packet, _ = HONEST[name]
    cuts = [packet[:k] for k in range(min(len(packet), 200))]
    for wire in (None, [len(packet)] * len(cuts)):
        block = block_of(cuts, link=link, wire=wire)
        columns, _ = decoded(block)
        for i, cut in enumerate(cuts):
            twin = naive.Packet(link, cut, int(block.wire[i]))
            assert row_of(block, columns, i) == naive.row_of(twin), i


def test_a_length_on_the_wire_that_cannot_be_does_not_overflow() -> None:
    packets = [ether(0x0806, arp()), ether(0x0800, ipv4(6, tcp(1, 2), total=0))]
    block = block_of(packets, wire=[(1 << 32) - 1] * 2)
    columns, _ = decoded(block)
    for i, packet in enumerate(packets):
        row = row_of(block, columns, i)
        assert row == naive.row_of(naive.Packet(1, packet, (1 << 32) - 1))
        assert row["payload"][2] > 1 << 29


def _tags(block, events):
    found = {(kind, value): (count, first) for kind, value, count, first in events.rows()}
    return {key: count for key, (count, _) in found.items()}


def test_tags_labels_and_tunnels_are_counted_with_their_first_packet() -> None:
    packets = [
        FRAME,
        ether(0x88A8, tag(9, 0x8100, tag(9, 0x8847, mpls([5, 6], TCP)))),
        ether(0x8100, tag(9, 0x0800, ipv4(17, udp(1, 4789, vxlan(70, FRAME))))),
    ]
    block = block_of(packets, first=11)
    _, events = decoded(block)
    assert events.rows() == [
        ("mpls", 5, 1, 12),
        ("mpls", 6, 1, 12),
        ("vlan", 9, 3, 12),
        ("vxlan", 70, 1, 13),
    ]
    events.clear()
    assert events.rows() == []


def test_two_that_count_tags_come_to_the_same_wherever_they_are_parted(monkeypatch):
    """The later one is refused where all tags do not fit, and only there."""
    packets = [
        bytes(12) + b"".join(b"\x81\x00" + vid.to_bytes(2, "big") for vid in vids) + b"\x08\x06"
        for vids in np.random.default_rng(1).integers(1, 12, (40, 3)).tolist()
    ]

    def counted(start, stop):
        return decoded(block_of(packets[start:stop], first=start + 1))[1]

    whole = counted(0, 40).rows()
    for cut in range(41):
        events, told = counted(0, cut), counted(cut, 40).told()
        assert events.can_absorb(told) == ""
        events.absorb(told)
        assert events.rows() == whole, cut
        assert events.table[headers.EVENT_SLOTS, 0] == len(whole)
    for bound, fits in ((len(whole), False), (len(whole) + 1, True)):
        monkeypatch.setattr(headers, "EVENT_BOUND", bound)
        events, told = counted(0, 20), counted(20, 40).told()
        assert (events.can_absorb(told) == "") is fits


def test_a_flood_of_labels_is_counted_under_no_value() -> None:
    packets = [
        ether(0x8847, mpls(range(k, k + 16), TCP))
        for k in range(16, headers.EVENT_BOUND + 4096, 16)
    ]
    _, events = decoded(block_of(packets))
    rows = events.rows()
    assert sum(count for _, _, count, _ in rows) == 16 * len(packets)
    assert len(rows) == headers.EVENT_BOUND + 1
    assert rows[0][:2] == ("mpls", -1)


LAYERS = st.deferred(lambda: FRAMES)
PORTS = st.sampled_from([53, 67, 69, 161, 546, 1985, 4789, 40000, 5355])
BODY = st.binary(max_size=40)
SEGMENT = st.one_of(
    st.builds(lambda a, b, d: (6, tcp(a, b, d)), PORTS, PORTS, BODY),
    st.builds(lambda a, b, d: (17, udp(a, b, d)), PORTS, PORTS, BODY),
    st.builds(lambda t, d: (1, bytes((t, 0, 0, 0)) + d), st.integers(0, 20), BODY),
    st.builds(lambda f: (47, gre(0x6558, f, key=3)), LAYERS),
    st.builds(lambda f, v: (17, udp(9, 4789, vxlan(v, f))), LAYERS, st.integers(0, 99)),
    st.builds(lambda f: (17, udp(9, 6081, geneve(5, 0x6558, f, 1))), LAYERS),
    st.builds(lambda f: (17, udp(5247, 9, capwap(f))), LAYERS),
    st.builds(lambda s: (4, ipv4(*s)), st.deferred(lambda: SEGMENT)),
)
PACKETS = st.one_of(
    st.builds(lambda s: (0x0800, ipv4(*s)), SEGMENT),
    st.builds(lambda s: (0x86DD, ipv6(*s)), SEGMENT),
    st.builds(lambda s: (0x86DD, ipv6(0, extension(s[0], s[1], 1))), SEGMENT),
    st.builds(lambda d: (0x0806, arp() + d), BODY),
)
TAGGED = st.recursive(
    PACKETS,
    lambda inner: st.one_of(
        st.builds(lambda v, p: (0x8100, tag(v, *p)), st.integers(0, 4095), inner),
        st.builds(lambda v, p: (0x88A8, tag(v, *p)), st.integers(0, 4095), inner),
        st.builds(lambda v, p: (0x8909, trustsec(v, *p)), st.integers(0, 4095), inner),
    ),
    max_leaves=3,
)
FRAMES = st.builds(lambda p: ether(*p), TAGGED)


@settings(max_examples=120, deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=8), st.data())
def test_any_honest_stack_of_headers_is_what_the_plain_twin_says(frames, data) -> None:
    cuts = [
        f[: data.draw(st.integers(0, len(f)))] if data.draw(st.booleans()) else f for f in frames
    ]
    block = block_of(cuts, wire=[len(f) for f in frames])
    columns, events = decoded(block)
    twins = [naive.Packet(1, c, len(f)) for c, f in zip(cuts, frames, strict=True)]
    assert [row_of(block, columns, i) for i in range(block.n)] == [naive.row_of(t) for t in twins]
    tags = sum((t.tags for t in twins), Counter())
    assert _tags(block, events) == dict(tags)


def _all_records():
    found = []
    for path in sorted(CAPTURES.iterdir()):
        if path.is_file() and ("pcap" in path.name or path.suffix == ".cap"):
            found += [(link, wire, data) for link, wire, _, data in records(path)]
    return found


def _differences(cases):
    block = block_of([c[2] for c in cases], link=[c[0] for c in cases], wire=[c[1] for c in cases])
    columns, events = decoded(block)
    tags = Counter()
    for i, (link, wire, data) in enumerate(cases):
        twin = naive.Packet(link, data, wire)
        tags += twin.tags
        row, wanted = row_of(block, columns, i), naive.row_of(twin)
        if row != wanted:
            yield i, data[:100].hex(), {k: (row[k], wanted[k]) for k in row if row[k] != wanted[k]}
    if _tags(block, events) != dict(tags):
        yield _tags(block, events), dict(tags)


@needs_shared
def test_every_shared_packet_is_what_the_plain_twin_says() -> None:
    assert list(_differences(_all_records())) == []


@needs_shared
def test_damaged_real_packets_are_what_the_plain_twin_says() -> None:
    pool, chance = _all_records(), random.Random(2)
    links = (1, 113, 276, 101, 228, 229, 0, 105, 127, 192, 119, 9, 51, 999)
    types = (0x0800, 0x86DD, 0x8100, 0x8847, 0x8864, 0x8909, 0x88E5, 0x0806, 0x880B, 0x6558, 0x8809)
    cases = []
    for _ in range(8_000):
        link, _, data = chance.choice(pool)
        data = bytearray(data[:400])
        for _ in range(chance.choice((1, 1, 2, 4)) if len(data) > 1 else 0):
            at = int(chance.random() ** 2 * min(len(data) - 1, 120))
            data[at] = chance.choice((chance.randrange(256), 0, 255, data[at] ^ 1, 0x45, 0x60, 47))
        if chance.random() < 0.2 and len(data) > 40:
            data[12:14] = chance.choice(types).to_bytes(2, "big")
            data[23] = chance.choice((47, 4, 41, 97, 137, 51, 50, 132, 1, 58, 112, 17, 6))
            data[36:38] = chance.choice((4789, 6081, 5247, 3544, 69)).to_bytes(2, "big")
        if chance.random() < 0.4:
            data = data[: chance.randrange(len(data) + 1)]
        if chance.random() < 0.3:
            link = chance.choice(links)
        cases.append((link, len(data) + chance.choice((0, 0, 1, 8, 1000)), bytes(data)))
    assert list(_differences(cases)) == []


@needs_shared
def test_tags_of_the_shared_captures_are_those_tshark_counts() -> None:
    wrong = []
    for expected in sorted((CAPTURES / "expect").glob("*.json")):
        path = CAPTURES / expected.name.removesuffix(".json")
        told = json.loads(expected.read_text(encoding="utf-8"))["assertions"]
        values = {a["path"]: a["value"] for a in told}
        block = block_of_file(path)
        columns, events = decoded(block)
        outcomes = np.bincount(columns.outcome[: block.n], minlength=3)
        assert int(outcomes.sum()) == block.n
        tags = _tags(block, events)
        for name, kind in (("vlan_ids", "vlan"), ("mpls_labels", "mpls"), ("vxlan_vnis", "vxlan")):
            found = {str(value): count for (k, value), count in tags.items() if k == kind}
            wanted = {k.removeprefix("ad:"): v for k, v in values.get(name, {}).items()}
            if found != wanted:
                wrong.append((path.name, name, found, wanted))
        for name in ("ip_fragment_frames", "ipv6_fragment_frames"):
            kind = name.replace("ip_", "ipv4_").removesuffix("_frames")
            if tags.get((kind, -1), 0) != values.get(name, 0):
                wrong.append((path.name, name))
    assert wrong == []


def test_plain_python_without_numba_reads_the_same() -> None:
    """``WARDWATCH_PLAIN=1`` is what musl and Intel macOS run: no overflow, no other answer."""
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from tests.decode.kernels import test_headers as t\n"
        "from wardwatch import compiled; assert compiled.PLAIN\n"
        "for name in t.HONEST: t.test_every_link_and_tunnel_is_read_to_its_transport(name, False)\n"
        "for name in t.NAMED: t.test_what_cannot_be_read_is_named(name, False)\n"
        "print('same')\n"
    )
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "WARDWATCH_PLAIN": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "same\n", ran.stderr


def run_guard(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "tests.decode.kernels.guard", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs mprotect")
def test_a_million_mutated_packets_never_reach_the_guard_page() -> None:
    ran = run_guard("1", "1000000")
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.endswith("1,000,000 packets: no fault\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs mprotect")
def test_the_guard_page_catches_a_kernel_that_reads_too_far() -> None:
    assert run_guard("1", "5000", "--overrun", "4").returncode < 0
