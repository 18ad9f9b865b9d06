"""Conversations by the hundred: honest ones from scripts, and ways to disturb their segments."""

import random
from dataclasses import dataclass, replace

from tests import session_messages as said
from tests.observe.frames import ether, tcp

CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:05", "00:50:56:00:00:02"


@dataclass(frozen=True)
class Segment:
    """One TCP segment: ``side`` 0 is the client."""

    side: int
    flags: str
    seq: int
    ack: int
    data: bytes = b""


def tls12(chance):
    """A full handshake, data both ways, and more of it."""
    name = bytes(chance.choices(b"abcdefgh", k=chance.randrange(1, 12))) + b".ward.example"
    more = said.sni(name) + said.alpn(b"h2", b"http/1.1") if chance.random() < 0.7 else b""
    hello = said.client_hello((0xC02F, 0x0035, 0x1301), more or None, session_id=bytes(32))
    ders = said.chain()[: chance.randrange(3)]
    chain = [said.handshake(11, said.certificates(*ders))] if ders else []
    flight = [said.handshake(2, said.server_hello(0xC02F)), *chain, said.handshake(14, b"")]
    finished = said.record(20, b"\1") + said.record(22, b"\xfe" * 40)
    one_record = chance.random() < 0.5
    answer = (
        said.record(22, b"".join(flight))
        if one_record
        else b"".join(said.record(22, message) for message in flight)
    )
    if not ders and chance.random() < 0.5:  # abbreviated: no chain, and the server ends first
        answer = said.record(22, flight[0]) + finished
        return [
            ("c", said.record(22, said.handshake(1, hello))),
            ("s", answer),
            ("c", finished),
            *data(chance),
        ]
    keys = said.record(22, said.handshake(16, b"k" * 64))
    if chance.random() < 0.2:  # the server asked who it is; it may have nothing to show
        own = said.certificates(*said.chain()[: chance.randrange(2)])
        keys = said.record(22, said.handshake(11, own)) + keys
    return [
        ("c", said.record(22, said.handshake(1, hello))),
        ("s", answer),
        ("c", keys + finished),
        ("s", finished),
        *data(chance),
    ]


def tls13(chance):
    """Everything behind the ServerHello looks like application data."""
    more = said.supported_versions(0x0A0A, 0x0304, 0x0303) + said.groups(29, 23)
    hello = said.client_hello((0x1301, 0x1302), more)
    psk = said.extension(41, b"\0\0") if chance.random() < 0.3 else b""
    answer = said.server_hello(0x1301, extensions=said.extension(43, b"\x03\x04") + psk)
    change = said.record(20, b"\1")
    return [
        ("c", said.record(22, said.handshake(1, hello))),
        ("s", said.record(22, said.handshake(2, answer)) + change + said.record(23, b"e" * 900)),
        ("c", change + said.record(23, b"f" * 53)),
        *data(chance),
    ]


def data(chance):
    """Records of application data, long ones too."""
    return [
        (who, said.record(23, b"d" * chance.choice((1, 19, 300, 5_000))))
        for _ in range(chance.randrange(1, 4))
        for who in "cs"
    ]


def strange(chance):
    """A protocol nobody knows."""
    return [
        (
            who,
            bytes([chance.choice((0, 3, 0x81, 0xC0))])
            + chance.randbytes(chance.randrange(10, 400)),
        )
        for _ in range(chance.randrange(1, 5))
        for who in "cs"
    ]


def alerted(chance):
    """The server refuses, in clear."""
    hello = said.record(22, said.handshake(1, said.client_hello()))
    return [("c", hello), ("s", said.record(21, b"\x02\x28"))]


def web(chance):
    return [("c", said.HTTP_REQUEST + b"body"), ("s", said.HTTP_RESPONSE + b"0\r\n\r\n")]


def head(chance, line, fields, always=(), odd=0.0):
    """A head of some of these fields, in any order and case; ``odd``: how often it is not plain."""
    chosen = [f for f in fields if chance.random() < 0.8] + list(always)
    chance.shuffle(chosen)
    names = (bytes, bytes.lower, bytes.upper, bytes.title)
    lines = [
        chance.choice(names)(name) + b":" + chance.choice((b" ", b"", b"  ")) + value
        for name, value in chosen
    ]
    if chance.random() < odd:
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(ODD_LINES))
    end = b"\n" if chance.random() < odd / 10 else b"\r\n"
    return end.join([line, *lines]) + end * 2


