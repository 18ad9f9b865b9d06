"""The worst cases are honest: sums are true, numbers add up, sizes are as told."""

import io
import itertools
import json
import random
import struct

import dpkt
import pytest
from bench import worst
from bench.worst import CASES, write


def plain_sum(raw):
    """RFC 1071, word by word."""
    total = sum(struct.unpack(f"!{(len(raw) + 1) // 2}H", raw + b"\0" * (len(raw) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_packet_has_true_sums_and_lengths(case):
    first = b""
    for frame in itertools.islice(CASES[case](1_100, random.Random(1)), 1_100):
        assert len(frame) >= 60
        ip = dpkt.ethernet.Ethernet(frame).data
        while True:
            assert plain_sum(bytes(ip)[:20]) == 0xFFFF
            if not isinstance(ip.data, dpkt.ip.IP):
                break
            ip = ip.data
        body = bytes(ip.data)
        more, place = divmod(int.from_bytes(bytes(ip)[6:8], "big"), 0x2000)
        body = first + body if place else body
        first = body
        if more:
            continue
        pseudo = ip.src + ip.dst + struct.pack("!HH", ip.p, len(body))
        assert plain_sum(pseudo + body) == 0xFFFF


@pytest.mark.parametrize(
    "case", ["one endless stream", "one-byte segments", "one-byte segments of FTP"]
)
def test_sequence_numbers_add_up(case):
    expected = {}
    for frame in CASES[case](3_000, random.Random(1)):
        ip = dpkt.ethernet.Ethernet(frame).data
        segment = ip.data
        way = ip.src, segment.sport, ip.dst, segment.dport
        begins = segment.flags & dpkt.tcp.TH_SYN
        assert expected.setdefault(way, segment.seq) == segment.seq
        expected[way] += len(segment.data) + bool(begins)
        if segment.flags & dpkt.tcp.TH_ACK:
            assert segment.ack == expected[way[2:] + way[:2]]
        else:
            assert segment.ack == 0


def test_a_hole_stands_before_each_byte_that_waits():
    places = {}
    for frame in itertools.islice(CASES["one-byte segments, holes between"](1, None), 5_000):
        segment = dpkt.ethernet.Ethernet(frame).data.data
        if len(segment.data):
            places.setdefault((segment.sport, segment.dport), []).append(segment.seq)
            assert segment.ack == 1
    assert places
    for seen in places.values():
        assert seen == [3 + 2 * k for k in range(len(seen))]


def test_as_many_packets_as_asked(tmp_path):
    for case in CASES:
        assert write(case, tmp_path / "out.pcap", 1_500) == 1_500


def test_the_command_writes_every_case(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["worst", str(tmp_path), "1500"])
    worst.main()
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(CASES)
    for name, packets in told.items():
        raw = (tmp_path / f"{name}.pcap").read_bytes()
        assert sum(1 for _ in dpkt.pcap.Reader(io.BytesIO(raw))) == packets
