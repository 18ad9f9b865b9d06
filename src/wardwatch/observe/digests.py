"""Digests: another process hashes the files, from before we have loaded what reads them.

It takes no part in the reading. That what it hashed is what was read is told by the files' stamps
(:class:`wardwatch.capture.digest.Stamp`), which have to be the same from before it hashed until
after the last has read.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, NoReturn

from wardwatch.capture.digest import Digest, Stamp, digest_of
from wardwatch.observe.forks import Lost, end_copy, forked, is_worth_it

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


MOST_HELD = 2 << 30
"""Octets up to which it pays to wait with hashing while others read: what follows the reading
leaves a core idle for as long as half of them take, and they are still in the page cache then."""

YIELDING = 3
"""By how much who hashes is nicer than who reads: what follows the reading leaves a core idle,
which may as well hash then what was not yet. Niceness 19 would leave no time for that."""

_WAIT, _GO_ON = b"-", b"+"
_LOOK_MS = 200
"""Who waits looks so often whether its caller is still there."""


class Digests:
    """The other process, from its beginning to its end; to be closed."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Begin to hash ``paths``, in their order.

        Raises :class:`~wardwatch.observe.forks.Lost` where there is no other process to be had.
        """
        self._paths = tuple(paths)
        self._number = {path: number for number, path in enumerate(paths)}
        self._known: list[Digest | None] = []
        """Those of the first paths."""
        self._child = 0
        ours, theirs = os.pipe()
        heard, self._say = os.pipe()
        self._told = os.fdopen(ours, "r", encoding="ascii")
        self._waits = False
        caller = os.getpid()
        try:
            self._child = forked()
            if not self._child:
                _work(theirs, heard, self._paths, caller)
        except Lost:
            self.close()
            raise
        finally:
            os.close(theirs)
            os.close(heard)

    def wait(self) -> None:
        """Hash nothing until :meth:`go_on`: those who read need the cores more."""
        self._waits = True
        self._tell(_WAIT)

    def go_on(self) -> None:
        """Hash on, after :meth:`wait`."""
        if self._waits:
            self._waits = False
            self._tell(_GO_ON)

    def _tell(self, word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has done all, or was ended from outside
            os.write(self._say, word)

    def of(self, path: str, stamp: Stamp | None) -> str:
        """SHA-256 (hex) of one of the paths, read by who found it with ``stamp`` all the while.

        Waits until it is there. Raises :class:`~wardwatch.observe.forks.Lost` where another file
        was hashed than was read.
        """
        at = self._number[path]
        self.go_on()
        while len(self._known) <= at:
            line = self._told.readline()
            if line.endswith("\n"):
                self._known.append(_read(line))
            else:  # it was ended from outside
                self._known.append(digest_of(self._paths[len(self._known)]))
        found = self._known[at]
        if found is None or found.stamp != stamp:
            raise Lost("a file changed while it was read")
        return found.sha256

    def close(self) -> None:
        """End the process, wherever it is."""
        if self._told.closed:
            return
        self._told.close()
        os.close(self._say)
        if self._child:
            end_copy(self._child)
            self._child = 0


@contextlib.contextmanager
def hashed_ahead(paths: Sequence[str]) -> Iterator[Digests | None]:
    """Hash files from now on, where two processes should share them; ``None`` elsewhere."""
    digests = None
    if is_worth_it(paths):
        with contextlib.suppress(Lost):
            digests = Digests(paths)
    with contextlib.nullcontext() if digests is None else contextlib.closing(digests):
        yield digests


def _work(pipe: int, heard: int, paths: Sequence[str], caller: int) -> NoReturn:
    """The other process: it ends here, or when its caller did."""
    words = select.poll()
    words.register(heard, select.POLLIN)
    waits = False

    def between() -> None:
        nonlocal waits
        while True:
            if os.getppid() != caller:
                os._exit(1)
            if words.poll(_LOOK_MS if waits else 0):
                waits = os.read(heard, 64).endswith(_WAIT)
            elif not waits:
                return

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
        os.nice(YIELDING)
        for path in paths:
            os.write(pipe, _written(digest_of(path, between)))
    finally:
        os._exit(0)


def _written(digest: Digest | None) -> bytes:
    """One line; shorter than what a pipe takes at once."""
    told = () if digest is None else (digest.sha256, *digest.stamp)
    return (" ".join(map(str, told)) + "\n").encode()


def _read(line: str) -> Digest | None:
    sha256, *stamp = line.split() or [""]
    return Digest(Stamp(*map(int, stamp)), sha256) if sha256 else None
