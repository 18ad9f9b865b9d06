"""Mutated packets, each ending at a page that may not be read, through every kernel.

    python -m tests.decode.kernels.guard SEED COUNT [--overrun BYTES]

A kernel that reads one byte behind a packet ends the process with SIGSEGV. ``--overrun`` claims
packets to be longer than they are, to show that the page does catch it.
"""

import argparse
import ctypes
import mmap
import sys

import numpy as np
from tests.decode.kernels.blocks import records
from tests.shared import CAPTURES

from wardwatch.compiled import kernel
from wardwatch.decode.columns import DECODED, KIND_TCP, PacketColumns
from wardwatch.decode.conversations import ConversationTable
from wardwatch.decode.kernels import headers, rows_tls, select
from wardwatch.decode.kernels.conversations import IGNORE, ORIG_ISN, SEAT
from wardwatch.decode.kernels.young import TOLD, columns_of, told_rows
from wardwatch.model.block import Interface, PacketBlock
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.follow import Shared
from wardwatch.observe.vantage import Vantage
from wardwatch.observe.young import Young

BATCH = 2048
"""Packets a block: each stands before a page of its own."""
PAGE = mmap.PAGESIZE
ROOM = 2 * PAGE
"""Bytes before each guard page; longer packets are cut, which is one more mutation."""
LINKS = (1, 113, 276, 101, 12, 228, 229, 0, 108, 105, 127, 192, 119, 163, 9, 51, 147)


class Nowhere:
    """A spool that keeps nothing."""

    def add(self, table, row):
        pass

    def extend(self, table, columns):
        pass


def corpus():
    """(link, bytes) to begin from: the shared captures, and the tests' own packets."""
    from tests.conversations import WEB, many
    from tests.decode.kernels.test_headers import HONEST, NAMED

    # as often as the captures', most of which hold nothing but Ethernet, IP and TCP or UDP
    found = [(case[0], case[1]) for case in (*HONEST.values(), *NAMED.values())] * 40
    found += [(1, raw) for raw, _ in many(1, 300, scripts=WEB, largest=(1460, 300))]
    if CAPTURES.is_dir():
        for path in sorted(CAPTURES.iterdir()):
            if path.is_file() and ("pcap" in path.name or path.suffix == ".cap"):
                found += [(link, data) for link, _, _, data in records(path)]
    return found


