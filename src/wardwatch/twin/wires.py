"""Wires: every exchange a process on the clock, over ports that carry one frame at a time.

What an exchange means to say, and after which waits, is its script (``ward.py``). Here it is played:
a step is due when its wait is over and what it answers has arrived. A frame then takes its time on
the sender's port, through the switch, over the router if need be, and to the receiver. The port
that mirrors copies frames in the order in which they passed the switch, and has one line as well.

An event's packets are copied into gaps that the ordinary day leaves: a copy that held another up
would change packets that no label names.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from wardwatch.model.values import NS
from wardwatch.twin.clock import Clock
from wardwatch.twin.emit import BROADCAST
from wardwatch.twin.ward import AIR, ROUTE_NS, TRUNK, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wardwatch.twin.ward import Sent, Ward

ACCESS, BACKBONE, RADIO = 100_000_000, 1_000_000_000, 6_000_000
"""Bits a second: a bedside port, a server's, the router's or the mirror's, and the air [A]."""
SWITCH_NS = 5_000
"""From a frame's last bit in to its first bit out [A]."""
REACT_NS = 20_000
"""The least that a station takes to answer [A]."""
AROUND = 24
"""Octets of preamble, check sequence and gap around a frame without its own (IEEE 802.3)."""


def took(size: int, rate: int) -> int:
    """Nanoseconds that a frame of ``size`` octets occupies a line of ``rate`` bits a second."""
    return (size + AROUND) * 8 * NS // rate


def line(frame: Frame) -> int:
    """Nanoseconds that a copy occupies the port that mirrors it, or the air."""
    return took(len(frame.data), RADIO if frame.interface == AIR else BACKBONE)


def played(ward: Ward, until: int, base: Sequence[Frame] = ()) -> tuple[Frame, ...]:
    """Play what the ward's exchanges mean to say ⇒ its frames as they were copied, in order.

    ``base`` is an ordinary day that was played before, in order: it is not among the answer, and
    nothing moves it. What would be copied at ``until`` or later is left out.
    """
    return _heard(ward, *_ordinary(ward, base), until, base)


def twins(ward: Ward, until: int) -> tuple[tuple[Frame, ...], tuple[Frame, ...]]:
    """Play it ⇒ (:func:`played`, the frames of the same day without its events).

    An event moves no packet of the day, and what it takes the place of is played all the same: so
    one playing tells both.
    """
    day, names = _ordinary(ward)
    clean = tuple(sorted(frame for frame in day if frame.ts < until))
    return _heard(ward, day, names, until), clean


def _ordinary(ward: Ward, base: Sequence[Frame] = ()) -> tuple[list[Frame], list[str]]:
    """The ordinary day as it is copied, with what events took the place of ⇒ (frames, exchanges)."""
    passed = _Wires(ward).play(_scripts(ward, event=False))
    return copied((step[:2] for step in passed), base), [name for _, _, name in passed]


def _heard(
    ward: Ward, day: list[Frame], names: list[str], until: int, base: Sequence[Frame] = ()
) -> tuple[Frame, ...]:
    """What of the day is heard, and the events in the gaps that it leaves."""
    # What an event took the place of was there all the same for those that met it on a line.
    found = [f for f, name in zip(day, names, strict=True) if name not in ward.gone]
    events = _Wires(ward).play(_scripts(ward, event=True))
    found += copied((step[:2] for step in events), sorted([*base, *found]))
    return tuple(sorted(frame for frame in found if frame.ts < until))


def copied(passed: Iterable[tuple[int, Frame]], before: Iterable[Frame] = ()) -> list[Frame]:
    """What the mirroring port makes of frames that passed when: one at a time, in gaps of ``before``.

    Those of ``before`` are in order, and no two of a line at once: as this made them.
    """
    taken: dict[int, list[Frame]] = {TRUNK: [], AIR: []}
    for frame in before:
        taken[frame.interface].append(frame)
    starts = {which: [frame.ts for frame in there] for which, there in taken.items()}
    free = {TRUNK: 0, AIR: 0}
    found = []
    for when, frame in sorted(passed, key=itemgetter(0)):
        which, long = frame.interface, line(frame)
        ts = max(when, free[which])
        begin, there = starts[which], taken[which]
        n = bisect_right(begin, ts)
        if n and (end := begin[n - 1] + line(there[n - 1])) > ts:
            ts = end
        while n < len(begin) and begin[n] < ts + long:
            ts, n = begin[n] + line(there[n]), n + 1
        free[which] = ts + long
        found.append(Frame(ts, which, frame.data, frame.mark))
    return found


