"""Segments, stations and bindings against the same thing written slowly and plainly."""

from collections import Counter

import numpy as np
import pytest

from wardwatch.decode.columns import PacketColumns, lines
from wardwatch.decode.kernels import stations as k
from wardwatch.model.values import NS, UNKNOWN_TIME

MACS = [0x001A01000001, 0x001A01000002, 0x020000000003, 0x0050569A0004]
SPELL, MOST, LONGEST = 60 * NS, 3, 1600
ALL_ONES, MULTICAST = 0xFFFFFFFFFFFF, 0x01005E000001


def packets(seed, n=400):
    """Random packets of a small ward, in columns."""
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.choice([0, 1, 5, 61, 200], n, p=[0.3, 0.3, 0.3, 0.05, 0.05])) * NS
    time[rng.random(n) < 0.02] = UNKNOWN_TIME
    time[rng.random(n) < 0.05] -= 3 * NS
    return {
        "time": time.astype(np.int64),
        "length": rng.integers(60, 3000, n).astype(np.int32),
        "wire": rng.integers(60, 3000, n).astype(np.int64),
        "link": rng.choice([1, 1, 1, 127], n).astype(np.int32),
        "interface": rng.integers(0, 2, n).astype(np.int32),
        "vlan": rng.choice([-1, 10, 120], n).astype(np.int32),
        "tunnel": rng.choice([0, 0, 0, 2], n).astype(np.uint8),
        "tunnel_id": rng.choice([-1, 5, 7], n).astype(np.int64),
        "has_mac": (rng.random(n) < 0.9).astype(np.uint8),
        "src": rng.choice([*MACS, MACS[0], 0, ALL_ONES], n).astype(np.int64),
        "dst": rng.choice([*MACS, ALL_ONES, MULTICAST], n).astype(np.int64),
        "net": rng.choice([0, 4, 6], n).astype(np.uint8),
        "hi": rng.choice([0, -(2**62)], n).astype(np.int64),
        "lo": rng.integers(0, 5, n).astype(np.int64),
        "proto": rng.choice([6, 17], n).astype(np.int16),
        "outer_tag": rng.choice([0, 0, 1, 9, 0x1009], n).astype(np.uint16),
    }


NAMES = {"src": "src_mac", "dst": "dst_mac", "hi": "src_hi", "lo": "src_lo"}


def columns(p):
    """The packets as the arrays of PacketColumns."""
    made = PacketColumns.of_size(len(p["time"]))
    for name, values in p.items():
        name = NAMES.get(name, name)
        if hasattr(made.signed, name):
            getattr(made.signed, name)[:] = values
    return made.signed


