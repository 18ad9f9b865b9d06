"""What is wrong in a document, found in the document itself: both sides, and how sure.

Nothing is replaced silently. A score of the file gives way to the text only where the file shows
the known fault (cumulative notes, or one vector for every CVE of three or more) and the text's own
statement for that CVE is arithmetically sound; elsewhere both stand and the file is kept, since
texts have been found swapped too.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from wardwatch.advise.knowledge import readings
from wardwatch.advise.naming import plain
from wardwatch.advise.ranges import Range, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wardwatch.advise.csaf import Document, Flaw, Leaf


class Repair(msgspec.Struct, frozen=True):
    """One contradiction of a document with itself."""

    kind: str
    """``score``, ``notes``, ``versions``, ``products``, ``list``, ``name``, ``reading``."""
    subject: str
    """A CVE, a product, or "" for the document."""
    file_says: str
    text_says: str
    taken: str
    """``text``, ``file``, ``both`` (nothing is concluded where they differ) or ``reading``."""
    certainty: str
    """``sure``, ``likely`` or ``open``."""
    why: str


class Scored(msgspec.Struct, frozen=True):
    """The score of one CVE, and what the file said."""

    cve: str
    vector: str
    base_score: float
    file_vector: str
    file_score: float
    replaced: bool
    why: str = ""


_STATED = re.compile(
    r"base score of (\d{1,2}(?:\.\d)?)\b.{0,60}?vector string is\s*\(?\s*(?:CVSS:3\.\d/)?"
    r"((?:[A-Z]{1,3}:[A-Z]/?){8})"
)
_ASSIGNED = re.compile(r"(CVE-\d{4}-\d{4,7})[^.]{0,120}?\bassigned\b")
_UPPER = re.compile(
    r"(?i)\b(?:and|or)\s+(?:prior|earlier|older|below|lower|previous)\b|\bup to\b|\bthrough\b"
)
_BEFORE = re.compile(r"(?i)\b(?:prior to|before|earlier than|older than)\b(?!\s*version\s*$)")
_LOWER = re.compile(r"(?i)\b(?:and|or)\s+(?:later|newer|higher|above)\b|\bback to\b")
_NUMBER = re.compile(r"(?i)\b[a-z]{0,2}\d[\w]*(?:\.\w+)*")
_IMPACTED = re.compile(r"(?i)\b(?:impacted|affected) by\b(.*)")
_CVE = re.compile(r"CVE\s*-\s*(\d{4})\s*-\s*(\d{4,7})")


def scores(document: Document) -> tuple[Scored, ...]:
    """Each CVE's score, from the text where the document shows the known fault."""
    fault = _fault(document)
    found = []
    for flaw in document.flaws:
        if not flaw.scores:
            continue
        first = flaw.scores[0]
        stated = _own(flaw)
        if stated is None or any(_same(score.vector, stated[1]) for score in flaw.scores):
            found.append(Scored(flaw.cve, first.vector, first.base_score, first.vector, first.base_score, False))  # fmt: skip
            continue
        score, short = stated
        vector = f"{first.vector.split('/', 1)[0] if first.vector.startswith('CVSS') else 'CVSS:3.0'}/{short}"  # fmt: skip
        sound = _sound(vector, score)
        if fault and sound:
            found.append(Scored(flaw.cve, vector, score, first.vector, first.base_score, True, fault))  # fmt: skip
        else:
            why = "the text states another score, but the document shows no known fault"
            if not sound:
                why = "the text's own score does not follow from its vector"
            found.append(Scored(flaw.cve, first.vector, first.base_score, first.vector, first.base_score, False, f"{why}: {score} {short}"))  # fmt: skip
    return tuple(found)


def repairs(document: Document) -> tuple[Repair, ...]:
    """Every contradiction found, in the order of the document."""
    return (
        *_scores(document),
        *_notes(document),
        *_leaves(document),
        *_lists(document),
        *_names(document),
        *_readings(document),
    )


def cves_in(text: str) -> tuple[str, ...]:
    """CVE numbers in prose, also those typed with blanks."""
    return tuple(dict.fromkeys(f"CVE-{y}-{n}" for y, n in _CVE.findall(text)))


def impacted_by(leaf: Leaf) -> tuple[str, ...]:
    """The CVEs that a leaf's own name narrows it to."""
    found = _IMPACTED.search(leaf.name)
    return cves_in(found[1]) if found else ()


