"""The DHCP client waits, renews, rebinds and comes back as RFC 2131 says."""

from itertools import pairwise
from random import Random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardwatch.model.values import NS
from wardwatch.twin import lease, messages
from wardwatch.twin.lease import Client, Lease, Phase, Send

MAC = bytes.fromhex("001a01000101")
SERVER, ADDRESS = bytes([10, 0, 0, 5]), bytes([10, 0, 0, 77])
GIVEN = messages.lease(SERVER, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 6]), 7200)
HELD = Lease(ADDRESS, SERVER, t1=3600 * NS, t2=6300 * NS, end=7200 * NS)


def client(seed: int = 1, held: Lease | None = None) -> Client:
    return Client(MAC, Random(seed), held)


def kind(sent: Send | None) -> int:
    assert sent is not None
    return sent.body[242]


def reply(sent: Send, what: int, more: list[messages.Option] | None = None) -> bytes:
    xid = int.from_bytes(sent.body[4:8], "big")
    return messages.dhcp(2, what, xid, MAC, GIVEN if more is None else more, yiaddr=ADDRESS)


def bound(seed: int = 1) -> Client:
    one = client(seed)
    request = one.received(reply(one.start(0), messages.OFFER), NS)
    assert request is not None
    assert one.received(reply(request, messages.ACKNOWLEDGE), 2 * NS) is None
    assert one.phase is Phase.BOUND
    return one


@pytest.mark.parametrize("seed", range(20))
def test_c18_discovers_are_repeated_after_4_8_16_32_and_64_s_more_or_less_one(seed: int) -> None:
    one = client(seed)
    sent, now, gaps = one.start(0), 0, []
    for _ in range(7):
        assert (kind(sent), sent.to, one.phase) == (
            messages.DISCOVER, "255.255.255.255", Phase.SELECTING,
        )  # fmt: skip
        gaps.append((one.deadline - now) / NS)
        assert one.due(one.deadline - 1) is None
        now = one.deadline
        sent = one.due(now)
    for gap, middle in zip(gaps, (4, 8, 16, 32, 64, 64, 64), strict=True):
        assert middle - 1 <= gap <= middle + 1
    assert len(set(gaps)) == 7


def test_c18_an_offer_is_requested_and_an_ack_binds() -> None:
    one = client()
    discover = one.start(0)
    assert discover.body == messages.rtcs_discover(
        int.from_bytes(discover.body[4:8], "big"), MAC, lease.WANTED
    )
    request = one.received(reply(discover, messages.OFFER), NS)
    assert one.phase is Phase.REQUESTING
    assert kind(request) == messages.REQUEST
    one.received(reply(request, messages.ACKNOWLEDGE), 2 * NS)
    assert one.lease == Lease(
        ADDRESS, SERVER, b"\xff\xff\xff\0", bytes([10, 0, 0, 1]), bytes([10, 0, 0, 6]),
        3602 * NS, 6302 * NS, 7202 * NS,
    )  # fmt: skip
    assert one.deadline == 3602 * NS


def test_c18_the_first_offer_is_taken_and_a_later_one_is_not() -> None:
    one = client()
    discover = one.start(0)
    assert one.received(reply(discover, messages.OFFER), NS) is not None
    assert one.received(reply(discover, messages.OFFER), 2 * NS) is None


def test_c18_it_renews_at_t1_to_its_server_and_rebinds_at_t2_to_everybody() -> None:
    one = bound()
    sent, at = [], []
    for _ in range(100):
        if one.phase is Phase.SELECTING:
            break
        now = one.deadline
        found = one.due(now)
        assert found is not None
        sent.append((one.phase, found.to, found.body[12:16]))
        at.append(now)
    assert len(at) < 100
    assert at[0] == 3602 * NS
    renewing = [one for one in sent if one[0] is Phase.RENEWING]
    rebinding = [one for one in sent if one[0] is Phase.REBINDING]
    assert {one[1:] for one in renewing} == {("10.0.0.5", ADDRESS)}
    assert {one[1:] for one in rebinding} == {("255.255.255.255", ADDRESS)}
    # Half of what is left each time, and never less than a minute.
    assert at[1] - at[0] == (6302 * NS - at[0]) // 2
    assert min(b - a for a, b in pairwise(at) if b not in (6302 * NS, 7202 * NS)) >= 60 * NS
    assert at[len(renewing)] == 6302 * NS
    assert at[-1] == 7202 * NS
    assert (one.phase, one.lease) == (Phase.SELECTING, None)


