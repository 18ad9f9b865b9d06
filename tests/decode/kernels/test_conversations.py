"""wardwatch.decode.kernels.conversations"""

import json
import random

import numpy as np
import pytest
from tests.decode.kernels import naive
from tests.decode.kernels.blocks import block_of, block_of_file, decoded, records
from tests.decode.kernels.packets import ether, ipv4, ipv6, tag, tcp, udp
from tests.shared import CAPTURES, needs_shared

from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.kernels import conversations as k

BOTH = pytest.mark.parametrize("plain", [False, True], ids=["compiled", "py_func"])


def swap(monkeypatch, plain):
    if plain:
        monkeypatch.setattr(k, "conversations", k.conversations.py_func)
        monkeypatch.setattr(k, "reindex", k.reindex.py_func)


def compare(block, table, idle=0):
    """The table's rows against a dictionary's, packet by packet."""
    columns, _ = decoded(block)
    columns.carried[:] = 0  # tunnels' own conversations are tested with the table
    table.update(block, columns)
    plain = naive.Conversations(idle)
    for i in range(block.n):
        start = int(block.offset[i])
        data = block.arena[start : start + int(block.length[i])].tobytes()
        twin = naive.Packet(int(block.link[i]), data, int(block.wire[i]))
        taken = plain.take(twin, int(block.time[i]))
        told = (int(columns.conversation[i]), bool(columns.from_orig[i]))
        assert told == (taken or (-1, False)), i
    rows = table.rows()
    assert rows["conversation"].tolist() == list(range(len(plain.found)))
    for side, name in enumerate(("orig", "resp")):
        assert rows[f"{name}_pkts"].tolist() == [one["packets"][side] for one in plain.found]
        assert rows[f"{name}_bytes"].tolist() == [one["bytes"][side] for one in plain.found]
        assert rows[f"{name}_mac"].tolist() == [one["mac"][side] for one in plain.found]
    wanted = [one["for"] if 0 in one["packets"] else 0 for one in plain.found]
    assert rows["silent_mac"].tolist() == wanted
    return rows


def traffic(count, seed, hosts=6):
    """Packets of few hosts and ports, so that they meet often; flags as they fall."""
    chance, macs, outer = (random.Random(seed) for _ in range(3))
    for _ in range(count):
        a, b = chance.sample(range(hosts), 2)
        ports = chance.choice((1, 2)), chance.choice((1, 80))
        body = bytes(chance.choice((0, 0, 3)))
        what = chance.randrange(10)
        if what < 6:
            flags = chance.choice((2, 18, 16, 24, 17, 4, 20))
            inner = (
                6,
                tcp(*ports, body, flags=flags, seq=chance.randrange(40), ack=chance.randrange(40)),
            )
        elif what < 8:
            inner = 17, udp(*ports, body)
        else:
            inner = (
                1,
                bytes((chance.choice((0, 8, 3, 11, 13, 14)), chance.choice((0, 1)))) + bytes(6),
            )
        if chance.random() < 0.3:
            high = chance.choice(((a, b), (7, 7), (a, 7), (7, b)))
            low = chance.choice(((a, b), (7, 7)))
            src, dst = (h << 64 | part for h, part in zip(high, low, strict=True))
            packet = 0x86DD, ipv6(*inner, src=src, dst=dst)
        else:
            packet = (
                0x0800,
                ipv4(*inner, src=a, dst=b, fragment=chance.choice((0,) * 9 + (0x2000, 3))),
            )
        if chance.random() < 0.3:
            packet = 0x8100, tag(chance.choice((5, 6)), *packet)
            if outer.random() < 0.3:
                packet = outer.choice((0x8100, 0x88A8)), tag(outer.choice((0, 1, 5)), *packet)
        dst = bytes((macs.choice((0, 0, 1)), 0, 0, 0, macs.choice((0, 1)), b))
        yield ether(*packet, dst=dst, src=bytes((0, 0, 0, 0, macs.choice((0, 0, 1)), a)))


