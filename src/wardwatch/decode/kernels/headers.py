"""Every packet's headers in one pass, link to transport, as columns; the innermost header wins.

Theory of operation: a packet passes *stages* (one a header). A stage reads its header at
``at``, knows that the layer it lies in ends at ``end``, writes what it learnt into the slots
of one packet, and names the next stage. The loop ends when a stage says how the packet came out.
No stage reads a byte that it has not first compared with ``end``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.compiled import helper, hot, kernel, prefetch
from wardwatch.decode.blank import blank
from wardwatch.decode.columns import (
    CARRIER_WIDTH,
    DECODED,
    KIND_ARP,
    KIND_CDP,
    KIND_CONTROL,
    KIND_DHCP,
    KIND_DHCPV6,
    KIND_DNS,
    KIND_FRAGMENT,
    KIND_ICMP,
    KIND_ICMP6,
    KIND_LLDP,
    KIND_NONE,
    KIND_REDUNDANCY,
    KIND_SNMP,
    KIND_TCP,
    KIND_TFTP,
    KIND_WIFI,
    MALFORMED,
    S_TAG,
    SKIPPED,
    PacketColumns,
)

if TYPE_CHECKING:
    from wardwatch.model.block import PacketBlock

    Bytes = NDArray[np.uint8]
    Slots = NDArray[np.int64]
    Int = Any
    """A Python int, or the NumPy scalar that it is in plain mode."""
    Arrays = Any
    """The named tuple of ``PacketColumns.arrays``."""
    Step = tuple[Int, Int, Int]
    """The next stage, where its header begins, and where the layer that holds it ends."""

# --- vocabulary ---------------------------------------------------------------------------------

TUNNELS: tuple[str, ...] = (
    "",
    "gre",
    "erspan",
    "vxlan",
    "geneve",
    "capwap",
    "mpls",
    "pppoe",
    "pptp",
    "ip",
    "teredo",
    "etherip",
)
"""What ``PacketColumns.tunnel`` counts into."""
(_, T_GRE, T_ERSPAN, T_VXLAN, T_GENEVE, T_CAPWAP, T_MPLS, T_PPPOE, T_PPTP, T_IP, T_TEREDO) = range(
    11
)
T_ETHERIP = 11

EVENT_KINDS: tuple[str, ...] = (
    "vlan",
    "mpls",
    "vxlan",
    "geneve",
    "gre",
    "erspan",
    "capwap",
    "pppoe",
    "trustsec",
    "macsec",
    "ipv4_fragment",
    "ipv6_fragment",
)
"""Kinds of table ``encapsulations``."""
(E_VLAN, E_MPLS, E_VXLAN, E_GENEVE, E_GRE, E_ERSPAN, E_CAPWAP, E_PPPOE) = range(8)
(E_TRUSTSEC, E_MACSEC, E_IPV4_FRAGMENT, E_IPV6_FRAGMENT) = range(8, 12)

_HEADERS = (
    "ethernet",
    "802.1q",
    "linux cooked",
    "loopback",
    "802.11",
    "radiotap",
    "ppi",
    "prism",
    "ppp",
    "pppoe",
    "llc",
    "mpls",
    "trustsec",
    "macsec",
    "ipv4",
    "ipv6",
    "ipv6 extension",
    "ah",
    "gre",
    "erspan",
    "vxlan",
    "geneve",
    "capwap",
    "etherip",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "sctp",
    "arp",
    "raw ip",
)
"""Headers that can be too short: each gives two reasons, see :func:`_short`."""

_MANAGEMENT = (
    "association request",
    "association response",
    "reassociation request",
    "reassociation response",
    "probe request",
    "probe response",
    "timing advertisement",
    "reserved management 7",
    "beacon",
    "atim",
    "disassociation",
    "authentication",
    "deauthentication",
    "action",
    "action no ack",
    "reserved management 15",
)

REASONS: tuple[str, ...] = (
    "",
    *(f"{h} header {how}" for h in _HEADERS for how in ("short", "cut by snap length")),
    # malformed otherwise
    "ipv4 version or header length wrong",
    "ipv4 total length shorter than its header",
    "ipv6 version wrong",
    "tcp data offset below 5",
    "udp length below 8",
    "ip version unknown",
    "802.11 protocol version unknown",
    "radio header length wrong",
    "too many headers",
    # skipped
    "link type not known",
    "ethertype not known",
    "ethernet type 1501 to 1535 undefined",
    "llc sap not known",
    "snap protocol not known",
    "ppp protocol not known",
    "ppp control",
    "ppp compressed or encrypted",
    "loopback family not known",
    "cooked protocol not known",
    "gre protocol not known",
    "gre version not known",
    "erspan payload not ethernet or ip",
    "geneve protocol not known",
    "esp encrypted",
    "macsec encrypted",
    "802.11 protected data",
    "802.11 a-msdu",
    "802.11 fragment",
    "802.11 extension",
    "encrypted capwap",
    "capwap fragment",
    "capwap payload not known",
    "mpls oam",
    "ipx",
    "appletalk",
    "profinet",
    "ethercat",
    "ptp",
    "goose or sampled values",
    "homeplug",
    "wake on lan",
    "fibre channel",
    "cisco fabricpath",
    "netbios frames",
    "iso network layer",
    # decoded
    "arp",
    "rarp",
    "lldp",
    "cdp",
    "stp",
    "pvst",
    "vtp",
    "dtp",
    "pagp",
    "udld",
    "lacp",
    "slow protocol",
    "eapol",
    "xid",
    "llc test",
    "loopback test",
    "pppoe discovery",
    "capwap keep-alive",
    "802.11 control",
    "802.11 null data",
    *(f"802.11 {name}" for name in _MANAGEMENT),
    "ipv4 tcp",
    "ipv6 tcp",
    "ipv4 udp",
    "ipv6 udp",
    "ipv4 icmp",
    "ipv6 icmp",
    "ipv4 icmpv6",
    "ipv6 icmpv6",
    "ipv4 igmp",
    "ipv6 igmp",
    "ipv4 sctp",
    "ipv6 sctp",
    "ipv4 vrrp",
    "ipv6 vrrp",
    "ipv4 ospf",
    "ipv6 ospf",
    "ipv4 eigrp",
    "ipv6 eigrp",
    "ipv4 pim",
    "ipv6 pim",
    "ipv4 no next header",
    "ipv6 no next header",
    "ipv4 other protocol",
    "ipv6 other protocol",
    "ipv4 fragment",
    "ipv6 fragment",
)
"""Why a packet came out as it did; ``PacketColumns.reason`` counts into it."""


def reason(name: str) -> int:
    """Index of a reason by its words."""
    return REASONS.index(name)


(H_ETHERNET, H_VLAN, H_COOKED, H_NULL, H_WLAN, H_RADIOTAP, H_PPI, H_PRISM, H_PPP) = range(9)
(H_PPPOE, H_LLC, H_MPLS, H_TRUSTSEC, H_MACSEC, H_IPV4, H_IPV6, H_EXTENSION, H_AH) = range(9, 18)
(H_GRE, H_ERSPAN, H_VXLAN, H_GENEVE, H_CAPWAP, H_ETHERIP, H_TCP, H_UDP, H_ICMP) = range(18, 27)
(H_ICMPV6, H_SCTP, H_ARP, H_RAW) = range(27, 31)

R_IPV4_VERSION = reason("ipv4 version or header length wrong")
R_IPV4_LENGTH = reason("ipv4 total length shorter than its header")
R_IPV6_VERSION = reason("ipv6 version wrong")
R_TCP_OFFSET = reason("tcp data offset below 5")
R_UDP_LENGTH = reason("udp length below 8")
R_IP_VERSION = reason("ip version unknown")
R_WLAN_VERSION = reason("802.11 protocol version unknown")
R_RADIO_LENGTH = reason("radio header length wrong")
R_DEEP = reason("too many headers")
R_LINK = reason("link type not known")
R_ETHERTYPE = reason("ethertype not known")
R_TYPE_LENGTH = reason("ethernet type 1501 to 1535 undefined")
R_LLC_SAP = reason("llc sap not known")
R_SNAP = reason("snap protocol not known")
R_PPP = reason("ppp protocol not known")
R_PPP_CONTROL = reason("ppp control")
R_PPP_OPAQUE = reason("ppp compressed or encrypted")
R_NULL_FAMILY = reason("loopback family not known")
R_COOKED = reason("cooked protocol not known")
R_GRE_PROTOCOL = reason("gre protocol not known")
R_GRE_VERSION = reason("gre version not known")
R_ERSPAN = reason("erspan payload not ethernet or ip")
R_GENEVE = reason("geneve protocol not known")
R_ESP = reason("esp encrypted")
R_MACSEC = reason("macsec encrypted")
R_WLAN_PROTECTED = reason("802.11 protected data")
R_WLAN_AMSDU = reason("802.11 a-msdu")
R_WLAN_FRAGMENT = reason("802.11 fragment")
R_WLAN_EXTENSION = reason("802.11 extension")
R_CAPWAP_DTLS = reason("encrypted capwap")
R_CAPWAP_FRAGMENT = reason("capwap fragment")
R_CAPWAP_PAYLOAD = reason("capwap payload not known")
R_MPLS_OAM = reason("mpls oam")
R_IPX = reason("ipx")
R_NETBIOS = reason("netbios frames")
R_ISO = reason("iso network layer")
R_ARP = reason("arp")
R_RARP = reason("rarp")
R_LLDP = reason("lldp")
R_CDP = reason("cdp")
R_STP = reason("stp")
R_PVST = reason("pvst")
R_VTP = reason("vtp")
R_DTP = reason("dtp")
R_PAGP = reason("pagp")
R_UDLD = reason("udld")
R_LACP = reason("lacp")
R_SLOW = reason("slow protocol")
R_EAPOL = reason("eapol")
R_XID = reason("xid")
R_LLC_TEST = reason("llc test")
R_LOOP_TEST = reason("loopback test")
R_PPPOE_DISCOVERY = reason("pppoe discovery")
R_CAPWAP_KEEPALIVE = reason("capwap keep-alive")
R_WLAN_CONTROL = reason("802.11 control")
R_WLAN_NULL = reason("802.11 null data")
R_WLAN_MANAGEMENT = reason("802.11 association request")
R_TCP = reason("ipv4 tcp")
R_UDP = reason("ipv4 udp")
R_ICMP = reason("ipv4 icmp")
R_ICMPV6 = reason("ipv4 icmpv6")
R_IGMP = reason("ipv4 igmp")
R_SCTP = reason("ipv4 sctp")
R_VRRP = reason("ipv4 vrrp")
R_OSPF = reason("ipv4 ospf")
R_EIGRP = reason("ipv4 eigrp")
R_PIM = reason("ipv4 pim")
R_NO_NEXT = reason("ipv4 no next header")
R_IP_OTHER = reason("ipv4 other protocol")
R_FRAGMENT = reason("ipv4 fragment")

_SKIPPED_TYPES = np.array(
    [
        (0x8137, R_IPX),
        (0x809B, reason("appletalk")),
        (0x80F3, reason("appletalk")),
        (0x8892, reason("profinet")),
        (0x88A4, reason("ethercat")),
        (0x88F7, reason("ptp")),
        (0x88B8, reason("goose or sampled values")),
        (0x88BA, reason("goose or sampled values")),
        (0x88E1, reason("homeplug")),
        (0x887B, reason("homeplug")),
        (0x0842, reason("wake on lan")),
        (0x8906, reason("fibre channel")),
        (0x8914, reason("fibre channel")),
        (0x8903, reason("cisco fabricpath")),
    ],
    np.int64,
)
"""Ethertypes passed over by name."""

# Stages: which header stands at ``at``.
(S_DONE, S_ETHERNET, S_TYPE, S_IPV4, S_IPV6, S_TCP, S_UDP, S_PROTO, S_LLC, S_VLAN, S_MPLS) = range(
    11
)
(S_GRE, S_VXLAN, S_GENEVE, S_CAPWAP, S_ERSPAN2, S_ERSPAN3, S_PPP, S_PPPOE, S_WLAN) = range(11, 20)
(S_RADIOTAP, S_PPI, S_PRISM, S_AVS, S_SLL, S_SLL2, S_NULL, S_RAW, S_LINK, S_ETHERIP) = range(20, 30)

AHEAD = 16
"""A packet's headers are brought while so many before it are read: about the time memory takes."""
MAX_LAYERS = 40
"""Headers of one packet at most. The deepest honest stack we know (QinQ, MPLS, VXLAN, QinQ, IPv6
with extensions, TCP) has under 20; beyond it somebody nests headers to cost us time."""

