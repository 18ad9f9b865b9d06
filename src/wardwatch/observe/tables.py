"""The evidence tables: filled row by row or column by column, asked in SQL.

:class:`Spool` is what observing writes to: it keeps at most ``FLUSH_ROWS`` rows of a table in
memory and appends more to Parquet files; a table that never grew so large is asked where it is.
:class:`Tables` is what every question is asked of: Arrow in memory or Parquet in a folder, through
DuckDB in process.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import weakref
from collections import deque
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wardwatch.errors import OutputError
from wardwatch.model.columns import BY_NAME, EMPTY, TABLES, Table
from wardwatch.observe import empties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

T = TypeVar("T")

FLUSH_ROWS = 16_384
"""Rows of one table kept in memory before they go to disk: row groups of a useful size."""
FLUSH_BYTES = 2 << 20
"""Or so many bytes of them: a certificate's row is a thousand times an ARP message's."""
ARROW = ".arrow"
"""Suffix of a file in Arrow's own format, which is written and read at the cost of a copy.

A stream of it: to begin at a file's end, Arrow launches a thread, for which there may be no memory.
"""
GATHER_ROWS = 1_024
"""Rows kept as Python values, five to ten times the size of the columns they become."""


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a registered table; meanings travel as field metadata."""
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        "i64": pa.int64(),
        "i32": pa.int32(),
        "f64": pa.float64(),
        "bool": pa.bool_(),
        "str": pa.string(),
        "[i64]": pa.list_(pa.int64()),
        "[str]": pa.list_(pa.string()),
    }
    return pa.schema(
        [
            pa.field(
                c.name,
                kinds[c.type],
                nullable=False,
                metadata={"meaning": c.meaning, "unit": c.unit},
            )
            for c in table.columns
        ],
        metadata={"table": table.name, "caption": table.caption},
    )


@cache
def _schemas() -> dict[str, pa.Schema]:
    """The schema of every table, made once: a third of what it took to begin with small tables."""
    return {table.name: arrow_schema(table) for table in TABLES}


@cache
def _empty() -> dict[str, pa.Table]:
    """Every table without a row: most of them are, in most captures."""
    return {name: schema.empty_table() for name, schema in _schemas().items()}


@cache
def _none() -> dict[str, dict[str, Any]]:
    """By table, what a row says where it says nothing."""
    return {t.name: {c.name: EMPTY[c.type] for c in t.columns} for t in TABLES}


MEMORY = "128MB"
"""What questions may hold; larger intermediate results go to a private folder on disk."""
MOST_MEMORY = "256MB"
"""What they may hold from then on, when one needs more that cannot go there."""


def quiet_connection() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory that never reaches for the network.

    One thread: two cost a question of milliseconds more CPU than they save in time, and so do the
    eight that DuckDB would have read files ahead. What it has read of a Parquet file's end it keeps:
    our files are complete before they are asked about.
    """
    import duckdb

    spill = Temporary()
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "threads": 1,
            "async_threads": 0,
            # an estimate of few rows must not make a loop of a join by time: of a flood it is one over pairs
            "asof_loop_join_threshold": 0,
            "memory_limit": MEMORY,
            "temp_directory": str(spill.path),
        },
    )
    connection.execute("SET GLOBAL parquet_metadata_cache = true")
    weakref.finalize(connection, spill.remove)  # which holds it as long
    return connection


MOST_READY = 2
"""So many connections are kept for others, each with the catalogue of all that DuckDB can do."""
_ready: dict[int, deque[duckdb.DuckDBPyConnection]] = {}
"""By the process that made them, connections that nobody asks. A copy of it leaves them alone: it
would write to the same files what is too large for memory."""


def make_ahead() -> None:
    """Make the next connection now: it takes 15 ms, which another thread may have to spare."""
    _give_back(os.getpid(), quiet_connection())


def _connection() -> duckdb.DuckDBPyConnection:
    try:
        return _ready[os.getpid()].pop()
    except LookupError:
        return quiet_connection()


def _give_back(
    maker: int,
    connection: duckdb.DuckDBPyConnection,
    cursor: duckdb.DuckDBPyConnection | None = None,
) -> None:
    """Let others ask a connection, once its cursor is closed: all that was temporary goes with it."""
    if cursor is not None:
        cursor.close()
    _ready.setdefault(maker, deque(maxlen=MOST_READY)).append(connection)


def _quoted(path: Path) -> str:
    """A path between the quotes of a question."""
    return str(path).replace("'", "''")


def _is_list_of_numbers(field: pa.Field) -> bool:
    """Whether a column has lists of codes, a few different ones in many rows."""
    import pyarrow as pa

    return bool(pa.types.is_list(field.type) and pa.types.is_integer(field.type.value_type))


def _unwritable(path: Path, error: OSError) -> OutputError:
    """The place for tables cannot be written: a full disk, a file in the way, no permission."""
    said = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({said}); name another folder, or make room")


@lru_cache(maxsize=1024)
def _row_type(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """A tuple whose values have names; an unnamed column has its place only.

    ``namedtuple`` does the same and compiles source text for it, a fifth of a small question's time.
    """
    fields = {n: property(itemgetter(i)) for i, n in enumerate(names) if n.isidentifier()}
    return type("Row", (tuple,), {"__slots__": (), "_fields": names, **fields})


_NAMES = re.compile(r"\b(" + "|".join(table.name for table in TABLES) + r")\b")
"""Whatever in a question may be a table's name."""


