"""Packet blocks for the kernels' tests: from bytes, and from capture files by a plain walker."""

import gzip
import struct
from pathlib import Path

import numpy as np

from wardwatch.decode import columns as names
from wardwatch.decode.kernels import headers
from wardwatch.model.block import PacketBlock

KINDS = {v: k[5:].lower() for k, v in vars(names).items() if k.startswith("KIND_")}
OUTCOMES = ("decoded", "skipped", "malformed")


def block_of(packets, link=1, wire=None, time=None, first=1, capture=1):
    """One block of ``packets`` (bytes); ``link``, ``wire`` and ``time`` for all or one each."""
    n = len(packets)
    sizes = np.array([len(p) for p in packets], np.int32)
    offset = np.zeros(n, np.int64)
    if n:
        offset[1:] = np.cumsum(sizes[:-1])
    links = np.full(n, link, np.int32) if isinstance(link, int) else np.array(link, np.int32)
    return PacketBlock(
        capture=capture,
        first=first,
        n=n,
        arena=np.frombuffer(b"".join(packets) or b"\0", np.uint8).copy(),
        offset=offset,
        length=sizes,
        wire=np.array(sizes if wire is None else wire, np.int64),
        time=np.arange(n, dtype=np.int64) * 1_000_000 if time is None else np.array(time, np.int64),
        link=links,
        interface=np.zeros(n, np.int32),
    )


def records(path):
    """(link, wire, time, bytes) of every packet of a pcap or pcapng file; stops at damage."""
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(data)
    else:
        yield from _pcap(data)


def block_of_file(path):
    """A whole file as one block."""
    found = list(records(path))
    return block_of(
        [r[3] for r in found],
        link=[r[0] for r in found],
        wire=[r[1] for r in found],
        time=[r[2] for r in found],
    )


def decoded(block, plain=False):
    """Columns of a block, by the compiled kernel or its plain Python, and the tags counted."""
    columns = names.PacketColumns.of_size(block.n)
    events = headers.Events()
    compiled = headers.headers
    try:
        if plain:
            headers.headers = compiled.py_func
        headers.decode_block(block, columns, events)
    finally:
        headers.headers = compiled
    return columns, events


def row_of(block, c, i):
    """One row of the columns, in words; the payload as (offset in the packet, there, claimed)."""
    start = int(c.payload[i])
    payload = (start - int(block.offset[i]), int(c.payload_len[i]), int(c.payload_claimed[i]))
    plain = {
        name: int(getattr(c, name)[i])
        for name in [
            "has_mac",
            "src_mac",
            "dst_mac",
            "vlan",
            "outer_tag",
            "tunnel_id",
            "ethertype",
            "net",
            "proto",
            "ttl",
            "ip_id",
            "ip_bytes",
            "fragment",
            "src_port",
            "dst_port",
            "flags",
            "seq",
            "ack",
            "window",
            "extensions",
            "wlan_subtype",
            "wlan_freq",
        ]
    }
    carrier = None
    if c.carried[i]:
        net, *ends, src_port, dst_port, vlan = (int(x) for x in c.carrier[i][:8])
        src_hi, src_lo, dst_hi, dst_lo = (x & (1 << 64) - 1 for x in ends)
        carrier = (net, src_hi << 64 | src_lo, dst_hi << 64 | dst_lo, src_port, dst_port, vlan)
    return {
        "outcome": OUTCOMES[c.outcome[i]],
        "reason": headers.REASONS[c.reason[i]],
        "kind": KINDS[int(c.kind[i])],
        "tunnel": headers.TUNNELS[c.tunnel[i]],
        "src": int(c.src_hi[i]) << 64 | int(c.src_lo[i]) if c.net[i] else 0,
        "dst": int(c.dst_hi[i]) << 64 | int(c.dst_lo[i]) if c.net[i] else 0,
        "payload": payload if start >= 0 else None,
        "carrier": carrier,
        **plain,
    }


def _pcap(data):
    magics = {
        b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
        b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
        b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
        b"\xa1\xb2\x3c\x4d": (">", 1, 16),
        b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    }
    if data[:4] not in magics or len(data) < 24:
        return
    order, tick, head = magics[data[:4]]
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + head <= len(data):
        s, f, size, wire = struct.unpack_from(order + "IIII", data, at)
        if at + head + size > len(data) or size > 1 << 18:
            return
        yield link, wire, s * 10**9 + f * tick, data[at + head : at + head + size]
        at += head + size


def _pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or at + size > len(data):
            return
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        elif kind == 6:
            face, high, low, kept, wire = struct.unpack_from(order + "5I", data, at + 8)
            if face < len(links) and kept <= size - 32:
                time = (((high << 32) | low) * 1000) % (1 << 63)
                yield links[face], wire, time, data[at + 28 : at + 28 + kept]
        elif kind == 2:
            face, _, high, low, kept, wire = struct.unpack_from(order + "HHIIII", data, at + 8)
            if face < len(links) and kept <= size - 32:
                time = (((high << 32) | low) * 1000) % (1 << 63)
                yield links[face], wire, time, data[at + 28 : at + 28 + kept]
        elif kind == 3 and links:
            wire = struct.unpack_from(order + "I", data, at + 8)[0]
            yield links[0], wire, 0, data[at + 12 : at + 12 + min(wire, size - 16)]
        at += size
