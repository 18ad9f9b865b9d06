"""Two pictures as plain shapes: who talks to whom by zone, and the time line.

Only numbers and texts leave this module; the template draws them as SVG and escapes the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import UNKNOWN_TIME, utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardwatch.model.report import Group, Link, Moment

WIDTH = 960
BOX_WIDTH, BOX_HEIGHT, ROW = 210, 34, 52
LANE = 20
LABELS, LEAST = 370, 5
MOST_LANES = 24
"""Marks on the time line; the lists behind it hold the rest."""


class Box(msgspec.Struct, frozen=True):
    """A group of devices: a box with a label."""

    x: float
    y: float
    label: str
    members: int


class Heading(msgspec.Struct, frozen=True):
    """A zone's name over its column."""

    x: float
    y: float
    label: str


class Edge(msgspec.Struct, frozen=True):
    """A line between two boxes; ``path`` is SVG path data made of our own numbers."""

    path: str
    width: float
    forbidden: bool
    label: str


class Talk(msgspec.Struct, frozen=True):
    """The picture of who talks to whom."""

    width: int
    height: int
    box_width: int
    box_height: int
    headings: tuple[Heading, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


class Mark(msgspec.Struct, frozen=True):
    """One bar on the time line."""

    x: float
    y: float
    length: float
    lane: str
    text: str


class Tick(msgspec.Struct, frozen=True):
    """One stamp under the time line."""

    x: float
    label: str
    anchor: str


class Line(msgspec.Struct, frozen=True):
    """The time line."""

    width: int
    height: int
    labels: int
    """Where the names end and the bars begin."""
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    more: int


def talk(groups: Sequence[Group], links: Sequence[Link]) -> Talk:
    """Lay the groups out in a column a zone, four columns a band, and join them."""
    zones = sorted(
        {g.zone for g in groups}, key=lambda z: (-sum(g.members for g in groups if g.zone == z), z)
    )
    gap = (WIDTH - 4 * BOX_WIDTH) / 3
    boxes: dict[str, Box] = {}
    headings: list[Heading] = []
    top, lowest = 34.0, 0.0
    for index, zone in enumerate(zones):
        column, band = index % 4, index // 4
        if column == 0 and band:
            top = lowest + 46
        x = column * (BOX_WIDTH + gap)
        headings.append(Heading(x, top - 12, zone))
        for row, group in enumerate(
            sorted((g for g in groups if g.zone == zone), key=lambda g: (-g.members, g.kind))
        ):
            y = top + row * ROW
            boxes[group.id] = Box(x, y, group.kind, group.members)
            lowest = max(lowest, y + BOX_HEIGHT)
    most = max((link.bytes for link in links), default=1) or 1
    edges = tuple(
        Edge(
            _path(boxes[link.source], boxes[link.target]),
            1 + 4 * (link.bytes / most) ** 0.4,
            link.forbidden,
            f"{link.source} → {link.target}: {link.conversations:,} conversations, {link.bytes:,} bytes",
        )
        for link in sorted(links, key=lambda link: link.forbidden)
        if link.source in boxes and link.target in boxes
    )
    return Talk(
        WIDTH,
        int(lowest + 16),
        BOX_WIDTH,
        BOX_HEIGHT,
        tuple(headings),
        tuple(boxes.values()),
        edges,
    )


def _path(a: Box, b: Box) -> str:
    """A curve from one box to another that leaves by the nearer sides."""
    ay, by = a.y + BOX_HEIGHT / 2, b.y + BOX_HEIGHT / 2
    if a.x == b.x:
        x = a.x + BOX_WIDTH
        bow = 18 + abs(ay - by) / 6
        return f"M{x:.0f} {ay:.0f} C{x + bow:.0f} {ay:.0f} {x + bow:.0f} {by:.0f} {x:.0f} {by:.0f}"
    left, right = (a, b) if a.x < b.x else (b, a)
    x1, x2 = left.x + BOX_WIDTH, right.x
    y1, y2 = left.y + BOX_HEIGHT / 2, right.y + BOX_HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1:.0f} {y1:.0f} C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"


def timeline(first: int, last: int, moments: Sequence[Moment]) -> Line:
    """A row a moment, in order: its name on the left, its bar under the span of the capture."""
    if first == UNKNOWN_TIME:
        return Line(WIDTH, 0, LABELS, (), (), 0)
    length = max(last - first, 1)
    room = WIDTH - LABELS - 10

    def place(instant: int) -> float:
        return LABELS + min(max((instant - first) / length, 0.0), 1.0) * room

    marks = []
    for row, moment in enumerate(moments[:MOST_LANES]):
        start = min(place(moment.ts), WIDTH - 10 - LEAST)
        width = max(place(moment.last_ts) - start, LEAST)
        marks.append(Mark(start, 10 + row * LANE, width, moment.lane, moment.text))
    stamps = [first + length * n // 3 for n in range(4)]
    anchors = ("start", "middle", "middle", "end")
    ticks = tuple(
        Tick(place(t), utc_text(t)[5:16], anchor) for t, anchor in zip(stamps, anchors, strict=True)
    )
    height = 10 + len(marks) * LANE + 26
    return Line(WIDTH, height, LABELS, tuple(marks), ticks, max(len(moments) - MOST_LANES, 0))
