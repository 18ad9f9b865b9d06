"""Make the generated documents: commands, tables, measures, techniques, schema, README example.

``make docs`` writes them; ``tests/test_docs.py`` fails when one is not what this would write.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import tempfile
from pathlib import Path

from docs import twin_table

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Made by `make docs`; edit the source, not this file. -->\n\n"


def commands() -> str:
    """``docs/commands.md``: the help of every command, as the command line prints it."""
    import typer
    from typer.testing import CliRunner

    from wardwatch.ui.cli import app

    runner = CliRunner(env={"COLUMNS": "90", "TERM": "dumb"})
    group = typer.main.get_command(app)
    names = sorted(getattr(group, "commands", {}))
    parts = [
        "# Commands\n\n",
        NOTE,
        "Exit status: 1 a finding or a broken measure; 0 none and the input whole; "
        "3 none in what could be read, but the input damaged or nothing observable; 2 not done.\n",
    ]
    ways = []
    for name in names:
        ways.append([name])
        ways += [[name, inner] for inner in sorted(getattr(group.commands[name], "commands", {}))]
    for way in ways:
        shown = runner.invoke(app, [*way, "--help"]).output
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        title = "#" * (1 + len(way))
        parts.append(f"\n{title} wardwatch {' '.join(way)}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def tables() -> str:
    """``docs/tables.md``: every evidence table and column."""
    from wardwatch.model.columns import TABLES

    parts = [
        "# Evidence tables\n\n",
        NOTE,
        'One Parquet file a table; evidence is `capture` and 1-based `packet`. There are no nulls: -1, "" and [] '
        'mean none. Some names are words of SQL: quote them (`"user"`, `"overlaps"`). Instants are nanoseconds since 1970-01-01 UTC: `make_timestamp_ns(ts)` in DuckDB.\n',
    ]
    for table in TABLES:
        parts.append(
            f"\n## {table.name}\n\n{table.caption}\n\n| column | type | unit | meaning | source |\n|---|---|---|---|---|\n"
        )
        for c in table.columns:
            meaning = c.meaning.replace("|", "\\|")
            parts.append(f"| `{c.name}` | {c.type} | {c.unit} | {meaning} | {c.source} |\n")
    return "".join(parts)


def checks() -> str:
    """``docs/checks.md``: every measure and technique, with its module's own words."""
    from wardwatch.model.judgement import MEASURES, TECHNIQUES

    parts = ["# Measures and techniques\n\n", NOTE, "## Measures\n"]
    parts += [
        f"\n### {measure.id}: {measure.title}\n\n{measure.question} Source: {measure.source}.\n"
        for measure in MEASURES
    ]
    parts.append("\n## Techniques\n")
    for technique in TECHNIQUES:
        cve = f" {technique.cve}." if technique.cve else ""
        parts.append(
            f"\n### {technique.id}: {technique.title}\n\n{cve} ATT&CK {technique.attack}. Predicate: {technique.source}.\n".replace(
                "\n\n ", "\n\n"
            )
        )
    for title, package in (
        ("The checks, in their own words", "wardwatch.verify"),
        ("The techniques, in their own words", "wardwatch.detect"),
    ):
        parts.append(f"\n## {title}\n")
        module = importlib.import_module(package)
        for info in sorted(pkgutil.iter_modules(module.__path__), key=lambda i: i.name):
            doc = (importlib.import_module(f"{package}.{info.name}").__doc__ or "").strip()
            parts.append(f"\n### {package}.{info.name}\n\n{doc}\n")
    return "".join(parts)


def minimums() -> str:
    """``docs/minimums.md``: every named minimum with its value and reason."""
    import ast

    parts = [
        "# Minimums\n\n",
        NOTE,
        "Engineering minimums of ours where no RFC decides; each is a named option.\n\n| option | value | reason |\n|---|---|---|\n",
    ]
    for path in (ROOT / "src/wardwatch/verify/minimums.py",):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and field.value is not None:
                    doc = (
                        after.value.value
                        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                        else ""
                    )
                    text = " ".join(str(doc).split()).replace("|", "\\|")
                    parts.append(
                        f"| `{ast.unparse(field.target)}` | {ast.unparse(field.value)} | {text} |\n"
                    )
    return "".join(parts)


def schema() -> str:
    """``docs/report.schema.json``: the JSON Schema of ``report.json``."""
    from wardwatch.model.report import schema as made

    return json.dumps(made(), indent=1, ensure_ascii=False) + "\n"


def example() -> str:
    """Return what ``wardwatch audit`` prints for the demo's attacked day, 100 columns wide."""
    from typer.testing import CliRunner

    from wardwatch.twin.scenario import demo
    from wardwatch.ui.cli import app

    with tempfile.TemporaryDirectory() as folder:
        made = demo(1, Path(folder))
        runner = CliRunner(
            env={"COLUMNS": "110", "TERM": "dumb", "NO_COLOR": "1", "XDG_STATE_HOME": folder}
        )
        result = runner.invoke(
            app,
            [
                "audit",
                str(made.attacked),
                "--site",
                str(made.site),
                "--inventory",
                str(made.listed),
            ],
        )
        if result.exit_code not in (0, 1, 3):
            raise SystemExit(f"the example failed: {result.output}")
        return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


def readme() -> str:
    """``README.md`` with its example made anew."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = f"<!-- example -->\n```text\n$ wardwatch audit attacked.pcapng --site site.toml --inventory list.csv\n{example()}\n```\n<!-- /example -->"
    return re.sub(r"<!-- example -->.*?<!-- /example -->", lambda _: block, text, flags=re.S)


DOCUMENTS = {
    "docs/twin.md": twin_table.document,
    "docs/commands.md": commands,
    "docs/tables.md": tables,
    "docs/checks.md": checks,
    "docs/minimums.md": minimums,
    "docs/report.schema.json": schema,
    "README.md": readme,
}
"""Every generated document and what makes it."""


def main() -> None:
    """Write them all, and say which changed."""
    for name, make in DOCUMENTS.items():
        path, text = ROOT / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
