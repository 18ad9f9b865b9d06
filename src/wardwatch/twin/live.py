"""Live: a ward of pumps as real processes, on namespaces of its own or on loopback, watched and cleared away.

One process supervises: it holds the namespaces, starts everybody, starts communications again when
they end, and shows what head, communications and server say. It is single-threaded, so that it may
fork; whoever it started dies with it. Roles that are not the pump's are played by Debian's own
servers where they are there: dnsmasq, ISC dhcpd as a rogue, vsftpd, openssl.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from wardwatch.model.values import NS
from wardwatch.twin import (
    comms,
    ground,
    isolation,
    link,
    messages,
    roaming,
    spaces,
    supervisor,
    therapy,
    tls,
)
from wardwatch.twin.client import Settings
from wardwatch.twin.pump import Communications, Head, Page, Plan, Radio
from wardwatch.twin.rollout import Release, Rollout
from wardwatch.twin.server import Server
from wardwatch.twin.spaces import Space, Switch
from wardwatch.twin.supervisor import Backoff, Gate

if TYPE_CHECKING:
    import ssl
    import subprocess
    from collections.abc import Callable

HOST = "mds.ward.example"
NETWORK = "10.77.0"
DHCP, RESOLVER, SERVER, FILES, GATEWAY, IMPOSTOR, ROGUE, LIAR, BENCH = (
    f"{NETWORK}.{n}" for n in (5, 5, 20, 25, 40, 66, 67, 68, 30)
)
"""Addresses of the roles; pumps with a static one begin at 101, the DHCP server's range at 150."""
LEASE_S = 3600
DNS_TTL_S = 30
PUMPS = 16
LONGEST_S = 86_400.0
LOOK_S = 0.1
MESSAGE = 65_536
AT_ONCE = 64
"""Messages read from one station before the others have their turn."""


class Wish(msgspec.Struct, frozen=True):
    """What kind of ward is wanted."""

    pumps: int = 2
    version: str = "1.6.0"
    seconds: float = 60.0
    loopback: bool = False
    """Even where namespaces are permitted."""
    external: bool = False
    """External communications of the first pump are switched on."""
    dhcp: int = 1
    """Pumps, counted from the last, that ask for an address; on loopback nobody does."""
    tls: bool | None = None
    """None: as the profile would."""
    interval_s: float = 60.0
    boot_s: float = -1.0
    """Of communications after a crash; below 0 the profile's."""
    occlude_s: tuple[float, ...] = ()
    """When the first pump's line is occluded."""
    capture: str = ""
    """File for what the mirror port sees; "" keeps nothing."""
    library: int = 0
    """Version the server publishes once the ward runs; 0 none."""
    rogue: bool = False
    """A second DHCP server, ISC's, that nobody asked for."""
    option_66: int = 0
    """Octets of option 66 in the rogue's replies, one constant byte; 0 none, at most 255."""
    impostor: bool = False
    """The name of the pump server leads to somebody with another certificate (openssl)."""
    over_read: bool = False
    """Pumps ask a resolver of ours whose first answer to each counts more than it holds (namespaces
    only)."""
    files: bool = False
    """The hospital's file server, vsftpd."""
    roam: float = 0.0
    """Walks an hour of each pump: its cable is out for a while (namespaces only)."""
    silent: bool = True
    """Ports that are not open drop what comes, as the published pump does."""
    seed: int = 1


class Seen(msgspec.Struct, frozen=True):
    """The server's picture of one pump."""

    serial: str
    reports: int
    again: int
    late: int
    events: int
    alarms: int
    library: int
    pending: int
    progress: str = ""


class Fleet(msgspec.Struct, frozen=True):
    """The server's picture."""

    pumps: tuple[Seen, ...] = ()
    refused: int = 0
    most_at_once: int = 0


