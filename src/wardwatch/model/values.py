"""Small values that everything speaks of: addresses, instants, spans of time."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

NS = 1_000_000_000
"""Nanoseconds in a second. Every instant is an ``int`` of nanoseconds since 1970-01-01 UTC."""

HOUR_NS = 3600 * NS
DAY_NS = 24 * HOUR_NS
UNKNOWN_TIME = -(2**63)
"""The instant of a packet whose file gives none (a pcapng Simple Packet Block)."""


class Span(msgspec.Struct, frozen=True, gc=False, order=True):
    """A stretch of time ``[first, last]`` in ns since 1970-01-01 UTC, both ends seen."""

    first: int
    last: int

    @property
    def seconds(self) -> float:
        """Length in seconds; 0 for a single packet."""
        return max(self.last - self.first, 0) / NS

    def covers(self, instant: int) -> bool:
        """Whether ``instant`` (ns) lies within, ends included."""
        return self.first <= instant <= self.last


def mac_text(raw: bytes) -> str:
    """Six (or other) octets as lower-case hex pairs with colons, IEEE 802 canonical order."""
    return raw.hex(":")


def is_locally_administered(mac: str) -> bool:
    """Whether the U/L bit of a textual MAC says its holder chose it (IEEE 802-2014 §8.2.2)."""
    return len(mac) >= 2 and bool(int(mac[:2], 16) & 0b10)


def is_group(mac: str) -> bool:
    """Whether a textual MAC is a multicast or broadcast address (I/G bit)."""
    return len(mac) >= 2 and bool(int(mac[:2], 16) & 0b01)


def utc_text(instant: int) -> str:
    """An instant as ``2026-11-23 01:02:03.456 UTC``, or ``unknown time``; never raises."""
    if instant == UNKNOWN_TIME:
        return "unknown time"
    seconds, rest = divmod(instant, NS)
    try:
        stamp = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s since 1970"
    # As text it is ISO 8601, in a tenth of the time that `strftime` takes.
    return f"{str(stamp)[:19]}.{rest // 1_000_000:03d} UTC"


def duration_text(seconds: float) -> str:
    """A length of time for people: ``42 s``, ``17 min``, ``26 h``, ``9 d``."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (72 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
