"""The command line: one command a question, errors in one line, ``--json`` for machines."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

import wardwatch
from wardwatch.errors import UsageError, WardwatchError
from wardwatch.ui import advisories, statement, twin
from wardwatch.ui.commands import Commands
from wardwatch.ui.frames import roomy

if TYPE_CHECKING:
    from wardwatch.watch import Audit

app = Commands(
    name="wardwatch",
    help="Packet captures in, evidence out. wardwatch watches over wireless infusion pumps and other "
    "networked medical devices. It only listens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Captures = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE...",
        help="Capture files (pcap, pcapng, also .gz .zst .xz), or - for a pipe.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(help="File of 32 random bytes that keys the digests of secrets (made if absent)."),
]
SiteFile = Annotated[
    Path | None,
    typer.Option("--site", help="site.toml: what the hospital confirms of its network."),
]
ListFile = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        help="The hospital's own list of devices, CSV: MAC or serial, model, version, ward.",
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option(help="Folder for report.html, report.json and the evidence tables (made 0700)."),
]
ShelfFolder = Annotated[
    Path | None,
    typer.Option(
        "--shelf",
        help="Folder of the advisories you imported (by default where `wardwatch advisories import` puts them).",
    ),
]


def main() -> None:
    """Run the command line; the exit status is the answer (see ``wardwatch audit --help``)."""
    # NumPy brings a linear algebra library that starts threads when it is loaded; we ask it nothing
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # It also asks for pages of 2 MB for large arrays: of our tables few rows are in use, here and there
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    # And Arrow sets up an allocator of its own, for which it wants 200 MB of addresses; we use the system's
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Almost nothing of ours needs the collector, and every look of it at all that we hold costs:
    # loading alone makes more than 100,000 objects, all of which stay.
    gc.set_threshold(200_000, 20, 20)
    try:
        _run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _end_at_once(end.code or 0)
        raise


@roomy
def _run() -> None:
    try:
        app()
    except WardwatchError as error:
        sys.stderr.write(f"wardwatch: {printable(str(error))}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("wardwatch: stopped\n")
        sys.exit(2)
    except BrokenPipeError:
        _reader_went_away()
    except Exception as error:
        # Python's own status for it is 1, which would mean a finding.
        sys.stderr.write(_unexpected(error))
        sys.exit(2)


def _unexpected(error: Exception) -> str:
    """What to say of an error that nobody foresaw; what a message of it quotes may come from a file."""
    if lack := no_memory(error):
        said = str(lack).partition("\n")[0]
        return (
            f"wardwatch: there is not enough memory ({printable(said)}); end other programs, or cut the "
            "capture (`editcap -c 1000000 CAPTURE PARTS`) and give all parts at once\n"
        )
    import traceback

    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(map(printable, lines)) + (
        "\nwardwatch: a fault of ours stopped this, so nothing was found out; please report the lines above "
        "(they may quote what the capture holds)\n"
    )


def no_memory(error: BaseException | None) -> BaseException | None:
    """What says that the system had no memory left for NumPy, Arrow, DuckDB, LLVM, or tables of ours.

    It is the error itself, or one that it came of, as llvmlite tells of its library; else None.
    """
    while error is not None:
        if (
            isinstance(error, MemoryError)
            or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
            # of a library that is loaded there was no room for the code
            or (isinstance(error, (ImportError, OSError)) and "failed to map segment" in str(error))
            # there was no room for the error itself: nothing else takes it from a function in Python
            or (isinstance(error, SystemError) and _is_lost(str(error)))
            # DuckDB is loaded late, and need not be for this question
            or any(kind.__name__ == "OutOfMemoryException" for kind in type(error).__mro__)
        ):
            return error
        error = error.__cause__ or error.__context__
    return None


def _is_lost(said: str) -> bool:
    """Whether the interpreter says of a function in Python that it failed, and no more."""
    return said.startswith("<function ") and said.endswith("NULL without setting an exception")


def _end_at_once(status: int) -> None:
    """End the process without taking apart what it holds: 0.15 s after 1 GB, for memory that goes anyway.

    What was promised to be done at the end is done, and output is written. Where other threads
    are at work nothing is done here.
    """
    if threading.active_count() > 1:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return  # the interpreter says so at its own end
    atexit._run_exitfuncs()
    os._exit(status)


def shelf_of(named: Path | None) -> Path:
    """The shelf that was named, which then must be there, or this user's own."""
    from wardwatch.ui.advisories import shelf_folder

    if named is not None and not (named / "index.json").exists():
        raise UsageError(
            f"{named}: no shelf of advisories; make one with `wardwatch advisories import --shelf {named} PATH`"
        )
    return shelf_folder(named)


