"""The tree keeps its promises: every module has a caption, and a test of its own name."""

import ast
import importlib
from pathlib import Path

import pytest
from tests.conftest import LONG

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "wardwatch"
MODULES = sorted(p.relative_to(SRC) for p in SRC.rglob("*.py"))
PACKAGES = [m.parent for m in MODULES if m.name == "__init__.py"]
TESTED = [m for m in MODULES if m.name not in ("__init__.py", "__main__.py")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_caption_of_one_line(module: Path) -> None:
    doc = ast.get_docstring(ast.parse((SRC / module).read_text(encoding="utf-8")))
    assert doc
    assert doc.splitlines()[0].rstrip().endswith((".", "?", ":"))


@pytest.mark.parametrize("module", TESTED, ids=str)
def test_every_module_has_a_test_of_its_own_name(module: Path) -> None:
    assert (ROOT / "tests" / module.with_name(f"test_{module.name}")).exists()


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_what_a_package_offers_is_there(package: Path) -> None:
    found = importlib.import_module(".".join(("wardwatch", *package.parts)))
    assert [name for name in getattr(found, "__all__", ()) if not hasattr(found, name)] == []


def test_every_test_of_a_folder_has_its_module() -> None:
    folders = {m.parts[0] for m in MODULES if len(m.parts) > 1}
    lost = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / "tests" / folder).rglob("test_*.py")
        if not (SRC / path.relative_to(ROOT / "tests").with_name(path.name[5:])).exists()
        and not (SRC / path.relative_to(ROOT / "tests").parent / path.stem[5:]).is_dir()
        and path.stem != "test_init"
    ]
    assert lost == []


def test_no_file_names_a_path_of_one_machine() -> None:
    places = ("/" + "work/", "/" + "root/", "/" + "farm/")
    for path in [
        *SRC.rglob("*.py"),
        *SRC.rglob("*.toml"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "tests").rglob("*.py"),
    ]:
        text = path.read_text(encoding="utf-8")
        assert not any(place in text for place in places), path


def test_every_test_that_is_to_run_first_is_there() -> None:
    written = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in LONG if not any(f"def {name}(" in text for text in written)] == []
