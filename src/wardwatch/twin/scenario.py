"""Scenario: the demo day, attacked and clean, played on the ward and written as captures."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path

import msgspec

from wardwatch.capture.write import PcapngWriter
from wardwatch.model.values import NS
from wardwatch.twin.attacks import PLAYS, Event
from wardwatch.twin.cast import HOSTS, MIRRORED, list_csv, site_toml, stations
from wardwatch.twin.certs import Pki, pki
from wardwatch.twin.stage import Pace, Stage
from wardwatch.twin.truth import Truth, truth
from wardwatch.twin.ward import Frame, Ward
from wardwatch.twin.wires import played, twins

INTERFACES = ((1, "trunk", 262144), (127, "air", 262144))


class Plan(msgspec.Struct, frozen=True):
    """A scenario file."""

    name: str
    start: str
    hours: float
    pace: Pace = Pace()
    event: tuple[Event, ...] = ()


class Day(msgspec.Struct, frozen=True):
    """A day as it was played: frames in file order, and what they were played from."""

    seed: int
    attacked: bool
    start: int
    plan: Plan
    ward: Ward
    frames: tuple[Frame, ...]
    pki: Pki
    displaced: tuple[tuple[str, int, int], ...]
    """(station, from, until): what the clean day has and this one lacks, because an event took its place."""

    @property
    def end(self) -> int:
        """The instant behind its last frame."""
        return self.start + int(self.plan.hours * 3600) * NS

    @property
    def labels(self) -> dict[str, list[int]]:
        """Packet numbers of each event, 1-based: its attack frames and their consequences apart."""
        found: dict[str, list[int]] = {}
        for number, frame in enumerate(self.frames, 1):
            if frame.mark.event:
                found.setdefault(f"{frame.mark.event} {frame.mark.role}", []).append(number)
        return found


class Demo(msgspec.Struct, frozen=True):
    """What :func:`demo` wrote."""

    attacked: Path
    clean: Path
    site: Path
    site_attacked: Path
    """The same site a year on paper: two attestations have run out."""
    listed: Path
    truth: Path
    truth_attacked: Truth
    truth_clean: Truth


def demo(seed: int, out: Path) -> Demo:
    """Write both days, the site, the list and the truth into ``out``; same seed, same bytes."""
    return lay(both(seed), out)


def lay(days: tuple[Day, Day], out: Path) -> Demo:
    """Write what :func:`demo` does of an attacked day and its clean twin that were played before."""
    paths = [out / "attacked.pcapng", out / "clean.pcapng"]
    rows = [truth(day.frames, day, lapsed=day.attacked) for day in days]
    for day, path in zip(days, paths, strict=True):
        write(day.frames, path)
    site, lapsed, listed, table = (
        out / name for name in ("site.toml", "site-attacked.toml", "list.csv", "truth.json")
    )
    stated = (days[0].ward, days[0].plan.start, days[0].pki)
    site.write_text(site_toml(*stated), "utf-8")
    lapsed.write_text(site_toml(*stated, lapsed=True), "utf-8")
    listed.write_text(list_csv(days[0].ward), "utf-8")
    table.write_text(
        json.dumps(
            {
                "seed": days[0].seed,
                **{
                    path.name: {**msgspec.to_builtins(row), "labels": day.labels}
                    for day, path, row in zip(days, paths, rows, strict=True)
                },
            },
            indent=1,
        )
        + "\n",
        "utf-8",
    )
    return Demo(
        attacked=paths[0], clean=paths[1], site=site, site_attacked=lapsed, listed=listed,
        truth=table, truth_attacked=rows[0], truth_clean=rows[1],
    )  # fmt: skip


def write(frames: tuple[Frame, ...], path: Path) -> None:
    """Write frames as a pcapng of two interfaces."""
    with PcapngWriter(path, INTERFACES, "wardwatch twin: a ward that never was") as file:
        for frame in frames:
            file.packet(frame.interface, frame.ts, frame.data)


def play(seed: int, *, attacked: bool, plan: Plan | None = None) -> Day:
    """Play a day; the clean twin draws the same numbers and lacks the events."""
    stage, plan = _stage(seed, plan)
    _act(stage, plan, attacked=attacked)
    end = stage.start + stage.seconds * NS
    return _day(stage, plan, played(stage.ward, end), attacked=attacked)


def both(seed: int, plan: Plan | None = None) -> tuple[Day, Day]:
    """The attacked day and its clean twin of one playing: what :func:`play` makes of each."""
    stage, plan = _stage(seed, plan)
    _act(stage, plan, attacked=True)
    attacked, clean = twins(stage.ward, stage.start + stage.seconds * NS)
    return _day(stage, plan, attacked, attacked=True), _day(stage, plan, clean, attacked=False)


def _stage(seed: int, plan: Plan | None) -> tuple[Stage, Plan]:
    """The ward before its day begins, and the plan as the seed varies it."""
    plan = plan or load("demo_day")
    start = int(datetime.fromisoformat(plan.start).timestamp()) * NS
    ward = Ward(seed, stations(seed), MIRRORED)
    plan = _varied(plan, ward)
    certificates = pki(start, HOSTS["mds-icu"], HOSTS["mds-nicu"], HOSTS["intranet"])
    return Stage(ward, start, int(plan.hours * 3600), certificates, plan.pace), plan


def _act(stage: Stage, plan: Plan, *, attacked: bool) -> None:
    """Write what everybody means to say that day."""
    if attacked:
        for event in plan.event:
            PLAYS[event.kind](stage, event)
    stage.ordinary()


def _day(stage: Stage, plan: Plan, frames: tuple[Frame, ...], *, attacked: bool) -> Day:
    displaced = stage.displaced if attacked else ()
    ward = stage.ward
    return Day(ward.seed, attacked, stage.start, plan, ward, frames, stage.pki, displaced)


def _varied(plan: Plan, ward: Ward) -> Plan:
    """The same events somewhat later, and other pumps of one class as targets, as the seed says."""
    draws = ward.draws("plan")
    later = draws.randrange(4) / 2
    turn = draws.randrange(len(ALIKE))
    targets = dict(zip(ALIKE, (*ALIKE[turn:], *ALIKE[:turn]), strict=True))
    events = tuple(
        msgspec.structs.replace(
            event, at_h=event.at_h + later, target=targets.get(event.target, event.target)
        )
        for event in plan.event
    )
    return msgspec.structs.replace(plan, event=events)


ALIKE = ("icu-1", "icu-2", "icu-3")
"""Pumps that may take each other's part."""


def load(name: str) -> Plan:
    """A scenario that is shipped."""
    path = Path(__file__).parent / "scenarios" / f"{name}.toml"
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Plan)
