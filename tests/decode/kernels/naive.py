"""The kernels written slowly and plainly, from the standards, with exceptions and slices."""

from collections import Counter

TAGS = {0x8100, 0x88A8, 0x9100, 0x9200}
BY_NAME = {
    0x8137: "ipx",
    0x809B: "appletalk",
    0x80F3: "appletalk",
    0x8892: "profinet",
    0x88A4: "ethercat",
    0x88F7: "ptp",
    0x88B8: "goose or sampled values",
    0x88BA: "goose or sampled values",
    0x88E1: "homeplug",
    0x887B: "homeplug",
    0x0842: "wake on lan",
    0x8906: "fibre channel",
    0x8914: "fibre channel",
    0x8903: "cisco fabricpath",
}
CISCO = {
    0x2000: ("cdp", "cdp"),
    0x010B: ("pvst", "control"),
    0x2003: ("vtp", "control"),
    0x2004: ("dtp", "control"),
    0x0104: ("pagp", "control"),
    0x0111: ("udld", "control"),
}
PROTOCOLS = {2: "igmp", 89: "ospf", 88: "eigrp", 103: "pim", 59: "no next header"}
MODES = (b"octe", b"neta")
EXTENSIONS = {0, 43, 60, 135, 139, 140}


def odd(control, flags):
    """How odd frame control would be in CAPWAP; 16 is what cannot be."""
    kind, subtype = control >> 2 & 3, control >> 4
    management = kind == 0 and not flags & 3 and (not flags & 0x40 or subtype in range(10, 15))
    data = kind == 2 and flags & 3
    return flags.bit_count() if control & 3 == 0 and (management or data) else 16


class Done(Exception):
    """The packet came out: (outcome, reason)."""


