"""wardwatch.decode.wire.hl7"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import hostile, hostile_sessions
from tests import session_messages as said

from wardwatch.decode.wire import hl7


def faults(payload: bytes) -> list:
    return [a.fault for a in hl7.parse(payload)[1]]


def test_a_pump_reports() -> None:
    message, anomalies = hl7.parse(said.HL7_MESSAGE)
    assert anomalies == ()
    assert message == hl7.Message(
        message_type="ORU^R01^ORU_R01",
        sending_application="PUMP_GW^0003B1FFFE000001^EUI-64",
        sending_facility="WARD",
        receiving_application="EMR",
        version="2.6",
        profile="IHE_PCD_001",
        device_id="001A01FFFE000031^^001A01FFFE000031^EUI-64",
        device_type="69985^MDC_DEV_PUMP_INFUS_MDS^MDC",
    )


def test_nothing_of_a_patient_is_kept() -> None:
    message, _ = hl7.parse(said.HL7_MESSAGE)
    assert "Doe" not in repr(message) and "MRN" not in repr(message)
    assert not hl7.wanted(b"PID|||MRN77") and not hl7.wanted(b"NK1|x") and hl7.wanted(b"OBX|1")


def test_hostile_bytes_are_data() -> None:
    hostile.run(*hostile_sessions.PARSERS["hl7"], seed=4, count=2000)


names = st.text("ABCDEFG_0123456789", min_size=1, max_size=12)


@settings(max_examples=60)
@given(st.sampled_from("|!#"), st.sampled_from("^:@"), names, names, names)
def test_honest_headers_read_back_whatever_their_delimiters(
    field: str, component: str, application: str, facility: str, kind: str
) -> None:
    typed = component.join([kind, "R01"])
    fields = [
        "MSH",
        component + "~\\&",
        application,
        facility,
        "",
        "",
        "",
        "",
        typed,
        "1",
        "P",
        "2.5",
    ]
    message, anomalies = hl7.parse(field.join(fields).encode() + b"\r")
    assert anomalies == () and message is not None
    assert (message.sending_application, message.sending_facility) == (application, facility)
    assert (message.message_type, message.version) == (f"{kind}^R01", "2.5")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"PID|||MRN77\r", hl7.NO_HEADER),
        (b"MSH", hl7.NO_HEADER),
        (b"MSH|^|A|B|C|D|1||ORU|1\r", hl7.DELIMITERS),
        (b"MSH|^^\\&|A|B|C|D|1||ORU|1\r", hl7.DELIMITERS),
        (b"MSH|^~\\&|A|B|C|D|1|||1\r", hl7.NO_TYPE),
    ],
)
def test_one_damage_brings_its_anomaly_and_no_other(payload: bytes, fault: object) -> None:
    assert faults(payload) == [fault]
    assert fault in hl7.FAULTS


def test_what_looks_like_hl7() -> None:
    assert hl7.looks_like(b"\x0bMSH|^~\\&|") and hl7.looks_like(b"MSH|^~\\&#|A")
    assert not hl7.looks_like(b"MSHABC") and not hl7.looks_like(b"GET MSH|^~\\&|")


def test_segments_alone_say_what_the_message_says() -> None:
    pump = said.HL7_MESSAGE
    assert hl7.wanted_of(pump) == [s for s in pump.split(b"\r") if hl7.wanted(s)]
    assert hl7.parse_segments(hl7.wanted_of(pump)) == hl7.parse(pump)
    assert hl7.parse_segments([b"MSH", b"OBX|"]) == hl7.parse(b"MSH\rOBX|")
    assert hl7.parse_segments([b"MSH"]) == hl7.parse(b"MSH")


@pytest.mark.parametrize(
    ("observation", "device_id", "device_type"),
    [
        (b"OBX|1|NM|8000^VALUE||61", "", ""),
        (b"OBX|1||1^X_MDS^Y", "", "1^X_MDS^Y"),
        (b"OBX|1||1^X^Y|2.0.0.0", "", "1^X^Y"),
        (b"OBX|1||1^X^Y|2.0.0.0.1", "", ""),
        (b"OBX|1||1||||||||||||||||", "", ""),
        (b"OBX|1||1||||||||||||||ID", "", ""),
        (b"OBX|1||1|||||||||||||||ID", "ID", ""),
    ],
)
def test_devices_are_told_from_values(observation, device_id, device_type) -> None:
    message, _ = hl7.parse(b"MSH|^~\\&|A|B|C|D|||ORU|1|P|2.5\r" + observation)
    assert message is not None
    assert (message.device_id, message.device_type) == (device_id, device_type)
