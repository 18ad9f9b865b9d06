"""A small language for evidence: rows of the tables as a capture would have left them."""

from wardwatch.inventory.identify import inventory
from wardwatch.observe.tables import Tables

PUMP = "00:1a:01:00:00:41"
"""A MAC of Smiths Medical's."""
RADIO = "00:23:3d:00:00:17"
"""A MAC of a Laird radio module."""
PLAIN = "00:50:56:00:00:10"
"""A MAC of no medical maker (VMware)."""
CHOSEN = "02:00:00:00:00:01"
"""A locally administered MAC."""
NOBODY = "00:ff:00:00:00:01"
"""A MAC of a prefix that nobody holds."""

SOAP = "Medfusion4000_Maintenance"


class Evidence:
    """Rows by table; every method adds some and returns the value itself."""

    def __init__(self):
        self.rows = {}
        self._packet = 0

    def add(self, table, **row):
        self._packet += 1
        self.rows.setdefault(table, []).append({"capture": 1, **row})
        return self

    @property
    def packet(self):
        return self._packet + 1

    def _span(self, first, last):
        at = self.packet
        return {
            "first_ts": first,
            "last_ts": last,
            "first_packet": at,
            "last_packet": at + 3,
            "packets": 4,
        }

    def station(self, mac, ip="", *, source="arp", first=10, last=1000, segment="vlan 120"):
        self.add("presence", segment=segment, mac=mac, **self._span(first, last))
        if ip:
            self.binding(mac, ip, source=source, first=first, last=last, segment=segment)
        return self

    def binding(self, mac, ip, *, source="arp", first=10, last=1000, segment="vlan 120"):
        return self.add(
            "bindings", segment=segment, mac=mac, ip=ip, source=source, **self._span(first, last)
        )

    def _where(self, ts=50):
        return {"packet": self.packet, "ts": ts, "segment": "vlan 120"}

    def dhcp_client(self, mac, **said):
        row = {"op": 1, "msg_type": "DISCOVER", "chaddr": mac, "src_mac": mac, "giaddr": "0.0.0.0"}
        return self.add("dhcp", **{**self._where(), **row, **said})

    def dhcp_server(self, mac, ip, **said):
        row = {
            "op": 2,
            "msg_type": "OFFER",
            "src_mac": mac,
            "src": ip,
            "server_id": ip,
            "chaddr": PLAIN,
        }
        return self.add("dhcp", **{**self._where(), **row, **said})

    def hello(self, mac, ip, server="10.9.0.9", server_mac=PLAIN, **said):
        row = {
            "client": ip, "client_mac": mac, "server": server, "server_mac": server_mac, "client_version": 0x0301,
            "ciphers": list(range(27)), "extensions": [], "hello_length": 93, "export_offered": True,
            "client_hello_packet": self.packet, "server_hello_packet": self.packet,
        }  # fmt: skip
        return self.add("tls", **{**self._where(), **row, **said})

    def soap(self, mac, ip, server="10.9.0.9", **said):
        row = {
            "src": ip,
            "src_mac": mac,
            "dst": server,
            "dst_port": 1588,
            "kind": "soap",
            "root": SOAP,
            "conversation": 1,
        }
        return self.add("device_messages", **{**self._where(), **row, **said})

    def status_line(self, mac, ip, serial="", **said):
        row = {
            "src": ip,
            "src_mac": mac,
            "kind": "status_line",
            "serial": serial,
            "dst": "10.9.0.8",
        }
        return self.add("device_messages", **{**self._where(), **row, **said})

    def banner(self, mac, ip, protocol, text):
        return self.add(
            "banners", **self._where(), server=ip, server_mac=mac, protocol=protocol, text=text
        )

    def conversation(self, src_mac, src, dst_mac, dst, port, **said):
        row = {
            "conversation": self.packet, "segment": "vlan 120", "proto": "tcp", "orig_h": src, "orig_l2_addr": src_mac,
            "resp_h": dst, "resp_l2_addr": dst_mac, "resp_p": port, "orig_pkts": 3, "resp_pkts": 3, "orig_bytes": 9,
            "resp_bytes": 9, "conn_state": "SF", "first_packet": self.packet, "last_packet": self.packet,
            "first_ts": 50, "last_ts": 60,
        }  # fmt: skip
        return self.add("conversations", **{**row, **said})

    @property
    def tables(self):
        return Tables.of(**self.rows)

    def devices(self, listed=()):
        return inventory(self.tables, listed)

    def device(self, mac, listed=()):
        return next(d for d in self.devices(listed) if mac in d.macs)
