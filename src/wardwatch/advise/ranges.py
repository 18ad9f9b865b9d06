"""The algebra of medical version numbers: five outcomes of a comparison, three of a range.

Device versions are not semantic versions: letters are revisions (``M.03`` before ``N``), a maker
spells one release short and long (``U61``, ``012U000061``), editions are ordinals, lists say
``6.x``. Where two versions have no order that a document states, they are incomparable, and
nothing is concluded. A version that is finer than a bound (``9.33.1`` against "up to 9.33") may be
inside or outside: that is told too, not guessed.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import re
from enum import Enum
from functools import cache

import msgspec

MAX_TEXT = 400
"""Characters of a version statement that are read; the longest honest one in the corpus has 143."""

Token = int | str


class Order(Enum):
    """How one version stands to another."""

    BEFORE = "<"
    EQUAL = "="
    AFTER = ">"
    REFINES = "refines"
    """The same as far as the coarser goes, and more exact: 9.33.1 to 9.33."""
    INCOMPARABLE = "incomparable"


class Place(Enum):
    """How a version stands to a statement of affected versions."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    """Beyond a stated bound."""
    UNLISTED = "unlisted"
    """Not in a list that says nothing of other versions."""
    FINER = "finer"
    """Finer than a bound or a listed version, so perhaps inside."""
    INCOMPARABLE = "incomparable"


class Version(msgspec.Struct, frozen=True):
    """One version: the scheme it is written in and its tokens."""

    text: str
    scheme: str
    """"" for the common one; else a maker's series, of which only members of one compare."""
    tokens: tuple[Token, ...]
    wild: bool = False
    """Whether it ends in ``x``: every version that begins so."""


class Term(msgspec.Struct, frozen=True):
    """One comparison: ``<= 9.33``."""

    sign: str
    """``=``, ``<``, ``<=``, ``>``, ``>=``, or ``*`` for every version."""
    version: Version | None = None


class Range(msgspec.Struct, frozen=True):
    """Alternatives, each of terms that hold together."""

    text: str
    alternatives: tuple[tuple[Term, ...], ...]

    @property
    def everything(self) -> bool:
        """Whether every version is meant."""
        return any(term.sign == "*" for terms in self.alternatives for term in terms)


# Expressions of versions are compiled where the first version is read: most audits read none.
_PREFIX = (
    r"(?i)^(?:all\s+|any\s+)?(?:(?:software|firmware|sw|fw|fpga|programme?)\s+)*"
    r"(?:(?:versions?|vers\.?|ver\.?|revisions?|rev\.?|releases?|rel\.?)\s*[:#]?\s*)?"
)
_BRAUN = r"(?i)(?:\d{3})?([UL])0*(\d{1,6})"
_BATTERY = r"(\d{2})\s?([A-Z])\s?(\d{2})"
_EDITION = r"(?i)(\d{1,2})\s*(?:st|nd|rd|th)?\s*(?:edition|ed)\b\.?"
_ORDINAL = r"(?i)\b(?:(first)|(second)|(third)|(fourth)|(fifth))\b(?=\s+ed)"
_QUALIFIER = {"sp": "sp", "servicepack": "sp", "sr": "sr", "hf": "hf", "hotfix": "hf", "gma": "gma",
              "patch": "p", "build": "build", "mr": "mr", "update": "u", "fp": "fp", "d": "d"}  # fmt: skip
"""Words that add to a release: with one is after without."""
_VERSION_WORDS = """
all any geh version versions vers ver revision revisions rev release releases rel software firmware fpga build gma patch
service pack edition beta alpha update hotfix xxx lpi end life global sn eol
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep oct nov dec
"""
_WORDS = frozenset(_VERSION_WORDS.split())
"""Words that may stand in a version."""
_MONTHS = {name: i for i, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}  # fmt: skip
_DATE = (
    r"(?i)^(?:(\d{1,2})[ -])?([a-z]{3})[a-z]*\.?\s*"
    r"(?:(\d{1,2})(?:st|nd|rd|th)?,?\s*)?(\d{4})?$"
)
_SLASHED = r"^(\d{1,2})/(\d{1,2})/(\d{4})$"
_ISO = r"^(\d{4})-(\d{2})-(\d{2})$"
NOTHING = frozenset({"", "-", "--", "---", "?", "n/a", "na", "n.a.", "n.a", "none", "null", "unknown", "unk",
                     "not known", "not recorded", "not available", "not applicable", "unbekannt", "inconnu",
                     "desconocido", "tbd", "tbc", "k.a.", "x", "xx", "xxx", "various", "multiple", "see label",
                     "current", "latest", "#n/a"})  # fmt: skip
