import random

import msgspec
import pytest
from tests.inventory.seen import PLAIN, PUMP, Evidence

from wardwatch.inventory import signs as module
from wardwatch.inventory import stations as source
from wardwatch.inventory.rulebook import rulebook
from wardwatch.inventory.signs import PACKETS, VALUES, signs, told
from wardwatch.inventory.stations import stations

IP = "10.1.2.3"


def shown(seen):
    tables = seen.tables
    return list(signs(tables, told(tables, rulebook()), stations(tables)))


def values(seen, sign):
    return {s.value for s in shown(seen) if s.sign == sign}


def test_every_sign_that_a_rule_reads_is_one_that_a_question_gives():
    asked = " ".join(
        (
            repr(module._OF_CLIENTS),
            *(q for _, q in (*module._QUESTIONS, *module._named_questions(rulebook()))),
        )
    )
    given_elsewhere = {
        "oui",
        "banner",
        "role.routing",
        "role.pump_server_soap",
        "role.pump_server_tls",
    }
    for rule in rulebook().rules:
        basis = rule.sign.split(".")[0]
        if rule.sign not in given_elsewhere:
            assert f"'{rule.sign}'" in asked or f"'{basis}.'" in asked, rule.id


def test_nothing_seen_shows_nothing():
    assert shown(Evidence()) == []


def test_a_sign_counts_its_packets_and_keeps_the_first():
    seen = Evidence().station(PUMP, IP)
    for _ in range(PACKETS + 3):
        seen.dhcp_client(PUMP, vendor_class="x")
    (sign,) = [s for s in shown(seen) if s.sign == "dhcp.vendor_class"]
    assert (sign.station, sign.value, sign.times) == (PUMP, "x", PACKETS + 3)
    assert len(sign.packets) == PACKETS
    assert list(sign.packets) == sorted(sign.packets)


def test_new_names_each_time_are_bounded():
    seen = Evidence().station(PUMP)
    for number in range(VALUES + 20):
        seen.dhcp_client(PUMP, host_name=f"name-{number:03}")
    assert len(values(seen, "name.host")) == VALUES
    assert "name-000" in values(seen, "name.host")


def test_messages_of_a_client_that_say_different_things_count_together_where_they_agree():
    seen = Evidence().station(PUMP, IP)
    for number in range(PACKETS + 3):
        seen.dhcp_client(PUMP, vendor_class="x", host_name=f"name-{number % 3}")
    signs_ = {(s.sign, s.value): s for s in shown(seen) if s.sign.startswith(("dhcp.v", "name."))}
    one = signs_["dhcp.vendor_class", "x"]
    names = [signs_["name.host", f"name-{n}"] for n in range(3)]
    assert one.times == PACKETS + 3 == sum(name.times for name in names)
    every = sorted(packet for name in names for packet in name.packets)
    assert list(one.packets) == every[:PACKETS]


def asking(*lists):
    seen = Evidence().station(PUMP, IP)
    for parameters in lists:
        seen.dhcp_client(PUMP, vendor_class="x", parameter_list=list(parameters))
    return seen


def test_what_a_client_asks_for_is_told_where_a_rule_looks_for_it():
    every = [tuple(map(int, v.split(","))) for v in rulebook().sought("dhcp.parameters")]
    for parameters in every:
        # another order, one more and one less are other lists, unless a rule names them too
        other = {parameters[::-1], (*parameters, 255), parameters[:-1], ()} - set(every)
        seen = asking(parameters, *other)
        assert values(seen, "dhcp.parameters") == {",".join(map(str, parameters))}
        assert [s.times for s in shown(seen)] == [1 + len(other), 1]


def test_what_a_client_asks_for_is_told_always_where_a_rule_reads_it_by_an_expression():
    book = rulebook()
    (first, *_) = book.rules
    reads = msgspec.structs.replace(first, sign="dhcp.parameters", match="^1,", is_=(), prefix=())
    book = msgspec.structs.replace(book, rules=(*book.rules, reads))
    tables = asking((1, 99), ()).tables
    found = signs(tables, told(tables, book), stations(tables))
    assert [s.value for s in found if s.sign == "dhcp.parameters"] == ["1,99"]


