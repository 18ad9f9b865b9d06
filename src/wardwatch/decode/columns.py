"""PacketColumns: what the header kernel knows of each packet, one array a field.

Filled by :mod:`wardwatch.decode.kernels.headers`; read by the other kernels and by ``observe``.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.decode.blank import blank

DECODED, SKIPPED, MALFORMED = 0, 1, 2

# Kinds: which parser a packet that carries an answer belongs to. 0 none.
KIND_NONE, KIND_ARP, KIND_DHCP, KIND_DNS, KIND_TCP, KIND_ICMP, KIND_ICMP6, KIND_DHCPV6 = range(8)
KIND_REDUNDANCY, KIND_SNMP, KIND_TFTP, KIND_LLDP, KIND_CDP, KIND_CONTROL, KIND_WIFI = range(8, 15)
KIND_FRAGMENT = 15


S_TAG = 1 << 12
"""In ``outer_tag``: the tag has the type of an S-TAG (IEEE 802.1Q table 9-1), or one of those that
provider bridges used before it."""
CARRIER_WIDTH = 12
Arrays = Any
"""The named tuple of the columns' arrays."""


class PacketColumns(msgspec.Struct, dict=True):
    """Columns of one block, ``size`` rows; those of ``block.n`` count. Innermost header wins."""

    outcome: NDArray[np.uint8]
    """DECODED, SKIPPED or MALFORMED."""
    reason: NDArray[np.uint16]
    """Index into ``headers.REASONS``."""
    kind: NDArray[np.uint8]
    """One of the KIND_ numbers: which parser may want it."""
    has_mac: NDArray[np.uint8]
    """1 when ``src_mac`` and ``dst_mac`` are set (Ethernet, 802.11 data)."""
    src_mac: NDArray[np.uint64]
    """48 bits, first octet highest; innermost frame."""
    dst_mac: NDArray[np.uint64]
    vlan: NDArray[np.int32]
    """Innermost 802.1Q VID of the innermost frame; -1 untagged. VID 0 is a priority tag, which
    names no VLAN (IEEE 802.1Q §9.6): it leaves this as it was."""
    outer_tag: NDArray[np.uint16]
    """Outermost 802.1Q tag of a frame with two or more that name a VLAN: its VID, and S_TAG on top
    where it is a service tag; 0 with fewer, since VID 0 is no VLAN's."""
    tunnel: NDArray[np.uint8]
    """Index into ``headers.TUNNELS``; 0 none; the innermost tunnel."""
    tunnel_id: NDArray[np.int64]
    """VNI, session, first label …; -1 none."""
    ethertype: NDArray[np.int32]
    """Ethertype reached; for 802.3 LLC frames -1."""
    net: NDArray[np.uint8]
    """4, 6, or 0 without IP."""
    src_hi: NDArray[np.uint64]
    """High 64 bits of the IPv6 address; 0 for IPv4."""
    src_lo: NDArray[np.uint64]
    """Low 64 bits of the IPv6 address; the IPv4 address."""
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    proto: NDArray[np.int16]
    """IP protocol behind extension headers; -1 without IP."""
    ttl: NDArray[np.uint8]
    """TTL or hop limit."""
    ip_id: NDArray[np.int64]
    """IPv4 identification, or of the IPv6 fragment header; -1 none."""
    ip_bytes: NDArray[np.int32]
    """Length of the IP packet by its header (0 and offload: what is left)."""
    fragment: NDArray[np.int32]
    """Fragment offset·2 + more-fragments, in bytes·2; -1 not a fragment."""
    src_port: NDArray[np.int32]
    """-1 without ports; ICMP type."""
    dst_port: NDArray[np.int32]
    """-1 without ports; ICMP code."""
    flags: NDArray[np.uint16]
    """TCP flags."""
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    window: NDArray[np.uint16]
    payload: NDArray[np.int64]
    """Index in the arena of the first byte behind the transport header (ICMP: of the ICMP header;
    ARP, LLDP, CDP, control: of the first byte behind the link header; 802.11: of the MAC
    header; a fragment: behind the IP (fragment) header); -1 none. The link header of an LLC
    frame ends behind LLC and SNAP."""
    payload_len: NDArray[np.int32]
    """Bytes of it captured and claimed (link padding excluded)."""
    payload_claimed: NDArray[np.int32]
    """Bytes of it by the IP (or UDP) header; more than ``payload_len`` where the capture is cut."""
    extensions: NDArray[np.uint8]
    """1 when IPv6 extension headers (other than a fragment's) stood before the transport."""
    wlan_subtype: NDArray[np.int16]
    """802.11 type·16 + subtype (8 beacon, 32 data …); -1 no 802.11 header."""
    wlan_offset: NDArray[np.int64]
    """Index in the arena of the 802.11 MAC header; -1 none."""
    wlan_end: NDArray[np.int64]
    """Index in the arena behind the 802.11 frame, check sequence excluded; -1 none."""
    wlan_freq: NDArray[np.int32]
    """MHz of the channel by the radio header; -1 not told."""
    carried: NDArray[np.uint8]
    """1 when the packet came in a UDP tunnel and has no TCP or UDP ports of its own."""
    carrier: NDArray[np.int64]
    """(size, CARRIER_WIDTH) of those: net, src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, vlan,
    ip_bytes, payload, src_mac, dst_mac of the tunnel; other rows are not written."""
    conversation: NDArray[np.int64]
    """Number of the conversation, unique in a run; -1 none. Filled by the conversation kernel."""
    from_orig: NDArray[np.uint8]
    """1 from the originator. Filled by the conversation kernel."""

    @classmethod
    def of_size(cls, size: int) -> PacketColumns:
        """Columns for ``size`` packets; the kernel fills every row."""
        kinds = {
            f"NDArray[np.{t}]": t
            for t in ("uint8", "uint16", "uint32", "uint64", "int16", "int32", "int64")
        }
        columns = cls(
            *(np.zeros(size, kinds[str(cls.__annotations__[f])]) for f in cls.__struct_fields__)
        )
        columns.carrier = blank((size, CARRIER_WIDTH), np.int64)
        return columns

    def for_size(self, size: int) -> PacketColumns:
        """These where they have room for ``size`` packets; else others, seldom made anew."""
        if len(self.kind) >= size:
            return self
        return self.of_size(1 << (size - 1).bit_length())

    @cached_property
    def arrays(self) -> Arrays:
        """All arrays as a named tuple, which is what kernels can take; always the same ones."""
        return _Arrays(*(getattr(self, name) for name in self.__struct_fields__))

    @cached_property
    def signed(self) -> Arrays:
        """Like ``arrays``, unsigned 64 bit columns seen as signed ones."""
        return _Arrays(*(a.view(np.int64) if a.dtype == np.uint64 else a for a in self.arrays))


def lines(rows: int, width: int) -> NDArray[np.int64]:
    """A table of zeros, (rows, width), whose first row begins with a cache line of 64 bytes."""
    room = np.zeros(rows * width + 8, np.int64)
    skipped = -(room.ctypes.data // 8) % 8
    return room[skipped : skipped + rows * width].reshape(rows, width)


_Arrays: Any = namedtuple("_Arrays", PacketColumns.__struct_fields__)  # type: ignore[misc]
