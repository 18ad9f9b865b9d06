"""Devices held against advisories: affected, not affected, unknown, or hanging on a named fact.

The dangerous error is to call an affected device unaffected. So "not affected" needs a product
that is surely meant and a version that is surely outside; a maker that does not fit, a version
that is finer than a bound, a list that is silent, all end in "unknown", with the reason. A
likeness of names proposes, it never decides.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from wardwatch.advise.families import branded, families_of
from wardwatch.advise.knowledge import families
from wardwatch.advise.makers import answering, answers, called, makers_in, makers_of, since
from wardwatch.advise.naming import Name, name_of, plain, words_of
from wardwatch.advise.ranges import (
    Order,
    Place,
    Range,
    Version,
    compare,
    listed,
    parse_version,
    place,
    reaches,
)
from wardwatch.model.advisory import Exposure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wardwatch.advise.said import Statement

ITS_VERSION = "its version"
"""The condition of what only the version would settle."""
SOURCES = {"wire": "seen on the wire", "list": "by the hospital's list", "typed": "as typed"}
"""Where a version came from, in words."""


class Fit(IntEnum):
    """How sure it is that a product of a document is the device's."""

    POSSIBLE = 1
    """A likeness that a person must decide."""
    CONTAINS = 2
    """The document's whole name stands in the device's, with more beside it."""
    EXACT = 3
    CURATED = 4
    """By a rule of the knowledge pack."""


BASIS = {
    Fit.POSSIBLE: "likeness of names",
    Fit.CONTAINS: "name contained",
    Fit.EXACT: "same name",
    Fit.CURATED: "product family",
}


class Asset(msgspec.Struct, frozen=True):
    """One device as somebody wrote it down, or as it was seen."""

    manufacturer: str
    model: str
    version: str = ""
    component: str = ""
    """A component and its version: "WBM 20D31"."""
    version_source: str = "list"
    """``wire``, ``list`` or ``typed``."""


class CveAnswer(msgspec.Struct, frozen=True):
    """One CVE for one device."""

    cve: str
    exposure: Exposure
    """``CONDITIONAL`` where it hangs on a fact other than the version."""
    condition: str = ""
    """The fact it hangs on; "" where it hangs on none."""
    reason: str = ""


class Answer(msgspec.Struct, frozen=True):
    """One advisory for one device."""

    advisory: str
    exposure: Exposure
    reason: str
    product: str
    """Who is meant, in the document's words or the pack's."""
    basis: str
    """How sure the product is."""
    text: str
    """The words relied on."""
    origin: str
    """Where those stand: the branch, the leaf's name, our reading."""
    version: str
    version_source: str
    condition: str
    cves: tuple[CveAnswer, ...]
    fixed_by: str = ""
    """The fixed release that the version is at or after, where "not affected" rests on it."""


class Met(msgspec.Struct, frozen=True):
    """What a device can be met by in the names of a document."""

    makers: frozenset[str]
    families: frozenset[str]
    core: frozenset[str]
    full: frozenset[str]
    codes: frozenset[str]
    tight: str


def met_by(asset: Asset) -> Met:
    """What a device can be met by: no document that :class:`Library` would answer from lies outside."""
    device = _Device(asset)
    name = device.name
    return Met(
        makers=answering(device.makers),
        families=device.families | device.branded | device.coarse,
        core=name.core,
        full=name.full,
        codes=name.codes,
        tight=name.tight,
    )


