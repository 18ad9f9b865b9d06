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
        # not ``wait_for``: before Python 3.12 it forgets a cancellation that comes with an answer
        async with asyncio.timeout(idle_s):
            part = await reader.read(65_536)
        if not part:
            return
        found, buffer = unframed(buffer + part)
        for one in found:
            yield one


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, and see the socket gone: politely, or after a second without."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
