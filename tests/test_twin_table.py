"""The table of the twin is what its source would write, and hides no requirement."""

from docs import twin_table


def test_the_document_is_what_would_be_written() -> None:
    text = (twin_table.ROOT / "docs" / "twin.md").read_text(encoding="utf-8")
    assert text == twin_table.document(), "run `python -m docs.twin_table`"


def test_every_number_is_listed_with_a_test_or_as_open() -> None:
    wanted = {"T": 30, "C": 20, "S": 19, "F": 12}
    numbers = [f"{letter}-{n}" for letter, last in wanted.items() for n in range(1, last + 1)]
    assert list(twin_table.REQUIREMENTS) == numbers
    rows = [
        line
        for line in twin_table.requirements().splitlines()
        if line.startswith(("| T", "| C", "| S", "| F"))
    ]
    assert len(rows) == len(numbers)
    assert all(("`tests/" in row) != ("**open**" in row) for row in rows)


def test_every_named_test_and_figure_belongs_to_a_requirement() -> None:
    assert set(twin_table.tests()) <= set(twin_table.REQUIREMENTS)
    assert set(twin_table.ELSEWHERE) | set(twin_table.PARTS) <= set(twin_table.tests())
    assert set(twin_table.figures()) <= set(twin_table.tests())
