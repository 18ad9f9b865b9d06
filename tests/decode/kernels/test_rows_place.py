"""Which rows are plain, and what each cites, against the same thing written plainly."""

import numpy as np
import pytest

from wardwatch.compiled import kernel
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import rows_place as k

DEVICE = 0x001A01


def packets(seed, n=60):
    """(arena, columns): MACs and payloads of 20 bytes, some of which bear the device's prefix."""
    chance = np.random.default_rng(seed)
    arena = chance.integers(0, 256, 20 * n).astype(np.uint8)
    columns = PacketColumns.of_size(n)
    columns.payload[:] = 20 * np.arange(n)
    columns.payload[chance.random(n) < 0.1] = -1
    columns.payload_len[:] = chance.choice([20, 11, 10], n)
    for name in ("src_mac", "dst_mac"):
        other = chance.integers(0, 2**48, n)
        is_device = chance.random(n) < 0.2
        getattr(columns, name)[:] = np.where(is_device, DEVICE << 24 | 7, other)
    for at in np.flatnonzero(chance.random(n) < 0.3):
        arena[20 * at + 8 : 20 * at + 11] = (0, 0x1A, 1)
    for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"):
        getattr(columns, name)[:] = chance.integers(0, 2**64, n, np.uint64)
    for name in ("has_mac", "net", "src_port", "dst_port", "ttl"):
        getattr(columns, name)[:] = chance.integers(0, 99, n)
    return arena, columns


def naive_plain(arena, columns, rows, inside):
    chosen = []
    for i in rows.tolist():
        macs = [
            int(columns.src_mac[i]).to_bytes(6, "big"),
            int(columns.dst_mac[i]).to_bytes(6, "big"),
        ]
        start, size = int(columns.payload[i]), int(columns.payload_len[i])
        if start >= 0:
            macs += [arena[start : start + size].tobytes()[at : at + 3] for at in inside.tolist()]
        if all(mac[:3] != DEVICE.to_bytes(3, "big") for mac in macs):
            chosen.append(i)
    return chosen


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("inside", [[], [8], [0, 8]])
def test_what_concerns_a_device_is_left_out(inside, plain):
    arena, c = packets(len(inside))
    rows = np.arange(0, 60, 2)
    chosen = np.full(rows.size, -1, np.int64)
    function = k.plain_rows if plain else kernel(k.plain_rows)
    devices, inside = np.array([0x0003B1, DEVICE], np.uint32), np.array(inside, np.int64)
    n = rows.size - 2  # the last two are not asked about
    count = function(
        arena,
        c.payload,
        c.payload_len,
        c.src_mac,
        c.dst_mac,
        np.stack([rows[::-1], rows]),
        1,
        n,
        devices,
        inside,
        chosen,
    )
    expected = naive_plain(arena, c, rows[:n], inside)
    assert chosen[:count].tolist() == expected
    assert 0 < len(expected) < n


@pytest.mark.parametrize("plain", [False, True])
def test_rows_that_were_taken_cite_their_packets(plain):
    _, c = packets(9)
    rows = np.array([1, 7, 10, 16, 25, 28], np.int64)
    status = np.array([0, 0, 1, 0, 1, 0], np.uint8)
    time, segment = np.arange(60) * 1000, np.arange(60, dtype=np.int32) + 40
    c.conversation[:] = np.arange(60) + 900
    place, left = np.zeros((len(k.PLACE), 9), np.int64), np.ones(60, np.uint8)
    function = k.place_rows if plain else kernel(k.place_rows)
    names = k.PLACE[4:15]
    stop = function(
        1, 5, rows, status, 100, 3, time, segment, c.arrays, 4, place, left,
    )  # fmt: skip
    assert stop == 6
    assert np.flatnonzero(left == 0).tolist() == [7, 16]
    cited = dict(zip(k.PLACE, place[:, 4:6].tolist(), strict=True))
    assert cited["packet"] == [107, 116]
    assert cited["ts"] == [7000, 16000]
    assert cited["segment"] == [47, 56]
    assert cited["conversation"] == [907, 916]
    assert cited["capture"] == [3, 3]
    for name in names:
        assert cited[name] == getattr(c, name)[[7, 16]].astype(np.int64).tolist()
