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
    chance = random.Random(seed)
    for _ in range(count):
        payload = bytearray(chance.choice(valid))
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
            _wound(chance, payload, valid)
        yield bytes(payload[:LONGEST])


def run(parse: Parser, valid: list[bytes], seed: int, count: int) -> float:
    """Parse ``count`` hostile payloads; the share of which a message was read.

    Whatever escapes a parser, escapes here too. Spans must lie within the payload.
    """
    past = 0
    for payload in mutate(seed, valid, count):
        message, anomalies = parse(payload)
        past += message is not None
        for anomaly in anomalies:
            span = anomaly.span
            assert 0 <= span.start <= span.stop <= len(payload), (anomaly, payload.hex())
    return past / max(count, 1)


def _wound(chance: random.Random, payload: bytearray, valid: list[bytes]) -> None:
    size = len(payload)
    if not size:
        payload += chance.randbytes(8)
        return
    at = chance.randrange(size)
    kind = chance.randrange(9)
    if kind == 0:
        payload[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        payload[at] = chance.choice(ODD_OCTETS)
    elif kind == 2:
        payload[at] = (payload[at] + chance.choice((-2, -1, 1, 2))) & 255
    elif kind == 3:
        payload[at : at + 2] = chance.choice(ODD_OCTETS).to_bytes(1, "big") * 2
    elif kind == 4:
        del payload[at:]
    elif kind == 5:
        del payload[at : at + chance.randrange(1, 9)]
    elif kind == 6:
        payload[at:at] = chance.randbytes(chance.randrange(1, 9))
    elif kind == 7:
        payload[at:at] = payload[at : at + chance.randrange(1, 65)]
    else:
        other = chance.choice(valid)
        payload[at:] = other[chance.randrange(len(other)) :]
