from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inventory.seen import PLAIN, PUMP, RADIO, Evidence

from wardwatch.errors import InventoryError
from wardwatch.inventory.register import MAX_WARNINGS, join, mac_of, read_list
from wardwatch.model.device import Confidence, Listed

IP = "10.1.2.3"
ROW = Listed(
    row=2, mac=PUMP, manufacturer="Smiths Medical", model="Medfusion 4000", version="1.5.0"
)


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return path


# --- reading


def test_a_list_is_read_with_the_rows_line_numbers(tmp_path):
    text = "MAC,Serial,Model,Version,Ward\n00:1A:01:00:00:41,M4-1,Medfusion 4000,1.5,3 West\n\n,M4-2,CADD,,\n"
    rows, warnings = read_list(written(tmp_path, text))
    assert rows == (
        Listed(
            row=2, mac=PUMP, serial="M4-1", model="Medfusion 4000", version="1.5", ward="3 West"
        ),
        Listed(row=4, serial="M4-2", model="CADD"),
    )
    assert warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(tmp_path, encoding, delimiter):
    header = delimiter.join(["Seriennummer", "Hersteller", "Gerät", "Softwarestand", "Station"])
    row = delimiter.join(["M4-1", "Dräger", "Evita", "2.1", "Süd"])
    rows, _ = read_list(written(tmp_path, f"{header}\r\n{row}\r\n", encoding))
    assert rows == (
        Listed(
            row=2, serial="M4-1", manufacturer="Dräger", model="Evita", version="2.1", ward="Süd"
        ),
    )


@pytest.mark.parametrize(
    "header",
    ["MAC Address", "mac_addr", "WiFi MAC", "Dirección MAC", "Indirizzo MAC", "WLAN-MAC", "mac"],
)
def test_headers_in_several_spellings(tmp_path, header):
    rows, _ = read_list(written(tmp_path, f"{header}\n001a01000041\n"))
    assert rows[0].mac == PUMP


@pytest.mark.parametrize(
    "text",
    [
        "00:1A:01:00:00:41",
        "00-1a-01-00-00-41",
        "001a.0100.0041",
        "001A01000041",
        " 00 1a 01 00 00 41 ",
    ],
)
def test_macs_however_written(text):
    assert mac_of(text) == PUMP


@pytest.mark.parametrize("text", ["", "00:1a:01:00:00", "zz:1a:01:00:00:41", "0" * 12, "f" * 12])
def test_what_is_no_mac(text):
    assert mac_of(text) == ""


def test_placeholders_are_nothing(tmp_path):
    rows, _ = read_list(written(tmp_path, "serial,version,model\nM4-1,N/A,unknown\n"))
    assert rows == (Listed(row=2, serial="M4-1"),)


def test_duplicates_bad_cells_and_rows_without_a_name_are_told(tmp_path):
    text = "mac,ip,model\n001a01000041,10.1.2.3,A\n001a01000041,,B\nxyz,10.1.2.300,C\n"
    rows, warnings = read_list(written(tmp_path, text))
    assert [row.row for row in rows] == [2, 3]
    assert warnings[0] == "list.csv, row 3: the same mac as in row 2; both are kept"
    assert "'xyz' is no MAC address" in warnings[1]
    assert "'10.1.2.300' is no IP address" in warnings[1]
    assert "left out" in warnings[1]


def test_complaints_are_bounded(tmp_path):
    text = "mac,model\n" + "x,A\n" * (MAX_WARNINGS + 7)
    _, warnings = read_list(written(tmp_path, text))
    assert len(warnings) == MAX_WARNINGS + 1
    assert "7 more" in warnings[-1]


def test_control_characters_in_cells_do_not_pass(tmp_path):
    rows, _ = read_list(written(tmp_path, "serial,model\nM4-1,\x1b[31mred\x07\n"))
    assert "\x1b" not in rows[0].model
    assert "red" in rows[0].model


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "is empty"),
        (b"ward,model\n3 West,Medfusion\n", "row 1: the first row names no column"),
        (b"PK\x03\x04\x00\x00", "is no text file"),
        (b'serial,model\n"' + b"x" * 200_000 + b'"\n', "row 2"),
    ],
)
def test_files_that_cannot_be_used_get_one_clear_line(tmp_path, raw, problem):
    path = tmp_path / "list.csv"
    path.write_bytes(raw)
    with pytest.raises(InventoryError) as caught:
        read_list(path)
    assert problem in str(caught.value)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InventoryError, match=r"nowhere\.csv"):
        read_list(tmp_path / "nowhere.csv")


