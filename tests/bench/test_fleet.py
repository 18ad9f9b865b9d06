"""The sheet of figures: one number's figure is replaced, and nobody else's."""

import tomllib

from bench.fleet import events, synthesis, told

SHEET = '# kept\n\n[F-1]\nfigure = "old"\ncommand = "c"\n\n[S-9]\nfigure = "other"\ncommand = "d"\n'


def test_a_figure_replaces_the_one_before_and_leaves_the_others():
    text = told(SHEET, "F-1", "new", "e")
    assert tomllib.loads(text) == {
        "F-1": {"figure": "new", "command": "e"},
        "S-9": {"figure": "other", "command": "d"},
    }
    assert text.startswith("# kept\n")
    assert told(text, "F-1", "new", "e") == text


def test_a_new_number_is_appended():
    text = told(SHEET, "F-11", "new", "e")
    assert list(tomllib.loads(text)) == ["F-1", "S-9", "F-11"]
    assert tomllib.loads(told(text, "F-1", "x", "y"))["F-11"]["figure"] == "new"


def test_stages_tell_what_they_made():
    assert (
        events(20, 0.1, streamed=False)["events"] == events(20, 0.1, streamed=True)["events"] > 100
    )
    made = synthesis(20, 0.1)
    assert made["packets"] > 400
    assert made["octets"] > 100 * made["packets"]
