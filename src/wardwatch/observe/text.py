"""Addresses and text from outside, as they stand in tables."""

from __future__ import annotations

from functools import lru_cache

from wardwatch.decode.wire.reader import ip6_text

_WORD = 0xFFFFFFFFFFFFFFFF


@lru_cache(maxsize=65_536)
def mac_of(number: int) -> str:
    """A 48-bit number as ``00:1b:…``."""
    return (number & 0xFFFFFFFFFFFF).to_bytes(6, "big").hex(":")


@lru_cache(maxsize=65_536)
def ip_of(net: int, high: int, low: int) -> str:
    """An address of the columns as text; "" without IP (``net`` 0)."""
    if net == 4:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    if net == 6:
        whole = (high & _WORD) << 64 | (low & _WORD)
        return ip6_text(whole.to_bytes(16, "big"))
    return ""


@lru_cache(maxsize=16_384)
def ip6_of(raw: bytes) -> str:
    """Sixteen octets of a message as an address."""
    return ip6_text(raw)


def printable(text: str) -> str:
    """Text from outside with control and unprintable characters escaped, on one line."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )
