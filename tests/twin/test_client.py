"""The pump's client: live first, then what waited; nothing twice, nothing lost; no bad certificate."""

import asyncio
import ssl
import time
import warnings
from pathlib import Path
from random import Random

import pytest

from wardwatch.twin import client as clients
from wardwatch.twin import server as servers
from wardwatch.twin import telling, tls
from wardwatch.twin.client import Client, Offered, Settings
from wardwatch.twin.outbox import Outbox
from wardwatch.twin.rollout import Release, Rollout
from wardwatch.twin.server import PACKAGES, REPORTS, Server
from wardwatch.twin.telling import Happened, What
from wardwatch.twin.therapy import Phase

HOST = "mds.ward.example"
NOW = time.time_ns()
DAY = 86_400 * 10**9


class Bench:
    """A client, an outbox and a server on loopback, and what the server heard in order."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.box = Outbox(folder / "outbox.db")
        self.settings = settings or Settings(host=HOST)
        self.resolved = 0
        self.heard: list[tuple[int, str, int, bool]] = []
        """Sequence, kind, stamp, new."""

    async def serve(self, port: int = 0, **more: object) -> Server:
        server = Server(**more)
        take = server.fleet.hear

        def hear(envelope, now):
            found = take(envelope, now)
            if not isinstance(found, str):
                self.heard.append((found.seq, found.kind, found.stamp, found.new))
            return found

        server.fleet.hear = hear
        await server.start({REPORTS: port} if port else None)
        return server

    def client(self, ports: dict[int, int], seed: int = 1) -> Client:
        async def resolve(host: str) -> str:
            assert host == HOST
            self.resolved += 1
            return "127.0.0.1"

        status = telling.Status(0, Phase.RUNNING, 5, 6, 7, 8, 1, 0, None)
        settings = Settings(
            HOST, ports[REPORTS], ports[PACKAGES], self.settings.interval_s, self.settings.tls,
            self.settings.verifies, self.settings.newest, self.settings.roots,
        )  # fmt: skip
        return Client("M1", "001A01FFFE000142", settings, self.box, lambda: (NOW, status),
                      resolve, Random(seed))  # fmt: skip


async def until(condition, task: asyncio.Task[None] | None = None) -> None:
    async def wait() -> None:
        while not condition():
            assert task is None or not task.done(), task
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 60)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def event(n: int) -> bytes:
    return telling.happened_body(Happened(What.STOP, Phase.PAUSED, False, 1, n, 1, n, n))


def test_c4_a_pump_connects_to_the_ports_as_set_and_its_reports_are_heard(tmp_path: Path) -> None:
    assert (Settings().port, Settings().package_port) == (1588, 1580)

    async def run() -> None:
        bench = Bench(tmp_path)
        server = await bench.serve()
        one = bench.client(server.ports)
        task = asyncio.create_task(one.run())
        await until(lambda: len(bench.heard) == 1, task)
        bench.box.put(NOW + 1, "event", event(1))
        one.wake()
        await until(lambda: len(bench.heard) == 2, task)
        assert bench.heard == [(1, "status", NOW, True), (2, "event", NOW + 1, True)]
        assert one.connected
        assert len(bench.box) == 0
        await ended(task)
        await server.stop()

    asyncio.run(run())


def test_c15_after_a_day_without_a_server_live_comes_first_then_the_backlog_in_order(
    tmp_path: Path,
) -> None:
    """1,440 reports and 60 events of a day; the client is killed twice while it tells them."""

    async def run() -> None:
        bench = Bench(tmp_path)
        stamps = [NOW - DAY + n * DAY // 1500 for n in range(1500)]
        for n, stamp in enumerate(stamps):
            bench.box.put(stamp, "event", event(n), number=n + 1)
        server = await bench.serve()
        for stop_after in (400, 900, 10_000):
            before = len(bench.heard)
            one = bench.client(server.ports)
            task = asyncio.create_task(one.run())
            await until(
                lambda stop=stop_after: len(bench.heard) >= stop or not len(bench.box), task
            )
            await ended(task)
            first, *rest = bench.heard[before:]
            assert first[1:3] == ("status", NOW)
            assert first[0] > 1500, "live: put after everything that waited"
            assert [row[0] for row in rest] == sorted(row[0] for row in rest)
        told = {row[0]: row[2] for row in bench.heard if row[1] == "event"}
        assert told == dict(enumerate(stamps, 1))
        pump = server.fleet.pumps["M1"]
        assert pump.events == 1500
        assert pump.late >= 1490
        assert sum(new for *_, new in bench.heard) == pump.reports == 1503
        await server.stop()

    asyncio.run(run())


def test_c15_what_the_server_refuses_stays_and_does_not_stop_the_rest(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(servers, "SPANS", 1)

    async def run() -> None:
        bench = Bench(tmp_path)
        for n in range(1, 7):
            bench.box.put(NOW, "event", event(n))
        for seq in (2, 4):
            bench.box.taken(seq)
        server = await bench.serve()
        one = bench.client(server.ports)
        task = asyncio.create_task(one.run())
        # 7 is live and makes the first span: only what joins it can be taken, 6 and then 5.
        await until(lambda: [e.seq for e in bench.box.waiting()] == [1, 3, 5], task)
        await ended(task)
        await server.stop()

    asyncio.run(run())


def test_c19_a_name_is_asked_for_at_a_connection_only(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        server = await bench.serve()
        port = server.ports[REPORTS]
        one = bench.client(server.ports)
        task = asyncio.create_task(one.run())
        for n in range(1, 20):
            bench.box.put(NOW, "event", event(n))
            one.wake()
            await until(lambda n=n: len(bench.heard) == n + 1, task)
        assert bench.resolved == one.sessions == 1
        await server.stop()
        await until(lambda: not one.connected, task)
        server = await bench.serve(port)
        await until(lambda: one.sessions == 2, task)
        assert bench.resolved >= 2
        await ended(task)
        await server.stop()

    asyncio.run(run())


def test_c17_an_offered_library_is_fetched_once_and_handed_over(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path, Settings(interval_s=5))
        rollout = Rollout()
        rollout.publish(Release(2, b"\0library" * 9, b"mark"))
        server = await bench.serve(rollout=rollout)
        one = bench.client(server.ports)
        offered: list[Offered] = []
        one.on_library = offered.append
        task = asyncio.create_task(one.run())
        await until(lambda: len(offered) == 1, task)
        assert offered == [Offered(2, b"\0library" * 9, b"mark")]
        assert rollout.progress["M1"].value == "fetched"
        await ended(task)
        await server.stop()

    asyncio.run(run())


# Certificates ----------------------------------------------------------------------------------


class Certificates:
    """The ward's authority, its server, and what a bad one may show."""

    def __init__(self, folder: Path) -> None:
        authority = tls.Authority()
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(authority.root)
        pairs = {
            "good": authority.issue(HOST), "name": authority.issue("other.example"),
            "expired": authority.issue(HOST, expired=True), "impostor": tls.Authority().issue(HOST),
        }  # fmt: skip
        self.contexts = {
            name: tls.server_context(pair.stored(folder, name)) for name, pair in pairs.items()
        }
        old = self.contexts["old"] = tls.server_context(folder / "good.pem")
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        # Only the oldest is left on: SECLEVEL 0, or OpenSSL would refuse it by itself.
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():  # made at the first test of a worker, whichever that is
            warnings.filterwarnings("ignore", "ssl.OP_NO_", DeprecationWarning)
            for version in ("OP_NO_TLSv1_2", "OP_NO_TLSv1_3"):
                old.options |= getattr(ssl, version)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("papers"))


