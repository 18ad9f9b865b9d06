"""wardwatch.decode.conversations"""

import random

import numpy as np
import pytest
from tests.decode.kernels.blocks import block_of, decoded
from tests.decode.kernels.packets import arp, ether, ipv4, tag, tcp, udp, vxlan

from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.fragments import Fragments, Reassembled
from wardwatch.decode.kernels import conversations as k

SYN, ACK, FIN, RST = 2, 16, 1, 4
A, B = 0x0A000001, 0x0A000002


class Talk:
    """A TCP conversation told in one line: ``"S h A D d F f"``, upper case the client."""

    def __init__(self, port=80):
        self.port = port
        self.next = {True: 1000, False: 5000}
        self.packets = []

    def say(self, letters):
        for letter in letters.split():
            self.one(letter.isupper(), letter.lower())
        return self

    def one(self, client, letter):
        flags, body = {
            "s": (SYN, b""),
            "h": (SYN | ACK, b""),
            "a": (ACK, b""),
            "d": (ACK | 8, b"x" * 10),
            "f": (FIN | ACK, b""),
            "r": (RST, b""),
        }[letter]
        seq = self.next[client]
        self.send(client, flags, body, seq)
        self.next[client] = seq + len(body) + (letter in "shf")

    def send(self, client, flags, body, seq):
        ack = self.next[not client] if flags & ACK else 0
        ports = (40000, self.port) if client else (self.port, 40000)
        ends = {"src": A, "dst": B} if client else {"src": B, "dst": A}
        self.packets.append(
            ether(0x0800, ipv4(6, tcp(*ports, body, flags=flags, seq=seq, ack=ack), **ends))
        )


def rows_of(packets, **options):
    block = block_of(packets)
    columns, _ = decoded(block)
    table = ConversationTable(**options)
    table.update(block, columns)
    return table.rows()


@pytest.mark.parametrize(
    ("letters", "state", "history"),
    [
        ("S", "S0", "S"),
        ("S h A", "S1", "ShA"),
        ("S h A D a d A F f A", "SF", "ShADadFf"),
        ("S h A D F", "S2", "ShADF"),
        ("S h A d f", "S3", "ShAdf"),
        ("S r", "REJ", "Sr"),
        ("S R", "RSTOS0", "SR"),
        ("S F", "SH", "SF"),
        ("S h A D R", "RSTO", "ShADR"),
        ("S h A D r", "RSTR", "ShADr"),
        ("S h A F f R", "SF", "ShAFfR"),
        ("h r", "RSTRH", "^hr"),
        ("h f", "SHR", "^hf"),
        ("D d A", "OTH", "DdA"),
        ("h S A D", "S1", "^hSAD"),
    ],
)
def test_state_and_history_are_zeeks(letters: str, state: str, history: str) -> None:
    rows = rows_of(Talk().say(letters).packets)
    assert rows["conn_state"].tolist() == [state]
    assert rows["history"].tolist() == [history]


def test_the_originator_sent_the_syn_or_was_answered_by_the_first_packet() -> None:
    rows = rows_of(Talk().say("h S A").packets)
    assert (rows["orig_lo"].tolist(), rows["orig_p"].tolist()) == ([A], [40000])
    assert (rows["orig_pkts"].tolist(), rows["resp_pkts"].tolist()) == ([2], [1])
    assert rows["orig_mac"].tolist() == [0x001A01000001]


@pytest.mark.parametrize(
    ("letters", "orig", "resp", "silent"),
    [
        ("S", 0xA1, 0, 0xB2),
        ("h", 0, 0xB2, 0xA1),
        ("S h A", 0xA1, 0xB2, 0),
        ("h S", 0xA1, 0xB2, 0),
    ],
)
def test_an_end_that_never_spoke_has_no_mac_but_the_one_it_was_spoken_to(
    letters: str, orig: int, resp: int, silent: int
) -> None:
    talk = Talk().say(letters)
    macs = (b"\0\0\0\0\0\xa1", b"\0\0\0\0\0\xb2")
    for n, letter in enumerate(letters.split()):
        src, dst = macs if letter.isupper() else macs[::-1]
        talk.packets[n] = dst + src + talk.packets[n][12:]
    rows = rows_of(talk.packets)
    told = [rows[f"{end}_mac"].tolist() for end in ("orig", "resp", "silent")]
    assert told == [[orig], [resp], [silent]]


def test_a_group_is_nobodys_address() -> None:
    (syn,) = Talk().say("S").packets
    assert rows_of([b"\x01\0\x5e\0\0\1" + syn[6:]])["silent_mac"].tolist() == [0]


