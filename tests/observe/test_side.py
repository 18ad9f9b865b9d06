"""wardwatch.observe.side: fragments reach the side that what they hold belongs to, once."""

import numpy as np
import pytest
from tests.observe import frames as f

from wardwatch.decode.columns import KIND_FRAGMENT, PacketColumns
from wardwatch.observe.engine import observe
from wardwatch.observe.side import InFragments

A, B = ("10.0.0.5", 40000), ("10.0.0.41", 21)
LOGIN = [
    (f.tcp(*A, *B, flags="S", seq=100), f.NURSE, f.PUMP),
    (f.tcp(*B, *A, flags="SA", seq=500, ack=101), f.PUMP, f.NURSE),
    (f.tcp(*A, *B, flags="A", seq=101, ack=501), f.NURSE, f.PUMP),
    (f.tcp(*B, *A, b"220 ready\r\n", flags="PA", seq=501, ack=101), f.PUMP, f.NURSE),
    (f.tcp(*A, *B, b"USER x\r\n", flags="PA", seq=101, ack=512), f.NURSE, f.PUMP),
    (f.tcp(*B, *A, b"331 password\r\n", flags="PA", seq=512, ack=109), f.PUMP, f.NURSE),
    (f.tcp(*A, *B, b"PASS y\r\n", flags="PA", seq=109, ack=526), f.NURSE, f.PUMP),
    (f.tcp(*B, *A, b"230 in\r\n", flags="PA", seq=526, ack=117), f.PUMP, f.NURSE),
]


def tunnelled(packet, src, dst):
    """The packet in VXLAN (RFC 7348), in UDP."""
    inside = b"\x08\0\0\0" + (55).to_bytes(3, "big") + b"\0" + f.ether(src, dst, packet)
    return f.udp("10.9.0.1", 50000, "10.9.0.2", 4789, inside)


def seen(tmp_path, packets, processes=1):
    frames = [(n, f.ether(f.NURSE, f.SERVER, packet)) for n, packet in enumerate(packets, 1)]
    path = f.pcap(tmp_path / f"{processes}.pcap", frames)
    return observe([path], key_file=tmp_path / "key", processes=processes).tables


@pytest.mark.parametrize("processes", [1, 2])
def test_a_login_in_fragments_is_one_conversation_with_its_whole_segments(
    tmp_path, processes
) -> None:
    packets = []
    for n, (packet, _, _) in enumerate(LOGIN):
        raw = bytearray(packet)
        raw[4:6] = (n + 1).to_bytes(2, "big")
        packets += f.fragments(bytes(raw), 24) if n in (4, 6) else [bytes(raw)]
    tables = seen(tmp_path, packets, processes)
    (row,) = tables.ask("SELECT * FROM logins")
    assert (row.user, row.outcome) == ("x", "success")
    (talk,) = tables.ask("SELECT * FROM conversations")
    assert (talk.conversation, talk.service) == (row.conversation, "ftp")
    assert talk.orig_pkts + talk.resp_pkts == len(packets)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_login_in_a_tunnel_in_fragments_belongs_to_its_own_conversation(
    tmp_path, processes
) -> None:
    packets = []
    for n, (packet, src, dst) in enumerate(LOGIN):
        raw = bytearray(tunnelled(packet, src, dst))
        raw[4:6] = (n + 1).to_bytes(2, "big")
        packets += f.fragments(bytes(raw), 40)
    tables = seen(tmp_path, packets, processes)
    (row,) = tables.ask("SELECT * FROM logins")
    assert (row.user, row.outcome, row.segment) == ("x", "success", "vxlan 55")
    talks = tables.ask("SELECT * FROM conversations WHERE proto = 'tcp'")
    assert [talk.conversation for talk in talks] == [row.conversation]
    (counted,) = tables.ask("SELECT packets FROM encapsulations WHERE kind = 'vxlan'")
    assert counted.packets == len(LOGIN)


@pytest.mark.parametrize("processes", [1, 2])
def test_faults_of_fragments_are_told_once(tmp_path, processes) -> None:
    for packet, kind in (
        (LOGIN[5][0], "tcp"),
        (f.udp("10.0.0.5", 999, "10.0.0.2", 53, bytes(80)), "udp"),
    ):
        first, *rest = f.fragments(packet, 16)
        other = bytearray(first)
        other[-1] ^= 0xFF  # the same octets, said in another way (RFC 5722, RFC 1858)
        tables = seen(tmp_path, [first, bytes(other), *rest], processes)
        faults = tables.ask("SELECT fault, conversation FROM anomalies WHERE protocol = 'ip'")
        assert faults, kind
        assert len(faults) == len({row.fault for row in faults}), kind


@pytest.mark.parametrize("processes", [1, 2])
def test_a_tunnel_cut_in_its_first_fragment_is_read_as_a_conversation_of_its_own(
    tmp_path, processes
) -> None:
    query = b"\0\x07\x01\0\0\x01" + bytes(6) + (b"\x3c" + b"x" * 60) * 3 + b"\0\0\x01\0\x01"
    inner = f.udp("10.0.0.5", 999, "10.0.0.2", 53, query)
    first = f.ether(f.NURSE, f.SERVER, f.fragments(tunnelled(inner, f.NURSE, f.SERVER), 240)[0])
    path = f.pcap(tmp_path / f"{processes}.pcap", [(1, first[:200], len(first))])
    tables = observe([path], key_file=tmp_path / "key", processes=processes).tables
    (row,) = tables.ask("SELECT whole, conversation, segment FROM dns")
    (talk,) = tables.ask("SELECT conversation FROM conversations WHERE orig_p = 999")
    assert (row.whole, row.segment) == (False, "vxlan 55")
    assert row.conversation == talk.conversation


def test_rows_that_are_fragments_are_those_of_the_present_block_only() -> None:
    found = InFragments()
    for kind, outcome, expected in (
        ((1, 1, 1, 1), (0, 0, 0, 0), ()),
        ((KIND_FRAGMENT, 1, KIND_FRAGMENT, KIND_FRAGMENT), (0, 0, 1, 0), (0, 3)),
        ((1, KIND_FRAGMENT), (0, 0), (1,)),
        ((1, 1, 1), (0, 0, 0), ()),
        ((1, 1, 1, 1, KIND_FRAGMENT), (0, 0, 0, 0, 0), (4,)),
    ):
        columns = PacketColumns.of_size(len(kind))
        columns.kind[:], columns.outcome[:] = kind, outcome
        rows, any_found = found.take(columns, len(kind))
        assert tuple(np.flatnonzero(rows)) == expected
        assert any_found == bool(expected)
