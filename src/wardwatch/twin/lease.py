"""Lease: the pump's DHCP client, a state machine of RFC 2131 figure 5 without a socket or a clock.

Retransmissions wait 4, 8, 16, 32 and 64 s, a second more or less (§4.1); a lease is renewed at T1,
rebound at T2, left at its end (§4.4.5); a client that comes back to its subnet asks for the address
it had (§3.2). A pump with a static address has no such client and sends nothing (C-18). The bytes
are those of the published stack, without what made it weak: that is a rule of ``comms``.
"""

from __future__ import annotations

from enum import Enum
from struct import unpack
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import messages
from wardwatch.twin.messages import ACKNOWLEDGE, OFFER

if TYPE_CHECKING:
    from random import Random

NAK = 6
WAITS_S = (4, 8, 16, 32, 64)
"""Between retransmissions; the last goes on (RFC 2131 §4.1)."""
SHORTEST_S = 60
"""Between two renewals (RFC 2131 §4.4.5)."""
NEVER = 1 << 63
WANTED = bytes([1, 3, 6])
"""What a pump asks for: its application decides, no source says [A]."""
REBOOT_TRIES = 2
"""[A] Questions for the old address before it begins anew."""
EVERYBODY = "255.255.255.255"


class Phase(Enum):
    """States of figure 5, in its words."""

    INIT = "INIT"
    SELECTING = "SELECTING"
    REQUESTING = "REQUESTING"
    INIT_REBOOT = "INIT-REBOOT"
    REBOOTING = "REBOOTING"
    BOUND = "BOUND"
    RENEWING = "RENEWING"
    REBINDING = "REBINDING"


class Lease(msgspec.Struct, frozen=True):
    """What a server handed out; addresses as 4 octets, instants in ns."""

    address: bytes
    server: bytes
    mask: bytes = b"\xff\xff\xff\0"
    router: bytes = b""
    resolver: bytes = b""
    t1: int = NEVER
    t2: int = NEVER
    end: int = NEVER


class Send(msgspec.Struct, frozen=True):
    """A message to send; to everybody, or to one server from the address held."""

    to: str
    body: bytes