def test_octets_are_counted_each_way_by_the_headers() -> None:
    rows = rows_of(Talk().say("S h A D d d").packets)
    assert (rows["orig_bytes"].tolist(), rows["resp_bytes"].tolist()) == ([10], [20])
    assert (rows["orig_ip_bytes"].tolist(), rows["resp_ip_bytes"].tolist()) == ([130], [140])
    assert (rows["first_packet"].tolist(), rows["last_packet"].tolist()) == ([1], [6])


def test_repeated_late_and_missing_segments_are_told_apart() -> None:
    talk = Talk().say("S h A D D")
    talk.packets.append(talk.packets[-1])
    rows = rows_of(talk.packets)
    assert (rows["retransmissions"].tolist(), rows["history"].tolist()) == ([1], ["ShADT"])
    talk = Talk().say("S h A D D D")
    late = talk.packets.pop(4)
    rows = rows_of([*talk.packets, late])
    assert (rows["reordered"].tolist(), rows["retransmissions"].tolist()) == ([1], [0])
    talk = Talk().say("S h A D D")
    talk.packets.pop()
    talk.say("a")
    rows = rows_of(talk.packets)
    assert (rows["missed_bytes"].tolist(), rows["history"].tolist()) == ([10], ["ShADaG"])


def test_a_keep_alive_is_no_retransmission() -> None:
    talk = Talk().say("S h A D")
    talk.send(True, ACK, b"x", talk.next[True] - 1)
    assert rows_of(talk.packets)["retransmissions"].tolist() == [0]


def test_flags_that_contradict_and_zero_windows_leave_a_letter() -> None:
    packets = [
        ether(0x0800, ipv4(6, tcp(1, 2, flags=flags, window=window), src=A, dst=B))
        for flags, window in ((SYN | FIN, 1), (FIN | RST, 1), (ACK, 0))
    ]
    assert rows_of(packets)["history"].tolist() == ["QSFIRAW"]


def test_a_new_syn_on_a_finished_connection_begins_another() -> None:
    first = Talk().say("S h A F f A")
    second = Talk()
    second.next = {True: 70_000, False: 90_000}
    second.say("S h A")
    rows = rows_of(first.packets + second.packets)
    assert rows["conn_state"].tolist() == ["SF", "S1"]
    assert rows["orig_pkts"].tolist() == [4, 2]


def test_vlans_are_told_apart_and_tunnels_when_asked() -> None:
    datagram = ipv4(17, udp(1, 2, b"x"))
    inner = ether(0x0800, datagram)
    packets = [inner, ether(0x8100, tag(5, 0x0800, datagram))]
    packets += [ether(0x0800, ipv4(17, udp(9, 4789, vxlan(vni, inner)))) for vni in (1, 2)]
    assert rows_of(packets)["vlan"].tolist() == [-1, 5]
    rows = rows_of(packets, by_tunnel=True)
    assert rows["tunnel_id"].tolist() == [-1, -1, 1, 2]


def test_what_hops_from_another_vlan_is_no_part_of_a_conversation_in_this_one() -> None:
    ask, answer = (
        ipv4(6, tcp(1, 2, flags=SYN), src=A, dst=B),
        ipv4(6, tcp(2, 1, flags=SYN | ACK), src=B, dst=A),
    )
    hopped = ether(0x8100, tag(1, 0x8100, tag(120, 0x0800, ask)))
    turned = ether(0x88A8, tag(1, 0x8100, tag(120, 0x0800, answer)))
    plain = [ether(0x8100, tag(120, 0x0800, one)) for one in (ask, answer)]
    rows = rows_of([hopped, turned, *plain])
    assert rows["vlan"].tolist() == [120, 120, 120]
    assert (rows["orig_p"].tolist(), rows["resp_p"].tolist()) == ([1, 1, 1], [2, 2, 2])
    assert (rows["orig_pkts"].tolist(), rows["resp_pkts"].tolist()) == ([1, 0, 1], [0, 1, 1])


def test_icmp_questions_and_their_answers_are_one_conversation() -> None:
    ask = ether(0x0800, ipv4(1, bytes((8, 0)) + bytes(14), src=A, dst=B))
    answer = ether(0x0800, ipv4(1, bytes((0, 0)) + bytes(14), src=B, dst=A))
    error = ether(0x0800, ipv4(1, bytes((3, 1)) + bytes(14), src=B, dst=A))
    rows = rows_of([ask, answer, error])
    assert (rows["orig_p"].tolist(), rows["resp_p"].tolist()) == ([8, 3], [0, 1])
    assert (rows["orig_pkts"].tolist(), rows["resp_pkts"].tolist()) == ([1, 1], [1, 0])
    assert rows["orig_bytes"].tolist() == [8, 8]