ODD_LINES = (
    b"Authorization: Basic dXNlcjpwYTpzcw==",
    b"Authorization: hunter2",
    b"WWW-Authenticate: Basic realm=x",
    b"Transfer-Encoding: chunked",
    b"Host: another",
    b"Content-Length: 7",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 99999999999",
    b"Content-Length:",
    b"Content-Type: application/XML",
    b"Content-Type: application/Soap+json",
    b"Server: \xe2\x80\xaeevil\x80",
    b"Server: ",
    b"Host: user@ward/x",
    b'SOAPAction: "urn:x?y"',
    b"User-Agent: \ttab\t",
    b"User-Agent: " + b"long " * 200,
    b" folded",
    b"no colon",
    b": no name",
    b"X : blank",
    b"X-\x00: nul",
    b"X: \x01\x7f",
    b"Expect: 100-continue",
)


def exchanges(chance, odd=0.0):
    """HTTP/1 on a connection that is kept: requests, bodies, responses, some of them at once."""
    host = chance.choice((b"gateway", b"ward7.example:8080", b"[fe80::1]"))
    agent, server = (
        chance.choice((b"Pump/1.0", b"curl/8")),
        chance.choice((b"nginx", b"", b"goahead")),
    )
    out, waiting = [], []
    for _ in range(chance.randrange(1, 9)):
        method = chance.choice((b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"))
        if chance.random() < odd / 4:
            method = chance.choice((b"CONNECT", b"TRACE", b"SUBSCRIBE", b"FOO", b"OPTIONS", b"get"))
        target = b"/ward/%d" % chance.randrange(50)
        version = chance.choice((b"HTTP/1.1", b"HTTP/1.0"))
        if chance.random() < odd / 4:
            version = chance.choice((b"HTTP/1.9", b""))
        size = chance.choice((1, 40, 3_000)) if method in (b"POST", b"PUT") else 0
        fields = [(b"Host", host), (b"User-Agent", agent), (b"Accept", b"*/*"), (b"Cookie", b"a=b")]
        sized = [(b"Content-Length", b"%d" % size)] if size else []
        request = head(chance, b" ".join((method, target, version)), fields, sized, odd)
        out.append(("c", request + chance.randbytes(size)))
        waiting.append(method)
        while waiting and (chance.random() < 0.8 or len(waiting) > 3):
            out.append(("s", response(chance, waiting.pop(0), server, odd)))
    return out


STATUSES = (b"200 OK", b"200 OK", b"200", b"304 Not Modified", b"204 No Content", b"404 x y")
ODD_STATUSES = (b"100 Continue", b"101 Switching", b"401 No", b"99 x", b"2000 x", b"200x")


def response(chance, method, server, odd):
    """One of a length that is told, or of none; ``odd``: how often it is not plain."""
    status = chance.choice(ODD_STATUSES if chance.random() < odd / 3 else STATUSES)
    body = chance.randbytes(chance.choice((0, 1, 90, 2_000, 9_000)))
    kind = chance.choice((b"text/html; charset=utf-8", b"application/octet-stream", b"image/png"))
    if chance.random() < odd / 3:
        kind, body = b"text/xml", said.CONFIGURATION
    fields = [(b"Server", server), (b"Content-Type", kind), (b"Date", b"today")]
    sized = [(b"Content-Length", b"%d" % len(body))] if chance.random() >= odd / 5 else []
    answer = head(chance, b"HTTP/1.1 " + status, fields, sized, odd)
    bodiless = not sized or method == b"HEAD" or status[:3] in (b"204", b"304")
    return answer if bodiless else answer + body


def plain_web(chance):
    return exchanges(chance)


def odd_web(chance):
    return exchanges(chance, 0.3)


def words(chance):
    """A server that speaks first, and HL7, and others that are read by Python only."""
    return chance.choice(
        (
            [("s", b"SSH-2.0-Ward\r\n"), ("c", b"SSH-2.0-Client\r\n")],
            [
                ("c", b"\x0b" + said.HL7_MESSAGE + b"\x1c\r"),
                ("s", b"\x0b" + said.HL7_MESSAGE + b"\x1c\r"),
            ],
            [("c", said.STATUS_LINE), ("s", said.STATUS_LINE)],
            [("s", b"RTCS v2.96.00 Telnet server\r\n"), ("c", b"x\r\n")],
            [("c", b"\0" * 40), ("s", b"\0" * 20 + b"RTCS v2.96.00 Telnet server\r\n")],
        )
    )


def hesitant(chance):
    """First words that show nothing by themselves, and often nothing behind them."""
    first = chance.choice(
        (b"h", b"here", b"\0" * 9, b"abc\x80", b"~" * 300, b"x" * 2_000, b"who\n")
    )
    behind = (
        (),
        (),
        (("c", b"and there"),),
        (("s", b"Welcome to the ward\r\n"),),
        (("s", b"x"), ("c", b"line\r\n"), ("s", b"RTCS v2.96.00 Telnet server\r\n")),
        (("s", said.STATUS_LINE), ("c", said.STATUS_LINE)),
        (("c", b"y" * 90), ("s", b"z" * 90), ("c", b"not wanted")),
        (("s", b"220 late FTP\r\n"), ("c", b"USER biomed\r\n")),
    )
    return [("c", first), *chance.choice(behind)]


SCRIPTS = (tls12, tls12, tls12, tls13, tls13, strange, alerted, web, words)


WEB = (plain_web, plain_web, odd_web)


def segments(chance, script, largest=1460):
    """An honest connection that says a script: SYNs, segments in order, FINs or nothing."""
    seqs = [chance.getrandbits(32), chance.getrandbits(32)]
    out = [
        Segment(0, "S", seqs[0], 0),
        Segment(1, "SA", seqs[1], (seqs[0] + 1) & 0xFFFFFFFF),
    ]
    seqs = [(s + 1) & 0xFFFFFFFF for s in seqs]
    out.append(Segment(0, "A", seqs[0], seqs[1]))
    for who, body in script:
        side = "cs".index(who)
        for at in range(0, len(body), largest):
            piece = body[at : at + largest]
            out.append(Segment(side, "PA", seqs[side], seqs[1 - side], piece))
            seqs[side] = (seqs[side] + len(piece)) & 0xFFFFFFFF
        if chance.random() < 0.3:
            out.append(Segment(1 - side, "A", seqs[1 - side], seqs[side]))
    if chance.random() < 0.6:
        for side in (0, 1):
            out.append(Segment(side, "FA", seqs[side], seqs[1 - side]))
            seqs[side] = (seqs[side] + 1) & 0xFFFFFFFF
    return out


def _some(chance, lot):
    """Index of a segment behind the SYNs."""
    return chance.randrange(2, len(lot))


def repeated(chance, lot):
    at = _some(chance, lot)
    return [*lot[: at + 1], lot[at], *lot[at + 1 :]]


def exchanged(chance, lot):
    at = _some(chance, lot) - 1
    return [*lot[:at], lot[at + 1], lot[at], *lot[at + 2 :]]


def lost(chance, lot):
    at = _some(chance, lot)
    return lot[:at] + lot[at + 1 :]


def bent(chance, lot):
    """One octet of one segment is another one."""
    at = _some(chance, lot)
    one = lot[at]
    if not one.data:
        return lot
    place = chance.randrange(min(len(one.data), chance.choice((12, 2_000))))
    body = one.data[:place] + bytes([chance.randrange(256)]) + one.data[place + 1 :]
    return [*lot[:at], replace(one, data=body), *lot[at + 1 :]]


def flagged(chance, lot):
    at = _some(chance, lot)
    one = replace(lot[at], flags=chance.choice(("FA", "RA", "R", "S", "SA")))
    return [*lot[:at], one, *lot[at + 1 :]]


def renumbered(chance, lot):
    at = _some(chance, lot)
    by = chance.choice((1, -1, 100, -100, 70_000))
    one = lot[at]
    which = (
        {"seq": (one.seq + by) & 0xFFFFFFFF}
        if chance.random() < 0.5
        else {"ack": (one.ack + by) & 0xFFFFFFFF}
    )
    return [*lot[:at], replace(one, **which), *lot[at + 1 :]]


def headless(chance, lot):
    """The capture began later."""
    return lot[chance.randrange(1, 4) :]


def reopened(chance, lot):
    """The same ports again, once it is over or not."""
    shift = chance.choice((5, 1 << 20))
    again = [
        replace(s, seq=(s.seq + shift) & 0xFFFFFFFF, ack=(s.ack + shift) & 0xFFFFFFFF) for s in lot
    ]
    return lot + again


PORTS = (443, 443, 8443, 1588, 2575, 21, 23, 53, 9000)
DISTURBANCES = (repeated, exchanged, lost, bent, bent, flagged, renumbered, headless, reopened)


def frame(one, number, port, cut=0, server_mac=SERVER_MAC):
    """The segment of conversation ``number`` as an Ethernet frame; ⇒ (frame, bytes on the wire)."""
    client, server = f"10.1.{number >> 8 & 255}.{number & 255}", "10.0.0.9"
    source, target, sport, dport = (client, server, 40_000, port)
    macs = (CLIENT_MAC, server_mac)
    if one.side:
        source, target, sport, dport, macs = server, client, port, 40_000, macs[::-1]
    packet = tcp(source, sport, target, dport, one.data, one.flags, one.seq, one.ack)
    raw = ether(*macs, packet)
    return raw[: len(raw) - cut], len(raw)


MOST_SEGMENTS = 3_000
"""Of a conversation that is disturbed further: what doubles it, time and again, would have no end."""


def many(seed, count, disturbed=0.0, largest=(1460,), scripts=SCRIPTS, ports=PORTS):
    """Frames of ``count`` conversations that go on side by side ⇒ list of (frame, wire length)."""
    chance = random.Random(seed)
    talks = []
    for number in range(count):
        script = chance.choice(scripts)(chance)
        lot = segments(chance, script, chance.choice(largest))
        while 3 < len(lot) < MOST_SEGMENTS and chance.random() < disturbed:
            lot = chance.choice(DISTURBANCES)(chance, lot)
        port = chance.choice(ports)
        mac = "00:1a:01:00:00:41" if chance.random() < 0.05 else SERVER_MAC
        frames = []
        for one in lot:
            cut = (
                chance.randrange(len(one.data))
                if one.data and chance.random() < disturbed / 20
                else 0
            )
            frames.append(frame(one, number, port, cut, mac))
        talks.append(frames)
    out = []
    while talks:
        at = chance.randrange(min(len(talks), 40))
        out.append(talks[at].pop(0))
        if not talks[at]:
            talks.pop(at)
    return out


FTP_SAID = (
    ("s", b"220 x FTP\r\n"),
    ("c", b"USER biomed\r\n"),
    ("s", b"331 And the password?\r\n"),
    ("c", b"PASS letmein\r\nPASV\r\n"),
    ("s", b"230 In\r\n"),
)
TELNET_SAID = (
    ("s", b"login: "),
    ("c", b"biomed\r\n"),
    ("s", b"Password: "),
    ("c", b"letmein\r\n"),
    ("s", b"Login incorrect\r\nlogin: "),
)


def late(chance, lot):
    """Some segments, SYNs too, come some places later, and not all are acknowledged."""
    for _ in range(chance.randrange(1, 9)):
        at = chance.randrange(len(lot))
        one, lot = lot[at], lot[:at] + lot[at + 1 :]
        to = at + chance.randrange(12)
        lot = [*lot[:to], one, *lot[to:]]
    if chance.random() < 0.5:
        first = {one.side: one.ack for one in reversed(lot) if one.data}
        lot = [replace(one, ack=first.get(one.side, one.ack)) for one in lot]
    return lot


def agreeing(chance, number):
    """Frames of a control connection of FTP, and near its reply those of the data connection."""
    port = 50_000 + number
    reply = ("s", b"227 Entering Passive Mode (10,0,0,9,%d,%d)\r\n" % (port >> 8, port & 255))
    pieces = chance.choice((1, 1, 5, 99))
    control = segments(chance, [*FTP_SAID, reply, ("c", b"RETR a\r\n")], pieces)
    if chance.random() < 0.6:
        control = late(chance, control)
    control = [frame(one, number, 21) for one in control]
    data = [frame(one, number, port) for one in segments(chance, plain_web(chance)[:1])]
    at = max(len(control) - chance.randrange(25), 3)
    return [*control[:3], *data[:2], *control[3:at], *data[2:4], *control[at:], *data[4:]]


def with_holes(seed):
    """Frames of conversations of which much comes late, or twice, or never, some of each in turn."""
    chance, talks = random.Random(seed), []
    for number in range(60):
        if chance.random() < 0.3:
            talks.append(agreeing(chance, number))
            continue
        typed = chance.random() < 0.6
        script = TELNET_SAID if typed else chance.choice((hesitant, *SCRIPTS))(chance)
        lot = segments(chance, script, chance.choice((1, 2, 7) if typed else (3, 60, 1_460)))
        lot = late(chance, lot)
        while chance.random() < 0.6 and len(lot) > 3:
            lot = chance.choice((late, *DISTURBANCES))(chance, lot)
        port = 23 if typed and chance.random() < 0.7 else chance.choice((9_000, 443, 21))
        talks.append([frame(one, number, port) for one in lot])
    out = []
    while talks:
        at = chance.randrange(min(len(talks), 6))
        size = chance.choice((1, 1, 1, 5))
        out += talks[at][:size]
        del talks[at][:size]
        if not talks[at]:
            talks.pop(at)
    return out
