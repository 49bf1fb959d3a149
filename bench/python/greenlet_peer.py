"""Greenlets, which resume at any depth as C++ coroutines do, but are no coroutines of Python's."""

from typing import Any

import greenlet


class Chain:
    """A greenlet that switches back to its driver from below `depth` calls."""

    def __init__(self, depth: int) -> None:
        self.driver: Any = None
        self.greenlet = greenlet.greenlet(self.level)
        self.depth = depth

    def level(self, depth: int) -> None:
        """Calls itself, and switches back again and again."""
        if depth > 1:
            self.level(depth - 1)
        while True:
            self.driver.switch()

    def send(self, _: None) -> None:
        """The first resume; later ones are the greenlet's own."""
        self.driver = greenlet.getcurrent()
        self.greenlet.switch(self.depth)
        self.send = self.greenlet.switch  # type: ignore[method-assign]


def nested(depth: int) -> Chain:
    """A chain of `depth` levels."""
    return Chain(depth)
