"""wardwatch.decode.kernels.rows_dns"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datagram_rows import block_of, compare, seen_of
from tests.hostile import mutate
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import ANSWER, DNS, OPT, QUERY, dns, name, pointer, question, record, u16

from wardwatch.compiled import kernel
from wardwatch.decode.kernels import rows_dns
from wardwatch.decode.wire.dns import parse

COMPILED = kernel(rows_dns.dns_rows)
"""By itself; it is part of the kernel that makes rows of all kinds."""

four = st.binary(min_size=4, max_size=4)
sixteen = st.binary(min_size=16, max_size=16) | st.lists(
    st.sampled_from([0, 0, 0, 7]), min_size=16, max_size=16
).map(bytes)
label = st.text("abcXYZ019-_", min_size=1, max_size=12)
names = st.lists(label, min_size=1, max_size=4).map(lambda parts: name(".".join(parts)))
owners = names | st.just(pointer(12))
RDATA = {
    1: four,
    28: sixteen.filter(lambda raw: raw[:12] != bytes(10) + b"\xff\xff"),
    2: owners,
    5: owners,
    12: owners,
    15: owners.map(lambda n: u16(10) + n),
    33: owners.map(lambda n: bytes(6) + n),
    6: owners.map(lambda n: n + b"\0" + bytes(20)),
    16: st.binary(max_size=30),
    65: st.binary(max_size=30),
}


@st.composite
def records(draw):
    kind = draw(st.sampled_from(sorted(RDATA)))
    return record(draw(owners), kind, draw(RDATA[kind]), draw(st.integers(0, 2**32 - 1)))


@st.composite
def ordinary(draw):
    flags = draw(st.integers(0, 0xFFFF)) & ~0x7A00
    sections = [draw(st.lists(records(), max_size=4)) for _ in range(3)]
    if draw(st.booleans()):
        sections[2].append(OPT)
    ask = question(draw(names), draw(st.integers(0, 65535)), draw(st.integers(0, 65535)))
    return dns([ask], *sections, ident=draw(st.integers(0, 65535)), flags=flags)


def run(function, payloads, poison=b"", room=64, query=1 << 14, answers=256, text=1 << 16):
    block, columns = block_of(seen_of("dns", payloads, cut=1), poison)
    status = np.full(len(payloads), 9, np.uint8)
    numbers = np.zeros((room, len(rows_dns.NUMBERS)), np.int64)
    asked = np.zeros(query, np.uint8)
    found = np.zeros((answers, len(rows_dns.ANSWERS)), np.int64)
    texts = np.zeros(text, np.uint8)
    used = np.zeros(4, np.int64)
    rows = np.arange(len(payloads), dtype=np.int64)
    stopped = function(
        block.arena, columns.payload, columns.payload_len, columns.payload_claimed,
        rows, rows.size, 0, status, numbers, asked, found, texts, used,
    )  # fmt: skip
    n, q, a, t = used.tolist()
    return (
        stopped,
        status.tolist(),
        numbers[:n].tolist(),
        asked[:q].tobytes(),
        found[:a].tolist(),
        texts[:t].tobytes(),
    )


@settings(deadline=None, max_examples=80)
@given(st.lists(ordinary(), min_size=1, max_size=4))
def test_ordinary_messages_become_the_rows_of_the_parser(payloads):
    fast, slow, taken = compare("dns", seen_of("dns", payloads))
    assert fast == slow
    assert taken == len(payloads)


@needs_shared
@pytest.mark.parametrize(
    "capture",
    [
        "dns-normal__ppp__DnsPackets.pcap",
        "dns-exfil__ndpi__bad-dns-traffic.pcap",
        "dns-fragmented__ndpi__dns_fragmented.pcap",
        "llmnr__sv__llmnr-udp__input.pcap",
    ],
)
def test_captured_messages_become_the_rows_of_the_parser(capture):
    ports = {53, 5353, 5355}
    seen = [
        s for s in walk(CAPTURES / capture) if s.kind == "udp" and {s.src_port, s.dst_port} & ports
    ]
    fast, slow, taken = compare("dns", seen)
    assert fast == slow
    assert taken > 0


def test_wounded_messages_are_read_alike_compiled_and_plain_and_within_their_span():
    payloads = list(mutate(7, DNS, 500))
    room = {"room": 600, "query": 1 << 18, "answers": 4096, "text": 1 << 20}
    compiled = run(COMPILED, payloads, b"\xff" * 64, **room)
    plainly = run(rows_dns.dns_rows, payloads, b"\xc0\x0c\4ward" * 9, **room)
    assert compiled == plainly
    fast, slow, taken = compare("dns", seen_of("dns", payloads, cut=1))
    assert fast == slow
    assert taken == compiled[1].count(rows_dns.ORDINARY) > 50


ASK = question(name("ward"))
A = record(pointer(12), 1, bytes(4))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        QUERY[:11],
        dns([ASK, ASK]),
        dns([]),
        dns([ASK], flags=0x8380),
        dns([ASK], flags=0x2800),
        dns([question(b"\4wa.d\0")]),
        dns([question(b"\4wa d\0")]),
        dns([question(pointer(12))]),
        dns([question(b"\4ward" + pointer(17))]),
        dns([question(b"\1a" + pointer(2))]),
        dns([question(b"\x3f" + b"a" * 62)]),
        dns([question(b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0")]),
        dns([name("ward")]),
        dns([ASK], [A] * 25),
        dns([ASK], [A], counts=(1, 2, 0, 0)),
        dns([ASK], [A])[:-1],
        dns([ASK], [record(pointer(12), 1, bytes(5))]),
        dns([ASK], [record(pointer(12), 28, bytes(15))]),
        dns([ASK], [record(pointer(12), 28, bytes(10) + b"\xff\xff" + bytes(4))]),
        dns([ASK], [record(pointer(12), 5, name("x") + b"\0")]),
        dns([ASK], [record(pointer(12), 33, bytes(5))]),
        dns([ASK], [record(pointer(12), 6, name("x") + b"\0" + bytes(19))]),
        dns([ASK], additional=[OPT, OPT]),
        dns([ASK], [OPT]),
        dns([ASK], additional=[record(name("x"), 41, b"")]),
        dns([ASK], additional=[record(b"\0", 41, b"\0\x0a\0\x09" + bytes(8))]),
        dns([ASK], additional=[record(b"\0", 41, b"\0\x0a\0")]),
    ],
)
def test_what_is_not_plain_is_left(payload):
    assert run(COMPILED, [QUERY, payload, ANSWER])[1] == [1, 1, 0]  # the first is cut


def test_chains_of_pointers_are_left_to_the_parser_which_names_them():
    def chained(pointers):
        # an answer's RDATA full of pointers, each to the one before; the next owner is the last
        chain = b"\0" + b"".join(pointer(28 if k == 0 else 27 + 2 * k) for k in range(pointers))
        first = record(b"\0", 16, chain)
        return dns([question(b"\0")], [first, record(pointer(27 + 2 * pointers), 16, b"")])

    for pointers, loop in ((0, None), (1, False), (126, False), (127, True)):
        payload = chained(pointers) if pointers else ANSWER
        assert run(COMPILED, [b"", payload])[1] == [1, 0 if loop is None else 1]
        message, anomalies = parse(payload)
        assert message is not None
        assert message.pointer_loop == bool(loop)
        chain = [] if loop is None else ["dns_pointer_chain"]
        assert [a.fault.name for a in anomalies] == chain + ["dns_pointer_loop"] * bool(loop)


@pytest.mark.parametrize(
    "room", [{"room": 3}, {"query": 256 + 60}, {"answers": 24 + 5}, {"text": 24 * 256 + 80}]
)
def test_full_tables_stop_where_they_are_full(room):
    stopped, status, *_ = run(COMPILED, [b"", *[ANSWER] * 6], **room)
    assert 1 < stopped < 7
    assert status[stopped:] == [9] * (7 - stopped)
    assert status[1:stopped] == [0] * (min(stopped, 5) - 1) + [1] * (stopped > 5)
