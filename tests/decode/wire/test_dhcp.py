"""wardwatch.decode.wire.dhcp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import END, dhcp, option

from wardwatch.decode.wire import dhcp as parser


def faults(payload: bytes, claimed: int = -1) -> list[str]:
    return [a.fault.name for a in parser.parse(payload, claimed)[1]]


def rows(name: str) -> list[dict]:
    seen = [
        s for s in walk(CAPTURES / name) if s.kind == "udp" and {s.src_port, s.dst_port} & {67, 68}
    ]
    messages = [parser.parse(s.payload, s.claimed)[0] for s in seen]
    return [parser.row(m) for m in messages if m is not None]


@needs_shared
def test_a_captured_exchange_is_read() -> None:
    found = rows("dhcp-option-66-67-long__lab__dhcp_long_67_only.pcap")
    assert [r["msg_type"] for r in found] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert [r["opt67_len"] for r in found] == [-1, 181, -1, 181]  # a NUL closes the text
    assert [r["opt66_len"] for r in found] == [-1, 21, -1, 21]
    assert found[1]["bootfile"] == "f" * 180
    assert found[1]["tftp_server"] == "s" * 20
    assert found[1]["routers"] == ("10.24.0.2",)
    assert found[1]["chaddr"] == "02:00:00:00:02:01"
    assert found[1]["options"] == (53, 54, 51, 58, 59, 1, 28, 3, 67, 66)


@needs_shared
def test_a_captured_overload_is_followed_into_file_and_sname() -> None:
    (found,) = rows("dhcp-overload__sv__dhcp-option-52-overload-both__input.pcap")
    assert (found["overload"], found["sname"], found["file"]) == (3, "", "")
    assert found["options"] == (53, 57, 55, 51, 52, 56, 0, 61, 56, 56)


@given(st.binary(max_size=600))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = parser.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.binary(max_size=400))
def test_hostile_options_are_data(options: bytes) -> None:
    message, _ = parser.parse(dhcp(options))
    assert message is not None
    parser.row(message)


honest = st.lists(
    st.tuples(
        st.integers(1, 254).filter(lambda c: c not in (*parser.LENGTHS, *parser.ADDRESS_LISTS)),
        st.binary(max_size=70),
    ),
    min_size=1,
    max_size=6,
)


def wired(options: list[tuple[int, bytes]]) -> bytes:
    return b"".join(option(code, data) for code, data in options)


@given(honest, st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_honest_options_read_back(options: list[tuple[int, bytes]], pads: int, xid: int) -> None:
    message, anomalies = parser.parse(dhcp(wired(options) + bytes(pads) + END, xid=xid))
    assert message is not None
    assert anomalies == ()
    assert message.xid == xid
    assert [(o.code, o.data) for o in message.options] == options
    assert message.codes == (*(code for code, _ in options), *([0] * pads))
    for code, _ in options:
        assert message.value(code) == b"".join(d for c, d in options if c == code)


@given(st.integers(0, 64), st.integers(0, 128), st.lists(st.integers(0, 255), max_size=4))
def test_options_66_and_67_are_measured_wherever_they_stand(
    in_sname: int, in_file: int, in_options: list[int]
) -> None:
    sname, file = option(66, bytes(in_sname)), option(67, bytes(in_file))
    fits = len(sname) < 64 and len(file) < 128
    options = option(52, b"\x03") + b"".join(option(67, b"x" * n) for n in in_options) + END
    payload = dhcp(options, op=2, sname=(sname + END)[:64], file=(file + END)[:128])
    message, anomalies = parser.parse(payload)
    assert message is not None
    row = parser.row(message)
    assert row["opt66_len"] == row["opt66_sum"] == in_sname
    assert row["opt67_len"] == max([in_file, *in_options])
    assert row["opt67_sum"] == in_file + sum(in_options)
    assert (anomalies == ()) == fits


@given(honest.filter(lambda o: len(o[-1][1]) > 1), st.data())
def test_a_length_that_lies_is_the_one_anomaly_and_keeps_both_numbers(
    options: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    code, body = options[-1]
    cut = data.draw(st.integers(1, len(body)))
    message, (anomaly,) = parser.parse(dhcp(wired(options))[:-cut])
    assert message is not None
    assert anomaly.fault is parser.OPTION_OVERRUN
    assert (anomaly.claimed, anomaly.present) == (len(body), len(body) - cut)
    row = parser.row(message)
    assert row["overrun_option"] == code
    assert (row["overrun_claimed"], row["overrun_present"]) == (len(body), len(body) - cut)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (dhcp(END)[:200], "dhcp_truncated"),
        (b"", "dhcp_truncated"),
        (dhcp(END, cookie=b"\x63\x82\x53\x64"), "dhcp_bad_cookie"),
        (dhcp(END, op=3), "dhcp_bad_op"),
        (dhcp(END)[:2] + b"\x20" + dhcp(END)[3:], "dhcp_bad_hlen"),
        (dhcp(b"\x0c\xff" + b"A" * 3), "dhcp_option_overrun"),
        (dhcp(b"\x0c"), "dhcp_option_overrun"),
        (dhcp(option(51, b"\0\0") + END), "dhcp_option_length"),
        (dhcp(option(3, bytes(5)) + END), "dhcp_option_length"),
        (dhcp(option(6, b"") + END), "dhcp_option_length"),
        (dhcp(option(53, b"\x01")), "dhcp_no_end"),
        (dhcp(option(52, b"\x04") + END), "dhcp_bad_overload"),
        (dhcp(option(52, b"\x01") + END, file=b"\x43\xc8"), "dhcp_option_overrun"),
        (dhcp(bytes(3000) + END), "dhcp_too_many_options"),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, fault: str) -> None:
    assert faults(payload) == [fault]


def test_a_lone_code_is_an_overrun_of_nothing() -> None:
    message, _ = parser.parse(dhcp(option(53, b"\x01") + b"\x43"))
    assert message is not None
    row = parser.row(message)
    assert (row["overrun_option"], row["overrun_claimed"], row["overrun_present"]) == (67, 0, 0)


def test_a_length_counts_as_claimed_where_less_is_there() -> None:
    message, _ = parser.parse(dhcp(option(53, b"\x02") + b"\x43\xc8" + b"A" * 3, op=2))
    assert message is not None
    row = parser.row(message)
    assert (row["opt67_len"], row["opt67_sum"], row["bootfile"]) == (200, 200, "AAA")


def test_what_the_capture_cut_is_no_overrun() -> None:
    payload = dhcp(option(53, b"\x02") + option(67, b"x" * 40) + END)
    for kept in range(240, len(payload)):
        message, anomalies = parser.parse(payload[:kept], len(payload))
        assert [a.fault for a in anomalies] == [parser.CUT]
        assert message is not None
        assert parser.row(message)["overrun_option"] == -1
    assert faults(payload[:100], len(payload)) == ["dhcp_cut"]
    # but a length that runs past what was sent lies, however little was captured
    assert faults(dhcp(b"\x43\xff" + b"x" * 40)[:270], 290) == ["dhcp_option_overrun"]


def test_bootp_without_a_cookie_is_no_anomaly() -> None:
    message, anomalies = parser.parse(dhcp(b"", cookie=bytes(4), file=b"boot.img"))
    assert message is not None
    assert anomalies == ()
    assert (message.cookie, message.msg_type, parser.row(message)["file"]) == (
        False,
        "",
        "boot.img",
    )


def test_the_fields_of_an_offer() -> None:
    message, anomalies = parser.parse(wire.OFFER)
    assert message is not None
    assert anomalies == ()
    row = parser.row(message)
    expected = {
        "op": 2,
        "msg_type": "OFFER",
        "yiaddr": "10.0.0.77",
        "ciaddr": "",
        "giaddr": "",
        "server_id": "10.0.0.1",
        "lease_time": 3600,
        "renewal_time": 1800,
        "subnet_mask": "255.255.255.0",
        "routers": ("10.0.0.1", "10.0.0.2"),
        "dns_servers": ("10.0.0.5",),
        "domain_name": "ward.example",
        "chaddr": "00:1a:01:00:00:42",
        "overload": -1,
        "opt66_len": -1,
        "opt67_sum": -1,
    }
    assert {name: row[name] for name in expected} == expected


def test_relay_routes_and_names() -> None:
    message, anomalies = parser.parse(wire.RELAYED)
    assert message is not None
    assert anomalies == ()
    row = parser.row(message)
    assert (row["circuit_id"], row["remote_id"]) == ("ge-0/0/1", "00060102")
    assert row["server_override"] is True
    assert row["giaddr"] == "10.0.7.1"
    assert row["client_fqdn"] == "pump.ward"
    assert row["static_routes"] == (
        "10.9.0.0 via 10.0.0.1",
        "10.1.2.0/24 via 10.0.0.1",
        "0.0.0.0/0 via 10.0.0.2",
    )


def test_a_name_that_is_not_in_dns_encoding_is_ascii() -> None:
    message, _ = parser.parse(dhcp(option(81, b"\0\0\0ward-7.example") + END))
    assert message is not None
    assert message.client_fqdn == "ward-7.example"


def test_unknown_types_keep_their_number() -> None:
    message, _ = parser.parse(dhcp(option(53, b"\x63") + END))
    assert message is not None
    assert message.msg_type == "99"


@pytest.mark.parametrize("said", [option(53, b"\x02") * 2, option(53, b"\x02\x02")])
def test_a_message_type_said_twice_does_not_hide_an_offer(said: bytes) -> None:
    message, _ = parser.parse(dhcp(said + END))
    assert message is not None
    assert message.msg_type == "OFFER"


def test_pads_where_the_rtcs_client_leaves_them_are_its_fingerprint() -> None:
    fifty, lists = option(50, bytes(4)), option(55, b"\x01")
    discover, request = option(53, b"\x01"), option(53, b"\x03")
    yes = [
        wire.MQX_DISCOVER,
        wire.MQX_REQUEST,
        dhcp(discover + bytes(13) + lists + b"\0" + END),  # without an address to ask for
        dhcp(discover + bytes(14) + fifty + END),  # without a list
        dhcp(request + bytes(13) + lists + END, ciaddr=bytes([10, 0, 0, 77])),  # renewing
    ]
    no = [
        wire.DISCOVER,
        dhcp(discover + lists + bytes(13) + END),  # padded behind the options, as many do
        dhcp(discover + bytes(12) + lists + b"\0" + fifty + END),
        dhcp(discover + bytes(13) + lists + b"\0" + fifty),  # no end
        dhcp(discover + bytes(13) + lists + b"\0" + fifty + END, op=2),
        dhcp(request + option(54, bytes(4)) + fifty + END),
        dhcp(request + option(54, bytes(4)) + fifty + bytes(2) + lists + END),
    ]
    for payload, expected in [(p, True) for p in yes] + [(p, False) for p in no]:
        message, _ = parser.parse(payload)
        assert message is not None
        assert message.mqx_pads is expected, payload[240:].hex()


def test_faults_are_listed_once() -> None:
    assert len({f.name for f in parser.FAULTS}) == len(parser.FAULTS)
    assert all(f.name.startswith("dhcp_") for f in parser.FAULTS)
