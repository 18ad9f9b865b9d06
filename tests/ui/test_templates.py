"""wardwatch.ui.templates"""

from pathlib import Path

import jinja2
import pytest

from wardwatch.ui.templates import Kept

WORDS = {"a.html": "<b>{{ name }}</b>", "other": "<i>{{ name }}</i>"}


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))


def said(text: str = WORDS["a.html"], **options: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"a.html": text}),
        bytecode_cache=Kept(),
        **{"autoescape": True, **options},
    )
    return environment.get_template("a.html").render(name="<ward>")


def test_kept_code_says_the_same_and_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = said()
    assert first == "<b>&lt;ward&gt;</b>"
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(jinja2.Environment, "compile", None)
    assert said() == first


def test_another_text_or_another_reading_of_it_is_other_code() -> None:
    assert said() == "<b>&lt;ward&gt;</b>"
    assert said(autoescape=False) == "<b><ward></b>"
    assert said(WORDS["other"]) == "<i>&lt;ward&gt;</i>"
    assert said() == "<b>&lt;ward&gt;</b>"


def test_damaged_code_is_made_again(tmp_path: Path) -> None:
    first = said()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert said() == first


def test_without_a_folder_the_page_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wardwatch.ui.templates.cache_folder", lambda: None)
    assert said() == "<b>&lt;ward&gt;</b>"
