"""wardwatch.decode.kernels.select"""

import numpy as np
import pytest
from tests.decode.kernels.blocks import block_of, decoded
from tests.decode.kernels.packets import arp, ether, ipv4, tcp, udp

from wardwatch.decode.columns import (
    DECODED,
    KIND_ARP,
    KIND_DHCP,
    KIND_DNS,
    KIND_NONE,
    KIND_TCP,
    KIND_WIFI,
)
from wardwatch.decode.kernels import select as k
from wardwatch.decode.kernels.conversations import FOLLOW, UNDECIDED

SYN, ACK, FIN, RST = 2, 16, 1, 4

PACKETS = [
    ether(0x0806, arp()),  # 0
    ether(0x0800, ipv4(17, udp(68, 67, b"x"))),  # 1 DHCP
    ether(0x0800, ipv4(17, udp(9, 9, b"x"))),  # 2 nobody's
    ether(0x0800, ipv4(6, tcp(1, 80, b"a"))),  # 3
    ether(0x0800, ipv4(6, b"\0" * 10)),  # 4 malformed
    ether(0x0800, ipv4(17, udp(53, 9, b"\0" * 12))),  # 5 DNS
    ether(0x0800, ipv4(17, udp(1900, 9, b"x"))),  # 6 discovery
    ether(0x0800, ipv4(17, udp(9, 1900, b"x"))),  # 7 discovery
    ether(0x0800, ipv4(17, udp(9, 1900, b""))),  # 8 says nothing
    ether(0x0800, ipv4(6, tcp(1, 1900, b"a"))),  # 9 no discovery
    ether(0x0800, ipv4(1, b"\x03\x01" + b"\0" * 34)),  # 10 ICMP
    ether(0x0806, arp()),  # 11
]
ON_AIR = b"\x80\0" + bytes(34)  # a beacon


def naive(n, c):
    """The same, written plainly."""
    bulk = {KIND_DNS: k.DNS, KIND_DHCP: k.DHCP, KIND_ARP: k.ARP}
    asked, lists, air = [], [[] for _ in range(k.LISTS)], 0
    for i in range(n):
        air += c.wlan_subtype[i] >= 0
        kind = c.kind[i]
        asked.append(int(kind not in (KIND_NONE, KIND_TCP, KIND_WIFI) and c.outcome[i] == DECODED))
        if asked[-1] and kind in bulk:
            lists[bulk[kind]].append(i)
        if c.proto[i] == 17 and k.SSDP in (c.src_port[i], c.dst_port[i]) and c.payload_len[i] > 0:
            lists[k.DISCOVERY].append(i)
    return asked, lists, air


@pytest.mark.parametrize("compiled", [True, False])
def test_messages_are_chosen_and_segments_are_not(compiled, monkeypatch) -> None:
    if not compiled:
        monkeypatch.setattr(k, "messages", k.messages.py_func)
    links = [1] * len(PACKETS) + [105]
    block = block_of([*PACKETS, ON_AIR], link=links)
    columns, _ = decoded(block)
    chosen = k.Chosen()
    chosen.take(block.n, columns)
    assert np.flatnonzero(chosen.asked).tolist() == [0, 1, 5, 10, 11]
    lists = [rows[:count].tolist() for rows, count in map(chosen.rows, range(k.LISTS))]
    assert lists == [[5], [1], [0, 11], [6, 7]]
    assert (chosen.asked.tolist(), lists, chosen.on_air) == naive(block.n, columns)


def test_of_a_shorter_block_nothing_is_left_of_the_one_before() -> None:
    chosen = k.Chosen()
    for packets in (PACKETS, PACKETS[2:4]):
        block = block_of(packets)
        columns, _ = decoded(block)
        chosen.take(block.n, columns)
    assert chosen.asked[:2].tolist() == [0, 0]
    assert [chosen.rows(which)[1] for which in range(k.LISTS)] == [0, 0, 0, 0]
    assert not chosen.on_air


def chosen(interest=UNDECIDED, said=0, skip=-1, flags=ACK, seq=1000, size=0):
    return k.chosen_segment(interest, said, skip, flags, seq, size)


def test_payload_is_chosen_and_bare_acknowledgements_are_not() -> None:
    assert chosen(size=10)
    assert not chosen()
    assert not chosen(FOLLOW, said=10)


def test_the_end_is_chosen_of_what_is_followed_or_has_said_something() -> None:
    assert not chosen(flags=FIN | ACK)
    assert chosen(flags=FIN | ACK, said=1)
    assert chosen(FOLLOW, flags=RST)


def test_a_syn_is_chosen_of_what_is_followed() -> None:
    assert chosen(FOLLOW, flags=SYN)
    assert not chosen(flags=SYN, said=1)


def test_segments_inside_what_is_skipped_are_not_chosen() -> None:
    assert not chosen(skip=1010, size=10)
    assert chosen(skip=1009, size=10)
    assert chosen(skip=1010, size=10, flags=FIN | ACK, said=10)


def test_sequence_numbers_wrap() -> None:
    assert chosen(skip=0xFFFFFFF0, seq=0xFFFFFFF0, size=32)
    assert not chosen(skip=16, seq=0xFFFFFFF0, size=32)
