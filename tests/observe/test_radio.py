"""Frames on the air: read one by one where they differ, counted where they do not."""

import struct

import pytest
from tests.observe import frames as f

from wardwatch.observe.engine import observe
from wardwatch.observe.radio import channel_of

AP, EVERYONE = "02:00:00:00:00:aa", f.EVERYONE


def frame(kind, subtype, one, two="", three="", flags=0, body=b"", sequence=0):
    head = bytes([subtype << 4 | kind << 2, flags]) + struct.pack("<H", sequence)
    addresses = b"".join(f.mac(a) for a in (one, two, three) if a)
    return head + addresses + (struct.pack("<H", sequence) if three else b"") + body


def beacon(ssid, sequence=0):
    body = bytes(8) + b"\x64\0\x11\0" + bytes([0, len(ssid)]) + ssid + b"\x03\x01\x06"
    return frame(0, 8, EVERYONE, AP, AP, body=body, sequence=sequence)


def radiotap(raw, freq=2437):
    return struct.pack("<BBHIHH", 0, 0, 12, 1 << 3, freq, 0) + raw


def wifi(tmp_path, frames, link=105):
    numbered = list(enumerate(frames, 1))
    tables = observe([f.pcap(tmp_path / "a.pcap", numbered, link)], key_file=tmp_path / "k").tables
    return tables.ask("SELECT * FROM wifi ORDER BY first_packet")


def test_beacons_are_one_row_a_network(tmp_path):
    (row,) = wifi(tmp_path, [beacon(b"ward", n) for n in range(5)])
    assert (row.subtype, row.ssid, row.bssid, row.channel) == (8, "ward", AP, 6)
    assert (row.first_packet, row.last_packet, row.packets) == (1, 5, 5)


def test_data_frames_are_counted_by_their_addresses(tmp_path):
    one = [frame(2, 8, AP, f.PUMP, f.SERVER, 0x41, bytes(80), n) for n in range(6)]
    two = [frame(2, 8, AP, f.NURSE, f.SERVER, 0x41, bytes(80), n) for n in range(3)]
    rows = wifi(tmp_path, [one[0], two[0], *one[1:], *two[1:]])
    assert [(r.subtype, r.transmitter, r.packets) for r in rows] == [
        (40, f.PUMP, 6),
        (40, f.NURSE, 3),
    ]
    assert [(r.first_packet, r.last_packet) for r in rows] == [(1, 7), (2, 9)]
    assert all(r.protected and r.receiver == AP for r in rows)


def test_what_was_heard_first_is_told_first_whatever_its_octets(tmp_path):
    flags = (0x49, 0x41, 0x51, 0x41, 0x49)  # a retry, and power management
    data = [frame(2, 8, AP, f.PUMP, f.SERVER, one, bytes(80), n) for n, one in enumerate(flags)]
    channels = (0, 2462, 2412, 2412, 2412)
    (row,) = wifi(tmp_path, [radiotap(*one) for one in zip(data, channels, strict=True)], 127)
    assert (row.first_packet, row.last_packet, row.packets, row.channel) == (1, 5, 5, 11)


def in_capwap(raw):
    """A frame on its way between access point and controller, as Cisco's put it there."""
    turned = raw[1::-1] + raw[2:22] + raw[23:21:-1] + raw[24:]
    head = struct.pack(">I", 2 << 19 | 1 << 14 | 1 << 9 | 1 << 8) + bytes(4)
    datagram = f.udp("10.0.0.1", 9, "10.0.0.2", 5247, head + turned)
    return f.ether(f.PUMP, f.SERVER, datagram)


def test_frames_that_cisco_turned_round_are_the_same(tmp_path):
    probe = frame(0, 4, AP, f.PUMP, AP, body=b"\0\4ward")
    data = [
        frame(2, 0, AP, f.PUMP, f.SERVER, 0x01, bytes.fromhex("aaaa030000000800") + bytes(80), n)
        for n in (16, 17 << 4)
    ]
    frames = [probe, *data]
    turned = wifi(tmp_path, [in_capwap(raw) for raw in frames], 1)
    assert [(r.subtype, r.transmitter, r.ssid, r.packets) for r in turned] == [
        (4, f.PUMP, "ward", 1),
        (32, f.PUMP, "", 2),
    ]
    assert turned == wifi(tmp_path, frames, 105)


def test_equal_frames_are_counted_at_once(tmp_path, monkeypatch):
    from wardwatch.observe.datagrams import Datagrams

    counts = []
    monkeypatch.setattr(Datagrams, "wifi_count", lambda self, *told, **more: counts.append(told[4]))
    wifi(tmp_path, [frame(2, 8, AP, f.PUMP, f.SERVER, 0x41, bytes(80), n) for n in range(6)])
    assert counts == [6]


def test_control_frames_have_fewer_addresses(tmp_path):
    rows = wifi(tmp_path, [frame(1, 13, f.PUMP), frame(1, 13, f.PUMP), frame(1, 11, AP, f.PUMP)])
    assert [(r.subtype, r.receiver, r.packets) for r in rows] == [(29, f.PUMP, 2), (27, AP, 1)]


def test_an_xid_to_everyone_is_read_for_itself(tmp_path):
    xid = bytes.fromhex("0001af810100")
    (row,) = wifi(tmp_path, [frame(2, 0, EVERYONE, AP, f.PUMP, 0x02, xid)])
    assert row.xid_broadcast


def test_the_radio_header_tells_the_channel(tmp_path):
    (row,) = wifi(tmp_path, [radiotap(frame(2, 8, AP, f.PUMP, f.SERVER, 0x41, bytes(80)))], 127)
    assert row.channel == 6


def test_frames_on_the_air_belong_to_the_air(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, beacon(b"ward"))], 105)
    (row,) = observe([path], key_file=tmp_path / "k").tables.ask("SELECT segment FROM segments")
    assert row.segment == "wlan"


@pytest.mark.parametrize(
    ("freq", "channel"),
    [
        (2412, 1),
        (2472, 13),
        (2484, 14),
        (5180, 36),
        (5825, 165),
        (5955, 1),
        (6115, 33),
        (900, -1),
        (-1, -1),
    ],
)
def test_a_frequency_is_a_channel(freq, channel):
    assert channel_of(freq) == channel
