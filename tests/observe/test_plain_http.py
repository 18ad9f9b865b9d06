"""wardwatch.observe.plain_http: Python goes on as if it had read all before."""

import random

import pytest
from tests.conversations import WEB, many, plain_web
from tests.observe.test_young import REQUEST, RESPONSE, talk, write

from wardwatch.decode.kernels import rows_http
from wardwatch.decode.kernels import young as k
from wardwatch.decode.stream import Pool
from wardwatch.observe.observer import Observer
from wardwatch.observe.plain_http import Midway
from wardwatch.observe.secrets import Secrets
from wardwatch.observe.tables import Spool


def observing(path, key, seats):
    observer = Observer(Spool(), Secrets(key), seats=seats)
    observer.read(1, str(path), lambda count: None)
    return observer


def state(flow):
    """All that a reader of HTTP knows, marks of what is no longer there apart."""
    streams = [
        {name: getattr(stream, name) for name in stream.__slots__ if name != "_pool"}
        for stream in flow.streams
    ]
    http = {
        name: value for name, value in vars(flow.follower).items() if name not in ("flow", "_boxes")
    }
    boxes = [(bytes(box.data), box.start) for box in flow.follower._boxes]
    own = {
        name: value
        for name, value in vars(flow).items()
        if name not in ("streams", "shared", "follower")
    }
    return streams, http, boxes, own


@pytest.mark.parametrize("seed", range(8))
def test_a_conversation_is_handed_over_as_python_would_have_it(seed, tmp_path) -> None:
    chance = random.Random(seed)
    frames = many(seed, 60, scripts=WEB, largest=(1460, 300, 20_000), ports=(80,))
    path = write(tmp_path / "a.pcap", frames[: chance.randrange(len(frames) // 2, len(frames))])
    plain = observing(path, tmp_path / "key", 0).sides.streams
    streams = observing(path, tmp_path / "key", k.SEATS).sides.streams
    young, count = streams.young, 0
    for seat in range(1, k.SEATS + 1):
        if young._seats[seat, k.MODE] == k.EXCHANGES:
            (talk,) = young._leave(seat)
            assert isinstance(talk, Midway)
            streams._reread([talk])
            expected = plain.sessions.flow(talk.number)
            assert state(streams.sessions.flow(talk.number)) == state(expected)
            assert streams._interest[talk.number] == plain._interest[talk.number]
            count += 1
    assert count > 5
    assert streams.sessions.flow(-1) is None and isinstance(streams.sessions.shared.pool, Pool)


@pytest.mark.parametrize(("lost", "handed"), [(False, 0), (True, 1)])
def test_at_the_end_python_is_given_what_misses_something(lost, handed, tmp_path) -> None:
    response = (1, "A", RESPONSE, "lost") if lost else (1, "A", RESPONSE)
    path = write(tmp_path / "a.pcap", talk((0, "A", REQUEST), response, (0, "A", REQUEST)))
    young = observing(path, tmp_path / "key", k.SEATS).sides.streams.young
    assert (young._seats[:, k.MODE] == k.EXCHANGES).sum() == 1
    assert len(young.living()) == handed


def test_rows_are_written_before_there_is_no_room_for_more(tmp_path) -> None:
    frames = many(3, 60, scripts=(plain_web,), ports=(80,))
    young = observing(
        write(tmp_path / "a.pcap", frames), tmp_path / "key", k.SEATS
    ).sides.streams.young
    http = young._http
    spool = young._shared.spool
    kept = int(http.web.used[rows_http.ROWS])
    before = spool.counts["http"]
    assert kept > 100 and not http.is_full()
    young.settle(1_000_000)
    assert spool.counts["http"] == before
    http.web.used[rows_http.SHAPES] = rows_http.MOST_SHAPES // 2
    assert http.is_full()
    young.settle(1_000_000)
    assert spool.counts["http"] == before + kept
    assert http.web.used.tolist() == [0, 0] and not http.web.slots.any()
