"""The vantage: what a capture could have shown of each segment."""

import itertools
import pickle

import numpy as np
import pyarrow as pa
import pytest
from bench import mix
from tests.decode.kernels.blocks import block_of, block_of_file, decoded
from tests.observe import frames as f
from tests.shared import CAPTURES, needs_shared

from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import duplicates, headers
from wardwatch.decode.kernels import stations as k
from wardwatch.model.block import Interface, PacketBlock
from wardwatch.model.values import NS, UNKNOWN_TIME
from wardwatch.observe import vantage as v
from wardwatch.observe.engine import observe
from wardwatch.observe.vantage import MOST_IPS, SPELL_SILENCE_NS, Vantage


def look(tmp_path, frames, sql, name="a"):
    return observe([f.pcap(tmp_path / f"{name}.pcap", frames)], key_file=tmp_path / "k").tables.ask(
        sql
    )


def say(
    src=f.PUMP, dst=f.SERVER, data=b"x", sport=5000, ttl=64, ident=1, vlan=None, ip="10.0.0.41"
):
    return f.ether(
        src, dst, f.udp(ip, sport, "10.0.0.2", 6000, data, ttl=ttl, ident=ident), vlan=vlan
    )


def test_a_segment_says_who_could_be_heard_there(tmp_path):
    frames = [
        (1, f.arp(1, f.PUMP, "10.0.0.41", "10.0.0.1")),
        (2, f.arp(1, f.NURSE, "10.0.0.5", "10.0.0.1")),
        (3, f.arp(1, f.NURSE, "10.0.0.5", "10.0.0.2")),
        (4, f.ether(f.PUMP, "01:00:5e:00:00:fb", f.udp("10.0.0.41", 9, "224.0.0.251", 9))),
        (5, say()),
        (95, say(f.SERVER, f.PUMP)),
        (96, say(vlan=120)),
    ]
    rows = look(tmp_path, frames, "SELECT * FROM segments ORDER BY segment")
    plain, tagged = rows
    assert (plain.segment, plain.vlan, plain.packets) == ("untagged", -1, 6)
    assert (plain.broadcasts, plain.broadcast_sources, plain.multicasts) == (3, 2, 1)
    assert (plain.stations, plain.unicast_pairs, plain.longest_gap_s) == (3, 2, 90.0)
    assert (plain.first_ts, plain.last_ts) == (NS, 95 * NS)
    assert (tagged.segment, tagged.vlan, tagged.stations) == ("vlan 120", 120, 1)


