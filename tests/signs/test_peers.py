"""Peers: contacts from both sides, and the lines that allow them."""

import pytest
from tests.verify.ward import DNS_IP, MDS_IP, PUMP, PUMP_IP, Ward

from wardwatch.signs.peers import contacts, is_internet, is_permitted, policy_of


def allowed(ward: Ward) -> list[bool]:
    scene = ward.scene()
    return [
        is_permitted(scene, policy_of(scene, c.segment, [PUMP_IP]), c)
        for c in contacts(scene, scene.medical)
    ]


def ward() -> Ward:
    return Ward().pump().zone().peer().server("dns", DNS_IP)


@pytest.mark.parametrize(
    ("made", "permitted"),
    [
        ({"orig": PUMP_IP, "resp": MDS_IP, "port": 1588}, True),
        ({"orig": MDS_IP, "resp": PUMP_IP, "port": 1588}, True),
        # picked up in the middle: the server looks like the one who began
        ({"orig": MDS_IP, "resp": PUMP_IP, "port": 50000, "orig_p": 1588, "history": "dA"}, True),
        ({"orig": MDS_IP, "resp": PUMP_IP, "port": 50000, "orig_p": 1588}, False),
        ({"orig": DNS_IP, "resp": PUMP_IP, "port": 50000, "orig_p": 53, "proto": "udp"}, True),
        (
            {"orig": PUMP_IP, "resp": "10.9.9.9", "port": 50000, "orig_p": 21, "history": "dA"},
            False,
        ),
        ({"orig": PUMP_IP, "resp": MDS_IP, "port": 445}, False),
        ({"orig": PUMP_IP, "resp": MDS_IP, "port": 1588, "proto": "udp"}, False),
        ({"orig": PUMP_IP, "resp": DNS_IP, "port": 53, "proto": "udp"}, True),
        ({"orig": PUMP_IP, "resp": DNS_IP, "port": 22}, False),
    ],
)
def test_lines_allow_peer_port_and_protocol(made, permitted: bool) -> None:
    assert allowed(ward().tcp(**made)) == [permitted]


def test_conversations_with_one_peer_are_one_contact() -> None:
    made = ward()
    for n in range(5):
        made.tcp(PUMP_IP, MDS_IP, 1588, at=100.0 * n, orig_mac=PUMP, orig_p=40000 + n)
    scene = made.scene()
    (contact,) = contacts(scene, scene.medical)
    assert contact.packets == 50
    assert contact.text == "tcp/1588 to 10.20.0.30"
    assert not is_internet(contact)


def test_neighbour_discovery_is_no_peer() -> None:
    made = ward().tcp("fd00::1", PUMP_IP, 0, proto="icmp6", orig_p=135)
    assert allowed(made) == []
    made.tcp("fd00::1", PUMP_IP, 0, proto="icmp6", orig_p=128)
    assert allowed(made) == [False]
