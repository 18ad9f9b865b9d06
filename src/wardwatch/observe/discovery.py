"""Discovery by HTTP over UDP: SSDP, in which devices and their software name themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.decode.wire import http

if TYPE_CHECKING:
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.where import Where

MOST_REMEMBERED = 4096
"""Heads kept in mind: a device announces the same few again and again."""

LONGEST_REMEMBERED = 1500
"""Octets of one of them: an honest head fits a frame, and 4,096 of 64 KB would not fit memory."""


class Discovery:
    """Reads SSDP messages into table ``http``."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._heads: dict[bytes, http.Head] = {}
        self.parser_calls = 0
        """Messages the parser has read; an answer from memory is no call."""

    def read(self, payload: bytes, where: Where) -> None:
        """Add a row for a message; what is no HTTP on this port is somebody else's."""
        head = self._heads.get(payload)
        if head is None:
            if not http.looks_like(payload):
                return
            self.parser_calls += 1
            head, _ = http.parse(payload)
            if head is None:
                return
            if len(self._heads) < MOST_REMEMBERED and len(payload) <= LONGEST_REMEMBERED:
                self._heads[payload] = head
        asks = bool(head.method)
        self._spool.add(
            "http",
            {
                "capture": where.capture,
                "packet": where.packet,
                "ts": where.ts,
                "segment": where.segment,
                "conversation": where.conversation,
                "client": where.src if asks else where.dst,
                "server": where.dst if asks else where.src,
                "server_port": where.dst_port if asks else where.src_port,
                "server_mac": where.dst_mac if asks else where.src_mac,
                "direction": "request" if asks else "response",
                "method": head.method,
                "host": head.host,
                "version": head.version,
                "status": head.status,
                "user_agent": head.user_agent,
                "server_header": head.server,
                "content_type": head.content_type,
                "content_length": head.content_length,
            },
        )
