"""Which advisory applies to which device of an audit, CVE by CVE, and where its version came from.

The devices of an audit are held against the same statements as the rows of a list
(:mod:`wardwatch.advise.assets`): our own records, and the documents that the hospital imported.
What an audit adds is how sure it is what a device is. The dangerous error is to call an affected
pump unaffected; so a version that was neither seen nor listed is unknown, a version of the wire and
one of the list that stand differently are unknown, and so is a device that merely may be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.assets import ITS_VERSION, Asset, Library, met_by
from wardwatch.advise.families import families_of
from wardwatch.advise.library import shelf as records
from wardwatch.advise.makers import answers as answers_for
from wardwatch.advise.makers import makers_of
from wardwatch.advise.names import concerning, own_names, refresh, shelved
from wardwatch.advise.own import own_ids, own_records
from wardwatch.advise.paper import advisory_of
from wardwatch.advise.versions import concerns
from wardwatch.model.advisory import Advisory, CveMatch, Exposure, Match
from wardwatch.model.device import Confidence, Device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from wardwatch.advise.assets import Answer
    from wardwatch.advise.csaf import Document
    from wardwatch.advise.names import Named

READ_IT = "Read it on the device, and assume affected until then."
LATER = (
    "That is not safe by itself: later safety notices stand beside it; ask the maker for the "
    "current version."
)


class Advised(msgspec.Struct, frozen=True):
    """What the shelf says of the devices."""

    advisories: tuple[Advisory, ...] = ()
    """Those that concern a device or may, by id."""
    matches: tuple[Match, ...] = ()
    """Each device × advisory, by advisory."""
    documents: int = 0
    """How many the shelf holds, our own records included."""
    remarks: tuple[str, ...] = ()
    """Documents that could not be read, a sentence each."""


def advise(devices: Sequence[Device], shelf: Path | None = None) -> Advised:
    """How every advisory of the shelf stands to every device.

    ``shelf`` is the folder of imported documents; without it, or where it is empty, our own records
    of the infusion pumps stand alone. An imported document takes the place of our record of its id.
    """
    asked = {device.id: assets_of(device) for device in devices}
    wanted = [asset for assets in asked.values() for asset in assets]
    makers_only = [device for device in devices if not asked[device.id] and _only_its_maker(device)]
    imported, refused = _names(shelf)
    taken = {name.id for name in imported}
    count = len(taken | own_ids())
    if not wanted and not makers_only:
        return Advised(documents=count, remarks=tuple(f"advisory left out: {name}: {why}" for name, why in refused))  # fmt: skip
    met = [met_by(asset) for asset in dict.fromkeys(wanted)]
    met += [met_by(_maker_alone(device)) for device in makers_only]
    names = (*imported, *(name for name in own_names() if name.id not in taken))
    near = concerning(names, met)
    library = Library(statement for name in near for statement in name.statements)
    found: list[tuple[Device, Answer]] = []
    for device in devices:
        if asked[device.id]:
            found += [(device, answer) for answer in _answers(device, asked[device.id], library)]
    for device in makers_only:
        found += [(device, answer) for answer in _by_maker(device, near)]
    documents, gone = _documents(shelf, {answer.advisory for _, answer in found}, taken)
    advisories = _advisories(documents, near)
    matches = [
        _match(device, answer, advisories[answer.advisory])
        for device, answer in found
        if answer.advisory in advisories
    ]
    return Advised(
        advisories=tuple(advisories.values()),
        matches=tuple(sorted(matches, key=lambda match: match.advisory)),
        documents=count,
        remarks=tuple(f"advisory left out: {name}: {why}" for name, why in (*refused, *gone)),
    )


def assets_of(device: Device) -> tuple[Asset, ...]:
    """A device as its own words, or its row of the list, name it; empty where no model is known.

    Two where wire and list name different versions: both are asked.
    """
    identity, listed = device.identity, device.listed
    model = identity.model
    if not model:
        return ()
    component = ""
    if listed and listed.model and not _at_odds(identity.model, listed.model):
        # The list's own words say more than our word for the family: "Alaris PCU Model 8015".
        model = listed.model
        component = listed.component
    first = Asset(
        identity.manufacturer, model, identity.version, component, identity.version_source or "list"
    )
    if listed and listed.version and identity.version_source == "wire":
        second = msgspec.structs.replace(first, version=listed.version, version_source="list")
        return (first, second)
    return (first,)


def _at_odds(wire: str, listed: str) -> bool:
    """Whether two names of a device mean different families, or only the one means any."""
    one, other = families_of(wire), families_of(listed)
    return bool(one) and not one & other


def _only_its_maker(device: Device) -> bool:
    """Whether nothing is known of a pump but its maker."""
    return device.is_pump and bool(device.identity.manufacturer)


def _maker_alone(device: Device) -> Asset:
    return Asset(device.identity.manufacturer, "")


def _names(shelf: Path | None) -> tuple[tuple[Named, ...], tuple[tuple[str, str], ...]]:
    return refresh(shelf) if shelf is not None and (shelf / "index.json").exists() else ((), ())


def _answers(device: Device, assets: Sequence[Asset], library: Library) -> Iterator[Answer]:
    """The answers for a device, those of wire and list brought together."""
    first = {answer.advisory: answer for answer in library.match(assets[0])}
    second = {answer.advisory: answer for answer in library.match(assets[-1])}
    for advisory in sorted(first.keys() | second.keys()):
        answer, other = first.get(advisory), second.get(advisory)
        if answer is None or other is None:
            yield answer or other  # type: ignore[misc]  # one of the two there is
        elif answer.exposure is other.exposure:
            yield answer
        else:
            own, listed = assets[0].version, assets[-1].version
            yield _unsure(
                answer,
                f"Version {own} was seen on the wire, the hospital's list says {listed}: read it on the "
                "device, and assume affected until then.",
            )


def _by_maker(device: Device, near: Iterable[Named]) -> Iterator[Answer]:
    """The pump advisories of a maker, for a pump of which nothing else is known."""
    from wardwatch.advise.assets import Answer, CveAnswer

    makers = makers_of(device.identity.manufacturer)
    reason = f"Its maker is {device.identity.manufacturer}; which model it is, nothing says."
    for name in near:
        said = [s for s in name.statements if answers_for(makers, s.makers)]
        if name.id not in own_ids() or not said:
            continue
        cves = dict.fromkeys(cve for s in said for cve in s.cves)
        yield Answer(
            advisory=name.id,
            exposure=Exposure.UNKNOWN,
            reason=reason,
            product=", ".join(dict.fromkeys(s.product for s in said))[:300],
            basis="maker alone",
            text="; ".join(dict.fromkeys(s.text for s in said))[:600],
            origin=said[0].origin,
            version="",
            version_source="",
            condition="its model",
            cves=tuple(CveAnswer(cve, Exposure.UNKNOWN, "its model", reason) for cve in cves),
        )


def _unsure(answer: Answer, reason: str) -> Answer:
    """The same, with nothing concluded."""
    cves = tuple(
        msgspec.structs.replace(cve, exposure=Exposure.UNKNOWN, reason=reason)
        for cve in answer.cves
    )
    return msgspec.structs.replace(
        answer, exposure=Exposure.UNKNOWN, reason=reason, condition=ITS_VERSION, cves=cves, fixed_by=""
    )  # fmt: skip


def _documents(
    shelf: Path | None, ids: set[str], taken: set[str]
) -> tuple[list[Document], tuple[tuple[str, str], ...]]:
    found: dict[str, Document] = {}
    gone: tuple[tuple[str, str], ...] = ()
    if shelf is not None and ids & taken:
        found, gone = shelved(shelf, sorted(ids & taken))
    if ids - taken:
        found |= {record.id: record for record in own_records() if record.id in ids - taken}
    return [found[id_] for id_ in sorted(found)], gone


def _advisories(documents: Iterable[Document], near: Iterable[Named]) -> dict[str, Advisory]:
    ours = {record.id: record for record in records()}
    said = {name.id: name.statements for name in near}
    return {d.id: advisory_of(d, ours.get(d.id), said.get(d.id)) for d in documents}


def _match(device: Device, answer: Answer, advisory: Advisory) -> Match:
    exposure, reason, cves = answer.exposure, answer.reason, answer.cves
    if device.confidence < Confidence.PROBABLE and exposure is not Exposure.UNKNOWN:
        reason = f"{reason} But whether it is such a device is not sure."
        answer = _unsure(answer, reason)
        exposure, cves = answer.exposure, answer.cves
    elif exposure is Exposure.UNKNOWN and answer.condition == ITS_VERSION and not answer.version:
        reason = f"{reason} {READ_IT}"
    known = answer.version if exposure is not Exposure.UNKNOWN else ""
    notices = tuple(
        notice.title
        for notice in advisory.notices
        if not notice.versions or any(concerns(known, stated) for stated in notice.versions)
    )
    if exposure is Exposure.NOT_AFFECTED and advisory.notices:
        reason = f"{reason} {LATER}"
    return Match(
        device=device.id,
        advisory=answer.advisory,
        exposure=exposure,
        reason=reason,
        cves=tuple(cve.cve for cve in cves if cve.exposure is not Exposure.NOT_AFFECTED),
        notices=notices,
        answers=tuple(
            CveMatch(c.cve, c.exposure, c.condition, "" if c.reason == answer.reason else c.reason)
            for c in cves
        ),
        condition=answer.condition,
        product=answer.product,
        basis=answer.basis,
        text=answer.text,
        origin=answer.origin,
        version=answer.version,
        version_source=answer.version_source,
        fixed_by=answer.fixed_by if exposure is Exposure.NOT_AFFECTED else "",
    )
