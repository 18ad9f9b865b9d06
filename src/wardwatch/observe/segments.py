"""Names of segments: which broadcast domain a packet was seen in, in words.

The first interface of a capture that carries wired frames gives plain names; further ones add
``@name``, where interfaces of one name are one (a file joined of several by the same sensor).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.columns import S_TAG
from wardwatch.decode.kernels import headers
from wardwatch.observe.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import Interface, PacketBlock

AIR_LINKS = frozenset({105, 119, 127, 163, 192})
"""LINKTYPE_ numbers of frames caught on the air."""

LONGEST_INTERFACE_NAME = 32
"""Characters of an interface's name in a segment's: it is text from outside."""

MOST_SEGMENTS = 1 << 10
"""Segments kept apart; whoever forges more VIDs and VNIs shares the first row."""


class Places:
    """Takes every block; knows the segment of every packet of the last one, and its name."""

    def __init__(self) -> None:
        from wardwatch.decode.kernels import stations

        self._k = stations
        self.aliases = Aliases()
        """Which interfaces count as one."""
        self._slots = np.zeros(MOST_SEGMENTS * 4, np.int32)
        self._recent = np.zeros(stations.RECENT, np.int32)
        self.segments = np.zeros((MOST_SEGMENTS, stations.SEG_WIDTH), np.int64)
        """Rows of the segments met, of which other kernels count in further columns."""
        self.used = np.zeros(stations.USED_WIDTH, np.int64)
        """Rows in use, of these and of those kernels' tables."""
        self.segment: NDArray[np.int32] = np.zeros(0, np.int32)
        """(n,) row of the segment of each packet of the last block."""
        self.names: list[str] = []
        """Name of each segment row."""

    def fill(self, block: PacketBlock, columns: PacketColumns, rows: NDArray[np.int64]) -> None:
        """Tell the segments of a block of which only ``rows`` are there: the others share the first's."""
        gone = np.ones(block.n, np.bool_)
        gone[rows] = False
        for column in (columns.vlan, columns.outer_tag, columns.tunnel, columns.tunnel_id):
            column[: block.n][gone] = column[rows[0]]
        self.take(block, columns, (), headers.TUNNELS)

    def take(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        interfaces: Sequence[Interface],
        tunnels: Sequence[str],
    ) -> None:
        """Tell the segments of one block, and name those that are new."""
        if len(self.segment) < block.n:
            self.segment = np.zeros(block.n, np.int32)
        self._k.assign_segments(
            block.n,
            block.capture,
            block.link,
            block.interface,
            self.aliases.of_block(block, interfaces),
            columns.signed,
            self.segments,
            self._slots,
            self.used,
            self._recent,
            self.segment,
        )
        k = self._k
        for row in self.segments[len(self.names) : self.used[k.SEGMENTS]].tolist():
            name = segment_name(
                air=bool(row[k.SEG_AIR]),
                vlan=row[k.SEG_VLAN],
                outer_tag=row[k.SEG_OUTER_TAG],
                tunnel=tunnels[row[k.SEG_TUNNEL]] if row[k.SEG_TUNNEL] else "",
                tunnel_id=row[k.SEG_TUNNEL_ID],
                suffix=self.aliases.suffix.get((row[k.SEG_CAPTURE], row[k.SEG_ALIAS]), ""),
            )
            self.names.append(name)

    def can_absorb(self, aliases: Aliases) -> str:
        """Why segments of interfaces with these ``aliases`` cannot be taken for ours; or ``""``."""
        known = {(capture, number): name for (capture, name), number in self.aliases.of.items()}
        if any(
            self.aliases.of.get((capture, name), number) != number
            or known.get((capture, number), name) != name
            for (capture, name), number in aliases.of.items()
        ):
            return "the interfaces were met in another order"
        return ""

    def absorb(
        self, later: NDArray[np.int64], names: Sequence[str], aliases: Aliases
    ) -> NDArray[np.int64]:
        """Count segments, and their ``names``, of packets behind ours ⇒ (n,) the row of each here.

        ``later`` (n, SEG_WIDTH) are those in use elsewhere, where the ``aliases`` are known of all
        interfaces met so far of the same captures.
        """
        self.aliases.absorb(aliases)
        where = np.zeros(len(later), np.int64)
        self._k.absorb_segments(later, self.segments, self._slots, self.used, where)
        self.names += [
            name for name, row in zip(names, where.tolist(), strict=True) if row >= len(self.names)
        ]
        return where


class Aliases:
    """Which interfaces of each capture count as one, and how their segments are marked."""

    def __init__(self) -> None:
        self.of: dict[tuple[int, str], int] = {}
        """By capture and an interface's name, in the order in which they were met."""
        self._arrays: dict[int, NDArray[np.int32]] = {}
        self.suffix: dict[tuple[int, int], str] = {}
        """By capture and alias: ``""`` for the first, ``@name`` for others."""

    def absorb(self, later: Aliases) -> None:
        """Know what another knows of the same captures, who has met more of them."""
        self.of.update(later.of)
        self._arrays.update(later._arrays)
        self.suffix.update(later.suffix)

    def of_block(self, block: PacketBlock, interfaces: Sequence[Interface]) -> NDArray[np.int32]:
        """(interfaces,) the alias of each interface of the block's capture."""
        known = self._arrays.get(block.capture)
        if known is not None and len(known) == len(interfaces) == 1:
            return known  # whatever the rows of a block name is described
        present = block.interface[: block.n]
        highest = int(present.max()) if block.n else 0
        if (
            known is not None
            and len(known) > highest
            and not (len(known) > 1 and (known[present] < 0).any())
        ):
            return known
        size = max(highest + 1, len(interfaces), len(known) if known is not None else 0)
        fresh = np.full(size, -1, np.int32)
        if known is not None:
            fresh[: len(known)] = known
        numbers, firsts = np.unique(present, return_index=True)
        for index in numbers[np.argsort(firsts)].tolist():
            if fresh[index] >= 0:
                continue
            at = int(firsts[numbers.searchsorted(index)])
            if int(block.link[at]) in AIR_LINKS:
                fresh[index] = 0  # "wlan" bears no interface
                continue
            name = interfaces[index].name if index < len(interfaces) else ""
            fresh[index] = self._alias(block.capture, index, name)
        self._arrays[block.capture] = fresh
        return fresh

    def _alias(self, capture: int, index: int, name: str) -> int:
        label = printable(name)[:LONGEST_INTERFACE_NAME] or str(index)
        key = (capture, label)
        if key not in self.of:
            number = sum(1 for c, _ in self.of if c == capture)
            self.of[key] = number
            self.suffix[capture, number] = f"@{label}" if number else ""
        return self.of[key]


def segment_name(
    *, air: bool, vlan: int, tunnel: str, tunnel_id: int, outer_tag: int = 0, suffix: str = ""
) -> str:
    """A segment in words: ``vlan 120``, ``untagged``, ``vxlan 5 vlan 9``, ``wlan``, ``…@name``.

    Of several tags the outermost and the innermost: ``vlan 1 vlan 120``, and ``s-vlan 9 vlan 120``
    where the outermost is a provider's.
    """
    tags = f"vlan {vlan}" if vlan >= 0 else ""
    if outer_tag:
        tags = f"{'s-' if outer_tag & S_TAG else ''}vlan {outer_tag & ~S_TAG} {tags}"
    if tunnel:
        text = f"{tunnel} {tunnel_id}" if tunnel_id >= 0 else tunnel
        return (f"{text} {tags}" if tags else text) + suffix
    if air:
        return "wlan"
    return (tags or "untagged") + suffix