@pytest.mark.parametrize("at_once", [1, 3])
def test_signs_that_are_made_some_at_a_time_are_the_same(monkeypatch, at_once):
    seen = Evidence().station(PUMP, IP).dhcp_server(PLAIN, "10.1.2.1", routers=["10.1.2.9"])
    for number in range(VALUES + 5):
        # the first name comes again when there is room for no other
        seen.dhcp_client(PUMP, vendor_class="x", host_name=f"name-{number % (VALUES + 3):03}")
        seen.dhcp_client(
            PLAIN, client_fqdn=f"other-{number % 2}", parameter_list=[1, 3, (6, 28)[number % 2]]
        )
    expected = shown(seen)
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    assert shown(seen) == expected
    assert len(expected) == 1 + VALUES + 2 + 2 + 2
    (again,) = [s for s in expected if s.value == "name-000"]
    assert again.times == 2


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_of_new_banners_each_time_the_first_are_told(monkeypatch, at_once):
    seen = Evidence().station(PUMP, IP).station(PLAIN, "10.1.2.4")
    for number in reversed(range(VALUES + 20)):
        seen.banner(PUMP, IP, "ftp", f"banner-{number:03}")
        seen.banner(PLAIN, "10.1.2.4", "telnet", f"other-{number % 3}")
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    assert values(seen, "banner.ftp") == {f"banner-{n:03}" for n in range(20, VALUES + 20)}
    others = [s for s in shown(seen) if s.sign == "banner.telnet"]
    assert {s.value for s in others} == {"other-0", "other-1", "other-2"}
    assert sum(s.times for s in others) == VALUES + 20


def test_replies_and_what_relays_passed_on_are_counted_once_for_all_who_ask():
    seen = Evidence().station(PUMP, IP)
    for number in range(PACKETS + 2):
        named = {"routers": ["10.1.2.9"], "giaddr": "0.0.0.0"}
        seen.dhcp_server(PLAIN, "10.1.2.1", chaddr=f"00:1b:21:00:00:{number:02x}", **named)
    seen.dhcp_client(PUMP, giaddr="10.1.2.7")
    said = {(s.sign, s.station): (s.times, len(s.packets)) for s in shown(seen)}
    assert said == {
        ("role.router_named", "ip:10.1.2.9"): (PACKETS + 2, PACKETS),
        ("role.dhcp_server", PLAIN): (PACKETS + 2, PACKETS),
        ("role.dhcp_relay", "ip:10.1.2.7"): (1, 1),
    }


@pytest.mark.parametrize("seed", range(20))
def test_replies_show_the_same_in_hand_and_where_they_lie(seed, monkeypatch):
    chance = random.Random(seed)
    seen = Evidence().station(PUMP, IP).station(PLAIN, "10.1.2.1").banner(PUMP, IP, "ftp", "x")
    ips = ("10.1.2.1", "10.1.2.9", "10.1.2.4", "")
    for _ in range(chance.randint(1, 40)):
        named = {"server_id": chance.choice(ips), "giaddr": chance.choice((*ips, "0.0.0.0"))}
        kind = chance.choice(("OFFER", "ACK", "NAK", "DISCOVER"))
        named["routers"] = chance.choices(ips[:3], k=chance.randint(0, 2))
        op = chance.choice((1, 2, 2, 2))
        seen.dhcp_server(chance.choice((PLAIN, "")), ips[0], op=op, msg_type=kind, **named)
    monkeypatch.setattr(module, "VALUES", chance.choice((1, 32)))
    seen.add("dns", src=IP, kind="dns", is_response=True, src_port=53, rcode=0, packet=90)
    in_hand = shown(seen)
    assert {s.sign for s in in_hand} >= {"banner.ftp", "role.dns_server"}
    monkeypatch.setattr(source, "FEW_REPLIES", -1)
    assert shown(seen) == in_hand


def test_the_shape_of_a_hello_is_told_in_numbers_only():
    seen = Evidence().station(PUMP, IP).hello(PUMP, IP)
    assert values(seen, "tls.shape") == {"0301 suites 27 extensions 0 length 93 export"}


def test_a_fully_qualified_name_stands_in_for_a_missing_host_name():
    seen = Evidence().station(PUMP).dhcp_client(PUMP, client_fqdn="a.example")
    assert values(seen, "name.host") == {"a.example"}


def test_a_port_counts_where_a_server_answered():
    def port(**how):
        return values(Evidence().conversation(PUMP, IP, PLAIN, "10.1.2.9", 9100, **how), "port.tcp")

    assert port() == {"9100"}
    assert port(resp_bytes=0, conn_state="REJ") == set()
    assert values(Evidence().conversation(PUMP, IP, PLAIN, "10.1.2.9", 1588), "port.tcp") == set()
