"""The vantage: what this capture could have shown of each segment, and who was heard there.

Fills tables ``segments``, ``presence`` and the IP part of ``bindings`` from the kernels'
tables, which are of fixed size whatever the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.model.values import NS
from wardwatch.observe.segments import Places
from wardwatch.observe.spelled import ips, macs, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import Interface, PacketBlock
    from wardwatch.observe.tables import Spool

SPELL_SILENCE_NS = 60 * NS
"""A spell of activity ends after a minute without a frame: most stations renew ARP, or keep a
connection alive, more often; a restart of a pump's module takes longer (domain/pump.md)."""

MOST_IPS = 32
"""Addresses kept of one MAC as sources of packets. One that shows more is a router for others:
its first 32 stand in ``bindings``, and that there are 32 says what it is."""

LONGEST_WIRE = 1_600
"""(bytes) a TCP packet that is longer was merged by the network card: 1,518 and room for tags
and one tunnel. Networks with jumbo frames exceed it too; the count is a hint."""

MIRROR_NS = NS // 1000
"""Equal frames within a millisecond are copies of one; the same station repeats itself later."""
ROUTED_NS = NS // 10
"""A router passes a packet on within a tenth of a second."""

MOST_STATIONS = 1 << 16
"""Stations kept: a hospital has some 20,000; a MAC flood (macof) is cut off here."""
MOST_PAIRS = 1 << 17
"""Pairs of MACs kept as a cache and a count."""
MOST_BINDINGS = 1 << 17
"""MAC–IP bindings kept."""

WRITE_SPELLS = 4_096
"""Spells that have ended are written in pieces of so many."""


class Vantage:
    """Takes every block; knows the segment of every packet of the last one."""

    def __init__(self, spool: Spool) -> None:
        """Rows go to ``spool``."""
        from wardwatch.decode.kernels import duplicates, stations

        self._spool = spool
        self._k, self._d = stations, duplicates
        self.places = Places()
        s = stations
        self._segments = self.places.segments
        self._stations = np.zeros((MOST_STATIONS, s.STA_WIDTH), np.int64)
        self._station_slots = np.zeros(MOST_STATIONS * 4, np.int32)
        self._pairs = np.zeros((MOST_PAIRS, s.PAIR_WIDTH), np.int64)
        self._pair_slots = np.zeros(MOST_PAIRS * 4, np.int32)
        self._bindings = np.zeros((MOST_BINDINGS, s.BIND_WIDTH), np.int64)
        self._binding_slots = np.zeros(MOST_BINDINGS * 4, np.int32)
        self._used = self.places.used
        self._options = np.array([SPELL_SILENCE_NS, MOST_IPS, LONGEST_WIRE], np.int64)
        self._recent = duplicates.recent()
        self._windows = np.array([MIRROR_NS, ROUTED_NS], np.int64)
        self._spells = np.zeros((0, s.STA_WIDTH), np.int64)
        self._ended: list[NDArray[np.int64]] = []
        self._copies = np.zeros(0, np.uint8)

    @property
    def segment(self) -> NDArray[np.int32]:
        """(n,) row of the segment of each packet of the last block."""
        return self.places.segment

    @property
    def names(self) -> list[str]:
        """Name of each segment row."""
        return self.places.names

    @property
    def missed(self) -> int:
        """Segments, stations and bindings turned away because a bound was reached."""
        return int(self._used[self._k.MISSED])

    def take(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        interfaces: Sequence[Interface],
        tunnels: Sequence[str],
    ) -> None:
        """Count one block."""
        n = block.n
        if not n:
            return
        self.places.take(block, columns, interfaces, tunnels)
        if len(self._copies) < n:
            self._copies = np.zeros(n, np.uint8)
            self._spells = np.zeros((n, self._k.STA_WIDTH), np.int64)
        signed = columns.signed
        ended = self._k.note_packets(
            n,
            block.first,
            block.time,
            block.length,
            block.wire,
            self.segment,
            columns.has_mac,
            signed.src_mac,
            signed.dst_mac,
            columns.net,
            signed.src_hi,
            signed.src_lo,
            columns.proto,
            self._segments,
            self._stations,
            self._station_slots,
            self._pairs,
            self._pair_slots,
            self._bindings,
            self._binding_slots,
            self._used,
            self._options,
            self._spells,
        )
        if ended:
            self._ended.append(self._spells[:ended].copy())
            if sum(map(len, self._ended)) >= WRITE_SPELLS:
                self._write_spells()
        copied = self._d.mark_copies(
            n,
            block.arena,
            block.offset,
            block.length,
            block.time,
            columns.has_mac,
            signed.src_mac,
            columns.net,
            columns.ttl,
            columns.ip_id,
            columns.proto,
            signed.src_hi,
            signed.src_lo,
            signed.dst_lo,
            columns.payload,
            self._windows,
            *self._recent,
            self._copies,
        )
        if copied:
            copies = self._copies[:n]
            for mark, column in (
                (self._d.MIRROR_COPY, self._k.SEG_MIRRORED),
                (self._d.ROUTED_COPY, self._k.SEG_ROUTED),
            ):
                rows, counts = np.unique(self.segment[:n][copies == mark], return_counts=True)
                self._segments[rows, column] += counts

    def finish(self) -> None:
        """Write the bindings seen in packets and the spells that were still going on."""
        k = self._k
        spells = self._stations[: self._used[k.STATIONS]]
        self._ended.append(spells[spells[:, k.STA_PACKETS] > 0])
        self._write_spells()
        found = self._bindings[: self._used[k.BINDINGS]]
        if not len(found):
            return
        owners = self._stations[found[:, k.BIND_STATION]]
        segments = owners[:, k.STA_SEGMENT]
        self._spool.extend(
            "bindings",
            {
                "capture": self._segments[segments, k.SEG_CAPTURE],
                "segment": spelled(segments, self.names.__getitem__),
                "mac": macs(owners[:, k.STA_MAC], none=-1),
                "ip": ips(found[:, k.BIND_NET], found[:, k.BIND_HI], found[:, k.BIND_LO]),
                "source": ["ip"] * len(found),
                "first_ts": found[:, k.BIND_FIRST],
                "last_ts": found[:, k.BIND_LAST],
                "first_packet": found[:, k.BIND_FIRST_PACKET],
                "last_packet": found[:, k.BIND_LAST_PACKET],
                "packets": found[:, k.BIND_PACKETS],
            },
        )

    def rows(self, tunnels: Sequence[str]) -> list[dict[str, object]]:
        """Rows of table ``segments``, but for what conversations and messages add to them."""
        k = self._k
        found = []
        for name, row in zip(self.names, self._segments.tolist(), strict=False):
            if not row[k.SEG_PACKETS]:
                continue
            tunnel = tunnels[row[k.SEG_TUNNEL]] if row[k.SEG_TUNNEL] else ""
            found.append(
                {
                    "capture": row[k.SEG_CAPTURE],
                    "segment": name,
                    "interface": row[k.SEG_INTERFACE],
                    "vlan": row[k.SEG_VLAN],
                    "tunnel": tunnel,
                    "packets": row[k.SEG_PACKETS],
                    "first_ts": row[k.SEG_FIRST],
                    "last_ts": row[k.SEG_LAST],
                    "longest_gap_s": row[k.SEG_GAP] / NS,
                    "broadcasts": row[k.SEG_BROADCASTS],
                    "broadcast_sources": row[k.SEG_BROADCASTERS],
                    "multicasts": row[k.SEG_MULTICASTS],
                    "stations": row[k.SEG_STATIONS],
                    "unicast_pairs": row[k.SEG_PAIRS],
                    "cut_packets": row[k.SEG_CUT],
                    "offloaded": row[k.SEG_OFFLOADED],
                    "mirror_duplicates": row[k.SEG_MIRRORED],
                    "routed_duplicates": row[k.SEG_ROUTED],
                }
            )
        return found

    def _write_spells(self) -> None:
        """Append spells of activity to table ``presence``."""
        k = self._k
        spells = np.concatenate(self._ended)
        self._ended.clear()
        segments = spells[:, k.STA_SEGMENT]
        self._spool.extend(
            "presence",
            {
                "capture": self._segments[segments, k.SEG_CAPTURE],
                "segment": spelled(segments, self.names.__getitem__),
                "mac": macs(spells[:, k.STA_MAC], none=-1),
                "first_ts": spells[:, k.STA_FIRST],
                "last_ts": spells[:, k.STA_LAST],
                "first_packet": spells[:, k.STA_FIRST_PACKET],
                "last_packet": spells[:, k.STA_LAST_PACKET],
                "packets": spells[:, k.STA_PACKETS],
                "received": spells[:, k.STA_RECEIVED],
            },
        )


