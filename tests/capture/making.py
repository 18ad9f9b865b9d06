"""Captures packed by hand, byte by byte, in either byte order: what the readers are tried on."""

import struct
from io import BytesIO

from wardwatch.capture.sniff import open_stream
from wardwatch.model.block import CaptureFile

MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
SECOND = 1_000_000_000


class Packet:
    """What a reader should say of one packet."""

    def __init__(self, number, data, wire, time, link, interface):
        self.number, self.data, self.wire = number, data, wire
        self.time, self.link, self.interface = time, link, interface

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"Packet({vars(self)})"


def read(raw: bytes | BytesIO, name: str = "made") -> tuple[list[Packet], CaptureFile]:
    """Everything a reader says of ``raw``, as plain Python values."""
    return drain(open_stream(BytesIO(raw) if isinstance(raw, bytes) else raw, name))


def drain(reader) -> tuple[list[Packet], CaptureFile]:
    """Iterate to the end ⇒ (packets, account)."""
    packets = []
    for block in reader:
        for i in range(block.n):
            at = int(block.offset[i])
            packets.append(
                Packet(
                    block.first + i,
                    block.arena[at : at + int(block.length[i])].tobytes(),
                    int(block.wire[i]),
                    int(block.time[i]),
                    int(block.link[i]),
                    int(block.interface[i]),
                )
            )
    return packets, reader.result


def pcap_header(order="<", magic=MICRO, link=1, version=(2, 4), snaplen=262_144):
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)


def pcap_record(data, seconds=1, fraction=0, wire=None, caplen=None, order="<", modified=False):
    wire = len(data) if wire is None else wire
    caplen = len(data) if caplen is None else caplen
    header = struct.pack(order + "IIII", seconds, fraction, caplen, wire)
    if modified:
        header += struct.pack(order + "IHBB", 3, 0x0800, 0, 0)
    return header + data


def pcap(*packets, order="<", magic=MICRO, link=1, version=(2, 4)):
    """A pcap of ``(seconds, fraction, data)``."""
    records = [
        pcap_record(data, seconds, fraction, order=order, modified=magic == MODIFIED)
        for seconds, fraction, data in packets
    ]
    return pcap_header(order, magic, link, version) + b"".join(records)


def block(kind, body, order="<", size=None, trailer=None):
    """One pcapng block; ``size`` and ``trailer`` may lie."""
    size = len(body) + 12 if size is None else size
    trailer = size if trailer is None else trailer
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", trailer)


def pad(raw):
    return raw + bytes(-len(raw) % 4)


def option(code, value, order="<", size=None):
    return struct.pack(order + "HH", code, len(value) if size is None else size) + pad(value)


def end(order="<"):
    return struct.pack(order + "HH", 0, 0)


def shb(order="<", options=b"", version=(1, 0), length=-1):
    return block(
        0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, length) + options, order
    )


def idb(order="<", link=1, snaplen=0, options=b""):
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def epb(data, interface=0, ticks=0, wire=None, order="<", options=b"", caplen=None):
    fixed = struct.pack(
        order + "IIIII",
        interface,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(data) if caplen is None else caplen,
        len(data) if wire is None else wire,
    )
    return block(6, fixed + pad(data) + options, order)


def spb(data, wire=None, order="<"):
    return block(
        3, struct.pack(order + "I", len(data) if wire is None else wire) + pad(data), order
    )


def pb(data, interface=0, ticks=0, wire=None, order="<", options=b""):
    """The obsolete Packet Block: a 16-bit interface and a count of drops."""
    fixed = struct.pack(
        order + "HHIIII",
        interface,
        7,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(data),
        len(data) if wire is None else wire,
    )
    return block(2, fixed + pad(data) + options, order)


def isb(interface=0, order="<", options=b""):
    return block(5, struct.pack(order + "III", interface, 0, 0) + options, order)
