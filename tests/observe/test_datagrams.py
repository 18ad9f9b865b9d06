"""wardwatch.observe.datagrams"""

import random

import msgspec
import pytest
from tests import wire_messages as wire
from tests.datagram_rows import Kept, PlainSecrets
from tests.wire_messages import dhcp, option

from wardwatch.decode import columns as kinds
from wardwatch.observe import datagrams
from wardwatch.observe.datagrams import Datagrams, dns_kind
from wardwatch.observe.where import Where

AT = Where(
    capture=1,
    packet=7,
    ts=1_000,
    segment="vlan 120",
    src_mac="00:1a:01:00:00:42",
    dst_mac="02:00:00:00:00:01",
    src="10.0.0.77",
    src_port=68,
    dst="10.0.0.1",
    dst_port=67,
    conversation=3,
    ip_ttl=64,
)


def at(**changes):
    fields = {name: getattr(AT, name) for name in Where.__struct_fields__}
    return Where(**{**fields, **changes})


class Ward:
    """A small language: ``Ward() >> (kind, payload, where)`` and then its rows."""

    def __init__(self):
        self.kept = Kept()
        self.read = Datagrams(self.kept, PlainSecrets())
        self.bindings = []
        self.read.on_binding = lambda *told: self.bindings.append(told)

    def __rshift__(self, message):
        kind, payload, where = message
        self.read.read(kind, payload, where, claimed=len(payload))
        return self

    def __getattr__(self, table):
        self.read.finish()
        return self.kept.rows[table]


def test_every_kind_has_its_table():
    sent = {
        "arp": (kinds.KIND_ARP, wire.ARP_REPLY, AT),
        "dhcp": (kinds.KIND_DHCP, wire.OFFER, AT),
        "dns": (kinds.KIND_DNS, wire.ANSWER, at(src_port=53)),
        "dhcpv6": (kinds.KIND_DHCPV6, wire.REPLY6, AT),
        "router_adverts": (kinds.KIND_ICMP6, wire.ADVERT, AT),
        "unreachables": (kinds.KIND_ICMP, wire.UNREACHABLE, AT),
        "redundancy": (kinds.KIND_REDUNDANCY, wire.HSRP, at(dst_port=1985)),
        "neighbors": (kinds.KIND_LLDP, wire.LLDP, AT),
        "control": (kinds.KIND_CONTROL, wire.STP, AT),
        "snmp": (kinds.KIND_SNMP, wire.SNMP[0], AT),
        "transfers": (kinds.KIND_TFTP, wire.RRQ, AT),
        "wifi": (kinds.KIND_WIFI, wire.beacon(), AT),
    }
    ward = Ward()
    for message in sent.values():
        ward >> message
    assert {table: len(getattr(ward, table)) for table in sent} == dict.fromkeys(sent, 1)
    assert ward.anomalies == []
    assert ward.read.parser_calls == len(sent)
    place = ("capture", "packet", "ts", "segment")
    for table in ("arp", "dhcp", "dns", "dhcpv6", "router_adverts", "unreachables", "transfers"):
        assert [getattr(ward, table)[0][name] for name in place] == [1, 7, 1_000, "vlan 120"]


def test_kinds_of_others_are_not_ours():
    ward = Ward() >> (kinds.KIND_TCP, b"x", AT) >> (kinds.KIND_NONE, b"x", AT)
    assert ward.read.parser_calls == 0


def test_a_damaged_message_is_an_anomaly_with_its_numbers():
    ward = Ward() >> (kinds.KIND_DHCP, dhcp(option(53, b"\2") + b"\x43\xff" + b"A" * 3), AT)
    (row,) = ward.anomalies
    assert (row["protocol"], row["fault"]) == ("dhcp", "dhcp_option_overrun")
    assert (row["claimed"], row["present"]) == (255, 3)
    assert (row["src"], row["src_mac"], row["conversation"]) == ("10.0.0.77", AT.src_mac, 3)
    assert row["clause"].startswith("RFC 2132")
    (message,) = ward.dhcp
    assert (message["overrun_option"], message["overrun_claimed"]) == (67, 255)


def test_a_cut_message_is_not_whole():
    ward = Ward()
    ward.read.read(kinds.KIND_DHCP, wire.OFFER[:250], AT, claimed=len(wire.OFFER))
    ward.read.read(kinds.KIND_DNS, wire.ANSWER[:40], AT, claimed=len(wire.ANSWER))
    ward.read.read(kinds.KIND_DNS, wire.ANSWER, at(whole=False), claimed=len(wire.ANSWER))
    assert [r["whole"] for r in (*ward.dhcp, *ward.dns)] == [False, False, False]
    assert {r["fault"] for r in ward.anomalies} == {"dhcp_cut", "dns_cut"}
    assert ward.dns[0]["payload_len"] == len(wire.ANSWER)


