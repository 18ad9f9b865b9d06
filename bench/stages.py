"""One stage of the way, run alone in a process of its own: ``python -m bench.stages read FILE``."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def read(path: str) -> dict[str, int]:
    """The reader alone: pieces, record headers, SHA-256 of the file."""
    from wardwatch.capture import open_capture

    reader = open_capture(path)
    for _ in reader:
        pass
    return {"packets": reader.result.packets}


def digest(path: str) -> dict[str, int]:
    """SHA-256 of the file alone, in pieces: what the reader cannot do without."""
    import hashlib
    from pathlib import Path

    from wardwatch.capture.digest import PIECE, whole_pages

    scratch, total, digest = whole_pages(PIECE), 0, hashlib.sha256()
    with Path(path).open("rb", buffering=0) as file:
        while n := file.readinto(scratch):
            digest.update(scratch[:n])
            total += n
    return {"bytes": total}


def observe(path: str) -> dict[str, int]:
    """Everything up to the evidence tables."""
    from wardwatch.observe.engine import observe

    seen = observe([path])
    return {
        "packets": seen.packets,
        "decoded": seen.decoded,
        "skipped": seen.skipped,
        "malformed": seen.malformed,
        "parser_calls": seen.parser_calls,
    }


LOOPS, READING, SQL, PYTHON = "loops", "reading", "sql", "python"
"""What a stage is made of: compiled loops; the file's octets copied and hashed; DuckDB and Parquet;
and the interpreter with what it calls besides (NumPy, Arrow)."""
KINDS = (LOOPS, READING, SQL, PYTHON)
CALIBRATION = 10_000
"""Calls by which is measured what the clock itself takes: microseconds, fifty thousand times."""


class Watch:
    """CPU time of the innermost stage that runs, by what it is made of; one clock reading a change."""

    def __init__(self) -> None:
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._changes: Counter[tuple[str, str]] = Counter()
        self._stages = ["records, interpreter, the rest"]
        self._kinds = [PYTHON]
        self._since = time.process_time()

    def switch(self) -> None:
        """Book the time since the last call to the present stage and kind."""
        now = time.process_time()
        where = self._stages[-1], self._kinds[-1]
        self._spent[where] += now - self._since
        self._changes[where] += 1
        self._since = now

    def around(self, owner: Any, name: str, *, stage: str = "", kind: str = "") -> None:
        """Book what ``owner.name`` takes to a stage, or as of a kind."""
        inner: Callable[..., Any] = getattr(owner, name)
        stack, what = (self._stages, stage) if stage else (self._kinds, kind)

        def timed(*given: Any, **named: Any) -> Any:
            self.switch()
            stack.append(what)
            try:
                return inner(*given, **named)
            finally:
                self.switch()
                stack.pop()

        setattr(owner, name, timed)

    def begin(self) -> None:
        """Forget what was booked."""
        self.switch()
        self._spent.clear()
        self._changes.clear()

    def spent(self) -> dict[str, dict[str, float]]:
        """CPU seconds by stage and kind since :meth:`begin`, less what it took to watch them."""
        self.switch()
        booked, changes = dict(self._spent), Counter(self._changes)
        idle = SimpleNamespace(call=lambda: None)
        self.around(idle, "call", stage="calibration")
        since = time.process_time()
        for _ in range(CALIBRATION):
            idle.call()
        each = (time.process_time() - since) / (2 * CALIBRATION)
        found: defaultdict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(KINDS, 0.0))
        for (stage, kind), cpu in booked.items():
            found[stage][kind] = max(cpu - changes[stage, kind] * each, 0.0)
        return dict(sorted(found.items(), key=lambda item: -sum(item[1].values())))


def profile(path: str) -> dict[str, dict[str, float]]:
    """Where the time goes, by stage and by what it is made of, once everything is loaded."""
    from pyarrow import parquet

    from wardwatch import advise, detect, verify
    from wardwatch.capture import source
    from wardwatch.compiled import border
    from wardwatch.decode.conversations import ConversationTable
    from wardwatch.decode.kernels import duplicates, headers, select, stations, young
    from wardwatch.inventory import identify
    from wardwatch.observe import (
        datagrams,
        engine,
        fast_rows,
        messages,
        observer,
        sessions,
        streams,
        tables,
    )
    from wardwatch.observe import young as observe_young
    from wardwatch.ui import report
    from wardwatch.watch import audit

    watch = Watch()
    for owner, name, stage in (
        (source.Stored, "readinto", "read and SHA-256"),
        (headers, "decode_block", "headers to columns"),
        (stations, "assign_segments", "segments, stations"),
        (stations, "note_packets", "segments, stations"),
        (duplicates, "mark_copies", "copies of mirror and router"),
        (ConversationTable, "advance", "conversations"),
        (select.Chosen, "take", "selection of messages"),
        (young, "next_rows", "young conversations (TLS, HTTP by kernel)"),
        (observe_young.Young, "settle", "TLS in rows"),
        (observer.Tally, "take", "account of the capture"),
        (sessions.Sessions, "go_on", "messages one by one (TCP, rare datagrams)"),
        (streams.Streams, "_segment", "messages one by one (TCP, rare datagrams)"),
        (datagrams.Datagrams, "read", "messages one by one (TCP, rare datagrams)"),
        (fast_rows.FastRows, "take", "DNS, DHCP, ARP in bulk"),
        (streams.Streams, "_write", "conversations in words"),
        (messages.Messages, "_write", "conversations in words"),
        (tables.Spool, "_flush", "Parquet"),
        (identify, "inventory", "inventory"),
        (advise, "advise", "verdicts, findings, advisories"),
        (verify, "verify", "verdicts, findings, advisories"),
        (detect, "detect", "verdicts, findings, advisories"),
        (report, "build", "report"),
    ):
        watch.around(owner, name, stage=stage)
    for whose, name, kind in (
        (source.Stored, "readinto", READING),
        (border.Entry, "enter", LOOPS),
        (tables.Tables, "ask", SQL),
        (tables.Tables, "answer", SQL),
        (tables.Tables, "lay", SQL),
        (tables.Tables, "_asked", SQL),
        (parquet.ParquetWriter, "__init__", SQL),
        (parquet.ParquetWriter, "write_table", SQL),
        (parquet.ParquetWriter, "close", SQL),
    ):
        watch.around(whose, name, kind=kind)
    # One process in one thread: of the time that two take at once nobody could say whose it is.
    engine.observe = partial(engine.observe, threads=1)
    report.build(audit([path]))  # loads every kernel
    watch.begin()
    report.build(audit([path]))
    return watch.spent()


STAGES = {"profile": profile, "read": read, "digest": digest, "observe": observe}

if __name__ == "__main__":
    print(json.dumps(STAGES[sys.argv[1]](sys.argv[2])))
