"""Names of products as people write them, brought to words that can be compared.

``EC40``, ``EC 40`` and ``ec-40`` are one product; ``Optima CT540`` and ``Optima 540`` are not
surely one. So a name is its words and its atoms: letters and digits apart.
"""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import re
import unicodedata
from contextlib import suppress
from functools import cache
from itertools import pairwise

import msgspec

MAX_NAME = 400
"""Characters of a name that are read."""

_SOFT_WORDS = """
a an and all any the of for with in by to on or de der die das und la le el
system systems software device devices product products series family platform machine equipment hardware apparatus
pump pumps infusion infusions wireless monitor monitors patient bedside medical healthcare health model models mod type
number no nr version versions hub ventilator scale ultrasound application hemodialysis haemodialysis
app apps cardiograph cardiographs electrocardiograph ecg compounder generator energy portable worn only
insulin syringe volumetric drug delivery automated automatic used unit units inc llc gmbh ag ltd co corp
based icd crt
"""
SOFT = frozenset(_SOFT_WORDS.split())
"""Words that tell no product from another of its maker; they neither make nor break a match."""


SHORT = {
    "cntr": "center", "centre": "center", "ctr": "center", "cntrl": "central", "cent": "central",
    "defib": "defibrillator", "mgr": "manager", "mon": "monitor", "pmp": "pump", "sfw": "software",
    "srv": "server", "srvr": "server", "svr": "server", "syr": "syringe", "sys": "system", "vent": "ventilator", "win": "windows",
    "wkst": "workstation", "wks": "workstation", "wlss": "wireless", "xmtr": "transmitter",
}  # fmt: skip
"""Words as people shorten them in lists, and their British spelling."""


class Name(msgspec.Struct, frozen=True):
    """A product's name, ready to compare."""

    text: str
    words: frozenset[str]
    """Words, their atoms, and neighbours written together."""
    core: frozenset[str]
    """Atoms without soft words and the maker's own name."""
    full: frozenset[str]
    """Atoms without soft words, the maker's name kept."""
    tight: str
    """The core in its order, written together: "osimiswebviewer"."""
    numbers: frozenset[str]
    """Numbers that stand alone, not joined to letters: the 9 of "LOGIQ 9", not of "LOGIQ E9"."""
    codes: frozenset[str]
    """Words of letters and digits together, such as "cms8000", also where a blank parts them."""


@cache
def plain(text: str) -> str:
    """Lower case without accents and signs; mojibake of UTF-8 read as Latin-1 is undone."""
    text = text[:MAX_NAME]
    if "Ã" in text or "Â" in text:
        with suppress(UnicodeEncodeError, UnicodeDecodeError):
            text = text.encode("cp1252").decode("utf-8")
    text = text.replace("™", " ").replace("®", " ").replace("ß", "ss")
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold()
    # wi-fi, wifi and wlan name one thing; & is "and"; CRT-D and CRT-P are kinds, no names.
    text = text.replace("wi-fi", "wifi").replace("w/ ", " with ").replace("&", " and ")
    text = re.sub(r"\bcrt[- ][dp]\b", "crt", text)
    return " ".join(SHORT.get(word, word) for word in re.findall(r"[a-z0-9]+", text))


@cache
def words_of(text: str) -> frozenset[str]:
    """Every word a rule may ask for: as written, apart, and neighbours together."""
    row = plain(text).split()
    found = set(row)
    for word in row:
        found.update(re.findall(r"[a-z]+|\d+", word))
    found.update(a + b for a, b in pairwise(row))
    return frozenset(found)


@cache
def name_of(text: str, maker: str = "") -> Name:
    """A name without the words of its maker, which the maker's own column says."""
    own = frozenset(plain(maker).split())
    row = plain(text).split()
    atoms = [_number(a) for word in row for a in re.findall(r"[a-z]+|\d+", word)]
    full = [_singular(a) for a in atoms if a not in SOFT] or atoms
    core = [a for a in full if a not in own] or full
    joined = {a + b for a, b in pairwise(row) if a.isalpha() and b.isdigit()}
    return Name(
        text=text,
        words=words_of(text),
        core=frozenset(core),
        full=frozenset(full),
        tight="".join(core),
        numbers=frozenset(_number(word) for word in row if word.isdigit()),
        codes=frozenset(w for w in {*row, *joined} if _CODE.fullmatch(w) and not own & {w}),
    )


_CODE = re.compile(r"(?=.{4,})[a-z]{2,}\d{2,}[a-z]{0,3}|[a-z]\d{3,}[a-z]{0,3}|\d{5,}[a-z0-9]*")
"""A model's code: letters and at least two digits, or a catalogue number."""


def _singular(atom: str) -> str:
    """Workplaces and workplace are one word; glass and lens are not plurals."""
    plural = len(atom) > 5 and atom.endswith("s") and not atom.endswith(("ss", "us", "is", "ns"))
    return atom[:-1] if plural else atom


def _number(atom: str) -> str:
    return atom.lstrip("0") or "0" if atom.isdigit() else atom


@cache
def pattern(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """A rule of knowledge: words that must be there, and words (after ``!``) that must not."""
    wanted: set[str] = set()
    banned: set[str] = set()
    for word in text.split():
        (banned if word.startswith("!") else wanted).add(word.lstrip("!"))
    return frozenset(wanted), frozenset(banned)


def fits(rule: str, words: frozenset[str]) -> bool:
    """Whether a name has every word of a rule and none that it bans."""
    wanted, banned = pattern(rule)
    return wanted <= words and not banned & words
