"""Apart: the streams of TCP in another process, so that two cores share one capture.

The process is a copy of this one (``fork``) that goes through the same files for itself and takes
TCP alone, as :class:`~wardwatch.observe.streams.Streams` does; reading and decoding twice is the
price. What it found it leaves as files in a folder of ours, and in one message what else is to be
known. Where it is lost, or read another number of packets than we did (a file that still grows),
nothing of it counts: :class:`Lost`, and the caller begins anew alone.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import stat
import sys
import warnings
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from wardwatch.capture import open_capture
from wardwatch.capture.source import PIPE
from wardwatch.decode.kernels import headers
from wardwatch.errors import CaptureError
from wardwatch.model.values import NS
from wardwatch.observe.ahead import cores, decoded
from wardwatch.observe.collector import at_rest
from wardwatch.observe.segments import Places
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.tables import Spool, Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    import pyarrow as pa

    from wardwatch.observe.secrets import Secrets

WORTH_BYTES = 48 << 20
"""Stored bytes of all files from which on it pays: the process costs some 0.1 s to begin."""

_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First octets of gzip, xz and zstd: to unpack twice costs more than is won."""


class Lost(Exception):
    """The other process came to no end, or to another one than ours."""


class Told(msgspec.Struct, frozen=True):
    """What the other process says at its end."""

    packets: dict[int, int]
    """By number of the capture; those that could not be opened are not there."""
    given_up: dict[int, int]
    """Conversations and streams given up while the capture was read."""
    parser_calls: int
    unchecked: int
    """Secrets not compared with hashed defaults."""
    in_memory: tuple[str, ...]
    on_disk: tuple[str, ...]
    """Tables with rows."""


class Joined(NamedTuple):
    """What it found, to be put behind what we found."""

    memory: dict[str, pa.Table]
    files: dict[str, Path]
    scratch: Temporary
    """Where the files are, as long as this lives."""
    given_up: dict[int, int]
    unchecked: int


def is_worth_it(paths: Sequence[str]) -> bool:
    """Whether two processes should share these files.

    There must be a second core and ``fork``, and enough to read in files that are not packed; a
    pipe cannot be read twice.
    """
    if not sys.platform.startswith("linux") or cores() < 2:
        return False
    total = 0
    for path in paths:
        if path == PIPE:
            return False
        try:
            status = Path(path).stat()
            if not stat.S_ISREG(status.st_mode):
                return False
            with Path(path).open("rb") as file:
                if file.read(5).startswith(_PACKED):
                    return False
        except (OSError, ValueError):
            continue  # whoever reads it will say what is wrong
        total += status.st_size
    return total >= WORTH_BYTES


class Apart:
    """The other process, from its beginning to its end; to be closed."""

    def __init__(
        self, files: Sequence[tuple[int, str]], secrets: Secrets, *, idle_s: float, lasting: bool
    ) -> None:
        """Begin to read ``files``, given as number and path, in their order.

        ``lasting`` is as of a :class:`~wardwatch.observe.tables.Spool`.
        """
        self.parser_calls = 0
        self._scratch = Temporary()
        folder = self._scratch.path
        self._pipe, theirs = Pipe(duplex=False)
        self._child = _forked()
        if not self._child:
            self._pipe.close()
            _work(
                theirs,
                files,
                secrets.beside(),
                Spool(folder, scratch=True, lasting=lasting),
                idle_s,
            )
        theirs.close()

    def join(self, packets: dict[int, int]) -> Joined:
        """Wait for its end ⇒ what it found.

        ``packets`` are those we read of each capture. Raises :class:`Lost`.
        """
        import pyarrow as pa

        try:
            told = msgspec.msgpack.decode(self._pipe.recv_bytes(), type=Told)
        except (EOFError, OSError):
            raise Lost("it was ended from outside") from None
        if told.packets != packets:
            raise Lost("a file changed while it was read")
        self.parser_calls = told.parser_calls
        memory = {}
        for table in told.in_memory:
            with pa.OSFile(str(self._scratch.path / f"{table}.arrow")) as file:
                memory[table] = pa.ipc.open_file(file).read_all()
        files = {table: self._scratch.path / f"{table}.parquet" for table in told.on_disk}
        return Joined(memory, files, self._scratch, told.given_up, told.unchecked)

    def close(self) -> None:
        """End it, wherever it is."""
        self._pipe.close()
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0


def _forked() -> int:
    gc.freeze()  # what is there is written to by no collection: it stays one memory for both
    with warnings.catch_warnings():
        # Of the copy's threads only this one goes on. It asks for no lock that another may hold:
        # it writes to no terminal, and Arrow's pool begins anew behind a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        gc.unfreeze()
    return child


def _work(
    pipe: Connection,
    files: Sequence[tuple[int, str]],
    secrets: Secrets,
    spool: Spool,
    idle_s: float,
) -> NoReturn:
    """The other process: it ends here, and says nothing where it fails."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is asked, and ends us
        with at_rest():
            told = _streams(files, secrets, spool, idle_s)
        pipe.send_bytes(msgspec.msgpack.encode(told))
        status = 0
    finally:
        os._exit(status)


def _streams(
    files: Sequence[tuple[int, str]], secrets: Secrets, spool: Spool, idle_s: float
) -> Told:
    """Everything that is TCP in the files, as tables in the spool's folder."""
    import pyarrow as pa

    places, reassembly = Places(), Reassembly()
    streams = Streams(spool, secrets, places, reassembly, idle_ns=round(idle_s * NS))
    events = headers.Events()
    packets: dict[int, int] = {}
    given_up: dict[int, int] = {}
    before = 0
    for number, path in files:
        try:
            reader = open_capture(path, number)
        except CaptureError:
            continue  # the caller meets it too, and tells
        with reader:
            reader.hash_not()
            for given in decoded(reader, events, threads=1):
                if given.block.n:
                    places.take(given.block, given.columns, given.interfaces, headers.TUNNELS)
                    streams.take(given.block, given.columns)
            packets[number] = reader.packets
        given_up[number] = streams.given_up - before
        before = streams.given_up
    streams.finish()
    memory, on_disk = spool.parts()
    for table, data in memory.items():
        with pa.ipc.new_file(str(spool.folder / f"{table}.arrow"), data.schema) as file:
            file.write_table(data)
    return Told(
        packets, given_up, streams.parser_calls, secrets.unchecked, tuple(memory), tuple(on_disk)
    )
