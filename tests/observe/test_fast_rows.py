"""wardwatch.observe.fast_rows"""

import numpy as np
import pytest
from tests.datagram_rows import SEGMENTS, Kept, block_of, compare, listed, seen_of
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


def take(fast, what, seen, rows=None, names=SEGMENTS):
    """Hand ``rows`` of some packets on (all) ⇒ (packets,) 1 for those that are left."""
    block, columns = block_of(seen)
    rows = np.arange(len(seen), dtype=np.int64) if rows is None else np.array(rows, np.int64)
    segment, left = (np.arange(len(seen)) % 2).astype(np.int32), np.ones(len(seen), np.uint8)
    fast.take(block, columns, *listed(what, rows, rows.size), segment, names, left)
    return left


def test_what_a_kernel_leaves_stays_marked():
    seen = seen_of("dns", [QUERY, b"", QUERY, b"odd", QUERY])
    assert take(FastRows(Kept()), "dns", seen, [0, 1, 3, 4]).tolist() == [0, 1, 1, 1, 0]


def test_of_a_longer_list_only_as_many_rows_are_taken_as_were_told():
    block, columns = block_of(seen_of("dns", [QUERY] * 4))
    left, none = np.ones(4, np.uint8), np.zeros(4, np.int32)
    rows = np.array([0, 2, 3, 3], np.int64)
    FastRows(Kept()).take(block, columns, *listed("dns", rows, 2), none, SEGMENTS, left)
    assert left.tolist() == [0, 1, 0, 1]


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
    monkeypatch.setattr(fast_rows, "DHCP_HEAP_BYTES", 700)
    for what, payloads in (("dns", DNS * 20), ("dhcp", [OFFER, DISCOVER] * 20)):
        fast, slow, taken = compare(what, seen_of(what, payloads))
        assert fast == slow
        assert taken == len(payloads)


def test_segments_are_kept_by_name_when_the_callers_numbers_start_anew():
    kept = Kept()
    fast = FastRows(kept)
    for names in (["untagged", "vlan 7"], ["wlan", "untagged"]):
        take(fast, "arp", seen_of("arp", ARP), names=names)
    fast.finish()
    assert [row["segment"] for row in kept.rows["arp"]] == [
        "untagged",
        "vlan 7",
        "wlan",
        "untagged",
    ]


def test_rows_reach_the_tables_on_disk(tmp_path):
    spool = Spool(tmp_path)
    fast = FastRows(spool)
    for what, payload in (("dns", QUERY), ("dhcp", OFFER), ("arp", ARP_REPLY)):
        take(fast, what, seen_of(what, [payload] * 3))
    fast.finish()
    tables = spool.close()
    assert tables.ask("SELECT query, count(*) AS n FROM dns GROUP BY ALL") == [
        ("pump.ward.example", 3)
    ]
    assert tables.ask("SELECT DISTINCT msg_type, routers[2] AS r FROM dhcp") == [
        ("OFFER", "10.0.0.2")
    ]
    assert tables.ask("SELECT DISTINCT sender_ip FROM arp") == [("10.0.0.1",)]


@pytest.mark.parametrize("plain", [False, True])
def test_all_kinds_at_once_are_taken_as_one_after_the_other(monkeypatch, plain):
    if plain:
        kernel = fast_rows.rows_place.bulk_rows.py_func
        monkeypatch.setattr(fast_rows.rows_place, "bulk_rows", kernel)
    monkeypatch.setattr(fast_rows, "ROOM", 16)
    sent = {"dns": [QUERY, *DNS, QUERY] * 3, "dhcp": [OFFER, DISCOVER] * 20, "arp": [*ARP] * 15}
    seen = [one for what, payloads in sent.items() for one in seen_of(what, payloads)]
    order = np.random.default_rng(1).permutation(len(seen))
    of = np.repeat(list(sent), [len(payloads) for payloads in sent.values()])[order]
    block, columns = block_of([seen[i] for i in order])
    segment = np.zeros(len(seen), np.int32)
    lists = {what: listed(what, np.flatnonzero(of == what), (of == what).sum()) for what in sent}
    room = max(found.shape[1] for found, _ in lists.values())
    padded = [np.pad(found, ((0, 0), (0, room - found.shape[1]))) for found, _ in lists.values()]
    once = sum(padded), sum(counts for _, counts in lists.values())
    told = []
    for calls in ([once], lists.values()):
        kept, left = Kept(), np.ones(len(seen), np.uint8)
        fast = FastRows(kept, np.array([0x0003B1], np.uint32))
        for found, counts in calls:
            fast.take(block, columns, found, counts, segment, SEGMENTS, left)
        fast.finish()
        told.append((kept.rows, left.tolist()))
    assert told[0] == told[1]
    assert all(len(told[0][0][what]) > 16 for what in sent)


def test_nothing_to_take_leaves_all_as_it_was():
    left = take(FastRows(Kept(), np.array(PUMPS)), "arp", seen_of("arp", ARP), [])
    assert left.tolist() == [1, 1]
