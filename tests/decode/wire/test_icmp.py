"""wardwatch.decode.wire.icmp"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import IPV4_REDIRECT, IPV6_UDP, UNREACHABLE, u16

from wardwatch.decode.wire import icmp

four = st.binary(min_size=4, max_size=4)
ports = st.integers(0, 65535)


@needs_shared
def test_a_captured_unreachable_names_the_packet_it_quotes() -> None:
    seen = [s for s in walk(CAPTURES / "arp-spoof__lab__arp_spoof_a.pcap") if s.kind == "icmp"]
    found = [m for m, _ in (icmp.parse(s.payload, s.claimed) for s in seen) if m and m.type == 3]
    assert found
    assert all(m.quoted is not None and m.quoted.proto == "udp" for m in found)
    assert {m.quoted.dst_port for m in found if m.quoted} == {67}


@given(st.binary(max_size=120))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = icmp.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.binary(max_size=120))
def test_hostile_quotations_are_data(rest: bytes) -> None:
    assert icmp.parse(bytes([3, 1, 0, 0, 0, 0, 0, 0]) + rest)[0] is not None


@given(
    st.integers(0, 15), four, four, ports, ports, st.sampled_from([6, 17, 132]), st.integers(5, 15)
)
def test_honest_quotations_read_back(
    code: int, src: bytes, dst: bytes, sport: int, dport: int, proto: int, words: int
) -> None:
    quoted = (
        bytes([0x40 | words, 0, 0, 60, 0, 1, 0x40, 0, 64, proto, 0, 0]) + src + dst
        + bytes(4 * words - 20) + u16(sport) + u16(dport) + bytes(4)
    )  # fmt: skip
    message, anomalies = icmp.parse(bytes([3, code, 0, 0, 0, 0, 0, 0]) + quoted)
    assert message is not None
    assert anomalies == ()
    assert (message.code, message.quoted) == (
        code,
        icmp.Quoted(
            ".".join(map(str, src)), ".".join(map(str, dst)), icmp.PROTOCOLS[proto], sport, dport
        ),
    )


def test_a_redirect_tells_gateway_and_destination() -> None:
    message, anomalies = icmp.parse(IPV4_REDIRECT)
    assert message is not None
    assert message.quoted is not None
    assert anomalies == ()
    assert (message.gateway, message.quoted.dst) == ("10.0.0.254", "10.0.0.9")


def test_later_fragments_quote_no_ports() -> None:
    quoted = bytearray(UNREACHABLE)
    quoted[8 + 7] = 1  # fragment offset
    message, _ = icmp.parse(bytes(quoted))
    assert message is not None
    assert message.quoted is not None
    assert message.quoted.src_port == -1


def test_ipv6_quotations_are_read_behind_their_extension_headers() -> None:
    quoted, _ = icmp.quoted_packet(IPV6_UDP)
    assert quoted is not None
    assert (quoted.proto, quoted.src_port, quoted.dst_port) == ("udp", 5000, 53)
    extended = IPV6_UDP[:6] + b"\0" + IPV6_UDP[7:40] + bytes([17, 0]) + bytes(6) + IPV6_UDP[40:]
    assert icmp.quoted_packet(extended)[0] == quoted


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (UNREACHABLE[:7], -1, icmp.TRUNCATED),
        (UNREACHABLE[:7], 36, icmp.CUT),
        (UNREACHABLE[:35], -1, icmp.QUOTE_SHORT),
        (UNREACHABLE[:20], -1, icmp.QUOTE_SHORT),
        (UNREACHABLE[:20], 36, icmp.CUT),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in icmp.parse(payload, claimed)[1]] == [fault]
