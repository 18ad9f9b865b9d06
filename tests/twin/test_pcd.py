"""Reports, events and alarms stand before another reader, and their sequence is the framework's."""

import random
from itertools import pairwise

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import codes, pcd, telling
from wardwatch.twin.telling import Alarmed, Happened, What
from wardwatch.twin.therapy import Alarm, Phase, Priority

DEVICE = pcd.Device("M000042", "001A01FFFE000142")
AT = 1_800_000_000 * 10**9
STATUS = telling.Status(0, Phase.RUNNING, 5_000_000, 12_500_000, 7_500_000, 31, 12, 0, None)


def judged(raw: bytes) -> pcd.Message:
    """Read by hl7apy with every rule of the standard, and by our own reader."""
    assert (raw[:1], raw[-2:]) == (pcd.START, pcd.END + pcd.RETURN)
    text = raw[1:-2].decode("ascii")
    # hl7apy knows no ORU_R40: its segments and groups are those of ORU_R01.
    found = parse_message(
        text.replace("^ORU_R40", "^ORU_R01"), validation_level=VALIDATION_LEVEL.STRICT
    )
    assert found.validate() is True
    message = pcd.read(raw[1:-2])
    assert message is not None
    assert found.msh.msh_10.value == message.control
    assert found.msh.msh_21.value == message.profile
    assert found.msh.msh_7.value == pcd.stamp(AT) == "20270115080000+0000"
    assert message.device == DEVICE.eui64
    return message


@pytest.mark.parametrize("phase", Phase)
def test_c6_a_report_is_valid_hl7_in_every_phase(phase: Phase) -> None:
    status = telling.Status(0, phase, 5_000_000, 12_500_000, 7, 31, 12, 0, None)
    message = judged(pcd.report(DEVICE, status, AT, "c1"))
    assert (message.kind, message.control) == ("ORU^R01^ORU_R01", "c1")
    assert message.profile.startswith("IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376")
    flows = phase in (Phase.RUNNING, Phase.BOLUS, Phase.KVO)
    assert message.value(codes.FLOW_CURRENT) == ("5" if flows else "0")
    assert message.value(codes.VOLUME_TOTAL) == "12.5"
    assert message.value(codes.VTBI_LEFT) == "0.000007"
    assert message.value(codes.LIBRARY_VERSION) == "12"


def test_c6_reports_come_every_minute_more_or_less_a_tenth_and_as_set() -> None:
    draws = random.Random(1)
    for asked, low, high in (
        (pcd.INTERVAL_S, 54, 66), (5, 4.5, 5.5), (0.001, 4.5, 5.5), (86_400, 77_760, 95_040),
        (10**9, 77_760, 95_040),
    ):  # fmt: skip
        times = [0]
        for _ in range(500):
            times.append(pcd.next_report(times[-1], asked, draws))
        gaps = [(b - a) / 1e9 for a, b in pairwise(times)]
        assert low <= min(gaps) < max(gaps) <= high
        assert max(gaps) - min(gaps) > (high - low) / 2
    assert pcd.INTERVAL_S == 60


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("going_on", [True, False])
def test_c7_an_event_is_valid_hl7_and_an_end_carries_its_volume(what: What, going_on: bool) -> None:
    one = Happened(what, Phase.KVO, going_on, 5_000_000, 3_000_000, 1_000_000)
    message = judged(pcd.event(DEVICE, one, AT, "c2"))
    assert message.kind == "ORU^R42^ORU_R01"
    assert pcd.EVENT_OID in message.profile
    assert message.value(codes.ALARM) == pcd.EVENTS[what].field
    said = pcd.TRANSITION if going_on else pcd.KVO
    assert message.value(codes.DELIVERY_STATUS) == said
    assert message.value(codes.VOLUME_TOTAL) == "3"
    assert message.value(codes.VOLUME_SEGMENT) == ("" if what is What.START else "1")


@pytest.mark.parametrize("alarm", Alarm)
def test_c8_start_update_and_end_of_an_alarm_bear_one_filler_id(alarm: Alarm) -> None:
    standing = pcd.Alarms(DEVICE)
    on, off = (Alarmed(alarm, Priority.HIGH, flag, 0) for flag in (True, False))
    found = [
        judged(standing.heard(one, AT, f"c{n}")) for n, one in enumerate((on, on, off, on, off))
    ]
    phases = [message.value(codes.EVENT_PHASE) for message in found]
    assert phases == ["start", "update", "end", "start", "end"]
    assert [m.value(codes.ALARM_STATE) for m in found] == [
        "active", "active", "inactive", "active", "inactive",
    ]  # fmt: skip
    fillers = [message.filler for message in found]
    assert fillers == ["M000042-c0"] * 3 + ["M000042-c3"] * 2
    assert found[0].kind == "ORU^R40^ORU_R40"
    assert found[0].value(codes.PRIORITY) == "PH"
    code = pcd.ALARMS.get(alarm, codes.ALARM)
    assert found[0].value(codes.ALARM) == f"{code.field}^{alarm.value}"


def test_c8_two_alarms_keep_their_own_ids() -> None:
    standing = pcd.Alarms(DEVICE)
    for n, alarm in enumerate((Alarm.OCCLUSION, Alarm.NEAR_EMPTY)):
        standing.heard(Alarmed(alarm, Priority.LOW, True, 0), AT, f"c{n}")
    ended = judged(standing.heard(Alarmed(Alarm.OCCLUSION, Priority.LOW, False, 0), AT, "c9"))
    assert ended.filler == "M000042-c0"


def test_an_acknowledgement_names_what_it_answers_and_obeys_no_separator() -> None:
    asked = pcd.Message("ORU^R01^ORU_R01", "c1|x\rMSH", "")
    raw = pcd.acknowledgement(asked, AT)
    found = parse_message(raw[1:-2].decode(), validation_level=VALIDATION_LEVEL.STRICT)
    assert found.msa.msa_2.value == "c1_x_MSH"
    assert [row[:4] for row in raw[1:-2].split(b"\r")] == [b"MSH|", b"MSA|", b""]


def test_messages_are_taken_out_of_a_stream_whole() -> None:
    one, two = (pcd.report(DEVICE, STATUS, AT, name) for name in ("a", "b"))
    found, rest = pcd.unframed(b"noise" + one + two[:40])
    assert found == [one[1:-2]]
    found, rest = pcd.unframed(rest + two[40:])
    assert (found, rest) == ([two[1:-2]], b"")


@given(st.binary(max_size=300))
def test_hostile_octets_are_read_without_harm(raw: bytes) -> None:
    for body in (raw, b"MSH|^~\\&|" + raw, b"MSH\rOBX|1|NM|" + raw + b"\rOBR"):
        found = pcd.read(body)
        assert found is None or len(found.observed) <= pcd.SEGMENTS
    assert pcd.read(b"MSH|" * pcd.LONGEST) is None
