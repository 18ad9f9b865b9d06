"""wardwatch.advise.ssvc"""

import itertools
import re

import pytest
from tests.advise.small import finding, pump, verdict

from wardwatch.advise.environment import Standing
from wardwatch.advise.own import own_records
from wardwatch.advise.ssvc import (
    HUMAN_IMPACT,
    MISSION,
    SAFETY,
    Decision,
    Exploitation,
    HumanImpact,
    SystemExposure,
    automatable,
    by_radio,
    consequences,
    decide,
    exploitation,
    exposure,
    human_impact,
    seen_here,
)
from wardwatch.model.judgement import Certainty, State

# The published table, row by row: exploitation (none, poc, active) × exposure (small, controlled, open)
# × automatable (no, yes) × human impact (low, medium, high, very high), the last turning fastest.
TRUTH = """
defer defer scheduled scheduled  defer scheduled scheduled scheduled
defer scheduled scheduled scheduled  scheduled scheduled scheduled scheduled
defer scheduled scheduled scheduled  scheduled scheduled scheduled out-of-cycle
defer scheduled scheduled scheduled  scheduled scheduled scheduled scheduled
defer scheduled scheduled scheduled  scheduled scheduled scheduled out-of-cycle
scheduled scheduled scheduled out-of-cycle  scheduled scheduled out-of-cycle out-of-cycle
scheduled scheduled out-of-cycle out-of-cycle  scheduled out-of-cycle out-of-cycle out-of-cycle
scheduled scheduled out-of-cycle out-of-cycle  out-of-cycle out-of-cycle out-of-cycle out-of-cycle
scheduled out-of-cycle out-of-cycle immediate  out-of-cycle out-of-cycle immediate immediate
"""
ROWS = list(itertools.product(Exploitation, SystemExposure, (False, True), HumanImpact))


def test_the_table_is_total_and_equal_to_the_published_one():
    assert len(ROWS) == len(TRUTH.split()) == 72
    assert [decide(*row).word for row in ROWS] == TRUTH.split()


def test_more_of_anything_never_lowers_the_decision():
    for row in ROWS:
        for at, worse in itertools.product(range(4), (1,)):
            higher = list(row)
            higher[at] = True if at == 2 else min(row[at] + worse, max(type(row[at])))
            higher[at] = type(row[at])(higher[at])
            assert decide(*higher) >= decide(*row)


def test_human_impact_is_total_over_safety_and_mission():
    assert list(HUMAN_IMPACT) == list(SAFETY)
    truth = {
        "negligible": "low low medium very high", "marginal": "low low medium very high",
        "critical": "medium high high very high", "catastrophic": "very high very high very high very high",
    }  # fmt: skip
    for safety, words in truth.items():
        assert " ".join(impact.word for impact in HUMAN_IMPACT[safety]) == words
        assert len(HUMAN_IMPACT[safety]) == len(MISSION)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"certainty": Certainty.SUSPECT}, True),
        ({"label": "in a declared window, confirm with biomed"}, True),
        ({"certainty": Certainty.NOTICE}, False),
        ({"actor": ""}, False),
        ({"label": "an authorised scanner"}, False),
        ({"cves": ("CVE-2017-12718",)}, False),
    ],
)
def test_own_detections_count_as_exploitation(change, counts):
    seen = [finding(**change)]
    assert bool(seen_here(seen, "CVE-2017-12726")) is counts
    value = exploitation("CVE-2017-12726", pump(), seen).value
    assert value is (Exploitation.ACTIVE if counts else Exploitation.NONE)


@pytest.mark.parametrize("target", ["dev-1", "10.120.0.101", "00:1a:01:00:00:01"])
def test_an_attempt_on_this_device_is_told_from_one_on_another(target):
    assert (
        "against this device"
        in exploitation("CVE-2017-12726", pump(), [finding(targets=(target,))]).why
    )
    other = exploitation("CVE-2017-12726", pump(), [finding(targets=("dev-9",))])
    assert other.value is Exploitation.ACTIVE
    assert "on this network" in other.why


def test_the_catalogue_counts_where_nothing_was_seen():
    point = exploitation("CVE-2017-0144", pump(), [], "in CISA's KEV")
    assert (point.value, point.why) == (Exploitation.ACTIVE, "in CISA's KEV")
    assert exploitation("CVE-2017-0144", pump(), []).value is Exploitation.NONE


