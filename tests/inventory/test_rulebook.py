import random
import re

import pytest

from wardwatch.inventory.rulebook import SHORTEST, _AnyOf, rulebook
from wardwatch.model.device import MEDICAL_KINDS

BOOK = rulebook()


def test_rules_have_names_of_their_own_and_state_source_and_weight():
    ids = [rule.id for rule in BOOK.rules]
    assert len(set(ids)) == len(ids)
    for rule in BOOK.rules:
        assert rule.source and rule.says, rule.id
        assert 0 < rule.weight <= 1, rule.id


def test_every_rule_says_how_it_reads_its_sign():
    for rule in BOOK.rules:
        ways = (rule.match is not None, bool(rule.is_), bool(rule.prefix))
        assert sum(ways) == 1, rule.id


def test_prefixes_are_written_as_macs_are():
    for rule in BOOK.rules:
        for prefix in rule.prefix:
            assert re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{1,2})+", prefix), rule.id
            assert len(prefix) >= SHORTEST, rule.id


def test_every_prefix_speaks_for_the_addresses_behind_it():
    for rule in BOOK.rules:
        for prefix in rule.prefix:
            assert rule in BOOK.of_mac(prefix + "00:00:00:00:00:00"[len(prefix) :]), prefix


def test_no_prefix_is_claimed_by_two_makers():
    claimed = [prefix for rule in BOOK.rules for prefix in rule.prefix]
    assert len(set(claimed)) == len(claimed)


def test_modules_claim_nothing_of_the_device():
    modules = [rule for rule in BOOK.rules if rule.module]
    assert len(modules) >= 9
    assert not any(rule.claims for rule in modules)


def test_the_tls_rule_reads_a_shape_and_names_no_suite():
    shape = next(rule for rule in BOOK.rules if rule.id == "medfusion-tls-hello")
    assert shape.speaks("0301 suites 27 extensions 0 length 93 export")
    assert not shape.speaks("0301 suites 27 extensions 0 length 95 export")
    assert not shape.speaks("0301 suites 28 extensions 0 length 93 export")
    assert not shape.speaks("0301 suites 27 extensions 0 length 93")


def test_port_1588_alone_is_no_evidence():
    assert "1588" not in BOOK.values_of("port.tcp") + BOOK.values_of("client.tcp")


def test_the_values_that_are_looked_for_are_known_where_all_rules_list_theirs():
    assert set(BOOK.sought("dhcp.parameters")) == set(BOOK.values_of("dhcp.parameters"))
    assert BOOK.sought("name.host") is None
    assert BOOK.sought("oui") is None
    assert BOOK.sought("nobody.reads") == ()


def test_a_long_text_from_outside_is_only_read_at_its_head():
    rule = next(rule for rule in BOOK.rules if rule.id == "name-medfusion")
    assert rule.speaks("x" * 500 + "medfusion")
    assert rule.speaks("x" * 100_000 + "medfusion") is False


def test_the_longest_prefix_speaks_first():
    assert [rule.id for rule in BOOK.of_mac("00:00:5e:00:01:07")] == ["router-virtual"]
    assert [rule.manufacturer for rule in BOOK.of_mac("70:b3:d5:36:a0:01")] == ["BD"]
    assert BOOK.of_mac("70:b3:d5:36:b0:01") == ()


def test_a_rule_for_any_banner_reads_each_kind():
    assert [r.id for r in BOOK.speaking("banner.http", "HP JetDirect")] == ["banner-printer"]


def test_listed_models_need_maker_and_word_to_agree():
    assert BOOK.listed_model("Smiths Medical", "Medfusion 4000 Wireless").family == "medfusion-4000"
    assert (
        BOOK.listed_model("SMITHS MEDICAL ASD INC", "MEDFUSION 4000 SYRINGE PUMP").family
        == "medfusion-4000"
    )
    assert BOOK.listed_model("Smiths", "MF4000 syringe pump (wireless)").family == "medfusion-4000"
    assert BOOK.listed_model("", "Medfusion 4000").family == "medfusion-4000"
    assert BOOK.listed_model("Nikon", "Medfusion 4000") is None
    assert BOOK.listed_model("Smiths Medical", "Medfusion 3500").family == "medfusion-3500"
    assert BOOK.listed_model("Smiths Medical", "Medfusion 40001") is None


def test_kinds_of_listed_models_are_ours():
    assert {m.kind for m in BOOK.models} <= {*MEDICAL_KINDS, "pump server"}


@pytest.mark.parametrize("seed", range(30))
def test_letters_of_any_size_are_found_among_small_ones_as_they_are(seed):
    chance = random.Random(seed)
    pieces = ["ward", "ab[a-f]c", "x+y?", r"-\d+", "k", "[^a-e]s", "(ß|q)z", "W", r"\x4a", r"\Dq"]
    expressions = [
        chance.choice(("(?i)", "(?i)", "(?i)", ""))
        + chance.choice(("", "^"))
        + "".join(chance.choices(pieces[: chance.choice((5, 6, len(pieces)))], k=2))
        for _ in range(3)
    ]
    any_of = _AnyOf(expressions)
    for _ in range(400):
        text = "".join(chance.choices("abcKkxXyWward-1289sSqQzZßJjK\u017f", k=chance.randint(0, 9)))
        said = any(re.search(expression, text) for expression in expressions)
        assert any_of.finds(text) == said, (expressions, text)


def test_capital_letters_in_the_middle_of_a_range_are_found():
    any_of = _AnyOf(["(?i)[!-_]-pump", "(?i)ward"])
    assert any_of.finds("a-pump") and any_of.finds("A-PUMP") and not any_of.finds("{-pump")


def test_names_are_searched_among_small_letters():
    assert BOOK._readers("name.host")[1]._small is not None


def test_rules_that_are_searched_for_together_speak_as_each_of_them_does():
    names = ["PUMP-1", "my-iPhone", "ws12", "DESKTOP-abcdefg", "NPI123456", "host-1", "", "x" * 600]
    spoke = set()
    for sign, own in BOOK.by_sign.items():
        if "." not in sign:
            continue
        general = BOOK.by_sign.get(sign.partition(".")[0], ())
        for value in (*names, "MSFT 5.0", "HP JetDirect", "MDC_DEV_X_VENT", "access point"):
            said = BOOK.speaking(sign, value)
            assert said == tuple(rule for rule in (*own, *general) if rule.speaks(value))
            spoke.update(rule.id for rule in said)
    assert len(spoke) > 15
