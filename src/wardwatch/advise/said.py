"""What is said of one product by one document, as devices are held against it.

Apart from how it is read out of a document (:mod:`wardwatch.advise.statements`): an audit mostly
meets statements that were made before.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import msgspec

from wardwatch.advise.knowledge import Case, Maybe
from wardwatch.advise.naming import Name
from wardwatch.advise.ranges import Range, Version


class Statement(msgspec.Struct, frozen=True):
    """One product of one document, and the versions and CVEs that are said of it."""

    advisory: str
    product: str
    """In the document's words, or ours."""
    makers: frozenset[str]
    families: frozenset[str]
    names: tuple[Name, ...]
    excluded: tuple[Name, ...]
    """Products that the same words take out: "not including EchoPAC"."""
    excluded_versions: tuple[Range | None, ...]
    """Versions of those products that are taken out ("Venue 40 R1-3"); None means every one."""
    context: frozenset[str]
    """Words of the document's title that no other product of its tree bears: "Kiestra" of "PerformA"."""
    affected: Range | None
    fixed: tuple[Version, ...]
    """Fixes that our reading names."""
    named: tuple[Version, ...]
    """Releases that prose seems to name as fixes: they raise doubt, and never remove it."""
    models: tuple[str, ...]
    cves: tuple[str, ...]
    maybe: tuple[Maybe, ...]
    scopes: tuple[tuple[tuple[str, ...], Range], ...]
    cases: tuple[tuple[Range, Case], ...]
    when: str
    """The fact on which the whole statement hangs."""
    proviso: str
    """The fact on which versions inside hang: "on Windows 8.1"."""
    residual: str
    """The sentence by which a fix leaves some of it; "" none."""
    component: str
    fact: str
    doubt: str
    """Why the versions are not certain: branch and leaf name disagree."""
    other: Range | None
    """What the leaf's name says, where it disagrees with the branch."""
    text: str
    """The words relied on."""
    origin: str
    """``branch``, ``leaf name`` or ``reading``."""
    why: str = ""
