"""wardwatch.decode.wire.reader"""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from wardwatch.decode.wire import reader


def test_numbers_past_the_end_are_short_and_silent() -> None:
    assert [reader.u8(b"\x01", at) for at in (0, 1, -1)] == [1, 0, 0]
    assert [reader.u16(b"\x01\x02\x03", at) for at in (0, 2, 3)] == [0x0102, 3, 0]
    assert reader.u24(b"\x01\x02\x03", 0) == 0x010203
    assert [reader.u32(b"\x01\x02\x03\x04", at) for at in (0, 2)] == [0x01020304, 0x0304]


@given(
    st.binary(min_size=16, max_size=16)
    | st.lists(st.sampled_from([0, 0, 1]), min_size=16, max_size=16).map(bytes)
)
def test_ipv6_addresses_read_as_rfc_5952_writes_them(raw: bytes) -> None:
    text = reader.ip6_text(raw)
    assert ipaddress.IPv6Address(text).packed == raw
    if ipaddress.IPv6Address(raw).ipv4_mapped is None:
        assert text == str(ipaddress.IPv6Address(raw))


def test_ipv4_mapped_addresses_are_mixed_on_every_python() -> None:
    assert reader.ip6_text(bytes(10) + b"\xff\xff\x0a\0\0\x01") == "::ffff:10.0.0.1"


def test_addresses_of_other_lengths_are_none() -> None:
    assert [reader.ip_text(bytes(n)) for n in (0, 3, 4, 5, 15, 16, 17)] == [
        "",
        "",
        "0.0.0.0",
        "",
        "",
        "::",
        "",
    ]
    assert reader.ip4_list(bytes(9)) == ("0.0.0.0", "0.0.0.0")
    assert reader.ip6_list(bytes(31)) == ("::",)


def test_text_from_outside_cannot_act() -> None:
    assert reader.text("pümp <b>\\boot".encode()) == "pümp <b>\\boot"
    assert reader.text(b"a\x1b[2Jb\nc\0") == "a\\x1b[2Jb\\nc\\x00"
    assert reader.text("a\u202eb".encode()) == "a\\u202eb"
    assert reader.text(b"\xff\xfe") == "\\xff\\xfe"
    assert reader.c_text(b"name\0rest") == "name"
    assert reader.trimmed(b"name\0\0") == "name"


@given(st.binary(max_size=3000))
def test_any_bytes_are_printable_and_bounded(raw: bytes) -> None:
    assert reader.text(raw).isprintable()
    assert len(reader.text(raw)) <= 10 * reader.MAX_TEXT


def test_what_is_not_ascii_is_hex() -> None:
    assert [reader.text_or_hex(b) for b in (b"ge-0/1", b"\x00\x06", b"")] == ["ge-0/1", "0006", ""]
