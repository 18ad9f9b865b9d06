"""Client: the pump's side of the conversation with its server, over everything that can go wrong.

The pump connects, never the server (domain/pump.md §2.1). On each connection it says first what it
shows now, then what waited, in order and with the stamps it had (C-15); an entry leaves the outbox
when its receipt came. A name is asked for at a connection only (C-19).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.twin import pcd, soap, telling, tls
from wardwatch.twin.ground import permitted
from wardwatch.twin.outbox import Entry, Outbox
from wardwatch.twin.streams import closed, pieces
from wardwatch.twin.supervisor import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from random import Random

ANSWER_S = 10.0
LOOK_S = 1.0
"""A session that the server ended is noticed so soon."""
NOTICES = 64


class Settings(msgspec.Struct, frozen=True):
    """Where the server is and how it is spoken to; all of it can be set anew."""

    host: str = "mds.ward.example"
    port: int = 1588
    package_port: int = 1580
    interval_s: float = pcd.INTERVAL_S
    tls: bool = False
    verifies: bool = False
    newest: bool = False
    """Whether TLS 1.3 is known."""
    roots: str = ""
    """File of the authority's certificate; needed for TLS."""
    oldest: bool = False
    """Whether TLS 1.0 is all that is known, as the published product."""


class Notice(msgspec.Struct, frozen=True):
    """Something of communications a person should see; LOW, and no matter of therapy."""

    at: int
    text: str


class Offered(msgspec.Struct, frozen=True):
    """A library package as the server handed it over; whether it is accepted is the head's matter."""

    version: int
    package: bytes
    offer: bytes


class Client:
    """One pump's client. ``run`` never returns; cancel it."""

    def __init__(
        self,
        serial: str,
        eui64: str,
        settings: Settings,
        outbox: Outbox,
        shown: Callable[[], tuple[int, telling.Status] | None],
        resolve: Callable[[str], Awaitable[str]],
        draws: Random,
    ) -> None:
        """``shown`` gives stamp and status of now; ``resolve`` an address for a name, or ""."""
        self.serial = serial
        self.eui64 = eui64
        self.settings = settings
        self.outbox = outbox
        self.shown = shown
        self.resolve = resolve
        self.draws = draws
        self.connected = False
        self.sessions = 0
        self.notices: list[Notice] = []
        self.on_library: Callable[[Offered], None] = lambda _: None
        self.on_certificate: Callable[[bool], bool] = lambda valid: valid
        """Told of each certificate whether it was proven; answers whether the session goes on."""
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Sessions, one after the other, with a growing pause between those that fail."""
        backoff = Backoff(self.draws)
        while True:
            began = time.monotonic()
            try:
                await self._session()
            except (OSError, TimeoutError) as error:
                self._failed(error)
            self.connected = False
            await asyncio.sleep(backoff.failed(time.monotonic() - began))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            self._notice(f"server certificate refused: {error.verify_message}")
            return
        # A peer that has nothing in common with us may say so, or only go away.
        cut = isinstance(error, ssl.SSLError | ConnectionResetError | ConnectionAbortedError)
        if cut and self.settings.tls and not self.connected:
            self._notice("TLS with the server failed")

    def _notice(self, text: str) -> None:
        self.notices = [*self.notices[1 - NOTICES :], Notice(time.time_ns(), text)]

    async def _session(self) -> None:
        reader, writer = await self._connect(self.settings.port)
        try:
            answers = pieces(reader, soap.unframed, soap.LONGEST, ANSWER_S)
            self.connected, self.sessions = True, self.sessions + 1
            due, last = 0, 0
            while not reader.at_eof():
                if time.time_ns() >= due:
                    await self._live(writer, answers)
                    due = pcd.next_report(time.time_ns(), self.settings.interval_s, self.draws)
                last = await self._backlog(writer, answers, last)
                self._wake.clear()
                if not self.outbox.waiting(1, last):
                    left = (due - time.time_ns()) / 1e9
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(max(left, 0), LOOK_S)):
                            await self._wake.wait()
        finally:
            await closed(writer)

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        settings = self.settings
        address = await self.resolve(settings.host)
        if not address:
            raise OSError("no address for the server")
        if not settings.tls:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.open_connection(permitted(address), port)
        roots = Path(settings.roots)
        context = tls.client_context(
            roots, verifies=settings.verifies, newest=settings.newest, oldest=settings.oldest
        )
        opened = asyncio.open_connection(
            permitted(address), port, ssl=context,
            server_hostname="" if settings.oldest else settings.host,
        )  # fmt: skip
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await opened
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        valid = settings.verifies or tls.proven(der or b"", roots, settings.host)
        if not self.on_certificate(valid):
            await closed(writer)
            raise OSError("the server's certificate proves nothing")
        return reader, writer

    async def _live(self, writer: asyncio.StreamWriter, answers: AsyncIterator[bytes]) -> None:
        """Say what is shown now, before anything that waited; nothing while the head is silent."""
        shown = self.shown()
        if shown is not None:
            stamp, status = shown
            body = telling.status_body(status)
            entry = Entry(self.outbox.put(stamp, "status", body), stamp, "status", body)
            await self._tell(writer, answers, entry, late=False)

    async def _backlog(
        self, writer: asyncio.StreamWriter, answers: AsyncIterator[bytes], after: int
    ) -> int:
        """Tell what waits, the oldest first ⇒ the last that was refused and is kept for later."""
        now = time.time_ns()
        while waiting := self.outbox.waiting(100, after):
            for entry in waiting:
                late = now - entry.stamp > ANSWER_S * 1e9
                if not await self._tell(writer, answers, entry, late=late):
                    after = entry.seq
        return after

    async def _tell(
        self,
        writer: asyncio.StreamWriter,
        answers: AsyncIterator[bytes],
        entry: Entry,
        *,
        late: bool,
    ) -> bool:
        """One report and its receipt ⇒ whether the server has it now."""
        fields = {
            "Serial": self.serial, "EUI64": self.eui64, "Sequence": entry.seq, "Stamp": entry.stamp,
            "Kind": entry.kind, "Backlog": int(late), "Body": entry.body.hex(),
        }  # fmt: skip
        writer.write(soap.written(soap.REPORT, fields))
        await writer.drain()
        async for raw in answers:
            answer = soap.read(raw)
            if isinstance(answer, str):
                raise ConnectionError("the server's answer is no envelope")
            if answer.name == soap.RECEIPT and answer.number("Sequence") == entry.seq:
                self.outbox.taken(entry.seq)
                await self._offered(answer.number("LibraryVersion"))
                return True
            return False
        raise ConnectionError("the server went away")

    async def _offered(self, version: int) -> None:
        """Fetch a package that is offered; what fails, here or in the head, is offered again."""
        if version < 1:
            return
        try:
            offered = await self._fetch(version)
        except (OSError, TimeoutError, binascii.Error):
            self._notice(f"library {version} could not be fetched")
            return
        if offered is not None:
            self.on_library(offered)

    async def _fetch(self, version: int) -> Offered | None:
        reader, writer = await self._connect(self.settings.package_port)
        try:
            writer.write(soap.written(soap.REQUEST, {"Serial": self.serial, "Version": version}))
            await writer.drain()
            async for raw in pieces(reader, soap.unframed, soap.LONGEST, ANSWER_S):
                answer = soap.read(raw)
                if isinstance(answer, str) or answer.name != soap.PACKAGE:
                    return None
                library, offer = (
                    base64.b64decode(answer.fields.get(name, ""), validate=True)
                    for name in ("Library", "Offer")
                )
                return Offered(version, library, offer)
        finally:
            await closed(writer)
        return None