MAX_WIRE = 1 << 30
"""Octets on the wire that we believe a packet had: the files' 32 bits can say anything, and
columns of lengths have 31."""

MAX_LABELS = 16
"""MPLS labels in a row: more than routers push (RFC 8662 §4 speaks of 10 as readable)."""

MAX_EXTENSIONS = 12
"""IPv6 extension headers in a row: RFC 8200 §4.1 knows 8 with the order kept."""

# Slots of the packet in hand.
(OUTCOME, REASON, KIND, HAS_MAC, SRC_MAC, DST_MAC, VLAN, TUNNEL, TUNNEL_ID, ETHERTYPE) = range(10)
(NET, PROTO, TTL, IP_ID, IP_BYTES, FRAGMENT, SRC_PORT, DST_PORT, FLAGS, SEQ, ACK) = range(10, 21)
(WINDOW, PAYLOAD, PAYLOAD_LEN, PAYLOAD_CLAIMED, EXTENSIONS, WLAN_SUBTYPE) = range(21, 27)
(WLAN_OFFSET, WLAN_END, WLAN_FREQ) = range(27, 30)
CUT = 30  # 1: the capture holds less of the packet than there was
CLAIM = 31  # where the layer in hand ends by its own claim, which may lie behind the capture
PACKET = 32  # number of the packet, for events
HAS_FCS = 33  # 1: the radio header says that a check sequence stands at the end
PADDED = 34  # 1: the radio header says that the MAC header is padded to four bytes
LINK = 35
SWAPPED = 36  # 1: the octets of 802.11 frame control and sequence control are exchanged
(SRC_HI, SRC_LO, DST_HI, DST_LO) = range(37, 41)  # as signed integers of the same bits
OUTER_TAG = 41
FIRST_TAG = 42  # of the tags in a row, the first that names a VLAN, as OUTER_TAG would give it
CARRIER = 43  # 1: the slots from CARRIER_AT hold the UDP header of a tunnel
CARRIER_AT = 44
NOTED = CARRIER_AT + CARRIER_WIDTH  # tags noted
NOTES = NOTED + 1
MAX_NOTES = 48
"""Tags of one packet that are counted; honest packets have fewer than 8."""
FRESH = NOTES  # slots that a new packet finds as in _FRESH
SLOTS = NOTES + MAX_NOTES

_FRESH = np.full(SLOTS, 0, np.int64)
for _slot in (
    VLAN,
    TUNNEL_ID,
    ETHERTYPE,
    PROTO,
    IP_ID,
    FRAGMENT,
    SRC_PORT,
    DST_PORT,
    PAYLOAD,
    WLAN_SUBTYPE,
    WLAN_OFFSET,
    WLAN_END,
    WLAN_FREQ,
):
    _FRESH[_slot] = -1

EVENT_SLOTS = 1 << 16
EVENT_BOUND = EVENT_SLOTS * 3 // 4
"""Different (kind, value) pairs counted apart; labels and VNIs are the sender's choice, so what
comes on top is counted under value -1 of its kind."""
_VALUE_BITS = 34  # a 32 bit value and -1


class Events(msgspec.Struct):
    """Counts of tags, labels, tunnels and fragments: an open-addressing table."""

    table: NDArray[np.int64] = msgspec.field(
        default_factory=lambda: blank((EVENT_SLOTS + 1, 3), np.int64)
    )
    """Key + 1, count, first packet; the row behind the last slot holds the number of keys."""
    slots: NDArray[np.int64] = msgspec.field(default_factory=lambda: np.empty(SLOTS, np.int64))
    """(SLOTS,) scratch: the packet in hand, of which nothing stays."""

    def rows(self, *others: Events) -> list[tuple[str, int, int, int]]:
        """(kind, value, packets, first packet) of everything counted here and there, in order."""
        found: dict[int, tuple[int, int]] = {}
        for events in (self, *others):
            for key, count, first in events.told().tolist():
                packets, earliest = found.get(key, (0, first))
                found[key] = packets + count, min(earliest, first)
        rows = []
        for key, (packets, earliest) in found.items():
            kind, value = divmod(key - 1, 1 << _VALUE_BITS)
            rows.append((EVENT_KINDS[kind], value - 1, packets, earliest))
        return sorted(rows)

    def told(self) -> NDArray[np.int64]:
        """(keys, 3) what was counted, for :meth:`absorb` elsewhere: key, count, first packet."""
        if not self.table[-1, 0]:
            return self.table[:0]
        slots = self.table[:EVENT_SLOTS]
        counted: NDArray[np.int64] = slots[slots[:, 0] != 0]
        return counted

    def can_absorb(self, told: NDArray[np.int64]) -> str:
        """Why :meth:`absorb` could not be exact; ``""`` where it will be."""
        # Numpy's functions of sets load its masked arrays, which takes 14 ms.
        both = np.sort(np.concatenate((self.table[:EVENT_SLOTS, 0], told[:, 0])))
        if np.count_nonzero(np.diff(both)) + 1 > EVENT_BOUND:  # 0 is among them
            return f"more than {EVENT_BOUND:,} different tags"
        return ""

    def absorb(self, told: NDArray[np.int64]) -> None:
        """Count what :meth:`told` says of packets behind ours in the same capture."""
        for key, _, first in told.tolist():
            _tally(self.table, key, first)
        order = np.argsort(self.table[:EVENT_SLOTS, 0])
        at = order[np.searchsorted(self.table[order, 0], told[:, 0])]
        self.table[at, 1] += told[:, 1] - 1  # one each is counted above

    def follow(self, packets: int) -> None:
        """Number all of our packets so many higher: whoever counted them did not know their numbers."""
        slots = self.table[:EVENT_SLOTS]
        if self.table[-1, 0]:
            slots[slots[:, 0] != 0, 2] += packets

    def clear(self) -> None:
        """Forget everything: a new capture begins."""
        if self.table[-1, 0]:
            self.table[:] = 0


def decode_block(block: PacketBlock, columns: PacketColumns, events: Events) -> None:
    """Fill every column of the first ``block.n`` rows, and count the block's tags in ``events``."""
    headers(
        block.arena,
        block.offset,
        block.length,
        block.wire,
        block.link,
        block.n,
        block.first,
        columns.signed,
        events.table,
        events.slots,
    )


# --- the loop -----------------------------------------------------------------------------------


@hot
def u16(arena: Bytes, at: Int) -> Int:
    """Two bytes, network order."""
    k = np.uint64(at)
    return (np.int64(arena[k]) << 8) | np.int64(arena[k + np.uint64(1)])


