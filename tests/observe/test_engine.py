"""Captures in, evidence out: whole runs over small files."""

import gc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.observe import frames as f

from wardwatch.errors import CaptureError, UsageError
from wardwatch.observe.engine import observe, write_evidence

HELLO = f.ether(f.PUMP, f.SERVER, f.udp("10.0.0.41", 5000, "10.0.0.2", 6000, b"hello"))


def accounted(seen):
    """Outcomes of table accounting, summed."""
    rows = seen.tables.ask("SELECT outcome, sum(packets) AS n FROM accounting GROUP BY 1")
    return {row.outcome: int(row.n) for row in rows}


def test_a_run_says_what_it_read(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, HELLO), (2, HELLO[:20]), (3, HELLO)])
    seen = observe([path])
    assert (seen.packets, seen.decoded, seen.malformed) == (3, 2, 1)
    assert not seen.damaged and not seen.refused
    (row,) = seen.tables.ask("SELECT * FROM captures")
    assert (row.name, row.packets, row.first_ts, row.last_ts) == ("a.pcap", 3, 10**9, 3 * 10**9)
    assert accounted(seen) == {"decoded": 2, "malformed": 1}


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path):
    good = f.pcap(tmp_path / "good.pcap", [(1, HELLO)])
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"not a capture at all")
    seen = observe([bad, good, tmp_path / "absent.pcap"])
    assert [r.capture for r in seen.tables.ask("SELECT capture FROM captures")] == [2]
    assert sorted(error.file.rpartition("/")[2] for error in seen.refused) == [
        "absent.pcap",
        "bad.pcap",
    ]


def test_nothing_readable_at_all_is_an_error(tmp_path):
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"not a capture at all")
    with pytest.raises(CaptureError):
        observe([bad])


def test_a_cut_file_is_read_up_to_the_cut(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, HELLO), (2, HELLO)])
    path.write_bytes(path.read_bytes()[:-1])
    seen = observe([path])
    assert seen.damaged and seen.packets == 1
    (row,) = seen.tables.ask("SELECT damage FROM captures")
    assert row.damage[0].startswith(f"byte {24 + 16 + len(HELLO)}: ")


def test_files_are_read_by_time_and_numbered_as_given(tmp_path):
    late = f.pcap(tmp_path / "late.pcap", [(100, HELLO)])
    early = f.pcap(tmp_path / "early.pcap", [(1, HELLO)])
    seen = observe([late, early])
    rows = seen.tables.ask("SELECT capture, name FROM captures ORDER BY capture")
    assert [(r.capture, r.name) for r in rows] == [(1, "late.pcap"), (2, "early.pcap")]
    (talk,) = seen.tables.ask("SELECT * FROM conversations")
    assert (talk.capture, talk.last_capture, talk.orig_pkts) == (2, 1, 2)


def test_progress_ends_at_the_size_of_all_files(tmp_path):
    paths = [f.pcap(tmp_path / f"{n}.pcap", [(n, HELLO)] * 5) for n in (1, 2)]
    told = []
    observe(paths, progress=lambda count, total: told.append((count, total)))
    size = sum(path.stat().st_size for path in paths)
    assert told[-1] == (size, size)
    assert told == sorted(told)


def test_evidence_is_written_as_one_parquet_a_table(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, HELLO)])
    write_evidence([path], tmp_path / "out", key_file=tmp_path / "key")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"captures.parquet", "segments.parquet", "conversations.parquet"} <= names
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_the_key_may_not_lie_beside_the_evidence(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, HELLO)])
    with pytest.raises(UsageError):
        observe([path], out=tmp_path / "out", key_file=tmp_path / "out" / "key")


def test_silence_ends_a_conversation_only_when_asked(tmp_path):
    path = f.pcap(tmp_path / "a.pcap", [(1, HELLO), (500, HELLO)])
    count = "SELECT count(*) AS n FROM conversations"
    assert observe([path]).tables.ask(count)[0].n == 1
    assert observe([path], idle_s=120).tables.ask(count)[0].n == 2


SEEDS = [
    HELLO,
    f.ether(f.PUMP, f.EVERYONE, f.udp("0.0.0.0", 68, "255.255.255.255", 67, f.dhcp(1, 1, f.PUMP))),
    f.arp(1, f.PUMP, "10.0.0.41", "10.0.0.1"),
    f.ether(f.PUMP, f.SERVER, f.tcp("10.0.0.41", 40000, "10.0.0.2", 21, b"USER x\r\n"), vlan=120),
    f.ether(f.PUMP, f.SERVER, f.fragments(f.udp("10.0.0.41", 1, "10.0.0.2", 53, b"q" * 90), 48)[0]),
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_the_accounting_sums_to_the_packets_whatever_they_hold(tmp_path, data):
    packets = []
    for _ in range(data.draw(st.integers(0, 6))):
        raw = bytearray(data.draw(st.sampled_from(SEEDS)))
        for _ in range(data.draw(st.integers(0, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        packets.append((1, bytes(raw[: data.draw(st.integers(0, len(raw)))]), len(raw)))
    link = data.draw(st.sampled_from([1, 0, 9, 101, 105, 113, 127, 192, 228, 276, 7777]))
    seen = observe([f.pcap(tmp_path / "mutated.pcap", packets, link)])
    assert seen.packets == len(packets)
    assert seen.decoded + seen.skipped + seen.malformed == len(packets)
    outcomes = {"decoded": seen.decoded, "skipped": seen.skipped, "malformed": seen.malformed}
    assert accounted(seen) == {name: count for name, count in outcomes.items() if count}
    (row,) = seen.tables.ask("SELECT sum(packets) AS n FROM segments")
    assert (row.n or 0) == len(packets)


def test_what_read_a_capture_goes_without_a_collector(tmp_path):
    """Who audits again and again in one process keeps the buffers of none."""
    from wardwatch.observe.datagrams import Datagrams
    from wardwatch.observe.fast_rows import FastRows
    from wardwatch.observe.observer import Observer

    def alive():
        return [o for o in gc.get_objects() if isinstance(o, (Datagrams, FastRows, Observer))]

    gc.collect()
    before = len(alive())
    collecting = gc.isenabled()
    gc.disable()
    try:
        seen = observe([f.pcap(tmp_path / "a.pcap", [(1, HELLO)])])
        assert seen.packets == 1
        del seen
        assert len(alive()) == before
    finally:
        if collecting:
            gc.enable()
