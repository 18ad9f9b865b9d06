"""The page's template in Python's byte code, kept beside the kernels: compiling it costs 0.1 s.

The rules of :mod:`wardwatch.compiled.store` hold: a private file of this user, keyed to the
template's text and the versions that made the code of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from wardwatch.compiled import cache_folder, store


class Kept(BytecodeCache):
    """Jinja's border to our store."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if there is code for it."""
        folder = cache_folder()
        if folder is None:
            return
        key = _key(bucket)
        code = store.read(store.path_of(folder, _NAME, key), key)
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the bucket's code."""
        folder = cache_folder()
        if folder is not None:
            key = _key(bucket)
            store.keep(store.path_of(folder, _NAME, key), key, bucket.bytecode_to_string())


_NAME = "wardwatch.ui.page"


def _key(bucket: Bucket) -> bytes:
    """What the code depends on: the text, how Jinja was told to read it, and the versions."""
    told = bucket.environment
    said = (
        bucket.key,
        bucket.checksum,
        told.autoescape,
        told.trim_blocks,
        told.lstrip_blocks,
        told.optimized,
        told.undefined.__name__,
        sorted(told.extensions),
        sorted(told.filters),
        jinja2.__version__,
        sys.version,
    )
    return hashlib.sha256(repr(said).encode() + importlib.util.MAGIC_NUMBER).digest()