def run(p, plain, rows=128):
    """The kernels over the packets, in two blocks."""
    assign, note = k.assign_segments, k.note_packets
    if plain:
        assign, note = assign.py_func, note.py_func
    n = len(p["time"])
    t = {
        "segments": np.zeros((rows, k.SEG_WIDTH), np.int64),
        "stations": lines(rows * 4, k.STA_ROW),
        "pairs": lines(rows * 8, k.PAIR_ROW),
        "bindings": lines(rows * 8, k.BIND_ROW),
        "used": np.zeros(k.USED_WIDTH, np.int64),
    }
    t["slots"] = slots = [np.zeros(4096, np.int32) for _ in range(4)]
    tables = k.Tables(
        t["segments"], t["stations"], slots[1], t["pairs"], slots[2], t["bindings"], slots[3],
        t["used"], np.array([SPELL, MOST, LONGEST], np.int64), np.zeros(k.NEAR, np.int32),
    )  # fmt: skip
    alias, recent = np.array([0, 1], np.int32), np.zeros(k.RECENT, np.int32)
    names, ended = [], []
    for start, stop in ((0, n // 3), (n // 3, n)):
        c = {name: values[start:stop] for name, values in p.items()}
        size = stop - start
        segment = np.zeros(size, np.int32)
        assign(
            size, 1, c["link"], c["interface"], alias, columns(c), t["segments"], slots[0],
            t["used"], recent, segment,
        )  # fmt: skip
        spells = np.zeros((size, k.STA_WIDTH), np.int64)
        count = note(
            size, start + 1, c["time"], c["length"], c["wire"], segment, columns(c), tables, spells
        )
        names.extend(segment.tolist())
        ended.extend(spells[:count].tolist())
    return t, names, ended


def segment_key(p, i):
    air = int(p["link"][i]) == 127
    through = int(p["tunnel"][i])
    plain = air and not through
    return (
        0 if plain else int(p["interface"][i]),
        air,
        -1 if plain else int(p["vlan"][i]),
        0 if plain else int(p["outer_tag"][i]),
        through,
        int(p["tunnel_id"][i]) if through else -1,
    )


def naive(p):
    """What the kernels must come to, with sets and dictionaries."""
    n = len(p["time"])
    seg = {}
    spoken, pairs, broadcasters = {}, {}, {}
    spells, ended, ips, binding = {}, [], {}, {}
    received = Counter()
    for i in range(n):
        key = segment_key(p, i)
        s = seg.setdefault(key, Counter(first=None, last=None))
        t = int(p["time"][i])
        s["packets"] += 1
        s["cut"] += int(p["length"][i]) < int(p["wire"][i])
        s["offloaded"] += int(p["wire"][i]) > LONGEST and int(p["proto"][i]) == 6
        if t != UNKNOWN_TIME:
            if s["last"] is not None and t > s["last"]:
                s["gap"] = max(s["gap"], t - s["last"])
            s["first"] = t if s["first"] is None else min(t, s["first"])
            s["last"] = t if s["last"] is None else max(t, s["last"])
        if not p["has_mac"][i]:
            continue
        src, dst = int(p["src"][i]), int(p["dst"][i])
        s["broadcasts"] += dst == ALL_ONES
        s["multicasts"] += dst == MULTICAST
        if src in (0, ALL_ONES):
            continue
        if dst in MACS:
            pairs.setdefault(key, set()).add((src, dst))
            received[key, dst] += 1
        spoken.setdefault(key, set()).add(src)
        if dst == ALL_ONES:
            broadcasters.setdefault(key, set()).add(src)
        spell = spells.get((key, src))
        if spell and UNKNOWN_TIME not in (t, spell["last"]) and t - spell["last"] > SPELL:
            ended.append((key, src, {**spell, "received": received[key, src]}))
            received[key, src] = 0
            spell = None
        if spell is None:
            spell = spells[key, src] = {"first": t, "last": t, "first_packet": i + 1, "packets": 0}
        spell["last"] = max(spell["last"], t)
        spell["last_packet"] = i + 1
        spell["packets"] += 1
        ip = (int(p["net"][i]), int(p["hi"][i]), int(p["lo"][i]))
        if ip[0] and ip[1:] != (0, 0):
            kept = ips.setdefault((key, src), [])
            if ip not in kept and len(kept) < MOST:
                kept.append(ip)
            if ip in kept:
                binding[key, src, ip] = binding.get((key, src, ip), 0) + 1
    return seg, spoken, pairs, broadcasters, spells, ended, binding


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_count_is_that_of_the_plain_twin(seed, plain):
    p = packets(seed)
    t, names, ended = run(p, plain)
    seg, spoken, pairs, broadcasters, spells, ended_plainly, binding = naive(p)
    keys = {}
    for i, row in enumerate(names):
        assert keys.setdefault(row, segment_key(p, i)) == segment_key(p, i)
    assert len(keys) == len(set(keys.values())) == len(seg) == t["used"][k.SEGMENTS]

    for row, key in keys.items():
        s, got = seg[key], t["segments"][row]
        assert got[k.SEG_PACKETS] == s["packets"]
        assert got[k.SEG_CUT] == s["cut"]
        assert got[k.SEG_OFFLOADED] == s["offloaded"]
        assert got[k.SEG_BROADCASTS] == s["broadcasts"]
        assert got[k.SEG_MULTICASTS] == s["multicasts"]
        assert got[k.SEG_GAP] == s["gap"]
        assert got[k.SEG_FIRST] == (UNKNOWN_TIME if s["first"] is None else s["first"])
        assert got[k.SEG_LAST] == (UNKNOWN_TIME if s["last"] is None else s["last"])
        assert got[k.SEG_STATIONS] == len(spoken.get(key, ()))
        assert got[k.SEG_BROADCASTERS] == len(broadcasters.get(key, ()))
        assert got[k.SEG_PAIRS] == len(pairs.get(key, ()))

    def told(rows):
        return sorted(
            (
                keys[row[k.STA_SEGMENT]], row[k.STA_MAC], row[k.STA_FIRST], row[k.STA_LAST],
                row[k.STA_FIRST_PACKET], row[k.STA_LAST_PACKET], row[k.STA_PACKETS],
            )
            for row in rows
        )  # fmt: skip

    def told_plainly(found):
        return sorted(
            (key, mac, s["first"], s["last"], s["first_packet"], s["last_packet"], s["packets"])
            for key, mac, s in found
        )

    assert told(ended) == told_plainly(ended_plainly)
    going_on = [r for r in t["stations"].tolist() if r[k.STA_PACKETS]]
    assert told(going_on) == told_plainly((key, mac, s) for (key, mac), s in spells.items())
    assert [r[k.STA_RECEIVED] for r in ended] == [s["received"] for _, _, s in ended_plainly]

    got = {}
    for row in t["bindings"][: t["used"][k.BINDINGS]].tolist():
        station = t["stations"][row[k.BIND_STATION]].tolist()
        ip = (row[k.BIND_NET], row[k.BIND_HI], row[k.BIND_LO])
        got[keys[station[k.STA_SEGMENT]], station[k.STA_MAC], ip] = row[k.BIND_PACKETS]
    assert got == binding
    assert t["used"][k.MISSED] == 0


def test_full_tables_turn_away_and_say_so():
    t, names, _ = run(packets(0) | {"outer_tag": np.zeros(400, np.uint16)}, plain=False, rows=3)
    assert t["used"].tolist()[:3] == [3, 12, 24]
    assert t["used"][k.MISSED] > 0
    assert max(names) == 2
    assert t["segments"][:, k.SEG_PACKETS].sum() == 400


def test_every_station_without_room_is_counted():
    n = 3
    p = {name: values[:n] for name, values in packets(0).items()}
    p["src"][:] = MACS[:n]
    p["dst"][:] = ALL_ONES
    p["has_mac"][:] = 1
    p["net"][:] = 0
    used = np.zeros(k.USED_WIDTH, np.int64)
    tables = k.Tables(
        np.zeros((1, k.SEG_WIDTH), np.int64), lines(1, k.STA_ROW), np.zeros(8, np.int32),
        lines(9, k.PAIR_ROW), np.zeros(64, np.int32), lines(9, k.BIND_ROW), np.zeros(64, np.int32),
        used, np.array([SPELL, MOST, LONGEST], np.int64), np.zeros(k.NEAR, np.int32),
    )  # fmt: skip
    k.note_packets(
        n, 1, p["time"], p["length"], p["wire"], np.zeros(n, np.int32), columns(p), tables,
        np.zeros((n, k.STA_WIDTH), np.int64),
    )  # fmt: skip
    assert used.tolist() == [0, 1, 3, 0, 2]


@pytest.mark.parametrize("plain", [False, True])
def test_rows_lie_where_plain_python_looks_for_them(plain):
    """Kernels that share tables must agree on the hash, whatever LLVM knows of its arguments."""
    t, _, _ = run(packets(2), plain)
    for slots, rows, facts in (
        (t["slots"][1], t["stations"], lambda r: (r[k.STA_SEGMENT], r[k.STA_MAC], 0, 0)),
        (t["slots"][2], t["pairs"], lambda r: (*r[: k.PAIR_DST + 1], 1)),
        (t["slots"][3], t["bindings"], lambda r: r[: k.BIND_LO + 1]),
    ):
        filled = np.flatnonzero(slots)
        assert filled.size > 20
        for at in filled.tolist():
            home = k.mix(*facts(rows[slots[at] - 1].tolist())) & (slots.size - 1)
            assert slots[home : at + 1].all()
            assert at - home < 20


@pytest.mark.parametrize("index", [k.index_rows, k.index_rows.py_func])
def test_rows_put_into_other_slots_are_found_there(index):
    t, _, _ = run(packets(4), plain=False)
    for kind, rows, facts in (
        (k.STATIONS, t["stations"], lambda r: (r[k.STA_SEGMENT], r[k.STA_MAC], 0, 0)),
        (k.PAIRS, t["pairs"], lambda r: (*r[: k.PAIR_DST + 1], 1)),
        (k.BINDINGS, t["bindings"], lambda r: r[: k.BIND_LO + 1]),
    ):
        used = int(t["used"][kind])
        slots = np.zeros(4 << (used - 1).bit_length(), np.int32)
        index(kind, rows, used, slots)
        assert sorted(slots[slots > 0].tolist()) == list(range(1, used + 1))
        assert used > 100
        for at in np.flatnonzero(slots).tolist():
            home = k.mix(*facts(rows[slots[at] - 1].tolist())) & (slots.size - 1)
            way = (at - home) & (slots.size - 1)
            assert all(slots[(home + i) & (slots.size - 1)] for i in range(way))
            assert way < 20
