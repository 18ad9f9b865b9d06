"""Communications: what the pump answers on the wire, with its eight weaknesses as declared rules.

A weakness is a predicate over what was heard, and a label for what the published pump then does.
Nothing is parsed unsafely, nothing after the predicate is interpreted, and of a payload only its
length and hash are kept (domain/pump.md §4.1). Credentials are made anew for every instance. It
listens on loopback or in a namespace of its own. Not a medical device.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import messages
from wardwatch.twin.ground import OutsideError, permitted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STATUS, FTP, TELNET, SERVICE = 3210, 21, 23, 2200
LINE = 512
"""Longest line read from a peer; a longer one ends the conversation."""
LINES = 200
"""Most lines of one conversation."""
PEERS = 16
"""Most conversations at once."""
IDLE_S = 10.0
SNAME, FILE = 64, 128
"""Octets of the BOOTP fields that options 66 and 67 are copied to (RFC 951 §3)."""
RECORD = 11
"""Octets of the shortest resource record: a root name, and ten (RFC 1035 §4.1.3)."""


class Firmware(msgspec.Struct, frozen=True):
    """One software version, as its profile states it."""

    weaknesses: frozenset[str]
    mark: str
    boot_s: int
    telnet: tuple[str, ...]
    notices: tuple[str, ...] = ()
    """What is still open in it: fixed is not safe."""
    assumed: tuple[str, ...] = ()
    """What of this profile no source gives."""


@cache
def firmwares() -> dict[str, Firmware]:
    """Every version shipped, by name."""
    text = (Path(__file__).parent / "firmware" / "medfusion.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["firmware"], dict[str, Firmware])


class Label(msgspec.Struct, frozen=True):
    """What happened that should not, without a byte of how."""

    cve: str
    state: str
    length: int = 0
    """Octets of the message that met the predicate."""
    sha256: str = ""


class Module(msgspec.Struct, frozen=True):
    """The communications module at one instant."""

    version: str
    serial: str = "M000000"
    password: str = ""
    """Of telnet and the biomed menu."""
    factory: tuple[str, str] = ("", "")
    """Account and password the maker left in: made anew for this instance."""
    wireless_key: str = ""
    external: bool = False
    """External communications, behind a menu of the pump."""
    configured: bool = True
    """Its wireless network is set."""
    seed: int = 0
    down_until: int = -1
    """Restarting until then; -1 running."""
    labels: tuple[Label, ...] = ()
    recovery: bytes = b""
    """Key of the hospital's biomeds for a recovery; b"" allows none."""
    tries: int = 0
    """Wrong answers since the last right one."""
    log: tuple[tuple[int, str], ...] = ()
    """What was tried and done about recovery: instant and text, the last 256."""

    @property
    def compromised(self) -> bool:
        """Whether something took it over and nobody has recovered it since."""
        last = max((n for n, one in enumerate(self.labels) if one.state == RECOVERED), default=-1)
        return any(one.state == "compromised" for one in self.labels[last + 1 :])

    @property
    def firmware(self) -> Firmware:
        """The profile of its version."""
        return firmwares()[self.version]

    def weak(self, cve: str) -> bool:
        """Whether this version has that weakness."""
        return cve in self.firmware.weaknesses

    def up(self, t: int) -> bool:
        """Whether it speaks at ``t``."""
        return t >= self.down_until


LABELS = 64
"""Labels kept; a peer that goes on adds none."""


RECOVERED = "recovered to the trusted default"
TRIES = 5
"""Wrong answers after which a recovery needs the power switched off."""
LOGGED = 256


def made(version: str, *, external: bool = False, configured: bool = True) -> Module:
    """A module with credentials nobody else has."""
    word = secrets.token_hex
    return Module(
        version, f"M{secrets.randbelow(10**6):06d}", word(6), (f"u{word(3)}", word(6)), word(10),
        external, configured, secrets.randbits(32),
        recovery=secrets.token_bytes(32) if version == "hardened" else b"",
    )  # fmt: skip


