"""TFTP requests (RFC 1350): who asks which server for which file."""

from __future__ import annotations

import msgspec

from wardwatch.decode.wire.reader import text, u16
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

RRQ, WRQ = 1, 2
OPCODES = {1: "RRQ", 2: "WRQ", 3: "DATA", 4: "ACK", 5: "ERROR", 6: "OACK"}
MODES = frozenset((b"netascii", b"octet", b"mail"))
MAX_NAME = 512
"""Octets of a file name kept: RFC 2347 §2 bounds a whole request to 512."""

TRUNCATED = Fault("tftp_truncated", "RFC 1350 §5: packet shorter than its opcode")
CUT = Fault("tftp_cut", "none broken: the capture holds less than the packet had")
OPCODE = Fault("tftp_opcode", "RFC 1350 §5, RFC 2347: opcode is none of 1 to 6")
UNTERMINATED = Fault("tftp_unterminated", "RFC 1350 §5: file name or mode without its zero octet")
MODE = Fault("tftp_mode", "RFC 1350 §5: mode is neither netascii, octet nor mail")
FAULTS = (TRUNCATED, CUT, OPCODE, UNTERMINATED, MODE)


class Message(msgspec.Struct, frozen=True, gc=False):
    """A packet's opcode, and the file and mode of a request."""

    opcode: int
    filename: str = ""
    mode: str = ""

    @property
    def command(self) -> str:
        """The opcode by its name in the RFC; its number where it has none."""
        return OPCODES.get(self.opcode, str(self.opcode))


def parse(payload: bytes, claimed: int = -1) -> tuple[Message | None, tuple[Anomaly, ...]]:
    """Read one UDP payload of which ``claimed`` bytes were sent."""
    end = len(payload)
    limit = max(claimed, end)
    if end < 2:
        fault = CUT if limit >= 2 else TRUNCATED
        return None, (Anomaly(fault, ByteSpan(0, end), 2, end),)
    opcode = u16(payload, 0)
    if opcode not in OPCODES:
        return None, (Anomaly(OPCODE, ByteSpan(0, 2), opcode, 6),)
    if opcode not in (RRQ, WRQ):
        return Message(opcode), ()
    name, zero, rest = payload[2:].partition(b"\0")
    mode, second, _ = rest.partition(b"\0")
    anomalies: tuple[Anomaly, ...] = ()
    if not zero or not second:
        fault = CUT if limit > end else UNTERMINATED
        anomalies = (Anomaly(fault, ByteSpan(2, end), 2, bool(zero) + bool(second)),)
    elif mode.lower() not in MODES:
        start = 3 + len(name)
        anomalies = (Anomaly(MODE, ByteSpan(start, start + len(mode)), len(mode), 0),)
    return Message(opcode, text(name[:MAX_NAME]), text(mode[:MAX_NAME]).lower()), anomalies
