"""Recognise: which protocol a conversation speaks, by its first bytes, on whatever port."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wardwatch.decode.wire import banner, dicom, ftp, hl7, http, medfusion, tls
from wardwatch.decode.wire.reader import u16
from wardwatch.observe.exchanges import DeviceStream, Dicom, DnsTcp, Hl7, Http
from wardwatch.observe.follow import UNDECIDED, Flow, Follower
from wardwatch.observe.handshakes import Tls
from wardwatch.observe.logins import Ftp, Telnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from wardwatch.decode.stream import Chunk, Gap
    from wardwatch.observe.where import Where

FTP_PORT, TELNET_PORT, DNS_PORT = 21, 23, 53

MAX_UNDECIDED = 8192
"""Bytes of a conversation that may stay unrecognised while something still speaks for it."""
MAX_UNKNOWN = 1024
"""Bytes of a conversation that nothing speaks for: every protocol here shows itself sooner."""
ENOUGH = 64
"""Or bytes that both its sides have said."""
MAX_PIECES = 64
"""Pieces of an undecided conversation: one byte segments must not make it dear."""

Heads = tuple[bytes, bytes]


class Undecided(Follower):
    """Keeps the first bytes of a conversation until it is plain who reads them."""

    interest = UNDECIDED

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self._heads = [bytearray(), bytearray()]
        self._kept: list[tuple[int, Chunk[Where]]] = []
        self._spoke_first = -1

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return len(self._heads[0]) + len(self._heads[1])

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        if self._spoke_first < 0:
            self._spoke_first = side
        self._heads[side] += chunk.data
        self._kept.append((side, chunk))
        heads = bytes(self._heads[0]), bytes(self._heads[1])
        follower = recognise(self.flow, heads, side)
        if follower is None and _hopeless(self.flow, heads, len(self._kept)):
            follower = self._greeting(heads) or Follower(self.flow)
        if follower is not None:
            self._become(follower)

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._heads[side].clear()
        self._kept = [(s, c) for s, c in self._kept if s != side]
        self._spoke_first = 0  # who spoke first is not known any more

    def end(self) -> None:
        """Write what is still open."""
        if self._kept and self._spoke_first == 1:
            follower = self._greeting((bytes(self._heads[0]), bytes(self._heads[1])))
            if follower is not None:
                self._become(follower)

    def _become(self, follower: Follower) -> None:
        flow = self.flow
        flow.become(follower)
        kept, self._kept = self._kept, []
        self._heads[0].clear()
        self._heads[1].clear()
        for side, chunk in kept:
            flow.follower.data(side, chunk)

    def _greeting(self, heads: Heads) -> Follower | None:
        """An unknown server that spoke first and was answered: its first line is a banner.

        The shape of an FTP data connection (one side speaks, then it ends) is none: what it
        carries is a file.
        """
        if self._spoke_first != 1 or not heads[0]:
            return None
        found, _ = banner.parse(heads[1])
        return Greeting(self.flow, 1, found) if found is not None and not found.protocol else None


class Greeting(Follower):
    """A protocol of which only the server's first line is kept."""

    def __init__(self, flow: Flow, server: int, found: banner.Banner) -> None:
        super().__init__(flow)
        self.service = found.protocol
        self._server = server
        self._found: banner.Banner | None = found

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        if side == self._server and self._found is not None:
            self.flow.banner(side, self._found.protocol, self._found.text, chunk.mark)
            self._found = None


def recognise(flow: Flow, heads: Heads, spoke: int) -> Follower | None:
    """Who reads a conversation that began with these bytes of its two sides; ``None``: not yet."""
    one, two = flow.ends
    by_port = one.port in _PORTS or two.port in _PORTS
    for side in (spoke, 1 - spoke):
        head = heads[side]
        if head and (by_port or _may_show(head, side)):
            for look in _LOOKS:
                found = look(flow, heads, side)
                if found is not None:
                    return found
    return None


def shows_nothing(word: bytes, ports: tuple[int, int]) -> bool:
    """Whether an originator's first word leaves open who reads a conversation between these ports.

    :class:`Undecided` would keep it, and do nothing else.
    """
    return not (
        len(word) > MAX_UNKNOWN or _may_show(word, 0) or ports[0] in _PORTS or ports[1] in _PORTS
    )


def _may_show(head: bytes, side: int) -> bool:
    """Whether bytes that are not at a port of theirs may show a protocol: most strange ones do not.

    By their first octet, but for banners, which are lines, and telnet's, which may stand anywhere.
    """
    return head[0] in _FIRST or 10 in head or (side == 1 and b"RTCS" in head)


def _hopeless(flow: Flow, heads: Heads, pieces: int) -> bool:
    size = len(heads[0]) + len(heads[1])
    if size > MAX_UNDECIDED or pieces > MAX_PIECES:
        return True
    if size <= MAX_UNKNOWN and min(len(heads[0]), len(heads[1])) < ENOUGH:
        return False
    ports = {flow.ends[0].port, flow.ends[1].port} & _PORTS
    return not (ports or medfusion.may_begin(heads[0]) or medfusion.may_begin(heads[1]))


