"""To whom an address prefix belongs, by the public registry."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wardwatch.model.values import is_group, is_locally_administered

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 24
"""Prefixes looked for in the text of the index; to sort all its numbers costs as much as 50 do."""


def vendor(mac: str) -> str:
    """Organisation that a MAC's first 24 bits are assigned to; "" unknown or not assigned.

    A locally administered address was chosen by its holder and belongs to nobody.
    """
    return _registered(mac[:8]) if len(mac) >= 8 else ""


@lru_cache(maxsize=65_536)  # an hour of forged addresses must not fill memory
def _registered(prefix: str) -> str:
    if is_locally_administered(prefix) or is_group(prefix):
        return ""
    try:
        name = _organisation(int(prefix.replace(":", ""), 16))
    except ValueError:
        return ""
    # A block that the registry cut into smaller ones says nothing of its holder.
    return "" if name in ("IEEE Registration Authority", "Private") else name


def _organisation(oui: int) -> str:
    """Who holds a 24 bit prefix, from the registry's text that netaddr carries.

    Read in place: netaddr's own look-up first makes a dictionary of all 40,000 prefixes, which
    costs more than the rest of a small inventory. A ward has machines of a dozen makers; a flood
    of forged addresses has as many prefixes as it likes.
    """
    found = _looked_for(oui) if _registered.cache_info().misses <= FEW else _sorted(oui)
    if found is None:
        return ""
    offset, size = found
    with (_folder() / "oui.txt").open("rb") as text:
        text.seek(offset)
        entry = text.read(size).decode("utf-8", "replace")
    head = next((text for text in entry.splitlines() if "(hex)" in text), "")
    return head.partition("(hex)")[2].strip()


def _looked_for(oui: int) -> tuple[int, int] | None:
    """Offset and octets of a prefix's entry, looked for in the text of the index."""
    lines = _lines()
    start = lines.find(b"\n%d," % oui)
    if start < 0:
        return None
    _, offset, size = lines[start + 1 : lines.index(b"\n", start + 1)].split(b",")
    return int(offset), int(size)


def _sorted(oui: int) -> tuple[int, int] | None:
    """The same, looked up among sorted numbers."""
    index = _index()
    at = int(np.searchsorted(index[0], oui))
    if at == index.shape[1] or index[0, at] != oui:
        return None
    _, offset, size = index[:, at].tolist()
    return offset, size


@lru_cache(maxsize=1)
def _index() -> NDArray[np.int64]:
    """(3, n): prefix, ascending, where two are alike in the index's own order; offset; octets."""
    lines = ",".join(_lines().decode("ascii").split())
    index = np.fromstring(lines, np.int64, sep=",").reshape(-1, 3)
    return index[np.argsort(index[:, 0], kind="stable")].T


@lru_cache(maxsize=1)
def _lines() -> bytes:
    """The index that netaddr has of the registry's text: prefix, offset and octets a line."""
    return b"\n" + (_folder() / "oui.idx").read_bytes() + b"\n"


@lru_cache(maxsize=1)
def _folder() -> Path:
    spec = find_spec("netaddr")
    assert spec is not None, "netaddr is installed with us"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "eui"
