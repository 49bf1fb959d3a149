"""What Python's tools see of a C++ coroutine: attributes, code objects, frames, the levels of a chain."""

import asyncio
import copy
import gc
import inspect
import io
import itertools
import re
import signal
import sys
import types
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import native
import pytest
import raw_introspection
import raw_protocol
import trio
import trio.lowlevel
import trio.testing
from support import (
    FREE_THREADED,
    GIVE,
    LOOPS,
    VERSION,
    Boom,
    Iterator,
    Recorder,
    awaitable,
    collect,
    do_await,
    do_call,
    finish,
    generator_awaitable,
    outcome,
    run,
)

FRAMES_LINE = raw_introspection.frames(0)[1].f_lineno
"""The line of frames() in raw_introspection.cpp."""


def line_of(code: types.CodeType, mark: str) -> int:
    """The line with this mark in the source of a C++ coroutine."""
    lines = Path(code.co_filename).read_text().splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"// [{mark}]")]
    return found


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def walk(coroutine: Any) -> list[Any]:
    """A coroutine and what it awaits, as walkers of stacks find it."""
    levels = []
    while hasattr(coroutine, "cr_await"):
        levels.append(coroutine)
        coroutine = coroutine.cr_await
    return [*levels, coroutine]


# ---- states --------------------------------------------------------------------------------------


def attributes(coroutine: Any) -> dict[str, Any]:
    """The state of a coroutine by each of the attributes that tell of it."""
    frame = coroutine.cr_frame
    state = inspect.getcoroutinestate(coroutine)
    if hasattr(coroutine, "cr_state"):  # from 3.15 on natively (8.9)
        assert coroutine.cr_state == state
    return {
        "cr_running": coroutine.cr_running,
        "cr_suspended": coroutine.cr_suspended,
        "cr_await": coroutine.cr_await,
        "cr_frame": frame is not None,
        "f_back": frame is not None and frame.f_back is not None,
        "state": state,
    }


def expected(state: str, awaited: object = None) -> dict[str, Any]:
    return {
        "cr_running": state == "CORO_RUNNING",
        "cr_suspended": state == "CORO_SUSPENDED",
        "cr_await": awaited,
        "cr_frame": state != "CORO_CLOSED",
        "f_back": False,
        "state": state,
    }


def test_8_8_8_9_created_and_closed(language: Any) -> None:
    coroutine = language.value(1)
    assert attributes(coroutine) == expected("CORO_CREATED")
    assert finish(coroutine) == 1
    assert attributes(coroutine) == expected("CORO_CLOSED")
    for end in (lambda c: c.close(), lambda c: outcome(c.throw, Boom()), lambda c: outcome(finish, c)):
        coroutine = language.pass_through(None)
        end(coroutine)
        assert attributes(coroutine) == expected("CORO_CLOSED")


def test_5_24_8_2_8_8_8_9_running(language: Any) -> None:
    """Also while it runs because a child runs, or because something is thrown into what it awaits or that is closed."""
    seen: list[Any] = []

    def look(*_: object) -> None:
        for coroutine in (outer, child):
            state = attributes(coroutine)
            assert state.pop("cr_frame")
            assert state.pop("f_back") in (language is native, False)
            seen.append((state["state"], state["cr_running"], state["cr_suspended"], state["cr_await"]))

    recorder = Recorder(1)
    recorder.on_close = look
    child = language.script([do_call(look), do_await(recorder)])
    outer = language.pass_through(child)
    outer.send(None)
    outer.close()
    running = ("CORO_RUNNING", True, False, None)
    closing_child = seen[3] if VERSION < (3, 13) and language is native else running  # 24: cr_await in that window
    assert seen == [running, running, seen[2], closing_child]
    assert seen[2][:3] == seen[3][:3] == running[:3]


