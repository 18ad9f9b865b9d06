import pytest

from wardwatch.inventory import vendors as module
from wardwatch.inventory.vendors import _organisation, vendor


def test_the_registry_names_the_holder_of_a_prefix():
    assert vendor("00:50:56:00:00:10") == "VMware, Inc."


@pytest.mark.parametrize(
    "mac",
    [
        "02:07:01:00:00:10",  # locally administered, though the registry knows the prefix
        "01:00:5e:00:00:01",  # group
        "cc:4f:5c:70:00:01",  # a block that was cut into smaller ones
        "",
        "00:5",
    ],
)
def test_addresses_that_name_nobody(mac):
    assert vendor(mac) == ""


@pytest.mark.parametrize("few", [-1, 1 << 30])
def test_the_registry_is_read_as_netaddr_reads_it(monkeypatch, few):
    monkeypatch.setattr(module, "FEW", few)
    from netaddr import OUI
    from netaddr.eui import ieee

    for prefix in (*list(ieee.OUI_INDEX)[::40], *(min(ieee.OUI_INDEX), max(ieee.OUI_INDEX))):
        assert _organisation(prefix) == str(OUI(prefix).registration().org), hex(prefix)
    lost = next(p for p in range(1, 1 << 24) if p not in ieee.OUI_INDEX)
    assert _organisation(lost) == _organisation((1 << 24) - 1) == ""