def said_by_name(leaf: Leaf) -> str:
    """The words of a leaf's name that state versions; "" where none do."""
    _, colon, rest = leaf.name.partition(":")
    if not colon:
        return ""
    return re.sub(r"\(\s*$", "", _IMPACTED.sub("", rest)).strip()


def disagreement(leaf: Leaf) -> tuple[Range | None, str]:
    """Where a leaf's name states other versions than its branch: the name's range, and both.

    The range is None where the name's words cannot be read as one.
    """
    name, branch = said_by_name(leaf), leaf.version
    if not name or not branch or (re.search(r"(?i)\ball\b|\*", name) and not _NUMBER.search(name)):
        return None, ""
    both = f'the branch says "{branch}", the name of the leaf "{name}"'
    ours, theirs = _numbers(branch), _numbers(name)
    if not ours or not theirs or len(name) > 160:
        return None, ""
    if ours == theirs:
        signs = _signs(branch)
        words = _words(name)
        if not signs or not words or signs == words:
            return None, ""
        if "|" in branch or len(signs) > 1 or len(words) > 1:
            return None, ""
        return parse_range(f"{next(iter(words))} {next(iter(ours))}"), both
    # "SP Versions 3.2.4" adds a word, not a version.
    if ours <= theirs and _words(name) == _signs(branch):
        return None, ""
    words = _words(name)
    sign = next(iter(words)) if len(words) == 1 and len(theirs) == 1 else ""
    return parse_range(f"{sign} {next(iter(theirs))}" if sign else name), both


def _numbers(text: str) -> frozenset[str]:
    text = re.sub(
        r"(?i)\bv(?:er(?:sions?)?)?\.?\s*(?=\d)|\bv(?=[A-Z]\d)|(?<=\.)\s+(?=x\b)", "", text
    )
    return frozenset(re.sub(r"\b0+(?=\d)", "", n.casefold()) for n in _NUMBER.findall(text))


def _signs(branch: str) -> frozenset[str]:
    found = {s.replace(" ", "") for s in re.findall(r"<\s*=|>\s*=|<|>", branch)}
    return frozenset(found or _words(branch))


def _words(name: str) -> frozenset[str]:
    found = _signs_plain(name)
    if _BEFORE.search(name):
        found.add("<")
    elif _UPPER.search(name):
        found.add("<=")
    if _LOWER.search(name):
        found.add(">=")
    return frozenset(found)


def _signs_plain(text: str) -> set[str]:
    return {s.replace(" ", "") for s in re.findall(r"<\s*=|>\s*=|<|>", text)}


def _fault(document: Document) -> str:
    """The known fault of extraction that makes the text the better witness; "" for none."""
    if _cumulative(document.flaws):
        return "the notes are cumulative: each holds those before it, and the file's vector is not of this CVE"  # fmt: skip
    vectors = {score.vector for flaw in document.flaws for score in flaw.scores}
    if len(document.flaws) >= 3 and len(vectors) == 1:
        return "one vector stands for every CVE of the document"
    return ""


def _cumulative(flaws: Sequence[Flaw]) -> bool:
    """Whether most notes begin with the whole of the one before."""
    texts = [flaw.notes[0].strip() for flaw in flaws if flaw.notes and flaw.notes[0].strip()]
    if len(texts) < 3:
        return False
    grown = sum(len(b) > len(a) > 40 and a[:2000] in b for a, b in pairwise(texts))
    return grown * 2 > len(texts)


def _statements(note: str) -> list[tuple[tuple[str, ...], float, str]]:
    """Each score that a note states: the CVEs it was assigned with, score and short vector."""
    found, start = [], 0
    for stated in _STATED.finditer(note):
        before = note[start : stated.start()]
        cves = tuple(dict.fromkeys(_ASSIGNED.findall(before)))
        found.append((cves, float(stated[1]), stated[2].rstrip("/")))
        start = stated.end()
    return found


def _own(flaw: Flaw) -> tuple[float, str] | None:
    """Score and vector that the notes state for this CVE; None where they state none, or several."""
    found = {
        (score, vector)
        for note in flaw.notes
        for cves, score, vector in _statements(note)
        if cves == (flaw.cve,)
    }
    return next(iter(found)) if len(found) == 1 else None


def _same(vector: str, short: str) -> bool:
    return sorted(vector.split("/")[1:] if vector.startswith("CVSS") else vector.split("/")) == sorted(short.split("/"))  # fmt: skip


def _sound(vector: str, score: float) -> bool:
    from cvss import CVSS3
    from cvss.exceptions import CVSSError

    try:
        return float(CVSS3(vector).base_score) == score
    except CVSSError:
        return False


