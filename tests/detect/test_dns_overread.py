"""DNS answers that cannot fit: what counts, what does not, how sure."""

import pytest
from tests.verify.ward import DESK, DESK_IP, ROGUE, ROGUE_IP, Ward

TECHNIQUE = "dns_overread"
BAD = ["impossible_counts", "overrun", "pointer_loop"]


@pytest.mark.parametrize("fault", BAD)
def test_each_fault_in_an_answer_to_a_question_of_the_pump(fault: str) -> None:
    ward = Ward().pump().ask().answer(mac=ROGUE, **{fault: True})
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "confirmed"
    assert found.cves == ("CVE-2017-12722",)
    assert found.actor.startswith(ROGUE)


@pytest.mark.parametrize("more", [{"trans_id": 8}, {"dst_port": 1025}, {"at": 161.0}, {"at": 99.0}])
def test_without_a_matching_question_it_is_less_sure(more) -> None:
    ward = Ward().pump().ask().answer(ROGUE_IP, ROGUE, overrun=True, **more)
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "suspect"


@pytest.mark.parametrize(
    "harmless",
    [
        {"whole": False, "overrun": True},
        {"TC": True, "impossible_counts": True},
        {"kind": "mdns", "overrun": True},
        {"is_response": False, "overrun": True},
        {"ancount": 25},
    ],
)
def test_cut_truncated_and_fitting_answers_are_none(harmless) -> None:
    assert Ward().pump().ask().answer(**harmless).findings(TECHNIQUE) == []


def test_for_another_target_it_is_a_notice() -> None:
    ward = Ward().pump().answer(ROGUE_IP, ROGUE, DESK, DESK_IP, overrun=True)
    (found,) = ward.findings(TECHNIQUE)
    assert found.certainty.value == "notice"
    assert not found.known_device
