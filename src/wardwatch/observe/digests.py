"""Digests: another process hashes the files, from before we have loaded what reads them.

It takes no part in the reading. That what it hashed is what was read is told by the files' stamps
(:class:`wardwatch.capture.digest.Stamp`), which have to be the same from before it hashed until
after the last has read.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from wardwatch.capture.digest import Digest, Stamp, digest_of
from wardwatch.observe.forks import Lost, forked, is_worth_it

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Digests:
    """The other process, from its beginning to its end; to be closed."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Begin to hash ``paths``, in their order."""
        self._paths = tuple(paths)
        self._number = {path: number for number, path in enumerate(paths)}
        self._known: list[Digest | None] = []
        """Those of the first paths."""
        self._child = 0
        ours, theirs = os.pipe()
        self._told = os.fdopen(ours, "r", encoding="ascii")
        caller = os.getpid()
        self._child = forked()
        if not self._child:
            _work(theirs, self._paths, caller)
        os.close(theirs)

    def of(self, path: str, stamp: Stamp | None) -> str:
        """SHA-256 (hex) of one of the paths, read by who found it with ``stamp`` all the while.

        Waits until it is there. Raises :class:`~wardwatch.observe.forks.Lost` where another file
        was hashed than was read.
        """
        at = self._number[path]
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
        self._told.close()
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0


@contextlib.contextmanager
def hashed_ahead(paths: Sequence[str]) -> Iterator[Digests | None]:
    """Hash files from now on, where two processes should share them; ``None`` elsewhere."""
    if not is_worth_it(paths):
        yield None
        return
    with contextlib.closing(Digests(paths)) as digests:
        yield digests


def _work(pipe: int, paths: Sequence[str], caller: int) -> NoReturn:
    """The other process: it ends here, or when its caller did."""

    def between() -> None:
        if os.getppid() != caller:
            os._exit(1)

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
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
