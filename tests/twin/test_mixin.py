"""A real capture as the background of a ward: on its time, under other addresses, sums true."""

import random

import dpkt
import pytest
from tests.shared import CAPTURES, needs_shared
from tests.twin.stands import TAP, place, played

from wardwatch.capture.write import PcapWriter
from wardwatch.errors import UsageError
from wardwatch.twin import emit, messages
from wardwatch.twin.mixin import Addresses, background, mix

SEC = 10**9
MAC = [emit.mac(f"00:1b:21:00:00:{n:02x}") for n in range(9)]
IP = [bytes([10, 120, 0, n]) for n in range(9)]


def frames():
    """A small day of some other house: a query in the ward's own VLAN, TCP, ARP, DHCP, IPv6."""
    asked = emit.udp(IP[1], IP[2], 5000, 53, messages.dns_query(7, "a.example"))
    six = [emit.link_local(MAC[1]), emit.link_local(MAC[2])]
    lease = messages.rtcs_discover(5, MAC[3], b"\1\3\6")
    everyone = b"\xff" * 4
    yield emit.ethernet(
        MAC[2], MAC[1], emit.IPV4, emit.ipv4(IP[1], IP[2], emit.UDP, asked, 1), (120,)
    )
    segment = emit.tcp((IP[1], IP[2]), (4000, 80), 5, 6, emit.ACK, b"hello")
    yield emit.ethernet(MAC[2], MAC[1], emit.IPV4, emit.ipv4(IP[1], IP[2], emit.TCP, segment, 2))
    yield emit.ethernet(
        emit.BROADCAST, MAC[1], emit.ARP, emit.arp(1, (MAC[1], IP[1]), (bytes(6), IP[2]))
    )
    shout = emit.udp(bytes(4), everyone, 68, 67, lease)
    yield emit.ethernet(
        emit.BROADCAST, MAC[3], emit.IPV4, emit.ipv4(bytes(4), everyone, emit.UDP, shout, 3)
    )
    body = emit.udp(*six, 1000, 2000, b"x")
    yield emit.ethernet(MAC[2], MAC[1], emit.IPV6, emit.ipv6(*six, emit.UDP, body))
    segment = emit.udp(IP[1], IP[2], 1000, 2000, b"A" * 64)
    for part in emit.fragments4(emit.ipv4(IP[1], IP[2], emit.UDP, segment, 9), 24):
        yield emit.ethernet(MAC[2], MAC[1], emit.IPV4, part)


@pytest.fixture
def house(tmp_path):
    path = tmp_path / "house.pcap"
    with PcapWriter(path) as file:
        for n, frame in enumerate(frames()):
            file.packet(777 * SEC + n * SEC, frame)
    return path


def read(frame):
    return dpkt.ethernet.Ethernet(frame)


def test_f9_a_background_comes_on_the_wards_time_and_every_packet_is_there_once(house, tmp_path):
    found = played("telnet/let in")
    own = found.caught(TAP["vlan"])
    start = place().start
    taken = [s.mac for s in place().ward.stations.values()]
    behind = list(background([house], start, Addresses(taken, place().ward.mirrored)))
    assert [ts - start for ts, _ in behind] == [n * SEC for n in range(len(behind))]
    done = mix(own, behind, tmp_path / "mixed.pcapng")
    assert done.packets == len(own) + len(behind)
    with (tmp_path / "mixed.pcapng").open("rb") as file:
        written = list(dpkt.pcapng.Reader(file))
    assert [written[n - 1][1] for n in done.own] == [f.data for f in own]
    assert [ts for ts, _ in written] == sorted(ts for ts, _ in written)


def test_f9_no_station_keeps_its_address_and_none_meets_the_wards(house):
    ward = place().ward
    macs = {s.mac for s in ward.stations.values()}
    old = {a for f in frames() for a in (f[:6], f[6:12])} - {emit.BROADCAST}
    for _, raw in background([house], 0, Addresses(macs, ward.mirrored)):
        one = read(raw)
        assert one.src not in macs | old
        assert one.dst not in macs | old
        tags = [tag.id for tag in getattr(one, "vlan_tags", [])]
        assert not set(tags) & set(ward.mirrored)
        if isinstance(one.data, dpkt.ip.IP) and any(one.data.src):
            assert one.data.src[:2] == b"\x64\x40"


def test_f9_one_station_stays_one_and_two_stay_two():
    addresses = Addresses()
    draws = random.Random(4)
    macs = [bytes([0, 0x1A, 1]) + draws.randbytes(3) for _ in range(500)]
    ips = [b"\x0a" + draws.randbytes(3) for _ in range(500)]
    assert len({addresses.mac(m) for m in macs}) == len(set(macs))
    assert len({addresses.ip(i)[0] for i in ips}) == len(set(ips))
    assert [addresses.mac(m) for m in macs] == [addresses.mac(m) for m in macs]
    assert all(addresses.mac(m)[:3] == m[:3] for m in macs)
    vids = Addresses((), (20, 30, 120, 121))
    assert len({vids.vid(v) for v in range(1, 4000)}) == 3999
    for still in (b"\xff" * 4, bytes(4), bytes([224, 0, 0, 1]), bytes([127, 0, 0, 1])):
        assert addresses.ip(still) == (still, 0)


def test_f9_checksums_follow(house):
    for (_, raw), before in zip(background([house], 0, Addresses()), frames(), strict=True):
        new = read(raw).data
        if isinstance(new, dpkt.ip.IP):
            assert emit.checksum(raw[-len(bytes(new)) :][:0] + bytes(new)[:20]) == 0
            if not new.mf and not new.offset:
                body = bytes(new)[20 : new.len]
                pseudo = new.src + new.dst + bytes([0, new.p]) + len(body).to_bytes(2, "big")
                assert emit.checksum(pseudo + body) == 0
        elif isinstance(new, dpkt.ip6.IP6):
            body = bytes(new.data)
            pseudo = new.src + new.dst + len(body).to_bytes(4, "big") + bytes(3) + bytes([new.nxt])
            assert emit.checksum(pseudo + body) == 0
        assert len(raw) == len(before)


def test_a_lease_keeps_naming_the_station_that_asked(house):
    (lease,) = [
        read(raw) for _, raw in background([house], 0, Addresses())
        if isinstance(read(raw).data, dpkt.ip.IP) and isinstance(read(raw).data.data, dpkt.udp.UDP)
        and read(raw).data.data.dport == 67
    ]  # fmt: skip
    assert dpkt.dhcp.DHCP(lease.data.data.data).chaddr == lease.src


def test_a_capture_without_ethernet_is_refused_in_one_line(tmp_path):
    path = tmp_path / "air.pcap"
    with PcapWriter(path, 127) as file:
        file.packet(0, b"\0" * 40)
    with pytest.raises(UsageError, match="no Ethernet frame"):
        list(background([path], 0, Addresses()))


@needs_shared
def test_f9_real_captures_mix_in_whatever_is_in_them():
    count = 0
    for path in sorted(CAPTURES.rglob("*.pcap"))[:60]:
        if path.stat().st_size > 300_000:
            continue
        try:
            for _, raw in background([path], 0, Addresses()):
                count += 1
                assert len(raw) > 0
        except UsageError:
            continue
    assert count > 1000
