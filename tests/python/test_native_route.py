"""py::native and py::to_native: C++ coroutines as objects of CPython's own coroutine type (20, route A).

The tests of test_protocol.py that compare languages run here with these objects. What they show in addition is tested
below, under names that claim no clause: what docs/clauses.md judges is the other kind of object.
"""

import asyncio
import collections.abc
import gc
import inspect
import pickle
import re
import sys
import types
import warnings
import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

import native
import nb_bindings
import pb_bindings
import pytest
import raw_protocol
import routes
import test_protocol
from support import (
    VERSION,
    Boom,
    Iterator,
    NotPermitted,
    Recorder,
    asyncio_tool,
    collect,
    finish,
    functions_in,
    outcome,
    run,
)

ROUTE = raw_protocol.native_route
SOURCE = Path(__file__).parent / "raw_protocol.cpp"

# ---- the tests of test_protocol.py ---------------------------------------------------------------

ONE_INSTANCE = "what is thrown in becomes an exception in the frame of the native coroutine, and C++ gets that"
TWO_ENTRIES = "beside the frame's entry in a traceback there is the C++ function's, with the line of the co_await"
DIFFERS = {
    "test_4_1_the_cause_keeps_its_traceback": "the RuntimeError has the frame in its traceback",
    "test_5_13_a_given_traceback_is_the_start": TWO_ENTRIES,
    "test_5_14_every_level_appears": TWO_ENTRIES,
    "test_5_6_wrong_arguments_where_a_coroutine_or_generator_is_awaited": ONE_INSTANCE,
    "test_5_6_5_20_the_arguments_reach_a_foreign_throw_as_they_are": ONE_INSTANCE,
    "test_5_2_one_warning_also_where_a_coroutine_is_awaited": ONE_INSTANCE,
}
"""Tests that fail with these objects, and why."""
if VERSION >= (3, 12):
    DIFFERS["test_4_4_thrown_before_the_start"] = "CPython bug 152685"
if VERSION in ((3, 12), (3, 13)):
    DIFFERS["test_6_15_locals_are_released_at_once"] = "CPython keeps the arguments of an unstarted one till it dies"
NOT_RUN = {  # they fail in the same way, and leave something behind; see below
    "test_5_13_old_traceback_entries_stay_below_the_new_ones",
    "test_5_22_an_error_of_the_lookup_goes_to_the_driver",
}
if hasattr(sys, "gettotalrefcount"):
    NOT_RUN.add("test_4_4_thrown_before_the_start")  # that bug fails an assertion of CPython's debug build
    del DIFFERS["test_4_4_thrown_before_the_start"]


@pytest.fixture
def language(request: pytest.FixtureRequest) -> Any:
    name = request.node.originalname
    if name in DIFFERS:
        request.applymarker(pytest.mark.xfail(reason=DIFFERS[name], strict=True))
    return ROUTE


def takes_language(test: Any) -> bool:
    return inspect.isfunction(test) and "language" in inspect.signature(test).parameters


compared = {
    name: test
    for name, test in vars(test_protocol).items()
    if name.startswith("test_") and takes_language(test) and name not in NOT_RUN
}
globals().update(compared)
awaiter = test_protocol.awaiter


def test_the_tests_are_there() -> None:
    assert len(compared) > 100
    assert DIFFERS.keys() <= compared.keys()


def test_an_error_of_the_lookup_ends_the_coroutine(unraisable: list[Any]) -> None:
    """In 5.22 nothing is resumed; here the frame of the native coroutine was, and the error leaves it."""
    coroutine = ROUTE.pass_through(test_protocol.OddLookup("throw"))
    coroutine.send(None)
    with pytest.raises(OSError, match="throw"):
        coroutine.throw(Boom())
    assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"


# ---- what no other type can pass -----------------------------------------------------------------


def test_it_is_of_the_type() -> None:
    """1.3, 16."""
    coroutine = ROUTE.value(1)
    assert type(coroutine) is types.CoroutineType
    assert inspect.iscoroutine(coroutine)
    assert isinstance(coroutine, collections.abc.Coroutine)
    coroutine.close()


def test_it_cannot_be_what_await_returns() -> None:
    """7.3"""

    class Cls:
        def __await__(self) -> Any:
            return coroutine

    coroutine = ROUTE.value(1)
    text = "__await__() returned a coroutine"
    if VERSION >= (3, 15):
        text = f"{__name__}.{Cls.__qualname__}.__await__() must return an iterator, not coroutine"
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        native.pass_through(Cls()).send(None)
    coroutine.close()