_OF_CONVERSATIONS = """
    SELECT capture, segment,
        count(*) FILTER (proto = 'tcp' AND orig_pkts > 0 AND resp_pkts > 0) AS tcp_both,
        count(*) FILTER (proto = 'tcp' AND (orig_pkts = 0 OR resp_pkts = 0)
            AND (orig_bytes + resp_bytes > 0 OR regexp_matches(history, '[ahdHAD]'))) AS tcp_one_way,
        count(*) FILTER (proto = 'tcp' AND missed_bytes > 0) AS tcp_gaps
    FROM conversations GROUP BY 1, 2
"""
_OF_DHCP = """
    SELECT capture, segment,
        count(*) FILTER (op = 1 AND dst = '255.255.255.255') AS dhcp_client_messages,
        count(*) FILTER (op = 2) AS dhcp_server_messages,
        count(*) FILTER (giaddr NOT IN ('', '0.0.0.0')) AS dhcp_relayed
    FROM dhcp GROUP BY 1, 2
"""

_TOLD = (
    "tcp_both",
    "tcp_one_way",
    "tcp_gaps",
    "dhcp_client_messages",
    "dhcp_server_messages",
    "dhcp_relayed",
)


def vantage_of_messages(spool: Spool) -> Callable[[object, object], dict[str, int]]:
    """What conversations and DHCP messages tell of a (capture, segment); both are complete now."""
    told: dict[tuple[object, object], dict[str, int]] = {}
    none = dict.fromkeys(_TOLD, 0)
    for table, question in (("conversations", _OF_CONVERSATIONS), ("dhcp", _OF_DHCP)):
        for row in spool.question(table, question):
            place = row.pop("capture"), row.pop("segment")
            told.setdefault(place, {}).update(row)
    return lambda capture, segment: {**none, **told.get((capture, segment), {})}