@BOTH
def test_rows_are_those_of_a_dictionary(monkeypatch, plain: bool) -> None:
    swap(monkeypatch, plain)
    packets = list(traffic(800 if plain else 6_000, 1))
    compare(block_of(packets), ConversationTable())


def test_conversations_whose_hashes_are_equal_stay_apart(monkeypatch) -> None:
    swap(monkeypatch, plain=True)
    monkeypatch.setattr(k, "_hash", lambda source, target, key: 1)
    compare(block_of(list(traffic(500, 3))), ConversationTable())


@BOTH
def test_silence_ends_a_conversation(monkeypatch, plain: bool) -> None:
    swap(monkeypatch, plain)
    packets = list(traffic(600, 2, hosts=3))
    chance, now, times = random.Random(2), 0, []
    for _ in packets:
        now += chance.choice((1, 1, 1, 500))
        times.append(now)
    rows = compare(block_of(packets, time=times), ConversationTable(idle_ns=700), idle=700)
    assert len(rows["conversation"]) > len(
        set(zip(rows["orig_lo"].tolist(), rows["resp_lo"].tolist(), strict=True))
    )


NEVER = 1 << 62
"""A silence that never ends a conversation, and that forbids the short way: it has to be measured."""


def talks(count, seed, hosts):
    """Connections that mostly go on as they should, many at once; ports are used again."""
    chance = random.Random(seed)
    known = {}
    for _ in range(count):
        a, b = sorted(chance.sample(range(1, hosts + 1), 2))
        ends = a, b, chance.choice((1024, 1025)), chance.choice((80, 1024))
        if ends not in known or chance.random() < 0.01:
            known[ends] = [chance.randrange(1 << 32), chance.randrange(1 << 32)]
            flags = chance.choice((2, 2, 18, 24))
            head, size = (flags, *known[ends], 512), 0
            known[ends][0] += 1 if flags & 2 else 0
            side = 0
        else:
            side = chance.randrange(2)
            size = chance.choice((0, 1, 7))
            moves = known[ends]
            flags = chance.choice((16, 24) * 30 + (17, 4, 20, 2, 18, 0, 19, 8))
            odd = chance.choice((0,) * 20 + (1, 2, 3, 4))
            seq = moves[side] + (odd == 1) * chance.choice((-7, -1, 5))
            ack = moves[1 - side] + (odd == 2) * chance.choice((3, 1 << 21, -4))
            head = flags, seq, ack, 0 if odd == 3 else 512
            moves[side] = max(moves[side], seq + size + (flags & 1) + (flags >> 1 & 1))
        flags, seq, ack, window = head
        ports = ends[2:] if side == 0 else ends[:1:-1]
        numbers = {"seq": seq & 0xFFFFFFFF, "ack": ack & 0xFFFFFFFF}
        segment = tcp(*ports, bytes(size), flags=flags, window=window, **numbers)
        src, dst = (a, b) if side == 0 else (b, a)
        part = chance.choice((0,) * 40 + (0x2000, 3))
        if chance.random() < 0.02:  # a data offset inside of the header
            segment = segment[:12] + bytes((chance.choice((0, 0x40)),)) + segment[13:]
        packet = 0x0800, ipv4(6, segment, src=src, dst=dst, fragment=part)
        if a % 5 == 0:
            packet = 0x86DD, ipv6(6, segment, src=src << 64 | 1, dst=dst << 64 | 1)
        if b % 4 == 0:
            packet = 0x8100, tag(chance.choice((5, 5, 5, 6)), *packet)
        mac = chance.choice((bytes((0, 0, 0, 0, 1, src)), bytes(6)))
        yield ether(*packet, dst=bytes((1, 0, 0, 0, 1, dst)), src=mac)