def test_it_is_no_iterator() -> None:
    """7.11"""
    coroutine = ROUTE.value(1)
    with pytest.raises(TypeError, match="^'coroutine' object is not an iterator$"):
        next(coroutine)
    coroutine.close()


def test_yield_from() -> None:
    """7.12"""

    def plain() -> Generator[Any, Any, Any]:
        return (yield from coroutine)

    @types.coroutine
    def based() -> Generator[Any, Any, Any]:
        return (yield from coroutine)

    coroutine = ROUTE.value(1)
    with pytest.raises(TypeError, match="^cannot 'yield from' a coroutine object in a non-coroutine generator$"):
        next(plain())
    assert finish(based()) == 1


def test_its_frame_is_on_the_stack_of_what_it_throws_into() -> None:
    """5.25"""
    stack: list[str] = []

    def on_throw(error: BaseException) -> None:
        frame: Any = sys._getframe()
        while frame is not None:
            stack.append(frame.f_code.co_name)
            frame = frame.f_back
        raise error

    awaited = Recorder(1)
    awaited.on_throw = on_throw
    coroutine = native.guarded(ROUTE.pass_through(awaited), [])
    coroutine.send(None)
    with pytest.raises(Boom):
        coroutine.throw(Boom())
    at = stack.index("pass_through")
    assert stack[at : at + 2] == ["pass_through", "guarded"]


# ---- names and places ----------------------------------------------------------------------------


def line_of(function: str) -> int:
    lines = SOURCE.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if f" {function}(" in line and "coroutine<" in line)


def test_the_code_object_is_the_cpp_functions() -> None:
    coroutine = ROUTE.nothing()
    other = ROUTE.nothing()
    code = coroutine.cr_code
    assert (code.co_name, code.co_qualname, coroutine.__name__, coroutine.__qualname__) == ("nothing",) * 4
    assert Path(code.co_filename) == SOURCE
    assert code.co_firstlineno == line_of("nothing")
    assert {line for _, _, line in code.co_lines() if line is not None} == {code.co_firstlineno}
    assert other.cr_code is code
    assert coroutine.cr_frame.f_globals["__name__"] == "raw_protocol"
    coroutine.close()
    other.close()


def test_more_functions_than_are_remembered() -> None:
    for _ in range(3):
        for name in ("value", "pass_through", "yields"):
            coroutine = getattr(ROUTE, name)([])
            assert coroutine.__name__ == name
            coroutine.close()


def test_the_never_awaited_warning_has_the_name_and_the_origin() -> None:
    sys.set_coroutine_origin_tracking_depth(1)
    try:
        with pytest.warns(
            RuntimeWarning, match="^coroutine 'nothing' was never awaited\nCoroutine created at"
        ) as caught:
            ROUTE.nothing()
    finally:
        sys.set_coroutine_origin_tracking_depth(0)
    assert len(caught) == 1


def test_the_traceback_has_its_frame() -> None:
    """And above it the C++ function's own entry, with the line of the co_await."""

    async def fail() -> None:
        raise Boom

    with pytest.raises(Boom) as caught:
        native.guarded(ROUTE.pass_through(fail()), []).send(None)
    assert functions_in(caught.value)[1:] == ["guarded", "pass_through", "pass_through", "fail"]


def test_what_is_thrown_in_gets_its_entries_once_each_time() -> None:
    error = Boom()
    for times in (1, 2):
        coroutine = ROUTE.yields([1])
        coroutine.send(None)
        with pytest.raises(Boom):
            coroutine.throw(error)
        assert functions_in(error).count("yields") == 2 * times


def test_cr_await_leads_to_what_cpp_awaits() -> None:
    awaited = Iterator(1)
    coroutine = ROUTE.deep(3, awaited)
    coroutine.send(None)
    chain = []
    at: Any = coroutine
    while hasattr(at, "cr_await"):
        chain.append(at.__name__)
        assert at.cr_frame.f_lineno >= line_of("deep")
        at = at.cr_await
    assert at is awaited
    assert chain == ["deep"] * 4
    coroutine.close()


# ---- life ----------------------------------------------------------------------------------------


def test_a_started_coroutine_cannot_become_one() -> None:
    with pytest.raises(TypeError, match="a C\\+\\+ coroutine that has started cannot become a native coroutine"):
        raw_protocol.started_as_native(Iterator(1))


