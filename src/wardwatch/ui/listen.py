"""``wardwatch watch``: a live port instead of a file, from the first packet to the answer."""

from __future__ import annotations

import math
import os
import re
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from wardwatch.capture import PIPE
from wardwatch.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from wardwatch.capture.live import Port
    from wardwatch.watch import Audit

_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h|d)?")
READING = ("wardwatch.capture", "wardwatch.decode")
"""Where the kernels are that read packets: no packet should have to wait until they are compiled."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, None: 1}


def listened(
    interface: str,
    span: str | None = None,
    write: Path | None = None,
    megabytes: int = 64,
    *,
    site: Path | None = None,
    inventory: Path | None = None,
    shelf: Callable[[], Path] | None = None,
    out: Path | None = None,
    key_file: Path | None = None,
) -> Audit:
    """Listen to an interface until it is enough (``span``) or somebody stops it, and audit that.

    ``write`` names a file that keeps the packets; the evidence cites it then. The right to listen
    is given up before a packet is read, where sudo lent it; ``shelf`` is asked behind that. Raises
    :class:`~wardwatch.errors.WardwatchError`.
    """
    from wardwatch.capture.live import Port
    from wardwatch.compiled.border import make_ahead
    from wardwatch.ui.progress import progress_bar
    from wardwatch.watch import audit

    seconds = math.inf if span is None else seconds_of(span)
    how = "Ctrl-C ends it" if span is None else f"for {span}, or until Ctrl-C"
    if str(write) == PIPE:
        raise UsageError(
            "--write keeps a file; to pipe packets on there is dumpcap -i INTERFACE -w -"
        )

    def begun() -> None:
        if not sys.stderr.isatty():
            sys.stderr.write(f"wardwatch: listening to {interface} ({how}); nothing is sent\n")
            sys.stderr.flush()

    with ExitStack() as stack:
        port = stack.enter_context(
            Port(interface, megabytes=megabytes, seconds=seconds, begun=begun)
        )
        give_up_root()
        make_ahead(READING)
        if write is not None:
            port.copy_to(stack.enter_context(_new(write)))
        name = interface if write is None else str(write)
        stack.enter_context(_stopped_by_signals(port))
        with progress_bar(f"listening to {interface}: {how}") as progress:
            found = audit(
                [name],
                site=site,
                inventory=inventory,
                shelf=None if shelf is None else shelf(),
                out=out,
                key_file=key_file,
                progress=progress,
                streams={name: port},
            )
    if port.copy_problem:
        sys.stderr.write(
            f"wardwatch: {write}: not all packets are there ({port.copy_problem}); "
            "the answer is of all that were heard\n"
        )
    return found


def seconds_of(span: str) -> float:
    """``90``, ``90s``, ``15m``, ``8h``, ``2d`` in seconds; raises ``UsageError`` for anything else."""
    told = _SPAN.fullmatch(span.strip())
    seconds = 0.0 if told is None else float(told[1]) * _SECONDS[told[2]]
    if not seconds:
        raise UsageError(f"--for {span!r}: give a time as 90s, 15m, 8h or 2d")
    return seconds


def give_up_root() -> bool:
    """Become again who called sudo, for good ⇒ whether there was somebody.

    What is open stays open; what a stranger's packets could do to us they do to a user without
    rights.
    """
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not (user.isdecimal() and group.isdecimal()) or int(user) == 0:
        return False
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    import pwd  # not where another system says first that it cannot be listened to

    try:
        os.environ["HOME"] = pwd.getpwuid(int(user)).pw_dir
    except KeyError:
        os.environ.pop("HOME", None)  # root's is not ours
    return True


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """A file that was not there before, for nobody else's eyes."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise OutputError(f"{path}: is there already; name a new file with --write") from None
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); name another file with --write"
        ) from error
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            yield file
    finally:
        if not path.stat().st_size:  # it never came to listening
            path.unlink()


@contextmanager
def _stopped_by_signals(port: Port) -> Iterator[None]:
    """The first Ctrl-C, or the end of a service, ends the listening; a second one all of it."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.getsignal(name) for name in names}

    def stop(number: int, frame: FrameType | None) -> None:
        port.stop()
        for name in names:
            signal.signal(name, before[name])

    for name in names:
        signal.signal(name, stop)
    try:
        yield
    finally:
        for name in names:
            signal.signal(name, before[name])
