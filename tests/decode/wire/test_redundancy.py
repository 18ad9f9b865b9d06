"""wardwatch.decode.wire.redundancy"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import wire_messages as wire
from tests.wire_messages import u16, u32

from wardwatch.decode.wire import redundancy

octet = st.integers(0, 255)
four = st.binary(min_size=4, max_size=4)


def test_the_figure_of_rfc_2281() -> None:
    # RFC 2281 §5.1 with the defaults of §5.2: state Active, hello 3, hold 10, priority 100
    payload = bytes([0, 0, 16, 3, 10, 100, 0, 0]) + b"cisco\0\0\0" + bytes([192, 168, 0, 1])
    message, anomalies = redundancy.parse(payload, port=1985)
    assert anomalies == ()
    assert message == redundancy.Message("hsrp", 0, "Active", 100, ("192.168.0.1",))


@given(st.binary(max_size=80), st.sampled_from([1985, 2029, 3222, -1]), st.booleans())
def test_hostile_bytes_are_data(payload: bytes, port: int, ipv6: bool) -> None:
    message, anomalies = redundancy.parse(payload, port=port, ipv6=ipv6)
    assert message is not None or anomalies
    assert all(0 <= a.span.start <= a.span.stop <= len(payload) for a in anomalies)


@given(octet, octet, four)
def test_honest_hsrp_reads_back(priority: int, group: int, address: bytes) -> None:
    payload = bytes([0, 0, 8, 3, 10, priority, group, 0]) + bytes(8) + address
    message, _ = redundancy.parse(payload, port=1985)
    assert message == redundancy.Message(
        "hsrp", group, "Standby", priority, (".".join(map(str, address)),)
    )


@given(st.integers(0, 4095), st.integers(0, 2**32 - 1), four)
def test_honest_hsrp_version_2_reads_back(group: int, priority: int, address: bytes) -> None:
    payload = (
        b"\x01\x28\x02\0\x06\x04" + u16(group) + bytes(6) + u32(priority) + bytes(8) + address
        + bytes(12)
    )  # fmt: skip
    message, _ = redundancy.parse(payload, port=1985)
    assert message == redundancy.Message(
        "hsrp2", group, "Active", priority, (".".join(map(str, address)),)
    )


@given(octet, octet, st.lists(four, max_size=6), st.sampled_from([2, 3]))
def test_honest_vrrp_reads_back(
    vrid: int, priority: int, addresses: list[bytes], version: int
) -> None:
    head = bytes([version << 4 | 1, vrid, priority, len(addresses), 0, 1, 0, 0])
    message, anomalies = redundancy.parse(head + b"".join(addresses) + bytes(8))
    assert anomalies == ()
    texts = tuple(".".join(map(str, a)) for a in addresses)
    assert message == redundancy.Message(f"vrrp{version}", vrid, "", priority, texts)


def test_vrrp_over_ipv6_carries_ipv6_addresses() -> None:
    message, anomalies = redundancy.parse(wire.VRRP3, ipv6=True)
    assert anomalies == ()
    assert message is not None
    assert message.virtual_ips == ("fe80::250:56ff:fecc:1",)


def test_glbp_is_noticed() -> None:
    message, _ = redundancy.parse(wire.GLBP, port=3222)
    assert message == redundancy.Message("glbp", 12)


@pytest.mark.parametrize(
    ("payload", "claimed", "port", "fault"),
    [
        (wire.HSRP[:19], -1, 1985, redundancy.TRUNCATED),
        (wire.HSRP[:19], 20, 1985, redundancy.CUT),
        (b"\x07" + wire.HSRP[1:], -1, 1985, redundancy.VERSION),
        (wire.HSRP2[:41], -1, 1985, redundancy.TRUNCATED),
        (wire.VRRP2[:7], -1, -1, redundancy.TRUNCATED),
        (b"\x41" + wire.VRRP2[1:], -1, -1, redundancy.VERSION),
        (b"\x22" + wire.VRRP2[1:], -1, -1, redundancy.VERSION),
        (wire.VRRP2[:3] + b"\x09" + wire.VRRP2[4:], -1, -1, redundancy.COUNT),
        (wire.VRRP2[:12], 24, -1, redundancy.CUT),
        (b"\x02\0\0\0", -1, 3222, redundancy.VERSION),
        (b"\x01", -1, 3222, redundancy.TRUNCATED),
    ],
)
def test_one_damage_is_one_anomaly(payload: bytes, claimed: int, port: int, fault: object) -> None:
    assert [a.fault for a in redundancy.parse(payload, claimed, port=port)[1]] == [fault]
