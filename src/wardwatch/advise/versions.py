"""Version numbers of devices: dotted numbers compared, everything else honestly incomparable."""

from __future__ import annotations

import re
from functools import lru_cache

from wardwatch.model.advisory import Advisory, Exposure

Version = tuple[int, ...]
"""Numbers without trailing zeros: 1.6 and 1.6.0 are one version."""

_DOTTED = re.compile(r"(?i)(?:version|ver\.?|v\.?)?\s*([0-9]{1,6}(?:\.[0-9]{1,6}){1,5})")


@lru_cache(maxsize=4096)  # a fleet has few, and each is held against every notice
def version(text: str) -> Version | None:
    """``V1.6.0`` → (1, 6); None where it is no dotted number.

    A range, a letter, "1.6.x" and a bare "4000" (a model, more likely) cannot be compared.
    """
    found = _DOTTED.fullmatch(text.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def exposure(text: str, advisory: Advisory) -> tuple[Exposure, str]:
    """How a version stands to an advisory, and why, as the end of a sentence.

    A version that the text does not name and that is older than the fixed one is unknown: the
    advisory says nothing of it.
    """
    own = version(text)
    if own is None:
        return Exposure.UNKNOWN, "which cannot be compared with the advisory's versions"
    fixed = version(advisory.fixed_version)
    if fixed is not None and own >= fixed:
        return Exposure.NOT_AFFECTED, f"and {advisory.fixed_version} or later is fixed"
    for named in advisory.affected_versions:
        prefix = version(named)
        if prefix is not None and own[: len(prefix)] == prefix:
            return Exposure.AFFECTED, f"and the advisory names {named}"
    before = f"; it is older than the fixed {advisory.fixed_version}" if fixed else ""
    return Exposure.UNKNOWN, f"which the advisory does not name{before}"


def concerns(text: str, stated: str) -> bool:
    """Whether a notice's version statement (``1.6.1``, ``< 1.6.5``) covers a version.

    A version that is not known may be any; a statement on another product covers none.
    """
    bound = version(stated.removeprefix("<"))
    if bound is None:
        return False
    own = version(text)
    if own is None:
        return True
    return own < bound if stated.startswith("<") else own == bound
