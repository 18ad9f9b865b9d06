"""The vantage: what this capture could have shown of each segment, and who was heard there.

Fills tables ``segments``, ``presence`` and the IP part of ``bindings`` from the kernels'
tables, which are of fixed size whatever the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wardwatch.decode.blank import blank
from wardwatch.model.values import NS, UNKNOWN_TIME
from wardwatch.observe.segments import MOST_SEGMENTS, Aliases, Places
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


MOST_SPELLS = 1 << 19
"""Ended spells that a part keeps: 50 MB; a ward's day has some ten thousand."""


Recent = tuple["NDArray[np.int64]", "NDArray[np.int32]", "NDArray[np.int64]"]
"""The last frames, as :func:`~wardwatch.decode.kernels.duplicates.recent` makes them."""


class Part(NamedTuple):
    """What one vantage knows of the packets it took, for the one that took those before them.

    Plain arrays, whose columns :mod:`~wardwatch.decode.kernels.stations` names: pickle takes them
    to another process. They are the vantage's own, good until it takes another block.
    """

    aliases: Aliases
    names: list[str]
    """Of the segments."""
    segments: NDArray[np.int64]
    stations: NDArray[np.int64]
    pairs: NDArray[np.int64]
    bindings: NDArray[np.int64]
    """Every address of every station."""
    spells: NDArray[np.int64]
    """Spells that have ended."""
    recent: Recent
    missed: int
    """What a bound turned away."""
    spells_lost: bool
    """Whether more than ``MOST_SPELLS`` have ended."""


