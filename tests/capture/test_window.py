"""The window moves along a stream, keeps what is not used, and knows where it stands."""

from io import BytesIO

import pytest

from wardwatch.capture.source import Source, Stored
from wardwatch.capture.window import Window


def window(raw, capacity=16):
    return Window(Source(Stored(BytesIO(raw), "x")), capacity)


RAW = bytes(range(100))


def test_what_is_not_used_moves_to_the_front_and_the_offset_tells_the_place_in_the_stream():
    w = window(RAW)
    assert w.more()
    assert (w.at, w.stop, w.offset) == (0, 16, 0)
    w.at = 13
    assert w.more()
    assert (w.offset, w.left, w.bytes(5)) == (13, 16, bytes([13, 14, 15, 16, 17]))


def test_it_ends_where_the_stream_ends():
    w = window(RAW[:10])
    assert w.ensure(10)
    assert not w.ensure(11)
    assert not w.more()
    assert (w.left, w.bytes(99)) == (10, RAW[:10])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 50, 100])
def test_passing_over_bytes_may_go_far_beyond_its_size(size):
    w = window(RAW)
    assert w.skip(size) == size
    assert w.offset == size
    assert (w.bytes(1) if w.ensure(1) else b"") == RAW[size : size + 1]


def test_passing_over_more_than_there_is_tells_how_much_there_was():
    w = window(RAW)
    w.more()
    w.at = 3
    assert w.skip(200) == 97
