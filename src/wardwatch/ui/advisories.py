"""The advisories on the command line: the shelf, what was found wrong, whose devices are meant."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardwatch.errors import AdvisoryError, UsageError
from wardwatch.ui.commands import Commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardwatch.advise.assets import Answer
    from wardwatch.advise.csaf import Document
    from wardwatch.advise.listing import Listed
    from wardwatch.advise.store import Shelved

app = Commands(
    name="advisories",
    help="Security advisories (CSAF 2.0): keep them, see what is wrong in them, and learn which of "
    "your devices they mean.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SHOWN = 40
"""Groups of devices printed of each status; ``--json`` has all."""

Shelf = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the shelf (made if absent; by default wardwatch/advisories in your data folder)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]

Key = Annotated[
    Path | None,
    typer.Option(
        help="The publisher's OpenPGP certificate: every document then needs a good signature (.asc)."
    ),
]
Fingerprint = Annotated[
    str,
    typer.Option(help="The key's fingerprint as you learned it by another way; pins the key."),
]


@app.command("import")
def take(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="CSAF files, folders of them, or archives (tar, zip)."
        ),
    ],
    shelf: Shelf = None,
    key: Key = None,
    fingerprint: Fingerprint = "",
    as_json: AsJson = False,
) -> None:
    """Take advisories onto the shelf, their bytes unchanged.

    A .sha512 beside a document is checked. One that is damaged or hostile is refused by name and
    harms no other. Exit status 0: all were taken; 1: some were refused.
    """  # fmt: skip
    from wardwatch.advise.store import import_paths

    done = import_paths(shelf_folder(shelf), paths, key, fingerprint)
    if as_json:
        _json(
            {
                "shelved": [_plain(item) for item in done.shelved],
                "refused": [{"file": name, "why": why} for name, why in done.refused],
                "remarks": list(done.remarks),
            }
        )
    else:
        typer.echo(f"{_told(done.shelved)}; {len(done.refused)} refused")
        _rest(done.refused, done.remarks)
    raise typer.Exit(1 if done.refused else 0)


@app.command()
def sync(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="A provider's provider-metadata.json, a ROLIE feed, or a folder (with / at its end).",
        ),
    ],
    allow_network: Annotated[
        bool,
        typer.Option(
            "--allow-network", help="Fetch. Without this nothing is asked of any network."
        ),
    ] = False,
    shelf: Shelf = None,
    key: Key = None,
    fingerprint: Fingerprint = "",
    recheck: Annotated[
        bool,
        typer.Option(
            "--recheck", help="Ask also for documents whose date in the listing is known."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch what a provider has and the shelf has not: the one command that uses a network.

    Only https, only the host you name, each document checked as by import; a run that was ended
    goes on with the next. Exit status 0: all is there; 1: some were refused, or it stopped early;
    2: not permitted.
    """  # fmt: skip
    from wardwatch.ui.cli import printable

    folder = shelf_folder(shelf)
    if not allow_network:
        said = f"would fetch {url} and what it lists from that host into {folder}: "
        typer.echo(printable(said + "nothing was asked; --allow-network permits it"), err=True)
        raise typer.Exit(2)
    from wardwatch.advise.sync import sync as fetch
    from wardwatch.ui.progress import progress_bar

    with progress_bar("fetching", counts=True) as progress:
        done = fetch(folder, url, key, fingerprint, recheck, progress)
    if as_json:
        _json(
            {
                "listed": done.listed,
                "unchanged": done.unchanged,
                "shelved": [_plain(item) for item in done.shelved],
                "refused": [{"url": name, "why": why} for name, why in done.refused],
                "remarks": list(done.remarks),
                "stopped": done.stopped,
            }
        )
    else:
        typer.echo(
            f"{done.listed} listed: {done.unchanged} unchanged, {_told(done.shelved)}; "
            f"{len(done.refused)} refused"
        )
        _rest(done.refused, done.remarks)
        if done.stopped:
            typer.echo(f"stopped: {done.stopped}; run it again, and it goes on from here")
    raise typer.Exit(1 if done.refused or done.stopped else 0)