class Bed(msgspec.Struct, frozen=True):
    """Everything known of one pump."""

    name: str
    serial: str
    version: str
    page: Page = Page()
    radio: Radio = Radio()
    restarts: int = 0
    """Of communications."""
    pressures: tuple[float, ...] = ()
    """The last minute's, a value a second."""
    watchdog: tuple[str, ...] = ()
    """What the watchdog announced."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of all its communications, those before a restart as well."""


class Picture(msgspec.Struct, frozen=True):
    """Everything that can be watched."""

    where: str
    """``namespaces``, with whose they are if not root's, or ``loopback`` and why."""
    seconds: float
    beds: tuple[Bed, ...]
    fleet: Fleet = Fleet()
    peers: tuple[str, ...] = ()
    """Programs of this system that play a role."""
    missing: tuple[str, ...] = ()
    """Programs that were wanted and are not there."""
    packets: int = 0
    """In the capture so far."""
    doors: dict[str, str] = {}
    """Of each station's namespace, for ``nsenter --net=``; they close with the ward."""
    cables: dict[str, str] = {}
    """The switch's interface of each station."""
    pids: dict[str, int] = {}
    """Who was started, for those who try what happens when it ends."""


class _Process:
    """Somebody we started."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid

    def ended(self) -> bool:
        return self.pid < 0 or os.waitpid(self.pid, os.WNOHANG)[0] != 0

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.pid > 0:
            with suppress(ProcessLookupError):
                os.kill(self.pid, how)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = -1


class Ward:
    """A live ward. Use it as a context; on leaving, nothing of it is left."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.why_loopback = "asked for" if wish.loopback else spaces.possible()
        self.own_user = False
        """Whether this process is root of a user namespace of its own, and stays it."""
        self.folder = Path()
        self.epoch_ns = 0
        self.spaces: dict[str, Space] = {}
        self.ports: dict[str, str] = {}
        """The switch's end of each station's cable."""
        self.switch: Switch | None = None
        self.beds: dict[str, Bed] = {}
        self.plans: dict[str, Plan] = {}
        self.fleet = Fleet()
        self.peers: list[str] = []
        self.missing: list[str] = []
        self.packets = 0
        self.stopped = False
        self._stack = ExitStack()
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, _Process] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._started: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._links: dict[str, socket.socket] = {}
        self._tells: dict[str, socket.socket] = {}
        self._walks: dict[str, list[tuple[int, bool]]] = {}
        """Instants (monotonic, ns) at which a pump's cable is pulled out or put back."""
        self._began = 0.0
        self._server_ports: dict[int, int] = {}

    @property
    def where(self) -> str:
        """``namespaces``, with whose they are if not root's, or ``loopback`` and why."""
        if self.why_loopback:
            return f"loopback ({self.why_loopback})"
        return "namespaces of a user's own" if self.own_user else "namespaces"

    @property
    def oldest(self) -> bool:
        """Whether pumps open with TLS 1.0, as the published ones do."""
        weak = "CVE-2017-12721" in comms.firmwares()[self.wish.version].weaknesses
        return self.uses_tls and weak and tls.speaks_oldest()

    @property
    def uses_tls(self) -> bool:
        """Whether pumps and their server speak TLS."""
        wish = self.wish
        return wish.tls if wish.tls is not None else wish.version in ("1.6.1", "hardened")

    def __enter__(self) -> Ward:
        self._began, self.epoch_ns = time.monotonic(), time.time_ns()
        try:
            if not self.why_loopback and not spaces.privileged():
                self._own_user()
            self._handle_signals()
            place = tempfile.TemporaryDirectory(prefix="wardwatch-twin-")
            self.folder = Path(self._stack.enter_context(place))
            self._stack.callback(self._end_everybody)
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _own_user(self) -> None:
        try:
            spaces.own_user()
        except spaces.SpaceError as error:
            self.why_loopback = error.strerror or str(error)
        else:
            self.own_user = True

    def __exit__(self, *_: object) -> None:
        with self._stack:
            pass

    def picture(self) -> Picture:
        """What can be seen now."""
        return Picture(
            self.where, time.monotonic() - self._began, tuple(self.beds.values()), self.fleet,
            tuple(self.peers), tuple(self.missing), self.packets,
            {name: f"/proc/{os.getpid()}/fd/{one.fd}" for name, one in self.spaces.items()},
            dict(self.ports),
            {name: one.pid for name, one in self._processes.items()},
        )  # fmt: skip

    def watch(self, until: Callable[[Picture], bool], seconds: float = -1.0) -> Picture:
        """Supervise until ``until`` is true of the picture, a signal comes, or time is over."""
        longest = min(self.wish.seconds if seconds < 0 else seconds, LONGEST_S)
        end = time.monotonic() + longest
        while not self.stopped and (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left, LOOK_S)):
                key.data()
            self._restart()
            self._walk()
            if until(self.picture()):
                break
        return self.picture()

    # Building --------------------------------------------------------------------------------

    def _build(self) -> None:
        wish = self.wish
        papers = _papers(self.folder, rsa=self.oldest)
        if not self.why_loopback:
            self.switch = Switch()
            self._stack.callback(self.switch.close)
            self.spaces["switch"] = self.switch.space
            if wish.capture:
                self._capture(Path(wish.capture))
            self._station("server", "00:50:56:77:00:20", SERVER)
            self._station("bench", "f8:b1:56:77:00:30", BENCH)
            self._station("gateway", "00:50:56:77:00:40", GATEWAY)
            self._peers()
            self._fork("gateway", lambda: asyncio.run(_gateway()), self.spaces["gateway"])
            if wish.over_read:
                self._lie(IMPOSTOR if wish.impostor else SERVER)
        self._serve()
        for n in range(min(wish.pumps, PUMPS)):
            self._pump(n, papers)

    def _lie(self, true: str) -> None:
        """A resolver that over-reads, listening before anybody asks."""
        read, ready = os.pipe()
        space = self._station("liar", "b8:27:eb:77:00:68", LIAR)
        self._fork("liar", lambda: over_reading(LIAR, true, ready), space)
        os.close(ready)
        with os.fdopen(read, "rb") as line:
            if not line.readline():
                raise spaces.SpaceError("the resolver did not start")

    def _station(self, name: str, mac: str, address: str = "") -> Space:
        assert self.switch is not None
        space = Space(name)
        self._stack.callback(space.close)
        self.spaces[name] = space
        self.ports[name] = self.switch.plug(space, mac, address)
        return space

    def _pump(self, n: int, roots: Path) -> None:
        wish = self.wish
        name = f"pump-{n + 1}"
        firmware = comms.firmwares()[wish.version]
        draws = Random(f"{wish.seed}/{name}")  # noqa: S311 — a twin, no secret
        uses_tls = self.uses_tls
        asks = not self.why_loopback and n >= wish.pumps - wish.dhcp and bool(self.peers)
        mac = f"00:1a:01:77:01:{n + 1:02x}"
        address = "127.0.0.1" if self.why_loopback else f"{NETWORK}.{101 + n}"
        settings = Settings(
            HOST, self._server_ports[1588], self._server_ports[1580], wish.interval_s, uses_tls,
            uses_tls and "CVE-2017-12721" not in firmware.weaknesses, wish.version == "hardened",
            str(roots), self.oldest,
        )  # fmt: skip
        if uses_tls and "CVE-2017-12721" in firmware.weaknesses and not self.oldest:
            self._lacks("TLS 1.0")
        resolver = LIAR if wish.over_read else (RESOLVER if self.peers else "")
        resolver = "" if self.why_loopback else resolver
        key = RULES_KEY if wish.version == "hardened" else b""
        plan = Plan(
            name=name,
            module=msgspec.structs.replace(
                comms.made(wish.version, external=wish.external and n == 0),
                seed=draws.getrandbits(32),
            ),
            mac=mac,
            settings=settings,
            address="" if asks else address,
            resolver=resolver,
            server="127.0.0.1" if self.why_loopback else ("" if resolver else SERVER),
            ports={} if self.why_loopback else None,
            boot_s=firmware.boot_s if wish.boot_s < 0 else wish.boot_s,
            occlude_s=wish.occlude_s if n == 0 else (),
            seed=wish.seed * 1000 + n,
            rules=msgspec.structs.replace(isolation.PROFILES[wish.version], key=key),
        )
        self.plans[name] = plan
        self.beds[name] = Bed(name, plan.module.serial, wish.version)
        if not self.why_loopback:
            space = self._station(name, mac, plan.address)
            if wish.silent and spaces.tool("nft"):
                with space.entered():
                    open_ = (3210, 21, 23, 2200) if plan.module.external else (3210,)
                    spaces.silent(*open_)
            elif wish.silent:
                self._lacks("nft")
            begin, span = time.monotonic_ns(), int(min(wish.seconds, LONGEST_S) * NS)
            self._walks[name] = [
                (begin + at, out)
                for silence in roaming.silences(draws, span, wish.roam)
                for at, out in ((silence.at, True), (silence.until, False))
            ]
        self._head(plan)
        self._communicate(name)

    def _lacks(self, program: str) -> None:
        if program not in self.missing:
            self.missing.append(program)

    # Processes -------------------------------------------------------------------------------

    def _fork(self, name: str, act: Callable[[], None], space: Space | None = None) -> None:
        """A process of ours, in a space, that dies with us and never outlives the wish."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent, pid = os.getpid(), os.fork()
        if pid:
            self._processes[name] = _Process(name, pid)
            return
        status = 1
        try:
            spaces.ends_with_parent(parent)
            for one in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(one, signal.SIG_DFL)
            signal.signal(
                signal.SIGINT, signal.SIG_IGN
            )  # the terminal's is the supervisor's matter
            signal.alarm(int(min(self.wish.seconds, LONGEST_S)) + 120)
            if space is not None:
                space.stay()
            for one_space in self.spaces.values():
                one_space.close()  # nobody can go where he does not live
            act()
            status = 0
        except BaseException as error:
            with suppress(OSError):
                (self.folder / f"{name}.fault").write_text(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(status)

    def _peer(self, name: str, command: list[str], space: Space) -> None:
        """A program of this system in a space."""
        import subprocess

        with space.entered():
            log = (self.folder / f"{name}.log").open("wb")
            process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 — our own words
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                preexec_fn=partial(spaces.ends_with_parent, os.getpid()), start_new_session=True,
            )  # fmt: skip
            log.close()
        self._processes[name] = _Process(name, process.pid)
        process.returncode = 0  # it is waited for with all the others
        self.peers.append(Path(command[0]).name)

    def _head(self, plan: Plan) -> None:
        """Therapy with its watchdog; both may have a namespace without anything in it."""
        head_end, comms_end = link.pair()
        self._links[plan.name] = comms_end
        self._stack.callback(comms_end.close)
        screen, shown = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        screen.setblocking(False)
        read, beats = os.pipe()
        os.set_blocking(beats, False)
        heard, announce = os.pipe()
        os.set_blocking(heard, False)
        gate, seconds = Gate(), min(self.wish.seconds, LONGEST_S) + 60
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND

        def watchdog() -> None:
            os.close(beats)
            real_time(30)
            supervisor.watch(read, gate, announce)

        def head() -> None:
            os.close(read)
            leave_network()
            real_time(20)
            log, acts = (
                os.open(self.folder / f"{plan.name}.{kind}", flags, 0o600)
                for kind in ("jsonl", "acts")
            )
            Head(plan, head_end, screen, beats, gate, log, acts).run(seconds)

        self._fork(f"{plan.name}/watchdog", watchdog)
        self._fork(f"{plan.name}/head", head)
        for end in (read, beats, announce):
            os.close(end)
        screen.close()
        head_end.close()
        self._stack.callback(shown.close)
        self._stack.callback(os.close, heard)
        self._listen(shown, lambda raw: self._page(plan.name, raw))
        self._selector.register(
            heard, selectors.EVENT_READ, lambda: self._announced(plan.name, heard)
        )

    def _communicate(self, name: str, *, again: bool = False) -> None:
        """Communications of a pump; after a crash they boot first."""
        plan, end = self.plans[name], self._links[name]
        labels = tuple(comms.Label(cve, state) for cve, state in self.beds[name].labels)
        plan = msgspec.structs.replace(
            plan, module=msgspec.structs.replace(plan.module, labels=labels)
        )
        told, hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told.setblocking(False)

        def communicate() -> None:
            module = Communications(plan, end, told, self.folder / f"{name}.db", self.epoch_ns)
            asyncio.run(module.run(plan.boot_s if again else 0.0))

        self._fork(f"{name}/comms", communicate, self.spaces.get(name))
        told.close()
        before = self._tells.pop(name, None)
        if before is not None:
            self._unlisten(before, to_the_end=True)
        self._tells[name] = hears
        self._started[name] = time.monotonic()
        self._listen(hears, lambda raw: self._radio(name, raw))

    def _restart(self) -> None:
        """Start communications again where they ended: at once, then after longer and longer."""
        now = time.monotonic()
        for name in self.plans:
            process = self._processes[f"{name}/comms"]
            if name in self._due:
                if now >= self._due[name]:
                    del self._due[name]
                    bed = self.beds[name]
                    self.beds[name] = msgspec.structs.replace(bed, restarts=bed.restarts + 1)
                    self._communicate(name, again=True)
            elif process.ended():
                process.pid = -1
                draws = Random(f"{self.wish.seed}/{name}/backoff")  # noqa: S311
                backoff = self._backoffs.setdefault(name, Backoff(draws, at_once=True))
                self._due[name] = now + backoff.failed(now - self._started[name])

    def _walk(self) -> None:
        """Pull out and put back the cables of those that walk through the house."""
        now = time.monotonic_ns()
        for name, walks in self._walks.items():
            assert self.switch is not None
            if walks and walks[0][0] <= now:
                self.switch.pull(self.ports[name], out=walks.pop(0)[1])

    def _serve(self) -> None:
        """The pump server, in its space."""
        told, hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told.setblocking(False)
        read, ready = os.pipe()
        wish, host = self.wish, "127.0.0.1" if self.why_loopback else SERVER
        pair = self.folder / "server.pem"
        uses_tls, oldest = self.uses_tls, self.oldest

        def serve() -> None:
            context = tls.server_context(pair, oldest=oldest) if uses_tls else None
            asyncio.run(
                _server(wish, host, context, told, ready,
                        None if self.why_loopback else {1588: 1588, 1580: 1580, 2575: 2575})
            )  # fmt: skip

        self._fork("server", serve, self.spaces.get("server"))
        told.close()
        os.close(ready)
        with os.fdopen(read, "rb") as line:
            answer = line.readline()
        if not answer:
            raise spaces.SpaceError("the pump server did not start")
        self._server_ports = msgspec.json.decode(answer, type=dict[int, int])
        self._stack.callback(hears.close)
        self._listen(hears, self._fleet)

    def _capture(self, path: Path) -> None:
        """What the mirror port sees, into a file, from before anybody speaks."""
        assert self.switch is not None
        told, hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told.setblocking(False)
        read, ready = os.pipe()
        mirror = self.switch.MIRROR
        self._fork("capture", lambda: mirrored(mirror, path, told, ready), self.switch.space)
        told.close()
        os.close(ready)
        with os.fdopen(read, "rb") as line:
            if not line.readline():
                raise spaces.SpaceError(f"{path}: the capture did not start")
        self._stack.callback(hears.close)

        def count(raw: bytes) -> None:
            self.packets = int(raw)

        self._listen(hears, count)

    def _peers(self) -> None:
        """Debian's own servers, where they are there."""
        wish = self.wish
        papers = self.folder
        if program := spaces.tool("dnsmasq"):
            space = self._station("dhcp", "00:50:56:77:00:05", DHCP)
            to = IMPOSTOR if wish.impostor else SERVER
            # In a user namespace there is no other user or group to change to.
            stays = "--no-daemon" if self.own_user else "--keep-in-foreground"
            self._peer("dnsmasq", [
                program, stays, "--conf-file=/dev/null", "--no-resolv",
                "--no-hosts", "--no-ping", "--interface=eth0", "--bind-interfaces", "--user=root",
                f"--listen-address={DHCP}", "--pid-file=", "--log-facility=-",
                f"--dhcp-leasefile={papers / 'dnsmasq.leases'}", "--dhcp-authoritative",
                f"--dhcp-range={NETWORK}.150,{NETWORK}.199,255.255.255.0,{LEASE_S}",
                f"--host-record={HOST},{to},{DNS_TTL_S}",
            ], space)  # fmt: skip
        else:
            self._lacks("dnsmasq")
        if wish.rogue and (program := spaces.tool("dhcpd")):
            space = self._station("rogue", "b8:27:eb:77:00:67", ROGUE)
            conf, leases = papers / "dhcpd.conf", papers / "dhcpd.leases"
            oversize = messages.FILLER.decode() * min(wish.option_66, 255)
            # Sent unasked (hexadecimal 42 is 66): a pump asks for mask, router and resolver only.
            said = (
                f'  option tftp-server-name "{oversize}";\n'
                "  option dhcp-parameter-request-list = "
                "concat(option dhcp-parameter-request-list, 42);\n"
                if oversize
                else ""
            )
            conf.write_text(
                f"authoritative; default-lease-time 600; max-lease-time 600;\n"
                f"subnet {NETWORK}.0 netmask 255.255.255.0 {{\n"
                f"  range {NETWORK}.200 {NETWORK}.220; option domain-name-servers {ROGUE};\n"
                f"  option routers {ROGUE};\n{said}}}\n", encoding="ascii",
            )  # fmt: skip
            leases.touch()
            self._peer("dhcpd", [program, "-4", "-f", "-d", "--no-pid", "-cf", str(conf),
                                 "-lf", str(leases), "eth0"], space)  # fmt: skip
        elif wish.rogue:
            self._lacks("dhcpd")
        if wish.impostor and (program := spaces.tool("openssl")):
            space = self._station("impostor", "b8:27:eb:77:00:66", IMPOSTOR)
            old = ["-tls1", "-cipher", "ALL:@SECLEVEL=0"] if self.oldest else []
            self._peer("openssl", [program, "s_server", "-accept", "1588", "-rev", *old, "-cert",
                                   str(papers / "impostor.pem"), "-key",
                                   str(papers / "impostor.pem")], space)  # fmt: skip
        elif wish.impostor:
            self._lacks("openssl")
        if wish.files and self.own_user:
            self._lacks("vsftpd (it wants users that only root has)")
        elif wish.files and (program := spaces.tool("vsftpd")):
            space = self._station("files", "00:50:56:77:00:25", FILES)
            root, empty = papers / "files", papers / "empty"
            root.mkdir(mode=0o755)
            empty.mkdir(mode=0o555)
            papers.chmod(0o711)
            (root / "hello.txt").write_text("constant filler\n", encoding="ascii")
            conf = papers / "vsftpd.conf"
            conf.write_text(
                f"listen=YES\nlisten_ipv6=NO\nlisten_address={FILES}\nanonymous_enable=YES\n"
                f"local_enable=NO\nanon_root={root}\nsecure_chroot_dir={empty}\n"
                "seccomp_sandbox=NO\nbackground=NO\n", encoding="ascii",
            )  # fmt: skip
            self._peer("vsftpd", [program, str(conf)], space)
        elif wish.files:
            self._lacks("vsftpd")

    # What they say ---------------------------------------------------------------------------

    def _listen(self, end: socket.socket, take: Callable[[bytes], None]) -> None:
        end.setblocking(False)

        def read() -> None:
            for _ in range(AT_ONCE):
                try:
                    raw = end.recv(MESSAGE)
                except BlockingIOError:
                    return
                except OSError:
                    raw = b""
                if not raw:
                    self._unlisten(end)
                    return
                take(raw)

        self._selector.register(end, selectors.EVENT_READ, read)

    def _unlisten(self, end: socket.socket, *, to_the_end: bool = False) -> None:
        """Hear no more of it; ``to_the_end`` hears first what was said before it ended."""
        with suppress(KeyError, ValueError):
            if to_the_end:
                self._selector.get_key(end).data()
        with suppress(KeyError, ValueError):
            self._selector.unregister(end)
        end.close()

    def _page(self, name: str, raw: bytes) -> None:
        page, bed = msgspec.json.decode(raw, type=Page), self.beds[name]
        pressures = bed.pressures
        if page.at // NS > bed.page.at // NS or not pressures:
            pressures = (*pressures[-59:], round(page.pressure_mmhg, 1))
        self.beds[name] = msgspec.structs.replace(bed, page=page, pressures=pressures)

    def _radio(self, name: str, raw: bytes) -> None:
        radio, bed = msgspec.json.decode(raw, type=Radio), self.beds[name]
        labels = tuple(dict.fromkeys((*bed.labels, *radio.labels)))
        self.beds[name] = msgspec.structs.replace(bed, radio=radio, labels=labels)

    def _fleet(self, raw: bytes) -> None:
        self.fleet = msgspec.json.decode(raw, type=Fleet)

    def _announced(self, name: str, heard: int) -> None:
        try:
            raw = os.read(heard, 4096)
        except BlockingIOError:
            return
        if not raw:
            self._selector.unregister(heard)
            return
        bed = self.beds[name]
        told = (*bed.watchdog, *raw.decode("ascii").split("\n")[:-1])
        self.beds[name] = msgspec.structs.replace(bed, watchdog=told[-16:])

    # Clearing away ---------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        def stop(number: int, frame: object) -> None:
            _ = number, frame
            self.stopped = True

        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._stack.callback(signal.signal, one, signal.signal(one, stop))

    def _end_everybody(self) -> None:
        for end in self._tells.values():
            self._unlisten(end)
        capture = self._processes.pop("capture", None)
        for process in self._processes.values():
            process.end()
        if capture is not None:
            capture.end(signal.SIGTERM)  # it writes its last packets and closes the file
        self._selector.close()


