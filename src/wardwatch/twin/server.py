"""Server: hears the pumps' reports, brings libraries to them in stages, and keeps the fleet's picture.

Two faces. To pumps of the class: SOAP envelopes over TCP, with TLS where told (reports on 1588,
packages on 1580). To everybody else: HL7 over MLLP, in which it takes PCD messages and passes on
what the pumps said as PCD-01, -10 and -04. A report is known by pump and sequence number: what
comes twice counts once, what comes late keeps its own stamp.
"""

from __future__ import annotations

import asyncio
import base64
import time
from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from wardwatch.twin import pcd, soap, telling
from wardwatch.twin.ground import permitted
from wardwatch.twin.rollout import Release, Rollout
from wardwatch.twin.streams import closed, pieces

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from wardwatch.twin.soap import Envelope

REPORTS, PACKAGES, HL7 = 1588, 1580, 2575
"""Ports: the first two are "typically" those of the published pump, the third is IANA's for HL7."""
PUMPS = 20_000
"""Most pumps kept; another one is refused."""
SPANS = 4096
"""Most gaps kept in the sequence of one pump; a report that would make more is refused, not lost."""
PEERS = 512
IDLE_S = 300.0
FACE = 1000
"""Messages that wait for the consumer; beyond, the oldest goes and is counted."""


class Spans:
    """Which sequence numbers were heard, as spans without overlap."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, n: int) -> bool:
        """Whether it is new; :raises OverflowError: where one more gap would be too many."""
        at = bisect_left(self.starts, n + 1) - 1
        if at >= 0 and n <= self.ends[at]:
            return False
        joins_left = at >= 0 and self.ends[at] == n - 1
        joins_right = at + 1 < len(self.starts) and self.starts[at + 1] == n + 1
        if joins_left and joins_right:
            self.ends[at] = self.ends.pop(at + 1)
            self.starts.pop(at + 1)
        elif joins_left:
            self.ends[at] = n
        elif joins_right:
            self.starts[at + 1] = n
        elif len(self.starts) >= SPANS:
            raise OverflowError
        else:
            self.starts.insert(at + 1, n)
            self.ends.insert(at + 1, n)
        return True

    def __len__(self) -> int:
        return sum(end - start + 1 for start, end in zip(self.starts, self.ends, strict=True))


class Pump(msgspec.Struct):
    """One pump as the server knows it."""

    serial: str
    eui64: str
    status: telling.Status | None = None
    """The newest by its own stamp."""
    stamp: int = 0
    last: int = 0
    """When it was heard, the server's clock."""
    reports: int = 0
    again: int = 0
    """Reports that came twice."""
    late: int = 0
    """Reports told after the fact, from a backlog."""
    events: int = 0
    alarms: int = 0
    library: int = 0
    pending: int = 0


class Heard(msgspec.Struct, frozen=True):
    """What one report was."""

    pump: Pump
    new: bool
    kind: str
    seq: int
    stamp: int
    said: telling.Status | telling.Happened | telling.Alarmed | None


class Fleet:
    """Every pump that reported, without a socket and without a clock."""

    def __init__(self, rollout: Rollout | None = None) -> None:
        self.pumps: dict[str, Pump] = {}
        self.rollout = rollout or Rollout()
        self.refused = 0
        """Envelopes that could not be used."""
        self._spans: dict[str, Spans] = {}

    def hear(self, envelope: Envelope, now: int) -> Heard | str:
        """Take a report ⇒ what it was, or why it is refused (and may be told again)."""
        serial = envelope.fields.get("Serial", "")[:32]
        seq, stamp = envelope.number("Sequence"), envelope.number("Stamp")
        said = _said(envelope)
        if not serial.isalnum() or seq < 1 or stamp < 0 or said is None:
            self.refused += 1
            return "not a report"
        if serial not in self.pumps and len(self.pumps) >= PUMPS:
            self.refused += 1
            return "more pumps than are kept"
        pump = self.pumps.setdefault(
            serial, Pump(serial, _hexadecimal(envelope.fields.get("EUI64", "")))
        )
        pump.last = now
        try:
            new = self._spans.setdefault(serial, Spans()).add(seq)
        except OverflowError:
            self.refused += 1
            return "more gaps than are kept"
        kind = envelope.fields.get("Kind", "")
        if new:
            pump.reports += 1
            pump.late += envelope.fields.get("Backlog") == "1"
            pump.events += kind == "event"
            pump.alarms += kind == "alarm"
            if isinstance(said, telling.Status) and stamp >= pump.stamp:
                pump.status, pump.stamp = said, stamp
                pump.library, pump.pending = said.library, said.pending
        pump.again += not new
        return Heard(pump, new, kind, seq, stamp, said)

    def receipt(self, heard: Heard, now: int) -> bytes:
        """The answer to a report, with an offer where it is the pump's turn."""
        fields: dict[str, object] = {"Sequence": heard.seq}
        # Only what is said live tells which library is in the pump now.
        if isinstance(heard.said, telling.Status) and heard.stamp == heard.pump.stamp:
            pump = heard.pump
            offer = self.rollout.heard(
                pump.serial, pump.library, pump.pending, len(self.pumps), now
            )
            if offer is not None:
                fields["LibraryVersion"] = offer.version
        return soap.written(soap.RECEIPT, fields)

    def package(self, envelope: Envelope) -> bytes:
        """The answer to a request for a package."""
        wanted = self.rollout.wanted
        if wanted is None or envelope.number("Version") != wanted.version:
            return soap.written(soap.FAULT, {"faultstring": "no such package"})
        self.rollout.fetched(envelope.fields.get("Serial", "")[:32])
        return package(wanted)


