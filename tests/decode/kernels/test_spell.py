"""wardwatch.decode.kernels.spell"""

import ipaddress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wardwatch.decode.kernels import spell
from wardwatch.observe.text import ip_of, mac_of

word = st.integers(0, 2**64 - 1)
groups = st.lists(st.sampled_from([0, 0, 0, 1, 0xF0, 0xFFFF]), min_size=8, max_size=8)
sixteen = groups.map(lambda g: b"".join(n.to_bytes(2, "big") for n in g)) | st.binary(
    min_size=16, max_size=16
)
kinds = st.sampled_from([spell.IP4, spell.IP6, spell.MAC, 0, 7])
FORMS = [spell.spell_addresses, spell.spell_addresses.py_func]


def plainly(kind: int, high: int, low: int, none: int) -> str:
    """What the kernel does, by the functions that spell one address."""
    if kind == spell.IP6:
        return ip_of(6, high, low)
    if low == none or kind not in (spell.IP4, spell.MAC):
        return ""
    return ip_of(4, 0, low) if kind == spell.IP4 else mac_of(low)


def signed(values):
    return np.array(values, np.uint64).view(np.int64)


def run(function, kind, pairs, none=-1):
    """Spell, with octets behind the room told that must stay as they are."""
    n = len(pairs)
    ends = np.full(n + 1, -1, np.int32)
    size = n * max(spell.LONGEST.values())
    text = np.full(size + 8, 7, np.uint8)
    high, low = (signed([pair[k] for pair in pairs]) for k in (0, 1))
    function(n, np.array(kind, np.int64), high, low, none, ends, text)
    assert text[ends[-1] :].tolist() == [7] * (len(text) - ends[-1])
    return [text[a:b].tobytes().decode() for a, b in pairwise(ends)]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(kinds, word, word), min_size=2, max_size=9), st.integers(-1, 1))
def test_addresses_are_spelled_as_one_by_one(rows, none):
    rows += [(kind, 0, none & 0xFFFFFFFF) for kind in (spell.IP4, spell.MAC)]
    expected = [
        plainly(kind, high, low - 2**64 if low >> 63 else low, none) for kind, high, low in rows
    ]
    for function in FORMS:
        made = run(function, [row[0] for row in rows], [row[1:] for row in rows], none)
        assert made == expected


@settings(deadline=None, max_examples=300)
@given(sixteen)
@example(bytes(16))
@example(bytes(15) + b"\1")
@example(bytes(10) + b"\xff\xff\x0a\0\0\1")
@example(bytes(8) + b"\0\1" + bytes(6))
def test_ipv6_is_spelled_as_rfc_5952_says(raw):
    pair = [(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))]
    for function in FORMS:
        (made,) = run(function, [spell.IP6], pair)
        assert made == ip_of(6, *pair[0])
        assert ipaddress.IPv6Address(made).packed == raw


@pytest.mark.parametrize("kind", sorted(spell.LONGEST))
def test_the_longest_text_is_as_long_as_is_told(kind):
    (made,) = run(spell.spell_addresses, [kind], [(2**64 - 1, 2**64 - 1)], none=0)
    assert len(made) == spell.LONGEST[kind]


@pytest.mark.parametrize("function", [spell.spell_words, spell.spell_words.py_func])
def test_words_stand_end_to_end(function):
    at = np.array([2, 0, 1, 2, 9], np.int64)
    ends, text = np.full(5, -1, np.int32), np.full(30, 7, np.uint8)
    words = np.frombuffer(b"vlan 7untagged", np.uint8).copy()
    function(4, at, np.array([0, 6, 6, 14], np.int32), words, ends, text)
    assert ends.tolist() == [0, 8, 14, 14, 22]
    assert text.tobytes() == b"untaggedvlan 7untagged" + b"\7" * 8