class Library:
    """Statements of many documents, indexed by what names can be met by."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)
        self._families: dict[str, list[int]] = {}
        self._atoms: dict[str, list[int]] = {}
        self._brands: dict[str, list[int]] = {}
        self._cores: dict[frozenset[str], set[tuple[frozenset[str], frozenset[str]]]] = {}
        self._hosts: dict[str, list[Range]] = {}
        self._of: dict[str, list[int]] = {}
        self._titles: dict[str, list[int]] = {}
        self._fits: dict[tuple[str, ...], dict[str, list[tuple[Fit, bool, Statement]]]] = {}
        self._cache: dict[Asset, tuple[Answer, ...]] = {}
        for i, statement in enumerate(self.statements):
            self._of.setdefault(statement.advisory, []).append(i)
            for family in statement.families:
                self._families.setdefault(family, []).append(i)
            for name in (*statement.names, *statement.excluded):
                for atom in name.core | name.full | name.codes | {name.tight}:
                    self._atoms.setdefault(atom, []).append(i)
            for atom in statement.context:
                self._titles.setdefault(atom, []).append(i)
            if statement.component:
                for family in statement.families:
                    self._hosts.setdefault(family, []).extend(
                        [statement.affected] if statement.affected else []
                    )
            for name in statement.names[:1]:
                # The product as first named, and with it the short names that it goes by.
                every = frozenset(
                    atom
                    for other in statement.names
                    if len(other.core - name.core) <= 2
                    for atom in other.core
                )
                self._cores.setdefault(statement.makers, set()).add((name.core, every))

    def match(self, asset: Asset) -> tuple[Answer, ...]:
        """Every advisory that concerns a device or may, by id."""
        found = self._cache.get(asset)
        if found is None:
            found = self._cache[asset] = tuple(self._match(asset))
        return found

    def _match(self, asset: Asset) -> Iterator[Answer]:
        device = _Device(asset)
        parts = [_Device(part) for part in _parts(device)]
        met = self._met(device)
        of_parts: dict[str, list[Answer]] = {}
        for part in parts:
            for answer in self.match(part.asset):
                of_parts.setdefault(answer.advisory, []).append(answer)
        for advisory in sorted(met.keys() | of_parts.keys()):
            answers_ = [*self._judged(device, met.get(advisory, []))]
            yield self._held_back(device, _united(answers_, of_parts.get(advisory, [])))

    def _held_back(self, device: _Device, answer: Answer) -> Answer:
        """The same, or "unknown" where the document may mean the device by a second name as well.

        "NovaSeq 6000" up to 1.7 and "NovaSeq" 1.8 may be one instrument's software.
        """
        if (
            answer.exposure is not Exposure.NOT_AFFECTED
            or device.families
            or device.version is None
        ):
            return answer
        for i in self._of.get(answer.advisory, ()):
            s = self.statements[i]
            if (
                s.affected is None
                or s.product == answer.product
                or not answers(device.makers, s.makers)
                or place(device.version, s.affected)[0] is not Place.INSIDE
                or not any(_sister(device.name, name, s.makers) for name in s.names)
            ):
                continue
            reason = f'{answer.reason} But the document also says of "{s.product}" that {_words(s)} is affected, and that may be it: ask a person.'  # fmt: skip
            cves = tuple(
                msgspec.structs.replace(cve, exposure=Exposure.UNKNOWN, reason=reason)
                for cve in answer.cves
            )
            return msgspec.structs.replace(
                answer, exposure=Exposure.UNKNOWN, reason=reason, cves=cves, fixed_by=""
            )
        return answer

    def _met(self, device: _Device) -> dict[str, list[tuple[Fit, bool, Statement]]]:
        """The statements that may be of a device, by advisory; its version does not count here."""
        asset = device.asset
        key = (asset.manufacturer, asset.model, "" if device.version else asset.version)
        met = self._fits.get(key)
        if met is None:
            met = self._fits[key] = {}
            for i in sorted(self._candidates(device)):
                statement = self.statements[i]
                fit, own = self._fit(device, statement)
                if fit is not None:
                    met.setdefault(statement.advisory, []).append((fit, own, statement))
        return met

    def _candidates(self, device: _Device) -> set[int]:
        found: set[int] = set()
        for family in device.families | device.branded | device.coarse:
            found.update(self._families.get(family, ()))
        for atom in device.name.core | device.name.full | device.name.codes | {device.name.tight}:
            rows = self._atoms.get(atom, ())
            found.update(rows)
        if _names_line(device.name):
            titled = [frozenset(self._titles.get(atom, ())) for atom in device.name.core]
            found.update(frozenset.intersection(*titled))
        return found

    def _fit(self, device: _Device, statement: Statement) -> tuple[Fit | None, bool]:
        """How sure the product is, and whether the maker fits."""
        own = answers(device.makers, statement.makers)
        if device.families & statement.families:
            if not own and not device.branded & statement.families:
                return None, False
            return Fit.CURATED, own
        if device.branded & statement.families and not device.families and device.only_brand:
            return Fit.POSSIBLE, own
        if own and device.coarse & statement.families:
            return Fit.POSSIBLE, own
        if statement.families and not own:
            return None, False
        fit = max(
            (f for f in (self._likeness(device, name, statement) for name in statement.names) if f),
            default=None,
        )
        if statement.families and fit is not Fit.EXACT:
            fit = None  # the pack knows this product, and its rules did not meet
        if fit is None and own and any(_excludes(device, name) for name in statement.excluded):
            fit = Fit.EXACT
        if not own and (fit is None or fit < Fit.EXACT or not _telling(device.name)):
            return None, False
        # Named in the title alone: "Merlin@home", whose tree has nothing but model codes.
        if (
            fit is None
            and own
            and _names_line(device.name)
            and device.name.core <= statement.context
        ):
            return Fit.POSSIBLE, own
        return fit, own

    def _likeness(self, device: _Device, name: Name, statement: Statement) -> Fit | None:
        own = device.name
        wanted, given = name.core, own.core
        if not wanted or not given:
            return None
        if given < wanted and wanted - given <= device.maker_words:
            return Fit.EXACT  # "Cardiology" by McKesson is "McKesson Cardiology"
        if wanted == given or name.full == own.full or name.tight == own.tight:
            return Fit.EXACT if not _other_code(name, own) else None
        numbers = {a for a in wanted if a.isdigit()}
        own_numbers = {a for a in given if a.isdigit()}
        if wanted < given or name.full < own.full:
            if not _distinctive(wanted) or _other_code(name, own):
                return None
            if given - wanted <= statement.context:
                return Fit.EXACT  # "Kiestra PerformA" is PerformA of a document on Kiestra
            # More numbers than the document's name has any: another model of the family, perhaps.
            return Fit.CONTAINS if not numbers or own_numbers == numbers else Fit.POSSIBLE
        if name.codes & own.codes:
            return Fit.EXACT  # a model's code, under its maker's name
        # The 4 of "T4APP" is a letter among letters.
        missing = {n for n in numbers - own_numbers if len(n) > 1 or n in name.numbers}
        if missing and own_numbers - numbers:
            return None
        if given < wanted:
            if not _distinctive(given):
                return None
            alone = self._only(given, statement)
            # A catalogue number that the list leaves out makes no other product.
            if alone and all(len(number) > 4 for number in missing):
                # The only product of its maker that is so called, by the words it begins with.
                return Fit.EXACT if name.tight.startswith(own.tight) else Fit.CONTAINS
            begins = name.tight.startswith(own.tight) and len(own.tight) > 5
            if alone or (not missing and (begins or _near(given, wanted))):
                return Fit.POSSIBLE
        return None

    def _only(self, given: frozenset[str], statement: Statement) -> bool:
        """Whether one product alone of the maker has all these words."""
        cores = {
            core
            for makers, rows in self._cores.items()
            if makers & statement.makers
            for core, every in rows
            if given <= every
        }
        return len(cores) == 1

    def _judged(
        self, device: _Device, met: Sequence[tuple[Fit, bool, Statement]]
    ) -> Iterator[Answer]:
        if not met:
            return
        best = max(fit for fit, _, _ in met)
        for fit, own, statement in met:
            # A sure product makes a mere likeness in the same document moot.
            if fit < best and fit < Fit.EXACT:
                continue
            yield self._judge(device, fit, own, statement)

    def _judge(self, device: _Device, fit: Fit, own: bool, s: Statement) -> Answer:
        def answer(exposure: Exposure, reason: str, cves: tuple[CveAnswer, ...] | None = None, condition: str = "") -> Answer:  # fmt: skip
            if cves is None:
                cves = _all(s, exposure, reason, condition)
            bought = since(device.makers, s.makers)
            return Answer(
                advisory=s.advisory,
                exposure=exposure,
                reason=f"{reason} {bought[:1].upper()}{bought[1:]}.".strip() if bought else reason,
                product=s.product,
                basis=BASIS[fit],
                text=s.text,
                origin=s.origin,
                version=device.version.text if device.version else "",
                version_source=device.asset.version_source if device.version else "",
                condition=condition,
                cves=cves,
            )

        if not own:
            maker = device.asset.manufacturer.strip()
            said = f'the maker is given as "{maker}"' if maker else "no maker is given"
            return answer(Exposure.UNKNOWN, f"The model's words are those of {s.product}, but {said}: ask a person.")  # fmt: skip
        if (told := _taken_out(device, s)) is not None:
            exposure, reason = told
            return answer(exposure, reason)
        if fit is Fit.POSSIBLE and device.coarse & s.families:
            return answer(Exposure.UNKNOWN, f"It is {s.product} or another model; which, is not said.", condition="its model")  # fmt: skip
        if fit is Fit.POSSIBLE:
            return answer(Exposure.UNKNOWN, f'The name is like "{s.product}", but not surely the same product: ask a person.')  # fmt: skip
        if s.when:
            return answer(Exposure.UNKNOWN, f"It is affected only if {s.when}. {s.why}".strip(), condition=s.when)  # fmt: skip
        if s.models:
            return self._by_model(device, s, answer)
        of_part = device.speaks_of("wlan") or self._of_component(device, s)
        if s.component and not of_part:
            return answer(Exposure.UNKNOWN, f"It hangs on {s.fact}. {s.why}".strip(), condition=s.fact)  # fmt: skip
        if not s.component and of_part and not s.families.isdisjoint(self._hosts):
            return answer(Exposure.UNKNOWN, "The version given is that of a component; the device's own is not recorded.")  # fmt: skip
        return self._by_version(device, fit, s, answer)

    def _of_component(self, device: _Device, s: Statement) -> bool:
        """Whether the version given is one that a document lists of a component of the device."""
        own = device.version
        return own is not None and any(
            listed(own, where) for family in s.families for where in self._hosts.get(family, ())
        )

    def _by_model(self, device: _Device, s: Statement, answer: _Say) -> Answer:
        hit = [model for model in s.models if model in device.all_words]
        if hit:
            return answer(Exposure.AFFECTED, f"The document lists the model {hit[0].upper()}.")
        return answer(Exposure.UNKNOWN, f"The document lists models ({', '.join(s.models)}), and the device's is not among them or not given.")  # fmt: skip

    def _by_version(self, device: _Device, fit: Fit, s: Statement, answer: _Say) -> Answer:
        own, where = device.version, s.affected
        if where is None:
            return answer(Exposure.UNKNOWN, "The document states no versions that can be compared.")
        if model := _listed_model(device, where):
            reason = f"The document lists the model {model}."
            return answer(Exposure.AFFECTED, reason, _scoped(s, None, reason))
        if where.everything and not s.fixed:
            reason = "Every version is affected."
            return answer(Exposure.AFFECTED, reason, _scoped(s, own, reason))
        if own is None:
            said = f' ("{device.asset.version.strip()}" is none)' if device.asset.version.strip() else ""  # fmt: skip
            return answer(Exposure.UNKNOWN, f"No version is known{said}; affected is {_words(s)}.", condition=ITS_VERSION)  # fmt: skip
        came = SOURCES.get(device.asset.version_source, "of unknown origin")
        head = f"Version {own.text} ({came})"
        for versions, case in s.cases:
            if place(own, versions)[0] is Place.INSIDE:
                exposure = Exposure.AFFECTED if case.status == "affected" else Exposure.UNKNOWN
                cves = tuple(
                    CveAnswer(cve, Exposure.AFFECTED if cve in case.cves else _rest(exposure), reason=case.why)
                    for cve in s.cves
                )  # fmt: skip
                return answer(exposure, f"{head}: {case.why}", cves)
        reached = [reaches(own, fix) for fix in s.fixed]
        exactly = listed(own, where)
        if exactly and any(compare(own, fix) is Order.EQUAL for fix in s.fixed):
            return answer(Exposure.UNKNOWN, f"{head} is listed as affected and named as the fix: ask the maker.")  # fmt: skip
        if True in reached and not exactly:
            fix = s.fixed[reached.index(True)].text
            return self._outside(fit, answer, f"{head} is at or after the named fix {fix}", fix)
        found, said = place(own, where)
        if s.other is not None and place(own, s.other)[0] is not found:
            return answer(Exposure.UNKNOWN, f"{head}: {s.doubt}.")
        if found is Place.INSIDE and s.proviso:
            return answer(Exposure.UNKNOWN, f"{head} is among the affected ({said}), but only {s.proviso}.", condition=s.proviso)  # fmt: skip
        if found is Place.INSIDE:
            reason = f"{head} is among the affected: {said}."
            return answer(Exposure.AFFECTED, reason, _scoped(s, own, reason))
        if found is Place.OUTSIDE:
            if False in reached and (_beyond(own, where) or _at_end(own, where)):
                fix = s.fixed[reached.index(False)].text
                return answer(Exposure.UNKNOWN, f"{head} is after the affected ({_words(s)}) and before the named fix {fix}: the document is silent.")  # fmt: skip
            if gap := _before_named(own, s):
                return answer(Exposure.UNKNOWN, f"{head} is after the affected ({_words(s)}), and before {gap}, which the text seems to name as the fix.")  # fmt: skip
            if s.residual:
                return answer(Exposure.UNKNOWN, f'{head} is outside of the affected ({said}), but the text says: "{s.residual}"')  # fmt: skip
            return self._outside(
                fit, answer, f"{head} is outside of the affected: {said}", _first_good(own, where)
            )
        why = {
            Place.FINER: f"is finer than the stated {said}",
            Place.UNLISTED: f"is not in the list ({_words(s)}), which says nothing of others",
            Place.INCOMPARABLE: f"has no order with the stated {_words(s)}",
        }[found]
        return answer(Exposure.UNKNOWN, f"{head} {why}. {s.why}".strip())

    def _outside(self, fit: Fit, answer: _Say, reason: str, fix: str) -> Answer:
        if fit < Fit.EXACT:
            return answer(Exposure.UNKNOWN, f"{reason}, but the product is known by its likeness only.")  # fmt: skip
        return msgspec.structs.replace(answer(Exposure.NOT_AFFECTED, f"{reason}."), fixed_by=fix)


class _Device:
    """An asset with what its words mean."""

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.name = name_of(asset.model, asset.manufacturer)
        self.families = families_of(asset.model)
        # "Alaris", "8015": what the maker's column says may be half of the product's name.
        self.families = self.families or families_of(f"{asset.manufacturer} {asset.model}")
        version = asset.version
        # "Medfusion", version "4000": the model has slipped into the next column.
        slipped = families_of(f"{asset.model} {version}") if version.strip().isdigit() else None
        if slipped and not self.families:
            self.families, version = slipped, ""
        self.branded = branded(asset.model)
        # "Alaris PCU": which of its models is not said, so the advisories of each are a question.
        models = frozenset(m for f in self.families for m in families()[f].models)
        self.coarse = frozenset() if models & self.families else models
        self.only_brand = device_is_brand(self.name, self.branded)
        self.maker_words = frozenset(plain(asset.manufacturer).split())
        self.makers = makers_of(asset.manufacturer) or makers_in(asset.model)
        self.version: Version | None = parse_version(version) if version else None
        self.words = words_of(f"{asset.model} {asset.component}")
        self.all_words = words_of(f"{asset.model} {asset.version} {asset.component}")

    def speaks_of(self, component: str) -> bool:
        return component in self.words


class _Say(Protocol):
    """What makes an answer of a status and a reason."""

    def __call__(
        self,
        exposure: Exposure,
        reason: str,
        cves: tuple[CveAnswer, ...] | None = None,
        condition: str = "",
    ) -> Answer: ...


def _parts(device: _Device) -> Iterator[Asset]:
    """Components that the row names with a version, as assets of their own."""
    text = device.asset.component
    if not text.strip():
        return
    hosted = {part for f in device.families for part in families()[f].parts}
    if not families_of(text) & hosted:
        return
    for word in text.replace(",", " ").split():
        version = parse_version(word)
        if version is not None and any(c.isdigit() for c in word):
            rest = text.replace(word, " ")
            yield Asset(device.asset.manufacturer, rest, word, "", device.asset.version_source)
            return


def device_is_brand(name: Name, of: frozenset[str]) -> bool:
    """Whether a name says the brand alone: "ExactaMix", which of them is not said."""
    brands = {brand for family in of for brand in families()[family].brands}
    return bool(brands) and name.core <= brands


def _taken_out(device: _Device, s: Statement) -> tuple[Exposure, str] | None:
    """What a document's "not including" says of a device; None where it does not speak of it.

    A list may hold the document's own words, which name what they take out.
    """
    if _EXCEPTS.search(device.asset.model):
        return None
    for name, versions in zip(s.excluded, s.excluded_versions, strict=True):
        if not _excludes(device, name):
            continue
        if versions is None or (
            device.version and place(device.version, versions)[0] is Place.INSIDE
        ):
            return Exposure.NOT_AFFECTED, f"The document takes it out: {s.text[:200]}"
        if device.version is None:
            return (
                Exposure.UNKNOWN,
                f"No version is known, and the document takes some out: {s.text[:200]}",
            )
    return None


def _excludes(device: _Device, name: Name) -> bool:
    return bool(name.core) and name.core <= device.name.core


def _distinctive(core: frozenset[str]) -> bool:
    """Whether a word in it is a name, not a letter or a small number."""
    return any((a.isdigit() and len(a) > 3) or (a.isalpha() and len(a) > 3) for a in core) or (
        any(a.isalpha() for a in core)
        # A long number, or (FCR XC-2) more short words than meet by chance.
        and any(a.isdigit() and (len(a) > 2 or len(core) > 2) for a in core)
    )


def _names_line(name: Name) -> bool:
    """Whether a name is more than one plain word: enough to know a line of products by."""
    return len(name.core) > 1 and _distinctive(name.core)


def _telling(name: Name) -> bool:
    """Whether a name is so much one product's that it asks a question under any maker's.

    "Patient Portal" is anybody's; "Flow Pump 4000" is not.
    """
    own = name.core - {"server", "portal", "viewer", "station", "central", "workstation"}
    return bool(name.codes) or (
        len(own) > 1 and any(len(a) > 5 or (a.isdigit() and len(a) > 3) for a in own)
    )


def _other_code(name: Name, own: Name) -> bool:
    """Whether a number that stands alone in the one is joined to foreign letters in the other."""
    for one, two in ((name, own), (own, name)):
        for number in one.numbers - two.numbers:
            if number in two.core and not any(
                code.endswith(number) and code[: -len(number)] in one.core
                for code in (*two.words,)
                if code != number and code[: -len(number)].isalpha()
            ):
                return True
    return False


def _listed_model(device: _Device, where: Range) -> str:
    """A model number that stands where versions should, and in the device's name; "" none."""
    for terms in where.alternatives:
        if len(terms) == 1 and terms[0].sign == "=" and terms[0].version is not None:
            text = terms[0].version.text
            words = plain(text).split()
            if any(_MODEL.fullmatch(w) for w in words) and all(w in device.words for w in words):
                return text
    return ""


