"""Detect: which attacks and exposures the evidence shows; the tuple TECHNIQUES is the whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from wardwatch.detect import (
    arp_impersonation,
    certificate_accepted,
    comms_loss,
    configuration_in_clear,
    dhcp_overflow,
    dns_overread,
    ftp_login,
    ftp_without_login,
    known_wireless,
    rogue_dhcp,
    rogue_dns,
    rogue_router,
    telnet,
)
from wardwatch.detect.thresholds import Thresholds
from wardwatch.inventory.scene import Scene
from wardwatch.model import judgement
from wardwatch.model.judgement import Finding, Technique

__all__ = ["TECHNIQUES", "Detector", "Thresholds", "detect"]


class Detector(msgspec.Struct, frozen=True):
    """One technique and the question that looks for it."""

    technique: Technique
    function: Callable[[Scene, Thresholds], Iterable[Finding]]
    tables: tuple[str, ...]
    """Evidence it rests on; where all of these are empty it need not look."""


_BY_ID = {technique.id: technique for technique in judgement.TECHNIQUES}

TECHNIQUES: tuple[Detector, ...] = (
    Detector(_BY_ID["dhcp_overflow"], dhcp_overflow.detect, ("dhcp",)),
    Detector(_BY_ID["dns_overread"], dns_overread.detect, ("dns",)),
    Detector(_BY_ID["known_wireless"], known_wireless.detect, ("wifi",)),
    Detector(_BY_ID["ftp_without_login"], ftp_without_login.detect, ("transfers",)),
    Detector(_BY_ID["ftp_login"], ftp_login.detect, ("logins",)),
    Detector(_BY_ID["telnet"], telnet.detect, ("banners", "logins")),
    Detector(_BY_ID["certificate_accepted"], certificate_accepted.detect, ("tls",)),
    Detector(
        _BY_ID["configuration_in_clear"],
        configuration_in_clear.detect,
        ("transfers", "device_messages"),
    ),
    Detector(_BY_ID["rogue_dhcp"], rogue_dhcp.detect, ("dhcp",)),
    Detector(_BY_ID["rogue_dns"], rogue_dns.detect, ("dns",)),
    Detector(
        _BY_ID["rogue_router"],
        rogue_router.detect,
        ("router_adverts", "dhcpv6", "redundancy", "dhcp", "dns"),
    ),
    Detector(_BY_ID["arp_impersonation"], arp_impersonation.detect, ("arp", "bindings")),
    Detector(_BY_ID["comms_loss"], comms_loss.detect, ("dhcp", "dns")),
)
"""Every detector, in the order of :data:`wardwatch.model.judgement.TECHNIQUES`."""


def detect(scene: Scene, thresholds: Thresholds = Thresholds()) -> tuple[Finding, ...]:  # noqa: B008
    """Every finding, technique by technique."""
    return tuple(
        found
        for technique in TECHNIQUES
        if any(scene.tables.rows(name) for name in technique.tables)
        for found in technique.function(scene, thresholds)
    )