async def attempt(bench: Bench, context: ssl.SSLContext, on_certificate=None) -> Client:
    """One client against one server, until it is connected or has said why not."""
    server = await bench.serve(tls=context)
    one = bench.client(server.ports)
    if on_certificate:
        one.on_certificate = on_certificate
    task = asyncio.create_task(one.run())
    await until(lambda: bench.heard or one.notices, task)
    await ended(task)
    await server.stop()
    return one


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("impostor", "certificate refused"), ("expired", "certificate refused"),
        ("name", "certificate refused"), ("old", "TLS with the server failed"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:ssl.OP_NO_:DeprecationWarning")
def test_s15_hardened_aborts_with_a_notice_and_tells_nothing(
    papers: Certificates, tmp_path: Path, shown: str, why: str
) -> None:
    bench = Bench(tmp_path, Settings(tls=True, verifies=True, newest=True, roots=str(papers.roots)))
    one = asyncio.run(attempt(bench, papers.contexts[shown]))
    assert why in one.notices[0].text
    assert (bench.heard, one.sessions) == ([], 0)


@pytest.mark.parametrize("newest", [True, False])
def test_s15_hardened_speaks_to_a_server_that_is_proven(
    papers: Certificates, tmp_path: Path, newest: bool
) -> None:
    bench = Bench(
        tmp_path, Settings(tls=True, verifies=True, newest=newest, roots=str(papers.roots))
    )
    one = asyncio.run(attempt(bench, papers.contexts["good"]))
    assert (len(bench.heard), one.notices) == (1, [])


def test_s15_a_swapped_certificate_aborts_the_next_session(
    papers: Certificates, tmp_path: Path
) -> None:
    """The same server comes back with another's certificate: a notice, and not one more report."""

    async def run() -> None:
        bench = Bench(tmp_path, Settings(tls=True, verifies=True, roots=str(papers.roots)))
        server = await bench.serve(tls=papers.contexts["good"])
        port = server.ports[REPORTS]
        one = bench.client(server.ports)
        task = asyncio.create_task(one.run())
        await until(lambda: len(bench.heard) == 1, task)
        await server.stop()
        server = await bench.serve(port, tls=papers.contexts["impostor"])
        bench.box.put(NOW, "event", event(1))
        one.wake()
        await until(lambda: one.notices, task)
        assert "certificate refused" in one.notices[0].text
        assert (len(bench.heard), one.sessions, len(bench.box)) == (1, 1, 1)
        await ended(task)
        await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize(("shown", "valid"), [("good", True), ("impostor", False)])
def test_s7_a_profile_that_verifies_nothing_goes_on_and_knows_that_it_was_not_proven(
    papers: Certificates, tmp_path: Path, shown: str, valid: bool
) -> None:
    bench = Bench(tmp_path, Settings(tls=True, verifies=False, roots=str(papers.roots)))
    seen: list[bool] = []

    def on_certificate(proven: bool) -> bool:
        seen.append(proven)
        return True

    asyncio.run(attempt(bench, papers.contexts[shown], on_certificate))
    assert (seen, len(bench.heard)) == ([valid], 1)


def test_notices_end_at_their_bound(tmp_path: Path) -> None:
    one = Bench(tmp_path).client({REPORTS: 1, PACKAGES: 1})
    for _ in range(clients.NOTICES + 5):
        one._notice("again")
    assert len(one.notices) == clients.NOTICES
