"""To whom an address prefix belongs, by the public registry."""

from __future__ import annotations

from functools import lru_cache

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
    from netaddr import OUI
    from netaddr.core import NotRegisteredError

    try:
        name = str(OUI(int(prefix.replace(":", ""), 16)).registration().org)
    except (NotRegisteredError, ValueError):
        return ""
    # A block that the registry cut into smaller ones says nothing of its holder.
    return "" if name in ("IEEE Registration Authority", "Private") else name
