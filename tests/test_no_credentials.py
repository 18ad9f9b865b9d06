"""S-13: no known credential stands in this repository; known strings are listed by their hashes only."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = ROOT / "tests" / "known_strings.toml"
PLACES = ("src", "tests", "docs", "bench", "tools")
TEXT = {".py", ".toml", ".md", ".json", ".sh", ".css", ".j2", ".csv", ".txt", ""}
WORD = re.compile(rb"[\x21-\x7e]{4,80}")
EDGES = b"\"'`,;:()[]{}<>=|"


def files() -> Iterator[Path]:
    for place in PLACES:
        for path in (ROOT / place).rglob("*"):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def words(raw: bytes) -> set[bytes]:
    """Everything in a file that could be a credential: its words, and what quotes enclose."""
    found = set()
    for word in WORD.findall(raw):
        found.add(word)
        found.add(word.strip(EDGES))
        found.update(part for part in re.split(rb"[\"'`,;:()\[\]{}<>=|]", word) if len(part) > 3)
    return found


def where(digests: set[str], raw: bytes) -> list[str]:
    return [d for d in (hashlib.sha256(w).hexdigest() for w in words(raw)) if d in digests]


def test_s13_no_known_credential_stands_in_the_repository() -> None:
    known = tomllib.loads(LIST.read_text(encoding="utf-8"))["string"]
    allowed = {one["sha256"]: set(one["allowed"]) for one in known}
    met: dict[str, set[str]] = {digest: set() for digest in allowed}
    for path in files():
        for digest in where(set(allowed), path.read_bytes()):
            met[digest].add(path.relative_to(ROOT).as_posix())
    for digest, places in met.items():
        assert places <= allowed[digest], (digest, places - allowed[digest])
        # A string that may stand somewhere does: the scan is not blind.
        assert places or not allowed[digest]


def test_s13_the_scan_finds_a_string_however_it_is_enclosed() -> None:
    secret = b"constant-Filler1"
    digests = {hashlib.sha256(secret).hexdigest()}
    for around in (b'x = "%s"', b"USER %s\r\n", b"<Key>%s</Key>", b"(b'%s',)", b"a:%s;b", b"%s"):
        assert where(digests, around % secret), around
    assert not where(digests, b"constant-Filler2")


def test_s13_no_private_key_stands_in_the_repository() -> None:
    mark = b"PRIVATE " + b"KEY-----"
    assert [path for path in files() if mark in path.read_bytes()] == []
