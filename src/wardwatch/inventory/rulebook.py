"""The rules of recognition, read from ``rules/*.toml``: a sign in, the rules that speak out."""

# Annotations are not deferred: msgspec would compile the text of each when it first decodes one.

import re
from collections.abc import Sequence
from functools import cache, cached_property, lru_cache

import msgspec

from wardwatch.packs import read

RULE_FILES = ("medical", "makers", "modules", "general")
"""Read in this order; where two rules weigh the same, the earlier one leads."""

SAYS_SO = 0.9
"""From this weight on the device says so itself in its protocol: certain by itself."""
STRONG = 0.6
"""From this weight on a trait is strong: probable by itself, two of different basis are certain."""
WEAK = 0.2
"""From this weight on a trait is a hint; below, it is only told."""

SHORTEST = len("00:1a:01")
"""Characters of the shortest block of addresses that the registry assigns (MA-L, 24 bits)."""
TEXT_LIMIT = 512
"""Characters of a text from outside that a rule looks at: bounds the work of its expression."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One rule: which sign it reads, and what follows from it."""

    id: str
    sign: str
    """What it looks at, ``basis.detail`` (:mod:`wardwatch.inventory.signs`)."""
    weight: float
    says: str
    source: str
    match: str | None = None
    """Regular expression searched in the sign's value; "" any value."""
    is_: tuple[str, ...] = msgspec.field(default=(), name="is")
    """Or the values themselves."""
    prefix: tuple[str, ...] = ()
    """Or beginnings of a MAC."""
    manufacturer: str = ""
    model: str = ""
    module: str = ""
    kind: str = ""
    family: str = ""

    @property
    def basis(self) -> str:
        """What kind of evidence it is: two rules of one basis are not independent."""
        return self.sign.partition(".")[0]

    @property
    def claims(self) -> bool:
        """Whether it says anything of the device itself (a module is not the device)."""
        return bool(self.manufacturer or self.model or self.kind or self.family)

    def speaks(self, value: str) -> bool:
        """Whether the sign's value is what the rule looks for."""
        if self.prefix:
            return value.startswith(self.prefix)
        if self.is_:
            return value in self.is_
        return bool(self._expression.search(value[:TEXT_LIMIT]))

    @property
    def _expression(self) -> re.Pattern[str]:
        return _compiled(self.match or "")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How people write a model in a list, and which family it is."""

    family: str
    manufacturer: str
    model: str
    kind: str
    maker: str
    """What the maker's column may say; "" anything."""
    match: str