@hot
def u32(arena: Bytes, at: Int) -> Int:
    """Four bytes, network order."""
    k = np.uint64(at)
    return (
        (np.int64(arena[k]) << 24)
        | (np.int64(arena[k + np.uint64(1)]) << 16)
        | (np.int64(arena[k + np.uint64(2)]) << 8)
        | np.int64(arena[k + np.uint64(3)])
    )


@hot
def u8(arena: Bytes, at: Int) -> Int:
    """One byte, wide enough to shift."""
    return np.int64(arena[np.uint64(at)])


@hot
def _short(s: Slots, header: Int, at: Int, need: Int) -> Int:
    """Malformed: ``header`` needs ``need`` bytes that are not there; whose fault is told apart."""
    cut = s[CUT] == 1 and at + need <= s[CLAIM]
    s[OUTCOME] = MALFORMED
    s[REASON] = 1 + 2 * header + (1 if cut else 0)
    return S_DONE


@hot
def _end(s: Slots, outcome: Int, why: Int) -> Int:
    s[OUTCOME] = outcome
    s[REASON] = why
    return S_DONE


@hot
def _found(s: Slots, why: Int, kind: Int, at: Int, end: Int) -> Int:
    """Decoded, and the payload is what lies from ``at`` to ``end``."""
    s[OUTCOME] = DECODED
    s[REASON] = why
    s[KIND] = kind
    s[PAYLOAD] = at
    s[PAYLOAD_LEN] = end - at
    s[PAYLOAD_CLAIMED] = max(s[CLAIM] - at, end - at)
    return S_DONE


@helper
def _forget(s: Slots) -> None:
    """A tunnel begins: what the outer IP and transport said is no longer the innermost."""
    s[FIRST_TAG] = 0
    s[NET] = 0
    s[PROTO] = -1
    s[IP_ID] = -1
    s[FRAGMENT] = -1
    s[TTL] = 0
    s[IP_BYTES] = 0
    s[SRC_PORT] = -1
    s[DST_PORT] = -1
    s[FLAGS] = 0
    s[SEQ] = 0
    s[ACK] = 0
    s[WINDOW] = 0
    s[PAYLOAD] = -1
    s[PAYLOAD_LEN] = 0
    s[PAYLOAD_CLAIMED] = 0
    s[EXTENSIONS] = 0
    s[KIND] = KIND_NONE


@hot
def _count(s: Slots, kind: Int, value: Int) -> None:
    """Note a tag of this packet; :func:`_tally` counts it when the packet is done."""
    if s[NOTED] < MAX_NOTES:
        s[NOTES + s[NOTED]] = (np.int64(kind) << _VALUE_BITS) + value + 2
        s[NOTED] += 1


@helper
def _tally(events: NDArray[np.int64], key: Int, packet: Int) -> None:
    """Count one tag; a full table counts under value -1."""
    mask = EVENT_SLOTS - 1
    for _ in range(2):
        folded = (key ^ (key >> 20)) & 0x7FFFFFFF
        slot = ((folded * 0x9E3779B1) >> 16) & mask
        while events[slot, 0] != key and events[slot, 0] != 0:
            slot = (slot + 1) & mask
        if events[slot, 0] == key:
            events[slot, 1] += 1
            return
        none = ((key >> _VALUE_BITS) << _VALUE_BITS) + 1
        if key == none or events[EVENT_SLOTS, 0] < EVENT_BOUND:
            events[slot, 0] = key
            events[slot, 1] = 1
            events[slot, 2] = packet
            events[EVENT_SLOTS, 0] += 1
            return
        key = none


@kernel
def headers(
    arena: Bytes,  # (bytes,)    every packet of the block
    offset: NDArray[np.int64],  # (n,)       first byte of each
    length: NDArray[np.int32],  # (n,)       captured bytes of each
    wire: NDArray[np.int64],  # (n,)         bytes of each on the wire
    link: NDArray[np.int32],  # (n,)         LINKTYPE_ of each
    n: int,  #                               rows
    first: int,  #                           number of the packet in row 0
    out: Arrays,  #                          out: the arrays of PacketColumns
    events: NDArray[np.int64],  #            in and out: Events.table
    s: Slots,  # (SLOTS,)                    scratch: the packet in hand
) -> None:
    """Fill one row a packet. Never reads outside ``offset[i]`` … ``offset[i] + length[i]``."""
    _as_most(n, out)
    for i in range(n):
        soon = offset[np.uint64(min(i + AHEAD, n - 1))]
        prefetch(arena, soon, 0)
        prefetch(arena, soon, 63)
        at = np.int64(offset[i])
        end = at + max(np.int64(length[i]), np.int64(0))
        if link[i] == 1 and _plain_tcp(arena, at, end, i, first + i, out, events):
            continue
        for k in range(FRESH):
            s[k] = _FRESH[k]
        s[CUT] = 1 if np.int64(wire[i]) > np.int64(length[i]) else 0
        s[CLAIM] = max(end, at + min(np.int64(wire[i]), np.int64(MAX_WIRE)))
        s[PACKET] = first + i
        s[LINK] = link[i]
        stage = _first_stage(np.int64(link[i]))
        layers = 0
        while stage != S_DONE:
            layers += 1
            if layers > MAX_LAYERS:
                stage = _end(s, MALFORMED, R_DEEP)
            elif stage == S_ETHERNET:
                stage, at, end = _ethernet(arena, at, end, s)
            elif stage == S_IPV4:
                stage, at, end = _ipv4(arena, at, end, s)
            elif stage == S_TCP:
                stage = _tcp(arena, at, end, s)
            elif stage == S_UDP:
                stage, at, end = _udp(arena, at, end, s)
            elif stage == S_IPV6:
                stage, at, end = _ipv6(arena, at, end, s)
            elif stage == S_VLAN:
                stage, at, end = _vlan(arena, at, end, s)
            elif stage == S_PROTO:
                stage, at, end = _protocol(arena, at, end, s)
            elif stage == S_TYPE:
                stage, at, end = _ethertype(arena, at, end, s)
            elif stage == S_LLC:
                stage, at = _llc(arena, at, end, s)
            elif stage == S_WLAN:
                stage, at, end = _wlan(arena, at, end, s)
            elif stage < S_WLAN:
                stage, at, end = _tunnel(arena, at, end, s, stage)
            else:
                stage, at, end = _outermost(arena, at, end, s, stage)
        out.outcome[i] = s[OUTCOME]
        out.reason[i] = s[REASON]
        out.kind[i] = s[KIND]
        out.has_mac[i] = s[HAS_MAC]
        out.src_mac[i] = s[SRC_MAC]
        out.dst_mac[i] = s[DST_MAC]
        out.vlan[i] = s[VLAN]
        out.outer_tag[i] = s[OUTER_TAG]
        out.tunnel[i] = s[TUNNEL]
        out.tunnel_id[i] = s[TUNNEL_ID]
        out.ethertype[i] = s[ETHERTYPE]
        out.net[i] = s[NET]
        out.src_hi[i] = s[SRC_HI]
        out.src_lo[i] = s[SRC_LO]
        out.dst_hi[i] = s[DST_HI]
        out.dst_lo[i] = s[DST_LO]
        out.proto[i] = s[PROTO]
        out.ttl[i] = s[TTL]
        out.ip_id[i] = s[IP_ID]
        out.ip_bytes[i] = s[IP_BYTES]
        out.fragment[i] = s[FRAGMENT]
        out.src_port[i] = s[SRC_PORT]
        out.dst_port[i] = s[DST_PORT]
        out.flags[i] = s[FLAGS]
        out.seq[i] = s[SEQ]
        out.ack[i] = s[ACK]
        out.window[i] = s[WINDOW]
        out.payload[i] = s[PAYLOAD]
        out.payload_len[i] = s[PAYLOAD_LEN]
        out.payload_claimed[i] = s[PAYLOAD_CLAIMED]
        out.extensions[i] = s[EXTENSIONS]
        out.wlan_subtype[i] = s[WLAN_SUBTYPE]
        out.wlan_offset[i] = s[WLAN_OFFSET]
        out.wlan_end[i] = s[WLAN_END]
        out.wlan_freq[i] = s[WLAN_FREQ]
        out.conversation[i] = -1
        out.from_orig[i] = 0
        for k in range(s[NOTED]):
            _tally(events, s[NOTES + k], s[PACKET])
        # A tunnelled packet without ports of its own leaves those of the tunnel to speak for it.
        out.carried[i] = 0
        if s[CARRIER] and (s[SRC_PORT] < 0 or (s[PROTO] != 6 and s[PROTO] != 17)):
            out.carried[i] = 1
            for k in range(CARRIER_WIDTH):
                out.carrier[i, k] = s[CARRIER_AT + k]


@hot
def _as_most(n: Int, out: Arrays) -> None:
    """Fill what most packets have in common: a column in one go costs a fraction of its rows one by one."""
    for i in range(n):
        out.outcome[i] = DECODED
        out.kind[i] = KIND_TCP
        out.has_mac[i] = 1
        out.tunnel[i] = 0
        out.net[i] = 4
        out.extensions[i] = 0
        out.from_orig[i] = 0
        out.carried[i] = 0
    for i in range(n):
        out.reason[i] = R_TCP
        out.outer_tag[i] = 0
        out.proto[i] = 6
        out.wlan_subtype[i] = -1
    for i in range(n):
        out.vlan[i] = -1
        out.ethertype[i] = 0x0800
        out.fragment[i] = -1
        out.wlan_freq[i] = -1
    for i in range(n):
        out.tunnel_id[i] = -1
        out.src_hi[i] = 0
        out.dst_hi[i] = 0
        out.wlan_offset[i] = -1
        out.wlan_end[i] = -1
        out.conversation[i] = -1


