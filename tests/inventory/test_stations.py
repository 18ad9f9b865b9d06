import ipaddress
import random
from functools import lru_cache

import pytest
from tests.inventory.seen import NOBODY, PLAIN, PUMP, Evidence

from wardwatch.inventory import stations as module
from wardwatch.inventory.stations import (
    ROUTED_ADDRESSES,
    address_order,
    code,
    dhcp_replies,
    evidence,
    in_order,
    is_host,
    is_station,
    seen_otherwise,
    stations,
    stations_heard,
)
from wardwatch.model.evidence import Evidence as Packet
from wardwatch.observe.tables import Tables

IP = "10.1.2.3"


def sent_for(count, net="10.1.2"):
    """A station that sent packets of so many addresses, none of them claimed by ARP."""
    seen = Evidence().station(PLAIN)
    for host in range(1, count + 1):
        seen.binding(PLAIN, f"{net}.{host}", source="ip")
    return stations(seen.tables)


def test_many_addresses_make_a_router_just_above_the_bound():
    assert PLAIN not in sent_for(ROUTED_ADDRESSES).routing
    assert sent_for(ROUTED_ADDRESSES + 1).routing == {PLAIN: True}


def test_addresses_of_three_networks_make_a_router():
    def networks(count):
        seen = Evidence().station(PLAIN)
        for net in range(count):
            seen.binding(PLAIN, f"10.{net}.0.9", source="ip")
        return stations(seen.tables).routing

    assert networks(2) == {}
    assert networks(3) == {PLAIN: True}


def test_an_internet_address_beside_another_makes_a_router():
    seen = Evidence().station(PLAIN).binding(PLAIN, "8.8.8.8", source="ip")
    assert stations(seen.tables).routing == {}
    seen.binding(PLAIN, "10.1.2.1", source="ip")
    assert stations(seen.tables).routing == {PLAIN: True}


NETS = ("10.1.2.", "10.1.3.", "10.2.2.", "169.254.1.", "8.8.8.", "172.31.0.", "100.64.9.")
PREFIXES = ("fe80::", "2001:db8:1::", "2002:db8:1::", "2003:db8:1:4::", "FE80::", "fd00:1:", "::")


def senders(seed):
    """A few stations, some of them routers by name, that bound or used addresses at random."""
    chance = random.Random(seed)
    seen = Evidence()
    for mac in (PLAIN, NOBODY, PUMP, "00:00:5e:00:01:07", "00:07:b4:00:01:02"):
        seen.station(mac)
        four, six = chance.choice(((0, 4), (2, 0), (7, 0), (1, 1), (7, 7)))
        for _ in range(chance.choice((0, 1, 2, 2, 3, 4, 12))):
            net = chance.choice(NETS[:four] + PREFIXES[:six])
            source = chance.choice(("ip", "ip", "arp"))
            seen.binding(mac, f"{net}{chance.randint(1, 4)}", source=source)
    return seen, frozenset(chance.sample((PLAIN, NOBODY, PUMP), chance.randint(0, 2)))


class Remembering(Tables):
    """Tables that say again what they said: most ways to count begin with the same questions."""

    def ask(self, sql, parameters=(), *, of=()):
        if sql.startswith("CREATE"):
            return super().ask(sql, parameters, of=of)
        said = self.__dict__.setdefault("said", {})
        key = sql, repr(parameters)
        if key not in said:
            said[key] = super().ask(sql, parameters, of=of)
        return list(said[key])