def test_an_unstarted_one_drops_its_arguments_with_itself() -> None:
    argument = Boom()
    before = sys.getrefcount(argument)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ROUTE.value(argument)
        collect()
    assert sys.getrefcount(argument) == before


def test_the_result_is_held_by_nobody() -> None:
    class Result:
        pass

    coroutine = ROUTE.value(Result())
    result = outcome(coroutine.send, None)[1]
    alive = weakref.ref(result)
    del result
    assert alive() is None
    assert coroutine.cr_frame is None


def test_a_frame_that_is_hit_by_an_exception_between_two_steps() -> None:
    """The body, whose frame is gone, is closed."""
    log: list[str] = []
    coroutine = ROUTE.guarded(Iterator(1), log)
    coroutine.send(None)
    body = coroutine.cr_await
    if VERSION < (3, 13):
        coroutine.cr_frame.clear()
    else:
        coroutine.close()
    assert log == ["inner guard", "outer guard"]
    del body


def test_somebody_else_who_drives_the_body() -> None:
    """It is refused while it runs; what comes of a step that is stolen at rest is not lost."""
    refused: list[Any] = []

    def meddle(_: object) -> None:
        body = next(o for o in gc.get_objects() if type(o).__name__ == "coroutine_body" and o.cr_running)
        refused.append(outcome(body.send, None))
        refused.append(outcome(next, body))
        with pytest.raises(Boom):
            body.throw_next(Boom())
        with pytest.raises(TypeError):
            body.throw_next(1)

    coroutine = ROUTE.script([("call", meddle, None, []), ("yield", 1, None, []), ("return", 2, None, [])])
    assert coroutine.send(None) == 1
    assert [(kind, str(error)) for kind, error in refused] == [("raised", "coroutine already executing")] * 2
    body = coroutine.cr_await
    assert (body.__name__, body.__qualname__, body.cr_state) == ("script", "script", "CORO_SUSPENDED")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(body, protocol)
    assert not hasattr(body, "throw")
    assert not hasattr(body, "close")
    assert outcome(body.send, None) == ("returned", None)
    assert outcome(coroutine.send, None)[0] == "raised"


def test_cpp_and_python_await_it() -> None:
    async def main() -> Any:
        inner = ROUTE.pass_through(asyncio.sleep(0.001, "slept"))
        return await raw_protocol.pass_through(ROUTE.pass_through(raw_protocol.pass_through(inner)))

    assert run(main()) == "slept"
    with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
        coroutine = ROUTE.pass_through(Iterator(1))
        coroutine.send(None)
        finish(raw_protocol.pass_through(coroutine))


# ---- bound by nanobind and pybind11 --------------------------------------------------------------


