"""Ground: where the twin may listen and call: this machine's loopback, or a namespace it made.

Nothing of the twin is ever offered to a network that anybody else is on (S-12). A namespace counts
as ours if this process, or the one it was forked from, made it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

_OURS: set[int] = set()
"""Inodes of the namespaces that were made here; a forked process inherits them."""


class OutsideError(OSError):
    """An address was asked for that is neither loopback nor in a namespace of the twin's own."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the twin listens on 127.0.0.0/8 or in a namespace of its own only, not on {host}"
        )
        self.host = host


def permitted(host: str) -> str:
    """The address, if it may be listened on or called from where this process stands.

    :raises OutsideError: for anything else, names and unspecified addresses included.
    """
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise OutsideError(host) from None
    if address.is_loopback or (here() in _OURS and not address.is_unspecified):
        return host
    raise OutsideError(host)


def here() -> int:
    """The inode of the network namespace this process is in; -1 where there is none to ask for."""
    try:
        return Path("/proc/self/ns/net").stat().st_ino
    except OSError:
        return -1


def made(inode: int) -> None:
    """A namespace was made by us."""
    _OURS.add(inode)


def ours() -> frozenset[int]:
    """Inodes of the namespaces that were made here."""
    return frozenset(_OURS)
