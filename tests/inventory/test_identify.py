"""Each rule with just enough evidence, with too little, and with what contradicts it."""

import pytest
from tests.inventory.seen import CHOSEN, NOBODY, PLAIN, PUMP, RADIO, Evidence

from wardwatch.model.device import Confidence, Listed
from wardwatch.model.evidence import Evidence as Packet

IP = "10.1.2.3"


def kind(mac, evidence):
    device = evidence.device(mac)
    return device.identity.kind, device.confidence


# --- pumps


def test_a_listed_address_that_speaks_behind_a_router_was_seen():
    row = Listed(row=2, mac=PUMP, ip=IP, model="Medfusion 4000")
    router = "00:00:0c:00:00:01"
    seen = Evidence().station(router).conversation(router, IP, PLAIN, "10.9.0.9", 53)
    (device,) = [one for one in seen.devices([row]) if one.listed]
    assert (device.seen, device.macs, device.ips) == (True, (), (IP,))
    assert device.identity.kind == "infusion pump"
    assert any("its own MAC was not seen" in note for note in device.notes)
    assert not [one for one in seen.devices() if IP in one.ips]


def test_a_listed_address_that_was_only_spoken_to_was_not_seen():
    row = Listed(row=2, ip=IP, model="Medfusion 4000")
    seen = Evidence().station(PLAIN).conversation(PLAIN, "10.9.0.9", "", IP, 53, resp_pkts=0)
    assert [one.seen for one in seen.devices([row]) if one.listed] == [False]


def test_a_listed_device_whose_mac_was_seen_is_not_seen_twice():
    row = Listed(row=2, mac=PUMP, ip=IP)
    router = "00:00:0c:00:00:01"
    seen = Evidence().station(PUMP).conversation(router, IP, PLAIN, "10.9.0.9", 53)
    assert [one.macs for one in seen.devices([row])] == [(PUMP,)]


def test_the_makers_prefix_makes_a_pump_probable_and_leaves_the_model_open():
    device = Evidence().station(PUMP, IP).device(PUMP)
    assert device.confidence is Confidence.PROBABLE
    assert (device.identity.manufacturer, device.identity.kind) == (
        "Smiths Medical",
        "infusion pump",
    )
    assert (device.identity.model, device.identity.version, device.identity.family) == ("", "", "")
    assert device.id == "dev-001a01000041"
    assert device.traits[0].evidence == (Packet(1, 1),)


def test_a_prefix_of_nobody_is_unknown():
    device = Evidence().station(NOBODY, IP).device(NOBODY)
    assert device.confidence is Confidence.UNKNOWN
    assert device.identity.manufacturer == ""


def test_a_locally_administered_address_names_no_maker():
    device = Evidence().station("02:1a:01:00:00:41", IP).device("02:1a:01:00:00:41")
    assert device.confidence is Confidence.UNKNOWN
    assert any("locally administered" in note for note in device.notes)


def test_a_radio_module_alone_is_not_the_device():
    device = Evidence().station(RADIO, IP).device(RADIO)
    assert device.identity.module == "Laird module"
    assert (device.identity.manufacturer, device.identity.kind) == ("", "")
    assert device.confidence is Confidence.UNKNOWN


def test_a_pump_behind_a_radio_module_is_named_by_what_it_says():
    device = Evidence().station(RADIO, IP).soap(RADIO, IP).device(RADIO)
    assert (device.identity.model, device.identity.module) == ("Medfusion 4000", "Laird module")
    assert device.confidence is Confidence.CERTAIN


def test_the_dhcp_pads_alone_make_a_pump_possible():
    seen = Evidence().station(NOBODY).dhcp_client(NOBODY, mqx_pads=True)
    assert kind(NOBODY, seen) == ("infusion pump", Confidence.POSSIBLE)


def test_the_pads_and_the_makers_prefix_agree_on_the_model():
    device = Evidence().station(PUMP).dhcp_client(PUMP, mqx_pads=True).device(PUMP)
    assert device.identity.family == "medfusion-4000"
    assert device.confidence is Confidence.PROBABLE


def test_a_servers_reply_with_pads_says_nothing_of_its_client():
    seen = Evidence().station(NOBODY).dhcp_server(PLAIN, "10.1.2.1", chaddr=NOBODY, mqx_pads=True)
    assert kind(NOBODY, seen) == ("", Confidence.UNKNOWN)