def test_one_way_is_told_of_tcp_that_acknowledges_what_was_not_seen() -> None:
    assert rows_of(Talk().say("S").packets)["one_way"].tolist() == [False]
    assert rows_of(Talk().say("S A D").packets)["one_way"].tolist() == [True]
    assert rows_of(Talk().say("S h A").packets)["one_way"].tolist() == [False]


def test_a_tunnel_whose_packets_have_no_ports_has_a_conversation_of_its_own() -> None:
    inner = ether(0x0806, arp())
    rows = rows_of([ether(0x0800, ipv4(17, udp(9, 4789, vxlan(1, inner)), src=A, dst=B))])
    assert (rows["proto"].tolist(), rows["orig_p"].tolist()) == ([17], [9])
    assert (rows["orig_lo"].tolist(), rows["resp_lo"].tolist()) == ([A], [B])


def test_a_full_table_gives_up_unanswered_syns_before_real_conversations() -> None:
    real = Talk().say("S h A D d")
    flood = [ether(0x0800, ipv4(6, tcp(1, 80, flags=SYN), src=k, dst=B)) for k in range(100, 400)]
    block = block_of([*real.packets, *flood, *real.packets[-2:]])
    columns, _ = decoded(block)
    table = ConversationTable(max_rows=64)
    table.update(block, columns)
    assert len(table) <= 64
    assert table.evicted == 301 - len(table)
    assert columns.conversation[0] == columns.conversation[block.n - 1] == 0
    rows = table.rows()
    assert rows["conversation"].tolist() == list(range(301))
    assert rows["orig_pkts"][0] == 4
    assert table.pending == 301 - len(table)
    drained = table.drain()
    assert len(drained["conversation"]) + len(table.rows()["conversation"]) == 301
    assert table.row[block.n - 1] == 0


def test_pieces_are_the_rows_in_order_whatever_their_size() -> None:
    flood = [ether(0x0800, ipv4(6, tcp(1, 80, flags=SYN), src=k, dst=B)) for k in range(100, 400)]
    block = block_of(flood)
    columns, _ = decoded(block)
    table = ConversationTable(max_rows=64)
    table.update(block, columns)
    whole = table.rows()
    for size in (1, 7, 299, 300, 1_000):
        pieces = list(table.pieces(size))
        assert max(len(piece["conversation"]) for piece in pieces) == min(size, 300)
        for name, values in whole.items():
            assert np.concatenate([piece[name] for piece in pieces]).tolist() == values.tolist()


def test_what_is_over_leaves_in_pieces_and_the_rest_stays_whole(monkeypatch) -> None:
    monkeypatch.setattr("wardwatch.decode.conversations._MOVED_ROWS", 3)
    ports = [*range(1, 41), *range(4, 41, 4)]  # every fourth again, after a long silence
    packets = [ether(0x0800, ipv4(17, udp(port, 2, b"x"))) for port in ports]
    block = block_of(packets, time=[0] * 40 + [10**12] * 10)
    columns, _ = decoded(block)
    table = ConversationTable(idle_ns={17: 10**9})
    table.update(block, columns)
    pieces = [piece["orig_p"].tolist() for piece in table.finished_pieces(4)]
    assert pieces == [[4, 8, 12, 16], [20, 24, 28, 32], [36, 40]]
    assert table.pending == 0
    left = table.rows()
    assert left["orig_p"].tolist() == [n for n in range(1, 41) if n % 4] + list(range(4, 41, 4))
    assert left["conversation"].tolist() == [n for n in range(50) if n >= 40 or (n + 1) % 4]


def test_what_silence_ended_can_be_drained() -> None:
    packets = [ether(0x0800, ipv4(17, udp(1, 2, b"x")))] * 2
    block = block_of(packets, time=[0, 10**12])
    columns, _ = decoded(block)
    table = ConversationTable(idle_ns={17: 10**9})
    table.update(block, columns)
    assert table.drain_finished()["conversation"].tolist() == [0]
    assert table.rows()["conversation"].tolist() == [1]
    assert table.isn(0) == (-1, -1)


