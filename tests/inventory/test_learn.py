import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inventory.seen import CHOSEN, PLAIN, PUMP, Evidence

from wardwatch.inventory.identify import inventory
from wardwatch.inventory.learn import learn, quoted
from wardwatch.inventory.site_file import SECTIONS, parse_site

IP = "10.1.2.3"


def proposed(seen):
    return parse_site(learn(seen.tables, inventory(seen.tables)))


def ward():
    return (
        Evidence()
        .add("captures", name="ward.pcap", sha256="ab" * 32, packets=9)
        .station(PUMP, IP)
        .station(PLAIN, "10.9.0.9", segment="vlan 10")
        .soap(PUMP, IP)
        .conversation(PUMP, IP, PLAIN, "10.9.0.9", 1588)
        .dhcp_server(PLAIN, "10.1.2.1", routers=["10.1.2.254"], segment="vlan 120")
    )


def test_a_proposal_reads_back_and_is_inert():
    site = proposed(ward())
    entries = [entry for section in SECTIONS for entry in getattr(site, section)]
    assert len(entries) >= 5
    assert not any(entry.confirmed for entry in entries)
    assert all(entry.note for entry in entries)


def test_a_zone_is_proposed_for_the_segment_of_the_pumps():
    (zone,) = proposed(ward()).zone
    assert (zone.vlans, zone.pumps, zone.permitted_kinds) == ((120,), True, ("infusion pump",))
    assert "1 infusion pump seen here: dev-001a01000041" in zone.note
    assert "capture 1 packet" in zone.note


def test_what_else_lives_beside_the_pumps_is_told_and_not_proposed():
    seen = ward().station(CHOSEN).dhcp_client(CHOSEN, vendor_class="MSFT 5.0")
    (zone,) = proposed(seen).zone
    assert "workstation" not in zone.permitted_kinds
    assert "not proposed: workstation (1)" in zone.note


def test_untagged_segments_and_interfaces_are_named_as_the_evidence_names_them():
    (zone,) = proposed(Evidence().station(PUMP, IP, segment="untagged@eth0")).zone
    assert (zone.vlans, zone.segments) == ((), ("untagged",))


def test_servers_are_proposed_with_their_evidence():
    servers = {server.role: server for server in proposed(ward()).server}
    assert servers["dhcp"].ip == "10.1.2.1"
    assert servers["dhcp"].macs == (PLAIN,)
    assert servers["dhcp"].note.startswith("1 DHCP answer to 1 client, capture 1 packet")
    assert servers["router"].ip == "10.1.2.254"
    assert servers["pump_server"].ip == "10.9.0.9"


def test_competing_dhcp_servers_are_both_proposed_with_a_warning():
    seen = ward().dhcp_server(CHOSEN, "10.1.2.66", segment="vlan 120")
    servers = [server for server in proposed(seen).server if server.role == "dhcp"]
    assert {server.ip for server in servers} == {"10.1.2.1", "10.1.2.66"}
    assert all("WARNING" in server.note for server in servers)


def test_servers_of_different_segments_do_not_compete():
    seen = ward().dhcp_server(CHOSEN, "10.5.0.1", segment="vlan 50")
    assert not any("WARNING" in server.note for server in proposed(seen).server)


def test_a_relays_copy_does_not_give_the_server_the_relays_mac():
    seen = Evidence().dhcp_server(PLAIN, "10.1.2.1", server_id="10.9.0.1", giaddr="10.1.2.1")
    servers = {server.role: server for server in proposed(seen).server}
    assert (servers["dhcp"].ip, servers["dhcp"].macs) == ("10.9.0.1", ())
    assert servers["relay"].ip == "10.1.2.1"


