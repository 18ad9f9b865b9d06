"""Conversations in words."""

import numpy as np
from tests.observe import frames as f

from wardwatch.decode.conversations import ConversationTable
from wardwatch.observe.conversations import write_conversations
from wardwatch.observe.engine import observe
from wardwatch.observe.sessions import Counters
from wardwatch.observe.tables import Spool


def written(columns, services=None, counters=None):
    spool = Spool()
    write_conversations(spool, columns, ["untagged"], services or {}, counters or {})
    return spool.close().ask("SELECT * FROM conversations ORDER BY conversation")


def columns_of(*rows):
    """Kernel columns: what a table without packets gives, filled for ``rows``."""
    empty = ConversationTable().rows()
    return {
        name: np.array([row.get(name, 0) for row in rows], values.dtype)
        if values.dtype.kind != "U"
        else np.array([row.get(name, "") for row in rows])
        for name, values in empty.items()
    }


PUMP_TALK = {
    "conversation": 4, "capture": 1, "net": 4, "proto": 6, "orig_lo": 0x0A000029, "orig_p": 5000,
    "resp_lo": 0x0A000002, "resp_p": 80, "orig_mac": 0x001A01000041, "vlan": 120,
    "conn_state": "SF", "silent_mac": 0x005056000002, "history": "ShADadFf", "missed_bytes": 3, "retransmissions": 1,
}  # fmt: skip


def test_numbers_become_words():
    (row,) = written(columns_of(PUMP_TALK))
    assert (row.proto, row.orig_h, row.orig_p) == ("tcp", "10.0.0.41", 5000)
    assert (row.resp_h, row.orig_l2_addr, row.resp_l2_addr) == ("10.0.0.2", f.PUMP, "")
    assert row.silent_l2_addr == f.SERVER
    assert (row.segment, row.vlan, row.conn_state, row.history) == (
        "untagged",
        120,
        "SF",
        "ShADadFf",
    )
    assert (row.service, row.missed_bytes, row.overlaps) == ("", 3, 0)


def test_protocols_without_a_word_are_their_number():
    kinds = [{"conversation": n, "net": 4, "proto": p} for n, p in enumerate((1, 58, 132, 47))]
    assert [r.proto for r in written(columns_of(*kinds))] == ["icmp", "icmp6", "sctp", "47"]


def test_addresses_of_both_families_stand_side_by_side():
    six = {"conversation": 5, "net": 6, "proto": 17, "orig_hi": 0xFE80 << 48, "orig_lo": 1}
    four, six = written(columns_of(PUMP_TALK, six))
    assert (four.orig_h, six.orig_h, six.resp_h) == ("10.0.0.41", "fe80::1", "::")


def test_what_following_the_stream_told_stands_where_it_is_more():
    (row,) = written(columns_of(PUMP_TALK), {4: "ftp"}, {4: Counters(1, 2, 5, 0)})
    assert row.service == "ftp"
    assert (row.missed_bytes, row.overlaps, row.retransmissions) == (3, 2, 5)


def test_nothing_becomes_nothing():
    assert written(columns_of()) == []


def test_conversations_that_leave_a_full_table_are_written_too(tmp_path, monkeypatch):
    from wardwatch.observe import side

    monkeypatch.setattr(side, "MOST_CONVERSATIONS", 64)
    monkeypatch.setattr(side, "WRITE_ROWS", 16)
    frames = [
        (n, f.ether(f.NURSE, f.PUMP, f.udp("10.0.0.5", 1000 + n, "10.0.0.41", 9, b"x")))
        for n in range(500)
    ]
    tables = observe([f.pcap(tmp_path / "a.pcap", frames)], key_file=tmp_path / "key").tables
    (row,) = tables.ask(
        "SELECT count(*) AS n, count(DISTINCT conversation) AS d, sum(orig_pkts) AS p"
        " FROM conversations"
    )
    assert (row.n, row.d, row.p) == (500, 500, 500)
    assert tables.ask("SELECT evicted FROM captures")[0].evicted > 0


def test_what_was_given_up_is_told_of_the_capture_it_happened_in(tmp_path, monkeypatch):
    from wardwatch.observe import side

    monkeypatch.setattr(side, "MOST_CONVERSATIONS", 64)
    crowd = [
        (n, f.ether(f.NURSE, f.PUMP, f.udp("10.0.0.5", 1000 + n, "10.0.0.41", 9, b"x")))
        for n in range(200)
    ]
    quiet = [(1000, crowd[-1][1])]
    paths = [f.pcap(tmp_path / "a.pcap", crowd), f.pcap(tmp_path / "b.pcap", quiet)]
    tables = observe(paths, key_file=tmp_path / "key").tables
    first, second = tables.ask("SELECT evicted FROM captures ORDER BY capture")
    assert first.evicted > 0
    assert second.evicted == 0