def test_8_3_8_8_8_9_suspended(language: Any) -> None:
    """`cr_await` is the await-iterator."""

    @types.coroutine
    def based() -> Generator[Any, Any, Any]:
        yield 1

    def plain() -> Generator[Any, Any, Any]:
        yield 1

    generator, iterator = plain(), Iterator(1)
    elements = iter([1])
    wrappers = [each.yields([1]).__await__() for each in (native, raw_protocol)]
    same: list[Any] = [native.yields([1]), raw_protocol.yields([1]), based(), iterator]
    cases: list[tuple[Any, Any]] = [
        (generator_awaitable(generator), generator),
        (awaitable(lambda: elements), elements),
        (awaitable(lambda: wrappers[0]), wrappers[0]),
        (awaitable(lambda: wrappers[1]), wrappers[1]),
        *[(each, each) for each in same],
    ]
    for awaited, found in cases:
        coroutine = language.pass_through(awaited)
        assert coroutine.send(None) == 1
        assert attributes(coroutine) == expected("CORO_SUSPENDED", found)
        assert coroutine.cr_await is found
        assert attributes(coroutine.__await__())["cr_await"] is found if language is raw_protocol else True
        outcome(coroutine.send, None)
        assert attributes(coroutine) == expected("CORO_CLOSED")


def test_8_3_a_future(language: Any) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(language.pass_through(future))
        await asyncio.sleep(0)
        awaited = task.get_coro().cr_await  # type: ignore[union-attr]
        assert type(awaited) is type(future.__await__())
        assert attributes(task.get_coro()) == expected("CORO_SUSPENDED", awaited)
        future.set_result(3)
        assert await task == 3

    asyncio.run(main())


def test_8_3_nothing_is_awaited_at_a_co_yield() -> None:
    coroutine = raw_protocol.yields([1])
    coroutine.send(None)
    assert attributes(coroutine) == expected("CORO_SUSPENDED")
    coroutine.close()


def test_8_8_seen_from_inside(language: Any) -> None:
    states: list[str] = []
    beside, created = language.pass_through(Iterator(1)), language.value(1)
    beside.send(None)
    child = language.script([do_call(lambda _: states.extend(map(inspect.getcoroutinestate, everyone)))])
    everyone = [outer := language.pass_through(child), child, beside, created]
    assert outcome(outer.send, None) == ("returned", None)
    assert states == ["CORO_RUNNING", "CORO_RUNNING", "CORO_SUSPENDED", "CORO_CREATED"]
    beside.close()
    created.close()


# ---- read-only, audited, documented --------------------------------------------------------------


@pytest.mark.parametrize("name", ["cr_await", "cr_running", "cr_suspended", "cr_frame", "cr_code", "cr_origin"])
def test_8_5_read_only(language: Any, name: str) -> None:
    coroutine = language.value(1)
    message = f"attribute '{name}' of 'coroutine' objects is not writable"
    if name == "cr_origin" or (name == "cr_code" and VERSION < (3, 12)):
        message = "readonly attribute"
    with pytest.raises(AttributeError, match=exactly(message)):
        setattr(coroutine, name, None)
    with pytest.raises(AttributeError, match=exactly(message)):
        delattr(coroutine, name)
    coroutine.close()


@pytest.mark.parametrize("name", ["send", "throw", "close", "__await__"])
def test_8_5_methods_cannot_be_set(language: Any, name: str) -> None:
    coroutine = language.value(1)
    message = exactly(f"'coroutine' object attribute '{name}' is read-only")
    with pytest.raises(AttributeError, match=message):
        setattr(coroutine, name, None)
    coroutine.close()


def test_8_6_audit_events(language: Any) -> None:
    events: list[Any] = []
    watched: list[Any] = []
    # Hooks cannot be removed: this one does nothing once `watched` is empty.
    sys.addaudithook(
        lambda event, arguments: (
            events.append(arguments) if event == "object.__getattr__" and arguments[0] in watched else None
        )
    )
    coroutine = language.value(1)
    watched.append(coroutine)
    for name in ("cr_await", "cr_running", "cr_suspended", "cr_origin", "cr_frame", "cr_code"):
        getattr(coroutine, name)
    watched.clear()
    assert events == [(coroutine, "cr_frame"), (coroutine, "cr_code")]
    coroutine.close()


def test_1_8_public_names() -> None:
    native_one, cpp_one = native.value(1), raw_protocol.value(1)
    own, natives = vars(type(cpp_one)).keys(), vars(type(native_one)).keys()
    # What any heap type has, what makes it a CoroutineType, and what refuses pickling (10.2).
    more = {"__module__", "__class__", "__reduce__", "__reduce_ex__", "cr_state"}
    assert own - natives - {"__getattribute__", "__weaklistoffset__"} == more - natives
    assert natives - own == {"__getattribute__", "__sizeof__"} & natives
    assert dir(cpp_one) == dir(native_one)
    forwarded = {"cr_await", "cr_running", "cr_suspended", "cr_frame", "cr_code", "cr_state"}  # 20.2
    own, natives = vars(type(cpp_one.__await__())).keys(), vars(type(native_one.__await__())).keys()
    assert own - natives == {"__module__", "__reduce__", "__reduce_ex__", *forwarded}
    assert natives - own == {"__getattribute__"} & natives
    native_one.close()
    cpp_one.close()