@pytest.mark.parametrize("most", [1 << 20, 60])
@pytest.mark.parametrize("only", [k.ALL, k.TCP])
def test_the_short_way_counts_what_the_long_way_counts(only: int, most: int) -> None:
    tables = [ConversationTable(most, idle, only=only) for idle in (0, NEVER)]
    for part in range(6):
        hosts = (4, 12, 40)[part % 3]
        packets = [*talks(3_000, part, hosts), *traffic(200, part)]
        block = block_of(packets, first=1 + 4_000 * part, capture=part // 3)
        seen = []
        for table in tables:
            columns, _ = decoded(block)
            columns.conversation[:] = -1
            stops = [0]
            while stops[-1] < block.n:
                stops.append(table.advance(block, columns, stops[-1], block.n))
            told = columns.conversation[: block.n], columns.from_orig[: block.n]
            seen.append([told[0].tolist(), told[1].tolist(), table.row[: block.n].tolist(), stops])
        assert seen[0] == seen[1]
    short, long = (table.rows() for table in tables)
    for name, values in short.items():
        assert values.tolist() == long[name].tolist(), name
    counted = short["retransmissions"], short["reordered"], short["missed_bytes"]
    assert all(values.any() for values in counted)
    assert (tables[0].evicted > 0) == (most == 60)


def test_an_acknowledgement_with_the_next_octets_tells_of_the_other_end() -> None:
    table = ConversationTable()
    for flags, seq, told in ((2, 0, False), (8, 1, False), (8, 2, False), (24, 3, True)):
        body = b"x" if flags & 8 else b""
        block = block_of([ether(0x0800, ipv4(6, tcp(1024, 80, body, flags=flags, seq=seq)))])
        columns, _ = decoded(block)
        table.update(block, columns)
        assert table.rows()["one_way"].tolist() == [told]


def test_a_small_table_grows_and_answers_alike() -> None:
    packets = [ether(0x0800, ipv4(17, udp(k & 0xFFFF, 9, b"x"), src=k)) for k in range(40_000)]
    table = ConversationTable()
    columns, _ = decoded(block_of(packets + packets[::-1]))
    table.update(block_of(packets + packets[::-1]), columns)
    assert len(table) == 40_000
    assert columns.conversation[:40_000].tolist() == list(range(40_000))
    assert columns.conversation[40_000:80_000].tolist() == list(range(39_999, -1, -1))


@needs_shared
def test_every_shared_capture_has_the_conversations_of_a_dictionary() -> None:
    for path in sorted(CAPTURES.iterdir()):
        if (
            path.is_file()
            and ("pcap" in path.name or path.suffix == ".cap")
            and list(records(path))
        ):
            compare(block_of_file(path), ConversationTable())


SELF = ("snmp__sv__SNMPv2c_get_requests", "snmp__zeek__snmpv1_set", "snmp__zeek__snmpv3_get_next")
"""A host that talks to itself: tshark takes each direction for a stream of its own."""


@needs_shared
def test_the_shared_captures_have_the_conversations_that_tshark_counts() -> None:
    from wardwatch.decode.fragments import Fragments, Reassembled

    wrong = []
    for expected in sorted((CAPTURES / "expect").glob("*.json")):
        path = CAPTURES / expected.name.removesuffix(".json")
        told = json.loads(expected.read_text(encoding="utf-8"))["assertions"]
        wanted = {a["path"]: a["value"] for a in told}.get("conversations_total")
        if wanted is None or path.name.startswith(SELF):
            continue
        block = block_of_file(path)
        columns, events = decoded(block)
        table, fragments = ConversationTable(), Fragments()
        table.update(block, columns)
        inside = Reassembled()
        rows = np.flatnonzero(columns.fragment[: block.n] >= 0).tolist()
        for i, (whole, _) in zip(rows, fragments.take(block, columns, rows), strict=True):
            if whole:
                inside.decode([(i, whole)], block, columns, events)
                table.touch(inside.block, inside.columns, whole)
        rows = table.rows()
        names = ("proto", "orig_hi", "orig_lo", "orig_p", "resp_hi", "resp_lo", "resp_p")
        keys = {
            (proto, *sorted([(a, b, c), (d, e, f)]))
            for proto, a, b, c, d, e, f in zip(*(rows[n].tolist() for n in names), strict=True)
        }
        found = {"tcp": sum(key[0] == 6 for key in keys), "udp": sum(key[0] == 17 for key in keys)}
        if found != wanted:
            wrong.append((path.name, found, wanted))
    assert wrong == []