def _parquet(
    where: Path | pa.BufferOutputStream, schema: pa.Schema, lasting: bool
) -> pq.ParquetWriter:
    """What writes a table to Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        where,
        schema,
        # What lives for one run is not worth the time that zstd takes.
        compression="zstd" if lasting else "lz4",
        use_dictionary=[f.name for f in schema if pa.types.is_string(f.type)]
        + [f"{f.name}.list.element" for f in schema if _is_list_of_numbers(f)],
        # Of texts and lists they let no question skip a row group, and take a tenth of the time.
        write_statistics=[f.name for f in schema if pa.types.is_primitive(f.type)],
    )


@cache
def _empty_file(table: str, lasting: bool) -> bytes:
    """A table without a row as Parquet: the same octets each time."""
    ready = empties.file_of(table) if lasting else None
    return ready or made_empty(table, lasting)


def made_empty(table: str, lasting: bool) -> bytes:
    """What :mod:`~wardwatch.observe.empties` has ready-made, of tables that last."""
    import pyarrow as pa

    stream = pa.BufferOutputStream()
    with _parquet(stream, _schemas()[table], lasting) as writer:
        writer.write_table(_empty()[table])
    return bytes(stream.getvalue())


class Temporary:
    """A private folder that goes when the value goes: tables live as long as who asks them."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="wardwatch-"))
        self._end = weakref.finalize(self, _remove, str(self.path), os.getpid())

    def remove(self) -> None:
        """Remove it now."""
        self._end()


