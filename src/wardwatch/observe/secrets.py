"""Secrets: compared by a keyed digest, checked against published defaults, and forgotten.

A secret is what opens a door: a password, an SNMP community. It is never stored. What is kept
is BLAKE2b-256 of its bytes, keyed by 32 random bytes in the user's state folder, so that two
uses of one secret can be told equal on this machine and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wardwatch.errors import OutputError, UsageError
from wardwatch.packs import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardwatch.model.site import KnownSecret

KEY_BYTES = 32
MAX_CHECKED = 100
"""Different secrets put through scrypt, of TCP and of datagrams each. One check takes some 50 ms and 16 MiB for each
known default: a brute-force attack in the capture must not hold up its own analysis."""
MAX_REMEMBERED = 65_536
"""Answers kept for secrets seen before: some 200 bytes each."""
MAX_SECRET = 4096
"""Octets of a secret that count; longer ones are abuse, and scrypt would read them all."""
MAX_COST = 1 << 17
"""scrypt's N times r of a site's own entry: 128·N·r is its memory, here 16 MiB."""

_SCRYPT = re.compile(r"(\d{1,7}),(\d{1,3}),(\d{1,3})\$([0-9a-fA-F]{2,128})\$([0-9a-fA-F]{32,128})")


class Hashed(msgspec.Struct, frozen=True, gc=False):
    """A known default as a salted scrypt hash."""

    name: str
    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes
    protocols: tuple[str, ...] = ()


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    secret: str
    source: str
    protocols: tuple[str, ...] = ()


class _Shipped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scrypt: str
    source: str
    protocols: tuple[str, ...] = ()


class _Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plain: tuple[_Plain, ...] = ()
    hashed: tuple[_Shipped, ...] = ()


class Secrets:
    """Digests and known defaults of one run; ``note`` says what a user should know of the key."""

    def __init__(
        self,
        key_file: Path | str | None = None,
        *,
        known: Sequence[KnownSecret] = (),
        output: Path | str | None = None,
    ) -> None:
        """Read or make the key; ``output`` is a folder it must never lie in.

        Raises ``UsageError`` for a key file inside ``output`` or of the wrong size, and
        ``OutputError`` where a key file that was asked for by name cannot be made.
        """
        self.note = ""
        """"" or one line: digests hold for this run only."""
        self._answers: dict[str, str] = {}
        self.checked = 0
        """Secrets compared with hashed defaults."""
        self.unchecked = 0
        """Secrets not compared with hashed defaults because of the bound."""
        self._plain, self._hashed = _shipped()
        for own in known:
            if own.confirmed:
                self._hashed.append(hashed(own.name, own.scrypt))
        self._key = self._keep(key_file, output)

    def beside(self) -> Secrets:
        """Another one with the same key and defaults, and bounds of its own."""
        other = copy(self)
        other._answers, other.checked, other.unchecked = {}, 0, 0
        return other

    @property
    def limits(self) -> str:
        """How many secrets were not compared with hashed defaults, on one line; "" none."""
        if not self.unchecked:
            return ""
        return (
            f"{self.unchecked} further secrets were not compared with hashed defaults "
            f"(bound: {MAX_CHECKED} of TCP, as many of datagrams)"
        )

    def digest(self, secret: bytes) -> str:
        """BLAKE2b-256 of the secret's bytes alone, keyed; hex."""
        return hashlib.blake2b(secret, digest_size=32, key=self._key).hexdigest()

    def known_default(self, secret: bytes, protocol: str) -> str:
        """Name of the published default the secret equals; "" none (or past the bound)."""
        for plain in self._plain:
            if plain.secret.encode() == secret and _applies(plain.protocols, protocol):
                return plain.name
        suited = [h for h in self._hashed if _applies(h.protocols, protocol)]
        if not suited or not secret:
            return ""
        remembered = f"{protocol} {self.digest(secret)}"
        answer = self._answers.get(remembered)
        if answer is None:
            if self.checked >= MAX_CHECKED:
                self.unchecked += 1
                return ""
            self.checked += 1
            answer = next((h.name for h in suited if _equals(h, secret[:MAX_SECRET])), "")
            if len(self._answers) < MAX_REMEMBERED:
                self._answers[remembered] = answer
        return answer

    def _keep(self, key_file: Path | str | None, output: Path | str | None) -> bytes:
        path = Path(key_file) if key_file is not None else state_folder() / "key"
        if output is not None and _inside(path, Path(output)):
            if key_file is None:
                self.note = _PER_RUN + " (the state folder lies in the output folder)"
                return secrets.token_bytes(KEY_BYTES)
            raise UsageError(f"{path}: the key may not lie in the output folder; name another")
        try:
            return _read_or_make(path)
        except OSError as error:
            if key_file is not None:
                raise OutputError(f"{path}: {error.strerror}; name another key file") from error
            self.note = f"{_PER_RUN} ({path.parent} cannot be used: {error.strerror})"
            return secrets.token_bytes(KEY_BYTES)


_PER_RUN = "no key could be kept: equal secrets are told equal within this run only"


def state_folder() -> Path:
    """The user's state folder for wardwatch (XDG base directories; LOCALAPPDATA on Windows)."""
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    if base and Path(base).is_absolute():  # the XDG specification: relative ones are ignored
        return Path(base) / "wardwatch"
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    return Path(home or "/nonexistent") / ".local" / "state" / "wardwatch"


def hashed(name: str, text: str, protocols: tuple[str, ...] = ()) -> Hashed:
    """An entry from ``n,r,p$salt-hex$hash-hex``; ``UsageError`` where it is none, or too dear."""
    found = _SCRYPT.fullmatch(text)
    if found is None or any(len(found[i]) % 2 for i in (4, 5)):
        raise UsageError(f"secret {name!r}: not of the form n,r,p$salt-hex$hash-hex")
    n, r, p = int(found[1]), int(found[2]), int(found[3])
    if n < 2 or n & (n - 1) or not r or not p or n * r > MAX_COST or p > 16:
        raise UsageError(
            f"secret {name!r}: scrypt cost {n},{r},{p} is not usable (n·r ≤ {MAX_COST})"
        )
    return Hashed(name, n, r, p, bytes.fromhex(found[4]), bytes.fromhex(found[5]), protocols)


def _shipped() -> tuple[tuple[_Plain, ...], list[Hashed]]:
    shipped = read("observe/defaults.toml", _Defaults)
    return shipped.plain, [hashed(h.name, h.scrypt, h.protocols) for h in shipped.hashed]


def _applies(protocols: tuple[str, ...], protocol: str) -> bool:
    return not protocols or protocol in protocols


def _equals(known: Hashed, secret: bytes) -> bool:
    made = hashlib.scrypt(
        secret,
        salt=known.salt,
        n=known.n,
        r=known.r,
        p=known.p,
        dklen=len(known.hash),
        maxmem=64 << 20,
    )
    return hmac.compare_digest(made, known.hash)


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _read_or_make(path: Path) -> bytes:
    """The key in ``path``; made if absent, atomically, readable by its owner only."""
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_bytes(KEY_BYTES)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key)
        try:
            os.link(fresh, path)  # unlike a rename, never replaces the key of another run
        except FileExistsError:
            return _read(path)
        except OSError:  # a file system without links
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key)
    finally:
        fresh.unlink(missing_ok=True)
    return key


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise UsageError(f"{path}: a key has {KEY_BYTES} bytes, this file {len(key)}; remove it")
    return key