def _labelled(module: Module, cve: str, state: str, raw: bytes = b"") -> Module:
    if len(module.labels) >= LABELS:
        return module
    digest = hashlib.sha256(raw).hexdigest() if raw else ""
    label = Label(cve, state, len(raw), digest)
    return msgspec.structs.replace(module, labels=(*module.labels, label))


# The rules -------------------------------------------------------------------------------------


def dhcp_heard(module: Module, raw: bytes, t: int) -> Module:
    """CVE-2017-12718: a reply whose option 66 or 67 is longer than its field, or past the end."""
    if not (module.up(t) and module.weak("CVE-2017-12718") and dhcp_overflows(raw)):
        return module
    # What the published stack does then is not known byte by byte: a seeded choice of two labels.
    if hashlib.sha256(raw + module.seed.to_bytes(8, "big")).digest()[0] & 1:
        return _labelled(module, "CVE-2017-12718", "compromised", raw)
    return _down(_labelled(module, "CVE-2017-12718", "crashed", raw), t)


def dns_heard(module: Module, raw: bytes, ident: int, t: int) -> Module:
    """CVE-2017-12722: an answer that counts more records than it has octets for."""
    if not (module.up(t) and module.weak("CVE-2017-12722") and dns_overreads(raw, ident)):
        return module
    return _down(_labelled(module, "CVE-2017-12722", "crashed", raw), t)


def beacon_heard(module: Module, ssid: bytes, t: int) -> Module:
    """CVE-2017-12725: an unconfigured radio joins the one network it was built with."""
    joins = not module.configured and ssid == messages.FIXED_SSID
    if not (module.up(t) and module.weak("CVE-2017-12725") and joins):
        return module
    return _labelled(module, "CVE-2017-12725", "associated")


def certificate_seen(module: Module, *, valid: bool, t: int) -> tuple[Module, bool]:
    """CVE-2017-12721: whether the session with the pump server goes on."""
    if valid or not module.up(t):
        return module, valid and module.up(t)
    if module.weak("CVE-2017-12721"):
        return _labelled(module, "CVE-2017-12721", "session with an unproven server"), True
    return module, False


# Recovery --------------------------------------------------------------------------------------


def challenge(module: Module, at: int) -> bytes:
    """What has to be answered at ``at``: another one for every instant and every try."""
    message = b"recover" + at.to_bytes(8, "big") + module.tries.to_bytes(2, "big")
    return hashlib.sha256(message + module.serial.encode()).digest()


def answer(key: bytes, asked: bytes, who: str) -> bytes:
    """The answer of somebody who holds the key; his name is part of it."""
    return hmac.digest(key, asked + who.encode(), "sha256")


def recovered(module: Module, given: bytes, who: str, asked_at: int, t: int) -> tuple[Module, bool]:
    """Back to the trusted default configuration, for an authenticated user; logged either way.

    The default has external communications off and everything stored about networks kept; the
    module restarts with it. Labels stay: they are the twin's truth about what had happened.
    Source: FDA premarket guidance, appendix 1.G (recovery by an authenticated privileged user).
    """
    right = (
        bool(module.recovery)
        and module.tries < TRIES
        and 0 <= t - asked_at <= ANSWER_NS
        and hmac.compare_digest(given, answer(module.recovery, challenge(module, asked_at), who))
    )
    # The name is whatever somebody typed: a line of a log holds none of it but letters and digits.
    name = "".join(c for c in who if c.isalnum())[:32]
    text = f"{'recovered' if right else 'recovery refused'}, asked by {name or 'nobody'}"
    log = (*module.log[1 - LOGGED :], (t, text))
    if not right:
        return msgspec.structs.replace(module, tries=module.tries + 1, log=log), False
    fresh = _labelled(
        msgspec.structs.replace(module, external=False, configured=True, tries=0, log=log),
        "",
        RECOVERED,
    )
    return _down(fresh, t), True


ANSWER_NS = 60 * NS


def _down(module: Module, t: int) -> Module:
    return msgspec.structs.replace(module, down_until=t + module.firmware.boot_s * NS)


