"""The clock: what is due first happens first."""

import pytest

from wardwatch.twin.clock import Clock


def test_acts_happen_in_order_of_time_and_then_of_asking():
    clock, said = Clock(), []
    for ts, word in ((5, "c"), (1, "a"), (5, "d"), (2, "b")):
        clock.at(ts, lambda word=word: said.append((clock.now, word)))
    assert clock.run() == 5
    assert said == [(1, "a"), (2, "b"), (5, "c"), (5, "d")]


def test_an_act_may_cause_another_and_the_past_is_closed():
    clock, said = Clock(10), []
    clock.after(5, lambda: clock.after(5, lambda: said.append(clock.now)))
    clock.run()
    assert said == [20]
    with pytest.raises(ValueError, match="before"):
        clock.at(19, lambda: None)


def test_it_stops_before_an_instant_and_forgets_what_is_dropped():
    clock, said = Clock(), []
    clock.at(3, lambda: said.append(3))
    clock.at(7, lambda: said.append(7))
    assert clock.run(until=7) == 7
    clock.drop()
    clock.run()
    assert said == [3]
