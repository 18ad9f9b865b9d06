"""``wardwatch twin``: the pump system on which everything can be tried, run by hand and watched."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(
    name="twin",
    help="The twin: a pump system of the Medfusion 4000's class to try things on. Not that product, "
    "not a medical device.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]

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
