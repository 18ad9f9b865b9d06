"""Devices that stand alike to an advisory stand together, the gravest first."""

import msgspec
from tests.advise.small import audited, pump

from wardwatch.model.advisory import CveMatch, Exposure
from wardwatch.ui.advised import device_name, gathered, rows, standing
from wardwatch.ui.report import build


def report(*versions):
    devices = [pump(version, name=f"dev-{n}") for n, version in enumerate(versions)]
    return build(audited(devices=devices))


def test_devices_of_one_version_stand_together_and_the_affected_come_first():
    ((advisory, alike),) = gathered(report("1.6.1", "1.5.0", "1.5.0", ""))
    assert advisory.id == "ICSMA-17-250-02A"
    assert [(g.match.exposure.value, g.devices) for g in alike] == [
        ("affected", ("dev-1", "dev-2")),
        ("unknown", ("dev-3",)),
        ("not affected", ("dev-0",)),
    ]
    assert [g.version for g in alike] == [
        "1.5.0 (seen on the wire)", "unknown", "1.6.1 (seen on the wire)",
    ]  # fmt: skip
    assert alike[0].names == ("Smiths Medical Medfusion 4000 1.5.0",)


def test_cves_of_which_the_same_is_said_stand_together():
    made = report("1.5.0")
    (match,) = made.matches
    answers = (
        CveMatch("CVE-2017-1", Exposure.NOT_AFFECTED, reason="By its own text."),
        CveMatch("CVE-2017-2", Exposure.CONDITIONAL, "FTP is on"),
        CveMatch("CVE-2017-3", Exposure.AFFECTED),
        CveMatch("CVE-2017-4", Exposure.AFFECTED),
    )
    made = msgspec.structs.replace(made, matches=(msgspec.structs.replace(match, answers=answers),))
    ((_, (alike,)),) = gathered(made)
    assert [(c.exposure.value, c.condition, c.cves) for c in alike.cves] == [
        ("affected", "", ("CVE-2017-3", "CVE-2017-4")),
        ("conditional", "FTP is on", ("CVE-2017-2",)),
        ("not affected", "", ("CVE-2017-1",)),
    ]


def test_a_row_counts_devices_and_the_cves_that_may_apply():
    made = report("1.6.1", "1.5.0", "1.5.0", "")
    (row,) = made.advisory_rows
    assert (row.affected, row.unknown, row.not_affected, row.cves, row.worst) == (2, 1, 1, 8, 9.8)
    assert rows((), ()) == ()
    summary = made.summary
    assert (summary.devices_affected, summary.devices_unknown, summary.devices_not_affected) == (
        2,
        1,
        1,
    )


def test_a_device_stands_by_the_gravest_word_on_it():
    (match,) = report("1.5.0").matches
    other = msgspec.structs.replace(match, advisory="OTHER", exposure=Exposure.NOT_AFFECTED)
    assert standing([other, match])[Exposure.AFFECTED] == 1
    assert standing([other, match])[Exposure.NOT_AFFECTED] == 0


def test_a_device_is_named_as_far_as_known():
    assert device_name(pump("1.5")) == "Smiths Medical Medfusion 4000 1.5"
    assert device_name(pump("", model="", manufacturer="", kind="")) == "unknown device"
