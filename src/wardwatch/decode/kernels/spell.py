"""Addresses and words as text: columns of numbers become the octets of string columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardwatch.compiled import helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int = int | np.int64

IP4, IP6, MAC = 4, 6, 48
"""What a number is; any other kind is spelled as nothing."""
LONGEST = {IP4: 15, IP6: 39, MAC: 17}
"""Octets of the longest text of each kind."""


@helper
def put_hex(digit: Int) -> Int:
    """The letter of a hexadecimal digit, lower case."""
    return 48 + digit if digit < 10 else 87 + digit


@helper
def put_octet(value: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """An octet in decimal at ``put``; returns where writing stopped."""
    # value // 10 and // 100, exact below 1,024; unsigned places: none may count from the end
    tens = (value * 205) >> 11
    if value >= 10:
        if value >= 100:
            hundreds = (value * 41) >> 12
            text[np.uint64(put)] = 48 + hundreds
            put += 1
            text[np.uint64(put)] = 48 + tens - 10 * hundreds
        else:
            text[np.uint64(put)] = 48 + tens
        put += 1
    text[np.uint64(put)] = 48 + value - 10 * tens
    return put + 1


@helper
def put_ip4(value: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """The lowest 32 bits as a dotted quad at ``put``; returns where writing stopped."""
    put = put_octet((value >> 24) & 255, text, put)
    text[np.uint64(put)] = 46
    put = put_octet((value >> 16) & 255, text, put + 1)
    text[np.uint64(put)] = 46
    put = put_octet((value >> 8) & 255, text, put + 1)
    text[np.uint64(put)] = 46
    return put_octet(value & 255, text, put + 1)


@helper
def put_mac(value: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """The lowest 48 bits as a MAC address at ``put``; returns where writing stopped."""
    for k in range(6):
        at = np.uint64(put + 3 * k)
        octet = value >> (40 - 8 * k)
        text[at] = put_hex((octet >> 4) & 15)
        text[at + np.uint64(1)] = put_hex(octet & 15)
        if k < 5:
            text[at + np.uint64(2)] = 58
    return put + 17


@helper
def _group(high: Int, low: Int, k: Int) -> Int:
    """Group ``k`` of the eight of an IPv6 address."""
    return (high >> (48 - 16 * k)) & 0xFFFF if k < 4 else (low >> (112 - 16 * k)) & 0xFFFF


@helper
def put_ip6(high: Int, low: Int, text: NDArray[np.uint8], put: Int) -> Int:
    """128 bits as RFC 5952 writes an IPv6 address; returns where writing stopped."""
    best = 8
    best_size = 1
    k = 0
    while k < 8:  # §4.2: the longest run of two or more zero groups, the first of equals
        stop = k
        while stop < 8 and _group(high, low, stop) == 0:
            stop += 1
        if stop - k > best_size:
            best = k
            best_size = stop - k
        k = stop + 1
    mapped = high == 0 and (low >> 32) & 0xFFFFFFFF == 0xFFFF  # §5: mixed notation
    k = 0
    while k < 8:
        if k == best:
            text[put] = 58
            text[put + 1] = 58
            put += 2
            k += best_size
            continue
        if k > 0 and k != best + best_size:
            text[put] = 58
            put += 1
        if mapped and k == 6:
            return put_ip4(low, text, put)
        group = _group(high, low, k)
        begun = False
        for shift in range(12, -1, -4):
            digit = (group >> shift) & 15
            if digit > 0 or begun or shift == 0:
                begun = True
                text[put] = put_hex(digit)
                put += 1
        k += 1
    return put


@kernel
def spell_addresses(
    n: int,  #                             how many
    kind: NDArray[np.int64],  # (1,) or (n,) IP4, IP6 or MAC: of all, or of each
    high: NDArray[np.int64],  # (≥ n,)     the upper 64 bits, read of IPv6 addresses
    low: NDArray[np.int64],  # (≥ n,)      the lower 64 bits
    none: int,  #                          an IPv4 or MAC address that is spelled as nothing
    ends: NDArray[np.int32],  # (n + 1,)   out: where in ``text`` each begins, and the last ends
    text: NDArray[np.uint8],  # (≥ n × LONGEST,) out: end to end
) -> None:
    """Spell one column of addresses."""
    each = kind.size > 1
    put: Int = 0
    ends[0] = 0
    for i in range(n):
        what = kind[i] if each else kind[0]
        value = low[i]
        if what == IP6:
            put = put_ip6(high[i], value, text, put)
        elif value != none:
            if what == IP4:
                put = put_ip4(value, text, put)
            elif what == MAC:
                put = put_mac(value, text, put)
        ends[i + 1] = put


@kernel
def spell_words(
    n: int,  #                             how many
    at: NDArray[np.int64],  # (≥ n,)       number of each one's word
    word_ends: NDArray[np.int32],  # (w + 1,) where in ``words`` each begins, and the last ends
    words: NDArray[np.uint8],  # (octets,) end to end
    ends: NDArray[np.int32],  # (n + 1,)   out: as ``word_ends``, of ``text``
    text: NDArray[np.uint8],  # (≥ n × the longest word,) out
) -> None:
    """Set each one's word in its place."""
    put: Int = 0
    ends[0] = 0
    for i in range(n):
        word = np.uint64(at[i])
        begin = np.int64(word_ends[word])
        size = np.int64(word_ends[word + np.uint64(1)]) - begin
        for k in range(size):  # unsigned places: none is looked at whether it counts from the end
            text[np.uint64(put + k)] = words[np.uint64(begin + k)]
        put += size
        ends[i + 1] = put
