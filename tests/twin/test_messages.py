"""What machines say, against published facts and dpkt."""

import dpkt

from wardwatch.twin import messages

MAC = bytes.fromhex("001a01000104")


def test_rtcs_discover_has_thirteen_pads_in_the_middle_and_one_before_the_end():
    raw = messages.rtcs_discover(7, MAC, b"\x01\x03")
    options = raw[240:]
    assert options[:3] == b"\x35\x01\x01"
    assert options[3:12] == b"\x3d\x07\x01" + MAC
    assert options[12:25] == bytes(13)
    assert options[25:29] == b"\x37\x02\x01\x03"
    assert options[29:31] == b"\x00\xff"


def test_rtcs_request_fills_the_place_of_the_pads():
    raw = messages.rtcs_request(7, MAC, b"\x01\x03", b"\x0a\x1e\0\x05", b"\x0a\x78\0\x68")
    assert raw[252:265] == b"\x36\x04\x0a\x1e\0\x05\x32\x04\x0a\x78\0\x68\0"


def test_dhcp_is_read_by_dpkt():
    read = dpkt.dhcp.DHCP(messages.windows_discover(9, MAC, "ICU-WS-1"))
    assert read.xid == 9
    assert read.chaddr[:6] == MAC
    assert dict(read.opts)[60] == b"MSFT 5.0"
    assert dict(read.opts)[53] == b"\x01"
    assert len(messages.windows_discover(9, MAC, "A")) == 300


def test_dns_answer_reads_back_and_a_false_count_changes_nothing_else():
    honest = messages.dns_answer(3, "mds.icu.ward.example", b"\x0a\x14\0\x1e")
    read = dpkt.dns.DNS(honest)
    assert read.an[0].rdata == b"\x0a\x14\0\x1e"
    assert read.qd[0].name == "mds.icu.ward.example"
    planted = messages.dns_answer(3, "mds.icu.ward.example", b"\x0a\x14\0\x1e", claimed=0x2000)
    assert [
        n for n, pair in enumerate(zip(honest, planted, strict=True)) if len(set(pair)) > 1
    ] == [6, 7]


def test_pump_hello_is_93_bytes_of_27_suites_without_extensions():
    record = messages.pump_hello(bytes(32))
    assert record[:5] == b"\x16\x03\x01\x00\x61"
    assert record[5:9] == b"\x01\x00\x00\x5d"
    assert record[9:11] == b"\x03\x01"
    assert len(set(messages.PUMP_SUITES)) == 27
    assert messages.PUMP_SUITES[:4] == (0x39, 0x38, 0x35, 0x16)
    assert messages.PUMP_SUITES[-5:] == (0x14, 0x11, 0x08, 0x06, 0x03)
    assert record[-2:] == b"\x01\0"


def test_workstation_hello_names_its_server():
    record, _ = dpkt.ssl.tls_multi_factory(messages.workstation_hello(bytes(32), "a.example"))
    hello = dpkt.ssl.TLSHandshake(record[0].data).data
    assert dict(hello.extensions)[0] == b"\0\x0c\0\0\x09a.example"


def test_modern_hello_offers_tls_1_3_and_a_key():
    record, _ = dpkt.ssl.tls_multi_factory(messages.modern_hello(bytes(32), b"k" * 32, "a.example"))
    extensions = dict(dpkt.ssl.TLSHandshake(record[0].data).data.extensions)
    assert b"\x03\x04" in extensions[43]
    assert extensions[51].endswith(b"k" * 32)
    flight, _ = dpkt.ssl.tls_multi_factory(messages.modern_flight(bytes(32), b"s" * 32))
    assert [one.type for one in flight] == [22, 20]


def test_busybox_and_inform_are_read_by_dpkt():
    read = dpkt.dhcp.DHCP(messages.busybox_discover(9, MAC, "clock"))
    assert [code for code, _ in read.opts][:6] == [53, 57, 55, 12, 60, 61]
    read = dpkt.dhcp.DHCP(messages.inform(9, MAC, b"\x0a\x78\0\x42", "name"))
    assert dict(read.opts)[53] == b"\x08"
    assert read.ciaddr == 0x0A780042


def test_configuration_has_its_published_size_and_only_given_secrets():
    text = messages.configuration("pass-one", "key-one")
    assert len(text) == messages.CONFIGURATION_SIZE == 1764
    assert text.count(b"pass-one") == text.count(b"key-one") == 1
    assert b"<Medfusion3600Configuration>" in text


def test_status_line_is_the_published_one():
    assert messages.status_line("M000257") == b"{M000257,????,invalid,-1,1618}\r\n"


def test_report_is_framed_by_mllp_and_names_its_device():
    raw = messages.pcd01("PUMP", "001221FFFE000205", "20261116050000+0000", "1")
    assert raw[:1] == b"\x0b"
    assert raw[-2:] == b"\x1c\r"
    segments = raw[1:-2].decode().split("\r")
    assert segments[3].split("|")[18] == "001221FFFE000205^^001221FFFE000205^EUI-64"


def test_a_question_s_name_is_read_back_and_other_octets_ask_for_nothing():
    asked = messages.dns_query(7, "mds.ward.example")
    assert messages.asked(asked) == "mds.ward.example"
    for raw in (b"", asked[:20], messages.dns_answer(7, "mds.ward.example", bytes(4)), bytes(40)):
        assert messages.asked(raw) == ""
    for n in range(len(asked)):
        for octet in (0, 63, 192, 255):
            messages.asked(asked[:n] + bytes([octet]) + asked[n + 1 :])
