"""wardwatch.observe.chains"""

import base64

import pytest
from tests import session_messages as said

from wardwatch.decode.wire import tls
from wardwatch.observe import chains as module
from wardwatch.observe.chains import Chains, Fingerprints


def test_a_certificate_is_read_once() -> None:
    chains = Chains()
    leaf, root = said.chain()
    one, again, other = chains.read(leaf), chains.read(leaf), chains.read(root)
    assert one is again and one is not other
    assert chains.calls == 2
    assert base64.b64decode(one.fields["der"]) == leaf
    assert one.fields["common_name"] == "pump-server"


def test_a_signature_is_checked_once() -> None:
    chains = Chains()
    leaf, root = (chains.read(der) for der in said.chain())
    before = chains.calls
    assert [chains.chained(leaf, root) for _ in range(3)] == [True] * 3
    assert not chains.chained(root, leaf)
    assert chains.calls == before + 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    monkeypatch.setattr(module, "MAX_LISTS", 3)
    chains = Chains()
    for k in range(9):
        chains.read(b"no certificate %d" % k)
        chains.lists.put(b"%d" % k, ())
    assert len(chains._known) == 3 and len(chains.lists._kept) == 3
    assert chains.lists.get(b"8") == () and chains.lists.get(b"0") is None


def test_a_certificate_too_long_to_keep_has_its_digest() -> None:
    known = Chains().read(b"x" * (module.MAX_DER + 1))
    assert "der" not in known.fields and len(known.sha256) == 64


def test_fingerprints_are_those_of_the_hello_and_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hello, _ = tls.parse_client_hello(said.client_hello())
    assert hello is not None
    prints = Fingerprints()
    assert prints.of(hello) == (tls.ja3(hello), tls.ja4(hello))
    monkeypatch.setattr(tls, "ja3", lambda hello: "again")
    assert prints.of(hello)[0] != "again"


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fingerprints, "MAX_SHAPES", 4)
    prints = Fingerprints()
    for k in range(20):
        prints.of(tls.ClientHello(k, 0, (47,), (), 50))
    assert len(prints._known) <= 4
