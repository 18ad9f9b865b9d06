import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardwatch.errors import SiteError
from wardwatch.inventory.learn import quoted
from wardwatch.inventory.site_file import SECTIONS, parse_site, read_site

WHOLE = """
name = "St. Elsewhere"
timezone = "Europe/Berlin"
report_to = "the national CERT"

[[zone]]
name = "pumps"
vlans = [120]
segments = ["vlan 120"]
subnets = ["10.20.0.7/24"]
permitted_kinds = ["infusion pump"]
pumps = true
confirmed_by = "network lead"
confirmed_on = 2026-11-01

[[server]]
role = "dhcp"
ip = "10.20.0.2"
macs = ["00-50-56-00-00-10"]
confirmed_by = "network lead"
confirmed_on = "2026-11-01"

[[server]]
role = "dns"
ip = "10.20.0.3"

[[peer]]
zone = "pumps"
peer = "10.9.0.9"
ports = [1588]
proto = "tcp"

[[window]]
start = 2026-11-02T08:00:00+01:00
end = "2026-11-02T12:00:00+01:00"

[[scanner]]
ip = "10.9.0.77"
mac = "00:50:56:00:00:77"

[[attestation]]
measure = "attested_backups"
statement = "restored on 1 November"
expires_on = 2027-11-01

[[root]]
sha256 = "AA:{}"
pinned = true

[[secret]]
name = "factory"
scrypt = "16384,8,1${}${}"
""".format("bb" * 31, "0f" * 16, "0a" * 32)


def test_a_whole_file_is_read_and_brought_to_canonical_form():
    site = parse_site(WHOLE)
    zone = site.zone[0]
    assert (zone.subnets, zone.confirmed_on, zone.confirmed) == (
        ("10.20.0.0/24",),
        "2026-11-01",
        True,
    )
    assert site.server[0].macs == ("00:50:56:00:00:10",)
    assert site.root[0].sha256 == "aa" + "bb" * 31
    assert site.window[0].start == "2026-11-02T08:00:00+01:00"
    assert site.attestation[0].expires_on == "2027-11-01"


def test_lines_nobody_confirmed_are_inert():
    site = parse_site(WHOLE)
    assert len(site.servers("dhcp")) == 1
    assert site.servers("dns") == ()
    assert not site.peer[0].confirmed


def test_a_name_without_a_date_confirms_nothing():
    said = '[[server]]\nrole = "dns"\nip = "10.1.1.1"\nconfirmed_by = "me"\n'
    assert parse_site(said).servers("dns") == ()


def test_an_empty_file_is_a_site():
    assert parse_site("").zone == ()


