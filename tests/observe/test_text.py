"""Addresses and text from outside."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.observe.text import ip_of, mac_of, printable


@given(st.integers(0, 2**48 - 1))
def test_macs_read_back(number):
    text = mac_of(number)
    assert len(text) == 17
    assert int(text.replace(":", ""), 16) == number


@given(st.integers(0, 2**32 - 1))
def test_ipv4_is_a_dotted_quad(number):
    assert ip_of(4, 0, number) == str(ipaddress.IPv4Address(number))


@given(st.integers(0, 2**128 - 1))
def test_ipv6_is_the_address_whatever_the_sign_of_its_halves(number):
    high, low = number >> 64, number & (2**64 - 1)
    signed = low - 2**64 if low >= 2**63 else low
    assert ipaddress.IPv6Address(ip_of(6, high, signed)) == ipaddress.IPv6Address(number)


def test_no_ip_no_text():
    assert ip_of(0, 1, 2) == ""


@given(st.text())
def test_what_comes_out_can_be_printed(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("ä", "ä")]
)
def test_control_characters_become_visible(text, shown):
    assert printable(text) == shown