class Client:
    """One client. Call :meth:`due` when its :attr:`deadline` comes."""

    def __init__(self, mac: bytes, draws: Random, held: Lease | None = None) -> None:
        """``held``: a lease from before a restart or a walk through the house."""
        self.mac = mac
        self.draws = draws
        self.lease = held
        self.phase = Phase.INIT_REBOOT if held else Phase.INIT
        self.deadline = NEVER
        self._xid = 0
        self._tries = 0
        self._offer: tuple[bytes, bytes] | None = None
        """Server and address of the offer that was taken."""

    def start(self, now: int) -> Send:
        """The first message: DISCOVER, or REQUEST for the address held (INIT-REBOOT)."""
        self._xid, self._tries = self.draws.getrandbits(32), 0
        if self.lease is not None and now < self.lease.end:
            self.phase = Phase.REBOOTING
        else:
            self.lease, self.phase = None, Phase.SELECTING
        return self._again(now)

    def due(self, now: int) -> Send | None:
        """What to send at the deadline; None where nothing is due yet."""
        if now < self.deadline:
            return None
        lease = self.lease
        if self.phase is Phase.REBOOTING and self._tries >= REBOOT_TRIES:
            self.lease = None
            return self.start(now)
        if self.phase in (Phase.BOUND, Phase.RENEWING, Phase.REBINDING):
            assert lease is not None
            if now >= lease.end:
                self.lease = None
                return self.start(now)
            self.phase = Phase.REBINDING if now >= lease.t2 else Phase.RENEWING
            return self._renew(now, lease)
        if self.phase is Phase.REQUESTING and self._tries > len(WAITS_S):
            return self.start(now)
        return self._again(now)

    def received(self, raw: bytes, now: int) -> Send | None:
        """Take a reply ⇒ what to send next; reads any octets."""
        reply = _reply(raw, self._xid, self.mac)
        if reply is None:
            return None
        kind, address, options = reply
        server = options.get(54, b"")
        if kind == OFFER and self.phase is Phase.SELECTING and len(server) == 4 and any(address):
            self._offer, self.phase, self._tries = (server, address), Phase.REQUESTING, 0
            return self._again(now)
        asking = (Phase.REQUESTING, Phase.REBOOTING, Phase.RENEWING, Phase.REBINDING)
        if self.phase not in asking:
            return None
        if kind == NAK:
            self.lease = None
            return self.start(now)
        if kind == ACKNOWLEDGE and any(address):
            self._bound(address, options, now)
        return None

    def _bound(self, address: bytes, options: dict[int, bytes], now: int) -> None:
        held = self.lease
        seconds = _seconds(options.get(51), 3600)
        end = NEVER if seconds == 0xFFFFFFFF else now + seconds * NS
        t1 = _seconds(options.get(58), seconds // 2)
        t2 = _seconds(options.get(59), seconds * 7 // 8)
        ordered = 0 < t1 <= t2 <= seconds
        self.lease = Lease(
            address,
            options.get(54, held.server if held else b"")[:4],
            (options.get(1) or b"\xff\xff\xff\0")[:4],
            options.get(3, b"")[:4],
            options.get(6, b"")[:4],
            now + (t1 if ordered else seconds // 2) * NS if end != NEVER else NEVER,
            now + (t2 if ordered else seconds * 7 // 8) * NS if end != NEVER else NEVER,
            end,
        )
        self.phase, self.deadline = Phase.BOUND, self.lease.t1

    def _again(self, now: int) -> Send:
        """Send what the state asks for, and set when to send it again."""
        wait = WAITS_S[min(self._tries, len(WAITS_S) - 1)] + self.draws.uniform(-1, 1)
        self._tries += 1
        self.deadline = now + round(wait * NS)
        if self.phase is Phase.SELECTING:
            return Send(EVERYBODY, messages.rtcs_discover(self._xid, self.mac, WANTED))
        if self.phase is Phase.REQUESTING:
            assert self._offer is not None
            server, address = self._offer
            body = messages.rtcs_request(self._xid, self.mac, WANTED, server, address)
            return Send(EVERYBODY, body)
        assert self.lease is not None
        options = [(61, b"\x01" + self.mac), (50, self.lease.address), (55, WANTED)]
        body = messages.dhcp(1, messages.REQUEST, self._xid, self.mac, options, broadcast=True)
        return Send(EVERYBODY, body)

    def _renew(self, now: int, lease: Lease) -> Send:
        """A REQUEST with ciaddr and neither 50 nor 54 (RFC 2131 §4.3.2)."""
        limit = lease.t2 if self.phase is Phase.RENEWING else lease.end
        # "one-half of the remaining time until T2 …, down to a minimum of 60 seconds" (§4.4.5)
        wait = max((limit - now) // 2, SHORTEST_S * NS)
        self.deadline = min(now + wait, limit)
        self._xid = self.draws.getrandbits(32)
        options = [(61, b"\x01" + self.mac), (55, WANTED)]
        body = messages.dhcp(
            1, messages.REQUEST, self._xid, self.mac, options, ciaddr=lease.address
        )
        to = ".".join(map(str, lease.server)) if self.phase is Phase.RENEWING else EVERYBODY
        return Send(to, body)


def _seconds(raw: bytes | None, otherwise: int) -> int:
    return int(unpack(">I", raw)[0]) if raw is not None and len(raw) == 4 else otherwise


def _reply(raw: bytes, xid: int, mac: bytes) -> tuple[int, bytes, dict[int, bytes]] | None:
    """Kind, yiaddr and options of a reply to us; what is malformed in it ends the reading."""
    if len(raw) < 240 or raw[0] != 2 or raw[236:240] != messages.COOKIE:
        return None
    if raw[4:8] != xid.to_bytes(4, "big") or raw[28:34] != mac:
        return None
    options: dict[int, bytes] = {}
    at = 240
    while at + 1 < len(raw) and raw[at] != 255:
        if raw[at] == 0:
            at += 1
            continue
        value = raw[at + 2 : at + 2 + raw[at + 1]]
        if len(value) < raw[at + 1]:
            break
        options.setdefault(raw[at], value)
        at += 2 + raw[at + 1]
    kind = options.get(53, b"")
    return (kind[0], raw[16:20], options) if len(kind) == 1 else None
