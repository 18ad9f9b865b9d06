"""What pumps say is honest: every mark is a patch, every record a record, every code arithmetic."""

import numpy as np
import pytest

from wardwatch.twin import codes, messages, pcd
from wardwatch.twin.certs import pki
from wardwatch.twin.fleet import kernels as k
from wardwatch.twin.fleet import scripts
from wardwatch.twin.fleet.hospital import FleetPlan, hospital
from wardwatch.twin.fleet.timeline import What


@pytest.fixture(scope="module")
def tables():
    return scripts.tables(
        FleetPlan(), pki(1_794_800_000 * 10**9, "a.example", "b.example", "c.example")
    )


def test_every_class_has_a_script_for_what_pumps_do(tables):
    for number, one in enumerate(hospital().classes):
        for what in What:
            first, behind = tables.scripts[number, what]
            silent = what is What.MOVED or (what is What.REOPEN and one.connects == "each")
            assert (behind > first) is not silent, (one.name, what)


def test_patches_lie_within_their_templates_and_the_arena_has_zeros_there(tables):
    for at, length, first, count, text in tables.templates:
        assert at % 2 == 0
        texts = False
        for place, source, size in tables.patches[first : first + count]:
            assert place >= 0
            assert place + size <= length
            assert not tables.arena[at + place : at + place + size].any()
            texts = texts or source >= k.S_EUI
        assert text == texts


def test_no_mark_is_left_in_what_is_said(tables):
    raw = tables.arena.tobytes()
    for mark in (scripts._MAC, scripts._IP, scripts._DOOR, scripts._RANDOM):
        assert mark not in raw
    for mark in (
        scripts._EUI,
        scripts._HEX,
        scripts._NUMBER,
        scripts._STAMP,
        "1357.91",
        "2468.13",
        "3579.24",
    ):
        assert mark.encode() not in raw


def test_the_sums_are_those_of_the_arena(tables):
    raw = tables.arena.tobytes()
    for at in (0, 2, 1000, len(raw) // 2 * 2 - 2):
        assert tables.sums[at // 2 + 1] - tables.sums[at // 2] == int.from_bytes(
            raw[at : at + 2], "big"
        )


def test_what_a_tls_class_says_is_whole_records(tables):
    kind = next(n for n, c in enumerate(hospital().classes) if c.told.link == "tls")
    seen = 0
    for what in (What.JOIN, What.REPORT, What.ALARM, What.LIBRARY):
        for step in tables.steps[slice(*tables.scripts[kind, what])]:
            template = step[k.TEMPLATE]
            if step[k.FORM] not in (k.TCP, k.BULK) or template < 0:
                continue
            choices = max(step[k.CHOICE], 1)
            for one in range(template, template + choices):
                at, length = tables.templates[one, :2]
                raw = tables.arena[at : at + length].tobytes()
                while raw:
                    kind_of, version, size = raw[0], raw[1:3], int.from_bytes(raw[3:5], "big")
                    assert kind_of in (20, 22, 23)
                    assert version == b"\x03\x01"
                    assert size == len(raw[5 : 5 + size])
                    raw = raw[5 + size :]
                    seen += 1
    assert seen > 200


def test_f2_a_piece_of_a_package_is_one_segment(tables):
    bulk = tables.steps[tables.steps[:, k.FORM] == k.BULK]
    lengths = tables.templates[bulk[:, k.TEMPLATE], k.T_LEN]
    assert (lengths <= k.MSS).all()
    assert (bulk[:, k.REPEAT] * 2 * lengths).max() == pytest.approx(500_000, rel=0.02)


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize(
    ("what", "structure"),
    [
        (What.REPORT, "ORU^R01^ORU_R01"), (What.START, "ORU^R42^ORU_R01"),
        (What.STOP, "ORU^R42^ORU_R01"), (What.ALARM, "ORU^R40^ORU_R40"),
        (What.ALARM_END, "ORU^R40^ORU_R40"),
    ],
)  # fmt: skip
def test_messages_of_the_other_makers_are_hl7_with_a_mark_for_every_value(what, structure, running):
    raw = scripts.hl7(what, "PUMP", "downstream occlusion", running=running)
    read = pcd.read(raw[1:-2])
    assert read is not None
    assert (read.kind, read.device) == (structure, scripts._EUI)
    assert read.control == scripts._HEX + scripts._NUMBER
    assert raw.count(scripts._STAMP.encode()) >= 3
    if what is What.REPORT:
        assert read.value(codes.FLOW_CURRENT) == ("1357.91" if running else "0")
        assert read.value(codes.VTBI_LEFT) == "3579.24"
    if what in (What.REPORT, What.START, What.STOP):
        assert read.value(codes.VOLUME_TOTAL) == "2468.13"


def test_only_the_one_class_asks_like_rtcs():
    # 13 pads in the middle of DISCOVER are the MQX client's; another maker's pump has them not.
    assert messages.rtcs_discover(1, bytes(6), b"\1").count(bytes(13)) >= 1
    rows = {}
    made = scripts.tables(
        FleetPlan(), pki(1_794_800_000 * 10**9, "a.example", "b.example", "c.example")
    )
    for number, one in enumerate(hospital().classes):
        step = made.steps[made.scripts[number, What.DISCOVER, 0]]
        at, length = made.templates[step[k.TEMPLATE], :2]
        rows[one.name] = made.arena[at + 243 : at + length].tobytes().find(b"udhcp") >= 0
    assert {name for name, udhcp in rows.items() if udhcp} == {"bbraun-space", "alaris-pcu"}


def test_the_same_seed_gives_the_same_octets(tables):
    again = scripts.tables(
        FleetPlan(), pki(1_794_800_000 * 10**9, "a.example", "b.example", "c.example")
    )
    assert np.array_equal(tables.arena, again.arena)
    other = scripts.tables(
        FleetPlan(seed=2), pki(1_794_800_000 * 10**9, "a.example", "b.example", "c.example")
    )
    assert not np.array_equal(tables.arena, other.arena)


def test_every_published_cause_has_an_alarm_and_a_filler_id_of_its_own():
    causes = {cause for mix in hospital().mix.values() for cause in mix}
    assert set(scripts.ALARMS) == causes
    fillers = set()
    for cause in causes:
        begins, ends = (scripts.hl7(what, "PUMP", cause) for what in (What.ALARM, What.ALARM_END))
        of = [raw.split(b"|OBR|")[0].split(b"\rOBR|")[1].split(b"|")[2] for raw in (begins, ends)]
        assert of[0] == of[1]
        fillers.add(of[0])
    assert len(fillers) == len(causes)
    occlusion = pcd.read(scripts.hl7(What.ALARM, "PUMP", "downstream occlusion")[1:-2])
    assert codes.LINE_OCCLUSION.field in occlusion.value(codes.ALARM)
