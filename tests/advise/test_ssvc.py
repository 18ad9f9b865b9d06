"""wardwatch.advise.ssvc"""

import itertools

import pytest
from tests.advise.small import finding, pump, verdict

from wardwatch.advise import shelf
from wardwatch.advise.environment import Standing
from wardwatch.advise.ssvc import (
    HUMAN_IMPACT,
    MISSION,
    SAFETY,
    Decision,
    Exploitation,
    HumanImpact,
    SystemExposure,
    automatable,
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
    point = human_impact(cve, pump(kind=kind))
    assert (point.value.word, point.assumed) == (word, assumed)


def test_every_weakness_of_our_own_records_has_a_consequence_with_a_source():
    assert {
        f.cve for a in shelf() if a.family == "medfusion-4000" for f in a.vulnerabilities
    } <= set(consequences())
    for row in consequences().values():
        assert row.source
        assert row.why
        assert isinstance(row.impact, HumanImpact)


def test_the_words_are_those_of_ssvc():
    assert [d.word for d in Decision] == ["defer", "scheduled", "out-of-cycle", "immediate"]
