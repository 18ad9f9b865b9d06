"""Names of segments: which broadcast domain a packet was seen in, in words.

The first interface of a capture that carries wired frames gives plain names; further ones add
``@name``, where interfaces of one name are one (a file joined of several by the same sensor).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.decode.columns import S_TAG
from wardwatch.observe.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wardwatch.model.block import Interface, PacketBlock

AIR_LINKS = frozenset({105, 119, 127, 163, 192})
"""LINKTYPE_ numbers of frames caught on the air."""

LONGEST_INTERFACE_NAME = 32
"""Characters of an interface's name in a segment's: it is text from outside."""


class Aliases:
    """Which interfaces of each capture count as one, and how their segments are marked."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], int] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._arrays: dict[int, NDArray[np.int32]] = {}
        self.suffix: dict[tuple[int, int], str] = {}
        """By capture and alias: ``""`` for the first, ``@name`` for others."""

    def of_block(self, block: PacketBlock, interfaces: Sequence[Interface]) -> NDArray[np.int32]:
        """(interfaces,) the alias of each interface of the block's capture."""
        known = self._arrays.get(block.capture)
        present = block.interface[: block.n]
        highest = int(present.max()) if block.n else 0
        if (
            known is not None
            and len(known) > highest
            and not (len(known) > 1 and (known[present] < 0).any())
        ):
            return known
        size = max(highest + 1, len(interfaces), len(known) if known is not None else 0)
        fresh = np.full(size, -1, np.int32)
        if known is not None:
            fresh[: len(known)] = known
        numbers, firsts = np.unique(present, return_index=True)
        for index in numbers[np.argsort(firsts)].tolist():
            if fresh[index] >= 0:
                continue
            at = int(firsts[numbers.searchsorted(index)])
            if int(block.link[at]) in AIR_LINKS:
                fresh[index] = 0  # "wlan" bears no interface
                continue
            name = interfaces[index].name if index < len(interfaces) else ""
            fresh[index] = self._alias(block.capture, index, name)
        self._arrays[block.capture] = fresh
        return fresh

    def _alias(self, capture: int, index: int, name: str) -> int:
        label = printable(name)[:LONGEST_INTERFACE_NAME] or str(index)
        key = (capture, label)
        if key not in self._names:
            number = sum(1 for c, _ in self._names if c == capture)
            self._names[key] = number
            self.suffix[capture, number] = f"@{label}" if number else ""
        return self._names[key]


def segment_name(
    *, air: bool, vlan: int, tunnel: str, tunnel_id: int, outer_tag: int = 0, suffix: str = ""
) -> str:
    """A segment in words: ``vlan 120``, ``untagged``, ``vxlan 5 vlan 9``, ``wlan``, ``…@name``.

    Of several tags the outermost and the innermost: ``vlan 1 vlan 120``, and ``s-vlan 9 vlan 120``
    where the outermost is a provider's.
    """
    tags = f"vlan {vlan}" if vlan >= 0 else ""
    if outer_tag:
        tags = f"{'s-' if outer_tag & S_TAG else ''}vlan {outer_tag & ~S_TAG} {tags}"
    if tunnel:
        text = f"{tunnel} {tunnel_id}" if tunnel_id >= 0 else tunnel
        return (f"{text} {tags}" if tags else text) + suffix
    if air:
        return "wlan"
    return (tags or "untagged") + suffix
