"""A small language for judgements: a ward's evidence row by row, and what is said of it."""

from wardwatch.detect import detect
from wardwatch.inventory.scene import Scene
from wardwatch.model.device import Confidence, Device, Identity, Listed
from wardwatch.model.site import (
    Attestation,
    AuthorisedScanner,
    PermittedPeer,
    ServiceWindow,
    Site,
    TrustedRoot,
    TrustedServer,
    Zone,
)
from wardwatch.model.values import NS
from wardwatch.observe.tables import Tables
from wardwatch.signs.episodes import settled
from wardwatch.verify import CHECKS, Minimums

HOUR = 3600
VLAN = "vlan 120"
LAN = "vlan 30"
PUMP, PUMP_IP = "00:1a:01:00:00:41", "10.120.0.41"
PUMP_2, PUMP_2_IP = "00:1a:01:00:00:42", "10.120.0.42"
DESK, DESK_IP = "f8:b1:56:00:00:21", "10.120.0.21"
ROUTER, ROUTER_IP = "00:00:0c:12:00:01", "10.120.0.1"
ROGUE, ROGUE_IP = "b8:27:eb:00:00:66", "10.120.0.66"
DHCP_IP, DNS_IP, MDS_IP = "10.30.0.5", "10.30.0.6", "10.20.0.30"
ALL = "ff:ff:ff:ff:ff:ff"
SAID = {"confirmed_by": "IT, named role", "confirmed_on": "2026-11-01"}
DAY_S = 1_794_787_200
"""The ward's midnight, seconds since 1970: 2026-11-16."""


