"""wardwatch.observe.lent: datagrams count in one go what they count one by one."""

import random

import numpy as np
import pytest
from tests.decode.kernels.blocks import block_of, decoded
from tests.observe import frames as f
from tests.observe.test_messages import QUERY
from tests.observe.test_young import write

from wardwatch.capture import open_capture
from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.fragments import Fragments, Reassembled
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.kernels import headers
from wardwatch.observe import messages as of_messages
from wardwatch.observe import side
from wardwatch.observe.ahead import decoded as decoded_ahead
from wardwatch.observe.lent import Inside, Lent, may_lend
from wardwatch.observe.messages import Messages
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.segments import Places
from wardwatch.observe.side import Reassembly
from wardwatch.observe.tables import Spool


def talk(seed: int) -> list[bytes]:
    """Datagrams of few hosts, half of them in fragments that come in any order, and some never."""
    dice = random.Random(seed)
    sent = []
    for n in range(120):
        ends = [f"10.0.0.{dice.randrange(1, 6)}", f"10.0.1.{dice.randrange(1, 3)}"]
        body = QUERY[:1] + bytes([n]) + QUERY[2:] + b"." * dice.choice([0, 30, 90])
        port = dice.choice([53, 999])
        if dice.random() < 0.2:
            packet = f.tcp(ends[0], 1000 + n, ends[1], 80, body, flags="PA")
        else:
            packet = f.udp(ends[0], 1000 + dice.randrange(3), ends[1], port, body)
        raw = bytearray(packet)
        raw[4:6] = n.to_bytes(2, "big")  # an identification of its own
        raw[10:12] = bytes(2)
        raw[10:12] = f.checksum(bytes(raw[:20]))
        pieces = [bytes(raw)] if dice.random() < 0.5 else f.fragments(bytes(raw), 24)
        if dice.random() < 0.2:
            pieces = pieces[:-1] or pieces
        if dice.random() < 0.3:
            dice.shuffle(pieces)
        at = len(sent) - dice.randrange(6)
        for piece in pieces:
            at = max(at, 0) + dice.randrange(1, 3)
            sent.insert(at, f.ether(f.NURSE, f.SERVER, piece))
    return sent


def told(path, key) -> list[list[tuple[object, ...]]]:
    spool, places = Spool(), Places()
    messages = Messages(spool, Secrets(key), places, Reassembly())
    with open_capture(path) as reader:
        for given in decoded_ahead(reader, headers.Events(), threads=1):
            block, columns = given.block, given.columns
            places.take(block, columns, given.interfaces, headers.TUNNELS)
            mine = [name for name in columns.__struct_fields__ if name != "carrier"]
            before = {n: getattr(columns, n)[: block.n].copy() for n in mine}
            messages.take(block, columns)
            lent_out = np.flatnonzero((before["fragment"] >= 0) & (before["src_port"] < 0))
            assert len(lent_out) > 20
            for name in mine:
                assert (getattr(columns, name)[lent_out] == before[name][lent_out]).all(), name
    messages.finish()
    messages.bind()
    tables = spool.close()
    return [
        tables.ask(f"SELECT * FROM {name} ORDER BY ALL")
        for name in ("conversations", "dns", "anomalies", "bindings")
    ]


@pytest.mark.parametrize("most", [side.MOST_CONVERSATIONS, 5])
@pytest.mark.parametrize("seed", range(8))
def test_tables_are_those_of_datagrams_counted_one_by_one(
    seed: int, most: int, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "MOST_CONVERSATIONS", most)
    path = write(tmp_path / "a.pcap", [(frame, None) for frame in talk(seed)])
    lent = told(path, tmp_path / "key")
    assert any("udp" in row for row in lent[0])
    assert lent[1]
    monkeypatch.setattr(of_messages, "may_lend", lambda columns, i: False)
    assert told(path, tmp_path / "key") == lent


def test_what_counts_itself_is_not_lent() -> None:
    packet = f.udp("10.0.0.1", 1, "10.0.0.2", 2, b"x" * 40)
    frames = [f.ether(f.NURSE, f.SERVER, piece) for piece in f.fragments(packet, 24)]
    columns, _ = decoded(block_of(frames))
    assert [may_lend(columns, i) for i in range(2)] == [False, True]
    columns.carried[1] = 1
    assert not may_lend(columns, 1)


def test_a_datagram_learns_its_conversation_and_that_its_fragments() -> None:
    packet = f.udp("10.0.0.1", 1, "10.0.0.2", 2, b"x" * 40)
    frames = [f.ether(f.NURSE, f.SERVER, piece) for piece in f.fragments(packet, 24)]
    block = block_of(frames)
    columns, events = decoded(block)
    _, (whole, _) = Fragments().take(block, columns, range(2))
    inside, table = Reassembled(), ConversationTable(only=k.OTHERS)
    inside.decode([(1, whole)], block, columns, events)
    inside.columns.conversation[0] = -1
    lent = Lent(columns, [Inside(1, 0, inside.columns, whole)])
    assert columns.src_port[:2].tolist() == [1, 1]
    at = 0
    while at < 2:
        start, at = at, table.advance(block, columns, at, 2)
        lent.taken(table, start, at)
    lent.give_back()
    assert columns.src_port[:2].tolist() == [1, -1]
    assert inside.columns.conversation[0] == 1
    assert columns.conversation[:2].tolist() == [1, -1]
    assert table.row[:2].tolist() == [0, -1]
    rows = table.rows()
    assert (rows["orig_pkts"].tolist(), rows["orig_bytes"].tolist()) == ([2], [40])
    assert rows["orig_ip_bytes"].tolist() == [sum(len(frame) - 14 for frame in frames)]
