"""The plays: every technique, every breakable measure, and nothing that could harm."""

import dpkt
import pytest
from tests.twin.stands import PLAY, TAP, place, played

from wardwatch.model.judgement import MEASURES, TECHNIQUES
from wardwatch.twin import comms
from wardwatch.twin.plays import BREACHES, ONE_OF_EACH, PLAYS
from wardwatch.twin.switch import TAPS

ATTESTED = {"attested_backups", "attested_physical"}


def test_every_technique_is_played_in_the_order_of_the_list_and_in_several_variants():
    names = [play.technique for play in PLAYS]
    assert set(names) == {t.id for t in TECHNIQUES}
    assert all(names.count(name) >= 7 for name in set(names))
    assert {play.technique for play in ONE_OF_EACH} == set(names)
    assert len(PLAY) == len(PLAYS) + len(BREACHES)


def test_every_measure_that_packets_can_break_is_broken_by_a_play():
    broken = {show.question for play in (*PLAYS, *BREACHES) for show in play.shows if show.counts}
    assert {m.id for m in MEASURES} - broken == ATTESTED


@pytest.mark.parametrize("name", list(PLAY))
def test_a_play_is_observable_somewhere_unless_it_is_encrypted(name):
    found = played(name)
    own = [show for show in found.play.shows if show.question == found.play.technique]
    sights = {tap.name: found.sight(found.caught(tap)) for tap in TAPS}
    shown = [name for name, sight in sights.items() if any(show.need(sight) for show in own)]
    assert bool(shown) == (found.play.variant != "TLS 1.3")


def test_a_play_leaves_the_stand_as_it_was():
    before = [f[:3] for f in place().base]
    first = [f[:3] for f in played("dhcp_overflow/option 66, wins").frames]
    played("telnet/let in")
    played.cache_clear()
    assert [f[:3] for f in played("dhcp_overflow/option 66, wins").frames] == first
    assert [f[:3] for f in place().base] == before


def test_winning_and_losing_are_outcomes_of_the_race():
    for name, who in (("rogue_dhcp/wins", "laptop"), ("rogue_dhcp/loses", "dhcp")):
        acks = [f.mark.who for f in played(name).event if f.mark.kind == "dhcp ack"]
        assert set(acks) == {who}


def test_a_frame_with_two_tags_asks_nothing_and_gets_no_answer():
    for name in ("vlan_separation/two tags", "vlan_separation/two tags, to everybody"):
        frames = [dpkt.ethernet.Ethernet(f.data) for f in played(name).event]
        assert [[t.id for t in e.vlan_tags] for e in frames] == [[1, 120]] * 3
        assert {e.src for e in frames} == {place().ward.stations["native-laptop"].mac}
        for inside in (e.data for e in frames):
            if isinstance(inside, dpkt.ip.IP):
                assert set(bytes(inside.data.data)) == {0x41}
            else:
                assert (inside.op, inside.spa) == (dpkt.arp.ARP_OP_REQUEST, inside.tpa)


def test_oversize_options_hold_one_constant_byte():
    for frame in played("dhcp_overflow/option 66, wins").event:
        if frame.mark.kind == "dhcp offer" and frame.mark.role == "attack":
            packet = dpkt.ethernet.Ethernet(frame.data).data.data.data
            (value,) = [v for code, v in dpkt.dhcp.DHCP(packet).opts if code == 66]
            assert value == b"A" * 200


def test_a_fixed_version_does_not_do_what_the_vulnerable_one_does():
    fixed = comms.Module("1.6.1", external=True)
    answer, moved = comms.Ftp(fixed).receive(b"LIST")
    assert answer.startswith(b"530")
    assert moved is None


def test_fragments_come_together_again():
    whole, parts = played("dns_overread/counts"), played("dns_overread/IP fragments")

    def answer(found):
        frames = [
            dpkt.ethernet.Ethernet(f.data).data for f in found.event
            if f.mark.kind == "dns answer" and f.mark.role == "attack"
        ]  # fmt: skip
        assert len({p.id for p in frames}) == 1
        assert [bool(p.mf) for p in frames] == [True] * (len(frames) - 1) + [False]
        return b"".join(bytes(p.data) for p in frames)

    # behind UDP's header and the id, which is drawn for each variant
    assert answer(whole)[10:] == answer(parts)[10:]


def test_what_a_tap_catches_of_a_routed_attack_has_passed_the_router():
    found = played("telnet/through the router")
    near = [
        dpkt.ethernet.Ethernet(f.data)
        for f in found.reached(TAP["vlan"])
        if f.mark.role == "attack"
    ]
    assert {
        e.data.ttl for e in near if isinstance(e.data, dpkt.ip.IP) and e.dst == found.target.mac
    } == {63}
