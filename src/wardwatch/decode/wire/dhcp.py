"""DHCP and BOOTP messages (RFC 2131, RFC 951) and their options (RFC 2132).

Theory of operation: the options stand in up to three fields. The ``options`` field comes first;
if it holds option 52 (overload), ``file`` and then ``sname`` hold more (RFC 2131 §4.1). An option
that comes several times is one long option in pieces (RFC 3396): :meth:`Message.value` joins
them. CVE-2017-12718 lives in options 66 and 67 and in options whose lengths lie, so each
option keeps the length it claimed beside the bytes that were there.
"""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.dns import wire_name
from wardwatch.decode.wire.reader import (
    MAX_TEXT,
    c_text,
    ip4_list,
    ip4_text,
    text_or_hex,
    trimmed,
    u8,
    u16,
    u32,
)
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault
from wardwatch.model.values import mac_text

FIXED = 236  # bytes before the cookie, RFC 2131 figure 1
COOKIE = b"\x63\x82\x53\x63"
SNAME, FILE = (44, 108), (108, 236)
PAD, END = 0, 255
OPTIONS_FIELD, FILE_FIELD, SNAME_FIELD = 0, 1, 2

MAX_OPTIONS = 2048
"""Options (pads count) kept of one message: an Ethernet frame holds at most 1,260 single octets."""
MAX_ANOMALIES = 16
"""Anomalies kept of one message: the first few tell, thousands would only fill the tables."""

TRUNCATED = Fault("dhcp_truncated", "RFC 2131 §2: message shorter than its fixed fields")
CUT = Fault("dhcp_cut", "none broken: the capture holds less than the message had")
BAD_COOKIE = Fault("dhcp_bad_cookie", "RFC 2131 §3: magic cookie is not 99.130.83.99")
BAD_OP = Fault("dhcp_bad_op", "RFC 2131 §2: op is neither 1 BOOTREQUEST nor 2 BOOTREPLY")
BAD_HLEN = Fault("dhcp_bad_hlen", "RFC 2131 §2: hlen exceeds the 16 octets of chaddr")
OPTION_OVERRUN = Fault(
    "dhcp_option_overrun", "RFC 2132 §2: option length runs past the end of its field"
)
OPTION_LENGTH = Fault(
    "dhcp_option_length", "RFC 2132: option length differs from the length the RFC fixes"
)
NO_END = Fault("dhcp_no_end", "RFC 2131 §4.1: options without the end option (255)")
BAD_OVERLOAD = Fault("dhcp_bad_overload", "RFC 2132 §9.3: overload is neither 1, 2 nor 3")
TOO_MANY = Fault("dhcp_too_many_options", "our bound: more than 2,048 options in one message")
FAULTS = (
    TRUNCATED,
    CUT,
    BAD_COOKIE,
    BAD_OP,
    BAD_HLEN,
    OPTION_OVERRUN,
    OPTION_LENGTH,
    NO_END,
    BAD_OVERLOAD,
    TOO_MANY,
)

LENGTHS = {1: 4, 2: 4, 28: 4, 50: 4, 51: 4, 52: 1, 53: 1, 54: 4, 57: 2, 58: 4, 59: 4}
"""Lengths RFC 2132 fixes, of the options whose value we use or that every client sends."""
ADDRESS_LISTS = frozenset((3, 4, 5, 6, 42, 44, 150))
"""Options that are lists of addresses: at least one, a multiple of four octets."""

MESSAGE_TYPES = (
    "",
    "DISCOVER",
    "OFFER",
    "REQUEST",
    "DECLINE",
    "ACK",
    "NAK",
    "RELEASE",
    "INFORM",
    "FORCERENEW",  # RFC 3203
    "LEASEQUERY",  # RFC 4388
    "LEASEUNASSIGNED",
    "LEASEUNKNOWN",
    "LEASEACTIVE",
    "BULKLEASEQUERY",  # RFC 6926
    "LEASEQUERYDONE",
    "ACTIVELEASEQUERY",  # RFC 7724
    "LEASEQUERYSTATUS",
    "TLS",
)


class Option(msgspec.Struct, frozen=True, gc=False):
    """One option as sent; ``data`` is shorter than ``claimed`` where the length lies."""

    code: int
    data: bytes
    claimed: int
    span: ByteSpan
    field: int = OPTIONS_FIELD
    """Where it stood: OPTIONS_FIELD, FILE_FIELD or SNAME_FIELD."""
    overran: bool = False
    """Its length runs past the end of its field as sent (not merely as captured)."""


