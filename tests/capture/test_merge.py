"""Captures given together are read in the order their first packets came."""

import os

import pytest
from tests.capture.making import epb, idb, pcap, shb, spb

from wardwatch.capture import merge, open_capture, timeline
from wardwatch.capture.merge import first_time
from wardwatch.model.values import UNKNOWN_TIME


def files(tmp_path, **contents):
    for name, raw in contents.items():
        (tmp_path / name).write_bytes(raw)
    return {name: str(tmp_path / name) for name in contents}


def test_files_are_read_by_their_first_packet_and_keep_the_numbers_they_were_given(tmp_path):
    late, early, mid = pcap((300, 0, b"l")), pcap((100, 0, b"e")), pcap((200, 0, b"m"))
    named = files(tmp_path, late=late, early=early, mid=mid)
    order = timeline([named["late"], named["early"], named["mid"]])
    assert order == [(2, named["early"]), (3, named["mid"]), (1, named["late"])]


def test_what_tells_no_time_keeps_its_place(tmp_path):
    named = files(tmp_path, late=pcap((300, 0, b"l")), empty=pcap(), early=pcap((100, 0, b"e")))
    missing = str(tmp_path / "missing")
    order = timeline([named["late"], "-", named["empty"], missing, named["early"]])
    assert [number for number, _ in order] == [5, 2, 3, 4, 1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_never_looked_into_for_what_it_gives_is_gone(tmp_path, monkeypatch):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    named = files(tmp_path, late=pcap((300, 0, b"l")), early=pcap((100, 0, b"e")))
    opened = []

    def noted(path):
        assert path != pipe
        opened.append(path)
        return open_capture(path)

    monkeypatch.setattr(merge, "open_capture", noted)
    order = timeline([named["late"], pipe, named["early"]])
    assert [n for n, _ in order] == [3, 2, 1]
    assert sorted(opened) == sorted(named.values())


def test_files_of_the_same_time_keep_the_order_given(tmp_path):
    named = files(tmp_path, b=pcap((1, 0, b"b")), a=pcap((1, 0, b"a")))
    assert [n for n, _ in timeline([named["b"], named["a"]])] == [1, 2]


def test_the_first_stamp_that_is_told_counts(tmp_path):
    raw = shb() + idb() + spb(b"no time") + epb(b"x", ticks=5_000_000)
    named = files(tmp_path, some=raw, none=shb() + idb() + spb(b"x"), cut=pcap((9, 0, b"x"))[:30])
    assert first_time(named["some"]) == 5_000_000_000
    assert first_time(named["none"]) == UNKNOWN_TIME
    assert first_time(named["cut"]) == UNKNOWN_TIME
    assert timeline([named["some"]]) == [(1, named["some"])]
