"""Drill: an hour on the ward for each play, as every place of listening catches it, and its clean twin.

The ordinary hour is played once for a seed; a play adds its packets and takes away what they took
the place of. The same seed gives the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import cast, emit, wires
from wardwatch.twin.cast import HOSTS, ICU, LAN, NATIVE, NICU, SERVERS
from wardwatch.twin.certs import Pki, pki
from wardwatch.twin.clock import Clock
from wardwatch.twin.comms import Module
from wardwatch.twin.infusion import Beside, beside
from wardwatch.twin.labels import LabelFile
from wardwatch.twin.places import Places, moved
from wardwatch.twin.plays import Act, Play
from wardwatch.twin.scenario import write
from wardwatch.twin.sight import Sight
from wardwatch.twin.stage import Pace, Stage
from wardwatch.twin.switch import VNI, Fabric, Tap
from wardwatch.twin.ward import Frame, Mark, Station, Ward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


START = "2026-11-16T05:00:00+00:00"
SECONDS = 3600
AT_S = 240
"""When in its slot an attack begins that does not wait for the pump's own start-up."""
PACE = Pace(slot_s=600, reports=3, visits=2)
AWAY = ("icu-ws-3", "icu-ws-4", "nicu-ws-3", "nicu-ws-4", "icu-5", "icu-6")
"""Stations of the demo's cast that the drill does without: an audit asks of every device."""


