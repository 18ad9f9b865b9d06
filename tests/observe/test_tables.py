"""The spool and the tables: rows in, questions out, and nothing in between but Parquet."""

import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from wardwatch.errors import OutputError
from wardwatch.model.columns import BY_NAME, EMPTY, TABLES
from wardwatch.observe import tables as module
from wardwatch.observe.tables import (
    FLUSH_BYTES,
    FLUSH_ROWS,
    GATHER_ROWS,
    Spool,
    Tables,
    arrow_schema,
)


def test_every_table_is_written_even_when_nothing_was_seen(tmp_path):
    tables = Spool(tmp_path / "out").close()
    for table in TABLES:
        assert tables.arrow(table.name).schema.names == list(table.names)
        assert tables.ask(f'SELECT count(*) AS n FROM "{table.name}"')[0].n == 0


def test_what_a_row_does_not_name_is_none_as_the_registry_spells_it():
    spool = Spool()
    spool.add("dhcp", {"capture": 1})
    (row,) = spool.close().arrow("dhcp").to_pylist()
    for column in BY_NAME["dhcp"].columns[1:]:
        expected = EMPTY[column.type]
        assert row[column.name] == (list(expected) if isinstance(expected, tuple) else expected)


def test_rows_and_columns_keep_their_order_and_are_counted():
    spool = Spool()
    spool.add("presence", {"packets": 1})
    spool.extend("presence", {"packets": np.array([2, 3])})
    spool.add("presence", {"packets": 4})
    assert spool.counts["presence"] == 4
    assert [r.packets for r in spool.close().ask("SELECT packets FROM presence")] == [1, 2, 3, 4]


def test_small_pieces_become_one_row_group(tmp_path):
    import pyarrow.parquet as pq

    spool = Spool(tmp_path)
    for _ in range(50):
        spool.extend("presence", {"packets": [1, 2]})
    spool.close()
    assert pq.ParquetFile(tmp_path / "presence.parquet").num_row_groups == 1


def test_few_different_texts_and_codes_are_packed_as_such_and_numbers_say_their_bounds(tmp_path):
    spool = Spool(tmp_path)
    row = {"ts": 5, "msg_type": "ACK", "options": [53, 54], "routers": ["10.0.0.1"]}
    spool.extend("dhcp", {name: [value] * 9 for name, value in row.items()})
    spool.close()
    group = pq.read_metadata(tmp_path / "dhcp.parquet").row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(group.num_columns))}
    packed = {n.split(".")[0] for n, c in columns.items() if c.has_dictionary_page}
    assert {"msg_type", "options"} == packed & set(row)
    assert (columns["ts"].statistics.min, columns["ts"].statistics.max) == (5, 5)
    assert columns["msg_type"].statistics is None


def test_memory_is_bounded_by_flushing(tmp_path):
    spool = Spool(tmp_path)
    for _ in range(3):
        spool.extend("presence", {"packets": np.zeros(FLUSH_ROWS, np.int64)})
        assert not spool._pending["presence"]
    assert spool.close().ask("SELECT count(*) AS n FROM presence")[0].n == 3 * FLUSH_ROWS


def test_arrays_that_the_caller_uses_again_are_kept_as_they_were():
    spool = Spool()
    buffer = np.array([1, 2, 3])
    spool.extend("presence", {"packets": buffer})
    buffer[:] = 9
    assert [r.packets for r in spool.close().ask("SELECT packets FROM presence")] == [1, 2, 3]


