"""Told: what the kernel tells of packets, as columns of tables and as rows cite it."""

from __future__ import annotations

from functools import cache
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.decode.kernels import young as k
from wardwatch.model.columns import BY_NAME
from wardwatch.observe import arrays
from wardwatch.observe.spelled import ips, macs, spelled
from wardwatch.observe.tables import arrow_schema
from wardwatch.observe.text import ip_of, mac_of
from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

Told = list[int]
"""A row or piece as the kernel tells it: the columns of ``young``."""
Raw = bytes
"""The same in its octets. Most packets are never cited, and their numbers need not be made."""

Heard = tuple[int, ...]
"""What every segment is read by: CONVERSATION, and SEQ, ACK, FLAGS, CLAIMED, FROM_ORIG, START, LENGTH
and ROW."""

_ALL = Struct(f"={k.TOLD}q")
_CITED = Struct(f"={k.WHERE + 1}q")  # as far as rows cite it
_PACKET = Struct("=q")
_HEARD = Struct(f"={8 * k.CONVERSATION}x q {8 * (k.SEQ - k.CONVERSATION - 1)}x {k.TOLD - k.SEQ}q")


def heard(rows: NDArray[np.int64]) -> Iterator[Heard]:
    """What is heard in each of the rows ((n, TOLD), one behind the other in memory)."""
    return _HEARD.iter_unpack(rows.data)  # two thirds of the time that NumPy takes


def told_of(raw: Raw) -> Told:
    """What is told in ``raw``."""
    return list(_ALL.unpack(raw))


def packet_of(raw: Raw) -> int:
    """The number of the packet of which ``raw`` tells."""
    packet: int = _PACKET.unpack_from(raw, k.PACKET * _PACKET.size)[0]
    return packet


def where_of(names: Sequence[str], raw: Raw) -> Where:
    """The packet of which ``raw`` tells, as :func:`cited`."""
    return cited(names, _CITED.unpack_from(raw))


def cited(names: Sequence[str], told: Sequence[int]) -> Where:
    """A packet as rows of tables will cite it; ``names`` are those of segments."""
    (
        packet, ts, whole, capture, has_mac, src_mac, dst_mac, net, src_hi, src_lo, src_port,
        dst_hi, dst_lo, dst_port, conversation, ttl, segment,
    ) = told[: k.WHERE + 1]  # fmt: skip
    return Where(
        capture,
        packet,
        ts,
        names[segment],
        mac_of(src_mac) if has_mac else "",
        mac_of(dst_mac) if has_mac else "",
        ip_of(net, src_hi, src_lo),
        src_port,
        ip_of(net, dst_hi, dst_lo),
        dst_port,
        conversation,
        ttl if net else -1,
        whole != 0,
    )


def cited_columns(
    told: NDArray[np.int64], numbers: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """The columns that say where a row comes from; ``names`` are those of segments."""
    return {
        "capture": told[:, k.CAPTURE],
        "packet": told[:, k.PACKET],
        "ts": told[:, k.TS],
        "segment": spelled(told[:, k.WHERE], names.__getitem__),
        "conversation": numbers,
    }


def macs_of(told: NDArray[np.int64], at: int) -> pa.Array:
    """The MAC addresses in column ``at`` as text, "" where there are none."""
    return macs(np.where(told[:, k.HAS_MAC] != 0, told[:, at], -1), none=-1)


def ips_of(told: NDArray[np.int64], at: int) -> pa.Array:
    """The addresses in column ``at`` and the one behind it as text."""
    high, low = told[:, at].view(np.uint64), told[:, at + 1].view(np.uint64)
    return ips(told[:, k.NET], high, low)


def taken(
    table: str, values: Mapping[str, Sequence[Any]], rows: NDArray[np.int64] | list[int]
) -> dict[str, pa.Array]:
    """Columns of a table with a few different values each, every one made once."""
    types, at = _types(table), np.asarray(rows, np.int64)
    return {name: arrays.taken(column, at, types[name]) for name, column in values.items()}


@cache
def _types(table: str) -> dict[str, pa.DataType]:
    """The types of a table's columns."""
    return {field.name: field.type for field in arrow_schema(BY_NAME[table])}