_EXCEPTS = re.compile(r"(?i)\bnot including\b|\bexcluding\b|\bexcept\b")
_MODEL = re.compile(r"\d{4,}[a-z]{0,2}|[a-z]{1,4}\d{3,}[a-z0-9]*")
"""A number that is a model's rather than a version's."""


def _before_named(own: Version, s: Statement) -> str:
    """The first release that prose names as a fix, where a version lies before all of them.

    A bound that is itself excluded ("< 2.0") is its own fix, and leaves no gap.
    """
    ends = [t.sign for terms in s.affected.alternatives for t in terms] if s.affected else []
    if "<" in ends or s.affected is None:
        return ""
    later = [v for v in s.named if place(v, s.affected)[0] is Place.OUTSIDE]
    if later and _beyond(own, s.affected) and all(reaches(own, v) is False for v in later):
        return later[0].text
    return ""


def _beyond(own: Version, where: Range) -> bool:
    """Whether a version is after some stated upper end, not before a lower one."""
    return any(
        term.version is not None
        and term.sign in ("<", "<=", "=")
        and compare(own, term.version) in (Order.AFTER, Order.REFINES)
        for terms in where.alternatives
        for term in terms
    )


def _at_end(own: Version, where: Range) -> bool:
    """Whether a version is the very bound of "before X", which a later fix named beside it belies."""
    return any(
        term.sign == "<" and term.version is not None and compare(own, term.version) is Order.EQUAL
        for terms in where.alternatives
        for term in terms
    )


