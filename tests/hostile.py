"""Hostile payloads: a plain seeded mutation loop that starts from valid messages.

``PARSERS`` names every datagram parser with honest messages to start from; ``run`` mutates them,
parses what comes out, and tells the share of payloads that got past the parser's first length
check (those of which a message was read at all).
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from tests import wire_messages as wire

from wardwatch.decode.wire import (
    arp,
    cdp,
    control,
    dhcp,
    dhcpv6,
    dns,
    icmp,
    icmpv6,
    lldp,
    redundancy,
    snmp,
    tftp,
    wifi,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Parser = Callable[[bytes], tuple[Any, tuple[Any, ...]]]

ODD_OCTETS = (0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFE, 0xFF)
LONGEST = 4096
"""Bytes a mutated payload grows to at most."""
MOST_KNOWN = 200_000
"""Payloads remembered in a run: all that the suite has."""

PARSERS: dict[str, tuple[Parser, list[bytes]]] = {
    "arp": (arp.parse, wire.ARP),
    "cdp": (cdp.parse, [wire.CDP]),
    "control": (control.parse, wire.CONTROL),
    "control cisco": (partial(control.parse, dst_mac=control.CISCO_GROUP), wire.CONTROL),
    "dhcp": (dhcp.parse, wire.DHCP),
    "dhcpv6": (dhcpv6.parse, wire.DHCPV6),
    "dns": (dns.parse, wire.DNS),
    "icmp": (icmp.parse, wire.ICMP),
    "icmpv6": (icmpv6.parse, wire.ICMPV6),
    "lldp": (lldp.parse, [wire.LLDP]),
    "redundancy hsrp": (partial(redundancy.parse, port=1985), [wire.HSRP, wire.HSRP2]),
    "redundancy vrrp": (partial(redundancy.parse, ipv6=True), [wire.VRRP2, wire.VRRP3]),
    "redundancy glbp": (partial(redundancy.parse, port=3222), [wire.GLBP]),
    "snmp": (snmp.parse, wire.SNMP),
    "tftp": (tftp.parse, wire.TFTP),
    "wifi": (wifi.parse, wire.WIFI),
}
"""Every datagram parser, and honest messages to start from."""


def mutate(seed: int, valid: list[bytes], count: int) -> Iterator[bytes]:
    """``count`` payloads, each a valid one with one to four wounds; the same for the same seed."""
    assert valid and all(valid), "of nothing no place can be drawn"
    bits = random.Random(seed).getrandbits

    def below(bound: int) -> int:  # what ``randrange`` draws, without all that it asks before
        size = bound.bit_length()
        drawn = bits(size)
        while drawn >= bound:
            drawn = bits(size)
        return drawn

    for _ in range(count):
        payload = bytearray(valid[below(len(valid))])
        for _ in range((1, 1, 1, 2, 2, 3, 4)[below(7)]):
            _wound(below, bits, payload, valid)
        yield bytes(payload[:LONGEST])


def run(parse: Parser, valid: list[bytes], seed: int, count: int) -> float:
    """Parse ``count`` hostile payloads; the share of which a message was read.

    Whatever escapes a parser, escapes here too. Spans must lie within the payload. Wounds of
    short messages are often the same: of a payload that came before it is known what is read.
    """
    past = 0
    known: dict[bytes, bool] = {}
    for payload in mutate(seed, valid, count):
        is_read = known.get(payload)
        if is_read is None:
            message, anomalies = parse(payload)
            is_read = message is not None
            for anomaly in anomalies:
                span = anomaly.span
                assert 0 <= span.start <= span.stop <= len(payload), (anomaly, payload.hex())
            if len(known) < MOST_KNOWN:
                known[payload] = is_read
        past += is_read
    return past / max(count, 1)


def _wound(
    below: Callable[[int], int],
    bits: Callable[[int], int],
    payload: bytearray,
    valid: list[bytes],
) -> None:
    size = len(payload)
    if not size:
        payload += _octets(bits, 8)
        return
    at = below(size)
    kind = below(9)
    if kind == 0:
        payload[at] ^= 1 << below(8)
    elif kind == 1:
        payload[at] = ODD_OCTETS[below(len(ODD_OCTETS))]
    elif kind == 2:
        payload[at] = (payload[at] + (-2, -1, 1, 2)[below(4)]) & 255
    elif kind == 3:
        payload[at : at + 2] = ODD_OCTETS[below(len(ODD_OCTETS))].to_bytes(1, "big") * 2
    elif kind == 4:
        del payload[at:]
    elif kind == 5:
        del payload[at : at + 1 + below(8)]
    elif kind == 6:
        payload[at:at] = _octets(bits, 1 + below(8))
    elif kind == 7:
        payload[at:at] = payload[at : at + 1 + below(64)]
    else:
        other = valid[below(len(valid))]
        payload[at:] = other[below(len(other)) :]


def _octets(bits: Callable[[int], int], count: int) -> bytes:
    """What ``randbytes`` says."""
    return bits(count * 8).to_bytes(count, "little")
