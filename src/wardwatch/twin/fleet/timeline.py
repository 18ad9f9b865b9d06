"""Timeline: every event of a fleet in order of time, window by window.

Reports are a renewal process of each pump, made a window at a time from numbers that hang on seed,
pump and count alone: the length of a window changes no event. What a pump says while it has no
network waits, and is sent after it has joined again: first what is live, then the backlog in order,
with the stamps of when it was made.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wardwatch.model.values import NS
from wardwatch.twin.fleet import head
from wardwatch.twin.fleet.hospital import VLAN_PUMPS, hospital
from wardwatch.twin.fleet.kernels import mixed
from wardwatch.twin.fleet.life import (
    BACKLOG_NS,
    CATCH_UP_NS,
    CUT,
    STARTED,
    Life,
    keyed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Ints = NDArray[np.int64]

MS = 1_000_000
WINDOW_EVENTS = 60_000
"""Reports of one window, about."""
ROUTER_S = 500
"""Between the advertisements of a router (RFC 4861 §6.2.1: 200 to 600 s)."""


class What(IntEnum):
    """Kinds of events."""

    ROUTER = 0
    """A router advertises itself; ``pump`` is the first one of its VLAN."""
    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    ACK = 4
    """DHCP after a power cut, message by message."""
    REBOOT = 5
    """DHCP of a pump that knows its address (INIT-REBOOT)."""
    RENEW = 6
    ANNOUNCE = 7
    """Gratuitous ARP."""
    JOIN = 8
    """ARP, DNS, and the connection to its server."""
    REOPEN = 9
    """The connection ends, and the next begins."""
    LIBRARY = 10
    """A package is fetched."""
    REPORT = 11
    """What follows is a message of the pump; this one is the periodic one."""
    START = 12
    STOP = 13
    """An infusion ends, by itself or by hand."""
    ALARM = 14
    ALARM_END = 15
    MOVED = 16
    """A pump is in another care area; no packet says so."""


ORDINARY, LIVE, BACKLOG = range(3)
"""How a message was sent: as usual; first after joining; from the buffer."""


class Events(NamedTuple):
    """Events as columns, by ``at``."""

    at: Ints
    """When it is sent, ns from the start."""
    pump: Ints
    what: Ints
    made: Ints
    """When it was made; before ``at`` for what waited."""
    number: Ints
    """Of a pump's messages, 1, 2, 3 …, in order of ``made``; a DHCP event's transaction."""
    rate: Ints
    """nL/h of the running infusion; 0 none."""
    given: Ints
    """nL of it given when the message was made."""
    detail: Ints
    """nL left of the infusion, of its events and of reports; cause of an alarm; ``secs`` of a DHCP
    message; version of a library; the new care area."""
    sent: Ints
    """ORDINARY, LIVE or BACKLOG."""
    library: Ints
    """Version of the drug library in use when the message was made; 0 where it is none."""

    def rows(self, which: Ints | NDArray[np.bool_] | slice) -> Events:
        """Some of them."""
        return Events(*(column[which] for column in self))


def joined(parts: list[Events]) -> Events:
    """One list after another."""
    return Events(*(np.concatenate(column) for column in zip(*parts, strict=True)))


NONE = Events(*(np.zeros(0, np.int64) for _ in Events._fields))


def whole(life: Life, window_ns: int = 0) -> Events:
    """Every event of the span at once."""
    return joined([NONE, *(events for _, events in windows(life, window_ns))])


def windows(life: Life, window_ns: int = 0) -> Iterator[tuple[int, Events]]:
    """Windows of the span: (end of the window, its events in order of time)."""
    width = window_ns or max(
        int(WINDOW_EVENTS / life.fleet.pumps * life.fleet.plan.interval_s * NS), 60 * NS
    )
    timeline = _Timeline(life)
    for start in range(0, life.span, width):
        end = min(start + width, life.span)
        yield end, timeline.window(start, end)


class _Timeline:
    """What is carried from window to window."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.seed = life.fleet.plan.seed
        self.interval = int(life.fleet.plan.interval_s * NS)
        self.next = life.joined + 1500 * MS
        """Each pump's next report."""
        self.count = np.zeros(life.fleet.pumps, np.int64)
        self.numbered = np.zeros(life.fleet.pumps, np.int64)
        self.waiting = NONE
        """Made, and not sent: ``detail`` as it will be, ``sent`` BACKLOG."""
        self.outage = np.zeros(0, np.int64)
        """The outage that holds each of them."""
        self.later = NONE
        """Sent in a later window, their instants known."""
        self.acts = _acts(life)
        self.messages = _messages(life)

    def window(self, start: int, end: int) -> Events:
        """The events sent in [start, end)."""
        made = joined([self._reports(end), _between(self.messages, start, end)])
        made = made.rows(np.lexsort((made.made, made.pump)))
        made = made._replace(number=self._numbers(made.pump))
        rate, given, left = self._infusion(made.pump, made.made)
        detail = np.where(made.what <= What.STOP, left, made.detail)
        library = 1 + (made.made >= self.life.library.used[made.pump])
        made = made._replace(rate=rate, given=given, detail=detail, library=library)
        held = self.life.outages.holding(made.pump, made.made)
        back = self._back(made.rows(held >= 0), held[held >= 0], end)
        ready = joined([_between(self.acts, start, end), made.rows(held < 0), back, self.later])
        ready = ready.rows(np.lexsort((ready.what, ready.pump, ready.at)))
        cut = int(np.searchsorted(ready.at, end))
        self.later = ready.rows(slice(cut, None))
        return ready.rows(slice(cut))

    def _reports(self, end: int) -> Events:
        """Reports made before ``end``: intervals even within ± 10 % (C-6), summed up."""
        jitter = hospital()["report_jitter"]
        shortest = self.interval * (1 - jitter)
        first = int(self.next.min())
        many = max(int((end - first) / shortest) + 2, 1)
        pumps = np.arange(self.life.fleet.pumps)
        turn = self.count[:, None] + np.arange(many)
        even = mixed(mixed(mixed(self.seed) + pumps)[:, None] + turn) / 2**32
        steps = (self.interval * (1 - jitter + 2 * jitter * even)).astype(np.int64)
        at = np.concatenate([self.next[:, None], steps], axis=1).cumsum(axis=1)
        counts = (at < end).sum(axis=1)
        self.next = at[pumps, counts]
        self.count += counts
        pump = np.repeat(pumps, counts)
        within = np.arange(len(pump)) - np.repeat(np.cumsum(counts) - counts, counts)
        return _told(What.REPORT, at[pump, within], pump)

    def _numbers(self, pump: Ints) -> Ints:
        """The next numbers of each pump, for messages sorted by pump."""
        counts = np.bincount(pump, minlength=len(self.numbered))
        first = np.repeat(np.cumsum(counts) - counts, counts)
        numbers = self.numbered[pump] + np.arange(len(pump)) - first + 1
        self.numbered += counts
        return numbers

    def _infusion(self, pump: Ints, at: Ints) -> tuple[Ints, Ints, Ints]:
        """Rate, displayed volume and what is left of the infusion that runs, or ends just now."""
        all_of = self.life.infusions
        row = np.searchsorted(keyed(all_of.pump, all_of.start), keyed(pump, at), "right") - 1
        safe = np.maximum(row, 0)
        runs = (row >= 0) & (all_of.pump[safe] == pump) & (at <= all_of.end[safe])
        runs &= at >= all_of.start[safe]
        rate = np.where(runs, all_of.rate[safe], 0)
        passed = np.where(runs, at - all_of.start[safe], 0)
        given = np.minimum(head.displayed(rate, passed), all_of.vtbi[safe])
        return rate, given, np.where(runs, all_of.vtbi[safe] - given, 0)

    def _back(self, held: Events, of: Ints, end: int) -> Events:
        """What waits for outages that end before ``end``, at the instants it is sent."""
        outages = self.life.outages
        self.waiting = joined([self.waiting, held._replace(sent=np.full(len(of), BACKLOG))])
        self.outage = np.concatenate([self.outage, of])
        over = outages.end[self.outage] < end
        ready, of = self.waiting.rows(over), self.outage[over]
        self.waiting, self.outage = self.waiting.rows(~over), self.outage[~over]
        order = np.lexsort((ready.number, of))
        ready, of = ready.rows(order), of[order]
        first = np.searchsorted(of, of)
        rank = np.arange(len(of)) - first
        wait = np.where(outages.joins()[of], BACKLOG_NS, 50 * MS)
        return ready._replace(at=outages.end[of] + wait + rank * CATCH_UP_NS)


