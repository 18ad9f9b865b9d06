"""Pump: a whole one as real processes, therapy by the clock of this machine and communications beside it.

The head stands in an empty network namespace where that is permitted, and tells what it shows in
frames of the link; communications may be killed at any moment and begin again with what is on disk.
Events and alarms carry the head's own number and are told again until communications have them, a
few frames a tick, never waiting. Beside the link the head has a screen: what a nurse would read.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections import deque
from contextlib import suppress
from random import Random
from struct import error as LayoutError
from struct import pack, unpack
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import comms, emit, link, spaces, telling, therapy
from wardwatch.twin.bedside import Nurse
from wardwatch.twin.client import Client, Offered, Settings
from wardwatch.twin.comms import Module
from wardwatch.twin.lease import EVERYBODY, Lease, Send
from wardwatch.twin.lease import Client as DhcpClient
from wardwatch.twin.link import TICK_NS, Frame, Kind, Port
from wardwatch.twin.names import Names
from wardwatch.twin.outbox import Outbox
from wardwatch.twin.plant import mechanics
from wardwatch.twin.telling import Alarmed, Happened, Status
from wardwatch.twin.therapy import Received, Record, Rules, Sound, State, Wait

if TYPE_CHECKING:
    from pathlib import Path

    from wardwatch.twin.supervisor import Gate

UNTOLD = 4096
"""Events and alarms the head keeps for communications that are away; beyond, the oldest goes."""
AGAIN_NS = 2 * NS
SHOWN_NS = NS // 5
ACK_S = 0.5
LOOK_S = 0.02
"""A silence of 50 ms is noticed (C-20)."""
CRASHED = 70
"""Exit status of communications that crashed by a declared rule."""


class Plan(msgspec.Struct, frozen=True):
    """One pump of a live ward."""

    name: str
    module: Module
    mac: str
    settings: Settings
    address: str = ""
    """"" asks DHCP for one."""
    resolver: str = ""
    """Asked for the server's name; "" takes the one of the lease."""
    server: str = ""
    """The server's address where nobody resolves names (loopback)."""
    ports: dict[int, int] | None = None
    """None listens on the published ports; a table, possibly empty, on loopback on free ones."""
    boot_s: float = 25.0
    occlude_s: tuple[float, ...] = ()
    seed: int = 1
    rules: Rules = Rules()

    @property
    def eui64(self) -> str:
        """Its MAC as EUI-64."""
        digits = self.mac.replace(":", "").upper()
        return f"{digits[:6]}FFFE{digits[6:]}"


class Page(msgspec.Struct, frozen=True):
    """The pump's screen."""

    at: int = 0
    phase: str = "off"
    rate: int = 0
    given_nl: int = 0
    delivered_nl: int = 0
    """What reached the vein: the twin knows it, no pump does."""
    left_nl: int = 0
    pressure_mmhg: float = 0.0
    limit_mmhg: float = 0.0
    alarms: tuple[tuple[str, int], ...] = ()
    library: int = 0
    pending: int = 0
    refused: int = 0
    violations: int = 0
    link_lost: bool = False
    records: int = 0
    steps: int = 0
    """Motor steps made."""
    stalls: int = 0
    """Times the watchdog stopped the motor."""
    late_max_ms: float = 0.0
    core: str = ""
    """Digest of what delivers, for whoever plays the same acts in virtual time."""


class Radio(msgspec.Struct, frozen=True):
    """What communications say of themselves to whoever watches."""

    address: str = ""
    connected: bool = False
    sessions: int = 0
    waiting: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    ports: dict[int, int] = {}
    asked: int = 0
    """DNS questions."""
    lease: str = ""
    """State of the DHCP client; "" has none."""


# Therapy ---------------------------------------------------------------------------------------


