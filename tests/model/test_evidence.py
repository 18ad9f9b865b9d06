"""wardwatch.model.evidence"""

from wardwatch.model.evidence import Anomaly, ByteSpan, Evidence, Fault


def test_evidence_sorts_by_capture_then_packet() -> None:
    assert sorted([Evidence(2, 1), Evidence(1, 9)]) == [Evidence(1, 9), Evidence(2, 1)]


def test_an_anomaly_keeps_what_was_claimed_and_what_was_there() -> None:
    anomaly = Anomaly(Fault("x_short", "RFC 0 §0"), ByteSpan(3, 5), claimed=255, present=2)
    assert (anomaly.claimed, anomaly.present, anomaly.span.stop - anomaly.span.start) == (255, 2, 2)