@pytest.mark.parametrize(
    ("verdicts", "value", "assumed"),
    [
        ([], SystemExposure.OPEN, True),
        ([verdict("segmentation_in_use", State.NOT_OBSERVABLE)], SystemExposure.OPEN, True),
        ([verdict("segmentation_enforced", State.ATTESTED)], SystemExposure.OPEN, True),
        ([verdict("segmentation_in_use")], SystemExposure.CONTROLLED, False),
        ([verdict("segmentation_enforced")], SystemExposure.SMALL, False),
        ([verdict("segmentation_enforced"), verdict("segmentation_in_use", State.BROKEN)], SystemExposure.OPEN, False),
        ([verdict("segmentation_in_use"), verdict("segmentation_enforced", State.BROKEN)], SystemExposure.OPEN, False),
    ],
)  # fmt: skip
def test_exposure_comes_from_verdicts_alone(verdicts, value, assumed):
    point = exposure(pump(), Standing(verdicts))
    assert (point.value, point.assumed) == (value, assumed)


def test_segmentation_does_not_stand_in_the_way_of_radio():
    point = exposure(pump(), Standing([verdict("segmentation_enforced")]), radio=True)
    assert point.value is SystemExposure.OPEN


@pytest.mark.parametrize(
    ("vector", "value", "assumed"),
    [
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", True, False),
        ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", False, False),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", False, False),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", False, False),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", False, False),
        ("", True, True),
    ],
)
def test_automatable_is_read_from_the_vector(vector, value, assumed):
    point = automatable(vector)
    assert (point.value, point.assumed) == (value, assumed)


@pytest.mark.parametrize(
    ("cve", "kind", "word", "assumed"),
    [
        ("CVE-2017-12718", "infusion pump", "high", False),
        ("CVE-2017-12722", "infusion pump", "low", False),
        ("CVE-2099-10000", "infusion pump", "very high", True),
        ("CVE-2099-10000", "ventilator", "very high", True),
        ("CVE-2099-10000", "imaging", "high", True),
        ("CVE-2099-10000", "workstation", "medium", True),
        ("CVE-2099-10000", "", "medium", True),
    ],
)
def test_what_is_not_known_at_the_bedside_is_the_worst_and_said_to_be_assumed(
    cve, kind, word, assumed
):
    point = human_impact(cve, pump(kind=kind), "ICSMA-17-250-02A")
    assert (point.value.word, point.assumed) == (word, assumed)


def test_a_weakness_of_a_part_means_nothing_known_in_another_advisory():
    said = human_impact("CVE-2019-11479", pump(kind="ventilator"), "ICSMA-20-170-06")
    elsewhere = human_impact("CVE-2019-11479", pump(kind="ventilator"), "ICSMA-99-001-01")
    assert not said.assumed
    assert (elsewhere.value.word, elsewhere.assumed) == ("very high", True)


SILENT = {
    # the stack's document speaks of no device
    *(f"CVE-2019-{n}" for n in range(12255, 12266)),
    # the compounder's: what a changed system means for a mixture
    "CVE-2020-12012", "CVE-2020-12016", "CVE-2020-12020", "CVE-2020-12024", "CVE-2020-12032", "CVE-2017-0143",
    # what the account in the cloud opens, and what app and cloud say to each other
    "CVE-2021-27491", "CVE-2021-27495", "CVE-2021-27499", "CVE-2021-27503",
    # parts that stand in many other products, with other consequences there
    "CVE-2018-1285", "CVE-2020-35340",
}  # fmt: skip
"""Weaknesses of our own records of which no text says what they mean at the bedside."""


def test_every_weakness_of_our_own_records_has_a_consequence_or_is_known_to_be_open():
    recorded = {flaw.cve for record in own_records() for flaw in record.flaws}
    assert set(consequences()) | SILENT == recorded
    assert not set(consequences()) & SILENT


def test_every_consequence_has_a_source_that_names_the_weakness():
    by_id = {record.id: {flaw.cve for flaw in record.flaws} for record in own_records()}
    for row in consequences().values():
        named = re.findall(r"ICSMA-\d\d-\d{3}-\d\d[A-Z]?", row.source)
        assert named
        assert all(row.cve in by_id[advisory] for advisory in named)
        assert row.why
        assert isinstance(row.impact, HumanImpact)


def test_the_insulin_pumps_radios_are_reached_by_radio():
    assert by_radio("CVE-2019-10964")
    assert by_radio("CVE-2020-27269")
    assert not by_radio("CVE-2020-27256")  # at the keypad
    assert not by_radio("CVE-2023-30561")


def test_the_words_are_those_of_ssvc():
    assert [d.word for d in Decision] == ["defer", "scheduled", "out-of-cycle", "immediate"]
