"""Heads: HTTP heads read once, however often they are said."""

from __future__ import annotations

from typing import Any

import msgspec

from wardwatch.decode.wire import http
from wardwatch.model.evidence import Anomaly

MAX_HEADS = 2048
"""HTTP heads remembered, at most ``MAX_HEAD`` octets each."""
MAX_HEAD = 4096


class Read(msgspec.Struct, frozen=True, gc=False):
    """A head as it was read."""

    head: http.Head | None
    anomalies: tuple[Anomaly, ...]
    plain: bool
    """Nothing odd about it, and nothing to be done but to step over a body of known length:
    no credentials, no chunks, no XML, no CONNECT and no interim response."""
    row: tuple[Any, ...]
    """The columns of table ``http`` that are the head's own."""


class Heads:
    """Heads without credentials are remembered: they come by thousands."""

    def __init__(self) -> None:
        self.calls = 0
        """Heads that had to be read."""
        self._known: dict[bytes, Read] = {}

    def read(self, raw: bytes) -> Read:
        """A head read, from its start line to the empty line."""
        known = self._known.get(raw)
        if known is not None:
            return known
        self.calls += 1
        head, anomalies = http.parse(raw)
        found = Read(head, anomalies, _is_plain(head, anomalies), _row(head))
        if head is not None and not head.credentials and len(raw) <= MAX_HEAD:
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            self._known[raw] = found
        return found


def is_xml(head: http.Head) -> bool:
    """Whether a body is looked at for the pump's own messages."""
    return head.content_type.endswith("xml") or "soap" in head.content_type


def _is_plain(head: http.Head | None, anomalies: tuple[Anomaly, ...]) -> bool:
    if head is None or anomalies or head.credentials or head.chunked or is_xml(head):
        return False
    if head.method:
        return head.method != "CONNECT"
    return head.status >= 200


def _row(head: http.Head | None) -> tuple[Any, ...]:
    if head is None:
        return ()
    return (
        "request" if head.method else "response",
        head.method,
        head.host,
        head.version,
        head.status,
        head.user_agent,
        head.server,
        head.content_type,
        head.content_length,
        head.auth_scheme,
        head.soap_action,
    )
