"""What people see: the summary on the terminal, tables, JSON, and the page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter, defaultdict
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.errors import OutputError
from wardwatch.model.device import Confidence
from wardwatch.model.judgement import MEASURES, TECHNIQUES, State
from wardwatch.model.values import utc_text
from wardwatch.ui import advised, picture
from wardwatch.ui.advised import device_name
from wardwatch.ui.report import certainty_order, packets_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from wardwatch.model.judgement import Verdict
    from wardwatch.model.report import Report
    from wardwatch.observe.preflight import Readiness
    from wardwatch.observe.tables import Tables

STATE_STYLE = {
    State.BROKEN: "bold red",
    State.HOLDS: "green",
    State.ATTESTED: "cyan",
    State.NOT_OBSERVABLE: "yellow",
    State.NOT_APPLICABLE: "dim",
}
CELL = 160
"""Characters of one cell on the terminal."""


AT_ONCE = 1_000
"""Entries of a list that are made text at once: of a flood of devices the whole text is larger than they are."""


def report_json(report: Report) -> Iterator[bytes]:
    """``report.json`` in pieces: the report as its published schema has it, UTF-8 (RFC 8259 §8.1)."""
    told = bytearray(b"{")
    for number, field in enumerate(msgspec.structs.fields(report)):
        value = getattr(report, field.name)
        told += b",\n " if number else b"\n "
        told += msgspec.json.encode(field.encode_name) + b": "
        if not isinstance(value, list | tuple) or len(value) <= AT_ONCE:
            told += _indented(value)
            continue
        for begin in range(0, len(value), AT_ONCE):
            # without the brackets, which are the whole list's
            told += b",\n" if begin else b"[\n"
            told += _indented(value[begin : begin + AT_ONCE])[2:-3]
            yield bytes(told)
            told.clear()
        told += b"\n ]"
    yield bytes(told + b"\n}\n")


def _indented(value: object) -> bytes:
    """JSON as it stands below a key of the outermost object; no text holds a line's end as it is."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1).replace(b"\n", b"\n ")


def write_report(out: Path, told: Iterable[bytes], html: str) -> None:
    """Write report.json (``told``, in pieces) and report.html, each whole or not at all."""
    for name, content in (("report.json", told), ("report.html", (html.encode(),))):
        target, partial = out / name, out / f".{name}.partial"
        try:
            with partial.open("wb") as file:
                file.writelines(content)
            partial.replace(target)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


def page(report: Report) -> str:
    """The page: one self-contained file, no script, a policy that allows nothing from outside."""
    import jinja2

    from wardwatch.ui.templates import Kept

    folder = resources.files("wardwatch.ui") / "page"
    style = (folder / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    source = (folder / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"report.html": source}),
        bytecode_cache=Kept(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        utc=utc_text, packets=packets_text, device=device_name, shown=shown, thousands="{:,}".format
    )
    of_measure: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in report.verdicts:
        of_measure[verdict.measure].append(verdict)
    return environment.get_template("report.html").render(
        r=report,
        style=style,
        style_hash=f"sha256-{digest}",
        findings=sorted(report.findings, key=certainty_order),
        measures=[(m, said := of_measure[m.id], Counter(v.state for v in said)) for m in MEASURES],
        techniques={t.id: t for t in TECHNIQUES},
        states=list(State),
        names={d.id: d for d in report.devices},
        pumps=[d for d in report.devices if d.is_pump],
        others=[d for d in report.devices if not d.is_pump],
        probable=Confidence.PROBABLE,
        talk=picture.talk(report.groups, report.links),
        advised=advised.gathered(report),
        timeline=picture.timeline(report.first_ts, report.last_ts, report.moments),
    )


def shown(text: str) -> str:
    """Text from outside for a page: what cannot be seen is spelled out (Jinja2 escapes the rest)."""
    if text.isprintable():
        return str(text)  # also of text that claims to be escaped already
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def console() -> Console:
    """A terminal that never takes markup, links or emoji from what it prints."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """The reader went away: not done (2). Rich's own 1 would mean a finding."""
            raise BrokenPipeError

    return Plain(markup=False, highlight=False, emoji=False)


