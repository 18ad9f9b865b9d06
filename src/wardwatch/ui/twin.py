"""``wardwatch twin``: the pump system on which everything can be tried, run by hand and watched."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 — typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from wardwatch.errors import OutputError, UsageError
from wardwatch.ui import fleet
from wardwatch.ui.commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.text import Text

    from wardwatch.twin.live import Bed, Picture, Wish

app = Commands(
    name="twin",
    help="The twin: a pump system of the Medfusion 4000's class to try things on. Not that product, "
    "not a medical device.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]

fleet.add(app)

MARKS = {
    "P": "published",
    "V": "the vendor says so, nobody outside showed it",
    "A": "assumed by this project",
    "K": "general knowledge, not looked up",
    "D": "derived",
}


@app.callback()
def twin() -> None:
    """Try things on a pump system whose truth is known. Not a medical device."""


@app.command()
def profiles(as_json: AsJson = False) -> None:
    """Show the software versions the twin can play: weaknesses, later notices, what is assumed.

    A version without a weakness here is not thereby safe: read its notices.
    """
    import msgspec

    from wardwatch.twin.comms import firmwares
    from wardwatch.ui.cli import say

    found = firmwares()
    if as_json:
        told = {name: msgspec.to_builtins(one) | {"weaknesses": sorted(one.weaknesses)}
                for name, one in found.items()}  # fmt: skip
        say(json.dumps(told, indent=1) + "\n")
        return
    lines = []
    for name, one in found.items():
        lines.append(f"{name} [{one.mark}: {MARKS[one.mark]}]")
        lines.append(f"  weaknesses  {', '.join(sorted(one.weaknesses)) or 'none of the eight'}")
        lines += [f"  notice      {text}" for text in one.notices]
        lines += [f"  assumed     {text}" for text in one.assumed]
    say("\n".join(lines) + "\n")


@app.command()
def up(
    pumps: Annotated[int, typer.Option(help="Pumps on the ward, 1 to 16.")] = 2,
    version: Annotated[str, typer.Option(help="Their software: see `twin profiles`.")] = "1.6.0",
    seconds: Annotated[float, typer.Option(help="Ends by itself after so long.")] = 300.0,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Show the page once, when every pump infuses and reports, and leave."
        ),
    ] = False,
    capture: Annotated[
        Path | None, typer.Option(help="Write what the mirror port sees into this pcapng.")
    ] = None,
    external: Annotated[
        bool, typer.Option("--external", help="Switch the first pump's FTP and telnet on.")
    ] = False,
    dhcp: Annotated[int, typer.Option(help="So many pumps ask for an address.")] = 1,
    occlude: Annotated[
        list[float] | None,
        typer.Option(help="Occlude the first pump's line after so many seconds (again: more)."),
    ] = None,
    boot: Annotated[
        float,
        typer.Option(
            help="Seconds communications need after a crash; below 0 as the profile says."
        ),
    ] = -1.0,
    interval: Annotated[float, typer.Option(help="Seconds between reports, 5 to 86400.")] = 60.0,
    roam: Annotated[
        float, typer.Option(help="Walks an hour of each pump: silent for 50 ms to 10 min each.")
    ] = 0.0,
    library: Annotated[
        int, typer.Option(help="Publish a drug library of this version; 0 none.")
    ] = 0,
    rogue: Annotated[
        bool, typer.Option("--rogue", help="A second DHCP server (ISC dhcpd) joins the ward.")
    ] = False,
    option_66: Annotated[
        int,
        typer.Option(
            "--option-66",
            help="The rogue's replies carry an option 66 of so many octets of filler.",
        ),
    ] = 0,
    impostor: Annotated[
        bool,
        typer.Option(
            "--impostor", help="The server's name leads to another certificate (openssl)."
        ),
    ] = False,
    over_read: Annotated[
        bool,
        typer.Option(
            "--over-read",
            help="A resolver's first answer to each pump counts what it does not hold.",
        ),
    ] = False,
    files: Annotated[
        bool, typer.Option("--files", help="A file server (vsftpd) stands beside the pumps.")
    ] = False,
    tls: Annotated[
        bool | None,
        typer.Option("--tls/--no-tls", help="Report over TLS; else as the version does."),
    ] = None,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="Stay on loopback even where more is permitted.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of what nurse and patient do.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: a line a second, or one page with --once.")
    ] = False,
) -> None:
    """Run a ward of pumps and watch it: state, volume, alarms, pressure, server.

    It lives in network namespaces of its own, with Debian's servers where they are installed, or on
    loopback where those are not permitted; the first line says which. Ctrl-C ends it, and nothing
    of it is left. Exit status 0: it ran, and with --once every pump infused and was heard; 1: with
    --once, one was not; 2: not done.
    """
    from wardwatch.twin.comms import firmwares
    from wardwatch.twin.live import LONGEST_S, PUMPS, Wish

    if version not in firmwares():
        raise UsageError(f"no version {version!r}; there are: {', '.join(firmwares())}")
    if not 1 <= pumps <= PUMPS:
        raise UsageError(f"a ward has 1 to {PUMPS} pumps, not {pumps}")
    if not 1 <= seconds <= LONGEST_S:
        raise UsageError(f"it may run for 1 to {LONGEST_S:.0f} s, not {seconds:g}")
    wish = Wish(
        pumps=pumps, version=version, seconds=seconds, loopback=loopback, external=external,
        dhcp=dhcp, tls=tls, interval_s=interval, boot_s=boot, roam=roam, occlude_s=tuple(occlude or ()),
        capture=str(capture or ""), library=library, rogue=rogue or option_66 > 0, option_66=option_66, impostor=impostor,
        over_read=over_read, files=files,
        seed=seed,
    )  # fmt: skip
    raise typer.Exit(_up(wish, once=once, as_json=as_json))


def _up(wish: Wish, *, once: bool, as_json: bool) -> int:
    """Run it, shown in the way that was asked for."""
    from wardwatch.twin.live import Ward
    from wardwatch.ui.cli import say
    from wardwatch.ui.render import console

    try:
        with Ward(wish) as ward:
            absent = [words for words, wished in _in_namespaces(wish) if wished]
            if absent and ward.why_loopback:
                raise UsageError(f"no {', no '.join(absent)} on loopback: {ward.why_loopback}")
            if once:
                picture = ward.watch(_heard)
                if as_json:
                    say(_json(picture) + "\n")
                else:
                    console().print(_page(picture))
                return 0 if _heard(picture) else 1
            if as_json:
                ward.watch(_each_second(lambda picture: say(_json(picture) + "\n")))
                return 0
            _watched(ward.watch)
            return 0
    except OSError as error:
        raise OutputError(f"the ward could not be run: {error}") from error


def _in_namespaces(wish: Wish) -> tuple[tuple[str, bool], ...]:
    """What a ward has in namespaces only: (words, whether it was asked for)."""
    return (
        ("mirror port", bool(wish.capture)),
        ("second DHCP server", wish.rogue),
        ("impostor", wish.impostor),
        ("over-reading resolver", wish.over_read),
        ("walks", wish.roam > 0),
    )


def _heard(picture: Picture) -> bool:
    """Every pump infuses, and the server has its report."""
    heard = {pump.serial for pump in picture.fleet.pumps}
    return all(
        bed.serial in heard and bed.radio.connected and bed.page.phase == "running"
        for bed in picture.beds
    )


def _each_second(show: Callable[[Picture], None]) -> Callable[[Picture], bool]:
    last = -1

    def shown(picture: Picture) -> bool:
        nonlocal last
        if int(picture.seconds) != last:
            last = int(picture.seconds)
            show(picture)
        return False

    return shown


def _watched(watch: Callable[[Callable[[Picture], bool]], Picture]) -> None:
    """On a terminal the page is drawn over and over; elsewhere it is printed at the end."""
    from rich.live import Live

    from wardwatch.ui.render import console

    screen = console()
    if not screen.is_terminal:
        screen.print(_page(watch(lambda _: False)))
        return
    # No thread of its own: the ward forks.
    with Live(console=screen, auto_refresh=False) as live:

        def draw(picture: Picture) -> bool:
            live.update(_page(picture), refresh=True)
            return False

        watch(draw)


def _json(picture: Picture) -> str:
    import msgspec

    return msgspec.json.encode(picture).decode()


BARS = " ▁▂▃▄▅▆▇█"
ALARM_STYLES = ("", "cyan", "yellow", "bold red")
PRIORITIES = ("", "low", "MEDIUM", "HIGH")


def _page(picture: Picture) -> Text:
    """The page of every pump and the server's, no line longer than 80 columns."""
    from rich.text import Text

    page = Text(no_wrap=True, overflow="ellipsis")
    page.append("wardwatch twin", "bold")
    page.append(f"  {picture.seconds:.0f} s on {picture.where}"[:64])
    page.append("\nnot a medical device; Medfusion-4000-class, not that product\n", "dim")
    for bed in picture.beds:
        _bed(page, bed)
    pumps = picture.fleet.pumps
    page.append(
        f"\nserver  {len(pumps)} pumps, {sum(p.reports for p in pumps)} reports "
        f"({sum(p.late for p in pumps)} late, {sum(p.again for p in pumps)} twice), "
        f"{picture.fleet.refused} refused"
    )
    offers = [f"{p.serial} {p.progress}" for p in pumps if p.progress]
    if offers:
        page.append(f"\nlibrary {'; '.join(offers)}"[:80])
    if picture.peers:
        page.append(f"\npeers   {', '.join(picture.peers)}"[:80])
    if picture.missing:
        page.append(f"\nmissing {', '.join(picture.missing)} (see tools/setup.sh)"[:80], "yellow")
    if picture.packets:
        page.append(f"\nmirror  {picture.packets} packets")
    if "bench" in picture.doors:
        page.append(f"\nenter   nsenter --net={picture.doors['bench']} COMMAND ..."[:80], "dim")
    return page


