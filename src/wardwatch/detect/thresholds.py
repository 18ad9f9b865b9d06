"""Thresholds: every bound a technique compares with, named, with its reason."""

from __future__ import annotations

import msgspec


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Sources: domain/measures.md and domain/devices.md; times are engineering choices of ours."""

    silence_s: float = 24 * 3600.0
    """After this long without a sign, the next one is a new finding."""
    sname_bytes: int = 64
    """Option 66 longer than BOOTP's sname field overruns the pump's copy of it (CVE-2017-12718)."""
    file_bytes: int = 128
    """Option 67: the size of BOOTP's file field; the pump's own buffer was never published."""
    same_attempt_s: float = 60.0
    """A relay's two copies of one reply lie this near together."""
    grace_s: float = 1.0
    """Comms loss: what the module sends within this time of the trigger was on its way already."""
    quiet_s: float = 5.0
    """Comms loss: the module is silent at least this long; a reboot takes longer."""
    restart_s: float = 600.0
    """Comms loss: start-up traffic later than this after the trigger no longer belongs to it."""
    arp_still_s: float = 60.0
    """ARP: the old holder speaks within this time of the claim: it is still there."""