"""What people write where they know no version."""


@cache
def parse_version(text: str) -> Version | None:
    """A version as people write it; None where there is none in it."""
    raw = text.strip()[:MAX_TEXT]
    if raw.casefold() in NOTHING:
        return None
    bare = re.sub(_PREFIX, "", raw.strip(" ()[]\"'"), count=1).strip(" ,;:()").rstrip(".")
    if not bare or bare.casefold() in NOTHING:
        return None
    bare = re.sub(_ORDINAL, lambda found: str(found.lastindex), bare)
    if found := re.fullmatch(_EDITION, bare):
        return Version(raw, "edition", (int(found[1]),))
    if date := _date(bare):
        return Version(raw, "date", date)
    bare = re.sub(r"(?i)^v(?:ersion)?\s*\.?\s*(?=[\dA-Z]*\d)(?!m\d|f\d)", "", bare)
    if (found := re.fullmatch(_BRAUN, bare)) and (found[2] != "0"):
        return Version(raw, f"braun-{found[1].upper()}", (int(found[2]),))
    if found := re.fullmatch(_BATTERY, bare.upper()):
        return Version(raw, "", (int(found[1]), found[2].lower(), int(found[3])))
    lowered = re.sub(r"(?i)service\s+pack", "sp", bare).casefold()
    if not re.search(r"\d", lowered) and not re.fullmatch(r"[a-z](\.x+)?", lowered):
        return None
    words = re.findall(r"\d+|[a-z]+", lowered)
    wild = False
    tokens: list[Token] = []
    for i, word in enumerate(words):
        if word in ("x", "xx", "xxx") and i:
            wild = True
            break
        tokens.append(int(word) if word.isdigit() else _QUALIFIER.get(word, word))
    if not tokens or len(tokens) > 16:
        return None
    if tokens[0] in ("r", "lpi", "ap", "geh") and len(tokens) > 1 and isinstance(tokens[1], int):
        tokens = tokens[1:]  # R8.0.4 is 8.0.4, AP 3.0 is 3.0
    return Version(raw, "", tuple(tokens), wild)


def compare(own: Version, other: Version) -> Order:
    """How ``own`` stands to ``other``; ``refines`` is of ``own`` alone.

    Missing numbers are zeros where the shorter has at least two of them: 1.6 is 1.6.0. A single
    number or letter is a whole series, which every longer one refines.
    """
    if own.scheme != other.scheme:
        return Order.INCOMPARABLE
    a, b = own.tokens, other.tokens
    for x, y in zip(a, b, strict=False):
        if x == y:
            continue
        if isinstance(x, int) and isinstance(y, int):
            return Order.BEFORE if x < y else Order.AFTER
        if isinstance(x, str) and isinstance(y, str) and len(x) == len(y) == 1:
            return Order.BEFORE if x < y else Order.AFTER
        if isinstance(x, str) and isinstance(y, str) and {x, y} <= {"sr", "sp", "hf", "p"}:
            return Order.INCOMPARABLE
        # 4.20 against 4.20 SR1 is decided by what is left; 4.20 SR1 against 4.20.1 by nothing.
        return Order.INCOMPARABLE
    if len(a) > len(b):
        rest = a[len(b) :]
        if all(token == 0 for token in rest) and len(b) > 1:
            return Order.EQUAL
        return Order.REFINES
    if len(a) < len(b):
        rest = b[len(a) :]
        if all(token == 0 for token in rest) and len(a) > 1:
            return Order.EQUAL
        if len(a) > 1 or isinstance(rest[0], str):
            return Order.BEFORE
        return Order.INCOMPARABLE  # "2" against 2.3.6: a whole series against one of it
    return Order.EQUAL