@lru_cache(maxsize=2)
def a_ward(seed):
    """Senders of more segments, with servers and conversations: the same for all ways to count."""
    chance = random.Random(seed)
    seen, _ = senders(seed)
    macs = [row["mac"] for row in seen.rows["presence"]]
    for mac in chance.choices(macs, k=3):
        seen.station(mac, segment=f"vlan {chance.randint(7, 9)}", first=chance.randint(1, 99))
    for other in range(3):
        seen.binding(f"00:1b:21:00:00:{other:02x}", "10.1.2.1", source="ip", first=30 - other)
    for _ in range(chance.randint(0, 3)):
        op = chance.choice((1, 2))
        giaddr = chance.choice(("", "0.0.0.0", "10.1.2.1"))
        seen.dhcp_server(PLAIN, "10.1.2.2", op=op, giaddr=giaddr, routers=[f"10.1.2.{op + 1}"])
    for host in range(chance.randint(0, 2)):
        seen.conversation(chance.choice(("", PUMP)), f"10.7.0.{host}", "", "10.8.0.1", 80)
    return Remembering.of(**seen.rows)


def in_full(found):
    """All that stations are, and in which order; who routes is only looked up."""
    listed = (found.by_key, found.owner, found.contested, found.bindings)
    return [list(one.items()) for one in listed], found.routing, found.left_out


@pytest.mark.parametrize("seed", range(60))
def test_who_routes_is_told_alike_of_few_addresses_and_of_many(seed, monkeypatch):
    seen, claimed = senders(seed)
    tables = seen.tables
    few = module._routing(tables, module._used(tables), claimed)
    monkeypatch.setattr(module, "FEW", -1)
    assert module._routing(tables, module._used(tables), claimed) == few


@pytest.mark.parametrize("most", [1, 2, 3, 20])
@pytest.mark.parametrize("seed", range(15))
def test_stations_are_the_same_however_their_evidence_is_counted(seed, most, monkeypatch):
    tables = a_ward(seed)
    monkeypatch.setattr(module, "MAX_STATIONS", most)
    monkeypatch.setattr(module, "MAX_ADDRESSES", 3)
    expected = in_full(stations(tables))
    bounds = {"FEW": -1, "FEW_REPLIES": -1, "SPOKEN_ROWS": -1}
    for bound, nothing in bounds.items():
        with monkeypatch.context() as one:
            one.setattr(module, bound, nothing)
            assert in_full(stations(tables)) == expected, bound
    for bound, nothing in bounds.items():
        monkeypatch.setattr(module, bound, nothing)
    assert in_full(stations(tables)) == expected


def test_who_spoke_is_the_same_where_all_are_kept_and_where_some_may_be_left_out(monkeypatch):
    seen = Evidence().station(NOBODY).station(PUMP, segment="vlan 9").station(PLAIN, first=7)
    seen.station(PUMP, segment="vlan 8", first=20, last=2000).station(PUMP, first=5, last=6)
    seen.station("02:00:00:00:00:07").rows["presence"][1]["capture"] = 2
    kept, _ = module._present(seen.tables, frozenset({"02:00:00:00:00:07"}))
    monkeypatch.setattr(module, "is_crowded", lambda tables: True)
    told = module._present(seen.tables, frozenset({"02:00:00:00:00:07"}))
    assert (list(kept.items()), 0) == (list(told[0].items()), told[1])
    assert (list(kept), kept[PUMP].packets) == ([PUMP, PLAIN, NOBODY], 12)


@pytest.mark.parametrize("rows", [-1, 10])
def test_whoever_sent_is_known_by_its_conversations_and_nobody_who_was_only_named(
    rows, monkeypatch
):
    monkeypatch.setattr(module, "SPOKEN_ROWS", rows)
    seen = Evidence().conversation(PLAIN, "10.9.0.1", PLAIN, "10.9.0.2", 80)
    seen.conversation(PLAIN, "10.9.0.3", PLAIN, "10.9.0.1", 80, resp_pkts=0)
    for row in seen.rows["conversations"]:
        row.update(orig_pkts=3, first_ts=row["first_packet"], last_ts=70)
    seen.rows["conversations"][0]["resp_pkts"] = 5
    keys = ["ip:10.9.0.2", "ip:10.9.0.1", "ip:10.9.0.7"]
    two, one = seen_otherwise(seen.tables, keys)
    assert (two.key, two.packets, two.ips) == ("ip:10.9.0.2", 5, ("10.9.0.2",))
    assert (one.key, one.packets, one.last_ts) == ("ip:10.9.0.1", 3, 70)
    tables = seen.tables
    stations(tables)
    assert bool(tables._settled.keys() & {module._by_address()}) is (rows > 0)


