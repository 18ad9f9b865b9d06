"""Bindings: which MAC used which address, from what ARP, DHCP and neighbour discovery say.

Those seen as sources of packets come from :mod:`wardwatch.observe.vantage`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

MOST_NOTED = 1 << 16
"""Bindings noted message by message; ARP and DHCP are counted from their tables, on disk."""

MOST_CLAIMS = 256
"""Addresses kept of one MAC by ARP: a proxy answers for a subnet; a scanner with forged senders
for as many as it likes, and table ``arp`` still holds every message."""

_FROM_ARP = """
    SELECT capture, segment, sender_mac AS mac, sender_ip AS ip, 'arp' AS source,
        min(ts) AS first_ts, max(ts) AS last_ts,
        min(packet) AS first_packet, max(packet) AS last_packet, count(*) AS packets
    FROM arp
    WHERE sender_ip NOT IN ('', '0.0.0.0') AND sender_mac <> ''
    GROUP BY 1, 2, 3, 4 {bound}
    ORDER BY first_packet, ip
"""
_FROM_DHCP = """
    SELECT capture, segment, chaddr AS mac, yiaddr AS ip, 'dhcp' AS source,
        min(ts) AS first_ts, max(ts) AS last_ts,
        min(packet) AS first_packet, max(packet) AS last_packet, count(*) AS packets
    FROM dhcp
    WHERE msg_type = 'ACK' AND yiaddr NOT IN ('', '0.0.0.0') AND length(chaddr) = 17
    GROUP BY 1, 2, 3, 4 {bound}
    ORDER BY first_packet, ip
"""
_BOUND = f"""
    QUALIFY row_number() OVER (PARTITION BY capture, segment, mac ORDER BY first_packet)
        <= {MOST_CLAIMS}
"""
"""Where nobody claims more, it takes longer to number the addresses than to find them."""


Noted = list[tuple[tuple[int, str, str, str, str], list[int]]]
"""Bindings in the order of their first packets: capture, segment, mac, ip and source; first and
last stamp, first and last packet, how many. msgspec packs and reads it back."""

NO_ADDRESS = frozenset({"", "::", "0.0.0.0"})  # noqa: S104 - compared, never bound to
"""The unspecified addresses: probes and clients without one."""


class Bindings:
    """Notes bindings that parsers tell, and adds those of whole tables at the end."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._noted: dict[tuple[int, str, str, str, str], list[int]] = {}

    def note(self, segment: str, mac: str, ip: str, source: str, where: Where) -> None:
        """Take a binding from one message; those of ARP and DHCP are counted at the end."""
        if source in ("arp", "dhcp") or not mac or ip in NO_ADDRESS:
            return
        key = (where.capture, segment, mac, ip, source)
        row = self._noted.get(key)
        if row is not None:
            row[1] = max(row[1], where.ts)
            row[3] = where.packet
            row[4] += 1
        elif len(self._noted) < MOST_NOTED:
            self._noted[key] = [where.ts, where.ts, where.packet, where.packet, 1]

    def noted(self) -> Noted:
        """What was noted message by message, for :meth:`absorb` elsewhere."""
        return [(key, [*row]) for key, row in self._noted.items()]

    def can_absorb(self, noted: Noted) -> str:
        """Why :meth:`absorb` could not be exact; ``""`` where it will be."""
        if len(noted) >= MOST_NOTED:  # it may have turned away what we would count
            return f"{MOST_NOTED:,} bindings were noted behind"
        return ""

    def absorb(self, noted: Noted) -> None:
        """Note what :meth:`noted` says of packets behind all of ours."""
        for key, row in noted:
            kept = self._noted.get(key)
            if kept is not None:
                _, last, _, packet, count = row
                kept[1] = max(kept[1], last)
                kept[3] = packet
                kept[4] += count
            elif len(self._noted) < MOST_NOTED:
                self._noted[key] = [*row]

    def finish(self) -> None:
        """Write the bindings; tables ``arp`` and ``dhcp`` are complete now."""
        for (capture, segment, mac, ip, source), row in self._noted.items():
            self._spool.add(
                "bindings",
                {
                    "capture": capture,
                    "segment": segment,
                    "mac": mac,
                    "ip": ip,
                    "source": source,
                    "first_ts": row[0],
                    "last_ts": row[1],
                    "first_packet": row[2],
                    "last_packet": row[3],
                    "packets": row[4],
                },
            )
        for table, question in (("arp", _FROM_ARP), ("dhcp", _FROM_DHCP)):
            if self._spool.counts[table]:
                found = self._spool.answer(table, question.format(bound=""))
                if _most_of_one(found) > MOST_CLAIMS:
                    found = self._spool.answer(table, question.format(bound=_BOUND))
                self._spool.extend(
                    "bindings",
                    {name: found[name].combine_chunks() for name in found.column_names},
                )


def _most_of_one(found: pa.Table) -> int:
    """The most addresses that one MAC has in all segments; where they are few, so is each segment's."""
    if len(found) <= MOST_CLAIMS:
        return len(found)
    # Arrow would number them in `pyarrow.compute`, whose import takes as long as a million of these.
    return max(Counter(found["mac"].to_pylist()).values())
