"""Forks: copies of this process, which share its memory as it was."""

from __future__ import annotations

import gc
import os
import warnings


class Lost(Exception):
    """Another process came to no end, or to another one than ours: what is written is not good."""


def forked() -> int:
    """A copy of this process ⇒ its number, 0 in the copy."""
    gc.freeze()  # what is there is written to by no collection: it stays one memory for both
    with warnings.catch_warnings():
        # Of the copy's threads only this one goes on. It asks for no lock that another may hold:
        # it writes to no terminal, and Arrow's pool begins anew behind a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        gc.unfreeze()
    return child
