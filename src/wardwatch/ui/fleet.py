"""``wardwatch twin fleet``: a hospital's pumps as captures and event lists, to try detectors on."""

from __future__ import annotations

import json
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardwatch.errors import OutputError, UsageError

if TYPE_CHECKING:
    from wardwatch.twin.fleet.capture import Written
    from wardwatch.twin.fleet.hospital import FleetPlan

OURS = frozenset(
    ("fleet.pcapng", "fleet.pcap", "labels.parquet", "events.parquet", "list.csv", "site.toml",
     "manifest.json")
)  # fmt: skip
"""Names that an earlier run may have left, and this one may replace."""


class Variant(StrEnum):
    """Whose alarms."""

    hospital = "hospital"
    nicu = "nicu"


class Shape(StrEnum):
    """Format of the capture."""

    pcapng = "pcapng"
    pcap = "pcap"


def add(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("fleet")(fleet)


def fleet(
    out: Annotated[Path, typer.Option(help="Folder for the files (made 0700).")] = Path(
        "out/fleet"
    ),
    pumps: Annotated[int, typer.Option(help="How many, 1 to 20,000.")] = 500,
    hours: Annotated[float, typer.Option(help="How long, up to 31 days.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 1,
    start: Annotated[
        str, typer.Option(help="When it begins, ISO 8601 with its offset from UTC.")
    ] = "2026-11-16T06:00:00+00:00",
    variant: Annotated[
        Variant, typer.Option(help="Alarms of a whole hospital, or of a neonatal unit.")
    ] = Variant.hospital,
    report_s: Annotated[
        float, typer.Option(help="Seconds between reports, 5 to 86,400; 0 one a minute.")
    ] = 0.0,
    dhcp_share: Annotated[
        float,
        typer.Option(help="Pumps that ask DHCP for their address, 0 to 1; below 0 the assumed."),
    ] = -1.0,
    power_cut: Annotated[
        float, typer.Option(metavar="HOURS", help="When the power fails; below 0 never.")
    ] = -1.0,
    cut_pumps: Annotated[int, typer.Option(help="Pumps that then restart together.")] = 500,
    library_at: Annotated[
        float,
        typer.Option(metavar="HOURS", help="When a new drug library begins to be published."),
    ] = -72.0,
    shape: Annotated[Shape, typer.Option("--format", help="Of the capture.")] = Shape.pcapng,
    packets: Annotated[
        bool, typer.Option("--packets/--no-packets", help="Write the capture and its labels.")
    ] = True,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help="Write the list of events.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for machines instead of text.")
    ] = False,
) -> None:
    """Make a fleet of pumps: its capture, a label for every packet, its events, its site and list.

    The network is a mirrored trunk of the pumps' VLANs; nothing is attacked. Rates are published
    ones where there are any, and the rest is declared as assumed (twin/fleet/hospital.toml).
    manifest.json names every file with its SHA-256. A day of 4,000 pumps is about 13 GB.
    """
    from wardwatch.twin.fleet.capture import write
    from wardwatch.twin.fleet.hospital import FleetPlan
    from wardwatch.ui.cli import say
    from wardwatch.ui.progress import progress_bar

    if not packets and not events:
        raise UsageError("--no-packets and --no-events together leave nothing to make")
    plan = FleetPlan(
        pumps=pumps, seed=seed, hours=hours, start=start, variant=variant.value, report_s=report_s,
        dhcp_share=dhcp_share, cut_at_h=power_cut, cut_pumps=cut_pumps, library_at_h=library_at,
    )  # fmt: skip
    names = _made_here(packets, events, shape.value)
    folder = _folder(out, names)
    if packets:
        _fits(plan, folder)
    if not as_json:
        sys.stderr.write(f"wardwatch twin: {pumps:,} pumps for {hours:g} h (seed {seed}) …\n")
    with progress_bar("seconds of the span", counts=True) as progress:
        made = write(
            plan, folder, shape=shape.value, packets=packets, events=events, progress=progress
        )
    say(_json(made) if as_json else _text(made))


def _made_here(packets: bool, events: bool, shape: str) -> set[str]:
    """Names of the files that a run writes."""
    names = {"list.csv", "site.toml", "manifest.json"}
    if packets:
        names |= {f"fleet.{shape}", "labels.parquet"}
    return names | {"events.parquet"} if events else names


def _folder(out: Path, names: set[str]) -> Path:
    """The folder, made if need be; nothing in it is lost or left beside files it does not belong to.

    Files of an earlier run are replaced where this one makes all of them anew.
    """
    from wardwatch.watch import private_folder

    if not out.is_dir():
        return private_folder(out)
    there = sorted(entry.name for entry in out.iterdir())
    others = [name for name in there if name not in names]
    if others and set(others) <= OURS:
        raise UsageError(
            f"{out}: holds {others[0]} of another run, which this one would not make anew; name another "
            "folder with --out"
        )
    if others:
        raise UsageError(
            f"{out}: holds other things ({others[0]} …); name a new or an empty folder with --out"
        )
    return out if there else private_folder(out)


def _fits(plan: FleetPlan, folder: Path) -> None:
    """Say before hours of work that a disk is too small."""
    from wardwatch.twin.fleet.capture import octets_about

    wanted, free = octets_about(plan), shutil.disk_usage(folder).free
    if wanted > free:
        raise OutputError(
            f"{folder}: the capture needs about {wanted / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "name another folder with --out, fewer hours or --no-packets"
        )


def _json(made: Written) -> str:
    told = {
        "folder": str(made.folder),
        "packets": made.packets,
        "octets": made.octets,
        "events": made.events,
        "files": made.files,
    }
    return json.dumps(told, indent=1) + "\n"


def _text(made: Written) -> str:
    events = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in made.events.items() if count)  # fmt: skip
    lines = [f"{made.folder}: {', '.join(made.files)}, manifest.json"]
    if made.packets:
        lines.append(f"{made.packets:,} packets, {made.octets / 1e6:,.1f} MB, a label for each")
    lines.append(f"events: {events}")
    lines.append(
        "A twin's traffic: it shows that tools agree with it, not how they do in the field."
    )
    return "\n".join(lines) + "\n"
