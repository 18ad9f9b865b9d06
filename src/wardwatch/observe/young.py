"""Young conversations: what the kernel followed becomes rows, or goes to Python from its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from wardwatch.decode.blank import blank
from wardwatch.decode.kernels import rows_tls
from wardwatch.decode.kernels import young as k
from wardwatch.decode.wire import tls
from wardwatch.decode.wire.reader import text
from wardwatch.observe.plain_http import Midway, PlainHttp
from wardwatch.observe.told import Heard as Heard
from wardwatch.observe.told import Raw as Raw
from wardwatch.observe.told import Told as Told
from wardwatch.observe.told import cited_columns, heard, ips_of, macs_of, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.decode.conversations import ConversationTable
    from wardwatch.model.block import PacketBlock
    from wardwatch.observe.chains import Known
    from wardwatch.observe.follow import Shared

MAX_LISTS = 256
"""Certificate messages remembered by their bytes, at most ``SERVER_ROOM`` of them each."""
MAX_SHAPES = 4_096
"""Different ClientHellos remembered as columns; GREASE makes some twenty of every browser."""


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A segment that the kernel kept, for Python to read."""

    told: Told
    payload: bytes
    isn: tuple[int, int]
    """Sequence numbers of the SYNs of originator and responder when the conversation was first read."""


