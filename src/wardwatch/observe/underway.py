"""Under way: conversations that are being followed, taken to another process and gone on with there.

What a flow is made of is plain (:mod:`wardwatch.observe.follow`), and pickle writes it. What all
flows of a run share stays where it is: there they find what is shared there.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wardwatch.observe.follow import Flow, Shared

SHARED, POOL = "shared", "pool"
"""What stands for the two objects that a flow shares with all others."""


class UnderWay(msgspec.Struct, frozen=True):
    """What a reader of TCP knows of conversations that may go on behind its last packet."""

    flows: bytes
    """Those that are followed, by :func:`packed`."""
    interest: dict[int, int]
    """By number, what is wanted of the conversations that somebody has read something of."""
    over: list[int]
    """Numbers of those that nobody reads any more."""
    expected: list[tuple[str, int]]
    """FTP data connections agreed upon and not yet opened."""


def packed(flows: Sequence[Flow], shared: Shared) -> bytes:
    """Flows that share ``shared``, for :func:`unpacked`."""
    out = io.BytesIO()
    _Packer(out, shared).dump(list(flows))
    return out.getvalue()


def unpacked(data: bytes, shared: Shared, numbers: Mapping[int, int]) -> list[Flow]:
    """The flows of :func:`packed`, which share ``shared`` from now on.

    ``numbers``: that of each conversation here, by the one it had. ``data`` is our own: what
    pickle reads may run.
    """
    flows: list[Flow] = _Unpacker(io.BytesIO(data), shared, numbers).load()
    for flow in flows:
        flow.number = numbers[flow.number]
        shared.pool.used += flow.streams[0].held + flow.streams[1].held
    return flows


class _Packer(pickle.Pickler):
    def __init__(self, out: io.BytesIO, shared: Shared) -> None:
        super().__init__(out, protocol=5)
        self._names = {id(shared): SHARED, id(shared.pool): POOL}

    def persistent_id(self, obj: object) -> str | None:
        return self._names.get(id(obj))


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, shared: Shared, numbers: Mapping[int, int]) -> None:
        super().__init__(data)
        self._shared = {SHARED: shared, POOL: shared.pool}
        self._numbers = numbers

    def persistent_load(self, name: str) -> object:
        return self._shared[name]

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """The class of a name; packets cite the conversation by the number that it has here."""
        if (module, name) == (Where.__module__, Where.__name__):
            return self._where
        found: Callable[..., object] = super().find_class(module, name)
        return found

    def _where(self, *fields: Any) -> Where:  # noqa: ANN401 - those of a Where
        where = Where(*fields)
        number = self._numbers.get(where.conversation, where.conversation)
        return msgspec.structs.replace(where, conversation=number)