@pytest.mark.parametrize(
    ("src_port", "dst_port", "kind"),
    [
        (53, 40000, "dns"),
        (5353, 5353, "mdns"),
        (40000, 5355, "llmnr"),
        (5353, 53, "dns"),
        (1, 2, "dns"),
    ],
)
def test_dns_is_told_by_its_port(src_port, dst_port, kind):
    assert dns_kind(src_port, dst_port) == kind


def test_dns_over_tcp_is_marked():
    ward = Ward()
    ward.read.dns_message(wire.ANSWER, at(src_port=53))
    (row,) = ward.dns
    assert (row["proto"], row["whole"], row["payload_len"]) == ("tcp", True, len(wire.ANSWER))
    assert ward.read.parser_calls == 1


def test_advertisements_keep_hop_limit_and_extension_headers():
    ward = Ward()
    where = at(src="fe80::1", dst="ff02::1", ip_ttl=254)
    ward.read.read(
        kinds.KIND_ICMP6, wire.ADVERT, where, claimed=len(wire.ADVERT), extension_headers=True
    )
    (row,) = ward.router_adverts
    assert (row["kind"], row["hop_limit"], row["lifetime_s"]) == ("ra", 254, 1800)
    assert row["extension_headers"] is True
    assert (row["prefixes"], row["rdnss"]) == (["2001:db8::/64"], ["fe80::250:56ff:fecc:1"])


def test_redirects_of_both_kinds():
    ward = (
        Ward()
        >> (kinds.KIND_ICMP, wire.IPV4_REDIRECT, AT)
        >> (kinds.KIND_ICMP6, wire.REDIRECT6, AT)
    )
    four, six = ward.router_adverts
    assert (four["kind"], four["target"], four["destination"]) == (
        "icmp_redirect",
        "10.0.0.254",
        "10.0.0.9",
    )
    assert (six["kind"], six["destination"], six["lifetime_s"]) == ("redirect", "2001:db8::77", -1)
    assert six["lladdr"] == "00:50:56:cc:00:01"


def test_unreachables_name_what_they_quote():
    ward = (
        Ward()
        >> (kinds.KIND_ICMP, wire.UNREACHABLE, AT)
        >> (kinds.KIND_ICMP6, wire.UNREACHABLE6, AT)
    )
    four, six = ward.unreachables
    assert (four["code"], four["quoted_dst"], four["quoted_dst_port"], four["quoted_proto"]) == (
        13,
        "10.0.0.9",
        443,
        "tcp",
    )
    assert (six["ipv6"], six["quoted_dst_port"]) == (True, 53)


def test_neighbour_discovery_tells_bindings():
    ward = Ward() >> (kinds.KIND_ICMP6, wire.ADVERTISE, at(src="2001:db8::77"))
    ward >> (kinds.KIND_ICMP6, wire.SOLICIT, at(src="fe80::9"))
    ward >> (kinds.KIND_ICMP6, wire.SOLICIT, at(src="::"))  # probes for a duplicate: claims nothing
    ward >> (kinds.KIND_ICMP6, wire.ADVERTISE[:24], at(src_mac="02:00:00:00:00:05"))
    told = [(segment, mac, ip, source) for segment, mac, ip, source, _ in ward.bindings]
    assert told == [
        ("vlan 120", "00:50:56:cc:00:01", "2001:db8::77", "nd"),
        ("vlan 120", "00:50:56:cc:00:01", "fe80::9", "nd"),
        ("vlan 120", "02:00:00:00:00:05", "2001:db8::77", "nd"),
    ]


def test_a_relayed_dhcpv6_message_is_a_row_of_its_own():
    ward = Ward() >> (kinds.KIND_DHCPV6, wire.RELAY6, AT)
    assert [(r["msg_type"], r["relayed"]) for r in ward.dhcpv6] == [(12, False), (1, True)]
    assert ward.dhcpv6[1]["fqdn"] == "pump.ward"


def test_speakers_are_counted():
    ward = Ward()
    for packet, ts in ((7, 1_000), (9, 3_000), (8, 2_000)):
        ward >> (kinds.KIND_CONTROL, wire.STP, at(packet=packet, ts=ts))
    ward >> (kinds.KIND_CONTROL, wire.STP, at(src_mac="02:00:00:00:00:09"))
    first, second = ward.control
    assert (first["packets"], first["first_packet"], first["last_packet"]) == (3, 7, 9)
    assert (first["first_ts"], first["last_ts"]) == (1_000, 3_000)
    assert (second["src_mac"], second["packets"]) == ("02:00:00:00:00:09", 1)


