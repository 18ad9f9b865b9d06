"""Outbox: what communications have to tell the server, kept on disk until the server has it.

A day and more of reports and events waits here through an outage or a kill -9 (C-15). Sequence
numbers are never used twice, so the server knows what it already has; what the head said is taken
once, by its own number.
"""

from __future__ import annotations

import sqlite3
import weakref
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

KEEP = 20_000
"""Entries kept: 24 h at the shortest interval of 5 s are 17,280 (C-6, C-15)."""


class Entry(msgspec.Struct, frozen=True):
    """One thing to tell."""

    seq: int
    stamp: int
    """When it happened, ns UTC: kept as it was, however late it is told."""
    kind: str
    body: bytes


class Outbox:
    """A queue in a file; every call is whole on disk when it returns."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # Python closes what nobody closed too, but from 3.13 on it complains of that.
        self._leave = weakref.finalize(self, self._db.close)
        self._leave.atexit = False  # it may be asked of the thread that made it alone
        self._db.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing so; only a power cut could take the last entries.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS waiting "
            "(seq INTEGER PRIMARY KEY AUTOINCREMENT, stamp INTEGER, kind TEXT, body BLOB)"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, n INTEGER)")

    def put(self, stamp: int, kind: str, body: bytes, number: int = 0) -> int:
        """Keep it ⇒ its sequence number; 0 if ``number`` of the head's was kept before.

        The oldest goes where more than ``KEEP`` wait, and is counted in :attr:`dropped`.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if number and number <= self.heard:
                return 0
            cursor = self._db.execute(
                "INSERT INTO waiting (stamp, kind, body) VALUES (?, ?, ?)", (stamp, kind, body)
            )
            if number:
                self._set("heard", number)
            if (excess := len(self) - KEEP) > 0:
                self._db.execute(
                    "DELETE FROM waiting WHERE seq IN (SELECT seq FROM waiting ORDER BY seq LIMIT ?)",
                    (excess,),
                )
                self._set("dropped", self.dropped + excess)
        return cursor.lastrowid or 0

    def waiting(self, limit: int = 100, after: int = 0) -> list[Entry]:
        """The oldest that wait, in order, with a sequence number above ``after``."""
        rows = self._db.execute(
            "SELECT seq, stamp, kind, body FROM waiting WHERE seq > ? ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return [Entry(*row) for row in rows]

    def taken(self, seq: int) -> None:
        """The server has it."""
        self._db.execute("DELETE FROM waiting WHERE seq = ?", (seq,))

    @property
    def heard(self) -> int:
        """The last number of the head's that was kept."""
        return self._get("heard")

    @property
    def dropped(self) -> int:
        """Entries lost because too many waited."""
        return self._get("dropped")

    def close(self) -> None:
        """Leave the file."""
        self._leave()

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def _get(self, name: str) -> int:
        row = self._db.execute("SELECT n FROM known WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _set(self, name: str, n: int) -> None:
        self._db.execute(
            "INSERT INTO known VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n",
            (name, n),
        )
