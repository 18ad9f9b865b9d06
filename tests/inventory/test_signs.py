from tests.inventory.seen import PLAIN, PUMP, Evidence

from wardwatch.inventory.rulebook import rulebook
from wardwatch.inventory.signs import PACKETS, VALUES, signs, told
from wardwatch.inventory.stations import stations

IP = "10.1.2.3"


def shown(seen):
    tables = seen.tables
    return list(signs(told(tables, rulebook()), stations(tables)))


def values(seen, sign):
    return {s.value for s in shown(seen) if s.sign == sign}


def test_every_sign_that_a_rule_reads_is_one_that_a_question_gives():
    from wardwatch.inventory import signs as module

    asked = " ".join(
        (
            *module._OF_CLIENTS,
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