ZONE = '[[zone]]\nname = "z"\nvlans = [1]\n\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = x y", "line 1"),
        ('name = "x"\ncolour = 1', "line 2, unknown key 'colour'"),
        (ZONE + '[[zone]]\nname = "y"\nvlan = [2]\n', "line 5, [[zone]] 2: unknown key 'vlan'"),
        ("[zone]\nname = 'z'", "line 1, [zone] is a single table"),
        ("zone = 3", "expected `array`"),
        ("name = 'x'\nmarking = 3", "line 2, marking: expected `str`"),
        ('[[zone]]\nname = "z"\nvlans = ["1"]', "line 1, [[zone]] 1: vlans[0]: expected `int`"),
        ("[[zone]]\nvlans = [1]", "required field `name`"),
        ('[[zone]]\nname = " "\nvlans = [1]', "name is empty"),
        ('[[zone]]\nname = "z"', "names no vlans, segments or subnets"),
        ('[[zone]]\nname = "z"\nvlans = [4096]', "4096 is no VLAN id"),
        ('[[zone]]\nname = "z"\nsubnets = ["10.1.2.0/33"]', "is no subnet"),
        (ZONE + ZONE, "two zones are called 'z'"),
        (ZONE + '[[zone]]\nname="y"\nvlans=[1]\nconfirmed_on = "soon"', "confirmed_on 'soon' is no date"),
        ('[[server]]\nrole = "dhpc"\nip = "10.1.1.1"', "role 'dhpc' is none we know"),
        ('[[server]]\nrole = "dhcp"', "names neither ip nor macs"),
        ('[[server]]\nrole = "dhcp"\nip = "10.1.1"', "ip '10.1.1' is no IP address"),
        ('[[server]]\nrole = "dhcp"\nmacs = ["00:50"]', "macs '00:50' is no MAC address"),
        ('[[peer]]\nzone = "z"\npeer = "10.1.1.1"', "no zone is called 'z'"),
        (ZONE + '[[peer]]\nzone = "z"\npeer = "host"', "peer 'host' is no IP address"),
        (ZONE + '[[peer]]\nzone = "z"\npeer = "10.1.1.1"\nports = [0]', "0 is no port"),
        (ZONE + '[[peer]]\nzone = "z"\npeer = "10.1.1.1"\nproto = "sctp"', "proto 'sctp'"),
        ('[[window]]\nstart = 2026-01-01T08:00:00\nend = 2026-01-01T09:00:00Z', "no offset"),
        ('[[window]]\nstart = 2026-01-02T08:00:00Z\nend = 2026-01-01T09:00:00Z', "ends before it starts"),
        ('[[window]]\nstart = "Monday"\nend = "Friday"', "start 'Monday' is no date"),
        ('[[scanner]]\nip = "ten"', "ip 'ten' is no IP address"),
        ('[[attestation]]\nmeasure = "x"\nstatement = "s"\nexpires_on = "2026-01-01"', "no measure is called 'x'"),
        ('[[attestation]]\nmeasure = "attested_backups"\nstatement = ""\nexpires_on = "2026-01-01"', "statement is empty"),
        ('[[attestation]]\nmeasure = "attested_backups"\nstatement = "s"\nexpires_on = "never"', "expires_on 'never'"),
        ('[[root]]\nsha256 = "abc"', "no SHA-256"),
        ("[[root]]\npinned = true", "names neither sha256 nor pem"),
        ('[[root]]\npem = "hello"', "holds no certificate"),
        ('[[secret]]\nname = "x"\nscrypt = "plain"', "is not n,r,p"),
        ('[[secret]]\nname = "x"\nscrypt = "1048576,8,1${}${}"'.format("00" * 16, "00" * 32), "at most 1048576"),
        ('[[secret]]\nname = "x"\nscrypt = "16383,8,1${}${}"'.format("00" * 16, "00" * 32), "power of 2"),
        ('\ntimezone = "Mars/Base"', "line 2, timezone 'Mars/Base'"),
        ("a = " + "[" * 5000, "nests too deep"),
    ],
)  # fmt: skip
def test_what_cannot_stand_is_named_with_a_remedy_in_one_line(text, problem):
    with pytest.raises(SiteError) as caught:
        parse_site(text, "site.toml")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("site.toml: ")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_hostile_key_does_not_reach_the_terminal():
    with pytest.raises(SiteError) as caught:
        parse_site('"\\u001b[31m" = 1')
    assert "\x1b" not in str(caught.value)


def test_files_that_are_not_there_or_no_text(tmp_path):
    with pytest.raises(SiteError, match=r"nowhere\.toml"):
        read_site(tmp_path / "nowhere.toml")
    path = tmp_path / "site.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(SiteError, match="no UTF-8 text"):
        read_site(path)
    path.write_bytes(b"\xef\xbb\xbfname = 'x'")
    assert read_site(path).name == "x"


VALUES = st.recursive(
    st.integers(-5, 70000) | st.text(max_size=8) | st.booleans(), st.lists, max_leaves=3
)
ENTRY = st.dictionaries(
    st.sampled_from([f for kind in SECTIONS.values() for f in kind.__struct_fields__] + ["odd"]), VALUES, max_size=6
)  # fmt: skip


def in_toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(in_toml, value)) + "]"
    return quoted(value) if isinstance(value, str) else str(value)


@given(st.sampled_from(sorted(SECTIONS)), ENTRY)
@settings(max_examples=300, deadline=None)
def test_any_entry_is_read_or_refused_with_its_line(section, entry):
    lines = ["", f"[[{section}]]", *(f"{key} = {in_toml(value)}" for key, value in entry.items())]
    try:
        parse_site("\n".join(lines))
    except SiteError as error:
        assert f"line 2, [[{section}]] 1: " in str(error)