def test_1_9_subscription(language: Any) -> None:
    coroutine = language.value(1)
    cls = type(coroutine)
    if VERSION >= (3, 13):
        generic = cls[int, str, bytes]
        assert type(generic) is types.GenericAlias
        assert generic.__origin__ is cls
        assert generic.__args__ == (int, str, bytes)
        assert repr(generic).endswith("coroutine[int, str, bytes]")
        assert cls.__class_getitem__(int).__args__ == (int,)
    else:
        with pytest.raises(TypeError, match=exactly("type 'coroutine' is not subscriptable")):
            cls[int, str, bytes]
    coroutine.close()


def test_1_11_1_12_docstrings_and_text_signatures() -> None:
    natives = native.value(1)
    ours = raw_protocol.value(1)
    for native_type, cpp_type in ((type(natives), type(ours)), (type(natives.__await__()), type(ours.__await__()))):
        assert cpp_type.__doc__ == native_type.__doc__
        for name in ("send", "throw", "close", "__await__", "__class_getitem__", "__del__", "__name__"):
            mine, theirs = (getattr(cls, name, None) for cls in (cpp_type, native_type))
            if name != "__class_getitem__" or VERSION >= (3, 14):
                assert getattr(mine, "__doc__", None) == getattr(theirs, "__doc__", None), name
            assert getattr(mine, "__text_signature__", None) == getattr(theirs, "__text_signature__", None), name
    natives.close()
    ours.close()


@pytest.mark.parametrize("wrapped", [False, True])
def test_2_9_5_1_6_8_9_3_arity(language: Any, wrapped: bool) -> None:
    coroutine = language.value(1)
    target = coroutine.__await__() if wrapped else coroutine
    name = "coroutine_wrapper" if wrapped else "coroutine"
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: target.send(), f"{name}.send() takes exactly one argument (0 given)"),
        (lambda: target.send(1, 2), f"{name}.send() takes exactly one argument (2 given)"),
        (lambda: target.send(value=1), f"{name}.send() takes no keyword arguments"),
        (lambda: target.close(1), f"{name}.close() takes no arguments (1 given)"),
        (lambda: target.close(value=1), f"{name}.close() takes no keyword arguments"),
        (lambda: target.throw(), "throw expected at least 1 argument, got 0"),
        (lambda: target.throw(1, 2, 3, 4), "throw expected at most 3 arguments, got 4"),
        (lambda: target.throw(value=1), f"{name}.throw() takes no keyword arguments"),
    ]
    for call, text in calls:
        with pytest.raises(TypeError, match=exactly(text)):
            call()
    coroutine.close()


def test_16_1_it_is_taken_for_a_coroutine(language: Any) -> None:
    coroutine = language.value(1)
    assert inspect.iscoroutine(coroutine)
    assert isinstance(coroutine, types.CoroutineType)
    assert coroutine.__class__ is types.CoroutineType
    assert (type(coroutine) is types.CoroutineType) is (language is native)
    assert not inspect.iscoroutine(coroutine.__await__())
    assert not isinstance(coroutine.__await__(), types.CoroutineType)
    coroutine.close()


def test_12_6_del_closes_and_releases(language: Any) -> None:
    coroutine = language.pass_through(Iterator(1))
    coroutine.send(None)
    assert coroutine.__del__() is None
    assert attributes(coroutine) == expected("CORO_CLOSED")


def test_the_size_is_that_of_the_object() -> None:
    coroutine = raw_protocol.value(1)
    assert coroutine.__sizeof__() == type(coroutine).__basicsize__
    coroutine.close()


# ---- code and frames -----------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [0, 1, 31, 32, 1000, 100_000, -1, -10])
def test_a_frame_has_the_line_it_is_made_for(distance: int) -> None:
    there, first = raw_introspection.frames(FRAMES_LINE + distance)
    assert there.f_lineno == FRAMES_LINE + distance
    assert there.f_code.co_firstlineno == FRAMES_LINE
    assert {line for _, _, line in there.f_code.co_lines()} == {there.f_lineno}
    assert (first.f_lineno, first.f_code.co_firstlineno) == (FRAMES_LINE, FRAMES_LINE)
    assert there.f_back is None
    assert there.f_locals == {}
    assert there.f_globals == {"__name__": "raw_introspection"}


