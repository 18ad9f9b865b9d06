"""Preflight: what a capture is good for, each minimum just below and just above."""

import pytest

from wardwatch.model.judgement import MEASURES
from wardwatch.model.values import NS
from wardwatch.observe import preflight as p
from wardwatch.observe.tables import Tables

DAY = p.DAY


def segment(**more):
    row = {
        "capture": 1, "segment": "vlan 120", "vlan": 120, "packets": 1000, "first_ts": 0,
        "last_ts": DAY, "broadcasts": 50, "broadcast_sources": 5, "multicasts": 9, "stations": 6,
        "tcp_both": 10, "tcp_one_way": 0, "unicast_pairs": 8, "tcp_gaps": 0,
    }  # fmt: skip
    return {**row, **more}


def dhcp(discovers=p.DISCOVERS, clients=p.CLIENTS, replies=1, giaddr=""):
    asked = [
        {
            "capture": 1,
            "segment": "vlan 120",
            "op": 1,
            "msg_type": "DISCOVER",
            "chaddr": f"c{n % clients}",
            "giaddr": giaddr,
        }
        for n in range(discovers)
    ]
    told = [
        {
            "capture": 1,
            "segment": "vlan 120",
            "op": 2,
            "msg_type": "OFFER",
            "giaddr": giaddr,
            "routers": ["10.0.0.1"],
        }
    ] * replies
    return asked + told


def judged(measure, **tables):
    tables.setdefault("segments", [segment()])
    tables.setdefault("captures", [{"capture": 1, "packets": 1000, "cut_packets": 0}])
    return next(r for r in p.preflight(Tables.of(**tables)) if r.measure == measure)


def test_every_measure_has_its_row_in_order():
    rows = p.preflight(Tables.of())
    assert [row.measure for row in rows] == [measure.id for measure in MEASURES]
    assert not any(row.good for row in rows)
    assert all(row.why and row.how for row in rows)


