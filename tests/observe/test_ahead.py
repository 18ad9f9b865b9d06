"""wardwatch.observe.ahead: one thread, two or three, the rows are the same."""

import gzip
import threading

import pytest
from bench.mix import write as write_mix
from tests.conversations import many
from tests.observe.test_young import observed, write

from wardwatch.capture import open_capture
from wardwatch.decode.kernels import headers
from wardwatch.observe.ahead import OUTSTANDING, decoded


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Eight megabytes: half a dozen blocks, and as many turns of the arenas."""
    path = tmp_path_factory.mktemp("ahead") / "mix.pcap"
    write_mix(path, 8, seed=5)
    return path


def test_the_tables_are_the_same(capture, tmp_path) -> None:
    one, _ = observed(capture, tmp_path / "key", threads=1)
    two, _ = observed(capture, tmp_path / "key", threads=2)
    three, observer = observed(capture, tmp_path / "key", threads=3)
    assert one == two == three
    assert observer.packets > 10_000


def test_packed_and_disturbed_captures_too(tmp_path) -> None:
    frames = many(2, 400, disturbed=0.6, largest=(1460, 60))
    plain = write(tmp_path / "a.pcap", frames * 3)
    packed = tmp_path / "a.pcap.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(plain.read_bytes()[:-7])
    for path in (plain, packed, cut):
        one, _ = observed(path, tmp_path / "key", threads=1)
        for threads in (2, 3):
            assert observed(path, tmp_path / "key", threads=threads)[0] == one


def test_blocks_that_are_out_keep_their_bytes(capture) -> None:
    with open_capture(capture) as reader:
        for given in decoded(reader, headers.Events(), threads=3):
            block = given.block
            kept = [block.arena.copy(), block.offset[: block.n].copy(), given.columns.seq.copy()]
            for _ in range(50):  # time for the reader to go on as far as it may
                threading.Event().wait(0.0002)
            assert (block.arena == kept[0]).all()
            assert (block.offset[: block.n] == kept[1]).all()
            assert (given.columns.seq == kept[2]).all()
    assert OUTSTANDING >= 2


def test_who_stops_early_leaves_no_thread_behind(capture) -> None:
    before = threading.active_count()
    with open_capture(capture) as reader:
        blocks = decoded(reader, headers.Events(), threads=3)
        next(blocks)
        blocks.close()
    assert threading.active_count() == before


def test_what_goes_wrong_in_the_other_thread_is_raised_here(capture, monkeypatch) -> None:
    def broken(*given):
        raise MemoryError("no room")

    monkeypatch.setattr(headers, "decode_block", broken)
    with open_capture(capture) as reader, pytest.raises(MemoryError, match="no room"):
        list(decoded(reader, headers.Events(), threads=3))


@pytest.mark.parametrize(
    "given",
    [[False, False], [True, False, True, False], [True, True, False]],
    ids=["none", "one of two", "none for the rest"],
)
def test_where_the_system_gives_no_threads_one_does_it_all(
    given, capture, tmp_path, monkeypatch
) -> None:
    """A file is read twice: what understands it, and what hashes behind its damage."""
    expected, _ = observed(capture, tmp_path / "key", threads=1)
    before, start, left = threading.active_count(), threading.Thread.start, list(given)

    def refused(thread: threading.Thread) -> None:
        if not left.pop(0):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert observed(capture, tmp_path / "key", threads=3)[0] == expected
    assert left == []
    assert threading.active_count() == before
