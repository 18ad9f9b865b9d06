"""wardwatch.decode.kernels.rows_arp"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datagram_rows import block_of, compare, seen_of
from tests.hostile import mutate
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import ARP

from wardwatch.compiled import kernel
from wardwatch.decode.kernels import rows_arp

COMPILED = kernel(rows_arp.arp_rows)
"""By itself; it is part of the kernel that makes rows of all kinds."""

honest = st.builds(
    lambda op, addresses: bytes.fromhex("000108000604") + op + addresses,
    st.sampled_from([b"\0\1", b"\0\2"]),
    st.binary(min_size=20, max_size=38),
)


def run(function, payloads, poison=b"", room=64):
    block, columns = block_of(seen_of("arp", payloads, cut=1), poison)
    status = np.full(len(payloads), 9, np.uint8)
    numbers = np.zeros((room, len(rows_arp.NUMBERS)), np.int64)
    used = np.zeros(1, np.int64)
    rows = np.arange(len(payloads), dtype=np.int64)
    stopped = function(
        block.arena, columns.payload, columns.payload_len, columns.payload_claimed,
        rows, rows.size, 0, status, numbers, used,
    )  # fmt: skip
    return stopped, status.tolist(), numbers[: used[0]].tolist()


@settings(deadline=None)
@given(st.lists(honest, min_size=1, max_size=8))
def test_ordinary_messages_become_the_rows_of_the_parser(payloads):
    fast, slow, taken = compare("arp", seen_of("arp", payloads))
    assert fast == slow
    assert taken == len(payloads)


@needs_shared
@pytest.mark.parametrize(
    "name", ["arp-spoof__lab__arp_spoof_a.pcap", "arp-normal__chris__arp_gratuitous.pcapng"]
)
def test_captured_messages_become_the_rows_of_the_parser(name):
    seen = [s for s in walk(CAPTURES / name) if s.kind == "arp"]
    fast, slow, taken = compare("arp", seen)
    assert fast == slow
    assert taken == len(seen) > 0


def test_wounded_messages_are_read_alike_compiled_and_plain_and_within_their_span():
    payloads = list(mutate(5, ARP, 300))
    compiled = run(COMPILED, payloads, b"\xff" * 64, 400)
    assert compiled == run(rows_arp.arp_rows, payloads, b"\0\1\x08\0\6\4" * 8, 400)
    fast, slow, taken = compare("arp", seen_of("arp", payloads, cut=1))
    assert fast == slow
    assert taken == compiled[1].count(rows_arp.ORDINARY) > 50


@pytest.mark.parametrize(
    "payload",
    [
        ARP[0][:27],
        b"\0\6" + ARP[0][2:],
        ARP[0][:6] + b"\0\3" + ARP[0][8:],
        ARP[0][:4] + b"\5" + ARP[0][5:],
    ],
)
def test_what_is_not_plain_is_left(payload):
    assert run(COMPILED, [ARP[1], payload])[1] == [1, 1]  # the first one is cut
    assert run(COMPILED, [payload, ARP[1]])[1] == [1, 0]


def test_a_full_table_stops_where_it_is_full():
    assert run(COMPILED, [b"", *ARP, *ARP], room=3)[:2] == (4, [1, 0, 0, 0, 9])
