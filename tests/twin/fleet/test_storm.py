"""Clients back off as RFC 2131 says, and a server with a bounded queue gets through."""

import numpy as np
import pytest

from wardwatch.model.values import NS
from wardwatch.twin.fleet import storm as s


def of_client(found, client):
    rows = found.client == client
    return list(zip(found.at[rows], found.kind[rows], strict=True))


@pytest.fixture(scope="module")
def many():
    return s.storm(np.zeros(500, np.int64), np.random.default_rng(1))


def test_f7_500_pumps_at_once_all_have_an_address_within_5_minutes(many):
    assert many.lost > 0  # it is a storm
    assert (many.leased > 0).all()
    assert many.leased.max() <= 300 * NS


def test_f7_a_discover_is_repeated_after_4_8_16_32_and_64_seconds(many):
    gaps = {n: [] for n in range(5)}
    for client in range(500):
        sent, tries = None, 0
        for at, kind in of_client(many, client):
            if kind != s.DISCOVER:
                if kind == s.OFFER:
                    break
                continue
            if sent is not None:
                gaps[min(tries, 4)].append((at - sent) / NS)
                tries += 1
            sent = at
    assert all(gaps[n] for n in range(3))
    for n, wait in enumerate(s.WAITS_S):
        assert all(wait - 1 <= gap <= wait + 1 for gap in gaps[n]), n
    assert min(gaps[0]) < 3.2
    assert max(gaps[0]) > 4.8


def test_f7_clients_wait_1_to_10_seconds_before_they_begin(many):
    first = [of_client(many, client)[0] for client in range(500)]
    assert {kind for _, kind in first} == {s.DISCOVER}
    assert 1 * NS <= min(at for at, _ in first) < 1.2 * NS
    assert 9.8 * NS < max(at for at, _ in first) <= 10 * NS


def test_a_client_alone_needs_four_messages():
    found = s.storm(np.array([7 * NS]), np.random.default_rng(3))
    assert list(found.kind) == [s.DISCOVER, s.OFFER, s.REQUEST, s.ACK]
    assert found.leased[0] == found.at[3]
    assert found.lost == 0
    assert list(found.since) == [0, 0, 0, 0]


def test_every_client_is_acknowledged_after_it_was_offered_and_asked(many):
    for client in range(500):
        kinds = [kind for _, kind in of_client(many, client)]
        assert kinds.index(s.DISCOVER) < kinds.index(s.OFFER) < kinds.index(s.REQUEST)
        assert s.ACK in kinds


def test_a_request_that_nobody_acknowledges_begins_anew(monkeypatch):
    # A slow server with one place in its queue, far away: a REQUEST finds the place taken again.
    monkeypatch.setattr(s, "QUEUE", 1)
    monkeypatch.setattr(s, "SERVED_NS", NS // 2)
    monkeypatch.setattr(s, "WIRE_NS", NS)
    found = s.storm(np.zeros(120, np.int64), np.random.default_rng(5))
    assert (found.leased > 0).all()
    again = 0
    for client in range(120):
        kinds = [kind for _, kind in of_client(found, client)]
        for at, kind in enumerate(kinds):
            if kind == s.DISCOVER and s.REQUEST in kinds[:at]:
                again += 1
    assert again > 0
