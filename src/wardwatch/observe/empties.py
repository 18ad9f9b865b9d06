"""Tables without a row as Parquet, ready-made: in most captures most tables have none.

Each takes half a millisecond to make, and is always the same. ``make packs`` keeps them in
``empties.bin``, under a seal over the registry of columns. Where it does not fit (a column was
edited, the file is old, cut or damaged) they are made: slower, and no other tables.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import zlib
from functools import cache
from pathlib import Path

import msgspec

from wardwatch.model.columns import TABLES
from wardwatch.packs import MAX_BYTES, seal

FILE = Path(__file__).with_name("empties.bin")


class Empties(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of all tables as they are kept."""

    seal: str
    """Over the registry of columns and what is packed."""
    made_by: str
    """The release of Arrow that wrote them; any other reads them, and writes its own name."""
    packed: bytes
    """By the names of the tables their files, compressed."""


def file_of(table: str) -> bytes | None:
    """The Parquet file of a table without a row; ``None`` where it did not come ready-made."""
    return _files().get(table)


def kept(files: dict[str, bytes], made_by: str) -> bytes:
    """What ``empties.bin`` says where tables without a row are these files."""
    packed = zlib.compress(msgspec.msgpack.encode(files, order="sorted"), 9)
    return msgspec.msgpack.encode(Empties(seal(_registry(), packed), made_by, packed))


def _registry() -> bytes:
    """Everything that the columns of all tables are made of."""
    return msgspec.json.encode(TABLES)


@cache
def _files() -> dict[str, bytes]:
    try:
        with FILE.open("rb") as file:
            said = msgspec.msgpack.decode(file.read(MAX_BYTES), type=Empties)
        if said.seal != seal(_registry(), said.packed):
            return {}
        raw = zlib.decompressobj().decompress(said.packed, MAX_BYTES)
        return msgspec.msgpack.decode(raw, type=dict[str, bytes])
    except (OSError, msgspec.DecodeError, RecursionError, zlib.error):
        return {}  # absent or damaged
