"""One stage of the way, run alone in a process of its own: ``python -m bench.stages read FILE``."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from functools import partial
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


class Watch:
    """CPU time of the innermost stage that runs; one clock reading a block and stage."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._stack = ["records, interpreter, the rest"]
        self._since = time.process_time()

    def switch(self) -> None:
        """Book the time since the last call to the present stage."""
        now = time.process_time()
        self.spent[self._stack[-1]] += now - self._since
        self._since = now

    def around(self, owner: Any, name: str, stage: str) -> None:
        """Book what ``owner.name`` takes to a stage."""
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            self.switch()
            self._stack.append(stage)
            try:
                return inner(*given, **named)
            finally:
                self.switch()
                self._stack.pop()

        setattr(owner, name, timed)


def profile(path: str) -> dict[str, float]:
    """Where the time goes, by stage, once everything is loaded."""
    from wardwatch import advise, detect, verify
    from wardwatch.capture import source
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
        watch.around(owner, name, stage)
    # One process in one thread: of the time that two take at once nobody could say whose it is.
    engine.observe = partial(engine.observe, threads=1)
    report.build(audit([path]))  # loads every kernel
    watch.switch()
    watch.spent.clear()
    report.build(audit([path]))
    watch.switch()
    return dict(sorted(watch.spent.items(), key=lambda item: -item[1]))


STAGES = {"profile": profile, "read": read, "digest": digest, "observe": observe}

if __name__ == "__main__":
    print(json.dumps(STAGES[sys.argv[1]](sys.argv[2])))
