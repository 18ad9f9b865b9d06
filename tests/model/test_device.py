"""wardwatch.model.device"""

from wardwatch.model.device import Confidence, Device, Identity, Listed


def test_a_device_that_sent_nothing_was_not_seen() -> None:
    listed = Device("list-1", Identity(kind="infusion pump"), Confidence.LISTED, listed=Listed(1))
    assert listed.is_pump
    assert listed.is_medical
    assert not listed.seen


def test_a_printer_is_no_medical_device() -> None:
    assert not Device("dev-1", Identity(kind="printer"), Confidence.CERTAIN).is_medical


def test_confidence_has_an_order() -> None:
    assert (
        Confidence.UNKNOWN
        < Confidence.POSSIBLE
        < Confidence.PROBABLE
        < Confidence.CERTAIN
        < Confidence.LISTED
    )
