"""``wardwatch drill``: every technique played on the twin, heard from every place, and what was seen.

What can be observed from a place is settled by the ward's own switches before an audit is made;
the audit then says what was seen of it. Twin and detectors have the same authors.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import wardwatch
from wardwatch.errors import UsageError
from wardwatch.inventory.site_file import read_site
from wardwatch.model.judgement import MEASURES, State
from wardwatch.model.values import NS
from wardwatch.twin.drill import keep, keep_clean, play, stand, together
from wardwatch.twin.mixin import Addresses, background, mix
from wardwatch.twin.places import Places, places
from wardwatch.twin.plays import BREACHES, ONE_OF_EACH, PLAYS
from wardwatch.twin.scenario import write
from wardwatch.twin.switch import TAPS, VNI
from wardwatch.watch import audit, private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wardwatch.model.site import Site
    from wardwatch.twin.drill import Played, Stand
    from wardwatch.twin.plays import Play
    from wardwatch.twin.switch import Tap
    from wardwatch.twin.ward import Frame
    from wardwatch.watch import Audit

SEEN, MISSED, NOT_OBSERVABLE, MORE = "seen", "missed", "not observable", "seen on less"
MARKS = {SEEN: "S", MISSED: "M", NOT_OBSERVABLE: "-", MORE: "+"}
"""How a cell of the matrix is written."""
IDS = frozenset(measure.id for measure in MEASURES)


class Cell(msgspec.Struct, frozen=True):
    """One question asked of one capture."""

    question: str
    play: str
    """The play that was heard, technique and variant."""
    variant: str
    tap: str
    seed: int
    outcome: str
    confirmed: bool = False
    """Seen with certainty, not as a suspect or a notice."""


class Heard(msgspec.Struct, frozen=True):
    """One play from one place."""

    cells: tuple[Cell, ...]
    false: tuple[str, ...]
    """Findings and broken measures that nothing in the play explains, a line each."""
    true: int
    """Findings and broken measures that the play explains."""


class Timed(msgspec.Struct, frozen=True):
    """How long an attack lasts until an audit of what came so far tells it."""

    play: str
    tap: str
    seconds: float
    """From its first packet, in the ward's time; -1 never."""


class Infused(msgspec.Struct, frozen=True):
    """What the attacked pump's infusion came to."""

    play: str
    seed: int
    states: tuple[str, ...]
    """What the attack did to the communications module, by its declared rules."""
    delivered_ml: float
    difference_ml: float
    i1: bool
    violations: int


class Result(msgspec.Struct, frozen=True):
    """A whole drill."""

    command: str
    commit: str
    seeds: tuple[int, ...]
    of_commit: tuple[int, ...]
    """Those of the seeds that come from the commit's hash."""
    cells: tuple[Cell, ...]
    false: tuple[str, ...]
    true: int
    clean_seeds: int
    clean_audits: int
    clean_false: tuple[str, ...]
    timed: tuple[Timed, ...]
    infused: tuple[Infused, ...]
    among: tuple[Cell, ...] = ()
    """Every technique once among a background."""
    places: tuple[str, ...] = ()
    """What of the ward bears a hospital's numbers."""

    @property
    def observable(self) -> int:
        """Cells that could be seen."""
        return sum(cell.outcome in (SEEN, MISSED) for cell in self.cells)

    @property
    def seen(self) -> int:
        """Those of them that were."""
        return sum(cell.outcome == SEEN for cell in self.cells)

    @property
    def recall(self) -> float:
        """Seen of observable; 1 where nothing was observable."""
        return self.seen / self.observable if self.observable else 1.0

    @property
    def passed(self) -> bool:
        """Whether all that was observable was seen, and nothing else."""
        hidden_ones = any(cell.outcome == MISSED for cell in self.among)
        return self.recall == 1.0 and not (self.false or self.clean_false or hidden_ones)

    @property
    def precision(self) -> float:
        """Explained of all findings and broken measures, the clean twins' included."""
        wrong = len(self.false) + len(self.clean_false)
        return self.true / (self.true + wrong) if self.true + wrong else 1.0


