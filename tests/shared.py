"""Where the shared captures are, and the skip that says so where they are not."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("WARDWATCH_SHARED", Path(__file__).parents[2] / "shared"))
CAPTURES = SHARED / "data" / "captures"

needs_shared = pytest.mark.skipif(
    not CAPTURES.is_dir() and os.environ.get("CI") != "true",
    reason="needs the shared captures beside the clone (../shared/data/captures)",
)
"""In CI the folder is there, and its absence must fail, not skip."""
