"""HTTP/1 heads (RFC 9112): start line and the few fields that tell of devices and of length.

The request target, cookies and all other fields are read over and never leave this module: a
target may hold a patient's name.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from wardwatch.decode.wire.reader import text
from wardwatch.model.evidence import Anomaly, ByteSpan, Fault

START_LINE = Fault("http_start_line", "RFC 9112 §3, §4: no request line and no status line")
FIELD_LINE = Fault("http_field_line", "RFC 9112 §5: no field name and colon, or a blank before it")
CONTENT_LENGTH = Fault("http_content_length", "RFC 9112 §6.3: invalid or differing Content-Length")
BOTH_LENGTHS = Fault(
    "http_both_lengths", "RFC 9112 §6.3: Transfer-Encoding and Content-Length together"
)
CHUNK_SIZE = Fault("http_chunk_size", "RFC 9112 §7.1: chunk-size is 1*HEXDIG")
HEAD_TOO_LONG = Fault("http_head_too_long", "RFC 6585 §5: a head longer than servers take")
BASIC = Fault("http_basic_credentials", "RFC 7617 §2: credentials are base64 of user-id:password")
FAULTS: tuple[Fault, ...] = (
    START_LINE,
    FIELD_LINE,
    CONTENT_LENGTH,
    BOTH_LENGTHS,
    CHUNK_SIZE,
    HEAD_TOO_LONG,
    BASIC,
)

LONGEST_HEAD = 32 * 1024
"""Octets of a head: servers refuse heads over 8 to 32 KiB."""
MAX_FIELDS = 256
"""Field lines read of one head; servers take about a hundred."""
_SHOWN = 256

_METHODS = """
    GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH
    PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH
    SUBSCRIBE UNSUBSCRIBE NOTIFY M-SEARCH M-POST
"""  # RFC 9110 §9, RFC 5789, RFC 4918, UPnP
METHODS = tuple(_METHODS.split())


class Head(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a head. ``method`` "" for a response, ``status`` -1 for a request."""

    method: str
    status: int
    version: str
    host: str = ""
    user_agent: str = ""
    server: str = ""
    content_type: str = ""
    content_length: int = -1
    chunked: bool = False
    auth_scheme: str = ""
    credentials: bytes = b""
    """Of Authorization: Basic, to be turned into a digest at once and dropped."""
    soap_action: str = ""


def looks_like(head: bytes) -> bool:
    """Whether bytes begin with a request or a status line."""
    return _BEGINS.match(head) is not None


def parse(payload: bytes) -> tuple[Head | None, tuple[Anomaly, ...]]:
    """Read a head, from the start line to (or without) the empty line."""
    anomalies: list[Anomaly] = []
    end = payload.find(b"\n")
    end = len(payload) if end < 0 else end
    start = payload[:end].rstrip(b"\r")
    if _SIMPLE.fullmatch(start) is not None:
        return Head("GET", -1, "HTTP/0.9"), ()
    request, status = _REQUEST.fullmatch(start), _STATUS.match(start)
    if request is None and status is None:
        return None, (Anomaly(START_LINE, ByteSpan(0, end)),)
    fields: dict[bytes, list[bytes]] = {}
    at = end + 1
    count = 0
    while at < len(payload) and count < MAX_FIELDS:
        end = payload.find(b"\n", at)
        end = len(payload) if end < 0 else end
        line = payload[at:end].rstrip(b"\r")
        if not line:
            break
        count += 1
        name, colon, value = line.partition(b":")
        if line[:1] in b" \t":
            pass  # RFC 9112 §5.2: obsolete folding; nothing kept here is ever folded
        elif not colon or not name or name != name.strip():
            anomalies.append(Anomaly(FIELD_LINE, ByteSpan(at, end)))
        elif (key := name.lower()) in _KEPT:
            fields.setdefault(key, []).append(value.strip())
        at = end + 1
    length = _length(fields, anomalies, min(at, len(payload)))
    scheme, credentials = _authorization(fields)
    found = Head(
        method=request[1].decode("ascii") if request else "",
        status=int(status[2]) if status and not request else -1,
        version=(request[2] if request else status[1] if status else b"").decode("ascii"),
        host=text(_HOST.sub(b"", fields.get(b"host", [b""])[0]), _SHOWN),
        user_agent=_text(fields, b"user-agent"),
        server=_text(fields, b"server"),
        content_type=_text(fields, b"content-type").partition(";")[0].strip().lower(),
        content_length=length,
        chunked=_last(fields, b"transfer-encoding").lower().endswith(b"chunked"),
        auth_scheme=scheme,
        credentials=credentials,
        soap_action=_text(fields, b"soapaction").strip('"').partition("?")[0],
    )
    return found, tuple(anomalies)


