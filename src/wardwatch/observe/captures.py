"""Captures: the rows of the files' own table, written when the digests of the files are known.

They are all that is kept of who has read the files until then: what he followed, a third of the
memory of a run, goes before anything is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wardwatch.capture.digest import Stamp
    from wardwatch.observe.digests import Digests
    from wardwatch.observe.tables import Spool


class Captures:
    """The rows of the table ``captures``."""

    def __init__(self, spool: Spool, digests: Digests | None) -> None:
        """``digests``: who hashes the files; else the rows say already what they hash to."""
        self._spool = spool
        self._digests = digests
        self._found: list[tuple[str, Stamp | None, dict[str, Any]]] = []

    def add(self, path: str, stamp: Stamp | None, row: dict[str, Any]) -> None:
        """One file that was read, and what it was told by then."""
        self._found.append((path, stamp, row))

    @property
    def end(self) -> int:
        """Time of the last packet of all files, ns; 0 without any."""
        return max((row["last_ts"] for _, _, row in self._found if row["packets"]), default=0)

    def write(self) -> None:
        """Write the table, once; another process may still be at the digests.

        Raises :class:`~wardwatch.observe.forks.Lost` where another file was hashed than was read.
        """
        for path, stamp, row in self._found:
            if self._digests:
                row["sha256"] = self._digests.of(path, stamp)
                row["stored_bytes"] = stamp.size if stamp else 0
            self._spool.add("captures", row)
