"""ICMPv6: neighbour discovery with its options (RFC 4861), and destination unreachable.

Router advertisements and redirects decide where a host sends its packets; the options in them
carry DNS servers (RFC 8106) and routes (RFC 4191).
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.dns import wire_name
from wardwatch.decode.wire.icmp import Quoted, quoted_packet
from wardwatch.decode.wire.reader import ip6_list, ip6_text, u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault
from wardwatch.model.values import mac_text

UNREACHABLE = 1
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, REDIRECT = 135, 136, 137
OPTIONS_AT = {
    ROUTER_SOLICITATION: 8,
    ROUTER_ADVERTISEMENT: 16,
    NEIGHBOR_SOLICITATION: 24,
    NEIGHBOR_ADVERTISEMENT: 24,
    REDIRECT: 40,
}
"""Octets before the options, RFC 4861 §4.1 to §4.5."""

SOURCE_LLADDR, TARGET_LLADDR, PREFIX, ROUTE, RDNSS, DNSSL = 1, 2, 3, 24, 25, 31
MAX_OPTIONS = 256
"""Options kept of one message: a 1,280 octet packet holds at most 158."""
MAX_NAMES = 32
"""Names kept of a search list."""

TRUNCATED = Fault("icmpv6_truncated", "RFC 4861 §4: message shorter than its fixed fields")
CUT = Fault("icmpv6_cut", "none broken: the capture holds less than the message had")
ZERO_LENGTH = Fault("icmpv6_option_zero_length", "RFC 4861 §4.6: an option of length 0")
OPTION_OVERRUN = Fault(
    "icmpv6_option_overrun", "RFC 4861 §4.6: option length runs past the end of the message"
)
OPTION_LENGTH = Fault(
    "icmpv6_option_length", "RFC 4861 §4.6, RFC 8106 §5, RFC 4191 §2.3: length not of its kind"
)
FAULTS = (TRUNCATED, CUT, ZERO_LENGTH, OPTION_OVERRUN, OPTION_LENGTH)


class Option(msgspec.Struct, frozen=True, gc=False):
    """One option; ``data`` is what follows type and length."""

    type: int
    data: bytes


class Message(msgspec.Struct, frozen=True):
    """Type and code, the fixed fields of its kind, and the options."""

    type: int
    code: int
    router_lifetime: int = -1
    """Seconds; -1 when not a router advertisement."""
    managed: bool = False
    other: bool = False
    target: str = ""
    """Target address of NS, NA and redirect."""
    destination: str = ""
    """Destination address of a redirect."""
    options: tuple[Option, ...] = ()
    quoted: Quoted | None = None

    def lladdr(self, kind: int) -> str:
        """Link-layer address option ``kind`` (SOURCE_LLADDR, TARGET_LLADDR); "" without it."""
        raw = next((o.data for o in self.options if o.type == kind), b"")
        return mac_text(raw[:6])

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Prefix options as ``prefix/length`` (RFC 4861 §4.6.2)."""
        return tuple(
            f"{ip6_text(o.data[14:30])}/{o.data[0]}"
            for o in self.options
            if o.type == PREFIX and len(o.data) == 30
        )

    @property
    def rdnss(self) -> tuple[str, ...]:
        """Recursive DNS servers (RFC 8106 §5.1)."""
        return tuple(a for o in self.options if o.type == RDNSS for a in ip6_list(o.data[6:]))

    @property
    def dnssl(self) -> tuple[str, ...]:
        """DNS search list (RFC 8106 §5.2): names one behind the other, zeros behind them."""
        found: list[str] = []
        for option in self.options:
            raw = option.data[6:] if option.type == DNSSL else b""
            while raw and raw[0] and len(found) < MAX_NAMES:
                found.append(wire_name(raw))
                raw = raw[_name_size(raw) :]
        return tuple(found)

    @property
    def routes(self) -> tuple[str, ...]:
        """Route information options as ``prefix/length`` (RFC 4191 §2.3)."""
        return tuple(
            f"{ip6_text(o.data[6:22].ljust(16, bytes(1)))}/{o.data[0]}"
            for o in self.options
            if o.type == ROUTE and len(o.data) in (6, 14, 22)
        )


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one message from its type on, of which ``claimed`` bytes were sent."""
    end = len(payload)
    limit = max(claimed, end)
    kind = payload[0] if payload else 0
    need = OPTIONS_AT.get(kind, 8)
    if end < need:
        fault = CUT if limit >= need else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), max(limit, need), end),)
    anomalies: list[Anomaly] = []
    if kind == UNREACHABLE:
        quoted, _ = quoted_packet(payload[8:])
        return Message(kind, payload[1], quoted=quoted), ()
    if kind not in OPTIONS_AT:
        return Message(kind, payload[1]), ()
    options = _options(payload, need, limit, anomalies)
    router = kind == ROUTER_ADVERTISEMENT
    targeted = kind in (NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, REDIRECT)
    message = Message(
        type=kind,
        code=payload[1],
        router_lifetime=u16(payload, 6) if router else -1,
        managed=router and bool(payload[5] & 0x80),
        other=router and bool(payload[5] & 0x40),
        target=ip6_text(payload[8:24]) if targeted else "",
        destination=ip6_text(payload[24:40]) if kind == REDIRECT else "",
        options=options,
    )
    return message, tuple(anomalies)


def _options(payload: bytes, at: int, limit: int, anomalies: list[Anomaly]) -> tuple[Option, ...]:
    """Read options up to the end; RFC 4861 §4.6: the length counts units of eight octets."""
    found: list[Option] = []
    end = len(payload)
    while at < end and len(found) < MAX_OPTIONS:
        size = 8 * payload[at + 1] if at + 1 < end else 8
        if size == 0:
            # A receiver must drop the whole packet; what came before is evidence all the same.
            anomalies.append(Anomaly(ZERO_LENGTH, ByteSpan(at, min(at + 2, end)), 0, end - at))
            return tuple(found)
        stop = at + size
        if stop > end:
            fault = OPTION_OVERRUN if stop > limit else CUT
            anomalies.append(Anomaly(fault, ByteSpan(at, end), size, end - at))
            return tuple(found)
        option = Option(payload[at], payload[at + 2 : stop])
        if not _fits(option):
            anomalies.append(Anomaly(OPTION_LENGTH, ByteSpan(at, stop), size, size))
        found.append(option)
        at = stop
    return tuple(found)


def _fits(option: Option) -> bool:
    """Whether an option has a length its kind may have."""
    size = len(option.data) + 2
    if option.type == PREFIX:
        return size == 32
    if option.type == RDNSS:
        return size >= 24 and (size - 8) % 16 == 0
    if option.type == ROUTE:
        return size in (8, 16, 24)
    return True


def _name_size(raw: bytes) -> int:
    """Octets of the name in DNS encoding at the start of ``raw``, its zero included."""
    at = 0
    while at < len(raw) and 0 < raw[at] < 64:
        at += 1 + raw[at]
    return at + 1 if at < len(raw) and raw[at] == 0 else len(raw)