def test_an_address_of_no_prefix_counts_as_one_however_it_is_counted(monkeypatch):
    seen = Evidence().station(PLAIN)
    for number, prefix in enumerate(["2000::", *(f"20{n:02}:db8:1::" for n in range(50))]):
        if number < module.ROUTED_NETWORKS:
            seen.binding(PLAIN, f"{prefix}1", source="ip")
    assert stations(seen.tables).routing == {PLAIN: True}
    monkeypatch.setattr(module, "FEW", -1)
    assert stations(seen.tables).routing == {PLAIN: True}


def test_one_foreign_address_beside_its_own_is_only_a_hint():
    seen = Evidence().station(PLAIN, "10.1.2.1").binding(PLAIN, "10.9.0.9", source="ip")
    assert stations(seen.tables).routing == {PLAIN: False}


def test_a_station_that_changed_its_address_does_not_route():
    seen = Evidence().station(PLAIN, "10.1.2.1").binding(PLAIN, "10.1.2.99", source="ip")
    assert stations(seen.tables).routing == {}


def test_many_claimed_addresses_do_not_make_a_router():
    seen = Evidence().station(PLAIN)
    for host in range(1, 30):
        seen.binding(PLAIN, f"10.{host}.0.1", source="arp")
    assert stations(seen.tables).routing == {}


@pytest.mark.parametrize(
    "claim",
    [
        ("router_adverts", {"kind": "ra", "lifetime_s": 1800, "src_mac": PLAIN}),
        ("redundancy", {"protocol": "vrrp2", "src_mac": PLAIN}),
        ("dhcp", {"op": 2, "msg_type": "ACK", "routers": ["10.1.2.1"]}),
    ],
)
def test_a_claim_to_be_router_makes_one_foreign_address_enough(claim):
    table, row = claim
    seen = Evidence().station(PLAIN, "10.1.2.1").binding(PLAIN, "10.9.0.9", source="ip")
    assert stations(seen.add(table, **row).tables).routing == {PLAIN: True}


def test_facts_go_to_the_frames_sender_where_it_speaks_for_itself():
    found = stations(Evidence().station(PUMP, IP).tables)
    assert found.holder(PUMP, IP) == PUMP
    assert found.holder("", IP) == PUMP
    assert found.holder("", "10.1.2.77") == "ip:10.1.2.77"
    assert found.holder("", "") == ""
    assert found.holder("", "224.0.0.1") == ""


def test_facts_behind_a_router_go_to_the_addresss_own_holder():
    seen = Evidence().station(PUMP, "10.50.0.3", source="ip").station(PLAIN)
    for host in range(1, 12):
        seen.binding(PLAIN, f"10.50.0.{host}", source="ip")
    found = stations(seen.tables)
    assert found.holder(PLAIN, "10.50.0.3") == PUMP
    assert found.holder(PLAIN, "10.50.0.4") == "ip:10.50.0.4"
    assert found.by_key[PLAIN].ips == ()


def test_a_claim_while_the_holder_still_speaks_is_contested_and_a_later_one_is_not():
    def claimed(first):
        seen = Evidence().station(PUMP, IP, first=10, last=1000).station(PLAIN)
        return stations(seen.binding(PLAIN, IP, first=first, last=first + 50).tables)

    assert claimed(1000).contested == {(PLAIN, IP): PUMP}
    assert claimed(1001).contested == {}
    assert claimed(1001).holder(PLAIN, IP) == PLAIN


@pytest.mark.parametrize(
    "mac", ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "00:1a"]
)
def test_what_is_no_station(mac):
    assert not is_station(mac)
    assert stations(Evidence().station(mac).tables).by_key == {}


