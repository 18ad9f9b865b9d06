"""Vantage: what was listened to, segment by segment, over all captures together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.values import NS, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wardwatch.inventory.scene import Scene


class Vantage(msgspec.Struct, frozen=True):
    """One segment as heard here; counts are sums over the captures that hold it."""

    segment: str
    vlan: int
    tunnel: str
    spans: tuple[Span, ...]
    """When it was heard, in order; spans closer than the bridge are one."""
    packets: int = 0
    broadcasts: int = 0
    broadcast_sources: int = 0
    multicasts: int = 0
    stations: int = 0
    tcp_both: int = 0
    tcp_one_way: int = 0
    unicast_pairs: int = 0
    dhcp_client_messages: int = 0
    dhcp_server_messages: int = 0
    dhcp_relayed: int = 0
    cut_packets: int = 0
    routed_duplicates: int = 0
    tcp_gaps: int = 0
    longest_gap_s: float = 0.0

    @property
    def longest(self) -> Span:
        """The longest unbroken stretch heard."""
        return max(self.spans, key=lambda span: span.last - span.first)

    @property
    def whole(self) -> Span:
        """From the first packet to the last."""
        return Span(self.spans[0].first, self.spans[-1].last)

    @property
    def listened_s(self) -> float:
        """Seconds heard in all, pauses between captures left out."""
        return sum(span.seconds for span in self.spans)


def vantages(scene: Scene, bridge_s: float) -> dict[str, Vantage]:
    """Every segment heard, by name; files that follow each other within ``bridge_s`` are one span."""
    return scene.once(("vantages", bridge_s), lambda: _vantages(scene, bridge_s))


def _vantages(scene: Scene, bridge_s: float) -> dict[str, Vantage]:
    columns = ("segment", "vlan", "tunnel", "first_ts", "last_ts", *_OF_ALL, "longest_gap_s")
    captures: dict[str, list[Any]] = {}
    for row in scene.tables.whole("segments", *columns):
        if row.packets > 0:
            captures.setdefault(row.segment, []).append(row)
    return {
        segment: Vantage(
            segment=segment,
            vlan=heard[0].vlan,
            tunnel=heard[0].tunnel,
            spans=merged([[row.first_ts, row.last_ts] for row in heard], bridge_s),
            longest_gap_s=max(row.longest_gap_s for row in heard),
            **{
                name: max(of_all(getattr(row, name) for row in heard), 0)  # -1 says: not counted
                for name, of_all in _OF_ALL.items()
            },
        )
        for segment, heard in sorted(captures.items())
    }


_OF_ALL: dict[str, Callable[[Iterable[int]], int]] = {
    "packets": sum,
    "broadcasts": sum,
    "broadcast_sources": max,
    "multicasts": sum,
    "stations": max,
    "tcp_both": sum,
    "tcp_one_way": sum,
    "unicast_pairs": max,
    "dhcp_client_messages": sum,
    "dhcp_server_messages": sum,
    "dhcp_relayed": sum,
    "cut_packets": sum,
    "routed_duplicates": sum,
    "tcp_gaps": sum,
}
"""What the counts of several captures make together."""


def merged(pairs: list[list[int]], bridge_s: float) -> tuple[Span, ...]:
    """Spans in order, those that overlap or follow within ``bridge_s`` made one."""
    spans: list[Span] = []
    for first, last in sorted(pairs):
        if spans and first - spans[-1].last <= bridge_s * NS:
            spans[-1] = Span(spans[-1].first, max(spans[-1].last, last))
        else:
            spans.append(Span(first, last))
    return tuple(spans)


def device_segments(scene: Scene, heard: dict[str, Vantage]) -> list[str]:
    """Segments that hold a medical device; all segments where no such device is known."""
    homes = {segment for device in scene.medical for segment in device.segments}
    return [segment for segment in heard if segment in homes or not homes]
