"""wardwatch.observe.apart: blocks that another process reads."""

import contextlib
import os
import signal
import threading

import pytest
from tests.observe.blocks import Nowhere, forks

from wardwatch.capture import open_capture
from wardwatch.decode.kernels import headers
from wardwatch.errors import InputError
from wardwatch.observe import apart
from wardwatch.observe.ahead import APART, decoded


@forks
def test_blocks_that_are_out_keep_their_bytes(capture) -> None:
    places = Nowhere()
    with open_capture(capture) as reader:
        for given in decoded(reader, headers.Events(), places, way=APART):
            block = given.block
            kept = [block.arena.copy(), block.offset[: block.n].copy(), given.columns.seq.copy()]
            for _ in range(50):  # time for the reader to go on as far as it may
                threading.Event().wait(0.0002)
                assert (given.segment[: block.n] == block.first).all()
            assert (block.arena == kept[0]).all()
            assert (block.offset[: block.n] == kept[1]).all()
            assert (given.columns.seq == kept[2]).all()
            assert places.heard[-1] == f"[{block.first}]"
        assert reader.result.packets == block.first + block.n - 1
    assert apart.OUTSTANDING >= 2


@forks
def test_who_stops_early_does_not_wait_for_a_pipe_that_never_ends(capture, monkeypatch) -> None:
    reads, writes = os.pipe()
    hung, written = threading.Event(), threading.Event()

    def fill() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(os.dup(writes), "wb") as pipe:
            pipe.write(capture.read_bytes()[:3_000_000])
        written.set()

    threading.Thread(target=fill).start()

    def end() -> None:
        hung.set()
        os.close(writes)

    late = threading.Timer(30, end)
    late.start()
    with os.fdopen(reads, "rb", buffering=0) as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream}))
        with open_capture("-") as reader:
            blocks = decoded(reader, headers.Events(), Nowhere(), way=APART)
            assert next(blocks).block.n > 50
            blocks.close()
    late.cancel()
    os.close(writes)
    assert written.wait(30)
    assert not hung.is_set()


@forks
def test_what_goes_wrong_there_is_raised_here(capture, monkeypatch) -> None:
    def broken(*given):
        raise MemoryError("no room")

    monkeypatch.setattr(headers, "decode_block", broken)
    with open_capture(capture) as reader, pytest.raises(MemoryError, match="no room"):
        list(decoded(reader, headers.Events(), Nowhere(), way=APART))


@forks
def test_who_is_ended_from_outside_is_missed_by_name(capture, monkeypatch) -> None:
    def ended(*given):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(headers, "decode_block", ended)
    with open_capture(capture) as reader, pytest.raises(InputError, match="ended from outside"):
        list(decoded(reader, headers.Events(), Nowhere(), way=APART))
