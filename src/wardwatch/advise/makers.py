"""Who made a device: names brought to manufacturers, and which of them answer for which."""

from __future__ import annotations

from functools import cache

from wardwatch.advise.knowledge import makers
from wardwatch.advise.naming import plain


@cache
def makers_of(text: str) -> frozenset[str]:
    """The manufacturers that a maker's column may mean; a stranger is its own first word."""
    words = plain(text)
    if not words:
        return frozenset()
    row = f" {words} "
    found = {maker.id for maker in makers() for name in maker.names if f" {name} " in row}
    if found:
        return frozenset(found)
    # "B.Braun" and "Smiths-Medical" have lost a blank; "BBraunMedical" all of them.
    tight = words.replace(" ", "")
    found = {
        maker.id
        for maker in makers()
        for name in maker.names
        if len(name) > 4 and tight.startswith(name.replace(" ", ""))
    }
    # A stranger is known by its first word, and by its first two written together: Beacon Medaes.
    return frozenset(found) or frozenset({f"~{words.split()[0]}", f"~{''.join(words.split()[:2])}"})


@cache
def makers_in(model: str) -> frozenset[str]:
    """Manufacturers that a product's own words begin with: ``BD Alaris PCU``."""
    words = plain(model)
    return frozenset(
        maker.id for maker in makers() for name in maker.names if f"{words} ".startswith(f"{name} ")
    )


@cache
def answers(listed: frozenset[str], named: frozenset[str]) -> bool:
    """Whether the makers of a list may be the makers an advisory names, or own them."""
    if listed & named:
        return True
    return any(
        (owner in listed and owned in named) or (owner in named and owned in listed)
        for owner, owned in _bonds()
    )


@cache
def called(ids: frozenset[str]) -> frozenset[str]:
    """The words by which makers are called."""
    return frozenset(
        word
        for maker in makers()
        if maker.id in ids
        for name in maker.names
        for word in name.split()
    )


@cache
def answering(listed: frozenset[str]) -> frozenset[str]:
    """The makers of a list, and all whom they may answer for or who answer for them."""
    bonds = _bonds()
    return listed | {o for m, o in bonds if m in listed} | {m for m, o in bonds if o in listed}


@cache
def _bonds() -> tuple[tuple[str, str], ...]:
    """Makers of which one answers for the other, or sells under its name."""
    return tuple(
        (maker.id, other)
        for maker in makers()
        for other in (*(o.maker for o in maker.owns), *(s.maker for s in maker.sells_as))
    )


@cache
def since(listed: frozenset[str], named: frozenset[str]) -> str:
    """How a maker came to answer for another's product, in a sentence; "" where it is the same."""
    if listed & named:
        return ""
    for maker in makers():
        for owned in maker.owns:
            if maker.id in listed and owned.maker in named:
                return f"{maker.name} has owned it since {owned.since} ({owned.source})"
    return ""
