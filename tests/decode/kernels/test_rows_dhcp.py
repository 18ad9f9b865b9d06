"""wardwatch.decode.kernels.rows_dhcp"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datagram_rows import block_of, compare, seen_of
from tests.hostile import mutate
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import DHCP, DISCOVER, END, OFFER, dhcp, option

from wardwatch.compiled import kernel
from wardwatch.decode.kernels import rows_dhcp

COMPILED = kernel(rows_dhcp.dhcp_rows)
"""By itself; it is part of the kernel that makes rows of all kinds."""

four = st.binary(min_size=4, max_size=4)
plain = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40).map(str.encode)
VALUES = {
    1: four,
    3: st.lists(four, min_size=1, max_size=3).map(b"".join),
    6: st.lists(four, min_size=1, max_size=3).map(b"".join),
    12: plain,
    15: plain,
    50: four,
    51: four,
    54: four,
    55: st.binary(max_size=20),
    57: st.binary(min_size=2, max_size=2),
    58: four,
    60: plain,
    61: st.binary(max_size=20),
    66: plain,
    67: plain,
    81: plain.map(lambda name: b"\0\0\0" + name),
    43: st.binary(max_size=30),
    125: st.binary(max_size=30),
}


@st.composite
def ordinary(draw):
    codes = draw(st.permutations(draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))))
    kind = option(53, bytes([draw(st.integers(1, 8))]))
    options = b"".join(option(code, draw(VALUES[code])) for code in codes)
    return dhcp(
        kind + options + END + draw(st.binary(max_size=10)),
        op=draw(st.integers(1, 2)),
        xid=draw(st.integers(0, 2**32 - 1)),
        yiaddr=draw(four),
        ciaddr=draw(four),
        giaddr=draw(four),
        chaddr=draw(st.binary(min_size=6, max_size=6)),
        sname=draw(plain),
        file=draw(plain),
    )


def run(function, payloads, poison=b"", room=64, heap=1 << 14):
    block, columns = block_of(seen_of("dhcp", payloads, cut=1), poison)
    status = np.full(len(payloads), 9, np.uint8)
    numbers = np.zeros((len(rows_dhcp.NUMBERS), room + rows_dhcp.APART), np.int64)
    ends = np.zeros((len(rows_dhcp.HEAPS), room + 1), np.int32)
    heaps = np.zeros((len(rows_dhcp.HEAPS), heap), np.uint8)
    used = np.zeros(1, np.int64)
    rows = np.arange(len(payloads), dtype=np.int64)
    stopped = function(
        block.arena, columns.payload, columns.payload_len, columns.payload_claimed,
        rows, rows.size, 0, status, numbers, ends, heaps, used,
    )  # fmt: skip
    n = int(used[0])
    texts = [
        [octets[a:b].tobytes() for a, b in pairwise(its[: n + 1])]
        for octets, its in zip(heaps, ends.tolist(), strict=True)
    ]
    return stopped, status.tolist(), numbers[:, :n].tolist(), texts


@settings(deadline=None, max_examples=60)
@given(st.lists(ordinary(), min_size=1, max_size=4))
def test_ordinary_messages_become_the_rows_of_the_parser(payloads):
    fast, slow, taken = compare("dhcp", seen_of("dhcp", payloads))
    assert fast == slow
    assert taken == len(payloads)


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "dhcp-multi-server__lab__two_dhcp_servers.pcap",
        "dhcp-flood__zeek__dhcp_flood.pcap",
        "dhcp-nak-decline-release__zeek__dhcp.pcap",
        "dhcp-multi-server__sv__public-ex1_section8_Sofacy.pcap",
    ],
)
def test_captured_messages_become_the_rows_of_the_parser(name):
    seen = [
        s for s in walk(CAPTURES / name) if s.kind == "udp" and {s.src_port, s.dst_port} & {67, 68}
    ]
    fast, slow, taken = compare("dhcp", seen)
    assert fast == slow
    assert taken > 0


def test_wounded_messages_are_read_alike_compiled_and_plain_and_within_their_span():
    payloads = list(mutate(6, DHCP, 400))
    compiled = run(COMPILED, payloads, b"\xff" * 64, 500, 1 << 16)
    plainly = run(rows_dhcp.dhcp_rows, payloads, b"\0\x0c\4ward" * 9, 500, 1 << 16)
    assert compiled == plainly
    fast, slow, taken = compare("dhcp", seen_of("dhcp", payloads, cut=1))
    assert fast == slow
    assert taken == compiled[1].count(rows_dhcp.ORDINARY) > 30


KIND = option(53, b"\2")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        OFFER[:239],
        dhcp(KIND + END, op=3),
        dhcp(KIND + END, chaddr=bytes(16)),
        dhcp(KIND + END, cookie=bytes(4)),
        dhcp(END),
        dhcp(KIND),
        dhcp(KIND + b"\0" + option(55, b"\1") + END),
        dhcp(KIND + b"\0\0" + END),
        dhcp(KIND + KIND + END),
        dhcp(option(53, b"\x09") + END),
        dhcp(KIND + option(51, b"\1") + END),
        dhcp(KIND + option(3, bytes(3)) + END),
        dhcp(KIND + option(66, b"s" * 65) + END),
        dhcp(KIND + option(67, b"f" * 129) + END),
        dhcp(KIND + option(12, b"a\0") + END),
        dhcp(KIND + option(12, "ü".encode()) + END),
        dhcp(KIND + option(52, b"\1") + END),
        dhcp(KIND + option(82, option(1, b"x")) + END),
        dhcp(KIND + option(121, bytes(5)) + END),
        dhcp(KIND + option(81, b"\4\0\0\0") + END),
        dhcp(KIND + END, file=b"\x1b"),
        dhcp(KIND + b"\x0c\x09ward" + END),
        dhcp(KIND + option(43, bytes(255)) + END) + bytes(1300),
        dhcp(option(12, b"kept" * 9) + KIND, sname=b"kept"),
    ],
)
def test_what_is_not_plain_is_left(payload):
    assert run(COMPILED, [DISCOVER, payload, DISCOVER])[1] == [1, 1, 0]


def test_full_tables_stop_where_they_are_full():
    payloads = [b"", *[DISCOVER] * 4]
    assert run(COMPILED, payloads, room=3)[:2] == (4, [1, 0, 0, 0, 9])
    heap = rows_dhcp.ROOM_HEAP + 3
    stopped, status, _, _ = run(COMPILED, payloads, heap=heap)
    assert 1 < stopped < 5
    assert status[stopped] == 9


def test_what_is_left_leaves_nothing_behind():
    lost = [dhcp(option(12, b"lost" * 9) + KIND, sname=b"lost"), dhcp(option(61, b"lost") + END)]
    assert (
        run(COMPILED, [b"", lost[0], OFFER, lost[1], DISCOVER])[2:]
        == (run(COMPILED, [b"", OFFER, b"", DISCOVER])[2:])
    )


def test_no_message_needs_more_of_a_heap_than_is_kept_for_it():
    codes = [code for code in range(1, 255) if code not in (*VALUES, 2, 28, 59, 52, 53, 82, 121)]
    codes = [code for code in codes if code not in (4, 5, 33, 42, 44, 57, 150, 249)]
    empty = b"".join(option(code, b"") for code in codes)
    most = [
        dhcp(KIND + empty + END, sname=b"s" * 64, file=b"f" * 128),
        *(dhcp(KIND + option(code, b"a" * 255) + END) for code in (12, 15, 60, 55, 61)),
        *(dhcp(KIND + option(code, b"a" * 252) + END) for code in (3, 6)),
        dhcp(KIND + option(81, b"\0" * 3 + b"n" * 252) + END),
    ]
    for payload in most:
        stopped, status, _, texts = run(COMPILED, [b"", payload], room=1, heap=rows_dhcp.ROOM_HEAP)
        assert (stopped, status) == (2, [1, 0])
        assert max(len(text) for (text,) in texts) > 180