class Young:
    """The seats of the kernel, and the rows of the handshakes that it saw to their end."""

    def __init__(
        self,
        shared: Shared,
        names: Sequence[str],
        prefixes: NDArray[np.uint32],
        seats: int = k.SEATS,
    ) -> None:
        """``names`` are those of segments; ``seats`` 0 leaves every conversation to Python."""
        self._shared = shared
        self._names = names
        self._prefixes = prefixes
        self._seats = blank((seats + 1, k.SEAT_WIDTH), np.int64)
        self._pieces = blank((seats + 1, k.MOST_PIECES, k.TOLD), np.int64)
        self._kept = blank((seats + 1) * k.ROOM, np.uint8)
        self._free = np.zeros(seats + 1, np.int64)
        self._free[:seats] = np.arange(seats, 0, -1)
        self._free[-1] = seats
        self._done = np.zeros(seats + 2, np.int64)
        self._http = PlainHttp(shared, names, self._seats, self._kept)
        self._expected = np.zeros(1 << 16, np.uint8)
        self._expecting: tuple[int, ...] = ()
        self._row = np.zeros((1, rows_tls.FIELDS), np.int64)
        self._lists = np.zeros((1, rows_tls.WIDTH), np.int32)
        self._told = np.zeros((k.AT_ONCE, k.TOLD), np.int64)
        self._raw = self._told.view(f"V{k.TOLD * self._told.itemsize}").ravel()
        self._control = np.zeros(2, np.int64)
        self._columns_of: PacketColumns | None = None
        self._arrays: k.Arrays = None
        self.reread = 0
        """Rows that Python was given, with their pieces."""
        self._chains: dict[bytes, tuple[Known, ...]] = {}
        self._shapes: dict[bytes, int] = {}
        self._columns: dict[str, list[Any]] = {name: [] for name in _OF_SHAPE}

    def walk(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        wanted: NDArray[np.uint8],
        where: NDArray[np.int32],
        table: ConversationTable,
        read: Callable[[Heard, Raw, Sequence[Piece | Midway]], None],
        start: int,
        stop: int,
    ) -> None:
        """Go through rows ``start`` to ``stop`` of a block.

        ``read(heard, raw, pieces)`` is called for each row that Python reads.

        ``wanted`` (≥ n,): 1 for rows without TCP that it reads; ``where`` (n,): number of the
        segment. ``pieces`` are those of a conversation that the kernel gives up with this row,
        from its beginning, or what has become of it.
        """
        if columns is not self._columns_of:
            self._columns_of, self._arrays = columns, k.columns_of(columns)
        i, n = start, stop
        generation = table.generation
        expected = self._shared.expected
        while True:
            if expected or self._expecting:
                self._expect(tuple(port for _, port in expected))
            count = k.next_rows(
                i,
                n,
                block.first,
                block.capture,
                wanted,
                block.arena,
                block.time,
                self._arrays,
                where,
                table.table,
                table.row,
                self._prefixes,
                self._expected,
                self._seats,
                self._pieces,
                self._kept,
                self._free,
                self._done,
                self._row,
                self._lists,
                self._http.web,
                self._told,
                self._control,
            )
            if not count:
                return
            raws = self._raw[:count].tolist()
            rows = heard(self._told[:count])
            i, seat = self._control.tolist()
            pieces = self._leave(seat) if seat else ()
            self.reread += count + len(pieces)
            last = raws.pop()
            for raw, row in zip(raws, rows, strict=False):  # the last is left
                read(row, raw, ())
            read(next(rows), last, pieces)
            if i == n:
                return
            if table.generation != generation:
                generation = table.generation
                table.find(columns, i, n)

    def leave(self, table: ConversationTable, number: int) -> list[Piece | Midway]:
        """The pieces of a conversation that Python reads from now on."""
        seat = table.seat(number)
        table.stand_up(number)
        return self._leave(seat) if seat else []

    def vacate(self, seat: int) -> list[Piece | Midway]:
        """The pieces at a seat whose conversation left its table, where Python wants to see them."""
        wanted = self._is_wanted(seat)
        pieces = self._leave(seat)
        return pieces if wanted else []

    def living(self) -> list[list[Piece | Midway]]:
        """The pieces of conversations under way of which Python would write more; they leave."""
        if self._is_empty:  # to look at every seat has the system make pages of all
            return []
        under_way = np.flatnonzero(self._seats[:, k.MODE])
        order = np.argsort(self._seats[under_way, k.NUMBER])
        return [self._leave(seat) for seat in under_way[order].tolist() if self._is_wanted(seat)]

    @property
    def _is_empty(self) -> bool:
        """Whether nobody has a seat."""
        return bool(self._free[-1] == len(self._free) - 1)

    def _is_wanted(self, seat: int) -> bool:
        """Whether more would be written of a conversation that is over now."""
        kind = self._seats[seat, k.MODE]
        return bool(kind == k.HANDSHAKE or (kind == k.EXCHANGES and not self._http.has_ended(seat)))

    def seated(self) -> list[int]:
        """The numbers of all conversations that have a seat, in their order."""
        if self._is_empty:
            return []
        return sorted(self._seats[self._seats[:, k.MODE] != k.EMPTY, k.NUMBER].tolist())

    def settle(self, least: int = 1) -> list[list[Piece | Midway]]:
        """Write the handshakes seen to their end ⇒ the pieces of those that Python is to read.

        Nothing is done where there are fewer than ``least``; and what was said in HTTP, if all is
        to be written or there is much of it.
        """
        if least <= 1 or self._http.is_full():
            self._http.settle()
        count = int(self._done[-1])
        if count < max(least, 1):
            return []
        if len(self._shapes) > MAX_SHAPES:
            self._shapes.clear()
            self._columns = {name: [] for name in _OF_SHAPE}
        seats = self._done[:count].copy()
        self._done[-1] = 0
        row = np.zeros((count, rows_tls.FIELDS), np.int64)
        lists = np.zeros((count, rows_tls.WIDTH), np.int32)
        rows_tls.client_hellos(
            self._kept,
            self._seats[seats, k.HELLO_AT],
            self._seats[seats, k.HELLO_LEN].astype(np.int32),
            row,
            lists,
        )
        chains = [self._chain(seat) for seat in seats.tolist()]
        good = [i for i in range(count) if row[i, rows_tls.OK] and chains[i] is not None]
        odd = [i for i in range(count) if not row[i, rows_tls.OK] or chains[i] is None]
        if good:
            self._write(seats[good], row[good], lists[good], [chains[i] or () for i in good])
        if good:
            self._seats[seats[good], k.MODE] = k.EMPTY
            free = int(self._free[-1])
            self._free[free : free + len(good)] = seats[good]
            self._free[-1] = free + len(good)
        return [self._leave(seat) for seat in seats[odd].tolist()]

    def _leave(self, seat: int) -> list[Piece | Midway]:
        if self._seats[seat, k.MODE] == k.EXCHANGES:
            talk = self._http.midway(seat, *self._pieces[seat, :2].tolist())
            self._empty(seat)
            return [talk]
        orig, resp = ((self._seats[seat, k.BASE : k.NEXT] - 1) & 0xFFFFFFFF).tolist()
        pieces: list[Piece | Midway] = [
            Piece(
                told,
                self._kept[told[k.START] : told[k.START] + told[k.LENGTH]].tobytes(),
                (orig, resp),
            )
            for told in self._pieces[seat, : self._seats[seat, k.PIECES]].tolist()
        ]
        self._empty(seat)
        return pieces

    def _empty(self, seat: int) -> None:
        self._seats[seat, k.MODE] = k.EMPTY
        self._free[self._free[-1]] = seat
        self._free[-1] += 1

    def _expect(self, ports: tuple[int, ...]) -> None:
        """FTP data connections agreed upon are read from their first byte, by Python."""
        if ports != self._expecting:
            self._expected[list(self._expecting)] = 0
            self._expected[list(ports)] = 1
            self._expecting = ports

    def _chain(self, seat: int) -> tuple[Known, ...] | None:
        """The server's certificates; ``None``: Python is to read them, with their anomalies."""
        s = self._seats[seat]
        at, size = int(s[k.CHAIN_AT]), int(s[k.CHAIN_LEN])
        if at < 0:
            return ()
        chains = self._shared.chains
        body = self._kept[at : at + size].tobytes()
        found = self._chains.get(body)
        if found is not None:
            return found
        ders = chains.lists.get(body)
        if ders is None:
            self._shared.parser_calls += 1
            ders, anomalies = tls.parse_certificates(body)
            if anomalies or ders is None:
                return None
            chains.lists.put(body, ders)
        before = chains.calls
        known = tuple(chains.read(der) for der in ders)
        self._shared.parser_calls += chains.calls - before
        if any(one.anomalies for one in known):
            return None
        if len(self._chains) >= MAX_LISTS:
            self._chains.clear()
        self._chains[body] = known
        return known

    def _write(
        self,
        seats: NDArray[np.int64],
        row: NDArray[np.int64],
        lists: NDArray[np.int32],
        chains: list[tuple[Known, ...]],
    ) -> None:
        """Rows of tables ``tls`` and ``certificates``."""
        s = self._seats[seats]
        hello = self._pieces[seats, s[:, k.HELLO_PIECE]]
        ends = self._pieces[seats, 0]  # whose addresses and MACs the conversation bears
        numbers = s[:, k.NUMBER].tolist()
        keys = lists.view(f"V{lists.itemsize * rows_tls.WIDTH}").ravel().tolist()
        shape = [
            self._shape(row, lists, i, key, told)
            for i, (key, told) in enumerate(zip(keys, row.tolist(), strict=True))
        ]
        names = [
            text(self._kept[at : at + size].tobytes(), 255) if at >= 0 else ""
            for at, size in row[:, [rows_tls.SNI_AT, rows_tls.SNI_LEN]].tolist()
        ]
        self._shared.spool.extend(
            "tls",
            {
                **cited_columns(hello, s[:, k.NUMBER], self._names),
                "client": ips_of(ends, k.SRC_HI),
                "client_port": ends[:, k.SRC_PORT],
                "server": ips_of(ends, k.DST_HI),
                "server_port": ends[:, k.DST_PORT],
                "client_mac": macs_of(ends, k.SRC_MAC),
                "server_mac": macs_of(ends, k.DST_MAC),
                "version": s[:, k.SERVER_VERSION],
                "cipher": s[:, k.SERVER_CIPHER],
                "server_name": names,
                "hello_length": row[:, rows_tls.LENGTH],
                **self._of_shapes(shape),
                "client_hello_packet": hello[:, k.PACKET],
                "server_hello_packet": s[:, k.SERVER_PACKET],
                "certificate_packet": np.where(
                    s[:, k.CHAIN_AT] < 0, -1, self._pieces[seats, s[:, k.CHAIN_PIECE], k.PACKET]
                ),
                "certificates": s[:, k.CHAIN_COUNT],
                "resumed": s[:, k.RESUMED] != 0,
                "client_data_packet": s[:, k.DATA],
                "server_data_packet": s[:, k.DATA + 1],
                "from_start": np.ones(len(seats), np.bool_),
            },
        )
        services = self._shared.services
        for number in numbers:
            services[number] = "ssl"
        self._write_chains(seats, s, chains)

    def _write_chains(
        self,
        seats: NDArray[np.int64],
        s: NDArray[np.int64],
        chains: list[tuple[Known, ...]],
    ) -> None:
        owner = np.repeat(np.arange(len(seats)), [len(chain) for chain in chains])
        if not owner.size:
            return
        known = {one.sha256: one for chain in chains for one in chain}
        number = {sha256: at for at, sha256 in enumerate(known)}
        store = self._shared.chains
        before = store.calls
        told = self._pieces[seats, s[:, k.CHAIN_PIECE]][owner]
        self._shared.spool.extend(
            "certificates",
            {
                **cited_columns(told, s[owner, k.NUMBER], self._names),
                "server": ips_of(self._pieces[seats, 0][owner], k.DST_HI),
                "server_port": self._pieces[seats, 0, k.DST_PORT][owner],
                "client_cert": np.zeros(len(owner), np.bool_),
                "position": [at for chain in chains for at in range(len(chain))],
                "chained": [
                    at + 1 < len(chain) and store.chained(one, chain[at + 1])
                    for chain in chains
                    for at, one in enumerate(chain)
                ],
                **taken(
                    "certificates",
                    {
                        name: [one.fields.get(name, none) for one in known.values()]
                        for name, none in _OF_CERTIFICATE.items()
                    },
                    [number[one.sha256] for chain in chains for one in chain],
                ),
            },
        )
        self._shared.parser_calls += store.calls - before

    def _shape(
        self, row: NDArray[np.int64], lists: NDArray[np.int32], i: int, key: bytes, told: Told
    ) -> int:
        """Number of the shape of hello ``i``: what makes its fingerprints, and nothing of its own.

        ``key`` holds the bytes of its lists, ``told`` the numbers of its row.
        """
        alpn_at = told[rows_tls.ALPN_AT]
        alpn = (
            self._kept[alpn_at : alpn_at + told[rows_tls.ALPN_LEN]].tobytes()
            if alpn_at >= 0
            else b""
        )
        counts = told[rows_tls.N_CIPHERS : rows_tls.N_VERSIONS + 1]
        key += bytes(counts) + told[rows_tls.VERSION].to_bytes(2, "big") + alpn
        found = self._shapes.get(key)
        if found is None:
            hello = rows_tls.client_hello_of(self._kept, row[i], lists[i])
            ja3, ja4 = self._shared.fingerprints.of(hello)
            found = self._shapes[key] = len(self._shapes)
            for name, value in (
                ("client_version", hello.highest),
                ("ciphers", list(hello.ciphers)),
                ("extensions", list(hello.extensions)),
                ("export_offered", hello.export_offered),
                ("ja3", ja3),
                ("ja4", ja4),
                ("alpn", tls.alpn_text(hello)),
            ):
                self._columns[name].append(value)
        return found

    def _of_shapes(self, shape: list[int]) -> dict[str, pa.Array]:
        """The columns that the shapes of hellos fill."""
        found, inverse = np.unique(shape, return_inverse=True)
        rows = found.tolist()
        return taken(
            "tls", {name: [its[i] for i in rows] for name, its in self._columns.items()}, inverse
        )


_OF_SHAPE = ("client_version", "ciphers", "extensions", "export_offered", "ja3", "ja4", "alpn")
_OF_CERTIFICATE: Mapping[str, Any] = {
    "sha256": "",
    "der": "",
    "key_sha256": "",
    "subject": "",
    "issuer": "",
    "serial": "",
    "not_before_ts": -1,
    "not_after_ts": -1,
    "names": [],
    "common_name": "",
    "key_type": "",
    "key_bits": -1,
    "signature_algorithm": "",
    "self_issued": False,
    "self_signed": False,
}
"""Columns of ``certificates`` that are the certificate's own, and what stands where there is none."""