def _tls(flow: Flow, heads: Heads, side: int) -> Follower | None:
    return Tls(flow) if tls.looks_like(heads[side]) else None


def _http(flow: Flow, heads: Heads, side: int) -> Follower | None:
    if not http.looks_like(heads[side]):
        return None
    return Http(flow, 1 - side if heads[side].startswith(b"HTTP/") else side)


def _hl7(flow: Flow, heads: Heads, side: int) -> Follower | None:
    return Hl7(flow) if hl7.looks_like(heads[side]) else None


def _dicom(flow: Flow, heads: Heads, side: int) -> Follower | None:
    if not dicom.looks_like(heads[side]):
        return None
    return Dicom(flow, side if heads[side][0] == dicom.ASSOCIATE_RQ else 1 - side)


def _medfusion(flow: Flow, heads: Heads, side: int) -> Follower | None:
    if not medfusion.may_begin(heads[side]) or b"Medfusion" not in heads[side]:
        return DeviceStream(flow, "medfusion") if _STATUS.match(heads[side]) else None
    found, _ = medfusion.parse(heads[side])
    return DeviceStream(flow, "medfusion") if found is not None else None


def _dns(flow: Flow, heads: Heads, side: int) -> Follower | None:
    head = heads[side]
    if DNS_PORT not in (flow.ends[0].port, flow.ends[1].port) or len(head) < 14:
        return None
    opcode = head[4] >> 3 & 15
    return DnsTcp(flow) if u16(head, 0) >= 12 and opcode <= 6 else None


def _ftp(flow: Flow, heads: Heads, side: int) -> Follower | None:
    head = heads[side]
    if _GREETING.match(head):
        found, _ = banner.parse(head)
        protocol = found.protocol if found else ""
        if protocol == "ftp" or flow.ends[side].port == FTP_PORT:
            return Ftp(flow, side)
        if protocol != "smtp" and _FTP_COMMAND.match(heads[1 - side]):
            return Ftp(flow, side)
    elif flow.ends[side].port == FTP_PORT and _REPLY.match(head):
        return Ftp(flow, side)
    elif flow.ends[1 - side].port == FTP_PORT:
        verb = head[:5].split(b" ")[0].strip().upper().decode("ascii", "replace")
        if verb in ftp.VERBS:
            return Ftp(flow, 1 - side)
    return None


def _telnet(flow: Flow, heads: Heads, side: int) -> Follower | None:
    head = heads[side]
    negotiates = _NEGOTIATION.match(head) is not None
    for server in (0, 1):
        if flow.ends[server].port == TELNET_PORT and (
            negotiates or banner.is_text(head.translate(None, b"\r\n\0\x07\x08\x1b"))
        ):
            return Telnet(flow, server)
    if negotiates or (side == 1 and _TELNET_WORDS.search(head)):
        return Telnet(flow, 1)
    return None


def _words(flow: Flow, heads: Heads, side: int) -> Follower | None:
    found, _ = banner.parse(heads[side]) if b"\n" in heads[side] else (None, ())
    if found is None or found.protocol in ("", "ftp"):
        return None
    if found.protocol == "ssh" and side == 0 and not heads[1]:
        return None  # both sides announce themselves (RFC 4253 §4.2); the server's counts
    server = 1 if found.protocol == "ssh" else side
    if server != side:
        found, _ = banner.parse(heads[server])
    return Greeting(flow, server, found) if found is not None else None


_PORTS = frozenset((FTP_PORT, TELNET_PORT, DNS_PORT))
_FIRST = frozenset(
    (
        *range(20, 25),  # records of TLS
        *range(0x80, 0x100),  # hellos of SSL 2, telnet's IAC, a byte order mark
        *(ord(method[0]) for method in (*http.METHODS, "HTTP/1.")),
        *b"\x0bM",  # HL7, framed or bare
        *(dicom.ASSOCIATE_RQ, dicom.ASSOCIATE_AC),
        *b"2",  # an FTP greeting
        *b"\r\n\t {<",  # device messages
    )
)
"""First octets with which any protocol here shows itself, on whatever port."""
_GREETING = re.compile(rb"220[ -]")
_REPLY = re.compile(rb"[1-5]\d\d[ -]")
_FTP_COMMAND = re.compile(rb"(?:USER|FEAT|AUTH (?:TLS|SSL|GSSAPI))\b", re.IGNORECASE)
_NEGOTIATION = re.compile(rb"\xff[\xfa-\xfe].", re.DOTALL)
_TELNET_WORDS = re.compile(rb"RTCS v[\d.]{1,16} Telnet server")  # the pump's, on whatever port
_STATUS = re.compile(rb"[\r\n]*\{[^{},\r\n]{1,32},\?{4},")
_LOOKS: tuple[Callable[[Flow, Heads, int], Follower | None], ...] = (
    _tls,
    _http,
    _hl7,
    _dicom,
    _ftp,
    _words,
    _telnet,
    _dns,
    _medfusion,
)