class Vantage:
    """Takes every block; knows the segment of every packet of the last one."""

    def __init__(self, spool: Spool, *, part: bool = False) -> None:
        """Rows go to ``spool``.

        As a ``part`` it writes none, and keeps what :meth:`told` tells instead: it takes packets
        of a capture behind those that another vantage takes, and is not finished.
        """
        from wardwatch.decode.kernels import duplicates, stations

        self._spool = spool
        self._k, self._d = stations, duplicates
        self.places = Places()
        s = stations
        self._segments = self.places.segments
        self._stations = blank((MOST_STATIONS, s.STA_ROW), np.int64)
        self._pairs = blank((MOST_PAIRS, s.PAIR_ROW), np.int64)
        self._bindings = blank((MOST_BINDINGS, s.BIND_ROW), np.int64)
        self._used = self.places.used
        # Which are the first addresses of a station only the one who took what came before can say.
        most_ips = MOST_BINDINGS if part else MOST_IPS
        self._options = np.array([SPELL_SILENCE_NS, most_ips, LONGEST_WIRE], np.int64)
        self._near = np.zeros(s.NEAR, np.int32)
        self._slots = {kind: np.zeros(0, np.int32) for kind in (s.STATIONS, s.PAIRS, s.BINDINGS)}
        self._make_room(0, 0, 0)
        self._part = part
        self._spells_lost = False
        self.recent: Recent = duplicates.recent()
        """The last frames, whose copies may follow."""
        self._ahead = np.zeros(duplicates.NEAR, np.int64)
        self._windows = np.array([MIRROR_NS, ROUTED_NS], np.int64)
        self._spells = np.zeros((0, s.STA_WIDTH), np.int64)
        self._ended: list[NDArray[np.int64]] = []
        self._waiting = 0
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
        self._make_room(2 * n, n, n)
        if len(self._spells) < n:
            self._spells = np.zeros((n, self._k.STA_WIDTH), np.int64)
        ended = self._k.note_packets(
            n,
            block.first,
            block.time,
            block.length,
            block.wire,
            self.segment,
            columns.signed,
            self._tables,
            self._spells,
        )
        if ended:
            self._keep(self._spells[:ended].copy())
        if self._mark(block, columns):
            copies = self._copies[:n]
            for mark, column in (
                (self._d.MIRROR_COPY, self._k.SEG_MIRRORED),
                (self._d.ROUTED_COPY, self._k.SEG_ROUTED),
            ):
                rows, counts = np.unique(self.segment[:n][copies == mark], return_counts=True)
                self._segments[rows, column] += counts

    def warm(self, block: PacketBlock, columns: PacketColumns) -> None:
        """See frames that come before our first, whose copies may follow; nothing is counted.

        Of the last :data:`~wardwatch.decode.kernels.duplicates.RECENT_ROWS` one is remembered.
        """
        self._mark(block, columns)

    def go_on(self, recent: Recent) -> None:
        """See the frames that another saw last as the last of ours."""
        frames, keys, count = self.recent
        frames[:], keys[:], count[:] = recent

    def told(self) -> Part:
        """What this part knows, for :meth:`absorb` elsewhere."""
        k, used = self._k, self._used
        return Part(
            aliases=self.places.aliases,
            names=self.names,
            segments=self._segments[: used[k.SEGMENTS]],
            stations=self._stations[: used[k.STATIONS]],
            pairs=self._pairs[: used[k.PAIRS]],
            bindings=self._bindings[: used[k.BINDINGS]],
            spells=np.concatenate([self._spells[:0], *self._ended]),
            recent=self.recent,
            missed=self.missed,
            spells_lost=self._spells_lost,
        )

    def can_absorb(self, part: Part) -> str:
        """Why :meth:`absorb` could not be exact; ``""`` where it will be. Nothing is changed."""
        k = self._k
        if part.spells_lost:
            return f"more than {MOST_SPELLS:,} spells of activity ended behind"
        if self.missed or part.missed:
            return "segments, stations or bindings were turned away"
        addresses = int(np.minimum(part.stations[:, k.STA_IPS], MOST_IPS).sum())
        for kind, row, more, most in (
            ("segments", k.SEGMENTS, len(part.segments), MOST_SEGMENTS),
            ("stations", k.STATIONS, len(part.stations), MOST_STATIONS),
            ("bindings", k.BINDINGS, addresses, MOST_BINDINGS),
            # of these nothing tells whether a full table turned one away
            ("pairs of stations", k.PAIRS, len(part.pairs), MOST_PAIRS - 1),
        ):
            if self._used[row] + more > most:
                return f"there may be more than {most:,} {kind}"
        rows = self._rows_of(part)
        return (
            self.places.can_absorb(part.aliases)
            or self._gap_unknown(part, rows)
            or self._spell_unknown(part, rows)
        )

    def absorb(self, part: Part) -> NDArray[np.int32]:
        """Take in what a part tells of the packets behind ours, where :meth:`can_absorb` allows.

        It is then as if we had taken them: rows stand in the same order, and more blocks may
        follow. The part must have been warmed with the frames before its first. ⇒ (segments,) our
        row of each of its segments.
        """
        k = self._k
        where = self.places.absorb(part.segments, part.names, part.aliases)
        going_on = part.stations[part.stations[:, k.STA_PACKETS] > 0, : k.STA_WIDTH]
        spells = np.concatenate([part.spells, going_on])
        spells = spells[np.argsort(spells[:, k.STA_FIRST_PACKET], kind="stable")]
        ended = np.zeros_like(spells)
        self._make_room(len(part.stations), len(part.pairs), len(part.bindings))
        count = k.absorb_stations(
            part.stations,
            part.pairs,
            part.bindings,
            spells,
            where,
            np.zeros(len(part.stations), np.int64),
            np.zeros(len(part.bindings), np.int64),
            self._segments,
            self._stations,
            self._slots[k.STATIONS],
            self._pairs,
            self._slots[k.PAIRS],
            self._bindings,
            self._slots[k.BINDINGS],
            self._used,
            self._options,
            ended,
        )
        self._keep(ended[:count].copy())
        self.go_on(part.recent)
        return where.astype(np.int32)

    def _make_room(self, stations: int, pairs: int, bindings: int) -> None:
        """Have four slots for each row there is and so many more: as few as that stay in the cache."""
        k, grown = self._k, False
        for kind, rows, more in (
            (k.STATIONS, self._stations, stations),
            (k.PAIRS, self._pairs, pairs),
            (k.BINDINGS, self._bindings, bindings),
        ):
            used = int(self._used[kind])
            size = 4 << (min(used + more, len(rows)) - 1).bit_length()
            if size > len(self._slots[kind]):
                self._slots[kind] = np.zeros(size, np.int32)
                k.index_rows(kind, rows, used, self._slots[kind])
                grown = True
        if grown:
            self._tables = k.Tables(
                self._segments,
                self._stations,
                self._slots[k.STATIONS],
                self._pairs,
                self._slots[k.PAIRS],
                self._bindings,
                self._slots[k.BINDINGS],
                self._used,
                self._options,
                self._near,
            )

    def _mark(self, block: PacketBlock, columns: PacketColumns) -> int:
        """Mark the copies of a block ⇒ how many there are."""
        n, signed = block.n, columns.signed
        if len(self._copies) < n:
            self._copies = np.zeros(n, np.uint8)
        count = self.recent[2]
        if count[self._d.CAPTURE] != block.capture:
            self._d.begin(count, block.capture)
        return self._d.mark_copies(
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
            *self.recent,
            self._ahead,
            self._copies,
        )

    def finish(self) -> None:
        """Write the bindings seen in packets and the spells that were still going on."""
        k = self._k
        spells = self._stations[: self._used[k.STATIONS]]
        self._ended.append(spells[spells[:, k.STA_PACKETS] > 0, : k.STA_WIDTH])
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
        used = self._used[k.SEGMENTS]
        for name, row in zip(self.names, self._segments[:used].tolist(), strict=True):
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

    def _rows_of(self, part: Part) -> list[int]:
        """Our row of each segment of a part; -1 where we have none."""
        k = self._k
        key = [k.SEG_CAPTURE, k.SEG_ALIAS, k.SEG_AIR, k.SEG_VLAN, k.SEG_OUTER_TAG]
        key += [k.SEG_TUNNEL, k.SEG_TUNNEL_ID]
        mine = self._segments[: self._used[k.SEGMENTS], key].tolist()
        rows = {tuple(told): row for row, told in enumerate(mine)}
        return [rows.get(tuple(told), -1) for told in part.segments[:, key].tolist()]

    def _gap_unknown(self, part: Part, rows: list[int]) -> str:
        """Whether stamps go back at the border, and thus a segment's longest silence is not known.

        Steps of a part up to our last stamp are no silences, and it tells the longest step alone.
        """
        k = self._k
        for name, row, theirs in zip(part.names, rows, part.segments, strict=True):
            ours = self._segments[row]
            last = ours[k.SEG_LAST]
            if (
                row >= 0
                and UNKNOWN_TIME not in (last, theirs[k.SEG_LAST])
                and theirs[k.SEG_GAP_FROM] < last
                and theirs[k.SEG_GAP] > ours[k.SEG_GAP]
            ):
                return f"stamps go back within the longest silence of {name}"
        return ""

    def _spell_unknown(self, part: Part, rows: list[int]) -> str:
        """Whether a spell of ours may end at a stamp that a part does not tell.

        It tells that of a spell's first packet; where that one bears none, of no later one.
        """
        k = self._k
        going_on = part.stations[part.stations[:, k.STA_PACKETS] > 0, : k.STA_WIDTH]
        begun = np.concatenate([going_on, part.spells])
        begun = begun[begun[:, k.STA_FIRST] == UNKNOWN_TIME]
        if not len(begun):
            return ""
        mine = self._stations[: self._used[k.STATIONS]]
        mine = mine[(mine[:, k.STA_PACKETS] > 0) & (mine[:, k.STA_LAST] != UNKNOWN_TIME)]
        last = {(row[k.STA_SEGMENT], row[k.STA_MAC]): row[k.STA_LAST] for row in mine.tolist()}
        for spell in begun.tolist():
            ours = last.get((rows[spell[k.STA_SEGMENT]], spell[k.STA_MAC]), spell[k.STA_LAST])
            if spell[k.STA_LAST] - ours > SPELL_SILENCE_NS:
                return "a station's first packet behind bears no stamp"
        return ""

    def _keep(self, ended: NDArray[np.int64]) -> None:
        """Spells that have ended: written in pieces, or told at the end."""
        self._ended.append(ended)
        self._waiting += len(ended)
        if not self._part:
            if self._waiting >= WRITE_SPELLS:
                self._write_spells()
        elif self._waiting > MOST_SPELLS:
            self._spells_lost = True
            self._ended.clear()
            self._waiting = 0

    def _write_spells(self) -> None:
        """Append spells of activity to table ``presence``."""
        k = self._k
        spells = np.concatenate(self._ended)
        self._ended.clear()
        self._waiting = 0
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
        count(*) FILTER (orig_pkts > 0 AND resp_pkts > 0) AS tcp_both,
        count(*) FILTER ((orig_pkts = 0 OR resp_pkts = 0)
            AND (orig_bytes + resp_bytes > 0 OR regexp_matches(history, '[ahdHAD]'))) AS tcp_one_way,
        count(*) FILTER (missed_bytes > 0) AS tcp_gaps
    FROM conversations WHERE proto = 'tcp' GROUP BY 1, 2
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
            counts = dict(zip(row._fields, row, strict=True))
            place = counts.pop("capture"), counts.pop("segment")
            told.setdefault(place, {}).update(counts)
    return lambda capture, segment: {**none, **told.get((capture, segment), {})}