class Auditor:
    """Audits captures of a stand, one after the other in one process."""

    def __init__(self, place: Stand, folder: Path, site: Site | None = None) -> None:
        self._folder = folder
        self._site = read_site(_written(folder / "site.toml", place.site))
        if site is not None:
            self._site = lent(site, self._site)
        self._listed = _written(folder / "list.csv", place.listed)
        self._last: tuple[bytes, Audit] | None = None
        self.audits = 0

    def of(self, frames: tuple[Frame, ...]) -> Audit:
        """What an audit of these frames says; two places that heard the same are asked once."""
        path = self._folder / "capture.pcapng"
        write(frames, path)
        digest = hashlib.sha256(path.read_bytes()).digest()
        if self._last is None or self._last[0] != digest:
            self._last = digest, self.of_file(path)
        return self._last[1]

    def of_file(self, path: Path) -> Audit:
        """What an audit of a capture says."""
        self.audits += 1
        return audit([path], site=self._site, inventory=self._listed)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def lent(site: Site, twin: Site) -> Site:
    """A hospital's site file with what only the twin can add: its root, and names of its segments.

    The hospital's own key is nobody's to give; without the twin's root each of its sessions would
    fail. Untagged and tunnelled places of listening bear no VID, so their names are added to the
    first zone of pumps. Nothing else is said for the hospital.
    """
    names = ("untagged", f"vxlan {VNI}")
    first = next((z for z in site.zone if z.confirmed and z.pumps), None)
    zones = tuple(
        msgspec.structs.replace(z, segments=(*z.segments, *names)) if z is first else z
        for z in site.zone
    )
    return msgspec.structs.replace(site, root=(*site.root, *twin.root), zone=zones)


def hear(played: Played, tap: Tap, auditor: Auditor) -> Heard:
    """One play from one place: asked only where a packet of the attack passes, or one that tells."""
    what, seed = played.play, played.stand.seed
    reached = played.reached(tap)
    asked = [show for show in what.shows if show.counts]
    caught = played.caught(tap)
    sight = played.sight(caught)
    attacked = any(frame.mark.role == "attack" for frame in reached)
    if not attacked and not (reached and any(show.need(sight) for show in asked)):
        # What is there is the clean twin's, but for what fell silent and what followed of it.
        return Heard(
            tuple(
                Cell(show.question, what.name, what.variant, tap.name, seed, NOT_OBSERVABLE)
                for show in asked
            ),
            (),
            0,
        )
    result = auditor.of(caught)
    said = _said(played, result)
    cells = []
    for show in asked:
        told = [one for one in said if one.question == show.question and one.about]
        able = show.need(sight)
        outcome = (SEEN if able else MORE) if told else MISSED if able else NOT_OBSERVABLE
        cells.append(
            Cell(
                show.question, what.name, what.variant, tap.name, seed, outcome,
                any(one.sure for one in told),
            )
        )  # fmt: skip
    expected = {show.question for show in what.shows}
    wrong = [one for one in said if not one.about or one.question not in expected]
    false = tuple(f"{what.name} at {tap.name}, seed {seed}: {one.text}" for one in wrong)
    return Heard(tuple(cells), false, len(said) - len(wrong))


class _Statement(msgspec.Struct, frozen=True):
    """A finding or a broken measure, and whether it is about what was played."""

    question: str
    about: bool
    sure: bool
    text: str


def _said(played: Played, result: Audit) -> list[_Statement]:
    """Everything that an audit holds against somebody."""
    ends = {station.name: station for station in (played.actor, played.target, *played.also)}
    plain = [played.stand.ward.stations[name] for name in ends]
    names = {word for one in (*ends.values(), *plain) for word in (one.mac_text, one.address)}
    names |= {device.id for device in result.devices if names & {*device.macs, *device.ips}}
    found = [
        _Statement(
            f.technique,
            any(name in f.actor for name in names) or bool(names & set(f.targets)),
            f.certainty.value == "confirmed",
            f"{f.technique} ({f.variant}, {f.certainty.value}) by {f.actor or 'nobody'}",
        )
        for f in result.findings
    ]
    found += [
        _Statement(
            v.measure,
            v.subject_kind != "device" or v.subject in names,
            True,
            f"{v.measure} of {v.subject}: {v.statement}",
        )
        for v in result.verdicts
        if v.state is State.BROKEN
    ]
    return found


