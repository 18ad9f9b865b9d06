"""A whole pump: what its head says arrives once and in order, whoever is killed meanwhile."""

import os
import socket
import sys
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.model.values import NS
from wardwatch.twin import comms, emit, link, messages, pump, telling
from wardwatch.twin.client import Settings
from wardwatch.twin.link import Kind, Port
from wardwatch.twin.pump import Communications, Head, Plan
from wardwatch.twin.supervisor import Gate
from wardwatch.twin.telling import Happened, What
from wardwatch.twin.therapy import Phase, Stalled, delivered_pl, given_nl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SEQPACKET pairs are Linux's")
PLAN = Plan("pump-1", comms.made("1.6.0"), "00:1a:01:77:01:01", Settings(), "127.0.0.1",
            server="127.0.0.1", ports={})  # fmt: skip


class Bed:
    """A head and communications in this process, on virtual ticks."""

    def __init__(self, folder, plan: Plan = PLAN) -> None:
        self.folder = folder
        self.head_end, self.comms_end = link.pair()
        self.screen, self.shown = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.told, self.hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.screen, self.told):
            end.setblocking(False)
        self.read, self.beats = os.pipe()
        os.set_blocking(self.beats, False)
        self.log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT, 0o600)
        self.gate = Gate()
        self.head = Head(plan, self.head_end, self.screen, self.beats, self.gate, self.log)
        self.plan = plan
        self.comms = self.begun()
        self.now = 0

    def begun(self) -> Communications:
        return Communications(self.plan, self.comms_end, self.told, self.folder / "box.db", 1000)

    def ticks(self, seconds: float, *, comms_reads: bool = True) -> None:
        for _ in range(int(seconds * NS) // link.TICK_NS):
            self.now += link.TICK_NS
            self.head._tick(self.now)
            if comms_reads:
                self.comms._from_head()
                self.comms.port.send(Kind.ACK, pack(">I", self.comms.box.heard))

    def close(self) -> None:
        self.comms.box.close()
        for end in (self.head_end, self.comms_end, self.screen, self.shown, self.told, self.hears):
            end.close()
        for fd in (self.read, self.beats, self.log):
            os.close(fd)


@pytest.fixture
def bed(tmp_path):
    made = Bed(tmp_path)
    yield made
    made.close()


def numbers(bed: Bed) -> list[int]:
    reads = {"event": telling.read_happened, "alarm": telling.read_alarmed}
    return [reads[entry.kind](entry.body).number for entry in bed.comms.box.waiting(10_000)]


def test_what_the_head_says_waits_on_disk_once_and_in_order(bed: Bed) -> None:
    bed.ticks(600)
    assert bed.head.number >= 8
    assert numbers(bed) == list(range(1, bed.head.number + 1))
    first = bed.comms.box.waiting(1)[0]
    event = telling.read_happened(first.body)
    assert (event.what, first.stamp) == (What.START, 1000 + event.at)
    assert bed.comms.status.phase is bed.head.state.core.phase


def test_c15_what_was_said_while_communications_were_dead_comes_after(bed: Bed) -> None:
    bed.ticks(120)
    before = bed.head.number
    bed.ticks(400, comms_reads=False)
    bed.comms.box.close()
    bed.comms = bed.begun()
    assert bed.head.number > before
    bed.ticks(60)
    assert numbers(bed) == list(range(1, bed.head.number + 1))


def test_what_communications_claim_to_have_moves_nothing_else(bed: Bed) -> None:
    bed.ticks(20)
    core = bed.head.state.core
    liar = Port(bed.comms_end, link.TO_COMMS)
    for body in (b"", b"\xff" * 4, b"\xff" * 52, pack(">I", 0)):
        liar.send(Kind.ACK, body)
    bed.head._tick(bed.now)
    assert bed.head.state.core == core
    bed.head._keep(Kind.EVENT, b"x")
    assert bed.head._untold[-1][0] == bed.head.number


def test_the_head_never_waits_for_a_link_that_nobody_reads(bed: Bed) -> None:
    bed.ticks(900, comms_reads=False)
    assert bed.head.port.unsent > 0
    assert bed.head.state.core.phase in (Phase.RUNNING, Phase.KVO, Phase.PAUSED, Phase.IDLE)
    assert len(bed.head._untold) == bed.head.number <= pump.UNTOLD


def test_t24_a_stall_ends_delivery_at_the_instant_the_gate_closed(bed: Bed) -> None:
    bed.ticks(30)
    assert bed.head.state.core.phase is Phase.RUNNING
    closed = bed.now + 300_000_000
    bed.gate.close(bed.head.began + closed)
    bed.now += NS
    bed.head._watched()
    state = bed.head.state
    assert (state.core.phase, state.now, bed.gate.closed_at) == (Phase.STOPPED, closed, 0)
    assert [(a.value, p.name) for a, p in state.core.alarms] == [("system failure", "HIGH")]
    assert bed.head.stalls == 1
    assert bed.head.steps == given_nl(state, closed) // 100
    assert given_nl(state, closed + 60 * NS) == given_nl(state, closed)
    assert delivered_pl(state, closed) >= 0
    assert Stalled() == Stalled()


def test_events_out_of_turn_and_hostile_frames_are_not_kept(bed: Bed) -> None:
    say = Port(bed.head_end, link.TO_THERAPY)
    one = Happened(What.START, Phase.RUNNING, False, 1, 2, 0, 3, 2)
    say.send(Kind.EVENT, telling.happened_body(one))
    for kind in (Kind.EVENT, Kind.ALARM, Kind.STATUS):
        say.send(kind, b"\xff" * 40)
        bed.comms._from_head()
    assert len(bed.comms.box) == 0
    assert bed.comms.status is None


def test_a_library_goes_to_the_head_in_chunks_and_a_commit(bed: Bed) -> None:
    package = bytes(range(256)) * 2
    bed.comms._library(pump.Offered(2, package, b"offer"))
    chunks = list(bed.comms._chunks)
    assert [kind for kind, _ in chunks] == [Kind.LIBRARY_CHUNK] * 11 + [Kind.LIBRARY_COMMIT]
    assert b"".join(body[2:] for _, body in chunks[:-1]) == package
    assert all(len(body) <= link.BODY for _, body in chunks)


REPLY = messages.dhcp(2, messages.OFFER, 7, bytes(6), [])


def frame(body: bytes, port: int = 68) -> bytes:
    ends = bytes([10, 0, 0, 5]), b"\xff" * 4
    packet = emit.ipv4(*ends, emit.UDP, emit.udp(*ends, 67, port, body), 1)
    return emit.ethernet(b"\xff" * 6, bytes(6), emit.IPV4, packet)


def test_a_dhcp_reply_is_found_in_its_frame() -> None:
    assert pump._dhcp_in(frame(REPLY)) == REPLY
    assert pump._dhcp_in(frame(REPLY, 67)) is None


@given(st.binary(max_size=120), st.integers(0, 60))
def test_hostile_frames_are_read_without_harm(raw: bytes, cut: int) -> None:
    pump._dhcp_in(raw)
    pump._dhcp_in(frame(REPLY)[:cut] + raw)
