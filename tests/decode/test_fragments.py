"""wardwatch.decode.fragments"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.kernels.blocks import block_of, block_of_file, decoded
from tests.decode.kernels.packets import ether, fragment6, ipv4, ipv6, udp, vxlan
from tests.shared import CAPTURES, needs_shared

from wardwatch.decode import fragments as f
from wardwatch.decode.kernels.headers import REASONS, TUNNELS, Events

KEY = f.Key(net=4, src=1, dst=2, ip_id=3, proto=17)


def feed(pieces, fragments=None, key=KEY, proto=17, ts=0):
    """(whole payload or None, names of anomalies) of (offset, more, data) pieces."""
    fragments = f.Fragments() if fragments is None else fragments
    found, names = None, []
    for offset, more, data in pieces:
        whole, anomalies = fragments.add(key, proto, offset, more, data, ts)
        found = whole or found
        names += [a.fault.name for a in anomalies]
    return found, names


@needs_shared
def test_a_captured_answer_in_two_fragments_is_whole() -> None:
    block = block_of_file(CAPTURES / "dns-fragmented__ndpi__dns_fragmented.pcap")
    columns, events = decoded(block)
    rows = (columns.fragment[: block.n] >= 0).nonzero()[0].tolist()
    found = list(f.Fragments().take(block, columns, rows))
    assert [anomalies for _, anomalies in found] == [()] * len(rows)
    wholes = [(i, whole) for i, (whole, _) in zip(rows, found, strict=True) if whole]
    inside, sizes = f.Reassembled(), []
    inside.decode(wholes, block, columns, events)
    for i, whole in wholes:
        row, again = i - wholes[0][0], inside.columns
        assert (again.kind[row], again.src_port[row]) == (3, 53)
        assert (inside.block.first + row, whole.packets) == (block.first + i, 2)
        assert (again.has_mac[row], again.src_mac[row]) == (1, columns.src_mac[i])
        sizes.append(int(again.payload_len[row]))
    assert sizes == [1702, 1501, 1490, 1490, 1702, 1730, 1730]


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=1, max_size=600), st.integers(1, 8), st.randoms())
def test_honest_fragments_in_any_order_and_repeated_are_the_datagram(data, units, chance) -> None:
    step = units * 8
    pieces = [(k, k + step < len(data), data[k : k + step]) for k in range(0, len(data), step)]
    chance.shuffle(pieces)
    repeated = [piece for piece in pieces[:-1] for _ in range(chance.choice((1, 2)))]
    whole, names = feed([*repeated, pieces[-1]])
    assert whole is not None
    assert whole.payload == data
    assert whole.packets == len(repeated) + 1
    assert set(names) <= {"ip_fragment_tiny"}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12).map(lambda k: k * 8), st.booleans(), st.binary(max_size=40)),
        max_size=12,
    )
)
def test_hostile_fragments_never_escape_and_never_make_more_than_they_hold(pieces) -> None:
    fragments = f.Fragments()
    whole, _ = feed(pieces, fragments)
    assert 0 <= fragments.buffered <= sum(len(data) + f.PIECE_COST for _, _, data in pieces)
    if whole:
        assert len(whole.payload) == max(
            o + len(d) for o, m, d in pieces if not m and o + len(d) == len(whole.payload)
        )


@pytest.mark.parametrize(
    ("pieces", "name"),
    [
        ([(0, True, bytes(16)), (8, False, bytes(16))], "ip_fragment_overlap"),
        ([(8, False, bytes(16)), (0, True, bytes(16))], "ip_fragment_overlap"),
        ([(0, True, bytes(16)), (0, True, b"x" * 16)], "ip_fragment_overlap"),
        ([(65_528, True, bytes(8))], "ip_fragment_too_long"),
        ([(0, True, bytes(15))], "ip_fragment_unaligned"),
        ([(16, False, bytes(8)), (32, False, bytes(8))], "ip_fragment_two_ends"),
        ([(32, True, bytes(8)), (16, False, bytes(8))], "ip_fragment_two_ends"),
    ],
)
def test_one_damage_gives_that_anomaly_and_the_datagram_is_dropped(pieces, name: str) -> None:
    fragments = f.Fragments()
    whole, names = feed(pieces, fragments)
    assert (whole, names) == (None, [name])
    assert fragments.buffered == 0
    assert feed([(0, True, bytes(24)), (24, False, bytes(24))], fragments) == (None, [])


def test_a_first_fragment_without_the_transport_header_is_named_and_kept() -> None:
    whole, names = feed([(0, True, bytes(8)), (8, False, bytes(12))], proto=6)
    assert names == ["ip_fragment_tiny"]
    assert whole is not None
    assert len(whole.payload) == 20


def test_a_fragment_cut_by_the_capture_makes_no_datagram() -> None:
    fragments = f.Fragments()
    fragments.add(KEY, 17, 0, True, bytes(16), 0, whole=False)
    assert fragments.add(KEY, 17, 16, False, bytes(4), 0) == (None, ())
    assert len(fragments) == 0


def test_time_and_numbers_and_octets_are_bounded() -> None:
    held = 4 * (16 + f.PIECE_COST)
    fragments = f.Fragments(max_datagrams=4, max_bytes=held + f.PIECE_COST + 36)
    for k in range(9):
        feed([(0, True, bytes(16))], fragments, key=f.Key(4, 1, 2, k, 17), ts=k)
    assert (len(fragments), fragments.expired, fragments.buffered) == (4, 5, held)
    feed([(16, True, bytes(80))], fragments, key=f.Key(4, 1, 2, 8, 17), ts=9)
    assert (len(fragments), fragments.buffered) == (3, held - 16 + 80)
    feed([(0, True, bytes(8))], fragments, key=f.Key(4, 9, 9, 9, 17), ts=f.TIMEOUT_NS + 9)
    assert len(fragments) == 1


def test_small_pieces_are_counted_with_what_they_cost() -> None:
    fragments = f.Fragments()
    most = f.MAX_BYTES // (8 + f.PIECE_COST)
    for k in range(3 * most // 1000):
        feed([(8 * n, True, bytes(8)) for n in range(1000)], fragments, key=f.Key(4, 1, 2, k, 17))
    assert fragments.buffered <= f.MAX_BYTES and len(fragments) == most // 1000


def test_a_fragment_repeated_without_end_is_counted_and_kept_once() -> None:
    fragments = f.Fragments()
    for _ in range(f.MAX_PIECES + 5):
        fragments.add(KEY, 17, 0, True, bytes(16), 0, ip_bytes=36, counted=True)
    assert fragments.buffered == 16 + f.PIECE_COST
    whole, _ = fragments.add(KEY, 17, 16, False, bytes(4), 0, ip_bytes=24, counted=True)
    assert whole is not None
    assert whole.packets == whole.counted == f.MAX_PIECES + 6
    assert whole.ip_bytes == 36 * (f.MAX_PIECES + 5) + 24


def test_pieces_of_different_datagrams_do_not_meet() -> None:
    fragments = f.Fragments()
    for key in (
        KEY,
        f.Key(4, 1, 2, 4, 17),
        f.Key(4, 1, 2, 3, 6),
        f.Key(4, 1, 2, 3, 17, vlan=5),
        f.Key(4, 1, 2, 3, 17, outer_tag=5),
    ):
        assert feed([(0, True, bytes(8))], fragments, key=key)[0] is None
    assert feed([(8, False, bytes(8))], fragments)[0] is not None
    assert len(fragments) == 4


@pytest.mark.parametrize("six", [False, True])
def test_a_tunnel_in_fragments_is_read_to_its_innermost_packet(six: bool) -> None:
    inner = ether(0x0800, ipv4(17, udp(53, 40000, bytes(500))))
    outer = udp(9, 4789, vxlan(42, inner))
    chance = random.Random(1)
    pieces = [(k, k + 200 < len(outer), outer[k : k + 200]) for k in range(0, len(outer), 200)]
    chance.shuffle(pieces)
    if six:
        packets = [ether(0x86DD, ipv6(44, fragment6(17, d, o, m))) for o, m, d in pieces]
    else:
        packets = [ether(0x0800, ipv4(17, d, fragment=o // 8 | m << 13)) for o, m, d in pieces]
    block = block_of(packets)
    columns, events = decoded(block)
    found = [whole for whole, _ in f.Fragments().take(block, columns, range(block.n))]
    assert found[:-1] == [None] * (block.n - 1)
    whole = found[-1]
    assert (whole.proto, whole.packets) == (17, block.n)
    inside = f.Reassembled()
    inside.decode([(block.n - 1, whole)], block, columns, events)
    again = inside.columns
    assert REASONS[again.reason[0]] == "ipv4 udp"
    assert (TUNNELS[again.tunnel[0]], again.tunnel_id[0]) == ("vxlan", 42)
    assert (again.src_port[0], again.payload_len[0]) == (53, 500)


def test_datagrams_are_decoded_together_as_they_are_alone() -> None:
    """Ordinary ones, tunnels with tags in them, and what no header is; in any place of a block."""
    chance = random.Random(5)
    tagged = ether(0x8100, b"\0\x78\x08\0" + ipv4(17, udp(4000, 53, bytes(300))))
    tunnel = udp(1, 4789, vxlan(9, tagged))
    insides = [udp(7, 53, bytes(200)), tunnel, b"\xff" * 90, udp(1, 2, bytes(40), claimed=7)]
    packets = []
    for number in range(40):
        body = insides[number % 4]
        for at in (0, 48):
            piece = body[at : at + 48] if at == 0 else body[at:]
            flags = at // 8 | (at == 0) << 13
            packets.append(ether(0x0800, ipv4(17, piece, fragment=flags, ident=number)))
        packets += [ether(0x0800, ipv4(17, udp(1, 2, b"between")))] * chance.randrange(3)
    block = block_of(packets)
    columns, _ = decoded(block)
    rows = (columns.fragment[: block.n] >= 0).nonzero()[0].tolist()
    came = zip(rows, f.Fragments().take(block, columns, rows), strict=True)
    wholes = [(i, whole) for i, (whole, _) in came if whole]
    assert len(wholes) == 40
    together, alone, counted, apart = f.Reassembled(), f.Reassembled(), Events(), Events()
    together.decode(wholes[:3], block, columns, Events())  # what stood there before is of no use
    together.decode(wholes, block, columns, counted)
    names = [n for n in columns.__struct_fields__ if n not in ("carrier", "payload", "wlan_offset")]
    for i, whole in wholes:
        alone.decode([(i, whole)], block, columns, apart)
        row, at = i - wholes[0][0], together.block.offset[i - wholes[0][0]]
        for name in names:
            one, other = getattr(together.columns, name)[row], getattr(alone.columns, name)[0]
            assert one == other, (name, i)
        moved = together.columns.payload[row] - alone.columns.payload[0]
        assert moved in (0, at)  # −1 where there is none
        assert together.block.first + row == alone.block.first == block.first + i
        assert together.block.time[row] == alone.block.time[0] == block.time[i]
    assert counted.told().tolist() == apart.told().tolist() != []


def test_transport_headers_of_wholes_are_read() -> None:
    told = f.parse_transport(17, udp(1, 2, b"abc"))
    assert told == f.Transport(1, 2, b"abc", 3)
    assert f.parse_transport(17, udp(1, 2, b"abc", claimed=20)) == f.Transport(1, 2, b"abc", 12)
    assert f.parse_transport(1, b"\3\1abcd") == f.Transport(3, 1, b"\3\1abcd", 6)
    assert f.parse_transport(17, b"short") is None
    assert f.parse_transport(6, bytes(20)) is None
    assert f.parse_transport(89, bytes(40)) is None


def test_every_fault_is_listed_once() -> None:
    assert len({fault.name for fault in f.FAULTS}) == len(f.FAULTS) == 5