def dhcp_overflows(raw: bytes) -> bool:
    """Whether a BOOTP reply holds what the client has no room for.

    Read as the published client reads, which is RTCS' ``dhcpclnt.c`` (domain/devices.md §2): it walks
    the options field alone, whatever option 52 says of ``file`` and ``sname``, and takes each option
    66 or 67 by its own length to the beginning of its field. So what is hidden by option overload
    (RFC 2132 §9.3) is not met, and pieces (RFC 3396) overrun nothing together unless one of them
    does alone. A client that puts them together could be overrun by either: detectors say so, with
    less certainty (domain/measures.md). Of a length past the end of the packet this rule says what
    domain/pump.md §4.2 does, though that source stops there without a copy.
    """
    if len(raw) < 240 or raw[0] != 2 or raw[236:240] != messages.COOKIE:
        return False
    at = 240
    while at < len(raw):
        code = raw[at]
        if code == 255:
            return False
        if code == 0:
            at += 1
            continue
        if at + 1 >= len(raw):
            return True
        length = raw[at + 1]
        if at + 2 + length > len(raw):
            return True
        if (code == 66 and length > SNAME) or (code == 67 and length > FILE):
            return True
        at += 2 + length
    return False


def dns_overreads(raw: bytes, ident: int) -> bool:
    """Whether an answer to our question counts records that cannot be in it."""
    if len(raw) < 12 or int.from_bytes(raw[:2], "big") != ident or not raw[2] & 0x80:
        return False
    questions, answers = (int.from_bytes(raw[n : n + 2], "big") for n in (4, 6))
    at = 12
    for _ in range(questions):
        at = _name_end(raw, at)
        if at < 0 or at + 4 > len(raw):
            return True
        at += 4
    if answers * RECORD > len(raw) - at:
        return True
    for _ in range(answers):
        at = _name_end(raw, at)
        if at < 0 or at + 10 > len(raw):
            return True
        at += 10 + int.from_bytes(raw[at + 8 : at + 10], "big")
        if at > len(raw):
            return True
    return False


def _name_end(raw: bytes, at: int) -> int:
    """Where a name ends; -1 where it does not (RFC 1035 §4.1.4: a pointer ends it)."""
    while at < len(raw):
        length = raw[at]
        if length >= 0xC0:
            return at + 2 if at + 2 <= len(raw) else -1
        at += 1 + length
        if length == 0:
            return at
    return -1


# Conversations, without a socket ---------------------------------------------------------------


def files(module: Module) -> dict[str, bytes]:
    """What FTP shows: published names and sizes, synthetic contents."""
    weak = module.weak("CVE-2017-12723")
    secret = (module.password, module.wireless_key) if weak else ("", "")
    return {
        "CONFIG.XML": messages.configuration(*secret),
        "STORED~1": messages.FILLER * 2140,
        "HEAD_F~1": messages.FILLER * 491_648,
        "HEAD_C~1": messages.FILLER * 6224,
    }


def listing(module: Module) -> bytes:
    """The directory, a name and a size a line [A]."""
    return "".join(f"{name:12} {len(body):8}\r\n" for name, body in files(module).items()).encode()


class Transfer(msgspec.Struct, frozen=True):
    """Something to be sent to, or taken from, the port the client named."""

    port: int
    body: bytes
    takes: bool = False


HELP = (
    b"214-The following commands are recognized\r\n user acct pass type\r\n name quit port retr\r\n"
    b" stor help abor\r\n214 Direct comments to ARC International\r\n"
)
HEAD_FILES = ("HEAD_F~1", "HEAD_C~1")
UPLOAD = 1 << 20
"""Most octets of an upload that are read; none is kept."""