def test_a_resolver_is_proposed_only_where_it_was_asked():
    asked = {
        "src": IP,
        "dst": "10.1.2.53",
        "dst_port": 53,
        "trans_id": 7,
        "kind": "dns",
        "packet": 3,
    }
    answer = {
        "src": "10.1.2.53",
        "src_port": 53,
        "dst": IP,
        "trans_id": 7,
        "kind": "dns",
        "is_response": True,
        "rcode": 0,
        "packet": 4,
    }
    seen = ward().add("dns", **answer)
    assert not any(server.role == "dns" for server in proposed(seen).server)
    server = next(s for s in proposed(seen.add("dns", **asked)).server if s.role == "dns")
    assert server.ip == "10.1.2.53"
    assert "1 of them pumps" in server.note


def test_peers_are_those_whom_pumps_called_and_who_answered():
    seen = (
        ward()
        .conversation(CHOSEN, "10.1.2.66", PUMP, IP, 21)  # somebody called the pump
        .conversation(PUMP, IP, PLAIN, "10.9.0.44", 80, resp_pkts=0)  # nobody answered
    )
    (peer,) = proposed(seen).peer
    assert (peer.zone, peer.peer, peer.ports, peer.proto) == (
        "pumps vlan 120",
        "10.9.0.9",
        (1588,),
        "tcp",
    )


def test_without_pumps_no_zone_is_proposed_and_it_says_so():
    seen = Evidence().dhcp_server(PLAIN, "10.1.2.1")
    text = learn(seen.tables, inventory(seen.tables))
    assert "No infusion pump was found" in text
    assert parse_site(text).zone == ()


HOSTILE = '"\nconfirmed_by = "Mallory"\nconfirmed_on = "2026-01-01"\n[[zone]]\nname = "\x1b]0;x\x07'


def test_a_hostile_host_name_stays_a_word_in_a_note():
    seen = ward().dhcp_client(PUMP, host_name=HOSTILE)
    text = learn(seen.tables, inventory(seen.tables))
    site = parse_site(text)
    assert len(site.zone) == 1
    assert not site.zone[0].confirmed
    assert HOSTILE in site.zone[0].note
    assert "\x1b" not in text


@pytest.mark.parametrize("field", ["routers", "server_id", "giaddr"])
def test_hostile_addresses_are_not_proposed(field):
    value = [HOSTILE] if field == "routers" else HOSTILE
    seen = ward().dhcp_server(CHOSEN, "10.1.2.66", **{field: value})
    assert not any(entry.confirmed for entry in proposed(seen).server)


def test_a_hostile_file_name_cannot_leave_its_comment():
    seen = Evidence().add(
        "captures", name='x\n[[zone]]\nname = "evil"\nvlans = [1]\n#', sha256="00"
    )
    assert proposed(seen).zone == ()


@given(st.text(st.characters(), max_size=40))
@settings(max_examples=300, deadline=None)
def test_quoted_text_reads_back_as_it_was(text):
    expected = "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)
    assert tomllib.loads(f"x = {quoted(text)}") == {"x": expected}


def test_an_address_that_two_claim_is_proposed_with_the_first_and_a_warning():
    seen = (
        ward()
        .station(PLAIN, "10.1.2.254", first=5)
        .station(CHOSEN, "10.1.2.66")
        .binding(CHOSEN, "10.1.2.254", first=500)
    )
    router = next(server for server in proposed(seen).server if server.role == "router")
    assert router.macs == (PLAIN,)
    assert f"WARNING: {CHOSEN} claimed 10.1.2.254 too" in router.note


def test_competing_router_advertisements_are_warned_of():
    def advert(mac, src):
        return {
            "kind": "ra",
            "lifetime_s": 1800,
            "src_mac": mac,
            "src": src,
            "segment": "vlan 120",
            "packet": 7,
        }

    seen = ward().add("router_adverts", **advert(PLAIN, "fe80::1"))
    (one,) = [s for s in proposed(seen).server if s.ip == "fe80::1"]
    assert "WARNING" not in one.note
    seen.add("router_adverts", **advert(CHOSEN, "fe80::2"))
    both = [s for s in proposed(seen).server if s.ip.startswith("fe80")]
    assert len(both) == 2
    assert all("WARNING" in server.note for server in both)