@app.command("list")
def show(shelf: Shelf = None, as_json: AsJson = False) -> None:
    """What stands on the shelf: imported documents, and our own records of the infusion pumps."""
    from wardwatch.ui.cli import printable

    documents = _documents(shelf)
    if as_json:
        _json([_card(document) for document in documents])
        return
    for document in documents:
        card = _card(document)
        typer.echo(
            printable(
                f"{card['id']:18} {card['current']}  {card['cves']:3} CVEs  {card['title']}"
                f"  [{card['source']}]"
            )
        )


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSAF files, folders or archives.")
    ],
    as_json: AsJson = False,
) -> None:
    """What a document says against itself: both sides, what is taken, and how sure that is.

    Exit status 0: nothing found; 1: something; the document itself is never changed.
    """
    from wardwatch.advise.repair import repairs, scores
    from wardwatch.advise.store import read_paths
    from wardwatch.ui.cli import printable

    documents, refused = read_paths(files)
    if not documents and refused:
        name, why = refused[0]
        raise AdvisoryError(name, why, "name a CSAF 2.0 document")
    found = {document.id: repairs(document) for document in documents}
    if as_json:
        _json(
            [
                {
                    **_card(document),
                    "repairs": [_plain(one) for one in found[document.id]],
                    "scores": [_plain(one) for one in scores(document)],
                }
                for document in documents
            ]
        )
    else:
        for document in documents:
            typer.echo(printable(f"{document.id}  {document.title}"))
            for one in found[document.id]:
                _line(f"  {one.kind} {one.subject}".rstrip())
                _line(f"    the file says  {one.file_says or '-'}")
                _line(f"    the text says  {one.text_says or '-'}")
                _line(f"    taken: {one.taken} ({one.certainty}): {one.why}")
            scored = scores(document)
            if any(one.replaced for one in scored):
                typer.echo("  scores as taken, and what the file said")
                for score in scored:
                    _line(
                        f"    {score.cve:16} {score.base_score:4.1f}   file {score.file_score:4.1f}"
                    )
            if not found[document.id]:
                typer.echo("  nothing found")
        for name, why in refused:
            typer.echo(printable(f"refused {name}: {why}"))
    raise typer.Exit(1 if refused or any(found.values()) else 0)


