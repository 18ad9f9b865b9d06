"""The events: what is planted, that it is labelled, and that it stays within the safety rules."""

import dpkt
import pytest
from tests.twin.days import day

from wardwatch.twin import messages
from wardwatch.twin.attacks import PLAYS
from wardwatch.twin.scenario import load


def planted(event, *kinds, role="attack"):
    return [
        f
        for f in day(True).frames
        if (f.mark.event, f.mark.role) == (event, role) and (not kinds or f.mark.kind in kinds)
    ]


def udp(frame):
    return dpkt.ethernet.Ethernet(frame.data).data.data.data


@pytest.mark.parametrize("name", [event.id for event in load("demo_day").event])
def test_every_event_leaves_labelled_packets(name):
    (event,) = (event for event in day(True).plan.event if event.id == name)
    assert event.kind in PLAYS
    found = [f for f in day(True).frames if f.mark.event == event.id]
    assert found
    assert all(f.mark.role in ("attack", "consequence") for f in found)


def test_an_oversize_option_is_one_constant_byte_over_the_bound():
    frames = planted("option-66", "dhcp offer")
    assert len(frames) == 1
    option = dict(dpkt.dhcp.DHCP(udp(frames[0])).opts)[66]
    assert len(option) == 200
    assert set(option) == set(messages.FILLER)


def test_the_bad_answer_claims_more_records_than_it_has_room_for():
    (frame,) = planted("dns-counts", "dns answer")
    body = udp(frame)
    assert int.from_bytes(body[6:8], "big") * 11 > len(body)
    (question,) = [
        f for f in planted("dns-counts", "dns query", role="consequence") if f.mark.vlan == 120
        and udp(f)[:2] == body[:2]
    ]  # fmt: skip
    assert question.ts < frame.ts


@pytest.mark.parametrize("event", ["option-66", "dns-counts"])
def test_the_module_is_silent_for_its_boot_time_and_starts_up(event):
    trigger = max(f.ts for f in planted(event))
    target = next(e.target for e in day(True).plan.event if e.id == event)
    later = [
        f for f in day(True).frames
        if f.mark.who == target and f.ts > trigger + 10**9 and f.mark.vlan == 120
    ]  # fmt: skip
    assert 90e9 < later[0].ts - trigger < 120e9
    assert "arp announce" in [f.mark.kind for f in later[:4]]


def test_files_move_before_any_login():
    said = b"".join(
        bytes(dpkt.ethernet.Ethernet(f.data).data.data.data) for f in planted("ftp-files", "tcp data", "ftp command without login", "ftp done without login")
    )  # fmt: skip
    assert said.count(b"226 ") == 2
    assert b"USER" not in said
    assert b"230" not in said
    (config,) = {
        bytes(dpkt.ethernet.Ethernet(f.data).data.data.data)[:21]
        for f in planted("ftp-files", "configuration")[:1]
    }
    assert config == b'<?xml version="1.0"?>'


def test_one_rogue_loses_the_race_and_one_wins_it():
    offers = [f for f in day(True).frames if f.mark.kind == "dhcp offer" and f.mark.vlan == 120]
    by_exchange: dict = {}
    for frame in offers:
        by_exchange.setdefault(udp(frame)[4:8], []).append(frame.mark.who)
    races = [who for who in by_exchange.values() if len(who) > 1]
    assert any(who[0] == "dhcp" and who[1] == "home-router" for who in races)
    assert any(who[0] == "laptop" and who[1] == "dhcp" for who in races)
    assert [f.mark.who for f in planted("rogue-dhcp-wins", "dhcp ack")] == ["laptop"]


def test_the_router_speaks_on_while_it_is_impersonated_and_forged_away():
    for event in ("arp-claims", "rogue-ra"):
        last = max(f.ts for f in planted(event))
        spoke = [
            f.ts for f in day(True).frames if f.mark.who == "gateway-120" and f.mark.vlan == 120
        ]
        assert any(last < ts < last + 1800e9 for ts in spoke)


def test_two_pumps_take_one_secret_and_no_other_seed_knows_it():
    def passwords(seed):
        return {
            bytes(dpkt.ethernet.Ethernet(f.data).data.data.data).split()[-1]
            for f in day(True, seed).frames
            if f.mark.kind == "login"
        }

    assert len(passwords(7)) == len(passwords(8)) == 1
    assert passwords(7) != passwords(8)