def test_addresses_of_one_station_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_ADDRESSES", 4)
    seen = Evidence().station(PLAIN)
    for host in range(1, 20):
        seen.binding(PLAIN, f"10.1.2.{host}")
    assert len(stations(seen.tables).by_key[PLAIN].ips) == 4


def test_bounds_leave_out_the_quietest_and_count_them(monkeypatch):
    monkeypatch.setattr(module, "MAX_STATIONS", 1)
    seen = Evidence().station(NOBODY).station(PLAIN)
    seen.rows["presence"][0]["packets"] = 1
    found = stations(seen.tables)
    assert (list(found.by_key), found.left_out) == ([PLAIN], 1)


def test_nobody_is_left_out_where_there_are_more_spells_than_stations(monkeypatch):
    monkeypatch.setattr(module, "MAX_STATIONS", 2)
    seen = Evidence().station(NOBODY).station(PLAIN, segment="vlan 7").station(PLAIN, first=2000)
    found = stations(seen.tables)
    assert (set(found.by_key), found.left_out) == ({NOBODY, PLAIN}, 0)
    assert found.by_key[PLAIN].segments == ("vlan 120", "vlan 7")


def test_a_quiet_station_of_a_known_maker_stays_in_a_flood(monkeypatch):
    monkeypatch.setattr(module, "MAX_STATIONS", 1)
    seen = Evidence().station(PUMP, "10.1.2.3").station(PLAIN).station(NOBODY, "10.1.2.3")
    seen.rows["presence"][0]["packets"] = 1
    found = stations(seen.tables)
    assert (list(found.by_key), found.left_out) == ([PUMP], 2)
    # Who else used its address is still known.
    assert found.owner == {"10.1.2.3": PUMP}
    assert set(found.bindings) == {PUMP, NOBODY}


@pytest.mark.parametrize("few", [module.FEW, -1])
def test_of_others_at_an_address_the_claim_is_kept_before_the_earlier_sender(few, monkeypatch):
    monkeypatch.setattr(module, "MAX_STATIONS", 1)
    monkeypatch.setattr(module, "MAX_ADDRESSES", 2)
    monkeypatch.setattr(module, "FEW", few)
    seen = Evidence().station(PUMP).station(PLAIN).station(NOBODY)
    seen.binding(PUMP, IP, first=500)
    seen.binding(NOBODY, IP, source="ip", first=100)  # of a packet that was forwarded, perhaps
    seen.binding(PLAIN, IP, first=700)
    seen.rows["presence"][0]["packets"] = 9_999
    assert set(stations(seen.tables).bindings) == {PUMP, PLAIN}


def test_of_those_only_named_the_busiest_stay_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(module, "MAX_STATIONS", 1)
    seen = Evidence()
    seen.binding(PUMP, IP).binding(PLAIN, "10.1.2.4")
    for row in seen.rows["bindings"]:
        row["packets"] = 7 if row["mac"] == PLAIN else 3
    assert PUMP < PLAIN, "by its name alone the other would come first"
    found = stations(seen.tables)
    assert (list(found.by_key), found.left_out) == ([PLAIN], 1)


def test_a_packets_number_goes_there_and_back():
    assert evidence(code(7, 2**40 - 1)) == Packet(7, 2**40 - 1)
    assert evidence(code(1, 1)) == Packet(1, 1)


def test_captures_are_told_apart_and_spans_joined():
    seen = Evidence().station(NOBODY, first=100, last=200).station(NOBODY, first=10, last=20)
    seen.rows["presence"][1]["capture"] = 2
    station = stations(seen.tables).by_key[NOBODY]
    assert (station.first_ts, station.last_ts, station.packets) == (10, 200, 8)
    assert evidence(station.first_packet).capture == 1