@hot
def _plain_tcp(
    arena: Bytes, at: Int, end: Int, i: Int, packet: Int, out: Arrays, events: NDArray[np.int64]
) -> bool:
    """The short way of most packets: Ethernet, at most one tag, IP without options, whole TCP header.

    Fills what :func:`_as_most` has not. False, and nothing is written, for any other packet.
    """
    if at + 54 > end:
        return False
    ip = at + 14
    kind = u16(arena, at + 12)
    vid = np.int64(0)
    if kind == 0x8100:
        ip = at + 18
        vid = u16(arena, at + 14) & 0x0FFF
        if vid == 0:
            return False
        kind = u16(arena, at + 16)
    if kind == 0x0800:
        if u8(arena, ip) != 0x45 or u8(arena, ip + 9) != 6 or u16(arena, ip + 6) & 0x3FFF:
            return False
        total = u16(arena, ip + 2)
        tcp = ip + 20
    elif kind == 0x86DD and ip + 60 <= end:
        if u8(arena, ip) >> 4 != 6 or u8(arena, ip + 6) != 6:
            return False
        total = u16(arena, ip + 4) + 40
        tcp = ip + 40
    else:
        return False
    stop = min(end, ip + total)
    if tcp + 20 > stop:  # offload too, where the total is 0
        return False
    size = (u8(arena, tcp + 12) >> 4) * 4
    payload = tcp + size
    if size < 20 or payload > stop:
        return False
    if vid:
        out.vlan[i] = vid
        _tally(events, (np.int64(E_VLAN) << _VALUE_BITS) + vid + 2, packet)
    out.dst_mac[i] = (u32(arena, at) << 16) | u16(arena, at + 4)
    out.src_mac[i] = (u32(arena, at + 6) << 16) | u16(arena, at + 10)
    if kind == 0x0800:
        out.ttl[i] = u8(arena, ip + 8)
        out.ip_id[i] = u16(arena, ip + 4)
        out.src_lo[i] = u32(arena, ip + 12)
        out.dst_lo[i] = u32(arena, ip + 16)
    else:
        out.reason[i] = R_TCP + 1
        out.ethertype[i] = kind
        out.net[i] = 6
        out.ttl[i] = u8(arena, ip + 7)
        out.ip_id[i] = -1
        out.src_hi[i] = _u64(arena, ip + 8)
        out.src_lo[i] = _u64(arena, ip + 16)
        out.dst_hi[i] = _u64(arena, ip + 24)
        out.dst_lo[i] = _u64(arena, ip + 32)
    out.ip_bytes[i] = total
    out.src_port[i] = u16(arena, tcp)
    out.dst_port[i] = u16(arena, tcp + 2)
    out.seq[i] = u32(arena, tcp + 4)
    out.ack[i] = u32(arena, tcp + 8)
    out.flags[i] = u16(arena, tcp + 12) & 0x0FFF
    out.window[i] = u16(arena, tcp + 14)
    out.payload[i] = payload
    out.payload_len[i] = stop - payload
    out.payload_claimed[i] = ip + total - payload
    return True


# --- link headers -------------------------------------------------------------------------------


@helper
def _first_stage(link: Int) -> Int:
    """The stage a LINKTYPE_ begins with."""
    if link == 1:
        return S_ETHERNET
    if link in (12, 14, 101, 228, 229):
        return S_RAW
    if link == 113:
        return S_SLL
    if link == 276:
        return S_SLL2
    if link in (0, 108):
        return S_NULL
    if link == 105:
        return S_WLAN
    if link == 127:
        return S_RADIOTAP
    if link == 192:
        return S_PPI
    if link == 119:
        return S_PRISM
    if link == 163:
        return S_AVS
    if link in (9, 50):
        return S_PPP
    if link == 51:
        return S_PPPOE
    return S_LINK


@hot
def _next(kind: Int) -> Int:
    """The stage behind an ethertype."""
    if kind == 0x0800:
        return S_IPV4
    if kind == 0x86DD:
        return S_IPV6
    # 802.1Q, 802.1ad, and what was used for QinQ before 802.1ad
    if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
        return S_VLAN
    return S_TYPE


@hot
def _type_or_length(s: Slots, kind: Int, at: Int, end: Int) -> Step:
    """IEEE 802.3 §3.2.6: from 1536 it is an ethertype, to 1500 a length; ``at`` is behind it."""
    if kind >= 1536:
        s[ETHERTYPE] = kind
        return _next(kind), at, end
    s[ETHERTYPE] = -1
    if kind > 1500:
        return _end(s, SKIPPED, R_TYPE_LENGTH), at, end
    s[CLAIM] = at + kind
    return S_LLC, at, min(end, at + kind)