def test_the_hellos_shape_makes_it_probable_and_with_the_prefix_certain():
    assert kind(NOBODY, Evidence().station(NOBODY, IP).hello(NOBODY, IP)) == (
        "infusion pump",
        Confidence.PROBABLE,
    )
    assert kind(PUMP, Evidence().station(PUMP, IP).hello(PUMP, IP)) == (
        "infusion pump",
        Confidence.CERTAIN,
    )


@pytest.mark.parametrize(
    "other",
    [
        {"hello_length": 94},
        {"ciphers": list(range(26))},
        {"extensions": [0]},
        {"export_offered": False},
        {"client_version": 0x0303},
        {"client_hello_packet": -1},
    ],
)
def test_any_other_shape_of_hello_says_nothing(other):
    seen = Evidence().station(NOBODY, IP).hello(NOBODY, IP, **other)
    assert kind(NOBODY, seen) == ("", Confidence.UNKNOWN)


def test_the_maintenance_report_is_the_pumps_own_word():
    device = Evidence().station(NOBODY, IP).soap(NOBODY, IP, firmware="1.6.0").device(NOBODY)
    assert device.confidence is Confidence.CERTAIN
    assert (device.identity.version, device.identity.version_source) == ("1.6.0", "wire")


def test_other_soap_says_nothing():
    seen = Evidence().station(NOBODY, IP).soap(NOBODY, IP, root="Envelope")
    assert kind(NOBODY, seen) == ("", Confidence.UNKNOWN)


def test_the_servers_answer_does_not_make_the_server_a_pump():
    seen = (
        Evidence()
        .station(PUMP, IP)
        .station(PLAIN, "10.9.0.9")
        .conversation(PUMP, IP, PLAIN, "10.9.0.9", 1588, conversation=7)
        .soap(PUMP, IP, conversation=7)
        .soap(PLAIN, "10.9.0.9", server=IP, conversation=7)
    )
    assert kind(PLAIN, seen) == ("pump server", Confidence.CERTAIN)
    assert kind(PUMP, seen) == ("infusion pump", Confidence.CERTAIN)


def test_the_status_line_makes_it_probable():
    seen = Evidence().station(NOBODY, IP).status_line(NOBODY, IP)
    assert kind(NOBODY, seen) == ("infusion pump", Confidence.PROBABLE)


def test_a_sent_configuration_makes_it_probable_only_at_the_start_of_a_stream():
    def sent(**where):
        return (
            Evidence()
            .station(NOBODY, IP)
            .soap(NOBODY, IP, kind="configuration", root="Medfusion3600Configuration", **where)
        )

    assert kind(NOBODY, sent(at_stream_start=True)) == ("infusion pump", Confidence.PROBABLE)
    assert kind(NOBODY, sent(at_stream_start=False)) == ("", Confidence.UNKNOWN)


@pytest.mark.parametrize(
    ("protocol", "text", "sure"),
    [
        ("telnet", "Welcome to the Medfusion 4000 Configuration Interface", Confidence.CERTAIN),
        ("telnet", "RTCS v2.96.00 Telnet server", Confidence.POSSIBLE),
        ("ftp", "220 RTCS FTP Ready", Confidence.POSSIBLE),
    ],
)
def test_banners(protocol, text, sure):
    seen = Evidence().station(NOBODY, IP).banner(NOBODY, IP, protocol, text)
    assert kind(NOBODY, seen) == ("infusion pump", sure)


def test_the_banner_of_another_server_says_nothing():
    seen = Evidence().station(NOBODY, IP).banner(NOBODY, IP, "ftp", "220 (vsFTPd 3.0.5)")
    assert kind(NOBODY, seen) == ("", Confidence.UNKNOWN)


def test_port_3210_is_a_hint_when_served_and_none_when_only_knocked_at():
    def port(**how):
        return (
            Evidence().station(NOBODY, IP).conversation(PLAIN, "10.1.2.9", NOBODY, IP, 3210, **how)
        )

    assert kind(NOBODY, port()) == ("infusion pump", Confidence.POSSIBLE)
    assert kind(NOBODY, port(conn_state="S0", resp_bytes=0, resp_pkts=0)) == (
        "",
        Confidence.UNKNOWN,
    )


def test_a_name_is_a_hint():
    device = (
        Evidence().station(NOBODY).dhcp_client(NOBODY, host_name="MEDFUSION-0041").device(NOBODY)
    )
    assert (device.identity.kind, device.confidence) == ("infusion pump", Confidence.POSSIBLE)
    assert device.names == ("MEDFUSION-0041",)