class Stand(msgspec.Struct, frozen=True):
    """The ordinary hour of a seed, and everybody in it."""

    seed: int
    start: int
    ward: Ward
    stage: Stage
    fabric: Fabric
    pki: Pki
    base: tuple[Frame, ...]
    places: Places = Places()

    @property
    def end(self) -> int:
        """The instant behind the hour."""
        return self.start + SECONDS * NS

    def tapped(
        self, frames: tuple[Frame, ...], tap: Tap, *, tunnelled: bool = False
    ) -> tuple[Frame, ...]:
        """What a tap catches of some frames, under the numbers of the place."""
        caught = tap.caught(frames, self.fabric, tunnelled=tunnelled)
        return tuple(map(self.places.frame, caught)) if self.places.vlans else caught

    @property
    def site(self) -> str:
        """What the hospital confirms, with the names that segments bear at untagged and tunnelled taps."""
        start = datetime.fromtimestamp(self.start // NS).astimezone()
        text = cast.site_toml(self.ward, start.isoformat(), self.pki)
        return text.replace(
            f"vlans = [{ICU}]", f'vlans = [{ICU}]\nsegments = ["untagged", "vxlan {VNI}"]'
        )

    @property
    def listed(self) -> str:
        """The hospital's own list of pumps."""
        return cast.list_csv(self.ward)


class Played(msgspec.Struct, frozen=True):
    """One play on a stand."""

    play: Play
    stand: Stand
    frames: tuple[Frame, ...]
    """The attacked hour, in order."""
    event: tuple[Frame, ...]
    """Those of the attack and its consequences."""
    silent: tuple[tuple[str, int, int], ...]
    """(station, from, until): whose ordinary frames are gone."""
    module: Module
    """The pump's communications module behind it."""
    actor: Station
    target: Station
    also: tuple[Station, ...] = ()
    """Further pumps that the attack strikes."""

    def caught(self, tap: Tap) -> tuple[Frame, ...]:
        """What a tap catches of the hour."""
        return self._tapped(self.frames, tap)

    def reached(self, tap: Tap) -> tuple[Frame, ...]:
        """What it catches of the event."""
        return self._tapped(self.event, tap)

    def _tapped(self, frames: tuple[Frame, ...], tap: Tap) -> tuple[Frame, ...]:
        return self.stand.tapped(frames, tap, tunnelled=self.play.tunnelled)

    @property
    def begins(self) -> int:
        """When the first packet of the attack is sent."""
        return min((f.ts for f in self.event if f.mark.role == "attack"), default=self.stand.start)

    def bedside(self) -> Beside:
        """The infusion of the target's pump meanwhile."""
        return beside(self.module, self.begins, self.stand.start, self.stand.seed)

    def sight(self, caught: tuple[Frame, ...]) -> Sight:
        """What can be told from there."""
        return Sight(self.event, caught, self.actor, self.target)


def stations(seed: int) -> tuple[Station, ...]:
    """The demo's cast without some, and those that only the drill needs."""
    found = [one for one in cast.stations(seed) if one.name not in AWAY]

    def more(name: str, kind: str, mac: str, ip: str, vlan: int) -> None:
        found.append(Station(name, kind, emit.mac(mac), emit.ip4(ip), vlan))

    more("far-laptop", "attacker", "b8:27:eb:00:00:67", f"10.{ICU}.0.67", ICU)
    more("lan-laptop", "attacker", "b8:27:eb:00:00:68", f"10.{LAN}.0.68", LAN)
    more("native-laptop", "attacker", "b8:27:eb:00:00:69", f"10.{NATIVE}.0.69", NATIVE)
    more("guest-printer", "printer", "00:1b:78:30:00:61", f"10.{ICU}.0.240", ICU)
    return tuple(found)


def stand(seed: int, start: int | None = None, places: Places = Places()) -> Stand:  # noqa: B008
    """Play the ordinary hour of a seed; ``start`` (ns) where it must begin at a given instant."""
    when = int(datetime.fromisoformat(START).timestamp()) * NS if start is None else start
    ward = Ward(seed, moved(stations(seed), places), (SERVERS, LAN, ICU, NICU, NATIVE))
    certificates = pki(
        when // NS // 86400 * 86400 * NS, HOSTS["mds-icu"], HOSTS["mds-nicu"], HOSTS["intranet"]
    )
    stage = Stage(ward, when, SECONDS, certificates, PACE)
    stage.ordinary()
    base = wires.played(ward, when + SECONDS * NS)
    return Stand(
        seed, when, ward, stage, Fabric(ward.stations.values()), certificates, base, places
    )


def play(stand: Stand, play: Play) -> Played:
    """Play one attack on a stand; the stand is as it was before, afterwards."""
    ward = stand.ward
    ward.begin(play.disguise)
    at = stand.start + (play.slot * PACE.slot_s + AT_S) * NS
    act = Act(stand.stage, Clock(stand.start), play, at)
    play.act(act)
    silent = tuple(act.silent)
    left = tuple(_left(stand.base, silent))
    event = wires.played(ward, stand.end, left)
    ward.begin()
    frames = tuple(sorted((*left, *event)))
    return Played(
        play, stand, frames, event, silent, act.module, act.actor, act.pump, tuple(act.also)
    )  # fmt: skip


def together(stand: Stand, plays: Iterable[Play]) -> tuple[tuple[Played, ...], tuple[Frame, ...]]:
    """Several plays in one hour, which must not meet ⇒ (each, all frames of the hour)."""
    found = tuple(play(stand, one) for one in plays)
    silent = tuple(spell for one in found for spell in one.silent)
    left = _left(stand.base, silent)
    return found, tuple(sorted([*left, *(f for one in found for f in one.event)]))


def keep(played: Played, tap: Tap, folder: Path) -> Path:
    """Write what a tap catches of a play as a capture, its labels beside it ⇒ the capture's path."""
    words = f"{played.play.name}-{tap.name}-{played.stand.seed}"
    name = "".join(c if c.isalnum() else "-" for c in words).strip("-")
    path = folder / f"{name}.pcapng"
    caught = played.caught(tap)
    write(caught, path)
    side, technique = played.bedside(), played.play.technique
    label(
        caught, path, played.stand,
        event=lambda mark: technique if mark.role else "none",
        state=lambda ts: "crashed" if played.begins <= ts < played.module.down_until else "online",
        i1=side.i1, i2=side.violations > 0,
    )  # fmt: skip
    return path


def keep_clean(stand: Stand, tap: Tap, folder: Path) -> Path:
    """Write what a tap catches of the clean hour, with its labels ⇒ the capture's path."""
    path = folder / f"clean-{tap.name}-{stand.seed}.pcapng"
    caught = stand.tapped(stand.base, tap)
    write(caught, path)
    label(caught, path, stand)
    return path


def label(
    frames: Sequence[Frame],
    path: Path,
    stand: Stand,
    *,
    event: Callable[[Mark], str] = lambda mark: "none",
    state: Callable[[int], str] = lambda ts: "online",
    i1: bool = True,
    i2: bool = False,
) -> None:
    """Labels of a capture, one a packet, beside it."""
    pumps = {s.name: s.device for s in stand.ward.stations.values() if s.kind == "infusion pump"}
    with LabelFile(path.with_suffix(".labels.parquet"), path.name, stand.seed) as file:
        if not frames:
            return
        marks = [frame.mark for frame in frames]
        file.write(
            len(frames),
            {
                "pump_id": [pumps.get(m.who) or pumps.get(m.peer, "") for m in marks],
                "kind": [m.kind for m in marks],
                "role": [m.role for m in marks],
                "ground_truth_event": [event(m) for m in marks],
                "attack_id": [m.event for m in marks],
                "comms_state": [state(frame.ts) for frame in frames],
                "i1_ok": [i1 or not m.role for m in marks],
                "i2_violation": [i2 and bool(m.role) for m in marks],
            },
        )


def _left(base: tuple[Frame, ...], silent: tuple[tuple[str, int, int], ...]) -> Sequence[Frame]:
    """The ordinary frames without those of stations that are silent meanwhile."""
    names = {name for name, _, _ in silent}
    if not names:
        return base
    return [
        frame for frame in base
        if (frame.mark.who not in names and frame.mark.peer not in names)
        or not any(
            name in (frame.mark.who, frame.mark.peer) and start <= frame.ts < stop
            for name, start, stop in silent
        )
    ]  # fmt: skip
