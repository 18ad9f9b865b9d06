"""From traits to an identity: reasons decide, never a sum of weak hints alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wardwatch.inventory.rulebook import SAYS_SO, STRONG, WEAK, Rule
from wardwatch.model.device import MEDICAL_KINDS, Confidence, Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FIELDS = ("manufacturer", "model", "kind", "family")
INFRASTRUCTURE = ("network", "server", "pump server")
"""Kinds that a computer takes on by what it serves: the more particular one leads."""


class Weighed(msgspec.Struct, frozen=True, gc=False):
    """An identity, how sure it is, and what spoke against it."""

    identity: Identity
    confidence: Confidence
    against: tuple[Rule, ...] = ()
    """Strong rules that say something else."""


def weigh(rules: Iterable[Rule]) -> Weighed:
    """The identity that the rules which spoke agree on best.

    Every rule proposes what it claims; the others support it where they share a claim and
    contradict none. One strong trait, or two weak ones of different basis, make it probable;
    two strong ones of different basis, or the device's own word, certain. A strong
    contradiction takes certainty away, and is told.
    """
    spoken = _first_of_each(rules)
    module = ", ".join(dict.fromkeys(rule.module for rule in spoken if rule.module))
    claiming = [rule for rule in spoken if rule.claims and rule.weight >= WEAK]
    if not claiming:
        return Weighed(Identity(module=module), Confidence.UNKNOWN)
    leader = max(claiming, key=lambda rule: _standing(rule, _supporters(rule, claiming)))
    supporters = _supporters(leader, claiming)
    against = tuple(
        rule
        for rule in claiming
        if rule.weight >= STRONG and rule not in supporters and _disputes(rule, leader)
    )
    confidence = _confidence(supporters)
    if against and confidence is Confidence.CERTAIN:
        confidence = Confidence.PROBABLE
    said = {
        name: next((value for rule in supporters if (value := getattr(rule, name))), "")
        for name in _FIELDS
    }
    return Weighed(Identity(module=module, **said), confidence, against)


def _first_of_each(rules: Iterable[Rule]) -> list[Rule]:
    return list({rule.id: rule for rule in rules}.values())


def _supporters(leader: Rule, claiming: Sequence[Rule]) -> list[Rule]:
    """The leader and whoever agrees with it, heaviest first."""
    said = {name: getattr(leader, name) for name in _FIELDS}
    agreed = [leader]
    for rule in sorted(claiming, key=lambda rule: -rule.weight):
        own = {name: getattr(rule, name) for name in _FIELDS}
        both = [(own[name], said[name]) for name in _FIELDS if own[name] and said[name]]
        shares = any(one == other or _wider(one, other) for one, other in both)
        clash = any(one != other and not _wider(one, other) for one, other in both)
        if rule is leader or clash or not shares:
            continue
        agreed.append(rule)
        for name in _FIELDS:
            said[name] = said[name] or own[name]
    return sorted(agreed, key=lambda rule: (-rule.weight, rule.kind == "medical device"))


def _wider(one: str, other: str) -> bool:
    """Whether "medical device" stands beside a medical kind: a wider word, not another one."""
    kinds = {one, other}
    return "medical device" in kinds and kinds <= set(MEDICAL_KINDS)


def _confidence(supporters: Sequence[Rule]) -> Confidence:
    strong = {rule.basis for rule in supporters if rule.weight >= STRONG}
    weak = {rule.basis for rule in supporters if WEAK <= rule.weight < STRONG}
    if len(strong) > 1 or any(rule.weight >= SAYS_SO for rule in supporters):
        return Confidence.CERTAIN
    if strong or len(weak) > 1:
        return Confidence.PROBABLE
    return Confidence.POSSIBLE if weak else Confidence.UNKNOWN


def _standing(rule: Rule, supporters: Sequence[Rule]) -> tuple[int, bool, float, float, int]:
    """What makes one proposal better than another."""
    return (
        _confidence(supporters),
        rule.kind in MEDICAL_KINDS or rule.kind == "pump server",
        supporters[0].weight,
        sum(supporter.weight for supporter in supporters),
        sum(bool(getattr(rule, name)) for name in _FIELDS),
    )


def _disputes(rule: Rule, leader: Rule) -> bool:
    """Whether it says something that cannot also be true (a server may well route)."""
    if {rule.kind, leader.kind} <= set(INFRASTRUCTURE):
        return False
    return any(
        (one := getattr(rule, name))
        and (other := getattr(leader, name))
        and one != other
        and not _wider(one, other)
        for name in _FIELDS
    )
