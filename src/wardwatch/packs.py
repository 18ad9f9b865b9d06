"""Tables that come with wardwatch: written as TOML, and kept beside it in a form that needs no parsing.

The TOML files are the source. ``make packs`` keeps each of them as JSON in ``packs.json``, under a
seal over both. Where a seal does not fit (a table was edited, the file is old, cut or damaged), the
TOML is parsed: slower, and no other answer.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import hashlib
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

ROOT = Path(__file__).parent
FILE = ROOT / "packs.json"
MAX_BYTES = 16 * 1024 * 1024
"""A hundred times what the tables hold."""

T = TypeVar("T")


class Pack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table as it is kept."""

    seal: str
    """Over the octets of its TOML file and those of the table."""
    table: msgspec.Raw
    """The same as JSON, not decoded until it is asked for."""


def read(name: str, shape: type[T]) -> T:
    """The table of a TOML file in the package, as a type: ``inventory/rules/medical.toml``."""
    raw = (ROOT / name).read_bytes()
    pack = _packs().get(name)
    if pack is not None and pack.seal == seal(raw, pack.table):
        return msgspec.json.decode(pack.table, type=shape)
    import tomllib  # costs more than reading all that is kept

    return msgspec.convert(tomllib.loads(raw.decode("utf-8")), shape)


def packed(name: str) -> Pack:
    """A TOML file in the package as it is to be kept.

    Raises ``ValueError`` where JSON does not hold what it says, a date for one.
    """
    import tomllib

    raw = (ROOT / name).read_bytes()
    said = tomllib.loads(raw.decode("utf-8"))
    table = msgspec.json.encode(said)
    if msgspec.json.decode(table) != said:
        raise ValueError(f"{name}: what it says is not the same in JSON")
    return Pack(seal(raw, table), msgspec.Raw(table))


def seal(source: bytes, made: bytes | msgspec.Raw) -> str:
    """SHA-256 that fits one source and what was made of it, and nothing else."""
    digest = hashlib.sha256(len(source).to_bytes(8, "big"))
    digest.update(source)
    digest.update(made)
    return digest.hexdigest()


@cache
def _packs() -> dict[str, Pack]:
    try:
        with FILE.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_BYTES), type=dict[str, Pack])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}  # absent or damaged: the sources are read