RULES_KEY = b"made for one run"
"""Of the hardened head and whoever signs for it in this ward: no secret, and nobody else's."""


def release(version: int, key: bytes) -> Release:
    """A library for a live ward, signed where there is a key."""
    entry = therapy.Entry("heparin", 0, 1_000_000, 20_000_000, 60_000_000, 100_000_000)
    package = msgspec.json.encode(therapy.Library(version, (entry,)))
    rules = therapy.Rules(key=key)
    offer = therapy.offer(rules, link.Kind.LIBRARY_COMMIT, version, package)
    return Release(version, package, offer, signed=bool(key))


def over_reading(host: str, true: str, ready: int) -> None:
    """A resolver whose first answer to each asker claims 8,192 records and holds one, of filler.

    Afterwards it answers truly: each name is at ``true``. It never ends, and reads any octets.
    """
    asked: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((ground.permitted(host), 53))
        os.write(ready, b"ready\n")
        os.close(ready)
        while True:
            raw, asker = one.recvfrom(512)
            name, ident = messages.asked(raw), int.from_bytes(raw[:2], "big")
            if not name or len(asked) > ASKERS:
                continue
            first = asker[0] not in asked
            asked.add(asker[0])
            address = messages.FILLER * 4 if first else socket.inet_aton(true)
            claimed = OVER_READ if first else 1
            one.sendto(messages.dns_answer(ident, name, address, DNS_TTL_S, claimed), asker)


