"""The server hears every report once, however often and late it is told, and passes it on."""

import asyncio
from random import Random

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import codes, pcd, server, soap, telling
from wardwatch.twin.ground import OutsideError
from wardwatch.twin.rollout import Release, Rollout
from wardwatch.twin.server import Fleet, Server, Spans
from wardwatch.twin.streams import closed
from wardwatch.twin.telling import Alarmed, Happened, What
from wardwatch.twin.therapy import Alarm, Phase, Priority

NOW = 1_800_000_000 * 10**9
EUI = "001A01FFFE000142"


def status(library: int = 1, pending: int = 0, given: int = 0) -> bytes:
    one = telling.Status(0, Phase.RUNNING, 5, given, 0, 0, library, pending, None)
    return telling.status_body(one)


def said(seq: int, body: bytes, kind: str = "status", serial: str = "M1", **more: object) -> bytes:
    fields = {"Serial": serial, "EUI64": EUI, "Sequence": seq, "Stamp": NOW + seq, "Kind": kind,
              "Backlog": 0, "Body": body.hex()} | more  # fmt: skip
    return soap.written(soap.REPORT, fields)


def heard(fleet: Fleet, raw: bytes) -> server.Heard | str:
    envelope = soap.read(raw)
    assert isinstance(envelope, soap.Envelope)
    return fleet.hear(envelope, NOW)


@given(st.lists(st.integers(1, 60), max_size=200))
def test_spans_know_each_number_once(numbers: list[int]) -> None:
    spans, plain = Spans(), set()
    for n in numbers:
        assert spans.add(n) is (n not in plain)
        plain.add(n)
    assert len(spans) == len(plain)
    assert all(end + 1 < start for end, start in zip(spans.ends, spans.starts[1:], strict=False))


def test_gaps_beyond_the_bound_are_refused_and_may_be_told_again(monkeypatch) -> None:
    monkeypatch.setattr(server, "SPANS", 3)
    fleet = Fleet()
    for seq in (1, 3, 5):
        assert isinstance(heard(fleet, said(seq, status())), server.Heard)
    assert heard(fleet, said(7, status())) == "more gaps than are kept"
    heard(fleet, said(2, status()))
    assert isinstance(heard(fleet, said(7, status())), server.Heard)


def test_c15_what_is_told_twice_counts_once() -> None:
    fleet = Fleet()
    draws = Random(1)
    numbers = [n for n in range(1, 101) for _ in range(3)]
    draws.shuffle(numbers)
    news = [heard(fleet, said(n, status())).new for n in numbers]
    assert sum(news) == 100
    pump = fleet.pumps["M1"]
    assert (pump.reports, pump.again) == (100, 200)
    assert not heard(fleet, said(5, status(), serial="M1")).new
    assert heard(fleet, said(5, status(), serial="M2")).new


def test_c15_a_late_report_does_not_replace_what_is_newer() -> None:
    fleet = Fleet()
    heard(fleet, said(9, status(given=9)))
    heard(fleet, said(3, status(given=3), Backlog=1))
    pump = fleet.pumps["M1"]
    assert pump.status is not None
    assert (pump.status.given_nl, pump.stamp, pump.late) == (9, NOW + 9, 1)