def _remove(folder: str, maker: int) -> None:
    """Remove a folder; a copy of the process that made it, which drops what it has, does not."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


class Spool:
    """Rows in, Parquet out; what is not named in a row is "none" as the registry spells it."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        lasting: bool | None = None,
        passed_on: bool = False,
    ) -> None:
        """Write to ``folder`` (made, 0700), or to a temporary one that lives as long as the spool.

        ``lasting``: what is written is kept by somebody, and packed the smaller for it; unsaid it
        is where the folder is no temporary one. ``passed_on``: another process takes the rows in
        (:meth:`take_in`) and nobody asks about them here, so that they are written as Arrow has
        them.
        """
        import pyarrow as pa

        # Arrow's own allocator keeps what is freed: 20 MB of the peak of a long capture.
        pa.set_memory_pool(pa.system_memory_pool())
        self._temporary = None if folder else Temporary()
        self.lasting = folder is not None if lasting is None else lasting
        self._suffix = ARROW if passed_on else ".parquet"
        self.folder = folder or self._temporary.path  # type: ignore[union-attr]
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        self._rows: dict[str, list[tuple[Any, ...]]] = {t.name: [] for t in TABLES}
        self._pending: dict[str, list[pa.Table]] = {t.name: [] for t in TABLES}
        self._held = {t.name: [0, 0] for t in TABLES}
        self._writers: dict[str, Any] = {}
        self._sealed: set[str] = set()
        self._behind: dict[str, Path] = {}
        self._kept: dict[str, pa.Table] = {}
        self._files: dict[str, list[Path]] = {}
        self._asked: Tables | None = None
        self._given: weakref.ref[Tables] | None = None
        """The tables once they are complete: whoever asks them holds them, and no circle that we
        stand in, so that their connection is others' as soon as nobody asks."""
        self._kept_alive: list[object] = []
        self._none = _none()
        self._schemas = _schemas()
        self._nothings: dict[tuple[object, str], pa.Array] = {}
        """Columns that say nothing, by what they say and their type."""
        self.counts: dict[str, int] = {t.name: 0 for t in TABLES}

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        """Append one row; a name the registry does not know is our bug and raises ``KeyError``."""
        none = self._none[table]
        merged = {**none, **row}
        if len(merged) != len(none):
            raise KeyError(f"{table}: {sorted(row.keys() - none.keys())}")
        self.put(table, tuple(merged.values()))

    def put(self, table: str, row: tuple[Any, ...]) -> None:
        """Append one row that has a value for every column, in the registry's order."""
        rows = self._rows[table]
        rows.append(row)
        self.counts[table] += 1
        if len(rows) >= GATHER_ROWS:
            self._gather(table)

    def extend(self, table: str, columns: Mapping[str, Any]) -> None:
        """Append many rows given as columns (NumPy or Arrow arrays, lists); missing ones are "none"."""
        import numpy as np
        import pyarrow as pa

        from wardwatch.observe.arrays import numbers

        schema = self._schemas[table]
        unknown = columns.keys() - set(schema.names)
        if unknown:
            raise KeyError(f"{table}: {sorted(unknown)}")
        size = len(next(iter(columns.values())))
        if not size:
            return
        arrays = []
        for field in schema:
            given = columns.get(field.name)
            if given is None:
                arrays.append(self._nothing(self._none[table][field.name], field.type, size))
            elif isinstance(given, pa.Array):
                arrays.append(given if given.type == field.type else given.cast(field.type))
            elif isinstance(given, np.ndarray) and given.dtype.kind in "iufb":
                arrays.append(numbers(given, field.type))
            else:
                arrays.append(pa.array(list(given), field.type))
        self._gather(table)
        self.counts[table] += size
        self._hold(table, pa.Table.from_arrays(arrays, schema=schema))

    def _nothing(self, none: object, kind: pa.DataType, size: int) -> pa.Array:
        """A column of a table's "none": the first of a longer one that is kept."""
        from wardwatch.observe.arrays import alike

        if size > FLUSH_ROWS:
            return alike(none, kind, size)
        key = none, str(kind)
        kept = self._nothings.get(key)
        if kept is None:
            kept = self._nothings[key] = alike(none, kind, FLUSH_ROWS)
        return kept.slice(0, size)

    def seal(self, table: str) -> None:
        """Take no more rows of one table: what never left memory stays there, to be asked there."""
        if table in self._sealed:
            return
        self._gather(table)
        behind = table in self._behind
        if table not in self._writers and not behind:
            self._kept[table] = self._joined(table)
        if self._temporary is None and not self.counts[table] and table not in self._writers:
            self._write_empty(table)
        elif self._temporary is None or table in self._writers or (behind and self._pending[table]):
            self._flush(table, even_empty=True)
            self._writers.pop(table).close()
            self._files[table] = [self._path(table)]
        if behind:
            self._files.setdefault(table, []).append(self._behind[table])
        self._pending[table].clear()
        self._sealed.add(table)

    def answer(self, source: str, question: str) -> pa.Table:
        """The answer to a question about a table that is complete, as Arrow."""
        self.seal(source)
        return self._tables().answer(question)

    def question(self, source: str, question: str) -> list[Any]:
        """Rows of a question about a table that is complete, as :meth:`Tables.ask` gives them."""
        self.seal(source)
        return self._tables().ask(question, of=(source,))

    def discard(self) -> None:
        """Take back what was written: another spool begins anew in the same folder."""
        for table, writer in self._writers.items():
            # Closed later, by whoever collects it, it would write into the file of the other.
            writer.close()
            self._path(table).unlink(missing_ok=True)
        self._writers.clear()

    def beside(self) -> Spool:
        """Another one, temporary, whose tables are to come behind those of this one."""
        return Spool(lasting=self.lasting)

    def join(self, other: Spool) -> None:
        """Put the tables of a temporary spool behind these; it takes no more rows."""
        self.take_over(*other.parts(), keep=other)

    def passed_on(self) -> dict[str, Path]:
        """The files of all tables that have rows, for :meth:`take_in` elsewhere; no more is taken."""
        for table, count in self.counts.items():
            if count:
                self._flush(table, even_empty=True)
                self._writers.pop(table).close()
                self._sealed.add(table)
        return {table: self._path(table) for table in self._sealed}

    def parts(self) -> tuple[dict[str, pa.Table], dict[str, Path]]:
        """All tables that have rows: those in memory, and files of the others; no more is taken."""
        for table, count in self.counts.items():
            if count:
                self.seal(table)
        return self._kept, {table: paths[0] for table, paths in self._files.items()}

    def take_in(self, files: Mapping[str, Path], renumber: Callable[[pa.Table], pa.Table]) -> None:
        """Append the rows that another spool has passed on; ``renumber`` goes over them."""
        import pyarrow as pa

        for table, path in files.items():
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as pieces:
                for batch in pieces:
                    self._add_piece(table, renumber(pa.Table.from_batches([batch])))

    def take_over(
        self, memory: Mapping[str, pa.Table], files: Mapping[str, Path], *, keep: object
    ) -> None:
        """Put the parts of another spool behind these tables, none of which is sealed.

        Without a folder of ours the files are asked where they are, as long as ``keep`` is held
        alive; else their rows are copied.
        """
        self._kept_alive.append(keep)
        for table, data in memory.items():
            self._add_piece(table, data)
        if not files:
            return
        import pyarrow.parquet as pq  # 20 ms, which who keeps all in memory need not take

        for table, path in files.items():
            if self._temporary is None and not self.counts[table] and table not in self._writers:
                self.counts[table] += pq.read_metadata(path).num_rows
                self._moved(table, path)
                continue
            if self._temporary is not None:
                self.counts[table] += pq.read_metadata(path).num_rows
                self._behind[table] = path
                continue
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    self._add_piece(table, file.read_row_group(group, use_threads=False))

    def _moved(self, table: str, path: Path) -> None:
        """A file of another spool becomes ours as it is: no row of the table stands before it."""
        target = self.folder / path.name
        try:
            shutil.move(path, target)
        except OSError as error:
            raise _unwritable(target, error) from error
        self._files[table] = [target]
        self._sealed.add(table)

    def _add_piece(self, table: str, piece: pa.Table) -> None:
        """Append rows that another spool has made."""
        import pyarrow as pa

        self._gather(table)
        self.counts[table] += len(piece)
        schema = self._schemas[table]
        if not piece.schema.equals(schema, check_metadata=True):
            # Parquet adds to the metadata. A cast would have `pyarrow.compute` imported.
            piece = pa.Table.from_arrays(piece.columns, schema=schema)
        self._hold(table, piece)

    def _tables(self) -> Tables:
        given = None if self._given is None else self._given()
        tables = self._asked or given
        if tables is None:
            keep = (self._temporary, self._kept_alive)
            tables = Tables(self.folder, self._kept, keep, self.counts, self._files)
            self._asked = tables
        return tables

    def close(self, *, but: str = "") -> Tables:
        """Complete every table (with a folder of ours: an empty file for an empty table), to be asked.

        The one called ``but`` still takes rows: nobody may ask about it until it is sealed.
        """
        for table in TABLES:
            if table.name != but:
                self.seal(table.name)
        tables = self._tables()
        self._asked, self._given = None, weakref.ref(tables)
        return tables

    def _hold(self, table: str, piece: pa.Table) -> None:
        """Keep a piece until there is enough of them."""
        held = self._held[table]
        self._pending[table].append(piece)
        held[0] += len(piece)
        held[1] += piece.nbytes
        if held[0] >= FLUSH_ROWS or held[1] >= FLUSH_BYTES:
            self._flush(table)

    def _joined(self, table: str) -> pa.Table:
        """What is in memory, each column in one piece: many small ones are slow to ask."""
        import pyarrow as pa

        pending = self._pending[table]
        if not pending:
            return _empty()[table]
        return pa.concat_tables(pending).combine_chunks()

    def _gather(self, table: str) -> None:
        """Move rows to columns, so that what follows them stands behind them."""
        import pyarrow as pa

        rows = self._rows[table]
        if not rows:
            return
        schema = self._schemas[table]
        arrays = [
            pa.array(list(column), field.type)
            for column, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        rows.clear()
        self._hold(table, pa.Table.from_arrays(arrays, schema=schema))

    def _flush(self, table: str, *, even_empty: bool = False) -> None:
        """Append what is in memory to the table's file; small pieces go as one row group."""
        import pyarrow as pa

        self._gather(table)
        pending = self._pending[table]
        if not pending and not (even_empty and table not in self._writers):
            return
        schema = self._schemas[table]
        data = self._kept[table] if table in self._kept else self._joined(table)
        path = self._path(table)
        try:
            if table in self._writers:
                pass
            elif self._suffix == ARROW:
                self._writers[table] = pa.ipc.new_stream(str(path), schema)
            else:
                self._writers[table] = _parquet(path, schema, self.lasting)
            self._writers[table].write_table(data)
        except OSError as error:
            raise _unwritable(path, error) from error
        pending.clear()
        self._held[table] = [0, 0]

    def _write_empty(self, table: str) -> None:
        """A file without a row: most tables of a small capture are such."""
        path = self._path(table)
        try:
            path.write_bytes(_empty_file(table, self.lasting))
        except OSError as error:
            raise _unwritable(path, error) from error
        self._files[table] = [path]

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}{self._suffix}"