@pytest.fixture(params=[nb_bindings, pb_bindings], ids=["nanobind", "pybind11"])
def bindings(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_bound_functions_give_it(bindings: Any) -> None:
    for coroutine, result in (
        (bindings.native_add(1), 3),
        (bindings.native_add(a=1, b=5), 6),
        (bindings.native_lambda(4), 8),
        (bindings.Box(7).native_peek(extra=1), 8),
        (bindings.Box(7).native_by_lambda(), 7),
        (bindings.Box(7).native_fetch_after(Iterator()), 7),
        (bindings.native_closure(Iterator()), 2),  # the function's own, and the copy that the coroutine keeps
    ):
        assert type(coroutine) is types.CoroutineType
        assert finish(coroutine) == result


def test_bound_functions_are_coroutine_functions(bindings: Any) -> None:
    for function in (bindings.native_add, bindings.Box.native_peek, bindings.Box(1).native_by_lambda):
        assert inspect.iscoroutinefunction(function)
    assert list(inspect.signature(bindings.native_add).parameters) == ["a", "b"]
    assert "-> collections.abc.Coroutine[typing.Any, typing.Any, int]" in bindings.native_add.__doc__


def test_self_and_closure_live_as_long_as_it(bindings: Any) -> None:
    collect()
    before = bindings.alive()
    coroutines = [bindings.Box(7).native_fetch_after(Iterator(1)), bindings.native_closure(Iterator(1))]
    for coroutine in coroutines:
        assert coroutine.send(None) == 1
    collect()
    assert bindings.alive() > before
    assert outcome(coroutines[0].send, None) == ("returned", 7)
    assert outcome(coroutines[1].send, None) == ("returned", 2)
    del coroutines, coroutine
    collect()
    assert bindings.alive() == before


def test_the_policy_is_that_of_the_function(bindings: Any) -> None:
    box = bindings.Box(3)
    item = finish(box.native_item())
    assert item is finish(box.native_item())
    del box
    collect()
    assert item.number == 3


def test_errors_are_translated(bindings: Any) -> None:
    with pytest.raises(bindings.Translated) as caught:
        finish(bindings.native_fail("translated"))
    assert functions_in(caught.value)[-1] == "fail"
    with pytest.raises(IndexError):
        finish(bindings.native_fail("out_of_range"))
    with pytest.raises(TypeError):
        bindings.native_add("x")


def test_what_runs_in_a_thread(bindings: Any) -> None:
    async def main() -> Any:
        return await asyncio.gather(*[bindings.native_square(i) for i in range(4)])

    assert run(main()) == [0, 1, 4, 9]


def test_it_is_collected_in_a_cycle(bindings: Any) -> None:
    class Awaited(Iterator):
        coroutine: Any

    log: list[str] = []
    awaited = Awaited(1)
    alive = weakref.ref(awaited)
    awaited.coroutine = ROUTE.guarded(awaited, log)
    awaited.coroutine.send(None)
    del awaited
    collect()
    assert alive() is None
    assert log == ["inner guard", "outer guard"]


# ---- as another process sees them -----------------------------------------------------------------


def tool(command: str) -> list[str]:
    try:
        return asyncio_tool(command).splitlines()
    except NotPermitted:
        pytest.skip("the system does not let a process read the memory of another one (ptrace)")


@pytest.mark.skipif(VERSION < (3, 14), reason="python -m asyncio ps is new in 3.14")
def test_another_process_sees_the_tasks() -> None:
    """`python -m asyncio ps` and `pstree` name native coroutines as they name Python's own, down to the first C++ one;
    of other C++ coroutines they know that they are a task's, and which task awaits which."""

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()

        def start(name: str, coroutine: Any) -> asyncio.Task[Any]:
            return asyncio.create_task(coroutine, name=name)

        alone = start("alone", ROUTE.pass_through(future))
        awaited = start("awaited", native.pass_through(ROUTE.pass_through(native.pass_through(future))))
        outer = start("outer", raw_protocol.pass_through(future))
        inner = start("inner", native.guarded(raw_protocol.pass_through(future), []))
        waits = [start("waits", ROUTE.pass_through(alone)), start("waits-too", raw_protocol.pass_through(alone))]
        await asyncio.sleep(0)
        ps, tree = tool("ps"), tool("pstree")
        future.set_result(None)
        await asyncio.gather(alone, awaited, outer, inner, *waits)

        def row(task: str, awaited_by: str = "") -> list[str]:
            """The columns after the task's name: its coroutines, those that await it, and the name of their task."""
            rows = [re.split(" {2,}", line.rstrip()) for line in ps[2:] if line]
            (found,) = (row[3:-1] for row in rows if row[2] == task and (not awaited_by or row[-2] == awaited_by))
            return found

        assert row("alone", "waits") == ["pass_through", "pass_through", "waits"]
        assert row("alone", "waits-too") == ["pass_through", "waits-too"]
        assert row("awaited") == ["pass_through -> pass_through"]
        assert row("outer") == []
        assert row("inner") == ["guarded"]

        entry = re.compile(rf"pass_through {re.escape(str(SOURCE))}:\d+$")
        at = next(i for i, line in enumerate(tree) if line.endswith("(T) waits"))
        assert entry.search(tree[at + 1])
        assert tree[at + 2].endswith("(T) alone")
        assert entry.search(tree[at + 3])
        at = next(i for i, line in enumerate(tree) if line.endswith("(T) waits-too"))
        assert tree[at + 1].endswith("(T) alone")

    asyncio.run(main())


# ---- the documentation ---------------------------------------------------------------------------


def test_the_table_in_the_documentation() -> None:
    """`python tests/python/routes.py` prints it, without what only newer versions of CPython have."""
    documentation = Path(__file__).parents[2] / "docs/python.md"
    printed, written = routes.table().splitlines(), documentation.read_text().splitlines()
    start = written.index(printed[0])
    rows = written[start : written.index("", start)]
    assert printed == [row for row in rows if row in printed or routes.PS not in row]