def test_the_code_of_a_place_has_its_names_and_is_made_once() -> None:
    code = raw_introspection.frames(0)[0].f_code
    assert code.co_name == code.co_qualname == "frames"
    assert code.co_filename.endswith("raw_introspection.cpp")
    assert raw_introspection.frames(0)[1].f_code is code
    assert raw_introspection.frames(FRAMES_LINE + 1)[0].f_code is not code


def test_the_module_of_a_frame_is_found_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = types.ModuleType("odd")
    odd.__file__ = 1  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "odd", odd)
    monkeypatch.setitem(sys.modules, "none", None)
    assert raw_introspection.frames(1_000_001)[0].f_globals == {"__name__": "raw_introspection"}
    monkeypatch.delitem(sys.modules, "raw_introspection")
    assert raw_introspection.frames(1_000_002)[0].f_globals == {"__name__": "isthmus"}


@pytest.mark.skipif(FREE_THREADED, reason="CPython 3.13 makes code objects immortal as soon as there is a thread")
def test_code_objects_that_nobody_uses_are_given_up() -> None:
    code = weakref.ref(raw_introspection.frames(1)[0].f_code)
    assert code() is not None
    for line in range(2, 10_000):
        raw_introspection.frames(line)
    assert code() is None
    assert raw_introspection.frames(1)[0].f_lineno == 1


def test_8_4_code(language: Any) -> None:
    coroutine = language.pass_through(Iterator(1))
    code = coroutine.cr_code
    assert code.co_name == code.co_qualname == "pass_through"
    assert Path(code.co_filename).stem == ("native" if language is native else "raw_protocol")
    assert "pass_through(" in Path(code.co_filename).read_text()
    assert code.co_flags & inspect.CO_COROUTINE
    assert not code.co_flags & inspect.CO_GENERATOR
    assert code.co_firstlineno > 0
    coroutine.__name__ = coroutine.__qualname__ = "renamed"  # is the coroutine's alone
    coroutine.send(None)
    assert coroutine.cr_code is code
    coroutine.close()
    assert coroutine.cr_code is code


def test_a_frame_shows_the_line_that_was_reached() -> None:
    coroutine = raw_introspection.inner(Iterator(result=1))
    code = coroutine.cr_code
    # Where std::source_location says that the function is: its first line, with g++ 12 the last.
    assert coroutine.cr_frame.f_lineno == code.co_firstlineno
    assert line_of(code, "inner") <= code.co_firstlineno <= line_of(code, "inner ends")
    assert coroutine.send(None) == 1
    assert coroutine.cr_frame.f_lineno == line_of(code, "inner yields")
    assert coroutine.cr_frame.f_code.co_firstlineno == code.co_firstlineno
    assert outcome(coroutine.send, 2) == ("returned", 2)

    coroutine = raw_introspection.inner(Iterator(1))
    coroutine.send(None)
    frame = coroutine.cr_frame
    assert frame.f_lineno == line_of(code, "inner awaits")
    coroutine.close()
    assert frame.f_lineno == line_of(code, "inner awaits")  # a frame shows how it was when it was asked for
    frame.clear()


def test_8_10_a_cpp_body_has_no_python_locals() -> None:
    coroutine = raw_protocol.pass_through(Iterator(1))
    for _ in ("created", "suspended"):
        assert inspect.getcoroutinelocals(coroutine) == {}
        coroutine.send(None) if coroutine.cr_state == "CORO_CREATED" else coroutine.close()
    assert inspect.getcoroutinelocals(coroutine) == {}


# ---- chains of C++ coroutines --------------------------------------------------------------------

LIVE = pytest.mark.skipif(FREE_THREADED, reason="without a GIL, a level is shown as it was when it was asked for")


def test_8_3_each_cpp_level_is_shown() -> None:
    iterator = Iterator(1)
    coroutine = raw_introspection.outer(iterator)
    assert walk(coroutine) == [coroutine, None]
    coroutine.send(None)
    *levels, leaf = walk(coroutine)
    assert leaf is iterator
    names = ["outer", "middle", "inner"]
    assert [level.__name__ for level in levels] == [level.__qualname__ for level in levels] == names
    assert [level.cr_code.co_name for level in levels] == names
    lines = [line_of(coroutine.cr_code, f"{name} awaits") for name in names]
    assert [level.cr_frame.f_lineno for level in levels] == lines
    for level in levels:
        if not FREE_THREADED:
            assert attributes(level) == expected("CORO_SUSPENDED", level.cr_await)
        assert level.cr_state == inspect.getcoroutinestate(level) == "CORO_SUSPENDED"
    coroutine.close()