def test_python_can_ask_for_the_numbers_of_the_syns() -> None:
    block = block_of(Talk().say("S h A").packets)
    columns, _ = decoded(block)
    table = ConversationTable()
    table.update(block, columns)
    assert table.isn(0) == (1000, 5000)
    assert table.isn(7) == (-1, -1)


def test_fragments_count_once_for_the_conversation_of_their_whole() -> None:
    whole = udp(1, 2, b"x" * 40)
    pieces = [
        ipv4(17, whole[:24], fragment=0x2000, src=A, dst=B),
        ipv4(17, whole[24:], fragment=3, src=A, dst=B),
    ]
    block = block_of([ether(0x0800, p) for p in pieces])
    columns, events = decoded(block)
    table, fragments = ConversationTable(), Fragments()
    table.update(block, columns, np.array([4, 4]))
    assert columns.conversation[:2].tolist() == [0, -1]
    nothing, (found, _) = fragments.take(block, columns, range(2))
    assert nothing == (None, ())
    inside = Reassembled()
    inside.decode([(1, found)], block, columns, events)
    assert table.touch(inside.block, inside.columns, found) == 0
    rows = table.rows()
    assert (rows["orig_pkts"].tolist(), rows["orig_bytes"].tolist()) == ([2], [40])
    assert rows["orig_ip_bytes"].tolist() == [48 + 40]
    assert rows["segment"].tolist() == [4]


def test_two_tables_share_the_conversations_and_give_no_number_twice() -> None:
    packets = [
        *Talk().say("S h A").packets,
        ether(0x0800, ipv4(17, udp(1, 2, b"x"))),
        ether(0x0800, ipv4(6, tcp(7, 8, flags=SYN))),
        ether(0x0800, ipv4(1, b"\x08\x00\0\0\0\0\0\0")),
    ]
    block = block_of(packets)
    columns, _ = decoded(block)
    one, two = ConversationTable(only=k.TCP), ConversationTable(only=k.OTHERS)
    one.update(block, columns)
    assert columns.conversation[: block.n].tolist() == [0, 0, 0, -1, 2, -1]
    two.update(block, columns)
    assert columns.conversation[: block.n].tolist() == [0, 0, 0, 1, 2, 3]
    assert one.rows()["conversation"].tolist() == [0, 2]
    assert two.rows()["conversation"].tolist() == [1, 3]
    assert two.row[: block.n].tolist() == [-1, -1, -1, 0, -1, 1]


def talk_of_many(seed, count=120):
    """Frames of few ends that speak without TCP, some without payload, some from another MAC."""
    dice = random.Random(seed)
    frames = []
    for _ in range(count):
        ends = {"src": A + dice.randrange(3), "dst": A + dice.randrange(3)}
        kind = dice.randrange(4)
        if kind == 0:
            ports = dice.choice(((53, 1024), (1024, 53), (5, 5)))
            body = ipv4(17, udp(*ports, b"x" * dice.randrange(3)), **ends)
        elif kind == 1:
            body = ipv4(
                1, bytes([dice.choice((0, 8, 3)), 0]) + bytes(6 + dice.randrange(3)), **ends
            )
        elif kind == 2:
            body = ipv4(47, b"gre?" * 3, **ends)
        else:
            body = ipv4(17, udp(1, 2, b"y"), **ends)
        source = bytes([2, 0, 0, 0, 0, dice.randrange(3)])
        frames.append(b"\x02\0\0\0\0\x09" + source + b"\x08\0" + body)
    return frames


def others_of(frames, first=1, begin=0):
    time = [(begin + n) * 1_000_000 for n in range(len(frames))]
    block = block_of(frames, first=first, time=time)
    columns, _ = decoded(block)
    table = ConversationTable(only=k.OTHERS)
    table.update(block, columns, np.zeros(block.n, np.int32))
    return table, block, columns


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_table_takes_over_what_another_has_of_later_packets(seed, plain, monkeypatch) -> None:
    if plain:
        monkeypatch.setattr(k, "absorb", k.absorb.py_func)
    frames = talk_of_many(seed)
    whole, all_of_it, known = others_of(frames)
    told, conversation = whole.rows(), known.conversation[: all_of_it.n].tolist()
    for cut in range(0, len(frames) + 1, 7 if plain else 1):
        ours, _, _ = others_of(frames[:cut])
        later, block, columns = others_of(frames[cut:], first=cut + 1, begin=cut)
        numbers = ours.absorb(later.taken(), np.array([0], np.int32), over=False)
        found = ours.rows()
        for name, values in told.items():
            assert found[name].tolist() == values.tolist(), (name, cut)
        here = columns.conversation[: block.n]
        assert numbers[here[here >= 0] >> 1].tolist() == [n for n in conversation[cut:] if n >= 0]


