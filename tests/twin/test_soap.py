"""Envelopes are SOAP 1.1, and what XML could do to a reader is refused before it is looked at."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.twin import messages, soap

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]))


@given(st.dictionaries(st.sampled_from(["Serial", "Sequence", "Body"]), TEXT))
def test_c4_an_envelope_is_well_formed_soap_1_1_and_reads_back(fields: dict[str, str]) -> None:
    raw = soap.written(soap.REPORT, fields)
    root = ElementTree.fromstring(raw.strip())
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
    assert raw.startswith(b'<?xml version="1.0" encoding="UTF-8"?><env:Envelope ')
    found = soap.read(raw)
    assert isinstance(found, soap.Envelope)
    assert found == soap.Envelope(soap.REPORT, {k: v.strip() for k, v in fields.items()})


def test_c4_the_published_maintenance_element_is_read() -> None:
    found = soap.read(messages.maintenance(7))
    assert isinstance(found, soap.Envelope)
    assert found.name == "Medfusion4000_Maintenance"
    assert found.number("Sequence") == 7
    assert {"TravelLow", "ForceAmpOffset", "SyringeDiameterHigh"} <= set(found.fields)


def hostile(declares: str, uses: str) -> bytes:
    return soap.written(soap.REPORT, {"Serial": "HERE"}).replace(
        b"<env:Envelope", f"{declares}<env:Envelope".encode(), 1
    ).replace(b"HERE", uses.encode())  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        hostile('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>', "&x;"),
        hostile('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">', "a"),
        hostile('<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]>', "&b;"),
        hostile('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>', "a"),
        hostile("<!DOCTYPE a>", "a"),
    ],
)
def test_c4_a_document_type_is_refused_unread(raw: bytes) -> None:
    assert soap.read(raw) == "a document type or an entity"


def test_c4_no_file_is_read_for_an_envelope(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("constant filler")
    uri = (tmp_path / "secret").as_uri()
    for declares in (f'<!DOCTYPE a [<!ENTITY x SYSTEM "{uri}">]>', f'<!DOCTYPE a SYSTEM "{uri}">'):
        assert "filler" not in str(soap.read(hostile(declares, "&x;")))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not well-formed"),
        (b"<a/>", "not a SOAP 1.1 envelope with one body of one element"),
        (soap.written("A", {})[:-20], "not well-formed"),
        (soap.written("A", {}).replace(b"schemas.xmlsoap.org", b"www.w3.org"),
         "not a SOAP 1.1 envelope with one body of one element"),
        (soap.written("A", {}).replace(b"UTF-8", b"no-such"), "not well-formed"),
        (soap.written("A", {f"f{n}": n for n in range(soap.FIELDS + 1)}), "more in it than is read"),
        (soap.written("A", {"f": "x" * (soap.FIELD + 1)}), "more in it than is read"),
        (b"x" * (soap.LONGEST + 1), "longer than an envelope may be"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused_by_name(raw: bytes, why: str) -> None:
    assert soap.read(raw) == why


@given(st.binary(max_size=300))
def test_hostile_octets_are_read_without_harm(raw: bytes) -> None:
    whole = soap.written(soap.REPORT, {"Serial": "HERE"})
    for body in (raw, whole[:60] + raw, whole.replace(b"HERE", raw)):
        soap.read(body)


def test_deep_nesting_harms_nobody() -> None:
    deep = b"<a>" * 40_000
    assert soap.read(deep) == "not well-formed"
    assert isinstance(soap.read(b"<a>" * 18_000 + b"</a>" * 18_000), str)


@pytest.mark.parametrize("text", ["-1", "", "x", "1.5", "9" * 20, "٣"])
def test_what_is_no_number_is_minus_one(text: str) -> None:
    assert soap.Envelope("A", {"n": text}).number("n") == -1


def test_envelopes_are_taken_out_of_a_stream_whole() -> None:
    one, two = soap.written("A", {"n": 1}), soap.written("B", {"n": 2})
    found, rest = soap.unframed(one + two[:50])
    assert [soap.read(raw).name for raw in found] == ["A"]
    found, rest = soap.unframed(rest + two[50:])
    assert [soap.read(raw).name for raw in found] == ["B"]
    assert rest == b""
