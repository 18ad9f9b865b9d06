"""``wardwatch vex`` and ``wardwatch priority``: what is stated to others, and what is worked on first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardwatch.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardwatch.advise.priority import Task
    from wardwatch.watch import Audit

Captures = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE...",
        help="Capture files (pcap, pcapng, also .gz .zst .xz), or - for a pipe.",
    ),
]
SiteFile = Annotated[
    Path | None,
    typer.Option("--site", help="site.toml: what the hospital confirms of its network."),
]
ListFile = Annotated[
    Path | None,
    typer.Option("--inventory", help="The hospital's own list of devices, CSV."),
]
ShelfFolder = Annotated[
    Path | None,
    typer.Option(
        "--shelf",
        help="Folder of the advisories you imported (by default where `wardwatch advisories import` puts them).",
    ),
]


def add(app: typer.Typer) -> None:
    """Mount both commands."""
    app.command("vex")(vex)
    app.command("priority")(priority)


def vex(
    captures: Captures,
    publisher: Annotated[
        str, typer.Option(help="Who makes the statement: the hospital, as others know it.")
    ],
    namespace: Annotated[
        str, typer.Option(metavar="URL", help="Web address the publisher stands behind.")
    ],
    out: Annotated[Path, typer.Option(help="File for the statement, CSAF 2.0 JSON.")],
    site: SiteFile = None,
    inventory: ListFile = None,
    shelf: ShelfFolder = None,
    supersedes: Annotated[
        Path | None,
        typer.Option(help="The statement before: its number and history are carried on."),
    ] = None,
    date: Annotated[
        str,
        typer.Option(help="Date of the statement, ISO 8601; the end of the captures if not given."),
    ] = "",
) -> None:
    """State for each advisory and device: fixed, affected with the measures that hold, or not yet known.

    Writes a CSAF VEX document. The hospital's own network controls are named as mitigations with
    their evidence and never make a device "not affected"; only a named person's sign-off in
    site.toml does. Exit status 0: written; 2: not done.
    """
    from wardwatch.advise.vex import read_statement, render, statement

    before = read_statement(supersedes) if supersedes is not None else None
    at = _instant(date)
    result = _audited(captures, site, inventory, shelf)
    document = statement(result, publisher=publisher, namespace=namespace, previous=before, at=at)
    _write(out, render(document))
    tracking = document["document"]["tracking"]
    counts = _counts(document)
    typer.echo(f"{out}: {tracking['id']}, revision {tracking['version']}: {counts}", err=True)


def priority(
    captures: Captures,
    site: SiteFile = None,
    inventory: ListFile = None,
    shelf: ShelfFolder = None,
    kev: Annotated[
        Path | None,
        typer.Option(
            help="CISA's KEV catalogue, the JSON file as fetched; nothing is fetched here."
        ),
    ] = None,
    epss: Annotated[
        Path | None,
        typer.Option(
            help="EPSS scores of a day, the .csv.gz file as fetched; nothing is fetched here."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for machines instead of a table.")
    ] = False,
) -> None:
    """Say which device to work on first, what to do, and why it stands where it stands.

    Safety impact and verified exposure count first, then evidence of exploitation (own findings,
    KEV), then the environmental CVSS score beside the published one, then EPSS. What is not known
    is taken as the worst and said to be assumed. Exit status 0: nothing to work on; 1: something;
    2: not done; 3: nothing, but the input was damaged or empty.
    """
    from wardwatch.advise.epss import read_epss
    from wardwatch.advise.kev import read_kev
    from wardwatch.advise.priority import priority as order

    catalogue = read_kev(kev) if kev is not None else None
    scores = read_epss(epss) if epss is not None else None
    result = _audited(captures, site, inventory, shelf)
    tasks = order(result, kev=catalogue, epss=scores)
    if as_json:
        sys.stdout.write(tasks_json(tasks) + "\n")
    else:
        print_tasks(tasks)
    raise typer.Exit(1 if tasks else 3 if result.damaged or not result.packets else 0)


def tasks_json(tasks: Sequence[Task]) -> str:
    """The order of work for machines, decision points as SSVC writes them."""
    import json

    return json.dumps([_plain(rank, task) for rank, task in enumerate(tasks, 1)], indent=1)


def print_tasks(tasks: Sequence[Task]) -> None:
    """The order of work on a terminal, two lines each, then the reasons of the first."""
    from rich.text import Text

    from wardwatch.ui.render import console, shown

    screen = console()
    if not tasks:
        screen.print(
            "No device is affected by an advisory, as far as these captures and lists show."
        )
        return
    screen.print(
        Text(
            f"{'':3} {'when':12} {'advisory':16} {'stands':8} {'CVSS → here':11} {'used':6} led by",
            "bold",
        )
    )
    for rank, task in enumerate(tasks[:MOST_LINES], 1):
        lead = task.weighed[0]
        score = (
            f"{lead.score.base:4.1f} → {lead.score.environmental:4.1f}"
            if lead.score
            else "none given"
        )
        cells = (
            f"{rank:3} {task.decision.word:12} {shown(task.advisory)[:16]:16} {task.status.value:8} "
            f"{score:11} {lead.exploitation.value.name.lower():6} {shown(lead.cve)}"
        )
        screen.print(Text(cells), soft_wrap=True)
        screen.print(Text(f"    {shown(task.name)}", style="dim"), soft_wrap=True)
    if len(tasks) > MOST_LINES:
        screen.print(f"and {len(tasks) - MOST_LINES} more: --json has all")
    for rank, task in enumerate(tasks[:MOST_REASONS], 1):
        screen.print(Text(f"{rank}. {shown(task.do)}."))
        for reason in task.reasons:
            screen.print(Text(f"   · {shown(reason)}"))
    if len(tasks) > MOST_REASONS:
        screen.print(f"The reasons of all {len(tasks)} are in --json.")


MOST_LINES = 100
"""Lines printed: more is read by machines, or by --inventory of one ward."""
MOST_REASONS = 5
"""Lines whose reasons are printed: more push the table off the screen."""


def _audited(
    captures: list[str], site: Path | None, inventory: Path | None, shelf: Path | None
) -> Audit:
    from wardwatch.ui.cli import shelf_of
    from wardwatch.ui.progress import progress_bar
    from wardwatch.watch import audit

    with progress_bar("reading") as progress:
        return audit(
            captures, site=site, inventory=inventory, shelf=shelf_of(shelf), progress=progress
        )


def _instant(text: str) -> int | None:
    from wardwatch.signs.policy import instant

    if not text:
        return None
    at = instant(text)
    if at is None:
        raise UsageError(f"--date {text!r} is no date; write it as 2026-11-23")
    return at


def _write(out: Path, text: str) -> None:
    """Whole or not at all."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o600)
        partial.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); name another file with --out") from error  # fmt: skip