def test_a_table_grows_for_what_it_takes_over() -> None:
    frames = [
        ether(0x0800, ipv4(17, udp(n, 53, b"x"), src=A, dst=B)) for n in range(1, k.WIDTH * 400)
    ]
    ours, _, _ = others_of(frames[:3])
    later, _, _ = others_of(frames)
    ours.absorb(later.taken(), np.array([5], np.int32), over=False)
    assert len(ours) == len(frames)
    rows = ours.rows()
    assert rows["orig_pkts"].tolist() == [2, 2, 2] + [1] * (len(frames) - 3)
    assert rows["segment"].tolist() == [0, 0, 0] + [5] * (len(frames) - 3)
    assert rows["conversation"].tolist() == list(range(1, 2 * len(frames), 2))


@pytest.mark.parametrize(
    ("before", "after", "under_way"),
    [
        ("S h A", "S h A D", True),
        ("S h A F f a A", "S h A D", False),
        ("S h A r", "S h", False),
        ("", "S h", False),
    ],
)
def test_a_syn_meets_the_connection_that_is_under_way(before, after, under_way) -> None:
    def table_of(talk):
        block = block_of(talk.packets)
        columns, _ = decoded(block)
        table = ConversationTable(only=k.TCP)
        table.update(block, columns)
        return table

    second = Talk()
    second.next = {True: 90_000, False: 70_000}
    ours, later = table_of(Talk().say(before)), table_of(second.say(after))
    known = len(ours)
    assert ours.meets(later.taken()) == under_way
    if not under_way:
        ours.absorb(later.taken(), np.zeros(1, np.int32), over=True)
        assert len(ours) == known + 1
        assert ours.rows()["conversation"].tolist() == [2 * n for n in range(known + 1)]


def tcp_table(packets, first=1):
    block = block_of(packets, first=first, time=[(first + n) * 1000 for n in range(len(packets))])
    columns, _ = decoded(block)
    table = ConversationTable(only=k.TCP)
    table.update(block, columns)
    return table


@pytest.mark.parametrize("letters", ["S h r", "S h A D", "S D"])
def test_the_same_syn_again_begins_nothing(letters) -> None:
    packets = Talk().say(letters).packets
    assert tcp_table(packets[:1]).meets(tcp_table(packets).taken())
    assert tcp_table(packets).meets(tcp_table(packets[:1]).taken())


def test_a_syn_that_nobody_answers_is_counted_together() -> None:
    packets = Talk().say("S").packets * 5
    whole = tcp_table(packets).rows()
    for cut in range(1, 5):
        ours, later = tcp_table(packets[:cut]), tcp_table(packets[cut:], first=cut + 1)
        assert not ours.meets(later.taken())
        ours.absorb(later.taken(), np.zeros(1, np.int32), over=True)
        assert {n: v.tolist() for n, v in ours.rows().items() if n != "seat"} == {
            n: v.tolist() for n, v in whole.items() if n != "seat"
        }


@pytest.mark.parametrize("most", [64, 1_000])
def test_a_table_whose_rows_rest_in_a_file_has_the_same(most, monkeypatch) -> None:
    talk = Talk().say("S h A D d")
    flood = [ether(0x0800, ipv4(6, tcp(1, 80, flags=SYN), src=k, dst=B)) for k in range(100, 400)]
    packets = [*talk.packets, *flood, *talk.packets[-2:]]
    monkeypatch.setattr("wardwatch.decode.conversations.FIRST_ROWS", 4)
    monkeypatch.setattr("wardwatch.decode.conversations._MOVED_ROWS", 3)

    def found() -> tuple[ConversationTable, dict[str, list[object]]]:
        table = ConversationTable(max_rows=most)
        for at in range(0, len(packets), 20):
            block = block_of(packets[at : at + 20], first=1 + at)
            table.update(block, decoded(block)[0])
        pieces = list(table.pieces(50))
        return table, {n: np.concatenate([p[n] for p in pieces]).tolist() for n in pieces[0]}

    plain, expected = found()
    assert plain._resting is None
    monkeypatch.setattr("wardwatch.decode.conversations.RESTING_ROWS", 8)
    monkeypatch.setattr("wardwatch.decode.conversations.AWAKE_ROWS", 1)
    resting, rows = found()
    assert resting._resting is not None
    assert rows == expected
    assert len(rows["conversation"]) == 301
