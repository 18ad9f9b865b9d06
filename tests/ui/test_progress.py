"""wardwatch.ui.progress"""

import sys

import pytest

from wardwatch.ui.progress import progress_bar


def test_nothing_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading") as show:
        assert show is None
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("reading") as show:
        assert show is not None
        show(10, 20)
        show(20, -1)
    assert "reading" in capsys.readouterr().err
