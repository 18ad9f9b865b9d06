"""Kernel rows and parser rows of the same packets, side by side, for the tests that compare them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode import columns as kinds
from wardwatch.decode.columns import PacketColumns
from wardwatch.model.block import PacketBlock
from wardwatch.observe.datagrams import Datagrams
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.tables import Spool
from wardwatch.observe.text import ip_of, mac_of
from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from tests.walk import Seen

KIND = {"dns": kinds.KIND_DNS, "dhcp": kinds.KIND_DHCP, "arp": kinds.KIND_ARP}


class PlainSecrets:
    """A stand-in that digests to the hex of the bytes themselves."""

    def digest(self, secret: bytes) -> str:
        return secret.hex()

    def known_default(self, secret: bytes, protocol: str) -> str:
        return "public" if secret == b"public" else ""


def block_of(seen: list[Seen]) -> tuple[PacketBlock, PacketColumns]:
    """Payloads laid end to end in an arena, with their columns filled as the headers kernel would."""
    n = len(seen)
    arena = np.frombuffer(b"".join(s.payload for s in seen) or b"\0", np.uint8)
    length = np.array([len(s.payload) for s in seen], np.int32)
    offset = np.zeros(n, np.int64)
    offset[1:] = np.cumsum(length[:-1])
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


def compare(
    what: str, seen: list[Seen], devices: list[int] | None = None
) -> tuple[list, list, int]:
    """Rows of the kernel and of the parser for the same ordinary packets, sorted, and how many."""
    if not seen:
        return [], [], 0
    block, columns = block_of(seen)
    with tempfile.TemporaryDirectory() as folder:
        fast_spool = Spool(Path(folder) / "fast")
        fast = FastRows(fast_spool, np.array(devices or [], np.uint32))
        rows = np.arange(len(seen), dtype=np.int64)
        segment = rows % 2
        left = getattr(fast, what)(block, columns, rows, segment, ["untagged", "vlan 7"])
        fast.finish()
        slow_spool = Spool(Path(folder) / "slow")
        slow = Datagrams(slow_spool, PlainSecrets())
        for i in sorted(set(range(len(seen))) - set(left.tolist())):
            s = seen[i]
            where = Where(
                capture=3,
                packet=11 + i,
                ts=i * 1_000_000_000,
                segment=["untagged", "vlan 7"][i % 2],
                src_mac=mac_of(int(columns.src_mac[i])) if columns.has_mac[i] else "",
                dst_mac=mac_of(int(columns.dst_mac[i])) if columns.has_mac[i] else "",
                src=ip_of(int(columns.net[i]), int(columns.src_hi[i]), int(columns.src_lo[i])),
                dst=ip_of(int(columns.net[i]), int(columns.dst_hi[i]), int(columns.dst_lo[i])),
                src_port=s.src_port,
                dst_port=s.dst_port,
                conversation=100 + i,
                ip_ttl=int(columns.ttl[i]),
            )
            slow.read(KIND[what], s.payload, where, claimed=int(columns.payload_claimed[i]))
        slow.finish()
        tables = [spool.close() for spool in (fast_spool, slow_spool)]
        found = [sorted(t.arrow(what).to_pylist(), key=lambda r: r["packet"]) for t in tables]
        assert tables[1].arrow("anomalies").num_rows == 0, (
            "the kernel took a message with anomalies"
        )
    return found[0], found[1], len(seen) - left.size
