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
    costs more than the rest of a small inventory. Sorted numbers cost as much as to look for a
    dozen prefixes in the text, and a flood of forged addresses has as many as it likes.
    """
    index, registry = _index()
    at = int(np.searchsorted(index[0], oui))
    if at == index.shape[1] or index[0, at] != oui:
        return ""
    _, offset, size = index[:, at].tolist()
    with registry.open("rb") as text:
        text.seek(offset)
        entry = text.read(size).decode("utf-8", "replace")
    head = next((text for text in entry.splitlines() if "(hex)" in text), "")
    return head.partition("(hex)")[2].strip()


@lru_cache(maxsize=1)
def _index() -> tuple[NDArray[np.int64], Path]:
    """The index that netaddr has of the registry's text, and the text.

    (3, n): prefix, ascending, where two are alike in the index's own order; offset; octets.
    """
    spec = find_spec("netaddr")
    assert spec is not None, "netaddr is installed with us"
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "eui"
    lines = (folder / "oui.idx").read_text("ascii").split()
    index = np.fromstring(",".join(lines), np.int64, sep=",").reshape(-1, 3)
    return index[np.argsort(index[:, 0], kind="stable")].T, folder / "oui.txt"
