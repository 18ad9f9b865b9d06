"""Verify: which recommended measures hold, subject by subject; the tuple CHECKS is the whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from wardwatch.inventory.scene import Scene
from wardwatch.model.judgement import MEASURES, Measure, Verdict
from wardwatch.verify import (
    attested,
    certificate_validation,
    no_arp_impersonation,
    no_rogue_dhcp,
    no_rogue_dns,
    no_rogue_router,
    password_hygiene,
    segmentation_enforced,
    segmentation_in_use,
    static_address,
    unneeded_services,
    vlan_separation,
)
from wardwatch.verify.minimums import Minimums

__all__ = ["CHECKS", "Check", "Minimums", "verify"]


class Check(msgspec.Struct, frozen=True):
    """One measure and the question that judges it."""

    measure: Measure
    function: Callable[[Scene, Minimums], Iterable[Verdict]]


_BY_ID = {measure.id: measure for measure in MEASURES}

CHECKS: tuple[Check, ...] = (
    Check(_BY_ID["static_address"], static_address.check),
    Check(_BY_ID["no_rogue_dhcp"], no_rogue_dhcp.check),
    Check(_BY_ID["no_rogue_dns"], no_rogue_dns.check),
    Check(_BY_ID["no_rogue_router"], no_rogue_router.check),
    Check(_BY_ID["no_arp_impersonation"], no_arp_impersonation.check),
    Check(_BY_ID["segmentation_in_use"], segmentation_in_use.check),
    Check(_BY_ID["segmentation_enforced"], segmentation_enforced.check),
    Check(_BY_ID["vlan_separation"], vlan_separation.check),
    Check(_BY_ID["password_hygiene"], password_hygiene.check),
    Check(_BY_ID["certificate_validation"], certificate_validation.check),
    Check(_BY_ID["unneeded_services"], unneeded_services.check),
    Check(_BY_ID["attested_backups"], attested.attestation("attested_backups", lambda scene: ())),
    Check(_BY_ID["attested_physical"], attested.attestation("attested_physical", lambda scene: ())),
    Check(
        _BY_ID["attested_passwords"],
        attested.attestation("attested_passwords", password_hygiene.contradicts_rotation),
    ),
)
"""Every check, in reading order."""


def verify(
    scene: Scene,
    minimums: Minimums = Minimums(),  # noqa: B008
    checks: Iterable[Check] = CHECKS,
) -> tuple[Verdict, ...]:
    """A verdict for every subject of every measure that ``checks`` judge."""
    return tuple(verdict for check in checks for verdict in check.function(scene, minimums))
