"""Parties: a DHCP client, the hospital's server behind its relay, and a rogue, each on the clock.

Who wins a race is not written down: the client takes the first OFFER that arrives (RFC 2131
§4.4.1), and how late each server answers is its own property.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import messages
from wardwatch.twin.stage import LEASE_S, STYLES
from wardwatch.twin.ward import MS, Mark, Part, Station

if TYPE_CHECKING:
    from wardwatch.twin.clock import Clock
    from wardwatch.twin.stage import Stage

PATIENCE_NS = 4 * NS
"""Without an OFFER the client asks again after 4 s, then 8 (RFC 2131 §4.1)."""
TRIES = 3
CHOOSING_NS = 80 * MS
"""From the first OFFER to the REQUEST [A]."""
NAK = 6

Reply = Callable[[int, int, Station], bytes]
"""(message type, xid, client) ⇒ a reply."""


class Rogue(msgspec.Struct, frozen=True):
    """A server nobody asked for, and its habits."""

    station: Station
    delay_ns: int
    """From a question to its answer."""
    reply: Reply
    way: str = "shout"
    """``shout`` to everybody, ``unicast`` to the client, or ``relayed`` from behind the router."""
    kinds: tuple[int, ...] = (messages.OFFER, messages.ACKNOWLEDGE)
    claims: bytes = b""
    """Server identifier it gives itself; its own address unless told."""


class Race:
    """One start-up of a client that asks by DHCP."""

    def __init__(
        self,
        clock: Clock,
        stage: Stage,
        client: Station,
        rogue: Rogue | None,
        attack: Part,
        consequence: Part,
        *,
        server_down: bool = False,
    ) -> None:
        self.clock, self.stage, self.client, self.rogue = clock, stage, client, rogue
        self.attack, self.consequence = attack, consequence
        self.server_down = server_down
        self.winner = ""
        """Station whose OFFER came first; "" none yet."""
        self.bound = False
        """Whether an ACK of the winner came."""
        self.replies: list[tuple[int, bytes]] = []
        """What the rogue sent, as (instant, message)."""
        self._draws = stage.ward.draws("race", attack.event, client.name)
        self._xid = self._draws.getrandbits(32)
        self._tries = 0
        self._ask, self._take = STYLES["rtcs"]

    def start(self, ts: int) -> Race:
        """Let the client begin at ``ts``."""
        self.clock.at(ts, self._discover)
        return self

    def _discover(self) -> None:
        if self.winner or self._tries == TRIES:
            return
        self._tries += 1
        body = self._ask(self._xid, self.client)
        now = self.clock.now
        self.stage.shout(self.client, now, body, "dhcp discover", self._draws, self.consequence)
        if not self.server_down:
            self.clock.after(MS, lambda: self._hospital(body, messages.OFFER))
            self.clock.after(4 * MS, lambda: self._heard("dhcp"))
        if self.rogue is not None:
            self.clock.after(self.rogue.delay_ns, lambda: self._rogue(messages.OFFER))
        self.clock.after(PATIENCE_NS << self._tries - 1, self._discover)

    def _hospital(self, asked: bytes, kind: int) -> None:
        stage, client = self.stage, self.client
        options = messages.lease(
            stage.station("dhcp").ip, stage.ward.gateway(client.vlan).ip,
            stage.station("dns").ip, LEASE_S,
        )  # fmt: skip
        stage.serve(client, self.clock.now, asked, kind, options, self._draws, self.consequence)

    def _heard(self, who: str) -> None:
        if self.winner:
            return
        self.winner = who
        self.clock.after(CHOOSING_NS, self._request)

    def _request(self) -> None:
        rogue = self.rogue
        theirs = rogue is not None and self.winner == rogue.station.name
        server = self.stage.station("dhcp").ip
        if theirs and rogue is not None:
            server = rogue.claims or rogue.station.ip
        body = self._take(self._xid, self.client, server, self.client.ip)
        now = self.clock.now
        self.stage.shout(self.client, now, body, "dhcp request", self._draws, self.consequence)
        if theirs:
            self._rogue_after(messages.ACKNOWLEDGE)
            self.bound = True
            return
        self.clock.after(MS, lambda: self._hospital(body, messages.ACKNOWLEDGE))
        self.bound = True
        if rogue is not None and messages.OFFER not in rogue.kinds:
            # It made no offer, and answers the REQUEST all the same.
            for kind in rogue.kinds:
                self._rogue_after(kind)

    def _rogue_after(self, kind: int) -> None:
        assert self.rogue is not None
        self.clock.after(min(self.rogue.delay_ns, 20 * MS), lambda: self._rogue(kind))

    def _rogue(self, kind: int) -> None:
        rogue = self.rogue
        assert rogue is not None
        if kind not in rogue.kinds:
            return
        body = rogue.reply(kind, self._xid, self.client)
        self.replies.append((self.clock.now, body))
        word = {messages.OFFER: "offer", messages.ACKNOWLEDGE: "ack", NAK: "nak"}[kind]
        deliver(self.stage, rogue, self.client, self.clock.now, body, f"dhcp {word}", self.attack)
        if kind == messages.OFFER:
            self.clock.after(MS // 10, lambda: self._heard(rogue.station.name))


def deliver(
    stage: Stage, rogue: Rogue, client: Station, ts: int, body: bytes, kind: str, part: Part
) -> None:
    """Bring a rogue's reply to the client, the way it goes."""
    ward, station = stage.ward, rogue.station
    ident = ward.draws("deliver", station.name, ts).getrandbits(16)
    mark = Mark(kind, station.name, client.name, client.vlan, *part)
    if rogue.way == "shout":
        ward.shout(ts, client.vlan, (station.mac, station.ip), (67, 68), body, mark, ident)
    elif rogue.way == "unicast":
        ward.datagram(ts, station, client, (67, 68), body, mark, ident)
    else:
        # What the relay hands on is what the server behind it wrote, but for its own frame.
        face, door = ward.gateway(station.vlan), ward.gateway(client.vlan)
        far = msgspec.structs.replace(face, ip=door.ip)
        ward.datagram(
            ts, station, far, (67, 67), body, mark._replace(vlan=station.vlan, kind=f"{kind} relayed"), ident
        )  # fmt: skip
        ward.shout(
            ts + MS, client.vlan, (door.mac, door.ip), (67, 68), body, mark._replace(routed=True), ident
        )  # fmt: skip


def leases(
    rogue: Station,
    router: bytes,
    resolver: bytes,
    *,
    giaddr: bytes = bytes(4),
    claims: bytes = b"",
    more: tuple[messages.Option, ...] = (),
    broadcast: bool = True,
    sname: bytes = b"",
    file: bytes = b"",
    tail: bytes | None = None,
) -> Reply:
    """Replies with a lease of the address the client had, and whatever else is told."""

    def reply(kind: int, xid: int, client: Station) -> bytes:
        options = messages.lease(claims or rogue.ip, router, resolver, LEASE_S)
        return messages.dhcp(
            2, kind, xid, client.mac, [*options, *more], yiaddr=client.ip, giaddr=giaddr,
            broadcast=broadcast, sname=sname, file=file, tail=tail,
        )  # fmt: skip

    return reply
