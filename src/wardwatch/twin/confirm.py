"""Confirmation: therapy and communications as real processes, and one of them made to misbehave.

Isolation is proved in virtual time; here a head runs by the clock of this machine while its
communications are killed, stopped, or flood the link. What it delivered and announced must be what
the virtual run of the same script says. How late it was is reported beside a run without a fault,
never judged here: that is the machine's doing, not the design's.

    python -m wardwatch.twin.confirm --fault none --fault kill --seconds 60

Where it is permitted the head leaves every network and, with ``--priority``, runs in real time.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import isolation, link, therapy
from wardwatch.twin.link import TICK_NS, Kind, Port
from wardwatch.twin.therapy import Alarm, Received, Record, Rules, Sound, State, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNET = 0x40000000
ML = 1_000_000
ACK_S = 0.05
KILL_S = 0.1
"""Between two kills: 60 s give more than the 400 that S-9 asks for."""
FAULT_SEED = 9


class Outcome(msgspec.Struct, frozen=True):
    """What one run came to."""

    fault: str
    seconds: float
    given_nl: int
    expected_nl: int
    steps_off: int
    """Motor steps between those made by the end and those of the virtual run."""
    burst: int
    """Most steps made at once: what was late is caught up, which a real motor could not (T-24)."""
    delivered_equal: bool
    alarms_equal: bool
    records: int
    log_whole: bool
    """Of the log as it stands on disk: every record, and the chain closed."""
    kills: int
    good: int
    dropped: int
    unsent: int
    lost: int
    """Times communications were noticed lost."""
    violations: int
    alarm_latency_ms: float
    """The longest, from the crossing to the announcement; -1 if none was announced."""
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    no_network: bool
    real_time: bool


def acts(seconds: float) -> isolation.Script:
    """An infusion that is occluded in the middle of the run, and soon says so."""
    order = therapy.Order(60 * ML, limit_mmhg=104.0)
    return (
        (0, therapy.PowerOn()),
        (0, therapy.Load("bd-3", 3 * ML)),
        (0, therapy.Programme(order)),
        (0, therapy.Confirm()),
        (0, therapy.Start()),
        (int(0.3 * seconds * NS), therapy.Rate(110 * ML)),
        (int(0.5 * seconds * NS), therapy.Clamp(occluded=True)),
    )


class Head:
    """Therapy by the clock of this machine, in a process of its own."""

    def __init__(self, end: socket.socket, seconds: float, log: int) -> None:
        self.port = Port(end, link.TO_THERAPY)
        self.seconds = seconds
        self.log = log
        self.state = State(rules=Rules(key=b"made for one run"))
        self.records: list[Record] = []
        self.sounds: list[Sound] = []
        self.lost = self.steps = self.burst = 0
        self.latency: list[int] = []
        self.late: list[int] = []
        self.began = 0

    def run(self) -> None:
        """Tick by tick at absolute instants, so that lateness never adds up."""
        script, end = list(acts(self.seconds)), int(self.seconds * NS)
        self.began = time.monotonic_ns()
        tick = 0
        while tick <= end:
            due = min(tick, therapy.deadline(self.state), *(at for at, _ in script[:1]))
            self._until(due)
            now = time.monotonic_ns() - self.began
            self.late.append(now - due)
            while script and script[0][0] <= now:
                at, event = script.pop(0)
                self.ask(event, at)
            if now >= tick:
                for frame in self.port.poll():
                    self.ask(Received(frame), min(now, end))
                self.port.send(Kind.STATUS, therapy.given_nl(self.state, now).to_bytes(8, "big"))
                tick += TICK_NS
            self.turn(min(now, end))
        self.turn(end)

    def turn(self, at: int) -> None:
        """The motor makes the steps that are due: never more than were given by then."""
        self.ask(Wait(), at)
        steps = therapy.given_nl(self.state, at) // therapy.MOTOR_STEP_NL
        self.burst = max(self.burst, steps - self.steps)
        self.steps = max(steps, self.steps)

    def ask(self, event: therapy.Event, at: int) -> None:
        """One step; what it records is on disk before anything else happens."""
        self.state, actions, _ = therapy.step(self.state, event, at)
        for action in actions:
            if isinstance(action, Record):
                self.records.append(action)
                os.write(self.log, msgspec.json.encode(action) + b"\n")
            elif isinstance(action, Sound) and action.alarm is Alarm.LINK_LOST:
                self.lost += action.on
            elif isinstance(action, Sound):
                self.sounds.append(action)
                self.latency.append(time.monotonic_ns() - self.began - action.at)

    def _until(self, at: int) -> None:
        left = self.began + at - time.monotonic_ns()
        if left > 0:
            time.sleep(left / NS)

    def outcome(self, fault: str, *, no_network: bool, real_time: bool) -> Outcome:
        """Beside the virtual run of the same script."""
        end = int(self.seconds * NS)
        truth = virtual(self.seconds)
        given = therapy.given_nl(self.state, end)
        expected = therapy.given_nl(State(core=truth.core), end)
        late, counts = sorted(self.late), self.port.counts
        return Outcome(
            fault=fault,
            seconds=self.seconds,
            given_nl=given,
            expected_nl=expected,
            steps_off=abs(self.steps - expected // therapy.MOTOR_STEP_NL),
            burst=self.burst,
            delivered_equal=therapy.delivered_pl(self.state, end) == truth.delivered_pl,
            alarms_equal=tuple(self.sounds) == truth.sounds,
            records=self.state.records,
            log_whole=therapy.chained(self.records),
            kills=0,
            good=counts.good,
            dropped=counts.dropped,
            unsent=self.port.unsent,
            lost=self.lost,
            violations=self.state.comms.violations,
            alarm_latency_ms=max(self.latency, default=-1_000_000) / 1e6,
            late_p50_ms=late[len(late) // 2] / 1e6,
            late_p99_ms=late[len(late) * 99 // 100] / 1e6,
            late_max_ms=late[-1] / 1e6,
            no_network=no_network,
            real_time=real_time,
        )


def virtual(seconds: float) -> isolation.Run:
    """The same script under virtual time, with nobody at the other end."""
    state = State()
    sounds: list[Sound] = []
    end = int(seconds * NS)
    for at, event in (*acts(seconds), (end, Wait())):
        state, actions, _ = therapy.step(state, event, at)
        sounds += [action for action in actions if isinstance(action, Sound)]
    return isolation.Run(state.core, therapy.delivered_pl(state, end), tuple(sounds))


# What the other process does -------------------------------------------------------------------


def _healthy(port: Port) -> None:
    while True:
        port.poll()
        port.send(Kind.ACK)
        time.sleep(ACK_S)


def _flood(port: Port) -> None:
    while True:
        port.send(Kind.ACK)


def _garbage(port: Port) -> None:
    draws = Random(FAULT_SEED)  # noqa: S311
    while True:
        _pushed(port, draws.randbytes(draws.choice([1, 63, 64, 65, 500])))


def _forged(port: Port) -> None:
    draws = Random(FAULT_SEED)  # noqa: S311
    while True:
        _pushed(port, isolation.forged(draws))


def _pushed(port: Port, raw: bytes) -> None:
    try:
        port.end.send(raw)
    except BlockingIOError:
        time.sleep(0.001)


def _spin(port: Port) -> None:
    while port:
        pass


def _deaf(port: Port) -> None:
    _ = port
    while True:
        time.sleep(1)


FAULTS: dict[str, Callable[[Port], None]] = {
    "none": _healthy,
    "kill": _healthy,
    "stop": _healthy,
    "flood": _flood,
    "garbage": _garbage,
    "forged": _forged,
    "spin": _spin,
    "deaf": _deaf,
}
"""``kill`` and ``stop`` are done to a healthy module, by signals."""


# The supervisor --------------------------------------------------------------------------------


def confirm(fault: str, seconds: float, log: Path, *, priority: bool = False) -> Outcome:
    """One run: a head, communications with that fault, and nobody left behind."""
    head_end, comms_end = link.pair()
    read, write = os.pipe()
    head = _forked(lambda: _head(head_end, fault, seconds, log, write, priority), seconds)
    os.close(write)

    def other() -> int:
        return _forked(lambda: FAULTS[fault](Port(comms_end, link.TO_COMMS)), seconds)

    child, kills = other(), 0
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            time.sleep(KILL_S)
            if fault == "kill":
                _ended(child)
                child, kills = other(), kills + 1
            elif fault == "stop":
                os.kill(child, signal.SIGSTOP)
                time.sleep(KILL_S)
                os.kill(child, signal.SIGCONT)
        with os.fdopen(read, "rb") as told:
            outcome = msgspec.json.decode(told.read(), type=Outcome)
    finally:
        _ended(child)
        _ended(head)
        head_end.close()
        comms_end.close()
    disk = logged(log)
    whole = outcome.log_whole and therapy.chained(disk) and len(disk) == outcome.records
    return msgspec.structs.replace(outcome, kills=kills, log_whole=whole)


def killed_head(seconds: float, log: Path) -> list[Record]:
    """The log on disk after the head itself was killed in the middle of a run (T-28)."""
    head_end, comms_end = link.pair()
    read, write = os.pipe()
    head = _forked(lambda: _head(head_end, "none", seconds * 10, log, write, False), seconds * 10)
    os.close(write)
    time.sleep(seconds)
    _ended(head)
    os.close(read)
    head_end.close()
    comms_end.close()
    return logged(log)


def logged(log: Path) -> list[Record]:
    """The records of a log file; a line cut off by the end of its writer is left out."""
    whole = log.read_bytes().rpartition(b"\n")[0]
    return [msgspec.json.decode(line, type=Record) for line in whole.splitlines()]


def _head(
    end: socket.socket, fault: str, seconds: float, log: Path, write: int, priority: bool
) -> None:
    no_network, real_time = _leave_network(), priority and _real_time()
    virtual(seconds)  # profiles are read and code is warm before the clock runs
    gc.freeze()
    gc.disable()
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    head = Head(end, seconds, opened)
    head.run()
    outcome = head.outcome(fault, no_network=no_network, real_time=real_time)
    os.write(write, msgspec.json.encode(outcome))


def _forked(act: Callable[[], None], seconds: float) -> int:
    """A process of ours that ends by itself if everything else fails."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm(int(seconds) + 10)
        act()
    finally:
        os._exit(0)


def _ended(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _leave_network() -> bool:
    """A network namespace with nothing in it, where the machine permits one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket() as one:
        try:
            one.connect(("127.0.0.1", 9))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return False


def _real_time() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    except (OSError, AttributeError):
        return False
    return True


def main() -> int:
    """A line of JSON for each run; the exit status says whether all of them held."""
    words = argparse.ArgumentParser(description=__doc__, prog="wardwatch.twin.confirm")
    words.add_argument("--fault", action="append", choices=[*FAULTS], default=None)
    words.add_argument("--seconds", type=float, default=12.0)
    words.add_argument("--priority", action="store_true")
    asked = words.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as place:
        for fault in asked.fault or [*FAULTS]:
            log = Path(place) / f"{fault}.jsonl"
            one = confirm(fault, asked.seconds, log, priority=asked.priority)
            held &= one.steps_off <= 1 and one.alarms_equal and one.log_whole
            sys.stdout.write(json.dumps(msgspec.to_builtins(one)) + "\n")
            sys.stdout.flush()
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
