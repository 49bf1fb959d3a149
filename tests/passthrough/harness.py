"""Runs one module of CPython's own tests in this interpreter, with a pass-through around its coroutines.

Two methods:

rewrite   Every `async def` of the module, unless it is a generator, gets a decorator that puts the pass-through around
          what it returns. So each coroutine of the tests is a foreign one, and those await native ones and each other.
          The module is rewritten in memory, as a syntax tree.
funnel    The module is imported as it is. What is handed to asyncio.Task, by way of a loop's create_task() or of the
          test's own new_task(), gets the pass-through around it.
"""

import argparse
import ast
import asyncio
import faulthandler
import fnmatch
import functools
import importlib
import importlib.util
import inspect
import json
import signal
import sys
import threading
import types
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modes import MODES, Wrapper, mark

DECORATOR = "__passthrough__"


class YieldFinder(ast.NodeVisitor):
    found = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        pass

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        pass

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def visit_Yield(self, node: ast.Yield) -> None:
        self.found = True


def is_generator(function: ast.AsyncFunctionDef) -> bool:
    finder = YieldFinder()
    for statement in function.body:
        finder.visit(statement)
    return finder.found


class Decorate(ast.NodeTransformer):
    def __init__(self, kept: set[str]) -> None:
        self.kept = kept

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self.generic_visit(node)
        if not is_generator(node) and node.name not in self.kept:
            # Last is innermost: the test's own decorators see the foreign function.
            node.decorator_list.append(ast.copy_location(ast.Name(DECORATOR, ast.Load()), node))
        return node


def decorator(wrap: Wrapper) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def foreign(*arguments: Any, **keywords: Any) -> Any:
            return wrap(function(*arguments, **keywords))

        return wrap.mark(foreign)

    return decorate


def load_rewritten(name: str, wrap: Wrapper) -> types.ModuleType:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is not there"
    assert spec.origin is not None
    # In 3.11 unittest insists here on a flag that a function in Python cannot have.
    kept = {"asyncSetUp", "asyncTearDown"} if wrap.mark is mark and sys.version_info < (3, 12) else set()
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"), spec.origin)
    tree = ast.fix_missing_locations(Decorate(kept).visit(tree))
    module = importlib.util.module_from_spec(spec)
    module.__dict__[DECORATOR] = decorator(wrap)
    sys.modules[name] = module
    exec(compile(tree, spec.origin, "exec"), module.__dict__)
    if name == "test.test_coroutines":
        module.__dict__.update(run_async=run_async, run_async__await__=run_async_through_iterator)
    return module


# test_coroutines drives its coroutines by two functions, which begin by asserting that they are native.


def run_async(coroutine: Any) -> tuple[list[Any], Any]:
    yielded = []
    while True:
        try:
            yielded.append(coroutine.send(None))
        except StopIteration as e:
            return yielded, e.args[0] if e.args else None


def run_async_through_iterator(coroutine: Any) -> tuple[list[Any], Any]:
    iterator = coroutine.__await__()
    yielded: list[Any] = []
    while True:
        try:
            yielded.append(next(iterator) if len(yielded) % 2 else iterator.send(None))
        except StopIteration as e:
            return yielded, e.args[0] if e.args else None


def load_with_funnel(name: str, wrap: Wrapper) -> types.ModuleType:
    def wrapping(function: Callable[..., Any], parameter: str) -> Callable[..., Any]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def funnel(*arguments: Any, **keywords: Any) -> Any:
            bound = signature.bind(*arguments, **keywords)
            if asyncio.iscoroutine(bound.arguments[parameter]):  # what is none must meet the error that it deserves
                bound.arguments[parameter] = wrap(bound.arguments[parameter])
            return function(*bound.args, **bound.kwargs)

        return funnel

    base = asyncio.base_events.BaseEventLoop
    base.create_task = wrapping(base.create_task, "coro")  # type: ignore[method-assign]
    module = importlib.import_module(name)
    for cls in list(vars(module).values()):
        new_task = vars(cls).get("new_task") if isinstance(cls, type) else None
        if new_task is not None:
            cls.new_task = wrapping(new_task, "coro")
    return module


class Record(unittest.TestResult):
    """What became of each test."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}
        self.texts: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.outcomes[test.id()] = "passed"

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.outcomes[test.id()] = "passed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcomes[test.id()] = "skipped"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.failed(test, "passed, which was not expected")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.failed(test, self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.failed(test, self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed(test, str(err[1]))

    def failed(self, test: unittest.TestCase, text: str) -> None:
        self.outcomes[test.id()] = "failed"
        self.texts[test.id()] = text


def tests_in(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_in(test)
        else:
            yield test


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--method", choices=["rewrite", "funnel"], default="rewrite")
    parser.add_argument("--mode", choices=MODES, default="await")
    parser.add_argument("--tests", action="append", default=[], help="a pattern of Class.test_name; default: all")
    parser.add_argument("--only", nargs="*", help="the whole names of tests, where not all are wanted")
    parser.add_argument("--trace", action="store_true", help="under sys.settrace()")
    parser.add_argument("--limit", type=float, default=0, help="end after so many seconds, and say where")
    parser.add_argument("--report", type=Path, help="a file for the outcomes; without it failures are printed")
    options = parser.parse_args()

    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background processes ignore it
    if options.limit:
        faulthandler.dump_traceback_later(options.limit, exit=True)
    from test import support

    support.use_resources = []  # as `python -m test` has it: neither the network nor what takes long
    wrap = None if options.mode == "none" else Wrapper(options.mode)
    if wrap is None:
        module = importlib.import_module(options.module)
    else:
        load = load_rewritten if options.method == "rewrite" else load_with_funnel
        module = load(options.module, wrap)
    patterns = [f"{options.module}.{pattern}" for pattern in options.tests or ["*"]]
    chosen = unittest.TestSuite(
        test
        for test in tests_in(unittest.TestLoader().loadTestsFromModule(module))
        if any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in patterns)
        and (not options.only or test.id() in options.only)
    )
    record = Record()
    if options.trace:
        threading.settrace(lambda *_: None)
        sys.settrace(lambda *_: None)
    chosen.run(record)
    sys.settrace(None)
    threading.settrace(None)
    wrapped = wrap.wrapped if wrap is not None else 0
    report = {"wrapped": wrapped, "outcomes": record.outcomes, "texts": record.texts}
    if options.report:
        options.report.write_text(json.dumps(report))
    else:
        for test, text in record.texts.items():
            print(f"---- {test}\n{text}")
        counts = {what: list(record.outcomes.values()).count(what) for what in ("passed", "failed", "skipped")}
        print(f"{counts}, {wrapped} coroutines wrapped")


if __name__ == "__main__":
    main()
