"""Fixtures of the tests."""

import gc
from collections.abc import Generator
from typing import Any

import native
import pytest
import raw_protocol
from support import FREE_THREADED


@pytest.fixture(params=["native", "cpp"])
def language(request: pytest.FixtureRequest) -> Any:
    """The same coroutine functions, as Python's own and in C++: what a test expects must hold for both."""
    return native if request.param == "native" else raw_protocol


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Generator[list[Any], None, None]:
    """What sys.unraisablehook was told, as (exception, object); the test has to look at it."""
    import sys

    reports: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append((report.exc_value, report.object)))
    yield reports
    gc.collect()


def pytest_collection_finish() -> None:
    """The many collections in the tests need not look at what pytest and the modules hold."""
    gc.collect()
    if not FREE_THREADED:  # the first beta of that collects what is reachable from frozen objects alone
        gc.freeze()
