"""The drill's matrix: on the terminal, as JSON, and as a document."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.judgement import TECHNIQUES
from wardwatch.twin.switch import TAPS
from wardwatch.ui.drill import IDS, MARKS, MISSED, MORE, NOT_OBSERVABLE, SEEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardwatch.twin.switch import Tap
    from wardwatch.ui.drill import Cell, Result

WIDTH = 80
"""Columns of a terminal that the matrix must fit."""
LABEL, COLUMN = 24, 6
LEGEND = (
    "S seen   M missed: its proof passed there, and was not told   "
    "- not observable\nthere   + told on less than the whole proof"
)
CAUTION = (
    "Twin and detectors have the same authors: this shows that they agree, and where "
    "they do not. It is no accuracy in the field."
)


def rows(result: Result, questions: Iterable[str]) -> list[tuple[str, str, dict[str, str]]]:
    """(question, variant, tap → mark) in the order of the plays."""
    wanted = list(questions)
    found: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for cell in result.cells:
        if cell.question in wanted:
            own = cell.play.partition("/")[0] == cell.question
            if own or cell.question in IDS:
                variant = cell.variant if own else cell.play.replace("/", ": ")
                key = (cell.question, cell.play, variant)
                found.setdefault(key, {}).setdefault(cell.tap, set()).add(cell.outcome)
    order = {name: n for n, name in enumerate(wanted)}
    return [
        (question, variant, {tap: _mark(outcomes) for tap, outcomes in taps.items()})
        for (question, _, variant), taps in sorted(found.items(), key=lambda one: order[one[0][0]])
    ]


def _mark(outcomes: set[str]) -> str:
    """The worst of several seeds."""
    for outcome in (MISSED, NOT_OBSERVABLE, MORE, SEEN):
        if outcome in outcomes:
            return MARKS[outcome]
    raise AssertionError(outcomes)


def techniques() -> list[str]:
    """Ids in their order."""
    return [technique.id for technique in TECHNIQUES]


def measures(result: Result) -> list[str]:
    """Ids of the measures that were broken, in the order in which they were."""
    return list(dict.fromkeys(cell.question for cell in result.cells if cell.question in IDS))


def totals(result: Result) -> list[str]:
    """The numbers, a line each."""
    chosen = [str(s) for s in result.seeds if s not in result.of_commit]
    hashed = [str(s) for s in result.of_commit]
    i1 = sum(not one.i1 for one in result.infused)
    i2 = sum(one.violations > 0 for one in result.infused)
    lines = [
        f"recall {result.recall:.4f} ({result.seen} of {result.observable} observable)   "
        f"precision {result.precision:.4f}",
        f"false alarms: {len(result.false)} beside attacks, {len(result.clean_false)} on clean twins "
        f"({result.clean_audits} audits, {result.clean_seeds} seeds)",
        f"therapy: {len(result.infused)} infusions under attack, {i1} disturbed (I1); "
        f"{i2} took an offer nobody signed (I2)",
        f"seeds: {', '.join(chosen) or 'none'} chosen; {', '.join(hashed) or 'none'} from the commit",
    ]
    times = sorted(one.seconds for one in result.timed if one.seconds >= 0)
    if times:
        lines.append(
            f"time to detection: median {times[len(times) // 2]:.3g} s, longest {times[-1]:.3g} s "
            f"({len(times)} plays)"
        )
    return lines


def _wide(tap: Tap) -> int:
    """Columns of a terminal that a place takes: its name behind a blank, at least."""
    return max(COLUMN, len(tap.name) + 1)


def terminal(result: Result) -> str:
    """The matrix in plain text, 80 columns."""
    times = {one.play: one.seconds for one in result.timed}
    head = " " * LABEL + "".join(f"{tap.name:>{_wide(tap)}}" for tap in TAPS)
    out = [LEGEND, "", *(f"{tap.name:8}{tap.says}" for tap in TAPS), ""]
    before = ""
    for question, variant, marks in rows(result, techniques()):
        if question != before:
            out += [f"{question:<{LABEL}}{head[LABEL:]}"]
            before = question
        line = f"  {variant:<{LABEL - 2}.{LABEL - 2}}"
        line += "".join(f"{marks.get(tap.name, ' '):>{_wide(tap)}}" for tap in TAPS)
        seconds = times.get(f"{question}/{variant}")
        out.append(line if seconds is None or seconds < 0 else f"{line}")
    out.append("")
    out.append(f"{'measures broken: cells':<{LABEL}}{head[LABEL:]}")
    for question in measures(result):
        line = f"  {question:<{LABEL - 2}.{LABEL - 2}}"
        for tap in TAPS:
            cells = [c for c in result.cells if c.question == question and c.tap == tap.name]
            line += f"{_share(cells):>{_wide(tap)}}"
        out.append(line)
    missed = [cell for cell in result.cells if cell.outcome == MISSED]
    out += ["", *totals(result), *result.places]
    out += [f"{c.outcome}: {c.question}, {c.variant}" for c in result.among]
    out += [f"missed: {c.question} ({c.play}) at {c.tap}, seed {c.seed}" for c in missed[:40]]
    out += [f"false: {line}" for line in (*result.false, *result.clean_false)][:40]
    out += ["", CAUTION]
    return "\n".join(line[:WIDTH] if line.startswith("  ") else line for line in out) + "\n"


def as_json(result: Result) -> str:
    """The whole result, and its numbers, for machines."""
    numbers = {
        "recall": result.recall, "precision": result.precision, "observable": result.observable,
        "seen": result.seen, "passed": result.passed, "caution": CAUTION,
    }  # fmt: skip
    return json.dumps({**numbers, **msgspec.to_builtins(result)}, indent=1) + "\n"


def _share(cells: list[Cell]) -> str:
    """Seen of observable."""
    able = [cell for cell in cells if cell.outcome in (SEEN, MISSED)]
    return f"{sum(c.outcome == SEEN for c in able)}/{len(able)}" if able else "-"


def document(result: Result) -> str:
    """The matrix as Markdown."""
    names = [tap.name for tap in TAPS]
    times = {one.play: one for one in result.timed}
    volumes = {one.play: one for one in reversed(result.infused)}
    out = [
        f"**{CAUTION}**\n\n",
        "What can be observed from a place is settled by the ward's switches (`twin/switch.py`: which frames"
        " pass there) and by what each technique must be told from (`twin/plays.py`), before an audit is made."
        " Nothing else decides between *missed* and *not observable*.\n\n",
        f"Made by `{result.command}` at commit `{result.commit or 'unknown'}`.\n\n",
        "".join(f"* {line}\n" for line in totals(result)),
        "\n| place | what it is |\n|---|---|\n",
        "".join(f"| {tap.name} | {tap.says} |\n" for tap in TAPS),
        f"\nMarks: {' '.join(LEGEND.split())}. Several seeds: the worst. *t* is the time from the first packet of the"
        " attack until an audit of what had come so far tells it, in the ward's time, at the first place from which"
        " it can be told. *mL* is what the attacked pump's infusion had delivered at the end of the hour (50 mL syringe,"
        " 5 mL/h), *Δ* the difference to the undisturbed hour; *I2* offers taken without a signature, as the"
        " historic versions do.\n",
        "\n## Techniques\n",
    ]
    before = ""
    for question, variant, marks in rows(result, techniques()):
        if question != before:
            out.append(
                f"\n### {question}\n\n| variant | {' | '.join(names)} | t | mL | Δ | I2 |\n"
                f"|---|{'---|' * len(names)}---|---|---|---|\n"
            )
            before = question
        play = f"{question}/{variant}"
        timed, side = times.get(play), volumes.get(play)
        told = "" if timed is None or timed.seconds < 0 else f"{timed.seconds:.3g} s"
        beside = (
            ("", "", "")
            if side is None
            else (f"{side.delivered_ml:.4f}", f"{side.difference_ml:g}", str(side.violations))
        )
        cells = " | ".join(marks.get(name, "") for name in names)
        out.append(f"| {variant} | {cells} | {told} | {' | '.join(beside)} |\n")
    out.append("\n## Measures broken\n")
    before = ""
    for question, variant, marks in rows(result, measures(result)):
        if question != before:
            out.append(
                f"\n### {question}\n\n| play | {' | '.join(names)} | t |\n"
                f"|---|{'---|' * len(names)}---|\n"
            )
            before = question
        timed = times.get(f"{question}/{variant}")
        told = "" if timed is None or timed.seconds < 0 else f"{timed.seconds:.3g} s"
        cells = " | ".join(marks.get(name, "") for name in names)
        out.append(f"| {variant} | {cells} | {told} |\n")
    if result.among:
        out.append(
            "\n## Among a background\n\nEvery technique once in one hour among other traffic, heard in the pumps'"
            " VLAN and on the air; what is said of the same background around the clean hour does not count.\n\n"
            "| technique | play | outcome |\n|---|---|---|\n"
        )
        out += [f"| {c.question} | {c.variant} | {c.outcome} |\n" for c in result.among]
    missed = [cell for cell in result.cells if cell.outcome == MISSED]
    out.append("\n## Missed, and false alarms\n\n")
    out += [f"* missed: {c.question} ({c.play}) at {c.tap}, seed {c.seed}\n" for c in missed]
    out += [f"* false: {line}\n" for line in (*result.false, *result.clean_false)]
    if not missed and not result.false and not result.clean_false:
        out.append("None.\n")
    return "".join(out)


def page(result: Result) -> str:
    """The document as one self-contained page: no script, nothing from outside."""
    style = (resources.files("wardwatch.ui") / "page" / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
        f"<title>wardwatch drill</title><style>{style}</style></head><body><main>"
        f"<h1>Drill</h1><pre>{html.escape(terminal(result))}</pre></main></body></html>\n"
    )
