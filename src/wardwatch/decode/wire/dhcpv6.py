"""DHCPv6 messages and their options (RFC 8415), those inside relay messages too."""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.dns import wire_name
from wardwatch.decode.wire.reader import ip6_list, ip6_text, u16, u24
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

RELAY_FORW, RELAY_REPL = 12, 13
CLIENTID, SERVERID, IA_NA, IA_TA, IAADDR, RELAY_MSG = 1, 2, 3, 4, 5, 9
DNS_SERVERS, CLIENT_FQDN, IA_PD = 23, 39, 25
_INSIDE = {IA_NA: 12, IA_TA: 4, IA_PD: 12, IAADDR: 24}
"""Octets of an option's fixed fields, before the options in it (RFC 8415 §21)."""

MAX_RELAYS = 8
"""Relay messages inside one another: HOP_COUNT_LIMIT of RFC 8415 §7.6."""
MAX_OPTIONS = 512
"""Options read of one message, nested ones included: honest ones have a dozen."""
MAX_DUID = 130
"""Octets of a DUID: RFC 8415 §11.1 allows 128 behind its type."""
MAX_ADDRESSES = 64
"""Addresses kept of one message."""

TRUNCATED = Fault("dhcpv6_truncated", "RFC 8415 §8, §9: message shorter than its fixed fields")
CUT = Fault("dhcpv6_cut", "none broken: the capture holds less than the message had")
OPTION_OVERRUN = Fault(
    "dhcpv6_option_overrun", "RFC 8415 §21.1: option-len runs past the end of what holds it"
)
OPTION_LENGTH = Fault("dhcpv6_option_length", "RFC 8415 §21: option shorter than its fixed fields")
RELAY_DEPTH = Fault("dhcpv6_relay_depth", "RFC 8415 §7.6: more than eight relay messages nested")
TOO_MANY = Fault("dhcpv6_too_many_options", "our bound: more than 512 options in one message")
FAULTS = (TRUNCATED, CUT, OPTION_OVERRUN, OPTION_LENGTH, RELAY_DEPTH, TOO_MANY)


class Message(msgspec.Struct, frozen=True):
    """A client, server or relay message; a relay's holds another."""

    msg_type: int
    transaction_id: int
    """-1 for relay messages."""
    client_duid: bytes = b""
    server_duid: bytes = b""
    addresses: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
    fqdn: str = ""
    link_address: str = ""
    peer_address: str = ""
    inner: Message | None = None
    """What a relay message carries (option 9)."""


class _Reading:
    """One datagram being read: its bytes, its budget, and what was wrong so far."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.data = data
        self.limit = limit
        self.budget = MAX_OPTIONS
        self.anomalies: list[Anomaly] = []

    def fault(self, fault: Fault, start: int, stop: int, claimed: int, present: int) -> None:
        end = len(self.data)
        span = ByteSpan(min(start, end), min(max(start, stop), end))
        self.anomalies.append(Anomaly(fault, span, claimed, present))


class _Options:
    """Values gathered from the options of one message and of the options in them."""

    def __init__(self) -> None:
        self.client_duid = b""
        self.server_duid = b""
        self.addresses: list[str] = []
        self.dns_servers: list[str] = []
        self.fqdn = ""
        self.relayed: tuple[int, int, int] | None = None


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one UDP payload of which ``claimed`` bytes were sent."""
    reading = _Reading(payload, max(claimed, len(payload)))
    message = _message(reading, 0, len(payload), reading.limit, MAX_RELAYS)
    return message, tuple(reading.anomalies)


def _message(reading: _Reading, at: int, end: int, limit: int, depth: int) -> Message | None:
    """The message in ``[at, end)``, sent up to ``limit``."""
    kind = reading.data[at] if at < end else 0
    relay = kind in (RELAY_FORW, RELAY_REPL)
    need = 34 if relay else 4
    if end - at < need:
        fault = CUT if limit - at >= need else TRUNCATED
        reading.fault(fault, at, end, need, end - at)
        return None
    found = _Options()
    _options(reading, at + need, end, limit, found, 0)
    inner = None
    if relay and found.relayed is not None:
        if depth == 0:
            reading.fault(RELAY_DEPTH, *found.relayed[:2], MAX_RELAYS + 1, MAX_RELAYS)
        else:
            inner = _message(reading, *found.relayed, depth - 1)
    return Message(
        msg_type=kind,
        transaction_id=-1 if relay else u24(reading.data, at + 1),
        client_duid=found.client_duid,
        server_duid=found.server_duid,
        addresses=tuple(found.addresses),
        dns_servers=tuple(found.dns_servers),
        fqdn=found.fqdn,
        link_address=ip6_text(reading.data[at + 2 : at + 18]) if relay else "",
        peer_address=ip6_text(reading.data[at + 18 : at + 34]) if relay else "",
        inner=inner,
    )


def _options(reading: _Reading, at: int, end: int, limit: int, found: _Options, level: int) -> None:
    """Read options into ``found``; those of identity associations one level deeper."""
    data = reading.data
    while at < end:
        reading.budget -= 1
        if reading.budget < 0:
            if reading.budget == -1:
                reading.fault(TOO_MANY, at, end, end - at, 0)
            return
        code, size = u16(data, at), u16(data, at + 2)
        start = at + 4
        stop = start + size
        if stop > end:
            fault = OPTION_OVERRUN if stop > limit else CUT
            reading.fault(fault, at, end, size, max(end - start, 0))
            stop = end
            if start > end:
                return
        value = data[start:stop]
        inside = _INSIDE.get(code)
        if inside is not None and len(value) < inside:
            if len(value) == size:
                reading.fault(OPTION_LENGTH, at, stop, size, inside)
        elif code == IAADDR:
            if len(found.addresses) < MAX_ADDRESSES:
                found.addresses.append(ip6_text(value[:16]))
        elif inside is not None and level < 2:  # IAs hold addresses, addresses hold status codes
            _options(reading, start + inside, stop, min(start + size, limit), found, level + 1)
        elif code == CLIENTID:
            found.client_duid = found.client_duid or value[:MAX_DUID]
        elif code == SERVERID:
            found.server_duid = found.server_duid or value[:MAX_DUID]
        elif code == DNS_SERVERS:
            found.dns_servers.extend(ip6_list(value[: 16 * MAX_ADDRESSES]))
            del found.dns_servers[MAX_ADDRESSES:]
        elif code == CLIENT_FQDN:
            found.fqdn = found.fqdn or wire_name(value[1:])
        elif code == RELAY_MSG and found.relayed is None:
            found.relayed = (start, stop, min(start + size, limit))
        at = stop