def parse_basic(credentials: bytes) -> tuple[tuple[bytes, bytes] | None, tuple[Anomaly, ...]]:
    """User and secret: what stands before and behind the first colon (RFC 7617 §2)."""
    try:
        said = base64.b64decode(credentials, validate=True)
    except (binascii.Error, ValueError):
        said = b""
    user, colon, secret = said.partition(b":")
    if not colon:
        return None, (Anomaly(BASIC, ByteSpan(0, len(credentials))),)
    return (user, secret), ()


def parse_chunk_size(line: bytes) -> tuple[int | None, tuple[Anomaly, ...]]:
    """The size of a chunk from its line, extensions dropped; at most 16 digits are a size."""
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 16 or digits.strip(_HEX):
        return None, (Anomaly(CHUNK_SIZE, ByteSpan(0, len(line))),)
    return int(digits, 16), ()


_HEX = b"0123456789abcdefABCDEF"
_KEPT = frozenset(
    [
        b"host",
        b"user-agent",
        b"server",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"www-authenticate",
        b"soapaction",
    ]
)
_NAMES = b"|".join(m.encode() for m in METHODS)
_BEGINS = re.compile(rb"(?:(?:" + _NAMES + rb") [^\s]|HTTP/1\.[01] \d\d\d)")
_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) +[^ ]* +(HTTP/\d\.\d)[\d.]{0,8} *")
_SIMPLE = re.compile(rb"GET +/[^ ]*")  # RFC 1945 §4.1: Simple-Request, HTTP/0.9
_HOST = re.compile(rb"^.*@|[/?#].*", re.DOTALL)  # RFC 9110 §7.2: neither userinfo nor target
_STATUS = re.compile(rb"(HTTP/\d\.\d) +(\d{3})(?:\D|$)")


def _last(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    return fields.get(name, [b""])[-1]


def _text(fields: dict[bytes, list[bytes]], name: bytes) -> str:
    return text(fields.get(name, [b""])[0], _SHOWN)


def _length(fields: dict[bytes, list[bytes]], anomalies: list[Anomaly], end: int) -> int:
    values = {v for said in fields.get(b"content-length", ()) for v in said.split(b",")}
    sizes = {int(v) for v in values if v.strip().isdigit() and len(v) <= 18}
    if len(sizes) != len(values) or len(sizes) > 1:
        anomalies.append(Anomaly(CONTENT_LENGTH, ByteSpan(0, end), len(values), len(sizes)))
    if sizes and b"transfer-encoding" in fields:
        anomalies.append(Anomaly(BOTH_LENGTHS, ByteSpan(0, end)))
    return min(sizes, default=-1)


def _authorization(fields: dict[bytes, list[bytes]]) -> tuple[str, bytes]:
    given = _last(fields, b"authorization")
    scheme, blank, rest = (given or _last(fields, b"www-authenticate")).partition(b" ")
    if given and not blank:
        return "", b""  # RFC 9110 §11.4: credentials without a scheme are all secret
    basic = scheme.lower() == b"basic" and b"authorization" in fields
    return text(scheme, 32), rest.strip() if basic else b""
