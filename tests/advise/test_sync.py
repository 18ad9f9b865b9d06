"""Fetching from a provider: only what was named, each document checked, nothing asked twice."""

import datetime as dt
import hashlib
import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.advise.papers import raw
from typer.testing import CliRunner

from wardwatch.advise import sync as module
from wardwatch.advise.archives import Found
from wardwatch.advise.store import import_found, shelved_documents
from wardwatch.advise.sync import sync
from wardwatch.errors import AdvisoryError, UsageError
from wardwatch.ui.cli import app


class Provider:
    """Pages by path, on loopback; ``asked`` has every path that was asked for."""

    def __init__(self):
        self.pages, self.places, self.status, self.short, self.headers = {}, {}, {}, set(), {}
        self.asked = []

    def paper(self, path, hashed="sha512", **said):
        self.pages[path] = raw(**said)
        if hashed:
            self.pages[f"{path}.{hashed}"] = (
                f"{hashlib.new(hashed, self.pages[path]).hexdigest()}  x\n".encode()
            )

    def folder(self, *dated):
        self.pages["/d/index.txt"] = "\n".join(name for name, _ in dated).encode()
        self.pages["/d/changes.csv"] = "\n".join(f'"{n}","{day}"' for n, day in dated).encode()

    def feed(self, path, *entries):
        self.pages[path] = json.dumps({"feed": {"id": "x", "entry": entries}}).encode()

    def entry(self, path, day="2020-01-01T00:00:00Z", **links):
        links = [{"rel": rel, "href": self.url + at} for rel, at in links.items()]
        return {"content": {"src": self.url + path}, "updated": day, "link": links}

    def documents(self):
        """Documents asked for since the last call."""
        asked, self.asked[:] = list(self.asked), []
        return [path for path in asked if path.endswith(".json")]


def handler(provider):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            provider.asked.append(self.path)
            body = provider.pages.get(self.path, b"")
            status = 302 if self.path in provider.places else 200 if body else 404
            status = provider.status.get(self.path, status)
            tag = f'"{hashlib.md5(body).hexdigest()}"'
            if status == 200 and self.headers.get("If-None-Match") == tag:
                status, body = 304, b""
            self.send_response(status)
            self.send_header("ETag", tag)
            if self.path in provider.places:
                self.send_header("Location", provider.places[self.path])
            for pair in provider.headers.items():
                self.send_header(*pair)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.path in provider.short else body)

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def serving(tls=None):
    provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(provider))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    provider.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def provider():
    with serving() as one:
        yield one


@pytest.fixture
def two(provider):
    provider.paper("/d/2020/a.json", advisory="A-1")
    provider.paper("/d/2021/b.json", advisory="B-1")
    provider.folder(("2021/b.json", "2021-01-01"), ("2020/a.json", "2020-01-01"))
    return provider


def ids(shelf):
    return [d.id for d in shelved_documents(shelf)[0]]


