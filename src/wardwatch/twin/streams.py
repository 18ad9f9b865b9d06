"""Streams: whole messages out of a TCP stream, each bounded in octets and in patience."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CLOSE_S = 1.0


async def pieces(
    reader: asyncio.StreamReader,
    unframed: Callable[[bytes], tuple[list[bytes], bytes]],
    longest: int,
    idle_s: float,
) -> AsyncIterator[bytes]:
    """Whole messages as they come; ends with the stream, or where one is longer than is read.

    :raises TimeoutError: nothing came for ``idle_s``.
    """
    buffer = b""
    while len(buffer) <= longest:
        part = await asyncio.wait_for(reader.read(65_536), idle_s)
        if not part:
            return
        found, buffer = unframed(buffer + part)
        for one in found:
            yield one


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, and see the socket gone: politely, or after a second without."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), CLOSE_S)
    except (OSError, TimeoutError):
        writer.transport.abort()
