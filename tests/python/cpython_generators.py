"""Runs CPython's own test_generators in this interpreter, with a pass-through around each of its generators: `cpp`, a
C++ generator that yields from it, or `native`, CPython's own. Prints the names of what ran and of what failed, as JSON.
"""

import ast
import functools
import importlib.util
import json
import sys
import types
import unittest
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import raw_drive

MODULE = "test.test_generators"
DECORATOR = "__pass_through__"


def native(generator: Any) -> Generator[Any, Any, Any]:
    return (yield from generator)


class YieldFinder(ast.NodeVisitor):
    """Whether a function is a generator function; not whether one within it is."""

    found = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        pass

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        pass

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def visit_Yield(self, node: ast.Yield) -> None:
        self.found = True

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self.found = True


class Decorate(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        finder = YieldFinder()
        for statement in node.body:
            finder.visit(statement)
        if finder.found:
            node.decorator_list.append(ast.copy_location(ast.Name(DECORATOR, ast.Load()), node))
        return node


def decorator(pass_through: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def foreign(*arguments: Any, **keywords: Any) -> Any:
            generator = function(*arguments, **keywords)
            made = pass_through(generator)
            made.__name__, made.__qualname__ = generator.__name__, generator.__qualname__
            return made

        return foreign

    return decorate


def load(pass_through: Callable[[Any], Any]) -> types.ModuleType:
    spec = importlib.util.find_spec(MODULE)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"), spec.origin)
    tree = ast.fix_missing_locations(Decorate().visit(tree))
    module = importlib.util.module_from_spec(spec)
    module.__dict__[DECORATOR] = decorator(pass_through)
    sys.modules[MODULE] = module
    exec(compile(tree, spec.origin, "exec"), module.__dict__)
    del module.__dict__["load_tests"]  # the doctests, whose generators nothing rewrites
    return module


def main() -> None:
    pass_through = raw_drive.pass_through if sys.argv[1] == "cpp" else native
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(load(pass_through)).run(result)
    failed = {test.id().removeprefix(MODULE + "."): text for test, text in result.failures + result.errors}
    print(json.dumps({"ran": result.testsRun, "failed": failed}))


if __name__ == "__main__":
    main()