LEASE = [{"capture": 1, "segment": "vlan 120", "op": 2, "msg_type": "ACK", "lease_time": 3600}]
QUESTION = {"kind": "dns", "src": "a", "dst": "b", "src_port": 9, "dst_port": 53, "trans_id": 7}
REPLY = {
    "kind": "dns", "src": "b", "dst": "a", "src_port": 53, "dst_port": 9, "trans_id": 7,
    "is_response": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "good", "tables"),
    [
        ("static_address", True, {"dhcp": LEASE}),
        ("static_address", False, {"dhcp": LEASE, "segments": [segment(last_ts=1800 * NS - 1)]}),
        ("static_address", False, {"dhcp": LEASE, "segments": [segment(broadcast_sources=0)]}),
        ("static_address", False, {"dhcp": [{**LEASE[0], "lease_time": 0xFFFFFFFF}]}),
        ("static_address", False, {"dhcp": [{**LEASE[0], "renewal_time": DAY // NS + 1}]}),
        ("static_address", True, {"segments": [segment(last_ts=p.LONGEST_LEASE)]}),
        ("static_address", False, {"segments": [segment(last_ts=p.LONGEST_LEASE - 1)]}),
        ("no_rogue_dhcp", True, {"dhcp": dhcp()}),
        ("no_rogue_dhcp", False, {"dhcp": dhcp(discovers=p.DISCOVERS - 1)}),
        ("no_rogue_dhcp", False, {"dhcp": dhcp(clients=p.CLIENTS - 1)}),
        ("no_rogue_dhcp", False, {"dhcp": dhcp(replies=0)}),
        ("no_rogue_dhcp", False, {"dhcp": dhcp(giaddr="10.0.0.1")}),
        ("no_rogue_dhcp", False, {"dhcp": dhcp(), "segments": [segment(last_ts=DAY - 1)]}),
        ("no_rogue_dns", True, {"dns": [QUESTION, REPLY]}),
        ("no_rogue_dns", False, {"dns": [QUESTION]}),
        ("no_rogue_dns", False, {"dns": [QUESTION, {**REPLY, "trans_id": 8}]}),
        ("no_rogue_router", True, {"router_adverts": [{"kind": "ra"}]}),
        ("no_rogue_router", False, {"router_adverts": [{"kind": "redirect"}]}),
        ("no_rogue_router", True, {"router_adverts": [{"kind": "ra"}], "segments": [segment(last_ts=p.ROUTER_SPAN)]}),
        ("no_rogue_router", False, {"router_adverts": [{"kind": "ra"}], "segments": [segment(last_ts=p.ROUTER_SPAN - 1)]}),
        ("no_rogue_router", False, {"router_adverts": [{"kind": "ra"}], "segments": [segment(multicasts=0)]}),
        ("no_arp_impersonation", True, {}),
        ("no_arp_impersonation", False, {"segments": [segment(unicast_pairs=1)]}),
        ("no_arp_impersonation", False, {"segments": [segment(tcp_both=1, tcp_one_way=2)]}),
        ("segmentation_in_use", True, {"segments": [segment(last_ts=p.WEEK)]}),
        ("segmentation_in_use", False, {"segments": [segment(last_ts=p.WEEK - 1)]}),
        ("segmentation_enforced", True, {"unreachables": [{"code": 13}]}),
        ("segmentation_enforced", False, {"unreachables": [{"code": 3}]}),
        ("vlan_separation", True, {}),
        ("vlan_separation", False, {"segments": [segment(vlan=-1, segment="untagged")]}),
        ("password_hygiene", False, {"logins": [{"secret": "x"}]}),
        ("certificate_validation", True, {"certificates": [{"position": 0, "self_signed": True}]}),
        ("certificate_validation", False, {"certificates": [{"position": 0, "self_signed": True, "client_cert": True}]}),
        ("certificate_validation", False, {"certificates": [{"position": 0, "ts": 5, "not_before_ts": 1, "not_after_ts": 9}]}),
        ("certificate_validation", True, {"certificates": [{"position": 0, "ts": 5, "not_before_ts": 1, "not_after_ts": 4}]}),
        ("unneeded_services", True, {"conversations": [{"proto": "tcp", "resp_p": 23}]}),
        ("unneeded_services", False, {"conversations": [{"proto": "tcp", "resp_p": 3210}]}),
        ("attested_backups", False, {}),
    ],
)  # fmt: skip
def test_each_minimum_just_below_and_just_above(measure, good, tables):
    row = judged(measure, **tables)
    assert row.good is good, row
    assert bool(row.how) is not good


def test_cut_packets_spoil_what_needs_whole_ones():
    cut = [{"capture": 1, "packets": 1000, "cut_packets": 101}]
    row = judged("no_rogue_dhcp", dhcp=dhcp(), captures=cut)
    assert not row.good
    assert "snap length" in row.why
    assert "-s 0" in row.how


def test_spans_are_told_as_people_say_them():
    row = judged("no_rogue_dns", segments=[segment(last_ts=3600 * NS)], dns=[QUESTION, REPLY])
    assert "60 min covered" in row.why
    assert "at least 24 h" in row.how


@pytest.mark.parametrize(("gaps", "cut", "good"), [(10, 0, True), (11, 0, False), (11, 1, True)])
def test_where_much_was_lost_nothing_holds(gaps: int, cut: int, good: bool) -> None:
    from wardwatch.verify import Minimums

    assert Minimums().lost_share == p.LOST_SHARE
    row = judged(
        "no_rogue_dns",
        dns=[QUESTION, REPLY],
        segments=[segment(last_ts=DAY, tcp_both=40, tcp_one_way=0, tcp_gaps=gaps)],
        captures=[{"capture": 1, "packets": 1000, "cut_packets": cut}],
    )
    assert row.good is good
    assert ("lost on the way (11 of 40" in row.why) is not good
    assert ("larger buffer" in row.how) is not good
