"""PacketBlock: many packets in one arena, with a column for each fact of their records."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class PacketBlock(msgspec.Struct):
    """Packets of one capture, in file order, borrowed from the reader's buffer.

    The arrays are views that the reader overwrites when the next block is asked for: take
    what you need before you go on. ``n`` rows; every array has at least ``n`` entries, of which
    the first ``n`` count.
    """

    capture: int
    """Number of the capture (1-based, in the order the files were given)."""
    first: int
    """1-based packet number, within that capture, of row 0."""
    n: int
    """Rows."""
    arena: NDArray[np.uint8]
    """(bytes,) holds every packet's captured bytes; contiguous, C order."""
    offset: NDArray[np.int64]
    """(n,) first byte of the packet in ``arena``."""
    length: NDArray[np.int32]
    """(n,) captured bytes: ``arena[offset:offset+length]`` is the packet."""
    wire: NDArray[np.int64]
    """(n,) bytes the packet had on the wire, as the file claims (unsigned 32 bit)."""
    time: NDArray[np.int64]
    """(n,) ns since 1970-01-01 UTC; ``UNKNOWN_TIME`` where the file gives none."""
    link: NDArray[np.int32]
    """(n,) link type (LINKTYPE_ number) of the packet's interface."""
    interface: NDArray[np.int32]
    """(n,) index into the capture's interfaces (counted over all its sections)."""


class Interface(msgspec.Struct, frozen=True):
    """One interface of a capture file, as the file describes it (pcapng IDB; one for a pcap)."""

    index: int
    """0-based, counted over all sections of the file."""
    link: int
    """LINKTYPE_ number."""
    snaplen: int = 0
    """Bytes kept of a packet at most; 0: no limit stated."""
    name: str = ""
    """if_name, as the file says (text from outside)."""
    description: str = ""
    filter: str = ""
    """if_filter: the capture filter in force, where the file tells."""
    resolution: int = 1_000_000
    """Ticks a second (if_tsresol)."""
    offset_s: int = 0
    """if_tsoffset, seconds added to every stamp."""
    received: int = -1
    """isb_ifrecv; -1: not told."""
    dropped: int = -1
    """isb_ifdrop; -1: not told."""
    os_dropped: int = -1
    """isb_osdrop; -1: not told."""


class Damage(msgspec.Struct, frozen=True):
    """Where a capture file stops making sense, and what that cost."""

    offset: int
    """Byte offset in the (decompressed) stream."""
    problem: str
    """One line: what was found."""
    remedy: str = "what came before is kept; ask for the file again, whole"
    fatal: bool = True
    """False: reading went on behind it."""


class CaptureFile(msgspec.Struct, frozen=True):
    """What a reader knows of one file once it has been read to its end (or to the damage)."""

    number: int
    name: str
    """The name as given (``-`` for a pipe), never a resolved path."""
    sha256: str
    """SHA-256 of the file as stored (before decompression), hex; of what was read from a pipe."""
    stored_bytes: int
    """Bytes of the file as stored."""
    format: str
    """``pcap``, ``pcap-ns``, ``pcap-modified`` or ``pcapng``."""
    compression: str
    """``none``, ``gzip``, ``zstd`` or ``xz``."""
    byte_order: str
    """``little``, ``big`` or ``mixed`` (pcapng sections may differ)."""
    packets: int
    captured_bytes: int
    wire_bytes: int
    interfaces: tuple[Interface, ...]
    comments: tuple[str, ...] = ()
    """Comments of sections, interfaces and packets (text from outside), at most 1,000."""
    damage: tuple[Damage, ...] = ()
