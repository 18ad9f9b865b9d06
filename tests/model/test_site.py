"""wardwatch.model.site"""

import tomllib

import msgspec
import pytest

from wardwatch.model.site import Site, TrustedServer


def test_a_line_without_name_and_date_is_inert() -> None:
    half = TrustedServer(role="dhcp", ip="10.0.0.1", confirmed_by="IT")
    whole = TrustedServer(role="dhcp", ip="10.0.0.2", confirmed_by="IT", confirmed_on="2026-11-01")
    blank = TrustedServer(role="dhcp", ip="10.0.0.3", confirmed_by=" ", confirmed_on="2026-11-01")
    assert Site(server=(half, whole, blank)).servers("dhcp") == (whole,)


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.convert(tomllib.loads('colour = "red"'), Site)