class Head:
    """Therapy by the clock, its link, its screen and its heartbeat."""

    def __init__(
        self,
        plan: Plan,
        end: socket.socket,
        screen: socket.socket,
        beats: int,
        gate: Gate,
        log: int,
        acts: int = -1,
    ) -> None:
        """``beats``, ``log`` and ``acts`` are descriptors: the watchdog's pipe, and two files."""
        self.port = Port(end, link.TO_THERAPY)
        self.screen = screen
        self.beats = beats
        self.gate = gate
        self.log = log
        self.acts = acts
        self.nurse = Nurse(plan.seed, plan.occlude_s)
        self.state = State(rules=plan.rules)
        self.began = 0
        self.steps = self.stalls = self._mark = 0
        self.late_max = 0
        self.number = self.since_nl = 0
        self._untold: deque[tuple[int, Kind, bytes]] = deque(maxlen=UNTOLD)
        self._next = 1
        """Number that is told next."""
        self._told_at = self._shown_at = self._status_at = -NS
        self._acted_at = 0

    def run(self, seconds: float) -> None:
        """Tick by tick at absolute instants, until the time is over."""
        self.began = time.monotonic_ns()
        tick, end = 0, int(seconds * NS)
        while (now := self._until(min(tick, therapy.deadline(self.state)))) < end:
            self._watched()
            # What is due happens at its own instant, each in a step of its own, so that none of
            # the events it means is passed over.
            while (due := therapy.deadline(self.state)) <= now:
                self.ask(Wait(), due)
            if now >= tick:
                self._tick(now)
                # Ticks that were missed are not made up for.
                tick = now - now % TICK_NS + TICK_NS
            self._turn(now)
        self.ask(Wait(), end)
        self._turn(end)
        self._show(end)

    def _tick(self, now: int) -> None:
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self.beats, b".")
        for frame in self.port.poll():
            if frame.kind is Kind.ACK:
                self._acknowledged(frame)
            self.ask(Received(frame), now)
        if now - self._acted_at >= NS:
            self._acted_at = now
            act = self.nurse.acts(self.state, now)
            if act is not None:
                self.ask(act, now)
        if now - self._status_at >= NS:
            self._status_at = now
            self.port.send(Kind.STATUS, telling.status_body(self._status(now)))
        self._tell(now)
        if now - self._shown_at >= SHOWN_NS:
            self._shown_at = now
            self._show(now)

    def ask(self, event: therapy.Event, at: int) -> None:
        """One step; what it records is on disk before anything else happens."""
        before = self.state.core
        if self.acts >= 0 and not isinstance(event, Received | Wait):
            os.write(self.acts, written(at, event))
        self.state, actions, _ = therapy.step(self.state, event, at)
        given = therapy.given_nl(self.state, self.state.now)
        if self.state.core.given < before.given:
            self.since_nl = 0  # a new patient: the displayed volume begins anew
        happened, self.since_nl = telling.transition(before, self.state.core, given, self.since_nl)
        for one in happened:
            told = msgspec.structs.replace(one, at=self.state.now, number=self.number + 1)
            self._keep(Kind.EVENT, telling.happened_body(told))
        for action in actions:
            if isinstance(action, Record):
                os.write(self.log, msgspec.json.encode(action) + b"\n")
            elif isinstance(action, Sound):
                alarm = Alarmed(
                    action.alarm, action.priority, action.on, action.at, self.number + 1
                )
                self._keep(Kind.ALARM, telling.alarmed_body(alarm))

    def _keep(self, kind: Kind, body: bytes) -> None:
        self.number += 1
        self._untold.append((self.number, kind, body))

    def _tell(self, now: int) -> None:
        """At most four frames of what communications do not have yet."""
        if self._untold and self._next > self._untold[-1][0]:
            if now - self._told_at < AGAIN_NS:
                return
            self._next = self._untold[0][0]
        told = 0
        for number, kind, body in self._untold:
            if number >= self._next and told < link.PER_TICK:
                if not self.port.send(kind, body):
                    return
                told, self._next, self._told_at = told + 1, number + 1, now

    def _acknowledged(self, frame: Frame) -> None:
        """Communications have everything up to a number; what they claim moves nothing else."""
        with suppress(LayoutError):
            (heard,) = unpack(">I", frame.body)
            while self._untold and self._untold[0][0] <= min(heard, self.number):
                self._untold.popleft()

    def _watched(self) -> None:
        """Where the watchdog stopped the motor, therapy stops at that instant and says so (T-24)."""
        closed = self.gate.closed_at
        if closed:
            self.stalls += 1
            self.ask(therapy.Stalled(), max(closed - self.began, self.state.now))
            self._turn(self.state.now)
            self.gate.open()

    def _turn(self, at: int) -> None:
        """The motor has made the steps that are due."""
        given = therapy.given_nl(self.state, at)
        self.steps += max(given // therapy.MOTOR_STEP_NL - self._mark, 0)
        self._mark = given // therapy.MOTOR_STEP_NL

    def _until(self, at: int) -> int:
        left = self.began + at - time.monotonic_ns()
        if left > 0:
            time.sleep(left / NS)
        now = time.monotonic_ns() - self.began
        self.late_max = max(self.late_max, now - at)
        return now

    def _status(self, now: int) -> Status:
        core, pressure = self.state.core, self._pressure(now)
        shown = therapy.shown(self.state)
        left = 0
        if core.order is not None and core.order.vtbi_nl:
            passed = core.rate * (now - core.since) if core.phase is therapy.Phase.RUNNING else 0
            left = max(core.left - passed, 0) // therapy.HOUR
        pending = self.state.comms.pending
        return Status(
            now, core.phase, core.rate, therapy.given_nl(self.state, now), left,
            telling.NO_PRESSURE if pressure is None else round(pressure), core.library.version,
            pending.version if pending else 0, shown[0] if shown else None,
        )  # fmt: skip

    def _pressure(self, now: int) -> float | None:
        core = self.state.core
        if core.plant is None:
            return None
        from wardwatch.twin.plant import after

        return after(core.plant, mechanics(core.syringe), (now - core.since) / NS).pressure

    def _show(self, now: int) -> None:
        self._turn(now)
        status, core = self._status(now), self.state.core
        alarms = [(alarm.value, int(priority)) for alarm, priority in core.alarms]
        if self.state.comms.lost:
            alarms.append((therapy.Alarm.LINK_LOST.value, int(therapy.Priority.LOW)))
        page = Page(
            at=now,
            phase=core.phase.value,
            rate=core.rate,
            given_nl=status.given_nl,
            delivered_nl=round(therapy.delivered_ul(self.state, now) * 1000),
            left_nl=status.left_nl,
            pressure_mmhg=self._pressure(now) or 0.0,
            limit_mmhg=core.order.limit_mmhg if core.order else 0.0,
            alarms=tuple(alarms),
            library=status.library,
            pending=status.pending,
            refused=self.state.comms.refused,
            violations=self.state.comms.violations,
            link_lost=self.state.comms.lost,
            records=self.state.records,
            steps=self.steps,
            stalls=self.stalls,
            late_max_ms=self.late_max / 1e6,
            core=digest(core),
        )
        with suppress(OSError):
            self.screen.send(msgspec.json.encode(page))


def digest(core: therapy.Core) -> str:
    """A short name for everything that delivers."""
    return hashlib.sha256(repr(core).encode()).hexdigest()[:16]


def written(at: int, event: therapy.Event) -> bytes:
    """What was done to a pump, as a line of a file."""
    return msgspec.json.encode((at, type(event).__name__, msgspec.to_builtins(event))) + b"\n"


class Replay(msgspec.Struct, frozen=True):
    """What acts come to in virtual time."""

    state: State
    sounds: tuple[Sound, ...]
    """Without the notice of lost communications."""
    steps: int
    """Motor steps made, those for patients before included."""


def replayed(acts: bytes, until: int, rules: Rules) -> Replay:
    """The same acts in virtual time, with nobody at the other end of the link, up to an instant."""
    state, sounds, steps = State(rules=rules), [], 0
    found = [
        msgspec.json.decode(line, type=tuple[int, str, dict[str, Any]])
        for line in acts.splitlines()
    ]
    for at, name, fields in [*found, (until, "Wait", {})]:
        if at > until:
            continue
        event = msgspec.convert(fields, getattr(therapy, name))
        # A new patient's volume begins at nothing: what the last one got is counted before.
        state, due, _ = therapy.step(state, Wait(), at)
        before = therapy.given_nl(state, at)
        state, actions, _ = therapy.step(state, event, at)
        if therapy.given_nl(state, at) < before:
            steps += before // therapy.MOTOR_STEP_NL
        sounds += [action for action in (*due, *actions) if isinstance(action, Sound)]
    quiet = tuple(one for one in sounds if one.alarm is not therapy.Alarm.LINK_LOST)
    return Replay(state, quiet, steps + therapy.given_nl(state, until) // therapy.MOTOR_STEP_NL)


# Communications --------------------------------------------------------------------------------


class Communications:
    """Everything that speaks to a network: services, the server's client, DHCP and DNS."""

    def __init__(
        self, plan: Plan, end: socket.socket, told: socket.socket, outbox: Path, epoch_ns: int
    ) -> None:
        """``epoch_ns``: when the head began, UTC; its instants are counted from there."""
        self.plan = plan
        self.port = Port(end, link.TO_COMMS)
        self.told = told
        self.epoch_ns = epoch_ns
        self.box = Outbox(outbox)
        self._folder = outbox.parent
        self.draws = Random(f"{plan.seed}/{time.time_ns()}")  # noqa: S311 — jitter, no secret
        self.names = Names()
        self.module = plan.module
        self.server: comms.Server | None = None
        self.address = plan.address
        self.resolver = plan.resolver
        self.status: Status | None = None
        self.dhcp: DhcpClient | None = None
        self._raw: socket.socket | None = None
        self.client = Client(
            plan.module.serial, plan.eui64, plan.settings, self.box, self._shown, self._resolve,
            self.draws,
        )  # fmt: skip
        self.client.on_library = self._library
        self.client.on_certificate = self._certificate
        self._chunks: deque[tuple[Kind, bytes]] = deque()

    async def run(self, boot_s: float) -> None:
        """Boot, then speak until killed."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(boot_s)
        loop.add_reader(self.port.end, self._from_head)
        tasks = [asyncio.create_task(self._acknowledge()), asyncio.create_task(self._say())]
        if not self.plan.address:
            tasks.append(asyncio.create_task(self._lease()))
        else:
            await self._serve()
        tasks.append(asyncio.create_task(self.client.run()))
        if self.plan.ports is None:
            tasks.append(asyncio.create_task(self._walk()))
        await asyncio.gather(*tasks)

    # The head

    def _from_head(self) -> None:
        for frame in self.port.poll():
            if frame.kind is Kind.STATUS:
                self.status = telling.read_status(frame.body) or self.status
            elif frame.kind is Kind.EVENT:
                self._keep("event", telling.read_happened(frame.body), frame.body)
            elif frame.kind is Kind.ALARM:
                self._keep("alarm", telling.read_alarmed(frame.body), frame.body)

    def _keep(self, kind: str, one: Happened | Alarmed | None, body: bytes) -> None:
        """What was told is on disk before it is acknowledged; out of turn it is told again."""
        if (
            one is not None
            and one.number == self.box.heard + 1
            and self.box.put(self.epoch_ns + one.at, kind, body, one.number)
        ):
            self.client.wake()

    async def _acknowledge(self) -> None:
        while True:
            self.port.send(Kind.ACK, pack(">I", self.box.heard))
            # A package goes to the head four frames a tick, as fast as it reads.
            for _ in range(min(len(self._chunks), link.PER_TICK)):
                if not self.port.send(*self._chunks[0]):
                    break
                self._chunks.popleft()
            await asyncio.sleep(TICK_NS / NS * 1.5 if self._chunks else ACK_S)

    def _library(self, offered: Offered) -> None:
        """A package for the head, which decides; what does not fit is dropped there and counted."""
        size = link.BODY - 2
        body = offered.package[: therapy.LIBRARY_MAX]
        self._chunks.clear()
        self._chunks += [
            (Kind.LIBRARY_CHUNK, pack(">H", at // size) + body[at : at + size])
            for at in range(0, len(body), size)
        ]
        self._chunks.append((Kind.LIBRARY_COMMIT, offered.offer))

    def _shown(self) -> tuple[int, Status] | None:
        return None if self.status is None else (self.epoch_ns + self.status.at, self.status)

    # The network

    async def _serve(self) -> None:
        """The module's own listeners, on the address it has now."""
        if self.server is not None:
            self.module = self.server.module
            await self.server.stop()
        self.server = comms.Server(self.module, self.address)
        published = {port: port for port in (comms.STATUS, comms.FTP, comms.TELNET, comms.SERVICE)}
        await self.server.start(published if self.plan.ports is None else self.plan.ports)

    def _changed(self, module: Module) -> None:
        """A rule was applied; where it ended in a crash, so does this process."""
        self.module = module
        if self.server is not None:
            self.server.module = module
        if not module.up(time.monotonic_ns()):
            self._tell()
            os._exit(CRASHED)

    def _now_module(self) -> Module:
        return self.server.module if self.server is not None else self.module

    def _certificate(self, valid: bool) -> bool:
        module, goes_on = comms.certificate_seen(
            self._now_module(), valid=valid, t=time.monotonic_ns()
        )
        self._changed(module)
        return goes_on

    async def _resolve(self, host: str) -> str:
        """The server's address: known, remembered, or asked for now."""
        if self.plan.server:
            return self.plan.server
        now = time.monotonic_ns()
        known = self.names.known(host, now)
        if known or not self.resolver or not self.address:
            return known
        loop = asyncio.get_running_loop()
        ident = self.draws.getrandbits(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.setblocking(False)
            one.bind((self.address, 0))
            await loop.sock_connect(one, (self.resolver, 53))
            await loop.sock_sendall(one, self.names.question(host, ident))
            # not ``wait_for``: see `streams.pieces`
            async with asyncio.timeout(3.0):
                raw = await loop.sock_recv(one, 4096)
        now = time.monotonic_ns()
        self._changed(comms.dns_heard(self._now_module(), raw, ident, now))
        if comms.dns_overreads(raw, ident):
            return ""  # a mended version discards it and asks again (domain/pump.md §4.2)
        return self.names.answer(raw, host, ident, now)

    async def _lease(self) -> None:
        """The DHCP client on a raw socket: it speaks before it has an address."""
        loop = asyncio.get_running_loop()
        mac = emit.mac(self.plan.mac)
        held = self._held()
        self.dhcp = client = DhcpClient(mac, self.draws, held)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(emit.IPV4)) as raw:
            raw.bind(("eth0", 0))
            raw.setblocking(False)
            self._raw = raw
            self._send(raw, client.start(time.monotonic_ns()))
            while True:
                left = (client.deadline - time.monotonic_ns()) / NS
                try:
                    async with asyncio.timeout(min(max(left, 0.001), 60.0)):
                        frame = await loop.sock_recv(raw, 2048)
                except TimeoutError:
                    self._send(raw, client.due(time.monotonic_ns()))
                    continue
                body = _dhcp_in(frame)
                # What is for somebody else passes the client by, as it passes the pump's.
                if body is None or body[28:34] != mac:
                    continue
                now = time.monotonic_ns()
                self._changed(comms.dhcp_heard(self._now_module(), body, now))
                before = client.lease
                self._send(raw, client.received(body, now))
                if client.lease is not None and client.lease is not before:
                    await self._bound(client.lease)

    async def _walk(self) -> None:
        """Back from a silence: ask for the address it had, or announce a static one (C-20)."""
        was = True
        while True:
            on = spaces.carrier("eth0")
            if on and not was:
                if self.dhcp is not None and self._raw is not None:
                    self._send(self._raw, self.dhcp.start(time.monotonic_ns()))
                else:
                    self._announce(emit.ip4(self.address))
            was = on
            await asyncio.sleep(LOOK_S)

    def _send(self, raw: socket.socket, message: Send | None) -> None:
        if message is None:
            return
        if message.to != EVERYBODY:
            # Renewed by unicast, as any client with an address does (RFC 2131 §4.3.6).
            with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((self.address, 68))
                one.sendto(message.body, (message.to, 67))
            return
        mac, source = emit.mac(self.plan.mac), bytes(4)
        if message.body[12:16] != bytes(4):
            source = message.body[12:16]
        target = emit.ip4(message.to)
        datagram = emit.udp(source, target, 68, 67, message.body)
        packet = emit.ipv4(source, target, emit.UDP, datagram, self.draws.getrandbits(16))
        with suppress(OSError):
            raw.send(emit.ethernet(emit.BROADCAST, mac, emit.IPV4, packet))

    async def _bound(self, lease: Lease) -> None:
        address = ".".join(map(str, lease.address))
        if len(lease.resolver) == 4 and not self.plan.resolver:
            self.resolver = ".".join(map(str, lease.resolver))
        self._lease_file().write_bytes(msgspec.json.encode(lease))
        if address != self.address:
            self.address = address
            spaces.address("eth0", address, ".".join(map(str, lease.mask)))
            self._announce(lease.address)
            await self._serve()

    def _announce(self, address: bytes) -> None:
        """A gratuitous ARP: how a station that starts up makes itself known (RFC 5227 §2.3)."""
        mac = emit.mac(self.plan.mac)
        body = emit.arp(1, (mac, address), (bytes(6), address))
        with (
            suppress(OSError),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(emit.ARP)) as raw,
        ):
            raw.bind(("eth0", 0))
            raw.send(emit.ethernet(emit.BROADCAST, mac, emit.ARP, body))

    def _lease_file(self) -> Path:
        return self._folder / f"{self.plan.name}.lease"

    def _held(self) -> Lease | None:
        try:
            return msgspec.json.decode(self._lease_file().read_bytes(), type=Lease)
        except (OSError, msgspec.DecodeError):
            return None

    # Who watches

    async def _say(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(0.25)

    def _tell(self) -> None:
        module = self._now_module()
        radio = Radio(
            address=self.address,
            connected=self.client.connected,
            sessions=self.client.sessions,
            waiting=len(self.box),
            labels=tuple((label.cve, label.state) for label in module.labels),
            notices=tuple(notice.text for notice in self.client.notices[-3:]),
            ports=self.server.ports if self.server else {},
            asked=self.names.asked,
            lease=self.dhcp.phase.value if self.dhcp else "",
        )
        with suppress(OSError):
            self.told.send(msgspec.json.encode(radio))


def _dhcp_in(frame: bytes) -> bytes | None:
    """The BOOTP message of a frame to the client's port; reads any octets."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4 or frame[23] != 17:
        return None
    at = 14 + (frame[14] & 15) * 4
    if frame[at + 2 : at + 4] != b"\0\x44":
        return None
    length = int.from_bytes(frame[at + 4 : at + 6], "big")
    return frame[at + 8 : at + length]
