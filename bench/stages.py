"""One stage of the way, run alone in a process of its own: ``python -m bench.stages read FILE``."""

from __future__ import annotations

import json
import sys


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

    scratch, total, digest = bytearray(1 << 20), 0, hashlib.sha256()
    with Path(path).open("rb", buffering=0) as file:
        while n := file.readinto(scratch):
            digest.update(memoryview(scratch)[:n])
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


STAGES = {"read": read, "digest": digest, "observe": observe}

if __name__ == "__main__":
    print(json.dumps(STAGES[sys.argv[1]](sys.argv[2])))
