"""Where: what a row cites."""

from wardwatch.observe.where import Where


def test_what_is_not_said_is_none_as_tables_spell_it():
    where = Where(1, 2, 3, "vlan 120")
    assert (where.src, where.src_port, where.src_mac, where.conversation) == ("", -1, "", -1)
    assert where.ip_ttl == -1
    assert where.whole
