"""A plugin for pytest: puts a pass-through around each coroutine that is handed to trio, asyncio or uvloop.

The mode is that of PASSTHROUGH_MODE. `--report` names a file for the outcomes, `--only` the tests to be run.
"""

import asyncio
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modes import Wrapper

WRAP = Wrapper(os.environ["PASSTHROUGH_MODE"])
OUTCOMES: dict[str, str] = {}
TEXTS: dict[str, str] = {}


def patch_loop(loop_class: Any) -> None:
    create_task: Callable[..., Any] = loop_class.create_task

    @functools.wraps(create_task)
    def funnel(self: Any, coro: Any, **keywords: Any) -> Any:
        return create_task(self, WRAP(coro) if asyncio.iscoroutine(coro) else coro, **keywords)

    loop_class.create_task = funnel


def patch_trio(run: Any) -> None:
    coroutine_or_error: Callable[..., Any] = run.coroutine_or_error

    @functools.wraps(coroutine_or_error)
    def funnel(*arguments: Any) -> Any:
        return WRAP(coroutine_or_error(*arguments))

    run.coroutine_or_error = funnel


patch_loop(asyncio.base_events.BaseEventLoop)
try:
    import uvloop
except ImportError:
    pass
else:
    patch_loop(uvloop.Loop)
try:
    from trio._core import _run
except ImportError:
    pass
else:
    patch_trio(_run)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", type=Path, required=True)
    parser.addoption("--only", nargs="*", default=[])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = set(config.getoption("--only"))
    if only:
        items[:] = [item for item in items if item.nodeid in only]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        OUTCOMES[report.nodeid] = "failed"
        TEXTS[report.nodeid] = report.longreprtext
    elif report.skipped:
        OUTCOMES.setdefault(report.nodeid, "skipped")
    elif report.when == "call":
        OUTCOMES.setdefault(report.nodeid, "passed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    content = {"wrapped": WRAP.wrapped, "outcomes": OUTCOMES, "texts": TEXTS}
    session.config.getoption("--report").write_text(json.dumps(content))