OVER_READ, ASKERS = 0x2000, 1024


async def _gateway() -> None:
    """The hospital's HL7 gateway: takes what the pump server says in IHE PCD."""
    server = Server(GATEWAY)
    await server.start({2575: 2575})
    await asyncio.Event().wait()


async def _server(
    wish: Wish, host: str, context: ssl.SSLContext | None, told: socket.socket, ready: int,
    ports: dict[int, int] | None,
) -> None:  # fmt: skip
    hardened = wish.version == "hardened"
    rollout = Rollout(hardened=hardened)
    server = Server(host, rollout, context)
    await server.start(ports)
    os.write(ready, msgspec.json.encode(server.ports) + b"\n")
    os.close(ready)
    # Kept by a name: a task that nobody holds may be collected.
    speaking = asyncio.create_task(server.speak(GATEWAY, 2575)) if ports else None
    if wish.library:
        rollout.publish(release(wish.library, RULES_KEY if hardened else b""))
    while speaking is None or not speaking.done():
        fleet = Fleet(
            tuple(
                Seen(p.serial, p.reports, p.again, p.late, p.events, p.alarms, p.library, p.pending,
                     rollout.progress[p.serial].value if p.serial in rollout.progress else "")
                for p in server.fleet.pumps.values()
            ), server.fleet.refused, rollout.most_at_once,
        )  # fmt: skip
        with suppress(OSError):
            told.send(msgspec.json.encode(fleet))
        await asyncio.sleep(0.25)


