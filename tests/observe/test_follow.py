"""wardwatch.observe.follow"""

import pytest
from tests.observe.talk import Mark, Talk

from wardwatch.decode.stream import Chunk, Stream
from wardwatch.observe import follow
from wardwatch.observe.follow import Inbox, Shared
from wardwatch.observe.tables import Spool
from wardwatch.observe.where import Where

WHERE = Where(1, 1, 0, "untagged")
LATER = Where(1, 2, 0, "untagged")


def box() -> tuple[Inbox, Stream[Where]]:
    stream: Stream[Where] = Stream()
    stream.feed(0, 2, b"", WHERE)
    return Inbox(stream), stream


def test_an_inbox_gives_what_it_got() -> None:
    inbox, _ = box()
    assert inbox.feed(Chunk(0, b"abc", WHERE)) == 0
    assert inbox.feed(Chunk(3, b"def", LATER)) == 3
    assert (inbox.previous, inbox.mark) == (WHERE, LATER)
    assert inbox.take(4) == b"abcd" and inbox.start == 4 and len(inbox) == 2


def test_skipping_beyond_what_is_here_asks_the_stream_not_to_bring_it() -> None:
    inbox, stream = box()
    inbox.feed(Chunk(0, b"abc", WHERE))
    inbox.skip(10)
    assert stream.unwanted() == (1, 11)
    inbox.feed(Chunk(3, b"0123456789", WHERE))  # came in one go with what asked to skip
    assert (inbox.take(3), inbox.start) == (b"789", 13)


def test_behind_a_gap_an_inbox_begins_anew() -> None:
    inbox, _ = box()
    inbox.feed(Chunk(0, b"abc", WHERE))
    inbox.clear()
    assert (len(inbox), inbox.start) == (0, 3)
    inbox.feed(Chunk(9, b"x", WHERE))
    assert (inbox.start, bytes(inbox.data)) == (9, b"x")


def test_expected_data_connections_are_bounded() -> None:
    shared = Shared(Spool(), Mark(), None)  # type: ignore[arg-type]
    for port in range(follow.MAX_EXPECTED + 5):
        shared.expect("10.0.0.1", port)
    assert len(shared.expected) == follow.MAX_EXPECTED
    assert ("10.0.0.1", 0) not in shared.expected


@pytest.mark.parametrize("size", [0, 2, 3, 9])
def test_fed_past_a_chunk_is_as_fed_and_skipped(size: int) -> None:
    chunk = Chunk(7, b"abc", LATER)
    one, first = box()
    one.feed(chunk)
    one.skip(size)
    two, second = box()
    two.feed_past(chunk, size)
    assert (one.start, one.data, one.mark, one.previous) == (
        two.start,
        two.data,
        two.mark,
        two.previous,
    )
    assert first.unwanted() == second.unwanted()


def test_rows_say_where_they_come_from() -> None:
    row = Talk(21).opens().server(b"220 x FTP\r\n").row("banners")
    assert (row["capture"], row["packet"], row["ts"], row["segment"], row["conversation"]) == (
        1,
        4,
        4 * 10**9,
        "vlan 7",
        1,
    )
