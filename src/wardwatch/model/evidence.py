"""Evidence: which packets we mean, which bytes, and what was wrong with them."""

from __future__ import annotations

import msgspec


class Evidence(msgspec.Struct, frozen=True, gc=False, order=True):
    """One packet of one capture: the atom every statement cites.

    ``capture`` is the row of table ``captures`` (1-based, in the order given), ``packet`` the
    1-based number of the packet in that file, as Wireshark counts it.
    """

    capture: int
    packet: int


class ByteSpan(msgspec.Struct, frozen=True, gc=False):
    """Bytes ``[start, stop)`` of one payload."""

    start: int
    stop: int


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Something a parser may find wrong: a stable name and the clause that is broken.

    ``name`` is ``<protocol>_<what>`` in lower case (``dhcp_option_overrun``); ``clause`` quotes
    the standard. Each parser keeps its own in a tuple ``FAULTS``.
    """

    name: str
    clause: str


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """One departure from the standard, kept as evidence and never repaired."""

    fault: Fault
    span: ByteSpan
    claimed: int = 0
    present: int = 0
