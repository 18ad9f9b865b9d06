"""wardwatch.observe.secrets"""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from wardwatch.errors import OutputError, UsageError
from wardwatch.model.site import KnownSecret
from wardwatch.observe import secrets
from wardwatch.observe.secrets import Secrets, hashed

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "wardwatch"


def entry(secret: bytes, n: int = 2, r: int = 1, p: int = 1) -> str:
    salt = b"s" * 16
    made = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, dklen=32)
    return f"{n},{r},{p}${salt.hex()}${made.hex()}"


def known(secret: bytes, by: str = "biomed") -> KnownSecret:
    return KnownSecret(
        name="ward default", scrypt=entry(secret), confirmed_by=by, confirmed_on="2026-01-01"
    )


def test_the_digest_is_keyed_blake2b_of_the_bytes_alone(state: Path) -> None:
    made = Secrets().digest(b"filler")
    key = (state / "key").read_bytes()
    assert made == hashlib.blake2b(b"filler", digest_size=32, key=key).hexdigest()


def test_the_same_user_tells_the_same_secret_again() -> None:
    assert Secrets().digest(b"filler") == Secrets().digest(b"filler")
    assert Secrets().digest(b"filler") != Secrets().digest(b"fillet")


def test_another_user_does_not(tmp_path: Path) -> None:
    one, other = Secrets(tmp_path / "a"), Secrets(tmp_path / "b")
    assert one.digest(b"filler") != other.digest(b"filler")


@posix
def test_the_key_is_its_owners_only(state: Path) -> None:
    Secrets()
    assert (state / "key").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in state.iterdir()] == ["key"]


def test_a_key_of_another_run_is_never_replaced(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs begin at once: the other one's key appears behind our look for it."""
    theirs = b"t" * 32
    looks = iter([FileNotFoundError()])
    read = secrets._read

    def late(path: Path) -> bytes:
        for error in looks:
            state.mkdir(parents=True)
            (state / "key").write_bytes(theirs)
            raise error
        return read(path)

    monkeypatch.setattr(secrets, "_read", late)
    made = Secrets().digest(b"x")
    assert made == hashlib.blake2b(b"x", digest_size=32, key=theirs).hexdigest()


def test_the_key_never_lies_in_the_output(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="output folder"):
        Secrets(out / "deep" / "key", output=out)
    assert not out.exists()
    beside = Secrets(output=tmp_path)
    assert "within this run only" in beside.note
    assert not (tmp_path / "state").exists()


def test_where_nothing_can_be_kept_the_key_is_of_this_run_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    one, other = Secrets(), Secrets()
    assert "within this run only" in one.note
    assert one.digest(b"x") == one.digest(b"x") != other.digest(b"x")


def test_a_named_key_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError):
        Secrets(tmp_path / "file" / "key")


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(UsageError, match="32 bytes"):
        Secrets(tmp_path / "key")


def test_generic_defaults_by_protocol() -> None:
    found = Secrets()
    assert found.known_default(b"public", "snmp") == "SNMP community public"
    assert found.known_default(b"public", "ftp") == ""
    assert found.known_default(b"admin", "http") == "admin"
    assert found.known_default(b"", "ftp") == ""


def test_every_shipped_default_names_its_source() -> None:
    plain, shipped = secrets._shipped()
    assert all(p.source for p in plain)
    assert all(h.salt for h in shipped)


def test_the_hospitals_own_defaults_count_once_confirmed() -> None:
    assert Secrets(known=[known(b"w4rd")]).known_default(b"w4rd", "telnet") == "ward default"
    assert Secrets(known=[known(b"w4rd")]).known_default(b"other", "telnet") == ""
    assert Secrets(known=[known(b"w4rd", by="")]).known_default(b"w4rd", "telnet") == ""


def test_slow_checks_are_bounded_and_the_rest_is_said() -> None:
    found = Secrets(known=[known(b"w4rd")])
    for k in range(secrets.MAX_CHECKED):
        found.known_default(b"guess %d" % k, "ftp")
    assert found.limits == ""
    assert found.known_default(b"guess 0", "ftp") == ""  # remembered: no new check
    assert found.limits == ""
    assert found.known_default(b"w4rd", "ftp") == ""
    assert found.limits.startswith("1 further secret")


def test_a_known_secret_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = secrets._equals
    monkeypatch.setattr(secrets, "_equals", lambda k, s: calls.append(1) or real(k, s))
    found = Secrets(known=[known(b"w4rd")])
    assert {found.known_default(b"w4rd", "ftp") for _ in range(5)} == {"ward default"}
    assert len(calls) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2,1,1",
        "3,1,1$00$" + "00" * 16,
        "2,0,1$00$" + "00" * 16,
        f"{1 << 17},2,1$00${'00' * 16}",
    ],
)
def test_an_entry_that_is_none_or_too_dear_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        hashed("x", text)


def test_a_relative_state_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", os.sep + "home-of-nobody")
    assert secrets.state_folder() == Path(os.sep + "home-of-nobody") / ".local/state/wardwatch"
