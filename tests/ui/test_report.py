"""wardwatch.ui.report"""

import msgspec
import pytest
from tests.ui import audits

from wardwatch.model.evidence import Evidence
from wardwatch.model.judgement import Certainty, State
from wardwatch.model.site import Site, Zone
from wardwatch.ui.report import build, packets_text


def test_a_confirmed_attempt_on_a_known_device_asks_to_act_today() -> None:
    report = build(audits.make())
    assert report.answer == "act today"
    assert report.exit_status == 1
    assert report.do_first[0].who == "Nurse lead"


@pytest.mark.parametrize(
    ("change", "answer", "status"),
    [
        (dict(findings=()), "plan", 1),
        (dict(findings=(), verdicts=(audits.HOLDS,)), "nothing broken seen", 0),
        (dict(findings=(), verdicts=(audits.HOLDS,), damaged=True), "could not tell", 3),
        (dict(findings=(), verdicts=(audits.UNTOLD,)), "could not tell", 3),
        (dict(findings=(), verdicts=(), packets=0), "could not tell", 3),
    ],
)
def test_the_answer_is_never_better_than_what_was_seen(change, answer, status) -> None:
    report = build(audits.make(**change))
    assert (report.answer, report.exit_status) == (answer, status)


def test_a_notice_alone_is_planned_not_acted_on_today() -> None:
    notice = msgspec.structs.replace(audits.FINDING, certainty=Certainty.NOTICE, known_device=False)
    report = build(audits.make(verdicts=(audits.HOLDS,), findings=(notice,)))
    assert report.answer == "plan"
    assert not any(a.who == "Nurse lead" for a in report.do_first)


def test_the_counts_are_those_of_the_audit() -> None:
    summary = build(audits.make()).summary
    assert (
        summary.findings,
        summary.confirmed,
        summary.broken,
        summary.holds,
        summary.not_observable,
    ) == (1, 1, 1, 1, 1)
    assert (summary.pumps_seen, summary.pumps_listed_unseen, summary.devices) == (1, 1, 2)


def test_what_could_not_be_told_says_why_and_where_to_listen() -> None:
    (row,) = build(audits.make()).not_shown
    assert (row.measure, row.subjects) == ("no_rogue_dns", 1)
    assert "nobody tried" in row.why
    assert "mirror" in row.where_to_listen


def test_the_picture_marks_conversations_that_break_segmentation() -> None:
    verdict = msgspec.structs.replace(
        audits.BROKEN, measure="segmentation_in_use", evidence=(Evidence(1, 3),)
    )
    plain = build(audits.make()).links
    marked = build(audits.make(verdicts=(verdict,))).links
    assert [link.forbidden for link in plain] == [False]
    assert [link.forbidden for link in marked] == [True]


def test_the_picture_marks_both_ways_of_a_pair_and_no_other_pair() -> None:
    there, back = ("10.0.0.9", "203.0.113.5"), ("203.0.113.5", "10.0.0.9")
    pump = msgspec.structs.replace(audits.PUMP, ips=("10.0.0.9",), segments=("vlan 120",))
    other = msgspec.structs.replace(
        audits.PUMP, id="other", ips=("10.0.0.7",), segments=("vlan 7",), macs=()
    )
    cited = msgspec.structs.replace(
        audits.BROKEN, measure="segmentation_in_use", evidence=(Evidence(1, 3),)
    )

    def marked(*ends: tuple[str, str], proto: str = "tcp") -> dict[tuple[str, str], bool]:
        rows = [
            dict(
                capture=1, first_packet=3 + n, orig_h=a, resp_h=b, orig_bytes=1,
                proto=proto if n == 0 else "tcp",
            )
            for n, (a, b) in enumerate(ends)
        ]  # fmt: skip
        found = build(
            audits.make(
                verdicts=(cited,), devices=(pump, other), rows=audits.ROWS | {"conversations": rows}
            )
        )
        return {(link.source[:8], link.target[:8]): link.forbidden for link in found.links}

    near, far = "vlan 120", "elsewher"
    assert marked(there, back) == {(near, far): True, (far, near): True}
    assert marked(there, ("203.0.113.6", "10.0.0.9")) == {(near, far): True, (far, near): False}
    assert marked(there, ("10.0.0.7", "203.0.113.5")) == {
        (near, far): True,
        ("vlan 7 ·", far): False,
    }
    # What the picture has no line for marks none.
    assert marked(there, ("10.0.0.9", "203.0.113.6"), proto="icmp") == {(near, far): False}


def test_the_picture_counts_every_pair_however_many_there_are() -> None:
    one = dict(capture=1, proto="udp", orig_h="10.0.0.9", orig_bytes=3, resp_bytes=4)
    rows = [one | dict(resp_h=f"198.18.{n >> 8}.{n & 255}") for n in range(20_100)]
    (link,) = build(audits.make(rows=audits.ROWS | {"conversations": rows})).links
    assert (link.conversations, link.bytes) == (20_100, 7 * 20_100)


def test_a_confirmed_zone_names_the_groups_of_the_picture() -> None:
    zone = Zone(name="Pumps", vlans=(120,), confirmed_by="IT", confirmed_on="2026-11-01")
    assert build(audits.make(site=Site(zone=(zone,)))).groups[0].zone in (
        "Pumps (vlan 120)",
        "elsewhere",
    )
    assert any(
        g.zone == "Pumps (vlan 120)" for g in build(audits.make(site=Site(zone=(zone,)))).groups
    )


@pytest.mark.parametrize("segment", ["vlan 120@trunk", "s-vlan 9 vlan 120"])
def test_a_zone_is_named_whatever_stands_around_its_vlan(segment: str) -> None:
    zone = Zone(name="Pumps", vlans=(120,), confirmed_by="IT", confirmed_on="2026-11-01")
    pump = msgspec.structs.replace(audits.PUMP, segments=(segment,))
    found = build(audits.make(site=Site(zone=(zone,)), devices=(pump,))).groups
    assert "Pumps (vlan 120)" in {group.zone for group in found}


def test_packets_are_cited_by_capture_and_number() -> None:
    assert (
        packets_text([Evidence(1, 4), Evidence(1, 2), Evidence(2, 9)])
        == "capture 1, packets 2, 4; capture 2, packet 9"
    )
    assert packets_text([]) == "no single packet"


def test_the_local_span_follows_the_site() -> None:
    assert build(audits.make(site=Site(timezone="Europe/Vienna"))).span_local.count("CET") == 2
    assert build(audits.make(site=Site(timezone="No/Where"))).span_local == ""


def test_every_state_is_counted_once() -> None:
    verdicts = tuple(msgspec.structs.replace(audits.HOLDS, state=s) for s in State)
    summary = build(audits.make(verdicts=verdicts)).summary
    assert [
        summary.broken,
        summary.holds,
        summary.attested,
        summary.not_observable,
        summary.not_applicable,
    ] == [1] * 5


def test_what_a_capture_lost_stands_among_what_was_seen_and_is_no_clean_answer():
    clean = {"findings": (), "verdicts": (audits.HOLDS,)}
    assert build(audits.make(**clean)).answer == "nothing broken seen"
    lossy = msgspec.structs.replace(
        audits.make(**clean, lost=8), losses=tuple(f"Capture {n} lost 2." for n in range(1, 6))
    )
    report = build(lossy)
    assert report.answer == "could not tell"
    assert report.sentences[1:] == (
        "Capture 1 lost 2.",
        "Capture 2 lost 2.",
        "Capture 3 lost 2.",
        "2 more captures count lost packets.",
    )
