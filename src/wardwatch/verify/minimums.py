"""Minimums: every count and time a verdict rests on, named, with its reason."""

from __future__ import annotations

import msgspec


class Minimums(msgspec.Struct, frozen=True, kw_only=True):
    """Engineering minimums of ours unless an RFC is named; source: domain/measures.md."""

    bridge_s: float = 60.0
    """Captures of one segment that follow each other this soon are one span (a ring buffer changing files)."""
    lost_share: float = 0.25
    """What nobody saw proves nothing where the capture misses octets of more of a segment's TCP connections:
    so many have gaps where some packets in a hundred were lost."""
    unbroken_gap_s: float = 3600.0
    """A device silent longer than this may have been elsewhere: its span is broken there."""
    lease_span_s: float = 96 * 3600.0
    """Static address: span needed where no lease was seen; T1 of an 8-day lease (RFC 2131 §4.4.5)."""
    startup_silence_s: float = 60.0
    """Silence before a start-up or rejoin, so that it is one and not the next message."""
    startup_window_s: float = 60.0
    """An address announcement within this time of the first word makes it a start-up."""
    dhcp_span_s: float = 24 * 3600.0
    """No rogue DHCP: a full day, so that each shift's start-ups are in it."""
    dhcp_discovers: int = 10
    """No rogue DHCP: DISCOVERs a rogue could have answered."""
    dhcp_clients: int = 3
    """No rogue DHCP: clients they came from; a rogue may pick its victims."""
    dns_pairs: int = 1
    """No rogue DNS: questions with their answer, per device."""
    dns_span_s: float = 24 * 3600.0
    """No rogue DNS: a full day."""
    router_span_s: float = 1800.0
    """No rogue router: MaxRtrAdvInterval is at most 1800 s (RFC 4861 §6.2.1)."""
    arp_confirmations: int = 2
    """No ARP impersonation: times each binding was confirmed."""
    arp_span_s: float = 24 * 3600.0
    """No ARP impersonation: a full day."""
    arp_still_s: float = 60.0
    """The old holder spoke this long after the claim: it still transmits, so the address did not move."""
    peers_span_s: float = 7 * 24 * 3600.0
    """Segmentation in use: a week, so that weekly jobs are in it."""
    one_way_share: float = 0.05
    """Segmentation in use: more one-way TCP than this means a mirror of one direction."""
    vlan_span_s: float = 24 * 3600.0
    """VLAN separation: a full day."""
    unanswered_syns: int = 3
    """Unneeded services: SYNs without an answer; one may be lost."""
    alive_s: float = 60.0
    """Unneeded services: the device must have spoken this near to them."""
    attempts: int = 1
    """Segmentation enforced: attempts seen outside and absent inside, or refused on the way."""
    refusals: int = 1
    """Certificate validation: bad certificates refused."""