@app.command()
def match(
    inventory: Annotated[
        Path | None,
        typer.Option(
            help="Your list of devices, CSV as your CMMS exports it: maker, model, version."
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="One device as you read it: 'maker; model; version', and a component after one more ;",
        ),
    ] = None,
    shelf: Shelf = None,
    advisories: Annotated[
        list[Path] | None,
        typer.Option(help="Match against these files or archives instead of the shelf."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print every group, not only the first of each status.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Which advisories concern which devices of a list, or the ones you type, without any capture.

    Each answer is affected, not affected, or unknown with what would settle it; devices that are
    written alike are answered together. Exit status 0: none is affected or unknown; 1: some are.
    """
    from wardwatch.advise.assets import Library, overall
    from wardwatch.advise.listing import read_assets, typed
    from wardwatch.advise.statements import statements
    from wardwatch.advise.store import read_paths
    from wardwatch.model.advisory import Exposure
    from wardwatch.ui.cli import printable

    if advisories:
        documents, refused = read_paths(advisories)
        for name, why in refused:
            sys.stderr.write(printable(f"refused {name}: {why}") + "\n")
    else:
        documents = _documents(shelf)
    library = Library(s for document in documents for s in statements(document))
    if inventory is None and not device:
        raise UsageError(
            "no device is named; give --inventory LIST.csv, or --device 'maker; model; version'"
        )
    groups, warnings = read_assets(inventory) if inventory is not None else ((), ())
    groups = (*(typed(words) for words in device or ()), *groups)
    found = [(group, library.match(group.asset)) for group in groups]
    open_ = any(overall(answers) in (Exposure.AFFECTED, Exposure.UNKNOWN) for _, answers in found)
    if as_json:
        _json(
            {
                "advisories": len(documents),
                "rows": sum(len(group.rows) for group in groups),
                "warnings": list(warnings),
                "groups": [_group(group, answers) for group, answers in found],
            }
        )
    else:
        _print(found, len(documents), warnings, SHOWN if not every else len(found))
    raise typer.Exit(1 if open_ else 0)


def _told(shelved: Sequence[Shelved]) -> str:
    """What was shelved, in numbers; a document that wants a word is named first."""
    from wardwatch.ui.cli import printable

    counts: dict[str, int] = {}
    for item in shelved:
        counts[item.change] = counts.get(item.change, 0) + 1
        if item.remark:
            typer.echo(printable(f"{item.id}: {item.remark}"))
    return ", ".join(f"{n} {change}" for change, n in counts.items()) or "nothing taken"


def _rest(refused: Sequence[tuple[str, str]], remarks: Sequence[str]) -> None:
    from wardwatch.ui.cli import printable

    for name, why in refused:
        typer.echo(printable(f"refused {name}: {why}"))
    for remark in remarks:
        typer.echo(remark)


def shelf_folder(named: Path | None) -> Path:
    """The folder of the shelf: the one named, else this user's own."""
    if named is not None:
        return named
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data else Path.home() / ".local" / "share") / "wardwatch" / "advisories"


def _documents(shelf: Path | None) -> tuple[Document, ...]:
    """Imported documents, and our own records where none of that id is imported."""
    from wardwatch.advise.own import own_records
    from wardwatch.advise.store import shelved_documents
    from wardwatch.ui.cli import printable

    imported, refused = shelved_documents(shelf_folder(shelf))
    for name, why in refused:
        sys.stderr.write(printable(f"refused {name}: {why}") + "\n")
    known = {document.id for document in imported}
    own = [record for record in own_records() if record.id not in known]
    return tuple(sorted((*imported, *own), key=lambda document: document.id))


def _card(document: Document) -> dict[str, object]:
    return {
        "id": document.id,
        "title": document.title,
        "initial": document.initial,
        "current": document.current,
        "revision": document.revision,
        "cves": len(document.flaws),
        "products": len(document.leaves),
        "source": document.source,
        "sha512": document.sha512,
        "tlp": document.tlp,
    }


def _group(group: Listed, answers: Sequence[Answer]) -> dict[str, object]:
    from wardwatch.advise.assets import overall

    status = overall(answers)
    return {
        "manufacturer": group.asset.manufacturer,
        "model": group.asset.model,
        "version": group.asset.version,
        "component": group.asset.component,
        "count": len(group.rows),
        "rows": list(group.rows),
        "ids": [own for own in group.ids if own],
        "status": status.value if status else "no advisory",
        "answers": [_plain(answer) for answer in answers],
    }


def _print(
    found: Sequence[tuple[Listed, Sequence[Answer]]],
    documents: int,
    warnings: Sequence[str],
    limit: int,
) -> None:
    from wardwatch.advise.assets import overall
    from wardwatch.model.advisory import Exposure
    from wardwatch.ui.cli import printable

    by_status: dict[Exposure | None, list[tuple[Listed, Sequence[Answer]]]] = {}
    for group, answers in found:
        by_status.setdefault(overall(answers), []).append((group, answers))
    total = sum(len(group.rows) for group, _ in found)
    typer.echo(
        f"{_many(total, 'device')} in {_many(len(found), 'kind')}, held against {_many(documents, 'advisory')}"
    )
    for status in (Exposure.AFFECTED, Exposure.UNKNOWN, Exposure.NOT_AFFECTED, None):
        own = by_status.get(status, [])
        word = status.value if status else "no advisory"
        typer.echo(
            f"{word:13} {_many(sum(len(g.rows) for g, _ in own), 'device', 8)}, {_many(len(own), 'kind')}"
        )
    for status in (Exposure.AFFECTED, Exposure.UNKNOWN, Exposure.NOT_AFFECTED):
        own = sorted(by_status.get(status, []), key=lambda pair: -len(pair[0].rows))
        for group, answers in own[:limit]:
            a = group.asset
            named = " ".join(filter(None, (a.manufacturer, a.model, a.version, a.component)))
            typer.echo()
            _line(f"{status.value}: {named}  ({len(group.rows)})")
            for answer in answers:
                cves = [c.cve for c in answer.cves if c.exposure is Exposure.AFFECTED]
                maybe: dict[str, list[str]] = {}
                for c in answer.cves:
                    if c.exposure is Exposure.CONDITIONAL:
                        maybe.setdefault(c.condition, []).append(c.cve)
                said = f"  {answer.advisory} {answer.exposure.value}: {answer.reason}"
                if cves:
                    said += f" CVEs: {', '.join(cves)}."
                for fact, hung in maybe.items() if answer.exposure is Exposure.AFFECTED else ():
                    said += f" Hanging on {fact}: {', '.join(hung)}."
                _line(said)
        if len(own) > limit:
            typer.echo(f"\n… and {len(own) - limit} more kinds {status.value}: --all or --json")
    for warning in warnings:
        typer.echo(printable(warning))


def _many(count: int, word: str, width: int = 0) -> str:
    """``1 device``, ``2 advisories``."""
    ending = "" if count == 1 else "s"
    if ending and word.endswith("y"):
        word, ending = word[:-1], "ies"
    return f"{count:{width}} {word}{ending}"


def _line(text: str) -> None:
    """One line; on a terminal folded at its width, what follows set in under the first."""
    from wardwatch.ui.cli import printable

    said = printable(text)
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns, 40)
        indent = " " * (len(said) - len(said.lstrip()) + 2)
        said = textwrap.fill(said, width, subsequent_indent=indent, break_on_hyphens=False)
    typer.echo(said)


def _plain(value: object) -> object:
    import msgspec

    return msgspec.to_builtins(value)


def _json(value: object) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