def time_to(played: Played, tap: Tap, auditor: Auditor) -> Timed:
    """The shortest begin of the capture, packet by packet of the attack, whose audit tells it."""
    technique = played.play.technique
    caught, reached = played.caught(tap), played.reached(tap)

    def told(count: int) -> bool:
        until = reached[count - 1].ts
        result = auditor.of(tuple(f for f in caught if f.ts <= until))
        return any(one.question == technique and one.about for one in _said(played, result))

    if not reached or not told(len(reached)):
        return Timed(played.play.name, tap.name, -1.0)
    low, high = 1, len(reached)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if told(middle) else (middle + 1, high)
    return Timed(played.play.name, tap.name, (reached[low - 1].ts - played.begins) / NS)


def first_able(played: Played, taps: Sequence[Tap]) -> Tap | None:
    """The first place from which the play's own technique can be told."""
    for tap in taps:
        sight = played.sight(played.caught(tap))
        for show in played.play.shows:
            if show.question == played.play.technique and show.need(sight):
                return tap
    return None


def infused(played: Played) -> Infused:
    """The infusion beside it."""
    side = played.bedside()
    return Infused(
        played.play.name,
        played.stand.seed,
        tuple(sorted({label.state for label in played.module.labels})),
        side.delivered_pl / 1e9,
        (side.delivered_pl - side.undisturbed_pl) / 1e9,
        side.i1,
        side.violations,
    )


def clean(place: Stand, taps: Iterable[Tap], auditor: Auditor) -> list[str]:
    """What audits of the clean hour hold against anybody: nothing, if they are right."""
    wrong = []
    for tap in taps:
        result = auditor.of(place.tapped(place.base, tap))
        wrong += [
            f"seed {place.seed} at {tap.name}: {f.technique} by {f.actor}" for f in result.findings
        ]
        wrong += [
            f"seed {place.seed} at {tap.name}: {v.measure} of {v.subject}" for v in result.broken
        ]
    return wrong


