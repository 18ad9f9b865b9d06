"""wardwatch.decode.kernels.young"""

import random

import numpy as np
import pytest
from tests.conversations import frame, many, segments
from tests.decode.kernels.blocks import block_of, decoded

from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.kernels import young as k
from wardwatch.observe.follow import Shared
from wardwatch.observe.told import told_of
from wardwatch.observe.young import Young


class Nowhere:
    """A spool that keeps what is added to each table."""

    def __init__(self):
        self.rows = []

    def extend(self, table, columns):
        kept = {name: getattr(v, "tolist", lambda v=v: list(v))() for name, v in columns.items()}
        self.rows.append((table, kept))


def walked(frames, seats=k.SEATS, prefixes=(0x001A01,)):
    """What Python was given of a block, what was written, and the seats."""
    block = block_of([raw for raw, _ in frames], wire=[wire for _, wire in frames])
    columns, _ = decoded(block)
    table = ConversationTable()
    table._seed = 7  # the order of the slots is the test's own
    table.update(block, columns)
    spool = Nowhere()
    shared = Shared(spool, None, None)
    young = Young(shared, ["here"], np.array(prefixes, np.uint32), seats)
    read = []
    where = np.zeros(block.n, np.int32)
    young.walk(
        block, columns, np.zeros(block.n, np.uint8), where, table,
        lambda heard, raw, pieces: read.append(
            (heard[-1], told_of(raw), [(p.told, p.payload) for p in pieces])
        ),
        0, block.n,
    )  # fmt: skip
    left = young.settle()
    return read, spool.rows, [[p.told for p in pieces] for pieces in left], young


@pytest.mark.parametrize("seed", range(2))
def test_compiled_and_plain_agree(seed, monkeypatch) -> None:
    frames = many(seed, 60, disturbed=0.5, largest=(1460, 300))
    compiled = walked(frames)
    monkeypatch.setattr(k, "next_rows", k.next_rows.py_func)
    plain = walked(frames)
    assert compiled[:3] == plain[:3]
    assert (compiled[3]._seats == plain[3]._seats).all()
    assert len(compiled[0]) > 50
    assert compiled[1]


@pytest.mark.parametrize("plain", [False, True])
def test_many_rows_are_told_as_one_is(plain) -> None:
    block = block_of([raw for raw, _ in many(4, 20)], first=7, capture=3)
    columns, _ = decoded(block)
    ConversationTable().update(block, columns)
    where = np.arange(block.n, dtype=np.int32) % 5
    rows = np.array([0, 3, 4, block.n - 1, 0], np.int64)
    told = np.zeros((5, k.TOLD), np.int64)
    function = k.told_rows.py_func if plain else k.told_rows
    function(rows, 4, block.first, 3, block.time, k.columns_of(columns), where, told)
    expected = [k.tell(block, columns, i, int(where[i])) for i in rows[:4].tolist()]
    assert told.tolist() == [*expected, [0] * k.TOLD]


def test_told_is_what_the_columns_say() -> None:
    frames = many(3, 20)
    block = block_of([raw for raw, _ in frames])
    columns, _ = decoded(block)
    ConversationTable().update(block, columns)
    read, *_ = walked(frames, seats=0)
    assert read
    for i, told, _ in read:
        asked = k.tell(block, columns, i, 0)
        # numbers of conversations and arenas are those of another table and block
        assert told == asked


def test_without_seats_python_reads_everything_and_nothing_is_kept() -> None:
    read, rows, left, _ = walked(many(3, 40), seats=0)
    assert read and not rows and not left
    assert all(not pieces for _, _, pieces in read)


def test_devices_by_their_prefix_are_read_by_python() -> None:
    frames = many(4, 40)
    _, with_prefix, _, _ = walked(frames, prefixes=(0x020000, 0x001A01))
    _, without, _, _ = walked(frames, prefixes=())
    assert without and not with_prefix


def test_a_conversation_given_up_is_read_from_its_first_piece() -> None:
    read, *_ = walked(many(9, 80, disturbed=0.6))
    given_up = [(told, pieces) for _, told, pieces in read if pieces]
    assert given_up
    for told, pieces in given_up:
        packets = [piece[k.PACKET] for piece, _ in pieces]
        assert packets == sorted(packets) and packets[-1] < told[k.PACKET]
        assert {piece[k.CONVERSATION] for piece, _ in pieces} == {told[k.CONVERSATION]}
        assert all(len(payload) == piece[k.LENGTH] for piece, payload in pieces)


def lists_of(frames, monkeypatch):
    """The lists of rows that are told together, each as (conversation, ports)."""
    lists, inner = [], k.next_rows

    def next_rows(*given):
        count = inner(*given)
        told = given[-2][:count].tolist()
        lists.append([(t[k.CONVERSATION], {t[k.SRC_PORT], t[k.DST_PORT]}) for t in told])
        return count

    monkeypatch.setattr(k, "next_rows", next_rows)
    walked(frames)
    return [one for one in lists if one]


def crowd(*said, port=9000):
    """Frames of conversations that all open before the first of them says its words."""
    chance = random.Random(1)
    talks = [segments(chance, [("c", part) for part in parts]) for parts in said]
    lots = [
        [frame(one, n, port)[0] for one in lot if one.data or one.flags in ("S", "SA")]
        for n, lot in enumerate(talks)
    ]
    begun = [raw for lot in lots for raw in lot[:2]]
    return [(raw, len(raw)) for raw in begun + [raw for lot in lots for raw in lot[2:]]]


def test_first_words_of_a_crowd_are_told_together(monkeypatch) -> None:
    lists = lists_of(crowd(*[[b"here"]] * 50), monkeypatch)
    assert [[number for number, _ in one] for one in lists] == [list(range(50))]


def test_what_is_behind_first_words_waits_for_what_they_mean(monkeypatch) -> None:
    lists = lists_of(crowd([b"one"], [b"two", b"more", b"again"], [b"three"]), monkeypatch)
    assert [[number for number, _ in one] for one in lists] == [[0, 1], [1, 1], [2]]


@pytest.mark.parametrize(("words", "port"), [(b"USER bob\r\n", 21), (b"220 x FTP\r\n", 9000)])
def test_first_words_that_may_agree_upon_others_end_the_list(words, port, monkeypatch) -> None:
    lists = lists_of(crowd(*[[words]] * 3, port=port), monkeypatch)
    assert [[number for number, _ in one] for one in lists] == [[0], [1], [2]]