def test_large_rows_are_flushed_by_their_size(tmp_path):
    spool = Spool(tmp_path)
    for n in range(GATHER_ROWS):
        assert len(spool._rows["certificates"]) == n
        spool.add("certificates", {"der": "x" * (FLUSH_BYTES // GATHER_ROWS)})
    assert not spool._rows["certificates"] and not spool._pending["certificates"]
    (row,) = spool.close().ask("SELECT count(*) AS n FROM certificates")
    assert row.n == GATHER_ROWS


def test_a_name_the_registry_does_not_know_is_our_bug():
    spool = Spool()
    with pytest.raises(KeyError):
        spool.add("dhcp", {"colour": "blue"})
    with pytest.raises(KeyError):
        spool.extend("dhcp", {"colour": ["blue"]})
    with pytest.raises(KeyError):
        Tables.of(dhcp=[{"colour": "blue"}])
    with pytest.raises(KeyError):
        Tables.of(colours=[])


def test_one_table_can_be_asked_before_the_others_are_complete():
    spool = Spool()
    spool.add("arp", {"sender_mac": "a"})
    spool.add("arp", {"sender_mac": "b"})
    question = "SELECT sender_mac AS mac, count(*) AS packets FROM arp GROUP BY 1"
    found = spool.answer("arp", question)
    spool.extend("bindings", {name: found[name].combine_chunks() for name in found.column_names})
    rows = spool.close().ask("SELECT mac, packets, ip FROM bindings ORDER BY mac")
    assert [tuple(r) for r in rows] == [("a", 1, ""), ("b", 1, "")]


def test_what_never_left_memory_is_asked_there_and_only_what_did_is_written() -> None:
    spool = Spool()
    spool.extend("presence", {"packets": np.ones(FLUSH_ROWS, np.int64)})
    spool.add("presence", {"packets": 2})
    spool.add("arp", {"sender_mac": "a"})
    tables = spool.close()
    assert [path.name for path in spool.folder.iterdir()] == ["presence.parquet"]
    assert tables.ask("SELECT sum(packets) AS n FROM presence")[0].n == FLUSH_ROWS + 2
    assert tables.ask("SELECT sender_mac FROM arp") == [("a",)]
    assert tables.rows("presence") == FLUSH_ROWS + 1


def test_tables_in_memory_answer_like_those_on_disk(tmp_path):
    rows = [{"capture": 1, "query": "pump.example", "TTLs": [1, 2]}]
    spool = Spool(tmp_path)
    spool.add("dns", rows[0])
    for tables in (Tables.of(dns=rows), spool.close()):
        (row,) = tables.ask("SELECT query, TTLs FROM dns WHERE capture = ?", [1])
        assert (row.query, row.TTLs) == ("pump.example", [1, 2])
        assert tables.relation("dns").limit(5).fetchall()[0][:2] == (1, -1)


def test_meanings_travel_with_the_columns():
    field = arrow_schema(BY_NAME["arp"]).field("op")
    assert b"request" in field.metadata[b"meaning"]
    assert not field.nullable


def test_the_connection_reaches_for_nothing():
    (row,) = Tables.of().ask(
        "SELECT current_setting('autoinstall_known_extensions') AS a,"
        " current_setting('autoload_known_extensions') AS b"
    )
    assert not row.a and not row.b


def test_a_folder_of_tables_is_private(tmp_path):
    Spool(tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out").stat().st_mode & 0o077 == 0


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file: cannot be written"):
        Spool(tmp_path / "file")
    spool = Spool(tmp_path / "out")
    (tmp_path / "out" / "arp.parquet").mkdir()
    with pytest.raises(OutputError, match="arp"):
        spool.close()


def test_a_question_of_empty_tables_is_not_asked() -> None:
    tables = Tables.of(arp=[{"sender_ip": "10.0.0.1"}])
    assert tables.rows("arp") == 1
    assert tables.rows("dns") == 0
    assert tables.ask("no SQL at all", of=("dns", "dhcp")) == []
    assert [r.ip for r in tables.ask("SELECT sender_ip AS ip FROM arp", of=("dns", "arp"))] == [
        "10.0.0.1"
    ]


@pytest.mark.parametrize("table", ["captures", "segments", "accounting"])
def test_a_whole_table_says_the_same_from_memory_and_from_files(tmp_path, table) -> None:
    columns = BY_NAME[table].names
    rows = [{"capture": n, **({"segment": f"lan {n}"} if "segment" in columns else {})} for n in (2, 1, 3)]  # fmt: skip
    answers = []
    for folder in (None, tmp_path / "kept"):
        spool = Spool(folder)
        for row in rows:
            spool.add(table, row)
        tables = spool.close()
        answers += [tables.whole(table, *columns)]
        if folder is not None:
            answers += [Tables(folder).whole(table, *columns)]
    assert [row.capture for row in answers[0]] == [2, 1, 3]
    assert [list(map(tuple, rows)) for rows in answers[1:]] == [list(map(tuple, answers[0]))] * 2
    assert Tables.of().whole(table, "capture") == []


def test_what_is_laid_or_settled_beside_the_tables_can_be_joined_and_forgotten() -> None:

    tables = Tables.of(arp=[{"sender_ip": ip} for ip in ("10.0.0.1", "10.0.0.2", "10.0.0.3")])
    laid = tables.lay(address=["10.0.0.1", "10.0.0.3"], device=["a", "b"])
    question = f"SELECT device FROM arp JOIN {laid} ON address = sender_ip WHERE sender_ip <> ?"
    settled, rows = tables.settle(question, ["10.0.0.3"])
    assert rows == 1
    assert [row.device for row in tables.ask(f"FROM {settled}")] == ["a"]
    tables.forget(settled)
    with pytest.raises(duckdb.CatalogException):
        tables.ask(f"FROM {settled}")


def test_files_say_how_many_rows_they_hold(tmp_path) -> None:
    spool = Spool(tmp_path)
    spool.add("arp", {"sender_ip": "10.0.0.1"})
    spool.close()
    assert (Tables(tmp_path).rows("arp"), Tables(tmp_path).rows("dns")) == (1, 0)
    with pytest.raises(KeyError):
        Tables().rows("arp")


def test_an_answer_larger_than_the_memory_for_questions_comes_from_disk(tmp_path) -> None:
    tables = Tables.of()
    limit, folder = tables.ask(
        "SELECT current_setting('memory_limit') AS l, current_setting('temp_directory') AS f"
    )[0]
    assert limit == "122.0 MiB"
    assert folder.startswith(tempfile.gettempdir())
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    rows = 12_000_000
    question = f"SELECT range AS a, hash(range) AS b, hash(range + 1) AS c FROM range({rows})"
    assert tables.settle(question)[1] == rows
    assert any(Path(folder).iterdir())


LONG = "SELECT length(string_agg(repeat('x', 1000), '')) AS octets FROM range(50000)"
"""One value of 50 MB, which cannot go to disk."""


def test_what_cannot_go_to_disk_is_given_more_memory() -> None:
    for ask in (
        lambda tables: tables.ask(LONG)[0].octets,
        lambda tables: tables.answer(LONG)["octets"].to_pylist()[0],
        lambda tables: tables.ask(f"FROM {tables.settle(LONG)[0]}")[0].octets,
    ):
        module._ready.clear()
        tables = Tables.of()
        assert ask(tables) == 50_000_000
        assert tables.ask("SELECT current_setting('memory_limit') AS m")[0].m == "244.1 MiB"


def test_memory_for_questions_has_its_bound(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMORY", "130MB")
    module._ready.clear()
    tables = Tables.of(arp=[{"packet": 7}])
    with pytest.raises(duckdb.OutOfMemoryException):
        tables.ask(LONG)
    assert tables.ask("SELECT packet FROM arp")[0].packet == 7


def test_what_was_settled_is_asked_once() -> None:
    tables = Tables.of(bindings=[{"ip": "10.0.0.3"}, {"ip": "10.0.0.4"}])
    question = "SELECT ip FROM bindings ORDER BY ip"
    name = tables.settled(question)
    assert tables.settled(question) == name
    assert tables.settled(f"{question} DESC") != name
    assert [row.ip for row in tables.ask(f"FROM {name}")] == ["10.0.0.3", "10.0.0.4"]


def test_a_connection_made_ahead_is_asked_once(monkeypatch):
    made = watched(monkeypatch)
    module.make_ahead()
    first, second = Tables.of(arp=[{"packet": 7}]), Tables.of(arp=[{"packet": 8}])
    assert [one.ask("SELECT packet FROM arp")[0].packet for one in (first, second)] == [7, 8]
    assert len(made) == 2
    for number, (one, connection) in enumerate(zip((first, second), made, strict=True)):
        connection.execute(f"CREATE TABLE mark AS SELECT {number} AS n")
        assert one.ask("FROM mark")[0].n == number


def watched(monkeypatch) -> list:
    """The connections that are made from here on; none is ready."""
    made = []
    quiet = module.quiet_connection
    monkeypatch.setattr(module, "_ready", {})
    monkeypatch.setattr(module, "quiet_connection", lambda: made.append(quiet()) or made[-1])
    return made


def test_a_connection_is_asked_again_once_its_tables_are_gone_and_has_none_of_them(monkeypatch):
    made = watched(monkeypatch)
    for number in range(3):
        tables = Tables.of(arp=[{"packet": number}])
        assert tables.ask("SELECT packet FROM arp")[0].packet == number
        names = [tables.settled("SELECT packet FROM arp"), tables.lay(mac=["a"])]
        assert names == ["settled_1", "laid_2"]
        del tables
    tables = Tables.of()
    assert tables.ask("SELECT table_name FROM duckdb_tables()") == []
    assert tables.ask("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []
    assert len(made) == 1


def test_a_connection_that_a_copy_of_the_process_finds_is_left_to_the_process(monkeypatch):
    made = watched(monkeypatch)
    module.make_ahead()
    with monkeypatch.context() as copy:
        copy.setattr(module.os, "getpid", lambda: -1)
        assert Tables.of().ask("SELECT 1 AS n")[0].n == 1
        assert len(made) == 2
    assert Tables.of().ask("SELECT 1 AS n")[0].n == 1
    assert len(made) == 2


def test_what_was_given_to_somebody_or_has_read_files_is_not_asked_again(tmp_path, monkeypatch):
    Spool(tmp_path).close()
    made = watched(monkeypatch)
    held = Tables.of(arp=[{"packet": 7}]).connection()
    relation = Tables.of(arp=[{"packet": 8}]).relation("arp")
    assert Tables(tmp_path).ask("FROM arp") == []
    assert Tables.of().ask("SELECT 1 AS n")[0].n == 1
    assert len(made) == 4
    made.clear()
    assert held.execute("SELECT packet FROM arp").fetchall() == [(7,)]
    (folder,) = held.execute("SELECT current_setting('temp_directory')").fetchone()
    assert Path(folder).is_dir()
    assert len(relation.fetchall()) == 1
    del held
    assert not Path(folder).exists()


def test_files_ends_are_kept_by_whichever_cursor_asks() -> None:
    question = "SELECT current_setting('parquet_metadata_cache') AS kept"
    for _ in range(2):
        assert Tables.of().ask(question)[0].kept


def test_rows_are_passed_on_as_arrow_has_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "FLUSH_ROWS", 3)
    spool = Spool(tmp_path / "one", passed_on=True)
    for number in range(7):
        spool.extend("dns", {"conversation": np.array([number]), "query": [f"{number}.example"]})
    spool.add("arp", {"sender_ip": "10.0.0.9"})
    files = spool.passed_on()
    assert {name: path.suffix for name, path in files.items()} == {"dns": ".arrow", "arp": ".arrow"}
    other = Spool(tmp_path / "two")
    other.add("dns", {"conversation": 9, "query": "before.example"})
    taken = []

    def renumber(table):
        taken.append(len(table))
        return table

    other.take_in(files, renumber)
    tables = other.close()
    assert sorted(taken) == [1, 1, 3, 3]  # never all of a table in memory
    found = tables.ask("SELECT conversation AS c, query FROM dns")
    assert found == [(9, "before.example"), *((n, f"{n}.example") for n in range(7))]
    assert tables.ask("SELECT sender_ip FROM arp") == [("10.0.0.9",)]
    assert pq.read_metadata(tmp_path / "two" / "dns.parquet").num_rows == 8


TAKE_IN = """
import os, sys
from pathlib import Path
from wardwatch.observe.tables import Spool
passed = Spool(Path(sys.argv[1]), passed_on=True)
passed.add("arp", {"sender_ip": "10.0.0.9"})
files = passed.passed_on()
before = len(os.listdir("/proc/self/task"))
taking = Spool(Path(sys.argv[2]))
taking.take_in(files, lambda piece: piece)
print(taking.counts["arp"], len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux counts its threads")
def test_to_take_rows_in_launches_no_thread(tmp_path) -> None:
    """Where memory is short there is none for its stack, and Arrow says no more than that it failed."""
    told = subprocess.run(
        [sys.executable, "-c", TAKE_IN, str(tmp_path / "one"), str(tmp_path / "two")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.split() == ["1", "0"]


def test_tables_are_held_by_who_asks_them_and_not_by_their_spool() -> None:
    spool = Spool()
    spool.add("arp", {"sender_ip": "10.0.0.1"})
    tables = spool.close()
    assert spool.close() is tables
    gone = weakref.ref(tables)
    del tables
    assert gone() is None
    assert spool.close().ask("SELECT sender_ip FROM arp")[0].sender_ip == "10.0.0.1"


@pytest.mark.parametrize("lasting", [True, False])
def test_an_empty_table_is_written_as_any_other(tmp_path, monkeypatch, lasting) -> None:
    """Where none came ready-made: those bear the name of the Arrow that wrote them."""
    monkeypatch.setattr(module.empties, "file_of", lambda _: None)
    module._empty_file.cache_clear()
    spool = Spool(tmp_path, lasting=lasting)
    spool.close()
    for table in TABLES:
        with module._parquet(tmp_path / "other", arrow_schema(table), lasting) as writer:
            writer.write_table(arrow_schema(table).empty_table())
        name = f"{table.name}.parquet"
        assert (tmp_path / name).read_bytes() == (tmp_path / "other").read_bytes()
        assert spool._files[table.name] == [tmp_path / name]
    module._empty_file.cache_clear()