def plainly_a_host(ip):
    """The same by the standard library alone."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    odd = address.is_multicast or address.is_unspecified or address.is_loopback
    return not odd and ip != "255.255.255.255"


ADDRESSES = [
    *(f"{n}.{n}.0.{n}" for n in (0, 1, 9, 10, 99, 100, 126, 127, 128, 199, 200, 223, 224, 239, 240)),
    "255.255.255.255", "255.255.255.254", "0.0.0.0", "256.1.1.1", "1.1.1.256", "01.1.1.1", "1.1.1",
    "1.1.1.1.1", "1.1.1.1\n", " 1.1.1.1", "١.1.1.1", "", "pump", "fe80::1", "fe80::1%eth0",
    "ff02::1", "ff::1", "ff0::1", "::", "::1", "0::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "2001:db8::", "2001:db8:0:1:2:3:4:5", "2001:db8:0:1:2:3:4:5:6", "2001:db8:0:1:2:3:4",
    "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8::", "1::2:3:4:5:6:7", "1::2:3:4:5:6:7:8", "1:2:3:4::5:6:7",
    "1:2:3:4::5:6:7:8", "1::2::3", "12345::1", "1:::2", "2001:DB8::1", "fe80::1:", "g::1", "1:2",
]  # fmt: skip


@pytest.mark.parametrize("ip", ADDRESSES)
def test_hosts_are_who_the_standard_library_says(ip):
    assert is_host(ip) is plainly_a_host(ip)


def test_addresses_of_a_host_are_put_in_order_by_number():
    hosts = [ip for ip in ADDRESSES if is_host(ip)]
    assert {":" in ip for ip in hosts} == {True, False}
    assert [*map(address_order, in_order(reversed(hosts)))] == sorted(map(address_order, hosts))


@pytest.mark.parametrize("most", [0, 10])
def test_spells_are_gathered_by_segment_and_mac(monkeypatch, most):
    monkeypatch.setattr(module, "HEARD_ROWS", most)
    spell = {"capture": 1, "mac": PUMP, "segment": "vlan 30", "packets": 5, "received": 2}
    tables = Tables.of(
        presence=[
            # the clock went back: the first packet is not the earliest
            {**spell, "first_ts": 70, "last_ts": 80, "first_packet": 3},
            {**spell, "first_ts": 10, "last_ts": 20, "first_packet": 9},
            {**spell, "first_ts": 10, "last_ts": 20, "first_packet": 9, "segment": "vlan 31"},
        ]
    )
    first, second = tables.ask(f"FROM {stations_heard(tables)} ORDER BY segment")
    assert first[:7] == ("vlan 30", PUMP, 10, 80, 10, 4, code(1, 3))
    assert tuple(first.first) == (10, code(1, 9))
    assert (second.segment, second.packets) == ("vlan 31", 5)
    assert ("SELECT" in stations_heard(tables)) is (most == 0)


@pytest.mark.parametrize("most", [0, 10])
def test_replies_that_are_alike_are_counted_together(monkeypatch, most):
    monkeypatch.setattr(module, "HEARD_ROWS", most)
    offer = {"capture": 1, "op": 2, "msg_type": "OFFER", "src": "10.0.0.1", "routers": ["10.0.0.9"]}
    asked = {"capture": 1, "op": 1, "msg_type": "DISCOVER", "packet": 1}
    tables = Tables.of(
        dhcp=[
            *({**offer, "packet": packet, "chaddr": PUMP} for packet in (8, 3, 5)),
            asked,
            {**asked, "packet": 2, "giaddr": "10.0.0.7"},
        ]
    )
    relayed, offers = tables.ask(f"FROM {dhcp_replies(tables)} ORDER BY op")
    assert (relayed.giaddr, relayed.times, relayed.codes) == ("10.0.0.7", 1, [code(1, 2)])
    assert (offers.times, offers.codes) == (3, [code(1, packet) for packet in (3, 5, 8)])
    assert ("SELECT" in dhcp_replies(tables)) is (most == 0)
