"""What the module does, as its users see it."""

import asyncio
import inspect
from pathlib import Path

import minimal
import pytest


def test_await(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("three words,\n  here\n")

    async def main() -> int:
        reading = minimal.read_file(str(path))
        assert inspect.isawaitable(reading)
        return await minimal.count_words(reading)

    assert asyncio.run(main()) == 3


def test_exception(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot read"):
        asyncio.run(minimal.read_file(str(tmp_path / "nothing")))