def _bed(page: Text, bed: Bed) -> None:
    shown, radio = bed.page, bed.radio
    page.append(f"\n{bed.name} {bed.serial} {bed.version}  ", "bold")
    page.append(f"{shown.phase}  {shown.rate / 1e6:g} mL/h\n")
    page.append(
        f"  volume    given {shown.given_nl / 1e6:.3f} mL, "
        f"at the vein {shown.delivered_nl / 1e6:.3f} mL, left {shown.left_nl / 1e6:.3f} mL\n"
    )
    limit = shown.limit_mmhg or 1.0
    curve = "".join(
        BARS[min(max(round(p / limit * (len(BARS) - 1)), 0), len(BARS) - 1)] for p in bed.pressures
    )
    page.append(f"  pressure  {shown.pressure_mmhg:4.0f} of {shown.limit_mmhg:3.0f} mmHg ")
    page.append(f"|{curve[-46:]}|\n", "cyan")
    page.append("  alarms    ")
    if not shown.alarms:
        page.append("none")
    for n, (text, priority) in enumerate(sorted(shown.alarms, key=lambda one: -one[1])[:3]):
        page.append(", " if n else "")
        page.append(f"{PRIORITIES[priority]} {text}", ALARM_STYLES[priority])
    where = radio.address or f"no address ({radio.lease})"
    state = "connected" if radio.connected else "no server"
    page.append(f"\n  comms     {where}, {state}, {radio.waiting} waiting, {bed.restarts} restarts")
    if bed.watchdog:
        page.append(f"\n  watchdog  stopped the motor {len(bed.watchdog)} times", "bold red")
    for cve, state in bed.labels[-2:]:
        page.append(f"\n  label     {cve} {state}"[:80], "yellow")
    for notice in radio.notices[-1:]:
        page.append(f"\n  notice    {notice}"[:80], "yellow")
    page.append("\n")
