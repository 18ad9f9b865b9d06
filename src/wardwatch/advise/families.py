"""Which product family a name means, by the rules of the knowledge pack."""

from __future__ import annotations

from functools import cache

from wardwatch.advise.knowledge import families
from wardwatch.advise.naming import fits, pattern, words_of


@cache
def families_of(name: str) -> frozenset[str]:
    """Ids of the families whose rules a name fits, whoever its maker is."""
    words = words_of(name)
    return frozenset(found for word in words for found in _by_word(word, words))


@cache
def _index() -> dict[str, tuple[tuple[str, str], ...]]:
    """Rules by their rarest-looking word, so that a name tries only a few of them."""
    index: dict[str, list[tuple[str, str]]] = {}
    for family in families().values():
        for rule in family.names:
            wanted, _ = pattern(rule)
            index.setdefault(max(wanted, key=lambda w: (len(w), w)), []).append((rule, family.id))
    return {word: tuple(rules) for word, rules in index.items()}


def _by_word(word: str, words: frozenset[str]) -> list[str]:
    return [family for rule, family in _index().get(word, ()) if fits(rule, words)]


@cache
def branded(name: str) -> frozenset[str]:
    """Families whose brand word stands in a name: a question, where the maker is another."""
    words = words_of(name)
    return frozenset(f.id for f in families().values() if any(brand in words for brand in f.brands))
