"""Recognise: which protocol a conversation speaks, by its first bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wardwatch.decode.wire import banner, ftp, tls
from wardwatch.observe.follow import Flow, Follower
from wardwatch.observe.handshakes import Tls
from wardwatch.observe.logins import Ftp, Telnet

if TYPE_CHECKING:
    from collections.abc import Callable

FTP_PORT, TELNET_PORT = 21, 23


def recognise(flow: Flow, first: bytes, second: bytes, spoke: int) -> Follower | None:
    """Who reads a conversation that began with these bytes of the two sides; ``None``: not yet."""
    heads = (first, second)
    for side in (spoke, 1 - spoke):
        if heads[side]:
            for look in _LOOKS:
                found = look(flow, heads, side)
                if found is not None:
                    return found
    return None


def _ftp(flow: Flow, heads: tuple[bytes, bytes], side: int) -> Follower | None:
    head = heads[side]
    if _GREETING.match(head):
        found, _ = banner.parse(head)
        protocol = found.protocol if found else ""
        if protocol == "ftp" or flow.ends[side].port == FTP_PORT:
            return Ftp(flow, side)
        if protocol == "smtp":
            return None
        if _FTP_COMMAND.match(heads[1 - side]):
            return Ftp(flow, side)
    elif flow.ends[side].port == FTP_PORT and _REPLY.match(head):
        return Ftp(flow, side)
    elif flow.ends[1 - side].port == FTP_PORT:
        verb = head[:5].split(b" ")[0].strip().upper().decode("ascii", "replace")
        if verb in ftp.VERBS:
            return Ftp(flow, 1 - side)
    return None


def _tls(flow: Flow, heads: tuple[bytes, bytes], side: int) -> Follower | None:
    return Tls(flow) if tls.looks_like(heads[side]) else None


def _telnet(flow: Flow, heads: tuple[bytes, bytes], side: int) -> Follower | None:
    head = heads[side]
    port = TELNET_PORT in (flow.ends[0].port, flow.ends[1].port)
    negotiates = _NEGOTIATION.match(head) is not None
    if not (port and (negotiates or banner.is_text(head.translate(None, b"\r\n\0\x1b")))) and not (
        negotiates and len(head) >= 3
    ):
        return None
    if port:
        return Telnet(flow, 0 if flow.ends[0].port == TELNET_PORT else 1)
    return Telnet(flow, 1)


_GREETING = re.compile(rb"220[ -]")
_REPLY = re.compile(rb"[1-5]\d\d[ -]")
_FTP_COMMAND = re.compile(rb"(?:USER|FEAT|AUTH (?:TLS|SSL|GSSAPI))\b", re.IGNORECASE)
_NEGOTIATION = re.compile(rb"\xff[\xfa-\xfe].", re.DOTALL)
_LOOKS: tuple[Callable[[Flow, tuple[bytes, bytes], int], Follower | None], ...] = (_tls, _ftp, _telnet)