# --- joining


def test_the_mac_joins_and_the_list_fills_what_the_wire_leaves_open():
    device = Evidence().station(PUMP, IP).device(PUMP, [ROW])
    assert device.confidence is Confidence.LISTED
    assert (device.identity.model, device.identity.family) == ("Medfusion 4000", "medfusion-4000")
    assert (device.identity.version, device.identity.version_source) == ("1.5.0", "list")
    assert device.disagreements == ()
    assert device.listed == ROW


def test_a_device_that_says_nothing_is_what_the_list_says():
    row = Listed(row=2, mac=RADIO, manufacturer="Smiths Medical", model="Medfusion 4000")
    device = Evidence().station(RADIO, IP).device(RADIO, [row])
    assert (device.identity.family, device.confidence) == ("medfusion-4000", Confidence.LISTED)
    assert device.identity.module == "Laird module"
    assert device.is_pump


def test_versions_that_differ_are_shown_and_the_wires_stays():
    seen = Evidence().station(PUMP, IP).soap(PUMP, IP, firmware="1.6.1")
    device = seen.device(PUMP, [ROW])
    assert (device.identity.version, device.identity.version_source) == ("1.6.1", "wire")
    assert device.disagreements == ("the list says version 1.5.0, the wire says 1.6.1",)
    assert device.confidence is Confidence.CERTAIN


@pytest.mark.parametrize("written", ["1.6", "V1.6.0", "version 1.6", "1.6.0"])
def test_one_version_written_otherwise_is_no_disagreement(written):
    row = Listed(
        row=2, mac=PUMP, manufacturer="Smiths Medical", model="Medfusion 4000", version=written
    )
    device = Evidence().station(PUMP, IP).soap(PUMP, IP, firmware="1.6.0").device(PUMP, [row])
    assert device.disagreements == ()


def test_the_list_settles_nothing_where_the_wire_is_at_odds_with_itself():
    baxter = "58:42:e4:00:00:01"
    row = Listed(row=2, mac=baxter, manufacturer="Smiths Medical", model="Medfusion 4000")
    device = Evidence().station(baxter, IP).soap(baxter, IP).device(baxter, [row])
    assert device.confidence is Confidence.PROBABLE


def test_another_model_on_the_list_is_shown_and_its_version_is_not_taken():
    row = Listed(row=2, mac=PUMP, manufacturer="B. Braun", model="Perfusor Space", version="9.9")
    device = Evidence().station(PUMP, IP).soap(PUMP, IP).device(PUMP, [row])
    assert device.identity.family == "medfusion-4000"
    assert device.identity.version == ""
    assert device.disagreements[0].startswith(
        "the list says B. Braun Perfusor Space, the wire says Smiths"
    )


def test_another_maker_on_the_list_is_shown():
    row = Listed(row=2, mac=PUMP, manufacturer="Baxter", model="Pump X")
    device = Evidence().station(PUMP, IP).device(PUMP, [row])
    assert device.disagreements == (
        "the list says the maker is Baxter, the wire says Smiths Medical",
    )


@pytest.mark.parametrize("maker", ["Smiths", "SMITHS MEDICAL ASD, INC.", "ICU Medical"])
def test_a_makers_other_names_are_no_disagreement(maker):
    row = Listed(row=2, mac=PUMP, manufacturer=maker, model="Medfusion 4000")
    assert Evidence().station(PUMP, IP).device(PUMP, [row]).disagreements == ()


def test_the_network_cards_maker_is_no_disagreement():
    row = Listed(row=2, mac=PLAIN, manufacturer="Smiths Medical", model="Medfusion 4000")
    device = Evidence().station(PLAIN, IP).device(PLAIN, [row])
    assert (device.disagreements, device.identity.manufacturer) == ((), "Smiths Medical")


def test_a_listed_monitor_on_windows_is_no_disagreement():
    row = Listed(row=2, mac=PLAIN, manufacturer="Philips", model="IntelliVue MX450")
    device = (
        Evidence().station(PLAIN).dhcp_client(PLAIN, vendor_class="MSFT 5.0").device(PLAIN, [row])
    )
    assert (device.identity.kind, device.disagreements) == ("patient monitor", ())


