"""Documents are made from the program; every command, check, technique, table and column is in them."""

import importlib
import pkgutil

import pytest
import typer
from docs import build

from wardwatch.model.columns import TABLES
from wardwatch.model.judgement import MEASURES, TECHNIQUES
from wardwatch.ui.cli import app

DOCS = build.ROOT / "docs"


@pytest.mark.parametrize("name", list(build.DOCUMENTS))
def test_generated_documents_are_what_make_docs_would_write(name: str) -> None:
    assert (build.ROOT / name).read_text(encoding="utf-8") == build.DOCUMENTS[name](), (
        "run `make docs`"
    )


def test_every_command_is_documented() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    readme = (build.ROOT / "README.md").read_text(encoding="utf-8")
    names = typer.main.get_command(app).commands
    assert names
    for name, command in names.items():
        assert f"## wardwatch {name}\n" in text
        assert f"wardwatch {name}" in readme
        assert command.help
        for option in command.params:
            assert getattr(option, "help", ""), (name, option.name)


def test_every_table_and_column_says_what_it_means() -> None:
    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    for table in TABLES:
        assert f"## {table.name}\n" in text
        assert table.caption
        for column in table.columns:
            assert f"| `{column.name}` |" in text
            assert column.meaning, (table.name, column.name)


def test_every_measure_and_technique_is_documented_and_judged() -> None:
    from wardwatch.detect import TECHNIQUES as functions
    from wardwatch.verify import CHECKS

    text = (DOCS / "checks.md").read_text(encoding="utf-8")
    for item in (*MEASURES, *TECHNIQUES):
        assert f"### {item.id}: " in text
    assert [c.measure for c in CHECKS] == list(MEASURES)
    assert len(functions) == len(TECHNIQUES)


@pytest.mark.parametrize("package", ["wardwatch.verify", "wardwatch.detect"])
def test_every_check_names_its_misses_or_source(package: str) -> None:
    module = importlib.import_module(package)
    for info in pkgutil.iter_modules(module.__path__):
        doc = importlib.import_module(f"{package}.{info.name}").__doc__
        assert doc
        assert len(doc) > 60, info.name


def test_every_parser_fault_has_a_name_and_a_clause() -> None:
    wire = importlib.import_module("wardwatch.decode.wire")
    seen: dict[str, str] = {}
    for info in pkgutil.iter_modules(wire.__path__):
        faults = getattr(
            importlib.import_module(f"wardwatch.decode.wire.{info.name}"), "FAULTS", ()
        )
        for fault in faults:
            assert fault.clause
            assert seen.setdefault(fault.name, info.name) == info.name
    assert seen


def test_status_lists_every_section_of_the_main_job() -> None:
    text = (DOCS / "status.md").read_text(encoding="utf-8")
    for section in range(1, 10):
        assert f"\n## {section}. " in text
