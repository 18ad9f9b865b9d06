"""Makers: names as people write them, and who answers for whom since when."""

import pytest

from wardwatch.advise.knowledge import makers
from wardwatch.advise.makers import answering, answers, called, makers_in, makers_of, since


@pytest.mark.parametrize(
    ("text", "maker"),
    [
        ("SMITHS MEDICAL ASD INC", "smiths"),
        ("Becton, Dickinson and Company (BD)", "bd"),
        ("B.Braun", "bbraun"),
        ("BBraunMelsungen", "bbraun"),
        ("Dräger", "draeger"),
        ("Draegerwerk AG & Co. KGaA", "draeger"),
        ("Phillips", "philips"),
        ("Medtronic ", "medtronic"),
        ("Hillrom and ELI, Baxter International Inc.", "baxter"),
        ("Innokas YhtymÃ¤ Oy", "innokas"),
    ],
)
def test_a_makers_many_names_are_one(text, maker):
    assert maker in makers_of(text)


def test_a_stranger_is_itself_and_nobody_is_nobody():
    assert answers(makers_of("OFFIS e.V."), makers_of("Offis"))
    assert answers(makers_of("Beacon Medaes"), makers_of("BeaconMedaes Inc."))
    assert not answers(makers_of("Beacon Hill"), makers_of("BeaconMedaes"))
    assert makers_of("  ") == frozenset()


def test_who_may_answer_for_whom_goes_both_ways():
    assert {"icu", "smiths", "hospira"} <= answering(frozenset({"icu"}))
    assert {"icu", "smiths"} <= answering(frozenset({"smiths"}))
    assert answering(frozenset({"~nobody"})) == {"~nobody"}


def test_a_maker_is_called_by_all_its_words():
    assert {"change", "healthcare", "mckesson"} <= called(frozenset({"change"}))


def test_a_buyer_answers_for_what_it_bought_and_says_since_when():
    icu, smiths = makers_of("ICU Medical"), makers_of("Smiths Medical")
    assert answers(icu, smiths)
    assert "2022-01-06" in since(icu, smiths)
    assert since(smiths, smiths) == ""
    assert not answers(makers_of("Nikon"), smiths)


def test_a_product_may_begin_with_its_maker():
    assert "bd" in makers_in("BD Alaris PCU")
    assert makers_in("Catalyst 2960") == frozenset()


def test_every_bond_has_a_source_and_two_known_ends():
    known = {maker.id for maker in makers()}
    for maker in makers():
        for bond in (*maker.owns, *maker.sells_as):
            assert bond.maker in known
            assert bond.source
