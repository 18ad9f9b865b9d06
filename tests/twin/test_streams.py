"""Whole messages come out of a stream however it was cut; a bound ends it."""

import asyncio

import pytest

from wardwatch.twin import soap
from wardwatch.twin.streams import pieces


def read(parts: list[bytes], longest: int = 10_000, *, ends: bool = True) -> list[bytes]:
    async def run() -> list[bytes]:
        reader = asyncio.StreamReader()
        found: list[bytes] = []

        async def take() -> None:
            patience = 0.05 if not ends else 10
            found.extend([one async for one in pieces(reader, soap.unframed, longest, patience)])

        task = asyncio.create_task(take())
        for part in parts:
            reader.feed_data(part)
            await asyncio.sleep(0)
        if ends:
            reader.feed_eof()
        await task
        return found

    return asyncio.run(run())


def test_any_cut_gives_the_same_messages() -> None:
    whole = soap.written("A", {"n": 1}) + soap.written("B", {"n": 2})
    expected = read([whole])
    assert len(expected) == 2
    for size in (1, 7, 64, 150):
        parts = [whole[n : n + size] for n in range(0, len(whole), size)]
        assert read(parts) == expected


def test_a_message_without_end_ends_the_stream() -> None:
    # It would be a timeout if more of it were waited for.
    assert read([b"x" * 900 for _ in range(20)], longest=1000, ends=False) == []


def test_silence_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        read([b"x"], ends=False)
