"""``make packs``: keep the tables of the package, and the names of our own records, ready to be read.

``src/wardwatch/packs.json`` holds every TOML file of the product (the twin reads its own),
``src/wardwatch/advise/records/names.msgpack`` the names and statements of our own records, and
``src/wardwatch/observe/empties.bin`` tables without a row. ``tests/test_packs.py``,
``tests/advise/test_names.py`` and ``tests/observe/test_empties.py`` fail when they are not what this
would write.
"""

from __future__ import annotations

import sys

import msgspec
import pyarrow as pa

from wardwatch import packs
from wardwatch.advise import names
from wardwatch.model.columns import TABLES
from wardwatch.observe import empties
from wardwatch.observe.tables import made_empty


def tables() -> bytes:
    """The file of tables: one on a line, by their names."""
    paths = (path.relative_to(packs.ROOT) for path in packs.ROOT.rglob("*.toml"))
    found = sorted(path.as_posix() for path in paths if path.parts[0] != "twin")
    lines = [
        b'"%s":%s' % (name.encode(), msgspec.json.encode(packs.packed(name))) for name in found
    ]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def without_rows() -> bytes:
    """The file of tables without a row."""
    return empties.kept(
        {table.name: made_empty(table.name, lasting=True) for table in TABLES}, pa.__version__
    )


def main() -> int:
    """Write all files."""
    for path, raw in (
        (packs.FILE, tables()),
        (names.OWN, names.packed_own()),
        (empties.FILE, without_rows()),
    ):
        path.write_bytes(raw)
        sys.stdout.write(f"{path.relative_to(packs.ROOT)}: {len(raw):,} octets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