def test_who_looks_for_the_fixed_network_is_a_probable_pump_and_who_offers_it_is_not():
    def frame(subtype):
        ssid = "kVnRlH5WCC0L7zoz7oJiyAFT1lBNofb"
        return Evidence().add(
            "wifi", subtype=subtype, transmitter=NOBODY, ssid=ssid, first_ts=5, last_ts=6,
            first_packet=3, last_packet=4, packets=2,
        )  # fmt: skip

    device = frame(4).device(NOBODY)
    assert (device.identity.kind, device.confidence) == ("infusion pump", Confidence.PROBABLE)
    assert (device.first_ts, device.packets, device.segments) == (5, 2, ("wlan",))
    bait = frame(8).station(NOBODY, segment="wlan").device(NOBODY)
    assert bait.identity.kind == "network"


def test_bystanders_who_only_probe_are_left_out():
    phone = {
        "subtype": 4,
        "transmitter": CHOSEN,
        "ssid": "Home",
        "first_ts": 1,
        "last_ts": 1,
        "first_packet": 1,
    }
    seen = Evidence().add("wifi", **phone).station(CHOSEN, segment="wlan")
    assert seen.devices() == ()


def test_two_strong_traits_of_different_makers_are_shown_as_a_conflict():
    baxter = "58:42:e4:00:00:01"
    device = Evidence().station(baxter, IP).soap(baxter, IP).device(baxter)
    assert device.identity.family == "medfusion-4000"
    assert device.confidence is Confidence.PROBABLE
    assert "evidence disagrees" in device.notes[0]


def test_several_versions_are_told_and_the_last_counts():
    seen = (
        Evidence()
        .station(PUMP, IP)
        .soap(PUMP, IP, firmware="1.5.0")
        .soap(PUMP, IP, firmware="1.6.1")
    )
    device = seen.device(PUMP)
    assert device.identity.version == "1.6.1"
    assert any("several versions: 1.5.0, 1.6.1" in note for note in device.notes)


# --- others


@pytest.mark.parametrize(
    ("said", "expected", "sure"),
    [
        ({"vendor_class": "MSFT 5.0"}, "workstation", Confidence.PROBABLE),
        ({"vendor_class": "android-dhcp-14"}, "phone or tablet", Confidence.PROBABLE),
        ({"vendor_class": "Hewlett-Packard JetDirect"}, "printer", Confidence.PROBABLE),
        ({"vendor_class": "Cisco Systems, Inc. IP Phone CP-7941"}, "telephone", Confidence.PROBABLE),
        ({"vendor_class": "Cisco AP c2800"}, "network", Confidence.PROBABLE),
        ({"vendor_class": "PXEClient:Arch:00000:UNDI:002001"}, "workstation", Confidence.POSSIBLE),
        ({"vendor_class": "udhcp 1.35.0"}, "", Confidence.UNKNOWN),
        ({"parameter_list": [1, 3, 28]}, "", Confidence.UNKNOWN),
        ({"parameter_list": [1, 3, 6]}, "", Confidence.UNKNOWN),
        ({"parameter_list": [6, 3, 1, 15, 66, 67, 13, 43, 58, 59, 42, 2, 12]}, "power supply", Confidence.PROBABLE),
        ({"host_name": "DESKTOP-AB12CD3"}, "workstation", Confidence.POSSIBLE),
        ({"host_name": "desktop"}, "", Confidence.UNKNOWN),
    ],
)  # fmt: skip
def test_dhcp_clients(said, expected, sure):
    seen = Evidence().station(NOBODY).dhcp_client(NOBODY, **said)
    device = seen.device(NOBODY)
    assert device.identity.kind == expected
    # An embedded stack is told as a trait, though it says nothing of what the device is for.
    assert device.confidence is (sure if expected else device.confidence)
    assert device.confidence <= max(sure, Confidence.POSSIBLE)


def test_hl7_of_one_pump_is_its_own_word_and_of_several_a_gateways():
    def message(device_id):
        return {
            "packet": 4, "ts": 9, "src": IP, "src_mac": NOBODY, "dst": "10.9.0.1", "message_type": "ORU^R01",
            "device_type": "70053^MDC_DEV_PUMP_INFUS_SYRINGE_MDS^MDC", "device_id": device_id, "mllp": True,
        }  # fmt: skip

    one = Evidence().station(NOBODY, IP).add("hl7", **message("00A0370001000001"))
    assert kind(NOBODY, one) == ("infusion pump", Confidence.CERTAIN)
    two = one.add("hl7", **message("00A0370001000002"))
    assert kind(NOBODY, two) == ("server", Confidence.PROBABLE)