@hot
def _ethernet(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """IEEE 802.3: destination, source, type or length."""
    if at + 14 > end:
        return _short(s, H_ETHERNET, at, 14), at, end
    s[HAS_MAC] = 1
    s[DST_MAC] = (u32(arena, at) << 16) | u16(arena, at + 4)
    s[SRC_MAC] = (u32(arena, at + 6) << 16) | u16(arena, at + 10)
    s[VLAN] = -1
    s[OUTER_TAG] = 0
    s[FIRST_TAG] = 0
    kind = u16(arena, at + 12)
    if kind >= 1536:
        s[ETHERTYPE] = kind
        return _next(kind), at + 14, end
    return _type_or_length(s, kind, at + 14, end)


@hot
def _vlan(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """IEEE 802.1Q §9.6: tag control information, then the type again."""
    if at + 4 > end:
        return _short(s, H_VLAN, at, 4), at, end
    vid = u16(arena, at) & 0x0FFF
    _count(s, E_VLAN, vid)
    if vid:
        if s[FIRST_TAG]:
            s[OUTER_TAG] = s[FIRST_TAG]
        else:
            s[FIRST_TAG] = vid if s[ETHERTYPE] == 0x8100 else vid | S_TAG
            s[OUTER_TAG] = 0
        s[VLAN] = vid
    return _type_or_length(s, u16(arena, at + 2), at + 4, end)


@helper
def _ethertype(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """Everything an ethertype can name besides IP and VLAN tags."""
    kind = s[ETHERTYPE]
    if kind == 0x0806 or kind == 0x8035:
        if at + 8 > end:
            return _short(s, H_ARP, at, 8), at, end
        if kind == 0x8035:
            return _found(s, R_RARP, KIND_ARP, at, end), at, end
        return _found(s, R_ARP, KIND_ARP, at, end), at, end
    if kind == 0x88CC:
        return _found(s, R_LLDP, KIND_LLDP, at, end), at, end
    if kind == 0x888E or kind == 0x88C7:
        return _found(s, R_EAPOL, KIND_CONTROL, at, end), at, end
    if kind == 0x8809:
        # IEEE 802.3 Annex 57A: subtype 1 is LACP
        if at < end and arena[np.uint64(at)] == 1:
            return _found(s, R_LACP, KIND_CONTROL, at, end), at, end
        return _found(s, R_SLOW, KIND_NONE, at, end), at, end
    if kind == 0x8847 or kind == 0x8848:
        return S_MPLS, at, end
    if kind == 0x8864:
        return S_PPPOE, at, end
    if kind == 0x8863:
        return _found(s, R_PPPOE_DISCOVERY, KIND_NONE, at, end), at, end
    if kind == 0x880B:
        return S_PPP, at, end
    if kind == 0x6558:
        return S_ETHERNET, at, end
    if kind == 0x9000:
        return _found(s, R_LOOP_TEST, KIND_NONE, at, end), at, end
    if kind == 0x8909:
        # Cisco metadata: version, length, option type, security group tag, then the type
        if at + 8 > end:
            return _short(s, H_TRUSTSEC, at, 8), at, end
        _count(s, E_TRUSTSEC, u16(arena, at + 4))
        return _type_or_length(s, u16(arena, at + 6), at + 8, end)
    if kind == 0x88E5:
        return _macsec(arena, at, end, s)
    for k in range(_SKIPPED_TYPES.shape[0]):
        if _SKIPPED_TYPES[k, 0] == kind:
            return _end(s, SKIPPED, _SKIPPED_TYPES[k, 1]), at, end
    return _end(s, SKIPPED, R_ETHERTYPE), at, end


@helper
def _macsec(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """IEEE 802.1AE §9: what is only integrity-protected can be read, what is encrypted cannot."""
    if at + 6 > end:
        return _short(s, H_MACSEC, at, 6), at, end
    control = u8(arena, at)
    _count(s, E_MACSEC, -1)
    if control & 0x0C:  # E or C: the user data were changed
        return _end(s, SKIPPED, R_MACSEC), at, end
    tag = 14 if control & 0x20 else 6  # SC: an explicit SCI of 8 octets
    if at + tag + 2 > end:
        return _short(s, H_MACSEC, at, tag + 2), at, end
    s[CLAIM] = max(s[CLAIM] - 16, at + tag + 2)  # the ICV of 16 octets closes the frame
    end = min(end, s[CLAIM])
    return _type_or_length(s, u16(arena, at + tag), at + tag + 2, end)


@helper
def _llc(arena: Bytes, at: Int, end: Int, s: Slots) -> tuple[Int, Int]:
    """IEEE 802.2 LLC, with SNAP (RFC 1042) and Cisco's protocols above it."""
    if at + 3 > end:
        return _short(s, H_LLC, at, 3), at
    dsap = u8(arena, at)
    ssap = u8(arena, at + 1)
    control = u8(arena, at + 2)
    if dsap == 0xFF and ssap == 0xFF:  # Novell's raw 802.3: no LLC, an IPX checksum of FFFF
        return _end(s, SKIPPED, R_IPX), at
    unnumbered = control & 0xEF
    if unnumbered == 0xAF:
        return _found(s, R_XID, KIND_CONTROL, at, end), at
    if unnumbered == 0xE3:
        return _found(s, R_LLC_TEST, KIND_NONE, at, end), at
    if dsap == 0xAA and (ssap & 0xFE) == 0xAA and control == 0x03:
        return _snap(arena, at, end, s)
    if dsap == 0x42:
        return _found(s, R_STP, KIND_CONTROL, at + 3, end), at
    if dsap == 0x06:
        return S_IPV4, at + 3
    if dsap == 0xE0:
        return _end(s, SKIPPED, R_IPX), at
    if dsap == 0xF0:
        return _end(s, SKIPPED, R_NETBIOS), at
    if dsap == 0xFE:
        return _end(s, SKIPPED, R_ISO), at
    return _end(s, SKIPPED, R_LLC_SAP), at


@helper
def _snap(arena: Bytes, at: Int, end: Int, s: Slots) -> tuple[Int, Int]:
    if at + 8 > end:
        return _short(s, H_LLC, at, 8), at
    oui = u32(arena, at + 2) & 0xFFFFFF
    pid = u16(arena, at + 6)
    if oui == 0x000000 or oui == 0x0000F8:
        s[ETHERTYPE] = pid
        return _next(pid), at + 8
    if oui == 0x00000C:
        if pid == 0x2000:
            return _found(s, R_CDP, KIND_CDP, at + 8, end), at
        if pid == 0x010B:
            return _found(s, R_PVST, KIND_CONTROL, at + 8, end), at
        if pid == 0x2003:
            return _found(s, R_VTP, KIND_CONTROL, at + 8, end), at
        if pid == 0x2004:
            return _found(s, R_DTP, KIND_CONTROL, at + 8, end), at
        if pid == 0x0104:
            return _found(s, R_PAGP, KIND_CONTROL, at + 8, end), at
        if pid == 0x0111:
            return _found(s, R_UDLD, KIND_CONTROL, at + 8, end), at
    return _end(s, SKIPPED, R_SNAP), at


# --- IP and transport ---------------------------------------------------------------------------


@hot
def _after_ip(s: Slots) -> Int:
    """The stage behind an IP header by its protocol."""
    proto = s[PROTO]
    if proto == 6:
        return S_TCP
    if proto == 17:
        return S_UDP
    if proto == 47:
        return S_GRE
    if proto == 4 or proto == 41:
        _forget(s)
        s[TUNNEL] = T_IP
        s[TUNNEL_ID] = -1
        return S_IPV4 if proto == 4 else S_IPV6
    if proto == 137:
        return S_MPLS
    if proto == 97:
        return S_ETHERIP
    return S_PROTO


@hot
def _ipv4(
    arena: Bytes,
    at: Int,
    end: Int,
    s: Slots,
) -> Step:
    """RFC 791."""
    if at + 20 > end:
        return _short(s, H_IPV4, at, 20), at, end
    first = u8(arena, at)
    size = (first & 0x0F) * 4
    if first >> 4 != 4 or size < 20:
        return _end(s, MALFORMED, R_IPV4_VERSION), at, end
    total = u16(arena, at + 2)
    s[NET] = 4
    s[TTL] = u8(arena, at + 8)
    s[PROTO] = u8(arena, at + 9)
    s[IP_ID] = u16(arena, at + 4)
    s[SRC_HI] = 0
    s[SRC_LO] = u32(arena, at + 12)
    s[DST_HI] = 0
    s[DST_LO] = u32(arena, at + 16)
    if total == 0:  # segmentation offload: the stack left the length to the card
        total = s[CLAIM] - at
    elif total < size:
        return _end(s, MALFORMED, R_IPV4_LENGTH), at, end
    s[IP_BYTES] = total
    s[CLAIM] = at + total
    end = min(end, at + total)
    if at + size > end:
        return _short(s, H_IPV4, at, size), at, end
    at += size
    piece = u16(arena, at - size + 6)
    if piece & 0x3FFF:
        _count(s, E_IPV4_FRAGMENT, -1)
        s[FRAGMENT] = (piece & 0x1FFF) * 16 + ((piece >> 13) & 1)
        return _fragment(arena, at, end, s), at, end
    return _after_ip(s), at, end


@helper
def _ipv6(
    arena: Bytes,
    at: Int,
    end: Int,
    s: Slots,
) -> Step:
    """RFC 8200, with the extension headers that can be walked."""
    if at + 40 > end:
        return _short(s, H_IPV6, at, 40), at, end
    if u8(arena, at) >> 4 != 6:
        return _end(s, MALFORMED, R_IPV6_VERSION), at, end
    s[NET] = 6
    s[TTL] = u8(arena, at + 7)
    s[IP_ID] = -1
    s[SRC_HI] = _u64(arena, at + 8)
    s[SRC_LO] = _u64(arena, at + 16)
    s[DST_HI] = _u64(arena, at + 24)
    s[DST_LO] = _u64(arena, at + 32)
    claimed = u16(arena, at + 4)
    # 0 is a jumbogram (RFC 2675) or segmentation offload: what is left
    s[IP_BYTES] = claimed + 40 if claimed else s[CLAIM] - at
    s[CLAIM] = at + s[IP_BYTES]
    end = min(end, s[CLAIM])
    proto = u8(arena, at + 6)
    at += 40
    for _ in range(MAX_EXTENSIONS):
        s[PROTO] = proto
        if proto == 0 or proto == 43 or proto == 60 or proto == 135 or proto == 139 or proto == 140:
            if at + 2 > end:
                return _short(s, H_EXTENSION, at, 2), at, end
            size = (u8(arena, at + 1) + 1) * 8
        elif proto == 51:
            if at + 2 > end:
                return _short(s, H_AH, at, 2), at, end
            size = (u8(arena, at + 1) + 2) * 4  # RFC 4302 §2.2: in words, minus 2
        elif proto == 44:
            if at + 8 > end:
                return _short(s, H_EXTENSION, at, 8), at, end
            _count(s, E_IPV6_FRAGMENT, -1)
            piece = u16(arena, at + 2)
            s[IP_ID] = u32(arena, at + 4)
            proto = u8(arena, at)
            at += 8
            if piece & 0xFFF9:
                s[PROTO] = proto
                s[FRAGMENT] = (piece & 0xFFF8) * 2 + (piece & 1)
                return _fragment(arena, at, end, s), at, end
            continue  # an atomic fragment is whole (RFC 6946)
        else:
            return _after_ip(s), at, end
        if at + size > end:
            return _short(s, H_EXTENSION, at, size), at, end
        s[EXTENSIONS] = 1
        proto = u8(arena, at)
        at += size
    return _end(s, MALFORMED, R_DEEP), at, end


@helper
def _u64(arena: Bytes, at: Int) -> Int:
    """Eight bytes, network order, as the signed integer of the same bits."""
    return (u32(arena, at) << 32) | u32(arena, at + 4)


@helper
def _fragment(arena: Bytes, at: Int, end: Int, s: Slots) -> Int:
    """A piece of an IP packet: only the first one shows its ports."""
    if s[FRAGMENT] <= 1 and at + 4 <= end:
        proto = s[PROTO]
        if proto == 6 or proto == 17 or proto == 132:
            s[SRC_PORT] = u16(arena, at)
            s[DST_PORT] = u16(arena, at + 2)
            if proto == 6 and at + 14 <= end:
                s[SEQ] = u32(arena, at + 4)
                s[FLAGS] = u16(arena, at + 12) & 0x0FFF
        elif proto == 1 or proto == 58:
            s[SRC_PORT] = u8(arena, at)
            s[DST_PORT] = u8(arena, at + 1)
    return _found(s, R_FRAGMENT + (s[NET] == 6), KIND_FRAGMENT, at, end)


@hot
def _tcp(arena: Bytes, at: Int, end: Int, s: Slots) -> Int:
    """RFC 9293 §3.1."""
    if at + 4 > end:
        return _short(s, H_TCP, at, 20)
    s[SRC_PORT] = u16(arena, at)
    s[DST_PORT] = u16(arena, at + 2)
    if at + 20 > end:
        return _short(s, H_TCP, at, 20)
    s[SEQ] = u32(arena, at + 4)
    s[ACK] = u32(arena, at + 8)
    s[FLAGS] = u16(arena, at + 12) & 0x0FFF
    s[WINDOW] = u16(arena, at + 14)
    size = (u8(arena, at + 12) >> 4) * 4
    if size < 20:
        return _end(s, MALFORMED, R_TCP_OFFSET)
    if at + size > end:
        return _short(s, H_TCP, at, size)
    return _found(s, R_TCP + (s[NET] == 6), KIND_TCP, at + size, end)


@hot
def _udp(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 768; then what the ports or the content say it carries."""
    if at + 4 > end:
        return _short(s, H_UDP, at, 8), at, end
    source = u16(arena, at)
    target = u16(arena, at + 2)
    s[SRC_PORT] = source
    s[DST_PORT] = target
    if at + 8 > end:
        return _short(s, H_UDP, at, 8), at, end
    claimed = u16(arena, at + 4)
    if claimed:  # 0: a jumbogram (RFC 2675 §4) or offload
        if claimed < 8:
            return _end(s, MALFORMED, R_UDP_LENGTH), at, end
        s[CLAIM] = at + claimed
        end = min(end, at + claimed)
    at += 8
    # a server's answer to a client that happens to use a tunnel's port is no tunnel: hiding a
    # DNS or DHCP answer that way must not work
    if _serves(source):
        pass
    elif target == 4789 or target == 8472:
        # RFC 7348 §5: the I flag must be set
        if at + 8 <= end and u8(arena, at) & 0x08:
            _carry(s, end - at)
            return S_VXLAN, at, end
    elif target == 6081:
        if at + 8 <= end and u8(arena, at) >> 6 == 0:
            _carry(s, end - at)
            return S_GENEVE, at, end
    elif target == 5247 or source == 5247:
        _carry(s, end - at)
        return S_CAPWAP, at, end
    elif target == 3544 or source == 3544:
        inner = _teredo(arena, at, end)
        if inner >= 0:
            _carry(s, end - at)
            _forget(s)
            s[TUNNEL] = T_TEREDO
            s[TUNNEL_ID] = -1
            return S_IPV6, inner, end
    kind = _udp_kind(arena, at, end, source, target)
    return _found(s, R_UDP + (s[NET] == 6), kind, at, end), at, end


@helper
def _serves(port: Int) -> bool:
    """Whether a server of DNS, DHCP, NTP, SNMP or TFTP speaks from this port."""
    if port == 53 or port == 67 or port == 68 or port == 69 or port == 123:
        return True
    if port == 161 or port == 162 or port == 546 or port == 547:
        return True
    return bool(port == 5353 or port == 5355)


@helper
def _carry(s: Slots, size: Int) -> None:
    """Keep the UDP header of a tunnel in mind."""
    s[CARRIER] = 1
    s[CARRIER_AT] = s[NET]
    s[CARRIER_AT + 1] = s[SRC_HI]
    s[CARRIER_AT + 2] = s[SRC_LO]
    s[CARRIER_AT + 3] = s[DST_HI]
    s[CARRIER_AT + 4] = s[DST_LO]
    s[CARRIER_AT + 5] = s[SRC_PORT]
    s[CARRIER_AT + 6] = s[DST_PORT]
    s[CARRIER_AT + 7] = s[VLAN]
    s[CARRIER_AT + 8] = s[IP_BYTES]
    s[CARRIER_AT + 9] = size
    s[CARRIER_AT + 10] = s[SRC_MAC]
    s[CARRIER_AT + 11] = s[DST_MAC]


@helper
def _teredo(arena: Bytes, at: Int, end: Int) -> Int:
    """RFC 4380 §5.1.1: where the IPv6 packet begins, -1 if it is none."""
    for _ in range(3):
        if at + 40 > end:
            return np.int64(-1)
        mark = u16(arena, at)
        if mark == 0:
            at += 8
        elif mark == 1:
            at += 13 + u8(arena, at + 2) + u8(arena, at + 3)
        elif mark >> 12 == 6 and u16(arena, at + 4) + 40 <= end - at:
            return np.int64(at)
        else:
            return np.int64(-1)
    return np.int64(-1)


@hot
def _udp_kind(arena: Bytes, at: Int, end: Int, source: Int, target: Int) -> Int:
    """Which parser wants a datagram, by port, and by content where servers sit on any port."""
    low = min(source, target)
    high = max(source, target)
    if low == 53 or high == 5353 or low == 5353 or high == 5355 or low == 5355 or high == 53:
        return KIND_DNS
    if low == 67 or low == 68 or high == 67 or high == 68:
        return KIND_DHCP
    if low == 546 or low == 547 or high == 546 or high == 547:
        return KIND_DHCPV6
    if low == 161 or low == 162 or high == 161 or high == 162:
        return KIND_SNMP
    if low == 69 or high == 69:
        return KIND_TFTP
    if target == 1985 or target == 2029 or target == 3222:
        return KIND_REDUNDANCY
    if at + 240 <= end and u32(arena, at + 236) == 0x63825363:  # RFC 2131 §3: the magic cookie
        return KIND_DHCP
    if at + 9 <= end and arena[np.uint64(at)] == 0 and _tftp_request(arena, at, end):
        return KIND_TFTP
    return KIND_NONE


@helper
def _tftp_request(arena: Bytes, at: Int, end: Int) -> bool:
    """RFC 1350 §5: RRQ or WRQ, a printable name, NUL, a mode that begins like octet or netascii."""
    code = u8(arena, at + 1)
    if code != 1 and code != 2:
        return False
    at += 2
    stop = min(end - 5, at + 255)  # a longer name is left to port 69
    begin = at
    while at < stop and arena[np.uint64(at)] >= 0x20 and arena[np.uint64(at)] < 0x7F:
        at += 1
    if at == begin or at >= stop or arena[np.uint64(at)] != 0:
        return False
    mode = u32(arena, at + 1) | 0x20202020
    return bool(mode == 0x6F637465 or mode == 0x6E657461)


@helper
def _protocol(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """Transports other than TCP and UDP."""
    proto = s[PROTO]
    six = 1 if s[NET] == 6 else 0
    if proto == 1 or proto == 58:
        if at + 4 > end:
            return _short(s, H_ICMP if proto == 1 else H_ICMPV6, at, 4), at, end
        kind = u8(arena, at)
        s[SRC_PORT] = kind
        s[DST_PORT] = u8(arena, at + 1)
        if proto == 1:
            wanted = KIND_ICMP if kind == 3 or kind == 5 else KIND_NONE
            return _found(s, R_ICMP + six, wanted, at, end), at, end
        wanted = KIND_ICMP6 if (kind >= 133 and kind <= 137) or kind == 1 else KIND_NONE
        return _found(s, R_ICMPV6 + six, wanted, at, end), at, end
    if proto == 132:
        if at + 12 > end:
            return _short(s, H_SCTP, at, 12), at, end
        s[SRC_PORT] = u16(arena, at)
        s[DST_PORT] = u16(arena, at + 2)
        return _found(s, R_SCTP + six, KIND_NONE, at + 12, end), at, end
    if proto == 51:
        if at + 12 > end:
            return _short(s, H_AH, at, 12), at, end
        size = (u8(arena, at + 1) + 2) * 4
        if at + size > end:
            return _short(s, H_AH, at, size), at, end
        s[PROTO] = u8(arena, at)
        return _after_ip(s), at + size, end
    if proto == 50:
        return _end(s, SKIPPED, R_ESP), at, end
    why = R_IP_OTHER
    if proto == 2:
        why = R_IGMP
    elif proto == 112:
        return _found(s, R_VRRP + six, KIND_REDUNDANCY, at, end), at, end
    elif proto == 89:
        why = R_OSPF
    elif proto == 88:
        why = R_EIGRP
    elif proto == 103:
        why = R_PIM
    elif proto == 59:
        why = R_NO_NEXT
    return _found(s, why + six, KIND_NONE, at, end), at, end


# --- tunnels ------------------------------------------------------------------------------------


@helper
def _tunnel(
    arena: Bytes,
    at: Int,
    end: Int,
    s: Slots,
    stage: Int,
) -> Step:
    """Headers that carry a packet of another network."""
    if stage == S_MPLS:
        return _mpls(arena, at, end, s)
    if stage == S_GRE:
        return _gre(arena, at, end, s)
    if stage == S_VXLAN:
        vni = u32(arena, at + 4) >> 8
        _count(s, E_VXLAN, vni)
        return _enter(s, T_VXLAN, vni, S_ETHERNET), at + 8, end
    if stage == S_GENEVE:
        return _geneve(arena, at, end, s)
    if stage == S_CAPWAP:
        return _capwap(arena, at, end, s)
    if stage == S_ERSPAN2 or stage == S_ERSPAN3:
        return _erspan(arena, at, end, s, stage)
    if stage == S_PPP:
        return _ppp(arena, at, end, s)
    return _pppoe(arena, at, end, s)


@helper
def _enter(s: Slots, tunnel: Int, number: Int, stage: Int) -> Int:
    """Go into a tunnel."""
    _forget(s)
    s[TUNNEL] = tunnel
    s[TUNNEL_ID] = number
    return stage


@helper
def _mpls(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 3032 label stack; what lies under it must be guessed (RFC 4928 §3)."""
    top = np.int64(-1)
    label = np.int64(-1)
    for _ in range(MAX_LABELS):
        if at + 4 > end:
            return _short(s, H_MPLS, at, 4), at, end
        entry = u32(arena, at)
        label = entry >> 12
        if top < 0:
            top = label
        _count(s, E_MPLS, label)
        at += 4
        if entry & 0x100:
            break
    else:
        return _end(s, MALFORMED, R_DEEP), at, end
    if label == 13 or label == 14:  # GAL (RFC 5586) and OAM alert (RFC 3429)
        return _end(s, SKIPPED, R_MPLS_OAM), at, end
    if at >= end:
        return _short(s, H_MPLS, at, 1), at, end
    nibble = u8(arena, at) >> 4
    if nibble == 4 and (at + 20 > end or u8(arena, at) >= 0x45):
        return _enter(s, T_MPLS, top, S_IPV4), at, end
    if nibble == 6:
        return _enter(s, T_MPLS, top, S_IPV6), at, end
    if nibble == 1:  # an associated channel of a pseudowire (RFC 4385 §5)
        return _end(s, SKIPPED, R_MPLS_OAM), at, end
    if nibble == 0 and at + 18 <= end and u8(arena, at) == 0:
        # A pseudowire's control word (RFC 4385 §3), unless it is a MAC address that begins with
        # 0: an Ethernet frame whose type makes sense without the word has none.
        kind = u16(arena, at + 12)
        known = _next(kind) != S_TYPE or kind == 0x0806
        if not known:
            at += 4
    return _enter(s, T_MPLS, top, S_ETHERNET), at, end


@helper
def _gre(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 2784, RFC 2890; version 1 is PPTP's (RFC 2637 §4.1)."""
    if at + 4 > end:
        return _short(s, H_GRE, at, 4), at, end
    flags = u16(arena, at)
    kind = u16(arena, at + 2)
    version = flags & 7
    if version > 1 or (version == 1 and kind != 0x880B) or flags & 0x4000:
        return _end(s, SKIPPED, R_GRE_VERSION), at, end
    size = 4
    if flags & 0x8000:
        size += 4
    key_at = at + size
    if flags & 0x2000:
        size += 4
    if flags & 0x1000:
        size += 4
    if version == 1 and flags & 0x0080:
        size += 4
    if at + size > end:
        return _short(s, H_GRE, at, size), at, end
    _count(s, E_GRE, kind)
    number = np.int64(-1)
    if flags & 0x2000:
        number = u32(arena, key_at)
    inner = at + size
    if version == 1:
        if inner >= end:  # an acknowledgement alone
            return _found(s, R_IP_OTHER + (s[NET] == 6), KIND_NONE, inner, end), at, end
        return _enter(s, T_PPTP, number & 0xFFFF, S_PPP), inner, end
    if kind == 0x88BE or kind == 0x22EB:
        if kind == 0x88BE and not flags & 0x1000:  # ERSPAN type I has no header of its own
            _count(s, E_ERSPAN, -1)
            return _enter(s, T_ERSPAN, -1, S_ETHERNET), inner, end
        return S_ERSPAN2 if kind == 0x88BE else S_ERSPAN3, inner, end
    if (kind & 0xFE0F) == 0x8200 or kind == 0x9000:  # Aruba's access points: an 802.11 frame
        s[HAS_FCS] = 0
        s[PADDED] = 0
        return _enter(s, T_GRE, number, S_WLAN), inner, end
    if kind == 0x883E:
        # WCCP: version 2 puts a redirect header of four octets before the IP packet
        if inner + 5 <= end and u8(arena, inner) >> 4 != 4:
            inner += 4
        return _enter(s, T_GRE, number, S_IPV4), inner, end
    if kind == 0x2000:
        return _found(s, R_CDP, KIND_CDP, inner, end), at, end
    if (
        _next(kind) != S_TYPE
        or kind == 0x6558
        or kind == 0x880B
        or kind == 0x8847
        or kind == 0x8848
        or kind == 0x0806
    ):
        _forget(s)
        s[TUNNEL] = T_GRE
        s[TUNNEL_ID] = number
        s[ETHERTYPE] = kind
        return _next(kind), inner, end
    return _end(s, SKIPPED, R_GRE_PROTOCOL), at, end


@helper
def _erspan(
    arena: Bytes,
    at: Int,
    end: Int,
    s: Slots,
    stage: Int,
) -> Step:
    """draft-foschiano-erspan: type II (8 octets), type III (12, and 8 more with the O flag)."""
    size = 8 if stage == S_ERSPAN2 else 12
    if at + size > end:
        return _short(s, H_ERSPAN, at, size), at, end
    session = u16(arena, at + 2) & 0x03FF
    inner = S_ETHERNET
    if stage == S_ERSPAN3:
        tail = u16(arena, at + 10)
        frame_type = (tail >> 10) & 0x1F
        if tail & 1:
            size += 8
            if at + size > end:
                return _short(s, H_ERSPAN, at, size), at, end
        if frame_type == 2:
            inner = S_RAW
            s[LINK] = 101
        elif frame_type != 0:
            _count(s, E_ERSPAN, session)
            return _end(s, SKIPPED, R_ERSPAN), at, end
    _count(s, E_ERSPAN, session)
    return _enter(s, T_ERSPAN, session, inner), at + size, end


@helper
def _geneve(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 8926 §3.4; the caller saw the 8 octets."""
    size = 8 + (u8(arena, at) & 0x3F) * 4
    kind = u16(arena, at + 2)
    vni = u32(arena, at + 4) >> 8
    if at + size > end:
        return _short(s, H_GENEVE, at, size), at, end
    _count(s, E_GENEVE, vni)
    if kind != 0x6558 and kind != 0x0800 and kind != 0x86DD:
        return _end(s, SKIPPED, R_GENEVE), at, end
    s[ETHERTYPE] = kind
    return _enter(s, T_GENEVE, vni, _next(kind)), at + size, end


@helper
def _oddity(control: Int, flags: Int) -> Int:
    """How odd frame control would be in CAPWAP (IEEE 802.11-2020 §9.2.4.1): 16 what cannot be.

    The protocol version is 0; control frames stay between station and access point; management
    goes to no distribution system, and is protected only where §9.6 and §12.2.7 have it so; data
    come from or go to one. Else the fewer flags, the likelier.
    """
    kind, subtype = (control >> 2) & 3, control >> 4
    if control & 3 or kind & 1:
        return 16
    if kind == 0:
        if flags & 3 or (flags & 0x40 and (subtype < 10 or subtype > 14)):
            return 16
    elif not flags & 3:
        return 16
    odd = 0
    while flags:
        odd += flags & 1
        flags >>= 1
    return odd


@helper
def _capwap(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 5415 §4.3, data channel: DTLS, or an 802.3 or 802.11 frame."""
    if at + 4 > end:
        return _short(s, H_CAPWAP, at, 8), at, end
    word = u32(arena, at)
    if (word >> 24) & 0x0F == 1:
        _count(s, E_CAPWAP, -1)
        return _end(s, SKIPPED, R_CAPWAP_DTLS), at, end
    size = ((word >> 19) & 0x1F) * 4
    if size < 8:
        return _end(s, SKIPPED, R_CAPWAP_PAYLOAD), at, end
    if at + size > end:
        return _short(s, H_CAPWAP, at, size), at, end
    _count(s, E_CAPWAP, (word >> 14) & 0x1F)
    if word & 0x08:
        return _found(s, R_CAPWAP_KEEPALIVE, KIND_NONE, at + size, end), at, end
    if word & 0x80:
        return _end(s, SKIPPED, R_CAPWAP_FRAGMENT), at, end
    binding = (word >> 9) & 0x1F
    inner = at + size
    if not word & 0x100:
        return _enter(s, T_CAPWAP, -1, S_ETHERNET), inner, end
    if binding != 1 and binding != 0:
        return _end(s, SKIPPED, R_CAPWAP_PAYLOAD), at, end
    s[HAS_FCS] = 0
    s[PADDED] = 0
    # Some access points exchange the octets of frame control and of sequence control (§9.2.4);
    # what a station would hardly send one way round tells.
    s[SWAPPED] = 0
    if inner + 2 <= end:
        first, second = u8(arena, inner), u8(arena, inner + 1)
        s[SWAPPED] = int(_oddity(second, first) < _oddity(first, second))
    return _enter(s, T_CAPWAP, -1, S_WLAN), inner, end


@helper
def _pppoe(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 2516 §4."""
    if at + 6 > end:
        return _short(s, H_PPPOE, at, 6), at, end
    if u8(arena, at + 1) != 0:  # LINKTYPE_PPP_ETHER knows no ethertype: the code tells
        return _found(s, R_PPPOE_DISCOVERY, KIND_NONE, at, end), at, end
    session = u16(arena, at + 2)
    _count(s, E_PPPOE, session)
    s[CLAIM] = at + 6 + u16(arena, at + 4)
    end = min(end, s[CLAIM])
    return _enter(s, T_PPPOE, session, S_PPP), at + 6, end


@helper
def _ppp(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """RFC 1661 §2, RFC 1662 §3.1: address and control, and half the protocol, may be left out."""
    if at + 2 <= end and u16(arena, at) == 0xFF03:
        at += 2
    if at >= end:
        return _short(s, H_PPP, at, 2), at, end
    kind = u8(arena, at)
    at += 1
    if not kind & 1:
        if at >= end:
            return _short(s, H_PPP, at - 1, 2), at, end
        kind = (kind << 8) | u8(arena, at)
        at += 1
    if kind == 0x21:
        s[ETHERTYPE] = 0x0800
        return S_IPV4, at, end
    if kind == 0x57:
        s[ETHERTYPE] = 0x86DD
        return S_IPV6, at, end
    if kind == 0x0281 or kind == 0x0283:
        return S_MPLS, at, end
    if kind == 0x31:  # bridging control (RFC 3518 §4.2): flags, MAC type 1 is 802.3
        if at + 2 <= end and u8(arena, at + 1) == 1:
            return S_ETHERNET, at + 2, end
        return _end(s, SKIPPED, R_PPP), at, end
    if kind >= 0x8000:
        return _end(s, SKIPPED, R_PPP_CONTROL), at, end
    if kind == 0xFD or kind == 0x53 or kind == 0xFB or kind == 0x55 or kind == 0x2D or kind == 0x2F:
        return _end(s, SKIPPED, R_PPP_OPAQUE), at, end
    return _end(s, SKIPPED, R_PPP), at, end


# --- 802.11 -------------------------------------------------------------------------------------


@helper
def _wlan(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """IEEE 802.11-2020 §9.2: the MAC header; data go on to LLC."""
    if s[HAS_FCS]:
        s[CLAIM] = max(s[CLAIM] - 4, at)
        end = max(min(end, s[CLAIM]), at)
    if at + 10 > end:
        return _short(s, H_WLAN, at, 10), at, end
    control = u8(arena, at + s[SWAPPED])
    flags = u8(arena, at + 1 - s[SWAPPED])
    if control & 3:
        return _end(s, MALFORMED, R_WLAN_VERSION), at, end
    kind = (control >> 2) & 3
    subtype = control >> 4
    s[WLAN_SUBTYPE] = kind * 16 + subtype
    s[WLAN_OFFSET] = at
    s[WLAN_END] = end
    if kind == 1:
        return _found(s, R_WLAN_CONTROL, KIND_WIFI, at, end), at, end
    if kind == 3:
        return _end(s, SKIPPED, R_WLAN_EXTENSION), at, end
    if at + 24 > end:
        return _short(s, H_WLAN, at, 24), at, end
    if kind == 0:
        return _found(s, R_WLAN_MANAGEMENT + subtype, KIND_WIFI, at, end), at, end
    size = 30 if flags & 3 == 3 else 24
    qos = subtype & 8
    if at + size + (2 if qos else 0) > end:
        return _short(s, H_WLAN, at, size + (2 if qos else 0)), at, end
    # Table 9-30: which address is whose depends on To DS and From DS
    target = at + 16 if flags & 1 else at + 4
    source = at + 10
    if flags & 2:
        source = at + 24 if flags & 1 else at + 16
    s[HAS_MAC] = 1
    s[DST_MAC] = (u32(arena, target) << 16) | u16(arena, target + 4)
    s[SRC_MAC] = (u32(arena, source) << 16) | u16(arena, source + 4)
    s[VLAN] = -1
    s[OUTER_TAG] = 0
    s[FIRST_TAG] = 0
    s[ETHERTYPE] = -1
    if subtype & 4:
        return _found(s, R_WLAN_NULL, KIND_WIFI, at, end), at, end
    if flags & 0x40:
        return _end(s, SKIPPED, R_WLAN_PROTECTED), at, end
    if flags & 0x04 or u8(arena, at + 22 + s[SWAPPED]) & 0x0F:
        return _end(s, SKIPPED, R_WLAN_FRAGMENT), at, end
    if qos:
        if u8(arena, at + size) & 0x80:
            return _end(s, SKIPPED, R_WLAN_AMSDU), at, end
        size += 2
        if flags & 0x80:  # §9.2.4.1.10: +HTC in QoS frames
            size += 4
    if s[PADDED]:
        size = (size + 3) & ~3
    return S_LLC, at + size, end


@helper
def _outermost(
    arena: Bytes,
    at: Int,
    end: Int,
    s: Slots,
    stage: Int,
) -> Step:
    """Headers that only a capture begins with, and the rarer ones."""
    if stage == S_RADIOTAP:
        return _radiotap(arena, at, end, s)
    if stage == S_RAW:
        return _raw(arena, at, end, s)
    if stage == S_SLL or stage == S_SLL2:
        return _cooked(arena, at, end, s, stage)
    if stage == S_NULL:
        return _loopback(arena, at, end, s)
    if stage == S_PPI:
        return _ppi(arena, at, end, s)
    if stage == S_PRISM or stage == S_AVS:
        return _prism(arena, at, end, s)
    if stage == S_ETHERIP:  # RFC 3378
        if at + 2 > end:
            return _short(s, H_ETHERIP, at, 2), at, end
        return _enter(s, T_ETHERIP, -1, S_ETHERNET), at + 2, end
    return _end(s, SKIPPED, R_LINK), at, end


@helper
def _le16(arena: Bytes, at: Int) -> Int:
    return u8(arena, at) | (u8(arena, at + 1) << 8)


@helper
def _le32(arena: Bytes, at: Int) -> Int:
    return _le16(arena, at) | (_le16(arena, at + 2) << 16)


@helper
def _radiotap(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """radiotap.org: fields stand in bit order, each aligned to its own size."""
    if at + 8 > end:
        return _short(s, H_RADIOTAP, at, 8), at, end
    size = _le16(arena, at + 2)
    if size < 8 or u8(arena, at) != 0:
        return _end(s, MALFORMED, R_RADIO_LENGTH), at, end
    if at + size > end:
        return _short(s, H_RADIOTAP, at, size), at, end
    stop = at + size
    present = _le32(arena, at + 4)
    field = at + 8
    more = present
    while more & 0x80000000:  # further words of presence bits
        if field + 4 > stop:
            return _end(s, MALFORMED, R_RADIO_LENGTH), at, end
        more = _le32(arena, field)
        field += 4
    if present & 1:  # TSFT, 8 octets
        field = at + ((field - at + 7) & ~7) + 8
    if present & 2 and field < stop:  # flags
        flags = u8(arena, field)
        s[HAS_FCS] = 1 if flags & 0x10 else 0
        s[PADDED] = 1 if flags & 0x20 else 0
    if present & 2:
        field += 1
    if present & 4:  # rate
        field += 1
    if present & 8:  # channel: MHz, flags
        field = at + ((field - at + 1) & ~1)
        if field + 2 <= stop:
            s[WLAN_FREQ] = _le16(arena, field)
    return S_WLAN, stop, end


@helper
def _ppi(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """PPI 1.0.7: version, flags, length, link type, then type-length fields."""
    if at + 8 > end:
        return _short(s, H_PPI, at, 8), at, end
    size = _le16(arena, at + 2)
    link = _le32(arena, at + 4)
    if size < 8:
        return _end(s, MALFORMED, R_RADIO_LENGTH), at, end
    if at + size > end:
        return _short(s, H_PPI, at, size), at, end
    field = at + 8
    for _ in range(16):  # the format knows 9 kinds of field
        if field + 4 > at + size:
            break
        length = _le16(arena, field + 2)
        # 802.11-Common: TSF 8, flags 2 (bit 0: check sequence present), rate 2, MHz 2
        if _le16(arena, field) == 2 and length >= 14 and field + 18 <= at + size:
            s[HAS_FCS] = _le16(arena, field + 12) & 1
            s[WLAN_FREQ] = _le16(arena, field + 16)
        field += 4 + length
    if link == 192:  # PPI in PPI would go round
        return _end(s, SKIPPED, R_LINK), at, end
    s[LINK] = link
    return _first_stage(link), at + size, end


@helper
def _prism(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """Prism monitor header, or AVS, which drivers write under the same link type."""
    if at + 8 > end:
        return _short(s, H_PRISM, at, 8), at, end
    if u32(arena, at) >> 12 == 0x80211:
        size = u32(arena, at + 4)
    else:
        size = _le32(arena, at + 4)
    if size < 8 or size > 65535:
        return _end(s, MALFORMED, R_RADIO_LENGTH), at, end
    if at + size > end:
        return _short(s, H_PRISM, at, size), at, end
    return S_WLAN, at + size, end


@helper
def _raw(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """An IP packet and nothing before it."""
    if at >= end:
        return _short(s, H_RAW, at, 1), at, end
    version = u8(arena, at) >> 4
    if s[LINK] == 228 or version == 4:
        s[ETHERTYPE] = 0x0800
        return S_IPV4, at, end
    if s[LINK] == 229 or version == 6:
        s[ETHERTYPE] = 0x86DD
        return S_IPV6, at, end
    return _end(s, MALFORMED, R_IP_VERSION), at, end


@helper
def _loopback(arena: Bytes, at: Int, end: Int, s: Slots) -> Step:
    """BSD loopback: the address family, in the byte order of a machine we do not know."""
    if at + 4 > end:
        return _short(s, H_NULL, at, 4), at, end
    family = u32(arena, at)
    if family >= 0x10000:
        family = _le32(arena, at)
    if family == 2:
        s[ETHERTYPE] = 0x0800
        return S_IPV4, at + 4, end
    # AF_INET6: BSD 24, FreeBSD 28, Darwin 30, Linux 10, Windows 23
    if family == 24 or family == 28 or family == 30 or family == 10 or family == 23:
        s[ETHERTYPE] = 0x86DD
        return S_IPV6, at + 4, end
    # No family is that large. Some writers put an ethertype where its lower half stands.
    if family >= 0x10000 and u16(arena, at + 2) == 0x0800:
        s[ETHERTYPE] = 0x0800
        return S_IPV4, at + 4, end
    if family >= 0x10000 and u16(arena, at + 2) == 0x86DD:
        s[ETHERTYPE] = 0x86DD
        return S_IPV6, at + 4, end
    return _end(s, SKIPPED, R_NULL_FAMILY), at, end


@helper
def _cooked(arena: Bytes, at: Int, end: Int, s: Slots, stage: Int) -> Step:
    """Linux cooked capture, versions 1 and 2: a source address, no destination."""
    size = 16 if stage == S_SLL else 20
    if at + size > end:
        return _short(s, H_COOKED, at, size), at, end
    if stage == S_SLL:
        hardware = u16(arena, at + 2)
        octets = u16(arena, at + 4)
        address = at + 6
        kind = u16(arena, at + 14)
    else:
        hardware = u16(arena, at + 8)
        octets = u8(arena, at + 11)
        address = at + 12
        kind = u16(arena, at)
    if octets == 6:
        s[SRC_MAC] = (u32(arena, address) << 16) | u16(arena, address + 4)
    at += size
    if hardware == 778:  # ARPHRD_IPGRE: the protocol field is GRE's
        s[ETHERTYPE] = kind
        return _next(kind), at, end
    if hardware == 801:
        return S_WLAN, at, end
    if hardware == 802:
        return S_PRISM, at, end
    if hardware == 803:
        return S_RADIOTAP, at, end
    if hardware == 824:  # netlink
        return _end(s, SKIPPED, R_COOKED), at, end
    if kind >= 1536:
        s[ETHERTYPE] = kind
        return _next(kind), at, end
    if kind == 4:
        return S_LLC, at, end
    if kind == 1:
        return _end(s, SKIPPED, R_IPX), at, end
    return _end(s, SKIPPED, R_COOKED), at, end