def _sister(name: Name, other: Name, makers: frozenset[str]) -> bool:
    """Whether a second name says nothing that the first does not: its maker and plain words apart."""
    shared = {a for a in name.core & other.core if a.isalpha() and len(a) > 4}
    more = {*plain(other.text).split()} - name.words - PLAIN_WORDS - called(makers)
    return bool(shared) and not more


PLAIN_WORDS = frozenset(
    {"and", "app", "application", "control", "for", "software", "system", "systems"}
)
"""Words that make no second product of a first."""


def _first_good(own: Version, where: Range) -> str:
    """The bound of "before X" that a version is at or after: X is the first good release; "" none."""
    ends = [t.version for terms in where.alternatives for t in terms if t.sign == "<" and t.version]
    return ends[-1].text if ends and all(reaches(own, end) for end in ends) else ""


def _near(given: frozenset[str], wanted: frozenset[str]) -> bool:
    return len(given) * 3 >= len(wanted) * 2


def _words(s: Statement) -> str:
    return s.affected.text if s.affected else "not stated"


def _rest(exposure: Exposure) -> Exposure:
    """What a special case says of the CVEs it does not name."""
    return Exposure.NOT_AFFECTED if exposure is Exposure.AFFECTED else Exposure.UNKNOWN


def _all(s: Statement, exposure: Exposure, reason: str, condition: str) -> tuple[CveAnswer, ...]:
    if exposure is Exposure.AFFECTED:
        return _scoped(s, None, reason)
    own = dict.fromkeys((*s.cves, *(cve for maybe in s.maybe for cve in maybe.cves)))
    if exposure is Exposure.UNKNOWN and condition not in ("", ITS_VERSION):
        exposure = Exposure.CONDITIONAL
    return tuple(CveAnswer(cve, exposure, condition, reason) for cve in own)