@pytest.mark.skipif(not FREE_THREADED, reason="with a GIL, a level is shown as it is")
def test_without_a_gil_a_level_is_shown_as_it_was() -> None:
    iterator = Recorder(1, result=2)
    coroutine = raw_introspection.outer(iterator)
    coroutine.send(None)
    middle = coroutine.cr_await
    line = middle.cr_frame.f_lineno
    assert coroutine.send(None) == 2
    assert coroutine.cr_await.cr_await.cr_await is None  # inner yields
    coroutine.close()
    assert coroutine.cr_await is None
    assert [level.__name__ for level in walk(middle)[:-1]] == ["middle", "inner"]
    assert walk(middle)[-1] is iterator
    assert (middle.cr_state, middle.cr_frame.f_lineno) == ("CORO_SUSPENDED", line)


@pytest.mark.skipif(not FREE_THREADED, reason="with a GIL, a level keeps nothing alive")
def test_a_cycle_through_what_was_seen_is_collected() -> None:
    iterator: Any = Iterator(1)
    alive = weakref.ref(iterator)
    coroutine = raw_introspection.outer(iterator)
    coroutine.send(None)
    iterator.level = coroutine.cr_await
    coroutine.close()
    del iterator, coroutine
    collect()
    assert alive() is None


@LIVE
def test_8_3_a_level_is_the_same_object_while_it_is_held() -> None:
    coroutine = raw_introspection.outer(Iterator(1))
    coroutine.send(None)
    middle = coroutine.cr_await
    assert coroutine.cr_await is middle
    assert middle.cr_await is middle.cr_await
    assert coroutine.__await__().cr_await is middle
    coroutine.close()


def test_a_level_is_read_only() -> None:
    coroutine = raw_introspection.outer(Iterator(1))
    coroutine.send(None)
    level = coroutine.cr_await
    assert re.fullmatch("<coroutine_view object middle at 0x[0-9a-f]+>", repr(level))
    for name in ("__name__", "cr_await", "cr_frame", "cr_code"):
        with pytest.raises(AttributeError, match="not writable"):
            setattr(level, name, None)
    for name in ("send", "throw", "close", "__await__"):
        assert not hasattr(level, name)
    assert not inspect.isawaitable(level)
    refusals: list[Callable[[Any], Any]] = [copy.copy, lambda o: o.__reduce_ex__(0), lambda o: type(o)()]
    for refused in refusals:
        with pytest.raises(TypeError, match=r"cannot (pickle|create) 'isthmus.coroutine_view' (object|instances)"):
            refused(level)
    coroutine.close()


@LIVE
@pytest.mark.parametrize("end", ["return", "raise", "close", "drop"])
def test_a_level_that_has_ended_is_closed(end: str) -> None:
    error = Boom()
    iterator = Recorder(1, result=2)
    coroutine = raw_introspection.outer(iterator)
    coroutine.send(None)
    _, middle, inner, _ = walk(coroutine)
    code = inner.cr_code
    if end == "return":
        assert coroutine.send(None) == 2  # inner yields
        assert attributes(inner) == expected("CORO_SUSPENDED")
        assert outcome(coroutine.send, 3) == ("returned", 3)
    elif end == "raise":
        assert outcome(coroutine.throw, error) == ("raised", error)
    elif end == "close":
        coroutine.close()
    else:
        del coroutine
        collect()
    for level, name in ((middle, "middle"), (inner, "inner")):
        assert attributes(level) == expected("CORO_CLOSED")
        assert level.__name__ == level.cr_code.co_name == name
    assert inner.cr_code is code


@LIVE
def test_a_level_is_not_taken_for_the_one_that_follows_it() -> None:
    """Though that is of the same function, and its frame where the other one was."""
    first, second = Iterator(1), Iterator(2)
    coroutine = raw_introspection.in_turn([first, second])
    coroutine.send(None)
    level = coroutine.cr_await
    assert level.cr_await is first
    while coroutine.cr_await.cr_await is not second:
        coroutine.send(None)
    assert attributes(level) == expected("CORO_CLOSED")
    assert coroutine.cr_await is not level
    assert coroutine.cr_await.cr_await is second
    coroutine.close()