class Ftp:
    """One FTP conversation: active mode only, as the published pump."""

    banner = b"220 RTCS FTP Ready\r\n"

    def __init__(self, module: Module) -> None:
        self.module = module
        self.user = ""
        self.in_ = False
        self.port = 0
        self.over = False

    def receive(self, line: bytes) -> tuple[bytes, Transfer | None]:
        """The answer to one line, and what to move over a second connection."""
        word, _, rest = line.strip().partition(b" ")
        name, rest = word.upper().decode("ascii", "replace"), rest.strip()
        if name == "QUIT":
            self.over = True
            return b"221 Goodbye!\r\n", None
        if name == "HELP":
            return HELP, None
        if name == "USER":
            self.user = rest.decode("ascii", "replace")[:64]
            return b"331 Looking up password\r\n", None
        if name == "PASS":
            return self._password(rest), None
        if name in ("ACCT", "TYPE", "NAME", "ABOR"):
            return b"200 Command okay\r\n", None
        if name == "PORT":
            return self._port(rest), None
        if name in ("LIST", "RETR", "STOR"):
            return self._moves(name, rest.decode("ascii", "replace"))
        # PASV is unanswered: the published server knows no passive mode.
        return (b"" if name == "PASV" else b"500 Unknown command\r\n"), None

    def _password(self, given: bytes) -> bytes:
        account, password = self.module.factory
        same = hmac.compare_digest(
            self.user.encode() + b"\0" + given, f"{account}\0{password}".encode()
        )
        if same and self.module.weak("CVE-2017-12724"):
            self.module = _labelled(self.module, "CVE-2017-12724", "factory account let in")
            self.in_ = True
            return b"230 User logged in\r\n"
        if self.module.weak("CVE-2017-12720"):
            self.over = True
            return b"221 Goodbye!\r\n"
        return b"530 Not logged in\r\n"

    def _port(self, rest: bytes) -> bytes:
        parts = rest.split(b",")
        if len(parts) != 6 or not all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts):
            return b"501 Syntax error\r\n"
        # Only the port is believed: a transfer goes to the peer itself, never to a third party.
        self.port = int(parts[4]) * 256 + int(parts[5])
        return b"200 Port command okay\r\n"

    def _moves(self, name: str, path: str) -> tuple[bytes, Transfer | None]:
        if not self.in_:
            if not self.module.weak("CVE-2017-12720"):
                return b"530 Login required\r\n", None
            self.module = _labelled(self.module, "CVE-2017-12720", f"{name} without login")
        if not self.port:
            return b"425 No data connection\r\n", None
        found = files(self.module)
        if name == "RETR" and path.upper() not in found:
            return b"550 File not found\r\n", None
        if name == "RETR" and path.upper() == "CONFIG.XML" and self.module.weak("CVE-2017-12723"):
            self.module = _labelled(self.module, "CVE-2017-12723", "configuration read")
        if name == "STOR" and path.upper() in HEAD_FILES:
            self.module = _labelled(self.module, "CVE-2017-12720", "head_update_offer")
        body = found[path.upper()] if name == "RETR" else listing(self.module)
        port, self.port = self.port, 0
        opening = b"150 Opening ASCII mode data connection\r\n"
        return opening, Transfer(port, b"" if name == "STOR" else body, takes=name == "STOR")


class Telnet:
    """One telnet conversation: a password without a user, and a few commands that change nothing."""

    banner = (
        b"RTCS v2.96.00 Telnet server\r\n"
        b"Welcome to the Medfusion 4000 Configuration Interface\r\npassword: "
    )
    prompt = b"4000> "

    def __init__(self, module: Module) -> None:
        self.module = module
        self.in_ = False
        self.over = False

    def receive(self, line: bytes) -> bytes:
        """The answer to one line."""
        word = line.strip()
        if not self.in_:
            return self._password(word)
        name = word.split(b" ")[0].decode("ascii", "replace")
        if name in ("exit", "quit"):
            self.over = True
            return b"\r\n"
        if name == "help":
            return "\r\n".join(self.module.firmware.telnet).encode() + b"\r\n" + self.prompt
        if name == "ls" and "ls" in self.module.firmware.telnet:
            return listing(self.module) + self.prompt
        known = name in self.module.firmware.telnet
        return (b"ok\r\n" if known else b"unknown command\r\n") + self.prompt

    def _password(self, word: bytes) -> bytes:
        factory = hmac.compare_digest(word, self.module.factory[1].encode())
        own = hmac.compare_digest(word, self.module.password.encode())
        if factory and self.module.weak("CVE-2017-12726"):
            self.module = _labelled(self.module, "CVE-2017-12726", "factory password let in")
        elif not (own and self.module.firmware.telnet):
            self.over = True
            return b"\r\n"
        self.in_ = True
        return b"\r\n" + self.prompt


