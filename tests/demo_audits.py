"""The demo's two days, audited once for all tests that state or order something upon them."""

import functools
import tempfile
from pathlib import Path

from wardwatch.twin.scenario import Demo, demo
from wardwatch.watch import Audit, audit

SEED = 5
_FOLDER = tempfile.TemporaryDirectory(prefix="wardwatch-demo-")


@functools.cache
def days() -> Demo:
    return demo(SEED, Path(_FOLDER.name))


@functools.cache
def clean() -> Audit:
    return audit([days().clean], site=days().site, inventory=days().listed)


@functools.cache
def attacked() -> Audit:
    return audit([days().attacked], site=days().site_attacked, inventory=days().listed)
