"""wardwatch.advise.priority"""

import msgspec
import pytest
from tests import demo_audits
from tests.advise.small import audited, finding, pump, verdict

from wardwatch.advise.environment import Scored
from wardwatch.advise.epss import Epss
from wardwatch.advise.kev import Exploited, Kev
from wardwatch.advise.priority import WHEN, Weighed, priority
from wardwatch.advise.ssvc import (
    Decision,
    Exploitation,
    HumanImpact,
    Point,
    SystemExposure,
)
from wardwatch.model.advisory import Exposure
from wardwatch.model.device import Listed
from wardwatch.model.judgement import State


def order(*verdicts, **changes):
    feeds = {name: changes.pop(name) for name in ("kev", "epss") if name in changes}
    return priority(audited(*verdicts, **changes), **feeds)


def listed(maker, model, version, family, component=""):
    row = Listed(2, "", "S1", maker, model, version, "ICU", component=component)
    return pump(version, "list-2", manufacturer=maker, model=model, family=family, listed=row)


def devices(tasks):
    return [task.device for task in tasks]


def test_every_affected_device_is_one_line_and_a_fixed_one_is_none():
    tasks = order(devices=[pump(), pump("1.6.1", "dev-2"), pump("", "dev-3")])
    assert sorted(devices(tasks)) == ["dev-1", "dev-3"]
    for task in tasks:
        assert len(task.weighed) == 8
        assert task.decision == task.weighed[0].decision


def test_a_version_that_is_not_known_is_to_be_read():
    (task,) = order(devices=[pump("")])
    assert task.status is Exposure.UNKNOWN
    assert task.do.startswith("Read the version on the device")


def test_no_fixed_version_means_the_advisorys_measures():
    audit = audited()
    (own,) = audit.advisories
    silent = msgspec.structs.replace(
        own,
        fixed_version="",
        remediations=tuple(r for r in own.remediations if r.category != "vendor_fix"),
    )
    (task,) = priority(msgspec.structs.replace(audit, advisories=(silent,)))
    assert task.do.startswith("Put the advisory's measures in place with clinical sign-off")


def test_a_fix_without_one_version_is_asked_of_the_maker():
    audit = audited()
    (own,) = audit.advisories
    (task,) = priority(
        msgspec.structs.replace(audit, advisories=(msgspec.structs.replace(own, fixed_version=""),))
    )
    assert task.do.startswith("Ask the maker which release fixes it")


def test_the_reasons_come_in_the_order_in_which_the_questions_count():
    (task,) = order(epss=Epss("v1", "2025-08-25", {"CVE-2017-12725": 0.5}))
    starts = [" ".join(reason.split()[:2]) for reason in task.reasons]
    assert starts == [
        "scheduled by", "human impact", "exposure open:", "exploitation none:", "automatable yes:",
        "CVSS base", "EPSS 0.500", "rubric: therapy", "Version 1.6.0",
    ]  # fmt: skip


def test_measures_that_hold_and_are_broken_are_named_with_the_work():
    (task,) = order(verdict("static_address"), verdict("no_rogue_dhcp", State.BROKEN))
    assert "measures that hold: static_address" in task.reasons
    assert "measures that are broken: no_rogue_dhcp" in task.reasons


def test_a_device_behind_a_proved_border_waits_for_one_that_is_not():
    (open_, closed) = (pump(), pump(name="dev-0"))
    held = verdict("segmentation_enforced", subject="dev-0")
    audit = audited(held, devices=[open_, closed])
    # of weaknesses reached through the network: the radio one knows no border
    wired = tuple(
        msgspec.structs.replace(m, cves=tuple(c for c in m.cves if c != "CVE-2017-12725"))
        for m in audit.matches
    )
    tasks = priority(msgspec.structs.replace(audit, matches=wired))
    assert devices(tasks) == ["dev-1", "dev-0"]
    assert tasks[1].weighed[0].score.environmental < tasks[0].weighed[0].score.environmental


