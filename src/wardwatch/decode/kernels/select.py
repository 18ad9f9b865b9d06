"""The packets that carry an answer: the few rows of a block that Python needs to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.compiled import hot, kernel
from wardwatch.decode.columns import (
    DECODED,
    KIND_ARP,
    KIND_DHCP,
    KIND_DNS,
    KIND_NONE,
    KIND_TCP,
    KIND_WIFI,
    PacketColumns,
)
from wardwatch.decode.kernels.conversations import FOLLOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = Any  # a Python int, or the NumPy scalar it is in plain mode

_SYN, _FIN_RST = 2, 5

DNS, DHCP, ARP, DISCOVERY, LISTS = range(5)
"""Lists of rows: three kinds that become rows in bulk, and discovery, which is of no kind."""
SSDP = 1900
"""UPnP Device Architecture 2.0 §1: multicast search and announcements, and where they answer."""


class Chosen:
    """Rows of the last block that are messages without TCP; its arrays are used again and again."""

    def __init__(self) -> None:
        self.asked = np.zeros(0, np.uint8)
        """(n,) 1: a message that a parser is to read, unless it becomes a row in bulk."""
        self.counts = np.zeros(LISTS + 1, np.int64)
        self._rows: list[NDArray[np.int64]] = []
        self.found = np.zeros((LISTS, 0), np.int64)
        """(LISTS, ≥ n) the rows of each list, of which ``counts`` are good."""

    def take(self, n: int, columns: PacketColumns) -> None:
        """Choose from the first ``n`` rows of a block."""
        if len(self.asked) < n:
            self.asked = np.zeros(n, np.uint8)
            self.found = np.zeros((LISTS, n), np.int64)
            self._rows = list(self.found)
        c = columns
        messages(
            n,
            c.kind,
            c.outcome,
            c.proto,
            c.src_port,
            c.dst_port,
            c.payload_len,
            c.wlan_subtype,
            self.asked,
            self.found,
            self.counts,
        )

    def rows(self, which: int) -> tuple[NDArray[np.int64], int]:
        """The rows of a list, and how many of the array they are."""
        return self._rows[which], int(self.counts[which])

    @property
    def in_bulk(self) -> bool:
        """Whether any row is of a kind that becomes rows in bulk."""
        return bool(self.counts[DNS] or self.counts[DHCP] or self.counts[ARP])

    @property
    def on_air(self) -> bool:
        """Whether any packet has an 802.11 header."""
        return bool(self.counts[LISTS])


@kernel
def messages(
    n: int,  #                              rows of the block
    kind: NDArray[np.uint8],  # (n,)        in, and so on: as in PacketColumns
    outcome: NDArray[np.uint8],
    proto: NDArray[np.int16],
    src_port: NDArray[np.int32],
    dst_port: NDArray[np.int32],
    payload_len: NDArray[np.int32],
    wlan_subtype: NDArray[np.int16],
    asked: NDArray[np.uint8],  # (n,)       out: 1 for messages without TCP that are not on the air
    found: NDArray[np.int64],  # (LISTS, n) out: rows of each list, ascending
    counts: NDArray[np.int64],  # (LISTS + 1,) out: how many of each; packets with an 802.11 header
) -> None:
    """Choose the messages of a block, and those of each kind that there are many of."""
    dns = 0
    dhcp = 0
    arp = 0
    discovery = 0
    air = 0
    for i in range(n):
        k = kind[i]
        asked[i] = 0
        if wlan_subtype[i] >= 0:
            air += 1
        if k == KIND_TCP:
            continue
        if proto[i] == 17 and (dst_port[i] == SSDP or src_port[i] == SSDP) and payload_len[i] > 0:
            found[DISCOVERY, discovery] = i
            discovery += 1
        if k == KIND_NONE or k == KIND_WIFI or outcome[i] != DECODED:
            continue
        asked[i] = 1
        if k == KIND_DNS:
            found[DNS, dns] = i
            dns += 1
        elif k == KIND_DHCP:
            found[DHCP, dhcp] = i
            dhcp += 1
        elif k == KIND_ARP:
            found[ARP, arp] = i
            arp += 1
    counts[DNS] = dns
    counts[DHCP] = dhcp
    counts[ARP] = arp
    counts[DISCOVERY] = discovery
    counts[LISTS] = air


@hot
def chosen_segment(interest: Int, said: Int, skip: Int, flags: Int, seq: Int, size: Int) -> bool:
    """Whether a TCP segment of a conversation that is not ignored carries an answer.

    ``said``: bytes that both sides have said; ``skip``: sequence number before which nothing is
    wanted, -1 none; ``size`` bytes of payload. Payload outside what is to be skipped; FIN and RST
    of conversations that are followed or have said something; SYNs of those that are followed.
    """
    if size > 0 and (skip < 0 or is_behind(seq, size, skip)):
        return True
    if flags & _FIN_RST and (interest == FOLLOW or said > 0):
        return True
    return bool(flags & _SYN and interest == FOLLOW)


@hot
def is_behind(seq: Int, size: Int, skip: Int) -> bool:
    """Whether a segment ends behind sequence number ``skip``, in the half of the numbers near it."""
    return bool((seq + size - skip + 0x80000000) & 0xFFFFFFFF > 0x80000000)
