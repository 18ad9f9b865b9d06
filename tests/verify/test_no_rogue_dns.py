"""No rogue DNS server: needs, minimums, traps."""

import pytest
from tests.verify.ward import DNS_IP, PUMP_IP, ROGUE, ROGUE_IP, Ward, sees

MEASURE = "no_rogue_dns"


def day(hours=25.0, listed=True, **counts) -> Ward:
    ward = Ward().hears(hours, **counts).pump(hours=hours)
    if listed:
        ward.server("dns", DNS_IP)
    return ward.ask().answer()


def test_a_paired_question_and_a_day_hold() -> None:
    verdict = day().verdict(MEASURE)
    assert sees(verdict) == ("holds", "")
    assert verdict.evidence


def test_an_unlisted_answer_breaks_even_where_nobody_asked_it() -> None:
    assert day().answer(ROGUE_IP, ROGUE, trans_id=99).state(MEASURE) == "broken"


@pytest.mark.parametrize(("hours", "state"), [(23.99, "not observable"), (24.0, "holds")])
def test_the_span(hours: float, state: str) -> None:
    assert day(hours).state(MEASURE) == state


def test_from_behind_a_router_nobody_sees_who_else_answers_it() -> None:
    ward = Ward().hears().device("00:1a:01:00:00:41", PUMP_IP).server("dns", DNS_IP)
    assert sees(ward.ask().answer().verdict(MEASURE)) == ("not observable", "VANTAGE")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"tcp_gaps": 10}, ("holds", "")),
        ({"tcp_gaps": 11}, ("not observable", "DAMAGED")),
        # what a snap length cut away counts as a gap, too
        ({"tcp_gaps": 40, "cut_packets": 5}, ("holds", "")),
    ],
)
def test_where_much_was_lost_the_rest_is_no_proof(counts, expected) -> None:
    assert sees(day(**counts).verdict(MEASURE)) == expected


def test_a_question_asked_again_and_answered_again_is_one_pair() -> None:
    ward = day().ask(at=100.01).ask(at=100.02).answer(at=100.2)
    assert ward.state(MEASURE, dns_pairs=2) == "not observable"
    assert ward.ask(at=200).answer(at=200.1).state(MEASURE, dns_pairs=2) == "holds"


@pytest.mark.parametrize(("pairs", "state"), [(1, "holds"), (2, "not observable")])
def test_the_pairs(pairs: int, state: str) -> None:
    assert day().state(MEASURE, dns_pairs=pairs) == state


@pytest.mark.parametrize(
    "harmless",
    [
        {"answers": ["10.9.9.9"], "trans_id": 8},  # round robin, split horizon
        {"answers": ["64:ff9b::a14:1e"], "trans_id": 8},  # DNS64
        {"kind": "mdns", "server": "10.120.0.99"},
        {"kind": "llmnr", "server": "10.120.0.99"},
    ],
)
def test_disagreement_and_multicast_names_do_not_break(harmless) -> None:
    assert day().answer(**harmless).state(MEASURE) == "holds"


def test_a_resolver_that_forwards_into_the_world_is_not_a_victim() -> None:
    ward = day().answer("8.8.8.8", ROGUE, to="00:50:56:30:00:06", ip=DNS_IP)
    assert ward.state(MEASURE) == "holds"
    assert ward.findings("rogue_dns") == []


def test_why_it_is_not_observable() -> None:
    silent = Ward().hears().pump().server("dns", DNS_IP)
    assert sees(silent.verdict(MEASURE)) == ("not observable", "NO_STIMULUS")
    assert sees(silent.ask().verdict(MEASURE)) == ("not observable", "VANTAGE")
    assert sees(day(listed=False).verdict(MEASURE)) == ("not observable", "NO_POLICY")
    assert sees(day().answer(whole=False).verdict(MEASURE)) == ("not observable", "DAMAGED")


def test_without_a_list_a_source_that_was_not_asked_is_suspect_only() -> None:
    ward = day(listed=False).ask(trans_id=9).answer(ROGUE_IP, ROGUE, trans_id=9)
    assert sees(ward.verdict(MEASURE)) == ("not observable", "NO_POLICY")
    (found,) = ward.findings("rogue_dns")
    assert found.certainty.value == "suspect"
    assert found.actor == f"{ROGUE} {ROGUE_IP}"


def test_the_device_is_found_by_its_address_behind_a_router() -> None:
    ward = day().answer(ROGUE_IP, ROGUE, to="00:00:0c:12:00:01", ip=PUMP_IP)
    assert ward.state(MEASURE) == "broken"