@LIVE
def test_a_level_keeps_nothing_alive() -> None:
    iterator = Iterator(1)
    coroutine = raw_introspection.outer(iterator)
    coroutine.send(None)
    references = sys.getrefcount(iterator), sys.getrefcount(coroutine)
    levels = walk(coroutine)[1:-1]
    assert (sys.getrefcount(iterator), sys.getrefcount(coroutine)) == references
    assert not any(gc.is_tracked(level) for level in levels)
    alive = weakref.ref(coroutine)
    del coroutine
    assert alive() is None
    assert [level.cr_state for level in levels] == ["CORO_CLOSED"] * 2


@LIVE
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_levels_die_in_any_order(order: tuple[int, ...]) -> None:
    coroutine = raw_introspection.outer(Iterator(1))
    coroutine.send(None)
    held: list[Any] = walk(coroutine)[:-1]
    del coroutine
    for index in order:
        held[index] = None
        for level in held:
            assert level is None or level.cr_state == ("CORO_SUSPENDED" if held[0] is not None else "CORO_CLOSED")


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("quiet", ["quiet", "inner"]),  # nothrow()
        ("erased", ["erased", "inner"]),  # any_coroutine
        ("above_plain", ["above_plain", "plain"]),  # knows no Python
        ("awaits_generator", ["awaits_generator", "once"]),
        ("awaits_own", ["awaits_own"]),  # a user's own awaitable
    ],
)
def test_what_cpp_awaits(function: str, names: list[str]) -> None:
    takes = [Iterator(1)] if function in ("quiet", "erased") else []
    coroutine = getattr(raw_introspection, function)(*takes)
    coroutine.send(None)
    *levels, leaf = walk(coroutine)
    assert [level.__name__ for level in levels] == names
    assert [level.cr_state for level in levels] == ["CORO_SUSPENDED"] * len(names)
    assert leaf is (takes[0] if takes else None)
    coroutine.close()
    assert FREE_THREADED or {level.cr_state for level in levels} == {"CORO_CLOSED"}


def test_a_deep_chain_is_shown_to_its_end() -> None:
    iterator = Iterator(1)
    coroutine = raw_protocol.deep(1000, iterator)
    coroutine.send(None)
    *levels, leaf = walk(coroutine)
    assert len(levels) == 1000
    assert leaf is iterator
    coroutine.close()


def test_8_3_chains_cross_languages() -> None:
    iterator = Iterator(1)
    innermost = raw_introspection.outer(iterator)
    between = native.pass_through(innermost)
    coroutine = raw_introspection.outer(between)
    coroutine.send(None)
    *levels, leaf = walk(coroutine)
    names = ["outer", "middle", "inner", "pass_through", "outer", "middle", "inner"]
    assert [level.__name__ for level in levels] == names
    assert levels[3] is between
    assert levels[4] is innermost
    assert leaf is iterator
    coroutine.close()


def test_8_3_modules_show_each_others_coroutines() -> None:
    iterator = Iterator(1)
    inner = raw_protocol.deep(2, iterator)
    coroutine = raw_introspection.outer(inner)
    coroutine.send(None)
    *levels, leaf = walk(coroutine)
    assert [level.__name__ for level in levels] == ["outer", "middle", "inner", "deep", "deep"]
    assert levels[3] is inner
    assert leaf is iterator
    assert type(levels[1]) is type(levels[4])
    assert [level.cr_frame.f_globals["__name__"] for level in levels[2:4]] == ["raw_introspection", "raw_protocol"]
    coroutine.close()


def test_looking_leaks_nothing() -> None:
    def look() -> None:
        coroutine = raw_introspection.outer(Iterator(1))
        coroutine.send(None)
        for level in [*walk(coroutine)[:-1], coroutine.__await__()]:
            attributes(level)
            repr(level)
        coroutine.close()

    def blocks() -> int:
        for _ in range(100):
            look()
        collect()
        return sys.getallocatedblocks()

    blocks()
    assert abs(blocks() - blocks()) < 50


