"""Kernel rows and parser rows of the same packets, side by side, for the tests that compare them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from tests.walk import Seen

from wardwatch.decode import columns as kinds
from wardwatch.decode.columns import PacketColumns
from wardwatch.decode.kernels import select
from wardwatch.model.block import PacketBlock
from wardwatch.model.columns import BY_NAME, EMPTY, TABLES
from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.tables import arrow_schema
from wardwatch.observe.text import ip_of, mac_of
from wardwatch.observe.where import Where

KIND = {"dns": kinds.KIND_DNS, "dhcp": kinds.KIND_DHCP, "arp": kinds.KIND_ARP}


SEGMENTS = ["untagged", "vlan 7"]


class Kept:
    """A spool that keeps rows as the tables would give them back, and writes no file."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = {table.name: [] for table in TABLES}

    def add(self, table: str, row: dict) -> None:
        self.extend(table, {name: [value] for name, value in row.items()})

    def extend(self, table: str, columns: dict) -> None:
        schema = arrow_schema(BY_NAME[table])
        assert columns.keys() <= set(schema.names)
        size = len(next(iter(columns.values())))
        given = {
            name: (
                v.cast(schema.field(name).type)
                if isinstance(v, pa.Array)
                else pa.array(v, schema.field(name).type)
            )
            for name, v in columns.items()
        }
        assert {len(v) for v in given.values()} == {size}
        assert not any(v.null_count for v in given.values())
        none = {c.name: EMPTY[c.type] for c in BY_NAME[table].columns}
        lists = {name: v.to_pylist() for name, v in given.items()}
        self.rows[table] += [
            {n: lists[n][k] if n in lists else (list(e) if e == () else e) for n, e in none.items()}
            for k in range(size)
        ]


class PlainSecrets:
    """A stand-in that digests to the hex of the bytes themselves."""

    def digest(self, secret: bytes) -> str:
        return secret.hex()

    def known_default(self, secret: bytes, protocol: str) -> str:
        return "public" if secret == b"public" else ""


def seen_of(what: str, payloads: list[bytes], *, cut: int = 0) -> list[Seen]:
    """Packets that carry the payloads, with addresses and ports that vary a little."""
    ports = {"dns": (40000, 53), "dhcp": (68, 67), "arp": (-1, -1)}[what]
    found = []
    for i, payload in enumerate(payloads):
        odd = i % 3 == 1
        source, target = ports if i % 2 else ports[::-1]
        found.append(
            Seen(
                packet=i,
                kind="udp",
                payload=payload,
                src_mac=bytes([2, 0, 0, 0, 0, i % 5]) if i % 4 else b"",
                dst_mac=b"\xff" * 6 if i % 4 else b"",
                src=bytes(15) + bytes([i % 7]) if odd else bytes([10, 0, 0, i % 7]),
                dst=bytes(15) + b"\x01" if odd else bytes([10, 0, 0, 1]),
                src_port=source,
                dst_port=target,
                claimed=len(payload) + (cut if i % 5 == 0 else 0),
                ttl=64,
            )
        )
    return found


def block_of(seen: list[Seen], poison: bytes = b"") -> tuple[PacketBlock, PacketColumns]:
    """Payloads laid end to end in an arena, ``poison`` around each, and their columns filled as
    the headers kernel would."""
    n = len(seen)
    body = poison + b"".join(s.payload + poison for s in seen)
    arena = np.frombuffer(body or b"\0", np.uint8)
    length = np.array([len(s.payload) for s in seen], np.int32)
    offset = np.full(n, len(poison), np.int64)
    offset[1:] += np.cumsum(length[:-1] + len(poison), dtype=np.int64)
    columns = PacketColumns.of_size(n)
    columns.payload[:] = offset
    columns.payload_len[:] = length
    for i, s in enumerate(seen):
        columns.payload_claimed[i] = max(s.claimed, len(s.payload))
        columns.has_mac[i] = bool(s.src_mac)
        columns.src_mac[i] = int.from_bytes(s.src_mac, "big")
        columns.dst_mac[i] = int.from_bytes(s.dst_mac, "big")
        columns.net[i] = {4: 4, 16: 6}.get(len(s.src), 0)
        for name, raw in (("src", s.src), ("dst", s.dst)):
            number = int.from_bytes(raw, "big")
            getattr(columns, f"{name}_hi")[i] = number >> 64
            getattr(columns, f"{name}_lo")[i] = number & (2**64 - 1)
        columns.src_port[i], columns.dst_port[i] = s.src_port, s.dst_port
        columns.ttl[i] = max(s.ttl, 0)
        columns.conversation[i] = 100 + i
    zeros = np.zeros(n, np.int32)
    time = np.arange(n, dtype=np.int64) * 1_000_000_000
    block = PacketBlock(
        3, 11, n, arena, offset, length, length.astype(np.int64), time, zeros, zeros
    )
    return block, columns


def listed(what: str, rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Packets as select chooses them: all lists, of which one has ``n`` of ``rows``, and how many."""
    found = np.zeros((select.LISTS, len(rows)), np.int64)
    counts = np.zeros(select.LISTS + 1, np.int64)
    which = {"dns": select.DNS, "dhcp": select.DHCP, "arp": select.ARP}[what]
    found[which], counts[which] = rows, n
    return found, counts


def compare(
    what: str, seen: list[Seen], devices: list[int] | None = None
) -> tuple[list, list, int]:
    """Rows of the kernel and of the parser for the same ordinary packets, sorted, and how many."""
    if not seen:
        return [], [], 0
    block, columns = block_of(seen)
    fast_spool, slow_spool = Kept(), Kept()
    fast = FastRows(fast_spool, np.array(devices or [], np.uint32))
    left = np.ones(len(seen), np.uint8)
    rows = np.arange(len(seen), dtype=np.int64)
    segment = (rows % 2).astype(np.int32)
    fast.take(block, columns, *listed(what, rows, rows.size), segment, SEGMENTS, left)
    fast.finish()
    slow = Datagrams(slow_spool, PlainSecrets())
    for i in np.flatnonzero(left == 0).tolist():
        payload, claimed = seen[i].payload, int(columns.payload_claimed[i])
        slow.read(KIND[what], payload, where_of(block, columns, i), claimed=claimed)
    slow.finish()
    assert not slow_spool.rows["anomalies"], "the kernel took a message with anomalies"
    found = [sorted(s.rows[what], key=lambda r: r["packet"]) for s in (fast_spool, slow_spool)]
    return found[0], found[1], len(seen) - int(left.sum())


def where_of(block: PacketBlock, columns: PacketColumns, i: int) -> Where:
    """Row ``i`` as the observer would cite it."""
    net = int(columns.net[i])
    mac = bool(columns.has_mac[i])
    return Where(
        capture=block.capture,
        packet=block.first + i,
        ts=int(block.time[i]),
        segment=SEGMENTS[i % 2],
        src_mac=mac_of(int(columns.src_mac[i])) if mac else "",
        dst_mac=mac_of(int(columns.dst_mac[i])) if mac else "",
        src=ip_of(net, int(columns.src_hi[i]), int(columns.src_lo[i])),
        dst=ip_of(net, int(columns.dst_hi[i]), int(columns.dst_lo[i])),
        src_port=int(columns.src_port[i]),
        dst_port=int(columns.dst_port[i]),
        conversation=int(columns.conversation[i]),
        ip_ttl=int(columns.ttl[i]) if net else -1,
    )
