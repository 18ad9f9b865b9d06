"""Sides: all that packets pass, from segments to what is said in them; and parts taken over.

Who reads packets has one: the caller, and every part between two places
(:mod:`wardwatch.observe.part`). A part is taken over by who has read what stands before it, be
that a part too: whichever are put together first, every row is as one reader would have written it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.kernels import headers, young
from wardwatch.decode.kernels.conversations import NUMBER
from wardwatch.observe.arrays import numbers
from wardwatch.observe.begun import Begun
from wardwatch.observe.messages import Messages
from wardwatch.observe.secrets import MAX_CHECKED
from wardwatch.observe.side import Reassembly
from wardwatch.observe.streams import Streams
from wardwatch.observe.vantage import Vantage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from wardwatch.decode.columns import PacketColumns
    from wardwatch.model.block import Interface, PacketBlock
    from wardwatch.observe.part import OfFile, Part
    from wardwatch.observe.secrets import Secrets
    from wardwatch.observe.tables import Spool
    from wardwatch.observe.tally import Tally


class Sides:
    """The vantage, messages and streams of one reader."""

    def __init__(
        self,
        spools: tuple[Spool, Spool],
        secrets: tuple[Secrets, Secrets],
        *,
        part: bool = False,
        idle_ns: int = 0,
        seats: int = young.SEATS,
    ) -> None:
        """``spools`` and ``secrets`` of what is no TCP, and of TCP.

        ``part``: others stand before it. ``idle_ns`` of silence end a conversation, 0 never;
        ``seats``: conversations that the kernel follows at once; 0 leaves all to Python.
        """
        self.spools = spools
        self.secrets = secrets
        self.vantage = Vantage(spools[0], part=part)
        self.reassembly = Reassembly()
        if part:
            self.reassembly.fragments.met = set()
        shared = self.vantage.places, self.reassembly
        self.messages = Messages(spools[0], secrets[0], *shared, idle_ns=idle_ns)
        self.streams = (
            Begun(spools[1], secrets[1], *shared)
            if part
            else Streams(spools[1], secrets[1], *shared, idle_ns=idle_ns, seats=seats)
        )
        self._told_calls = 0

    @property
    def parser_calls(self) -> int:
        """Messages that a Python parser has read."""
        return self.messages.parser_calls + self.streams.parser_calls + self._told_calls

    @property
    def given_up(self) -> int:
        """Conversations, streams and stations given up so far because a bound was reached."""
        return self.messages.given_up + self.streams.given_up + self.vantage.missed

    def take(
        self,
        block: PacketBlock,
        columns: PacketColumns,
        interfaces: Sequence[Interface],
        tally: Tally,
    ) -> None:
        """One block, from segments to what is said in it."""
        tally.take(block, columns, len(interfaces))
        self.vantage.take(block, columns, interfaces, headers.TUNNELS)
        self.messages.take(block, columns)
        self.streams.take(block, columns)

    def refuses(self, part: Part, events: headers.Events, here: OfFile) -> str:
        """Why what stands behind all our packets would not be as if we had read it; "" it would.

        ``events`` are those of the present capture, and ``here`` what the part has of it.
        """
        if self.given_up:
            return "a bound was reached"
        if sum(one.checked for one in self.secrets) + part.checked > MAX_CHECKED:
            return "there are more secrets than are compared with hashed defaults"
        if self.reassembly.fragments.awaits(part.fragments):
            return "a datagram came in fragments before the cut and behind it"
        return (
            events.can_absorb(here.events.told())
            or self.reassembly.events.can_absorb(here.inside.told())
            or self.reassembly.fragments.can_absorb(part.in_fragments)
            or self.vantage.can_absorb(part.vantage)
            or self.messages.refuses(part)
            or self.streams.refuses(part.tcp)
        )

    def absorb(self, part: Part) -> None:
        """Take over everything but the accounts of its captures, where :meth:`refuses` allows."""
        segment = self.vantage.absorb(part.vantage)
        others = self.messages.absorb(part, segment)
        tcp = self.streams.absorb(part, segment)
        known_as = []
        for rows, have in ((part.tcp, tcp), (part.others, others)):
            had = rows.columns(NUMBER)[:, 0] >> 1
            known_as.append(np.full(int(had.max(initial=0)) + 1, -1))
            known_as[-1][had] = have

        def renumber(table: pa.Table) -> pa.Table:
            return _renumbered(part.numbered(table), known_as)

        for spool, files in zip(self.spools, part.on_disk, strict=True):
            spool.take_in(files, renumber)
        self.reassembly.fragments.absorb(part.in_fragments)
        if self.reassembly.fragments.met is not None:
            self.reassembly.fragments.met |= part.fragments
        self.secrets[0].unchecked += part.unchecked
        self.secrets[0].checked += part.checked
        self._told_calls += part.parser_calls


def _renumbered(table: pa.Table, known_as: Sequence[NDArray[np.int64]]) -> pa.Table:
    """Rows with the numbers that conversations have here: even ones by the first, odd ones by the other."""
    at = table.schema.get_field_index("conversation")
    if at < 0:
        return table
    given = table.column(at).to_numpy()
    known = given >= 0
    found = given.copy()
    for parity, told in enumerate(known_as):
        own = known & (given & 1 == parity)
        found[own] = told[given[own] >> 1]
    return table.set_column(at, table.schema.field(at), numbers(found, table.schema.field(at).type))
