"""Awaits the extension module, and asks the installed package what it says of itself."""

import asyncio
from pathlib import Path

import extension

import isthmus

assert asyncio.run(extension.twice(21)) == 42
assert (Path(isthmus.include_dir()) / "isthmus" / "isthmus.hpp").is_file()
assert (Path(isthmus.cmake_dir()) / "isthmusConfig.cmake").is_file()
print(f"isthmus {isthmus.__version__}: await extension.twice(21) is 42")
