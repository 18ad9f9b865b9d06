"""The bytes of frames, read back by dpkt, which knows nothing of us."""

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import emit

A, B = emit.mac("00:1a:01:00:00:01"), emit.mac("00:00:0c:00:00:02")
SRC, DST = emit.ip4("10.120.0.1"), emit.ip4("10.120.0.2")


def plain_checksum(raw: bytes) -> int:
    total = 0
    for at in range(0, len(raw), 2):
        total += int.from_bytes(raw[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


@given(st.binary(max_size=80))
def test_checksum_is_the_sum_with_carries(raw):
    # RFC 1071 leaves nothing for zeros alone: their sum has no carry to become 65535.
    if any(raw):
        assert emit.checksum(raw) == plain_checksum(raw)


@pytest.mark.parametrize("body", [b"", b"x", b"ab" * 700])
def test_udp_over_ipv4_in_two_tags_reads_back(body):
    packet = emit.ipv4(SRC, DST, emit.UDP, emit.udp(SRC, DST, 68, 67, body), 7)
    frame = emit.ethernet(B, A, emit.IPV4, packet, (30, 120))
    read = dpkt.ethernet.Ethernet(frame)
    assert [tag.id for tag in read.vlan_tags] == [30, 120]
    assert (read.src, read.dst) == (A, B)
    ip = read.data
    assert (ip.src, ip.dst, ip.id, ip.len) == (SRC, DST, 7, len(packet))
    assert (ip.data.sport, ip.data.dport, ip.data.data) == (68, 67, body)
    assert plain_checksum(packet[:20]) == 0
    assert (
        plain_checksum(SRC + DST + b"\0\x11" + ip.data.ulen.to_bytes(2, "big") + packet[20:]) == 0
    )


def test_short_frames_are_filled_with_zeros():
    frame = emit.ethernet(B, A, emit.ARP, emit.arp(1, (A, SRC), (bytes(6), DST)), (120,))
    assert len(frame) == 64
    assert frame[-18:] == bytes(18)


def test_a_syn_acknowledges_nothing_and_states_its_mss():
    segment = emit.tcp((SRC, DST), (1024, 21), 5, 99, emit.SYN, options=b"\x02\x04\x05\xb4")
    read = dpkt.tcp.TCP(segment)
    assert (read.seq, read.ack, read.flags) == (5, 0, dpkt.tcp.TH_SYN)
    assert dpkt.tcp.parse_opts(read.opts) == [(2, b"\x05\xb4")]
    assert plain_checksum(SRC + DST + b"\0\x06" + len(segment).to_bytes(2, "big") + segment) == 0


def test_arp_reads_back():
    raw = emit.arp(2, (A, SRC), (B, DST))
    read = dpkt.arp.ARP(raw)
    assert (read.op, read.sha, read.spa, read.tpa) == (2, A, SRC, DST)
    assert raw[18:24] == B


def test_router_advertisement_bears_lifetime_mac_and_true_checksum():
    src = emit.link_local(A)
    assert src == emit.ip6("fe80::21a:1ff:fe00:1")
    packet = emit.router_advertisement(src, A, 1800, rdnss=src)
    read = dpkt.ip6.IP6(packet)
    assert (read.src, read.dst, read.hlim, read.nxt) == (src, emit.ALL_NODES, 255, 58)
    body = packet[40:]
    assert body[0] == 134
    assert int.from_bytes(body[6:8], "big") == 1800
    assert body[16:24] == b"\x01\x01" + A
    pseudo = src + emit.ALL_NODES + len(body).to_bytes(4, "big") + b"\0\0\0\x3a"
    assert plain_checksum(pseudo + body) == 0


def test_beacon_and_probe_bear_their_network():
    for raw, subtype in (
        (emit.beacon(A, b"ward", 3, 4, private=True), 8),
        (emit.probe_request(A, b"ward", 3), 4),
    ):
        radio = dpkt.radiotap.Radiotap(raw)
        assert radio.channel.freq == 2437
        frame = radio.data
        assert (frame.type, frame.subtype) == (0, subtype)
        assert frame.mgmt.src == A
        assert frame.ssid.data == b"ward"


def test_xid_is_broadcast_through_the_access_point():
    raw = emit.xid(A, B, 1)[len(emit.RADIOTAP) :]
    assert raw[4:10] == B
    assert raw[10:16] == A
    assert raw[16:22] == emit.BROADCAST
    assert raw[24:27] == b"\0\0\xaf"


def test_fragments_of_ipv4_carry_every_octet_once_with_true_sums():
    packet = emit.ipv4(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), emit.UDP, bytes(range(100)), 7)
    parts = [dpkt.ip.IP(raw) for raw in emit.fragments4(packet, 32)]
    assert [(p.offset, bool(p.mf), bool(p.df)) for p in parts] == [
        (0, True, False), (4, True, False), (8, True, False), (12, False, False),
    ]  # fmt: skip
    assert b"".join(bytes(p.data) for p in parts) == bytes(range(100))
    assert all(emit.checksum(raw[:20]) == 0 for raw in emit.fragments4(packet, 32))


def test_fragments_of_ipv6_carry_the_next_header_and_every_octet():
    src, dst = emit.ip6("fd00::1"), emit.ip6("fd00::2")
    packet = emit.ipv6(src, dst, emit.UDP, emit.udp(src, dst, 1, 2, bytes(60)))
    parts = [dpkt.ip6.IP6(raw) for raw in emit.fragments6(packet, 32, 9)]
    heads = [p.extension_hdrs[44] for p in parts]
    assert [(h.frag_off, h.m_flag, h.id, h.nxt) for h in heads] == [
        (0, 1, 9, emit.UDP), (4, 1, 9, emit.UDP), (8, 0, 9, emit.UDP),
    ]  # fmt: skip
    assert b"".join(raw[48:] for raw in emit.fragments6(packet, 32, 9)) == packet[40:]


def test_an_extension_header_stands_before_an_unchanged_body():
    src = emit.link_local(emit.mac("00:1a:01:00:00:01"))
    packet = emit.router_advertisement(src, emit.mac("00:1a:01:00:00:01"), 1800)
    longer = emit.extended(packet)
    assert longer[6] == 60
    assert longer[40] == emit.ICMP6
    assert longer[48:] == packet[40:]
    assert int.from_bytes(longer[4:6], "big") == len(longer) - 40


def test_a_tunnel_carries_a_frame_as_it_is():
    ends = (
        (emit.mac("00:00:00:00:00:01"), bytes([10, 0, 0, 1])),
        (emit.mac("00:00:00:00:00:02"), bytes([10, 0, 0, 2])),
    )
    outer = dpkt.ethernet.Ethernet(emit.vxlan(ends, 5120, b"inner frame", 3))
    assert outer.data.data.dport == 4789
    body = bytes(outer.data.data.data)
    assert (body[0], int.from_bytes(body[4:7], "big"), body[8:]) == (8, 5120, b"inner frame")


def test_neighbour_discovery_asks_the_solicited_node_group():
    mac = emit.mac("00:1a:01:00:00:01")
    own, target = emit.link_local(mac), emit.ip6("fd00::12:3456")
    packet, group = emit.neighbour_solicitation(own, mac, target)
    assert packet[24:40] == emit.ip6("ff02::1:ff12:3456")
    assert group == emit.mac("33:33:ff:12:34:56")
    assert dpkt.ip6.IP6(packet).data.type == 135
