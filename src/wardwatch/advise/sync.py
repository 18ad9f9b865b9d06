"""The one thing here that asks a network: documents fetched from a provider, by explicit wish.

CSAF 2.0 §7.1 gives three ways to a provider's documents: its ``provider-metadata.json``, a ROLIE
feed, a directory with ``index.txt`` and ``changes.csv``. What a listing names is a claim of the
other side: every address must lie on the host that was named by the person, and everything is
bounded. What arrives goes the way of an imported file. A date in a listing only saves a question;
what stands on the shelf is hashed again.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wardwatch.advise.archives import Found
from wardwatch.advise.csaf import MAX_BYTES
from wardwatch.advise.store import Refused, Shelved, import_found, shelved_hashes, write_whole
from wardwatch.errors import AdvisoryError, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse
    from pathlib import Path
    from urllib.request import OpenerDirector

MAX_LISTING = 32 * 1024 * 1024
"""The ROLIE feed of the whole OT corpus is some 3 MB."""
MAX_LISTINGS = 100
"""A provider has a handful of feeds and folders; each is asked before any document."""
MAX_DOCUMENTS = 50_000
"""Twenty times the OT corpus."""
MAX_TOTAL = 1024 * 1024 * 1024
"""Bytes of one run; the OT corpus is 56 MB. The next run goes on where this one stopped."""
MAX_ASIDE = 64 * 1024
"""A hash is one line; a signature is a few kilobytes."""
MAX_REDIRECTS = 5
MAX_FAILURES = 5
"""Failures in a row after which the provider is left alone: it is down, or wants no more."""
SILENCE = 30.0
"""Seconds without a byte after which an answer is given up."""
ONE_ANSWER = 120.0
"""Seconds for one answer: 8 MB on a slow line take less, and one that drips ends here."""
ONE_RUN = 2 * 3600.0
"""Seconds for one run."""
BATCH = 50
"""Documents shelved at once: what a sudden end can lose."""
MAX_URL = 2000
TRUSTED = "csaf_trusted_provider"
"""The role that promises a hash beside every document (CSAF 2.0 §7.2.3)."""
STATE = "sync.json"


class Synced(msgspec.Struct, frozen=True):
    """What a run did."""

    listed: int
    unchanged: int
    shelved: tuple[Shelved, ...]
    refused: tuple[Refused, ...]
    remarks: tuple[str, ...]
    stopped: str = ""
    """Why it ended before the last document; "" where it did not."""


class _Seen(msgspec.Struct, frozen=True):
    """What the last run learned of one address."""

    sha512: str
    updated: str
    etag: str
    hashed: bool
    kept: bool
    """It was older than what the shelf had, so its bytes are not there."""
    key: str
    """SHA-256 of the certificate that it was checked against; "" none."""


class _Link(msgspec.Struct, frozen=True):
    rel: str = ""
    href: str = ""


class _Content(msgspec.Struct, frozen=True):
    src: str = ""


class _Entry(msgspec.Struct, frozen=True):
    link: tuple[_Link, ...] = ()
    content: _Content | None = None
    updated: str = ""


class _Feed(msgspec.Struct, frozen=True):
    entry: tuple[_Entry, ...] = ()


class _Address(msgspec.Struct, frozen=True):
    url: str = ""


class _Rolie(msgspec.Struct, frozen=True):
    feeds: tuple[_Address, ...] = ()


class _Distribution(msgspec.Struct, frozen=True):
    directory_url: str = ""
    rolie: _Rolie | None = None


class _Listing(msgspec.Struct, frozen=True):
    """A provider's metadata or a feed: which one shows in what it has."""

    role: str = ""
    distributions: tuple[_Distribution, ...] = ()
    feed: _Feed | None = None


class _Offer(NamedTuple):
    """One document as a listing names it."""

    url: str
    updated: str = ""
    hash_url: str = ""
    signature_url: str = ""


class _Answer(NamedTuple):
    raw: bytes
    etag: str


class _UnfetchedError(AdvisoryError):
    """One address gave no answer that can be used."""

    def __init__(self, url: str, problem: str, missing: bool = False, down: bool = False) -> None:
        self.missing, self.down = missing, down
        super().__init__(url, problem, "nothing of it was taken")