def test_directions_of_tcp_are_told(tmp_path):
    a, b = ("10.0.0.41", 4000), ("10.0.0.2", 80)
    both = [
        (1, f.ether(f.PUMP, f.SERVER, f.tcp(*a, *b, flags="S", seq=1))),
        (2, f.ether(f.SERVER, f.PUMP, f.tcp(*b, *a, flags="SA", seq=9, ack=2))),
    ]
    c = ("10.0.0.41", 4001)
    one = [(3, f.ether(f.PUMP, f.SERVER, f.tcp(*c, *b, b"data", flags="PA", seq=5, ack=7)))]
    lone = [(4, f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.41", 4002, *b, flags="S", seq=1)))]
    (row,) = look(tmp_path, both + one + lone, "SELECT * FROM segments")
    assert (row.tcp_both, row.tcp_one_way) == (1, 1)


def test_a_hole_in_a_stream_counts(tmp_path):
    a, b = ("10.0.0.41", 4000), ("10.0.0.2", 80)
    frames = [
        (1, f.ether(f.PUMP, f.SERVER, f.tcp(*a, *b, b"one", flags="PA", seq=1, ack=1))),
        (2, f.ether(f.SERVER, f.PUMP, f.tcp(*b, *a, flags="A", seq=1, ack=104))),
    ]
    (row,) = look(tmp_path, frames, "SELECT tcp_gaps FROM segments")
    assert row.tcp_gaps == 1


def test_dhcp_is_counted_by_who_speaks(tmp_path):
    everyone = ("0.0.0.0", 68, "255.255.255.255", 67)
    frames = [
        (1, f.ether(f.PUMP, f.EVERYONE, f.udp(*everyone, f.dhcp(1, 1, f.PUMP)))),
        (
            2,
            f.ether(f.SERVER, f.PUMP, f.udp("10.0.0.2", 67, "10.0.0.41", 68, f.dhcp(2, 2, f.PUMP))),
        ),
        (
            3,
            f.ether(
                f.ROUTER,
                f.SERVER,
                f.udp("10.0.0.1", 67, "10.9.0.2", 67, f.dhcp(1, 1, f.PUMP, giaddr="10.0.0.1")),
            ),
        ),
    ]
    (row,) = look(tmp_path, frames, "SELECT * FROM segments")
    assert (row.dhcp_client_messages, row.dhcp_server_messages, row.dhcp_relayed) == (1, 1, 1)


def test_copies_of_a_mirror_port_and_of_a_router_are_counted(tmp_path):
    frames = [
        (1, say()),
        (1.0005, say()),
        (2, say(ident=2)),
        (2.01, say(f.ROUTER, "00:50:56:00:00:09", ttl=63, ident=2)),
        (3, say(ident=2)),
    ]
    (row,) = look(tmp_path, frames, "SELECT * FROM segments")
    assert (row.mirror_duplicates, row.routed_duplicates) == (1, 1)


def test_cut_and_merged_packets_are_counted(tmp_path):
    big = f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.41", 1, "10.0.0.2", 2, b"x" * 4000))
    rows = look(tmp_path, [(1, big[:96], len(big)), (2, say())], "SELECT * FROM segments")
    assert (rows[0].cut_packets, rows[0].offloaded) == (1, 1)


def test_presence_is_a_row_a_spell(tmp_path):
    quiet = SPELL_SILENCE_NS // NS
    frames = [
        (1, say()),
        (1 + quiet, say()),
        (3 + 2 * quiet, say()),
        (4 + 2 * quiet, say(f.SERVER, f.PUMP)),
    ]
    rows = look(
        tmp_path, frames, f"SELECT * FROM presence WHERE mac = '{f.PUMP}' ORDER BY first_ts"
    )
    assert [(r.first_packet, r.last_packet, r.packets, r.received) for r in rows] == [
        (1, 2, 2, 0),
        (3, 3, 1, 1),
    ]


def test_a_router_shows_no_more_than_so_many_addresses(tmp_path):
    frames = [(n, say(f.ROUTER, ip=f"192.0.2.{n}", ident=n)) for n in range(1, MOST_IPS + 9)]
    rows = look(
        tmp_path, frames, "SELECT ip FROM bindings WHERE source = 'ip' ORDER BY first_packet"
    )
    assert [r.ip for r in rows] == [f"192.0.2.{n}" for n in range(1, MOST_IPS + 1)]


# Two vantages of one capture --------------------------------------------------------------------


class Rows:
    """A spool that keeps rows in their order."""

    def __init__(self):
        self.tables = {"presence": [], "bindings": []}

    def extend(self, table, columns):
        lists = [c.to_pylist() if isinstance(c, pa.Array) else list(c) for c in columns.values()]
        self.tables[table] += zip(*lists, strict=True)


def piece(block, columns, start, stop):
    """Some packets of a block, as a block."""
    own = slice(start, stop)
    arrays = (block.offset, block.length, block.wire, block.time, block.link, block.interface)
    part = PacketBlock(
        block.capture, block.first + start, stop - start, block.arena, *(a[own] for a in arrays)
    )
    return part, PacketColumns(*(array[own] for array in columns.arrays))


def taken(block, columns, *borders, part=False):
    """A vantage that has taken the packets from the first border to the last."""
    vantage = Vantage(Rows(), part=part)
    if part:
        since = max(0, borders[0] - duplicates.RECENT_ROWS)
        vantage.recent[2][0] = since  # so that places in the ring agree
        vantage.warm(*piece(block, columns, since, borders[0]))
    read_on(vantage, block, columns, *borders)
    return vantage


def read_on(vantage, block, columns, *borders):
    for start, stop in itertools.pairwise(borders):
        own = piece(block, columns, start, stop)
        vantage.take(*own, [Interface(0, 1, name="eth0")], headers.TUNNELS)


def state(vantage):
    """All there is to a vantage: its tables as they are, the last frames, and the rows written."""
    told = vantage.told()
    for row in told.pairs.tolist():  # a cache: any binding of the sender will do
        if row[k.PAIR_BINDING] >= 0:
            assert told.bindings[row[k.PAIR_BINDING], k.BIND_STATION] == row[k.PAIR_FROM]
    recent, _, count = told.recent
    told_by = [duplicates.KEY, duplicates.TIME, duplicates.SENDER]
    held = np.where(recent[:, :1] == 0, 0, recent[:, told_by]).tobytes()
    vantage.finish()
    return (
        told.segments.tolist(),
        told.names,
        told.stations.tolist(),
        np.delete(told.pairs, k.PAIR_BINDING, 1).tolist(),
        told.bindings.tolist(),
        count.tolist(),
        held,
        vantage.rows(headers.TUNNELS),
        vantage._spool.tables,
    )


def shared_by_two(block, columns, cut, stop, *, whole=None):
    """Why two cannot share packets 0 to ``stop``, cut at ``cut``; their state, where they can."""
    mine, theirs = taken(block, columns, 0, cut), taken(block, columns, cut, stop, part=True)
    assert not any(theirs._spool.tables.values())
    part = pickle.loads(pickle.dumps(theirs.told()))
    why = mine.can_absorb(part)
    if why:
        assert pickle.dumps(state(mine)) == pickle.dumps(state(taken(block, columns, 0, cut)))
        return why
    mine.absorb(part)
    read_on(mine, block, columns, stop, block.n)
    assert state(mine) == (whole or state(taken(block, columns, 0, cut, stop, block.n))), cut
    return ""


MACS = [0x001A01000001, 0x001A01000002, 0x020000000003, 0x0050569A0004, 0x001A01000005]
ALL_ONES, MULTICAST = 0xFFFFFFFFFFFF, 0x01005E000001


def ward(seed, n=80, *, disorder=0.0, unknown=0.0):
    """Random packets of a small ward, of which some are copies, as a block and its columns."""
    rng = np.random.default_rng(seed)
    time = 10**18 + np.cumsum(
        rng.choice([1000, NS // 5000, NS // 20, 3 * NS, 59 * NS, 61 * NS], n)
        * rng.choice([1, 1, 2], n)
    )
    time[rng.random(n) < disorder] -= rng.choice([1000, 3 * NS, 100 * NS])
    time[rng.random(n) < unknown] = UNKNOWN_TIME
    link = int(rng.choice([1, 1, 1, 127]))
    said = rng.integers(0, 3, n)
    block = block_of([bytes([what]) * 90 for what in said], link=link, time=time)
    block.wire = block.wire + rng.choice([0, 0, 40, 3000], n)
    columns = PacketColumns.of_size(n)
    given = {
        "vlan": rng.choice([-1, -1, 120], n),
        "tunnel": rng.choice([0, 0, 0, 2], n),
        "tunnel_id": rng.choice([5, 7], n),
        "outer_tag": rng.choice([0, 0, 0, 9], n),
        "has_mac": rng.random(n) < 0.9,
        "src_mac": rng.choice([*MACS, MACS[0], MACS[0], 0, ALL_ONES], n),
        "dst_mac": rng.choice([*MACS, ALL_ONES, MULTICAST], n),
        "net": rng.choice([0, 4, 4, 6], n),
        "src_hi": rng.choice([0, 0, 1], n),
        "src_lo": rng.integers(0, 4, n),
        "ip_id": rng.choice([-1, 7], n),
        "ttl": rng.choice([63, 64], n),
        "proto": rng.choice([6, 17], n),
        "payload": block.offset + 60,
    }
    for name, values in given.items():
        getattr(columns, name)[:] = values
    for i in 1 + np.flatnonzero(rng.random(n - 1) < 0.3):  # a router passes the packet before on
        for name in ("net", "src_hi", "src_lo", "ip_id", "proto"):
            getattr(columns, name)[i] = getattr(columns, name)[i - 1]
        columns.ttl[i] = columns.ttl[i - 1] - 1
        block.arena[90 * i : 90 * i + 90] = block.arena[90 * i - 90 : 90 * i]
    return block, columns


ORDERED, DISORDERED, UNSTAMPED = {}, {"disorder": 0.2}, {"disorder": 0.1, "unknown": 0.1}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("way", [ORDERED, DISORDERED, UNSTAMPED], ids=["in order", "not", "none"])
def test_two_that_share_packets_come_to_the_same_wherever_they_are_cut(way, seed, monkeypatch):
    """At every cut, and what is read on behind; refused is only what a clock that goes back hides."""
    monkeypatch.setattr(v, "MOST_IPS", 3)
    block, columns = ward(seed, **way)
    # where stamps are in order it is the same wherever the blocks of one reader begin and end
    whole = state(taken(block, columns, 0, block.n)) if way is ORDERED else None
    for cut in range(1, block.n):
        why = shared_by_two(block, columns, cut, min(block.n, cut + 50), whole=whole)
        if why.startswith("stamps go back"):
            known = block.time[block.time != UNKNOWN_TIME]
            assert (np.diff(known) < 0).any()
            before, behind = (
                times[times != UNKNOWN_TIME] for times in np.split(block.time[: cut + 50], [cut])
            )
            assert before.max() > behind.min()
        elif why:
            assert "no stamp" in why
            assert (block.time[cut : cut + 50] == UNKNOWN_TIME).any()


def test_random_wards_have_what_is_to_be_shared(monkeypatch):
    """Copies, ended spells, and more addresses than are kept; few cuts are refused."""
    monkeypatch.setattr(v, "MOST_IPS", 3)
    copies, spells, most, refused = np.zeros(2, np.int64), 0, 0, {"d": 0, "u": 0}
    for seed in range(8):
        block, columns = ward(seed)
        told = taken(block, columns, 0, block.n, part=True).told()
        copies += told.segments[:, [k.SEG_MIRRORED, k.SEG_ROUTED]].sum(0)
        spells += len(told.spells)
        most = max(most, told.stations[:, k.STA_IPS].max())
        for name, way in (("d", DISORDERED), ("u", UNSTAMPED)):
            own = ward(seed, **way)
            for cut in range(1, block.n):
                mine, theirs = taken(*own, 0, cut), taken(*own, cut, block.n, part=True)
                refused[name] += mine.can_absorb(theirs.told()) != ""
    assert copies.min() > 5
    assert spells > 50
    assert most > 3
    assert refused["d"] < 0.01 * 8 * block.n
    assert 0 < refused["u"] < 0.5 * 8 * block.n


def test_whom_it_knows_it_knows_when_there_are_more(monkeypatch):
    """Slots are made anew as stations come; who was there before is not counted twice."""
    made = []
    index = k.index_rows
    monkeypatch.setattr(k, "index_rows", lambda *given: made.append(given[2]) or index(*given))
    hosts = [f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(700)]
    vantage = Vantage(None, part=True)
    for upto in (10, 700):
        packets = [
            say(src, dst, ip=f"10.0.{i >> 8}.{i & 255}")
            for i, (src, dst) in enumerate(itertools.pairwise(hosts[:upto]))
        ]
        block = block_of(packets)
        columns, *_ = decoded(block)
        vantage.take(block, columns, (Interface(0, 1),), headers.TUNNELS)
    told = vantage.told()
    assert max(made) >= 9
    assert len(told.stations) == 700
    assert len(told.pairs) == len(told.bindings) == 699
    assert told.segments[0, k.SEG_PAIRS] == 699
    assert told.segments[0, k.SEG_STATIONS] == 699


def test_the_kernels_in_plain_python_take_in_the_same(monkeypatch):
    monkeypatch.setattr(v, "MOST_IPS", 3)
    for name in ("absorb_segments", "absorb_stations"):
        monkeypatch.setattr(k, name, getattr(k, name).py_func)
    block, columns = ward(1)
    for cut in range(3, block.n, 7):
        assert shared_by_two(block, columns, cut, block.n) == ""


def test_the_longest_silence_is_told_or_hidden_by_a_clock_that_goes_back():
    """Short captures whose stamps stagger: told wherever the part knows it."""
    rng = np.random.default_rng(0)
    refused = exact = 0
    for _ in range(150):
        time = np.arange(8) * 9 + rng.integers(0, 40, 8)
        block, columns = ward(1, 8)
        block.time[:] = time
        for array in columns.arrays:
            array[:] = array[0]
        cut = int(rng.integers(1, 8))
        why = shared_by_two(block, columns, cut, 8)
        refused += why != ""
        exact += not why and time[:cut].max() > time[cut]
        if why:
            assert why == "stamps go back within the longest silence of untagged"
            assert time[:cut].max() > time[cut]
            step = np.diff(np.maximum.accumulate(time))
            alone = np.diff(np.maximum.accumulate(time[cut:]))
            assert alone.max() > step[: cut - 1].max(initial=0)
    assert refused > 3
    assert exact > refused


@pytest.mark.parametrize("dense", [False, True])
def test_a_hospital_shared_by_two_is_the_same_as_read_by_one(tmp_path, dense):
    """Stamps in order: wherever the blocks of the one that reads all begin and end."""
    mix.write(tmp_path / "mix.pcap", 4.5 if dense else 2, 5, dense=dense)
    block = block_of_file(tmp_path / "mix.pcap")
    columns, _ = decoded(block)
    whole = state(taken(block, columns, 0, block.n))
    assert len(whole[0]) > 2
    assert block.n > duplicates.RECENT_ROWS + 900 or not dense
    for cut in (*np.random.default_rng(dense).integers(1, block.n, 3).tolist(), block.n - 99):
        assert shared_by_two(block, columns, cut, block.n, whole=whole) == ""


CLASSIC = sorted(CAPTURES.glob("*.pcap")) if CAPTURES.is_dir() else []


@needs_shared
def test_shared_captures_are_the_same_for_two_as_for_one():
    cuts = refused = 0
    for path in CLASSIC:
        block = block_of_file(path)
        columns, _ = decoded(block)
        whole = state(taken(block, columns, 0, block.n))  # wherever blocks begin and end
        chosen = range(1, block.n)
        if block.n > 40:
            chosen = np.random.default_rng(block.n).integers(1, block.n, 3).tolist()
        for cut in chosen:
            cuts += 1
            if shared_by_two(block, columns, cut, block.n, whole=whole):
                refused += 1
                assert block.time[:cut].max() > block.time[cut:].min()
    assert cuts > 400
    assert refused < cuts / 100


def test_what_two_cannot_know_together_is_refused(monkeypatch):
    def refusal(block, columns, cut, name=""):
        mine, theirs = taken(block, columns, 0, cut), taken(block, columns, cut, block.n, part=True)
        if name:
            with monkeypatch.context() as patch:
                sums = len(getattr(mine.told(), name)) + len(getattr(theirs.told(), name))
                patch.setattr(v, f"MOST_{name.upper()}", sums + (name == "pairs"))
                assert mine.can_absorb(theirs.told()) == ""
                patch.setattr(v, f"MOST_{name.upper()}", sums - 1 + (name == "pairs"))
                return mine.can_absorb(theirs.told())
        return mine.can_absorb(theirs.told())

    block, columns = ward(0)
    assert refusal(block, columns, 30) == ""
    assert "more than" in refusal(block, columns, 30, "segments")
    assert "stations" in refusal(block, columns, 30, "stations")
    assert "pairs" in refusal(block, columns, 30, "pairs")
    assert "bindings" in refusal(block, columns, 30, "bindings")
    with monkeypatch.context() as patch:
        patch.setattr(v, "MOST_SPELLS", 2)
        assert "spells" in refusal(block, columns, 30)
    for missing in (0, 1):
        two = [taken(block, columns, 0, 30), taken(block, columns, 30, block.n, part=True)]
        two[missing]._used[k.MISSED] = 1
        assert "turned away" in two[0].can_absorb(two[1].told())

    faces = [Interface(0, 1, name="eth0"), Interface(1, 1, name="eth1")]
    one, other = Vantage(Rows()), Vantage(Rows(), part=True)
    own, their = ward(0)[0], ward(0)[0]
    their.interface = their.interface + np.int32(1)
    one.take(own, columns, faces, headers.TUNNELS)
    other.take(their, columns, faces, headers.TUNNELS)
    assert "interfaces" in one.can_absorb(other.told())