class Rulebook(msgspec.Struct, frozen=True, dict=True):
    """All rules, by the sign they read."""

    rules: tuple[Rule, ...]
    models: tuple[Model, ...]

    @cached_property
    def by_sign(self) -> dict[str, tuple[Rule, ...]]:
        """Rules by sign; a rule for ``banner`` reads every ``banner.…``."""
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.sign, []).append(rule)
        return {sign: tuple(rules) for sign, rules in found.items()}

    @cached_property
    def by_prefix(self) -> dict[str, tuple[Rule, ...]]:
        """Rules by the beginning of a MAC that they name."""
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for prefix in rule.prefix:
                found.setdefault(prefix, []).append(rule)
        return {prefix: tuple(rules) for prefix, rules in found.items()}

    def of_mac(self, mac: str) -> tuple[Rule, ...]:
        """The rules for a MAC's beginning, the longest first: a block may be cut into smaller ones."""
        if mac[:SHORTEST] not in self._beginnings:
            return ()
        return tuple(rule for n in self._lengths for rule in self.by_prefix.get(mac[:n], ()))

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        return frozenset(prefix[:SHORTEST] for prefix in self.by_prefix)

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(prefix) for prefix in self.by_prefix}, reverse=True))

    def values_of(self, sign: str) -> tuple[str, ...]:
        """Every value that some rule names for a sign: what a question may ask for."""
        return tuple(sorted({value for rule in self.by_sign.get(sign, ()) for value in rule.is_}))

    def sought(self, sign: str) -> tuple[str, ...] | None:
        """Every value of a sign that lets some rule speak; ``None`` where they are not listed."""
        rules, _ = self._readers(sign)
        if any(rule.prefix or not rule.is_ for rule in rules):
            return None
        return tuple(sorted({value for rule in rules for value in rule.is_}))

    def speaking(self, sign: str, value: str) -> tuple[Rule, ...]:
        """The rules that speak for a sign's value."""
        rules, any_of = self._readers(sign)
        if any_of is None:
            return tuple([rule for rule in rules if rule.speaks(value)])
        text = value[:TEXT_LIMIT]
        if not any_of.finds(text):
            return ()
        return tuple([rule for rule in rules if _compiled(rule.match or "").search(text)])

    def _readers(self, sign: str) -> tuple[tuple[Rule, ...], "_AnyOf | None"]:
        """The rules that read a sign; and where all are expressions, what finds when any does."""
        found = self._known_readers.get(sign)
        if found is None:
            own = self.by_sign.get(sign, ())
            general = self.by_sign.get(sign.partition(".")[0], ()) if "." in sign else ()
            rules = (*own, *general)
            found = self._known_readers[sign] = rules, _any_of(rules)
        return found

    @cached_property
    def _known_readers(self) -> dict[str, tuple[tuple[Rule, ...], "_AnyOf | None"]]:
        return {}

    def listed_model(self, manufacturer: str, model: str) -> Model | None:
        """What a line of a list means: maker and model words together, or nothing."""
        return next(
            (
                known
                for known in self.models
                if _compiled(known.match).search(model[:TEXT_LIMIT])
                and (
                    not manufacturer
                    or not known.maker
                    or _compiled(known.maker).search(manufacturer[:TEXT_LIMIT])
                )
            ),
            None,
        )


@cache
def rulebook() -> Rulebook:
    """The rules that ship with wardwatch."""
    rules: list[Rule] = []
    for name in RULE_FILES:
        rules += read(f"inventory/rules/{name}.toml", dict[str, list[Rule]])["rule"]
    models = read("inventory/rules/models.toml", dict[str, tuple[Model, ...]])["model"]
    return Rulebook(tuple(rules), models)


class _AnyOf:
    """One expression for several: a flood of names is searched once each, and mostly in vain."""

    def __init__(self, expressions: Sequence[str]) -> None:
        parts = [_FLAGGED.sub(r"(?\1:\2)", expression, count=1) for expression in expressions]
        self._any = re.compile("|".join(parts))
        # Small letters among small ones are found in half the time that letters of any size take.
        plain = [expression.removeprefix("(?i)") for expression in expressions]
        self._small = (
            re.compile("|".join(f"(?:{part})" for part in plain))
            if all(e.startswith("(?i)") for e in expressions) and all(map(_is_small, plain))
            else None
        )

    def finds(self, text: str) -> bool:
        """Whether one of the expressions is found in a text."""
        if self._small is not None and text.isascii():
            return self._small.search(text.lower()) is not None
        return self._any.search(text) is not None


def _is_small(expression: str) -> bool:
    """Whether an expression has no capital letter, as itself, by its number or in a range of others."""
    return expression.isascii() and not _CAPITAL.search(expression)


_CAPITAL = re.compile(r"[A-Z]|\\[xuN0-7]|\(\?[^:]|\[[^\]]*[ -@]-[\[\\^-~]")


def _any_of(rules: Sequence[Rule]) -> _AnyOf | None:
    """What finds whether any of the rules speaks, where all of them are expressions."""
    if len(rules) < 2 or any(rule.prefix or rule.is_ for rule in rules):
        return None
    return _AnyOf([rule.match or "" for rule in rules])


_FLAGGED = re.compile(r"^(?:\(\?([a-z]+)\))?(.*)$", re.DOTALL)
"""An expression and its flags, which may stand at the beginning of a whole one only."""


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)
