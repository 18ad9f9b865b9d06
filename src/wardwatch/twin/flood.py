"""Flood: ten times what its line carries, at a pump's communications, and what therapy notices of it.

A live ward in namespaces; the pump's cable is held to a line rate, a station of the ward sends ten
times as much for a while, then the ward is left alone until the server hears the pump again (S-17).
Therapy must be, digit by digit, what the same acts come to in virtual time with nobody at the link.

    python -m wardwatch.twin.flood --seconds 60

Nothing of it can leave: the flood is made of constant octets, in a namespace this process made, for
a pump that this process made.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from wardwatch.twin import ground, messages, pump, spaces
from wardwatch.twin.live import Ward, Wish

if TYPE_CHECKING:
    from wardwatch.twin.live import Picture

LINE_MBIT = 11.0
"""[A] What the pump's radio carries (802.11b)."""
TIMES = 10
RECOVERY_S = 60.0
BODY = 1400
BURST = 64
TARGETS = (3210, 53, 2200)
"""UDP ports the flood is for; a burst in 16 is of connections to 3210 instead."""
BEGUN_S = 30.0
LONGEST_S = 600.0


class Outcome(msgspec.Struct, frozen=True):
    """What a flood did."""

    seconds: float
    sent_mbit_s: float
    core_equal: bool
    """Everything that delivers is what the same acts give in virtual time."""
    steps_off: int
    """Motor steps between those made and those that are due at that instant."""
    given_nl: int
    stalls: int
    """Times the watchdog stopped the motor: then the acts include it, and the flood was noticed."""
    late_before_ms: float
    late_max_ms: float
    """Lateness of the head's loop: before the flood, and over all of it. The machine's doing."""
    connected_through: bool
    """Whether the session with the server outlived the flood."""
    recovery_s: float
    """From the flood's end until the server heard the pump again; -1: not within a minute."""
    restarts: int
    lost_reports: int
    """Sequence numbers the server never got, of those told until the end."""


def flood(seconds: float) -> Outcome:
    """One run; the ward it needs is made and cleared away.

    :raises OSError: namespaces are not permitted here.
    """
    if why := spaces.possible():
        raise spaces.SpaceError(why)
    wish = Wish(
        pumps=1, dhcp=0, seconds=min(seconds, LONGEST_S) + BEGUN_S + RECOVERY_S + 30, interval_s=5.0
    )
    with Ward(wish) as ward:
        before = ward.watch(_running, BEGUN_S)
        if not _running(before):
            raise spaces.SpaceError("the pump did not begin to infuse")
        _hold(ward)
        pid, count = _sender(ward, seconds)
        during = ward.watch(lambda _: False, seconds)
        sent = _ended(pid, count)
        heard = _reports(during)
        ended = time.monotonic()
        after = ward.watch(lambda page: _reports(page) > heard and _connected(page), RECOVERY_S)
        back = _reports(after) > heard and _connected(after)
        recovery = time.monotonic() - ended if back else -1.0
        acts = (ward.folder / "pump-1.acts").read_bytes()
        rules = ward.plans["pump-1"].rules
    page = after.beds[0].page
    truth = pump.replayed(acts, page.at, rules)
    return Outcome(
        seconds=seconds,
        sent_mbit_s=sent * 8 / 1e6 / seconds,
        core_equal=pump.digest(truth.state.core) == page.core,
        steps_off=abs(truth.steps - page.steps),
        given_nl=page.given_nl,
        stalls=page.stalls,
        late_before_ms=before.beds[0].page.late_max_ms,
        late_max_ms=page.late_max_ms,
        connected_through=after.beds[0].radio.sessions == before.beds[0].radio.sessions,
        recovery_s=round(recovery, 2),
        restarts=after.beds[0].restarts,
        lost_reports=after.beds[0].radio.waiting,
    )


def _running(picture: Picture) -> bool:
    return picture.beds[0].page.phase == "running" and _connected(picture) and _reports(picture) > 0


def _connected(picture: Picture) -> bool:
    return picture.beds[0].radio.connected


def _reports(picture: Picture) -> int:
    return sum(pump.reports for pump in picture.fleet.pumps)


def _hold(ward: Ward) -> None:
    """The pump's cable carries its line rate and no more."""
    assert ward.switch is not None
    with ward.switch.space.entered():
        spaces.run([
            spaces.tool("tc") or "tc", "qdisc", "add", "dev", ward.ports["pump-1"], "root", "tbf",
            "rate", f"{LINE_MBIT}mbit", "burst", "64kb", "latency", "50ms",
        ])  # fmt: skip


def _sender(ward: Ward, seconds: float) -> tuple[int, int]:
    """A process at the bench that floods; its pid, and where it writes how much it sent."""
    read, write = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        spaces.ends_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.alarm(int(seconds) + 10)
        ward.spaces["bench"].stay()
        os.write(write, str(_send(ward.plans["pump-1"].address, seconds)).encode())
    finally:
        os._exit(0)


def _ended(pid: int, read: int) -> int:
    with os.fdopen(read, "rb") as told:
        sent = told.read()
    os.waitpid(pid, 0)
    return int(sent or b"0")


def _send(address: str, seconds: float) -> int:
    """Octets sent, on the wire: paced to ten times the line rate."""
    target = ground.permitted(address)
    body = messages.FILLER * BODY
    size = BODY + 42
    octets_s = LINE_MBIT * TIMES * 1e6 / 8
    sent = bursts = 0
    begun = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        while (now := time.monotonic() - begun) < seconds:
            if sent > octets_s * now:
                time.sleep(0.001)
                continue
            bursts += 1
            if bursts % 16 == 0:
                _connects(target)
                continue
            for _ in range(BURST):
                try:
                    one.sendto(body, (target, TARGETS[bursts % len(TARGETS)]))
                    sent += size
                except OSError:
                    time.sleep(0.0005)
    return sent


def _connects(target: str) -> None:
    """A connection to the status port, begun and left."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.setblocking(False)
        one.connect_ex((target, 3210))


def main() -> int:
    """One run as JSON; the exit status says whether S-17 held."""
    words = argparse.ArgumentParser(description=__doc__, prog="wardwatch.twin.flood")
    words.add_argument("--seconds", type=float, default=60.0)
    asked = words.parse_args()
    one = flood(min(asked.seconds, LONGEST_S))
    sys.stdout.write(json.dumps(msgspec.to_builtins(one), indent=1) + "\n")
    held = one.core_equal and one.steps_off <= 1 and one.recovery_s >= 0
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