def test_a_takeover_shows_in_the_highest_priority():
    ward = Ward()
    for state, priority, last in ((16, 100, 254), (16, 255, 253), (8, 110, 254)):
        payload = bytes([0, 0, state, 3, 10, priority, 7, 0]) + bytes(8) + bytes([10, 0, 0, last])
        ward >> (kinds.KIND_REDUNDANCY, payload, at(dst_port=1985))
    (row,) = ward.redundancy
    assert (row["protocol"], row["group"], row["state"], row["priority"]) == (
        "hsrp",
        7,
        "Standby",
        255,
    )
    assert row["virtual_ips"] == ["10.0.0.254", "10.0.0.253"]


def test_vrrp_over_ipv6_is_known_by_its_sender():
    ward = Ward() >> (
        kinds.KIND_REDUNDANCY,
        wire.VRRP3,
        at(src="fe80::1", src_port=-1, dst_port=-1),
    )
    assert ward.redundancy[0]["virtual_ips"] == ["fe80::250:56ff:fecc:1"]


def test_communities_are_digested_and_compared_but_not_kept():
    ward = Ward() >> (kinds.KIND_SNMP, wire.snmp(1, b"public"), AT)
    (
        ward
        >> (kinds.KIND_SNMP, wire.snmp(1, b"public"), AT)
        >> (kinds.KIND_SNMP, wire.snmp(0, b""), AT)
    )
    ward >> (kinds.KIND_SNMP, wire.snmp3(b"ward"), AT)
    public, empty, user = ward.snmp
    assert (public["packets"], public["secret"], public["known_default"]) == (
        2,
        b"public".hex(),
        "public",
    )
    assert (public["version"], public["pdu"]) == (1, 0xA0)
    assert empty["version"] == 0
    assert (user["user"], user["secret"], user["version"]) == ("ward", "", 3)


def test_names_of_neighbours():
    ward = Ward() >> (kinds.KIND_CDP, wire.CDP, AT) >> (kinds.KIND_LLDP, wire.LLDP, AT)
    cdp, lldp = ward.neighbors
    assert (cdp["protocol"], cdp["system_name"], cdp["native_vlan"]) == ("cdp", "switch-ward-7", 99)
    assert (lldp["protocol"], lldp["management"], lldp["native_vlan"]) == (
        "lldp",
        "10.0.0.254",
        120,
    )


def test_only_requests_of_tftp_are_transfers():
    ward = Ward()
    for payload in wire.TFTP:
        ward >> (kinds.KIND_TFTP, payload, AT)
    assert [(r["command"], r["path"], r["client"]) for r in ward.transfers] == [
        ("RRQ", "CONFIG.XML", "10.0.0.77"),
        ("WRQ", "image.bin", "10.0.0.77"),
    ]


def test_frames_of_the_air_are_counted_by_station_and_network():
    ward = Ward()
    ward.read.wifi(wire.beacon(), AT, 11)
    ward.read.wifi(wire.beacon(rsn=b""), at(packet=8), 11)
    ward.read.wifi(wire.beacon(b"other"), AT)
    ward.read.wifi(wire.PROBE, AT, 11)
    ward.read.wifi_count(
        40, "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "", 50, AT, at(packet=99), protected=True
    )
    beacon, other, probe, data = ward.wifi
    assert (beacon["ssid"], beacon["packets"], beacon["channel"]) == ("ward", 2, 6)
    assert (beacon["akm"], beacon["protected"]) == ([2, 8], True)
    assert other["ssid"] == "other"
    assert (probe["subtype"], probe["transmitter"], probe["channel"]) == (
        4,
        "00:1a:01:00:00:42",
        11,
    )
    assert (data["subtype"], data["packets"], data["last_packet"], data["protected"]) == (
        40,
        50,
        99,
        True,
    )


def test_a_flood_of_speakers_is_bounded_and_loses_none(monkeypatch):
    monkeypatch.setattr(datagrams, "MOST_SPEAKERS", 10)
    ward = Ward()
    for k in range(25):
        ward >> (kinds.KIND_CONTROL, wire.STP, at(src_mac=f"02:00:00:00:00:{k:02x}"))
        assert len(ward.read._speakers["control"]._rows) <= 10
    assert len(ward.control) == 25


def vrrp(*last, priority=100):
    body = b"".join(bytes([10, 0, ip >> 8, ip & 255]) for ip in last)
    return bytes([0x21, 7, priority, len(last), 0, 1, 0, 0]) + body


def hsrp(state):
    return bytes([0, 0, state, 3, 10, 110, 7, 0]) + bytes(8) + bytes([10, 0, 0, 254])