def _scores(document: Document) -> Iterator[Repair]:
    for one in scores(document):
        if one.replaced:
            yield Repair("score", one.cve, f"{one.file_score} {one.file_vector}", f"{one.base_score} {one.vector}", "text", "sure", one.why)  # fmt: skip
        elif one.why:
            why, _, text = one.why.rpartition(": ")
            yield Repair("score", one.cve, f"{one.file_score} {one.file_vector}", text, "file", "open", why)  # fmt: skip


def _notes(document: Document) -> Iterator[Repair]:
    if _cumulative(document.flaws):
        yield Repair("notes", "", "the note of each CVE holds those of the CVEs before it", "a CVE's own text is what its note adds", "text", "sure", "each note begins with the whole of the one before")  # fmt: skip
    for flaw in document.flaws:
        stated = [one for note in flaw.notes for one in _statements(note)]
        if len(stated) == 1 and flaw.scores and stated[0][0] and flaw.cve not in stated[0][0]:
            cves, score, vector = stated[0]
            if not any(_same(one.vector, vector) for one in flaw.scores):
                yield Repair("score", flaw.cve, f"{flaw.scores[0].base_score} {flaw.scores[0].vector}", f"{score} {vector}, said of {', '.join(cves)}", "file", "open", "the note of this CVE states the score of another: the texts may be swapped")  # fmt: skip
                continue
        named = cves_in(" ".join(flaw.notes))
        if named and flaw.cve and flaw.cve not in named:
            yield Repair("notes", flaw.cve, f"its note names {', '.join(named[:5])}", "", "file", "open", "the note is of other CVEs: no score is taken from it")  # fmt: skip


def _leaves(document: Document) -> Iterator[Repair]:
    for leaf in document.leaves:
        if narrowed := impacted_by(leaf):
            marked = [flaw.cve for flaw in document.flaws if leaf.product_id in flaw.affected]
            if set(marked) - set(narrowed):
                yield Repair("products", leaf.product or leaf.name[:80], f"marked by {', '.join(marked)}", leaf.name, "text", "sure", "the leaf's own name says which CVEs concern it")  # fmt: skip
        other, both = disagreement(leaf)
        if both:
            inverted = bool({*_signs(leaf.version)} ^ {*_words(said_by_name(leaf))}) and _numbers(leaf.version) == _numbers(said_by_name(leaf))  # fmt: skip
            why = "the sign differs" if inverted else "the versions differ"
            yield Repair("versions", leaf.product or leaf.name[:80], leaf.version, said_by_name(leaf), "both", "open" if other is None else "likely", f"{why}; what lies between is unknown")  # fmt: skip


def _lists(document: Document) -> Iterator[Repair]:
    lost: dict[str, bool] = {}
    for flaw in document.flaws:
        details = [r.details.strip() for r in flaw.remedies]
        for i, text in enumerate(details):
            if text.endswith(":"):
                # Entries after a heading may be its list; a heading at the very end lost it.
                last = i == len(details) - 1
                lost[text[-160:]] = lost.get(text[-160:], False) or last
    for text, last in lost.items():
        why = "the list after the colon was lost: see the publisher's page"
        if not last:
            why = "nothing stands after the colon; the next entries may be the list, or it was lost"
        yield Repair("list", "", text, "", "file", "sure" if last else "open", why)


def _names(document: Document) -> Iterator[Repair]:
    for vendor in dict.fromkeys(leaf.vendor for leaf in document.leaves):
        if "Ã" in vendor:
            yield Repair("name", vendor, vendor, plain(vendor), "text", "sure", "UTF-8 was read as another encoding")  # fmt: skip


def _readings(document: Document) -> Iterator[Repair]:
    reading = readings().get(document.id)
    if reading is None:
        return
    if reading.why:
        yield Repair("reading", "", "product_status", reading.why, "reading", "likely", reading.why)
    by_id = {leaf.product_id: leaf for leaf in document.leaves}
    for entry in reading.entry:
        if not entry.why:
            continue
        own = by_id.values() if "*" in entry.restates else [by_id[i] for i in entry.restates if i in by_id]  # fmt: skip
        said = "; ".join(dict.fromkeys(f"{leaf.product} {leaf.version}".strip() for leaf in own))
        taken = "left out" if entry.drop else ", ".join(filter(None, (entry.affected, *entry.models)))  # fmt: skip
        yield Repair("reading", entry.product or entry.family or ", ".join(entry.families) or said[:80], said[:300] or "not in the product tree", taken, "reading", "likely", entry.why)  # fmt: skip
