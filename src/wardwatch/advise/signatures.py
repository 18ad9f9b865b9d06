"""Detached OpenPGP signatures, checked against the one key that the hospital has pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wardwatch.errors import AdvisoryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def verifier(key: Path, fingerprint: str = "") -> Callable[[bytes, bytes], str]:
    """A check of bytes and signature that gives the signer's fingerprint.

    The key's own fingerprint must be the pinned one, where one is pinned. The check raises
    ValueError where the signature is not good.
    """
    try:
        import pysequoia
    except ImportError as error:
        raise UsageError(
            "checking signatures needs the package pysequoia, which is not here: pip install pysequoia"
        ) from error
    try:
        certificate = pysequoia.Cert.from_bytes(key.read_bytes())
    except OSError as error:
        raise AdvisoryError(str(key), f"cannot be read ({error.strerror})", "name the publisher's key") from error  # fmt: skip
    except RuntimeError as error:
        raise AdvisoryError(str(key), f"is no OpenPGP certificate ({_first_line(error)})", "name the publisher's key") from error  # fmt: skip
    own = str(certificate.fingerprint).upper()
    wanted = fingerprint.replace(" ", "").upper()
    if wanted and wanted != own:
        raise AdvisoryError(str(key), f"has the fingerprint {own}, not the pinned {wanted}", "compare it with the publisher's, by another way than the download")  # fmt: skip

    def check(raw: bytes, signature: bytes) -> str:
        try:
            detached = pysequoia.Sig.from_bytes(signature)
            result = pysequoia.verify(bytes=raw, store=lambda _: [certificate], signature=detached)
        except RuntimeError as error:
            raise ValueError(_first_line(error)) from error
        if not result.valid_sigs:
            raise ValueError("no valid signature")
        return own

    return check


def _first_line(error: RuntimeError) -> str:
    """The errors of pysequoia bring a stack along."""
    return str(error).partition("\n")[0][:200].rstrip(".")