class Tables:
    """The evidence of a run, to be asked; rows come back as tuples whose values have names."""

    def __init__(
        self,
        folder: Path | None = None,
        memory: Mapping[str, pa.Table] | None = None,
        keep: object = None,
        counts: dict[str, int] | None = None,
        files: Mapping[str, Sequence[Path]] | None = None,
    ) -> None:
        """Over Arrow tables in ``memory``, and Parquet files in ``folder`` for those not among them.

        ``keep`` is held alive, and ``counts`` says how many rows the tables have, where that is
        known. ``files`` are those of tables that have others, or several, one behind the other. A
        table may come into ``memory`` or ``folder`` until it is first asked about.
        """
        self.folder = folder
        self._files = {} if files is None else files
        self._memory = {} if memory is None else memory
        self._keep = keep
        self._counts = {} if counts is None else counts
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._giving_back: weakref.finalize[..., Tables] | None = None
        self._opened: set[str] = set()
        self._numbers = itertools.count(1)
        self._settled: dict[str, str] = {}

    @classmethod
    def of(cls, **rows: Iterable[Mapping[str, Any]]) -> Tables:
        """Tables in memory from rows by table name, for tests and notebooks; the rest is empty."""
        import pyarrow as pa

        if unknown := rows.keys() - BY_NAME.keys():
            raise KeyError(sorted(unknown))
        memory = dict(_empty())
        for table, given in rows.items():
            none = _none()[table]
            merged = []
            for row in given:
                if not row.keys() <= none.keys():
                    raise KeyError(f"{table}: {sorted(row.keys() - none.keys())}")
                merged.append({**none, **row})
            memory[table] = pa.Table.from_pylist(merged, schema=_schemas()[table])
        return cls(memory=memory)

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        if table not in self._counts:
            if table in self._memory:
                self._counts[table] = len(self._memory[table])
            else:
                import pyarrow.parquet as pq

                found = self._paths(table)
                self._counts[table] = sum(pq.read_metadata(path).num_rows for path in found)
        return self._counts[table]

    def arrow(self, table: str) -> pa.Table:
        """One whole table as Arrow."""
        if table in self._memory:
            return self._memory[table]
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pa.concat_tables([pq.read_table(path) for path in self._paths(table)])

    def relation(self, table: str) -> duckdb.DuckDBPyRelation:
        """One table as a DuckDB relation, for notebooks."""
        self._open([table])
        self._give_out()
        return self._asked().table(table)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection in which every table is a view under its own name."""
        self._open(BY_NAME)
        self._give_out()
        return self._asked()

    def ask(self, sql: str, parameters: Sequence[Any] = (), *, of: Sequence[str] = ()) -> list[Any]:
        """Rows of a question, their values by name; ``?`` marks take ``parameters``.

        ``of`` names the tables whose rows the answer is made of: where all of them are empty the
        answer is too, and nothing is asked.
        """
        if of and not any(self.rows(table) for table in of):
            return []
        self._open(_NAMES.findall(sql))

        def rows() -> list[Any]:
            cursor = self._asked().execute(sql, list(parameters))
            row = _row_type(tuple(d[0] for d in cursor.description or ()))
            return list(map(row, cursor.fetchall()))

        return self._given_room(rows)

    def whole(self, table: str, *columns: str) -> list[Any]:
        """All rows of a table that has few, in their order, with these columns.

        What is in memory is not asked about: DuckDB plans longer than a hundred rows take.
        """
        if table not in self._memory:
            return self.ask(f"SELECT {', '.join(columns)} FROM {table}", of=(table,))
        found = self._memory[table]
        values = [found[name].to_pylist() for name in columns]
        return list(map(_row_type(columns), zip(*values, strict=True)))

    def answer(self, sql: str) -> pa.Table:
        """The answer to a question as Arrow."""
        self._open(_NAMES.findall(sql))

        def table() -> pa.Table:
            return self._asked().sql(sql).to_arrow_table()

        return self._given_room(table)

    def _given_room(self, ask: Callable[[], T]) -> T:
        """What ``ask`` says; with more memory where it has too little.

        Some of what a question holds cannot go to disk: lists that it makes, sets that it counts.
        """
        import duckdb

        try:
            return ask()
        except duckdb.OutOfMemoryException:
            self._asked().execute(f"SET memory_limit = '{MOST_MEMORY}'")
            return ask()

    def lay(self, **columns: Sequence[str]) -> str:
        """Lay texts beside the tables as columns of one more; its name, for questions to join."""
        import pyarrow as pa

        name = self._new("laid")
        connection = self._asked()
        connection.register(
            "given", pa.table({k: pa.array(v, pa.string()) for k, v in columns.items()})
        )
        connection.execute(f"CREATE TEMP TABLE {name} AS FROM given")
        connection.unregister("given")
        return name

    def settle(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[str, int]:
        """Keep the answer to a question as one more table, for others to ask; its name and rows."""
        name = self._new("settled")
        ((rows,),) = self.ask(f"CREATE TEMP TABLE {name} AS {sql}", parameters)
        return name, rows

    def settled(self, sql: str) -> str:
        """The name of a table that keeps the answer to a question, asked the first time only."""
        if sql not in self._settled:
            self._settled[sql], _ = self.settle(sql)
        return self._settled[sql]

    def forget(self, name: str) -> None:
        """Give up a table that was laid or settled."""
        self._asked().execute(f"DROP TABLE {name}")

    def _paths(self, table: str) -> Sequence[Path]:
        """The files of a table that is not in memory, in the order of their rows."""
        if table in self._files:
            return self._files[table]
        if self.folder is None:
            raise KeyError(table)
        return (self.folder / f"{table}.parquet",)

    def _new(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"

    def _asked(self) -> duckdb.DuckDBPyConnection:
        """A cursor of a connection that is others' to ask when these tables are gone."""
        if self._connection is None:
            connection = _connection()
            self._connection = cursor = connection.cursor()
            self._giving_back = weakref.finalize(self, _give_back, os.getpid(), connection, cursor)
            self._giving_back.atexit = False
        return self._connection

    def _give_out(self) -> None:
        """What somebody else may hold, or has read files and keeps of them, nobody asks again."""
        self._asked()
        if self._giving_back is not None and (given := self._giving_back.detach()):
            _, connection, cursor = given[2]
            weakref.finalize(cursor, connection.close)  # it and its files live as long

    def _open(self, tables: Iterable[str]) -> None:
        """Make tables known by their names, each when it is first asked about."""
        for name in tables:
            if name in self._opened:
                continue
            self._opened.add(name)
            if name in self._memory:
                self._asked().register(name, self._memory[name])
            elif self.folder is not None:
                self._view(name)

    def _view(self, name: str) -> None:
        """Make a table in files known: it takes a millisecond."""
        self._give_out()
        listed = ", ".join(f"'{_quoted(path)}'" for path in self._paths(name))
        self._asked().execute(f'CREATE TEMP VIEW "{name}" AS FROM read_parquet([{listed}])')