def _counts(document: dict[str, Any]) -> str:
    counts: dict[str, int] = {}
    for flaw in document["vulnerabilities"]:
        for status, products in flaw["product_status"].items():
            counts[status] = counts.get(status, 0) + len(products)
    return ", ".join(f"{n} × {status.replace('_', ' ')}" for status, n in sorted(counts.items()))


def _plain(rank: int, task: Task) -> dict[str, Any]:
    return {
        "rank": rank,
        "device": task.device,
        "name": task.name,
        "advisory": task.advisory,
        "status": task.status.value,
        "decision": task.decision.word,
        "do": task.do,
        "reasons": list(task.reasons),
        "weaknesses": [
            {
                "cve": one.cve,
                "decision": one.decision.word,
                "exploitation": one.exploitation.value.name.lower(),
                "exposure": one.exposure.value.name.lower(),
                "exposure_assumed": one.exposure.assumed,
                "automatable": one.automatable.value,
                "human_impact": one.impact.value.word,
                "human_impact_assumed": one.impact.assumed,
                "cvss_base": one.score.base if one.score else None,
                "cvss_environmental": one.score.environmental if one.score else None,
                "cvss_vector": one.score.vector if one.score else None,
                "epss": one.epss if one.epss >= 0 else None,
            }
            for one in task.weighed
        ],
    }
