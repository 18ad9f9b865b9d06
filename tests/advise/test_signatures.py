"""Detached signatures: only the pinned key's, only over these bytes."""

import sys

import pysequoia
import pytest
from tests.advise.papers import raw

from wardwatch.advise.signatures import verifier
from wardwatch.advise.store import import_paths
from wardwatch.errors import AdvisoryError, UsageError

MINE = pysequoia.Tsk.generate("Publisher <psirt@example.org>")
OTHER = pysequoia.Tsk.generate("Stranger <x@example.org>")


def signed(secret, content):
    return pysequoia.sign(secret.signer(), content, mode=pysequoia.SignatureMode.DETACHED)


def certificate(tmp_path, secret=MINE):
    path = tmp_path / "key.asc"
    path.write_bytes(bytes(secret.extract_certificate()))
    return path


def test_the_pinned_key_is_told_from_all_others(tmp_path):
    check = verifier(certificate(tmp_path))
    assert len(check(b"hello", signed(MINE, b"hello"))) == 40
    for content, signature in (
        (b"hellO", signed(MINE, b"hello")),
        (b"hello", signed(OTHER, b"hello")),
        (b"hello", b"no signature"),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            check(content, signature)


def test_a_fingerprint_pins_the_key(tmp_path):
    key = certificate(tmp_path)
    own = verifier(key)(b"a", signed(MINE, b"a"))
    assert verifier(key, f"{own[:20].lower()} {own[20:]}")
    with pytest.raises(AdvisoryError, match="not the pinned"):
        verifier(key, "0" * 40)


def test_an_import_with_a_key_takes_only_what_is_signed(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, secret in (("good", MINE), ("foreign", OTHER), ("bare", None)):
        content = raw(advisory=f"TEST-{name}")
        (folder / f"{name}.json").write_bytes(content)
        if secret is not None:
            (folder / f"{name}.json.asc").write_bytes(signed(secret, content))
    done = import_paths(tmp_path / "shelf", [folder], certificate(tmp_path))
    assert [(s.id, len(s.signed_by)) for s in done.shelved] == [("TEST-good", 40)]
    assert {name for name, _ in done.refused} == {"foreign.json", "bare.json"}


def test_no_key_and_no_package_are_told_plainly(tmp_path, monkeypatch):
    (tmp_path / "x.asc").write_bytes(b"zz")
    for name in ("x.asc", "none.asc"):
        with pytest.raises(AdvisoryError):
            verifier(tmp_path / name)
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    with pytest.raises(UsageError, match="pysequoia"):
        verifier(tmp_path / "x.asc")
