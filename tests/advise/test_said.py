"""wardwatch.advise.said"""

import subprocess
import sys

import msgspec

from wardwatch.advise.own import own_records
from wardwatch.advise.said import Statement
from wardwatch.advise.statements import statements


def test_a_statement_is_kept_whole():
    said = tuple(s for record in own_records() for s in statements(record))
    kept = msgspec.msgpack.encode(said, order="deterministic")
    assert msgspec.msgpack.decode(kept, type=tuple[Statement, ...]) == said
    assert len(said) > 50


def test_what_was_said_before_is_held_against_a_device_without_reading_a_document():
    code = """
import sys
from wardwatch.advise.assets import Asset, Library
from wardwatch.advise.names import own_names
library = Library(s for name in own_names() for s in name.statements)
print(len(library.match(Asset("Smiths Medical", "Medfusion 4000", "1.6.0"))))
print([name for name in ("repair", "statements") if f"wardwatch.advise.{name}" in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[1:] == ["[]"], ran.stderr
    assert int(ran.stdout.split()[0]) > 0
