"""wardwatch.observe.fast_rows"""

import numpy as np
import pytest
from tests.datagram_rows import SEGMENTS, Kept, block_of, compare, seen_of
from tests.wire_messages import ARP, ARP_REPLY, DISCOVER, DNS, OFFER, QUERY, dhcp, option

from wardwatch.observe import fast_rows
from wardwatch.observe.fast_rows import FastRows
from wardwatch.observe.tables import Spool

PUMPS = [0x001A01]
END = b"\xff"


@pytest.mark.parametrize(("what", "payload"), [("dns", QUERY), ("dhcp", OFFER), ("arp", ARP_REPLY)])
def test_rows_cite_their_packets_as_the_parsers_rows_do(what, payload):
    fast, slow, taken = compare(what, seen_of(what, [payload] * 30))
    assert fast == slow
    assert taken == 30
    assert {row["segment"] for row in fast} == {"untagged", "vlan 7"}
    assert [row["packet"] for row in fast] == list(range(11, 41))


def test_what_a_kernel_leaves_is_given_back_by_its_index():
    block, columns = block_of(seen_of("dns", [QUERY, b"", QUERY, b"odd", QUERY]))
    fast = FastRows(Kept())
    rows = np.array([0, 1, 3, 4], np.int64)
    left = fast.dns(block, columns, rows, np.zeros(4, np.int64), SEGMENTS)
    assert left.tolist() == [1, 2]  # indices into rows, not packets


def test_devices_are_left_to_the_parsers():
    seen = seen_of("dns", [QUERY] * 8)
    pump = [i for i, s in enumerate(seen) if s.src_mac]
    for i in pump[:2]:
        seen[i] = type(seen[i])(**{**vars(seen[i]), "src_mac": bytes.fromhex("001a01000007")})
    seen[pump[2]] = type(seen[0])(
        **{**vars(seen[pump[2]]), "dst_mac": bytes.fromhex("001a01000007")}
    )
    assert compare("dns", seen)[2] == 8
    assert compare("dns", seen, PUMPS)[2] == 5


def test_a_device_is_known_by_what_dhcp_and_arp_say_of_it_too():
    # chaddr, and ar$sha and ar$tha, of the fixtures bear the pump's prefix; the frames do not
    others = [dhcp(option(53, b"\1") + END, chaddr=bytes(6))]
    assert compare("dhcp", seen_of("dhcp", [DISCOVER, *others, OFFER]), PUMPS)[2] == 1
    assert compare("arp", seen_of("arp", ARP), PUMPS)[2] == 0
    assert compare("arp", seen_of("arp", ARP), [0x0003B1])[2] == 2


@pytest.mark.parametrize(("what", "payload"), [("dns", QUERY), ("dhcp", OFFER), ("arp", ARP_REPLY)])
def test_full_buffers_are_written_and_filled_anew(monkeypatch, what, payload):
    monkeypatch.setattr(fast_rows, "ROOM", 64)
    fast, slow, taken = compare(what, seen_of(what, [payload] * 200))
    assert taken == 200
    assert fast == slow


def test_full_heaps_are_written_and_filled_anew(monkeypatch):
    monkeypatch.setattr(fast_rows, "DNS_TEXT_BYTES", 7000)
    monkeypatch.setattr(fast_rows, "DNS_QUERY_BYTES", 600)
    monkeypatch.setattr(fast_rows, "DHCP_HEAP_BYTES", 3300)
    for what, payloads in (("dns", DNS * 20), ("dhcp", [OFFER, DISCOVER] * 20)):
        fast, slow, taken = compare(what, seen_of(what, payloads))
        assert fast == slow
        assert taken == len(payloads)


def test_segments_are_kept_by_name_when_the_callers_numbers_start_anew():
    kept = Kept()
    fast = FastRows(kept)
    for names in (["untagged", "vlan 7"], ["wlan", "untagged"]):
        block, columns = block_of(seen_of("arp", ARP))
        rows = np.arange(2, dtype=np.int64)
        fast.arp(block, columns, rows, rows, names)
    fast.finish()
    assert [row["segment"] for row in kept.rows["arp"]] == [
        "untagged",
        "vlan 7",
        "wlan",
        "untagged",
    ]


def test_the_callers_conversations_go_before_those_of_the_columns():
    kept = Kept()
    fast = FastRows(kept)
    block, columns = block_of(seen_of("dns", [QUERY, QUERY]))
    rows = np.arange(2, dtype=np.int64)
    fast.dns(block, columns, rows, rows, SEGMENTS, np.array([7_000, 8_000]))
    fast.finish()
    assert [row["conversation"] for row in kept.rows["dns"]] == [7_000, 8_000]


def test_rows_reach_the_tables_on_disk(tmp_path):
    spool = Spool(tmp_path)
    fast = FastRows(spool)
    for what, payload in (("dns", QUERY), ("dhcp", OFFER), ("arp", ARP_REPLY)):
        block, columns = block_of(seen_of(what, [payload] * 3))
        rows = np.arange(3, dtype=np.int64)
        getattr(fast, what)(block, columns, rows, rows % 2, SEGMENTS)
    fast.finish()
    tables = spool.close()
    assert tables.ask("SELECT query, count(*) AS n FROM dns GROUP BY ALL") == [
        ("pump.ward.example", 3)
    ]
    assert tables.ask("SELECT DISTINCT msg_type, routers[2] AS r FROM dhcp") == [
        ("OFFER", "10.0.0.2")
    ]
    assert tables.ask("SELECT DISTINCT sender_ip FROM arp") == [("10.0.0.1",)]


def test_nothing_to_take_is_nothing_left():
    block, columns = block_of(seen_of("arp", ARP))
    none = np.zeros(0, np.int64)
    assert FastRows(Kept(), np.array(PUMPS)).arp(block, columns, none, none, SEGMENTS).size == 0
