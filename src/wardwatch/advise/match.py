"""Which advisory applies to which device, and where its version came from.

The dangerous error is to call an affected pump unaffected. So a version that was neither seen
nor listed is unknown, two versions that disagree are unknown, and a device that merely may be
of the family is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.advise.library import shelf
from wardwatch.advise.versions import concerns, exposure
from wardwatch.model.advisory import Advisory, Exposure, Match
from wardwatch.model.device import Confidence, Device

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES = {"wire": "seen on the wire", "list": "by the hospital's list"}
"""Where a version came from, in words."""


def advise(
    devices: Sequence[Device], advisories: Sequence[Advisory] | None = None
) -> tuple[tuple[Advisory, ...], tuple[Match, ...]]:
    """The advisories that concern some of the devices, and how each stands to each.

    ``advisories`` are those of the shelf where none are given.
    """
    books = shelf() if advisories is None else tuple(advisories)
    matches = [
        match for advisory in books for device in devices if (match := _match(device, advisory))
    ]
    named = {match.advisory for match in matches}
    return tuple(a for a in books if a.id in named), tuple(matches)


def _match(device: Device, advisory: Advisory) -> Match | None:
    identity = device.identity
    if identity.family == advisory.family:
        found, reason = _exposure(device, advisory)
    elif _maybe(device, advisory):
        found = Exposure.UNKNOWN
        reason = f"Its maker is {identity.manufacturer}; which model it is, nothing says."
    else:
        return None
    known = identity.version if found is not Exposure.UNKNOWN else ""
    notices = tuple(
        notice.title
        for notice in advisory.notices
        if not notice.versions or any(concerns(known, stated) for stated in notice.versions)
    )
    if found is Exposure.NOT_AFFECTED:
        reason += (
            " That is not safe by itself: later safety notices stand beside it; ask the maker for the"
            " current version."
        )
    cves = () if found is Exposure.NOT_AFFECTED else tuple(v.cve for v in advisory.vulnerabilities)
    return Match(
        device=device.id,
        advisory=advisory.id,
        exposure=found,
        reason=reason,
        cves=cves,
        notices=notices,
    )


def _maybe(device: Device, advisory: Advisory) -> bool:
    """Whether it may be of the advisory's family: the maker fits, and the model is not known."""
    identity = device.identity
    return bool(
        not identity.family
        and not identity.model
        and device.is_medical
        and identity.manufacturer
        and advisory.product.casefold().startswith(identity.manufacturer.casefold())
    )


def _exposure(device: Device, advisory: Advisory) -> tuple[Exposure, str]:
    """How a device of the family stands to the advisory, in a sentence."""
    identity = device.identity
    if not identity.version:
        return (
            Exposure.UNKNOWN,
            "Its version was not seen on the wire and is on no list: read it on the device, and assume"
            " affected until then.",
        )
    found, why = exposure(identity.version, advisory)
    source = SOURCES.get(identity.version_source, "of unknown origin")
    statement = f"Version {identity.version} ({source}), {why}"
    listed = device.listed.version if device.listed else ""
    if listed and identity.version_source == "wire" and exposure(listed, advisory)[0] is not found:
        return (
            Exposure.UNKNOWN,
            f"Version {identity.version} was seen on the wire, the hospital's list says {listed}: read it on"
            " the device, and assume affected until then.",
        )
    if device.confidence < Confidence.PROBABLE:
        return Exposure.UNKNOWN, f"{statement}; but whether it is such a device is not sure."
    return found, f"{statement}."
