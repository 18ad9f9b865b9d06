"""Waiting for what another process does."""

import time


def until(true, seconds=60):
    """Wait until it is; whether it came to be."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()
