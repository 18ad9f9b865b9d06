"""Reading bytes that may not be there: short and silent past the end, text made safe.

Every parser of datagrams goes through here. A slice past the end is short; a number of which
bytes are missing is read from those present (zero without any): whoever cares compares lengths
first and names what is missing.
"""

from __future__ import annotations

import struct

MAX_TEXT = 1024
"""Characters kept of one text: names are shorter; a 64 KB option would only fill the tables."""


_GROUPS = struct.Struct(">8H")
_ZEROS = tuple(":" + "0:" * count for count in range(8, 1, -1))
"""Runs of zero groups as they are written, the longest first."""


def u8(data: bytes, at: int) -> int:
    """The octet at ``at``; 0 past the end."""
    return data[at] if 0 <= at < len(data) else 0


def u16(data: bytes, at: int) -> int:
    """Two octets, network byte order."""
    return int.from_bytes(data[at : at + 2], "big")


def u24(data: bytes, at: int) -> int:
    """Three octets, network byte order."""
    return int.from_bytes(data[at : at + 3], "big")


def u32(data: bytes, at: int) -> int:
    """Four octets, network byte order."""
    return int.from_bytes(data[at : at + 4], "big")


def ip4_text(raw: bytes) -> str:
    """Four octets as a dotted quad; "" for any other number of them."""
    if len(raw) != 4:
        return ""
    return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}"


def ip6_text(raw: bytes) -> str:
    """Sixteen octets as RFC 5952 writes them, the same on every Python; "" for other lengths."""
    if len(raw) != 16:
        return ""
    if raw[:12] == b"\0" * 10 + b"\xff\xff":  # RFC 5952 §5: mixed notation for this prefix
        return "::ffff:" + ip4_text(raw[12:])
    a, b, c, d, e, f, g, h = _GROUPS.unpack(raw)
    written = f":{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}:{g:x}:{h:x}:"
    # RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals
    for zeros in _ZEROS:
        head, found, tail = written.partition(zeros)
        if found:
            return f"{head[1:]}::{tail[:-1]}"
    return written[1:-1]


def ip_text(raw: bytes) -> str:
    """An IPv4 or IPv6 address by its length; "" for any other."""
    return ip4_text(raw) if len(raw) == 4 else ip6_text(raw)


def ip4_list(raw: bytes) -> tuple[str, ...]:
    """Dotted quads, end to end; a rest of fewer than four octets is left out."""
    return tuple(ip4_text(raw[k : k + 4]) for k in range(0, len(raw) - 3, 4))


def ip6_list(raw: bytes) -> tuple[str, ...]:
    """IPv6 addresses, end to end; a rest of fewer than sixteen octets is left out."""
    return tuple(ip6_text(raw[k : k + 16]) for k in range(0, len(raw) - 15, 16))


def text(raw: bytes, limit: int = MAX_TEXT) -> str:
    """Bytes from outside as text that cannot act: controls, bidi marks and bad UTF-8 escaped.

    A backslash stays one: boot files of Windows servers are full of them.
    """
    found = raw[:limit].decode("utf-8", "backslashreplace")
    if found.isprintable():
        return found
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in found
    )


def c_text(raw: bytes) -> str:
    """Text up to its first NUL, as the fixed fields of BOOTP and TFTP hold it."""
    return text(raw.partition(b"\0")[0])


def trimmed(raw: bytes) -> str:
    """Text without the NULs some senders put behind it (RFC 2132 §2 has receivers trim them)."""
    return text(raw.rstrip(b"\0"))


def text_or_hex(raw: bytes) -> str:
    """Printable ASCII as itself, anything else as hex."""
    if raw and all(0x20 <= octet < 0x7F for octet in raw):
        return raw[:MAX_TEXT].decode("ascii")
    return raw[:MAX_TEXT].hex()