@cache
def parse_range(text: str) -> Range | None:
    """A statement of affected versions, CSAF's, ``vers:`` or prose; None where it is none."""
    raw = " ".join(text.strip()[:MAX_TEXT].split())
    raw = re.sub(r"\s*\((?:end-of-life|integrated into|global|u\.s\.)[^()]*\)", "", raw, flags=re.I)
    if re.fullmatch(r"(?i)(vers:\w+/)?\*|all( versions?)?|\(all models\)|all .*versions", raw):
        return Range(raw, ((Term("*"),),))
    raw_vers = re.sub(r"(?i)^vers:\w+/", "", raw)
    body = re.sub(r"(?i)\b(?:all\s+)?(?:running\s+)?(?:software\s+)?(?:versions?|revisions?|releases?)\s*(?=[<>])", "", _prose(raw_vers))  # fmt: skip
    pieces = [p.strip() for p in body.split("|") if p.strip()]
    if not pieces:
        return None
    alternatives: list[tuple[Term, ...]] = []
    for piece in pieces:
        terms: list[Term] = []
        for part in re.split(r",(?=\s*[<>=])|(?<=[\w)])\s+(?=[<>])", piece):
            term = _term(part)
            if term is None:
                return None
            if terms and terms[0].sign == "=" and term.sign in ("<", "<="):
                terms[0] = Term(">=", terms[0].version)  # "A.01 <= C.0x": from the one to the other
            terms.append(term)
        alternatives.append(tuple(terms))
    return Range(raw, _paired(alternatives))


def place(own: Version, where: Range) -> tuple[Place, str]:
    """Where a version stands to a range, and the text of the term that decided."""
    if where.everything:
        return Place.INSIDE, where.text
    verdicts: list[tuple[Place, str]] = []
    for terms in where.alternatives:
        found = [_one(own, term) for term in terms]
        said = " and ".join(_said(term) for term in terms)
        if all(f is Place.INSIDE for f in found):
            return Place.INSIDE, said
        if Place.OUTSIDE in found:
            verdicts.append((Place.OUTSIDE, said))
        elif Place.FINER in found:
            verdicts.append((Place.FINER, said))
        elif Place.INCOMPARABLE in found:
            verdicts.append((Place.INCOMPARABLE, said))
        else:
            verdicts.append((Place.UNLISTED, said))
    kinds = [kind for kind, _ in verdicts]
    if Place.FINER in kinds:
        return verdicts[kinds.index(Place.FINER)]
    if Place.OUTSIDE in kinds:
        # Beside a list, a range speaks of what is beyond its top, not of the gaps between.
        if Place.UNLISTED in kinds and not _above_all(own, where):
            return Place.UNLISTED, where.text
        return Place.OUTSIDE, where.text
    if Place.UNLISTED in kinds:
        return Place.UNLISTED, where.text
    return Place.INCOMPARABLE, where.text


def listed(own: Version, where: Range) -> bool:
    """Whether the version itself is written in the list, not merely inside a range."""
    return any(
        len(terms) == 1 and terms[0].sign == "=" and terms[0].version is not None
        and not terms[0].version.wild and compare(own, terms[0].version) is Order.EQUAL
        for terms in where.alternatives
    )  # fmt: skip


def reaches(own: Version, fix: Version) -> bool | None:
    """Whether a version is at or after a fix; None where they have no order.

    Finer than the fix is after it: 1.6.1.2 has what 1.6.1 has.
    """
    order = compare(own, fix)
    if order in (Order.EQUAL, Order.AFTER, Order.REFINES):
        return True
    return False if order is Order.BEFORE else None


def _date(text: str) -> tuple[int, ...]:
    if found := re.match(_SLASHED, text):
        return int(found[3]), int(found[1]), int(found[2])
    if found := re.match(_ISO, text):
        return int(found[1]), int(found[2]), int(found[3])
    found = re.match(_DATE, text)
    if not found or not found[4] or found[2].casefold() not in _MONTHS:
        return ()
    day = int(found[3] or found[1] or 0)
    month = _MONTHS[found[2].casefold()]
    return (int(found[4]), month, day) if day else (int(found[4]), month)