def package(release: Release) -> bytes:
    """A release as an envelope."""
    return soap.written(
        soap.PACKAGE,
        {
            "Version": release.version,
            "Library": base64.b64encode(release.package).decode(),
            "Offer": base64.b64encode(release.offer).decode(),
        },
    )


def _said(envelope: Envelope) -> telling.Status | telling.Happened | telling.Alarmed | None:
    if envelope.name != soap.REPORT:
        return None
    try:
        body = bytes.fromhex(envelope.fields.get("Body", ""))
    except ValueError:
        return None
    reader = _READERS.get(envelope.fields.get("Kind", ""))
    return reader(body) if reader else None


_READERS: dict[
    str, Callable[[bytes], telling.Status | telling.Happened | telling.Alarmed | None]
] = {
    "status": telling.read_status,
    "event": telling.read_happened,
    "alarm": telling.read_alarmed,
}


def _hexadecimal(text: str) -> str:
    return text.upper() if len(text) == 16 and set(text.upper()) <= set("0123456789ABCDEF") else ""


# The vendor-neutral face -----------------------------------------------------------------------


class Face:
    """What the pumps said, as PCD messages in the order it was heard."""

    def __init__(self) -> None:
        self._alarms: dict[str, pcd.Alarms] = {}
        self.control = 0

    def message(self, heard: Heard) -> bytes:
        """The PCD message of a new report; its time is when it happened, not when it was told."""
        self.control += 1
        device = pcd.Device(heard.pump.serial, heard.pump.eui64)
        control = f"{heard.pump.serial}-{heard.seq}"
        if isinstance(heard.said, telling.Status):
            return pcd.report(device, heard.said, heard.stamp, control)
        if isinstance(heard.said, telling.Happened):
            return pcd.event(device, heard.said, heard.stamp, control)
        assert heard.said is not None
        standing = self._alarms.setdefault(device.serial, pcd.Alarms(device))
        return standing.heard(heard.said, heard.stamp, control)


# Sockets ---------------------------------------------------------------------------------------


class Server:
    """The listeners: reports, packages, HL7; all on one address of loopback or of a namespace."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        rollout: Rollout | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host = permitted(host)
        self.tls = tls
        self.fleet = Fleet(rollout)
        self.face = Face()
        self.ports: dict[int, int] = {}
        """Real port of each usual one."""
        self.heard: asyncio.Queue[bytes] = asyncio.Queue(FACE)
        """PCD messages for a consumer."""
        self.unheard = 0
        """Messages that no consumer took in time."""
        self.taken: list[pcd.Message] = []
        """The last PCD messages that came in over MLLP."""
        self.peers = 0
        self._servers: list[asyncio.Server] = []
        self._talks: set[asyncio.StreamWriter] = set()

    async def start(self, ports: dict[int, int] | None = None) -> None:
        """Listen; ``ports`` says where, anywhere free if left out."""
        talks = ((REPORTS, self._report, self.tls), (PACKAGES, self._package, self.tls),
                 (HL7, self._hl7, None))  # fmt: skip
        for port, talk, tls in talks:
            server = await asyncio.start_server(
                self._bounded(talk), self.host, (ports or {}).get(port, 0), ssl=tls
            )
            self._servers.append(server)
            self.ports[port] = server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """No listener and no conversation is left."""
        for server in self._servers:
            server.close()
        await asyncio.gather(*map(closed, list(self._talks)))
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def _bounded(self, talk: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.peers += 1
            self._talks.add(writer)
            try:
                if self.peers <= PEERS:
                    await talk(reader, writer)
            except (OSError, TimeoutError):
                pass  # the peer went away or fell silent
            finally:
                self.peers -= 1
                self._talks.discard(writer)
                await closed(writer)

        return one

    async def _report(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for raw in pieces(reader, soap.unframed, soap.LONGEST, IDLE_S):
            envelope = soap.read(raw)
            now = time.time_ns()
            heard = envelope if isinstance(envelope, str) else self.fleet.hear(envelope, now)
            if isinstance(heard, str):
                self.fleet.refused += isinstance(envelope, str)
                writer.write(soap.written(soap.FAULT, {"faultstring": heard}))
            else:
                if heard.new:
                    self._tell(self.face.message(heard))
                writer.write(self.fleet.receipt(heard, now))
            await writer.drain()

    def _tell(self, message: bytes) -> None:
        if self.heard.full():
            self.heard.get_nowait()
            self.unheard += 1
        self.heard.put_nowait(message)

    async def _package(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for raw in pieces(reader, soap.unframed, soap.LONGEST, IDLE_S):
            envelope = soap.read(raw)
            if isinstance(envelope, str) or envelope.name != soap.REQUEST:
                writer.write(soap.written(soap.FAULT, {"faultstring": "not a request"}))
            else:
                writer.write(self.fleet.package(envelope))
            await writer.drain()

    async def _hl7(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for raw in pieces(reader, pcd.unframed, pcd.LONGEST, IDLE_S):
            message = pcd.read(raw)
            if message is None:
                writer.write(pcd.acknowledgement(pcd.Message("", "", ""), time.time_ns(), "AE"))
            else:
                self.taken = [*self.taken[-999:], message]
                writer.write(pcd.acknowledgement(message, time.time_ns()))
            await writer.drain()

    async def speak(self, host: str, port: int) -> None:
        """Pass on what is heard to a consumer over MLLP, one message after the other's answer."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(permitted(host), port)
            except OSError:
                await asyncio.sleep(1.0)
                continue
            try:
                await self._speak(reader, writer)
            except (OSError, TimeoutError):
                self.unheard += 1
            finally:
                await closed(writer)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await self.heard.get())
            await writer.drain()
            async for _ in pieces(reader, pcd.unframed, pcd.LONGEST, IDLE_S):
                break
            else:
                return