def say(said: str | bytes) -> None:
    """Write to standard output at once; a reader that went away means not done (2), no finding.

    Bytes are UTF-8, and go as they are.
    """
    try:
        if isinstance(said, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(said)
        else:
            sys.stdout.write(said)
        sys.stdout.flush()
    except BrokenPipeError:
        _reader_went_away()


def _reader_went_away() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said
    sys.exit(2)


def printable(text: str) -> str:
    """Text from outside for a terminal: control characters shown, never obeyed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """Packet captures in, evidence out. It only listens."""
    if show:
        typer.echo(f"wardwatch {wardwatch.__version__}")
        raise typer.Exit


@app.command()
def audit(
    captures: Captures,
    site: SiteFile = None,
    inventory: ListFile = None,
    shelf: ShelfFolder = None,
    out: OutFolder = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Answer the advisory: which pumps, what is wrong, which measures hold, who attacks.

    Exit status 0: no finding and no broken measure in an input that was whole (never a claim
    that measures hold); 1: a finding or a broken measure; 2: not done; 3: none in what could be
    read, but the input was damaged or nothing was observable.
    """
    from wardwatch.observe.digests import hashed_ahead

    _not_beside_the_key(out, key_file)
    # One core hashes while the other loads what reads.
    with hashed_ahead(captures) as digests:
        from wardwatch.ui.progress import progress_bar
        from wardwatch.watch import audit as run

        with progress_bar("reading") as progress:
            result = run(
                captures,
                site=site,
                inventory=inventory,
                shelf=shelf_of(shelf),
                out=out,
                key_file=key_file,
                progress=progress,
                meanwhile=_load_page if out is not None else None,
                digests=digests,
            )
    raise typer.Exit(_answer(result, out, as_json=as_json))


@app.command()
def watch(
    interface: Annotated[
        str,
        typer.Argument(
            metavar="INTERFACE", help="Network interface, a mirror port's, say (see `ip link`)."
        ),
    ],
    span: Annotated[
        str | None,
        typer.Option("--for", help="How long: 90s, 15m, 8h, 2d; until Ctrl-C without it."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(help="Keep the packets, too: a new pcapng (0600), which evidence cites."),
    ] = None,
    buffer: Annotated[
        int,
        typer.Option(
            help="MB of packets that may wait to be read; what finds no room is lost, and told."
        ),
    ] = 64,
    site: SiteFile = None,
    inventory: ListFile = None,
    shelf: ShelfFolder = None,
    out: OutFolder = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Listen to a live mirror port until Ctrl-C (or as long as is said), and answer as audit does.

    It sends nothing. Linux only, and for who may listen: root, who gives the right up again under
    sudo. Packets that the port or the system lost are counted and told. Exit status: as of
    `wardwatch audit`; 3 also where nothing was found, but packets were lost.
    """
    from wardwatch.ui.listen import listened

    _not_beside_the_key(out, key_file)
    result = listened(
        interface, span, write, buffer, site=site, inventory=inventory, shelf=lambda: shelf_of(shelf),
        out=out, key_file=key_file,
    )  # fmt: skip
    raise typer.Exit(_answer(result, out, as_json=as_json))


def _answer(result: Audit, out: Path | None, *, as_json: bool) -> int:
    """Show what an audit found, and write its report ⇒ the exit status."""
    from wardwatch.ui.render import page, report_json, summary_text, write_report
    from wardwatch.ui.report import build

    report = build(result)
    if out is not None:
        write_report(out, report_json(report), page(report))
    if not as_json:
        say(summary_text(report, out))
    else:
        for piece in report_json(report):
            say(piece)
    return result.exit_status


@app.command()
def evidence(
    captures: Captures,
    table: Annotated[str | None, typer.Option(help="Show the rows of this table.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables as Parquet (made 0700).")
    ] = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(help="Rows shown at most; 0 for all.")] = 40,
) -> None:
    """Show the facts: the evidence tables of captures, without any judgement."""
    from wardwatch.model.columns import BY_NAME
    from wardwatch.observe.engine import observe
    from wardwatch.ui.progress import progress_bar
    from wardwatch.ui.render import print_counts, print_table, table_json
    from wardwatch.watch import private_folder

    if table is not None and table not in BY_NAME:
        raise UsageError(f"no table {table!r}; there are: {', '.join(BY_NAME)}")
    _not_beside_the_key(out, key_file)
    folder = private_folder(out) if out is not None else None
    with progress_bar("reading") as progress:
        seen = observe(captures, out=folder, key_file=key_file, progress=progress)
    for refusal in seen.refused:
        typer.echo(f"wardwatch: {printable(str(refusal))}", err=True)
    if table is None and as_json:
        say(table_json(seen.tables, None, limit) + "\n")
    elif table is None:
        print_counts(seen.tables, out)
    elif as_json:
        say(table_json(seen.tables, table, limit) + "\n")
    else:
        print_table(seen.tables, table, limit)
    raise typer.Exit(3 if seen.damaged or seen.refused else 0)


@app.command()
def preflight(captures: Captures, as_json: AsJson = False) -> None:
    """Say in seconds for which verdicts a capture is good enough, and where to put the mirror port."""
    from wardwatch.observe.engine import observe
    from wardwatch.observe.preflight import preflight as judge
    from wardwatch.ui.progress import progress_bar
    from wardwatch.ui.render import preflight_json, print_preflight

    with progress_bar("reading") as progress:
        seen = observe(captures, progress=progress)
    rows = judge(seen.tables)
    if as_json:
        say(preflight_json(rows) + "\n")
    else:
        print_preflight(rows)
    raise typer.Exit(0 if any(row.good for row in rows) else 3)


@app.command()
def learn(captures: Captures, inventory: ListFile = None) -> None:
    """Propose site.toml from captures, each line with its evidence and inert until confirmed."""
    from wardwatch.inventory.identify import inventory as identify
    from wardwatch.inventory.learn import learn as propose
    from wardwatch.inventory.register import read_list
    from wardwatch.observe.engine import observe
    from wardwatch.ui.progress import progress_bar

    listed, _ = read_list(inventory) if inventory is not None else ((), ())
    with progress_bar("reading") as progress:
        seen = observe(captures, progress=progress)
    say(propose(seen.tables, identify(seen.tables, listed)))
    if sys.stdout.isatty():
        typer.echo("nothing above counts until you fill in confirmed_by and confirmed_on", err=True)


@app.command()
def explain(
    name: Annotated[
        str | None, typer.Argument(help="A measure, technique or table; none lists them all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a measure asks, what a technique looks for, what a table and its columns mean."""
    from wardwatch.ui.explain import explain_json, explain_text

    say(explain_json(name) if as_json else explain_text(name))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the captures and the reports.")] = Path(
        "out/demo"
    ),
    seed: Annotated[
        int, typer.Option(help="Seed of the ward; the same seed makes the same bytes.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Try it on a known truth: a day on the twin's ward, attacked and clean, both audited.

    Exit status 0 when every verdict and finding equals the truth; 1 when one does not.
    """
    from wardwatch.ui.demo import run_demo

    raise typer.Exit(run_demo(out, seed, as_json=as_json))


@app.command()
def drill(
    technique: Annotated[
        list[str] | None, typer.Option(help="Play this technique or measure only (repeatable).")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, help="Seeds, dealt to the plays in turn; half of them from the commit's hash."
        ),
    ] = 1,
    clean: Annotated[
        int, typer.Option(min=0, help="Seeds whose clean hour is audited, from every place.")
    ] = 1,
    times: Annotated[
        bool,
        typer.Option("--times", help="Measure the time to detection of every play too."),
    ] = False,
    site: SiteFile = None,
    background: Annotated[
        list[Path] | None,
        typer.Option(help="Captures to hide every technique in once more (repeatable)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for drill.json, drill.md and drill.html.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the captures with their labels (Parquet) as well.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to share the audits among.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Play every attack against the twin, listen from every place, and say what was seen.

    With a site file the ward takes its numbers. Exit status 0: everything that could be observed
    was seen, and nothing else; 1: something was missed, or was a false alarm. Twin and detectors
    have the same authors.
    """
    from wardwatch.ui.drill import run_drill

    raise typer.Exit(
        run_drill(
            technique or [], seeds, clean, times=times, site=site, behind=background or [], out=out,
            kept=keep, jobs=jobs, as_json=as_json,
        )
    )  # fmt: skip


statement.add(app)
app.add_typer(advisories.app)
app.add_typer(twin.app)


def _load_page() -> None:
    """Load what the page is made with."""
    import jinja2  # noqa: F401
    import rich.console
    import rich.table  # noqa: F401

    from wardwatch.ui import render, report  # noqa: F401


def _not_beside_the_key(out: Path | None, key_file: Path | None) -> None:
    """The key of secrets never lies beside the output that holds their digests."""
    if (
        out is not None
        and key_file is not None
        and key_file.resolve().is_relative_to(out.resolve())
    ):
        raise UsageError(
            f"{key_file}: the key may not lie in the output folder; name another place"
        )


if __name__ == "__main__":
    main()
