"""wardwatch.packs"""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import msgspec
import pytest
from tools import packs as tool

from wardwatch import packs
from wardwatch.advise.environment import rubric
from wardwatch.advise.knowledge import Family, families, makers, readings
from wardwatch.advise.names import OWN
from wardwatch.advise.naming import Name
from wardwatch.advise.ranges import Version
from wardwatch.advise.said import Statement
from wardwatch.advise.ssvc import consequences
from wardwatch.inventory.rulebook import Rule, rulebook
from wardwatch.model.advisory import Advisory
from wardwatch.observe import empties, secrets

READERS = (rulebook, families, makers, readings, consequences, rubric)
"""All that ask for a table, but the known defaults."""
NAMES = tuple(msgspec.json.decode(packs.FILE.read_bytes(), type=dict[str, object]))
HOSTILE = {
    "empty": b"",
    "no JSON": b"\xff\x00\xfe",
    "no UTF-8": b'{"observe/defaults.toml":{"seal":"\xff","table":{}}}',
    "too deep": b'{"observe/defaults.toml":{"seal":"","table":' + b"[" * 100_000,
    "no table": b'{"observe/defaults.toml":{"seal":""}}',
    "no seal": b'{"observe/defaults.toml":{"seal":"","table":{"plain":[]}}}',
    "a list": b"[]",
    "half": packs.FILE.read_bytes()[: packs.FILE.stat().st_size // 2],
}


@pytest.fixture
def anew():
    """What was read before is forgotten, and so is what is read in a test."""

    def forget() -> None:
        for reader in (packs._packs, *READERS):
            reader.cache_clear()

    forget()
    yield
    forget()


def plainly(name: str) -> object:
    return tomllib.loads((packs.ROOT / name).read_text("utf-8"))


def no_parsing(text: str) -> None:
    pytest.fail("TOML was parsed")


def test_what_came_is_what_the_tables_say() -> None:
    """Where this fails a table was edited: ``make packs`` ships what it says now."""
    assert packs.FILE.read_bytes() == tool.tables()
    assert len(NAMES) > 10


def test_a_wheel_holds_what_is_read(tmp_path) -> None:
    pytest.importorskip("hatchling", reason="builds the wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=Path(tool.__file__).parents[1],
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        for path in (packs.FILE, OWN, empties.FILE, *(packs.ROOT / name for name in NAMES)):
            held = archive.read(f"wardwatch/{path.relative_to(packs.ROOT).as_posix()}")
            assert held == path.read_bytes(), path


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_read_without_parsing(name, anew, monkeypatch) -> None:
    said = plainly(name)
    monkeypatch.setattr(tomllib, "loads", no_parsing)
    assert packs.read(name, dict[str, object]) == said


def test_an_audit_needs_no_parser_of_toml(tmp_path) -> None:
    code = """
import sys
from wardwatch import watch
watch._load()
from wardwatch.advise import knowledge, ssvc
from wardwatch.observe.secrets import Secrets
knowledge.families(), knowledge.makers(), ssvc.consequences(), Secrets(sys.argv[1])
print("tomllib" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "key"], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "False\n", ran.stderr


@pytest.mark.parametrize("kind", [packs.Pack, Rule, Family, Statement, Name, Version, Advisory])
def test_what_is_decoded_by_many_audits_bears_its_types(kind) -> None:
    """Deferred annotations are texts, and took a fifth of the time that advisories take."""
    assert not [type_ for type_ in kind.__annotations__.values() if isinstance(type_, str)]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_file_changes_no_answer(hostile, anew, monkeypatch, tmp_path) -> None:
    sound = [reader() for reader in READERS], secrets._shipped()
    for reader in (packs._packs, *READERS):
        reader.cache_clear()
    monkeypatch.setattr(packs, "FILE", tmp_path / "packs.json")
    packs.FILE.write_bytes(hostile)
    assert ([reader() for reader in READERS], secrets._shipped()) == sound


def test_a_file_that_is_not_there_changes_no_answer(anew, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(packs, "FILE", tmp_path / "none")
    for name in NAMES:
        assert packs.read(name, dict[str, object]) == plainly(name)


def test_an_octet_that_was_changed_changes_no_answer(anew, monkeypatch, tmp_path) -> None:
    """Each table has damage in it once, and in its name and its seal."""
    said = {name: plainly(name) for name in NAMES}
    raw = packs.FILE.read_bytes()
    monkeypatch.setattr(packs, "FILE", tmp_path / "packs.json")
    where = [at for name in NAMES for at in (raw.index(name.encode()) + 3, raw.index(name.encode()) + len(name) + 15)]  # fmt: skip
    missed = 0
    for at in (*where, *range(0, len(raw), 2003)):
        hurt = bytearray(raw)
        hurt[at] ^= 1
        packs.FILE.write_bytes(hurt)
        packs._packs.cache_clear()
        missed += len(packs._packs()) == len(NAMES)  # still JSON: the seal alone tells
        for name in NAMES:
            assert packs.read(name, dict[str, object]) == said[name], (at, name)
    assert missed > 10


def test_a_table_that_was_edited_is_read_as_it_stands(anew, monkeypatch, tmp_path) -> None:
    name = "observe/defaults.toml"
    edited = tmp_path / name
    edited.parent.mkdir()
    text = (packs.ROOT / name).read_text("utf-8").replace('secret = "guest"', 'secret = "visitor"')
    edited.write_text(text, "utf-8")
    monkeypatch.setattr(packs, "ROOT", tmp_path)
    plain, _ = secrets._shipped()
    assert "visitor" in [one.secret for one in plain]


def test_no_more_is_read_than_tables_can_hold(anew, monkeypatch) -> None:
    monkeypatch.setattr(packs, "MAX_BYTES", 100)
    assert packs._packs() == {}


def test_a_table_that_json_does_not_hold_is_refused(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("since = 2015-09-04\n")
    monkeypatch.setattr(packs, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"a\.toml: what it says is not the same in JSON"):
        packs.packed("a.toml")


def test_a_seal_is_of_both_and_of_where_they_part() -> None:
    seals = [packs.seal(*parts) for parts in ((b"ab", b"c"), (b"a", b"bc"), (b"ab", b"d"))]
    assert len(set(seals)) == 3
