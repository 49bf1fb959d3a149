"""A plugin for pytest: puts a pass-through around each coroutine that is handed to trio, asyncio or uvloop.

The mode is that of PASSTHROUGH_MODE. `--report` names a file for the outcomes, `--only` the tests to be run.
"""

import asyncio
import functools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from modes import Wrapper
from trio._core import _run

OUTCOMES: dict[str, str] = {}
TEXTS: dict[str, str] = {}


def patch_loop(loop_class: Any, wrap: Wrapper) -> None:
    create_task: Callable[..., Any] = loop_class.create_task

    @functools.wraps(create_task)
    def funnel(self: Any, coro: Any, **keywords: Any) -> Any:
        return create_task(self, wrap(coro) if asyncio.iscoroutine(coro) else coro, **keywords)

    loop_class.create_task = funnel


def patch_trio(run: Any, wrap: Wrapper) -> None:
    coroutine_or_error: Callable[..., Any] = run.coroutine_or_error

    @functools.wraps(coroutine_or_error)
    def funnel(*arguments: Any) -> Any:
        return wrap(coroutine_or_error(*arguments))

    run.coroutine_or_error = funnel


signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background processes ignore it
WRAP = None if os.environ["PASSTHROUGH_MODE"] == "none" else Wrapper(os.environ["PASSTHROUGH_MODE"])
if WRAP is not None:
    patch_loop(asyncio.base_events.BaseEventLoop, WRAP)
    patch_loop(uvloop.Loop, WRAP)
    patch_trio(_run, WRAP)


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
    content = {"wrapped": WRAP.wrapped if WRAP is not None else 0, "outcomes": OUTCOMES, "texts": TEXTS}
    session.config.getoption("--report").write_text(json.dumps(content))
