"""``make packs``: keep the tables of the package ready to be read.

``src/wardwatch/packs.json`` holds every TOML file of the product (the twin reads its own).
``tests/test_packs.py`` fails when it is not what this would write.
"""

from __future__ import annotations

import sys

import msgspec

from wardwatch import packs


def tables() -> bytes:
    """The file of tables: one on a line, by their names."""
    paths = (path.relative_to(packs.ROOT) for path in packs.ROOT.rglob("*.toml"))
    found = sorted(path.as_posix() for path in paths if path.parts[0] != "twin")
    lines = [
        b'"%s":%s' % (name.encode(), msgspec.json.encode(packs.packed(name))) for name in found
    ]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def main() -> int:
    """Write the file."""
    raw = tables()
    packs.FILE.write_bytes(raw)
    sys.stdout.write(f"{packs.FILE.relative_to(packs.ROOT)}: {len(raw):,} octets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
