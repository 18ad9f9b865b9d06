"""wardwatch.decode.wire.icmpv6"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.shared import CAPTURES, needs_shared
from tests.walk import walk
from tests.wire_messages import u16, u32

from wardwatch.decode.wire import icmpv6

sixteen = st.binary(min_size=16, max_size=16)
six = st.binary(min_size=6, max_size=6)


@needs_shared
def test_captured_advertisements_are_read() -> None:
    seen = [s for s in walk(CAPTURES / "ipv6-ra-rogue__sv__kill_router6.pcap") if s.kind == "icmp6"]
    found = [icmpv6.parse(s.payload, s.claimed) for s in seen]
    adverts = [m for m, _ in found if m is not None and m.type == icmpv6.ROUTER_ADVERTISEMENT]
    assert len(adverts) == 5
    assert [m.router_lifetime for m in adverts].count(0) == 4
    assert all(anomalies == () for _, anomalies in found)


@needs_shared
def test_a_captured_search_list_is_read() -> None:
    seen = [s for s in walk(CAPTURES / "ipv6-ra__zeek__icmp_nd_dnssl.pcap") if s.kind == "icmp6"]
    found = [icmpv6.parse(s.payload, s.claimed)[0] for s in seen]
    assert any(m is not None and m.dnssl for m in found)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_data(payload: bytes) -> None:
    message, anomalies = icmpv6.parse(payload)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(st.binary(max_size=200))
def test_hostile_options_are_data(options: bytes) -> None:
    message, _ = icmpv6.parse(wire.ADVERT[:16] + options)
    assert message is not None
    assert isinstance((message.prefixes, message.rdnss, message.dnssl, message.routes), tuple)


@given(
    st.integers(0, 65535),
    st.booleans(),
    st.booleans(),
    six,
    st.lists(sixteen, max_size=3),
    st.lists(st.tuples(sixteen, st.integers(0, 128)), max_size=3),
)
def test_honest_advertisements_read_back(
    lifetime: int,
    managed: bool,
    other: bool,
    mac: bytes,
    servers: list[bytes],
    prefixes: list[tuple[bytes, int]],
) -> None:
    payload = bytes([134, 0, 0, 0, 64, managed << 7 | other << 6]) + u16(lifetime) + bytes(8)
    payload += b"\x01\x01" + mac
    for raw, length in prefixes:
        payload += bytes([3, 4, length, 0]) + bytes(12) + raw
    if servers:
        payload += bytes([25, 1 + 2 * len(servers), 0, 0]) + u32(600) + b"".join(servers)
    message, anomalies = icmpv6.parse(payload)
    assert message is not None
    assert anomalies == ()
    assert (message.router_lifetime, message.managed, message.other) == (lifetime, managed, other)
    assert message.lladdr(icmpv6.SOURCE_LLADDR) == mac.hex(":")
    assert [ipaddress.IPv6Address(a).packed for a in message.rdnss] == servers
    assert [
        (ipaddress.IPv6Address(a).packed, int(n))
        for a, n in (p.split("/") for p in message.prefixes)
    ] == prefixes


def test_every_option_of_an_advertisement() -> None:
    message, anomalies = icmpv6.parse(wire.ADVERT)
    assert message is not None
    assert anomalies == ()
    assert message.prefixes == ("2001:db8::/64",)
    assert message.rdnss == ("fe80::250:56ff:fecc:1",)
    assert message.dnssl == ("ward.example",)
    assert message.routes == ("2001:db8::/48",)


def test_redirects_and_neighbours() -> None:
    message, _ = icmpv6.parse(wire.REDIRECT6)
    assert message is not None
    assert (message.target, message.destination) == ("fe80::250:56ff:fecc:1", "2001:db8::77")
    assert message.lladdr(icmpv6.TARGET_LLADDR) == "00:50:56:cc:00:01"
    assert message.router_lifetime == -1
    message, _ = icmpv6.parse(wire.ADVERTISE)
    assert message is not None
    assert message.target == "2001:db8::77"


def test_an_unreachable_names_the_packet_it_quotes() -> None:
    message, _ = icmpv6.parse(wire.UNREACHABLE6)
    assert message is not None
    assert message.quoted is not None
    assert message.quoted.dst_port == 53


A = wire.ADVERT[:16]


@pytest.mark.parametrize(
    ("payload", "claimed", "fault"),
    [
        (b"", -1, icmpv6.TRUNCATED),
        (A[:15], -1, icmpv6.TRUNCATED),
        (A[:15], 40, icmpv6.CUT),
        (A + b"\x01\x00" + bytes(6), -1, icmpv6.ZERO_LENGTH),
        (A + wire.SLLA[:7], -1, icmpv6.OPTION_OVERRUN),
        (A + wire.SLLA[:7], 24, icmpv6.CUT),
        (A + b"\x05\x20" + bytes(22), -1, icmpv6.OPTION_OVERRUN),
        (A + b"\x03\x03" + bytes(22), -1, icmpv6.OPTION_LENGTH),
        (A + b"\x19\x02" + bytes(14), -1, icmpv6.OPTION_LENGTH),
        (A + b"\x18\x04" + bytes(30), -1, icmpv6.OPTION_LENGTH),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, fault: object) -> None:
    assert [a.fault for a in icmpv6.parse(payload, claimed)[1]] == [fault]


def test_what_came_before_a_zero_length_is_kept() -> None:
    message, _ = icmpv6.parse(A + wire.SLLA + bytes(8))
    assert message is not None
    assert message.lladdr(icmpv6.SOURCE_LLADDR) == "00:50:56:cc:00:01"
