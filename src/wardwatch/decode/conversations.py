"""ConversationTable: the conversations of a run, kept by kernels, asked by Python."""

from __future__ import annotations

import secrets
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.columns import PacketColumns, lines
from wardwatch.decode.kernels import conversations as k
from wardwatch.decode.resting import Resting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from wardwatch.decode.fragments import Whole
    from wardwatch.model.block import PacketBlock

MAX_ROWS = 1_200_000
"""Conversations kept at once: 300 bytes each, and a scan of a /8 by one host makes 16 million."""

FIRST_ROWS = 1 << 10
"""Rows to begin with: most captures have fewer conversations, and a small table stays in cache."""

RESTING_ROWS = 1 << 16
"""Rows from which on a table may rest in a file: most of them are over and wait for the end."""
AWAKE_ROWS = 1 << 13
"""New rows after which all are left to rest: 2.6 MB."""

_NOWHERE = np.zeros(0, np.int32)

_MOVED_ROWS = 1 << 14
"""Rows copied at a time when the table closes up: a copy of the whole would double it."""

Columns = dict[str, "NDArray[Any]"]


class ConversationTable:
    """Every packet's conversation, and one row a conversation.

    Two directions are one conversation. It is told apart by the innermost addresses, ports,
    protocol and VLAN tags, with ``by_tunnel`` by the innermost tunnel too. The originator is who sent
    the SYN, else who was seen first; a SYN-ACK seen first turns the row (Zeek's ``^``). A new
    SYN on a TCP connection that is over begins a new conversation.
    """

    def __init__(
        self,
        max_rows: int = MAX_ROWS,
        idle_ns: Mapping[int, int] | int = 0,
        *,
        by_tunnel: bool = False,
        only: int = k.ALL,
    ) -> None:
        """``idle_ns``: silence that ends a conversation, for all or by IP protocol; 0 never.

        ``only``: ``TCP`` or ``OTHERS`` takes those alone, and numbers them evenly or oddly, so
        that two tables give no number twice and each its own whatever the other does.
        """
        self.evicted = 0
        """Conversations given up because the table was full."""
        self.generation = 0
        """Counts how often rows have moved: then ``row`` is to be asked anew."""
        self.row = np.zeros(0, np.int64)
        """Row of every packet of the last block, -1 none: what the selection kernel reads."""
        self._max = max(max_rows, 2)  # what a tunnel carries, and the tunnel
        self._idle = np.zeros(256, np.int64)
        if isinstance(idle_ns, int):
            self._idle[:] = idle_ns
        else:
            for proto, silence in idle_ns.items():
                self._idle[proto] = silence
        self._by_tunnel = by_tunnel
        self._only = only
        # A seed of our own: nobody can choose addresses that all fall into one slot.
        self._seed = secrets.randbits(31)
        self._counters = np.zeros(k.COUNTERS, np.int64)
        self._counters[k.NEXT_NUMBER] = only == k.OTHERS
        self._counters[k.STEP] = 1 if only == k.ALL else 2
        self._recent = np.zeros(k.RECENT, np.int32)
        self._turns = np.zeros(2 * k.NEAR, np.int32)
        self._near = np.zeros(2 * k.NEAR, np.int64)
        self._gone: list[NDArray[np.int64]] = []
        self._resting: Resting | None = None
        self._rested = 0
        """Conversations there were when all were left to rest."""
        self._set(np.zeros((0, k.WIDTH), np.int64))
        self._resize(min(FIRST_ROWS, self._max))

    def __len__(self) -> int:
        """Conversations in the table."""
        return int(self._counters[k.USED])

    def update(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        segment: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        """Take a block: fills ``columns.conversation`` and ``columns.from_orig``.

        ``segment`` is the caller's number of each packet's broadcast domain, kept of the first
        packet of a conversation and given back by :meth:`rows`.
        """
        at = 0
        while at < block.n:
            at = self.advance(block, columns, at, block.n, segment)

    def advance(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        start: int,
        stop: int,
        segment: NDArray[np.integer[Any]] | None = None,
    ) -> int:
        """Take rows of a block from ``start`` on ⇒ where the next ones begin, at most ``stop``.

        Those taken may be read in their order as if each were the newest packet: none of them
        changed what the table says of the connections of those before it that is asked there.
        ``segment`` as of :meth:`update`.
        """
        if len(self.row) < block.n:
            self.row = np.zeros(block.n, np.int64)
        arrays = columns.arrays
        segments = _NOWHERE if segment is None else np.asarray(segment, np.int32)
        while True:
            at = k.conversations(
                start,
                stop,
                block.first,
                block.capture,
                block.time,
                arrays,
                self.table,
                self._wide,
                self._slots,
                self._counters,
                self._idle,
                self._by_tunnel,
                self._only,
                self._seed,
                segments,
                self._recent,
                self._turns,
                self._near,
                self.row,
            )
            if at > start or at == stop:
                if len(self) - self._rested >= AWAKE_ROWS:
                    self._rest()
                return int(at)
            if len(self.table) < self._max:  # it was full
                self._resize(min(2 * len(self.table), self._max))
            else:
                self._evict()
                self.row[:at] = self._rows_of(columns.conversation[:at])

    def update_row(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        segment: NDArray[np.integer[Any]] | None,
        i: int,
    ) -> None:
        """Take row ``i`` of a block alone; the rest as :meth:`update`."""
        at = i
        while at <= i:
            at = self.advance(block, columns, at, i + 1, segment)

    def touch(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        whole: Whole,
        segment: NDArray[np.integer[Any]] | None = None,
        i: int = 0,
    ) -> int:
        """Take a datagram put together from fragments: the number of its conversation, or -1.

        ``block`` and ``columns`` hold it in row ``i`` (``fragments.Reassembled``). Its packets and
        octets are those of its fragments; what :meth:`update` counted of them, the first one with
        its ports, is not counted again.
        """
        self.update_row(block, columns, segment, i)
        r = int(self.row[i])
        if r < 0:
            return -1
        side = 0 if columns.from_orig[i] else 1
        self.table[r, k.ORIG_PKTS + side] += whole.packets - 1 - whole.counted
        more = whole.ip_bytes - whole.counted_bytes - int(columns.ip_bytes[i])
        self.table[r, k.ORIG_IP + side] += more
        return int(columns.conversation[i])

    def amend(
        self,
        columns: PacketColumns,
        rows: NDArray[np.int64],
        packets: NDArray[np.int64],
        octets: NDArray[np.int64],
    ) -> None:
        """Add packets and octets to the conversations of rows of a block that were just taken.

        All (n,); what datagrams put together from fragments brought beside what was counted, and a
        row that has no conversation is passed over. See :meth:`touch`.
        """
        r = self.row[rows]
        of = r >= 0
        r, back = r[of], columns.from_orig[rows[of]] == 0
        np.add.at(self.table, (r, k.ORIG_PKTS + back), packets[of])
        np.add.at(self.table, (r, k.ORIG_IP + back), octets[of])

    def taken(self) -> NDArray[np.int64]:
        """(n, WIDTH) the rows of all conversations, for :meth:`absorb` of another table."""
        return self.table[: len(self)]

    def meets(self, rows: NDArray[np.int64]) -> bool:
        """Whether one of another table's conversations, begun by a SYN, is under way here."""
        table = (self.table, self._wide, self._slots)
        return bool(k.meets(rows, rows.view(np.uint64), len(rows), *table, self._seed) >= 0)

    def absorb(
        self,
        rows: NDArray[np.int64],
        segment: NDArray[np.int32],
        *,
        over: bool,
        going_on: bool = False,
    ) -> NDArray[np.int64]:
        """Take conversations of another table as if their packets had passed here.

        ``rows`` (n, WIDTH) in the order of their beginnings, all of whose packets lie behind ours;
        ``segment`` our number of each of its segments. ``over``: each is a new conversation
        (:meth:`meets` was asked) of which nobody wants more, or, where they are ``going_on``, as
        much as there; else those known here go on. ⇒ (n,) the numbers they have here.
        """
        numbers = np.zeros(len(rows), np.int64)
        at = 0
        while True:
            at = k.absorb(
                at,
                len(rows),
                rows,
                rows.view(np.uint64),
                self.table,
                self._wide,
                self._slots,
                self._counters,
                self._seed,
                segment,
                over,
                numbers,
            )
            if at >= len(rows):
                if going_on:
                    self._as_wanted(rows, numbers)
                return numbers
            if len(self.table) < self._max:
                self._resize(min(2 * len(self.table), self._max))
            else:
                self._evict()

    def _as_wanted(self, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """What another table says is wanted of its conversations is wanted of them here."""
        at = self._rows_of(numbers)
        here = at >= 0
        for column in (k.INTEREST, k.SEAT):
            self.table[at[here], column] = rows[here, column]

    def arrange(self, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Put the rows from ``first`` on into the order of their first packets, and number them so.

        They are of one capture. ⇒ the numbers they had, ascending, and those they have now.
        """
        used = len(self)
        moved = self.table[first:used]
        came = np.argsort(moved[:, k.FIRST_PACKET], kind="stable")
        had = moved[:, k.NUMBER].copy()
        moved[:] = moved[came]
        moved[:, k.NUMBER] = np.sort(had)
        k.settle(first, used, self.table, first + came, self._slots)
        self.generation += 1
        order = np.argsort(had[came])
        return had[came][order], moved[order, k.NUMBER]

    def room(self) -> int:
        """How many more conversations fit before one is given up."""
        return self._max - len(self)

    def interest(self, number: int, interest: int, *, agrees: int = 0, near: int = -1) -> None:
        """What Python wants of a conversation.

        ``UNDECIDED``, ``FOLLOW`` (every segment, the SYNs too) or ``IGNORE`` (none any more).
        ``agrees``: which of its segments may agree upon other connections (``NOTHING``,
        ``ANYTHING``, ``LINES``). ``near`` as for :meth:`skip_until`.
        """
        r = self._row(number, near)
        if r >= 0:
            self._one[r, k.INTEREST] = interest
            self._one[r, k.AGREES] = agrees

    def wanted(self, number: int) -> int:
        """What is wanted of a conversation, as :meth:`interest` was told or a kernel found."""
        r = self._row(number)
        return int(self.table[r, k.INTEREST]) if r >= 0 else k.UNDECIDED

    def skip_until(self, number: int, from_orig: bool, seq: int, near: int = -1) -> None:
        """Select no segment of one direction that ends at or before sequence number ``seq``.

        ``near`` is the row it was last seen in, if that is known.
        """
        column = k.ORIG_SKIP if from_orig else k.RESP_SKIP
        self._mark(number, column, seq & 0xFFFFFFFF, near)

    def skip_nothing(self, number: int, near: int = -1) -> None:
        """Forget what :meth:`skip_until` was told, of both directions: a connection begins anew."""
        for column in (k.ORIG_SKIP, k.RESP_SKIP):
            self._mark(number, column, -1, near)

    def isn(self, number: int, near: int = -1) -> tuple[int, int]:
        """Sequence numbers of the SYN of originator and responder; -1 not seen.

        ``near`` as for :meth:`skip_until`.
        """
        r = self._row(number, near)
        if r < 0:
            return -1, -1
        return self._one[r, k.ORIG_ISN], self._one[r, k.RESP_ISN]

    @property
    def pending(self) -> int:
        """Conversations that left the table and wait for :meth:`drain`."""
        return sum(len(rows) for rows in self._gone)

    def drain(self) -> Columns:
        """Conversations that left the table since the last call, as columns like :meth:`rows`."""
        gone, self._gone = self._gone, []
        return _columns(np.concatenate([np.zeros((0, k.WIDTH), np.int64), *gone]))

    def drain_finished(self) -> Columns:
        """Like :meth:`drain`, with the conversations that are over taken out of the table."""
        self._take_out_finished()
        return self.drain()

    def finished_pieces(self, size: int) -> Iterator[Columns]:
        """What :meth:`drain_finished` gives, ``size`` at a time."""
        self._take_out_finished()
        gone, self._gone = self._gone, []
        for rows in gone:
            for at in range(0, len(rows), size):
                yield _columns(rows[at : at + size])

    def rows(self) -> Columns:
        """Every conversation not drained yet, one entry each, in the order of their numbers.

        Columns as in table ``conversations``, numbers where it has text: ``orig_hi`` and
        ``orig_lo`` for ``orig_h``, ``proto`` and ``net`` as in the IP header, MACs as 48 bits
        (0 none), ``segment`` as given to :meth:`update`. ``one_way`` is true of TCP of which
        only one direction was seen though an acknowledgement shows there was another.
        """
        return next(self.pieces(max(self.pending + len(self), 1)), _columns(self.table[:0]))

    def pieces(self, size: int) -> Iterator[Columns]:
        """What :meth:`rows` gives, ``size`` at a time: in words a full table is ten times larger."""
        gone = np.concatenate([np.zeros((0, k.WIDTH), np.int64), *self._gone])
        numbers = np.concatenate([gone[:, k.NUMBER], self.table[: len(self), k.NUMBER]])
        order = np.argsort(numbers, kind="stable")
        for at in range(0, len(order), size):
            chosen = order[at : at + size]
            left = chosen < len(gone)
            piece = np.empty((len(chosen), k.WIDTH), np.int64)
            piece[left] = gone[chosen[left]]
            piece[~left] = self.table[chosen[~left] - len(gone)]
            self._rest()
            yield _columns(piece)

    def seat(self, number: int) -> int:
        """Where the kernel of young conversations keeps this one: its seat, 0 none."""
        r = self._row(number)
        return max(int(self.table[r, k.SEAT]), 0) if r >= 0 else 0

    def stand_up(self, number: int) -> None:
        """From now on Python reads this conversation."""
        self._mark(number, k.SEAT, k.THEIRS)

    def find(self, columns: PacketColumns, start: int, stop: int) -> None:
        """Fill ``row`` anew for rows ``start`` to ``stop`` of a block: they have moved."""
        self.row[start:stop] = self._rows_of(columns.conversation[start:stop])

    def _row(self, number: int, near: int = -1) -> int:
        """Row of a conversation, -1 where it left: numbers ascend by row."""
        used = int(self._counters[k.USED])
        if 0 <= near < used and self._one[near, k.NUMBER] == number:
            return near
        r = bisect_left(self.table[:, k.NUMBER], number, 0, used)
        return r if r < used and self.table[r, k.NUMBER] == number else -1

    def _rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of conversations by their numbers, -1 where they left: numbers ascend by row."""
        used = len(self)
        if not used:
            return np.full(len(numbers), -1, np.int64)
        known = self.table[:used, k.NUMBER]
        at = np.minimum(np.searchsorted(known, numbers), used - 1)
        return np.where(known[at] == numbers, at, -1).astype(np.int64)

    def _mark(self, number: int, column: int, value: int, near: int = -1) -> None:
        r = self._row(number, near)
        if r >= 0:
            self._one[r, column] = value

    def _resize(self, size: int) -> None:
        resting = Resting.of(size, k.WIDTH) if size >= RESTING_ROWS else None
        table = lines(size, k.WIDTH) if resting is None else resting.table
        for at in range(0, len(self), _MOVED_ROWS):
            piece = slice(at, min(at + _MOVED_ROWS, len(self)))
            table[piece] = self.table[piece]
            self._rest()
        self._resting = resting
        self._set(table)
        self._index()
        self._rest()

    def _rest(self) -> None:
        """Leave the rows that nobody looks at to their file, if they have one."""
        self._rested = len(self)
        if self._resting is not None:
            self._resting.rest()

    def _set(self, table: NDArray[np.int64]) -> None:
        self.table = table
        self._wide = table.view(np.uint64)
        self._one = table.data  # for one number at a time, thrice as fast as NumPy

    def _index(self) -> None:
        self._slots = np.zeros(1 << (2 * len(self.table) - 1).bit_length(), np.int64)
        if len(self):
            k.reindex(self.table, len(self), self._slots)

    def _evict(self) -> None:
        """Make room for an eighth: what is over, then SYNs nobody answered, then the longest idle."""
        used = self.table[: len(self)]
        state = used[:, k.STATE]
        unanswered = (used[:, k.RESP_PKTS] == 0) & (used[:, k.ORIG_BYTES] == 0)
        rank = np.where(state & k.OVER != 0, 0, np.where(unanswered, 1, 2))
        order = np.lexsort((used[:, k.LAST_TS], rank))
        leaving = np.zeros(len(used), np.bool_)
        leaving[order[: max(len(used) // 8, 1)]] = True
        self.evicted += int((leaving & (rank != 0)).sum())
        self._remove(leaving)

    def _remove(self, leaving: NDArray[np.bool_]) -> None:
        self.generation += 1
        self._recent[:] = 0
        used = self.table[: len(self)]
        self._gone.append(used[leaving])
        kept = np.flatnonzero(~leaving)
        for at in range(0, len(kept), _MOVED_ROWS):  # rows only move forward: none is lost
            chosen = kept[at : at + _MOVED_ROWS]
            self.table[at : at + len(chosen)] = self.table[chosen]
        self._counters[k.USED] = len(kept)
        self._index()
        self._rest()

    def _take_out_finished(self) -> None:
        over = self.table[: len(self), k.STATE] & k.OVER != 0
        if over.any():
            self._remove(over)


def _columns(rows: NDArray[np.int64]) -> Columns:
    """Rows of the kernel's table as named columns."""
    wide = rows.view(np.uint64)
    key = rows[:, k.KEY]
    proto = (key >> k.PROTO_SHIFT) & 0x1FF
    one_sided = (rows[:, k.ORIG_PKTS] == 0) | (rows[:, k.RESP_PKTS] == 0)
    return {
        "conversation": rows[:, k.NUMBER],
        "capture": rows[:, k.CAPTURES] >> 32,
        "segment": rows[:, k.SEGMENT],
        "first_ts": rows[:, k.FIRST_TS],
        "last_ts": rows[:, k.LAST_TS],
        "first_packet": rows[:, k.FIRST_PACKET],
        "last_packet": rows[:, k.LAST_PACKET],
        "last_capture": rows[:, k.CAPTURES] & 0xFFFFFFFF,
        "net": key & 7,
        "proto": proto,
        "orig_hi": wide[:, k.ORIG_HI],
        "orig_lo": wide[:, k.ORIG_LO],
        "orig_p": ((rows[:, k.PORTS] >> k.PORT_SHIFT) & k.PORT_MASK) - 1,
        "resp_hi": wide[:, k.RESP_HI],
        "resp_lo": wide[:, k.RESP_LO],
        "resp_p": (rows[:, k.PORTS] & k.PORT_MASK) - 1,
        "orig_mac": np.where(rows[:, k.ORIG_PKTS] > 0, wide[:, k.ORIG_MAC], 0),
        "resp_mac": np.where(rows[:, k.RESP_PKTS] > 0, wide[:, k.RESP_MAC], 0),
        "silent_mac": np.select(
            [rows[:, k.RESP_PKTS] == 0, rows[:, k.ORIG_PKTS] == 0],
            [wide[:, k.RESP_MAC], wide[:, k.ORIG_MAC]],
            np.uint64(0),
        ),
        "vlan": ((key >> k.VLAN_SHIFT) & 0x1FFF) - 1,
        "tunnel": rows[:, k.TUNNEL],
        "tunnel_id": rows[:, k.TUNNEL_ID],
        "orig_bytes": rows[:, k.ORIG_BYTES],
        "resp_bytes": rows[:, k.RESP_BYTES],
        "orig_pkts": rows[:, k.ORIG_PKTS],
        "resp_pkts": rows[:, k.RESP_PKTS],
        "orig_ip_bytes": rows[:, k.ORIG_IP],
        "resp_ip_bytes": rows[:, k.RESP_IP],
        "conn_state": _conn_state(rows, proto == 6),
        "history": _history(rows),
        "missed_bytes": rows[:, k.MISSED],
        "retransmissions": rows[:, k.RETRANSMITTED],
        "reordered": rows[:, k.REORDERED],
        "seat": rows[:, k.SEAT],
        "one_way": (proto == 6) & one_sided & (rows[:, k.STATE] & k.SPOKE != 0),
    }


def _conn_state(rows: NDArray[np.int64], tcp: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Zeek's conn_state from what was seen of SYN, FIN and RST."""
    state = rows[:, k.STATE]

    def seen(bit: int) -> NDArray[np.bool_]:
        return (state & bit).astype(np.bool_)

    orig_fin, orig_rst, resp_fin, resp_rst = map(
        seen, (k.ORIG_FIN, k.ORIG_RST, k.RESP_FIN, k.RESP_RST)
    )
    syn = seen(k.ORIG_SYN)
    answered = syn & (
        seen(k.RESP_SYNACK) | seen(k.RESP_SYN) | ((rows[:, k.RESP_PKTS] > 0) & ~resp_rst)
    )
    half = ~syn & seen(k.RESP_SYNACK)
    finished = seen(k.RST_AFTER_FINS) | (orig_fin & resp_fin & ~orig_rst & ~resp_rst)
    cases = (
        (~tcp, ""),
        (answered & finished, "SF"),
        (answered & orig_rst, "RSTO"),
        (answered & resp_rst, "RSTR"),
        (answered & orig_fin, "S2"),
        (answered & resp_fin, "S3"),
        (answered, "S1"),
        (syn & resp_rst, "REJ"),
        (syn & orig_rst, "RSTOS0"),
        (syn & orig_fin, "SH"),
        (syn, "S0"),
        (half & resp_rst, "RSTRH"),
        (half & resp_fin & ~orig_fin, "SHR"),
    )
    return np.select([c for c, _ in cases], [np.array(v) for _, v in cases], np.array("OTH"))


def _history(rows: NDArray[np.int64]) -> NDArray[np.str_]:
    """Letters of a history; 12 codes of five bits to a word."""
    letters = np.zeros(32, np.uint8)
    for code, letter in enumerate(k.LETTERS, 1):
        letters[code] = ord(letter)
        letters[(code + k.UPPER) & 31] = ord(letter.upper())
    letters[k.L_FLIP] = ord("^")
    codes = np.zeros((len(rows), 24), np.int64)
    for position in range(24):
        word = rows[:, k.HISTORY if position < 12 else k.HISTORY2]
        codes[:, position] = (word >> (5 * (position % 12))) & 31
    return letters[codes].view("S24").reshape(len(rows)).astype("U24")
