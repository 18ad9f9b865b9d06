"""To whom an address prefix belongs, by the public registry."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from wardwatch.model.values import is_group, is_locally_administered


def vendor(mac: str) -> str:
    """Organisation that a MAC's first 24 bits are assigned to; "" unknown or not assigned.

    A locally administered address was chosen by its holder and belongs to nobody.
    """
    if len(mac) < 8 or is_locally_administered(mac) or is_group(mac):
        return ""
    return _registered(mac[:8])


@lru_cache(maxsize=65_536)  # an hour of forged addresses must not fill memory
def _registered(prefix: str) -> str:
    try:
        name = _organisation(int(prefix.replace(":", ""), 16))
    except ValueError:
        return ""
    # A block that the registry cut into smaller ones says nothing of its holder.
    return "" if name in ("IEEE Registration Authority", "Private") else name


def _organisation(oui: int) -> str:
    """Who holds a 24 bit prefix, from the registry's text that netaddr carries.

    Read in place: netaddr's own look-up first makes a dictionary of all 40,000 prefixes, which
    costs more than the rest of a small inventory.
    """
    index, folder = _index()
    line = index.find(b"\n%d," % oui)
    if line < 0:
        return ""
    _, offset, size = index[line + 1 : index.find(b"\n", line + 1)].split(b",")
    with (folder / "oui.txt").open("rb") as registry:
        registry.seek(int(offset))
        entry = registry.read(int(size)).decode("utf-8", "replace")
    head = next((text for text in entry.splitlines() if "(hex)" in text), "")
    return head.partition("(hex)")[2].strip()


@lru_cache(maxsize=1)
def _index() -> tuple[bytes, Path]:
    """The index that netaddr has of the registry (prefix, offset, octets; a line each) and its folder."""
    spec = find_spec("netaddr")
    assert spec is not None, "netaddr is installed with us"
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "eui"
    return b"\n" + (folder / "oui.idx").read_bytes().replace(b"\r", b"") + b"\n", folder