@pytest.mark.parametrize(
    "raw",
    [
        said(0, status()), said(1, b""), said(1, status(), kind="x"), said(1, status(), Body="zz"),
        said(1, status(), serial=""), said(1, status(), serial="a b"), said(1, status(), Stamp=-1),
        soap.written("Other", {}), soap.written(soap.REPORT, {}),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    fleet = Fleet()
    assert heard(fleet, raw) == "not a report"
    assert (fleet.pumps, fleet.refused) == ({}, 1)


def test_pumps_beyond_the_bound_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(server, "PUMPS", 2)
    fleet = Fleet()
    answers = [heard(fleet, said(1, status(), serial=f"M{n}")) for n in range(3)]
    assert answers[2] == "more pumps than are kept"
    assert list(fleet.pumps) == ["M0", "M1"]


def test_c17_offers_go_to_a_twentieth_at_a_time_and_packages_to_who_asks() -> None:
    rollout = Rollout()
    fleet = Fleet(rollout)
    for n in range(40):
        heard(fleet, said(1, status(), serial=f"M{n}"))
    rollout.publish(Release(2, b"<package>", b"mark"))
    offered = []
    for n in range(40):
        one = heard(fleet, said(2, status(), serial=f"M{n}"))
        answer = soap.read(fleet.receipt(one, NOW))
        assert answer.number("Sequence") == 2
        offered += [f"M{n}"] * (answer.number("LibraryVersion") == 2)
    assert offered == ["M0", "M1"]
    asked = soap.Envelope(soap.REQUEST, {"Serial": "M0", "Version": "2"})
    answer = soap.read(fleet.package(asked))
    assert answer.name == soap.PACKAGE
    assert answer.fields["Library"] == "PHBhY2thZ2U+"
    for version in ("1", "3", "x"):
        wrong = soap.Envelope(soap.REQUEST, {"Serial": "M0", "Version": version})
        assert soap.read(fleet.package(wrong)).name == soap.FAULT


def test_the_face_speaks_pcd_and_keeps_the_time_of_what_happened() -> None:
    fleet, face = Fleet(), server.Face()
    told = [
        said(1, status()),
        said(2, telling.happened_body(Happened(What.STOP, Phase.PAUSED, False, 5, 9, 4)), "event"),
        said(3, telling.alarmed_body(Alarmed(Alarm.OCCLUSION, Priority.HIGH, True, 0)), "alarm"),
        said(4, telling.alarmed_body(Alarmed(Alarm.OCCLUSION, Priority.HIGH, False, 0)), "alarm"),
    ]
    messages = [face.message(heard(fleet, raw)) for raw in told]
    found = [pcd.read(raw[1:-2]) for raw in messages]
    assert [one.kind for one in found] == [
        "ORU^R01^ORU_R01", "ORU^R42^ORU_R01", "ORU^R40^ORU_R40", "ORU^R40^ORU_R40",
    ]  # fmt: skip
    assert [one.control for one in found] == ["M1-1", "M1-2", "M1-3", "M1-4"]
    assert found[2].filler == found[3].filler
    assert [one.value(codes.EVENT_PHASE) for one in found[2:]] == ["start", "end"]
    for raw in messages:
        text = raw[1:-2].decode().replace("^ORU_R40", "^ORU_R01")
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
        assert parsed.validate() is True
        assert parsed.msh.msh_7.value == pcd.stamp(NOW)


# On loopback -----------------------------------------------------------------------------------


def on_wire(play, **more: object) -> Server:
    async def run() -> Server:
        one = Server(**more)
        await one.start()
        try:
            await asyncio.wait_for(play(one), 30)
        finally:
            await one.stop()
        return one

    return asyncio.run(run())


async def talk(port: int, *raws: bytes, until: int = 1) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for raw in raws:
        writer.write(raw)
    got = b""
    try:
        while got.count(soap.END) + got.count(pcd.END) < until:
            part = await reader.read(65_536)
            if not part:
                break
            got += part
    except ConnectionResetError:
        pass  # closed with octets of ours unread
    await closed(writer)
    return got


def test_reports_are_answered_one_by_one_and_hostile_ones_end_in_a_fault() -> None:
    async def play(one: Server) -> None:
        port = one.ports[server.REPORTS]
        got = await talk(port, said(1, status()), said(1, status()), b"<a></env:Envelope>", until=3)
        answers = [soap.read(raw) for raw in soap.unframed(got)[0]]
        assert [answer.name for answer in answers] == ["Receipt", "Receipt", "Fault"]
        got = await talk(one.ports[server.PACKAGES], said(1, status()))
        assert soap.read(got).fields["faultstring"] == "not a request"
        assert await talk(port, b"x" * (soap.LONGEST + 2)) == b""

    after = on_wire(play)
    assert (after.fleet.pumps["M1"].reports, after.fleet.refused) == (1, 1)
    assert after.heard.qsize() == 1


def test_hl7_is_taken_over_mllp_and_acknowledged() -> None:
    device = pcd.Device("M9", EUI)
    report = pcd.report(device, telling.read_status(status()), NOW, "c7")

    async def play(one: Server) -> None:
        got = await talk(one.ports[server.HL7], report)
        assert b"MSA|AA|c7\r" in got
        got = await talk(one.ports[server.HL7], pcd.START + b"nonsense" + pcd.END + pcd.RETURN)
        assert b"MSA|AE|0\r" in got

    after = on_wire(play)
    assert [one.control for one in after.taken] == ["c7"]


def test_what_pumps_say_reaches_a_consumer_as_pcd_in_order() -> None:
    async def play(one: Server) -> None:
        consumer = Server()
        await consumer.start()
        speaking = asyncio.create_task(one.speak("127.0.0.1", consumer.ports[server.HL7]))
        raws = [said(n, status(given=n * 10**6)) for n in range(1, 6)]
        await talk(one.ports[server.REPORTS], *raws, until=5)
        while len(consumer.taken) < 5:
            await asyncio.sleep(0.01)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        await consumer.stop()
        assert [m.control for m in consumer.taken] == [f"M1-{n}" for n in range(1, 6)]
        assert [m.value(codes.VOLUME_TOTAL) for m in consumer.taken] == list("12345")

    on_wire(play)


def test_without_a_consumer_the_oldest_message_goes_and_is_counted(monkeypatch) -> None:
    monkeypatch.setattr(server, "FACE", 3)

    async def play(one: Server) -> None:
        raws = [said(n, status()) for n in range(1, 6)]
        await talk(one.ports[server.REPORTS], *raws, until=5)

    after = on_wire(play)
    assert (after.heard.qsize(), after.unheard) == (3, 2)


def test_peers_beyond_the_bound_are_closed_unheard(monkeypatch) -> None:
    monkeypatch.setattr(server, "PEERS", 0)

    async def play(one: Server) -> None:
        assert await talk(one.ports[server.REPORTS], said(1, status())) == b""

    assert on_wire(play).fleet.pumps == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3"])
def test_s12_the_server_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(OutsideError):
        Server(host)