def overlaps(frames: Sequence[Frame]) -> int:
    """How many frames, in order, begin before the one before them on their line has ended."""
    free, found = {TRUNK: 0, AIR: 0}, 0
    for frame in frames:
        found += frame.ts < free[frame.interface]
        free[frame.interface] = frame.ts + line(frame)
    return found


def _scripts(ward: Ward, *, event: bool) -> dict[str, list[tuple[Frame, Sent]]]:
    """The frames of each exchange in the order in which it means to send them; an event is one."""
    found: dict[str, list[tuple[Frame, Sent]]] = {}
    for frame, sent in zip(ward.frames, ward.sent, strict=True):
        if bool(frame.mark.event) is event:
            name = f"event {frame.mark.event}" if event else sent.exchange
            found.setdefault(name, []).append((frame, sent))
    for script in found.values():
        script.sort(key=lambda step: step[0].ts)
    return found


class _Exchange:
    """One script on its way."""

    def __init__(self, name: str, steps: list[tuple[Frame, Sent]]) -> None:
        self.name = name
        self.steps = [step for step in steps if step[1].over < 0]
        self.handed = {sent.over: frame for frame, sent in steps if sent.over >= 0}
        """What the router makes of a frame, by that frame's number."""
        self.next = 0
        self.late = 0
        """How much later than it meant the exchange is by now."""
        self.heard: dict[bytes, int] = {}
        """When a MAC last received something of it."""

    def sender(self) -> bytes:
        """MAC of whoever sends the next step; empty at the end, or on the air."""
        if self.next == len(self.steps) or self.steps[self.next][0].interface == AIR:
            return b""
        return self.steps[self.next][0].data[6:12]

    def cause(self, mac: bytes) -> int:
        """When the last of what a station may answer had arrived; 0 nothing has."""
        return max(self.heard.get(mac, 0), self.heard.get(BROADCAST, 0))


class _Wires:
    """The ports of a ward, on a clock of their own."""

    def __init__(self, ward: Ward) -> None:
        self._rates = {
            s.mac: BACKBONE for s in ward.stations.values() if s.kind in ("gateway", "server")
        }
        self._free: dict[bytes, int] = {}
        self._passed: list[tuple[int, Frame, str]] = []
        self._clock = Clock()

    def play(self, scripts: dict[str, list[tuple[Frame, Sent]]]) -> list[tuple[int, Frame, str]]:
        """Every script from its beginning ⇒ (when, frame, exchange) in the order of passing."""
        for name, script in scripts.items():
            self._due(_Exchange(name, script))
        self._clock.run()
        return sorted(self._passed, key=itemgetter(0))

    def _due(self, exchange: _Exchange) -> None:
        """Let an exchange's next step happen when its wait is over and its cause has arrived."""
        if exchange.next == len(exchange.steps):
            return
        frame, _ = exchange.steps[exchange.next]
        due = max(frame.ts + exchange.late, self._clock.now)
        if frame.interface == TRUNK and (cause := exchange.cause(frame.data[6:12])):
            due = max(due, cause + REACT_NS)
        exchange.late = due - frame.ts
        self._clock.at(due, lambda: self._step(exchange))

    def _step(self, exchange: _Exchange) -> None:
        """One step now, and the next when it is due."""
        frame, sent = exchange.steps[exchange.next]
        exchange.next += 1
        if frame.interface == AIR:
            self._passed.append((self._clock.now, frame, exchange.name))
            self._due(exchange)
            return
        there = self._carried(frame, exchange)
        far = exchange.handed.get(sent.number)
        goes_on = exchange.sender() in (b"", frame.data[6:12])
        if far is not None:
            self._clock.at(there + ROUTE_NS, lambda: self._handed(far, exchange, not goes_on))
        if far is None or goes_on:
            self._due(exchange)

    def _handed(self, frame: Frame, exchange: _Exchange, awaited: bool) -> None:
        """The router hands a frame on; ``awaited``: whoever is next may answer it."""
        self._carried(frame, exchange)
        if awaited:
            self._due(exchange)

    def _carried(self, frame: Frame, exchange: _Exchange) -> int:
        """Send a frame now, by its sender's port ⇒ when it has arrived."""
        to, sender, size = frame.data[:6], frame.data[6:12], len(frame.data)
        begin = max(self._clock.now, self._free.get(sender, 0))
        self._free[sender] = end = begin + took(size, self._rates.get(sender, ACCESS))
        through = end + SWITCH_NS
        self._passed.append((through, frame, exchange.name))
        there = through + took(size, self._rates.get(to, ACCESS))
        exchange.heard[to] = there
        return there