def test_dicom_is_told_apart_by_who_asks():
    seen = (
        Evidence()
        .station(NOBODY, IP)
        .station(PLAIN, "10.9.0.2")
        .add("dicom", packet=3, ts=9, client=IP, server="10.9.0.2", server_port=104, pdu_type=1)
        .add("dicom", packet=4, ts=9, client=IP, server="10.9.0.2", server_port=104, pdu_type=2)
    )
    assert kind(NOBODY, seen) == ("imaging", Confidence.PROBABLE)
    assert kind(PLAIN, seen) == ("server", Confidence.PROBABLE)


def test_an_association_nobody_accepted_makes_no_archive():
    seen = (
        Evidence()
        .station(PLAIN, "10.9.0.2")
        .add("dicom", packet=3, ts=9, client=IP, server="10.9.0.2", pdu_type=1)
    )
    assert kind(PLAIN, seen)[0] == ""


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("router_adverts", {"kind": "ra", "lifetime_s": 1800, "src_mac": NOBODY, "packet": 3}),
        ("redundancy", {"protocol": "vrrp3", "src_mac": NOBODY, "first_packet": 3}),
        (
            "control",
            {
                "protocol": "stp",
                "src_mac": NOBODY,
                "dst_mac": "01:80:c2:00:00:00",
                "first_packet": 3,
            },
        ),
        (
            "neighbors",
            {"src_mac": NOBODY, "platform": "Cisco IOS Software, C2960", "first_packet": 3},
        ),
        ("wifi", {"subtype": 8, "transmitter": NOBODY, "ssid": "ward", "first_packet": 3}),
    ],
)
def test_what_runs_the_network(table, row):
    assert kind(NOBODY, Evidence().station(NOBODY).add(table, **row)) == (
        "network",
        Confidence.PROBABLE,
    )


def test_a_router_that_takes_its_leave_is_no_router_by_that():
    seen = (
        Evidence()
        .station(NOBODY)
        .add("router_adverts", kind="ra", lifetime_s=0, src_mac=NOBODY, packet=3)
    )
    assert kind(NOBODY, seen) == ("", Confidence.UNKNOWN)


def test_dhcp_and_dns_servers():
    seen = Evidence().station(NOBODY, "10.1.2.1").dhcp_server(NOBODY, "10.1.2.1")
    assert kind(NOBODY, seen) == ("server", Confidence.PROBABLE)
    relayed = (
        Evidence().station(NOBODY, "10.1.2.1").dhcp_server(NOBODY, "10.1.2.1", server_id="10.9.0.1")
    )
    assert kind(NOBODY, relayed)[0] == ""


def test_a_resolver_is_who_answers_and_not_who_refuses():
    def answered(**how):
        row = {
            "packet": 4,
            "src": IP,
            "src_mac": NOBODY,
            "src_port": 53,
            "kind": "dns",
            "is_response": True,
        }
        return kind(NOBODY, Evidence().station(NOBODY, IP).add("dns", **{**row, "rcode": 0, **how}))

    assert answered() == ("server", Confidence.POSSIBLE)
    assert answered(rcode=3) == ("server", Confidence.POSSIBLE)
    assert answered(rcode=2)[0] == ""
    assert answered(rcode=5)[0] == ""
    assert answered(is_response=False)[0] == ""
    assert answered(kind="mdns")[0] == ""


def test_who_pumps_open_tls_to_is_a_pump_server():
    seen = Evidence().station(PUMP, IP).station(PLAIN, "10.9.0.9").hello(PUMP, IP)
    assert kind(PLAIN, seen) == ("pump server", Confidence.PROBABLE)
    others = (
        Evidence()
        .station(NOBODY, IP)
        .station(PLAIN, "10.9.0.9")
        .hello(NOBODY, IP, client_version=0x0303)
    )
    assert kind(PLAIN, others)[0] == ""


# --- one device, several addresses; one address, several devices


def test_the_same_serial_joins_wire_and_radio():
    seen = (
        Evidence()
        .station(PUMP, IP, first=10, last=100)
        .station(RADIO, "10.7.0.3", first=5, last=90)
        .status_line(PUMP, IP, serial="M4-00417")
        .status_line(RADIO, "10.7.0.3", serial="M4-00417")
    )
    (device,) = [d for d in seen.devices() if d.is_pump]
    assert device.macs == (RADIO, PUMP)  # the first heard leads
    assert device.id == "dev-00233d000017"
    assert device.ips == ("10.7.0.3", IP)
    assert device.serial == "M4-00417"