class Packet:
    """One packet, read by recursion; ``data`` is what is left of the layer in hand."""

    def __init__(self, link, data, wire):
        self.packet = data
        self.cut = wire > len(data)
        self.tags = Counter()
        self.link = link
        self.mac = self.src_mac = self.dst_mac = 0
        self.vlan, self.outer, self.tunnel, self.tunnel_id, self.ethertype = -1, 0, "", -1, -1
        self.fcs = self.pad = self.swapped = False
        self.wlan = self.freq = -1
        self.carrier = None
        self.layers = 0
        self.clear()
        self.outcome, self.reason = 0, ""
        try:
            self.first(link, View(data, 0, len(data), max(len(data), min(wire, 1 << 30))))
        except Done as done:
            self.outcome, self.reason = done.args
        if self.carrier and self.proto in (6, 17) and self.src_port >= 0:
            self.carrier = None

    def clear(self):
        self.net, self.proto, self.ttl, self.ip_id, self.ip_bytes = 0, -1, 0, -1, 0
        self.src = self.dst = 0
        self.fragment = self.src_port = self.dst_port = -1
        self.flags = self.seq = self.ack = self.window = 0
        self.kind, self.payload, self.extensions = "none", None, 0
        self.stack = []

    # -- ends

    def short(self, header, view, need):
        cut = self.cut and view.at + need <= view.claim
        raise Done("malformed", f"{header} header {'cut by snap length' if cut else 'short'}")

    def need(self, header, view, count):
        if view.size < count:
            self.short(header, view, count)

    def found(self, reason, kind, view):
        self.kind = kind
        self.payload = (view.at, view.size, max(view.claim - view.at, view.size))
        raise Done("decoded", reason)

    def skip(self, reason):
        raise Done("skipped", reason)

    def bad(self, reason):
        raise Done("malformed", reason)

    def deeper(self):
        self.layers += 1
        if self.layers > 40:
            self.bad("too many headers")

    def enter(self, tunnel, number):
        self.clear()
        self.tunnel, self.tunnel_id = tunnel, number

    @property
    def ip(self):
        return "ipv6" if self.net == 6 else "ipv4"

    # -- links

    def first(self, link, view):
        self.deeper()
        if link == 1:
            self.layers -= 1
            self.ethernet(view)
        elif link in (12, 14, 101, 228, 229):
            self.raw(view, link)
        elif link in (113, 276):
            self.cooked(view, link)
        elif link in (0, 108):
            self.need("loopback", view, 4)
            family = view.n(0, 4)
            if family >= 0x10000:
                family = int.from_bytes(view[0:4], "little")
            if family == 2:
                self.ethertype = 0x0800
                self.ipv4(view.skip(4))
            if family in (24, 28, 30, 10, 23):
                self.ethertype = 0x86DD
                self.ipv6(view.skip(4))
            if family >= 0x10000 and view.n(2, 2) in (0x0800, 0x86DD):
                self.ethertype = view.n(2, 2)
                (self.ipv4 if self.ethertype == 0x0800 else self.ipv6)(view.skip(4))
            self.skip("loopback family not known")
        elif link == 105:
            self.layers -= 1
            self.wireless(view)
        elif link == 127:
            self.radiotap(view)
        elif link == 192:
            self.ppi(view)
        elif link in (119, 163):
            self.prism(view)
        elif link in (9, 50):
            self.layers -= 1
            self.ppp(view)
        elif link == 51:
            self.layers -= 1
            self.pppoe(view)
        else:
            self.skip("link type not known")

    def ethernet(self, view):
        self.deeper()
        self.need("ethernet", view, 14)
        self.mac, self.vlan, self.outer, self.stack = 1, -1, 0, []
        self.dst_mac, self.src_mac = view.n(0, 6), view.n(6, 6)
        self.type_or_length(view.n(12, 2), view.skip(14))

    def type_or_length(self, kind, view):
        if kind >= 1536:
            self.by_type(kind, view)
        self.ethertype = -1
        if kind > 1500:
            self.skip("ethernet type 1501 to 1535 undefined")
        self.llc(view.limit(kind))

    def by_type(self, kind, view):
        self.ethertype = kind
        if kind == 0x0800:
            self.ipv4(view)
        if kind == 0x86DD:
            self.ipv6(view)
        self.deeper()
        if kind in TAGS:
            self.need("802.1q", view, 4)
            vid = view.n(0, 2) & 0xFFF
            self.tags["vlan", vid] += 1
            if vid:
                self.stack.append((kind, vid))
                self.vlan = vid
                outermost, first = self.stack[0]
                service = 0 if outermost == 0x8100 else 0x1000
                self.outer = service + first if len(self.stack) > 1 else 0
            self.type_or_length(view.n(2, 2), view.skip(4))
        if kind in (0x0806, 0x8035):
            self.need("arp", view, 8)
            self.found(*(("arp", "arp") if kind == 0x0806 else ("rarp", "arp")), view)
        if kind == 0x88CC:
            self.found("lldp", "lldp", view)
        if kind in (0x888E, 0x88C7):
            self.found("eapol", "control", view)
        if kind == 0x8809:
            lacp = view.size and view[0] == 1
            self.found(*(("lacp", "control") if lacp else ("slow protocol", "none")), view)
        if kind in (0x8847, 0x8848):
            self.mpls(view)
        if kind == 0x8864:
            self.pppoe(view)
        if kind == 0x8863:
            self.found("pppoe discovery", "none", view)
        if kind == 0x880B:
            self.ppp(view)
        if kind == 0x6558:
            self.ethernet(view)
        if kind == 0x9000:
            self.found("loopback test", "none", view)
        if kind == 0x8909:
            self.need("trustsec", view, 8)
            self.tags["trustsec", view.n(4, 2)] += 1
            self.type_or_length(view.n(6, 2), view.skip(8))
        if kind == 0x88E5:
            self.need("macsec", view, 6)
            self.tags["macsec", -1] += 1
            if view[0] & 0x0C:
                self.skip("macsec encrypted")
            tag = 6 + (8 if view[0] & 0x20 else 0)
            self.need("macsec", view, tag + 2)
            inner = max(view.claim - 16, view.at + tag + 2) - view.at
            self.type_or_length(view.n(tag, 2), view.limit(inner).skip(tag + 2))
        self.skip(BY_NAME.get(kind, "ethertype not known"))

    def llc(self, view):
        self.deeper()
        self.need("llc", view, 3)
        dsap, ssap, control = view[0], view[1], view[2]
        if (dsap, ssap) == (0xFF, 0xFF):
            self.skip("ipx")
        if control in (0xAF, 0xBF):
            self.found("xid", "control", view)
        if control in (0xE3, 0xF3):
            self.found("llc test", "none", view)
        if dsap == 0xAA and ssap in (0xAA, 0xAB) and control == 3:
            self.need("llc", view, 8)
            oui, pid = view.n(3, 3), view.n(6, 2)
            if oui in (0, 0xF8):
                self.by_type(pid, view.skip(8))
            if oui == 0x0C and pid in CISCO:
                self.found(*CISCO[pid], view.skip(8))
            self.skip("snap protocol not known")
        if dsap == 0x42:
            self.found("stp", "control", view.skip(3))
        if dsap == 0x06:
            self.ipv4(view.skip(3))
        self.skip(
            {0xE0: "ipx", 0xF0: "netbios frames", 0xFE: "iso network layer"}.get(
                dsap, "llc sap not known"
            )
        )

    def raw(self, view, link):
        self.need("raw ip", view, 1)
        version = view[0] >> 4
        if link == 228 or version == 4:
            self.ethertype = 0x0800
            self.ipv4(view)
        if link == 229 or version == 6:
            self.ethertype = 0x86DD
            self.ipv6(view)
        self.bad("ip version unknown")

    def cooked(self, view, link):
        self.need("linux cooked", view, 16 if link == 113 else 20)
        if link == 113:
            hardware, size, address, kind = view.n(2, 2), view.n(4, 2), 6, view.n(14, 2)
        else:
            hardware, size, address, kind = view.n(8, 2), view[11], 12, view.n(0, 2)
        if size == 6:
            self.src_mac = view.n(address, 6)
        inner = view.skip(16 if link == 113 else 20)
        if hardware == 778:
            self.by_type(kind, inner)
        if hardware == 801:
            self.wireless(inner)
        if hardware == 802:
            self.deeper()
            self.prism(inner)
        if hardware == 803:
            self.deeper()
            self.radiotap(inner)
        if hardware == 824:
            self.skip("cooked protocol not known")
        if kind >= 1536:
            self.by_type(kind, inner)
        if kind == 4:
            self.llc(inner)
        self.skip("ipx" if kind == 1 else "cooked protocol not known")

    # -- 802.11

    def radiotap(self, view):
        self.need("radiotap", view, 8)
        size = view.little(2, 2)
        if size < 8 or view[0]:
            self.bad("radio header length wrong")
        self.need("radiotap", view, size)
        field, word = 8, view.little(4, 4)
        present = word
        while word >> 31:
            if field + 4 > size:
                self.bad("radio header length wrong")
            word = view.little(field, 4)
            field += 4
        if present & 1:
            field = -(-field // 8) * 8 + 8
        if present & 2:
            if field < size:
                self.fcs, self.pad = bool(view[field] & 0x10), bool(view[field] & 0x20)
            field += 1
        field += 1 if present & 4 else 0
        if present & 8:
            field = -(-field // 2) * 2
            if field + 2 <= size:
                self.freq = view.little(field, 2)
        self.wireless(view.skip(size))

    def ppi(self, view):
        self.need("ppi", view, 8)
        size, link = view.little(2, 2), view.little(4, 4)
        if size < 8:
            self.bad("radio header length wrong")
        self.need("ppi", view, size)
        field = 8
        for _ in range(16):
            if field + 4 > size:
                break
            length = view.little(field + 2, 2)
            if view.little(field, 2) == 2 and length >= 14 and field + 18 <= size:
                self.fcs = bool(view.little(field + 12, 2) & 1)
                self.freq = view.little(field + 16, 2)
            field += 4 + length
        if link == 192:
            self.skip("link type not known")
        self.link = link
        self.first(link, view.skip(size))

    def prism(self, view):
        self.need("prism", view, 8)
        avs = view.n(0, 4) >> 12 == 0x80211
        size = view.n(4, 4) if avs else view.little(4, 4)
        if not 8 <= size <= 65535:
            self.bad("radio header length wrong")
        self.need("prism", view, size)
        self.wireless(view.skip(size))

    def wireless(self, view):
        self.deeper()
        if self.fcs:
            view = view.limit(max(view.claim - 4 - view.at, 0))
        self.need("802.11", view, 10)
        control, flags = (view[1], view[0]) if self.swapped else (view[0], view[1])
        if control & 3:
            self.bad("802.11 protocol version unknown")
        kind, subtype = (control >> 2) & 3, control >> 4
        self.wlan = kind * 16 + subtype
        if kind == 1:
            self.found("802.11 control", "wifi", view)
        if kind == 3:
            self.skip("802.11 extension")
        self.need("802.11", view, 24)
        if kind == 0:
            self.found("802.11 " + MANAGEMENT[subtype], "wifi", view)
        to_ds, from_ds, qos = flags & 1, flags & 2, subtype & 8
        size = 30 if to_ds and from_ds else 24
        self.need("802.11", view, size + (2 if qos else 0))
        a1, a2, a3 = view.n(4, 6), view.n(10, 6), view.n(16, 6)
        self.mac, self.vlan, self.outer, self.stack, self.ethertype = 1, -1, 0, [], -1
        self.dst_mac = a3 if to_ds else a1
        self.src_mac = (view.n(24, 6) if to_ds else a3) if from_ds else a2
        if subtype & 4:
            self.found("802.11 null data", "wifi", view)
        if flags & 0x40:
            self.skip("802.11 protected data")
        if flags & 4 or view[23 if self.swapped else 22] & 15:
            self.skip("802.11 fragment")
        if qos:
            if view[size] & 0x80:
                self.skip("802.11 a-msdu")
            size += 6 if flags & 0x80 else 2
        if self.pad:
            size = -(-size // 4) * 4
        self.llc(view.skip(size))

    # -- IP

    def ipv4(self, view):
        self.deeper()
        self.need("ipv4", view, 20)
        size = (view[0] & 15) * 4
        if view[0] >> 4 != 4 or size < 20:
            self.bad("ipv4 version or header length wrong")
        self.net, self.ttl, self.proto, self.ip_id = 4, view[8], view[9], view.n(4, 2)
        self.src, self.dst = view.n(12, 4), view.n(16, 4)
        total = view.n(2, 2)
        if 0 < total < size:
            self.bad("ipv4 total length shorter than its header")
        self.ip_bytes = total or view.claim - view.at
        view = view.limit(self.ip_bytes)
        self.need("ipv4", view, size)
        more, offset = (view.n(6, 2) >> 13) & 1, view.n(6, 2) & 0x1FFF
        if more or offset:
            self.piece("ipv4", offset * 8, more, view.skip(size))
        self.transport(view.skip(size))

    def ipv6(self, view):
        self.deeper()
        self.need("ipv6", view, 40)
        if view[0] >> 4 != 6:
            self.bad("ipv6 version wrong")
        self.net, self.ttl, self.ip_id = 6, view[7], -1
        self.src, self.dst = view.n(8, 16), view.n(24, 16)
        claimed = view.n(4, 2)
        self.ip_bytes = claimed + 40 if claimed else view.claim - view.at
        view = view.limit(self.ip_bytes)
        proto, view = view[6], view.skip(40)
        for _ in range(12):
            self.proto = proto
            if proto == 44:
                self.need("ipv6 extension", view, 8)
                offset, more = view.n(2, 2) & ~7, view.n(2, 2) & 1
                self.ip_id, proto = view.n(4, 4), view[0]
                reserved = view.n(2, 2) & 0xFFF9
                view = view.skip(8)
                if reserved:
                    self.proto = proto
                    self.piece("ipv6", offset, more, view)
                self.tags["ipv6_fragment", -1] += 1
                continue
            if proto not in EXTENSIONS and proto != 51:
                self.transport(view)
            name = "ah" if proto == 51 else "ipv6 extension"
            self.need(name, view, 2)
            size = (view[1] + 2) * 4 if proto == 51 else (view[1] + 1) * 8
            if view.size < size:
                self.short("ipv6 extension", view, size)
            self.extensions = 1
            proto, view = view[0], view.skip(size)
        self.bad("too many headers")

    def piece(self, ip, offset, more, view):
        self.tags[f"{ip}_fragment", -1] += 1
        self.fragment = offset * 2 + more
        if offset == 0 and view.size >= 4:
            if self.proto in (6, 17, 132):
                self.src_port, self.dst_port = view.n(0, 2), view.n(2, 2)
                if self.proto == 6 and view.size >= 14:
                    self.seq, self.flags = view.n(4, 4), view.n(12, 2) & 0xFFF
            if self.proto in (1, 58):
                self.src_port, self.dst_port = view[0], view[1]
        self.found(f"{ip} fragment", "fragment", view)

    def transport(self, view):
        proto = self.proto
        if proto in (4, 41):
            self.enter("ip", -1)
            (self.ipv4 if proto == 4 else self.ipv6)(view)
        if proto == 137:
            self.mpls(view)
        self.deeper()
        if proto == 6:
            self.tcp(view)
        if proto == 17:
            self.udp(view)
        if proto == 47:
            self.gre(view)
        if proto == 97:
            self.need("etherip", view, 2)
            self.enter("etherip", -1)
            self.ethernet(view.skip(2))
        if proto in (1, 58):
            name = "icmp" if proto == 1 else "icmpv6"
            self.need(name, view, 4)
            self.src_port, self.dst_port = view[0], view[1]
            wanted = "none"
            if proto == 1 and view[0] in (3, 5):
                wanted = "icmp"
            if proto == 58 and view[0] in (1, 133, 134, 135, 136, 137):
                wanted = "icmp6"
            self.found(f"{self.ip} {name}", wanted, view)
        if proto == 132:
            self.need("sctp", view, 12)
            self.src_port, self.dst_port = view.n(0, 2), view.n(2, 2)
            self.found(f"{self.ip} sctp", "none", view.skip(12))
        if proto == 51:
            self.need("ah", view, 12)
            size = (view[1] + 2) * 4
            self.need("ah", view, size)
            self.proto = view[0]
            self.transport(view.skip(size))
        if proto == 50:
            self.skip("esp encrypted")
        if proto == 112:
            self.found(f"{self.ip} vrrp", "redundancy", view)
        self.found(f"{self.ip} {PROTOCOLS.get(proto, 'other protocol')}", "none", view)

    def tcp(self, view):
        if view.size >= 4:
            self.src_port, self.dst_port = view.n(0, 2), view.n(2, 2)
        self.need("tcp", view, 20)
        self.seq, self.ack = view.n(4, 4), view.n(8, 4)
        self.flags, self.window = view.n(12, 2) & 0xFFF, view.n(14, 2)
        size = view[12] >> 4
        if size < 5:
            self.bad("tcp data offset below 5")
        self.need("tcp", view, size * 4)
        self.found(f"{self.ip} tcp", "tcp", view.skip(size * 4))

    def udp(self, view):
        if view.size >= 4:
            self.src_port, self.dst_port = view.n(0, 2), view.n(2, 2)
        self.need("udp", view, 8)
        claimed = view.n(4, 2)
        if 0 < claimed < 8:
            self.bad("udp length below 8")
        if claimed:
            view = view.limit(claimed)
        view = view.skip(8)
        ports = {self.src_port, self.dst_port}
        if self.src_port in (53, 67, 68, 69, 123, 161, 162, 546, 547, 5353, 5355):
            pass  # a server's answer, whatever port its client chose
        elif self.dst_port in (4789, 8472):
            if view.size >= 8 and view[0] & 8:
                self.carry(view)
                self.deeper()
                vni = view.n(4, 3)
                self.tags["vxlan", vni] += 1
                self.enter("vxlan", vni)
                self.ethernet(view.skip(8))
        elif self.dst_port == 6081:
            if view.size >= 8 and view[0] < 64:
                self.carry(view)
                self.geneve(view)
        elif 5247 in ports:
            self.carry(view)
            self.capwap(view)
        elif 3544 in ports:
            inner = self.teredo(view)
            if inner:
                self.carry(view)
                self.enter("teredo", -1)
                self.ipv6(inner)
        self.found(f"{self.ip} udp", self.udp_kind(ports, view), view)

    def udp_kind(self, ports, view):
        for names, kind in (
            ({53, 5353, 5355}, "dns"),
            ({67, 68}, "dhcp"),
            ({546, 547}, "dhcpv6"),
            ({161, 162}, "snmp"),
            ({69}, "tftp"),
        ):
            if ports & names:
                return kind
        if self.dst_port in (1985, 2029, 3222):
            return "redundancy"
        if view.size >= 240 and view[236:240] == bytes.fromhex("63825363"):
            return "dhcp"
        body = view[0 : view.size]
        if body[:2] in (b"\0\1", b"\0\2"):
            name, nul, mode = body[2:].partition(b"\0")
            printable = name and all(0x20 <= b < 0x7F for b in name)
            lower = bytes(b | 0x20 for b in mode[:4])
            if nul and printable and len(name) < 255 and len(mode) >= 5 and lower in MODES:
                return "tftp"
        return "none"

    def carry(self, view):
        self.carrier = (self.net, self.src, self.dst, self.src_port, self.dst_port, self.vlan)

    # -- tunnels

    def teredo(self, view):
        for _ in range(3):
            if view.size < 40:
                return None
            if view.n(0, 2) == 0:
                view = view.skip(8)
            elif view.n(0, 2) == 1:
                view = view.skip(13 + view[2] + view[3])
            elif view[0] >> 4 == 6 and view.n(4, 2) + 40 <= view.size:
                return view
            else:
                return None
        return None

    def mpls(self, view):
        self.deeper()
        labels = []
        while True:
            if len(labels) == 16:
                self.bad("too many headers")
            self.need("mpls", view, 4)
            entry = view.n(0, 4)
            labels.append(entry >> 12)
            self.tags["mpls", entry >> 12] += 1
            view = view.skip(4)
            if entry & 0x100:
                break
        if labels[-1] in (13, 14):
            self.skip("mpls oam")
        self.need("mpls", view, 1)
        nibble = view[0] >> 4
        if nibble == 4 and (view.size < 20 or view[0] & 15 >= 5):
            self.enter("mpls", labels[0])
            self.ipv4(view)
        if nibble == 6:
            self.enter("mpls", labels[0])
            self.ipv6(view)
        if nibble == 1:
            self.skip("mpls oam")
        word = view.size >= 18 and view[0] == 0
        if word and view.n(12, 2) not in TAGS | {0x0800, 0x86DD, 0x0806}:
            view = view.skip(4)
        self.enter("mpls", labels[0])
        self.ethernet(view)

    def gre(self, view):
        self.need("gre", view, 4)
        flags, kind = view.n(0, 2), view.n(2, 2)
        version = flags & 7
        if version > 1 or (version and kind != 0x880B) or flags & 0x4000:
            self.skip("gre version not known")
        checksum, key, sequence = flags >> 15 & 1, flags >> 13 & 1, flags >> 12 & 1
        acknowledged = version & (flags >> 7)
        size = 4 + 4 * (checksum + key + sequence + acknowledged)
        self.need("gre", view, size)
        self.tags["gre", kind] += 1
        number = view.n(4 + 4 * checksum, 4) if key else -1
        inner = view.skip(size)
        if version:
            if not inner.size:
                self.found(f"{self.ip} other protocol", "none", inner)
            self.enter("pptp", number & 0xFFFF)
            self.ppp(inner)
        if kind == 0x88BE and not sequence:
            self.tags["erspan", -1] += 1
            self.enter("erspan", -1)
            self.ethernet(inner)
        if kind in (0x88BE, 0x22EB):
            self.deeper()
            self.erspan(inner, 2 if kind == 0x88BE else 3)
        if kind in {*range(0x8200, 0x8400, 16), 0x9000} and kind & 0xFE0F in (0x8200, 0x9000):
            self.fcs = self.pad = False
            self.enter("gre", number)
            self.wireless(inner)
        if kind == 0x883E:
            if inner.size >= 5 and inner[0] >> 4 != 4:
                inner = inner.skip(4)
            self.enter("gre", number)
            self.ipv4(inner)
        if kind == 0x2000:
            self.found("cdp", "cdp", inner)
        if kind in {0x0800, 0x86DD, 0x6558, 0x880B, 0x8847, 0x8848, 0x0806} | TAGS:
            self.enter("gre", number)
            self.by_type(kind, inner)
        self.skip("gre protocol not known")

    def erspan(self, view, version):
        size = 8 if version == 2 else 12
        self.need("erspan", view, size)
        session, raw = view.n(2, 2) & 0x3FF, False
        if version == 3:
            tail = view.n(10, 2)
            if tail & 1:
                size += 8
                self.need("erspan", view, size)
            if (tail >> 10) & 31 not in (0, 2):
                self.tags["erspan", session] += 1
                self.skip("erspan payload not ethernet or ip")
            raw = (tail >> 10) & 31 == 2
        self.tags["erspan", session] += 1
        self.enter("erspan", session)
        if raw:
            self.deeper()
            self.raw(view.skip(size), 101)
        self.ethernet(view.skip(size))

    def geneve(self, view):
        self.deeper()
        size = 8 + 4 * (view[0] & 63)
        self.need("geneve", view, size)
        self.tags["geneve", view.n(4, 3)] += 1
        kind = view.n(2, 2)
        if kind not in (0x6558, 0x0800, 0x86DD):
            self.skip("geneve protocol not known")
        self.enter("geneve", view.n(4, 3))
        self.by_type(kind, view.skip(size))

    def capwap(self, view):
        self.deeper()
        if view.size < 4:
            self.short("capwap", view, 8)
        if view[0] & 15 == 1:
            self.tags["capwap", -1] += 1
            self.skip("encrypted capwap")
        bits = f"{view.n(1, 3):024b}"
        size, radio, binding = int(bits[:5], 2) * 4, int(bits[5:10], 2), int(bits[10:15], 2)
        native, fragment, keepalive = bits[15] == "1", bits[16] == "1", bits[20] == "1"
        if size < 8:
            self.skip("capwap payload not known")
        self.need("capwap", view, size)
        self.tags["capwap", radio] += 1
        inner = view.skip(size)
        if keepalive:
            self.found("capwap keep-alive", "none", inner)
        if fragment:
            self.skip("capwap fragment")
        if not native:
            self.enter("capwap", -1)
            self.ethernet(inner)
        if binding not in (0, 1):
            self.skip("capwap payload not known")
        self.fcs = self.pad = False
        self.swapped = inner.size >= 2 and odd(inner[1], inner[0]) < odd(inner[0], inner[1])
        self.enter("capwap", -1)
        self.wireless(inner)

    def pppoe(self, view):
        self.deeper()
        self.need("pppoe", view, 6)
        if view[1]:
            self.found("pppoe discovery", "none", view)
        session = view.n(2, 2)
        self.tags["pppoe", session] += 1
        self.enter("pppoe", session)
        self.ppp(view.limit(6 + view.n(4, 2)).skip(6))

    def ppp(self, view):
        self.deeper()
        if view.size >= 2 and view[0:2] == b"\xff\x03":
            view = view.skip(2)
        if not view.size:
            self.short("ppp", view, 2)
        kind, view = view[0], view.skip(1)
        if not kind & 1:
            if not view.size:
                self.short("ppp", view.skip(-1), 2)
            kind, view = kind << 8 | view[0], view.skip(1)
        if kind == 0x21:
            self.ethertype = 0x0800
            self.ipv4(view)
        if kind == 0x57:
            self.ethertype = 0x86DD
            self.ipv6(view)
        if kind in (0x281, 0x283):
            self.mpls(view)
        if kind == 0x31 and view.size >= 2 and view[1] == 1:
            self.ethernet(view.skip(2))
        if kind >= 0x8000:
            self.skip("ppp control")
        if kind in (0xFD, 0x53, 0xFB, 0x55, 0x2D, 0x2F):
            self.skip("ppp compressed or encrypted")
        self.skip("ppp protocol not known")


MANAGEMENT = [
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
]


class View:
    """A layer's bytes: those there from ``at`` to ``end``, and where it ends by its claim."""

    def __init__(self, data, at, end, claim):
        self.data, self.at, self.end, self.claim = data, at, end, claim

    @property
    def size(self):
        return max(self.end - self.at, 0)

    def __getitem__(self, index):
        if isinstance(index, slice):
            assert index.stop <= self.end - self.at, "read behind the end"
            return self.data[self.at + index.start : self.at + index.stop]
        assert index < self.end - self.at, "read behind the end"
        return self.data[self.at + index]

    def n(self, at, size):
        return int.from_bytes(self[at : at + size], "big")

    def little(self, at, size):
        return int.from_bytes(self[at : at + size], "little")

    def skip(self, count):
        return View(self.data, self.at + count, self.end, self.claim)

    def limit(self, count):
        return View(self.data, self.at, min(self.end, self.at + count), self.at + count)


def row_of(packet):
    """A packet as :func:`tests.decode.kernels.blocks.row_of` shows the kernel's row."""
    return {
        "outcome": packet.outcome,
        "reason": packet.reason,
        "kind": packet.kind,
        "has_mac": packet.mac,
        "src_mac": packet.src_mac,
        "dst_mac": packet.dst_mac,
        "vlan": packet.vlan,
        "outer_tag": packet.outer,
        "tunnel": packet.tunnel,
        "tunnel_id": packet.tunnel_id,
        "ethertype": packet.ethertype,
        "net": packet.net,
        "src": packet.src if packet.net else 0,
        "dst": packet.dst if packet.net else 0,
        "proto": packet.proto,
        "ttl": packet.ttl,
        "ip_id": packet.ip_id,
        "ip_bytes": packet.ip_bytes,
        "fragment": packet.fragment,
        "src_port": packet.src_port,
        "dst_port": packet.dst_port,
        "flags": packet.flags,
        "seq": packet.seq,
        "ack": packet.ack,
        "window": packet.window,
        "payload": packet.payload,
        "extensions": packet.extensions,
        "wlan_subtype": packet.wlan,
        "wlan_freq": packet.freq,
        "carrier": packet.carrier,
    }


class Conversations:
    """Conversations in a dictionary: packets, octets, and who began."""

    def __init__(self, idle=0):
        self.idle = idle
        self.found = []
        self.open = {}

    def take(self, packet, time):
        """One packet: (index of its conversation, from the originator), or None."""
        if not packet.net or (packet.src_port < 0 and packet.proto in (1, 6, 17, 58)):
            return None
        if packet.src_port < 0 and (packet.fragment >= 0 or packet.outcome == "malformed"):
            return None
        source, target = packet.src_port, packet.dst_port
        if packet.proto in (1, 58):
            target = ANSWERS[packet.proto].get(source, target)
        ends = ((packet.src, source), (packet.dst, target))
        key = (packet.net, packet.proto, packet.vlan, packet.outer, *sorted(ends))
        syn, ack = packet.flags & 2, packet.flags & 16
        one = self.open.get(key)
        if one and self.idle and time - one["last"] > self.idle:
            one = None
        if one and packet.proto == 6 and syn and not ack and one["over"]():
            one = one if packet.seq in one["isn"] else None
        if one is None:
            answer = packet.proto == 6 and packet.flags & 0x17 == 0x12
            one = self.open[key] = {
                "orig": ends[1] if answer else ends[0],
                "packets": [0, 0],
                "bytes": [0, 0],
                "mac": [0, 0],
                "for": 0 if packet.dst_mac >> 40 & 1 else packet.dst_mac,
                "fin": set(),
                "rst": set(),
                "isn": set(),
                "last": time,
                "index": len(self.found),
            }
            one["over"] = lambda one=one: one["rst"] or len(one["fin"]) == 2
            self.found.append(one)
        side = 0 if ends[0] == one["orig"] else 1
        one["packets"][side] += 1
        one["mac"][side] = one["mac"][side] or packet.src_mac
        one["last"] = max(one["last"], time)
        if packet.fragment < 0 and packet.outcome != "malformed" and packet.payload:
            size = packet.payload[2]
            one["bytes"][side] += max(size - 8, 0) if packet.proto in (1, 58) else size
        if packet.proto == 6 and packet.fragment < 0 and packet.outcome != "malformed":
            for bit, name in ((1, "fin"), (4, "rst")):
                if packet.flags & bit:
                    one[name].add(side)
            if syn:
                one["isn"].discard(one.get(side))
                one[side] = packet.seq
                one["isn"].add(packet.seq)
        return one["index"], side == 0


ANSWERS = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
    58: {
        a: b
        for x, y in ((128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145))
        for a, b in ((x, y), (y, x))
    },
}
