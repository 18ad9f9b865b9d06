"""wardwatch.decode.wire.dicom"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import dicom


def faults(payload: bytes) -> list:
    return [a.fault for a in dicom.parse(payload)[1]]


def test_an_association_request() -> None:
    pdu, anomalies = dicom.parse(said.associate())
    assert anomalies == () and pdu is not None
    assert (pdu.type, pdu.calling, pdu.called) == (1, "CT_ROOM1", "PACS")
    assert (pdu.implementation, pdu.implementation_class) == ("FILLER_1", "1.2.3.4")


def test_data_is_not_read() -> None:
    assert dicom.parse(said.pdu(4, b"Doe^Jane")) == (dicom.Pdu(4, 8), ())


def test_hostile_bytes_are_data() -> None:
    hostile.run(*hostile_sessions.PARSERS["dicom"], seed=5, count=2000)


titles = st.text("ABCDEFG_123", min_size=1, max_size=16)


@settings(max_examples=60)
@given(st.sampled_from([1, 2]), titles, titles)
def test_honest_associations_read_back(kind: int, calling: str, called: str) -> None:
    payload = said.associate(kind, calling.encode(), called.encode())
    assert dicom.looks_like(payload)
    pdu, anomalies = dicom.parse(payload)
    assert anomalies == () and pdu is not None
    assert (pdu.type, pdu.calling, pdu.called) == (kind, calling, called)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"\1\0\0", dicom.PDU_SHORT),
        (said.associate()[:-1], dicom.PDU_SHORT),
        (said.pdu(8, bytes(4)), dicom.PDU_TYPE),
        (said.pdu(5, bytes(8)), dicom.PDU_LENGTH),
    ],
)
def test_one_damage_brings_its_anomaly_first(payload: bytes, fault: object) -> None:
    assert faults(payload)[0] is fault
    assert fault in dicom.FAULTS


def test_an_item_past_the_end_is_an_overrun_and_no_other() -> None:
    payload = bytearray(said.associate())
    at = payload.index(b"FILLER_1") - 1
    payload[at] = 9
    assert faults(bytes(payload)) == [dicom.ITEM_OVERRUN]
