"""Banners: the first words of a server, and which protocol they belong to."""

from __future__ import annotations

import re

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

LINE_TOO_LONG = Fault(
    "banner_line_too_long", "RFC 4253 §4.2, RFC 5321 §4.5.3.1: a first line over 512 octets"
)
FAULTS: tuple[Fault, ...] = (LINE_TOO_LONG,)

LONGEST_LINE = 512
"""Octets of a greeting: RFC 5321 §4.5.3.1.5; RFC 4253 §4.2 allows 255."""
SHOWN = 200
"""Characters of a banner that are kept."""

_WORDS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("ssh", re.compile(rb"SSH-[12]\.")),
    ("smtp", re.compile(rb"220[ -].*E?SMTP", re.IGNORECASE)),
    ("ftp", re.compile(rb"220[ -].*FTP", re.IGNORECASE)),
    ("pop3", re.compile(rb"\+OK[ \r\n]")),
    ("imap", re.compile(rb"\* (OK|PREAUTH)[ \r\n]")),
    ("rfb", re.compile(rb"RFB \d{3}\.\d{3}\n")),
    ("nntp", re.compile(rb"20[01] .*NNTP", re.IGNORECASE)),
)


class Banner(msgspec.Struct, frozen=True, gc=False):
    """The first line of a server; ``protocol`` "" where its words name none."""

    protocol: str
    text: str


def parse(payload: bytes) -> tuple[Banner | None, tuple[Anomaly, ...]]:
    """Read the first line; ``None`` where it is no text."""
    end = payload.find(b"\n")
    line = payload[: end if end >= 0 else len(payload)].rstrip(b"\r\0 ")
    protocol = next((name for name, words in _WORDS if words.match(payload)), "")
    if not line or not is_text(line):
        return None, ()
    anomalies: tuple[Anomaly, ...] = ()
    if len(line) > LONGEST_LINE:
        span = ByteSpan(LONGEST_LINE, len(line))
        anomalies = (Anomaly(LINE_TOO_LONG, span, LONGEST_LINE, len(line)),)
    return Banner(protocol, text(line, SHOWN)[:SHOWN]), anomalies


def is_text(raw: bytes) -> bool:
    """Whether every octet may stand in a line of text (tabs yes, other controls no)."""
    return not raw.translate(None, _TEXT)


_TEXT = bytes([9, *range(32, 127), *range(128, 256)])
