"""wardwatch.decode.wire.dns"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import dns, name, pointer, question, record, u16

from wardwatch.decode.wire import dns as parser

ASKED = question(name("ward.example"))


def faults(payload: bytes, claimed: int = -1) -> list[str]:
    return [a.fault.name for a in parser.parse(payload, claimed)[1]]


def row_of(payload: bytes, claimed: int = -1) -> dict:
    message, _ = parser.parse(payload, claimed)
    assert message is not None
    return parser.row(message)


@needs_shared
def test_captured_questions_and_answers_are_read() -> None:
    seen = [
        s
        for s in walk(CAPTURES / "dns-normal__chris__dns_query_response.pcapng")
        if s.kind == "udp"
    ]
    asked, answered = (row_of(s.payload, s.claimed) for s in seen[:2])
    assert (asked["is_response"], answered["is_response"]) == (False, True)
    assert asked["query"] == answered["query"] != ""
    assert asked["trans_id"] == answered["trans_id"]
    assert len(answered["answers"]) == answered["ancount"] > 0


@needs_shared
@pytest.mark.parametrize(
    ("capture", "fault"),
    [
        ("dns-counts-too-large__tcpdump__dns-badlabel.pcap", "dns_impossible_counts"),
        ("dns-edns__zeek__dns-edns-ecs-bad.pcap", "dns_impossible_counts"),
        ("dns-malformed-loop__ndpi__malformed_dns.pcap", "dns_pointer_loop"),
        ("dns-malformed__zeek__dns-edns-bad-length.pcap", "dns_edns_option"),
        ("dns-malformed__zeek__dns-invalid-names.pcap", "dns_pointer_loop"),
        ("dns-malformed__dpkt__truncated_dns.pcap", "dns_cut"),
    ],
)
def test_captured_damage_is_named(capture: str, fault: str) -> None:
    seen = [s for s in walk(CAPTURES / capture) if s.kind == "udp"]
    assert fault in {f for s in seen for f in faults(s.payload, s.claimed)}


@given(st.binary(max_size=400))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = parser.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.binary(max_size=400))
def test_hostile_records_are_data(rest: bytes) -> None:
    message, _ = parser.parse(dns([ASKED], flags=0x8180, counts=(1, 3, 2, 2)) + rest)
    assert message is not None
    parser.row(message)


labels = st.lists(st.text("abcxyz019-_", min_size=1, max_size=20), min_size=1, max_size=4).map(
    ".".join
)
addresses = st.binary(min_size=4, max_size=4)


@given(
    labels,
    st.lists(st.tuples(addresses, st.integers(0, 2**32 - 1)), max_size=5),
    st.integers(0, 65535),
)
def test_honest_messages_read_back(qname: str, found: list[tuple[bytes, int]], ident: int) -> None:
    payload = dns(
        [question(name(qname.upper()))],
        [record(pointer(12), 1, raw, ttl) for raw, ttl in found],
        ident=ident,
    )
    message, anomalies = parser.parse(payload)
    assert message is not None
    assert anomalies == ()
    row = parser.row(message)
    assert (row["query"], row["trans_id"], row["ancount"]) == (qname, ident, len(found))
    assert row["answers"] == tuple(".".join(map(str, raw)) for raw, _ in found)
    assert row["TTLs"] == tuple(ttl for _, ttl in found)
    assert {r.name for r in message.records} <= {qname}


def test_names_addresses_and_other_types_are_told() -> None:
    row = row_of(wire.ANSWER)
    assert row["query"] == "www.ward.example"
    assert row["answers"] == ("srv.ward.example", "10.0.0.9", "2001:db8::9")
    assert row["answer_types"] == (5, 1, 28)
    assert row["edns_size"] == 1232
    assert row_of(wire.SERVICES)["answers"] == (
        "dc1.ward.example",
        "TYPE16",
        "mx._ldap._tcp.ward.example",
    )
    assert (row_of(wire.ROOT)["query"], row_of(wire.ROOT)["qtype"]) == (".", 2)


def test_odd_octets_of_a_label_are_decimal() -> None:
    row = row_of(dns([question(b"\x09a.b\\ \xff<\0Z\0", 1)]))
    assert row["query"] == "a\\046b\\092\\032\\255<\\000z"


def test_every_question_is_kept() -> None:
    row = row_of(
        dns([question(name("a.local")), question(pointer(12)), question(name("b.local"))], flags=0)
    )
    assert row["query"] == "a.local"
    assert row["questions"] == ("a.local", "a.local", "b.local")
    assert row_of(wire.QUERY)["questions"] == ()


A = record(pointer(12), 1, bytes([10, 0, 0, 9]))
LONG = b"".join(bytes([63]) + b"a" * 63 for _ in range(4))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "dns_truncated"),
        (wire.QUERY[:11], "dns_truncated"),
        (dns([ASKED], [A], counts=(1, 4, 0, 0)), "dns_impossible_counts"),
        (dns([ASKED], counts=(1, 0, 0, 65535)), "dns_impossible_counts"),
        (dns([ASKED], [A, A + bytes(20)], counts=(1, 4, 0, 0))[:-1], "dns_overrun"),
        (dns([ASKED], [A])[:-1], "dns_overrun"),
        (dns([ASKED], [record(pointer(12), 1, bytes(4))[:-6] + u16(500) + bytes(4)]), "dns_overrun"),
        (dns([b"\x3fward"]), "dns_overrun"),
        (dns([name("ward")]), "dns_overrun"),
        (dns([question(pointer(12))]), "dns_pointer_loop"),
        (dns([question(b"\x01a" + pointer(12))]), "dns_pointer_loop"),
        (dns([ASKED], [record(pointer(30), 1, bytes(4))]), "dns_pointer_loop"),
        (dns([ASKED], [record(b"\0", 5, pointer(41))]), "dns_pointer_loop"),
        (dns([question(b"\x40a\0")]), "dns_label_type"),
        (dns([question(b"\x80a\0")]), "dns_label_type"),
        (dns([question(LONG + b"\0")]), "dns_name_length"),
        (dns([ASKED], [record(pointer(12), 1, bytes(5))]), "dns_rdata_length"),
        (dns([ASKED], [record(pointer(12), 28, bytes(4))]), "dns_rdata_length"),
        (dns([ASKED], [record(pointer(12), 5, name("x") + b"\0")]), "dns_rdata_length"),
        (dns([ASKED], [record(pointer(12), 6, name("x") + name("y") + bytes(19))]), "dns_rdata_length"),
        (dns([ASKED], additional=[wire.OPT, wire.OPT]), "dns_edns"),
        (dns([ASKED], [wire.OPT]), "dns_edns"),
        (dns([ASKED], additional=[record(name("x"), 41, b"")]), "dns_edns"),
        (dns([ASKED], additional=[record(b"\0", 41, b"\0\x0a\0\x09" + bytes(8))]), "dns_edns_option"),
    ],
)  # fmt: skip
def test_one_damage_is_one_anomaly(payload: bytes, expected: str) -> None:
    assert faults(payload) == [expected]


def test_the_columns_of_cve_2017_12722() -> None:
    row = row_of(dns([ASKED], [A], counts=(1, 4, 0, 0)))
    assert (row["impossible_counts"], row["overrun"], row["pointer_loop"]) == (True, False, False)
    row = row_of(dns([ASKED], [A])[:-1])
    assert (row["impossible_counts"], row["overrun"], row["pointer_loop"]) == (False, True, False)
    row = row_of(dns([question(pointer(12))]))
    assert (row["impossible_counts"], row["overrun"], row["pointer_loop"]) == (False, False, True)


def test_many_answers_that_fit_are_normal() -> None:
    least = b"\0" + u16(0) + u16(1) + bytes(4) + u16(0)
    assert faults(dns([ASKED], [least] * 200)) == []
    assert faults(dns([ASKED], [least] * 200, counts=(1, 201, 0, 0))) == ["dns_impossible_counts"]


def test_a_truncated_message_says_so_and_is_no_fault() -> None:
    payload = dns([ASKED], [A, A], flags=0x8380)
    for kept in range(12 + len(ASKED), len(payload)):
        assert faults(payload[:kept]) == []
    assert faults(dns([ASKED], [A], flags=0x8380, counts=(1, 9, 0, 0))) == []
    # but its questions must be there
    assert faults(dns([ASKED], flags=0x8380, counts=(999, 0, 0, 0))) == ["dns_impossible_counts"]


def test_what_the_capture_cut_is_no_overrun() -> None:
    payload = dns([ASKED], [A, A])
    for kept in range(12, len(payload)):
        message, anomalies = parser.parse(payload[:kept], len(payload))
        assert [a.fault for a in anomalies] == [parser.CUT]
        assert message is not None
        assert not (message.overrun or message.impossible_counts or message.pointer_loop)


def test_updates_may_name_records_without_data() -> None:
    update = [record(pointer(12), 1, b"", 0, 255), record(pointer(12), 28, b"", 0, 254)]
    assert faults(dns([ASKED], authorities=update, flags=0x2800)) == []


def test_pointers_that_lead_on_and_on_end_in_bounded_work() -> None:
    chain = b"".join(b"\x3f" + b"a" * 63 + pointer(17 + 66 * (k + 1)) for k in range(200))
    assert "dns_pointer_loop" in faults(
        dns([question(b"\0")], flags=0x8180, counts=(2, 0, 0, 0)) + chain
    )
    # 5,000 records whose names are each a long walk
    walk = b"\x01a" * 126 + b"\0"
    payload = dns([question(walk)], [record(pointer(12), 0, b"")] * 5000)
    message, anomalies = parser.parse(payload)
    assert message is not None
    assert [a.fault for a in anomalies] == [parser.WORK_BOUND]
    assert len(message.records) < 200


def test_names_that_stand_alone_follow_no_pointer() -> None:
    assert parser.wire_name(name("Pump.ward")) == "pump.ward"
    assert parser.wire_name(b"\x04ward\xc0\x00") == "ward"
    assert parser.wire_name(b"\x3fab") == "ab"


def test_faults_are_listed_once() -> None:
    assert len({f.name for f in parser.FAULTS}) == len(parser.FAULTS)


TWICE = dns([ASKED, ASKED], flags=0x0100)


def test_several_questions_are_named_unless_multicast_carries_them() -> None:
    assert [a.fault.name for a in parser.parse(TWICE)[1]] == ["dns_question_count"]
    assert parser.parse(TWICE, multicast=True)[1] == ()
    update = TWICE[:2] + b"\x28\x00" + TWICE[4:]
    assert parser.parse(update)[1] == ()  # another opcode counts zones there (RFC 2136 §2.2)


def test_a_pointer_to_a_pointer_is_named_and_still_read() -> None:
    record = b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"
    head = dns([ASKED], flags=0x8180, counts=(1, 2, 0, 0))
    first = len(head)
    honest = head + b"\xc0\x0c" + record + b"\xc0\x0c" + record
    chained = head + b"\xc0\x0c" + record + bytes([0xC0, first]) + record
    assert parser.parse(honest)[1] == ()
    message, anomalies = parser.parse(chained)
    assert [a.fault.name for a in anomalies] == ["dns_pointer_chain"]
    assert message is not None
    assert not message.pointer_loop
    assert len({r.name for r in message.records}) == 1