SUITE = wire.RSN.replace(b"\x08\0\0", b"\x01\0\0")
COUNTED = [
    *((kinds.KIND_CONTROL, wire.CONTROL[0], {"src_mac": mac}) for mac in "abc"),
    *((kinds.KIND_REDUNDANCY, hsrp(state), {"dst_port": 1985}) for state in (8, 16)),
    *(
        (kinds.KIND_REDUNDANCY, vrrp(*ips, priority=ips[-1] & 255), {"src_port": -1, "dst_port": -1})
        for ips in ((1, 2), (2, 2, 1), range(3, 30), range(20, 50), (60, *[1] * 31), (7,))
    ),
    *((kinds.KIND_WIFI, frame, {}) for frame in (*wire.WIFI, wire.beacon(rsn=SUITE))),
    (kinds.KIND_SNMP, wire.snmp(1, b"public"), {}),
    (kinds.KIND_SNMP, wire.snmp3(), {}),
    (kinds.KIND_CDP, wire.CDP, {}),
    (kinds.KIND_LLDP, wire.LLDP, {}),
    (None, None, {}),
]  # fmt: skip


def counting(said, start, stop):
    ward = Ward()
    for n in range(start, stop):
        (kind, payload, where), ts = said[n]
        here = at(packet=n + 1, ts=ts, **where)
        if kind is None:  # many frames of the air at once
            ward.read.wifi_count(40, "a", "b", "", 5, here, here, channel=ts % 3 - 1)
        else:
            ward >> (kind, payload, here)
    return ward


def told_of(ward):
    ward.read.finish()
    return {table: ward.kept.rows[table] for table in datagrams.KEYS}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("most", [2, 1 << 16])
@pytest.mark.parametrize("seed", range(8))
def test_two_that_count_come_to_the_same_wherever_they_are_parted(seed, most, packed, monkeypatch):
    """In the same order too; where not, one table had more speakers than fit."""
    monkeypatch.setattr(datagrams, "MOST_SPEAKERS", most)
    chance = random.Random(seed)
    said = [(chance.choice(COUNTED), chance.randrange(100)) for _ in range(40)]
    whole = told_of(counting(said, 0, 40))
    for cut in range(41):
        ward = counting(said, 0, cut)
        told = counting(said, cut, 40).read.speakers()
        if packed:
            told = msgspec.msgpack.decode(msgspec.msgpack.encode(told))
        if ward.read.can_absorb_speakers(told):
            assert max(len({tuple(r.get(n) for n in datagrams.KEYS[t]) for r in whole[t]})
                       for t in whole) >= most  # fmt: skip
            continue
        ward.read.absorb_speakers(told)
        assert told_of(ward) == whole, cut
    assert any(len(rows) > 2 for rows in whole.values())


def test_a_table_with_more_speakers_than_fit_is_not_absorbed(monkeypatch):
    monkeypatch.setattr(datagrams, "MOST_SPEAKERS", 2)
    said = [(COUNTED[n], 0) for n in (0, 1, 2)]
    ward, later = counting(said, 0, 2), counting(said, 2, 3)
    told = later.read.speakers()
    assert "control" in ward.read.can_absorb_speakers(told)
    assert "control" in Ward().read.can_absorb_speakers(counting(said, 0, 2).read.speakers())
    assert counting(said, 0, 1).read.can_absorb_speakers(told) == ""


def test_a_plain_neighbour_message_binds_what_the_parser_binds(monkeypatch):
    chance = random.Random(6)
    sent = []
    for _ in range(1200):
        kind, option = chance.choice([135, 136, 135, 136, 137]), chance.choice([1, 2, 2, 1, 3, 25])
        units = chance.choice([1, 1, 1, 1, 2, 0])
        target = chance.choice([bytes(16), chance.randbytes(16), bytes(10) + b"\xff\xff\x0a\0\0\5"])
        payload = bytes([kind, 0, 0, 0, 0, 0, 0, 0]) + target + bytes([option, units])
        payload += chance.randbytes(6) + bytes(chance.choice([0, 0, 0, 0, 8]))
        payload = payload[: len(payload) - chance.choice([0, 0, 0, 0, 1])]
        claimed = len(payload) + chance.choice([0, 0, 0, 8])
        sent.append((payload, at(src=chance.choice(["fe80::9", "::", "2001:db8::1"])), claimed))

    def told():
        ward = Ward()
        for payload, where, claimed in sent:
            ward.read.read(kinds.KIND_ICMP6, payload, where, claimed=claimed)
        return ward.bindings, ward.anomalies, ward.read.parser_calls

    plain = []
    step = Datagrams._plain_neighbor
    monkeypatch.setattr(
        Datagrams,
        "_plain_neighbor",
        lambda *given: plain.append(step(*given)) or plain[-1],
    )
    shortly = told()
    monkeypatch.setattr(Datagrams, "_plain_neighbor", lambda *_: False)
    assert shortly == told()
    assert 50 < sum(plain) < 300
