"""Names brought to words: one product however it is spelled, two where they may be two."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.advise.naming import fits, name_of, plain, words_of


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("IntelliBridge EC40 Hub", "Intellibridge EC 40"),
        ("Discovery NM750b", "DISCOVERY NM 750b"),
        ("Infusion Pump Medfusion 4000", "medfusion 4000 wireless syringe pump"),
        ("Osimis WebViewer", "Osimis Web Viewer"),
    ],
)
def test_spellings_of_one_product_meet(one, two):
    a, b = name_of(one), name_of(two)
    assert a.core == b.core or a.tight == b.tight


def test_products_that_may_be_two_differ():
    assert name_of("Optima CT540").core != name_of("Optima 540").core
    assert name_of("LOGIQ E9").numbers != name_of("LOGIQ 9").numbers


def test_accents_signs_and_mojibake_are_undone():
    assert plain("Dräger Infinity®") == "drager infinity"
    assert plain("Innokas YhtymÃ¤ Oy") == "innokas yhtyma oy"
    assert plain("Wi-Fi & Battery") == "wifi and battery"


def test_what_people_shorten_is_read_in_full():
    assert plain("Defib Dashboard") == "defibrillator dashboard"
    assert plain("Systems Mgr (Svr)") == "systems manager server"
    assert name_of("Claria CRT-D").core == name_of("Claria").core


def test_the_makers_own_words_do_not_count():
    assert name_of("BD Alaris PCU", "BD").core == name_of("Alaris PCU", "BD").core


def test_a_rule_wants_all_its_words_and_none_that_it_bans():
    words = words_of("Alaris GH Plus 8015")
    assert fits("alaris gh", words)
    assert not fits("alaris !gh", words)
    assert not fits("alaris gs", words)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_name(text):
    assert name_of(text, text).core is not None