class Arena:
    """Room for BATCH packets, a page that may not be read behind each."""

    def __init__(self):
        step = ROOM + PAGE
        self.map = mmap.mmap(-1, BATCH * step)
        self.bytes = np.frombuffer(self.map, np.uint8)
        base = self.bytes.ctypes.data
        libc = ctypes.CDLL(None, use_errno=True)
        for k in range(BATCH):
            if libc.mprotect(ctypes.c_void_p(base + k * step + ROOM), PAGE, 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.ends = np.arange(BATCH, dtype=np.int64) * step + ROOM


@kernel
def mutate(pool, start, size, link, links, seed, arena, ends, offset, length, wire, kinds):
    """Fill a block: a packet of the pool each, bent in one to eight ways, its end at its page."""
    state = np.int64(seed)
    for i in range(ends.size):
        draws = np.zeros(4, np.int64)
        for k in range(4):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFFFFF
            draws[k] = state >> 13
        chosen = draws[0] % size.size
        there = min(size[chosen], np.int64(ROOM))
        if draws[1] % 3 == 0:
            there = draws[2] % (there + 1)
        at = ends[i] - there
        for k in range(there):
            arena[at + k] = pool[start[chosen] + k]
        wire[i] = there + (draws[3] % 2000 if draws[3] % 5 == 0 else 0)
        kinds[i] = links[draws[2] % links.size] if draws[2] % 4 == 0 else link[chosen]
        offset[i] = at
        length[i] = there
        if not there:
            continue
        # A stretch of another packet in the place of our own
        if draws[3] % 6 == 0:
            other = draws[1] % size.size
            begin = draws[2] % there
            for k in range(begin, min(there, size[other])):
                arena[at + k] = pool[start[other] + k]
        for _ in range(draws[0] % 8):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFFFFF
            draw = state >> 13
            # half of the strokes hit the first 64 bytes, where the headers are
            place = (draw >> 3) % (min(there, np.int64(64)) if draw & 1 else there)
            how = (draw >> 1) & 3
            if how == 0:
                arena[at + place] = (draw >> 12) & 255
            elif how == 1:
                arena[at + place] = 255
            elif how == 2:
                arena[at + place] = 0
            else:
                arena[at + place] = np.int64(arena[at + place]) ^ (
                    np.int64(1) << ((draw >> 12) & 7)
                )
    return state


def run(seed, count, overrun=0):
    """Send ``count`` packets through all kernels; what is read too far ends the process."""
    found = corpus()
    size = np.array([len(data) for _, data in found], np.int64)
    start = np.cumsum(size) - size
    pool = np.frombuffer(b"".join(data for _, data in found) + b"\0", np.uint8)
    link = np.array([number for number, _ in found], np.int32)
    links = np.array(LINKS, np.int32)
    arena = Arena()
    block = PacketBlock(
        capture=1,
        first=1,
        n=BATCH,
        arena=arena.bytes,
        offset=np.zeros(BATCH, np.int64),
        length=np.zeros(BATCH, np.int32),
        wire=np.zeros(BATCH, np.int64),
        time=np.arange(BATCH, dtype=np.int64),
        link=np.zeros(BATCH, np.int32),
        interface=np.zeros(BATCH, np.int32),
    )
    stages = Stages()
    state = np.int64(seed * 7919 + 1)
    done = 0
    while done < count:
        state = mutate(
            pool,
            start,
            size,
            link,
            links,
            state,
            arena.bytes,
            arena.ends,
            block.offset,
            block.length,
            block.wire,
            block.link,
        )
        block.length += np.int32(overrun)
        block.n = min(BATCH, count - done)
        stages.take(block)
        block.first += block.n
        block.time += block.n
        done += block.n


class Stages:
    """Every kernel, as the observer calls them."""

    def __init__(self):
        self.columns = PacketColumns.of_size(BATCH)
        self.events = headers.Events()
        self.chosen = select.Chosen()
        self.seen, self.told = columns_of(self.columns), np.zeros((BATCH, TOLD), np.int64)
        # A small table, so that it grows and evicts while it is shot at
        self.table = ConversationTable(max_rows=40_000, idle_ns={17: 500_000})
        self.vantage = Vantage(Nowhere())
        self.fast = FastRows(Nowhere(), np.array([0x001A01], np.uint32))
        self.interfaces = [Interface(0, 1)]
        prefixes = np.array([0x001A01], np.uint32)
        self.young = Young(Shared(Nowhere(), None, None), self.vantage.names, prefixes, 300)
        self.hello = np.zeros((BATCH, rows_tls.FIELDS), np.int64)
        self.lists = np.zeros((BATCH, rows_tls.WIDTH), np.int32)

    def take(self, block):
        n, c = block.n, self.columns
        headers.decode_block(block, c, self.events)
        self.check(block)
        self.vantage.take(block, c, self.interfaces, headers.TUNNELS)
        segment = self.vantage.segment
        self.table.update(block, c, segment[:n])
        if self.table.pending:
            self.table.drain()
        self.chosen.take(n, c)
        self.seat(n, c)
        chosen, names = self.chosen, self.vantage.names
        self.fast.take(block, c, chosen.found, chosen.counts, segment, names, chosen.asked)
        asked = np.flatnonzero(self.chosen.asked[:n])
        told_rows(asked, asked.size, block.first, 1, block.time, self.seen, segment, self.told)
        own = np.flatnonzero((c.kind[:n] == KIND_TCP) & (c.payload_len[:n] > 0))
        asked = np.zeros(n, np.uint8)
        self.young.walk(block, c, asked, segment, self.table, lambda *given: None, 0, n)
        self.young.settle()
        payload, size = c.payload[own], c.payload_len[own]
        rows_tls.client_hellos(
            block.arena, payload, size, self.hello[: own.size], self.lists[: own.size]
        )
        body = np.where(size >= 9, payload + 9, -1)
        rest = (size - 9).astype(np.int32)
        rows_tls.server_hellos(
            block.arena, body, rest, self.hello[: own.size], self.lists[: own.size]
        )
        for r in own[:8].tolist():
            self.table.skip_until(int(c.conversation[r]), bool(c.from_orig[r]), int(c.seq[r]))
            self.table.interest(int(c.conversation[r]), IGNORE)

    def seat(self, n, c):
        """Make every conversation one whose SYNs were seen: mutated packets have none."""
        tcp = np.flatnonzero((c.kind[:n] == KIND_TCP) & (self.table.row[:n] >= 0))
        row, side = self.table.row[tcp], 1 - c.from_orig[tcp].astype(np.int64)
        fresh = self.table.table[row, SEAT] == 0
        row, side, tcp = row[fresh], side[fresh], tcp[fresh]
        self.table.table[row, ORIG_ISN + side] = c.seq[tcp].astype(np.int64) - 1 & 0xFFFFFFFF
        self.table.table[row, ORIG_ISN + 1 - side] = c.ack[tcp].astype(np.int64) - 1 & 0xFFFFFFFF

    def check(self, block):
        """What must hold of every row whatever the packet."""
        n, c = block.n, self.columns
        assert (c.outcome[:n] <= 2).all()
        assert (c.reason[:n] < len(headers.REASONS)).all()
        assert (c.reason[:n] > 0).all()
        there = c.payload[:n] >= 0
        begin, end = block.offset[:n], block.offset[:n] + block.length[:n]
        stop = c.payload[:n] + c.payload_len[:n]
        assert (
            ~there | ((c.payload[:n] >= begin) & (stop <= end) & (c.payload_len[:n] >= 0))
        ).all()
        assert (c.payload_claimed[:n] >= c.payload_len[:n]).all()
        assert (there | (c.kind[:n] == 0)).all()
        assert ((c.kind[:n] == 0) | (c.outcome[:n] == DECODED)).all()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("seed", type=int)
    arguments.add_argument("count", type=int)
    arguments.add_argument("--overrun", type=int, default=0)
    chosen = arguments.parse_args()
    run(chosen.seed, chosen.count, chosen.overrun)
    sys.stdout.write(f"{chosen.count:,} packets: no fault\n")


if __name__ == "__main__":
    main()
