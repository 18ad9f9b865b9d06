"""The kernels of capture/records written slowly and plainly, from the drafts, with struct."""

import struct
from fractions import Fraction

from wardwatch.model.values import UNKNOWN_TIME

MAX_PACKET = 262_144


def pcap_rows(raw, order, header, tick):
    """⇒ (rows (offset, length, wire, time) of the whole records in ``raw``, where it stopped)."""
    rows, at = [], 0
    while at + header <= len(raw):
        seconds, fraction, caplen, wire = struct.unpack(order + "IIII", raw[at : at + 16])
        if caplen > MAX_PACKET or at + header + caplen > len(raw):
            break
        ns = fraction * tick
        rows.append((at + header, caplen, wire, seconds * 10**9 + (ns if ns < 10**9 else 0)))
        at += header + caplen
    return rows, at


def instant(ticks, resolution, offset):
    """ns since 1970 of a pcapng stamp, computed with fractions."""
    unit = Fraction(1, 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution)
    return int(ticks * unit * 10**9 // 1) + offset * 10**9


def pcapng_rows(raw, order, interfaces):
    """Rows (offset, length, wire, time, link, interface) of the packet blocks in ``raw``.

    ``interfaces`` holds (link, snaplen, resolution, offset) each; blocks must be well-formed.
    """
    rows, at = [], 0
    while at + 12 <= len(raw):
        kind, size = struct.unpack(order + "II", raw[at : at + 8])
        if at + size > len(raw):
            break
        if kind in (6, 2):
            if kind == 6:
                index = struct.unpack(order + "I", raw[at + 8 : at + 12])[0]
            else:
                index = struct.unpack(order + "H", raw[at + 8 : at + 10])[0]
            high, low, caplen, wire = struct.unpack(order + "IIII", raw[at + 12 : at + 28])
            link, _, resolution, offset = interfaces[index]
            time = instant((high << 32) | low, resolution, offset)
            rows.append((at + 28, caplen, wire, time, link, index))
        elif kind == 3:
            wire = struct.unpack(order + "I", raw[at + 8 : at + 12])[0]
            link, snaplen, _, _ = interfaces[0]
            rows.append((at + 12, min(wire, snaplen or wire), wire, UNKNOWN_TIME, link, 0))
        at += size
    return rows, at