def sync(
    folder: Path,
    url: str,
    key: Path | None = None,
    fingerprint: str = "",
    recheck: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Synced:
    """Fetch what a provider has and the shelf has not, and shelve it.

    ``recheck`` asks also for documents whose date in the listing is the known one. Raises
    :class:`~wardwatch.errors.UsageError` for an address that is not asked at all, and
    :class:`~wardwatch.errors.AdvisoryError` where the provider's listing cannot be had.
    """
    origin = _origin(url)
    if problem := _bad_url(url, origin):
        raise UsageError(f"{url}: {problem}")
    key_digest = ""
    if key is not None:
        from wardwatch.advise.signatures import verifier

        verifier(key, fingerprint)  # a key that cannot be used is told before anything is asked
        key_digest = hashlib.sha256(key.read_bytes()).hexdigest()
    run = _Run(folder, _Web(origin), key, fingerprint, key_digest, recheck)
    return run.all(url, progress)


def _origin(url: str) -> str:
    """Scheme and host that everything must stay on."""
    import ipaddress
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise UsageError(f"{url}: is no address ({error})") from error
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise UsageError(f"{url}: only https:// is asked; name the address of a provider's listing")
    return f"{parts.scheme}://{parts.netloc}"


def _bad_url(url: str, origin: str) -> str:
    """Why an address is not asked; "" where it is."""
    from urllib.parse import unquote, urlsplit

    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return "is too long, or not written as an address"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if "@" in parts.netloc:
        return "carries a name or password"
    if f"{parts.scheme}://{parts.netloc}" != origin:
        return f"is not on {origin}: name it yourself if you mean it"
    if "?" in url or "#" in url or "\\" in url:
        return "has a query, a fragment or a backslash"
    # Servers differ on what "%2e%2e" and "a//b" mean, so no such path is asked.
    if any(part in (".", "..") for part in unquote(unquote(parts.path)).replace("\\", "/").split("/")):  # fmt: skip
        return "leads out of its folder"
    return ""


class _Web:
    """Questions to one host, each bounded, and all of them together."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._started = time.monotonic()
        self._taken = 0
        self._opener: OpenerDirector | None = None

    @property
    def origin(self) -> str:
        return self._origin

    def spent(self) -> str:
        """Why no more may be asked in this run; "" where more may."""
        if self._taken > MAX_TOTAL:
            return f"{MAX_TOTAL // 1024 // 1024} MB were fetched"
        if time.monotonic() - self._started > ONE_RUN:
            return f"{ONE_RUN / 3600:.0f} hours have passed"
        return ""

    def get(self, url: str, limit: int, etag: str = "") -> _Answer | None:
        """The bytes at an address; ``None`` where they are those of ``etag``."""
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request

        self._opener = self._opener or _opener(self._origin)
        deadline = time.monotonic() + ONE_ANSWER
        headers = {"User-Agent": "wardwatch", "Accept-Encoding": "identity"}
        if etag:
            headers["If-None-Match"] = etag
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            if problem := _bad_url(at, self._origin):
                leads = "" if at == url else f"redirects to {at}, which "
                raise _UnfetchedError(url, leads + problem)
            try:
                # Scheme and host were checked above, against what the person named.
                with self._opener.open(Request(at, headers=headers), timeout=SILENCE) as answer:  # noqa: S310
                    return self._body(url, answer, limit, deadline)
            except HTTPError as error:
                with error:
                    if error.code == 304 and etag:
                        return None
                    place = error.headers.get("Location", "")
                    if error.code not in (301, 302, 303, 307, 308) or not place:
                        missing = error.code in (404, 410)
                        raise _UnfetchedError(url, f"was answered with HTTP {error.code}", missing, down=error.code >= 500 or error.code == 429) from error  # fmt: skip
                at = _joined(url, at, place)
            except (OSError, HTTPException, ValueError) as error:
                why = getattr(error, "reason", None) or error
                raise _UnfetchedError(url, f"cannot be fetched ({why})", down=True) from error
        raise _UnfetchedError(url, f"redirects more than {MAX_REDIRECTS} times")

    def _body(self, url: str, answer: HTTPResponse, limit: int, deadline: float) -> _Answer:
        if answer.headers.get("Content-Encoding", "identity").casefold() != "identity":
            raise _UnfetchedError(url, "came packed, which nobody asked for")
        said = answer.headers.get("Content-Length", "")
        body = bytearray()
        while chunk := answer.read1(65536):
            self._taken += len(chunk)
            body += chunk
            if len(body) > limit:
                raise _UnfetchedError(url, f"is larger than {limit} bytes")
            if time.monotonic() > deadline:
                raise _UnfetchedError(url, f"took more than {ONE_ANSWER:.0f} s", down=True)
        if said.isascii() and said.isdigit() and int(said[:12]) != len(body):
            raise _UnfetchedError(url, f"broke off after {len(body)} of {said[:12]} bytes", down=True)  # fmt: skip
        etag = answer.headers.get("ETag", "")
        # It is sent back as a header: nothing but what a header may hold.
        fit = etag.isascii() and etag.isprintable() and len(etag) <= 200
        return _Answer(bytes(body), etag if fit else "")


def _joined(url: str, at: str, place: str) -> str:
    from urllib.parse import urljoin

    try:
        return urljoin(at, place)
    except ValueError as error:
        raise _UnfetchedError(url, f"redirects to no address ({error})") from error


def _opener(origin: str) -> OpenerDirector:
    """Only HTTP: the standard opener also reads ``file:`` and ``ftp:``, and follows redirects."""
    import urllib.request as web

    opener = web.OpenerDirector()
    handlers: list[web.BaseHandler] = [web.HTTPSHandler(), web.HTTPDefaultErrorHandler(), web.HTTPErrorProcessor()]  # fmt: skip
    if origin.startswith("http:"):
        handlers.append(web.HTTPHandler())  # loopback: never by way of a proxy
    else:
        # A proxy of the hospital is spoken to over http; what goes through it is TLS.
        handlers += [web.ProxyHandler(), web.HTTPHandler()]
    for handler in handlers:
        opener.add_handler(handler)
    return opener


class _Run:
    """One run: the listings, then document by document."""

    def __init__(self, folder: Path, web: _Web, key: Path | None, fingerprint: str, key_digest: str, recheck: bool) -> None:  # fmt: skip
        self._folder, self._web, self._recheck = folder, web, recheck
        self._key, self._fingerprint, self._key_digest = key, fingerprint, key_digest
        self._state = _read_state(folder)
        self._on_shelf = shelved_hashes(folder)
        self._trusted = False
        self._unchanged = self._unhashed = 0
        self._shelved: list[Shelved] = []
        self._refused: list[Refused] = []
        self._remarks: tuple[str, ...] = ()
        self._found: list[Found] = []
        self._waiting: dict[str, tuple[str, _Seen]] = {}

    def all(self, url: str, progress: Callable[[int, int], None] | None) -> Synced:
        offers = self._offers(url)
        stopped, failures = "", 0
        try:
            for i, offer in enumerate(offers.values()):
                if progress is not None:
                    progress(i, len(offers))
                stopped = self._web.spent()
                if not stopped and failures >= MAX_FAILURES:
                    stopped = f"{failures} documents in a row could not be fetched"
                if stopped:
                    break
                try:
                    self._one(offer)
                    failures = 0
                except _UnfetchedError as error:
                    self._refused.append((offer.url, _plainly(error, offer.url)))
                    failures = failures + 1 if error.down else 0
                if len(self._waiting) >= BATCH:
                    self._settle()
        finally:
            self._settle()  # also where a person ends the run: what has arrived is kept
        remarks = list(self._remarks)
        if self._unhashed:
            remarks.append(f"{self._unhashed} documents came without a hash: the provider has none")
        return Synced(len(offers), self._unchanged, tuple(self._shelved), tuple(self._refused), tuple(remarks), stopped)  # fmt: skip

    def _offers(self, url: str) -> dict[str, _Offer]:
        """Every document that is named, each once, by its address."""
        offers: dict[str, _Offer] = {}
        if url.endswith("/"):
            places: list[str] = [url]
        else:
            listing = self._listing(url)
            if listing.feed is not None:
                self._admit(offers, _of_feed(listing.feed), url)
                return offers
            if not listing.distributions:
                raise AdvisoryError(url, "is neither a provider's metadata nor a ROLIE feed", "name one of them, or a folder with / at its end")  # fmt: skip
            self._trusted = listing.role == TRUSTED
            feeds = [f.url for d in listing.distributions if d.rolie for f in d.rolie.feeds]
            folders = [d.directory_url.rstrip("/") + "/" for d in listing.distributions if d.directory_url]  # fmt: skip
            # Feeds first: they name the hash of each document.
            places = list(dict.fromkeys(feeds + folders))
        if len(places) > MAX_LISTINGS:
            raise AdvisoryError(url, f"names more than {MAX_LISTINGS} listings", "name one of them")
        failed: list[AdvisoryError] = []
        for place in places:
            try:
                if why := self._web.spent():
                    raise _UnfetchedError(place, f"was not asked: {why}")
                if place.endswith("/"):
                    self._admit(offers, self._of_folder(place), place)
                else:
                    feed = self._listing(place).feed
                    if feed is None:
                        raise _UnfetchedError(place, "is no ROLIE feed")
                    self._admit(offers, _of_feed(feed), place)
            except AdvisoryError as error:
                failed.append(error)
                self._refused.append((place, _plainly(error, place)))
        if failed and len(failed) == len(places):
            raise failed[0]
        return offers

    def _admit(self, offers: dict[str, _Offer], named: Iterator[_Offer], place: str) -> None:
        for offer in named:
            if len(offers) >= MAX_DOCUMENTS:
                self._refused.append((place, f"names more than {MAX_DOCUMENTS} documents; the rest is left"))  # fmt: skip
                return
            addresses = filter(None, (offer.url, offer.hash_url, offer.signature_url))
            problem = next(filter(None, (_bad_url(a, self._web.origin) for a in addresses)), "")
            if not problem and not offer.url.casefold().endswith(".json"):
                problem = "is not named like a document (.json)"
            if problem:
                self._refused.append((offer.url[:MAX_URL], problem))
            else:
                offers.setdefault(offer.url, offer)

    def _listing(self, url: str) -> _Listing:
        raw = self._must(url, MAX_LISTING)
        try:
            return msgspec.json.decode(raw, type=_Listing)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _UnfetchedError(url, f"is neither a provider's metadata nor a ROLIE feed ({error})") from error  # fmt: skip

    def _of_folder(self, url: str) -> Iterator[_Offer]:
        from urllib.parse import quote

        index = self._may(f"{url}index.txt", MAX_LISTING)
        changes = self._may(f"{url}changes.csv", MAX_LISTING)
        if index is None and changes is None:
            raise _UnfetchedError(url, "has neither an index.txt nor a changes.csv")
        dates = _dates(changes or b"")
        names = dates if index is None else index.decode("utf-8", "replace").splitlines()
        for line in names:
            name = line.strip().removeprefix("./")
            if not name:
                continue
            # A name within the folder; "/x", "//host/x", "https://host/x" and "../x" lead out.
            if any(p in ("", ".", "..") for p in name.split("/")):  # fmt: skip
                self._refused.append((name[:MAX_URL], f"leads out of {url}"))
                continue
            yield _Offer(url + quote(name, safe="/%+-_.~"), dates.get(name, ""))

    def _one(self, offer: _Offer) -> None:
        old = self._state.get(offer.url)
        known = old
        if old is not None:
            there = old.kept or old.sha512 in self._on_shelf
            if not there or (self._key is not None and old.key != self._key_digest):
                known = None
        if known and offer.updated and offer.updated == known.updated and not self._recheck:
            self._unchanged += 1
            return
        kind, stated = self._hash(offer, old is not None and old.hashed)
        if known and kind == "sha512" and stated == known.sha512:
            self._same(offer, known)
            return
        # Where the stated hash is another one, "not modified" would be no answer.
        answer = self._web.get(offer.url, MAX_BYTES, known.etag if known and kind != "sha512" else "")  # fmt: skip
        if answer is None:
            assert known is not None
            self._same(offer, known)
            return
        if kind and hashlib.new(kind, answer.raw).hexdigest() != stated:
            raise _UnfetchedError(offer.url, f"does not match its .{kind}")
        signature: bytes | None = None
        if self._key is not None:
            signature = self._may(offer.signature_url or f"{offer.url}.asc", MAX_ASIDE)
        self._unhashed += not kind
        name = offer.url.partition("://")[2]
        self._found.append(Found(name, answer.raw))
        if kind == "sha512":
            self._found.append(Found(f"{name}.sha512", stated.encode()))
        if signature is not None:
            self._found.append(Found(f"{name}.asc", signature))
        seen = _Seen("", offer.updated[:64], answer.etag, bool(kind), False, self._key_digest)
        self._waiting[name] = (offer.url, seen)

    def _same(self, offer: _Offer, known: _Seen) -> None:
        self._unchanged += 1
        self._state[offer.url] = msgspec.structs.replace(known, updated=offer.updated[:64])

    def _hash(self, offer: _Offer, promised: bool) -> tuple[str, str]:
        """Kind and digits of the hash that the provider states; ("", "") where it has none."""
        if offer.hash_url:
            # The listing names it, so its absence is no answer.
            raw: bytes | None = self._must(offer.hash_url, MAX_ASIDE)
            kind = "sha256" if offer.hash_url.casefold().endswith(".sha256") else "sha512"
        else:
            for kind in ("sha512", "sha256"):
                raw = self._may(f"{offer.url}.{kind}", MAX_ASIDE)
                if raw is not None:
                    break
        if raw is None:
            if promised or self._trusted:
                raise _UnfetchedError(offer.url, "has no hash beside it, though its provider gives hashes")  # fmt: skip
            return "", ""
        words = raw.decode("ascii", "replace").split()
        return kind, words[0].casefold() if words else "-"

    def _must(self, url: str, limit: int) -> bytes:
        answer = self._web.get(url, limit)
        assert answer is not None  # only a question with an ETag is answered so
        return answer.raw

    def _may(self, url: str, limit: int) -> bytes | None:
        try:
            return self._must(url, limit)
        except _UnfetchedError as error:
            if error.missing:
                return None
            raise

    def _settle(self) -> None:
        """Shelve what has arrived, then remember it: never the other way round."""
        found, waiting = self._found, self._waiting
        self._found, self._waiting = [], {}
        if found:
            done = import_found(self._folder, found, self._key, self._fingerprint)
            self._remarks = done.remarks
            self._shelved += done.shelved
            for item in done.shelved:
                url, seen = waiting[item.source]
                self._state[url] = msgspec.structs.replace(seen, sha512=item.sha512, kept=item.change == "kept")  # fmt: skip
            self._refused += [(waiting[name][0], why) for name, why in done.refused]
        if self._state:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_whole(self._folder / STATE, msgspec.json.format(msgspec.json.encode(self._state)))  # fmt: skip
            except OSError as error:
                raise OutputError(f"{self._folder}: cannot be written ({error.strerror}); name a folder of your own") from error  # fmt: skip


def _of_feed(feed: _Feed) -> Iterator[_Offer]:
    for entry in feed.entry:
        links: dict[str, list[str]] = {}
        for link in entry.link:
            links.setdefault(link.rel, []).append(link.href)
        url = (entry.content.src if entry.content else "") or next(iter(links.get("self", [])), "")
        hashes = sorted(links.get("hash", []), key=lambda h: not h.casefold().endswith(".sha512"))
        yield _Offer(url, entry.updated[:64], *(next(iter(those), "") for those in (hashes, links.get("signature", []))))  # fmt: skip


def _dates(raw: bytes) -> dict[str, str]:
    """When each document changed, as ``changes.csv`` says it; a row that is none saves nothing."""
    import csv

    dates: dict[str, str] = {}
    try:
        for row in csv.reader(raw.decode("utf-8", "replace").splitlines()):
            if len(row) >= 2:
                dates.setdefault(row[0].strip().removeprefix("./"), row[1].strip()[:64])
    except csv.Error:
        return dates
    return dates


def _plainly(error: AdvisoryError, url: str) -> str:
    """The problem without the address it stands beside."""
    return error.problem if error.file == url else f"{error.file} {error.problem}"


def _read_state(folder: Path) -> dict[str, _Seen]:
    path = folder / STATE
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Seen])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdvisoryError(str(path), f"is no record of earlier runs ({error})", "remove it: all is then fetched anew") from error  # fmt: skip
