"""Rollout: a library version brought to a fleet in stages, with progress per pump and a way back.

At most a twentieth of the fleet is asked at once [A] (C-17); one pump of a fleet below twenty. A
pump is done when it reports the version as active or waiting for its next patient: an infusion that
runs is never touched. Nothing here opens a socket; time is an argument.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from wardwatch.model.values import NS

SHARE = 0.05
PATIENCE_NS = 600 * NS
"""[A] A pump that says nothing of an offer for so long gives its place to the next."""
TRIES = 3


class Progress(Enum):
    """Where a pump stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    FETCHED = "fetched"
    PENDING = "pending until the next patient"
    ACTIVE = "active"
    FAILED = "failed"


class Release(msgspec.Struct, frozen=True):
    """A library version as published."""

    version: int
    package: bytes
    offer: bytes
    """What the pump's head checks: version, digest and the maker's mark."""
    signed: bool = True


class UnsignedError(ValueError):
    """A library without the maker's mark was given to a server that demands it."""

    def __init__(self, version: int) -> None:
        super().__init__(f"library {version} bears no mark of the maker; sign it, or refuse it")
        self.version = version


class Rollout:
    """The releases, the one wanted, and each pump's progress towards it."""

    def __init__(self, *, hardened: bool = False, share: float = SHARE) -> None:
        self.hardened = hardened
        self.share = share
        self.releases: list[Release] = []
        self.progress: dict[str, Progress] = {}
        self.most_at_once = 0
        """The greatest number that was asked at one time."""
        self._since: dict[str, int] = {}
        self._tries: dict[str, int] = {}

    @property
    def wanted(self) -> Release | None:
        """What every pump should have."""
        return self.releases[-1] if self.releases else None

    def publish(self, release: Release) -> None:
        """From now on this is wanted (modify, finalise, publish, push, monitor)."""
        if self.hardened and not release.signed:
            raise UnsignedError(release.version)
        self.releases.append(release)
        self._begin()

    def roll_back(self) -> Release | None:
        """The release before is wanted again; None where there was none."""
        if len(self.releases) < 2:
            return None
        self.releases.append(self.releases[-2])
        self._begin()
        return self.wanted

    def at_once(self, fleet: int) -> int:
        """How many may be asked at one time."""
        return max(1, int(fleet * self.share))

    def heard(self, serial: str, active: int, pending: int, fleet: int, now: int) -> Release | None:
        """A pump reports its versions ⇒ the release to offer it now, if it is its turn."""
        wanted = self.wanted
        if wanted is None:
            return None
        # What waits for the next patient replaces what is active: it decides, where there is one.
        if wanted.version == (pending or active):
            self._leave(serial, Progress.PENDING if pending else Progress.ACTIVE)
            return None
        if self.progress.get(serial) is Progress.FAILED:
            return None
        self._expire(now)
        if self.progress.get(serial) in (Progress.OFFERED, Progress.FETCHED):
            return wanted
        if self.asked >= self.at_once(fleet):
            self.progress.setdefault(serial, Progress.WAITING)
            return None
        tries = self._tries.get(serial, 0) + 1
        self._tries[serial] = tries
        if tries > TRIES:
            self._leave(serial, Progress.FAILED)
            return None
        self.progress[serial] = Progress.OFFERED
        self._since[serial] = now
        self.most_at_once = max(self.most_at_once, self.asked)
        return wanted

    def fetched(self, serial: str) -> None:
        """A pump has taken the package; whether it accepts it, it will report."""
        if self.progress.get(serial) is Progress.OFFERED:
            self.progress[serial] = Progress.FETCHED

    @property
    def asked(self) -> int:
        """Pumps that have an offer open."""
        return len(self._since)

    def _begin(self) -> None:
        self.progress = dict.fromkeys(self.progress, Progress.WAITING)
        self._since.clear()
        self._tries.clear()

    def _leave(self, serial: str, progress: Progress) -> None:
        self.progress[serial] = progress
        self._since.pop(serial, None)

    def _expire(self, now: int) -> None:
        for serial, since in list(self._since.items()):
            if now - since > PATIENCE_NS:
                self._leave(serial, Progress.WAITING)
