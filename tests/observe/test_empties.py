"""wardwatch.observe.empties"""

import io

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tools import packs as tool

from wardwatch.model.columns import TABLES, Column, Table
from wardwatch.observe import empties, tables
from wardwatch.observe.tables import Spool, arrow_schema

WHOLE = empties.FILE.read_bytes()
SAID = msgspec.msgpack.decode(WHOLE, type=empties.Empties)


def is_without_rows(found: pa.Table, table: Table) -> bool:
    """Whether it is that table; Parquet adds numbers of fields to what is said of columns."""
    wanted = arrow_schema(table)
    said = [field.metadata or {} for field in found.schema]
    return (
        found.num_rows == 0
        and found.schema.equals(wanted)
        and found.schema.metadata == wanted.metadata
        and [field[b"meaning"] for field in said] == [c.meaning.encode() for c in table.columns]
    )


def kept(**other: object) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(SAID, **other))


HOSTILE = {
    "empty": b"",
    "no msgpack": b"\xc1\xff",
    "too deep": b"\x91" * 100_000,
    "a list": b"\x90",
    "another seal": kept(seal="0" * 64),
    "no zlib": msgspec.msgpack.encode(
        empties.Empties(empties.seal(empties._registry(), b"plain"), "", b"plain")
    ),
    "no table": empties.kept({}, "")[:-20],
    "half": WHOLE[: len(WHOLE) // 2],
}


@pytest.fixture
def anew(monkeypatch, tmp_path):
    """What was read before is forgotten, and so is what is read in a test, from another place."""

    def forget() -> None:
        empties._files.cache_clear()
        tables._empty_file.cache_clear()

    monkeypatch.setattr(empties, "FILE", tmp_path / "empties.bin")
    forget()
    yield empties
    forget()


def test_what_came_is_what_the_registry_says() -> None:
    """Where this fails a column was edited: ``make packs`` ships what the tables are now."""
    assert [table.name for table in TABLES if empties.file_of(table.name) is None] == []
    if SAID.made_by == pa.__version__:  # another release writes its own name
        assert tool.without_rows() == WHOLE
    for table in TABLES:
        found = pq.read_table(io.BytesIO(empties.file_of(table.name) or b""))
        assert is_without_rows(found, table), table.name


def test_tables_without_a_row_are_these_files(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "made_empty", None)
    tables._empty_file.cache_clear()
    Spool(tmp_path / "evidence").close()
    for table in TABLES:
        written = (tmp_path / "evidence" / f"{table.name}.parquet").read_bytes()
        assert written == empties.file_of(table.name)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_file_changes_no_table(hostile, anew, tmp_path) -> None:
    anew.FILE.write_bytes(hostile)
    assert anew.file_of("arp") is None
    Spool(tmp_path / "evidence").close()
    for table in TABLES:
        found = pq.read_table(tmp_path / "evidence" / f"{table.name}.parquet")
        assert is_without_rows(found, table), table.name


def test_a_file_that_is_not_there_changes_no_table(anew) -> None:
    assert anew.file_of("arp") is None


def test_an_octet_that_was_changed_is_noticed(anew) -> None:
    at_tables = WHOLE.index(SAID.packed)
    for at in (20, *range(at_tables, len(WHOLE), 997)):
        hurt = bytearray(WHOLE)
        hurt[at] ^= 1
        anew.FILE.write_bytes(hurt)
        anew._files.cache_clear()
        assert anew.file_of("arp") is None, at


def test_a_column_that_was_edited_is_noticed(anew, monkeypatch) -> None:
    anew.FILE.write_bytes(WHOLE)
    assert anew.file_of("arp") is not None
    other = Table("arp", "ARP.", (Column("capture", "i64", "which"),))
    monkeypatch.setattr(anew, "TABLES", (other, *TABLES[1:]))
    anew._files.cache_clear()
    assert anew.file_of("arp") is None


def test_no_more_is_read_or_unpacked_than_tables_can_hold(anew, monkeypatch) -> None:
    anew.FILE.write_bytes(WHOLE)
    for most in (100, len(WHOLE) + 1):
        monkeypatch.setattr(anew, "MAX_BYTES", most)
        anew._files.cache_clear()
        assert anew.file_of("arp") is None, most