class Message(msgspec.Struct, frozen=True):
    """The fields of RFC 2131 figure 1 under their RFC names; addresses are raw octets."""

    op: int
    htype: int
    hlen: int
    hops: int
    xid: int
    secs: int
    flags: int
    ciaddr: bytes
    yiaddr: bytes
    siaddr: bytes
    giaddr: bytes
    chaddr: bytes
    """``hlen`` octets, at most 16."""
    sname: bytes
    file: bytes
    cookie: bool
    """Whether the magic cookie stood there; without it this is plain BOOTP."""
    options: tuple[Option, ...]
    """All options in order, pads left out: options field, then file, then sname."""
    codes: tuple[int, ...]
    """Option codes in order, pads (0) included, end (255) not."""
    ended: bool
    """The options field ends with option 255."""

    def value(self, code: int) -> bytes | None:
        """The octets of an option, its pieces joined (RFC 3396 §7); None without it."""
        pieces = [o.data for o in self.options if o.code == code]
        return b"".join(pieces) if pieces else None

    def longest(self, code: int) -> int:
        """Longest length a single option ``code`` claims, in any field; -1 without it."""
        return max((o.claimed for o in self.options if o.code == code), default=-1)

    def total(self, code: int) -> int:
        """Length the pieces of option ``code`` claim together; -1 without it."""
        pieces = [o.claimed for o in self.options if o.code == code]
        return sum(pieces) if pieces else -1

    def address(self, code: int) -> str:
        """An option that is one address; "" without it."""
        return ip4_text((self.value(code) or b"")[:4])

    def addresses(self, code: int) -> tuple[str, ...]:
        """An option that is a list of addresses."""
        return ip4_list((self.value(code) or b"")[:MAX_TEXT])

    def number(self, code: int) -> int:
        """An option that is one number; -1 without it or when it is empty.

        Of an option said twice or made too long the octets its length allows count, as clients
        take them: a second option 53 must not hide what a server says.
        """
        value = self.value(code)
        return int.from_bytes(value[: LENGTHS.get(code, 4)], "big") if value else -1

    def string(self, code: int) -> str:
        """An option that is text; "" without it."""
        return trimmed(self.value(code) or b"")

    @property
    def msg_type(self) -> str:
        """Name of the message type (option 53); its number where it has no name, "" without."""
        number = self.number(53)
        if number < 0:
            return ""
        return MESSAGE_TYPES[number] if 0 < number < len(MESSAGE_TYPES) else str(number)

    @property
    def overload(self) -> int:
        """Option 52 of the options field; -1 without it."""
        return next((o.data[0] for o in self.options if o.code == 52 and o.data), -1)

    @property
    def overrun(self) -> Option | None:
        """The first option whose length runs past the end of its field as sent."""
        return next((o for o in self.options if o.overran), None)

    @property
    def static_routes(self) -> tuple[str, ...]:
        """Options 33, 121 (RFC 3442) and 249 (Microsoft's 121) as "destination via router"."""
        routes = [
            f"{ip4_text(pair[:4])} via {ip4_text(pair[4:])}"
            for pair in _chunks((self.value(33) or b"")[:MAX_TEXT], 8)
        ]
        for code in (121, 249):
            routes.extend(_classless_routes((self.value(code) or b"")[:MAX_TEXT]))
        return tuple(routes)

    @property
    def client_fqdn(self) -> str:
        """Name in option 81 (RFC 4702 §2.3: DNS encoding when the E bit is set)."""
        value = self.value(81) or b""
        if len(value) < 3:
            return ""
        return wire_name(value[3:]) if value[0] & 0x04 else trimmed(value[3:])

    @property
    def relay_agent(self) -> dict[int, bytes]:
        """Sub-options of option 82 (RFC 3046 §2.0), the first of each code."""
        found: dict[int, bytes] = {}
        value = self.value(82) or b""
        at = 0
        while at + 2 <= len(value):
            stop = at + 2 + value[at + 1]
            found.setdefault(value[at], value[at + 2 : stop])
            at = stop
        return found

    @property
    def server_override(self) -> bool:
        """Whether the relay put itself in the server's place (RFC 5107 §4, sub-option 11)."""
        return 11 in self.relay_agent

    @property
    def mqx_pads(self) -> bool:
        """Whether pads stand between the options where the MQX RTCS client leaves them.

        It reserves 13 octets behind 53 and 61 for the answer it expects and one before 50
        (domain/devices.md §2); few other stacks put pads between options at all.
        """
        if self.op != 1 or not self.ended or self.codes[:1] != (53,):
            return False
        main = self.codes[1:]
        rest = main[1:] if main[:1] == (61,) else main
        if rest[:13] == (PAD,) * 13:  # DISCOVER, and REQUEST when it renews or rebinds
            rest = rest[13:]
            if rest in ((PAD,), (PAD, 50)):
                return True
            one = rest[:1] not in ((), (PAD,))
            renewing = self.msg_type == "REQUEST"
            return one and (renewing or rest[-1:] == (PAD,) or rest[-2:] == (PAD, 50))
        # REQUEST when it selects: 54 and 50 fill 12 of the 13 octets, one pad is left
        return rest[:3] == (54, 50, PAD) and rest[3:4] != (PAD,)


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one UDP payload of which ``claimed`` bytes were sent (-1: just those given).

    A message shorter than its fixed fields is read as far as it goes; of nothing, nothing is read.
    Bytes that were sent but not captured are ``dhcp_cut``; a length that runs past what was sent
    is ``dhcp_option_overrun`` all the same.
    """
    end = len(payload)
    limit = max(claimed, end)
    anomalies: list[Anomaly] = []
    if end < FIXED:
        fault = CUT if limit >= FIXED else TRUNCATED
        anomalies.append(Anomaly(fault, ByteSpan(0, end), max(limit, FIXED), end))
    if not end:
        return None, tuple(anomalies)
    if payload[0] not in (1, 2):
        anomalies.append(Anomaly(BAD_OP, ByteSpan(0, 1), payload[0], 2))
    hlen = u8(payload, 2)
    if hlen > 16:
        anomalies.append(Anomaly(BAD_HLEN, ByteSpan(2, 3), hlen, 16))
    options: list[Option] = []
    codes: list[int] = []
    ended = False
    cookie = payload[FIXED : FIXED + 4] == COOKIE
    if cookie:
        ended = _options(payload, FIXED + 4, end, limit, OPTIONS_FIELD, options, codes, anomalies)
        _overloaded(payload, options, codes, anomalies)
    elif any(payload[FIXED : FIXED + 4]):  # RFC 951 §3: plain BOOTP leaves vend zero
        span = ByteSpan(FIXED, min(FIXED + 4, end))
        anomalies.append(Anomaly(BAD_COOKIE, span, u32(payload, FIXED), u32(COOKIE, 0)))
    message = Message(
        op=payload[0],
        htype=u8(payload, 1),
        hlen=hlen,
        hops=u8(payload, 3),
        xid=u32(payload, 4),
        secs=u16(payload, 8),
        flags=u16(payload, 10),
        ciaddr=payload[12:16],
        yiaddr=payload[16:20],
        siaddr=payload[20:24],
        giaddr=payload[24:28],
        chaddr=payload[28 : 28 + min(hlen, 16)],
        sname=payload[slice(*SNAME)],
        file=payload[slice(*FILE)],
        cookie=cookie,
        options=tuple(options),
        codes=tuple(codes),
        ended=ended,
    )
    return message, tuple(anomalies[:MAX_ANOMALIES])


def row(message: Message) -> dict[str, object]:
    """The message as the columns of table ``dhcp`` that are its own; no address is ""."""
    overload = message.overload
    overrun = message.overrun
    agent = message.relay_agent
    return {
        "op": message.op,
        "msg_type": message.msg_type,
        "hops": message.hops,
        "xid": message.xid,
        "secs": message.secs,
        "flags": message.flags,
        "ciaddr": _address(message.ciaddr),
        "yiaddr": _address(message.yiaddr),
        "siaddr": _address(message.siaddr),
        "giaddr": _address(message.giaddr),
        "chaddr": mac_text(message.chaddr),
        "sname": "" if overload in (2, 3) else c_text(message.sname),
        "file": "" if overload in (1, 3) else c_text(message.file),
        "server_id": message.address(54),
        "requested_addr": message.address(50),
        "lease_time": message.number(51),
        "renewal_time": message.number(58),
        "subnet_mask": message.address(1),
        "routers": message.addresses(3),
        "dns_servers": message.addresses(6),
        "static_routes": message.static_routes,
        "domain_name": message.string(15),
        "host_name": message.string(12),
        "client_fqdn": message.client_fqdn,
        "vendor_class": message.string(60),
        "client_id": (message.value(61) or b"")[:MAX_TEXT].hex(),
        "parameter_list": tuple((message.value(55) or b"")[:MAX_TEXT]),
        "options": message.codes,
        "overload": overload,
        "tftp_server": message.string(66),
        "bootfile": message.string(67),
        "opt66_len": message.longest(66),
        "opt67_len": message.longest(67),
        "opt66_sum": message.total(66),
        "opt67_sum": message.total(67),
        "overrun_option": overrun.code if overrun else -1,
        "overrun_claimed": overrun.claimed if overrun else -1,
        "overrun_present": len(overrun.data) if overrun else -1,
        "server_override": message.server_override,
        "relay_agent": (message.value(82) or b"")[:MAX_TEXT].hex(),
        "circuit_id": text_or_hex(agent.get(1, b"")),
        "remote_id": text_or_hex(agent.get(2, b"")),
        "mqx_pads": message.mqx_pads,
    }


def _options(
    payload: bytes,
    at: int,
    end: int,
    limit: int,
    field: int,
    options: list[Option],
    codes: list[int],
    anomalies: list[Anomaly],
) -> bool:
    """Read the options of one field up to ``end`` (sent: up to ``limit``); whether 255 ended it."""
    while at < end:
        code = payload[at]
        if code == END:
            return True
        if len(codes) >= MAX_OPTIONS:
            anomalies.append(Anomaly(TOO_MANY, ByteSpan(at, end), end - at, 0))
            return False
        codes.append(code)
        if code == PAD:
            at += 1
            continue
        alone = at + 1 >= end  # a code without its length octet
        claimed = 0 if alone else payload[at + 1]
        start = min(at + 2, end)
        stop = min(start + claimed, end)
        span = ByteSpan(at, stop)
        overran = at + 2 + claimed > limit
        options.append(Option(code, payload[start:stop], claimed, span, field, overran))
        if at + 2 + claimed > end:
            fault = OPTION_OVERRUN if overran else CUT
            anomalies.append(Anomaly(fault, span, claimed, stop - start))
            return False
        fixed = LENGTHS.get(code, claimed)
        if fixed != claimed:
            anomalies.append(Anomaly(OPTION_LENGTH, span, claimed, fixed))
        elif code in ADDRESS_LISTS and (claimed % 4 or not claimed):
            anomalies.append(Anomaly(OPTION_LENGTH, span, claimed, max(claimed // 4, 1) * 4))
        at = stop
    fault = CUT if limit > end else NO_END
    anomalies.append(Anomaly(fault, ByteSpan(end, end), limit, end))
    return False


def _overloaded(
    payload: bytes, options: list[Option], codes: list[int], anomalies: list[Anomaly]
) -> None:
    """Read what option 52 says stands in ``file`` (first) and ``sname``, RFC 2131 §4.1."""
    overload = next((o for o in options if o.code == 52 and o.data), None)
    if overload is None:
        return
    value = overload.data[0]
    if value not in (1, 2, 3):
        anomalies.append(Anomaly(BAD_OVERLOAD, overload.span, value, 3))
        return
    for bit, (start, stop), field in ((1, FILE, FILE_FIELD), (2, SNAME, SNAME_FIELD)):
        if value & bit:
            _options(payload, start, stop, stop, field, options, codes, anomalies)


def _classless_routes(value: bytes) -> list[str]:
    """Routes of RFC 3442: prefix width, its significant octets, router; stops where it lies."""
    routes = []
    at = 0
    while at < len(value):
        width = value[at]
        octets = (width + 7) // 8
        if width > 32 or at + 1 + octets + 4 > len(value):
            break
        destination = value[at + 1 : at + 1 + octets].ljust(4, b"\0")
        router = value[at + 1 + octets : at + 5 + octets]
        routes.append(f"{ip4_text(destination)}/{width} via {ip4_text(router)}")
        at += 5 + octets
    return routes


def _chunks(value: bytes, size: int) -> list[bytes]:
    return [value[k : k + size] for k in range(0, len(value) - size + 1, size)]


def _address(raw: bytes) -> str:
    """An address field of the header; 0.0.0.0 there means none."""
    return ip4_text(raw) if any(raw) else ""
