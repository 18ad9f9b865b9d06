"""wardwatch.decode.kernels.select"""

import pytest
from tests.decode.kernels.blocks import block_of, decoded
from tests.decode.kernels.packets import arp, ether, ipv4, tcp, udp

from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.kernels import select as k

SYN, ACK, FIN, RST = 2, 16, 1, 4


def segment(body=b"", flags=ACK, seq=1000, port=1):
    return ether(0x0800, ipv4(6, tcp(port, 80, body, flags=flags, seq=seq)))


PACKETS = [
    ether(0x0806, arp()),  # 0
    ether(0x0800, ipv4(17, udp(68, 67, b"x"))),  # 1 DHCP
    ether(0x0800, ipv4(17, udp(9, 9, b"x"))),  # 2 nobody's
    segment(flags=SYN, seq=999),  # 3
    segment(),  # 4 a pure ACK
    segment(b"a" * 10),  # 5
    segment(b"a" * 10, seq=1010),  # 6
    segment(flags=FIN | ACK, seq=1020),  # 7
    segment(flags=SYN, port=2),  # 8 a probe
    segment(flags=RST, port=2),  # 9
    ether(0x0800, ipv4(6, b"\0" * 10)),  # 10 malformed
]


@pytest.fixture(params=[False, True], ids=["compiled", "py_func"], autouse=True)
def either(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(k, "select", k.select.py_func)


def chosen(change=lambda table: None, **options):
    block = block_of(PACKETS)
    columns, _ = decoded(block)
    table = ConversationTable()
    table.update(block, columns)
    change(table)
    return k.select_rows(block.n, columns, table, **options).tolist()


def test_messages_and_segments_with_payload_are_chosen() -> None:
    assert chosen(handshakes=False) == [0, 1, 5, 6, 7]
    assert chosen() == [0, 1, 3, 5, 6, 7, 8]


def test_what_is_ignored_is_not_chosen_and_what_is_followed_wholly() -> None:
    assert chosen(lambda t: t.ignore(2), handshakes=False) == [0, 1]
    assert chosen(lambda t: t.follow(3), handshakes=False) == [0, 1, 5, 6, 7, 8, 9]
    assert chosen(lambda t: (t.follow(2), t.follow(3))) == [0, 1, 3, 5, 6, 7, 8, 9]


def test_segments_inside_what_is_skipped_are_not_chosen() -> None:
    assert chosen(lambda t: t.skip_until(2, True, 1010), handshakes=False) == [0, 1, 6, 7]
    assert chosen(lambda t: t.skip_until(2, True, 1009), handshakes=False) == [0, 1, 5, 6, 7]
    assert chosen(lambda t: t.skip_until(2, False, 1010), handshakes=False) == [0, 1, 5, 6, 7]


def test_sequence_numbers_wrap() -> None:
    def skip(table):
        table.skip_until(2, True, 0xFFFFFFF0)

    assert chosen(skip, handshakes=False) == [0, 1, 5, 6, 7]