def test_c18_a_renewal_that_is_answered_begins_the_lease_anew() -> None:
    one = bound()
    sent = one.due(one.deadline)
    one.received(reply(sent, messages.ACKNOWLEDGE), 3603 * NS)
    assert (one.phase, one.deadline) == (Phase.BOUND, (3603 + 3600) * NS)


def test_c18_a_nak_sends_it_back_to_the_beginning() -> None:
    one = bound()
    sent = one.due(one.deadline)
    again = one.received(reply(sent, lease.NAK), 3603 * NS)
    assert (kind(again), one.phase, one.lease) == (messages.DISCOVER, Phase.SELECTING, None)


def test_c18_requests_nobody_answers_end_in_a_new_discover() -> None:
    one = client()
    one.received(reply(one.start(0), messages.OFFER), NS)
    kinds = [kind(one.due(one.deadline)) for _ in range(6)]
    assert kinds == [messages.REQUEST] * 5 + [messages.DISCOVER]


@pytest.mark.parametrize(
    ("t1", "t2"), [(0, 10), (9000, 9000), (6000, 3000), (100, 9000)],
)  # fmt: skip
def test_c18_times_out_of_order_are_those_of_the_standard(t1: int, t2: int) -> None:
    one = client()
    request = one.received(reply(one.start(0), messages.OFFER), 0)
    odd = [(54, SERVER), (51, pack(">I", 8000)), (58, pack(">I", t1)), (59, pack(">I", t2))]
    one.received(reply(request, messages.ACKNOWLEDGE, odd), 0)
    assert one.lease is not None
    assert (one.lease.t1, one.lease.t2, one.lease.end) == (4000 * NS, 7000 * NS, 8000 * NS)


def test_c18_an_endless_lease_is_never_renewed() -> None:
    one = client()
    request = one.received(reply(one.start(0), messages.OFFER), 0)
    one.received(reply(request, messages.ACKNOWLEDGE, [(54, SERVER), (51, b"\xff" * 4)]), 0)
    assert one.deadline == lease.NEVER


def test_c20_on_the_same_subnet_it_asks_for_the_address_it_had() -> None:
    one = client(held=HELD)
    sent = one.start(100 * NS)
    assert (kind(sent), sent.to, one.phase) == (
        messages.REQUEST, "255.255.255.255", Phase.REBOOTING,
    )  # fmt: skip
    assert b"\x32\x04" + ADDRESS in sent.body
    assert b"\x36\x04" not in sent.body[240:262]
    one.received(reply(sent, messages.ACKNOWLEDGE), 101 * NS)
    assert (one.phase, one.lease.address) == (Phase.BOUND, ADDRESS)


def test_c20_on_another_subnet_it_is_told_no_and_begins_anew() -> None:
    one = client(held=HELD)
    again = one.received(reply(one.start(0), lease.NAK), NS)
    assert (kind(again), one.lease) == (messages.DISCOVER, None)


def test_c20_where_nobody_answers_it_begins_anew_and_an_ended_lease_is_forgotten() -> None:
    one = client(held=HELD)
    one.start(0)
    kinds = [kind(one.due(one.deadline)) for _ in range(2)]
    assert kinds == [messages.REQUEST, messages.DISCOVER]
    assert kind(client(held=HELD).start(7200 * NS)) == messages.DISCOVER


@given(st.binary(max_size=400))
def test_hostile_octets_are_heard_without_harm(raw: bytes) -> None:
    one = client()
    discover = one.start(0)
    good = reply(discover, messages.OFFER)
    for body in (raw, good[:240] + raw, good[: len(raw)]):
        one.received(body, 0)
    assert one.phase in (Phase.SELECTING, Phase.REQUESTING)


def test_a_reply_for_somebody_else_is_not_heard() -> None:
    one = client()
    discover = one.start(0)
    other = messages.dhcp(2, messages.OFFER, 7, MAC, GIVEN, yiaddr=ADDRESS)
    xid = int.from_bytes(discover.body[4:8], "big")
    neighbour = messages.dhcp(2, messages.OFFER, xid, MAC[::-1], GIVEN, yiaddr=ADDRESS)
    for raw in (other, neighbour, discover.body, reply(discover, messages.ACKNOWLEDGE)):
        assert one.received(raw, 0) is None
    assert one.phase is Phase.SELECTING
