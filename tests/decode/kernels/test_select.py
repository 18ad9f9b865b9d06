"""wardwatch.decode.kernels.select"""

import pytest
from tests.decode.kernels.blocks import block_of, decoded
from tests.decode.kernels.packets import arp, ether, ipv4, tcp, udp

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
]


@pytest.mark.parametrize("compiled", [True, False])
def test_messages_are_chosen_and_segments_are_not(compiled, monkeypatch) -> None:
    if not compiled:
        monkeypatch.setattr(k, "messages", k.messages.py_func)
    block = block_of(PACKETS)
    columns, _ = decoded(block)
    assert k.select_messages(block.n, columns).tolist() == [0, 1, 5]


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
