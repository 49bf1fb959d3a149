"""The tests that are lost with a pass-through, and why: expectations.toml."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Expected:
    tests: dict[str, list[str]]  # by suite: the ends of names, `*` stands for anything; all that match are lost
    modes: list[str]
    pythons: list[str]
    variants: list[str]
    reason: str


def matches(pattern: str, test: str) -> bool:
    return re.fullmatch(r"(.*[./:])?" + re.escape(pattern).replace(r"\*", ".*"), test) is not None


class Expectations:
    def __init__(self, entries: list[Expected]) -> None:
        self.entries = entries

    @classmethod
    def read(cls, path: Path) -> "Expectations":
        content: dict[str, Any] = tomllib.loads(path.read_text())
        return cls([Expected(**{**content["default"], **entry}) for entry in content["lost"]])

    def lost(self, suite: str, python: str, mode: str, variant: str, tests: Iterable[str]) -> dict[str, str]:
        """Those of `tests` that are expected to be lost, with the reason. A pattern that matches none stands for
        itself, so that it is noticed."""
        found = {}
        known = list(tests)
        for entry in self.entries:
            if python in entry.pythons and mode in entry.modes and variant in entry.variants:
                for pattern in entry.tests.get(suite, []):
                    matching = [test for test in known if matches(pattern, test)]
                    found.update(dict.fromkeys(matching or [pattern], entry.reason))
        return found