@pytest.mark.parametrize("serial", ["******", "0000", "n/a", "????"])
def test_a_masked_serial_joins_nothing(serial):
    other = "00:1a:01:00:00:42"
    seen = (
        Evidence()
        .station(PUMP, IP)
        .station(other, "10.1.2.4")
        .status_line(PUMP, IP, serial=serial)
        .status_line(other, "10.1.2.4", serial=serial)
    )
    assert len([d for d in seen.devices() if d.is_pump]) == 2


def test_a_name_used_in_turn_joins_a_pump_and_its_radio_only():
    def named(mac, last, first=10):
        return (
            Evidence()
            .station(PUMP, IP, first=10, last=100)
            .dhcp_client(PUMP, host_name="pump-0041")
            .station(mac, "10.7.0.3", first=first, last=last)
            .dhcp_client(mac, host_name="pump-0041")
        )

    assert len(named(RADIO, first=200, last=300).device(PUMP).macs) == 2
    # At the same time: two things; and any laptop can take a pump's name.
    assert len(named(RADIO, first=50, last=300).device(PUMP).macs) == 1
    assert len(named(PLAIN, first=200, last=300).device(PUMP).macs) == 1


def test_of_many_users_of_an_address_three_others_are_named():
    macs = [f"00:1b:21:00:00:{n:02x}" for n in range(1, 8)]
    seen = Evidence()
    for n, mac in enumerate(macs):
        seen = seen.station(mac, IP, first=100 * n + 1, last=100 * n + 50)
    for mac in macs:
        (note,) = [note for note in seen.device(mac).notes if "reused" in note]
        named = [other for other in macs if other in note]
        assert named == [other for other in macs if other != mac][:3]


def test_a_reused_address_is_told_on_both_sides():
    seen = Evidence().station(PUMP, IP, first=10, last=100).station(PLAIN, IP, first=500, last=900)
    for mac, other in ((PUMP, PLAIN), (PLAIN, PUMP)):
        device = seen.device(mac)
        assert device.ips == (IP,)
        assert any("reused" in note and other in note for note in device.notes)


def test_who_claims_an_address_in_use_is_told_and_does_not_become_the_pump():
    seen = (
        Evidence()
        .station(PUMP, IP, first=10, last=1000)
        .station(PLAIN, "10.1.2.66", first=20, last=1000)
        .binding(PLAIN, IP, first=300, last=900)
        .soap(PLAIN, IP)  # the poisoner forwards the pump's report
    )
    assert seen.device(PLAIN).identity.kind != "infusion pump"
    assert seen.device(PLAIN).ips == ("10.1.2.66",)
    assert any("still spoke" in note for note in seen.device(PLAIN).notes)
    assert "medfusion-soap" in {trait.rule for trait in seen.device(PUMP).traits}


def test_a_router_does_not_become_the_pump_behind_it():
    seen = Evidence().station(PLAIN, "10.1.2.1")
    for host in range(1, 12):
        seen.binding(PLAIN, f"10.50.0.{host}", source="ip")
    seen.soap(PLAIN, "10.50.0.3").conversation(PLAIN, "10.50.0.3", NOBODY, "10.9.0.9", 1588)
    assert kind(PLAIN, seen) == ("network", Confidence.PROBABLE)
    assert seen.device(PLAIN).ips == ("10.1.2.1",)
    pump = next(d for d in seen.devices() if d.is_pump)
    assert (pump.id, pump.macs, pump.ips) == ("dev-ip-10.50.0.3", (), ("10.50.0.3",))
    assert (pump.seen, pump.segments) == (True, ())  # it stands behind the router, not here


def test_what_others_merely_name_is_no_device():
    seen = Evidence().station(PUMP, IP).dhcp_server(PLAIN, "10.1.2.1", routers=["10.1.2.254"])
    assert not any("10.1.2.254" in device.ips for device in seen.devices())


def test_links_without_macs_know_devices_by_address():
    seen = Evidence().conversation("", IP, "", "10.9.0.9", 1588).soap("", IP)
    assert {d.id for d in seen.devices()} == {"dev-ip-10.1.2.3", "dev-ip-10.9.0.9"}
    assert next(d for d in seen.devices() if d.is_pump).confidence is Confidence.CERTAIN


