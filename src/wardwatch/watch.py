"""The one place where the stages are joined: captures in; evidence, verdicts and findings out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.errors import OutputError
from wardwatch.model.advisory import Advisory, Match
from wardwatch.model.device import Device, Listed
from wardwatch.model.judgement import Finding, State, Verdict
from wardwatch.model.site import Site
from wardwatch.observe.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wardwatch.capture.source import RawStream
    from wardwatch.observe.digests import Digests
    from wardwatch.observe.engine import Observed


class Audit(msgspec.Struct, frozen=True):
    """Everything one run found. Tables stay on disk while the value lives."""

    tables: Tables
    devices: tuple[Device, ...]
    advisories: tuple[Advisory, ...]
    matches: tuple[Match, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    site: Site
    assumed: tuple[str, ...]
    """What was assumed for lack of a confirmed site file, and what could not be read, a sentence each."""
    shelved: int = 0
    """How many advisories the devices were held against."""
    key_note: str = ""
    """Where the key of secrets came from, when it is good for this run only."""
    packets: int = 0
    decoded: int = 0
    skipped: int = 0
    malformed: int = 0
    damaged: bool = False
    """Whether a file was cut, damaged or refused."""
    lost: int = 0
    """Packets that the captures themselves count as lost: they came by, and are not in them."""
    losses: tuple[str, ...] = ()
    """A sentence of each capture that lost some."""
    parser_calls: int = 0
    """How many messages a Python parser read; the rest were read by kernels."""

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """Verdicts that a measure is broken."""
        return tuple(v for v in self.verdicts if v.state is State.BROKEN)

    @property
    def not_observable(self) -> tuple[Verdict, ...]:
        """Verdicts that could not be told."""
        return tuple(v for v in self.verdicts if v.state is State.NOT_OBSERVABLE)

    @property
    def exit_status(self) -> int:
        """1 a finding or a broken measure; 3 none, but damaged, lossy or nothing observable; else 0."""
        if self.findings or self.broken:
            return 1
        answered = any(v.state in (State.HOLDS, State.ATTESTED) for v in self.verdicts)
        whole = bool(self.packets) and not self.damaged and not self.lost
        return 0 if whole and answered else 3


def audit(
    paths: Sequence[str | Path],
    *,
    site: str | Path | Site | None = None,
    inventory: str | Path | None = None,
    shelf: str | Path | None = None,
    out: str | Path | None = None,
    key_file: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    meanwhile: Callable[[], object] | None = None,
    digests: Digests | None = None,
    streams: Mapping[str, RawStream] | None = None,
) -> Audit:
    """Read captures and answer: which devices, which advisories, which measures, who attacks.

    ``site`` is a ``site.toml`` (or the value read from one), ``inventory`` the hospital's own
    list as CSV, ``shelf`` the folder of the advisories the hospital imported (without it, our own
    records of the infusion pumps stand alone), ``out`` a folder whose ``evidence/`` receives the tables as Parquet (without it
    they live in a temporary folder as long as the value does). ``progress`` is called with
    (bytes read, bytes in all or -1), and ``meanwhile`` in a thread besides where a second core
    reads a long capture: a caller may load there what it needs afterwards. ``digests`` are those of
    ``paths``, where the caller has begun to hash them. ``streams`` are captures that are read as
    they come, by names among the ``paths``.

    Raises :class:`~wardwatch.errors.CaptureError` when no file could be read at all,
    :class:`~wardwatch.errors.SiteError` and :class:`~wardwatch.errors.InventoryError` for the
    other two files.
    """
    from wardwatch.inventory.register import read_list
    from wardwatch.inventory.site_file import read_site
    from wardwatch.observe.engine import observe
    from wardwatch.observe.forks import Lost

    def load() -> None:
        _load()
        if meanwhile is not None:
            meanwhile()

    def seen(digests: Digests | None, processes: int) -> Observed:
        return observe(
            paths,
            out=folder,
            key_file=key_file,
            progress=progress,
            known_secrets=stated.secret,
            processes=processes,
            meanwhile=load,
            digests=digests,
            completed=False,
            streams=streams,
        )

    stated = site if isinstance(site, Site) else read_site(site) if site is not None else Site()
    listed, complaints = read_list(inventory) if inventory is not None else ((), ())
    folder = None if out is None else private_folder(Path(out)) / "evidence"
    known = Path(shelf) if shelf is not None else None
    said = (*_assumptions(stated, given=site is not None), *complaints)
    try:
        # What was read is judged while it is still hashed.
        return _judged(seen(digests, 0), stated, listed, known, said)
    except Lost:
        return _judged(seen(None, 1), stated, listed, known, said)


def _judged(
    seen: Observed,
    site: Site,
    listed: Sequence[Listed],
    shelf: Path | None,
    assumed: Sequence[str],
) -> Audit:
    """Judge what was observed.

    Raises :class:`~wardwatch.observe.forks.Lost` where a file changed while it was read.
    """
    # Not needed before, and loaded already where that was of use.
    from wardwatch.advise import advise
    from wardwatch.detect import detect
    from wardwatch.inventory.identify import inventory as identify
    from wardwatch.inventory.scene import Scene
    from wardwatch.verify import verify

    devices = identify(seen.tables, listed)
    scene = Scene(tables=seen.tables, devices=devices, site=site, now=seen.end)
    advised = advise(devices, shelf)
    findings, verdicts = detect(scene), verify(scene)
    seen.complete()
    lost, losses = _lost(seen.tables)
    return Audit(
        tables=seen.tables,
        devices=devices,
        advisories=advised.advisories,
        matches=advised.matches,
        shelved=advised.documents,
        verdicts=verdicts,
        findings=findings,
        site=site,
        assumed=(*assumed, *advised.remarks, *(str(refusal) for refusal in seen.refused)),
        key_note=seen.key_note,
        packets=seen.packets,
        decoded=seen.decoded,
        skipped=seen.skipped,
        malformed=seen.malformed,
        damaged=seen.damaged or bool(seen.refused),
        lost=lost,
        losses=losses,
        parser_calls=seen.parser_calls,
    )


def _lost(tables: Tables) -> tuple[int, tuple[str, ...]]:
    """Packets that captures count as lost, and a sentence of each such capture."""
    counted: dict[int, list[int]] = {}
    for row in tables.whole("interfaces", "capture", "dropped", "os_dropped"):
        here = counted.setdefault(row.capture, [0, 0])
        here[0] += max(row.dropped, 0)
        here[1] += max(row.os_dropped, 0)
    said = tuple(
        f"Capture {capture} counts {port + system:,} packets that came by and are not in it "
        f"({port:,} lost by the port, {system:,} by the system): what was in them was not seen."
        for capture, (port, system) in sorted(counted.items())
        if port + system
    )
    return sum(map(sum, counted.values())), said


def _load() -> None:
    """Load what judges, and what it is told by: it takes as long as two questions in ten."""
    import duckdb  # noqa: F401

    from wardwatch import advise, detect, verify  # noqa: F401
    from wardwatch.inventory import identify  # noqa: F401
    from wardwatch.inventory.rulebook import rulebook
    from wardwatch.observe.tables import make_ahead

    rulebook()
    make_ahead()


def private_folder(folder: Path) -> Path:
    """Make ``folder`` (0700) for output, or tighten an empty one or ours.

    A folder that others read and that holds other things (``/tmp``, a home) is not ours to
    close; that, and a name in the way, is an error.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            if not all(_is_ours(entry) for entry in folder.iterdir()):
                raise OutputError(
                    f"{folder}: holds other things and is open to others; name a new folder with --out"
                )
            folder.chmod(0o700)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{folder}: is a file; name a folder with --out") from error
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); name another folder with --out"
        ) from error
    return folder


def _is_ours(entry: Path) -> bool:
    """Whether a name in an output folder is one that we write."""
    return entry.suffix == ".parquet" or entry.name in ("evidence", "report.html", "report.json")


def _assumptions(site: Site, *, given: bool) -> tuple[str, ...]:
    """What the judgement had to assume, for a person to confirm."""
    said: list[str] = []
    if not given:
        said.append(
            "No site file was given: no server, zone or peer counts as permitted, so nothing that "
            "needs a confirmed list can hold. `wardwatch learn CAPTURE > site.toml` proposes one."
        )
    lines = [
        *site.zone, *site.server, *site.peer, *site.window, *site.scanner,
        *site.attestation, *site.root, *site.secret,
    ]  # fmt: skip
    inert = sum(not line.confirmed for line in lines)
    if inert:
        said.append(
            f"{inert} of {len(lines)} lines of the site file carry no confirmed_by and date: they were "
            "treated as not said."
        )
    for role, what in (
        ("dhcp", "DHCP server"),
        ("dns", "resolver"),
        ("router", "router"),
        ("pump_server", "pump server"),
    ):
        if given and not site.servers(role):
            said.append(f"The site file confirms no {what}.")
    return tuple(said)
