"""Where: the packet a message came in, as every row that it becomes will cite it."""

from __future__ import annotations

import msgspec


class Where(msgspec.Struct, frozen=True, gc=False):
    """The packet that carried a message (for a reassembled one: the packet that completed it)."""

    capture: int
    packet: int
    ts: int
    segment: str
    src_mac: str = ""
    dst_mac: str = ""
    src: str = ""
    src_port: int = -1
    dst: str = ""
    dst_port: int = -1
    conversation: int = -1
    ip_ttl: int = -1
    whole: bool = True
    """False when a snap length or a lost fragment cut the payload."""
