"""Telnet (RFC 854): negotiation told apart from text, prompts recognised."""

from __future__ import annotations

import re

import msgspec

from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

SUBNEGOTIATION_UNENDED = Fault(
    "telnet_subnegotiation_unended", "RFC 855: SB without IAC SE behind its parameters"
)
AUTHENTICATION_SHORT = Fault(
    "telnet_authentication_short", "RFC 2941 §2: IS, REPLY and SEND carry type and modifier pairs"
)
COMMAND_UNKNOWN = Fault("telnet_command_unknown", "RFC 854: octet behind IAC is no command code")
FAULTS: tuple[Fault, ...] = (SUBNEGOTIATION_UNENDED, AUTHENTICATION_SHORT, COMMAND_UNKNOWN)

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ECHO, AUTHENTICATION = 1, 37
LONGEST_SUBNEGOTIATION = 2048
"""Octets of SB … IAC SE; environments (RFC 1572) are the longest and stay well below."""
_LOWEST_COMMAND = 236  # EOF, SUSP, ABORT (RFC 1184), EOR (RFC 885) are the lowest


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Text without negotiation, what was negotiated, and what is not complete yet."""

    text: bytes
    options: tuple[tuple[int, int], ...]
    """WILL, WONT, DO or DONT, and the option."""
    subnegotiations: tuple[tuple[int, bytes], ...]
    rest: bytes
    """A command cut at the end: to be put before the next bytes."""


def parse(payload: bytes) -> tuple[Piece | None, tuple[Anomaly, ...]]:
    """Read bytes of one side, in order; what is incomplete at the end comes back in ``rest``."""
    at = payload.find(b"\xff")
    if at < 0:
        return Piece(payload, (), (), b""), ()
    words = bytearray(payload[:at])
    options: list[tuple[int, int]] = []
    subs: list[tuple[int, bytes]] = []
    anomalies: list[Anomaly] = []
    end = len(payload)
    rest = b""
    while at < end:
        if payload[at] != IAC:
            stop = payload.find(b"\xff", at)
            stop = end if stop < 0 else stop
            words += payload[at:stop]
            at = stop
            continue
        code = payload[at + 1] if at + 1 < end else -1
        if code < 0 or (WILL <= code <= DONT and at + 2 >= end):
            rest = payload[at:]
            break
        if code == IAC:
            words.append(IAC)
            at += 2
        elif WILL <= code <= DONT:
            options.append((code, payload[at + 2]))
            at += 3
        elif code == SB:
            stop, parameters = _subnegotiation(payload, at + 2)
            if stop < 0 and end - at <= LONGEST_SUBNEGOTIATION:
                rest = payload[at:]
                break
            if stop < 0:
                span = ByteSpan(at, end)
                fault = Anomaly(SUBNEGOTIATION_UNENDED, span, LONGEST_SUBNEGOTIATION, end - at)
                anomalies.append(fault)
                break
            if parameters:
                subs.append((parameters[0], parameters[1:]))
                if parameters[0] == AUTHENTICATION:
                    _authentication(parameters, at, stop, anomalies)
            at = stop
        else:
            if code < _LOWEST_COMMAND:
                anomalies.append(Anomaly(COMMAND_UNKNOWN, ByteSpan(at, at + 2), code))
            at += 2
    return Piece(bytes(words), tuple(options), tuple(subs), rest), tuple(anomalies)


def _subnegotiation(payload: bytes, at: int) -> tuple[int, bytes]:
    """Where it ends (-1: not here) and its parameters, IAC IAC undone."""
    stop = _PARAMETERS.match(payload, at).end()  # type: ignore[union-attr] # it may be empty
    if stop + 1 >= len(payload):
        return -1, b""
    # SE; any other command ends it too, or the rest of the session would vanish
    return stop + 2, payload[at:stop].replace(b"\xff\xff", b"\xff")


def _authentication(parameters: bytes, at: int, stop: int, anomalies: list[Anomaly]) -> None:
    """RFC 2941 §2: IS (0) and REPLY (2) pair + data; SEND (1) pairs; NAME (3) a name."""
    kind = parameters[1] if len(parameters) > 1 else -1
    body = len(parameters) - 2
    short = (
        kind < 0
        or (kind in (0, 2) and body < 2 and not (kind == 0 and parameters[2:3] == b"\0"))
        or (kind == 1 and (body < 2 or body % 2))
        or (kind == 3 and body < 1)
    )
    if short:
        anomalies.append(Anomaly(AUTHENTICATION_SHORT, ByteSpan(at, stop), 2, max(body, 0)))


def may_ask(line: bytes | bytearray) -> bool:
    """Whether the text at the end of a server's output may be a prompt.

    It is not by far the most often: an echo, or the middle of a line.
    """
    return len(line) > 0 and (line[-1] in _ENDS or 0x1B in line)


def prompt(line: bytes) -> str:
    """What the text at the end of a server's output asks for: user, password, command or ""."""
    if not may_ask(line):
        return ""
    shown = _ESCAPES.sub(b"", line).strip(b"\r\n\0")
    asked = shown.rstrip(b" ")
    spaces = len(shown) - len(asked)
    if spaces > 2:
        return ""
    if asked.endswith(b":"):
        tail = asked[-_LONGEST_QUESTION:].lower()
        if _PASSWORD.search(tail):
            return "password"
        return "user" if _USER.search(tail) and not welcomed(shown) else ""
    if asked.endswith((b"$", b"#", b"%", b">")):
        if len(asked) == 1:
            return "command" if spaces < 2 else ""
        before = asked[:-1].rpartition(b"\n")[2]
        return "command" if before[-_LONGEST_NAME:].strip() else ""
    return ""


def refused(said: bytes) -> bool:
    """Whether a server says that a login failed, in at most ``LONGEST_OUTCOME`` octets in a row."""
    return _REFUSED.search(said.lower()) is not None


def welcomed(said: bytes) -> bool:
    """Whether a server says that a login succeeded, in as many at most."""
    return _LAST.search(said.lower()) is not None


LONGEST_OUTCOME = 39
"""Octets that tell whether a login succeeded, at most: who hears more of it need look at no more
of what was heard before."""

_PARAMETERS = re.compile(rb"[^\xff]*+(?:\xff\xff[^\xff]*+)*+")
_ENDS = frozenset(b":$#%> \r\n\0")
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]{0,16}[ -/]{0,4}[@-~]|\][^\x07]{0,64}\x07|[@-Z])")  # ECMA-48
# Of lower case, and of the end alone: an echo asks for every octet, and to search all of a line for
# what nobody asks took a hundred times as long as all else that is done for a packet.
_LONGEST_QUESTION = 8 + 40 + 1
_PASSWORD = re.compile(rb"(?:password|passcode|passwd)[^:\n]{0,40}:\Z")
_USER = re.compile(rb"(?:login|user ?name|user|account) ?:\Z")
_LONGEST_NAME = 79
"""Octets before a shell's ``$`` that are looked at."""
_LAST = re.compile(rb"last (?:interactive |successful )?login\b")
_REFUSED = re.compile(
    rb"login incorrect|login failed|incorrect login|authentication (?:failed|failure)|access denied"
    rb"|permission denied|(?:bad|wrong|invalid|incorrect) (?:password|passwd|login|user)"
    rb"|(?:password|login|user ?name|user)[a-z ]{0,20} (?:incorrect|invalid|failed|rejected)"
)
