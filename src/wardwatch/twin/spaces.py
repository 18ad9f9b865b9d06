"""Spaces: network namespaces of our own, a switch between them, and a packet filter for a silent pump.

A namespace here has no name and no file: it is held by a descriptor of this process and by those who
live in it, so that the kernel removes it with them, even after a kill -9. Needs iproute2, and root
(or the like) or a kernel that lets users have namespaces of their own; nothing of it touches a
network that was there before.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING

from wardwatch.twin import ground

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
_PR_SET_PDEATHSIG = 1
_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40
TOOL_S = 20.0
"""A tool that has not ended by then is ended."""


class SpaceError(OSError):
    """A namespace, or something in it, could not be made."""


def tool(name: str) -> str:
    """Where a program of this system is; "" if it is not there. Ordinary users' PATH lacks sbin."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") or ""


def possible() -> str:
    """Why namespaces cannot be made here; "" if they can. Tried in a process that ends at once."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if not tool("ip") or not tool("unshare"):
        return "Debian's iproute2 is missing"
    if privileged() or _links("--user", "--map-root-user"):
        return ""
    return "network namespaces are not permitted here"


def privileged() -> bool:
    """Whether they can be made as things are, without a user namespace first (see :func:`own_user`)."""
    return _links()


def own_user() -> None:
    """Become root of a user namespace of our own, in an empty network namespace: for good.

    What belongs to others stays out of reach: their networks, their users, real-time priority. The
    process must have one thread (user_namespaces(7)).

    :raises SpaceError: it is not permitted.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    # The network namespace goes along: one that is not ours could be left, and not entered again.
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise SpaceError(ctypes.get_errno(), "a user namespace is not permitted")
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    except OSError as error:
        raise SpaceError(error.errno, "a user namespace could not be set up") from error


def _links(*how: str) -> bool:
    """Whether a link can be made in a network namespace: a user may be let in and still make nothing."""
    words = [tool("unshare"), *how, "--net", tool("ip"), "link", "add", "br0", "type", "bridge"]
    try:
        run(words)
    except SpaceError:
        return False
    return True


class Space:
    """One namespace of ours."""

    def __init__(self, name: str) -> None:
        self.name = name
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.unshare(CLONE_NEWNET) != 0:
                raise SpaceError(ctypes.get_errno(), "a network namespace is not permitted")
            self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            ground.made(ground.here())
            # A pump of the class speaks no IPv6, and nobody else needs it on this ward.
            Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1", encoding="ascii")
            ip("link", "set", "lo", "up")
        finally:
            _enter(libc, home)
            os.close(home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Stand in it; children that begin meanwhile stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(libc, self.fd)
            yield
        finally:
            _enter(libc, home)
            os.close(home)

    def stay(self) -> None:
        """Move in for good."""
        _enter(ctypes.CDLL(None, use_errno=True), self.fd)

    def close(self) -> None:
        """Let go of it; it ends with the last process in it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Switch:
    """A learning switch in a space of its own, whose mirror sees every frame once."""

    MIRROR = "br0"

    def __init__(self) -> None:
        self.space = Space("switch")
        self.ports = 0
        with self.space.entered():
            ip("link", "add", self.MIRROR, "type", "bridge", "mcast_snooping", "0")
            ip("link", "set", self.MIRROR, "up", "promisc", "on")

    def plug(self, space: Space, mac: str, address: str = "", length: int = 24) -> str:
        """A cable to a space ⇒ the switch's end of it; ``eth0`` there gets that MAC and address."""
        self.ports += 1
        port = f"p{self.ports}"
        with self.space.entered():
            there = f"/proc/{os.getpid()}/fd/{space.fd}"
            ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "address", mac,
               "netns", there)  # fmt: skip
            ip("link", "set", port, "master", self.MIRROR, "up")
            _true_checksums(port)
        with space.entered():
            _true_checksums("eth0")
            ip("link", "set", "eth0", "up")
            if address:
                ip("addr", "add", f"{address}/{length}", "dev", "eth0")
        return port

    def pull(self, port: str, *, out: bool = True) -> None:
        """Pull a cable out of the switch, or put it back."""
        with self.space.entered():
            ip("link", "set", port, "down" if out else "up")

    def close(self) -> None:
        """Let go of it."""
        self.space.close()


def ip(*words: str) -> None:
    """One command of iproute2, where this process stands."""
    run([tool("ip") or "ip", *words])


def silent(*open_ports: int) -> None:
    """Drop what comes unasked but for these TCP ports, DHCP and ping: no RST, no ICMP (C-1).

    Where this process stands, which must be a space of ours.
    """
    if ground.here() not in ground.ours():
        raise SpaceError("a packet filter is set in a namespace of our own only")
    ports = ", ".join(map(str, open_ports))
    rules = f"""
    table ip wardwatch {{
      chain input {{
        type filter hook input priority 0; policy drop;
        iifname lo accept
        ct state established,related accept
        icmp type echo-request accept
        udp dport 68 accept
        tcp dport {{ {ports} }} accept
      }}
    }}"""
    run([tool("nft") or "nft", "-f", "-"], rules)


def run(command: list[str], text: str = "") -> None:
    """A short program, which must succeed.

    :raises SpaceError: it is missing, fails, or does not end.
    """
    try:
        done = subprocess.run(  # noqa: S603 — our own words, no shell
            command, input=text, capture_output=True, text=True, check=False, timeout=TOOL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpaceError(f"{Path(command[0]).name} could not be run") from error
    if done.returncode != 0:
        raise SpaceError(f"{Path(command[0]).name} {command[1:4]}: {done.stderr.strip()[:200]}")


def ends_with_parent(parent: int) -> None:
    """A process that calls this is killed when the one that made it ends, or has ended by now."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we came to ask for its signal
        os.kill(os.getpid(), signal.SIGKILL)


def carrier(interface: str) -> bool:
    """Whether somebody is at the other end of its cable."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        raw = fcntl.ioctl(one, _SIOCGIFFLAGS, pack("16s16x", interface.encode()))
    return bool(int.from_bytes(raw[16:18], sys.byteorder) & _IFF_RUNNING)


def address(interface: str, ipv4: str, mask: str) -> None:
    """Give an interface an address, as a DHCP client does; "0.0.0.0" takes it away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for request, value in ((_SIOCSIFADDR, ipv4), (_SIOCSIFNETMASK, mask)):
            if value:
                sockaddr = pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(one, request, pack("16s16s", interface.encode(), sockaddr))


def _enter(libc: ctypes.CDLL, fd: int) -> None:
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise SpaceError(ctypes.get_errno(), "a network namespace could not be entered")


def _true_checksums(interface: str) -> None:
    """Let checksums be made, not left to hardware that is not there: a capture shows them."""
    value = ctypes.create_string_buffer(pack("=II", _ETHTOOL_STXCSUM, 0))
    request = pack("16sP", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _SIOCETHTOOL, request + bytes(16))
