"""Lists of devices as CMMS exports are: titles, encodings, column names, repeats."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.advise.assets import Asset
from wardwatch.advise.listing import read_assets, typed
from wardwatch.errors import InventoryError, UsageError

ROWS = "Asset No.;Mfr;Model Name;SW Version\nA1;Dräger;Infinity Delta;VF9.1\n"


def listed(tmp_path, content):
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_assets(path)


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        ROWS.encode("utf-8-sig"),
        ROWS.encode("cp1252"),
        ROWS.encode("utf-16"),
        ROWS.encode("utf-16-le"),
        ROWS.replace(";", "\t").encode(),
        ROWS.replace(";", ",").replace("Infinity Delta", '"Infinity Delta"').encode(),
        f"Equipment list 2026;;;\n;;;\n{ROWS}".encode(),
        f"sep=;\r\n{ROWS}".replace("\n", "\r\n").encode(),
    ],
)
def test_an_export_is_read_however_it_is_written(tmp_path, content):
    ((one,), warnings) = listed(tmp_path, content)
    asset = one.asset
    assert (asset.manufacturer, asset.model, asset.version) == ("Dräger", "Infinity Delta", "VF9.1")
    assert one.ids == ("A1",)
    assert warnings == ()


@pytest.mark.parametrize(
    "header",
    ["manufacturer,model,version", "Hersteller,Gerätetyp,Softwarestand", "VENDOR_NAME,Product Name,Firmware Version",
     "Mfg,device_model,SWVersion"],
)  # fmt: skip
def test_columns_go_by_many_names(tmp_path, header):
    ((one,), _) = listed(tmp_path, f"{header}\nBD,Alaris PCU,9.7\n")
    assert (one.asset.manufacturer, one.asset.model, one.asset.version) == ("BD", "Alaris PCU", "9.7")  # fmt: skip


def test_devices_written_alike_are_one_kind_with_all_their_rows(tmp_path):
    found, _ = listed(tmp_path, "id,maker,model,version\n1,BD,X,1\n2,BD,X,1\n3,BD,X,2\n")
    assert [(one.rows, one.ids) for one in found] == [((2, 3), ("1", "2")), ((4,), ("3",))]


def test_a_number_joins_the_model_and_a_description_helps_a_bare_one(tmp_path):
    text = "maker,model,model number,description\nSmiths,Medfusion,4000,PUMP\nAcme,,,Flow pump\n"
    found, _ = listed(tmp_path, text)
    assert [one.asset.model for one in found] == ["Medfusion 4000", "Flow pump"]


def test_what_cannot_be_used_is_told(tmp_path):
    found, warnings = listed(tmp_path, "maker,model\nBD,\nBD,X\n")
    assert len(found) == 1
    assert any("1 rows without model" in told for told in warnings)
    assert any("no column for version" in told for told in warnings)
    for content, why in (
        (b"", "empty"),
        (b"PK\x03\x04zz", "workbook"),
        (b"a,b\n1,2\n", "no columns"),
        (b"maker,model\nBD,a\0b\n", "no text"),
    ):
        with pytest.raises(InventoryError, match=why):
            listed(tmp_path, content)
    with pytest.raises(InventoryError, match="cannot be read"):
        read_assets(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_escape(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(b"maker,model,version\n" + content)
    try:
        read_assets(path)
    except InventoryError as error:
        assert "fuzz.csv" in str(error)


def test_a_device_exported_twice_is_counted_once_and_told(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "Asset,Maker,Model,Version\n1,BD,Alaris PCU,9.7\n1,BD,Alaris PCU,9.7\n2,BD,Alaris PCU,9.7\n1,BD,Alaris PCU,9.9\n,BD,Alaris PCU,9.7\n,BD,Alaris PCU,9.7\n"
    )
    groups, warnings = read_assets(path)
    assert [(g.asset.version, g.rows) for g in groups] == [("9.7", (2, 4, 6, 7)), ("9.9", (5,))]
    assert warnings == ("list.csv: 1 rows repeat a device of the same number; counted once",)


def test_a_device_may_be_typed_and_says_so():
    one = typed("Smiths Medical; Medfusion 4000 ;1.5")
    assert one.asset == Asset("Smiths Medical", "Medfusion 4000", "1.5", "", "typed")
    assert typed("Baxter; Sigma Spectrum; 8.00; WBM v16").asset.component == "WBM v16"
    assert typed(";Medfusion 4000").asset.version == ""


@pytest.mark.parametrize("words", ["", "Medfusion 4000", "a;;1", "a;b;c;d;e"])
def test_words_that_name_no_device_are_refused(words):
    with pytest.raises(UsageError, match="names no device"):
        typed(words)