def mirrored(interface: str, path: Path, told: socket.socket, ready: int) -> None:
    """Write every frame of an interface to a pcapng until SIGTERM; stamps are the kernel's."""
    from wardwatch.capture.write import PcapngWriter

    so_timestampns, packet_outgoing = 35, 4
    over = False

    def stop(number: int, frame: object) -> None:
        nonlocal over
        _ = number, frame
        over = True

    signal.signal(signal.SIGTERM, stop)
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw,
        PcapngWriter(path, ((1, interface, 0),), comment="wardwatch twin: a live ward") as writer,
    ):
        raw.setsockopt(socket.SOL_SOCKET, so_timestampns, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        raw.bind((interface, 0))
        raw.settimeout(0.2)
        os.write(ready, b"ready\n")
        os.close(ready)
        while True:
            try:
                data, extra, _, address = raw.recvmsg(MESSAGE, 64)
            except TimeoutError:
                if over:
                    return
                with suppress(OSError):
                    told.send(str(writer.packets).encode())
                continue
            if address[2] == packet_outgoing:
                continue
            stamp = time.time_ns()
            for level, kind, value in extra:
                if (level, kind) == (socket.SOL_SOCKET, so_timestampns):
                    seconds = int.from_bytes(value[:8], sys.byteorder)
                    stamp = seconds * NS + int.from_bytes(value[8:16], sys.byteorder)
            writer.packet(0, stamp, data)


def leave_network() -> bool:
    """A network namespace with nothing in it, where the machine permits one."""
    import ctypes

    return int(ctypes.CDLL(None).unshare(spaces.CLONE_NEWNET)) == 0


def real_time(priority: int) -> bool:
    """Real-time priority, where it is granted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (OSError, AttributeError):
        return False
    return True


def _papers(folder: Path, *, rsa: bool) -> Path:
    """Certificates of this run: the authority's, the server's, and an impostor's."""
    authority = tls.Authority()
    roots = folder / "roots.pem"
    roots.write_bytes(authority.root)
    authority.issue(HOST, rsa=rsa).stored(folder, "server")
    tls.Authority().issue(HOST, rsa=rsa).stored(folder, "impostor")
    return roots
