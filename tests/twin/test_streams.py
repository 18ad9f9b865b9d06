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


def test_who_is_cancelled_while_an_answer_comes_is_cancelled() -> None:
    """At whichever turn of the loop: a client that goes on is one that nobody can end."""

    async def cancelled(turns: int) -> bool:
        reader = asyncio.StreamReader()
        whole = pieces(reader, lambda raw: ([raw], b""), 100, 60.0)
        task = asyncio.ensure_future(anext(whole))
        for _ in range(5):
            await asyncio.sleep(0)
        reader.feed_data(b"answer")
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(found, asyncio.CancelledError) == asked
        return asked

    assert asyncio.run(cancelled(0))
    assert not asyncio.run(cancelled(9))
    for turns in range(1, 9):
        asyncio.run(cancelled(turns))
