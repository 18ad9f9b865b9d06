"""Statements of a document: its leaves, and our readings over them."""

from tests.advise.papers import document

from wardwatch.advise.statements import statements

CVES = ("CVE-2020-0001", "CVE-2020-0002")


def test_leaves_of_one_product_are_alternatives_of_one_statement():
    found = statements(
        document(
            products=(
                ("Acme", "Pump 4000", "1.1", "Pump 4000: Version 1.1"),
                ("Acme", "Pump 4000", "<= 0.9", "Pump 4000: Versions 0.9 and prior"),
            )
        )
    )
    (one,) = found
    assert one.affected is not None
    assert len(one.affected.alternatives) == 2
    assert one.cves == ("CVE-2020-0001",)


def test_a_leaf_name_narrows_and_a_leaf_without_cves_says_nothing():
    products = (
        ("Acme", "A", "1.X", "A: 1.X (Impacted by CVE-2020- 0002)"),
        ("Acme", "B", "1.X", "B: 1.X"),
        ("Acme", "C", "1.X", "C: 1.X"),
    )
    found = statements(
        document(products=products, cves=CVES, marks={CVES[0]: [1, 2], CVES[1]: [1, 2]})
    )
    assert [(s.product, s.cves) for s in found] == [("A", CVES[1:]), ("B", CVES)]


def test_words_that_take_products_out_are_kept_apart():
    (one,) = statements(
        document(products=(("Acme", "Echo, not including Echo 100 Pro", "vers:all/*", "Echo"),))
    )
    assert one.product == "Echo"
    assert [name.text.strip() for name in one.excluded] == ["Echo 100 Pro"]


def test_a_model_in_the_versions_place_joins_the_name_and_a_condition_does_not():
    model, condition, ranged = statements(
        document(
            products=(
                ("Acme", "Scanner Family", "882300 Gemini Slice", "x"),
                ("Acme", "Arm", "with wireless option", "x"),
                ("Acme", "Client", "<=11.2 on Windows 8.1 with IIS 7.5", "x"),
            )
        )
    )
    assert model.product == "Scanner Family 882300 Gemini Slice"
    assert (condition.product, condition.when) == ("Arm", "this fits it: with wireless option")
    assert ranged.affected is not None
    assert ranged.proviso == "on Windows 8.1 with IIS 7.5"


def test_a_reading_lies_over_the_leaves_it_restates_and_keeps_their_words():
    (one,) = statements(
        document(
            advisory="ICSMA-20-296-01",
            products=(("B. Braun Medical", "AP", "<= 3.0", "AP: 3.0 and earlier"),),
        )
    )
    assert one.families == {"bbraun.onlinesuite"}
    assert one.text == "AP: 3.0 and earlier"
    assert one.origin.startswith("reading")
    assert one.why


def test_a_reading_invents_no_cve_that_the_document_lacks():
    found = statements(document(advisory="ICSMA-23-194-01", products=(("BD", "x", "1", "x"),)))
    assert found
    assert all(set(one.cves) <= {"CVE-2020-0001"} for one in found)


def test_every_statement_of_our_own_records_keeps_words_to_rely_on():
    from wardwatch.advise.own import own_records

    for record in own_records():
        assert all(one.text and one.origin for one in statements(record)), record.id
