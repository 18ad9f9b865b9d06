"""The hospital mix is honest: sums, numbers, lengths and certificates are true; seeds repeat it."""

import collections
import io
import struct

import dpkt
import pytest
from bench.mix import START_NS, write
from bench.scripts import Sayings
from cryptography import x509

MEGABYTES = 2.5


@pytest.fixture(scope="module")
def made():
    file = io.BytesIO()
    mix = write(file, MEGABYTES, seed=3)
    return file.getvalue(), mix


@pytest.fixture(scope="module")
def frames(made):
    return [
        (stamp, wire, dpkt.ethernet.Ethernet(wire))
        for stamp, wire in dpkt.pcap.Reader(io.BytesIO(made[0]))
    ]


def plain_sum(raw):
    """RFC 1071, word by word."""
    raw += b"\0" * (len(raw) % 2)
    total = 0
    for at in range(0, len(raw), 2):
        total += (raw[at] << 8) | raw[at + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return total


def transport(frame):
    """(pseudo header, its bytes, protocol) of an IP packet."""
    ip = frame.data
    body = bytes(ip.data)
    number = ip.nxt if isinstance(ip, dpkt.ip6.IP6) else ip.p
    return ip.src + ip.dst + struct.pack("!II", number, len(body)), body, number


def is_ip(frame):
    return isinstance(frame.data, dpkt.ip.IP | dpkt.ip6.IP6)


def test_its_size_is_as_asked_and_its_packets_as_counted(made, frames):
    raw, mix = made
    assert abs(len(raw) - MEGABYTES * 1e6) < 0.35 * MEGABYTES * 1e6
    assert len(frames) == mix.packets


def test_every_checksum_is_true(frames):
    seen = collections.Counter()
    for _, wire, frame in frames:
        if not is_ip(frame):
            continue
        if isinstance(frame.data, dpkt.ip.IP):
            at = 18 if wire[12:14] == b"\x81\x00" else 14
            assert plain_sum(wire[at : at + 20]) == 0xFFFF
        pseudo, body, number = transport(frame)
        assert plain_sum(pseudo + body) == 0xFFFF
        assert number != 17 or body[6:8] != b"\0\0"
        seen[number] += 1
    assert set(seen) == {6, 17, 58}


def test_every_length_is_true(frames):
    for _, wire, frame in frames:
        assert len(wire) >= 60
        if is_ip(frame):
            at = 18 if wire[12:14] == b"\x81\x00" else 14
            if isinstance(frame.data, dpkt.ip.IP):
                size = struct.unpack("!H", wire[at + 2 : at + 4])[0]
            else:
                size = 40 + struct.unpack("!H", wire[at + 4 : at + 6])[0]
            assert at + size == len(wire) or (at + size < 60 and len(wire) == 60)


def test_time_runs_forward(frames):
    stamps = [stamp for stamp, _, _ in frames]
    assert stamps == sorted(stamps)
    assert stamps[0] >= START_NS // 10**9


def streams(frames):
    """5-tuple one way ⇒ [(flags, seq, ack, payload)] in order of time."""
    found = collections.defaultdict(list)
    for _, _, frame in frames:
        if is_ip(frame) and isinstance(frame.data.data, dpkt.tcp.TCP):
            ip, tcp = frame.data, frame.data.data
            key = (ip.src, tcp.sport, ip.dst, tcp.dport)
            found[key].append((tcp.flags, tcp.seq, tcp.ack, bytes(tcp.data)))
    return found


def test_sequence_numbers_add_up_and_a_syn_acknowledges_nothing(frames):
    found = streams(frames)
    assert len(found) > 20
    for key, sent in found.items():
        flags, seq, ack, payload = sent[0]
        assert flags & 2, "a stream begins with its SYN"
        if not flags & 16:
            assert ack == 0
        due = seq
        for flags, seq, _, payload in sent:
            assert seq == due
            due = (seq + len(payload) + bool(flags & 3)) & 0xFFFFFFFF
        assert sent[-1][0] & 16
        back = found[(key[2], key[3], key[0], key[1])]
        assert due in [ack for _, _, ack, _ in back], "the last byte is acknowledged"


def test_tls_records_fill_their_stream_and_certificates_parse(frames):
    records = certificates = 0
    for key, sent in streams(frames).items():
        if 443 not in (key[1], key[3]):
            continue
        raw, at = b"".join(payload for _, _, _, payload in sent), 0
        while at < len(raw):
            kind, version, size = struct.unpack("!BHH", raw[at : at + 5])
            assert (kind in (20, 21, 22, 23), version in (0x0301, 0x0303)) == (True, True)
            assert size <= 16_384 + 256
            body = raw[at + 5 : at + 5 + size]
            assert len(body) == size
            if kind == 22 and body[0] == 2 and len(body) > 400:
                inner = 4 + int.from_bytes(body[1:4], "big")
                assert body[inner] == 11
                first = int.from_bytes(body[inner + 7 : inner + 10], "big")
                x509.load_der_x509_certificate(body[inner + 10 : inner + 10 + first])
                certificates += 1
            at += 5 + size
            records += 1
    assert records > 200
    assert certificates > 0


def test_http_bodies_are_as_long_as_they_say(frames):
    responses = 0
    for key, sent in streams(frames).items():
        if key[1] != 80:
            continue
        raw = b"".join(payload for _, _, _, payload in sent)
        while raw:
            head, _, rest = raw.partition(b"\r\n\r\n")
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            assert len(rest) >= size
            raw = rest[size:]
            responses += 1
    assert responses > 0


def test_names_leases_and_addresses_are_asked_for_in_their_shares(frames):
    total = len(frames)
    ports = collections.Counter()
    for _, _, frame in frames:
        if is_ip(frame) and isinstance(frame.data.data, dpkt.udp.UDP):
            ports[min(frame.data.data.sport, frame.data.data.dport)] += 1
            if 53 in (frame.data.data.sport, frame.data.data.dport):
                dpkt.dns.DNS(bytes(frame.data.data.data))
            if 67 in (frame.data.data.sport, frame.data.data.dport):
                assert dpkt.dhcp.DHCP(bytes(frame.data.data.data)).magic == 0x63825363
    arp = sum(isinstance(frame.data, dpkt.arp.ARP) for _, _, frame in frames)
    assert 0.012 < ports[53] / total < 0.024
    assert 0.0005 < ports[67] / total < 0.004
    assert 0.006 < arp / total < 0.014
    assert any(wire[12:14] == b"\x81\x00" for _, wire, _ in frames)
    assert any(isinstance(frame.data, dpkt.ip6.IP6) for _, _, frame in frames)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(made):
    again, other = io.BytesIO(), io.BytesIO()
    write(again, MEGABYTES, seed=3)
    write(other, MEGABYTES, seed=4)
    assert again.getvalue() == made[0]
    assert other.getvalue() != made[0]


def test_a_transfer_is_announced_with_its_size_and_a_telnet_login_is_asked_for():
    say = Sayings(1)
    talk = b"".join(text for _, text in say.ftp("10.9.0.10", 50_001, 1_234))
    assert b"(10,9,0,10,195,81)" in talk
    assert b"(1234 bytes)" in talk
    assert b"login: " in b"".join(text for _, text in say.telnet(5))


def test_the_dense_mix_has_about_sixteen_packets_a_connection() -> None:
    file = io.BytesIO()
    mix = write(file, 1.0, seed=2, dense=True)
    kinds = collections.Counter()
    for _, wire in dpkt.pcap.Reader(io.BytesIO(file.getvalue())):
        frame = dpkt.ethernet.Ethernet(wire)
        if is_ip(frame):
            kinds[transport(frame)[2]] += 1
    assert 12 <= kinds[6] / mix.conversations <= 22
    assert mix.packets == sum(1 for _ in dpkt.pcap.Reader(io.BytesIO(file.getvalue())))
