"""Frames caught on the air: management read one by one, data and control counted by the thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.wire import wifi

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.datagrams import Datagrams
    from wardwatch.observe.where import Where

HEADER = 24
"""Octets of a data header with three addresses (IEEE 802.11-2020 §9.3.2.1)."""
_DATA, _CONTROL = 2, 1
_PROTECTED, _GROUP = 0x40, 0x01


class Radio:
    """Hands 802.11 frames to the reader of datagrams, equals as one."""

    def __init__(self, datagrams: Datagrams) -> None:
        self._datagrams = datagrams

    def take(
        self, block: PacketBlock, columns: PacketColumns, where: Callable[[int], Where]
    ) -> None:
        """Read and count the frames of one block; ``where`` gives the place of a row."""
        rows = np.flatnonzero(columns.wlan_subtype[: block.n] >= 0)
        if not rows.size:
            return
        size = columns.wlan_end[rows] - columns.wlan_offset[rows]
        start = columns.wlan_offset[rows]
        kind = columns.wlan_subtype[rows] >> 4
        turned = _turned(block, columns, rows)
        flags = block.arena[np.minimum(start + 1 - turned, block.arena.size - 1)]
        to_group = block.arena[np.minimum(start + 4, block.arena.size - 1)] & _GROUP
        # An XID is a data frame in clear to everyone; what else is data or control is equal
        # where its first octets are, but for duration and sequence number.
        alike = ((kind == _CONTROL) & (size >= 10)) | (
            (kind == _DATA)
            & (size >= HEADER)
            & (((flags & _PROTECTED) != 0) | (to_group == 0) | (size > 64))
        )
        # Each in its turn: what a row of the table tells first is what was heard first.
        told = [(i, i, 0) for i in rows[~alike].tolist()]
        told += self._equal(block, columns, rows[alike], turned[alike])
        exchanged = set(rows[turned].tolist())
        for i, last, count in sorted(told):
            frame, claimed = _frame(block, columns, i, turned=i in exchanged)
            channel = channel_of(int(columns.wlan_freq[i]))
            if not count:
                self._datagrams.wifi(frame, where(i), channel, claimed=claimed)
                continue
            message, _ = wifi.parse(frame, claimed)
            if message is not None:
                self._datagrams.wifi_count(
                    message.subtype,
                    message.transmitter,
                    message.receiver,
                    message.bssid,
                    count,
                    where(i),
                    where(last),
                    channel=channel,
                    protected=message.protected,
                )

    def _equal(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        turned: NDArray[np.bool_],
    ) -> list[tuple[int, int, int]]:
        """Frames whose frame control and addresses are the same: first row, last row, how many."""
        if not rows.size:
            return []
        start = columns.wlan_offset[rows]
        size = np.minimum(columns.wlan_end[rows] - start, HEADER)
        at = np.arange(HEADER)
        there = at[None, :] < size[:, None]
        heads = np.where(there, block.arena[np.where(there, start[:, None] + at, 0)], 0)
        heads[turned, :2] = heads[turned, 1::-1]
        heads[:, 2:4] = 0  # duration
        heads[:, 22:] = 0  # sequence control
        freq = columns.wlan_freq[rows]
        keys = np.concatenate([heads.astype(np.int64), freq[:, None], size[:, None]], axis=1)
        _, first, inverse, counts = np.unique(
            keys, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        last = np.zeros(len(first), np.int64)
        last[inverse.reshape(-1)] = np.arange(rows.size)  # the later row wins
        return list(zip(rows[first].tolist(), rows[last].tolist(), counts.tolist(), strict=True))


def _turned(
    block: PacketBlock, columns: PacketColumns, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which rows have the octets of frame control exchanged: the decoder read them so.

    Cisco's access points exchange them in CAPWAP, with those of sequence control.
    """
    begin = np.minimum(columns.wlan_offset[rows], block.arena.size - 1)
    first = block.arena[begin].astype(np.int64)
    read = ((first >> 2) & 3) * 16 + (first >> 4)
    return np.asarray(((first & 3) != 0) | (read != columns.wlan_subtype[rows]), np.bool_)


def _frame(
    block: PacketBlock, columns: PacketColumns, i: int, *, turned: bool
) -> tuple[bytes, int]:
    """The 802.11 frame of row ``i``, its octets in the standard's order, and how long it was."""
    start, end = int(columns.wlan_offset[i]), int(columns.wlan_end[i])
    frame = block.arena[start : max(end, start)].tobytes()
    if turned:
        frame = frame[1::-1] + frame[2:22] + frame[23:21:-1] + frame[24:]
    missing = max(int(block.wire[i]) - int(block.length[i]), 0)
    return frame, len(frame) + missing


def channel_of(freq: int) -> int:
    """Channel number of a frequency in MHz (IEEE 802.11-2020 annex E); -1 unknown."""
    if freq == 2484:
        return 14
    if 2412 <= freq <= 2472:
        return (freq - 2407) // 5
    if 5955 <= freq <= 7115:
        return (freq - 5950) // 5
    if 5160 <= freq <= 5895:
        return (freq - 5000) // 5
    return -1