def summary_text(report: Report, out: Path | None) -> str:
    """The answer on one screen, for the terminal that we print to."""
    screen = console()
    with screen.capture() as printed:
        _print_summary(screen, report, out)
    return printed.get()


def _print_summary(screen: Console, report: Report, out: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    summary = report.summary
    style = {"act today": "bold white on red", "plan": "bold black on yellow"}.get(
        report.answer, "bold black on cyan"
    )
    screen.print(
        Text(
            " If a patient may be concerned: bedside first. This is not a clinical alarm.",
            style="dim",
        )
    )
    screen.print(Text(f" {report.answer.upper()} ", style=style), Text(report.site), report.span)
    for sentence in report.sentences:
        screen.print(Text(f" · {shown(sentence)}"))
    total = sum(c.packets for c in report.captures)
    decoded = sum(c.decoded for c in report.captures)
    skipped = sum(c.skipped for c in report.captures)
    malformed = sum(c.malformed for c in report.captures)
    screen.print(
        f" {total:,} packets = {decoded:,} decoded + {skipped:,} skipped + {malformed:,} malformed; "
        f"{report.anomalies:,} anomal{'y' if report.anomalies == 1 else 'ies'} in messages"
    )
    for capture in report.captures:
        for damage in capture.damage:
            screen.print(Text(f" damaged: {shown(capture.name)}: {shown(damage)}", style="yellow"))
    table = Table(box=None, pad_edge=True, header_style="bold")
    for head in ("measure", *(s.value for s in State)):
        table.add_column(head, justify="left" if head == "measure" else "right")
    for measure in MEASURES:
        states = [v.state for v in report.verdicts if v.measure == measure.id]
        if states:
            cells = [
                Text(str(n), style=STATE_STYLE[s])
                if (n := states.count(s))
                else Text("·", style="dim")
                for s in State
            ]
            table.add_row(measure.title, *cells)
    screen.print(table)
    if report.findings:
        found = Table(box=None, pad_edge=True, header_style="bold")
        for head in ("finding", "certainty", "from", "to", "packets"):
            address = MAC_COLUMN if head in ("from", "to") and screen.width >= 80 else None
            found.add_column(head, overflow="fold", min_width=address)
        for finding in sorted(report.findings, key=certainty_order)[:12]:
            colour = {"confirmed": "red", "suspect": "yellow"}.get(finding.certainty.value, "")
            variant = f" ({finding.variant})" if finding.variant else ""
            more = f" +{len(finding.targets) - 1}" if len(finding.targets) > 1 else ""
            found.add_row(
                (_broken(finding.technique) if screen.width < 100 else finding.technique) + variant,
                Text(finding.certainty.value, style=colour),
                shown(finding.actor)[:40],
                shown("".join(finding.targets[:1]))[:40] + more,
                packets_text(finding.evidence, 2).replace(
                    "capture 1, ", "", int(len(report.captures) == 1)
                ),
            )
        screen.print(found)
        if len(report.findings) > 12:
            screen.print(f" and {len(report.findings) - 12} more")
        screen.print(" what they mean: wardwatch explain NAME", style="dim")
    _print_advisories(screen, report)
    screen.print(
        f" {summary.pumps_seen} pumps seen, {summary.pumps_maybe} maybe, {summary.pumps_listed_unseen} listed but "
        f"unseen; {summary.devices} devices; {summary.not_observable} verdicts not observable from here"
    )
    for line in report.assumed:
        screen.print(Text(f" assumed: {shown(line)}", style="dim"))
    if report.key_note:
        screen.print(Text(f" {shown(report.key_note)}", style="dim"))
    if out is None:
        screen.print(" For the page and the tables: add --out DIR", style="dim")
    else:
        screen.print(Text(f" page: {out / 'report.html'}"))


MAC_COLUMN = 17
"""Characters of a MAC address, which is not broken in two."""
NAME_COLUMN = 15
"""Characters of a technique's name on one line: wider, a screen of 80 has no room for two MACs."""


def _broken(name: str) -> str:
    """A technique's name on several lines, each of which ends behind an underscore."""
    lines = [""]
    for part in re.findall(r"[^_]*_|[^_]+", name):
        if lines[-1] and len(lines[-1] + part) > NAME_COLUMN:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


ADVISORIES = 8
"""Advisories on the one screen; the page has all."""


def _print_advisories(screen: Console, report: Report) -> None:
    """How devices stand to advisories, a line an advisory."""
    from rich.table import Table
    from rich.text import Text

    if not report.advisory_rows:
        screen.print(
            f" no advisory of the {report.shelved} on the shelf concerns a device seen or listed"
        )
        return
    table = Table(box=None, pad_edge=True, header_style="bold")
    for head in ("advisory", "affected", "unknown", "not affected", "CVEs", "worst"):
        table.add_column(head, justify="left" if head == "advisory" else "right")
    for row in report.advisory_rows[:ADVISORIES]:
        cells = ((row.affected, "bold red"), (row.unknown, "yellow"), (row.not_affected, ""))
        table.add_row(
            shown(row.advisory)[:40],
            *(Text(str(n), style=style) if n else Text("·", style="dim") for n, style in cells),
            str(row.cves) if row.cves else "·",
            f"{row.worst:.1f}" if row.worst >= 0 else "·",
        )
    screen.print(table)
    if len(report.advisory_rows) > ADVISORIES:
        screen.print(f" and {len(report.advisory_rows) - ADVISORIES} more advisories on the page")
    screen.print(
        f" of {report.shelved} advisories on the shelf; not affected is not safe: see the page",
        style="dim",
    )


def print_counts(tables: Tables, out: Path | None) -> None:
    """Every table with its rows and caption."""
    from rich.table import Table

    from wardwatch.model.columns import TABLES

    screen = console()
    shown_table = Table(box=None, header_style="bold")
    shown_table.add_column("table")
    shown_table.add_column("rows", justify="right")
    shown_table.add_column("what it holds")
    for table in TABLES:
        shown_table.add_row(table.name, f"{tables.rows(table.name):,}", table.caption)
    screen.print(shown_table)
    screen.print(" see one with --table NAME" if out is None else f" written to {out}", style="dim")


def print_table(tables: Tables, name: str, limit: int) -> None:
    """Rows of one table, a block a row where the terminal is narrower than the table."""
    from rich.text import Text

    screen = console()
    rows = _rows(tables, name, limit)
    total = tables.rows(name)
    for number, row in enumerate(rows, 1):
        said = {k: v for k, v in row.items() if v not in ("", -1, [], False)}
        line = "  ".join(f"{k}={_cell(k, v)}" for k, v in said.items())
        screen.print(Text(f"{number:>4} "), Text(line), sep="")
    if total > len(rows):
        screen.print(f" {total - len(rows):,} more rows: --limit 0 shows all", style="dim")
    if not rows:
        screen.print(f" table {name} is empty", style="dim")


def table_json(tables: Tables, name: str | None, limit: int) -> str:
    """One table as JSON lines, or the row counts of all as one object."""
    if name is None:
        from wardwatch.model.columns import TABLES

        return json.dumps({t.name: tables.rows(t.name) for t in TABLES}, indent=1)
    return "\n".join(json.dumps(row) for row in _rows(tables, name, limit))


def _rows(tables: Tables, name: str, limit: int) -> list[dict[str, Any]]:
    data = tables.arrow(name)
    rows: list[dict[str, Any]] = (data.slice(0, limit) if limit > 0 else data).to_pylist()
    return rows


def _cell(name: str, value: object) -> str:
    if (name == "ts" or name.endswith("_ts")) and isinstance(value, int):
        return utc_text(value)
    if name in ("secret",):
        return "(kept as a keyed digest)"
    return shown(str(value))[:CELL]


def preflight_json(rows: Sequence[Readiness]) -> str:
    """The pre-flight answer for machines."""
    return msgspec.json.format(msgspec.json.encode(rows), indent=1).decode()


def print_preflight(rows: Sequence[Readiness]) -> None:
    """A line a measure: whether this capture can answer it, why, and what to change."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    table = Table(box=None, header_style="bold")
    for head in ("measure", "good enough", "why", "how to listen"):
        table.add_column(head, overflow="fold")
    titles = {m.id: m.title for m in MEASURES}
    for row in rows:
        word = Text("yes", style="green") if row.good else Text("no", style="yellow")
        table.add_row(titles.get(row.measure, row.measure), word, shown(row.why), shown(row.how))
    screen.print(table)
