"""DHCP parties on the clock: the first OFFER wins, whoever it is from."""

import pytest
from tests.twin.stands import place

from wardwatch.twin import messages
from wardwatch.twin.clock import Clock
from wardwatch.twin.parties import NAK, Race, Rogue, leases
from wardwatch.twin.ward import MS, Part


def race(late_ns, *, down=False, kinds=(messages.OFFER, messages.ACKNOWLEDGE), way="shout"):
    stand = place()
    ward, stage = stand.ward, stand.stage
    ward.begin()
    rogue, pump = stage.station("laptop"), stage.station("icu-1")
    habits = Rogue(rogue, late_ns, leases(rogue, rogue.ip, rogue.ip), way, kinds)
    clock = Clock(stand.start)
    found = Race(
        clock, stage, pump, habits, Part("x", "attack"), Part("x", "consequence"), server_down=down
    )
    found.start(stand.start)
    clock.run()
    frames = sorted(ward.frames)
    ward.begin()
    return found, [f.mark for f in frames if f.mark.vlan == pump.vlan]


@pytest.mark.parametrize(
    ("late_ns", "down", "winner"),
    [(MS // 2, False, "laptop"), (40 * MS, False, "dhcp"), (40 * MS, True, "laptop")],
)
def test_the_first_offer_wins(late_ns, down, winner):
    found, _ = race(late_ns, down=down)
    assert (found.winner, found.bound) == (winner, True)


def test_a_loser_has_spoken_all_the_same():
    _, marks = race(40 * MS)
    assert [m.kind for m in marks if m.who == "laptop"] == ["dhcp offer"]


def test_without_a_server_the_client_asks_three_times_and_gives_up():
    found, marks = race(0, down=True, kinds=())
    assert found.winner == ""
    assert [m.kind for m in marks] == ["dhcp discover"] * 3


def test_a_nak_comes_behind_the_request_of_another():
    _, marks = race(40 * MS, kinds=(NAK,))
    kinds = [m.kind for m in marks]
    assert kinds.index("dhcp nak") > kinds.index("dhcp request")
