"""The ordinary day: what a clean ward says, and that it says enough for the minimums."""

from collections import Counter
from itertools import pairwise

import dpkt
from tests.twin.days import day

from wardwatch.model.values import HOUR_NS
from wardwatch.twin.cast import WARDS


def marks(*kinds):
    return [(f.ts, f.mark) for f in day(False).frames if f.mark.kind in kinds]


def test_the_day_is_longer_than_a_day():
    frames = day(False).frames
    for vlan in WARDS:
        times = [f.ts for f in frames if f.mark.vlan == vlan]
        assert max(times) - min(times) > 24 * HOUR_NS


def test_each_ward_has_discovers_enough_of_clients_enough():
    for vlan in WARDS:
        asked = [mark.who for _, mark in marks("dhcp discover") if mark.vlan == vlan]
        assert len(asked) >= 10
        assert len(set(asked)) >= 3


def test_no_pump_asks_for_an_address_or_falls_silent_for_an_hour():
    frames = day(False).frames
    for pump in day(False).ward.stations.values():
        if pump.kind == "infusion pump" and pump.vlan:
            mine = [f for f in frames if f.mark.who == pump.name and f.mark.vlan == pump.vlan]
            assert not [f for f in mine if f.mark.kind.startswith("dhcp")]
            assert max(b.ts - a.ts for a, b in pairwise(mine)) < HOUR_NS


def test_every_question_of_a_pump_has_its_answer():
    asked = Counter(m.who for _, m in marks("dns query"))
    answered = Counter(m.peer for _, m in marks("dns answer"))
    assert asked == answered
    assert asked["icu-1"] == 2 * 53


def test_the_router_is_heard_in_each_ward_at_least_every_ten_minutes():
    for vlan in WARDS:
        times = [ts for ts, mark in marks("ra") if mark.vlan == vlan]
        assert max(b - a for a, b in pairwise(times)) <= HOUR_NS // 6


def test_an_expired_certificate_is_refused_by_every_pump_that_speaks_tls_there():
    refused = {mark.who for _, mark in marks("tls client refuses")}
    assert refused == {"nicu-1", "nicu-2", "nicu-3"}


def test_the_relay_carries_requests_to_the_server_and_back():
    near = [f for f in day(False).frames if f.mark.kind == "dhcp ack" and f.mark.vlan in WARDS]
    far = [f for f in day(False).frames if f.mark.kind == "dhcp relayed ack"]
    assert len(far) == 2 * len(near)
    for frame in near:
        bootp = dpkt.ethernet.Ethernet(frame.data).data.data.data
        assert bootp[24:28] == day(False).ward.gateway(frame.mark.vlan).ip


def test_the_scanner_finds_every_port_closed():
    tried = Counter((m.peer, m.port) for _, m in marks("tcp syn") if m.who == "scanner")
    for port in (20, 21, 23, 2200):
        assert tried["nicu-2", port] == 3
        assert tried["nicu-3", port] == 1
    assert {(m.who, m.port) for _, m in marks("tcp refusal")} == {
        ("nicu-3", port) for port in (20, 21, 23, 2200)
    }
