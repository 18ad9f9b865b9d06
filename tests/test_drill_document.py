"""The stored document of the drill: every play stands in it, with how it was made."""

import re

from docs.drill import ROOT

from wardwatch.twin.plays import BREACHES, PLAYS
from wardwatch.ui.matrix import CAUTION

TEXT = (ROOT / "docs" / "drill.md").read_text(encoding="utf-8")


def test_every_play_stands_in_it() -> None:
    sections = dict(re.findall(r"\n### (\w+)\n(.*?)(?=\n#|\Z)", TEXT, re.S))
    for play in (*PLAYS, *BREACHES):
        assert f"| {play.variant} |" in sections[play.technique], play.name


def test_it_states_command_commit_seeds_and_who_wrote_both_sides() -> None:
    assert CAUTION in TEXT
    assert "`python -m docs.drill`" in TEXT
    assert re.search(r"at commit `[0-9a-f]{40}`", TEXT)
    assert re.search(r"seeds: [\d, ]+ chosen; [\d, ]+ from the commit", TEXT)