def _prose(text: str) -> str:
    """Prose brought to signs: "X and prior" to ``<=X``, "prior to X" to ``<X``."""
    s = text.replace("≤", "<=").replace("≥", ">=")
    s = re.sub(
        r"(?i)\((?:release)?\s*((?:\S*\d\S*\s+){1,20}\S*\d\S*)\)",
        lambda m: "|".join(m[1].split()),
        s,
    )
    s = re.sub(r"(?i)\(release\s+([^()]*)\)", r"\1", s)
    v = r"([A-Za-z]{0,3}\s?\d[\w.\-]*|[A-Z](?:\.\d\w*)*)"
    s = re.sub(
        rf"(?i)\b{v}\s*(?:,?\s*and|or)\s+(?:earlier|prior|below|older|lower|previous)(?:\s+versions?)?",
        r"<=\1",
        s,
    )
    s = re.sub(
        rf"(?i)\b(?:all\s+versions\s+)?(?:prior to|before|earlier than|below)\s+(?:versions?\s+)?{v}",
        r"<\1",
        s,
    )
    s = re.sub(
        rf"(?i)\b{v}\s*(?:,?\s*and|or)\s+(?:later|newer|higher|above)(?:\s+versions?)?", r">=\1", s
    )
    s = re.sub(rf"(?i)\b{v}\s+(?:through(?:\s+to)?|to|thru)\s+{v}", r">=\1,<=\2", s)
    s = re.sub(r"(?i)^rev\s+([A-Z])-([A-Z])\b", r">=\1,<=\2.x", s)
    s = re.sub(r"(?i)\s+and\s+(?=[vr]?\d)", "|", s)
    s = re.sub(r"(?i)\.0x\b", ".09.x", s)  # up to C.0x: up to C.09 and all of it
    s = re.sub(r"<\s*=|=\s*<", "<=", s)
    return re.sub(r">\s*=|=\s*>", ">=", s)


def _term(text: str) -> Term | None:
    found = re.match(r"\s*(<=|>=|<|>|==?)?\s*(.*)$", text)
    assert found is not None
    rest = found[2].strip()
    if rest in ("*",):
        return Term("*")
    own = parse_version(rest)
    # Words that qualify no release are a model's or a sentence's.
    if own is None or any(
        w.casefold() not in _WORDS for w in re.findall(r"(?<!\w)[A-Za-z]{3,}(?!\w)", rest)
    ):
        return None
    sign = found[1] or "="
    return Term("=" if sign == "==" else sign, own)


def _paired(alternatives: list[tuple[Term, ...]]) -> tuple[tuple[Term, ...], ...]:
    """CSAF files write ``>= a | <= b`` for "from a to b": a lower bound takes the upper after it."""
    paired: list[tuple[Term, ...]] = []
    for terms in alternatives:
        last = paired[-1] if paired else ()
        if (
            len(terms) == 1
            and len(last) == 1
            and last[0].sign in (">", ">=")
            and terms[0].sign in ("<", "<=")
        ):
            paired[-1] = (last[0], terms[0])
        else:
            paired.append(terms)
    return tuple(paired)


def _one(own: Version, term: Term) -> Place:
    bound = term.version
    if bound is None:
        return Place.INSIDE
    order = compare(own, bound)
    if order is Order.INCOMPARABLE:
        # 4.30 against a listed "4.20 SR1": other versions are simply not listed.
        same = own.scheme == bound.scheme
        return Place.UNLISTED if term.sign == "=" and same else Place.INCOMPARABLE
    inside = {
        "=": (Order.EQUAL,),
        "<": (Order.BEFORE,),
        "<=": (Order.BEFORE, Order.EQUAL),
        ">": (Order.AFTER,),
        ">=": (Order.AFTER, Order.EQUAL, Order.REFINES),
    }[term.sign]
    if order in inside:
        return Place.INSIDE
    if order is Order.REFINES:
        if bound.wild:
            return Place.INSIDE if term.sign in ("=", "<=", ">=") else Place.OUTSIDE
        if term.sign in ("=", "<=", ">"):
            return Place.FINER
        return Place.OUTSIDE  # finer than a bound that is itself excluded: 2.2.1 is not before 2.2
    if bound.wild and order is Order.EQUAL:
        return Place.INSIDE if term.sign != "<" else Place.OUTSIDE
    return Place.UNLISTED if term.sign == "=" else Place.OUTSIDE


def _above_all(own: Version, where: Range) -> bool:
    return all(
        compare(own, term.version) in (Order.AFTER, Order.INCOMPARABLE)
        for terms in where.alternatives
        for term in terms
        if term.version is not None and term.version.scheme == own.scheme
    )


def _said(term: Term) -> str:
    if term.version is None:
        return "every version"
    words = {"=": "", "<": "before ", "<=": "up to ", ">": "after ", ">=": "from "}
    return words[term.sign] + term.version.text
