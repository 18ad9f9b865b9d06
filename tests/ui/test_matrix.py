"""The matrix: what it shows, and that it fits."""

import json

from wardwatch.ui.drill import MISSED, NOT_OBSERVABLE, SEEN, Cell, Infused, Result, Timed
from wardwatch.ui.matrix import CAUTION, WIDTH, as_json, document, page, rows, terminal


def cell(tap, outcome, seed=1, question="telnet", play="telnet/let in"):
    return Cell(question, play, play.partition("/")[2], tap, seed, outcome)


def result(*cells, false=()):
    return Result(
        "wardwatch drill", "abc", (1, 2), (2,), cells, false, 3, 1, 8, (),
        (Timed("telnet/let in", "vlan", 0.5),),
        (Infused("telnet/let in", 1, (), 4.88, 0.0, True, 0),),
    )  # fmt: skip


SAMPLE = result(
    cell("vlan", SEEN), cell("vlan", MISSED, 2), cell("to", SEEN), cell("air", NOT_OBSERVABLE),
    cell("vlan", SEEN, question="password_hygiene"),
)  # fmt: skip


def test_recall_counts_what_was_observable_alone():
    assert (SAMPLE.seen, SAMPLE.observable) == (3, 4)
    assert not SAMPLE.passed
    assert result(cell("vlan", SEEN), cell("air", NOT_OBSERVABLE)).passed
    assert not result(cell("vlan", SEEN), false=("x",)).passed


def test_of_several_seeds_the_worst_is_shown():
    assert rows(SAMPLE, ["telnet"]) == [("telnet", "let in", {"vlan": "M", "to": "S", "air": "-"})]


def test_the_terminals_rows_fit_80_columns():
    text = terminal(SAMPLE)
    assert all(len(line) <= WIDTH for line in text.splitlines() if line.startswith("  "))
    assert "missed: telnet" in text
    assert CAUTION in text


def test_the_document_names_command_commit_seeds_and_says_who_wrote_both_sides():
    text = document(SAMPLE)
    for words in ("`wardwatch drill`", "`abc`", "seeds: 1 chosen; 2 from the commit", CAUTION):
        assert words in text
    assert "| let in | M |  |  |  |  |  | S |  | - | 0.5 s | 4.8800 | 0 | 0 |" in text
    assert "missed: telnet (telnet/let in) at vlan, seed 2" in text


def test_the_page_escapes_and_loads_nothing():
    made = page(result(cell("vlan", SEEN, play="telnet/<script>")))
    assert "<script>" not in made
    assert "default-src &#x27;none&#x27;" in made


def test_json_carries_the_caution_and_the_numbers():
    read = json.loads(as_json(SAMPLE))
    assert read["recall"] == 0.75
    assert read["caution"] == CAUTION
    assert len(read["cells"]) == 5
