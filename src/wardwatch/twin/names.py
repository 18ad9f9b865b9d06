"""Names: the pump's DNS client, asked only when it connects, and what it remembers meanwhile.

An answer is kept for its time to live and no longer (RFC 1035 §3.2.1); nothing is asked while a
session stands (C-19). What was heard goes through the rule of CVE-2017-12722 before it is read.
"""

from __future__ import annotations

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import messages

LONGEST_TTL_S = 86_400
"""A day [A]: a forged time to live holds no address for ever."""


class Cached(msgspec.Struct, frozen=True):
    """An address and until when it may be used (ns)."""

    address: str
    until: int


class Names:
    """What the client knows and waits for."""

    def __init__(self) -> None:
        self.asked = 0
        """Questions that were sent."""
        self._known: dict[str, Cached] = {}

    def known(self, host: str, now: int) -> str:
        """The address of a name, if it is still remembered; ""."""
        found = self._known.get(host)
        return found.address if found and now < found.until else ""

    def question(self, host: str, ident: int) -> bytes:
        """The datagram that asks for a name."""
        self.asked += 1
        return messages.dns_query(ident, host)

    def answer(self, raw: bytes, host: str, ident: int, now: int) -> str:
        """The address in an answer to that question, remembered; "" if there is none in it."""
        found = _address(raw, host, ident)
        if found is None:
            return ""
        address, ttl = found
        if ttl:
            self._known[host] = Cached(address, now + min(ttl, LONGEST_TTL_S) * NS)
        return address


def _address(raw: bytes, host: str, ident: int) -> tuple[str, int] | None:
    """First A record and its time to live; reads any octets."""
    question = messages.name(host) + b"\0\1\0\1"
    head = int.from_bytes(raw[:2], "big"), raw[2:3], raw[3:4]
    if len(raw) < 12 or head[0] != ident or not head[1][0] & 0x80 or head[2][0] & 0x0F:
        return None
    if raw[4:6] != b"\0\1" or raw[12 : 12 + len(question)].lower() != question.lower():
        return None
    at = 12 + len(question)
    for _ in range(min(int.from_bytes(raw[6:8], "big"), 16)):
        at = _after_name(raw, at)
        if at < 0 or at + 10 > len(raw):
            return None
        kind, length = raw[at : at + 2], int.from_bytes(raw[at + 8 : at + 10], "big")
        data = raw[at + 10 : at + 10 + length]
        if len(data) < length:
            return None
        if kind == b"\0\1" and length == 4:
            ttl = int.from_bytes(raw[at + 4 : at + 8], "big")
            return ".".join(map(str, data)), ttl
        at += 10 + length
    return None


def _after_name(raw: bytes, at: int) -> int:
    """Where a name ends; -1 where it does not. A pointer ends it and is not followed."""
    while at < len(raw):
        length = raw[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at
    return -1
