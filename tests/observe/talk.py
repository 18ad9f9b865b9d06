"""A small language for conversations: ``Talk().opens().client(b"…").server(b"…").rows("ftp")``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow.feather import write_feather

from wardwatch.decode.stream import ACK, FIN, RST, SYN
from wardwatch.model.columns import TABLES
from wardwatch.observe.sessions import Sessions
from wardwatch.observe.tables import Spool
from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from pathlib import Path

    from wardwatch.observe.secrets import Secrets

CLIENT, SERVER = "10.0.0.2", "10.0.0.9"


class Mark:
    """Stands for ``Secrets`` where a test does not ask for more than equality."""

    def digest(self, secret: bytes) -> str:
        return "#" + secret.decode("latin-1")[::-1]

    def known_default(self, secret: bytes, protocol: str) -> str:
        return "default" if secret == b"default" else ""


class Heard:
    """Stands for ``Datagrams``."""

    def __init__(self) -> None:
        self.dns: list[tuple[bytes, int, str]] = []

    def dns_message(self, payload: bytes, where: Where, proto: str) -> None:
        self.dns.append((payload, where.packet, proto))


class Talk:
    """Conversations of one capture, a packet numbered each time somebody speaks."""

    def __init__(self, port: int = 21, secrets: Secrets | Mark | None = None) -> None:
        self.heard = Heard()
        self.spool = Spool()
        self.sessions = Sessions(self.spool, secrets or Mark(), self.heard)  # type: ignore[arg-type]
        self.packet = 0
        self._tables: Any = None
        self.turns_to(1, port)

    def turns_to(self, conversation: int, port: int, source: int = 40000) -> Talk:
        """What follows is another conversation, client side first."""
        self.conversation, self.port, self.source = conversation, port, source
        self.hosts = (CLIENT, SERVER)
        self.sequence = [1000, 5000]
        return self

    def between(self, orig: str, resp: str) -> Talk:
        self.hosts = (orig, resp)
        return self

    def opens(self) -> Talk:
        """The three packets of a handshake."""
        self._send(0, SYN)
        self._send(1, SYN | ACK)
        return self._send(0, ACK)

    def client(self, *said: bytes, lost: bool = False) -> Talk:
        return self._say(0, said, lost)

    def server(self, *said: bytes, lost: bool = False) -> Talk:
        return self._say(1, said, lost)

    def closes(self, side: int = 0) -> Talk:
        return self._send(side, FIN | ACK)

    def resets(self, side: int = 0) -> Talk:
        return self._send(side, RST)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table once the capture is over."""
        if self._tables is None:
            self.sessions.finish()
            self._tables = self.spool.close()
        return self._tables.arrow(table).to_pylist()

    def row(self, table: str) -> dict[str, Any]:
        (only,) = self.rows(table)
        return only

    def files(self) -> Path:
        """A folder with every table as it is in memory; it lives as long as the talk."""
        for table in TABLES:
            self.rows(table.name)
            path = self.spool.folder / f"{table.name}.arrow"
            write_feather(self._tables.arrow(table.name), str(path), compression="uncompressed")
        return self.spool.folder

    def faults(self) -> list[str]:
        return [row["fault"] for row in self.rows("anomalies")]

    def _say(self, side: int, said: tuple[bytes, ...], lost: bool) -> Talk:
        for part in said:
            if lost:
                self.packet += 1
                self.sequence[side] += len(part)
            else:
                self._send(side, ACK, part)
        return self

    def _send(self, side: int, flags: int, payload: bytes = b"") -> Talk:
        self.packet += 1
        ports = (self.source, self.port)
        macs = ("02:00:00:00:00:0c", "02:00:00:00:00:05")
        where = Where(
            1, self.packet, self.packet * 10**9, "vlan 7",
            macs[side], macs[1 - side],
            self.hosts[side], ports[side], self.hosts[1 - side], ports[1 - side],
            self.conversation,
        )  # fmt: skip
        if self.sessions.interest(self.conversation) != 2 or flags & SYN:
            self.sessions.segment(
                self.conversation,
                side == 0,
                self.sequence[side] & 0xFFFFFFFF,
                self.sequence[1 - side] & 0xFFFFFFFF if flags & ACK else 0,
                flags,
                payload,
                where,
                len(payload),
            )
        self.sequence[side] += len(payload) + bool(flags & (SYN | FIN))
        return self