@LIVE
def test_8_2_7_9_a_level_that_somebody_else_drives() -> None:
    iterator = Recorder(1, 2, result=3)
    raw_introspection.keep(iterator)
    coroutine = raw_introspection.await_kept()
    assert coroutine.send(None) == 1
    level = coroutine.cr_await
    states: list[str] = []
    iterator.on_throw = None
    assert raw_introspection.send_to_kept() == 2  # takes it out of the chain
    assert coroutine.cr_await is level
    assert attributes(level) == expected("CORO_SUSPENDED", iterator)
    assert coroutine.send(None) == 3  # and this takes it back
    assert attributes(level) == expected("CORO_SUSPENDED")
    raw_introspection.drop_kept()
    assert attributes(level) == expected("CORO_CLOSED")
    assert attributes(coroutine) == expected("CORO_SUSPENDED")
    assert states == []
    coroutine.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_8_3_a_completion_is_awaited_as_a_future(loop: str) -> None:
    async def main() -> None:
        future_iterator = type(asyncio.get_running_loop().create_future().__await__())
        coroutine = raw_introspection.awaits_completion()
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        assert attributes(coroutine) == expected("CORO_SUSPENDED", coroutine.cr_await)
        assert type(coroutine.cr_await) is future_iterator
        raw_introspection.complete(4)
        assert await task == 4

    run(main(), loop)


# ---- the wrapper ---------------------------------------------------------------------------------


def test_the_wrapper_has_the_attributes() -> None:
    coroutine = raw_introspection.outer(Iterator(1))
    wrapper = coroutine.__await__()
    for drive in (lambda: None, lambda: wrapper.send(None), wrapper.close):
        drive()
        assert FREE_THREADED or attributes(wrapper) == attributes(coroutine)
        assert wrapper.cr_state == coroutine.cr_state
        assert walk(wrapper)[-1] is walk(coroutine)[-1]
        assert wrapper.cr_code is coroutine.cr_code
    for name in ("cr_await", "cr_running", "cr_suspended", "cr_frame", "cr_code"):
        message = f"attribute '{name}' of 'coroutine_wrapper' objects is not writable"
        with pytest.raises(AttributeError, match=exactly(message)):
            setattr(wrapper, name, None)


# ---- asyncio --------------------------------------------------------------------------------------


