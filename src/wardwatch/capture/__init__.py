"""The only packet I/O: files in, packet blocks out; receive-only towards the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from wardwatch.capture.reader import CaptureReader

__all__ = ["PIPE", "open_capture", "timeline"]

PIPE = "-"
"""The name that stands for standard input."""


def open_capture(path: str | os.PathLike[str], number: int = 1) -> CaptureReader:
    """Open a pcap or pcapng, plain or compressed, or standard input for ``-``.

    Raises :class:`wardwatch.errors.CaptureError` where there is nothing to read a packet from.
    """
    from wardwatch.capture import sniff  # brings the kernels: only where packets are read

    return sniff.open_capture(path, number)


def timeline(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[int, str]]:
    """``(number, path)`` of captures given together, in the order their first packets came."""
    from wardwatch.capture import merge

    return merge.timeline(paths)
