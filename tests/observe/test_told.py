"""wardwatch.observe.told"""

import numpy as np

from wardwatch.decode.kernels import young as k
from wardwatch.observe import told
from wardwatch.observe.where import Where


def rows(count):
    found = np.zeros((count, k.TOLD), np.int64)
    found[:, k.NET] = 4
    found[:, k.PACKET] = np.arange(count) + 5
    return found


def test_a_row_cites_its_packet_and_the_name_of_its_segment() -> None:
    one = rows(2)
    one[:, k.WHERE] = 1, 0
    one[:, k.CAPTURE], one[:, k.TS] = 3, 9
    cited = told.cited_columns(one, np.array([70, 71]), ["vlan 1", "vlan 2"])
    assert {name: list(column) for name, column in cited.items() if name != "segment"} == {
        "capture": [3, 3],
        "packet": [5, 6],
        "ts": [9, 9],
        "conversation": [70, 71],
    }
    assert cited["segment"].to_pylist() == ["vlan 2", "vlan 1"]


def test_octets_cite_what_their_numbers_do() -> None:
    (one,) = rows(1)
    one[k.CAPTURE], one[k.TS], one[k.WHOLE], one[k.WHERE], one[k.TTL] = 3, 9, 1, 1, 64
    one[k.HAS_MAC], one[k.SRC_MAC], one[k.SRC_LO], one[k.DST_PORT] = 1, 0x001A01000007, 10 << 24, 23
    names = ["vlan 1", "vlan 2"]
    where = told.where_of(names, one.tobytes())
    assert where == Where(
        3,
        5,
        9,
        "vlan 2",
        "00:1a:01:00:00:07",
        "00:00:00:00:00:00",
        "10.0.0.0",
        0,
        "0.0.0.0",
        23,
        0,
        64,
    )
    assert told.told_of(one.tobytes()) == one.tolist()
    assert told.packet_of(one.tobytes()) == where.packet
    assert told.cited(names, one.tolist()) == where


def test_what_is_heard_is_told_in_its_order() -> None:
    one = np.arange(3 * k.TOLD, dtype=np.int64).reshape(3, k.TOLD) << 40
    columns = [
        k.CONVERSATION, k.SEQ, k.ACK, k.FLAGS, k.CLAIMED, k.FROM_ORIG, k.START, k.LENGTH, k.ROW,
    ]  # fmt: skip
    assert [list(row) for row in told.heard(one)] == one[:, columns].tolist()


def test_addresses_are_spelled_and_a_frame_without_mac_has_none() -> None:
    one = rows(2)
    one[:, k.SRC_LO] = 0x0A000001, 0x0A000002
    one[:, k.SRC_MAC], one[:, k.HAS_MAC] = 0x001A01000007, (1, 0)
    assert told.ips_of(one, k.SRC_HI).to_pylist() == ["10.0.0.1", "10.0.0.2"]
    assert told.macs_of(one, k.SRC_MAC).to_pylist() == ["00:1a:01:00:00:07", ""]


def test_few_values_stand_in_many_rows() -> None:
    found = told.taken("http", {"host": ["a", "b"], "status": (200, -1)}, [1, 1, 0])
    assert found["host"].to_pylist() == ["b", "b", "a"]
    assert found["status"].to_pylist() == [-1, -1, 200]