# Sockets ---------------------------------------------------------------------------------------


class Server:
    """The module's listeners; sessions share one module and its labels."""

    def __init__(self, module: Module, host: str = "127.0.0.1") -> None:
        self.module = module
        self.host = permitted(host)
        self.ports: dict[int, int] = {}
        """Real port of each published one."""
        self.peers = 0
        self._servers: list[asyncio.Server] = []

    async def start(self, ports: dict[int, int] | None = None) -> None:
        """Listen on what this module would; ``ports`` says where, anywhere free if left out."""
        talks: dict[int, Callable[..., Awaitable[None]]] = {STATUS: self._status}
        if self.module.external:
            talks |= {FTP: self._ftp, TELNET: self._telnet, SERVICE: self._service}
        for port, talk in talks.items():
            server = await asyncio.start_server(
                self._bounded(talk), self.host, (ports or {}).get(port, 0), limit=LINE
            )
            self._servers.append(server)
            self.ports[port] = server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """No listener is left."""
        for server in self._servers:
            server.close()
            await server.wait_closed()
        self._servers.clear()

    def _bounded(self, talk: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.peers += 1
            try:
                if self.peers <= PEERS:
                    await talk(reader, writer)
                    await writer.drain()
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
                pass  # the peer went away, fell silent, or sent a line without end
            finally:
                self.peers -= 1
                writer.close()

        return one

    async def _lines(self, reader: asyncio.StreamReader) -> list[bytes]:
        """The next line, alone in a list; an empty list at the end."""
        # not ``wait_for``, nor below: see `streams.pieces`
        async with asyncio.timeout(IDLE_S):
            line = await reader.readline()
        return [line] if line else []

    async def _status(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(LINES):
            if not await self._lines(reader):
                return
            writer.write(messages.status_line(self.module.serial))
            await writer.drain()

    async def _service(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _ = reader
        writer.write(b"Failure: Socket Error (2)\r\n")

    async def _telnet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Telnet(self.module)
        writer.write(talk.banner)
        for _ in range(LINES):
            for line in await self._lines(reader):
                talk.module = self.module
                writer.write(talk.receive(line))
                self.module = talk.module
                break
            else:
                return
            await writer.drain()
            if talk.over:
                return

    async def _ftp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Ftp(self.module)
        writer.write(talk.banner)
        for _ in range(LINES):
            for line in await self._lines(reader):
                talk.module = self.module
                answer, transfer = talk.receive(line)
                self.module = talk.module
                writer.write(answer)
                break
            else:
                return
            if transfer:
                writer.write(await self._move(transfer, writer.get_extra_info("peername")[0]))
            await writer.drain()
            if talk.over:
                return

    async def _move(self, transfer: Transfer, peer: str) -> bytes:
        """The second connection, to the peer of the first and to nobody else."""
        try:
            async with asyncio.timeout(IDLE_S):
                reader, writer = await asyncio.open_connection(permitted(peer), transfer.port)
        except (OSError, TimeoutError, OutsideError):
            return b"425 No data connection\r\n"
        try:
            if transfer.takes:
                await self._swallow(reader)
            writer.write(transfer.body)
            async with asyncio.timeout(IDLE_S):
                await writer.drain()
        except (OSError, TimeoutError):
            return b"426 Connection closed\r\n"
        finally:
            writer.close()
        return b"226 File sent OK\r\n" if not transfer.takes else b"226 File received OK\r\n"

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        """Read an upload to its end or its bound, and keep nothing of it."""
        left = UPLOAD
        while left > 0:
            async with asyncio.timeout(IDLE_S):
                part = await reader.read(min(left, 65_536))
            if not part:
                return
            left -= len(part)
