"""FTP control connection (RFC 959): one command line or one reply, and where data will flow.

Secrets pass through :func:`parse_command` only as ``argument``; whoever keeps a command asks
:func:`shown_argument` what of it may be kept.
"""

from __future__ import annotations

import re

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

COMMAND_TOO_LONG = Fault(
    "ftp_command_too_long", "RFC 959 §5.3: a command line longer than servers take (512 octets)"
)
COMMAND_CODE = Fault("ftp_command_code", "RFC 959 §4: command codes are four or fewer letters")
COMMAND_REPEATED = Fault(
    "ftp_command_code_repeated", "RFC 959 §5.3: the argument begins with the command code again"
)
REPLY_CODE = Fault("ftp_reply_code", "RFC 959 §4.2: a reply begins with three digits, 1xx to 6xx")
HOST_PORT = Fault("ftp_host_port", "RFC 959 §5.3.2, RFC 2428 §2: host and port cannot be read")
FAULTS: tuple[Fault, ...] = (
    COMMAND_TOO_LONG,
    COMMAND_CODE,
    COMMAND_REPEATED,
    REPLY_CODE,
    HOST_PORT,
)

LONGEST_COMMAND = 512
"""Octets of a command line that common servers take."""

LONGEST_ARGUMENT = 8192
"""Octets of an argument that are kept: twice the longest path of common systems (PATH_MAX)."""

TRANSFERS = frozenset(
    ["RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"]  # RFC 959 §5.3, RFC 3659 §7
)
_OTHERS = """
    USER PASS ACCT CWD CDUP SMNT REIN QUIT PORT PASV TYPE STRU MODE ALLO REST RNFR RNTO ABOR DELE
    RMD MKD PWD SITE SYST STAT HELP NOOP
    XCUP XCWD XMKD XPWD XRMD
    AUTH ADAT PROT PBSZ CCC MIC CONF ENC
    FEAT OPTS LANG EPRT EPSV MDTM MLST SIZE HOST CLNT MFMT
"""  # RFC 959 §4.1, RFC 775, RFC 2228, RFC 2389, RFC 2428, RFC 3659, RFC 7151 and common ones
VERBS = TRANSFERS | frozenset(_OTHERS.split())
_SECRET = frozenset(["PASS", "ACCT", "SITE", "ADAT", "MIC", "CONF", "ENC"])
"""Commands whose argument is, or (SITE PSWD) may be, a secret."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command line: verb in upper case, the rest as sent."""

    verb: str
    argument: bytes


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One line of a reply; ``more`` on the first line of a multi-line reply."""

    code: int
    more: bool
    text: bytes


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """Where a data connection will be opened to; ``host`` "" : the server's own address."""

    host: str
    port: int


def parse_command(line: bytes) -> tuple[Command | None, tuple[Anomaly, ...]]:
    """Read one line of the user, without its end-of-line."""
    anomalies = []
    said = line.lstrip(b" \t")
    lead = len(line) - len(said)
    verb, _, argument = said.partition(b" ")
    verb = verb.rstrip()
    if len(line) > LONGEST_COMMAND:
        span = ByteSpan(LONGEST_COMMAND, len(line))
        anomalies.append(Anomaly(COMMAND_TOO_LONG, span, LONGEST_COMMAND, len(line)))
    if not verb.isalpha() or len(verb) > 4:
        span = ByteSpan(lead, lead + len(verb))
        anomalies.append(Anomaly(COMMAND_CODE, span, 4, len(verb)))
        return None, tuple(anomalies)
    code = verb.upper()
    again, blank, rest = argument.partition(b" ")
    if blank and rest and again.upper() == code:
        start = len(line) - len(argument)
        anomalies.append(Anomaly(COMMAND_REPEATED, ByteSpan(start, start + len(again))))
    return Command(code.decode("ascii", "replace"), argument), tuple(anomalies)


def parse_reply(line: bytes) -> tuple[Reply | None, tuple[Anomaly, ...]]:
    """Read one line of the server, without its end-of-line (the first line of a reply)."""
    digits = line[:3]
    if len(digits) < 3 or not digits.isdigit() or not 49 <= digits[0] <= 54:
        return None, (Anomaly(REPLY_CODE, ByteSpan(0, min(len(line), 3))),)
    mark = line[3:4]
    return Reply(int(digits), mark == b"-", line[4:]), ()


def shown_argument(command: Command) -> str:
    """What of the argument may be kept: nothing of a secret, nothing of an unknown command."""
    if command.verb in _SECRET or command.verb not in VERBS:
        return ""
    return text(command.argument, LONGEST_ARGUMENT)


def parse_port(argument: bytes) -> tuple[Endpoint | None, tuple[Anomaly, ...]]:
    """The argument of PORT: ``h1,h2,h3,h4,p1,p2``."""
    found = _SIX.fullmatch(argument.strip())
    if found is None or any(int(n) > 255 for n in found.groups()):
        return None, (Anomaly(HOST_PORT, ByteSpan(0, len(argument))),)
    return _endpoint(found), ()


def parse_pasv(said: bytes) -> tuple[Endpoint | None, tuple[Anomaly, ...]]:
    """The text of a 227 reply, whose six numbers stand anywhere (RFC 1123 §4.1.2.6)."""
    found = _SIX.search(said)
    if found is None or any(int(n) > 255 for n in found.groups()):
        return None, (Anomaly(HOST_PORT, ByteSpan(0, len(said))),)
    return _endpoint(found), ()


def parse_extended(said: bytes) -> tuple[Endpoint | None, tuple[Anomaly, ...]]:
    """The argument of EPRT (``|2|::1|2121|``) or text of a 229 reply (``(|||2121|)``)."""
    found = _EXTENDED.search(said)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65536:
        return None, (Anomaly(HOST_PORT, ByteSpan(0, len(said))),)
    return Endpoint(found["host"].decode("ascii", "replace").lower(), port), ()


def _endpoint(found: re.Match[bytes]) -> Endpoint:
    h1, h2, h3, h4, p1, p2 = (int(n) for n in found.groups())
    return Endpoint(f"{h1}.{h2}.{h3}.{h4}", p1 << 8 | p2)


_SIX = re.compile(rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")
# RFC 2428 §2: the delimiter is any character 33 to 126 but a digit; servers use "|".
_EXTENDED = re.compile(rb"([!-/:-~])[12]?\1(?P<host>[0-9A-Fa-f:.]{0,45})\1(?P<port>\d{1,5})\1")