def _acts(life: Life) -> Events:
    """Everything that is no message, by instant."""
    fleet, outages = life.fleet, life.outages
    joins = outages.joins()
    pump, end, cause = outages.pump[joins], outages.end[joins], outages.cause[joins]
    again = cause != STARTED
    # After a power cut the storm has told all of it.
    asks = fleet.dhcp[pump] & again & (cause != CUT)
    join = end + np.where(asks, 300 * MS, np.where(again, 50 * MS, 0))
    transaction = mixed(mixed(pump) + end // 1000)
    parts = [
        _told(What.REBOOT, end[asks], pump[asks], number=transaction[asks]),
        _told(What.ANNOUNCE, join[again] - 40 * MS, pump[again]),
        _told(What.JOIN, join, pump, sent=np.full(len(pump), LIVE)),
        _told(What.REOPEN, life.reopened[1], life.reopened[0]),
        _told(What.RENEW, life.renewed[1], life.renewed[0],
              number=mixed(mixed(life.renewed[0]) + life.renewed[1] // 1000)),
        _told(What.MOVED, life.moves.back, life.moves.pump, detail=life.moves.area),
        _told(What.LIBRARY, life.library.fetched, np.arange(fleet.pumps), detail=2),
    ]  # fmt: skip
    if life.storm is not None:
        what = np.zeros(6, np.int64)
        what[[1, 2, 3, 5]] = What.DISCOVER, What.OFFER, What.REQUEST, What.ACK
        s = life.storm
        parts.append(
            _told(what[s.kind], s.at, s.client, number=mixed(s.client + 77), detail=s.since)
        )
    for number in range(len(fleet.vlans)):
        at = np.arange(number * NS + NS, life.span, ROUTER_S * NS)
        parts.append(_told(What.ROUTER, at, np.full(len(at), number * VLAN_PUMPS)))
    acts = joined(parts)
    return acts.rows(np.argsort(acts.at, kind="stable"))


def _messages(life: Life) -> Events:
    """Messages that are no periodic report, by the instant they are made."""
    infusions, alarms, outages = life.infusions, life.alarms, life.outages
    joins = outages.joins()
    live = outages.end[joins] + 1000 * MS
    parts = [
        _told(What.START, infusions.start, infusions.pump),
        _told(What.STOP, infusions.end, infusions.pump),
        _told(What.ALARM, alarms.start, alarms.pump, detail=alarms.cause),
        _told(What.ALARM_END, alarms.end, alarms.pump, detail=alarms.cause),
        _told(What.REPORT, live, outages.pump[joins], sent=np.full(len(live), LIVE)),
    ]
    found = joined(parts)
    found = found.rows((found.made >= 0) & (found.made < life.span))
    return found.rows(np.argsort(found.made, kind="stable"))


def _told(
    what: What | Ints,
    at: Ints,
    pump: Ints,
    *,
    number: Ints | None = None,
    detail: Ints | int = 0,
    sent: Ints | None = None,
) -> Events:
    """Events of which only this is known."""
    zeros = np.zeros(len(at), np.int64)
    return Events(
        at=at, pump=pump, what=zeros + what, made=at, number=zeros if number is None else number,
        rate=zeros, given=zeros, detail=zeros + detail, sent=zeros if sent is None else sent,
        library=zeros,
    )  # fmt: skip


def _between(events: Events, start: int, end: int) -> Events:
    """Those of a sorted list in [start, end)."""
    first, last = np.searchsorted(events.at, [start, end])
    return events.rows(slice(int(first), int(last)))