def test_a_folder_is_fetched_with_its_hashes_and_not_fetched_again(two, tmp_path):
    done = sync(tmp_path, f"{two.url}/d/")
    assert (done.listed, done.unchanged, done.refused, done.stopped) == (2, 0, (), "")
    assert [(s.id, s.change, s.hash_checked) for s in done.shelved] == [("B-1", "new", True), ("A-1", "new", True)]  # fmt: skip
    assert ids(tmp_path) == ["A-1", "B-1"]
    assert done.shelved[0].source == f"{two.url[7:]}/d/2021/b.json"
    two.documents()
    again = sync(tmp_path, f"{two.url}/d/")
    assert (again.unchanged, again.shelved) == (2, ())
    assert two.asked == ["/d/index.txt", "/d/changes.csv"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_new_date_asks_for_the_hash_and_other_bytes_are_fetched(two, tmp_path):
    sync(tmp_path, f"{two.url}/d/")
    two.paper("/d/2020/a.json", advisory="A-1", cves=("CVE-2020-0009",))
    two.folder(("2021/b.json", "2022-01-01"), ("2020/a.json", "2022-01-01"))
    two.documents()
    done = sync(tmp_path, f"{two.url}/d/")
    assert two.documents() == ["/d/2020/a.json"]
    assert (done.unchanged, [s.change for s in done.shelved]) == (1, ["replaced"])
    assert "same revision" in done.shelved[0].remark


def test_a_document_older_than_the_shelf_has_is_asked_for_once(two, tmp_path):
    newer = raw(advisory="A-1", revision="2", current="2024-01-01")
    import_found(tmp_path, [Found("a.json", newer)])
    assert [s.change for s in sync(tmp_path, f"{two.url}/d/").shelved] == ["new", "kept"]
    assert sync(tmp_path, f"{two.url}/d/").unchanged == 2


def test_recheck_finds_other_bytes_under_a_known_date(two, tmp_path):
    sync(tmp_path, f"{two.url}/d/")
    two.paper("/d/2020/a.json", advisory="A-1", cves=("CVE-2020-0009",))
    assert sync(tmp_path, f"{two.url}/d/").unchanged == 2
    assert [s.id for s in sync(tmp_path, f"{two.url}/d/", recheck=True).shelved] == ["A-1"]


def test_a_damaged_copy_on_the_shelf_is_fetched_anew(two, tmp_path):
    sync(tmp_path, f"{two.url}/d/")
    damaged = next((tmp_path / "documents").glob("a-1-*"))
    damaged.write_bytes(b"{}")
    two.documents()
    done = sync(tmp_path, f"{two.url}/d/")
    assert two.documents() == ["/d/2020/a.json"]
    assert "was damaged" in done.shelved[0].remark
    assert ids(tmp_path) == ["A-1", "B-1"]


def test_without_hash_and_date_the_etag_spares_the_bytes(provider, tmp_path):
    provider.paper("/d/a.json", hashed="")
    provider.pages["/d/index.txt"] = b"a.json\n"
    done = sync(tmp_path, f"{provider.url}/d/")
    assert not done.shelved[0].hash_checked
    assert any("without a hash" in remark for remark in done.remarks)
    again = sync(tmp_path, f"{provider.url}/d/")
    assert (again.unchanged, again.shelved) == (1, ())


def test_a_feed_names_documents_and_their_hashes(provider, tmp_path):
    provider.paper("/a.json", advisory="A-1")
    provider.paper("/b.json", advisory="B-1", hashed="sha256")
    provider.feed("/feed.json", provider.entry("/a.json", hash="/a.json.sha512"), provider.entry("/b.json", hash="/b.json.sha256"))  # fmt: skip
    assert [s.id for s in sync(tmp_path, f"{provider.url}/feed.json").shelved] == ["A-1", "B-1"]
    provider.documents()
    assert sync(tmp_path, f"{provider.url}/feed.json").unchanged == 2
    assert provider.documents() == ["/feed.json"]


def test_metadata_lead_to_feeds_and_folders_each_document_once(two, tmp_path):
    two.paper("/c.json", advisory="C-1")
    two.feed("/feed.json", two.entry("/d/2020/a.json", hash="/d/2020/a.json.sha512"), two.entry("/c.json"))  # fmt: skip
    two.pages["/provider-metadata.json"] = json.dumps(
        {
            "role": "csaf_provider",
            "distributions": [
                {"directory_url": f"{two.url}/d"},
                {"rolie": {"feeds": [{"url": f"{two.url}/feed.json", "tlp_label": "WHITE"}]}},
                {"directory_url": "http://127.0.0.2/elsewhere/"},
            ],
        }
    ).encode()
    done = sync(tmp_path, f"{two.url}/provider-metadata.json")
    assert (done.listed, ids(tmp_path)) == (3, ["A-1", "B-1", "C-1"])
    assert [(url, "is not on" in why) for url, why in done.refused] == [("http://127.0.0.2/elsewhere/", True)]  # fmt: skip
    assert two.documents().count("/d/2020/a.json") == 1


def test_a_trusted_provider_owes_a_hash(two, tmp_path):
    del two.pages["/d/2020/a.json.sha512"]
    two.pages["/p.json"] = json.dumps({"role": "csaf_trusted_provider", "distributions": [{"directory_url": f"{two.url}/d/"}]}).encode()  # fmt: skip
    done = sync(tmp_path, f"{two.url}/p.json")
    assert [s.id for s in done.shelved] == ["B-1"]
    assert "has no hash" in done.refused[0][1]


@pytest.mark.parametrize("kind", ["sha512", "sha256"])
def test_a_wrong_hash_refuses_that_document_by_name(two, tmp_path, kind):
    del two.pages["/d/2020/a.json.sha512"]
    two.pages[f"/d/2020/a.json.{kind}"] = b"0" * 128
    done = sync(tmp_path, f"{two.url}/d/")
    assert done.refused == ((f"{two.url}/d/2020/a.json", f"does not match its .{kind}"),)
    assert ids(tmp_path) == ["B-1"]


def test_a_hash_that_the_feed_names_may_not_be_absent_nor_vanish(two, tmp_path):
    two.feed("/feed.json", two.entry("/d/2020/a.json", hash="/none.sha512"))
    assert "404" in sync(tmp_path, f"{two.url}/feed.json").refused[0][1]
    sync(tmp_path, f"{two.url}/d/")
    del two.pages["/d/2020/a.json.sha512"]
    two.paper("/d/2020/a.json", hashed="", advisory="A-1", cves=("CVE-2020-0009",))
    assert "has no hash" in sync(tmp_path, f"{two.url}/d/", recheck=True).refused[0][1]


def test_a_document_that_the_import_refuses_is_named_by_its_address(two, tmp_path):
    two.pages["/d/2020/a.json"] = b"[" * 500
    two.pages["/d/2020/a.json.sha512"] = hashlib.sha512(b"[" * 500).hexdigest().encode()
    ((url, why),) = sync(tmp_path, f"{two.url}/d/").refused
    assert (url, "deep" in why) == (f"{two.url}/d/2020/a.json", True)


@pytest.mark.parametrize(
    "name",
    ["../x.json", "/x.json", "a/../../x.json", "//127.0.0.2/x.json", "http://127.0.0.2/x.json",
     "%2e%2e/x.json", "a/%252e%252e/x.json", "..\\x.json", "x.exe"],
)  # fmt: skip
def test_no_entry_leads_out_of_its_folder(two, tmp_path, name):
    two.pages["/x.json"] = raw()
    two.folder((name, "2020-01-01"), ("2021/b.json", "2021-01-01"))
    done = sync(tmp_path, f"{two.url}/d/")
    assert len(done.refused) == 1
    assert not any("/x." in path for path in two.asked)
    assert two.documents() == ["/d/2021/b.json"]


@pytest.mark.parametrize(
    "src", ["http://127.0.0.2/a.json", "file:///etc/a.json", "@/a.json", "ftp://x/a.json", "http://[/a.json", ""]
)  # fmt: skip
def test_no_entry_of_a_feed_leads_to_another_host(two, tmp_path, src):
    bad = {"content": {"src": two.url + "@127.0.0.2/a.json" if src == "@/a.json" else src}}
    two.feed("/feed.json", bad, two.entry("/d/2020/a.json"))
    done = sync(tmp_path, f"{two.url}/feed.json")
    assert (len(done.refused), ids(tmp_path)) == (1, ["A-1"])


def test_a_redirect_stays_on_its_host(two, tmp_path):
    with serving() as other:
        other.paper("/b.json")
        two.places["/d/2021/b.json"] = f"{other.url}/b.json"
        two.places["/d/2020/a.json"] = "/moved.json"
        two.pages["/moved.json"] = two.pages["/d/2020/a.json"]
        done = sync(tmp_path, f"{two.url}/d/")
        assert other.asked == []
    assert ids(tmp_path) == ["A-1"]
    assert "redirects to" in done.refused[0][1]


def test_redirects_end(two, tmp_path):
    two.places["/d/2020/a.json"] = "a.json"
    assert "more than 5 times" in sync(tmp_path, f"{two.url}/d/").refused[0][1]
    assert two.documents().count("/d/2020/a.json") == 6


def test_only_a_certificate_that_the_machine_trusts_is_believed(tmp_path, monkeypatch):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(tls) as provider:
        provider.paper("/d/a.json")
        provider.pages["/d/index.txt"] = b"a.json"
        with pytest.raises(AdvisoryError, match="CERTIFICATE_VERIFY_FAILED"):
            sync(tmp_path / "s", f"{provider.url}/d/")
        assert provider.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
        assert len(sync(tmp_path / "s", f"{provider.url}/d/").shelved) == 1


def certificate(folder):
    """A key and its own certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / "tls.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + cert.public_bytes(pem)
    )
    return path


def test_a_run_that_is_ended_keeps_what_arrived_and_fetches_only_the_rest(two, tmp_path):
    def ended(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(tmp_path, f"{two.url}/d/", progress=ended)
    assert two.documents() == ["/d/2021/b.json"]
    assert ids(tmp_path) == ["B-1"]
    done = sync(tmp_path, f"{two.url}/d/")
    assert (two.documents(), done.unchanged) == (["/d/2020/a.json"], 1)


def test_an_answer_that_breaks_off_is_not_taken(two, tmp_path):
    two.short.add("/d/2020/a.json")
    assert "broke off" in sync(tmp_path, f"{two.url}/d/").refused[0][1]
    two.short.clear()
    assert [s.id for s in sync(tmp_path, f"{two.url}/d/").shelved] == ["A-1"]


def test_what_is_too_large_is_not_read(two, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", len(two.pages["/d/2021/b.json"]))
    two.pages["/d/2020/a.json"] += b" "
    assert "is larger than" in sync(tmp_path, f"{two.url}/d/").refused[0][1]
    assert ids(tmp_path) == ["B-1"]


@pytest.mark.parametrize(("bound", "value"), [("MAX_TOTAL", 10), ("ONE_RUN", -1.0)])
def test_a_run_that_reaches_its_bounds_says_so_and_goes_on_later(two, tmp_path, monkeypatch, bound, value):  # fmt: skip
    sync(tmp_path, f"{two.url}/d/")
    two.folder(("2021/b.json", "2023-01-01"), ("2020/a.json", "2023-01-01"))
    real = two.pages.copy()
    two.feed("/feed.json", two.entry("/d/2021/b.json"))
    with monkeypatch.context() as patch:
        patch.setattr(module, bound, value)
        assert sync(tmp_path, f"{two.url}/feed.json").stopped
    two.pages = real
    assert sync(tmp_path, f"{two.url}/d/").stopped == ""


def test_more_documents_than_a_provider_has_are_left(two, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 1)
    done = sync(tmp_path, f"{two.url}/d/")
    assert (done.listed, "the rest is left" in done.refused[0][1]) == (1, True)


def test_a_provider_that_is_down_is_left_alone_and_later_asked_again(provider, tmp_path):
    names = [f"{i}.json" for i in range(9)]
    for name in names:
        provider.paper(f"/d/{name}", advisory=name)
        provider.status[f"/d/{name}"] = 503
    provider.folder(*((name, "2020-01-01") for name in names))
    done = sync(tmp_path, f"{provider.url}/d/")
    assert "5 documents in a row" in done.stopped
    assert done.refused[0] == (f"{provider.url}/d/0.json", "was answered with HTTP 503")
    assert len(provider.documents()) == 5
    provider.status.clear()
    assert len(sync(tmp_path, f"{provider.url}/d/").shelved) == 9


def test_more_listings_than_a_provider_has_are_none(two, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LISTINGS", 1)
    two.pages["/p.json"] = json.dumps({"distributions": [{"directory_url": f"{two.url}/{d}/"} for d in "de"]}).encode()  # fmt: skip
    with pytest.raises(AdvisoryError, match="more than 1 listings"):
        sync(tmp_path, f"{two.url}/p.json")
    assert two.asked == ["/p.json"]


def test_an_answer_that_drips_is_given_up(two, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ONE_ANSWER", -1.0)
    with pytest.raises(AdvisoryError, match="took more than"):
        sync(tmp_path, f"{two.url}/d/")


def test_documents_are_shelved_in_batches_while_the_run_goes_on(two, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    seen = []
    sync(tmp_path, f"{two.url}/d/", progress=lambda *_: seen.append((tmp_path / "sync.json").exists() and ids(tmp_path)))  # fmt: skip
    assert seen == [False, ["B-1"]]


def test_packed_answers_and_headers_of_another_mind_are_refused(two, tmp_path):
    two.headers["Content-Encoding"] = "gzip"
    with pytest.raises(AdvisoryError, match="packed"):
        sync(tmp_path, f"{two.url}/d/")


@pytest.mark.parametrize("page", [b"", b"nothing", b"[" * 100_000, b"{}", b'{"feed": {"entry": 3}}', b'{"distributions":[{"directory_url":"ftp://x/"}]}'])  # fmt: skip
def test_a_listing_that_is_none_is_told(provider, tmp_path, page):
    provider.pages["/feed.json"] = page
    with pytest.raises(AdvisoryError):
        sync(tmp_path, f"{provider.url}/feed.json")
    with pytest.raises(AdvisoryError, match="neither an index"):
        sync(tmp_path, f"{provider.url}/d/")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://example.org/d/", "http://localhost/d/", "ftp://127.0.0.1/", "d/", "https:///d/", "https://u:p@example.org/", "https://example.org/d/?x", "https://[/", "https://example.org:x/"]
)  # fmt: skip
def test_an_address_that_is_not_asked_is_told(url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_opener", lambda _: pytest.fail("the network was asked"))
    with pytest.raises(UsageError):
        sync(tmp_path, url)


def test_a_record_of_earlier_runs_that_is_none_is_told(two, tmp_path):
    (tmp_path / "sync.json").write_text("[")
    with pytest.raises(AdvisoryError, match="no record of earlier runs"):
        sync(tmp_path, f"{two.url}/d/")
    assert two.asked == []


def test_a_pinned_key_needs_signatures_also_of_what_is_known(two, tmp_path):
    import pysequoia

    tsk = pysequoia.Tsk.generate("Publisher <p@example.org>")
    key = tmp_path / "key.asc"
    key.write_bytes(bytes(tsk.extract_certificate()))
    sync(tmp_path / "s", f"{two.url}/d/")
    paper = two.pages["/d/2020/a.json"]
    two.pages["/d/2020/a.json.asc"] = pysequoia.sign(tsk.signer(), paper, mode=pysequoia.SignatureMode.DETACHED)  # fmt: skip
    done = sync(tmp_path / "s", f"{two.url}/d/", key=key)
    assert [(s.id, s.signed_by != "") for s in done.shelved] == [("A-1", True)]
    assert "no signature" in done.refused[0][1]


def test_without_the_switch_nothing_is_asked(two, tmp_path):
    words = ["advisories", "sync", f"{two.url}/d/", "--shelf", str(tmp_path / "s")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"would fetch {two.url}/d/" in done.output
    assert done.output.count("\n") == 1
    assert two.asked == []
    assert not (tmp_path / "s").exists()
    done = CliRunner().invoke(app, [*words, "--allow-network"])
    assert (done.exit_code, "2 listed: 0 unchanged, 2 new; 0 refused" in done.output) == (0, True)
    two.paper("/d/2020/a.json", advisory="A-1")
    two.pages["/d/index.txt"] += b"\n../x.json"
    done = CliRunner().invoke(app, [*words, "--allow-network", "--json"])
    said = json.loads(done.output)
    assert (done.exit_code, said["unchanged"], said["refused"][0]["url"]) == (1, 2, "../x.json")
