"""Comms loss: trigger, silence, start-up, all three and in this order."""

import pytest
from tests.verify.ward import MDS_IP, PUMP, PUMP_IP, ROGUE, ROGUE_IP, ROUTER, Ward

TECHNIQUE = "comms_loss"


def struck(at=1000.0) -> Ward:
    ward = Ward().device(PUMP, PUMP_IP).present(PUMP, 0, at)
    return ward.ask(at=at - 1).answer(ROGUE_IP, ROGUE, at=at, overrun=True)


def up(ward: Ward, at: float) -> Ward:
    return ward.present(PUMP, at, at + 60).arp(PUMP, PUMP_IP, PUMP_IP, at=at)


def test_trigger_silence_and_start_up() -> None:
    (found,) = up(struck(), 1100).findings(TECHNIQUE)
    assert found.actor == f"{ROGUE} {ROGUE_IP}"
    assert found.cves == ("CVE-2017-12722",)
    assert found.targets == ("dev-001a01000041",)
    assert "silent for 100 s" in found.statement
    assert len(found.evidence) == 2


def test_of_two_devices_the_length_is_one_s() -> None:
    other, other_ip = "00:1a:01:00:00:42", "10.20.0.42"
    ward = up(struck(), 1100).device(other, other_ip).present(other, 0, 1000)
    ward.answer(ROGUE_IP, ROGUE, at=1000, overrun=True, dst=other_ip, dst_mac=other)
    ward.present(other, 1300, 1400).arp(other, other_ip, other_ip, at=1300)
    (found,) = ward.findings(TECHNIQUE)
    assert found.targets == ("dev-001a01000041", "dev-001a01000042")
    assert (
        "fell silent after such a message, then started up; one was silent for" in found.statement
    )


def test_the_dhcp_trigger_counts_too() -> None:
    ward = Ward().device(PUMP, PUMP_IP).present(PUMP, 0, 1000)
    ward.reply(ROGUE_IP, ROGUE, PUMP, at=1000, opt66_len=200)
    ward.discover(PUMP, at=1000.1, src_mac=ROUTER)  # the relay's copy is not the pump's word
    ward.present(PUMP, 1100, 1200).discover(PUMP, at=1100)
    (found,) = ward.findings(TECHNIQUE)
    assert "option 66" in found.statement


@pytest.mark.parametrize(("back", "number"), [(1004.9, 0), (1005, 1), (1600, 1), (1600.1, 0)])
def test_how_long_the_silence_is(back: float, number: int) -> None:
    assert len(up(struck(), back).findings(TECHNIQUE)) == number


def test_what_was_on_its_way_does_not_end_the_silence() -> None:
    ward = struck().arp(PUMP, PUMP_IP, at=1000.9)
    assert len(up(ward, 1100).findings(TECHNIQUE)) == 1
    ward = struck().arp(PUMP, PUMP_IP, at=1001.1)
    assert up(ward, 1100).findings(TECHNIQUE) == []


def test_silence_alone_is_roaming_and_a_start_up_alone_is_ordinary() -> None:
    assert struck().findings(TECHNIQUE) == []
    assert up(Ward().device(PUMP, PUMP_IP).present(PUMP, 0, 1000), 1100).findings(TECHNIQUE) == []
    before = Ward().device(PUMP, PUMP_IP).present(PUMP, 0, 900)
    assert up(before, 950).answer(ROGUE_IP, ROGUE, at=1000, overrun=True).findings(TECHNIQUE) == []


def test_one_arp_request_is_no_start_up_but_several_words_are() -> None:
    ward = struck().present(PUMP, 1100, 1200).arp(PUMP, PUMP_IP, at=1100)
    assert ward.findings(TECHNIQUE) == []
    ward.tcp(PUMP_IP, MDS_IP, 1588, at=1101, orig_mac=PUMP, resp_mac=ROUTER)
    assert len(ward.findings(TECHNIQUE)) == 1


def test_a_connection_that_lived_on_shows_there_was_no_restart() -> None:
    ward = up(struck(), 1100)
    ward.tcp(PUMP_IP, MDS_IP, 1588, at=500, orig_mac=PUMP, last_ts=ward.ts(2000))
    assert ward.findings(TECHNIQUE) == []
    ward = up(struck(), 1100)
    ward.tcp(PUMP_IP, MDS_IP, 1588, at=500, orig_mac=PUMP, last_ts=ward.ts(2000), history="ShADadR")
    assert len(ward.findings(TECHNIQUE)) == 1
