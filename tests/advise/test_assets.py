"""Devices against advisories: what is certain, what is not, and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.advise.papers import document

from wardwatch.advise.assets import Asset, Library, overall
from wardwatch.advise.own import own_records
from wardwatch.advise.statements import statements
from wardwatch.model.advisory import Exposure

OWN = Library(s for record in own_records() for s in statements(record))
WORDS = {Exposure.AFFECTED: "affected", Exposure.NOT_AFFECTED: "not", Exposure.UNKNOWN: "unknown", Exposure.CONDITIONAL: "conditional", None: "none"}  # fmt: skip


def library(*products, **said):
    return Library(statements(document(products=products, **said)))


def ask(of, maker, model, version="", component=""):
    return of.match(Asset(maker, model, version, component))


def status(of, *asset):
    return WORDS[overall(ask(of, *asset))]


ACME = library(
    ("Acme", "Flow Pump 4000", "<= 2.0", "Flow Pump 4000: Versions 2.0 and prior"),
    ("Acme", "Flow Server", "1.1 | 1.2", "Flow Server: 1.1 1.2"),
)


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        (("Acme", "Flow Pump 4000", "1.9"), "affected"),
        (("ACME Medical Inc.", "FLOW-4000 infusion pump", "v2.0.0"), "affected"),
        (("Acme", "Flow Pump 4000", "2.1"), "not"),
        (("Acme", "Flow Pump 4000", "2.0.1"), "unknown"),
        (("Acme", "Flow Pump 4000", "n/a"), "unknown"),
        (("Acme", "Flow Pump 3000", "1.9"), "none"),
        (("Other", "Flow Pump 4000", "1.9"), "unknown"),
        (("Other", "Flow Pump 4000", "2.1"), "unknown"),
        (("", "Flow Pump 4000", "2.1"), "unknown"),
        (("Acme", "Flow Server", "1.1"), "affected"),
        (("Acme", "Flow Server", "1.3"), "unknown"),
        (("Acme", "Bed 7", "1.1"), "none"),
    ],
)
def test_a_device_is_answered_from_a_plain_document(asset, expected):
    assert status(ACME, *asset) == expected


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        (("ICU Medical", "Medfusion 4000", "1.5"), "affected"),
        (("Smiths Medical", "Medfusion 4000", "1.6.1"), "not"),
        (("Smiths Medical", "Medfusion 4000", "1.2"), "unknown"),
        (("Nikon", "Medfusion", "4000"), "unknown"),
        (("Smiths Medical", "Medfusion 3500", "1.5"), "none"),
        (("B. Braun", "Perfusor Space", ""), "unknown"),
        (("B. Braun", "Perfusor Space", "3", "Battery pack SP WiFi L81"), "affected"),
        (("B. Braun", "SpaceCom2", "L94"), "unknown"),
        (("Fresenius Kabi", "Agilia Connect WiFi module", "D27"), "unknown"),
        (("Fresenius Kabi", "Agilia Connect WiFi module", "D29"), "not"),
        (("Medtronic", "MiniMed 630G MMT-1715", ""), "affected"),
        (("BD", "Alaris Systems Manager", "12.5.1"), "unknown"),
        (("BD", "Alaris PCU Model 8015", "12.3.1"), "affected"),
        (("Baxter", "ExactaMix", "1.11"), "unknown"),
    ],
)
def test_pumps_are_answered_from_our_own_records(asset, expected):
    assert status(OWN, *asset) == expected


def test_every_answer_says_why_on_which_words_and_whence_the_version():
    (answer,) = OWN.match(Asset("Smiths Medical", "Medfusion 4000", "1.5", "", "wire"))
    assert "1.5 (seen on the wire)" in answer.reason
    assert answer.version_source == "wire"
    assert answer.basis == "product family"
    assert answer.text
    assert answer.origin.startswith("reading")
    (answer,) = ask(OWN, "ICU Medical", "Medfusion 4000", "1.5")
    assert "2022-01-06" in answer.reason


def test_cves_of_a_component_hang_on_its_version_until_it_is_given():
    def cves(*asset):
        of = {a.advisory: a for a in ask(OWN, *asset)}["ICSMA-20-170-04"]
        return {c.cve[-5:]: WORDS[c.exposure] for c in of.cves}, {c.condition for c in of.cves}

    bare, conditions = cves("Baxter", "Sigma Spectrum", "6.05.14")
    assert bare == dict.fromkeys(("12039", "12040"), "affected") | dict.fromkeys(("12041", "12043", "12045", "12047"), "conditional")  # fmt: skip
    assert "the version of the Wireless Battery Module" in conditions
    with_part, _ = cves("Baxter", "Sigma Spectrum", "6.05.14", "WBM v16")
    assert with_part["12041"] == "affected"
    assert with_part["12047"] == "not"


def test_a_residual_cve_is_named_though_the_rest_is_fixed():
    of = {a.advisory: a for a in ask(OWN, "BD", "Alaris Systems Manager", "12.5.1")}
    answer = of["ICSMA-23-194-01"]
    assert answer.exposure is Exposure.UNKNOWN
    assert [c.cve for c in answer.cves if c.exposure is Exposure.AFFECTED] == ["CVE-2023-30562"]


def test_a_word_of_the_title_makes_no_other_product():
    of = library(
        ("Acme", "PerformA", "<= 2.0", "PerformA: <= 2.0"),
        ("Acme", "Journal Service", "<= 1.0", "Journal Service: <= 1.0"),
        title="Acme Kiestra PerformA and Journal Service",
    )
    assert status(of, "Acme", "Kiestra PerformA", "2.1") == "not"
    assert status(of, "Acme", "Compact PerformA", "2.1") == "unknown"


def test_a_product_named_in_the_title_alone_is_a_question():
    of = library(
        ("Acme", "RF models EX1150", "< 8.2", "RF models EX1150: < 8.2"),
        title="Acme Merlin@home Transmitter Vulnerability",
    )
    assert status(of, "Acme", "Merlin@home", "8.1") == "unknown"
    assert status(of, "Acme", "Merlin@home EX1150", "8.1") == "affected"
    assert status(of, "Acme", "Transmitter", "8.1") == "none"


def test_numbers_side_by_side_are_products_each():
    of = library(("Acme", "NextSeq 1000/2000 Control Software", "<= 1.4", "NextSeq: <= 1.4"))
    assert [status(of, "Acme", f"NextSeq {n}", "1.5") for n in (1000, 2000, 3000)] == ["not", "not", "none"]  # fmt: skip
    series = library(("Acme", "Innova IGS 5x0", "vers:all/*", "Innova IGS 5x0: *"))
    assert [status(series, "Acme", f"Innova IGS {n}") for n in (540, 640)] == ["affected", "none"]


def test_not_affected_gives_way_where_a_second_name_may_be_the_same_product():
    of = library(
        ("Acme", "NovaSeq 6000 Control Software", "<= 1.7", "NovaSeq 6000: <= 1.7"),
        ("Acme", "NovaSeq Control Software", "1.8", "NovaSeq: 1.8"),
        ("Acme", "NovaSeq Mini Control Software", "1.9", "NovaSeq Mini: 1.9"),
    )
    assert [status(of, "Acme", "NovaSeq 6000", v) for v in ("1.7", "1.8", "1.9")] == ["affected", "unknown", "not"]  # fmt: skip


def test_a_family_without_its_model_asks_for_each_of_its_models():
    found = {a.advisory: a for a in ask(OWN, "BD", "Alaris PC unit", "9.33")}
    assert found["ICSMA-20-170-06"].exposure is Exposure.AFFECTED  # it names no model either
    one = found["ICSMA-23-194-01"]
    assert (one.exposure, one.condition) == (Exposure.UNKNOWN, "its model")
    told = {a.advisory: a.exposure for a in ask(OWN, "BD", "Alaris PC unit 8015", "9.33")}
    assert told["ICSMA-23-194-01"] is Exposure.AFFECTED
    assert "ICSMA-17-017-01" not in told  # that of the model 8000


def test_a_line_of_monitors_without_a_number_asks_for_each_of_its_models():
    of = library(
        (
            "Philips",
            "IntelliVue MX40 Patient Worn Monitor",
            "< B.06.18",
            "IntelliVue MX40: < B.06.18",
        )
    )
    assert status(of, "Philips", "IntelliVue MX", "B.05") == "unknown"
    assert status(of, "Philips", "IntelliVue MX40", "B.05") == "affected"
    assert status(of, "Philips", "IntelliVue MX800", "B.05") == "none"


def test_a_bound_that_a_later_fix_belies_is_unknown():
    of = library(
        ("Innokas", "VC150", "< 1.7.15", "VC150: prior to Version 1.7.15"),
        advisory="ICSMA-21-007-01",
    )
    assert [status(of, "Innokas", "VC150", v) for v in ("1.7.14", "1.7.15", "1.7.15b")] == ["affected", "unknown", "not"]  # fmt: skip


def test_some_versions_of_a_product_may_be_taken_out():
    of = library(("Acme", "Venue, not including Venue 40 R1-3", "vers:all/*", "Venue, not ..."))
    assert [status(of, "Acme", "Venue 40", v) for v in ("R3", "R4", "")] == ["not", "affected", "unknown"]  # fmt: skip
    line = library(
        ("Acme", "Invenia, not including VScan product line", "vers:all/*", "Invenia ...")
    )
    assert status(line, "Acme", "Vscan Extend", "1.3") == "not"


def test_what_a_document_takes_out_is_not_affected_by_its_own_words():
    of = library(("Acme", "Echo, not including Echo 100 Pro", "vers:all/*", "Echo, not ... Pro"))
    assert status(of, "Acme", "Echo S8", "") == "affected"
    assert status(of, "Acme", "Echo 100 Pro", "") == "not"
    assert status(of, "Acme", "Echo, not including Echo 100 Pro", "") == "affected"


def test_where_branch_and_leaf_name_differ_only_what_lies_between_is_unknown():
    of = library(("Acme", "Flow Portal", "<= 1.0.0", "Flow Portal: Version 1.1.0 and below"))
    assert [status(of, "Acme", "Flow Portal", v) for v in ("0.9", "1.1.0", "1.2")] == ["affected", "unknown", "not"]  # fmt: skip


def test_a_name_that_is_anybodys_asks_nothing_under_another_maker():
    of = library(("Acme", "Patient Portal", "<= 1.0", "x"))
    assert status(of, "Acme", "Patient Portal", "0.9") == "affected"
    assert status(of, "Other", "Patient Portal", "0.9") == "none"


def test_a_name_merely_contained_never_calls_a_device_unaffected():
    of = library(("Acme", "Flow Portal", "<= 1.0", "x"))
    assert status(of, "Acme", "Flow Portal Gateway", "0.9") == "affected"
    assert status(of, "Acme", "Flow Portal Gateway", "2.0") == "unknown"


def test_a_version_of_a_component_says_nothing_of_its_host():
    from wardwatch.advise.statements import statements as read

    wlan = document(
        advisory="ICSMA-19-255-01",
        products=tuple(("Philips", "MP", "x", "x") for _ in range(4)),
    )
    host = document(
        advisory="ICSMA-18-156-01",
        products=tuple(("Philips", "MP", "x", "x") for _ in range(3)),
    )
    of = Library((*read(wlan), *read(host)))
    found = {
        a.advisory: WORDS[a.exposure] for a in ask(of, "Philips", "IntelliVue MP50", "A.03.09")
    }
    assert found == {"ICSMA-19-255-01": "affected", "ICSMA-18-156-01": "unknown"}
    assert status(of, "Philips", "IntelliVue MP50", "P.01") == "unknown"


def test_a_fix_that_prose_names_or_leaves_open_only_raises_doubt():
    products = (("Acme", "Flow Portal", "<= 1.0", "x"),)
    gap = library(*products, remedies=("Acme recommends to update to version 1.2.",))
    assert [status(gap, "Acme", "Flow Portal", v) for v in ("1.0", "1.1", "1.2")] == ["affected", "unknown", "not"]  # fmt: skip
    left = library(*products, remedies=("Version 1.2 fixes all vulnerabilities except CVE-2020-0001.",))  # fmt: skip
    assert status(left, "Acme", "Flow Portal", "1.2") == "unknown"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_a_version_inside_a_stated_range_is_never_called_unaffected(a, b, c, d):
    """The dangerous error, over honest ranges: the slow twin pads and compares."""
    of = library(("Acme", "Flow Portal", f"<= {a}.{b}", "x"))
    found = status(of, "Acme", "Flow Portal", f"{c}.{d}")
    assert found == ("affected" if (c, d) <= (a, b) else "not")


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20), st.text(max_size=30))
def test_no_row_escapes(maker, model, version, component):
    for answer in ask(OWN, maker, model, version, component):
        assert answer.reason