class Ward:
    """Evidence of one capture; every method adds rows and returns the ward."""

    def __init__(self):
        self.rows = {}
        self.devices = []
        self.site = {}
        self.now = DAY_S + 25 * HOUR
        self._packet = 0

    def add(self, table, at=0.0, **row):
        """One row, ``at`` seconds after midnight, with the next packet number."""
        self._packet += 1
        from wardwatch.model.columns import BY_NAME

        names = BY_NAME[table].names
        given = {"capture": 1, "segment": VLAN, "packet": self._packet, "ts": self.ts(at)}
        spans = {
            "first_ts": self.ts(at),
            "last_ts": self.ts(at),
            "first_packet": self._packet,
            "last_packet": self._packet,
            "packets": 1,
        }
        if "first_ts" in names and "ts" not in names:
            given |= spans
        row = {k: v for k, v in given.items() if k in names} | row
        self.rows.setdefault(table, []).append(row)
        return self

    @staticmethod
    def ts(at):
        return int((DAY_S + at) * NS)

    @property
    def last_packet(self):
        return self._packet

    # Who is there

    def device(self, mac, ip="", kind="infusion pump", **more):
        self.devices.append(
            Device(
                id="dev-" + mac.replace(":", ""),
                identity=Identity(kind=kind),
                confidence=more.pop("confidence", Confidence.CERTAIN),
                macs=(mac,),
                ips=(ip,) if ip else (),
                segments=more.pop("segments", (VLAN,)),
                packets=more.pop("packets", 10),
                first_ts=self.ts(0),
                last_ts=self.ts(25 * HOUR),
                **more,
            )
        )
        return self

    def pump(self, mac=PUMP, ip=PUMP_IP, hours=25.0, **more):
        self.device(mac, ip, **more)
        return self.present(mac, 0, hours * HOUR)

    def listed_only(self):
        self.devices.append(
            Device(
                id="list-7",
                identity=Identity(kind="infusion pump"),
                confidence=Confidence.LISTED,
                listed=Listed(row=7, mac="00:1a:01:00:00:99"),
            )
        )
        return self

    def present(self, mac, start, end, segment=VLAN, received=5):
        return self.add(
            "presence",
            start,
            mac=mac,
            segment=segment,
            last_ts=self.ts(end),
            packets=9,
            received=received,
        )

    # Where one listened

    def hears(self, hours=25.0, segment=VLAN, start=0.0, **counts):
        sound = {
            "vlan": int(segment.split()[1]) if segment.startswith("vlan") else -1,
            "packets": 1000,
            "broadcasts": 50,
            "broadcast_sources": 5,
            "multicasts": 50,
            "stations": 6,
            "tcp_both": 40,
            "tcp_one_way": 0,
            "unicast_pairs": 10,
            "dhcp_client_messages": 20,
            "dhcp_server_messages": 20,
            "dhcp_relayed": 0,
            "cut_packets": 0,
        }
        return self.add(
            "segments",
            start,
            segment=segment,
            last_ts=self.ts(start + hours * HOUR),
            **(sound | counts),
        )

    # Words on the wire

    def discover(self, mac=DESK, at=60.0, kind="DISCOVER", **more):
        row = {"op": 1, "msg_type": kind, "chaddr": mac, "src_mac": mac, "dst_mac": ALL}
        row |= {"src": "0.0.0.0", "dst": "255.255.255.255", "src_port": 68, "dst_port": 67}
        return self.add("dhcp", at, **(row | {"giaddr": "0.0.0.0", "whole": True} | more))

    def reply(self, server=DHCP_IP, mac="00:50:56:30:00:05", client=DESK, at=61.0, **more):
        row = {"op": 2, "msg_type": "OFFER", "chaddr": client, "src_mac": mac, "dst_mac": ALL}
        row |= {"src": server, "dst": "255.255.255.255", "src_port": 67, "dst_port": 68}
        row |= {"giaddr": "0.0.0.0", "ciaddr": "0.0.0.0", "yiaddr": DESK_IP, "server_id": server}
        return self.add("dhcp", at, **(row | {"whole": True} | more))

    def ask(self, server=DNS_IP, who=PUMP, ip=PUMP_IP, at=100.0, trans_id=7, **more):
        row = {"src": ip, "dst": server, "src_port": 1024, "dst_port": 53, "src_mac": who}
        row |= {"dst_mac": ROUTER, "kind": "dns", "is_response": False, "trans_id": trans_id}
        return self.add("dns", at, **(row | {"query": "mds.example", "whole": True} | more))

    def answer(self, server=DNS_IP, mac=ROUTER, to=PUMP, ip=PUMP_IP, at=100.1, trans_id=7, **more):
        row = {"src": server, "dst": ip, "src_port": 53, "dst_port": 1024, "src_mac": mac}
        row |= {"dst_mac": to, "kind": "dns", "is_response": True, "trans_id": trans_id}
        row |= {"query": "mds.example", "answers": [MDS_IP], "whole": True, "ip_ttl": 63}
        return self.add("dns", at, **(row | more))

    def arp(self, mac, ip, target_ip=ROUTER_IP, at=50.0, op=1, **more):
        row = {"op": op, "src_mac": mac, "dst_mac": ALL, "sender_mac": mac, "sender_ip": ip}
        return self.add("arp", at, **(row | {"target_ip": target_ip} | more))

    def bound(self, mac, ip, source="arp", start=50.0, end=24.0 * HOUR, packets=5, **more):
        return self.add(
            "bindings",
            start,
            mac=mac,
            ip=ip,
            source=source,
            last_ts=self.ts(end),
            packets=packets,
            **more,
        )

    def advert(self, mac=ROUTER, src="fe80::1", at=200.0, lifetime_s=1800, **more):
        row = {"kind": "ra", "src_mac": mac, "src": src, "dst": "ff02::1", "hop_limit": 255}
        return self.add("router_adverts", at, **(row | {"lifetime_s": lifetime_s} | more))

    def tcp(self, orig, resp, port, at=300.0, orig_mac=ROUTER, resp_mac=PUMP, **more):
        row = {"proto": "tcp", "orig_h": orig, "orig_p": 50000, "resp_h": resp, "resp_p": port}
        row |= {"orig_l2_addr": orig_mac, "resp_l2_addr": resp_mac, "history": "ShADadFf"}
        row |= {"orig_pkts": 5, "resp_pkts": 5, "conn_state": "SF"}
        row |= {"conversation": self._packet + 1}
        return self.add("conversations", at, **(row | more))

    def login(self, protocol="ftp", at=400.0, server=PUMP_IP, server_mac=PUMP, **more):
        row = {"protocol": protocol, "client": ROGUE_IP, "client_mac": ROGUE, "server": server}
        row |= {"server_mac": server_mac, "server_port": 21, "secret": "ab" * 32}
        row |= {"secret_packet": self._packet + 1, "outcome": "success"}
        row |= {"outcome_packet": self._packet + 1}
        return self.add("logins", at, **(row | more))

    # What the hospital states

    def states(self, **parts):
        for name, line in parts.items():
            self.site.setdefault(name, []).append(line)
        return self

    def zone(self, **more):
        words = {"name": "pumps", "vlans": (120,), "subnets": ("10.120.0.0/24",), "pumps": True}
        return self.states(
            zone=Zone(
                **(words | {"permitted_kinds": ("infusion pump", "workstation")} | SAID | more)
            )
        )

    def server(self, role, ip, **more):
        return self.states(server=TrustedServer(**({"role": role, "ip": ip} | SAID | more)))

    def peer(self, ip=MDS_IP, ports=(1588,), proto="tcp", **more):
        return self.states(
            peer=PermittedPeer(
                **({"zone": "pumps", "peer": ip, "ports": ports, "proto": proto} | SAID | more)
            )
        )

    def window(self, start, end, **more):
        return self.states(window=ServiceWindow(**({"start": start, "end": end} | SAID | more)))

    def scanner(self, ip, **more):
        return self.states(scanner=AuthorisedScanner(**({"ip": ip} | SAID | more)))

    def attests(self, measure, expires_on="2027-01-01", **more):
        words = {"measure": measure, "statement": "done", "expires_on": expires_on}
        return self.states(attestation=Attestation(**(words | SAID | more)))

    def root(self, **more):
        return self.states(root=TrustedRoot(**(SAID | more)))

    # What is said of it

    def scene(self):
        return Scene(
            tables=Tables.of(**self.rows),
            devices=tuple(self.devices),
            site=Site(**{name: tuple(lines) for name, lines in self.site.items()}),
            now=self.now * NS,
        )

    def verdicts(self, measure, **minimums):
        check = next(c for c in CHECKS if c.measure.id == measure)
        return list(check.function(self.scene(), Minimums(**minimums)))

    def verdict(self, measure, **minimums):
        """The only verdict on a measure."""
        (one,) = self.verdicts(measure, **minimums)
        return one

    def state(self, measure, **minimums):
        return self.verdict(measure, **minimums).state.value

    def findings(self, technique):
        return [f for f in detect(self.scene()) if f.technique == technique]


def rows_of(scene, sql, parameters=()):
    """Rows of a question about signs; none where there is no question."""
    name, rows = settled(scene, sql, parameters)
    return scene.tables.ask(f"FROM {name}") if rows else []


def sees(verdict):
    """A verdict's state, and its reason where it has one."""
    return verdict.state.value, verdict.reason.name if verdict.reason else ""