def drill(
    seeds: Sequence[int],
    *,
    plays: Sequence[Play] = (*PLAYS, *BREACHES),
    taps: Sequence[Tap] = TAPS,
    clean_seeds: Sequence[int] = (),
    times: bool = False,
    site: Site | None = None,
    behind: Sequence[Path] = (),
    behind_seed: int = 1,
    kept: Path | None = None,
    crossed: bool = False,
    command: str = "",
    of_commit: Sequence[int] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Play every play, listen from every tap, audit, and count.

    Seeds are dealt to the plays in turn, or with ``crossed`` every play is played with every seed.

    ``site`` is a hospital's own, whose numbers the ward takes; ``behind`` are captures among which
    every technique is played once more, at its own time; ``kept`` a folder for the captures and
    their labels.
    """
    where = places(site) if site is not None else Places()
    among: tuple[Cell, ...] = ()
    cells: list[Cell] = []
    false: list[str] = []
    timed: list[Timed] = []
    volumes: list[Infused] = []
    wrong: list[str] = []
    true = done = audits = 0
    total = (len(plays) * (len(seeds) if crossed else 1) if seeds else 0) + len(clean_seeds)
    with tempfile.TemporaryDirectory(prefix="wardwatch-drill-") as folder:
        for number, seed in enumerate(seeds):
            place = stand(seed, places=where)
            auditor = Auditor(place, Path(folder), site)
            if kept is not None:
                for tap in taps:
                    keep_clean(place, tap, kept)
            for what in plays if crossed else plays[number :: len(seeds)]:
                played = play(place, what)
                volumes.append(infused(played))
                for tap in taps:
                    if kept is not None and played.reached(tap):
                        keep(played, tap, kept)
                    heard = hear(played, tap, auditor)
                    cells += heard.cells
                    false += heard.false
                    true += heard.true
                first = first_able(played, taps) if times and (number == 0 or not crossed) else None
                if first is not None:
                    timed.append(time_to(played, first, auditor))
                done += 1
                if progress is not None:
                    progress(done, total)
        for seed in clean_seeds:
            place = stand(seed, places=where)
            auditor = Auditor(place, Path(folder), site)
            wrong += clean(place, taps, auditor)
            audits += auditor.audits
            done += 1
            if progress is not None:
                progress(done, total)
        if behind:
            among = hidden(behind_seed, behind, Path(folder), where, site)
    return Result(
        command, commit(), tuple(seeds), tuple(of_commit), tuple(cells), tuple(false), true,
        len(clean_seeds), audits, tuple(wrong), tuple(timed), tuple(volumes),
        among, where.said,
    )  # fmt: skip


def hidden(
    seed: int, behind: Sequence[Path], folder: Path, where: Places, site: Site | None
) -> tuple[Cell, ...]:
    """Every technique once in an hour among a background, heard in the pumps' VLAN and on the air.

    What an audit says of the same background around the clean hour is no detection.
    """
    place = stand(seed, places=where)
    acts, frames = together(place, ONE_OF_EACH)
    auditor = Auditor(place, folder, site)
    taps = [tap for tap in TAPS if tap.name in ("vlan", "air")]
    said: list[set[tuple[str, str]]] = []
    for hour in (place.base, frames):
        caught = tuple(sorted(f for tap in taps for f in place.tapped(hour, tap)))
        taken = [station.mac for station in place.ward.stations.values()]
        vlans = [place.places.vlans.get(v, v) for v in place.ward.mirrored]
        path = folder / "among.pcapng"
        mix(caught, background(behind, place.start, Addresses(taken, vlans)), path)
        result = auditor.of_file(path)
        path.unlink()
        said.append(
            {
                (one.question, act.play.name)
                for act in acts
                for one in _said(act, result)
                if one.about
            }
        )
    clean_said, all_said = said
    return tuple(
        Cell(
            act.play.technique, act.play.name, f"{act.play.variant}, among a background", "vlan",
            seed, SEEN if (act.play.technique, act.play.name) in all_said - clean_said else MISSED,
        )
        for act in acts
    )  # fmt: skip


def commit() -> str:
    """The commit that is run; "" outside a work tree."""
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 — whichever git there is
            cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return told.stdout.strip()


def seeds_of(words: str, count: int) -> list[int]:
    """Seeds that nobody chose: from a hash of the commit."""
    return [
        int.from_bytes(hashlib.sha256(f"{words} {n}".encode()).digest()[:4], "big")
        for n in range(count)
    ]


def drilled(
    techniques: Sequence[str],
    count: int,
    clean_count: int,
    *,
    times: bool = False,
    site: Path | None = None,
    behind: Sequence[Path] = (),
    kept: Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """A drill as it is asked for: half of the seeds from the commit's hash, the others counted from 1.

    Raises :class:`~wardwatch.errors.UsageError` for a technique that nobody plays.
    """
    every = _EVERY
    known = {what.technique for what in every}
    for name in techniques:
        if name not in known:
            raise UsageError(
                f"no technique or measure {name!r} is played; there are: {', '.join(sorted(known))}"
            )
    at = commit()
    hashed = seeds_of(at or wardwatch.__version__, max(count, clean_count))
    words = [f"--technique {name}" for name in techniques]
    words += [f"--seeds {count} --clean {clean_count}"] + ["--times"] * times
    words += [f"--site {site.name}"] if site is not None else []
    words += [f"--background {path.name}" for path in behind]
    seeds = [*range(1, count - count // 2 + 1), *hashed[: count // 2]]
    cleaned = [*range(1, clean_count - clean_count // 2 + 1), *hashed[: clean_count // 2]]
    plays = [n for n, what in enumerate(every) if not techniques or what.technique in techniques]
    orders = [
        _Order(
            tuple(seeds[n % len(seeds)] for n in plays[job::jobs]), tuple(plays[job::jobs]),
            tuple(cleaned[job::jobs]), times, site, kept, tuple(behind if job == 0 else ()), seeds[0],
        )
        for job in range(jobs)
    ]  # fmt: skip
    parts = list(_in_turn(orders, jobs, progress))
    command = f"wardwatch drill {' '.join(words)}"
    return Result(
        command, at, tuple(seeds), tuple(hashed[: count // 2]),
        tuple(
            sorted((c for r in parts for c in r.cells), key=lambda c: _place_of[c.play])
        ),
        tuple(line for r in parts for line in r.false), sum(r.true for r in parts),
        clean_count, sum(r.clean_audits for r in parts),
        tuple(line for r in parts for line in r.clean_false),
        tuple(one for r in parts for one in r.timed), tuple(one for r in parts for one in r.infused),
        parts[0].among, parts[0].places,
    )  # fmt: skip


class _Order(msgspec.Struct, frozen=True):
    """A part of a drill, for a process of its own."""

    seeds: tuple[int, ...]
    """The seed of each play."""
    plays: tuple[int, ...]
    """Numbers of plays in the whole list."""
    clean: tuple[int, ...]
    times: bool
    site: Path | None
    kept: Path | None
    behind: tuple[Path, ...]
    behind_seed: int


_EVERY = (*PLAYS, *BREACHES)
_place_of = {what.name: n for n, what in enumerate(_EVERY)}


def _done(order: _Order, progress: Callable[[int, int], None] | None = None) -> Result:
    """One part."""
    site = read_site(order.site) if order.site is not None else None
    seeds = sorted(set(order.seeds))
    total, before = len(order.plays) + len(order.clean), 0

    def passed(done: int, _: int) -> None:
        if progress is not None:
            progress(before + done, total)

    found = []
    for seed in seeds:
        mine = [_EVERY[n] for n, its in zip(order.plays, order.seeds, strict=True) if its == seed]
        found.append(
            drill(
                [seed], plays=mine, times=order.times, site=site, kept=order.kept, progress=passed
            )
        )
        before += len(mine)
    last = drill(
        [], clean_seeds=order.clean, site=site, behind=order.behind, behind_seed=order.behind_seed,
        progress=passed,
    )  # fmt: skip
    found.append(last)
    return msgspec.structs.replace(
        last,
        cells=tuple(c for r in found for c in r.cells),
        false=tuple(line for r in found for line in r.false),
        true=sum(r.true for r in found),
        timed=tuple(one for r in found for one in r.timed),
        infused=tuple(one for r in found for one in r.infused),
    )


def _in_turn(
    orders: list[_Order], jobs: int, progress: Callable[[int, int], None] | None
) -> Iterator[Result]:
    """Parts one after the other, or in processes of their own."""
    if jobs == 1:
        yield _done(orders[0], progress)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for number, result in enumerate(pool.map(_done, orders), 1):
            if progress is not None:
                progress(number, jobs)
            yield result


def run_drill(
    techniques: Sequence[str],
    count: int,
    clean_count: int,
    *,
    times: bool,
    site: Path | None,
    behind: Sequence[Path],
    out: Path | None,
    kept: bool,
    jobs: int,
    as_json: bool,
) -> int:
    """The command: drill, tell, write; 0 when all was seen and nothing else, 1 when not."""
    from wardwatch.ui import matrix
    from wardwatch.ui.cli import say
    from wardwatch.ui.progress import progress_bar

    if kept and out is None:
        raise UsageError("--keep needs a folder; name one with --out")
    folder = private_folder(out) if out is not None else None
    captures = private_folder(folder / "captures") if kept and folder is not None else None
    with progress_bar("playing", counts=True) as progress:
        result = drilled(
            techniques, count, clean_count, times=times, site=site, behind=behind, kept=captures,
            jobs=jobs, progress=progress,
        )  # fmt: skip
    if folder is not None:
        (folder / "drill.json").write_text(matrix.as_json(result), "utf-8")
        (folder / "drill.md").write_text(f"# Drill\n\n{matrix.document(result)}", "utf-8")
        (folder / "drill.html").write_text(matrix.page(result), "utf-8")
    say(matrix.as_json(result) if as_json else matrix.terminal(result))
    return 0 if result.passed else 1
