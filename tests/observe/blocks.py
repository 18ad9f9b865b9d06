"""What the tests of ahead and apart share."""

import os

import pytest

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Nowhere:
    """Nobody asks where packets were heard."""

    def __init__(self):
        self.heard = []
        self._news = []

    def take(self, block, columns, interfaces, segment) -> None:
        segment[: block.n] = block.first
        self._news.append(block.first)

    def news(self) -> bytes:
        news, self._news = self._news, []
        return repr(news).encode()

    def hear(self, news) -> None:
        self.heard.append(news.decode())