def _scoped(s: Statement, own: Version | None, reason: str) -> tuple[CveAnswer, ...]:
    """Each CVE of an affected product, by the text of its own."""
    found = []
    for cve in s.cves:
        exposure, why, condition = Exposure.AFFECTED, reason, ""
        for cves, where in s.scopes:
            if cve not in cves:
                continue
            if own is None:
                exposure, condition = Exposure.UNKNOWN, ITS_VERSION
                continue
            spot, _ = place(own, where)
            why = f'The text of this CVE says "{where.text}".'
            if spot in (Place.OUTSIDE, Place.UNLISTED):
                exposure = Exposure.NOT_AFFECTED
            elif spot is not Place.INSIDE:
                exposure = Exposure.UNKNOWN
        found.append(CveAnswer(cve, exposure, condition, why))
    for maybe in s.maybe:
        found += [
            CveAnswer(cve, Exposure.CONDITIONAL, maybe.fact, f"It hangs on {maybe.fact}.")
            for cve in maybe.cves
            if cve not in s.cves
        ]
    return tuple(found)


_WORST = {
    Exposure.NOT_AFFECTED: 0,
    Exposure.CONDITIONAL: 1,
    Exposure.UNKNOWN: 1,
    Exposure.AFFECTED: 2,
}


def overall(answers_: Iterable[Answer]) -> Exposure | None:
    """How a device stands to all advisories: the worst of them; None where none concerns it."""
    return max((a.exposure for a in answers_), key=_WORST.__getitem__, default=None)


def _united(own: Sequence[Answer], parts: Sequence[Answer]) -> Answer:
    """One answer of an advisory from all its statements, the worst foremost.

    What was conditional on a component is decided by the component, where that is given.
    """
    every = [*own, *parts]
    lead = max(every, key=lambda a: _WORST[a.exposure])
    decided = {c.cve: c for a in parts for c in a.cves if not c.condition}
    if parts and own and lead in own and lead.condition and lead.exposure is Exposure.UNKNOWN:
        lead = max(parts, key=lambda a: _WORST[a.exposure])
    cves: dict[str, CveAnswer] = {}
    for answer in every:
        for cve in answer.cves:
            new = decided.get(cve.cve, cve) if cve.condition else cve
            old = cves.get(cve.cve)
            if old is None or _WORST[new.exposure] > _WORST[old.exposure]:
                cves[cve.cve] = new
    return msgspec.structs.replace(lead, cves=tuple(cves[c] for c in sorted(cves)))