def test_a_listed_pump_that_prints_is_a_disagreement():
    row = Listed(row=2, mac=PLAIN, manufacturer="Smiths Medical", model="Medfusion 4000")
    seen = Evidence().station(PLAIN).dhcp_client(PLAIN, vendor_class="Hewlett-Packard JetDirect")
    device = seen.device(PLAIN, [row])
    assert device.identity.kind == "printer"
    assert device.disagreements


def test_the_serial_joins_where_the_mac_does_not_and_the_other_mac_is_shown():
    row = Listed(row=2, mac="00:1a:01:00:00:99", serial="m4-00417", model="Medfusion 4000")
    seen = Evidence().station(PUMP, IP).status_line(PUMP, IP, serial="M4-00417")
    device = seen.device(PUMP, [row])
    assert device.listed == row
    assert device.disagreements == (f"the list says 00:1a:01:00:00:99, it was seen as {PUMP}",)


def test_the_address_joins_a_row_without_a_mac():
    row = Listed(row=2, ip=IP, model="Medfusion 4000")
    assert Evidence().station(PUMP, IP).device(PUMP, [row]).listed == row


def test_an_address_given_to_another_mac_is_told_and_not_joined():
    row = Listed(row=2, mac="00:1a:01:00:00:99", ip=IP, model="Medfusion 4000")
    devices = Evidence().station(PLAIN, IP).devices([row])
    other = next(d for d in devices if PLAIN in d.macs)
    assert other.listed is None
    assert "00:1a:01:00:00:99" in other.disagreements[0]
    unseen = next(d for d in devices if d.id == "list-2")
    assert (unseen.packets, unseen.seen, unseen.is_pump) == (0, False, True)


def test_listed_but_unseen_devices_are_shown_as_such():
    (device,) = join((), [ROW])
    assert device.id == "list-2"
    assert (device.packets, device.confidence) == (0, Confidence.LISTED)
    assert device.identity.version_source == "list"
    assert "not seen" in device.notes[0]


def test_an_unseen_row_without_a_model_is_unknown():
    (device,) = join((), [Listed(row=7, serial="M4-1")])
    assert device.confidence is Confidence.UNKNOWN


def test_what_is_not_on_the_list_says_so_only_where_there_is_a_list():
    seen = Evidence().station(PLAIN, IP)
    assert "not on the hospital's list" in seen.device(PLAIN, [ROW]).notes
    assert "not on the hospital's list" not in seen.device(PLAIN).notes


def test_two_rows_for_one_device_are_a_disagreement():
    again = Listed(row=9, mac=PUMP, model="CADD")
    device = Evidence().station(PUMP, IP).device(PUMP, [ROW, again])
    assert device.listed == ROW
    assert device.disagreements == ("row 9 of the list names it too",)


def test_a_model_word_under_a_foreign_maker_is_no_family():
    row = Listed(row=2, mac="00:1a:01:00:00:99", manufacturer="Nikon", model="Medfusion 4000")
    (device,) = join((), [row])
    assert device.identity.family == ""


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_whatever_bytes_a_list_holds_it_is_read_or_refused(raw):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_bytes(b"mac;model\n" + raw)
        try:
            rows, _ = read_list(path)
        except InventoryError:
            return
        assert all(row.mac for row in rows)


MACS = st.integers(1, 2**48 - 2).map(lambda n: f"{n:012x}")
WORDS = st.text(st.characters(codec="latin-1", categories=("L", "N")), min_size=3, max_size=12)


@given(
    st.lists(st.tuples(MACS, WORDS, WORDS), min_size=1, max_size=8, unique_by=lambda row: row[0])
)
@settings(max_examples=60, deadline=None)
def test_an_honest_list_reads_back(said):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        lines = [
            "MAC;Bezeichnung;Station",
            *(f"{mac};x {model};y {ward}" for mac, model, ward in said),
        ]
        path.write_text("\n".join(lines), encoding="utf-8-sig")
        rows, warnings = read_list(path)
    assert warnings == ()
    assert [(r.mac.replace(":", ""), r.model, r.ward) for r in rows] == [
        (mac, f"x {model}", f"y {ward}") for mac, model, ward in said
    ]
