"""Isthmus: Python's coroutine protocol in C++. This package carries the C++ headers and their CMake configuration."""

from importlib.metadata import version
from pathlib import Path

__all__ = ["__version__", "cmake_dir", "include_dir"]

__version__ = version("isthmus")

_here = Path(__file__).resolve().parent


def cmake_dir() -> str:
    """The folder to give to CMake as ``isthmus_ROOT``, for ``find_package(isthmus)``."""
    return str(_here / "share" / "cmake" / "isthmus")


def include_dir() -> str:
    """The folder to give to the compiler with ``-I``, where CMake is not used."""
    return str(_here / "include")