def test_an_attacked_device_comes_first_and_is_looked_at_first():
    two = [pump(ips=(), macs=()), pump(name="dev-2")]
    hit = finding("CVE-2017-12718", targets=("dev-2",))
    tasks = order(devices=two, findings=[hit])
    assert devices(tasks) == ["dev-2", "dev-1"]
    assert tasks[0].attacked == ("CVE-2017-12718",)
    assert tasks[0].do.startswith("Look at the device at the bedside")
    assert not tasks[1].do.startswith("Look")


def test_of_two_attacked_devices_the_graver_weakness_comes_first():
    three = [pump(ips=(), macs=(), name=f"dev-{n}") for n in (1, 2, 3)]
    hits = [
        finding("CVE-2017-12726", targets=("dev-1",)),
        finding("CVE-2017-12718", targets=("dev-3",)),
        finding("CVE-2017-12721", targets=("dev-1", "dev-2")),
    ]
    assert devices(order(devices=three, findings=hits)) == ["dev-3", "dev-1", "dev-2"]


def test_own_detections_and_the_catalogue_raise_the_decision():
    (quiet,) = order()
    (seen,) = order(findings=[finding("CVE-2017-12725")])
    kev = Kev(
        "2025.08.25", "2025-08-25", {"CVE-2017-12725": Exploited("CVE-2017-12725", "2022-02-10")}
    )
    (listed,) = order(kev=kev)
    assert (quiet.decision, seen.decision, listed.decision) == (
        Decision.SCHEDULED, Decision.IMMEDIATE, Decision.IMMEDIATE,
    )  # fmt: skip
    assert any("in CISA's KEV since 2022-02-10" in reason for reason in listed.reasons)
    assert "/E:H" in seen.weighed[0].score.vector
    assert "/E:" not in quiet.weighed[0].score.vector


@pytest.mark.parametrize(
    ("device", "advisory", "base", "here", "answers"),
    [
        (listed("BD", "Alaris PCU Model 8015", "9.33.1", "alaris-pcu"), "ICSMA-20-317-01",
         6.5, 6.7, "rubric: therapy yes, workflow yes, credentials yes ("),
        (listed("CareFusion", "Alaris GH", "2.3.6", "alaris"), "ICSMA-18-235-01",
         9.4, 9.8, "rubric: therapy yes ("),
        (listed("Baxter", "Sigma Spectrum 35700BAX2", "8.0", "spectrum", "WBM v17"), "ICSMA-20-170-04",
         7.3, 7.3, "rubric: workflow yes, patient data yes, credentials yes ("),
        (listed("Medtronic", "MiniMed 670G MMT-1780", "", ""), "ICSMA-22-263-01",
         4.8, 6.6, "rubric: therapy yes ("),
    ],
)  # fmt: skip
def test_other_families_have_environmental_beside_base_by_their_own_answers(
    device, advisory, base, here, answers
):
    # here: by hand from CVSS v3.0 §8.3 with IR:H, AR:H for the 670G, RL:O for the PCU;
    # the Spectrum's text weighs nothing
    (task,) = [t for t in order(devices=[device]) if t.advisory == advisory]
    score = task.weighed[0].score
    assert (score.base, score.environmental) == (base, here)
    assert any(
        reason.startswith(f"CVSS base {base}, environmental {here} (") for reason in task.reasons
    )
    assert [reason for reason in task.reasons if reason.startswith(answers)]
    assert not task.weighed[0].impact.assumed


def test_base_stays_what_was_published():
    (task,) = order(verdict("segmentation_enforced"), findings=[finding("CVE-2017-12718")])
    base = {one.cve: one.score.base for one in task.weighed}
    assert base == {
        "CVE-2017-12718": 8.1, "CVE-2017-12722": 5.3, "CVE-2017-12725": 9.8, "CVE-2017-12720": 8.1,
        "CVE-2017-12724": 8.1, "CVE-2017-12726": 5.6, "CVE-2017-12721": 7.5, "CVE-2017-12723": 3.7,
    }  # fmt: skip