async def step() -> None:
    """Lets the other tasks run as far as they get."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("debug", [False, True])
def test_18_7_18_10_the_repr_of_a_task_says_where_it_is(language: Any, loop: str, debug: bool) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        task: Any = asyncio.create_task(language.pass_through(future))
        coroutine = task.get_coro()
        code = coroutine.cr_code
        for _ in ("created", "suspended"):
            place = f"running at {code.co_filename}:{coroutine.cr_frame.f_lineno}>"
            assert f"coro=<pass_through() {place}" in repr(task)
            await step()
        future.set_result(None)
        await task
        done = f"coro=<pass_through() done, defined at {code.co_filename}:{code.co_firstlineno}>"
        assert done in repr(task)

    run(main(), loop, debug=debug)


@pytest.mark.parametrize("loop", LOOPS)
def test_18_8_the_stack_of_a_task(language: Any, loop: str) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        task: Any = asyncio.create_task(language.deep(3, future))
        await step()
        (frame,) = task.get_stack()  # one, as a suspended frame has no f_back
        assert frame.f_code.co_name == "deep"
        assert frame.f_lineno == task.get_coro().cr_frame.f_lineno
        printed = io.StringIO()
        task.print_stack(file=printed)
        assert f'File "{frame.f_code.co_filename}", line {frame.f_lineno}, in deep' in printed.getvalue()
        assert "await deep(levels - 1" in printed.getvalue()  # the line itself, where the source is there
        future.set_result(None)
        await task
        assert task.get_stack() == []

    run(main(), loop)


def call_graph(task: Any) -> list[str]:
    graph = asyncio.capture_call_graph(task)  # type: ignore[attr-defined]
    return [entry.frame.f_code.co_name for entry in graph.call_stack]


@pytest.mark.skipif(VERSION < (3, 14), reason="new in 3.14")
def test_18_11_the_call_graph_has_all_levels() -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        leaf = raw_introspection.outer(future)
        through_wrapper = awaitable(leaf.__await__)
        task = asyncio.create_task(native.pass_through(through_wrapper))
        await step()
        assert call_graph(task) == ["inner", "middle", "outer", "pass_through"][: len(call_graph(task))]
        assert len(call_graph(task)) == 4
        text = asyncio.format_call_graph(task)  # type: ignore[attr-defined]
        for name in ("inner", "middle", "outer"):
            line = line_of(leaf.cr_code, f"{name} awaits")
            assert f"File {leaf.cr_code.co_filename!r}, line {line}, in {name}" in text.replace('"', "'")
        future.set_result(None)
        await asyncio.wait([task])

    asyncio.run(main())


@pytest.mark.skipif(VERSION < (3, 14), reason="new in 3.14")
def test_18_12_the_call_graph_of_the_running_task(language: Any) -> None:
    graphs: list[list[str]] = []

    async def main() -> None:
        await language.script([do_call(lambda _: graphs.append(call_graph(asyncio.current_task())))])

    asyncio.run(main())
    (graph,) = graphs
    assert graph[-1] == "main"
    assert ("script" in graph) is (language is native)


@pytest.mark.skipif(VERSION < (3, 14), reason="new in 3.14")
def test_18_13_what_a_future_is_awaited_by(language: Any) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(language.pass_through(future))
        await step()
        (waiter,) = asyncio.capture_call_graph(future).awaited_by  # type: ignore[attr-defined]
        assert waiter.future is task
        assert [entry.frame.f_code.co_name for entry in waiter.call_stack] == ["pass_through"]
        future.set_result(None)
        await task

    asyncio.run(main())


# ---- trio and anyio -------------------------------------------------------------------------------


def test_19_2_trio_takes_it_for_a_coroutine(language: Any) -> None:
    assert trio.run(language.value, 1) == 1
    coroutine = language.value(1)
    with pytest.raises(TypeError, match=r"got a coroutine object .*\n?.*value"):
        trio.run(coroutine)
    assert attributes(coroutine) == expected("CORO_CLOSED")  # trio has closed it


def test_19_3_trio_drives_it(language: Any) -> None:
    """Also with values that are not None, and with errors."""

    async def main() -> None:
        await language.pass_through(trio.sleep(0.001))
        with trio.move_on_after(0.001) as scope:
            await language.pass_through(trio.sleep_forever())
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(language.pass_through, trio.lowlevel.checkpoint())
            nursery.start_soon(language.deep, 3, trio.lowlevel.checkpoint())

    trio.run(main)


def test_19_4_19_6_trio_uses_it_as_a_task(language: Any) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(language.deep, 3, trio.sleep_forever())
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            coroutine: Any = task.coro
            assert coroutine.__name__ == "deep"  # not wrapped
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_SUSPENDED
            frames = list(task.iter_await_frames())
            assert [frame.f_code.co_name for frame, _ in frames][:4] == ["deep", "deep", "deep", "sleep_forever"]
            assert [line for _, line in frames] == [frame.f_lineno for frame, _ in frames]
            lot = trio.lowlevel.ParkingLot()
            trio.lowlevel.add_parking_lot_breaker(task, lot)
            trio.lowlevel.remove_parking_lot_breaker(task, lot)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_19_6_trio_finds_coroutines_where_it_wants_none(language: Any) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="expected a sync(hronous)? function"):
            await trio.to_thread.run_sync(language.value, 1)

    trio.run(main)


def test_19_5_trio_and_keyboard_interrupt(language: Any) -> None:
    """A task whose first coroutine is in C++ is interrupted at its next checkpoint only."""

    def look(_: object) -> bool:
        return trio.lowlevel.currently_ki_protected()

    protected = trio.run(language.script, [do_call(look), GIVE])
    assert protected is (language is raw_protocol)

    async def main() -> Any:
        return await language.script([do_call(look), GIVE])

    assert trio.run(main) is False  # here the task's own frame is on the stack

    def interrupt(_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            trio.run(
                language.script, [do_call(interrupt), do_await(awaitable(lambda: trio.sleep(10).__await__())), GIVE]
            )
    finally:
        signal.signal(signal.SIGINT, before)


BACKENDS = ["asyncio", "trio"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_19_7_anyio_cancels_it(language: Any, backend: str) -> None:
    async def main() -> None:
        with anyio.move_on_after(0.001) as scope:
            await language.deep(2, anyio.sleep_forever())
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(language.deep, 2, anyio.sleep_forever())
            group.start_soon(language.yields, [])
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    anyio.run(language.pass_through, anyio.lowlevel.checkpoint(), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_19_8_the_names_of_anyios_tasks(language: Any, backend: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            task = group.create_task(language.deep(2, anyio.sleep_forever()))
            await anyio.wait_all_tasks_blocked()
            assert task.name == f"{language.__name__}.deep"
            assert task.name in [each.name for each in anyio.get_running_tasks()]
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