def test_a_starving_client_that_invents_addresses_is_one_device():
    seen = Evidence().station(PLAIN)
    for number in range(50):
        seen.dhcp_client(f"00:1a:01:00:01:{number:02x}", src_mac=PLAIN, vendor_class="MSFT 5.0")
    assert [d.macs for d in seen.devices()] == [(PLAIN,)]
    assert kind(PLAIN, seen)[0] == "workstation"  # what it says is its sender's


def test_a_client_behind_a_relay_is_known_by_its_own_address():
    seen = (
        Evidence()
        .station(PLAIN, "10.1.2.1")
        .dhcp_client(PUMP, src_mac=PLAIN, giaddr="10.1.2.1", mqx_pads=True)
    )
    assert seen.device(PUMP).identity.family == "medfusion-4000"
    assert seen.device(PLAIN).identity.kind == "network"


def test_evidence_is_at_most_five_packets_in_order():
    seen = Evidence().station(PUMP, IP)
    for _ in range(9):
        seen.soap(PUMP, IP)
    trait = next(t for t in seen.device(PUMP).traits if t.rule == "medfusion-soap")
    assert len(trait.evidence) == 5
    assert list(trait.evidence) == sorted(trait.evidence)
    assert "(9 times)" in trait.says


def test_nothing_seen_is_no_device():
    assert Evidence().devices() == ()


def test_pumps_come_first():
    seen = Evidence().station(PLAIN).station(NOBODY).station(PUMP)
    assert seen.devices()[0].macs == (PUMP,)


def test_forged_sources_are_bounded_and_said(monkeypatch):
    from wardwatch.inventory import identify, stations

    monkeypatch.setattr(stations, "MAX_STATIONS", 3)
    monkeypatch.setattr(identify, "MAX_STATIONS", 3)
    seen = Evidence()
    for number in range(5):
        seen.station(f"00:ff:00:00:01:{number:02x}")
    devices = seen.devices()
    assert len(devices) == 4
    assert devices[-1].id == "dev-more"
    assert devices[-1].notes[0].startswith("2 further addresses")


def test_whoever_showed_what_it_is_stays_in_a_flood(monkeypatch):
    from wardwatch.inventory import identify, stations

    monkeypatch.setattr(stations, "MAX_STATIONS", 1)
    monkeypatch.setattr(identify, "MAX_STATIONS", 1)
    seen = Evidence().station(NOBODY).station(PLAIN)
    seen.rows["presence"][1]["packets"] = 1
    seen.add("dhcp", op=1, msg_type="DISCOVER", src_mac=PLAIN, chaddr=PLAIN, mqx_pads=True)
    devices = seen.devices()
    assert {device.macs for device in devices} == {(NOBODY,), (PLAIN,)}


def test_a_pump_server_behind_the_router_is_known_by_its_address():
    seen = Evidence().station(PUMP, IP).station(PLAIN, "10.1.2.1")
    for host in range(1, 12):
        seen.binding(PLAIN, f"10.9.0.{host}", source="ip")
    seen.hello(PUMP, IP, server="10.9.0.9", server_mac=PLAIN)
    seen.conversation(PUMP, IP, PLAIN, "10.9.0.9", 1588)
    server = next(d for d in seen.devices() if d.id == "dev-ip-10.9.0.9")
    assert (server.identity.kind, server.confidence) == ("pump server", Confidence.PROBABLE)
    assert seen.device(PLAIN).identity.kind == "network"


def test_a_poisoner_does_not_inherit_the_gateways_address():
    seen = (
        Evidence()
        .station(PLAIN, "10.1.2.1", first=10, last=1000)
        .binding(PLAIN, "10.9.0.9", source="ip")
        .station(NOBODY, "10.1.2.66", first=20, last=1000)
        .binding(NOBODY, "10.1.2.1", first=300, last=900)
    )
    assert seen.device(PLAIN).ips == ("10.1.2.1",)
    assert seen.device(NOBODY).ips == ("10.1.2.66",)


def test_one_station_in_two_segments_is_told():
    seen = Evidence().station(NOBODY).station(NOBODY, segment="vlan 30")
    assert "seen in several segments: vlan 120, vlan 30" in seen.device(NOBODY).notes


def test_link_control_to_everybody_is_no_bridges():
    row = {"protocol": "stp", "src_mac": NOBODY, "dst_mac": "ff:ff:ff:ff:ff:ff", "first_packet": 3}
    assert kind(NOBODY, Evidence().station(NOBODY).add("control", **row))[0] == ""