def test_epss_breaks_ties_only():
    (task,) = order(epss=Epss("v1", "2025-08-25", {"CVE-2017-12724": 0.9, "CVE-2017-12723": 0.99}))
    ranked = [one.cve for one in task.weighed]
    assert ranked.index("CVE-2017-12724") < ranked.index("CVE-2017-12718")
    assert ranked[-1] == "CVE-2017-12723"
    (without,) = order()
    assert [one.epss for one in without.weighed] == [-1.0] * 8


@pytest.mark.parametrize("family", ["", "else"])
def test_a_weakness_without_a_vector_is_taken_as_the_worst(family):
    audit = audited()
    flaws = tuple(
        msgspec.structs.replace(f, vector="") for f in audit.advisories[0].vulnerabilities
    )
    bare = (msgspec.structs.replace(audit.advisories[0], vulnerabilities=flaws, family=family),)
    (task,) = priority(msgspec.structs.replace(audit, advisories=bare))
    assert all(one.score is None and one.automatable.assumed for one in task.weighed)
    assert not any(reason.startswith("CVSS") for reason in task.reasons)


MIDDLE = Weighed(
    cve="CVE-2099-10000",
    decision=Decision.SCHEDULED,
    exploitation=Point(Exploitation.POC, ""),
    exposure=Point(SystemExposure.CONTROLLED, ""),
    automatable=Point(False, ""),
    impact=Point(HumanImpact.MEDIUM, ""),
    score=Scored("", 5.0, 5.0, "", ""),
    epss=0.5,
)
QUESTIONS = [
    {"decision": Decision.OUT_OF_CYCLE},
    {"impact": Point(HumanImpact.HIGH, "")},
    {"exposure": Point(SystemExposure.OPEN, "")},
    {},  # what is known before what is assumed
    {"exploitation": Point(Exploitation.ACTIVE, "")},
    {"score": Scored("", 5.0, 6.0, "", "")},
    {"epss": 0.9},
]
LEAST = [
    {"decision": Decision.DEFER},
    {"impact": Point(HumanImpact.LOW, "")},
    {"exposure": Point(SystemExposure.SMALL, "")},
    {"exposure": Point(SystemExposure.CONTROLLED, "", assumed=True)},
    {"exploitation": Point(Exploitation.NONE, "")},
    {"score": Scored("", 5.0, 4.0, "", "")},
    {"epss": 0.1},
]


@pytest.mark.parametrize("first", range(len(QUESTIONS)))
def test_an_earlier_question_outweighs_all_later_ones(first):
    graver, other = MIDDLE, MIDDLE
    for change in LEAST[first + 1 :]:
        graver = msgspec.structs.replace(graver, **change)
    for change in QUESTIONS[first + 1 :]:
        other = msgspec.structs.replace(other, **change)
    graver = msgspec.structs.replace(graver, **QUESTIONS[first])
    other = msgspec.structs.replace(other, **LEAST[first])
    assert graver.rank < other.rank


def test_what_is_not_affected_is_no_work_even_where_weaknesses_are_named():
    audit = audited()
    (match,) = audit.matches
    cleared = (msgspec.structs.replace(match, exposure=Exposure.NOT_AFFECTED),)
    assert priority(msgspec.structs.replace(audit, matches=cleared)) == ()


def test_every_decision_says_when():
    assert set(WHEN) == set(Decision)


def test_the_demos_attacked_pumps_come_before_the_others():
    tasks = priority(demo_audits.attacked())
    attacked = [bool(task.attacked) for task in tasks]
    assert any(attacked)
    assert attacked == sorted(attacked, reverse=True)
    of_medfusion = [t for t in priority(demo_audits.clean()) if t.advisory == "ICSMA-17-250-02A"]
    assert {task.decision for task in of_medfusion} == {Decision.SCHEDULED}
